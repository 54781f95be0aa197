//! Runs: trainings that are kept in folders, from the first step or from where they were left.

use std::ops::ControlFlow;
use std::path::Path;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::checkpoint::CheckpointError;
use crate::data_files::Changed;
use crate::experiment::{Experiment, ExperimentError, Ready, Settings};
use crate::model::{Model, Score};
use crate::run_folder::{Kept, KeptRun, Lock, RunFolder, metrics};
use crate::task::Goal;
use crate::trainer::{
    End, Evaluation, Observer, Outcome, Progress, Resumed, Snapshot, Step, TrainError, train,
};

/// A training and the folder that it is kept in.
pub struct Run {
    /// What is trained, and on what.
    pub ready: Ready,
    /// Where it is kept.
    pub folder: RunFolder,
    /// Where it was left, if it goes on.
    pub resumed: Option<Resumed>,
    trained: bool,
}

/// Why a run cannot be gone on with.
#[derive(Debug, Error)]
pub enum ResumeError {
    /// What was kept cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// What it was started with cannot be made ready.
    #[error(transparent)]
    Experiment(#[from] ExperimentError),
    /// A file of its data is not what it was.
    #[error("{0}; put it back: the run cannot be gone on with otherwise")]
    File(#[from] Changed),
    /// There are other data than there were.
    #[error("{0}: the data have changed since the training began, so it cannot be gone on with")]
    Data(String),
    /// As it is to go on, it would end at once.
    #[error("{0}")]
    Over(String),
}

/// How a run is to go on that was begun otherwise; what is `None` stays.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Continuation {
    /// How many updates are made in all.
    pub steps: Option<u64>,
    /// How often the data are gone through in all, in place of `steps`.
    pub epochs: Option<f64>,
    /// After how many minutes in all the training ends in any case; 0 for never.
    pub minutes: Option<f64>,
    /// The learning rate at its highest.
    pub learning_rate: Option<f64>,
    /// What the norm of all gradients together is clipped to.
    pub clip: Option<f64>,
}

impl Continuation {
    /// Whether what it comes to may be better than before: more time alone does not make it so.
    fn is_another_course(&self) -> bool {
        self.steps.is_some() || self.epochs.is_some() || self.learning_rate.is_some()
    }

    /// An experiment that goes on so.
    fn of(&self, experiment: &Experiment) -> Result<Experiment, ExperimentError> {
        let mut experiment = experiment.clone();
        if let Some(epochs) = self.epochs {
            experiment.give_epochs(epochs);
        }
        let training = &mut experiment.training;
        training.minutes = self.minutes.unwrap_or(training.minutes);
        training.clip = self.clip.unwrap_or(training.clip);
        if let Some(steps) = self.steps {
            experiment.give_steps(steps);
        }
        if let Some(learning_rate) = self.learning_rate {
            experiment.give_learning_rate(learning_rate);
        }
        experiment.check()?;
        Ok(experiment)
    }
}

/// Why a training would end where it stands.
fn ended(progress: &Progress, settings: &Settings) -> Option<String> {
    let Settings { steps, minutes, .. } = *settings;
    let Progress { step, seconds, .. } = *progress;
    let taken = seconds / 60.0;
    if progress.solved {
        Some("its task is solved: there is nothing left to learn".to_owned())
    } else if step >= steps {
        let taken = if step == steps { format!("all of its {steps}") } else { step.to_string() };
        Some(format!("{taken} steps are taken already; to go on, give more (--steps)"))
    } else if minutes > 0.0 && taken > minutes {
        Some(format!("it has taken {taken:.2} minutes already; to go on, give more (--minutes)"))
    } else if settings.is_out_of_patience(progress) {
        Some(format!(
            "it ended as it did not get better any more (training.patience = {}); to go on, give another \
             learning rate (--lr) or more steps (--steps, --epochs): patience begins anew with them",
            settings.patience
        ))
    } else {
        None
    }
}

/// What came of a run: its `result.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// Why it ended; `None` if it failed.
    pub end: Option<End>,
    /// Why it failed, if it did: the loss or a gradient was no number any more.
    pub failure: Option<String>,
    /// How many updates were made.
    pub steps: u64,
    /// After which of them the model was at its best.
    pub best_step: u64,
    /// How well it did then on the validation part, if the task has one.
    pub validation: Option<Score>,
    /// How well the chosen model does on the held-out part.
    pub held_out: Option<Score>,
    /// The number of elements of all parameters together.
    pub parameters: usize,
    /// Seconds of training, evaluations included.
    pub seconds: f64,
    /// Seconds of an update in the median, without evaluations.
    pub seconds_per_step: Option<f64>,
}

/// Who is told how a run goes.
pub trait Watcher {
    /// An update was made. To end the training well, break.
    fn step(&mut self, step: &Step) -> ControlFlow<()>;
    /// The model was evaluated.
    fn evaluated(&mut self, evaluation: &Evaluation);
    /// Something could not be kept; the training goes on. Said once until it can be kept again.
    fn not_kept(&mut self, error: &CheckpointError);
    /// The training is over, with what came of it; `None` if it was interrupted, or failed for a
    /// reason that lies outside of it.
    fn ended(&mut self, result: Option<&RunResult>);
}

impl Run {
    /// A new run in a folder of its own.
    ///
    /// # Errors
    /// If there is a run already, or the folder cannot be written to.
    pub fn start(ready: Ready, path: &Path) -> Result<Self, CheckpointError> {
        let folder =
            RunFolder::create(path, &ready.experiment, &Kept::of(&ready), &metrics(&ready))?;
        Ok(Self { ready, folder, resumed: None, trained: false })
    }

    /// A run that was stopped, to be gone on with as if it had not been.
    ///
    /// # Errors
    /// If it cannot be read, another process trains it, or its data are not there any more as they
    /// were.
    pub fn resume(path: &Path) -> Result<Self, ResumeError> {
        Self::extend(path, &Continuation::default())
    }

    /// A run that was stopped or is over, to be gone on with for longer than it was begun with, or at
    /// another learning rate. What is given is written down, so that it is gone on with so from then on.
    ///
    /// Where the learning rate follows a schedule of the whole length, it is that of the new length from
    /// here on.
    ///
    /// # Errors
    /// Those of [`resume`](Self::resume), and if it would end at once.
    pub fn extend(path: &Path, how: &Continuation) -> Result<Self, ResumeError> {
        let kept = KeptRun::open(path)?;
        let lock = Lock::take(path)?;
        kept.check_data()?;
        let mut ready = how.of(&kept.experiment)?.ready(kept.kept.blueprint.cells.clone())?;
        if ready.loaded.codec.kept() != kept.kept.codec {
            return Err(ResumeError::Data(path.display().to_string()));
        }
        let mut resumed = kept.resume(&ready.model)?;
        if let Some(resumed) = &mut resumed
            && let Some((step, _)) = resumed.progress.best
        {
            // There may have been no room for it when there was for the training, or it was damaged and
            // moved away. The present one is judged and kept, if this is a place to do so, or a later one.
            if kept.has_model() && kept.load(&mut ready.model)?.step >= step {
                resumed.best = ready.model.params().into_iter().map(<[f32]>::to_vec).collect();
            } else {
                let Progress { best, evaluated, step, .. } = &mut resumed.progress;
                (*best, *evaluated) = (None, (*evaluated).min(step.saturating_sub(1)));
            }
        }
        let settings = &ready.experiment.training;
        if let (Some(resumed), true) = (&mut resumed, how.is_another_course())
            && settings.is_out_of_patience(&resumed.progress)
        {
            resumed.progress.patient_from = Some(resumed.progress.step);
        }
        let progress = resumed.as_ref().map(|resumed| resumed.progress.clone()).unwrap_or_default();
        let changed = *how != Continuation::default();
        if changed && let Some(fault) = ended(&progress, settings) {
            return Err(ResumeError::Over(format!("{}: {fault}", path.display())));
        }
        let folder = RunFolder::reopen(lock, &settings.log, &metrics(&ready), progress.step)?;
        if changed {
            folder.extend(&ready.experiment)?;
        }
        Ok(Self { ready, folder, resumed, trained: false })
    }

    /// After which step it was left; 0 if it is new.
    pub fn step(&self) -> u64 {
        self.resumed.as_ref().map_or(0, |resumed| resumed.progress.step)
    }

    /// Why it would end at once, and how it can go on nevertheless; `None` if it goes on.
    pub fn over(&self) -> Option<String> {
        let progress = &self.resumed.as_ref()?.progress;
        ended(progress, &self.ready.experiment.training)
    }

    /// Trains, and keeps the training in its folder: with what came of it, unless it was interrupted.
    ///
    /// What cannot be kept for a while is kept as soon as it can be: a full disk is no reason to lose
    /// a training.
    ///
    /// # Errors
    /// If the loss diverges, the data do not fit, or something could not be kept to the end.
    ///
    /// # Panics
    /// If it was trained already: it is gone on with by [`resume`](Self::resume).
    pub fn train(&mut self, watcher: &mut dyn Watcher) -> Result<Outcome, TrainError> {
        assert!(!std::mem::replace(&mut self.trained, true), "a run is trained once");
        let Self { ready, folder, resumed, .. } = self;
        let (task, settings) = (ready.loaded.task.as_ref(), &ready.experiment.training);
        let before = resumed.as_ref().map_or(0, |resumed| resumed.progress.step);
        let mut keeper =
            Keeper { folder, goal: task.goal(), watcher, lost: [const { None }; 3], step: before };
        let outcome = train(task, &mut ready.model, settings, resumed.take(), &mut keeper);
        let Keeper { lost, step, .. } = keeper;
        let parameters = ready.model.size();
        let (noted_seconds, seconds_per_step) = folder.times();
        let result = match &outcome {
            Ok(outcome) if outcome.end == End::Interrupted => None,
            Ok(outcome) => Some(RunResult {
                end: Some(outcome.end),
                failure: None,
                steps: outcome.steps,
                best_step: outcome.best_step,
                validation: outcome.validation,
                held_out: outcome.held_out,
                parameters,
                seconds: outcome.elapsed.as_secs_f64(),
                seconds_per_step,
            }),
            Err(error @ TrainError::Diverged { .. }) => Some(RunResult {
                end: None,
                failure: Some(error.to_string()),
                steps: step,
                best_step: 0,
                validation: None,
                held_out: None,
                parameters,
                seconds: noted_seconds,
                seconds_per_step,
            }),
            Err(_) => None,
        };
        watcher.ended(result.as_ref());
        let saved = result.as_ref().map_or(Ok(()), |result| folder.save_result(result));
        let outcome = outcome?;
        // The course is not needed to use the model, or to go on.
        let [_, best, training] = lost;
        best.or(training).map_or(saved, Err)?;
        Ok(outcome)
    }
}

/// Keeps a training in its folder, and tells how it goes.
struct Keeper<'a> {
    folder: &'a mut RunFolder,
    goal: Goal,
    watcher: &'a mut dyn Watcher,
    /// Why the metrics, the best model and the training could not be kept the last time.
    lost: [Option<CheckpointError>; 3],
    step: u64,
}

/// Places among what could not be kept.
const METRICS: usize = 0;
const BEST: usize = 1;
const TRAINING: usize = 2;

impl Keeper<'_> {
    /// A full disk is no reason to lose a training: it goes on, and is kept as soon as it can be.
    fn kept(&mut self, what: usize, result: Result<(), CheckpointError>) -> bool {
        let kept = result.is_ok();
        if let (Err(error), None) = (&result, &self.lost[what]) {
            self.watcher.not_kept(error);
        }
        self.lost[what] = result.err();
        kept
    }
}

impl Observer for Keeper<'_> {
    fn step(&mut self, step: &Step) -> Result<ControlFlow<()>, TrainError> {
        self.step = step.step;
        let noted = self.folder.note_step(step);
        self.kept(METRICS, noted.map_err(Into::into));
        Ok(self.watcher.step(step))
    }

    fn evaluated(&mut self, evaluation: &Evaluation) -> Result<(), TrainError> {
        let noted = self.folder.note_evaluation(evaluation, self.step, self.goal);
        self.kept(METRICS, noted.map_err(Into::into));
        self.watcher.evaluated(evaluation);
        Ok(())
    }

    fn best(&mut self, model: &Model<f32>, step: u64) -> Result<bool, TrainError> {
        let saved = self.folder.save_model(model, step);
        Ok(self.kept(BEST, saved))
    }

    fn save(&mut self, snapshot: &Snapshot<'_>) -> Result<(), TrainError> {
        let saved = self.folder.save_training(snapshot);
        self.kept(TRAINING, saved);
        // What led to the checkpoint outlasts what the checkpoint does. If it does, that is no news.
        if let Err(error) = self.folder.sync_log() {
            self.kept(METRICS, Err(error.into()));
        }
        Ok(())
    }
}
