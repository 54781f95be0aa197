//! What the stages of a model read: data, answers to be given, and what other stages found.

use cellc_runtime::kernels::Wide;
use cellc_runtime::sequence::{Extent, InputMut, RunError, Sequence};

use super::run::answers_extent;
use super::{Model, Readout, Ready};
use crate::batch::{Batch, Data, IGNORED, Targets};

/// Which row of a stage's output is read as which row of another's input.
pub(super) enum Rows<'a> {
    /// The same rows, so many of them.
    Same(usize),
    /// Those of the last step: so many, after so many others.
    Last { batch: usize, skipped: usize },
    /// Of sequences in the other order.
    Reversed(&'a Batch),
}

impl<'a> Rows<'a> {
    pub(super) fn between<T: Wide>(
        model: &Model<T>,
        from: usize,
        to: usize,
        batch: &'a Batch,
    ) -> Self {
        let (from, to) = (&model.stages[from], &model.stages[to]);
        let Extent { steps, batch: columns } = batch.extent;
        if to.answers && !from.answers && model.interface.readout == Readout::Last {
            // Whatever the order, the last step is where everything was read.
            let skipped = steps.saturating_sub(1) * columns;
            return Self::Last { batch: if steps == 0 { 0 } else { columns }, skipped };
        }
        if from.reverse != to.reverse {
            return Self::Reversed(batch);
        }
        let extent = if from.answers {
            answers_extent(model.interface.readout, batch.extent)
        } else {
            batch.extent
        };
        Self::Same(extent.steps * extent.batch)
    }

    /// Whether the whole of an input of a width is the whole of one output.
    pub(super) fn are_all(&self, output: usize, input: usize) -> bool {
        matches!(self, Self::Same(_)) && output == input
    }

    /// Calls with each row of the input and the row of the output that it is.
    pub(super) fn each(&self, mut f: impl FnMut(usize, usize)) {
        match *self {
            Self::Same(rows) => (0..rows).for_each(|row| f(row, row)),
            Self::Last { batch, skipped } => (0..batch).for_each(|row| f(row, skipped + row)),
            Self::Reversed(batch) => reversed(batch, f),
        }
    }
}

/// Calls with each row, and with that which stands there if each sequence is read from its end.
/// Sequences stay padded on the left.
fn reversed(batch: &Batch, mut f: impl FnMut(usize, usize)) {
    let Extent { steps, batch: columns } = batch.extent;
    for column in 0..columns {
        let begun = |step: &usize| batch.mask.get(step * columns + column).is_none_or(|m| *m);
        let first = (0..steps).find(begun).unwrap_or(steps);
        for step in 0..steps {
            let other = if step < first { step } else { first + (steps - 1 - step) };
            f(step * columns + column, other * columns + column);
        }
    }
}

pub(super) fn fill_data<T: Wide>(
    sequence: &mut dyn Sequence<T>,
    input: usize,
    stage: &Ready<T>,
    batch: &Batch,
) {
    match (sequence.input_mut(input), &batch.data) {
        (InputMut::Index(array), Data::Symbols(symbols)) if stage.reverse => {
            reversed(batch, |to, from| array[to] = symbols[from]);
        }
        (InputMut::Index(array), Data::Symbols(symbols)) => array.copy_from_slice(symbols),
        (InputMut::Real(array), Data::Reals(reals)) => {
            assert_eq!(array.len(), reals.len(), "numbers for each step");
            let width = reals.len() / (batch.extent.steps * batch.extent.batch).max(1);
            let real = |x: &f32| T::from_f64(f64::from(*x));
            if stage.reverse {
                reversed(batch, |to, from| {
                    let row = array[to * width..][..width].iter_mut();
                    row.zip(&reals[from * width..]).for_each(|(into, x)| *into = real(x));
                });
            } else {
                array.iter_mut().zip(reals).for_each(|(into, x)| *into = real(x));
            }
        }
        _ => panic!("the batch is of another kind than what the model reads"),
    }
}

/// Fills in what is to be answered. A number that is not known is what was answered: so it adds nothing
/// to the loss, and has no slope.
pub(super) fn fill_targets<T: Wide>(
    sequence: &mut dyn Sequence<T>,
    input: usize,
    batch: &Batch,
    answers: &[T],
) {
    match (sequence.input_mut(input), &batch.targets) {
        (InputMut::Index(array), Targets::Classes(classes)) => {
            assert_eq!(array.len(), classes.len(), "a target for each answer");
            for (into, &class) in array.iter_mut().zip(classes) {
                *into = if class == IGNORED { 0 } else { class };
            }
        }
        (InputMut::Real(array), Targets::Reals(reals)) => {
            assert_eq!(array.len(), reals.len(), "numbers for each answer");
            for ((into, &real), &answer) in array.iter_mut().zip(reals).zip(answers) {
                *into = if real.is_nan() { answer } else { T::from_f64(f64::from(real)) };
            }
        }
        _ => panic!("the batch is of another kind than what the model answers"),
    }
}

pub(super) fn fill_flags<T: Wide>(
    sequence: &mut dyn Sequence<T>,
    input: usize,
    flags: &[bool],
    otherwise: bool,
) {
    let InputMut::Real(array) = sequence.input_mut(input) else {
        unreachable!("flags are real");
    };
    let number = |flag: bool| T::from_f64(f64::from(u8::from(flag)));
    if flags.is_empty() {
        return array.fill(number(otherwise));
    }
    assert_eq!(array.len(), flags.len(), "a flag for each step of each sequence");
    array.iter_mut().zip(flags).for_each(|(into, &flag)| *into = number(flag));
}

pub(super) fn fill_states<T: Wide>(
    sequence: &mut dyn Sequence<T>,
    states: Option<&Vec<Vec<T>>>,
) -> Result<(), RunError> {
    for i in 0..sequence.interface().states.len() {
        let Some(states) = states else {
            sequence.begin(i);
            continue;
        };
        let (expected, found) = (sequence.initial_mut(i).len(), states[i].len());
        if expected != found {
            let name = sequence.interface().states[i].name.clone();
            return Err(RunError::State { name, expected, found });
        }
        sequence.initial_mut(i).copy_from_slice(&states[i]);
    }
    Ok(())
}
