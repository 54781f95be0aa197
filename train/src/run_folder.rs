//! Run folders: what is kept of a training, and how it is taken up again.
//!
//! | file | holds |
//! |---|---|
//! | `experiment.toml` | what the training was started with, as resolved: it can be started again |
//! | `model.json` | what it takes to use the model: its cells' texts, symbols, labels |
//! | `model.safetensors` | the parameters of the best model so far ([`checkpoint`]) |
//! | `last.safetensors` | the training as it stands, to be gone on with |
//! | `metrics.jsonl` and others | the course of the training ([`log`]) |
//! | `result.json` | what came of it, once it is over ([`RunResult`]) |
//! | `.lock` | nothing; it is locked by the process that trains ([`Lock`]) |

mod course;
mod kept;
mod lock;
mod mend;

use std::path::{Path, PathBuf};

use cellc_runtime::files::PendingFile;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) use self::course::metrics;
use self::course::{Times, part_key};
use self::lock::LOCK;
use crate::checkpoint::{self, CheckpointError, write_whole};
use crate::experiment::Experiment;
use crate::metrics::log::{self, Format, Formats, LogError, MetricLog};
use crate::model::Model;
use crate::run::RunResult;
use crate::task::{Goal, Part};
use crate::trainer::{Evaluation, Snapshot, Step};

pub use self::course::{METRICS, curve};
pub use self::kept::{Kept, KeptRun, blamed, read_experiment, read_kept, result, series_hint};
pub use self::lock::Lock;
pub use self::mend::mend;

/// A folder that a training is kept in.
#[derive(Debug)]
pub struct RunFolder {
    lock: Lock,
    log: MetricLog,
    /// The step that it was left at, and the parts whose evaluations then are noted.
    noted: (u64, Vec<Part>),
    /// The folders that were made for it, the innermost first; `None` if the run was there before.
    made: Option<Vec<PathBuf>>,
}

/// The best model of a run.
pub const MODEL: &str = "model.safetensors";

/// The training of a run as it stands.
pub const TRAINING: &str = "last.safetensors";

/// What a run was started with.
pub const EXPERIMENT: &str = "experiment.toml";

/// What it takes to use the model of a run.
pub const KEPT: &str = "model.json";

/// The plan of several runs, beside their folders: a folder with it is taken for that of one run at times.
pub(crate) const PLAN: &str = "plan.toml";

/// What came of a run.
pub const RESULT: &str = "result.json";

/// All that a run writes under names of its own, beside files of events.
const NAMES: [&str; 7] = [EXPERIMENT, KEPT, MODEL, TRAINING, RESULT, log::JSON_LINES, log::CSV];

impl From<LogError> for CheckpointError {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Write { path, source } => Self::Write { path, source },
            LogError::Read { path, source } => Self::Read { path, source },
            LogError::Damaged { path, fault } => Self::Damaged { path, fault },
            LogError::Misuse(fault) => {
                let fault = format!("internal error: {fault}");
                Self::Damaged { path: PathBuf::from(log::JSON_LINES), fault }
            }
        }
    }
}

fn cannot_write(path: &Path) -> impl FnOnce(std::io::Error) -> CheckpointError {
    let path = path.to_owned();
    |source| CheckpointError::Write { path, source }
}

impl RunFolder {
    /// Makes a folder for a new run, and writes down what it is started with; `metrics` are those that will
    /// be noted.
    ///
    /// # Errors
    /// If there is a run already, or the folder cannot be written to.
    pub fn create(
        path: &Path,
        experiment: &Experiment,
        kept: &Kept,
        metrics: &[&str],
    ) -> Result<Self, CheckpointError> {
        Self::check_free(path)?;
        let new = path.ancestors().take_while(|folder| !folder.exists());
        let made: Vec<PathBuf> = new.map(Path::to_owned).collect();
        // What of it was made is left: it may be another process that begins there.
        std::fs::create_dir_all(path).map_err(cannot_write(path))?;
        let lock = Lock::take(path)?;
        refuse_taken(path)?;
        remove_abandoned(path);
        let begin = || {
            write_experiment(path, experiment)?;
            let formats = Formats::from(experiment.training.log.as_slice());
            let log = MetricLog::create(path, formats, metrics)?;
            // The last: who finds it finds a run.
            write_json(&path.join(KEPT), kept)?;
            Ok(log)
        };
        match begin() {
            Ok(log) => Ok(Self { lock, log, noted: (0, Vec::new()), made: Some(made) }),
            Err(error) => {
                remove(path, &made);
                Err(error)
            }
        }
    }

    /// Checks that a new run can be made there.
    ///
    /// # Errors
    /// If there is a run or a file already.
    pub fn check_free(path: &Path) -> Result<(), CheckpointError> {
        refuse_file(path)?;
        refuse_taken(path)
    }

    /// Goes on with a run after a step: what was noted of later ones is dropped, and so are files that
    /// a program was killed over.
    ///
    /// # Errors
    /// If its files cannot be read or written.
    pub fn reopen(
        lock: Lock,
        formats: &[Format],
        metrics: &[&str],
        step: u64,
    ) -> Result<Self, CheckpointError> {
        let path = lock.folder();
        // At the end of the training is the wrong time to find that out.
        result(path)?;
        remove_abandoned(path);
        let log = MetricLog::resume(path, formats.into(), metrics, step)?;
        let parts = [Part::Validation, Part::HeldOut];
        let losses = parts.map(|part| format!("{}/loss", part_key(part)));
        let mut is_noted = [false; 2];
        let lines = path.join(log::JSON_LINES);
        // A device in its place may have no end.
        if lines.is_file() {
            log::each(&lines, &losses.each_ref().map(String::as_str), |of, values| {
                let noted = is_noted.iter_mut().zip(values);
                noted.for_each(|(is, loss)| *is |= of == step && loss.is_some());
            })?;
        }
        let noted = parts.into_iter().zip(is_noted).filter(|(_, is)| *is).map(|(part, _)| part);
        let noted = noted.collect();
        Ok(Self { lock, log, noted: (step, noted), made: None })
    }

    /// Writes down that the run is to go on for longer than it was started with: it is not over.
    ///
    /// # Errors
    /// If its files cannot be written.
    pub fn extend(&self, experiment: &Experiment) -> Result<(), CheckpointError> {
        write_experiment(self.path(), experiment)?;
        let result = self.path().join(RESULT);
        match std::fs::remove_file(&result) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(cannot_write(&result)(error))
            }
            _ => Ok(()),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.lock.folder()
    }

    /// Notes a step.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn note_step(&mut self, step: &Step) -> Result<(), LogError> {
        let speed = step.read as f64 / step.took.as_secs_f64().max(1e-9);
        let metrics = [
            ("train/epoch", step.epoch),
            ("train/loss", step.loss),
            ("train/learning_rate", step.learning_rate),
            ("train/gradient_norm", step.gradient_norm),
            ("train/seconds", step.elapsed.as_secs_f64()),
            ("train/symbols_per_second", speed),
        ];
        self.log.note(step.step, &metrics)
    }

    /// Notes an evaluation after so many steps; at the end, of the model that was chosen. Not again what
    /// was noted before the run was gone on with: a run that is over is judged whenever it is.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn note_evaluation(
        &mut self,
        evaluation: &Evaluation,
        steps: u64,
        goal: Goal,
    ) -> Result<(), LogError> {
        let Evaluation { step, part, score, elapsed, .. } = evaluation;
        if self.noted.0 == steps.max(*step) && self.noted.1.contains(part) {
            return Ok(());
        }
        let part = part_key(*part);
        let mut metrics = vec![("loss", score.mean_loss()), ("seconds", elapsed.as_secs_f64())];
        if goal == Goal::Accuracy {
            metrics.push(("accuracy", score.accuracy()));
        }
        if score.numbers > 0 {
            metrics.push(("mean_absolute_error", score.mean_absolute_error()));
            metrics.push(("mean_squared_error", score.mean_squared_error()));
        }
        if *step < steps {
            metrics.push(("chosen_step", *step as f64));
        }
        let metrics: Vec<(String, f64)> =
            metrics.into_iter().map(|(name, x)| (format!("{part}/{name}"), x)).collect();
        let metrics: Vec<(&str, f64)> =
            metrics.iter().map(|(name, x)| (name.as_str(), *x)).collect();
        self.log.note(steps.max(*step), &metrics)
    }

    /// Removes what was written, if this is a new run of which no checkpoint is kept.
    pub fn remove_if_empty(&self) {
        let kept = [MODEL, TRAINING].iter().any(|file| self.path().join(file).exists());
        if let (Some(made), false) = (&self.made, kept) {
            remove(self.path(), made);
        }
    }

    /// Keeps the best model in place of that of before.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save_model(&self, model: &Model<f32>, step: u64) -> Result<(), CheckpointError> {
        checkpoint::save_model(&self.path().join(MODEL), model, step)
    }

    /// Keeps the training as it stands in place of what it was before.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save_training(&self, snapshot: &Snapshot<'_>) -> Result<(), CheckpointError> {
        checkpoint::save_training(&self.path().join(TRAINING), snapshot)
    }

    /// Keeps what came of the training.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save_result(&self, result: &RunResult) -> Result<(), CheckpointError> {
        write_json(&self.path().join(RESULT), result)
    }

    /// Has what was noted so far outlast a loss of power, as a checkpoint does.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn sync_log(&self) -> Result<(), LogError> {
        self.log.sync()
    }

    /// Seconds of the training, and of an update in the median without evaluations, as far as they were
    /// noted; `None` if too few updates were.
    pub fn times(&self) -> (f64, Option<f64>) {
        let Times { seconds, per_step } = Times::of(self.path());
        (seconds, per_step)
    }
}

/// Refuses what is there and no folder.
pub(crate) fn refuse_file(path: &Path) -> Result<(), CheckpointError> {
    if !path.exists() || path.is_dir() {
        return Ok(());
    }
    let fault = "there is a file of this name, which is no folder; name another (--out)".to_owned();
    Err(CheckpointError::Damaged { path: path.to_owned(), fault })
}

/// Refuses a folder that holds what a run would write, but for what is left of one whose process ended
/// before it had begun.
fn refuse_taken(path: &Path) -> Result<(), CheckpointError> {
    let refused = |fault: String| CheckpointError::Damaged { path: path.to_owned(), fault };
    if path.join(KEPT).exists() {
        let fault = "the folder holds a run already; go on with it (--resume), name another, or \
                     remove it";
        return Err(refused(fault.to_owned()));
    }
    let begun = [MODEL, TRAINING, RESULT];
    let names: &[&str] = if path.join(LOCK).exists() { &begun } else { &NAMES };
    // Nothing is lost that is written to a device or a pipe.
    let mut taken = names.iter().map(PathBuf::from).filter(|name| path.join(name).is_file());
    let events = if path.join(LOCK).exists() { None } else { events(path).into_iter().next() };
    match taken.next().or(events) {
        None => Ok(()),
        Some(name) => Err(refused(format!(
            "the folder holds a file `{}`, as a run would write; name another folder, or remove \
             the file",
            name.display()
        ))),
    }
}

/// The names of the files of events in a folder.
fn events(path: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    let names = entries.map(|entry| PathBuf::from(entry.file_name()));
    names.filter(|name| name.to_str().is_some_and(|n| n.starts_with(log::EVENTS))).collect()
}

/// Removes what programs left that were killed while they wrote to a folder. It must be taken.
fn remove_abandoned(path: &Path) {
    NAMES.iter().for_each(|name| PendingFile::remove_abandoned(&path.join(name)));
}

fn write_experiment(path: &Path, experiment: &Experiment) -> Result<(), CheckpointError> {
    let text = toml::to_string(experiment).map_err(|error| CheckpointError::Damaged {
        path: path.to_owned(),
        fault: error.to_string(),
    })?;
    write_whole(&path.join(EXPERIMENT), text.as_bytes())
}

/// Removes a run that came to nothing, with the folders that were made for it.
fn remove(path: &Path, made: &[PathBuf]) {
    // What cannot be removed stays: the training has failed already, and that is to be said.
    if made.is_empty() {
        let names = [EXPERIMENT, KEPT, log::JSON_LINES, log::CSV, LOCK].map(PathBuf::from);
        for name in names.into_iter().chain(events(path)) {
            let _ = std::fs::remove_file(path.join(name));
        }
        return;
    }
    let _ = std::fs::remove_dir_all(path);
    // Another run may have begun in the folders around it: only empty ones go.
    for folder in &made[1..] {
        let _ = std::fs::remove_dir(folder);
    }
}

fn broken<E: std::fmt::Display>(path: &Path) -> impl FnOnce(E) -> CheckpointError {
    let path = path.to_owned();
    |error| CheckpointError::Damaged { path, fault: format!("the file is damaged: {error}") }
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<(), CheckpointError> {
    let text = serde_json::to_string_pretty(value).map_err(|error| CheckpointError::Damaged {
        path: path.to_owned(),
        fault: format!("it cannot be written as JSON: {error}"),
    })?;
    write_whole(path, (text + "\n").as_bytes())
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, CheckpointError> {
    let text = std::fs::read(path)
        .map_err(|source| CheckpointError::Read { path: path.to_owned(), source })?;
    serde_json::from_slice(&text).map_err(broken(path))
}

#[cfg(test)]
mod tests;
