//! The options of `cellc train`, as keys of an experiment.

use std::num::NonZero;
use std::path::PathBuf;
use std::str::FromStr;

use cellc_train::blueprint::{MOST_LAYERS, MOST_UNITS};
use cellc_train::experiment::Experiment;
use cellc_train::run::Continuation;
use cellc_train::series::sweep::{Axis, value as read};
use cellc_train::task;
use clap::ValueEnum;
use toml::{Table, Value};

use crate::dims::Dims;
use crate::failure::Failure;
use crate::hypers::Hypers;
use crate::memory::memory;
use crate::models::threads;

/// What an experiment is made of.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Keys of the experiment and their values, such as `training.accumulate=4`
    #[arg(value_name = "KEY=VALUE")]
    settings: Vec<Setting>,
    /// A TOML file with all of the experiment; what is given beside it overrides it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// What to learn (`cellc tasks` lists it); if left out, what fits the data
    #[arg(long, value_name = "TASK", help_heading = "Data")]
    task: Option<String>,
    /// A text or a table, as the task needs
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    data: Option<PathBuf>,
    /// Other data to choose the best model by
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    validation_data: Option<PathBuf>,
    /// Other data to judge the model by
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    held_out_data: Option<PathBuf>,
    /// The share of the data that the best model is chosen by
    #[arg(long, value_name = "SHARE", help_heading = "Data", value_parser = share)]
    validation: Option<f64>,
    /// The share of the data that the model is judged by and never trained on
    #[arg(long, value_name = "SHARE", help_heading = "Data", value_parser = share)]
    held_out: Option<f64>,
    /// The column of the texts
    #[arg(long, value_name = "NAME", help_heading = "Data")]
    text_column: Option<String>,
    /// The column of the labels
    #[arg(long, value_name = "NAME", help_heading = "Data")]
    label_column: Option<String>,
    /// How many examples are made, where the program makes them
    #[arg(long, value_name = "N", help_heading = "Data", value_parser = count::<10_000_000>)]
    examples: Option<NonZero<usize>>,
    /// How many steps gradients flow back through, where a text is read on and on
    #[arg(long, value_name = "N", help_heading = "Data", value_parser = count::<1_000_000>)]
    seq: Option<NonZero<usize>>,
    /// The probability that a word is hidden from the model while it trains
    #[arg(long, value_name = "P", help_heading = "Data", value_parser = share)]
    word_dropout: Option<f64>,
    /// A cell of the catalogue, or the path of a `.cell` file, with dimensions I and H
    #[arg(long, value_name = "CELL", help_heading = "Model")]
    cell: Option<String>,
    /// The sizes of the cell's dimensions beside I and H; those with a default may be left out
    #[arg(long, value_name = "P=32", help_heading = "Model")]
    dims: Option<Dims>,
    /// The values of the cell's hyper-parameters; as the cell says if left out
    #[arg(long, value_name = "NAME=0.1", help_heading = "Model")]
    set: Option<Hypers>,
    /// How many layers of cells
    #[arg(long, value_name = "N", help_heading = "Model", value_parser = count::<MOST_LAYERS>)]
    layers: Option<NonZero<usize>>,
    /// The size H of a layer
    #[arg(long, value_name = "H", help_heading = "Model", value_parser = count::<MOST_UNITS>)]
    hidden: Option<NonZero<usize>>,
    /// The size of a symbol's vector
    #[arg(long, value_name = "N", help_heading = "Model", value_parser = count::<MOST_UNITS>)]
    embedding: Option<NonZero<usize>>,
    /// The probability that a number between layers is left out in training
    #[arg(long, value_name = "P", help_heading = "Model", value_parser = share)]
    dropout: Option<f64>,
    /// Read sequences also from their end
    #[arg(long, help_heading = "Model")]
    bidirectional: bool,
    /// Layers from the second on add what they find to what they read
    #[arg(long, help_heading = "Model")]
    residual: bool,
    /// How a sequence becomes one vector, where there is one answer
    #[arg(long, value_enum, help_heading = "Model")]
    pooling: Option<PoolingName>,
    /// Take the embedding's matrix for the head's
    #[arg(long, help_heading = "Model")]
    tied: bool,
    /// How many sequences are trained on at once
    #[arg(long, value_name = "N", help_heading = "Training", value_parser = count::<1_000_000>)]
    batch: Option<NonZero<usize>>,
    /// How parameters follow their gradients
    #[arg(long, value_name = "NAME", help_heading = "Training")]
    optimizer: Option<String>,
    /// The learning rate at its highest
    #[arg(long, value_name = "RATE", help_heading = "Training", value_parser = positive)]
    lr: Option<f64>,
    /// How the learning rate changes
    #[arg(long, value_name = "NAME", help_heading = "Training")]
    schedule: Option<String>,
    /// What the norm of all gradients together is clipped to; 0 for no clipping
    #[arg(long, value_name = "NORM", help_heading = "Training", value_parser = not_negative)]
    clip: Option<f64>,
    /// How parameters are drawn to 0: with adamw, lion and muon each step takes off this share of them,
    /// times the learning rate; with the others this times the parameter is added to its gradient (L2)
    #[arg(long, value_name = "RATE", help_heading = "Training", value_parser = not_negative)]
    weight_decay: Option<f64>,
    /// The share of a label's probability that is spread over all labels
    #[arg(long, value_name = "SHARE", help_heading = "Training", value_parser = share)]
    label_smoothing: Option<f64>,
    /// How often the data are gone through
    #[arg(long, value_name = "N", conflicts_with = "steps", help_heading = "Training", value_parser = positive)]
    epochs: Option<f64>,
    /// How many updates are made
    #[arg(long, value_name = "N", help_heading = "Training")]
    steps: Option<NonZero<u64>>,
    /// After how many minutes the training ends in any case
    #[arg(long, value_name = "N", help_heading = "Training", value_parser = positive)]
    minutes: Option<f64>,
    /// How many evaluations without an improvement end the training
    #[arg(long, value_name = "N", help_heading = "Training")]
    patience: Option<u32>,
    /// As what files the course is kept beside metrics.jsonl: csv, tensorboard
    #[arg(long, value_name = "FORMATS", help_heading = "Training", value_delimiter = ',')]
    log: Option<Vec<String>>,
    /// What everything random is drawn from
    #[arg(long, value_name = "N", help_heading = "Training", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    seed: Option<u64>,
    /// How many threads; as many as there are cores if left out. Results do not depend on it, but for
    /// roundings under --memory
    #[arg(long, value_name = "N", help_heading = "Training", value_parser = count::<1024>)]
    threads: Option<NonZero<usize>>,
    /// The most memory that the training may take, beside the data; long sequences are run in
    /// segments if they would take more, at the cost of one more run forward
    #[arg(long, value_name = "200MB", help_heading = "Training", value_parser = memory)]
    memory: Option<usize>,
}

/// `--pooling`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PoolingName {
    /// What the last layer gives after the last step
    Last,
    /// The mean of all steps
    Mean,
    /// Of each element the largest of all steps
    Max,
    /// A mean of all steps by learnt weights
    Attention,
}

fn number(text: &str, fits: fn(f64) -> bool, expected: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|x: &f64| x.is_finite() && fits(*x));
    number.ok_or_else(|| format!("expected {expected}"))
}

/// A count from 1 up, within what memory there can be for.
fn count<const MOST: usize>(text: &str) -> Result<NonZero<usize>, String> {
    let count = text.parse().ok().filter(|count: &NonZero<usize>| count.get() <= MOST);
    count.ok_or_else(|| format!("expected a whole number from 1 to {MOST}"))
}

fn positive(text: &str) -> Result<f64, String> {
    number(text, |x| x > 0.0, "a number above 0")
}

fn not_negative(text: &str) -> Result<f64, String> {
    number(text, |x| x >= 0.0, "a number from 0 up")
}

fn share(text: &str) -> Result<f64, String> {
    number(text, |x| (0.0..1.0).contains(&x), "a share from 0 up and below 1, such as 0.1")
}

/// `training.accumulate=4`
#[derive(Clone, Debug)]
struct Setting {
    key: String,
    value: String,
}

impl FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected =
            || format!("expected KEY=VALUE, such as `training.accumulate=4`, found `{text}`");
        if text.ends_with(".cell") || cellc_cells::find(text).is_some() {
            return Err(format!("a cell is given as `--cell {text}`"));
        }
        if task::find(text).is_some() {
            return Err(format!("a task is given as `--task {text}`"));
        }
        let (key, value) = text.split_once('=').ok_or_else(expected)?;
        if key.is_empty() || !key.contains('.') {
            return Err(expected());
        }
        Ok(Self { key: key.to_owned(), value: value.to_owned() })
    }
}

/// A key and its value as a layer of an experiment.
fn layer(key: &str, value: Value) -> Table {
    let mut table = Table::new();
    insert(&mut table, key, value);
    table
}

/// Sets the value of a key such as `training.batch`.
fn insert(table: &mut Table, key: &str, value: Value) {
    match key.split_once('.') {
        None => {
            table.insert(key.to_owned(), value);
        }
        Some((outer, inner)) => {
            let entry = table.entry(outer).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(table) = entry {
                insert(table, inner, value);
            }
        }
    }
}

/// The value of a key such as `training.batch`.
fn value_of<'t>(table: &'t Table, key: &str) -> Option<&'t Value> {
    match key.split_once('.') {
        None => table.get(key),
        Some((outer, inner)) => value_of(table.get(outer)?.as_table()?, inner),
    }
}

impl Options {
    /// The experiment, but for what follows from the data.
    pub(crate) fn experiment(&self) -> Result<Experiment, Failure> {
        let settings = self.settings.iter().map(|Setting { key, value }| layer(key, read(value)));
        self.layered(settings.collect())
    }

    /// Whether the user says which task it is.
    pub(crate) fn names_task(&self) -> bool {
        let key = |setting: &Setting| setting.key == "task.name";
        self.task.is_some() || self.config.is_some() || self.settings.iter().any(key)
    }

    /// Whether the user says which column the texts, or the labels, are in.
    pub(crate) fn names_column(&self) -> bool {
        let key = |setting: &Setting| {
            ["task.text_column", "task.label_column"].contains(&setting.key.as_str())
        };
        self.text_column.is_some() || self.label_column.is_some() || self.settings.iter().any(key)
    }

    /// Whether the user gives the size of an embedding.
    pub(crate) fn gives_embedding(&self) -> bool {
        let key = |setting: &Setting| setting.key == "model.embedding";
        self.embedding.is_some() || self.settings.iter().any(key)
    }

    /// The keys that are given several values, to be searched through.
    pub(crate) fn axes(&self) -> Result<Vec<Axis>, Failure> {
        let axes = self.settings.iter().map(|Setting { key, value }| Axis::parse(key, value));
        let axes = axes.filter_map(Result::transpose).collect::<Result<Vec<_>, _>>();
        let axes = axes.map_err(Failure::new)?;
        let given = self.given();
        for Axis { key, .. } in &axes {
            let by_option = value_of(&given, key).map(|value| format!("an option ({value})"));
            let single = self.settings.iter().find(|setting| {
                setting.key == *key && matches!(Axis::parse(key, &setting.value), Ok(None))
            });
            let single = single.map(|setting| format!("`{key}={}`", setting.value));
            if let Some(other) = by_option.or(single) {
                return Err(Failure::new(format!(
                    "`{key}` is searched through, and has one value by {other} too; leave out one \
                     of the two"
                )));
            }
        }
        Ok(axes)
    }

    /// The experiment with a choice of values for these keys.
    pub(crate) fn chosen(&self, choice: &Table) -> Result<Experiment, Failure> {
        let given = self.settings.iter().filter(|setting| !choice.contains_key(&setting.key));
        let given = given.map(|Setting { key, value }| layer(key, read(value)));
        let chosen = choice.iter().map(|(key, value)| layer(key, value.clone()));
        self.layered(given.chain(chosen).collect())
    }

    fn layered(&self, settings: Vec<Table>) -> Result<Experiment, Failure> {
        let mut layers = Vec::new();
        if let Some(path) = &self.config {
            let text = std::fs::read_to_string(path).map_err(|error| {
                Failure::new(format!("cannot read {}: {error}", path.display()))
            })?;
            let layer = Experiment::layer(&text)
                .map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
            layers.push(layer);
        }
        layers.push(Experiment::merged(std::iter::once(self.given()).chain(settings)));
        let named = |layer: &Table| layer.get("task").and_then(|task| task.get("name")).is_some();
        if !layers.iter().any(named)
            && let Some(name) = fitting_task(&layers)?
        {
            layers.insert(0, layer("task.name", name.into()));
        }
        if !layers.iter().any(|layer| {
            layer.get("training").and_then(|training| training.get("threads")).is_some()
        }) {
            layers.insert(0, layer("training.threads", number_of(threads(None))));
        }
        Ok(Experiment::layered(&layers)?)
    }

    /// How many threads there are to be, if that is said.
    pub(crate) fn threads(&self) -> Option<usize> {
        self.threads.map(NonZero::get)
    }

    /// How a run is to go on.
    pub(crate) fn continuation(&self) -> Continuation {
        let Self { epochs, minutes, lr: learning_rate, clip, .. } = *self;
        Continuation { steps: self.steps.map(NonZero::get), epochs, minutes, learning_rate, clip }
    }

    /// What is given by options of names of their own.
    fn given(&self) -> Table {
        let mut table = Table::new();
        let mut put = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                insert(&mut table, key, value);
            }
        };
        let path = |path: &Option<PathBuf>| {
            path.as_ref().map(|path| Value::String(path.display().to_string()))
        };
        let text = |text: &Option<String>| text.clone().map(Value::String);
        let float = |x: Option<f64>| x.map(Value::Float);
        let size = |n: Option<NonZero<usize>>| n.map(|n| number_of(n.get()));
        let flag = |given: bool| given.then_some(Value::Boolean(true));
        put("task.name", text(&self.task));
        put("task.data", path(&self.data));
        put("task.validation_data", path(&self.validation_data));
        put("task.held_out_data", path(&self.held_out_data));
        put("task.validation", float(self.validation));
        put("task.held_out", float(self.held_out));
        put("task.text_column", text(&self.text_column));
        put("task.label_column", text(&self.label_column));
        put("task.examples", size(self.examples));
        put("task.seq", size(self.seq));
        put("task.word_dropout", float(self.word_dropout));
        put("model.cell", text(&self.cell));
        for (name, size) in self.dims.iter().flat_map(|dims| &dims.0) {
            put(&format!("model.dims.{name}"), Some(number_of(*size)));
        }
        for (name, value) in self.set.iter().flat_map(|hypers| &hypers.0) {
            put(&format!("model.set.{name}"), Some(Value::Float(*value)));
        }
        put("model.layers", size(self.layers));
        put("model.hidden", size(self.hidden));
        put("model.embedding", size(self.embedding));
        put("model.dropout", float(self.dropout));
        put("model.bidirectional", flag(self.bidirectional));
        put("model.residual", flag(self.residual));
        let pooling = self.pooling.and_then(|pooling| pooling.to_possible_value());
        put("model.pooling", pooling.map(|value| Value::String(value.get_name().to_owned())));
        put("model.tied", flag(self.tied));
        put("training.batch", size(self.batch));
        put("training.optimizer", text(&self.optimizer));
        put("training.learning_rate", float(self.lr));
        put("training.schedule", text(&self.schedule));
        put("training.clip", float(self.clip));
        put("training.weight_decay", float(self.weight_decay));
        put("loss.label_smoothing", float(self.label_smoothing));
        put("training.epochs", float(self.epochs));
        put("training.steps", self.steps.map(|n| number_of(n.get() as usize)));
        put("training.minutes", float(self.minutes));
        put("training.patience", self.patience.map(|n| number_of(n as usize)));
        let log = self.log.iter().map(|formats| formats.iter().cloned().map(Value::String));
        put("training.log", log.map(|formats| Value::Array(formats.collect())).next());
        put("training.seed", self.seed.map(|n| Value::Integer(n.cast_signed())));
        put("training.threads", size(self.threads));
        put("training.memory", self.memory.map(number_of));
        table
    }
}

/// The task whose files end as the data do; a text, if there are others.
fn fitting_task(layers: &[Table]) -> Result<Option<&'static str>, Failure> {
    let data = |layer: &Table| layer.get("task")?.get("data")?.as_str().map(ToOwned::to_owned);
    let Some(data) = layers.iter().rev().find_map(data) else { return Ok(None) };
    let name = data.to_ascii_lowercase();
    let path = std::path::Path::new(name.trim_end_matches(".gz"));
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let fits = |kind: &&task::Kind| kind.endings.contains(&ending);
    if ending == "json" {
        return Err(Failure::new(format!(
            "{data}: tables are read from JSON lines (.jsonl), an object a line, not from one JSON value; name it \
             .jsonl if it is that, or make it of an array by `jq -c '.[]' FILE.json > FILE.jsonl`\nIf \
             its characters are to be learnt, say so with --task chars."
        )));
    }
    Ok(Some(task::KINDS.iter().find(fits).map_or("chars", |kind| kind.name)))
}

/// TOML's numbers are signed.
fn number_of(n: usize) -> Value {
    Value::Integer(i64::try_from(n).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_keys_of_tables() {
        let text = |setting: &Table| toml::to_string(setting).expect("it is TOML");
        let read = |given: &str| {
            let setting: Setting = given.parse().expect("it is well-formed");
            text(&layer(&setting.key, read(&setting.value)))
        };
        assert_eq!(read("training.accumulate=4"), "[training]\naccumulate = 4\n");
        assert_eq!(read("task.data=a.txt"), "[task]\ndata = \"a.txt\"\n");
        assert_eq!(read("model.set.zoneout=0.1"), "[model.set]\nzoneout = 0.1\n");
        for given in ["", "accumulate=4", "training.accumulate", "=4"] {
            let fault = given.parse::<Setting>().expect_err(given);
            assert!(fault.starts_with("expected KEY=VALUE"), "{fault}");
        }
        let fault = |given: &str| given.parse::<Setting>().expect_err(given);
        assert_eq!(fault("words"), "a task is given as `--task words`");
        assert_eq!(fault("gru"), "a cell is given as `--cell gru`");
    }
}
