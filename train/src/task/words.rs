//! The next word of a text.

use std::path::PathBuf;

use super::corpus::Source;
use super::files::{MEMORY, check_known, given, named, shares, too_little};
use super::language::Language;
use super::options::{described, options, parse};
use super::stream::Stream;
use super::{Codec, Context, Kind, Loaded, TaskError};
use crate::data::store::Store;
use crate::data::tokenizer::{Boundary, Limits, Scheme, Tokenizer};

/// The next word of a text. The defaults are those of the small model of Zaremba, Sutskever &
/// Vinyals, Recurrent neural network regularization (2014), for the Penn Treebank, but for the
/// optimiser: two layers of 200, 20 streams, and a vocabulary of 10 000.
pub const KIND: Kind = Kind {
    name: "words",
    about: "the next word of a text",
    endings: &[],
    defaults: "
        [model]
        layers = 2
        hidden = 200
        embedding = 200
        dropout = 0.2
        [training]
        batch = 20
        learning_rate = 3e-3
        epochs = 6
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
        validation: f64 = 0.05,
        /// The share at the end of the text that the model is judged by.
        held_out: f64 = 0.05,
        /// How many steps gradients flow back through.
        seq: usize = 35,
        /// Where a word ends: `unicode` for texts as they are written, whose punctuation marks are
        /// words too, `space` for texts that are tokenized.
        boundary: Boundary = Boundary::Unicode,
        /// Whether words are the same in lower case.
        lowercase: bool = true,
        /// Whether the end of a line is a word, `<eos>`.
        eos: bool = true,
        /// How often a word must occur to be known.
        least_count: usize = 2,
        /// How many words are known at most, the unknown one included: the most frequent; 0 for all.
        most: usize = 10_000,
        /// A `tokenizer.json` of Hugging Face, to read parts of words instead.
        tokenizer: PathBuf = PathBuf::new(),
        /// A word after which states begin anew, if any, such as `<eos>`.
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
        lines: true,
    };
    let cuts = source.cuts()?;
    let tokenizer = match named(&options.tokenizer) {
        Some(path) => Tokenizer::open(path)?,
        None => {
            let Options { boundary, lowercase, eos, least_count, most, .. } = options;
            let limits = Limits { least_count, most: (most > 0).then_some(most) };
            source.tokenizer(cuts, Scheme::Words { boundary, lowercase, eos }, limits)?
        }
    };
    let language = Language::new(tokenizer).reset_after(KIND.name, &options.reset_after)?;
    let parts = source.streams(cuts, &language, options.memory)?;
    let [known, _, judged] = parts.each_ref().map(Store::elements);
    let step = language.step();
    let summary = format!(
        "{known} {step}s to train on and {judged} held out, {} different",
        language.symbols() - 1
    );
    let task = Stream::new(context, options.seq.max(1), parts, language.end(), step);
    let task = Box::new(task.map_err(|fault| too_little(&options.data, fault))?);
    check_known(KIND.name, language.symbols(), language.step(), options.least_count)?;
    Ok(Loaded { task, codec: Box::new(language), summary })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{learnt, resumes};
    use crate::task::{Part, continuation};

    fn table(path: &std::path::Path, options: &str) -> toml::Table {
        let mut table: toml::Table = options.parse().unwrap();
        table.insert("data".into(), path.to_str().unwrap().into());
        table
    }

    fn load(text: &str, options: &str) -> Result<Loaded, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        std::fs::write(&path, text).unwrap();
        let place = folder.path().to_str().unwrap().to_owned() + "/";
        super::load(&table(&path, options), Context { batch: 2, seed: 1 })
            .map_err(|error| error.to_string().replace(&place, ""))
    }

    const TEXT: &str = "The cat (a tom) sat, did not it?\nA dog ran.\n";

    #[test]
    fn words_and_ends_of_lines_are_symbols_and_are_put_together_again() {
        let text = TEXT.repeat(30);
        let codec = load(&text, "seq = 5").unwrap().codec;
        let symbols = codec.encode("The dog (a cat) sat.\nNever!").unwrap();
        assert_eq!(symbols.len(), 11);
        assert_eq!(codec.decode(&symbols), "the dog (a cat) sat.\n<unk> <unk>");
        let written: String =
            (0..symbols.len()).map(|i| continuation(&*codec, &symbols[..i], symbols[i])).collect();
        assert_eq!(written, codec.decode(&symbols));
        let codec = load(&text, "seq = 5\nboundary = 'space'\nlowercase = false\neos = false");
        let codec = codec.unwrap().codec;
        let symbols = codec.encode("The dog sat, did\nA").unwrap();
        assert_eq!(symbols.iter().filter(|symbol| **symbol == 0).count(), 0);
        assert_eq!(codec.decode(&symbols), "The dog sat, did A");
    }

    #[test]
    fn the_most_frequent_words_are_known_up_to_a_number() {
        let text = TEXT.repeat(30);
        let loaded = load(&text, "seq = 5\nmost = 4").unwrap();
        assert_eq!(loaded.codec.interface().reads, crate::model::Reads::Symbols(4));
        assert!(loaded.summary.ends_with(", 3 different"), "{}", loaded.summary);
        let all = load(&text, "seq = 5\nmost = 0").unwrap();
        assert!(all.codec.vocabulary().unwrap().len() > 10);
    }

    #[test]
    fn parts_are_shares_of_lines_or_other_texts() {
        let folder = tempfile::tempdir().unwrap();
        let [path, other] = ["a.txt", "b.txt"].map(|name| folder.path().join(name));
        std::fs::write(&path, TEXT.repeat(30)).unwrap();
        std::fs::write(&other, "the cat sat\n".repeat(5)).unwrap();
        let mut options = table(&path, "seq = 5");
        options.insert("held_out_data".into(), other.to_str().unwrap().into());
        let context = Context { batch: 2, seed: 1 };
        let loaded = super::load(&options, context).unwrap();
        let held: f64 = (loaded.task.part(Part::HeldOut).unwrap())
            .map(|batch| batch.unwrap().targets.count(1))
            .sum();
        assert_eq!(held, 19.0);
        assert!(loaded.task.part(Part::Validation).is_some());
        options.insert("data".into(), other.to_str().unwrap().into());
        let judged = loaded.codec.judged(&options).unwrap();
        for _ in 0..2 {
            let answers = judged.batches().map(|batch| batch.unwrap().targets.count(1));
            assert_eq!(answers.sum::<f64>(), 19.0);
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let refused = |text: &str, options: &str| load(text, options).err().unwrap();
        assert_eq!(refused("", ""), "a.txt: the file is empty");
        assert!(refused("a b c", "").contains("words to train on, but 2 streams of 35 steps"));
        let fault = refused(&TEXT.repeat(30), "boundary = 'syllable'");
        assert!(fault.starts_with("option `boundary` of task `words`: there is no `"), "{fault}");
        assert_eq!(
            refused(&TEXT.repeat(30), "reset_after = 'horse'"),
            "option `reset_after` of task `words`: the model knows no word `horse`"
        );
        assert_eq!(
            refused(&TEXT.repeat(30), "least_count = 100000"),
            "option `least_count` of task `words`: no word of what is trained on occurs 100000 times, so \
             none would be known; take less"
        );
        let missing = super::load(&toml::Table::new(), Context { batch: 2, seed: 1 });
        assert!(missing.err().unwrap().to_string().contains("`words` needs `data`"));
    }

    #[cfg(unix)]
    #[test]
    fn what_cannot_be_read_again_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let [path, pipe] = ["a.txt", "pipe.csv"].map(|name| folder.path().join(name));
        std::fs::write(&path, TEXT.repeat(30)).unwrap();
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        let context = Context { batch: 2, seed: 1 };
        let refused = |kind: &Kind, options: &toml::Table| {
            let fault = (kind.load)(options, context).err().unwrap().to_string();
            let told =
                "pipe.csv: this is a pipe or a device, and it is read more than once; save what";
            assert!(fault.contains(told), "{fault}");
        };
        for kind in [KIND, crate::task::chars::KIND, crate::task::classify::KIND] {
            refused(&kind, &table(&pipe, ""));
        }
        let other = format!("validation_data = '{}'", pipe.display());
        refused(&KIND, &table(&path, &other));
        let table = crate::data::table::Table::open(&pipe).err().unwrap().to_string();
        assert!(table.contains("this is a pipe or a device"), "{table}");
    }

    #[test]
    fn its_codec_is_what_was_kept_and_answers() {
        let codec = load(&TEXT.repeat(30), "seq = 5\nreset_after = '<eos>'").unwrap().codec;
        let again = (KIND.codec)(codec.kept()).unwrap();
        assert_eq!(again.kept(), codec.kept());
        assert_eq!(again.encode("The dog"), codec.encode("The dog"));
        assert_eq!(again.interface(), codec.interface());
        assert!(codec.interface().resets);
        let question = codec.question("the cat").unwrap();
        let classes = codec.interface().answers.width();
        let answer = codec.answer(&question, &vec![0.0; 2 * classes]);
        assert!((answer["loss"].as_f64().unwrap() - (classes as f64).ln()).abs() < 1e-9);
        assert_eq!(answer["next"].as_array().unwrap().len(), 5);
        assert!(codec.question(" ").is_err());
        let single = codec.question("cat").unwrap();
        let answer = codec.answer(&single, &vec![0.0; classes]);
        assert!(answer["loss"].is_null() && answer["next"][0]["probability"].is_number());
        // However unlikely a word was, its loss is a number.
        let mut sure = vec![0.0; 2 * classes];
        sure[0] = 1e6;
        assert_eq!(codec.answer(&question, &sure)["loss"], 1e6);
    }

    #[cfg(feature = "hf-tokenizers")]
    #[test]
    fn parts_of_words_are_read_by_a_tokenizer() {
        let json = r###"{"version": "1.0", "truncation": null, "padding": null,
            "added_tokens": [], "normalizer": {"type": "Lowercase"},
            "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null,
            "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
            "model": {"type": "WordPiece", "unk_token": "[UNK]",
                "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
                "vocab": {"the": 0, "[UNK]": 1, "cat": 2, "##s": 3, "sat": 4, ".": 5}}}"###;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokenizer.json");
        std::fs::write(&path, json).unwrap();
        let options = format!("seq = 5\ntokenizer = '{}'", path.display());
        let codec = load(&"The cats sat.\n".repeat(60), &options).unwrap().codec;
        let symbols = codec.encode("the dog cats.").unwrap();
        assert_eq!(symbols, [1, 0, 3, 4, 6]);
        assert_eq!(codec.interface().reads, crate::model::Reads::Symbols(7));
        assert_eq!(codec.decode(&[1, 3, 4, 5, 6]), "the cats sat.");
        let written: String = (0..5)
            .map(|i| continuation(&*codec, &[1, 3, 4, 5, 6][..i], [1, 3, 4, 5, 6][i]))
            .collect();
        assert_eq!(written, "the cats sat.");
        let again = (KIND.codec)(codec.kept()).unwrap();
        assert_eq!(again.encode("the dog"), Some(vec![1, 0]));
    }

    #[test]
    fn it_learns_what_follows_and_goes_on_where_it_stopped() {
        let text = "one two three four five\n".repeat(60);
        let loaded = || load(&text, "seq = 6").unwrap();
        assert!(learnt(&loaded(), "words", 60).mean_loss() < 0.5);
        resumes(loaded, "words");
    }
}
