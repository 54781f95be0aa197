//! Tasks: what a model learns from, and what it is judged by.
//!
//! A [`Kind`] of task is one file, listed in [`KINDS`]: its options, how it loads data, and the
//! [`Codec`] that is kept with a model, by which new data become batches and answers become
//! something to be read. Most are made of [`examples`], of which several share a batch, or of
//! [`stream`]s that are read on and on.

pub mod chars;
pub mod classify;
mod corpus;
pub mod examples;
mod files;
pub mod forecast;
mod language;
pub mod options;
pub mod pool;
pub mod reviews;
pub mod stream;
pub mod synthetic;
pub mod tag;
pub mod words;

use std::path::Path;

use cellc_runtime::sequence::RunError;
use serde::{Deserialize, Serialize};
use serde_json::Map;
use thiserror::Error;

pub use crate::data::{DataError, vocabulary};

use self::options::{OptionError, OptionInfo};
use self::vocabulary::Vocabulary;
use crate::batch::{Batch, Example};
use crate::metrics::regression::{Channel, Regression, RegressionScores};
use crate::metrics::summary::Better;
use crate::model::{Interface, Score};

/// The kinds of tasks there are.
pub static KINDS: &[Kind] = &[
    reviews::KIND,
    chars::KIND,
    words::KIND,
    classify::KIND,
    tag::KIND,
    forecast::KIND,
    synthetic::adding::KIND,
    synthetic::copy::KIND,
    synthetic::temporal_order::KIND,
    synthetic::two_sequence::KIND,
    synthetic::reber::KIND,
    synthetic::counting::AB,
    synthetic::counting::ABC,
    synthetic::mackey_glass::KIND,
];

/// The kind of a name.
pub fn find(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

/// A kind of task.
pub struct Kind {
    /// Its name.
    pub name: &'static str,
    /// What it is about, in half a sentence.
    pub about: &'static str,
    /// Endings of files that it is for, if the user names no task.
    pub endings: &'static [&'static str],
    /// What its experiments do that say nothing else, as TOML of an
    /// [`Experiment`](crate::experiment::Experiment).
    pub defaults: &'static str,
    /// Its options.
    pub options: fn() -> Vec<OptionInfo>,
    /// Reads or makes its data.
    pub load: fn(&toml::Table, Context) -> Result<Loaded, TaskError>,
    /// Makes a codec as it was kept with a model.
    pub codec: fn(serde_json::Value) -> Result<Box<dyn Codec>, serde_json::Error>,
}

/// What a task is told of the training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// How many sequences are trained on at once.
    pub batch: usize,
    /// What everything random is drawn from.
    pub seed: u64,
}

/// A task that is ready to be trained on.
pub struct Loaded {
    /// The data.
    pub task: Box<dyn Task>,
    /// What is kept with the model.
    pub codec: Box<dyn Codec>,
    /// What there is to learn from, in a few words.
    pub summary: String,
}

/// A part of the data that is not trained on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// What the best of several checkpoints is chosen by.
    Validation,
    /// What a model is judged by, once it is chosen.
    HeldOut,
}

/// By what one model is better than another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Goal {
    /// A lower mean loss.
    Loss,
    /// More right answers. A classifier's loss rises as it grows too sure of its few mistakes, while
    /// it still gets more labels right: so the loss only decides between equals.
    Accuracy,
}

impl Goal {
    /// What it is called, in files too.
    pub fn name(self) -> &'static str {
        match self {
            Self::Loss => "loss",
            Self::Accuracy => "accuracy",
        }
    }

    /// Which of two figures is better.
    pub fn better(self) -> Better {
        match self {
            Self::Loss => Better::Lower,
            Self::Accuracy => Better::Higher,
        }
    }

    /// The figure of a score: the mean loss, or the share of right answers.
    pub fn figure(self, score: &Score) -> f64 {
        match self {
            Self::Loss => score.mean_loss(),
            Self::Accuracy => score.accuracy(),
        }
    }
}

/// Batches in their order.
pub type Batches<'a> = Box<dyn Iterator<Item = Result<Batch, DataError>> + 'a>;

/// Data with answers that a model is judged by. They can be gone through as often as they are asked
/// for, and need not all be in memory.
pub trait Judged: std::fmt::Debug {
    /// The batches, each answer once.
    fn batches(&self) -> Batches<'_>;
    /// As [`Task::baseline`], if that is known.
    fn baseline(&self) -> Option<f64> {
        None
    }
    /// As [`Task::naive`].
    fn naive(&self) -> Option<RegressionScores> {
        None
    }
}

/// Batches that are all in memory.
impl Judged for Vec<Batch> {
    fn batches(&self) -> Batches<'_> {
        Box::new(self.iter().cloned().map(Ok))
    }
}

/// Data for a model to learn from.
///
/// # Example
/// A task of one's own, learnt by a GRU: the sum of the numbers read so far. The model is then asked a
/// step at a time.
///
/// ```
/// use cellc_runtime::program::Engine;
/// use cellc_runtime::sequence::Extent;
/// use cellc_train::batch::{Batch, Data, Example, Targets};
/// use cellc_train::blueprint::{Blueprint, CellText, ModelConfig};
/// use cellc_train::experiment::Settings;
/// use cellc_train::model::{Answers, Interface, Model, Readout, Reads};
/// use cellc_train::task::{Batches, Goal, Part, Task};
/// use cellc_train::trainer::{Silent, train};
///
/// struct Sums;
///
/// /// 8 sequences of 6 steps, `[6, 8, 1]`.
/// fn batch(number: u64) -> Batch {
///     let example = |column| {
///         let read = (1..=6).map(|step| ((8 * number + column) * step % 5) as f32 / 4.0 - 0.5);
///         let sums = read.clone().scan(0.0, |sum, x| { *sum += x; Some(*sum) });
///         Example { targets: Targets::Reals(sums.collect()), data: Data::Reals(read.collect()) }
///     };
///     Batch::padded(&(0..8).map(example).collect::<Vec<_>>(), 1, true, 1)
/// }
///
/// impl Task for Sums {
///     fn batches_per_epoch(&self) -> usize {
///         20
///     }
///     fn epoch(&self, epoch: u64, skipped: usize) -> Batches<'_> {
///         Box::new((skipped as u64..20).map(move |i| Ok(batch(20 * epoch + i))))
///     }
///     fn part(&self, part: Part) -> Option<Batches<'_>> {
///         (part == Part::HeldOut).then(|| Box::new(std::iter::once(Ok(batch(1 << 30)))) as _)
///     }
///     fn goal(&self) -> Goal {
///         Goal::Loss
///     }
/// }
///
/// let (reads, answers) = (Reads::Reals(1), Answers::Reals(1));
/// let interface = Interface { reads, answers, readout: Readout::Each, masked: true, resets: false };
/// let config = ModelConfig { cell: "gru".into(), hidden: 8, ..ModelConfig::default() };
/// let cells = vec![CellText::of_catalogue("gru")?];
/// let blueprint = Blueprint { model: config, cells, ..Blueprint::default() };
/// let mut model = Model::<f32>::new(&blueprint.architecture(interface)?, Engine::default(), 1)?;
///
/// let settings = Settings { steps: 300, evaluate_every: 100, ..Settings::default() };
/// let outcome = train(&Sums, &mut model, &settings, None, &mut Silent)?;
/// assert!(outcome.held_out.expect("it ran to its end").mean_squared_error() < 0.02);
///
/// let mut run = model.run(1);
/// let extent = Extent { steps: 1, batch: 1 };
/// let mut step = Batch { extent, targets: Targets::Reals(vec![f32::NAN]), ..Batch::default() };
/// for x in [0.5, 0.25, -0.5] {
///     step.data = Data::Reals(vec![x]);
///     run.forward(&model, &step)?;
///     step.continues = true; // from the states that this step left
/// }
/// assert!((run.logits()[0] - 0.25).abs() < 0.2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Task {
    /// How many batches it takes to see all training data once; at least 1.
    fn batches_per_epoch(&self) -> usize;
    /// The training batches of an epoch, the first `skipped` left out. They are the same whenever
    /// they are asked for, so that a training can be taken up again anywhere.
    fn epoch(&self, epoch: u64, skipped: usize) -> Batches<'_>;
    /// The batches of a part, each of its answers once; `None` if the task has no such part.
    fn part(&self, part: Part) -> Option<Batches<'_>>;
    /// By what one model is better than another.
    fn goal(&self) -> Goal;
    /// What is reached on the held-out part without reading: the share of the most frequent label,
    /// or the mean squared error of a constant; `None` if that says little.
    fn baseline(&self) -> Option<f64> {
        None
    }
    /// What the naive forecast of a part is worth, in the unit of the data, if the task forecasts.
    fn naive(&self, part: Part) -> Option<RegressionScores> {
        let _ = part;
        None
    }
    /// What is to be known of the data before it is learnt from them, such as what a part lacks.
    fn warnings(&self) -> &[String] {
        &[]
    }
    /// Figures of the task's own, such as those of its paper: a name for each. `answer` gives the
    /// answers of the model to a batch.
    ///
    /// # Errors
    /// Those of `answer`.
    fn figures(&self, answer: &mut Answer<'_>) -> Result<Vec<Figure>, RunError> {
        let _ = answer;
        Ok(Vec::new())
    }
    /// Whether the model solves the task as its paper defines it, so that nothing is left to learn.
    ///
    /// # Errors
    /// Those of `answer`.
    fn solved(&self, answer: &mut Answer<'_>) -> Result<bool, RunError> {
        let _ = answer;
        Ok(false)
    }
}

/// A model's answers to a batch: of classes their logits, one row for each answer.
pub type Answer<'a> = dyn FnMut(&Batch) -> Result<Vec<f32>, RunError> + 'a;

/// A figure of a task's own.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// What it is called in files.
    pub name: &'static str,
    /// How it is said, with the number in it.
    pub text: String,
    /// The number.
    pub value: f64,
}

/// A question of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// The row that it begins in, from 1; 0 if it is of many.
    pub row: u64,
    /// What is asked, as [`Codec::answer_to`] takes it.
    pub text: String,
    /// What the model reads.
    pub example: Example,
    /// Which of several it is: what that is called, and its name or number.
    pub name: Option<(String, serde_json::Value)>,
}

/// How data become batches, and answers something to be read: what is kept of a task with a model.
pub trait Codec {
    /// What the task asks of a model.
    fn interface(&self) -> Interface;
    /// What it is to be made of again, by [`Kind::codec`].
    fn kept(&self) -> serde_json::Value;
    /// What the symbols are that a model reads, if it reads symbols.
    fn vocabulary(&self) -> Option<&Vocabulary> {
        None
    }
    /// What the classes are called that a model answers by; empty if they are symbols or numbers.
    fn labels(&self) -> &[String] {
        &[]
    }
    /// Options of the task that follow from the data, with what they come to.
    fn resolved(&self) -> toml::Table {
        toml::Table::new()
    }
    /// What a step is called: `character`, `word`, `step`.
    fn step(&self) -> &'static str;
    /// Whether the model goes on with what it reads, so that it can be sampled from.
    fn continues(&self) -> bool {
        false
    }
    /// After which symbol states begin anew, if there is one.
    fn end(&self) -> Option<u32> {
        None
    }
    /// Questions side by side, as a model reads them.
    fn batch(&self, questions: &[&Example]) -> Batch {
        let mut batch = examples::together(questions.iter().copied(), &self.interface());
        if let Some(end) = self.end() {
            batch.reset_after(end);
        }
        batch
    }
    /// Symbols of a text, if the task reads texts.
    fn encode(&self, text: &str) -> Option<Vec<u32>> {
        let _ = text;
        None
    }
    /// What the baseline of a task that answers by numbers is called.
    fn baseline(&self) -> &'static str {
        "a constant"
    }
    /// Whether numbers are learnt on another scale than that of the data.
    fn scales(&self) -> bool {
        false
    }
    /// Symbols as a text.
    fn decode(&self, symbols: &[u32]) -> String {
        let symbol = |&number: &u32| self.vocabulary().map_or("", |v| v.symbol(number));
        symbols.iter().map(symbol).collect()
    }
    /// Data with answers to be judged by. The options are those of the training, but for those that
    /// the user gives, of which `data` is one.
    ///
    /// # Errors
    /// If they cannot be read, or have answers that the model does not know.
    fn judged(&self, options: &toml::Table) -> Result<Box<dyn Judged>, TaskError>;
    /// Where the errors of answers are summed, if they are numbers: by steps ahead and channels.
    fn errors(&self) -> Regression {
        let channel = |i| Channel { name: format!("number {}", i + 1), naive: None };
        Regression::new(1, (0..self.interface().answers.width()).map(channel).collect())
    }
    /// Numbers in the unit of the data: an answer to a batch, or what is true, as the answer of this
    /// place.
    fn measured(&self, batch: &Batch, place: usize, numbers: &[f32]) -> Vec<f64> {
        let _ = (batch, place);
        numbers.iter().copied().map(f64::from).collect()
    }
    /// Figures of the task's own of any data with answers, as [`Task::figures`] gives of those that
    /// are held out.
    ///
    /// # Errors
    /// Those of `answer`.
    fn figures(
        &self,
        batches: Batches<'_>,
        answer: &mut Answer<'_>,
    ) -> Result<Vec<Figure>, RunError> {
        let _ = (batches, answer);
        Ok(Vec::new())
    }
    /// The column of a table that [`question`](Self::question)s stand in, by its name or number. The
    /// options are those of the training.
    fn column(&self, options: &toml::Table) -> String {
        column(options, "text_column", "text")
    }
    /// The options that name the column of what is read, and that of the answers.
    fn column_options(&self) -> [&'static str; 2] {
        ["text_column", "label_column"]
    }
    /// What a question is called where answers tell which it is.
    fn unit(&self) -> Option<&'static str> {
        None
    }
    /// Whether a question may be a list of texts.
    fn reads_lists(&self) -> bool {
        false
    }
    /// What a file of the form of the training data asks, its answers left aside, with what is wrong with
    /// rows of it; `None` if each line of it is a question for [`question`](Self::question). The options
    /// are those of the training; `column` is that of the texts, if the user names one.
    ///
    /// # Errors
    /// If it cannot be read.
    fn asked(
        &self,
        path: &Path,
        column: Option<&str>,
        options: &toml::Table,
    ) -> Result<Option<Vec<Result<Asked, DataError>>>, TaskError> {
        let _ = (path, column, options);
        Ok(None)
    }
    /// One line to be answered: a text, or a JSON value.
    ///
    /// # Errors
    /// What is wrong with it.
    fn question(&self, line: &str) -> Result<Example, String>;
    /// The answer to it, one row of numbers for each that there is.
    fn answer(&self, question: &Example, answers: &[f32]) -> serde_json::Value;
    /// The same, told the line too, of which symbols do not say all.
    fn answer_to(&self, line: &str, question: &Example, answers: &[f32]) -> serde_json::Value {
        let _ = line;
        self.answer(question, answers)
    }
    /// An answer as rows of a table, if it takes several: a row for each step or token.
    fn rows(&self, answer: &serde_json::Value) -> Option<Vec<Map<String, serde_json::Value>>> {
        let _ = answer;
        None
    }
}

/// The column that an option names, by its name or number, or else the usual one.
fn column(options: &toml::Table, option: &str, usual: &str) -> String {
    match options.get(option) {
        Some(toml::Value::String(name)) if !name.is_empty() => name.clone(),
        Some(toml::Value::Integer(number)) => number.to_string(),
        _ => usual.to_owned(),
    }
}

/// What a symbol adds to the text of those before it: words are put together by spaces, and parts of
/// words as their tokenizer says.
pub fn continuation(codec: &dyn Codec, before: &[u32], symbol: u32) -> String {
    // How far back what is written depends on what was.
    const CONTEXT: usize = 16;
    let context = &before[before.len().saturating_sub(CONTEXT)..];
    let whole = codec.decode(&[context, &[symbol]].concat());
    match whole.strip_prefix(&codec.decode(context)) {
        Some(added) => added.to_owned(),
        None => codec.decode(&[symbol]),
    }
}

/// Why a task is not ready.
#[derive(Debug, Error)]
pub enum TaskError {
    /// An option is wrong.
    #[error(transparent)]
    Option(#[from] OptionError),
    /// Data cannot be learnt from.
    #[error(transparent)]
    Data(#[from] DataError),
}
