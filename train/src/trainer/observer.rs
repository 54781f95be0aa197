//! What is told of a training on its way, and what is kept of it.

use std::ops::ControlFlow;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::{Model, Score, States};
use crate::optimizer::{Average, Optimizer, Plateau};
use crate::task::Part;
use crate::trainer::TrainError;

/// One update of a training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Its number, from 1.
    pub step: u64,
    /// How many the training has.
    pub steps: u64,
    /// How many times all training data were seen.
    pub epoch: f64,
    /// The mean loss of the answers that it learns from.
    pub loss: f64,
    /// The learning rate.
    pub learning_rate: f64,
    /// The norm of all gradients together, before clipping.
    pub gradient_norm: f64,
    /// How many steps of sequences were read.
    pub read: usize,
    /// How many sequences they were of.
    pub sequences: usize,
    /// How long the update took.
    pub took: Duration,
    /// The time since the start, evaluations included.
    pub elapsed: Duration,
}

/// An evaluation in the course of a training, or after it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation {
    /// After which step.
    pub step: u64,
    /// On which part.
    pub part: Part,
    /// How well the model did.
    pub score: Score,
    /// Whether the model is the best so far. Always, where nothing is chosen.
    pub best: bool,
    /// The time since the start.
    pub elapsed: Duration,
}

/// Where a training stands: together with the parameters and what the optimiser remembers, all that
/// it takes to go on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// How many updates were made.
    pub step: u64,
    /// The epoch, from 0.
    pub epoch: u64,
    /// How many batches of it were learnt from.
    pub batch: usize,
    /// The last step after which the model was evaluated.
    pub evaluated: u64,
    /// The step at which the best model was found, and how well it did.
    pub best: Option<(u64, Score)>,
    /// By what the learning rate is multiplied where the model no longer gets better.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plateau: Option<Plateau>,
    /// Seconds of training, evaluations included.
    pub seconds: f64,
    /// Whether the last evaluation found the task solved, if that is to end the training.
    #[serde(default)]
    pub solved: bool,
    /// The step from which improvements are waited for, if patience was given anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patient_from: Option<u64>,
}

/// A training as it stands, to be kept.
pub struct Snapshot<'a> {
    /// The model as it is now.
    pub model: &'a Model<f32>,
    /// What the optimiser remembers.
    pub optimizer: &'a Optimizer<f32>,
    /// The mean of the parameters on their way, if one is taken.
    pub average: Option<&'a Average<f32>>,
    /// The states that the next batch may go on from.
    pub states: &'a States<f32>,
    /// Where the training stands.
    pub progress: &'a Progress,
}

/// A training to be gone on with: what a [`Snapshot`] kept.
#[derive(Clone, Debug, Default)]
pub struct Resumed {
    /// The parameters of the model as it was then.
    pub params: Vec<Vec<f32>>,
    /// Those of the best model so far, or of the last whose loss was a number.
    pub best: Vec<Vec<f32>>,
    /// What the optimiser remembered: how many steps it had taken, and each parameter's moments.
    pub optimizer: (u64, Vec<Vec<Vec<f32>>>),
    /// The mean of the parameters on their way: of how many it was, and what it was.
    pub average: Option<(u64, Vec<Vec<f32>>)>,
    /// The states that the next batch may go on from.
    pub states: States<f32>,
    /// Where the training stood.
    pub progress: Progress,
}

/// Who is told how a training goes. What is not implemented keeps nothing and says nothing.
///
/// An error ends the training; one of an observer's own is [`TrainError::Observer`].
pub trait Observer {
    /// An update was made. To end the training well, break.
    ///
    /// # Errors
    /// If the training is to fail.
    fn step(&mut self, step: &Step) -> Result<ControlFlow<()>, TrainError> {
        let _ = step;
        Ok(ControlFlow::Continue(()))
    }

    /// The model was evaluated.
    ///
    /// # Errors
    /// If the training is to fail.
    fn evaluated(&mut self, evaluation: &Evaluation) -> Result<(), TrainError> {
        let _ = evaluation;
        Ok(())
    }

    /// The model is the best so far, and to be kept. Says whether it was: if not, the same model is
    /// handed over again later.
    ///
    /// # Errors
    /// If the training is to fail because it could not.
    fn best(&mut self, model: &Model<f32>, step: u64) -> Result<bool, TrainError> {
        let _ = (model, step);
        Ok(true)
    }

    /// The training is to be kept as it stands: after each evaluation, every so often, and when it
    /// is interrupted.
    ///
    /// # Errors
    /// If the training is to fail because it could not.
    fn save(&mut self, snapshot: &Snapshot<'_>) -> Result<(), TrainError> {
        let _ = snapshot;
        Ok(())
    }
}

/// An observer that keeps nothing and says nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {}
