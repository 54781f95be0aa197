//! Central differences of a cell's loss.

use cellc_compiler::ir::op::Role;

use super::case::{Argument, Case, Probe, results, set};
use super::{SCALE, rms};
use crate::sequence::{RunError, Sequence};

/// The first step. In f64, rounding is about 1e-13 of a result here, and the truncation of a
/// sixth-order difference far below that for any function that is smooth at this scale.
const STEP: f64 = 2e-3;
/// How much smaller each further step is.
const SHRINK: f64 = 0.125;
/// How many steps are tried.
const STEPS: usize = 5;

/// How far differences of a step reach to either side, in steps.
pub(super) const REACH: f64 = 2.0;

/// The steps that are tried, from the widest on.
pub(super) fn steps(widest: f64) -> impl Iterator<Item = f64> {
    let steps = std::iter::successors(Some(STEP), |step| Some(step * SHRINK)).take(STEPS);
    steps.filter(move |step| *step <= widest)
}

/// What differences tell of a derivative.
pub(super) struct Estimate {
    pub(super) value: f64,
    /// If differences of no step agreed: those to either side, the lesser first. Between them lies
    /// whatever is a derivative at a kink.
    pub(super) sides: Option<[f64; 2]>,
    /// The root mean square of the terms of the loss that the probe touches.
    pub(super) term: f64,
}

impl Estimate {
    /// What comes nearest to a derivative that was found another way.
    pub(super) fn nearest(&self, analytic: f64) -> f64 {
        match self.sides {
            Some([low, high]) if low <= analytic && analytic <= high => analytic,
            _ => self.value,
        }
    }
}

/// Differences around a case.
pub(super) struct Differences<'c> {
    case: &'c Case,
    sequence: &'c mut dyn Sequence<f64>,
    params: Vec<Vec<f64>>,
}

impl<'c> Differences<'c> {
    /// Differences around a case that the sequence has just run.
    pub(super) fn new(
        case: &'c Case,
        arguments: &[Argument],
        sequence: &'c mut dyn Sequence<f64>,
    ) -> Self {
        Self { case, sequence, params: case.params(arguments) }
    }

    /// The derivative of the loss along a probe.
    ///
    /// Two fourth-order differences, of a step and of half of it, tell each other's error; if they
    /// agree to within `accept(estimate, term)` the extrapolation of both is the result, where
    /// `term` is the root mean square of the terms of the loss that the probe touches. If they do
    /// not, there may be a kink nearby (of relu, abs, max or a comparison), which a smaller step
    /// does not reach. The analytic gradient has no say in the choice. No step is wider than `widest`.
    pub(super) fn derivative(
        &mut self,
        argument: &Argument,
        probe: &Probe,
        widest: f64,
        accept: &dyn Fn(f64, f64) -> f64,
    ) -> Result<Estimate, RunError> {
        let mut best = (f64::INFINITY, f64::NAN);
        let mut touched = 0.0;
        let mut last = None;
        for step in steps(widest) {
            let (wide, term) = self.central(argument, probe, 2.0 * step)?;
            touched = f64::max(touched, term);
            let (middle, _) = self.central(argument, probe, step)?;
            let (narrow, _) = self.central(argument, probe, 0.5 * step)?;
            let coarse = (4.0 * middle - wide) / 3.0;
            let fine = (4.0 * narrow - middle) / 3.0;
            let disagreement = (coarse - fine).abs();
            if disagreement < best.0 {
                best = (disagreement, (16.0 * fine - coarse) / 15.0);
            }
            last = Some(step);
            if disagreement <= accept(fine, touched) {
                last = None;
                break;
            }
        }
        let sides = last.map(|step| self.sides(argument, probe, step)).transpose()?;
        self.evaluate(argument, probe, 0.0)?;
        Ok(Estimate { value: best.1, sides, term: touched })
    }

    /// The second-order central difference, and the root mean square of the terms of the loss that
    /// differ.
    fn central(
        &mut self,
        argument: &Argument,
        probe: &Probe,
        step: f64,
    ) -> Result<(f64, f64), RunError> {
        let above = self.evaluate(argument, probe, step)?;
        let below = self.evaluate(argument, probe, -step)?;
        Ok((self.slope(&above, &below) / (2.0 * step), self.touched(&above, &below)))
    }

    /// The differences to either side, the lesser first.
    fn sides(
        &mut self,
        argument: &Argument,
        probe: &Probe,
        step: f64,
    ) -> Result<[f64; 2], RunError> {
        let above = self.evaluate(argument, probe, step)?;
        let below = self.evaluate(argument, probe, -step)?;
        let here = self.evaluate(argument, probe, 0.0)?;
        let sides = [self.slope(&above, &here) / step, self.slope(&here, &below) / step];
        Ok([sides[0].min(sides[1]), sides[0].max(sides[1])])
    }

    /// The difference of the loss.
    ///
    /// Results are subtracted before they are summed: those that the probe does not touch drop
    /// out exactly, where the difference of two sums would keep their rounding.
    fn slope(&self, above: &[Vec<f64>], below: &[Vec<f64>]) -> f64 {
        let pairs = above.iter().flatten().zip(below.iter().flatten());
        let terms = pairs.zip(self.case.cotangents.iter().flatten());
        terms.map(|((above, below), cotangent)| cotangent * (above - below)).sum()
    }

    fn touched(&self, above: &[Vec<f64>], below: &[Vec<f64>]) -> f64 {
        let pairs = above.iter().flatten().zip(below.iter().flatten());
        let terms = pairs.zip(self.case.cotangents.iter().flatten());
        let touched = terms.filter(|((above, below), _)| above != below);
        let touched: Vec<f64> = touched.map(|((above, _), cotangent)| above * cotangent).collect();
        if touched.is_empty() { 0.0 } else { rms(&touched) }
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

/// A derivative by differences.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slope {
    pub(super) value: f64,
    /// What it may be wrong by.
    pub(super) error: f64,
}

/// How far apart the values lie whose rounding is measured: so near that they differ by little else.
const SPACING: f64 = 1e-9;
/// How many values that are.
const VALUES: i32 = 9;
/// What differences of sixth order may be wrong by, in terms of the standard deviation of the rounding
/// by the step. Theirs is 2 of it; the rest is for that being estimated from few values.
const DEVIATIONS: f64 = 20.0;

/// The derivatives of the parts of a function of a step, at 0: differences of sixth order as
/// [`Differences::derivative`] takes them, where each entry of each part has the step that suits it.
///
/// A difference may be wrong by what those of fourth order, of which it is made, disagree by (for what
/// they truncate), and by its rounding. Steps go down until these together are within `tolerance` of the
/// entry, or of a thousandth of the root mean square of its part if that is larger, or would grow. No
/// step is wider than `widest`.
pub(super) fn along(
    mut at: impl FnMut(f64) -> Result<Vec<Vec<f64>>, RunError>,
    widest: f64,
    tolerance: f64,
) -> Result<Vec<Vec<Slope>>, RunError> {
    let rounding = rounding(&mut at)?;
    let none = Slope { value: f64::NAN, error: f64::INFINITY };
    let mut best: Vec<Vec<Slope>> = rounding.iter().map(|part| vec![none; part.len()]).collect();
    for step in steps(widest) {
        let mut central = |step: f64| -> Result<Vec<Vec<f64>>, RunError> {
            let (above, below) = (at(step)?, at(-step)?);
            let slope = |(a, b): (&f64, &f64)| (a - b) / (2.0 * step);
            let pairs = above.iter().zip(&below);
            Ok(pairs.map(|(a, b)| a.iter().zip(b).map(slope).collect()).collect())
        };
        let (wide, middle, narrow) = (central(2.0 * step)?, central(step)?, central(0.5 * step)?);
        let mut accepted = true;
        for (i, best) in best.iter_mut().enumerate() {
            let fourth = |wide: &[f64], narrow: &[f64]| -> Vec<f64> {
                wide.iter().zip(narrow).map(|(wide, narrow)| (4.0 * narrow - wide) / 3.0).collect()
            };
            let (coarse, fine) = (fourth(&wide[i], &middle[i]), fourth(&middle[i], &narrow[i]));
            let scale = SCALE * rms(&fine);
            let parts = coarse.iter().zip(&fine).zip(&rounding[i]);
            for (best, ((coarse, fine), rounding)) in best.iter_mut().zip(parts) {
                let rounded = DEVIATIONS * rounding / step;
                let error = (coarse - fine).abs() + rounded;
                if error < best.error {
                    *best = Slope { value: (16.0 * fine - coarse) / 15.0, error };
                }
                accepted &= best.error <= tolerance * fine.abs().max(scale)
                    || best.error <= rounded / SHRINK;
            }
        }
        if accepted {
            break;
        }
    }
    Ok(best)
}

/// The standard deviation of the rounding of each entry of a function of a step near 0, by differences
/// of fourth order of values beside each other: those of smooth functions vanish (Moré & Wild,
/// Estimating computational noise, SIAM Journal on Scientific Computing, 2011). It is taken to be no
/// less than the root mean square of that of the entry's part.
fn rounding(
    at: &mut impl FnMut(f64) -> Result<Vec<Vec<f64>>, RunError>,
) -> Result<Vec<Vec<f64>>, RunError> {
    let values = (0..VALUES).map(|i| at(f64::from(i - VALUES / 2) * SPACING));
    let values: Vec<Vec<Vec<f64>>> = values.collect::<Result<_, _>>()?;
    let of_entry = |part: usize, entry: usize| {
        let value = |i: usize| values[i][part][entry];
        let fourth = |i: usize| {
            value(i) - 4.0 * value(i + 1) + 6.0 * value(i + 2) - 4.0 * value(i + 3) + value(i + 4)
        };
        let fourth: Vec<f64> = (0..values.len() - 4).map(fourth).collect();
        // The variance of a sum with these weights is that of a term times the sum of their squares.
        (rms(&fourth) / 70.0_f64.sqrt()).max(f64::EPSILON * value(0).abs())
    };
    let of_part = |(i, part): (usize, &Vec<f64>)| {
        let entries: Vec<f64> = (0..part.len()).map(|entry| of_entry(i, entry)).collect();
        let least = rms(&entries);
        entries.into_iter().map(|entry| entry.max(least)).collect()
    };
    Ok(values[0].iter().enumerate().map(of_part).collect())
}
