//! Holds the gradients of backpropagation through time against central differences, in f64.
//!
//! A *case* is a random number of steps `T` and examples `B` with random params, inputs, initial
//! states and cotangents. The loss is the product of the cotangents with the run's results:
//! `L = Σ cotangent.out · out + Σ cotangent.final · final`. Its derivatives by single entries of
//! each argument, and along random directions through all entries of it, are computed twice.
//!
//! The error of an analytic derivative `a` against a numeric one `n` is relative:
//! `|a - n| / max(|a|, |n|, scale)`. The scale keeps derivatives that are almost zero from being
//! judged by rounding: it is a thousandth of the root mean square of the argument's gradient, or
//! of the terms of the loss that it touches if those are larger.
//!
//! A state of which the cell says where it begins does so in every other case, and a param that it
//! begins at is checked through it; in the others it is given, and checked itself.
//!
//! At a kink (of relu, abs, max, select) there is no derivative: where differences of no step agree,
//! any `a` between those to either side passes.

mod case;
mod difference;

use cellc_compiler::ir::op::{Role, Type};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use thiserror::Error;

use self::case::{Argument, Case, Probe};
use self::difference::Differences;
use crate::sequence::{Extent, RunError, Sequence};

/// What to check, and how strictly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// How many random cases.
    pub cases: usize,
    /// What the cases are drawn from; case `i` of a seed is always the same.
    pub seed: u64,
    /// The largest relative error that passes.
    pub tolerance: f64,
    /// The most steps of a case.
    pub max_steps: usize,
    /// The most examples of a case.
    pub max_batch: usize,
    /// The most single entries of each argument that are checked in a case; the entries are drawn
    /// anew for each.
    pub entries: usize,
    /// How many random directions of each argument are checked in a case.
    pub directions: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cases: 20,
            seed: 0,
            tolerance: 1e-6,
            max_steps: 20,
            max_batch: 9,
            entries: 12,
            directions: 1,
        }
    }
}

/// Where a derivative was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// By one entry, at these coordinates of the argument: `[t, b, ..]` of an input, `[b, ..]` of
    /// an initial state.
    Entry(Vec<usize>),
    /// Along a random direction through all entries.
    Direction,
}

/// The derivative of an argument with the largest error.
#[derive(Clone, Debug, PartialEq)]
pub struct Worst {
    /// The case, from 0.
    pub case: usize,
    /// The steps and examples of the case.
    pub extent: Extent,
    /// Where it was taken.
    pub place: Place,
    /// By backpropagation.
    pub analytic: f64,
    /// By central differences.
    pub numeric: f64,
    /// The relative error; infinite if a derivative is not a number.
    pub relative_error: f64,
}

/// What was found for one argument of the cell.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// `Param`, `Input`, or `State` for an initial state.
    pub role: Role,
    /// The argument's name.
    pub name: String,
    /// Its type for one example and step.
    pub ty: Type,
    /// How many derivatives were compared.
    pub compared: usize,
    /// The one with the largest error.
    pub worst: Worst,
}

/// The outcome of a check.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// How many cases were run.
    pub cases: usize,
    /// The largest error of all.
    pub max_relative_error: f64,
    /// The largest error that passes.
    pub tolerance: f64,
    /// One row for each argument that carries a gradient: params, inputs, initial states.
    pub rows: Vec<Row>,
}

impl Report {
    /// Whether every derivative is within the tolerance.
    pub fn passed(&self) -> bool {
        self.max_relative_error <= self.tolerance
    }
}

/// Why a check could not be made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum GradcheckError {
    /// The run was refused.
    #[error(transparent)]
    Run(#[from] RunError),
    /// No finite results were found.
    #[error(
        "the results of the cell are not finite for any of {attempts} random choices of its \
         arguments (T = {}, B = {}), so it has no gradient to check there",
        .extent.steps, .extent.batch
    )]
    NotFinite {
        /// How often arguments were drawn.
        attempts: usize,
        /// The steps and examples of the case.
        extent: Extent,
    },
}

/// Checks the gradients that a sequence gives against the differences of its own results.
///
/// # Errors
/// If the sequence cannot run, or its results are not finite whatever the arguments.
pub fn check(
    sequence: &mut dyn Sequence<f64>,
    options: &Options,
) -> Result<Report, GradcheckError> {
    check_with_progress(sequence, options, |_| {})
}

/// [`check`], calling `done` with the number of cases that are done, after each.
///
/// # Errors
/// As [`check`].
pub fn check_with_progress(
    sequence: &mut dyn Sequence<f64>,
    options: &Options,
    mut done: impl FnMut(usize),
) -> Result<Report, GradcheckError> {
    let arguments = Argument::all(sequence.interface());
    let mut rows: Vec<Option<Row>> = vec![None; arguments.len()];
    for number in 0..options.cases {
        // A stream for each case: what is drawn for one changes nothing for the next.
        let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
        rng.set_stream(number as u64);
        let case = Case::draw(&arguments, sequence, options, number % 2 == 0, &mut rng)?;
        let gradients = case.gradients(&arguments, sequence)?;
        let given: Vec<bool> = arguments.iter().map(|a| case.gives(a, sequence)).collect();
        let mut differences = Differences::new(&case, &arguments, sequence);
        for ((argument, row), gradient) in arguments.iter().zip(&mut rows).zip(&gradients) {
            if !given[argument.index] {
                continue;
            }
            let row = row.get_or_insert_with(|| Row::new(argument));
            let scale = |term: f64| SCALE * rms(gradient).max(term);
            for probe in Probe::draw(gradient.len(), options, &mut rng) {
                let analytic = probe.derivative(gradient);
                let accept = |estimate: f64, term: f64| {
                    0.1 * options.tolerance * estimate.abs().max(scale(term))
                };
                let estimate = differences.derivative(argument, &probe, &accept)?;
                let numeric = estimate.nearest(analytic);
                row.note(Worst {
                    case: number,
                    extent: case.extent,
                    place: argument.place(&probe, case.extent),
                    analytic,
                    numeric,
                    relative_error: relative_error(analytic, numeric, scale(estimate.term)),
                });
            }
        }
        done(number + 1);
    }
    let rows: Vec<Row> = rows.into_iter().flatten().collect();
    let errors = rows.iter().map(|row| row.worst.relative_error);
    let max_relative_error = errors.fold(0.0, f64::max);
    let (cases, tolerance) = (options.cases, options.tolerance);
    Ok(Report { cases, max_relative_error, tolerance, rows })
}

/// The scale of a derivative, as a part of the root mean square of its argument's gradient, or of
/// the terms of the loss that it touches if those are larger. Differences resolve about 1e-9 of it.
const SCALE: f64 = 1e-3;

impl Row {
    fn new(argument: &Argument) -> Self {
        let worst = Worst {
            case: 0,
            extent: Extent::default(),
            place: Place::Direction,
            analytic: 0.0,
            numeric: 0.0,
            relative_error: 0.0,
        };
        let Argument { role, name, ty, .. } = argument.clone();
        Self { role, name, ty, compared: 0, worst }
    }

    fn note(&mut self, found: Worst) {
        if self.compared == 0 || found.relative_error > self.worst.relative_error {
            self.worst = found;
        }
        self.compared += 1;
    }
}

/// `|a - n| / max(|a|, |n|, scale)`; infinite if that is not a number.
fn relative_error(analytic: f64, numeric: f64, scale: f64) -> f64 {
    let difference = (analytic - numeric).abs();
    if difference == 0.0 {
        return 0.0;
    }
    let error = difference / analytic.abs().max(numeric.abs()).max(scale);
    if error.is_nan() { f64::INFINITY } else { error }
}

/// The root mean square.
fn rms(numbers: &[f64]) -> f64 {
    let sum: f64 = numbers.iter().map(|x| x * x).sum();
    (sum / numbers.len() as f64).sqrt()
}

#[cfg(test)]
mod tests;
