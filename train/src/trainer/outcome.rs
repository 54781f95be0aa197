//! How a training ended.

use std::time::Duration;

use cellc_runtime::sequence::RunError;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::batch::Batch;
use crate::checkpoint::CheckpointError;
use crate::model::Score;
use crate::optimizer::StateError;
use crate::task::DataError;

/// Why a training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum End {
    /// All steps were taken.
    Steps,
    /// It did not get better any more.
    Patience,
    /// The task was solved.
    Solved,
    /// Its time was over.
    Time,
    /// The observer said so.
    Interrupted,
}

/// What came of a training. The model is left as it was at its best, or as it is if interrupted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// Why it ended.
    pub end: End,
    /// How many updates were made.
    pub steps: u64,
    /// After which of them the model was at its best.
    pub best_step: u64,
    /// How well it did then on the validation part; `None` if the task has none.
    pub validation: Option<Score>,
    /// How well the chosen model does on the held-out part; `None` if it was interrupted.
    pub held_out: Option<Score>,
    /// How long it took, evaluations included.
    pub elapsed: Duration,
}

/// Why a training failed.
#[derive(Debug, Error)]
pub enum TrainError {
    /// The data do not fit the model: a bug, or data of another model.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Data cannot be read any more.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The loss or a gradient is no number any more.
    #[error("{what} at step {step}{}", suspect.as_ref().map_or_else(String::new, |it| format!("; {it}")))]
    Diverged {
        /// The step, from 1.
        step: u64,
        /// What is wrong with the loss, or with the gradient of which parameter.
        what: String,
        /// What is to be said of a parameter that it may come from: the first that is not finite
        /// itself, or else the one with the longest gradient of the step before.
        suspect: Option<String>,
        /// What was learnt from in this step.
        batches: Box<[Batch]>,
        /// Whether the loss is finite, and only a gradient is not.
        backward: bool,
        /// The learning rate of the step.
        learning_rate: f64,
    },
    /// Something could not be kept.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// An observer would not have it go on.
    #[error(transparent)]
    Observer(Box<dyn std::error::Error + Send + Sync>),
    /// What was kept is of another training.
    #[error("what was kept cannot be gone on with: {0}")]
    State(#[from] StateError),
    /// The task holds nothing out.
    #[error(
        "nothing is held out to judge the model by; give a share above 0 (--held-out), or another file \
         (--held-out-data)"
    )]
    NothingHeldOut,
    /// The learning rate is to fall where the validation loss does not, and there is none.
    #[error("`training.plateau` needs a validation part, such as `task.validation=0.1`")]
    NoValidation,
}
