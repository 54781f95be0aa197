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
use crate::model::{Answers, Interface, Model, ModelError, Readout, Reads};
use crate::optimizer::Method;
use crate::task::{self, Codec, Context, Kind, Loaded, TaskError};

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
    /// What nobody gave, and what has no default of its own but follows from the data, from other keys or
    /// from the task: keys such as `training.steps`, and their values. They are written down with all
    /// others; where that is the base of another experiment, they follow anew, unless they have been
    /// changed there.
    #[serde(skip_serializing_if = "toml::Table::is_empty")]
    pub followed: toml::Table,
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
            let mut layer = layer.clone();
            forget_what_followed(&mut layer);
            forget_steps(&mut given, &layer);
            merge(&mut given, &layer);
        }
        let name = given.get("task").and_then(|task| task.get("name"));
        let name = name.and_then(toml::Value::as_str).unwrap_or("reviews").to_owned();
        let kind = task::find(&name).ok_or(ExperimentError::Task { found: name.clone() })?;
        let defaults = kind.defaults.parse::<toml::Table>();
        let mut all = defaults.map_err(|error| ExperimentError::Form(error.to_string()))?;
        forget_other_cell(&mut all, &given);
        let set = value_of(&all, HYPERS).filter(|_| value_of(&given, HYPERS).is_none()).cloned();
        merge(&mut all, &given);
        settle(&mut all, &types());
        let mut experiment: Self = toml::Value::Table(all).try_into().map_err(form)?;
        experiment.followed.extend(set.map(|set| (HYPERS.to_owned(), set)));
        if value_of(&given, LEARNING_RATE).is_none() {
            let Settings { optimizer, learning_rate, .. } = &mut experiment.training;
            if !matches!(optimizer, Method::Adam { .. } | Method::AdamW { .. }) {
                *learning_rate = usual_rate(*optimizer);
            }
            let learning_rate = *learning_rate;
            experiment.followed.insert(LEARNING_RATE.to_owned(), learning_rate.into());
        }
        experiment.task.insert("name".to_owned(), name.into());
        experiment.check()?;
        Ok(experiment)
    }

    /// Layers that are one user's word, in one: later ones override earlier ones key by key.
    pub fn merged(layers: impl IntoIterator<Item = toml::Table>) -> toml::Table {
        let mut all = toml::Table::new();
        layers.into_iter().for_each(|layer| merge(&mut all, &layer));
        all
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

    /// Gives it a number of updates.
    pub(crate) fn give_steps(&mut self, steps: u64) {
        self.training.steps = steps;
        self.followed.remove(STEPS);
        self.forget_evaluations();
    }

    /// Gives it a number of epochs, in place of one of updates.
    pub(crate) fn give_epochs(&mut self, epochs: f64) {
        (self.training.epochs, self.training.steps) = (epochs, 0);
        self.forget_evaluations();
    }

    /// Gives it a learning rate.
    pub(crate) fn give_learning_rate(&mut self, learning_rate: f64) {
        self.training.learning_rate = learning_rate;
        self.followed.remove(LEARNING_RATE);
    }

    /// Takes back the hyper-parameters that its task sets in a cell of its own choice.
    pub(crate) fn forget_hypers(&mut self) {
        if self.followed.remove(HYPERS).is_some() {
            self.model.set.clear();
        }
    }

    /// How often it is evaluated follows from how long it is, if nobody gave that.
    fn forget_evaluations(&mut self) {
        if self.followed.contains_key(EVALUATE_EVERY) {
            self.training.evaluate_every = 0;
        }
    }

    /// Fills in what follows from the number of batches that make an epoch.
    fn resolve(&mut self, batches_per_epoch: usize) {
        let Settings { steps, evaluate_every, .. } = self.training;
        self.training.resolve(batches_per_epoch);
        let now = &self.training;
        let keys =
            [(STEPS, steps, now.steps), (EVALUATE_EVERY, evaluate_every, now.evaluate_every)];
        for (key, _, now) in keys.into_iter().filter(|(_, given, _)| *given == 0) {
            let now = i64::try_from(now).unwrap_or(i64::MAX);
            self.followed.insert(key.to_owned(), now.into());
        }
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

    /// The experiment as it is shown: with all options of its task, and without what is of no meaning for
    /// what the task asks of a model. It makes the same experiment again.
    ///
    /// # Errors
    /// If there is no such task, or it cannot be written as TOML.
    pub fn shown(&self, codec: &dyn Codec) -> Result<toml::Table, ExperimentError> {
        let shown = toml::Table::try_from(self);
        let mut shown = shown.map_err(|error| ExperimentError::Form(error.to_string()))?;
        let mut task = toml::Table::new();
        for option in (self.kind()?.options)() {
            task.insert(option.name, option.default);
        }
        task.extend(self.task.clone());
        task.extend(codec.resolved());
        shown.insert("task".to_owned(), task.into());
        let mut without = |table: &str, keys: &[&str]| {
            let Some(toml::Value::Table(table)) = shown.get_mut(table) else { return };
            keys.iter().for_each(|key| {
                table.remove(*key);
            });
        };
        let Interface { reads, answers, readout, .. } = codec.interface();
        if matches!(reads, Reads::Reals(_)) {
            without("model", &["embedding", "embedding_scale", "tied"]);
        }
        if readout == Readout::Each {
            without("model", &["pooling"]);
        }
        if matches!(answers, Answers::Reals(_)) {
            without("loss", &["label_smoothing"]);
        }
        shown.retain(|_, value| value.as_table().is_none_or(|table| !table.is_empty()));
        Ok(shown)
    }

    /// Reads the data and makes the model.
    ///
    /// # Errors
    /// If data cannot be learnt from, or the cells make no model.
    pub fn ready(mut self, cells: Vec<CellText>) -> Result<Ready, ExperimentError> {
        let kind = self.kind()?;
        let context = Context { batch: self.training.batch, seed: self.training.seed };
        let loaded = (kind.load)(&self.task, context)?;
        self.resolve(loaded.task.batches_per_epoch());
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

const LEARNING_RATE: &str = "training.learning_rate";
const STEPS: &str = "training.steps";
const EVALUATE_EVERY: &str = "training.evaluate_every";
const HYPERS: &str = "model.set";

/// What a key such as `training.steps` is in a layer.
fn value_of<'t>(layer: &'t toml::Table, key: &str) -> Option<&'t toml::Value> {
    let (table, key) = key.split_once('.')?;
    layer.get(table)?.get(key)
}

/// Drops from a layer what it says that nobody gave.
fn forget_what_followed(layer: &mut toml::Table) {
    let Some(toml::Value::Table(followed)) = layer.remove("followed") else { return };
    for (key, value) in &followed {
        if value_of(layer, key) == Some(value)
            && let Some((table, key)) = key.split_once('.')
            && let Some(toml::Value::Table(table)) = layer.get_mut(table)
        {
            table.remove(key);
        }
    }
}

/// Drops a number of steps from a layer, if a layer over it gives one of epochs in its place.
fn forget_steps(under: &mut toml::Table, over: &toml::Table) {
    if value_of(over, "training.epochs").is_some()
        && let Some(toml::Value::Table(training)) = under.get_mut("training")
    {
        training.remove("steps");
    }
}

/// Drops from the defaults of a task what they set of a cell, if another is given.
fn forget_other_cell(defaults: &mut toml::Table, given: &toml::Table) {
    let cell = |layer| value_of(layer, "model.cell");
    if cell(given).is_some_and(|cell_given| cell(defaults) != Some(cell_given))
        && let Some(toml::Value::Table(model)) = defaults.get_mut("model")
    {
        model.remove("dims");
        model.remove("set");
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
mod tests;
