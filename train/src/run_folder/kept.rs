//! Runs as they are read from their folders.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use toml::Table;

use super::lock::Lock;
use super::{EXPERIMENT, KEPT, MODEL, PLAN, RESULT, TRAINING, broken, read_json};
use crate::blueprint::Blueprint;
use crate::checkpoint::{self, ANOTHER_MODEL, CheckpointError};
use crate::data_files::{self, Changed, DataFile};
use crate::experiment::{Experiment, Ready};
use crate::model::{Interface, Model};
use crate::run::RunResult;
use crate::task::{self, Codec};
use crate::trainer::{Resumed, optimizer};

/// What it takes to use a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// The version of this layout, [`checkpoint::FORMAT`].
    pub format: u32,
    /// The kind of its task.
    pub task: String,
    /// How data become batches, and answers something to be read.
    pub codec: Value,
    /// The model.
    pub blueprint: Blueprint,
    /// The files of its data as they were.
    #[serde(default)]
    pub data: Vec<DataFile>,
}

impl Kept {
    /// What is kept of an experiment.
    pub fn of(ready: &Ready) -> Self {
        let task = ready.experiment.kind().map_or("", |kind| kind.name).to_owned();
        let (codec, blueprint) = (ready.loaded.codec.kept(), ready.blueprint.clone());
        let data = ready.files.clone();
        Self { format: checkpoint::FORMAT, task, codec, blueprint, data }
    }
}

/// A run that was kept.
#[derive(Debug)]
pub struct KeptRun {
    path: PathBuf,
    /// What it was started with.
    pub experiment: Experiment,
    /// What it takes to use its model.
    pub kept: Kept,
}

impl KeptRun {
    /// Reads what a run was started with.
    ///
    /// # Errors
    /// If the folder holds no run, or a file is damaged.
    pub fn open(path: &Path) -> Result<Self, CheckpointError> {
        let damaged = |fault: &str| {
            Err(CheckpointError::Damaged { path: path.to_owned(), fault: fault.to_owned() })
        };
        if !path.exists() {
            return damaged("there is no such run folder");
        }
        if !path.join(KEPT).exists() {
            if [EXPERIMENT, MODEL, TRAINING].iter().any(|name| path.join(name).exists()) {
                let fault = "the file is missing, which says what the model is".to_owned();
                return Err(CheckpointError::Damaged { path: path.join(KEPT), fault });
            }
            let hint = series_hint(path).unwrap_or_default();
            return damaged(&format!("this is no run folder: it has no `{KEPT}`{hint}"));
        }
        let (kept, experiment) = (read_kept(path)?, read_experiment(path)?);
        if let Some(difference) = difference(&experiment, &kept) {
            return damaged(&format!(
                "`{EXPERIMENT}` and `{KEPT}` are not of the same run: {difference}; put the file \
                 back that is not this run's. For another model, begin anew: cellc train --config \
                 FILE"
            ));
        }
        Ok(Self { path: path.to_owned(), experiment, kept })
    }

    /// Checks that the files of its data are what they were.
    ///
    /// # Errors
    /// If one is not, or cannot be read.
    pub fn check_data(&self) -> Result<(), Changed> {
        let mut options = self.experiment.task.clone();
        let named: Vec<PathBuf> =
            data_files::paths(&mut options).map(|path| PathBuf::from(&*path)).collect();
        if let Some(file) = self.kept.data.iter().find(|file| !named.contains(&file.path)) {
            return Err(Changed::Others { was: file.path.clone(), is: named });
        }
        let kept = |path: &PathBuf| self.kept.data.iter().any(|file| file.path == *path);
        if let Some(more) = named.iter().find(|path| !kept(path)) {
            return Err(Changed::More { is: more.clone() });
        }
        self.kept.data.iter().try_for_each(DataFile::check)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How data become batches for its model.
    ///
    /// # Errors
    /// If what was kept of it is damaged, or of a task that this program does not have.
    pub fn codec(&self) -> Result<Box<dyn Codec>, CheckpointError> {
        let path = self.path.join(KEPT);
        let Some(kind) = task::find(&self.kept.task) else {
            let fault = format!("this program has no task `{}`", self.kept.task);
            return Err(CheckpointError::Damaged { path, fault });
        };
        (kind.codec)(self.kept.codec.clone()).map_err(broken(&path))
    }

    /// Whether a model was kept.
    pub fn has_model(&self) -> bool {
        self.path.join(MODEL).exists()
    }

    /// Takes up its best model, which must be of its blueprint and codec.
    ///
    /// # Errors
    /// If the checkpoint is missing, damaged or of another model.
    pub fn load(&self, model: &mut Model<f32>) -> Result<checkpoint::Metadata, CheckpointError> {
        checkpoint::load_model(&self.there(MODEL)?, model)
            .map_err(|error| blamed(&self.path, error))
    }

    /// Reads the training as it stood, to be gone on with. `None` if it was stopped before it was
    /// kept for the first time.
    ///
    /// # Errors
    /// If a checkpoint is damaged or of another model, or the training must have been kept and is not
    /// there: to begin anew would write over the model.
    pub fn resume(&self, model: &Model<f32>) -> Result<Option<Resumed>, CheckpointError> {
        let path = self.path.join(TRAINING);
        if !path.exists() {
            // The model of the first evaluation is kept just before the training.
            let first = self.experiment.training.evaluate_every;
            let of_later =
                self.has_model() && checkpoint::read_metadata(&self.path.join(MODEL))?.step > first;
            if of_later || self.path.join(RESULT).exists() {
                let fault = "the training is not there any more, so it cannot be gone on with";
                return Err(CheckpointError::Damaged { path, fault: fault.to_owned() });
            }
            return Ok(None);
        }
        let optimizer = optimizer(model, &self.experiment.training);
        let training = checkpoint::load_training(&path, model, &optimizer);
        training.map(Some).map_err(|error| blamed(&self.path, error))
    }

    fn there(&self, file: &str) -> Result<PathBuf, CheckpointError> {
        let path = self.path.join(file);
        if path.exists() {
            return Ok(path);
        }
        let fault = if Lock::is_taken(&self.path) {
            "there is no model yet: the run is being trained, and keeps one at its first evaluation"
                .to_owned()
        } else if [TRAINING, RESULT].iter().any(|name| self.path.join(name).exists()) {
            "the file is missing".to_owned()
        } else {
            format!(
                "there is no checkpoint yet: the training was stopped before the first; go on with \
                 it: cellc train --resume {}",
                self.path.display()
            )
        };
        Err(CheckpointError::Damaged { path, fault })
    }

    /// What the task asks of its model.
    ///
    /// # Errors
    /// As [`codec`](Self::codec).
    pub fn interface(&self) -> Result<Interface, CheckpointError> {
        Ok(self.codec()?.interface())
    }
}

/// The error of a checkpoint that does not fit what the run says of its model. If both checkpoints fit
/// each other, it is not they that are of another run.
pub fn blamed(run: &Path, error: CheckpointError) -> CheckpointError {
    let CheckpointError::Damaged { fault, .. } = &error else { return error };
    match fault.strip_prefix(ANOTHER_MODEL) {
        Some(differences) if checkpoint::agree(&run.join(MODEL), &run.join(TRAINING)) => {
            let fault = format!(
                "it is of another model than `{MODEL}` and `{TRAINING}`, which fit each other: of what \
                 they have, {differences}"
            );
            CheckpointError::Damaged { path: run.join(KEPT), fault }
        }
        _ => error,
    }
}

/// Reads what it takes to use the model of a run.
///
/// # Errors
/// If it is missing, damaged or of another version.
pub fn read_kept(run: &Path) -> Result<Kept, CheckpointError> {
    let path = run.join(KEPT);
    let value: Value = read_json(&path)?;
    let (found, known) = (value["format"].as_u64(), checkpoint::FORMAT);
    if found != Some(known.into()) {
        let found = found.map_or_else(|| "not said".to_owned(), |found| found.to_string());
        let fault = format!("the run's format is {found}; this program reads {known}");
        return Err(CheckpointError::Damaged { path: run.to_owned(), fault });
    }
    let kept: Kept = serde_json::from_value(value).map_err(broken(&path))?;
    let Blueprint { model, cells, .. } = &kept.blueprint;
    let missing = |name: &&str| cells.iter().all(|text| text.name != *name);
    if let Some(name) = model.cell_names().into_iter().find(missing) {
        return Err(broken(&path)(format!("it has no text of cell `{name}`")));
    }
    Ok(kept)
}

/// Reads what a run was started with.
///
/// # Errors
/// If it is missing or damaged.
pub fn read_experiment(run: &Path) -> Result<Experiment, CheckpointError> {
    let path = run.join(EXPERIMENT);
    let text = std::fs::read_to_string(&path)
        .map_err(|source| CheckpointError::Read { path: path.clone(), source })?;
    let experiment: Experiment = toml::from_str(&text).map_err(broken(&path))?;
    if experiment.task.get("name").is_none() {
        let fault = "the file is damaged: it names no task".to_owned();
        return Err(CheckpointError::Damaged { path, fault });
    }
    Ok(experiment)
}

/// In what an experiment differs from what was kept of it with the model, if it does.
fn difference(experiment: &Experiment, kept: &Kept) -> Option<String> {
    let said = |key: &str, one: &toml::Value, other: &toml::Value| {
        format!("{key} is {one} in the one and {other} in the other")
    };
    let task = experiment.task.get("name")?;
    let of_model = toml::Value::from(kept.task.as_str());
    if *task != of_model {
        return Some(said("task.name", task, &of_model));
    }
    let Blueprint { model, loss, .. } = &kept.blueprint;
    let tables = [
        ("model", Table::try_from(&experiment.model), Table::try_from(model)),
        ("loss", Table::try_from(&experiment.loss), Table::try_from(loss)),
    ];
    let none = toml::Value::from("");
    tables.into_iter().find_map(|(name, own, of_model)| {
        let (own, of_model) = (own.ok()?, of_model.ok()?);
        let keys = own.keys().chain(of_model.keys());
        let values = keys
            .map(|key| (key, own.get(key).unwrap_or(&none), of_model.get(key).unwrap_or(&none)));
        let mut different = values.filter(|(_, one, other)| one != other);
        different.next().map(|(key, one, other)| said(&format!("{name}.{key}"), one, other))
    })
}

/// What a folder is that holds no run but those of a series, and how to come to them; `None` if it does not.
pub fn series_hint(path: &Path) -> Option<String> {
    let plan: Table = std::fs::read_to_string(path.join(PLAN)).ok()?.parse().ok()?;
    let purpose = plan.get("purpose")?.as_str()?;
    let trials = plan.get("trials")?.as_array()?.iter();
    let runs = trials.filter_map(|trial| Some(path.join(trial.get("name")?.as_str()?)));
    let runs: Vec<_> = runs.filter(|run| run.join(KEPT).exists()).collect();
    let shown = path.display();
    let named = match runs.as_slice() {
        [] => String::new(),
        [run] => format!(", such as {}", run.display()),
        [first, .., last] => format!(", from {} to {}", first.display(), last.display()),
    };
    Some(format!(
        "; it is one of `cellc {purpose}`: name one of the runs in it{named}, or go on with all: cellc \
         {purpose} --resume {shown}"
    ))
}

/// What came of the run of a folder; `None` if it is not over, or there is none.
///
/// # Errors
/// If the file is damaged or cannot be read.
pub fn result(path: &Path) -> Result<Option<RunResult>, CheckpointError> {
    let file = path.join(RESULT);
    if file.exists() { read_json(&file).map(Some) } else { Ok(None) }
}
