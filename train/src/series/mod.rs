//! Series: several runs that belong together, in one folder.
//!
//! A [`Plan`] says which runs there are. It is made by a [`compare`](mod@compare) of cells or a
//! [`sweep`] over settings, and is kept before anything is trained: so a series that was stopped is
//! gone on with as it was meant, whatever became of its cells' files. A [`Report`](report::Report)
//! says what came of it.
//!
//! | file | holds |
//! |---|---|
//! | `plan.toml` | the plan, with the texts of the cells |
//! | `<run>/` | each run, as [`run_folder`] says |
//! | `.lock` | nothing; it is locked by the process that trains ([`Lock`]) |

pub mod budget;
pub mod compare;
pub mod report;
pub mod sweep;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::blueprint::CellText;
use crate::checkpoint::{CheckpointError, write_whole};
use crate::experiment::{Experiment, ExperimentError, Ready};
use crate::run::{ResumeError, Run, RunResult, Watcher};
use crate::run_folder::{self, Lock, PLAN};
use crate::task::{Goal, Part};
use crate::trainer::{End, TrainError};

/// The version of the layout of plans.
const FORMAT: u32 = 1;

/// What a series is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// To find the best of several cells, by what was held out.
    Compare,
    /// To find the best of several settings, by the validation part.
    Sweep,
}

impl Purpose {
    /// The part that its groups are ranked by.
    pub fn part(self) -> Part {
        match self {
            Self::Compare => Part::HeldOut,
            Self::Sweep => Part::Validation,
        }
    }

    /// What it is called, in names of files too.
    pub fn name(self) -> &'static str {
        match self {
            Self::Compare => "compare",
            Self::Sweep => "sweep",
        }
    }
}

/// The runs of a series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The version of this layout.
    format: u32,
    /// What the series is for.
    pub purpose: Purpose,
    /// By what one run is better than another.
    pub goal: Goal,
    /// Whether runs have the same time rather than the same number of updates.
    pub timed: bool,
    /// What is compared: each a cell, or a choice of settings, with runs from several seeds.
    pub groups: Vec<Group>,
    /// The runs, in the order in which they are trained.
    pub trials: Vec<Trial>,
    /// The texts of all cells.
    pub cells: Vec<CellText>,
}

/// What is compared with others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Its name, also in names of folders.
    pub name: String,
    /// What it is a choice of: keys of the experiment and their values.
    pub choice: toml::Table,
    /// The number of elements of all parameters together.
    pub parameters: usize,
}

/// A run of a series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trial {
    /// The name of its folder.
    pub name: String,
    /// The number of its group.
    pub group: usize,
    /// What it is started with.
    pub experiment: Experiment,
}

/// Why a series cannot be, or not be gone on with.
#[derive(Debug, Error)]
pub enum SeriesError {
    /// Something cannot be kept, or what was kept cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// An experiment cannot be made ready.
    #[error(transparent)]
    Experiment(#[from] ExperimentError),
    /// A run cannot be gone on with.
    #[error(transparent)]
    Resume(#[from] ResumeError),
    /// A training failed for a reason that others would fail for too.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// What is asked for has no meaning.
    #[error("{0}")]
    Settings(String),
}

/// A run of a series, about to be trained.
pub struct Turn<'a> {
    /// How many come before it.
    pub number: usize,
    /// The plan.
    pub plan: &'a Plan,
    /// The run.
    pub run: &'a Run,
    /// What came of the runs of the series that are over, by their numbers.
    pub results: &'a [Option<RunResult>],
}

/// Runs that belong together, and their folder.
#[derive(Debug)]
pub struct Series {
    path: PathBuf,
    plan: Plan,
    /// Runs are locked one by one, and between them others could be begun.
    _lock: Lock,
}

impl Series {
    /// A new series in a folder of its own.
    ///
    /// # Errors
    /// If there is a series already, or the folder cannot be written to.
    pub fn create(path: &Path, plan: Plan) -> Result<Self, SeriesError> {
        let damaged = |fault: String| CheckpointError::Damaged { path: path.to_owned(), fault };
        Self::check_free(path)?;
        let text = toml::to_string(&plan).map_err(|error| damaged(error.to_string()))?;
        std::fs::create_dir_all(path)
            .map_err(|source| CheckpointError::Write { path: path.to_owned(), source })?;
        let lock = Lock::take(path)?;
        // Another process may have begun one, and be over, since.
        Self::check_free(path)?;
        write_whole(&path.join(PLAN), text.as_bytes())?;
        Ok(Self { path: path.to_owned(), plan, _lock: lock })
    }

    /// Checks that a new series can be made there.
    ///
    /// # Errors
    /// If there is one or a file already.
    pub fn check_free(path: &Path) -> Result<(), CheckpointError> {
        run_folder::refuse_file(path)?;
        if !path.join(PLAN).exists() {
            return Ok(());
        }
        let fault = "the folder holds a series already; go on with it (--resume), name another, or \
                     remove it";
        Err(CheckpointError::Damaged { path: path.to_owned(), fault: fault.to_owned() })
    }

    /// A series that was begun.
    ///
    /// # Errors
    /// If the folder holds none of this purpose, it is damaged, or another process is at work in it.
    pub fn open(path: &Path, purpose: Purpose) -> Result<Self, SeriesError> {
        let damaged = |path: &Path, fault: String| {
            SeriesError::from(CheckpointError::Damaged { path: path.to_owned(), fault })
        };
        let file = path.join(PLAN);
        if !file.exists() {
            let fault = format!("this is no folder of `{}`: it has no `{PLAN}`", purpose.name());
            return Err(damaged(path, fault));
        }
        let text = std::fs::read_to_string(&file)
            .map_err(|source| CheckpointError::Read { path: file.clone(), source })?;
        let plan: Plan = toml::from_str(&text)
            .map_err(|error| damaged(&file, format!("the file is damaged: {error}")))?;
        if plan.format != FORMAT {
            let found = plan.format;
            let fault = format!("the plan's format is {found}; this program reads {FORMAT}");
            return Err(damaged(&file, fault));
        }
        if plan.purpose != purpose {
            let found = plan.purpose.name();
            let fault = format!("it was begun by `{found}`: go on with `cellc {found} --resume`");
            return Err(damaged(path, fault));
        }
        if let Some(trial) = plan.trials.iter().find(|trial| trial.group >= plan.groups.len()) {
            let fault = format!("the file is damaged: there is no group of `{}`", trial.name);
            return Err(damaged(&file, fault));
        }
        Ok(Self { path: path.to_owned(), plan, _lock: Lock::take(path)? })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Which runs it has.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Where a run is.
    pub fn folder(&self, trial: &Trial) -> PathBuf {
        self.path.join(&trial.name)
    }

    /// What came of its runs so far, by their numbers.
    ///
    /// # Errors
    /// If a result is damaged or cannot be read.
    pub fn results(&self) -> Result<Vec<Option<RunResult>>, CheckpointError> {
        self.plan.trials.iter().map(|trial| run_folder::result(&self.folder(trial))).collect()
    }

    /// Trains what is not trained yet, and goes on with a run that was stopped. `watch` gives who is
    /// told of a run. A run that diverges is over: its result says so, and the others go on.
    ///
    /// Gives what came of all runs; `None` for those that are left because one was interrupted.
    ///
    /// # Errors
    /// If a run fails for another reason.
    pub fn run(
        &self,
        watch: &mut dyn FnMut(&Turn<'_>) -> Box<dyn Watcher>,
    ) -> Result<Vec<Option<RunResult>>, SeriesError> {
        let mut results = self.results()?;
        for (number, trial) in self.plan.trials.iter().enumerate() {
            if results[number].is_some() {
                continue;
            }
            let folder = self.folder(trial);
            let mut run = match folder.join(run_folder::KEPT).exists() {
                true => Run::resume(&folder)?,
                false => Run::start(self.plan.ready(trial)?, &folder)?,
            };
            let (plan, results) = (&self.plan, &mut results);
            let mut watcher = watch(&Turn { number, plan, run: &run, results });
            match run.train(watcher.as_mut()) {
                Ok(outcome) if outcome.end == End::Interrupted => break,
                Ok(_) | Err(TrainError::Diverged { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            results[number] = run_folder::result(&folder)?;
        }
        Ok(results)
    }
}

impl Plan {
    /// Reads the data of a run and makes its model.
    ///
    /// # Errors
    /// As [`Experiment::ready`].
    pub fn ready(&self, trial: &Trial) -> Result<Ready, ExperimentError> {
        trial.experiment.clone().ready(texts(&trial.experiment, &self.cells))
    }
}

/// The texts that an experiment names.
fn texts(experiment: &Experiment, all: &[CellText]) -> Vec<CellText> {
    let names = experiment.model.cell_names();
    all.iter().filter(|text| names.contains(&text.name.as_str())).cloned().collect()
}

/// The same experiment from several seeds, one after the other.
fn seeded(experiment: &Experiment, seeds: u64) -> impl Iterator<Item = Experiment> {
    let first = experiment.training.seed;
    (0..seeds.max(1)).map(move |i| {
        let mut experiment = experiment.clone();
        experiment.training.seed = first.wrapping_add(i);
        experiment
    })
}

#[cfg(test)]
mod tests;
