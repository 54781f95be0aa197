//! Forward mode and products with the Hessian, against differences and against each other.

use cellc_compiler::ir::op::Role;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::case::{Argument, Case, entry_at, params};
use super::difference::{Slope, along};
use super::kinks::Widest;
use super::{
    Companions, GradcheckError, Identity, Kink, Options, Report, Row, SCALE, Subject, Worst,
    relative_error, rms,
};
use crate::second::SecondOrder;
use crate::sequence::{Extent, Port, RunError, Sequence};

/// The largest relative error of an identity that holds but for rounding.
const ROUNDING: f64 = 1e-11;

/// Checks forward mode and second order of a cell: `sequence` runs it, and `second` with tangents.
///
/// In each case there are random directions `u` and `v` through all arguments at once. Compared are
///
/// - each entry of `J v`, the tangents of the results, with central differences of the results;
/// - each entry of `H v`, the product with the Hessian, with central differences of the gradient;
/// - `<c, J v>` with `<∇L, v>`, and `<u, H v>` with `<v, H u>`: these agree but for rounding.
///
/// `done` is called with the number of cases that are done, after each.
///
/// # Errors
/// If the cell cannot run, or its results are not finite whatever the arguments.
pub fn check_second_order(
    sequence: &mut dyn Sequence<f64>,
    second: &mut SecondOrder<f64>,
    mut companions: Option<&mut Companions>,
    options: &Options,
    mut done: impl FnMut(usize),
) -> Result<Report, GradcheckError> {
    let arguments = Argument::all(sequence.interface());
    let mut rows: Vec<Row> =
        arguments.iter().map(|a| Row::new(a.subject, &a.name, &a.ty)).collect();
    let interface = sequence.interface();
    let row = |subject| move |port: &Port| Row::new(subject, &port.name, &port.ty);
    let outputs = interface.outputs.iter().map(row(Subject::Output));
    let mut results: Vec<Row> =
        outputs.chain(interface.states.iter().map(row(Subject::Final))).collect();
    let mut transposed = Identity::new("<c, J v> = <gradient, v>");
    let mut symmetric = Identity::new("<u, H v> = <v, H u>");
    for number in 0..options.cases {
        let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
        rng.set_stream(number as u64);
        let mut case =
            Case::draw(&arguments, sequence, options, number, number % 2 == 0, &mut rng)?;
        case.load_second(&arguments, sequence, second);
        let given: Vec<bool> = arguments.iter().map(|a| case.gives(a, sequence)).collect();
        let (mut kinks, stops, mut singularities) = Companions::parts(companions.as_deref_mut());
        let base = match stops {
            Some(stops) => stops.hold(&mut case, &arguments)?,
            None => &mut *sequence,
        };
        for _ in 0..options.directions {
            let mut draw = || -> Vec<Vec<f64>> {
                let direction = |a: &Argument| {
                    let mut direction = a.direction(case.extent, &mut rng);
                    if !given[a.index] {
                        // It begins where a param does, and goes with that.
                        direction.fill(0.0);
                    }
                    direction
                };
                arguments.iter().map(direction).collect()
            };
            let (u, v) = (draw(), draw());
            let of_u = Products::new(&case, &arguments, &given, second, &u)?;
            let of_v = Products::new(&case, &arguments, &given, second, &v)?;
            transposed.note(&case.cotangents, &of_v.tangents, &of_v.gradients, &v);
            symmetric.note(&u, &of_v.products, &v, &of_u.products);
            let point = |step: f64| moved(&case.values, &v, step);
            let mut judge = |widest: f64| -> Result<Found, RunError> {
                let at = |step| case.results_at(&point(step), &arguments, base);
                let tangents = along(at, widest, 0.1 * options.tolerance)?;
                let at = |step| case.gradients_at(&point(step), &arguments, base);
                let products = along(at, widest, 0.1 * options.tolerance)?;
                let judge = |rows: &[Row], analytic: &[Vec<f64>], numeric: &[Vec<Slope>]| {
                    let parts = rows.iter().zip(analytic.iter().zip(numeric));
                    let judge = |(row, (analytic, numeric)): (&Row, (&Vec<f64>, &Vec<Slope>))| {
                        Judged::new(row, (number, case.extent), options, analytic, numeric)
                    };
                    parts.map(judge).collect()
                };
                Ok(Found {
                    rows: judge(&rows, &of_v.products, &products),
                    results: judge(&results, &of_v.tangents, &tangents),
                })
            };
            let mut found = judge(f64::INFINITY)?;
            let mut kink = None;
            if let (true, Some(kinks)) = (found.doubtful(options.tolerance), kinks.as_deref_mut()) {
                match kinks.widest(&case, &arguments, point)? {
                    Widest::None(operation) => kink = Some(operation),
                    Widest::Step(widest) if widest.is_finite() => found = judge(widest)?,
                    Widest::Step(_) => {}
                }
            }
            for (row, argument) in rows.iter_mut().zip(&arguments) {
                let finite = of_v.products[argument.index].iter().all(|x| x.is_finite());
                if let (false, true, Some(singularities)) =
                    (finite, row.singular.is_empty(), singularities.as_deref_mut())
                {
                    row.singular = singularities.of(&case, argument, &arguments)?;
                }
            }
            let rows = rows.iter_mut().zip(found.rows);
            for (row, judged) in rows.chain(results.iter_mut().zip(found.results)) {
                match &kink {
                    Some(operation) if judged.doubtful(options.tolerance) => {
                        let kink = Kink { operation: operation.clone(), at: judged.worst };
                        row.note_kink(kink, judged.compared);
                    }
                    _ => {
                        row.note(judged.worst, judged.compared);
                        row.unresolved += judged.unresolved;
                    }
                }
            }
        }
        done(number + 1);
    }
    Ok(Report::new(options, rows, results, vec![transposed, symmetric]))
}

/// What a run with tangents gives along a direction.
struct Products {
    /// `J v`: of all outputs, then of all final states.
    tangents: Vec<Vec<f64>>,
    /// The gradient of each argument.
    gradients: Vec<Vec<f64>>,
    /// `H v`: of each argument.
    products: Vec<Vec<f64>>,
}

impl Products {
    /// Runs a case along a direction.
    fn new(
        case: &Case,
        arguments: &[Argument],
        given: &[bool],
        run: &mut SecondOrder<f64>,
        direction: &[Vec<f64>],
    ) -> Result<Self, RunError> {
        for (argument, data) in arguments.iter().zip(direction) {
            let to = match argument.role {
                Role::State if !given[argument.index] => None,
                Role::State => Some(run.initial_tangent_mut(argument.port)),
                Role::Input => run.input_tangent_mut(argument.port),
                Role::Param | Role::Residual | Role::Mask(_) => None,
            };
            if let Some(to) = to {
                to.copy_from_slice(data);
            }
        }
        run.backward(&case.params(arguments), &params(direction, arguments))?;
        let outputs = (0..run.interface().outputs.len()).map(|i| run.output_tangent(i).to_vec());
        let finals = (0..run.interface().states.len()).map(|i| run.final_tangent(i).to_vec());
        let gradient = |a: &Argument| match a.role {
            Role::Param => run.param_gradient(a.port),
            Role::State => run.initial_gradient(a.port),
            Role::Input | Role::Residual | Role::Mask(_) => {
                run.input_gradient(a.port).unwrap_or_default()
            }
        };
        let product = |a: &Argument| match a.role {
            Role::Param => run.param_product(a.port),
            Role::State => run.initial_product(a.port),
            Role::Input | Role::Residual | Role::Mask(_) => {
                run.input_product(a.port).unwrap_or_default()
            }
        };
        Ok(Self {
            tangents: outputs.chain(finals).collect(),
            gradients: arguments.iter().map(|a| gradient(a).to_vec()).collect(),
            products: arguments.iter().map(|a| product(a).to_vec()).collect(),
        })
    }
}

/// Values moved by `step` along a direction.
fn moved(values: &[Vec<f64>], direction: &[Vec<f64>], step: f64) -> Vec<Vec<f64>> {
    let add = |(x, d): (&f64, &f64)| x + step * d;
    let pairs = values.iter().zip(direction);
    pairs.map(|(x, d)| x.iter().zip(d).map(add).collect()).collect()
}

/// What was found for each argument, and for each result.
struct Found {
    rows: Vec<Judged>,
    results: Vec<Judged>,
}

impl Found {
    fn doubtful(&self, tolerance: f64) -> bool {
        self.rows.iter().chain(&self.results).any(|judged| judged.doubtful(tolerance))
    }
}

/// The derivatives of one row.
struct Judged {
    /// The one with the largest error.
    worst: Worst,
    compared: usize,
    /// How many of these differences tell less closely than the tolerance.
    unresolved: usize,
}

impl Judged {
    /// What a difference may be wrong by itself is within the tolerance: it is a part of the scale.
    fn new(
        row: &Row,
        (case, extent): (usize, Extent),
        options: &Options,
        analytic: &[f64],
        numeric: &[Slope],
    ) -> Self {
        let values: Vec<f64> = numeric.iter().map(|slope| slope.value).collect();
        let scale = SCALE * rms(&values);
        let error = |entry: usize| {
            let Slope { value, error } = numeric[entry];
            relative_error(analytic[entry], value, scale.max(error / options.tolerance))
        };
        // A value has at least one element.
        let entry = (0..analytic.len()).max_by(|&a, &b| error(a).total_cmp(&error(b)));
        let entry = entry.unwrap_or_default();
        let worst = Worst {
            case,
            extent,
            place: entry_at(entry, row.subject, &row.ty, extent),
            analytic: analytic[entry],
            numeric: values[entry],
            relative_error: error(entry),
        };
        let resolved =
            |slope: &&Slope| slope.error <= options.tolerance * slope.value.abs().max(scale);
        let unresolved = numeric.len() - numeric.iter().filter(resolved).count();
        Self { worst, compared: analytic.len(), unresolved }
    }

    /// Whether an error exceeds a tolerance, or may.
    fn doubtful(&self, tolerance: f64) -> bool {
        self.worst.relative_error > tolerance || self.unresolved > 0
    }
}

impl Identity {
    fn new(name: &'static str) -> Self {
        Self { name, compared: 0, max_relative_error: 0.0, tolerance: ROUNDING }
    }

    /// Compares two products of arrays, in relation to the size of their terms.
    fn note(&mut self, a: &[Vec<f64>], b: &[Vec<f64>], c: &[Vec<f64>], d: &[Vec<f64>]) {
        let terms = |a: &[Vec<f64>], b: &[Vec<f64>]| -> [f64; 2] {
            let terms = a.iter().flatten().zip(b.iter().flatten()).map(|(a, b)| a * b);
            terms.fold([0.0; 2], |[sum, size], term| [sum + term, size + term.abs()])
        };
        let ([left, left_size], [right, right_size]) = (terms(a, b), terms(c, d));
        let error = relative_error(left, right, left_size.max(right_size));
        self.max_relative_error = self.max_relative_error.max(error);
        self.compared += 1;
    }
}
