//! Tasks: what a model learns from, and what it is judged by.
//!
//! A [`Kind`] of task is one file, listed in [`KINDS`]: its options, how it loads data, and the
//! [`Codec`] that is kept with a model, by which new data become batches and answers become
//! something to be read. Most are made of [`examples`], of which several share a batch, or of
//! [`stream`]s that are read on and on.

pub mod chars;
pub mod classify;
pub mod examples;
pub mod options;
pub mod reviews;
pub mod stream;
pub mod table;
pub mod vocabulary;
pub mod words;

use std::path::PathBuf;

use cellc_runtime::sequence::RunError;
use thiserror::Error;

use self::options::OptionError;
use self::vocabulary::Vocabulary;
use crate::batch::{Batch, Example};
use crate::metrics::regression::{Channel, Regression};
use crate::model::Interface;

/// The kinds of tasks there are.
pub static KINDS: &[Kind] = &[reviews::KIND, chars::KIND, classify::KIND];

/// The kind of a name.
pub fn find(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

/// A kind of task.
pub struct Kind {
    /// Its name.
    pub name: &'static str,
    /// What it is about, in half a sentence.
    pub about: &'static str,
    /// Endings of files that it is for, if the user names no task.
    pub endings: &'static [&'static str],
    /// What its experiments do that say nothing else, as TOML of an
    /// [`Experiment`](crate::experiment::Experiment).
    pub defaults: &'static str,
    /// Reads or makes its data.
    pub load: fn(&toml::Table, Context) -> Result<Loaded, TaskError>,
    /// Makes a codec as it was kept with a model.
    pub codec: fn(serde_json::Value) -> Result<Box<dyn Codec>, serde_json::Error>,
}

/// What a task is told of the training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// How many sequences are trained on at once.
    pub batch: usize,
    /// What everything random is drawn from.
    pub seed: u64,
}

/// A task that is ready to be trained on.
pub struct Loaded {
    /// The data.
    pub task: Box<dyn Task>,
    /// What is kept with the model.
    pub codec: Box<dyn Codec>,
    /// What there is to learn from, in a few words.
    pub summary: String,
}

/// A part of the data that is not trained on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// What the best of several checkpoints is chosen by.
    Validation,
    /// What a model is judged by, once it is chosen.
    HeldOut,
}

/// By what one model is better than another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// A lower mean loss.
    Loss,
    /// More right answers. A classifier's loss rises as it grows too sure of its few mistakes, while
    /// it still gets more labels right: so the loss only decides between equals.
    Accuracy,
}

/// Batches in their order.
pub type Batches<'a> = Box<dyn Iterator<Item = Result<Batch, DataError>> + 'a>;

/// Data for a model to learn from.
pub trait Task {
    /// How many batches it takes to see all training data once; at least 1.
    fn batches_per_epoch(&self) -> usize;
    /// The training batches of an epoch, the first `skipped` left out. They are the same whenever
    /// they are asked for, so that a training can be taken up again anywhere.
    fn epoch(&self, epoch: u64, skipped: usize) -> Batches<'_>;
    /// The batches of a part, each of its answers once; `None` if the task has no such part.
    fn part(&self, part: Part) -> Option<Batches<'_>>;
    /// By what one model is better than another.
    fn goal(&self) -> Goal;
    /// What is reached on the held-out part without reading: the share of the most frequent label,
    /// or the mean squared error of a constant; `None` if that says little.
    fn baseline(&self) -> Option<f64> {
        None
    }
    /// Figures of the task's own, such as those of its paper: a name for each. `answer` gives the
    /// answers of the model to a batch.
    ///
    /// # Errors
    /// Those of `answer`.
    fn figures(&self, answer: &mut Answer<'_>) -> Result<Vec<Figure>, RunError> {
        let _ = answer;
        Ok(Vec::new())
    }
}

/// A model's answers to a batch: of classes their logits, one row for each answer.
pub type Answer<'a> = dyn FnMut(&Batch) -> Result<Vec<f32>, RunError> + 'a;

/// A figure of a task's own.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// What it is called in files.
    pub name: &'static str,
    /// How it is said, with the number in it.
    pub text: String,
    /// The number.
    pub value: f64,
}

/// How data become batches, and answers something to be read: what is kept of a task with a model.
pub trait Codec {
    /// What the task asks of a model.
    fn interface(&self) -> Interface;
    /// What it is to be made of again, by [`Kind::codec`].
    fn kept(&self) -> serde_json::Value;
    /// What the symbols are that a model reads, if it reads symbols.
    fn vocabulary(&self) -> Option<&Vocabulary> {
        None
    }
    /// What the classes are called that a model answers by; empty if they are symbols or numbers.
    fn labels(&self) -> &[String] {
        &[]
    }
    /// What a step is called: `character`, `word`, `step`.
    fn step(&self) -> &'static str;
    /// Whether the model goes on with what it reads, so that it can be sampled from.
    fn continues(&self) -> bool {
        false
    }
    /// Symbols of a text, if the task reads texts.
    fn encode(&self, text: &str) -> Option<Vec<u32>> {
        let _ = text;
        None
    }
    /// Symbols as a text that follows another.
    fn decode(&self, symbols: &[u32]) -> String {
        let symbol = |&number: &u32| self.vocabulary().map_or("", |v| v.symbol(number));
        symbols.iter().map(symbol).collect()
    }
    /// Data with answers to be judged by. The options are those of the training, but for those that
    /// the user gives, of which `data` is one.
    ///
    /// # Errors
    /// If they cannot be read, or have answers that the model does not know.
    fn judged(&self, options: &toml::Table) -> Result<Vec<Batch>, TaskError>;
    /// Where the errors of answers are summed, if they are numbers: by steps ahead and channels.
    fn errors(&self) -> Regression {
        let channel = |i| Channel { name: format!("number {}", i + 1), naive: None };
        Regression::new(1, (0..self.interface().answers.width()).map(channel).collect())
    }
    /// Numbers of an answer in the unit of the data.
    fn measured(&self, numbers: &[f32]) -> Vec<f64> {
        numbers.iter().copied().map(f64::from).collect()
    }
    /// One line to be answered: a text, or a JSON value.
    ///
    /// # Errors
    /// What is wrong with it.
    fn question(&self, line: &str) -> Result<Example, String>;
    /// The answer to it, one row of numbers for each that there is.
    fn answer(&self, question: &Example, answers: &[f32]) -> serde_json::Value;
}

/// Why a task is not ready.
#[derive(Debug, Error)]
pub enum TaskError {
    /// An option is wrong.
    #[error(transparent)]
    Option(#[from] OptionError),
    /// Data cannot be learnt from.
    #[error(transparent)]
    Data(#[from] DataError),
}
/// Data that cannot be learnt from.
#[derive(Debug, Error)]
pub enum DataError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not text.
    #[error(
        "{}:{line}: the text is not UTF-8 (byte {byte}); convert it, for instance by \
         `iconv -f latin1 -t utf8`",
        path.display()
    )]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// Where in the file, from 0.
        byte: usize,
    },
    /// A file is of no known format.
    #[error("{}: the ending says no format; name the file .csv, .tsv or .jsonl", path.display())]
    Format {
        /// The file.
        path: PathBuf,
    },
    /// A column is not there.
    #[error("{}: there is no column `{column}`; the columns are {found}", path.display())]
    Column {
        /// The file.
        path: PathBuf,
        /// The column that was asked for.
        column: String,
        /// Those there are.
        found: String,
    },
    /// A row is broken.
    #[error("{}:{row}: {fault}", path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        row: u64,
        /// What is wrong with it.
        fault: String,
    },
    /// There is not enough to learn from.
    #[error("{}: {fault}", path.display())]
    TooLittle {
        /// The file.
        path: PathBuf,
        /// What is missing, and how much there must be.
        fault: String,
    },
}

/// Reads a text file, without a byte order mark.
///
/// # Errors
/// If it cannot be read, or is not UTF-8.
pub fn read_text(path: &std::path::Path) -> Result<String, DataError> {
    let bytes =
        std::fs::read(path).map_err(|source| DataError::Read { path: path.to_owned(), source })?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let byte = error.utf8_error().valid_up_to();
        let line = 1 + error.as_bytes()[..byte].iter().filter(|b| **b == b'\n').count();
        DataError::NotUtf8 { path: path.to_owned(), line, byte }
    })?;
    Ok(text.strip_prefix('\u{feff}').map(ToOwned::to_owned).unwrap_or(text))
}
