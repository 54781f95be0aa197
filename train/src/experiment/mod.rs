//! Experiments: everything that a training is started with, in one TOML file.
//!
//! ```toml
//! [task]
//! name = "chars"
//! data = "shakespeare.txt"
//!
//! [model]
//! cell = "gru"
//! layers = 2
//!
//! [training]
//! learning_rate = 3e-3
//! ```
//!
//! What is left out is as the task's kind says, and else as [`ModelConfig`] and [`Settings`] do. Later
//! layers, such as a command line, override earlier ones key by key.

mod doubts;
pub(crate) mod reading;
mod settings;

use cellc_compiler::suggest::closest;
use cellc_runtime::program::Engine;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::blueprint::{Blueprint, BlueprintError, CellText, LossConfig, ModelConfig};
use crate::data_files::{self, DataFile};
use crate::model::{Model, ModelError};
use crate::optimizer::Method;
use crate::task::{self, Context, Kind, Loaded, TaskError};

use self::reading::{in_words, settle};
pub use self::settings::Settings;

/// What a training is started with.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Experiment {
    /// The task: its `name`, and options that are its own.
    pub task: toml::Table,
    /// The model.
    pub model: ModelConfig,
    /// The loss.
    pub loss: LossConfig,
    /// The training.
    pub training: Settings,
}

/// Why an experiment cannot be made ready.
#[derive(Debug, Error)]
pub enum ExperimentError {
    /// What is written is no experiment.
    #[error("{0}")]
    Form(String),
    /// There is no such task.
    #[error("there is no task `{found}`{}; there are {}", near(.found), names())]
    Task {
        /// The name that was found.
        found: String,
    },
    /// The task is not ready.
    #[error(transparent)]
    Data(#[from] TaskError),
    /// The model is not.
    #[error(transparent)]
    Blueprint(#[from] BlueprintError),
    /// Its cells make no model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// There is no memory for the model's parameters.
    #[error(
        "the model has {parameters} parameters: with their gradients and what the optimiser keeps that \
         is {:.1} GB, which there is no memory for; take smaller layers (model.hidden, \
         model.embedding)",
        *bytes as f64 / 1e9
    )]
    Memory {
        /// Their elements.
        parameters: usize,
        /// What is needed for them.
        bytes: usize,
    },
}

/// How many arrays of the size of the parameters a training holds at the least: these, their gradients,
/// their best and what most optimisers keep.
const ARRAYS: usize = 4;

/// Whether there is memory for a training's parameters: a failed allocation later would be the end of
/// the program.
fn check_memory(parameters: usize) -> Result<(), ExperimentError> {
    let bytes = parameters.saturating_mul(ARRAYS * size_of::<f32>());
    match Vec::<u8>::new().try_reserve_exact(bytes) {
        Ok(()) => Ok(()),
        Err(_) => Err(ExperimentError::Memory { parameters, bytes }),
    }
}

fn names() -> String {
    task::KINDS.iter().map(|kind| kind.name).collect::<Vec<_>>().join(", ")
}

fn near(found: &str) -> String {
    let near = closest(found, task::KINDS.iter().map(|kind| kind.name));
    near.map_or_else(String::new, |near| format!(" (did you mean `{near}`?)"))
}

/// An experiment whose data are read and whose model is made.
pub struct Ready {
    /// The experiment, with the number of steps and all else that follows from the data.
    pub experiment: Experiment,
    /// The model's texts.
    pub blueprint: Blueprint,
    /// The data.
    pub loaded: Loaded,
    /// The files that they were read from.
    pub files: Vec<DataFile>,
    /// The model, as it is before it has learnt anything.
    pub model: Model<f32>,
}

impl Experiment {
    /// An experiment of layers, of which later ones override earlier ones key by key, over the
    /// defaults of the task that they name.
    ///
    /// # Errors
    /// If there is no such task, or a key that no experiment has, or a value of another type.
    pub fn layered(layers: &[toml::Table]) -> Result<Self, ExperimentError> {
        let mut given = toml::Table::new();
        for layer in layers {
            forget_what_followed(&mut given, layer);
            merge(&mut given, layer);
        }
        let name = given.get("task").and_then(|task| task.get("name"));
        let name = name.and_then(toml::Value::as_str).unwrap_or("reviews").to_owned();
        let kind = task::find(&name).ok_or(ExperimentError::Task { found: name.clone() })?;
        let defaults = kind.defaults.parse::<toml::Table>();
        let mut all = defaults.map_err(|error| ExperimentError::Form(error.to_string()))?;
        merge(&mut all, &given);
        settle(&mut all, &types());
        let rate = |table: &toml::Table| table.get("training")?.get("learning_rate").cloned();
        let mut experiment: Self = toml::Value::Table(all).try_into().map_err(form)?;
        if rate(&given).is_none()
            && !matches!(experiment.training.optimizer, Method::Adam { .. } | Method::AdamW { .. })
        {
            experiment.training.learning_rate = usual_rate(experiment.training.optimizer);
        }
        experiment.task.insert("name".to_owned(), name.into());
        experiment.check()?;
        Ok(experiment)
    }

    /// Reads what is written in a file, to be a layer.
    ///
    /// # Errors
    /// If it is not TOML, or no part of an experiment; with the place.
    pub fn layer(text: &str) -> Result<toml::Table, ExperimentError> {
        let read = toml::from_str::<Self>(text);
        let mut layer: toml::Table = text.parse().map_err(form)?;
        settle(&mut layer, &types());
        // What is written otherwise than it is meant is no error. Of another the place is told, if it is
        // the first that was met.
        match (toml::Value::Table(layer.clone()).try_into::<Self>(), read) {
            (Ok(_), _) => Ok(layer),
            (Err(error), Err(placed)) if placed.message() == error.message() => Err(form(placed)),
            (Err(error), _) => Err(form(error)),
        }
    }

    /// The kind of its task.
    ///
    /// # Errors
    /// If there is none of its name.
    pub fn kind(&self) -> Result<&'static Kind, ExperimentError> {
        let name = self.task.get("name").and_then(toml::Value::as_str).unwrap_or_default();
        task::find(name).ok_or_else(|| ExperimentError::Task { found: name.to_owned() })
    }

    pub(crate) fn check(&self) -> Result<(), ExperimentError> {
        let fault = self.training.fault();
        fault.map_or(Ok(()), |fault| Err(ExperimentError::Form(fault)))
    }

    /// Paths of data, seen from anywhere.
    pub(crate) fn absolute(&mut self) {
        for path in data_files::paths(&mut self.task) {
            if let Ok(absolute) = std::path::absolute(&*path) {
                *path = absolute.display().to_string();
            }
        }
    }

    /// What it makes of the texts of its cells.
    pub fn blueprint(&self, cells: Vec<CellText>) -> Blueprint {
        Blueprint { model: self.model.clone(), loss: self.loss.clone(), cells }
    }

    /// Reads the data and makes the model.
    ///
    /// # Errors
    /// If data cannot be learnt from, or the cells make no model.
    pub fn ready(mut self, cells: Vec<CellText>) -> Result<Ready, ExperimentError> {
        let kind = self.kind()?;
        let context = Context { batch: self.training.batch, seed: self.training.seed };
        let loaded = (kind.load)(&self.task, context)?;
        self.training.resolve(loaded.task.batches_per_epoch());
        self.absolute();
        let files = data_files::of(&self.task).map_err(TaskError::from)?;
        let blueprint = self.blueprint(cells);
        let architecture = blueprint.architecture(loaded.codec.interface())?;
        check_memory(architecture.size())?;
        let model = Model::new(&architecture, Engine::default(), self.training.seed)?;
        Ok(Ready { experiment: self, blueprint, loaded, files, model })
    }
}

/// The learning rate that is usual for a method. Tasks have their own for Adam.
pub fn usual_rate(method: Method) -> f64 {
    match method {
        Method::Adam { .. } | Method::AdamW { .. } => Settings::default().learning_rate,
        // As long as the gradient.
        Method::Sgd { .. } => 1.0,
        Method::Momentum { .. } | Method::Nesterov { .. } => 0.1,
        // As long as the gradient by its own root mean square, of all steps or of the last.
        Method::AdaGrad { .. } => 0.03,
        Method::RmsProp { .. } => 2e-3,
        // Every number by as much.
        Method::Lion { .. } => 5e-4,
        Method::Muon { .. } => 2e-3,
    }
}

/// Drops from a layer what followed from keys that a layer over it changes: an experiment that is
/// written down as resolved says everything.
fn forget_what_followed(under: &mut toml::Table, over: &toml::Table) {
    let (Some(toml::Value::Table(under)), Some(toml::Value::Table(over))) =
        (under.get_mut("training"), over.get("training"))
    else {
        return;
    };
    let changes = |keys: &[&str]| keys.iter().any(|key| over.contains_key(*key));
    if changes(&["epochs", "least_steps", "batch", "accumulate"]) {
        under.remove("steps");
    }
    if changes(&["steps", "epochs", "least_steps", "batch", "accumulate", "evaluations"]) {
        under.remove("evaluate_every");
    }
}

/// Puts a layer over another: tables are put together, all else is replaced.
fn merge(under: &mut toml::Table, over: &toml::Table) {
    for (key, value) in over {
        match (under.get_mut(key), value) {
            // Constants of one optimiser are none of another.
            (Some(toml::Value::Table(under)), toml::Value::Table(over))
                if key == "task"
                    || !over.contains_key("name")
                    || under.get("name") == over.get("name") =>
            {
                merge(under, over);
            }
            _ => {
                under.insert(key.clone(), value.clone());
            }
        }
    }
}

/// An experiment whose values are of the types that they must have, but for those that can be of several.
fn types() -> toml::Table {
    let training =
        Settings { memory: Some(0), plateau: Some(Default::default()), ..Default::default() };
    toml::Table::try_from(Experiment { training, ..Default::default() }).unwrap_or_default()
}

/// The message of an error in the words of who wrote the experiment: with the place in a file, or else
/// the key, and with what was perhaps meant by a key or a name that there is not.
fn form(error: toml::de::Error) -> ExperimentError {
    let (text, message) = (error.to_string(), error.message());
    let words = in_words(message);
    let text = text.trim_end();
    let said = match (text.strip_suffix(message), text.rsplit_once("\nin `")) {
        (Some(place), _) => place.replacen("TOML parse error at ", "at ", 1) + &words,
        (None, Some((_, key))) => format!("`{key}: {words}"),
        (None, None) => words,
    };
    let elsewhere = message.strip_prefix("unknown field `").and_then(|rest| rest.split_once('`'));
    let elsewhere = elsewhere.filter(|_| !said.contains("did you mean")).and_then(|(key, _)| {
        let all = types();
        let tables = all.iter().filter(|(_, table)| table.get(key).is_some());
        tables.map(|(table, _)| format!("\ndid you mean `{table}.{key}`?")).next()
    });
    ExperimentError::Form(said + &elsewhere.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layered(layers: &[&str]) -> Result<Experiment, String> {
        let layers: Vec<toml::Table> = layers.iter().map(|layer| layer.parse().unwrap()).collect();
        Experiment::layered(&layers).map_err(|error| error.to_string())
    }

    #[test]
    fn a_model_that_no_memory_is_there_for_is_refused() {
        assert!(check_memory(1000).is_ok());
        let refused = check_memory(usize::MAX / 64).unwrap_err().to_string();
        assert!(refused.contains("which there is no memory for; take smaller layers"), "{refused}");
    }

    #[test]
    fn later_layers_override_earlier_ones_and_these_the_defaults_of_the_task() {
        let experiment = layered(&[
            "[task]\nname = 'chars'\nseq = 7\n[model]\nhidden = 3",
            "[task]\nseq = 8\n[training]\nbatch = 2",
        ])
        .unwrap();
        assert_eq!(experiment.task["seq"].as_integer(), Some(8));
        let model = &experiment.model;
        assert_eq!((model.hidden, model.layers, experiment.training.batch), (3, 2, 2));
        assert_eq!(layered(&[]).unwrap().task["name"].as_str(), Some("reviews"));
    }

    #[test]
    fn what_followed_from_a_key_that_is_changed_follows_anew() {
        let resolved = "[training]\nepochs = 2\nsteps = 30\nevaluate_every = 3";
        let training = |layer| layered(&[resolved, layer]).unwrap().training;
        let longer = training("[training]\nepochs = 50");
        assert_eq!((longer.epochs, longer.steps, longer.evaluate_every), (50.0, 0, 0));
        let other = training("[training]\nlearning_rate = 1");
        assert_eq!((other.steps, other.evaluate_every), (30, 3));
        let methods = "[training]\noptimizer = { name = 'rmsprop', epsilon = 1e-3 }";
        let one = layered(&[methods, "[training]\noptimizer = { name = 'adamw' }"]).unwrap();
        assert_eq!(one.training.optimizer, Method::ADAMW);
    }

    #[test]
    fn what_is_written_down_makes_the_same_experiment() {
        for kind in task::KINDS {
            let experiment = layered(&[&format!("[task]\nname = '{}'", kind.name)]).unwrap();
            let text = toml::to_string(&experiment).unwrap();
            assert_eq!(layered(&[&text]).unwrap(), experiment, "{text}");
        }
    }

    #[test]
    fn keys_that_there_are_not_are_errors_with_a_suggestion() {
        let fault = Experiment::layer("[training]\nlerning_rate = 1").unwrap_err().to_string();
        assert!(fault.contains("line 2"), "{fault}");
        assert!(fault.ends_with("did you mean `learning_rate`?"), "{fault}");
        let fault = Experiment::layer("[training]\noptimizer = 'adm'").unwrap_err().to_string();
        assert!(fault.ends_with("did you mean `adam`?"), "{fault}");
        let fault = layered(&["[task]\nname = 'char'"]).unwrap_err();
        assert!(fault.starts_with("there is no task `char` (did you mean `chars`?)"), "{fault}");
        let fault = layered(&["[training]\nclip = -1"]).unwrap_err();
        assert_eq!(fault, "training.clip is a number from 0 up, not -1");
        let fault = layered(&["[training]\nclip = -1e30"]).unwrap_err();
        assert_eq!(fault, "training.clip is a number from 0 up, not -1e30");
        let fault = layered(&["[training]\ntied = true"]).unwrap_err();
        assert!(
            fault.starts_with("`training`: there is no key `tied`; there are `batch`, "),
            "{fault}"
        );
        assert!(fault.ends_with("did you mean `model.tied`?"), "{fault}");
    }

    #[test]
    fn values_are_told_by_key_or_place_and_taken_for_what_they_are_meant_to_be() {
        let fault = layered(&["[training]\nsteps = 4.5"]).unwrap_err();
        assert_eq!(fault, "`training.steps`: expected a whole number from 0, found 4.5");
        let fault =
            Experiment::layer("[training]\nbatch = 4.0\nsteps = -1").unwrap_err().to_string();
        assert_eq!(fault, "`training.steps`: expected a whole number from 0, found -1");
        let fault = Experiment::layer("[training]\nsteps = 'many'").unwrap_err().to_string();
        assert!(fault.starts_with("at line 2, column 9\n"), "{fault}");
        assert!(fault.ends_with("expected a whole number from 0, found \"many\""), "{fault}");
        let text = "[training]\nsteps = 4.0\nlog = 'csv'\nmemory = 1e6\n[model]\nlayers = 2.0";
        let layer = Experiment::layer(text).unwrap();
        let meant = layered(&[
            "[training]\nsteps = 4\nlog = ['csv']\nmemory = 1000000\n[model]\nlayers = 2",
        ]);
        assert_eq!(Experiment::layered(&[layer]).unwrap(), meant.clone().unwrap());
        assert_eq!(layered(&[text]), meant);
    }
}
