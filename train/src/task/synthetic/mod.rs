//! The classical problems of recurrent networks, whose sequences the program makes.
//!
//! Each is one file: what a sequence is, what is to be answered, and by what its paper judges. The
//! defaults of its kind are a set-up that reaches the published figure.
//!
//! Training sequences are made batch by batch, each from the seed, the epoch and the number of the
//! batch: no two epochs have the same, and nothing is kept. What a model is judged by is made once.

pub mod adding;
pub mod copy;
pub mod counting;
pub mod mackey_glass;
pub mod reber;
mod symbols;
pub mod temporal_order;
pub mod two_sequence;

use std::path::PathBuf;

use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::examples::together;
use super::options::{OptionError, OptionInfo, listed, parse};
use super::{
    Answer, Batches, Codec, Context, DataError, Figure, Goal, Judged, Loaded, Part, Task, TaskError,
};
use crate::batch::{Batch, Data, Example, IGNORED, Targets};
use crate::data::text::read_text;
use crate::draws::rng;
use crate::model::{Answers, Interface, Readout, Reads};
use cellc_runtime::sequence::{Extent, RunError};

/// How many sequences are evaluated at once.
const EVALUATION_BATCH: usize = 64;

/// The most steps of a sequence: a thousand of them are held out, and all of a batch are in memory.
const MOST_STEPS: usize = 10_000;

/// The most numbers of all that is held out.
const MOST_HELD_OUT: usize = 100_000_000;

/// The most sequences of an epoch; none is kept.
const MOST_SEQUENCES: usize = 1_000_000_000;

/// An option that is more than its bound, and what is wrong with it.
fn beyond(option: &'static str, value: usize, most: usize) -> Option<(&'static str, String)> {
    (value > most).then(|| (option, format!("{value} is too much: take up to {most}")))
}

/// A problem: its fields are the options of its kind of task.
trait Problem: Clone + Default + Serialize + DeserializeOwned + 'static {
    /// Its name among the kinds of tasks.
    const NAME: &'static str;

    /// What each option means, for who asks (`cellc tasks`).
    const MEANINGS: &'static [(&'static str, &'static str)];

    /// The name of an option that has no meaning, and what is wrong with it.
    fn fault(&self) -> Option<(&'static str, String)>;

    /// How many training sequences make an epoch.
    fn examples(&self) -> usize;

    /// What it asks of a model. The sequences of a model that answers at each step may be of several
    /// lengths: they are padded at their ends, where nobody looks.
    fn interface(&self) -> Interface;

    /// What the classes are called, if they have names.
    fn labels(&self) -> Vec<String> {
        Vec::new()
    }

    /// What a model of it learns from is the same for all sequences, and made once.
    fn prepare(&mut self, seed: u64) {
        let _ = seed;
    }

    /// A sequence to learn from and its answers.
    fn example(&self, rng: &mut ChaCha8Rng) -> Example;

    /// The sequences that a model is judged by.
    fn held_out(&self, rng: &mut ChaCha8Rng) -> Vec<Example> {
        (0..1000).map(|_| self.example(rng)).collect()
    }

    /// What is reached without reading, as of [`Task::baseline`].
    fn baseline(&self, held_out: &[Example]) -> Option<f64>;

    /// By what one model is better than another.
    fn goal(&self) -> Goal {
        Goal::Accuracy
    }

    /// The figures of its paper, of a model that gave these answers to what was held out.
    fn figures(&self, held_out: &[Example], answers: &[Vec<f32>]) -> Vec<Figure>;

    /// Whether that is a solution, as its paper defines it.
    fn solved(&self, figures: &[Figure]) -> bool {
        let _ = figures;
        false
    }

    /// A sequence that is written in a line, with its answers.
    fn question(&self, line: &str) -> Result<Example, String>;

    /// The answer of a model, to be read.
    fn answer(&self, question: &Example, answers: &[f32]) -> Value;
}

/// What is kept of a problem with a model.
struct Problems<P> {
    problem: P,
    labels: Vec<String>,
}

impl<P: Problem> Problems<P> {
    fn new(problem: P) -> Self {
        Self { labels: problem.labels(), problem }
    }
}

/// A problem whose sequences are made as they are asked for.
struct Generated<P> {
    problem: P,
    interface: Interface,
    context: Context,
    held_out: Vec<Example>,
}

fn load<P: Problem>(options: &toml::Table, context: Context) -> Result<Loaded, TaskError> {
    let mut problem: P = parse(P::NAME, options)?;
    let too_few = || ("examples", "an epoch has at least one sequence".to_owned());
    let fault = problem.fault().or_else(|| (problem.examples() == 0).then(too_few));
    let fault = fault.or_else(|| beyond("examples", problem.examples(), MOST_SEQUENCES));
    if let Some((option, fault)) = fault {
        let (task, option) = (P::NAME.to_owned(), option.to_owned());
        return Err(OptionError::Value { task, option, fault }.into());
    }
    let codec = Box::new(Problems::new(problem.clone()));
    problem.prepare(context.seed);
    let held_out = problem.held_out(&mut rng(context.seed, "judge", [0, 0]));
    let (examples, judged) = (problem.examples(), held_out.len());
    let summary = format!("{examples} sequences to an epoch, each of them new; {judged} held out");
    let interface = problem.interface();
    let task = Box::new(Generated { problem, interface, context, held_out });
    Ok(Loaded { task, codec, summary })
}

fn options<P: Problem>() -> Vec<OptionInfo> {
    let place = |name: &str| P::MEANINGS.iter().position(|(of, _)| *of == name);
    let mut all = listed::<P>();
    all.sort_by_key(|option| place(&option.name));
    for option in &mut all {
        let meaning = place(&option.name).map(|place| P::MEANINGS[place].1);
        option.meaning = meaning.unwrap_or_default().to_owned();
    }
    all
}

fn codec<P: Problem>(kept: Value) -> Result<Box<dyn Codec>, serde_json::Error> {
    Ok(Box::new(Problems::new(serde_json::from_value::<P>(kept)?)))
}

/// Sequences side by side.
fn beside(examples: &[Example], interface: &Interface) -> Batch {
    if interface.readout == Readout::Last {
        let masked = interface.masked;
        let batch = together(examples, interface);
        return if masked { batch } else { Batch { mask: Vec::new(), ..batch } };
    }
    let Reads::Reals(width) = interface.reads else { unreachable!("problems are of numbers") };
    let len = |example: &Example| match &example.data {
        Data::Reals(reals) => reals.len() / width,
        Data::Symbols(symbols) => symbols.len(),
    };
    let (steps, batch) = (examples.iter().map(len).max().unwrap_or(0), examples.len());
    let mut data = vec![0.0; steps * batch * width];
    let mut classes = Vec::new();
    let mut numbers = Vec::new();
    match interface.answers {
        Answers::Classes(_) => classes.resize(steps * batch, IGNORED),
        Answers::Reals(outputs) => numbers.resize(steps * batch * outputs, f32::NAN),
    }
    for (column, example) in examples.iter().enumerate() {
        if let Data::Reals(own) = &example.data {
            put(&mut data, own, width, column, batch);
        }
        match &example.targets {
            Targets::Classes(own) => put(&mut classes, own, 1, column, batch),
            Targets::Reals(own) => {
                put(&mut numbers, own, interface.answers.width(), column, batch);
            }
        }
    }
    let targets = match interface.answers {
        Answers::Classes(_) => Targets::Classes(classes),
        Answers::Reals(_) => Targets::Reals(numbers),
    };
    let extent = Extent { steps, batch };
    Batch { extent, data: Data::Reals(data), targets, ..Batch::default() }
}

/// Puts the rows of one sequence in its column.
fn put<T: Copy>(all: &mut [T], own: &[T], width: usize, column: usize, batch: usize) {
    for (step, row) in own.chunks_exact(width).enumerate() {
        all[(step * batch + column) * width..][..width].copy_from_slice(row);
    }
}

impl<P: Problem> Generated<P> {
    fn training_batch(&self, epoch: u64, number: usize) -> Batch {
        let Context { batch, seed } = self.context;
        let mut rng = rng(seed, "train", [epoch, number as u64]);
        let count = batch.min(self.problem.examples() - number * batch);
        let examples: Vec<_> = (0..count).map(|_| self.problem.example(&mut rng)).collect();
        beside(&examples, &self.interface)
    }

    fn judge(&self, answer: &mut Answer<'_>) -> Result<Vec<Figure>, RunError> {
        let width = self.interface.answers.width();
        let mut answers = Vec::new();
        for examples in self.held_out.chunks(EVALUATION_BATCH) {
            let given = answer(&beside(examples, &self.interface))?;
            let columns = examples.len();
            answers.extend((0..columns).map(|column| -> Vec<f32> {
                let rows = given.chunks_exact(width).skip(column).step_by(columns);
                rows.flatten().copied().collect()
            }));
        }
        Ok(self.problem.figures(&self.held_out, &answers))
    }
}

impl<P: Problem> Task for Generated<P> {
    fn batches_per_epoch(&self) -> usize {
        self.problem.examples().div_ceil(self.context.batch)
    }

    fn epoch(&self, epoch: u64, skipped: usize) -> Batches<'_> {
        let numbers = skipped..self.batches_per_epoch();
        Box::new(numbers.map(move |number| Ok(self.training_batch(epoch, number))))
    }

    fn part(&self, part: Part) -> Option<Batches<'_>> {
        let batches = self.held_out.chunks(EVALUATION_BATCH);
        let batches = batches.map(|examples| Ok(beside(examples, &self.interface)));
        (part == Part::HeldOut).then(|| Box::new(batches) as Batches<'_>)
    }

    fn goal(&self) -> Goal {
        self.problem.goal()
    }

    fn baseline(&self) -> Option<f64> {
        self.problem.baseline(&self.held_out)
    }

    fn figures(&self, answer: &mut Answer<'_>) -> Result<Vec<Figure>, RunError> {
        self.judge(answer)
    }

    fn solved(&self, answer: &mut Answer<'_>) -> Result<bool, RunError> {
        Ok(self.problem.solved(&self.judge(answer)?))
    }
}

impl<P: Problem> Codec for Problems<P> {
    fn interface(&self) -> Interface {
        self.problem.interface()
    }

    fn kept(&self) -> Value {
        json!(self.problem)
    }

    fn labels(&self) -> &[String] {
        &self.labels
    }

    fn step(&self) -> &'static str {
        "step"
    }

    fn judged(&self, options: &toml::Table) -> Result<Box<dyn Judged>, TaskError> {
        let data = options.get("data").and_then(toml::Value::as_str).unwrap_or_default();
        let path = PathBuf::from(data);
        let text = read_text(&path)?;
        let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
        let batches = lines.map(|(row, line)| match self.problem.question(line) {
            Ok(example) => Ok(beside(&[example], &self.problem.interface())),
            Err(fault) => Err(DataError::Row { path: path.clone(), row, fault }),
        });
        Ok(Box::new(batches.collect::<Result<Vec<_>, _>>()?))
    }

    fn question(&self, line: &str) -> Result<Example, String> {
        self.problem.question(line.trim())
    }

    fn answer(&self, question: &Example, answers: &[f32]) -> Value {
        self.problem.answer(question, answers)
    }
}

/// What a problem asks that reads and answers so.
fn interface(reads: usize, answers: Answers, readout: Readout) -> Interface {
    let reads = Reads::Reals(reads);
    Interface { reads, answers, readout, masked: false, resets: false }
}

/// A share in percent, as a figure.
fn share(name: &'static str, count: usize, of: usize, what: &str) -> Figure {
    let value = count as f64 / of.max(1) as f64;
    Figure { name, text: format!("{:.2} % {what}", 100.0 * value), value }
}

#[cfg(test)]
mod tests;
