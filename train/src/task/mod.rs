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

pub use crate::data::text::read_text;
pub use crate::data::{DataError, vocabulary, words};

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
