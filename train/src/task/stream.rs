//! Tasks of streams: what comes next, in a text that is read on and on.
//!
//! The training part is cut into as many contiguous streams as a batch has rows. Each batch
//! continues the streams where the one before stopped, and states are carried over, so that a
//! model can use what it read far before the steps it is differentiated through.

use std::ops::Range;

use cellc_runtime::sequence::Extent;
use rand::RngExt;

use super::vocabulary::Vocabulary;
use super::{Batches, Context, DataError, Goal, Part, Task};
use crate::batch::{Batch, Data, IGNORED, Targets};
use crate::data::store::Store;
use crate::draws::rng;

/// A text, numbered and cut into parts.
#[derive(Debug)]
pub struct Stream {
    context: Context,
    steps: usize,
    /// To train on, to choose by, which may be empty, and to judge by: one sequence each.
    parts: [Store<u32>; 3],
    /// States begin anew after this symbol.
    end: Option<u32>,
}

impl Stream {
    /// A task of the next symbol of a text, whose gradients flow back through so many steps. States
    /// begin anew after the symbol `end`, if there is one.
    ///
    /// # Errors
    /// What there is too little of.
    pub fn new<P: Into<Store<u32>>>(
        context: Context,
        steps: usize,
        parts: [P; 3],
        end: Option<u32>,
        what: &str,
    ) -> Result<Self, String> {
        let parts = parts.map(Into::into);
        let [training, validation, held_out] = parts.each_ref().map(symbols);
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
        symbols(&self.parts[0]) / self.context.batch
    }

    fn window(&self, epoch: u64, number: usize) -> Result<Batch, DataError> {
        // Windows are cut at other places in each epoch.
        let slack = self.stream_len() - 1 - self.batches_per_epoch() * self.steps;
        let offset = rng(self.context.seed, "offset", [epoch, 0])
            .random_range(0..=slack.min(self.steps - 1));
        let start = offset + number * self.steps;
        let streams = (0..self.context.batch).map(|i| {
            let first = i * self.stream_len();
            (first..first + self.stream_len(), start)
        });
        let streams: Vec<_> = streams.collect();
        window(&self.parts[0], &streams, self.steps, number > 0, self.end)
    }
}

impl Task for Stream {
    fn batches_per_epoch(&self) -> usize {
        // One window less than fits, so that epochs can start at different places.
        (self.stream_len().saturating_sub(self.steps) / self.steps).max(1)
    }

    fn epoch(&self, epoch: u64, skipped: usize) -> Batches<'_> {
        let windows = skipped..self.batches_per_epoch();
        Box::new(windows.map(move |number| self.window(epoch, number)))
    }

    fn part(&self, part: Part) -> Option<Batches<'_>> {
        let store = match part {
            Part::Validation => &self.parts[1],
            Part::HeldOut => &self.parts[2],
        };
        (symbols(store) >= 2).then(|| Box::new(evaluation(store, self.end)) as Batches<'_>)
    }

    fn goal(&self) -> Goal {
        Goal::Loss
    }
}

/// How many symbols a part has.
fn symbols(part: &Store<u32>) -> usize {
    part.elements() as usize
}

/// What is read of a stream, and the symbol before it.
struct Piece {
    before: Option<u32>,
    symbols: Vec<u32>,
}

/// The next `steps` symbols of each stream from a place, and as answers those that follow them. A
/// stream is a range of the part and where to go on in it.
fn window(
    part: &Store<u32>,
    streams: &[(Range<usize>, usize)],
    steps: usize,
    continues: bool,
    end: Option<u32>,
) -> Result<Batch, DataError> {
    let piece = |(stream, start): &(Range<usize>, usize)| {
        let at = (stream.start + start).min(stream.end);
        let first = at - usize::from(*start > 0);
        let mut symbols = Vec::new();
        if part.is_empty() {
            return Ok(Piece { before: None, symbols });
        }
        part.read_range(0, first..(at + steps + 1).min(stream.end), &mut symbols)?;
        let before = if first < at { Some(symbols.remove(0)) } else { None };
        Ok(Piece { before, symbols })
    };
    let pieces = streams.iter().map(piece).collect::<Result<Vec<_>, DataError>>()?;
    let extent = Extent { steps, batch: pieces.len() };
    let rows = || (0..steps).flat_map(|step| pieces.iter().map(move |piece| (step, piece)));
    // A stream may end before the others: what is then read does not matter.
    let symbol = |(i, piece): (usize, &Piece)| piece.symbols.get(i).copied();
    let symbols = rows().map(|row| symbol(row).unwrap_or(Vocabulary::UNKNOWN)).collect();
    let target = |(i, piece)| symbol((i + 1, piece)).unwrap_or(IGNORED);
    let targets = rows().map(target).collect();
    let ended = |(i, piece): (usize, &Piece)| {
        let before = if i == 0 { piece.before } else { symbol((i - 1, piece)) };
        end.is_some() && before == end
    };
    let resets = if end.is_some() { rows().map(ended).collect() } else { Vec::new() };
    let (data, targets) = (Data::Symbols(symbols), Targets::Classes(targets));
    Ok(Batch { extent, data, targets, resets, continues, ..Batch::default() })
}

/// A stream of an evaluated text is this long or longer, so that what is lost at its start, where
/// the model knows nothing of what came before, is little.
const LEAST_STREAM: usize = 2000;
const MOST_STREAMS: usize = 64;
const EVALUATION_STEPS: usize = 100;

/// The batches of an evaluated text: every symbol but the first is an answer once, and states are
/// carried through the whole of each stream.
pub fn evaluation(
    part: &Store<u32>,
    end: Option<u32>,
) -> impl Iterator<Item = Result<Batch, DataError>> + '_ {
    let count = symbols(part);
    let answers = count.saturating_sub(1);
    let streams = (answers / LEAST_STREAM).clamp(1, MOST_STREAMS);
    let len = answers.div_ceil(streams);
    (0..len).step_by(EVALUATION_STEPS).map(move |start| {
        let stream = |i: usize| {
            // One symbol more than answers: the last is an answer only.
            let last = ((i + 1) * len + 1).min(count);
            ((i * len).min(last)..last, start)
        };
        let streams: Vec<_> = (0..streams).map(stream).collect();
        window(part, &streams, EVALUATION_STEPS.min(len - start), start > 0, end)
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
            for batch in evaluation(&symbols.into(), None).map(Result::unwrap) {
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
        let symbols = vec![5, 9, 5, 6, 9, 9, 7, 8];
        let batches: Vec<_> = evaluation(&symbols.into(), Some(9)).map(Result::unwrap).collect();
        assert_eq!(batches.len(), 1);
        assert_eq!(batches[0].resets, [false, false, true, false, false, true, true]);
    }

    #[test]
    fn streams_are_the_same_from_a_file() {
        let symbols: Vec<u32> = (0..9000).map(|i| i * 7 % 11).collect();
        let mut spilled = Store::new(1000);
        symbols.chunks(70).for_each(|chunk| spilled.extend(chunk).unwrap());
        let held = || Store::from(vec![1_u32; 100]);
        let context = Context { batch: 3, seed: 1 };
        let stream = |part: Store<u32>| {
            let parts = [part, Store::from(Vec::new()), held()];
            Stream::new(context, 50, parts, Some(5), "word").unwrap()
        };
        let batches =
            |stream: &Stream| -> Vec<Batch> { stream.epoch(1, 0).map(Result::unwrap).collect() };
        let (one, other) = (stream(symbols.into()), stream(spilled));
        assert_eq!(batches(&one), batches(&other));
        let judged = |stream: &Stream| -> Vec<Batch> {
            evaluation(&stream.parts[0], Some(5)).map(Result::unwrap).collect()
        };
        assert_eq!(judged(&one), judged(&other));
        let mark = |batch: &Batch| batch.resets.iter().filter(|reset| **reset).count();
        assert!(batches(&one).iter().all(|batch| (12..=15).contains(&mark(batch))));
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
