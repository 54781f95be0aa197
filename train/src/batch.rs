//! What a model is fed with at once.

use cellc_runtime::sequence::Extent;

/// A target that is not to be scored: padding.
pub const IGNORED: u32 = u32::MAX;

/// Sequences of symbols that run side by side, and what the model is to answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// The number of steps and of sequences.
    pub extent: Extent,
    /// The symbols, `[T, B]`.
    pub symbols: Vec<u32>,
    /// Whether a sequence has begun, `[T, B]`; empty if all begin at the first step.
    pub mask: Vec<bool>,
    /// The answers: `[T, B]` for one at each step, `[B]` for one at the end; [`IGNORED`] where
    /// there is none.
    pub targets: Vec<u32>,
    /// Whether the sequences continue those of the batch before: states are carried over.
    pub continues: bool,
}

impl Batch {
    /// A batch of labelled sequences of several lengths, padded on the left to the longest.
    ///
    /// A sequence without symbols counts as a single `filler`, as there is no last step otherwise.
    pub fn labelled<'a>(examples: impl IntoIterator<Item = (&'a [u32], u32)>, filler: u32) -> Self {
        let empty: &[u32] = &[filler];
        let examples: Vec<_> = (examples.into_iter())
            .map(|(symbols, label)| (if symbols.is_empty() { empty } else { symbols }, label))
            .collect();
        let batch = examples.len();
        let steps = examples.iter().map(|(symbols, _)| symbols.len()).max().unwrap_or(0);
        let mut symbols = vec![filler; steps * batch];
        let mut mask = vec![false; steps * batch];
        for (column, (sequence, _)) in examples.iter().enumerate() {
            let padding = steps - sequence.len();
            for (step, &symbol) in sequence.iter().enumerate() {
                let row = (padding + step) * batch + column;
                symbols[row] = symbol;
                mask[row] = true;
            }
        }
        let targets = examples.iter().map(|(_, label)| *label).collect();
        Self { extent: Extent { steps, batch }, symbols, mask, targets, continues: false }
    }

    /// How many symbols there are, padding apart.
    pub fn symbol_count(&self) -> usize {
        if self.mask.is_empty() {
            return self.symbols.len();
        }
        self.mask.iter().filter(|begun| **begun).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shorter_sequences_are_padded_on_the_left() {
        let examples: [(&[u32], u32); 3] = [(&[1, 2, 3], 0), (&[4], 1), (&[], 0)];
        let batch = Batch::labelled(examples, 9);
        assert_eq!(batch.extent, Extent { steps: 3, batch: 3 });
        assert_eq!(batch.symbols, [1, 9, 9, 2, 9, 9, 3, 4, 9]);
        let begun = [[true, false, false], [true, false, false], [true, true, true]];
        assert_eq!(batch.mask, begun.concat());
        assert_eq!((batch.targets.as_slice(), batch.symbol_count()), (&[0, 1, 0][..], 5));
    }
}
