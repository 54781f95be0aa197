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
//! of the terms of the loss that it touches if those are larger. Of second order, what each difference
//! may be wrong by itself is estimated, and the scale is no less than that by the tolerance.
//!
//! Masks are drawn anew for each case, and are fixed numbers in it.
//!
//! A state of which the cell says where it begins does so in every other case, and a param that it
//! begins at is checked through it; in the others it is given, and checked itself.
//!
//! [`Companions`] are further runs of the cell:
//!
//! - At a kink (of relu, abs, max, min, select, a comparison) there is no derivative. Where the smallest
//!   differences still reach across one, nothing is compared, and the kink is reported. Without
//!   companions, where differences of no step agree, any `a` between those to either side passes.
//! - What is behind a `stop_gradient` keeps, in all differences, the value that it has in the case.
//! - Where a gradient is no number, the operations that are infinite or NaN, or whose derivatives are,
//!   are told, unless the interpreter has a gradient there.
//!
//! [`check`] is of first order; [`check_second_order`] is of forward mode and of products with the
//! Hessian.

mod case;
mod companions;
mod difference;
mod kinks;
mod second;
mod singular;

use cellc_compiler::ir::op::Type;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use thiserror::Error;

use self::case::{Argument, Case, Probe};
pub use self::companions::Companions;
use self::difference::{Differences, Estimate};
use self::kinks::Widest;
pub use self::second::check_second_order;
pub use self::singular::Singularity;
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

/// What derivatives were taken by, or of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A param.
    Param,
    /// An input.
    Input,
    /// An initial state.
    Initial,
    /// An output.
    Output,
    /// A final state.
    Final,
}

impl Subject {
    /// Its word in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Param => "param",
            Self::Input => "input",
            Self::Initial => "initial",
            Self::Output => "output",
            Self::Final => "final",
        }
    }
}

/// A derivative that could not be taken, since differences reach across a kink.
#[derive(Clone, Debug, PartialEq)]
pub struct Kink {
    /// The operation's word in the graph: `relu`, `max`, `less`, ..
    pub operation: String,
    /// Where it was met, and what was found there.
    pub at: Worst,
}

/// What was found for one argument of the cell, or for one result.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What it is.
    pub subject: Subject,
    /// Its name.
    pub name: String,
    /// Its type for one example and step.
    pub ty: Type,
    /// How many derivatives were compared.
    pub compared: usize,
    /// The one with the largest error. Of no meaning if none were compared.
    pub worst: Worst,
    /// How many of these differences tell less closely than the tolerance: of second order, where the
    /// errors of differences are estimated.
    pub unresolved: usize,
    /// How many derivatives were at a kink, and not compared.
    pub kinks: usize,
    /// The first of these.
    pub kink: Option<Kink>,
    /// If a derivative is infinite or NaN in the cell itself: what it comes from.
    pub singular: Vec<Singularity>,
}

/// Two numbers of second order that agree but for rounding.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    /// What it says.
    pub name: &'static str,
    /// How often it was tried.
    pub compared: usize,
    /// The largest difference, in relation to the size of the terms of both sums.
    pub max_relative_error: f64,
    /// The largest that passes.
    pub tolerance: f64,
}

impl Identity {
    /// Whether it holds.
    pub fn passed(&self) -> bool {
        self.max_relative_error <= self.tolerance
    }
}

/// The outcome of a check.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// How many cases were run.
    pub cases: usize,
    /// The largest error of all rows.
    pub max_relative_error: f64,
    /// The largest error that passes.
    pub tolerance: f64,
    /// One row for each argument that carries a gradient: params, inputs, initial states.
    pub rows: Vec<Row>,
    /// Of second order: one row for each output and final state, of forward mode.
    pub results: Vec<Row>,
    /// Of second order: what holds but for rounding.
    pub identities: Vec<Identity>,
}

impl Report {
    fn new(
        options: &Options,
        rows: Vec<Row>,
        results: Vec<Row>,
        identities: Vec<Identity>,
    ) -> Self {
        let errors = rows.iter().chain(&results).map(|row| row.worst.relative_error);
        let max_relative_error = errors.fold(0.0, f64::max);
        let (cases, tolerance) = (options.cases, options.tolerance);
        Self { cases, max_relative_error, tolerance, rows, results, identities }
    }

    /// Whether every derivative that was compared is within the tolerance, and every identity holds.
    pub fn passed(&self) -> bool {
        self.max_relative_error <= self.tolerance && self.identities.iter().all(Identity::passed)
    }

    /// How many derivatives were compared.
    pub fn compared(&self) -> usize {
        self.rows.iter().chain(&self.results).map(|row| row.compared).sum()
    }

    /// How many of these differences tell less closely than the tolerance.
    pub fn unresolved(&self) -> usize {
        self.rows.iter().chain(&self.results).map(|row| row.unresolved).sum()
    }

    /// How many derivatives were at a kink, and not compared.
    pub fn kinks(&self) -> usize {
        self.rows.iter().chain(&self.results).map(|row| row.kinks).sum()
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
    check_with_progress(sequence, None, options, |_| {})
}

/// [`check`] with companions of the cell, calling `done` with the number of cases that are done, after
/// each.
///
/// # Errors
/// As [`check`].
pub fn check_with_progress(
    sequence: &mut dyn Sequence<f64>,
    mut companions: Option<&mut Companions>,
    options: &Options,
    mut done: impl FnMut(usize),
) -> Result<Report, GradcheckError> {
    let arguments = Argument::all(sequence.interface());
    let mut rows: Vec<Row> =
        arguments.iter().map(|a| Row::new(a.subject, &a.name, &a.ty)).collect();
    for number in 0..options.cases {
        // A stream for each case: what is drawn for one changes nothing for the next.
        let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
        rng.set_stream(number as u64);
        let mut case =
            Case::draw(&arguments, sequence, options, number, number % 2 == 0, &mut rng)?;
        let gradients = case.gradients_at(&case.values, &arguments, sequence)?;
        let given: Vec<bool> = arguments.iter().map(|a| case.gives(a, sequence)).collect();
        let (mut kinks, stops, mut singularities) = Companions::parts(companions.as_deref_mut());
        let base = match stops {
            Some(stops) => stops.hold(&mut case, &arguments)?,
            None => &mut *sequence,
        };
        let mut differences = Differences::new(&case, &arguments, base);
        for ((argument, row), gradient) in arguments.iter().zip(&mut rows).zip(&gradients) {
            if !given[argument.index] {
                continue;
            }
            let scale = |term: f64| SCALE * rms(gradient).max(term);
            for probe in Probe::draw(gradient.len(), options, &mut rng) {
                let analytic = probe.derivative(gradient);
                let accept = |estimate: f64, term: f64| {
                    0.1 * options.tolerance * estimate.abs().max(scale(term))
                };
                let found = |estimate: &Estimate, numeric: f64| Worst {
                    case: number,
                    extent: case.extent,
                    place: argument.place(&probe, case.extent),
                    analytic,
                    numeric,
                    relative_error: relative_error(analytic, numeric, scale(estimate.term)),
                };
                let mut estimate =
                    differences.derivative(argument, &probe, f64::INFINITY, &accept)?;
                let at = found(&estimate, estimate.value);
                if let (false, true, Some(singularities)) =
                    (analytic.is_finite(), row.singular.is_empty(), singularities.as_deref_mut())
                {
                    row.singular = singularities.of(&case, argument, &arguments)?;
                }
                let suspect = at.relative_error > options.tolerance || estimate.sides.is_some();
                if let (true, Some(kinks)) = (suspect, kinks.as_deref_mut()) {
                    let point = |step: f64| {
                        let mut values = case.values.clone();
                        values[argument.index] = probe.walk(&values[argument.index], step);
                        values
                    };
                    match kinks.widest(&case, &arguments, point)? {
                        Widest::None(operation) => {
                            row.note_kink(Kink { operation, at }, 1);
                            continue;
                        }
                        Widest::Step(widest) => {
                            estimate = differences.derivative(argument, &probe, widest, &accept)?;
                        }
                    }
                }
                row.note(found(&estimate, estimate.nearest(analytic)), 1);
            }
        }
        done(number + 1);
    }
    // A state that was never given has no derivative of its own.
    rows.retain(|row| row.compared + row.kinks > 0);
    Ok(Report::new(options, rows, Vec::new(), Vec::new()))
}

/// The scale of a derivative, as a part of the root mean square of its argument's gradient, or of
/// the terms of the loss that it touches if those are larger. Differences resolve about 1e-9 of it.
const SCALE: f64 = 1e-3;

impl Row {
    fn new(subject: Subject, name: &str, ty: &Type) -> Self {
        let worst = Worst {
            case: 0,
            extent: Extent::default(),
            place: Place::Direction,
            analytic: 0.0,
            numeric: 0.0,
            relative_error: 0.0,
        };
        let (name, ty) = (name.to_owned(), ty.clone());
        Self {
            subject,
            name,
            ty,
            compared: 0,
            unresolved: 0,
            worst,
            kinks: 0,
            kink: None,
            singular: Vec::new(),
        }
    }

    /// Notes the worst of some derivatives that were compared.
    fn note(&mut self, found: Worst, compared: usize) {
        if self.compared == 0 || found.relative_error > self.worst.relative_error {
            self.worst = found;
        }
        self.compared += compared;
    }

    /// Notes derivatives at a kink, which were not compared.
    fn note_kink(&mut self, kink: Kink, met: usize) {
        self.kink.get_or_insert(kink);
        self.kinks += met;
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
