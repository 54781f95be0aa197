//! How a model is trained.

use serde::{Deserialize, Serialize};

use crate::metrics::log::Format;
use crate::number::Short;
use crate::optimizer::{Averaging, Method, PlateauSettings, Schedule};
use crate::trainer::Progress;

/// How a model is trained: the `[training]` table of an experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// How many sequences are learnt from at once.
    pub batch: usize,
    /// How many batches make one update.
    pub accumulate: usize,
    /// How parameters follow their gradients.
    pub optimizer: Method,
    /// The learning rate at its highest.
    pub learning_rate: f64,
    /// How the learning rate changes.
    pub schedule: Schedule,
    /// What the norm of all gradients together is clipped to; 0 for no clipping.
    pub clip: f64,
    /// What each number of a gradient is clipped to, before that; 0 for no clipping.
    pub clip_value: f64,
    /// How much parameters shrink; the optimiser says how.
    pub weight_decay: f64,
    /// How often the data are gone through, if the number of updates is not given.
    pub epochs: f64,
    /// On little data, so many updates are made however many epochs they make.
    pub least_steps: u64,
    /// How many updates are made; 0 to go by epochs.
    pub steps: u64,
    /// After how many minutes the training ends in any case; 0 for never.
    pub minutes: f64,
    /// How often the model is evaluated, if the number of steps between is not given.
    pub evaluations: u64,
    /// After how many updates the model is evaluated; 0 to go by the number of evaluations.
    pub evaluate_every: u64,
    /// How many evaluations without an improvement on the validation part end the training; 0 for
    /// never.
    pub patience: u32,
    /// Whether the training ends with the first evaluation that finds the task solved, for tasks whose
    /// papers say what that is.
    pub until_solved: bool,
    /// After how many seconds the training is kept as it stands, beside each evaluation.
    pub save_seconds: f64,
    /// As what files the course of the training is kept; JSON lines are written in any case.
    pub log: Vec<Format>,
    /// What everything random is drawn from.
    pub seed: u64,
    /// How many threads share the work. Results do not depend on it, but for roundings under a limit of
    /// memory: each thread has arrays of its own, so that more of them leave room for shorter segments,
    /// over which gradients are summed in another order.
    pub threads: usize,
    /// How the learning rate falls where the validation loss no longer does, beside its schedule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plateau: Option<PlateauSettings>,
    /// The mean of the parameters on their way that is evaluated and kept in their place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub average: Option<Averaging>,
    /// The most bytes that the training may take, if there is a limit: for all arrays of its runs,
    /// parameters, gradients and what the optimiser keeps, but not for the data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<usize>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            batch: 16,
            accumulate: 1,
            optimizer: Method::ADAM,
            learning_rate: 5e-3,
            schedule: Schedule::COSINE,
            clip: 1.0,
            clip_value: 0.0,
            weight_decay: 0.0,
            epochs: 1.0,
            least_steps: 1,
            steps: 0,
            minutes: 0.0,
            evaluations: 10,
            evaluate_every: 0,
            patience: 0,
            until_solved: false,
            save_seconds: 30.0,
            log: vec![Format::Jsonl],
            seed: 1,
            threads: 1,
            plateau: None,
            average: None,
            memory: None,
        }
    }
}

impl Settings {
    /// Fills in what follows from the number of batches that make an epoch.
    pub fn resolve(&mut self, batches_per_epoch: usize) {
        if self.steps == 0 {
            let per_epoch = batches_per_epoch as f64 / self.accumulate.max(1) as f64;
            let steps = self.epochs * per_epoch;
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a number of epochs is positive; what is too large is the largest number"
            )]
            let steps = steps.round() as u64;
            // So many can be written down.
            self.steps = steps.max(self.least_steps).clamp(1, i64::MAX as u64);
        }
        if self.evaluate_every == 0 {
            self.evaluate_every = self.steps.div_ceil(self.evaluations.max(1)).max(1);
        }
    }

    /// Whether so many evaluations found nothing better that the training ends.
    pub(crate) fn is_out_of_patience(&self, progress: &Progress) -> bool {
        let best = progress.best.map_or(0, |(step, _)| step);
        let waited = (progress.step - best.max(progress.patient_from.unwrap_or(0)))
            / self.evaluate_every.max(1);
        self.patience > 0 && waited >= self.patience.into()
    }

    /// What is wrong with it, if anything is.
    pub(super) fn fault(&self) -> Option<String> {
        let counts = [
            ("batch", self.batch, 1_000_000),
            ("accumulate", self.accumulate, 1_000_000),
            ("threads", self.threads, 1024),
        ];
        let wrong = counts.iter().find(|(_, count, most)| !(1..=*most).contains(count));
        if let Some((name, count, most)) = wrong {
            return Some(format!(
                "training.{name} is a whole number from 1 to {most}, not {count}"
            ));
        }
        let numbers = [
            ("learning_rate", self.learning_rate, f64::MIN_POSITIVE, "a number above 0"),
            ("clip", self.clip, 0.0, "a number from 0 up"),
            ("clip_value", self.clip_value, 0.0, "a number from 0 up"),
            ("weight_decay", self.weight_decay, 0.0, "a number from 0 up"),
            ("epochs", self.epochs, f64::MIN_POSITIVE, "a number above 0"),
            ("minutes", self.minutes, 0.0, "a number from 0 up"),
            ("save_seconds", self.save_seconds, 0.0, "a number from 0 up"),
        ];
        let wrong = numbers.iter().find(|(_, x, least, _)| !(x.is_finite() && x >= least));
        wrong.map(|(name, x, _, what)| format!("training.{name} is {what}, not {}", Short(*x)))
    }
}
