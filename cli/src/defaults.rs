//! What `cellc train` does where the user does not say.

use crate::commands::train::TaskName;

/// The defaults of a task.
pub(crate) struct Defaults {
    pub(crate) layers: usize,
    pub(crate) hidden: usize,
    pub(crate) embedding: usize,
    pub(crate) batch: usize,
    pub(crate) seq: usize,
    /// How many reviews are made.
    pub(crate) examples: usize,
    pub(crate) learning_rate: f64,
    pub(crate) clip: f64,
    pub(crate) weight_decay: f64,
    pub(crate) word_dropout: f64,
    /// How often a word must occur to be known.
    pub(crate) least_count: usize,
    pub(crate) epochs: f64,
    /// On little data, so many steps are taken however many epochs they make.
    pub(crate) least_steps: u64,
    /// How often the model is evaluated in the course of a training.
    pub(crate) evaluations: u64,
    pub(crate) patience: u32,
    pub(crate) held_out: f64,
}

const COMMON: Defaults = Defaults {
    layers: 1,
    hidden: 64,
    embedding: 32,
    batch: 16,
    seq: 50,
    examples: 16_000,
    learning_rate: 5e-3,
    clip: 1.0,
    weight_decay: 0.0,
    word_dropout: 0.0,
    least_count: 1,
    epochs: 1.5,
    least_steps: 1,
    evaluations: 10,
    patience: 0,
    held_out: 0.1,
};

impl Defaults {
    pub(crate) fn of(task: TaskName) -> Self {
        match task {
            TaskName::Reviews => COMMON,
            TaskName::Chars => Self {
                layers: 2,
                hidden: 128,
                embedding: 64,
                batch: 50,
                learning_rate: 5e-3,
                epochs: 5.0,
                least_steps: 200,
                held_out: 0.05,
                ..COMMON
            },
            TaskName::Classify => Self {
                embedding: 64,
                batch: 32,
                learning_rate: 3e-3,
                word_dropout: 0.5,
                least_count: 2,
                epochs: 10.0,
                least_steps: 100,
                evaluations: 20,
                patience: 10,
                ..COMMON
            },
        }
    }
}
