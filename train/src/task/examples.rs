//! Tasks of examples: sequences with their answers, of which several share a batch.

use std::collections::BTreeMap;

use rand::RngExt;
use rand::seq::SliceRandom;

use super::pool::Pool;
use super::vocabulary::Vocabulary;
use super::{Answer, Batches, Context, DataError, Figure, Goal, Judged, Part, Task};
use crate::batch::{Batch, Data, Example, IGNORED, Targets};
use crate::draws::rng;
use crate::model::{Interface, Readout, Reads};
use cellc_runtime::sequence::RunError;

/// How many sequences are evaluated at once.
const EVALUATION_BATCH: usize = 64;

/// Sequences of similar length share a batch, so that little is padded; this many batches are
/// sorted by length at a time, so that the order stays random on the whole.
const POOL: usize = 32;

/// How a task finds figures of its own, from the batches that are held out.
pub type Judge = Box<dyn Fn(Batches<'_>, &mut Answer<'_>) -> Result<Vec<Figure>, RunError>>;

/// Examples in three parts.
pub struct Examples {
    interface: Interface,
    context: Context,
    parts: [Pool; 3],
    /// By what one model is better than another.
    pub goal: Goal,
    /// What is reached without reading.
    pub baseline: Option<f64>,
    /// The probability that a symbol of a training sequence is read as the unknown one. Noise of
    /// this kind keeps a model from knowing few sentences by heart, and teaches it what to make
    /// of words it has never seen.
    pub noise: f64,
    /// Whether short sequences come first in the first epoch: a cell finds out from them what
    /// matters, and then learns to remember it for longer and longer (SortaGrad, Amodei et al.
    /// 2016). Long ones alone teach a new cell nothing, since it forgets.
    pub short_first: bool,
    /// Figures of the task's own.
    pub judge: Option<Judge>,
    /// What is to be known of the data.
    pub warnings: Vec<String>,
}

impl Examples {
    /// A task of examples to train on, to choose by and to judge by. Without the second kind no
    /// checkpoint is chosen over another.
    ///
    /// # Panics
    /// If there are no training examples, or a batch holds none.
    pub fn new(interface: Interface, context: Context, parts: [Vec<Example>; 3]) -> Self {
        Self::of_pools(interface, context, parts.map(Pool::from))
    }

    /// The same, of examples that may not all be in memory.
    ///
    /// # Panics
    /// As [`new`](Self::new).
    pub fn of_pools(interface: Interface, context: Context, parts: [Pool; 3]) -> Self {
        assert!(!parts[0].is_empty() && context.batch > 0, "nothing to train on");
        Self {
            interface,
            context,
            parts,
            goal: Goal::Loss,
            baseline: None,
            noise: 0.0,
            short_first: false,
            judge: None,
            warnings: Vec::new(),
        }
    }

    /// The examples of a part that is not trained on.
    pub fn examples(&self, part: Part) -> &Pool {
        match part {
            Part::Validation => &self.parts[1],
            Part::HeldOut => &self.parts[2],
        }
    }

    /// The examples of each batch of an epoch.
    fn order(&self, epoch: u64) -> Vec<Vec<usize>> {
        let Context { batch, seed } = self.context;
        let training = &self.parts[0];
        let mut rng = rng(seed, "order", [epoch, 0]);
        let mut order: Vec<usize> = (0..training.len()).collect();
        order.shuffle(&mut rng);
        if epoch == 0 && self.short_first {
            order.sort_by_key(|&i| training.length(i));
            return order.chunks(batch).map(<[_]>::to_vec).collect();
        }
        let mut batches = Vec::new();
        for pool in order.chunks_mut(batch.saturating_mul(POOL)) {
            pool.sort_by_key(|&i| training.length(i));
            batches.extend(pool.chunks(batch).map(<[_]>::to_vec));
        }
        batches.shuffle(&mut rng);
        batches
    }

    fn training_batch(
        &self,
        epoch: u64,
        number: usize,
        examples: &[usize],
    ) -> Result<Batch, DataError> {
        let examples = examples.iter().map(|&i| self.parts[0].get(i));
        let examples = examples.collect::<Result<Vec<_>, _>>()?;
        let mut batch = together(&examples, &self.interface);
        if self.noise > 0.0 {
            let mut rng = rng(self.context.seed, "noise", [epoch, number as u64]);
            if let Data::Symbols(symbols) = &mut batch.data {
                for symbol in symbols {
                    if rng.random::<f64>() < self.noise {
                        *symbol = Vocabulary::UNKNOWN;
                    }
                }
            }
        }
        Ok(batch)
    }
}

/// Examples in one batch.
pub fn together<'a>(
    examples: impl IntoIterator<Item = &'a Example>,
    interface: &Interface,
) -> Batch {
    let width = match interface.reads {
        Reads::Symbols(_) => 1,
        Reads::Reals(width) => width,
    };
    let each = interface.readout == Readout::Each;
    Batch::padded(examples, width, each, interface.answers.width())
}

/// The examples of a pool in batches, in order.
fn in_order<'a>(pool: &'a Pool, interface: &'a Interface) -> Batches<'a> {
    let batch = move |first: usize| {
        let some = first..(first + EVALUATION_BATCH).min(pool.len());
        let examples = some.map(|i| pool.get(i)).collect::<Result<Vec<_>, _>>()?;
        Ok(together(&examples, interface))
    };
    Box::new((0..pool.len()).step_by(EVALUATION_BATCH).map(batch))
}

/// Examples to be judged by, which need not be in memory.
#[derive(Debug)]
pub struct Pooled {
    /// The examples.
    pub examples: Pool,
    /// What the task asks of a model.
    pub interface: Interface,
}

impl Judged for Pooled {
    fn batches(&self) -> Batches<'_> {
        in_order(&self.examples, &self.interface)
    }
}

/// The share of the most frequent class among the answers, 0 to 1.
pub fn majority(examples: &[Example]) -> f64 {
    let mut counts = Counts::default();
    examples.iter().for_each(|example| counts.add(&example.targets));
    counts.majority()
}

/// How often each class is an answer.
#[derive(Clone, Debug, Default)]
pub struct Counts(BTreeMap<u32, usize>);

impl Counts {
    /// Counts the answers of an example or a batch.
    pub fn add(&mut self, targets: &Targets) {
        if let Targets::Classes(classes) = targets {
            for &class in classes.iter().filter(|class| **class != IGNORED) {
                *self.0.entry(class).or_default() += 1;
            }
        }
    }

    /// The share of the most frequent class, 0 to 1.
    pub fn majority(&self) -> f64 {
        let most = self.0.values().copied().max().unwrap_or(0);
        most as f64 / self.0.values().sum::<usize>().max(1) as f64
    }
}

impl Task for Examples {
    fn batches_per_epoch(&self) -> usize {
        self.parts[0].len().div_ceil(self.context.batch)
    }

    fn epoch(&self, epoch: u64, skipped: usize) -> Batches<'_> {
        let order = self.order(epoch).into_iter().enumerate().skip(skipped);
        Box::new(order.map(move |(i, examples)| self.training_batch(epoch, i, &examples)))
    }

    fn part(&self, part: Part) -> Option<Batches<'_>> {
        let pool = self.examples(part);
        (!pool.is_empty()).then(|| in_order(pool, &self.interface))
    }

    fn goal(&self) -> Goal {
        self.goal
    }

    fn baseline(&self) -> Option<f64> {
        self.baseline
    }

    fn warnings(&self) -> &[String] {
        &self.warnings
    }

    fn figures(&self, answer: &mut Answer<'_>) -> Result<Vec<Figure>, RunError> {
        match (&self.judge, self.part(Part::HeldOut)) {
            (Some(judge), Some(batches)) => judge(batches, answer),
            _ => Ok(Vec::new()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Answers;

    fn task(noise: f64, seed: u64) -> Examples {
        let example = |i: u32| Example {
            data: Data::Symbols(vec![1 + i; 1 + i as usize % 7]),
            targets: Targets::Classes(vec![i % 3]),
        };
        let training = (0..50).map(example).collect();
        let interface = Interface {
            reads: Reads::Symbols(60),
            answers: Answers::Classes(3),
            readout: Readout::Last,
            masked: true,
            resets: false,
        };
        let parts = [training, Vec::new(), (0..4).map(example).collect()];
        let mut task = Examples::new(interface, Context { batch: 8, seed }, parts);
        (task.noise, task.short_first) = (noise, true);
        task
    }

    fn epoch(task: &Examples, epoch: u64) -> Vec<Batch> {
        task.epoch(epoch, 0).map(Result::unwrap).collect()
    }

    fn symbols(batch: &Batch) -> &[u32] {
        match &batch.data {
            Data::Symbols(symbols) => symbols,
            Data::Reals(_) => panic!("symbols are read"),
        }
    }

    #[test]
    fn an_epoch_shows_each_example_once_in_a_new_order() {
        let task = task(0.0, 1);
        let shown = |batches: &[Batch]| {
            let last = |batch: &Batch| {
                symbols(batch)[(batch.extent.steps - 1) * batch.extent.batch..].to_vec()
            };
            batches.iter().flat_map(last).collect::<Vec<_>>()
        };
        let (first, second) = (shown(&epoch(&task, 0)), shown(&epoch(&task, 1)));
        assert_ne!(first, second);
        for mut shown in [first, second] {
            shown.sort_unstable();
            assert_eq!(shown, (1..=50).collect::<Vec<_>>());
        }
    }

    #[test]
    fn sequences_of_similar_length_share_a_batch_and_the_first_epoch_starts_with_short_ones() {
        let task = task(0.0, 1);
        let lengths: Vec<_> = epoch(&task, 0).iter().map(|batch| batch.extent.steps).collect();
        assert!(lengths.is_sorted() && lengths[0] < lengths[6], "{lengths:?}");
        let padding = |batch: &Batch| symbols(batch).len() - batch.real_steps();
        let padded: usize = epoch(&task, 1).iter().map(padding).sum();
        assert!(padded < 30, "{padded} padded of about 200");
    }

    #[test]
    fn an_epoch_is_the_same_whenever_and_wherever_it_is_taken_up() {
        let (one, other) = (task(0.2, 3), task(0.2, 4));
        assert_eq!(epoch(&one, 2), epoch(&task(0.2, 3), 2));
        assert_ne!(epoch(&one, 2), epoch(&other, 2));
        let rest: Vec<_> = one.epoch(2, 3).map(Result::unwrap).collect();
        assert_eq!(rest, epoch(&one, 2)[3..]);
    }

    #[test]
    fn parts_come_in_order_and_undisturbed() {
        let task = task(0.9, 1);
        assert!(task.part(Part::Validation).is_none());
        let batches: Vec<_> = task.part(Part::HeldOut).unwrap().map(Result::unwrap).collect();
        assert_eq!(batches.len(), 1);
        assert_eq!(batches[0].targets, Targets::Classes(vec![0, 1, 2, 0]));
        assert_eq!(symbols(&batches[0])[12..], [1, 2, 3, 4]);
        let mut counts = Counts::default();
        batches.iter().for_each(|batch| counts.add(&batch.targets));
        assert_eq!(counts.majority(), 0.5);
    }
}
