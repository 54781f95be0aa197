//! Gradients that are no numbers though the results are: which operations they come from.

use super::case::{Argument, Case};
use crate::sequence::{Extent, RunError, Sequence};

/// An operation that is infinite or NaN somewhere in a run, or whose derivative is.
#[derive(Clone, Debug, PartialEq)]
pub struct Singularity {
    /// The number of its value in the cell's graph.
    pub value: usize,
    /// Whether it is the derivative.
    pub derivative: bool,
    /// What it is.
    pub number: f64,
    /// The first step where it is, from 0.
    pub step: usize,
    /// The first example of that step where it is, from 0.
    pub example: usize,
}

/// Finds them, by the interpreter: what it finds is the cell's, and no fault of native code.
pub(super) struct Singularities {
    /// Gives the result and the derivative of each operation.
    pub(super) factors: Box<dyn Sequence<f64>>,
    /// The cell.
    pub(super) interpreted: Box<dyn Sequence<f64>>,
}

impl Singularities {
    /// The operations that are infinite or NaN, or whose derivatives are, in the order in which they
    /// are computed; none if the gradient by an argument is finite in the interpreter.
    pub(super) fn of(
        &mut self,
        case: &Case,
        argument: &Argument,
        arguments: &[Argument],
    ) -> Result<Vec<Singularity>, RunError> {
        let Self { factors, interpreted } = self;
        case.load(&mut **interpreted);
        let gradients = case.gradients_at(&case.values, arguments, &mut **interpreted)?;
        if gradients[argument.index].iter().all(|x| x.is_finite()) {
            return Ok(Vec::new());
        }
        case.load(&mut **factors);
        case.results_at(&case.values, arguments, &mut **factors)?;
        let mut found: Vec<Singularity> = Vec::new();
        for (i, output) in factors.interface().outputs.iter().enumerate() {
            let (value, derivative) = match output.name.split_once('.') {
                Some((value, _)) => (value, true),
                None => (output.name.as_str(), false),
            };
            let value = value[1..].parse().unwrap_or_default();
            let known = found.iter().any(|singularity| singularity.value == value);
            let data = factors.output(i);
            let at = data.iter().position(|x| !x.is_finite()).filter(|_| !known);
            if let Some(at) = at {
                let Extent { batch, .. } = case.extent;
                let row = at / output.ty.size();
                let (step, example) = (row / batch, row % batch);
                found.push(Singularity { value, derivative, number: data[at], step, example });
            }
        }
        Ok(found)
    }
}
