//! What a model is fed with at once.

use cellc_runtime::sequence::Extent;

/// A class that is not to be scored: padding, or an answer that nobody knows.
pub const IGNORED: u32 = u32::MAX;

/// What a model reads.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// Symbols by their numbers, `[T, B]`.
    Symbols(Vec<u32>),
    /// Real numbers, `[T, B, C]`.
    Reals(Vec<f32>),
}

impl Default for Data {
    fn default() -> Self {
        Self::Symbols(Vec::new())
    }
}

/// What a model is to answer: at each step, `[T, B, ..]`, or once, `[B, ..]`.
#[derive(Clone, Debug, PartialEq)]
pub enum Targets {
    /// Classes by their numbers; [`IGNORED`] where there is no answer.
    Classes(Vec<u32>),
    /// Vectors of real numbers; NaN where a number is not known.
    Reals(Vec<f32>),
}

impl Default for Targets {
    fn default() -> Self {
        Self::Classes(Vec::new())
    }
}

impl Targets {
    /// Whether there is an answer number `i`, of `width` numbers each if they are numbers: one of which
    /// a number is known.
    pub fn is_answer(&self, i: usize, width: usize) -> bool {
        match self {
            Self::Classes(classes) => classes[i] != IGNORED,
            Self::Reals(reals) => reals[i * width..][..width].iter().any(|x| !x.is_nan()),
        }
    }

    /// How many answers there are. One of which only some numbers are known counts as that share of one.
    pub fn count(&self, width: usize) -> f64 {
        match self {
            Self::Classes(classes) => {
                classes.iter().filter(|class| **class != IGNORED).count() as f64
            }
            Self::Reals(reals) => {
                let known = reals.iter().filter(|x| !x.is_nan()).count();
                known as f64 / width.max(1) as f64
            }
        }
    }
}

/// Sequences that run side by side, and what the model is to answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// The number of steps and of sequences.
    pub extent: Extent,
    /// What is read.
    pub data: Data,
    /// Whether a sequence has begun, `[T, B]`: shorter ones are padded on the left. Empty if all
    /// begin at the first step.
    pub mask: Vec<bool>,
    /// Whether the states begin anew before a step, `[T, B]`; empty if they never do.
    pub resets: Vec<bool>,
    /// What is to be answered.
    pub targets: Targets,
    /// Whether the sequences continue those of the batch before: states are carried over.
    pub continues: bool,
}

/// A sequence and its answers, before it shares a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// What is read: one symbol, or `C` numbers, for each step.
    pub data: Data,
    /// What is answered: for each step, or once.
    pub targets: Targets,
}

impl Data {
    /// An array of the same kind without elements.
    fn empty(&self) -> Self {
        match self {
            Self::Symbols(_) => Self::Symbols(Vec::new()),
            Self::Reals(_) => Self::Reals(Vec::new()),
        }
    }
}

impl Batch {
    /// A batch of sequences of several lengths, padded on the left to the longest: by the symbol 0, or by
    /// their first numbers. A step is `width` numbers wide: 1 of symbols. Answers are given at `each`
    /// step or once, and are `outputs` numbers wide: 1 of classes. A sequence without steps gets one, of
    /// symbol 0 or of zeros, as there is no last step otherwise.
    ///
    /// # Panics
    /// If the examples are not of one kind, or their arrays not of these widths.
    pub fn padded<'a>(
        examples: impl IntoIterator<Item = &'a Example>,
        width: usize,
        each: bool,
        outputs: usize,
    ) -> Self {
        let examples: Vec<&Example> = examples.into_iter().collect();
        let len = |example: &Example| match &example.data {
            Data::Symbols(symbols) => symbols.len(),
            Data::Reals(reals) => reals.len() / width,
        };
        let batch = examples.len();
        let steps = examples.iter().map(|example| len(example).max(1)).max().unwrap_or(0);
        let mut mask = vec![false; steps * batch];
        let mut data = examples.first().map_or(Data::default(), |first| first.data.empty());
        let mut targets = match examples.first().map(|first| &first.targets) {
            Some(Targets::Reals(_)) => Targets::Reals(Vec::new()),
            _ => Targets::Classes(Vec::new()),
        };
        match &mut data {
            Data::Symbols(all) => all.resize(steps * batch, 0),
            Data::Reals(all) => all.resize(steps * batch * width, 0.0),
        }
        let answers = if each { steps } else { 1 };
        match &mut targets {
            Targets::Classes(all) => all.resize(answers * batch, IGNORED),
            Targets::Reals(all) => all.resize(answers * batch * outputs, f32::NAN),
        }
        for (column, example) in examples.iter().enumerate() {
            let (len, real) = (len(example).max(1), len(example));
            // Whether it is padding or an empty sequence's only step, it is there already.
            let row = |step: usize| (steps - len + step) * batch + column;
            (0..len).for_each(|step| mask[row(step)] = true);
            match (&mut data, &example.data) {
                (Data::Symbols(all), Data::Symbols(own)) => {
                    own.iter().enumerate().for_each(|(step, symbol)| all[row(step)] = *symbol);
                }
                (Data::Reals(all), Data::Reals(own)) => {
                    put(all, own, width, &row);
                    // A step that a cell may take: at zeros, what divides by a norm has no slope, and
                    // 0 times that is no number.
                    if let Some(first) = own.get(..width) {
                        for step in 0..steps - len {
                            all[(step * batch + column) * width..][..width].copy_from_slice(first);
                        }
                    }
                }
                _ => panic!("examples of one batch are of one kind"),
            }
            let answer_row = |step: usize| if each { row(step) } else { column };
            match (&mut targets, &example.targets) {
                (Targets::Classes(all), Targets::Classes(own)) => {
                    let own = own.iter().take(if each { real } else { 1 });
                    own.enumerate().for_each(|(step, class)| all[answer_row(step)] = *class);
                }
                (Targets::Reals(all), Targets::Reals(own)) => put(all, own, outputs, &answer_row),
                _ => panic!("examples of one batch are answered in one way"),
            }
        }
        let extent = Extent { steps, batch };
        Self { extent, data, mask, targets, ..Self::default() }
    }

    /// Makes states begin anew after each step of a symbol.
    pub fn reset_after(&mut self, symbol: u32) {
        let (columns, Data::Symbols(symbols)) = (self.extent.batch, &self.data) else { return };
        let before = |row: usize| row.checked_sub(columns).map(|before| symbols[before]);
        self.resets = (0..symbols.len()).map(|row| before(row) == Some(symbol)).collect();
    }

    /// How many steps there are, padding apart.
    pub fn real_steps(&self) -> usize {
        if self.mask.is_empty() {
            return self.extent.steps * self.extent.batch;
        }
        self.mask.iter().filter(|begun| **begun).count()
    }
}

/// Puts the rows of one example among those of all.
fn put(all: &mut [f32], own: &[f32], width: usize, row: &dyn Fn(usize) -> usize) {
    for (step, values) in own.chunks_exact(width.max(1)).enumerate() {
        all[row(step) * width..][..width].copy_from_slice(values);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(symbols: &[u32], targets: &[u32]) -> Example {
        let (data, targets) = (symbols.to_vec(), targets.to_vec());
        Example { data: Data::Symbols(data), targets: Targets::Classes(targets) }
    }

    #[test]
    fn shorter_sequences_are_padded_on_the_left() {
        let examples = [example(&[1, 2, 3], &[0]), example(&[4], &[1]), example(&[], &[0])];
        let batch = Batch::padded(&examples, 1, false, 1);
        assert_eq!(batch.extent, Extent { steps: 3, batch: 3 });
        assert_eq!(batch.data, Data::Symbols(vec![1, 0, 0, 2, 0, 0, 3, 4, 0]));
        let begun = [[true, false, false], [true, false, false], [true, true, true]];
        assert_eq!(batch.mask, begun.concat());
        assert_eq!((&batch.targets, batch.real_steps()), (&Targets::Classes(vec![0, 1, 0]), 5));
    }

    #[test]
    fn answers_of_each_step_stand_beside_it() {
        let examples = [example(&[1, 2], &[7, 8]), example(&[4], &[9]), example(&[], &[])];
        let batch = Batch::padded(&examples, 1, true, 1);
        let none = IGNORED;
        assert_eq!(batch.targets, Targets::Classes(vec![7, none, none, 8, 9, none]));
    }

    #[test]
    fn states_begin_anew_after_a_symbol_of_the_same_sequence() {
        let examples = [example(&[1, 9, 3], &[0]), example(&[9, 4, 9], &[1])];
        let mut batch = Batch::padded(&examples, 1, false, 1);
        batch.reset_after(9);
        assert_eq!(batch.resets, [false, false, false, true, true, false]);
    }

    #[test]
    fn real_numbers_are_padded_by_rows() {
        let example = |data: &[f32], target: &[f32]| Example {
            data: Data::Reals(data.to_vec()),
            targets: Targets::Reals(target.to_vec()),
        };
        let examples = [example(&[1., 2., 3., 4.], &[5., 6.]), example(&[7., 8.], &[9., 10.])];
        let batch = Batch::padded(&examples, 2, false, 2);
        assert_eq!(batch.data, Data::Reals(vec![1., 2., 7., 8., 3., 4., 7., 8.]));
        assert_eq!(batch.targets, Targets::Reals(vec![5., 6., 9., 10.]));
        assert_eq!(batch.mask, [true, false, true, true]);
    }
}
