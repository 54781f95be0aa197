//! The next character of a text.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::options::{OptionError, parse};
use super::stream::{Stream, evaluation};
use super::vocabulary::Vocabulary;
use super::{Codec, Context, DataError, Kind, Loaded, TaskError, read_text};
use crate::batch::{Batch, Data, Example, IGNORED, Targets};
use crate::generate::probabilities;
use crate::model::{Answers, Interface, Readout, Reads};

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
    load: |options, context| load(options, context),
    codec: |kept| Ok(Box::new(serde_json::from_value::<Characters>(kept)?)),
};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Options {
    /// The text.
    data: PathBuf,
    /// Another text to choose the best model by.
    validation_data: PathBuf,
    /// Another text to be judged by.
    held_out_data: PathBuf,
    /// The share of the text before what is held out that the best model is chosen by.
    validation: f64,
    /// The share at the end of the text to be judged by.
    held_out: f64,
    /// Steps that gradients flow back through.
    seq: usize,
    /// How often a character must occur to be known: one that is rarer teaches nothing, and is read
    /// as the unknown one, so that the model learns what to make of characters it has never seen.
    least_count: usize,
    /// A character after which states begin anew, if any.
    reset_after: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            data: PathBuf::new(),
            validation_data: PathBuf::new(),
            held_out_data: PathBuf::new(),
            validation: 0.0,
            held_out: 0.05,
            seq: 50,
            least_count: 2,
            reset_after: String::new(),
        }
    }
}

/// What characters a model knows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Characters {
    vocabulary: Vocabulary,
    /// States begin anew after this symbol.
    end: Option<u32>,
}

fn load(options: &toml::Table, context: Context) -> Result<Loaded, TaskError> {
    let options: Options = parse(KIND.name, options)?;
    let missing = OptionError::Missing {
        task: KIND.name.to_owned(),
        option: "data".to_owned(),
        help: "a text to learn from, `--data FILE.txt`".to_owned(),
    };
    if options.data.as_os_str().is_empty() {
        return Err(missing.into());
    }
    for (option, share) in [("validation", options.validation), ("held_out", options.held_out)] {
        if !(0.0..1.0).contains(&share) {
            let fault = format!("{share} is no share from 0 up and below 1");
            let (task, option) = (KIND.name.to_owned(), option.to_owned());
            return Err(OptionError::Value { task, option, fault }.into());
        }
    }
    let text = read_text(&options.data)?;
    let too_little = |fault| DataError::TooLittle { path: options.data.clone(), fault };
    if text.is_empty() {
        return Err(too_little("the file is empty".to_owned()).into());
    }
    let (rest, held_out) = cut(&text, &options.held_out_data, options.held_out)?;
    let (training, validation) = cut(rest, &options.validation_data, options.validation)?;
    let mut buffer = [0; 4];
    let chars: Vec<String> =
        training.chars().map(|c| c.encode_utf8(&mut buffer).to_owned()).collect();
    let vocabulary = Vocabulary::count(chars.iter().map(String::as_str), options.least_count);
    let parts = [training, &validation, &held_out].map(|part| vocabulary.encode_chars(part));
    let [known, _, judged] = parts.each_ref().map(Vec::len);
    let summary = format!(
        "{known} characters to train on and {judged} held out, {} different",
        vocabulary.len() - 1
    );
    let end = match options.reset_after.as_str() {
        "" => None,
        end => Some(vocabulary.number(end)),
    };
    let task = Stream::new(context, options.seq.max(1), parts, end, "character");
    let task = Box::new(task.map_err(too_little)?);
    Ok(Loaded { task, codec: Box::new(Characters { vocabulary, end }), summary })
}

/// A text without its end, and its end or another text.
fn cut<'t>(text: &'t str, other: &Path, share: f64) -> Result<(&'t str, String), DataError> {
    if !other.as_os_str().is_empty() {
        return Ok((text, read_text(other)?));
    }
    let total = text.chars().count();
    let held = (total as f64 * share).round() as usize;
    let at = text.char_indices().nth(total - held).map_or(text.len(), |(byte, _)| byte);
    let (rest, held) = text.split_at(at);
    Ok((rest, held.to_owned()))
}

impl Codec for Characters {
    fn interface(&self) -> Interface {
        let symbols = self.vocabulary.len();
        Interface {
            reads: Reads::Symbols(symbols),
            answers: Answers::Classes(symbols),
            readout: Readout::Each,
            masked: false,
            resets: self.end.is_some(),
        }
    }

    fn kept(&self) -> Value {
        json!(self)
    }

    fn vocabulary(&self) -> Option<&Vocabulary> {
        Some(&self.vocabulary)
    }

    fn step(&self) -> &'static str {
        "character"
    }

    fn continues(&self) -> bool {
        true
    }

    fn encode(&self, text: &str) -> Option<Vec<u32>> {
        Some(self.vocabulary.encode_chars(text))
    }

    fn judged(&self, options: &toml::Table) -> Result<Vec<Batch>, TaskError> {
        let options: Options = parse(KIND.name, options)?;
        let symbols = self.vocabulary.encode_chars(&read_text(&options.data)?);
        if symbols.len() < 2 {
            let fault = "a text of two characters or more is needed: the second is predicted";
            return Err(DataError::TooLittle { path: options.data, fault: fault.into() }.into());
        }
        Ok(evaluation(&symbols, self.end).collect())
    }

    fn question(&self, line: &str) -> Result<Example, String> {
        let symbols = self.vocabulary.encode_chars(line);
        if symbols.is_empty() {
            return Err("the line is empty: there is nothing to continue".to_owned());
        }
        let targets = symbols[1..].iter().copied().chain([IGNORED]).collect();
        Ok(Example { data: Data::Symbols(symbols), targets: Targets::Classes(targets) })
    }

    fn answer(&self, question: &Example, answers: &[f32]) -> Value {
        let classes = self.vocabulary.len();
        let Targets::Classes(targets) = &question.targets else { return Value::Null };
        let rows: Vec<Vec<f64>> =
            answers.chunks(classes).map(|row| probabilities(row, 1.0)).collect();
        let known = rows.iter().zip(targets).filter(|(_, target)| **target != IGNORED);
        let loss: f64 = known.map(|(row, target)| -row[*target as usize].ln()).sum();
        let mut next: Vec<(usize, f64)> =
            rows.last().into_iter().flatten().copied().enumerate().collect();
        next.sort_by(|a, b| b.1.total_cmp(&a.1));
        let next = next.iter().take(5).map(|(symbol, p)| {
            json!({ "text": self.vocabulary.symbol(*symbol as u32), "probability": p })
        });
        json!({
            "loss": loss / (targets.len().max(2) - 1) as f64,
            "next": next.collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
             validation, held_out, seq, least_count, reset_after"
        );
        assert!(refused("hello", "held_ou = 3").contains("did you mean `held_out`?"));
        assert_eq!(
            refused("hello", "held_out = 1.5"),
            "option `held_out` of task `chars`: 1.5 is no share from 0 up and below 1"
        );
        let fault = refused("hello", "seq = \"x\"");
        assert!(fault.starts_with("option `seq` of task `chars`: invalid type"), "{fault}");
        let missing = super::load(&toml::Table::new(), Context { batch: 2, seed: 1 });
        assert_eq!(
            missing.err().unwrap().to_string(),
            "task `chars` needs `data`: a text to learn from, `--data FILE.txt`"
        );
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
