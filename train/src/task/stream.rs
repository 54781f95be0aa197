//! Tasks of streams: what comes next, in a text that is read on and on.
//!
//! The training part is cut into as many contiguous streams as a batch has rows. Each batch
//! continues the streams where the one before stopped, and states are carried over, so that a
//! model can use what it read far before the steps it is differentiated through.

use cellc_runtime::sequence::Extent;
use rand::RngExt;

use super::vocabulary::Vocabulary;
use super::{Batches, Context, Goal, Part, Task};
use crate::batch::{Batch, Data, IGNORED, Targets};
use crate::draws::rng;

/// A text, numbered and cut into parts.
#[derive(Clone, Debug)]
pub struct Stream {
    context: Context,
    steps: usize,
    /// To train on, to choose by, which may be empty, and to judge by.
    parts: [Vec<u32>; 3],
    /// States begin anew after this symbol.
    end: Option<u32>,
}

impl Stream {
    /// A task of the next symbol of a text, whose gradients flow back through so many steps. States
    /// begin anew after the symbol `end`, if there is one.
    ///
    /// # Errors
    /// What there is too little of.
    pub fn new(
        context: Context,
        steps: usize,
        parts: [Vec<u32>; 3],
        end: Option<u32>,
        what: &str,
    ) -> Result<Self, String> {
        let [training, validation, held_out] = parts.each_ref().map(Vec::len);
        let Context { batch, .. } = context;
        let least = batch.saturating_mul(steps.saturating_add(1));
        if training < least {
            return Err(format!(
                "{training} {what}s to train on, but {batch} streams of {steps} steps need \
                 {least}; give more text, or take fewer or shorter streams (--batch, --seq)"
            ));
        }
        if validation == 1 {
            return Err(format!(
                "one {what} is too little to choose the best model by; give a larger share \
                 (task.validation), or none"
            ));
        }
        if held_out < 2 {
            let total = training + held_out;
            return Err(format!(
                "{held_out} {what}s are held out of {total}; give more text, or hold out a \
                 larger share (--held-out)"
            ));
        }
        Ok(Self { context, steps, parts, end })
    }

    fn stream_len(&self) -> usize {
        self.parts[0].len() / self.context.batch
    }

    fn window(&self, epoch: u64, number: usize) -> Batch {
        // Windows are cut at other places in each epoch.
        let slack = self.stream_len() - 1 - self.batches_per_epoch() * self.steps;
        let offset = rng(self.context.seed, "offset", [epoch, 0])
            .random_range(0..=slack.min(self.steps - 1));
        let start = offset + number * self.steps;
        let streams = self.parts[0].chunks(self.stream_len()).take(self.context.batch);
        let streams: Vec<_> = streams.map(|stream| (stream, start)).collect();
        window(&streams, self.steps, number > 0, self.end)
    }
}

impl Task for Stream {
    fn batches_per_epoch(&self) -> usize {
        // One window less than fits, so that epochs can start at different places.
        (self.stream_len().saturating_sub(self.steps) / self.steps).max(1)
    }

    fn epoch(&self, epoch: u64, skipped: usize) -> Batches<'_> {
        let windows = skipped..self.batches_per_epoch();
        Box::new(windows.map(move |number| Ok(self.window(epoch, number))))
    }

    fn part(&self, part: Part) -> Option<Batches<'_>> {
        let symbols = match part {
            Part::Validation => &self.parts[1],
            Part::HeldOut => &self.parts[2],
        };
        (symbols.len() >= 2).then(|| Box::new(evaluation(symbols, self.end).map(Ok)) as Batches<'_>)
    }

    fn goal(&self) -> Goal {
        Goal::Loss
    }
}

/// The next `steps` symbols of each stream from a place, and as answers those that follow them.
fn window(streams: &[(&[u32], usize)], steps: usize, continues: bool, end: Option<u32>) -> Batch {
    let extent = Extent { steps, batch: streams.len() };
    let rows = || (0..steps).flat_map(|step| streams.iter().map(move |stream| (step, stream)));
    // A stream may end before the others: what is then read does not matter.
    let symbol = |(i, (stream, start)): (usize, &(&[u32], usize))| stream.get(start + i).copied();
    let symbols = rows().map(|row| symbol(row).unwrap_or(Vocabulary::UNKNOWN)).collect();
    let target = |(i, stream)| symbol((i + 1, stream)).unwrap_or(IGNORED);
    let targets = rows().map(target).collect();
    let ended = |(i, &(stream, start)): (usize, &(&[u32], usize))| {
        let before = (start + i).checked_sub(1).and_then(|before| stream.get(before));
        end.is_some() && before.copied() == end
    };
    let resets = if end.is_some() { rows().map(ended).collect() } else { Vec::new() };
    let (data, targets) = (Data::Symbols(symbols), Targets::Classes(targets));
    Batch { extent, data, targets, resets, continues, ..Batch::default() }
}

/// A stream of an evaluated text is this long or longer, so that what is lost at its start, where
/// the model knows nothing of what came before, is little.
const LEAST_STREAM: usize = 2000;
const MOST_STREAMS: usize = 64;
const EVALUATION_STEPS: usize = 100;

/// The batches of an evaluated text: every symbol but the first is an answer once, and states are
/// carried through the whole of each stream.
pub fn evaluation(symbols: &[u32], end: Option<u32>) -> impl Iterator<Item = Batch> + '_ {
    let answers = symbols.len().saturating_sub(1);
    let streams = (answers / LEAST_STREAM).clamp(1, MOST_STREAMS);
    let len = answers.div_ceil(streams);
    (0..len).step_by(EVALUATION_STEPS).map(move |start| {
        let stream = |i: usize| {
            // One symbol more than answers: the last is an answer only.
            let last = ((i + 1) * len + 1).min(symbols.len());
            (&symbols[(i * len).min(last)..last], start)
        };
        let streams: Vec<_> = (0..streams).map(stream).collect();
        window(&streams, EVALUATION_STEPS.min(len - start), start > 0, end)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(len: u32, steps: usize, batch: usize) -> Stream {
        let context = Context { batch, seed: 1 };
        let parts = [(0..len).collect(), Vec::new(), vec![1, 2]];
        Stream::new(context, steps, parts, None, "character").unwrap()
    }

    fn numbers(batch: &Batch) -> (&[u32], &[u32]) {
        match (&batch.data, &batch.targets) {
            (Data::Symbols(symbols), Targets::Classes(classes)) => (symbols, classes),
            _ => panic!("symbols are read and answered"),
        }
    }

    #[test]
    fn streams_go_on_from_batch_to_batch() {
        let task = stream(50, 4, 2);
        for epoch in 0..3 {
            let mut place = None;
            for (i, batch) in task.epoch(epoch, 0).map(Result::unwrap).enumerate() {
                assert_eq!(batch.continues, i > 0);
                let (symbols, targets) = numbers(&batch);
                for row in 0..2 {
                    let read: Vec<u32> = symbols.iter().skip(row).step_by(2).copied().collect();
                    let expected: Vec<u32> = (read[0]..read[0] + 4).collect();
                    assert_eq!(read, expected);
                    let answers = targets.iter().skip(row).step_by(2);
                    assert!(answers.eq(read.iter().map(|x| x + 1).collect::<Vec<_>>().iter()));
                }
                assert!(place.is_none_or(|before| symbols[0] == before + 4));
                place = Some(symbols[0]);
            }
            let rest: Vec<_> = task.epoch(epoch, 2).map(Result::unwrap).collect();
            assert_eq!(rest, task.epoch(epoch, 0).map(Result::unwrap).skip(2).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_text_of_just_enough_symbols_makes_one_batch() {
        let task = stream(10, 4, 2);
        assert_eq!(task.batches_per_epoch(), 1);
        let epochs = [0, 1].map(|epoch| task.epoch(epoch, 0).map(Result::unwrap).next());
        assert_eq!(epochs[0], epochs[1]);
    }

    #[test]
    fn every_answer_is_evaluated_once_and_in_order() {
        for len in [2_u32, 50, 101, 3999, 4001, 4203, 150_000] {
            let symbols: Vec<u32> = (0..len).collect();
            let mut answered: Vec<u32> = Vec::new();
            for batch in evaluation(&symbols, None) {
                let (symbols, targets) = numbers(&batch);
                for (&symbol, &target) in symbols.iter().zip(targets) {
                    if target != IGNORED {
                        assert_eq!(symbol + 1, target);
                        answered.push(target);
                    }
                }
            }
            answered.sort_unstable();
            assert_eq!(answered, (1..len).collect::<Vec<_>>(), "of {len}");
        }
    }

    #[test]
    fn states_begin_anew_after_an_end() {
        let symbols = [5, 9, 5, 6, 9, 9, 7, 8];
        let batches: Vec<_> = evaluation(&symbols, Some(9)).collect();
        assert_eq!(batches.len(), 1);
        assert_eq!(batches[0].resets, [false, false, true, false, false, true, true]);
    }

    #[test]
    fn too_little_is_refused() {
        let context = Context { batch: 20, seed: 1 };
        let refused = |parts| Stream::new(context, 50, parts, None, "word").unwrap_err();
        assert_eq!(
            refused([vec![0; 4], Vec::new(), vec![0; 9]]),
            "4 words to train on, but 20 streams of 50 steps need 1020; give more text, or take \
             fewer or shorter streams (--batch, --seq)"
        );
        assert_eq!(
            refused([vec![0; 2000], Vec::new(), Vec::new()]),
            "0 words are held out of 2000; give more text, or hold out a larger share (--held-out)"
        );
    }
}
