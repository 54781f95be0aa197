//! Central differences of a cell's loss.

use cellc_compiler::ir::op::Role;

use super::case::{Argument, Case, Probe, results, set};
use super::rms;
use crate::sequence::{RunError, Sequence};

/// The first step. In f64, rounding is about 1e-13 of a result here, and the truncation of a
/// sixth-order difference far below that for any function that is smooth at this scale.
const STEP: f64 = 2e-3;
/// How much smaller each further step is.
const SHRINK: f64 = 0.125;
/// How many steps are tried.
const STEPS: usize = 5;

/// Differences around a case.
pub(super) struct Differences<'c> {
    case: &'c Case,
    sequence: &'c mut dyn Sequence<f64>,
    params: Vec<Vec<f64>>,
    term: f64,
}

impl<'c> Differences<'c> {
    /// Differences around a case that the sequence has just run.
    pub(super) fn new(
        case: &'c Case,
        arguments: &[Argument],
        sequence: &'c mut dyn Sequence<f64>,
    ) -> Self {
        let results = results(sequence);
        let pairs = results.iter().flatten().zip(case.cotangents.iter().flatten());
        let terms: Vec<f64> = pairs.map(|(result, cotangent)| result * cotangent).collect();
        Self { case, sequence, params: case.params(arguments), term: rms(&terms) }
    }

    /// The root mean square of the terms that the loss is the sum of.
    pub(super) fn term(&self) -> f64 {
        self.term
    }

    /// The derivative of the loss along a probe.
    ///
    /// Two fourth-order differences, of a step and of half of it, tell each other's error; if they
    /// agree to within `accept(estimate)` the extrapolation of both is the result. If they do not,
    /// there may be a kink nearby (of relu, abs, max or a comparison), which a smaller step does
    /// not reach. The analytic gradient has no say in the choice.
    pub(super) fn derivative(
        &mut self,
        argument: &Argument,
        probe: &Probe,
        accept: &dyn Fn(f64) -> f64,
    ) -> Result<f64, RunError> {
        let mut best = (f64::INFINITY, f64::NAN);
        let mut step = STEP;
        for _ in 0..STEPS {
            let wide = self.central(argument, probe, 2.0 * step)?;
            let middle = self.central(argument, probe, step)?;
            let narrow = self.central(argument, probe, 0.5 * step)?;
            let coarse = (4.0 * middle - wide) / 3.0;
            let fine = (4.0 * narrow - middle) / 3.0;
            let disagreement = (coarse - fine).abs();
            if disagreement < best.0 {
                best = (disagreement, (16.0 * fine - coarse) / 15.0);
            }
            if disagreement <= accept(fine) {
                break;
            }
            step *= SHRINK;
        }
        self.evaluate(argument, probe, 0.0)?;
        Ok(best.1)
    }

    /// The second-order central difference.
    ///
    /// Results are subtracted before they are summed: those that the probe does not touch drop
    /// out exactly, where the difference of two sums would keep their rounding.
    fn central(&mut self, argument: &Argument, probe: &Probe, step: f64) -> Result<f64, RunError> {
        let above = self.evaluate(argument, probe, step)?;
        let below = self.evaluate(argument, probe, -step)?;
        let pairs = above.iter().flatten().zip(below.iter().flatten());
        let terms = pairs.zip(self.case.cotangents.iter().flatten());
        Ok(terms.map(|((above, below), cotangent)| cotangent * (above - below)).sum::<f64>()
            / (2.0 * step))
    }

    fn evaluate(
        &mut self,
        argument: &Argument,
        probe: &Probe,
        step: f64,
    ) -> Result<Vec<Vec<f64>>, RunError> {
        let moved = probe.walk(&self.case.values[argument.index], step);
        if argument.role == Role::Param {
            self.params[argument.port] = moved;
        } else {
            set(argument, &moved, self.sequence);
        }
        self.sequence.forward(&self.params)?;
        Ok(results(self.sequence))
    }
}
