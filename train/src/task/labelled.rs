//! Labelled sequences: what `reviews` and `classify` have in common.

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::vocabulary::Vocabulary;
use super::{Part, Task};
use crate::batch::Batch;
use crate::model::Readout;

/// A sequence of symbols and its label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The numbers of the symbols.
    pub symbols: Vec<u32>,
    /// The number of the label.
    pub label: u32,
}

/// How labelled sequences are batched and disturbed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// How many sequences share a batch.
    pub batch: usize,
    /// The probability that a symbol of a training sequence is read as the unknown one. Noise of
    /// this kind keeps a model from knowing few sentences by heart, and teaches it what to make
    /// of words it has never seen.
    pub word_dropout: f64,
    /// What the order and the noise are drawn from.
    pub seed: u64,
}

/// Labelled sequences in three parts.
#[derive(Clone, Debug)]
pub struct Labelled {
    symbols: usize,
    classes: usize,
    options: Options,
    training: Vec<Example>,
    validation: Vec<Example>,
    held_out: Vec<Example>,
    rng: ChaCha8Rng,
    /// The batches of this epoch that are still to come, last first, each a list of training
    /// examples.
    queue: Vec<Vec<usize>>,
    begun: bool,
}

/// Sequences of similar length share a batch, so that little is padded; this many batches are
/// sorted by length at a time, so that the order stays random on the whole.
const POOL: usize = 32;

impl Labelled {
    /// A task of `classes` labels over `symbols` symbols. Without validation examples no
    /// checkpoint is chosen over another.
    ///
    /// # Panics
    /// If there are no training examples, or a batch holds none.
    pub fn new(
        (symbols, classes): (usize, usize),
        [training, validation, held_out]: [Vec<Example>; 3],
        options: Options,
    ) -> Self {
        assert!(!training.is_empty() && options.batch > 0, "nothing to train on");
        let rng = ChaCha8Rng::seed_from_u64(options.seed);
        let (queue, begun) = (Vec::new(), false);
        Self { symbols, classes, options, training, validation, held_out, rng, queue, begun }
    }

    /// The examples of a part.
    pub fn examples(&self, part: Part) -> &[Example] {
        match part {
            Part::Validation => &self.validation,
            Part::HeldOut => &self.held_out,
        }
    }

    /// The examples that are trained on.
    pub fn training(&self) -> &[Example] {
        &self.training
    }

    fn refill(&mut self) {
        let mut order: Vec<usize> = (0..self.training.len()).collect();
        order.shuffle(&mut self.rng);
        if !self.begun {
            // In the first epoch short sequences come first: a cell finds out from them what
            // matters, and then learns to remember it for longer and longer (SortaGrad, Amodei et
            // al. 2016). Long ones alone teach a new cell nothing, since it forgets.
            self.begun = true;
            order.sort_by_key(|&i| std::cmp::Reverse(self.training[i].symbols.len()));
            self.queue.extend(order.chunks(self.options.batch).map(<[_]>::to_vec));
            return;
        }
        for pool in order.chunks_mut(POOL * self.options.batch) {
            pool.sort_by_key(|&i| self.training[i].symbols.len());
            self.queue.extend(pool.chunks(self.options.batch).map(<[_]>::to_vec));
        }
        self.queue.shuffle(&mut self.rng);
    }
}

impl Task for Labelled {
    fn readout(&self) -> Readout {
        Readout::Last
    }

    fn symbols(&self) -> usize {
        self.symbols
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn batches_per_epoch(&self) -> usize {
        self.training.len().div_ceil(self.options.batch)
    }

    fn next_batch(&mut self) -> Batch {
        if self.queue.is_empty() {
            self.refill();
        }
        let chosen = self.queue.pop().unwrap_or_default();
        let examples = chosen.iter().map(|&i| &self.training[i]);
        let mut batch = batch_of(examples);
        if self.options.word_dropout > 0.0 {
            for symbol in &mut batch.symbols {
                if self.rng.random::<f64>() < self.options.word_dropout {
                    *symbol = Vocabulary::UNKNOWN;
                }
            }
        }
        batch
    }

    fn part(&self, part: Part) -> Option<Box<dyn Iterator<Item = Batch> + '_>> {
        let examples = self.examples(part);
        (!examples.is_empty()).then(|| Box::new(batches(examples)) as Box<dyn Iterator<Item = _>>)
    }

    fn majority(&self) -> Option<f64> {
        Some(majority(&self.held_out, self.classes))
    }
}

/// How many sequences are evaluated at once.
const EVALUATION_BATCH: usize = 64;

/// Examples in batches, in order.
pub fn batches(examples: &[Example]) -> impl Iterator<Item = Batch> + '_ {
    examples.chunks(EVALUATION_BATCH).map(batch_of)
}

fn batch_of<'a>(examples: impl IntoIterator<Item = &'a Example>) -> Batch {
    let examples = examples.into_iter().map(|e| (e.symbols.as_slice(), e.label));
    Batch::labelled(examples, Vocabulary::UNKNOWN)
}

/// The share of the most frequent label, 0 to 1.
pub fn majority(examples: &[Example], classes: usize) -> f64 {
    let count = |label: usize| examples.iter().filter(|e| e.label as usize == label).count();
    (0..classes).map(count).max().unwrap_or(0) as f64 / examples.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(word_dropout: f64, seed: u64) -> Labelled {
        let example = |i: u32| Example { symbols: vec![1 + i; 1 + i as usize % 7], label: i % 3 };
        let training = (0..50).map(example).collect();
        let options = Options { batch: 8, word_dropout, seed };
        Labelled::new((60, 3), [training, Vec::new(), (0..4).map(example).collect()], options)
    }

    fn epoch(task: &mut Labelled) -> Vec<Batch> {
        (0..task.batches_per_epoch()).map(|_| task.next_batch()).collect()
    }

    #[test]
    fn an_epoch_shows_each_example_once_in_a_new_order() {
        let mut task = task(0.0, 1);
        let shown = |batches: &[Batch]| {
            let last = |batch: &Batch| {
                batch.symbols[(batch.extent.steps - 1) * batch.extent.batch..].to_vec()
            };
            batches.iter().flat_map(last).collect::<Vec<_>>()
        };
        let (first, second) = (shown(&epoch(&mut task)), shown(&epoch(&mut task)));
        assert_ne!(first, second);
        for mut shown in [first, second] {
            shown.sort_unstable();
            assert_eq!(shown, (1..=50).collect::<Vec<_>>());
        }
    }

    #[test]
    fn sequences_of_similar_length_share_a_batch_and_the_first_epoch_starts_with_short_ones() {
        let mut task = task(0.0, 1);
        let lengths: Vec<_> = epoch(&mut task).iter().map(|batch| batch.extent.steps).collect();
        assert!(lengths.is_sorted() && lengths[0] < lengths[6], "{lengths:?}");
        let padding = |batch: &Batch| batch.symbols.len() - batch.symbol_count();
        let padded: usize = epoch(&mut task).iter().map(padding).sum();
        assert!(padded < 30, "{padded} padded of about 200");
    }

    #[test]
    fn the_same_seed_gives_the_same_batches() {
        assert_eq!(epoch(&mut task(0.2, 3)), epoch(&mut task(0.2, 3)));
        assert_ne!(epoch(&mut task(0.2, 3)), epoch(&mut task(0.2, 4)));
    }

    #[test]
    fn parts_come_in_order_and_undisturbed() {
        let task = task(0.9, 1);
        assert!(task.part(Part::Validation).is_none());
        let batches: Vec<_> = task.part(Part::HeldOut).unwrap().collect();
        assert_eq!(batches.len(), 1);
        assert_eq!(batches[0].targets, [0, 1, 2, 0]);
        assert_eq!(batches[0].symbols[12..], [1, 2, 3, 4]);
        assert_eq!(task.majority(), Some(0.5));
    }
}
