//! Tasks as they are written down, and how they are made from that.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::chars::{self, Chars};
use super::classify::{self, Lexicon, Split};
use super::labelled::{self, Labelled};
use super::reviews::{self, Review, reviews};
use super::table::{self, Columns};
use super::vocabulary::Vocabulary;
use super::words::words;
use super::{DataError, Task, read_text};
use crate::model::Readout;
use cellc_runtime::sequence::Extent;

/// What a model was trained on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "lowercase", deny_unknown_fields)]
pub enum TaskConfig {
    /// Reviews made by the grammar.
    Reviews {
        /// How many are trained on.
        examples: usize,
        /// How many share a batch.
        batch: usize,
    },
    /// The next character of a text.
    Chars {
        /// The text.
        data: PathBuf,
        /// Streams that are read side by side.
        batch: usize,
        /// Steps that gradients flow back through.
        seq: usize,
        /// The share held out, 0 to 1.
        held_out: f64,
    },
    /// Labels of texts.
    Classify {
        /// The table.
        data: PathBuf,
        /// Its column of texts.
        text_column: String,
        /// Its column of labels.
        label_column: String,
        /// How many texts share a batch.
        batch: usize,
        /// The share held out, 0 to 1.
        held_out: f64,
        /// The probability that a word is read as the unknown one in training.
        word_dropout: f64,
        /// How often a word must occur to be known.
        least_count: usize,
    },
}

impl TaskConfig {
    /// The task's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Reviews { .. } => "reviews",
            Self::Chars { .. } => "chars",
            Self::Classify { .. } => "classify",
        }
    }

    /// When its model answers.
    pub fn readout(&self) -> Readout {
        match self {
            Self::Chars { .. } => Readout::Each,
            Self::Reviews { .. } | Self::Classify { .. } => Readout::Last,
        }
    }
}

/// The symbols that a model reads, and the labels it answers by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    /// The symbols.
    pub symbols: Vocabulary,
    /// The labels; empty if a model answers by symbols.
    pub labels: Vec<String>,
}

impl Words {
    /// How many classes an answer is chosen from.
    pub fn classes(&self) -> usize {
        if self.labels.is_empty() { self.symbols.len() } else { self.labels.len() }
    }
}

impl From<&Words> for Lexicon {
    fn from(words: &Words) -> Self {
        Self { words: words.symbols.clone(), labels: words.labels.clone() }
    }
}

/// A task that is ready to be trained on.
pub struct LoadedTask {
    /// The task.
    pub task: Box<dyn Task>,
    /// What its model reads and answers.
    pub words: Words,
    /// What there is to learn from, in a few words.
    pub summary: String,
}

/// The share of a labelled training part that checkpoints are chosen by.
const VALIDATION: f64 = 0.05;
/// A character that occurs less often teaches nothing, and is read as the unknown one, so that the
/// model learns what to make of characters it has never seen.
const LEAST_CHARS: usize = 2;
/// How many reviews a model is judged by.
const HELD_OUT_REVIEWS: usize = 1000;

impl TaskConfig {
    /// Reads or makes the data.
    ///
    /// # Errors
    /// If they cannot be read, or are not enough.
    pub fn load(&self, seed: u64) -> Result<LoadedTask, DataError> {
        match self {
            Self::Reviews { examples, batch } => Ok(load_reviews(*examples, *batch, seed)),
            Self::Chars { data, batch, seq, held_out } => {
                let options = chars::Options {
                    extent: Extent { steps: *seq, batch: *batch },
                    held_out: *held_out,
                    least_count: LEAST_CHARS,
                    seed,
                };
                let task = Chars::new(data, &read_text(data)?, options)?;
                let words = Words { symbols: task.vocabulary().clone(), labels: Vec::new() };
                let (training, held_out) = task.sizes();
                let summary = format!(
                    "{training} characters to train on and {held_out} held out, {} different",
                    words.symbols.len() - 1
                );
                Ok(LoadedTask { task: Box::new(task), words, summary })
            }
            Self::Classify { data, batch, held_out, word_dropout, least_count, .. } => {
                let rows = table::read(data, &self.columns())?;
                let split = Split {
                    held_out: *held_out,
                    validation: VALIDATION,
                    least_count: *least_count,
                    seed,
                };
                let corpus = classify::prepare(data, &rows, split)?;
                let options =
                    labelled::Options { batch: *batch, word_dropout: *word_dropout, seed };
                let Lexicon { words, labels } = corpus.lexicon.clone();
                Ok(loaded(corpus.into_task(options), Words { symbols: words, labels }, "texts"))
            }
        }
    }

    /// The columns of the task's tables.
    pub fn columns(&self) -> Columns {
        match self {
            Self::Classify { text_column, label_column, .. } => {
                Columns { text: text_column.clone(), label: label_column.clone() }
            }
            Self::Reviews { .. } | Self::Chars { .. } => Columns::default(),
        }
    }
}

fn loaded(task: Labelled, words: Words, what: &str) -> LoadedTask {
    let [training, held_out] = [task.training().len(), task.examples(super::Part::HeldOut).len()];
    let (symbols, labels) = (words.symbols.len() - 1, words.labels.len());
    let summary = format!(
        "{training} {what} to train on and {held_out} held out, {symbols} words, {labels} labels"
    );
    LoadedTask { task: Box::new(task), words, summary }
}

fn load_reviews(count: usize, batch: usize, seed: u64) -> LoadedTask {
    let parts = [reviews(count, false, seed), Vec::new(), held_out_reviews(seed)];
    let known: Vec<String> = parts[0].iter().flat_map(|review| words(&review.text)).collect();
    let symbols = Vocabulary::count(known.iter().map(String::as_str), 1);
    let labels = reviews::LABELS.map(ToOwned::to_owned).to_vec();
    let words = Words { symbols, labels };
    let lexicon = Lexicon::from(&words);
    let example = |review: &Review| labelled::Example {
        symbols: lexicon.encode(&review.text),
        label: review.buy.into(),
    };
    let parts = parts.map(|part| part.iter().map(example).collect());
    let options = labelled::Options { batch, word_dropout: 0.0, seed };
    let sizes = (words.symbols.len(), words.labels.len());
    loaded(Labelled::new(sizes, parts, options), words, "reviews")
}

/// The reviews that a model trained from a seed is judged by.
pub fn held_out_reviews(seed: u64) -> Vec<Review> {
    reviews(HELD_OUT_REVIEWS, true, seed)
}

/// Labelled texts of a file, as a model with these words reads them.
///
/// # Errors
/// If the file cannot be read, or has a label that the model does not know.
pub fn labelled_examples(
    path: &Path,
    columns: &Columns,
    words: &Words,
) -> Result<Vec<labelled::Example>, DataError> {
    Lexicon::from(words).examples(path, &table::read(path, columns)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::Part;

    #[test]
    fn reviews_are_ready_without_any_data() {
        let loaded = TaskConfig::Reviews { examples: 200, batch: 16 }.load(1).unwrap();
        assert_eq!(loaded.words.classes(), 2);
        assert_eq!(loaded.task.batches_per_epoch(), 13);
        let held_out: usize =
            loaded.task.part(Part::HeldOut).unwrap().map(|batch| batch.targets.len()).sum();
        assert_eq!(held_out, HELD_OUT_REVIEWS);
        assert!(loaded.task.majority().unwrap() < 0.6);
    }

    #[test]
    fn configurations_are_written_down_by_name() {
        let chars = TaskConfig::Chars { data: "a.txt".into(), batch: 2, seq: 3, held_out: 0.05 };
        let text = serde_json::to_string(&chars).unwrap();
        assert!(text.starts_with(r#"{"name":"chars","data":"a.txt","#), "{text}");
        assert_eq!(serde_json::from_str::<TaskConfig>(&text).unwrap(), chars);
        let missing = chars.load(1).err().unwrap();
        assert!(missing.to_string().starts_with("cannot read a.txt: "));
    }
}
