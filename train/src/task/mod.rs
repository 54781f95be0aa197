//! Tasks: what a model learns from, and what it is judged by.
//!
//! A task turns its data into [`Batch`]es of symbols, training ones without end and evaluation
//! ones in order. One file each: [`reviews`] are made by a grammar, [`chars`] predicts the next
//! character of a text, [`classify`] labels sentences; the last and the first share [`labelled`].

pub mod chars;
pub mod classify;
pub mod config;
pub mod labelled;
pub mod reviews;
pub mod table;
pub mod vocabulary;
pub mod words;

use std::path::PathBuf;

use thiserror::Error;

use crate::batch::Batch;
use crate::model::Readout;

/// A part of the data that is not trained on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// What the best of several checkpoints is chosen by.
    Validation,
    /// What a model is judged by, once it is chosen.
    HeldOut,
}

/// Data for a model to learn from.
pub trait Task {
    /// When a model answers.
    fn readout(&self) -> Readout;
    /// How many symbols there are.
    fn symbols(&self) -> usize;
    /// How many classes an answer is chosen from.
    fn classes(&self) -> usize;
    /// How many batches it takes to see all training data once.
    fn batches_per_epoch(&self) -> usize;
    /// The next training batch, after a seeded shuffle of each epoch.
    fn next_batch(&mut self) -> Batch;
    /// The batches of a part, each of its answers once; `None` if the task has no such part.
    fn part(&self, part: Part) -> Option<Box<dyn Iterator<Item = Batch> + '_>>;
    /// The share of the most frequent label of the held-out part, 0 to 1: what is reached without
    /// reading. `None` if there are no labels.
    fn majority(&self) -> Option<f64>;
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
