//! The next character of a text.

use std::path::PathBuf;

use super::corpus::Source;
use super::files::{MEMORY, check_known, given, shares, too_little};
use super::language::Language;
use super::options::{described, options, parse};
use super::stream::Stream;
use super::{Codec, Context, Kind, Loaded, TaskError};
use crate::data::store::Store;
use crate::data::tokenizer::{Limits, Scheme};

/// The next character of a text.
pub const KIND: Kind = Kind {
    name: "chars",
    about: "the next character of a text",
    endings: &["txt", "text", "md"],
    defaults: "
        [model]
        layers = 2
        hidden = 128
        embedding = 64
        [training]
        batch = 50
        epochs = 5
        least_steps = 200
    ",
    options: described::<Options>,
    load: |options, context| load(options, context),
    codec: |kept| Ok(Box::new(serde_json::from_value::<Language>(kept)?)),
};

options! {
    struct Options {
        /// The text; it may be compressed by gzip.
        data: PathBuf = PathBuf::new(),
        /// Another text to choose the best model by.
        validation_data: PathBuf = PathBuf::new(),
        /// Another text to judge the model by.
        held_out_data: PathBuf = PathBuf::new(),
        /// The share of the text, before what is held out, that the best model is chosen by.
        validation: f64 = 0.0,
        /// The share at the end of the text that the model is judged by.
        held_out: f64 = 0.05,
        /// How many steps gradients flow back through.
        seq: usize = 50,
        /// How often a character must occur to be known: one that is rarer teaches nothing, and is
        /// read as the unknown one, so that the model learns what to make of characters it has never
        /// seen.
        least_count: usize = 2,
        /// A character after which states begin anew, if any.
        reset_after: String = String::new(),
        /// How many bytes of the text's symbols, 4 each, are in memory; what is beyond is in a
        /// temporary file.
        memory: usize = MEMORY,
    }
}

fn load(options: &toml::Table, context: Context) -> Result<Loaded, TaskError> {
    let options: Options = parse(KIND.name, options)?;
    given(KIND.name, &options.data, "a text to learn from, `--data FILE.txt`")?;
    shares(KIND.name, &[("validation", options.validation), ("held_out", options.held_out)])?;
    let source = Source {
        data: &options.data,
        others: [&options.validation_data, &options.held_out_data],
        shares: [options.validation, options.held_out],
        lines: false,
    };
    let cuts = source.cuts()?;
    let limits = Limits { least_count: options.least_count, most: None };
    let tokenizer = source.tokenizer(cuts, Scheme::Characters, limits)?;
    let language = Language::new(tokenizer).reset_after(KIND.name, &options.reset_after)?;
    let parts = source.streams(cuts, &language, options.memory)?;
    let [known, _, judged] = parts.each_ref().map(Store::elements);
    let summary = format!(
        "{known} characters to train on and {judged} held out, {} different",
        language.symbols() - 1
    );
    let task = Stream::new(context, options.seq.max(1), parts, language.end(), "character");
    let task = Box::new(task.map_err(|fault| too_little(&options.data, fault))?);
    check_known(KIND.name, language.symbols(), language.step(), options.least_count)?;
    Ok(Loaded { task, codec: Box::new(language), summary })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{Batch, Data};
    use crate::task::Part;

    fn load(text: &str, options: &str) -> Result<Loaded, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        std::fs::write(&path, text).unwrap();
        let mut options: toml::Table = options.parse().unwrap();
        options.insert("data".into(), path.to_str().unwrap().into());
        let place = folder.path().to_str().unwrap().to_owned() + "/";
        super::load(&options, Context { batch: 2, seed: 1 })
            .map_err(|error| error.to_string().replace(&place, ""))
    }

    #[test]
    fn any_utf8_is_text_and_rare_characters_are_unknown() {
        let text = "äöü日本 ".repeat(20) + "x" + &"日".repeat(20);
        let loaded = load(&text, "seq = 5\nheld_out = 0.1").unwrap();
        assert_eq!(loaded.codec.vocabulary().unwrap().len(), 7);
        let unknown = |batch: &Batch| match &batch.data {
            Data::Symbols(symbols) => symbols.iter().filter(|symbol| **symbol == 0).count(),
            Data::Reals(_) => 0,
        };
        let epoch = loaded.task.epoch(0, 0).map(Result::unwrap);
        assert!(epoch.map(|batch| unknown(&batch)).sum::<usize>() <= 1);
        assert!(loaded.task.part(Part::Validation).is_none());
    }

    #[test]
    fn what_is_wrong_is_said() {
        let refused = |text: &str, options: &str| load(text, options).err().unwrap();
        assert_eq!(refused("", ""), "a.txt: the file is empty");
        assert!(refused("hello", "").contains("5 characters to train on, but 2 streams of 50"));
        assert_eq!(
            refused("hello", "sequence = 3"),
            "task `chars` has no option `sequence`; it has data, validation_data, held_out_data, \
             validation, held_out, seq, least_count, reset_after, memory"
        );
        assert!(refused("hello", "held_ou = 3").contains("did you mean `held_out`?"));
        assert_eq!(
            refused("hello", "held_out = 1.5"),
            "option `held_out` of task `chars`: 1.5 is no share from 0 up and below 1"
        );
        assert_eq!(
            refused(&"hello ".repeat(90), "seq = 5\nreset_after = \"\\n\""),
            "option `reset_after` of task `chars`: the model knows no character `\\n`"
        );
        let fault = refused("hello", "seq = \"x\"");
        assert!(fault.starts_with("option `seq` of task `chars`: expected a "), "{fault}");
        let missing = super::load(&toml::Table::new(), Context { batch: 2, seed: 1 });
        assert_eq!(
            missing.err().unwrap().to_string(),
            "task `chars` needs `data`: a text to learn from, `--data FILE.txt`"
        );
    }

    #[test]
    fn a_text_beyond_memory_is_the_same_text() {
        let text = "a line of text, and another\n".repeat(5000);
        let batches = |options: &str| {
            let loaded = load(&text, &format!("reset_after = \"\\n\"\n{options}")).unwrap();
            let held_out = loaded.task.part(Part::HeldOut).unwrap();
            held_out.chain(loaded.task.epoch(1, 3).take(9)).map(Result::unwrap).collect()
        };
        let expected: Vec<Batch> = batches("");
        assert!(expected.iter().any(|batch| batch.resets.contains(&true)));
        let found: Vec<Batch> = batches("memory = 1000");
        assert_eq!(found, expected);
    }

    #[test]
    fn its_codec_is_what_was_kept() {
        let codec = load(&"hello world ".repeat(20), "").unwrap().codec;
        let again = (KIND.codec)(codec.kept()).unwrap();
        assert_eq!(again.kept(), codec.kept());
        assert_eq!(again.encode("hold"), codec.encode("hold"));
        assert_eq!(again.interface(), codec.interface());
    }
}
