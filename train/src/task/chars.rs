//! The next character of a text.
//!
//! The training part is cut into as many contiguous streams as a batch has rows. Each batch
//! continues the streams where the one before stopped, and states are carried over, so that a
//! model can use what it read far before the steps it is differentiated through.

use std::path::Path;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::vocabulary::Vocabulary;
use super::{DataError, Part, Task};
use crate::batch::{Batch, IGNORED};
use crate::model::Readout;
use cellc_runtime::sequence::Extent;

/// How a text is split and batched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// The streams that are read side by side, and the steps that gradients flow back through.
    pub extent: Extent,
    /// The share of the text, at its end, that is held out, 0 to 1.
    pub held_out: f64,
    /// How often a character must occur in the training part to be known.
    pub least_count: usize,
    /// What the place is drawn from at which an epoch starts.
    pub seed: u64,
}

/// A text to be continued.
#[derive(Clone, Debug)]
pub struct Chars {
    vocabulary: Vocabulary,
    extent: Extent,
    training: Vec<u32>,
    held_out: Vec<u32>,
    rng: ChaCha8Rng,
    /// Where this epoch starts in each stream, and how many of its batches were read.
    offset: usize,
    window: usize,
}

impl Chars {
    /// Splits a text and numbers its characters. `path` is what it is called in errors.
    ///
    /// # Errors
    /// If the text is too short for the streams, or for a held-out part.
    pub fn new(path: &Path, text: &str, options: Options) -> Result<Self, DataError> {
        let too_little = |fault| Err(DataError::TooLittle { path: path.to_owned(), fault });
        let total = text.chars().count();
        if total == 0 {
            return too_little("the file is empty".into());
        }
        let held_out = (total as f64 * options.held_out).round() as usize;
        let Extent { steps, batch } = options.extent;
        let least = batch * (steps + 1);
        if total - held_out < least {
            let training = total - held_out;
            return too_little(format!(
                "{training} characters to train on, but {batch} streams of {steps} steps need \
                 {least}; give more text, or take fewer or shorter streams"
            ));
        }
        if held_out < 2 {
            return too_little(format!(
                "{held_out} characters are held out of {total}; give more text, or hold out a \
                 larger share"
            ));
        }
        let cut = text.char_indices().nth(total - held_out).map_or(text.len(), |(byte, _)| byte);
        let (training, held_out) = text.split_at(cut);
        let mut buffer = [0; 4];
        let chars: Vec<String> =
            training.chars().map(|c| c.encode_utf8(&mut buffer).to_owned()).collect();
        let vocabulary = Vocabulary::count(chars.iter().map(String::as_str), options.least_count);
        let mut task = Self {
            training: vocabulary.encode_chars(training),
            held_out: vocabulary.encode_chars(held_out),
            vocabulary,
            extent: options.extent,
            rng: ChaCha8Rng::seed_from_u64(options.seed),
            offset: 0,
            window: usize::MAX,
        };
        task.window = task.batches_per_epoch();
        Ok(task)
    }

    /// The characters it knows.
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// How many characters there are to train on, and how many are held out.
    pub fn sizes(&self) -> (usize, usize) {
        (self.training.len(), self.held_out.len())
    }

    fn stream_len(&self) -> usize {
        self.training.len() / self.extent.batch
    }
}

impl Task for Chars {
    fn readout(&self) -> Readout {
        Readout::Each
    }

    fn symbols(&self) -> usize {
        self.vocabulary.len()
    }

    fn classes(&self) -> usize {
        self.vocabulary.len()
    }

    fn batches_per_epoch(&self) -> usize {
        // One window less than fits, so that epochs can start at different places.
        let Extent { steps, .. } = self.extent;
        (self.stream_len().saturating_sub(steps) / steps).max(1)
    }

    fn next_batch(&mut self) -> Batch {
        let Extent { steps, .. } = self.extent;
        let windows = self.batches_per_epoch();
        if self.window >= windows {
            // Windows are cut at other places in each epoch.
            let slack = self.stream_len() - 1 - windows * steps;
            self.offset = self.rng.random_range(0..=slack.min(steps - 1));
            self.window = 0;
        }
        let start = self.offset + self.window * steps;
        let streams = self.training.chunks(self.stream_len()).take(self.extent.batch);
        let streams: Vec<_> = streams.map(|stream| &stream[start..]).collect();
        self.window += 1;
        window(&streams, steps, self.window > 1)
    }

    fn part(&self, part: Part) -> Option<Box<dyn Iterator<Item = Batch> + '_>> {
        match part {
            Part::Validation => None,
            Part::HeldOut => Some(Box::new(evaluation(&self.held_out))),
        }
    }

    fn majority(&self) -> Option<f64> {
        None
    }
}

/// The next `steps` symbols of each stream, and as answers those that follow them.
fn window(streams: &[&[u32]], steps: usize, continues: bool) -> Batch {
    let extent = Extent { steps, batch: streams.len() };
    let rows = || (0..steps).flat_map(|step| streams.iter().map(move |stream| (step, stream)));
    // A stream may end before the others: what is then read does not matter.
    let symbol = |(i, stream): (usize, &&[u32])| stream.get(i).copied();
    let symbols = rows().map(|row| symbol(row).unwrap_or(Vocabulary::UNKNOWN)).collect();
    let target = |(i, stream)| symbol((i + 1, stream)).unwrap_or(IGNORED);
    let targets = rows().map(target).collect();
    Batch { extent, symbols, mask: Vec::new(), targets, continues }
}

/// A stream of an evaluated text is this long or longer, so that what is lost at its start, where
/// the model knows nothing of what came before, is little.
const LEAST_STREAM: usize = 2000;
const MOST_STREAMS: usize = 64;
const EVALUATION_STEPS: usize = 100;

/// The batches of an evaluated text: every symbol but the first is an answer once, and states are
/// carried through the whole of each stream.
pub fn evaluation(symbols: &[u32]) -> impl Iterator<Item = Batch> + '_ {
    let answers = symbols.len().saturating_sub(1);
    let streams = (answers / LEAST_STREAM).clamp(1, MOST_STREAMS);
    let len = answers.div_ceil(streams);
    (0..len).step_by(EVALUATION_STEPS).map(move |start| {
        let stream = |i: usize| {
            // One symbol more than answers: the last is an answer only.
            let end = ((i + 1) * len + 1).min(symbols.len());
            &symbols[(i * len + start).min(end)..end]
        };
        let streams: Vec<_> = (0..streams).map(stream).collect();
        window(&streams, EVALUATION_STEPS.min(len - start), start > 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(steps: usize, batch: usize) -> Options {
        Options { extent: Extent { steps, batch }, held_out: 0.1, least_count: 1, seed: 1 }
    }

    fn chars(text: &str, options: Options) -> Result<Chars, String> {
        Chars::new(Path::new("a.txt"), text, options).map_err(|error| error.to_string())
    }

    #[test]
    fn streams_go_on_from_batch_to_batch() {
        let text: String = ('a'..='z').chain('A'..='X').collect();
        let mut task = chars(&text, options(4, 2)).unwrap();
        let spell = |numbers: &[u32], row: usize| -> String {
            let row = numbers.iter().skip(row).step_by(2);
            row.map(|&number| task.vocabulary().symbol(number)).collect()
        };
        let text_at = |start: usize, len: usize| text[start..start + len].to_owned();
        let mut copy = task.clone();
        for _ in 0..3 {
            let mut place = None;
            for i in 0..copy.batches_per_epoch() {
                let batch = copy.next_batch();
                assert_eq!(batch.continues, i > 0);
                for row in 0..2 {
                    let read = spell(&batch.symbols, row);
                    let start = text.find(&read).unwrap();
                    assert_eq!(spell(&batch.targets, row), text_at(start + 1, 4));
                    if row == 0 {
                        assert!(place.is_none_or(|before| start == before + 4));
                        place = Some(start);
                    }
                }
            }
        }
        assert_eq!(task.next_batch().extent, Extent { steps: 4, batch: 2 });
    }

    #[test]
    fn a_text_of_just_enough_characters_makes_one_batch() {
        let mut task = chars("abcdefghijkl", Options { held_out: 0.17, ..options(4, 2) }).unwrap();
        assert_eq!((task.batches_per_epoch(), task.sizes()), (1, (10, 2)));
        assert_eq!(task.next_batch(), task.next_batch());
    }

    #[test]
    fn every_answer_is_evaluated_once_and_in_order() {
        for len in [2_u32, 50, 101, 3999, 4001, 4203, 150_000] {
            let symbols: Vec<u32> = (0..len).collect();
            let mut answered: Vec<u32> = Vec::new();
            for batch in evaluation(&symbols) {
                for (&symbol, &target) in batch.symbols.iter().zip(&batch.targets) {
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
    fn any_utf8_is_text_and_rare_characters_are_unknown() {
        let text = "äöü日本 ".repeat(20) + "x" + &"日".repeat(20);
        let task = chars(&text, Options { least_count: 2, ..options(5, 2) }).unwrap();
        let unknown = |symbols: &[u32]| symbols.iter().filter(|s| **s == 0).count();
        assert_eq!((task.symbols(), unknown(&task.training)), (7, 1));
    }

    #[test]
    fn short_texts_are_refused() {
        let refused = |text: &str, options| chars(text, options).err().unwrap();
        assert_eq!(refused("", options(4, 2)), "a.txt: the file is empty");
        assert_eq!(
            refused("hello", options(50, 20)),
            "a.txt: 4 characters to train on, but 20 streams of 50 steps need 1020; give more \
             text, or take fewer or shorter streams"
        );
        assert_eq!(
            refused("hello world", Options { held_out: 0.0, ..options(2, 2) }),
            "a.txt: 0 characters are held out of 11; give more text, or hold out a larger share"
        );
    }
}
