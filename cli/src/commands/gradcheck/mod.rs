//! `cellc gradcheck`

mod json;
mod singular;
mod text;

use std::process::ExitCode;

use cellc_compiler::check::default_dims;
use cellc_compiler::diagnostic::Source;
use cellc_compiler::syntax::ast::{Item, Kind, Name};
use cellc_compiler::syntax::parse;
use cellc_runtime::gradcheck::{
    Companions, Options, Report, Row, Subject, check_second_order, check_with_progress,
};
use cellc_runtime::program::{Engine, Program};
use cellc_runtime::second::SecondOrder;
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};

use super::run::EngineArg;
use crate::dims::Dims;
use crate::failure::Failure;
use crate::hypers::Hypers;
use crate::load::{Loaded, Missing, load};
use crate::output::{print, print_json};

const EXAMPLES: &str = "\
Examples:
  cellc gradcheck lstm --dims I=3,H=4
  cellc gradcheck my.cell --order 2
  cellc gradcheck my.cell --cases 200 --seed 7
  cellc gradcheck my.cell --json | jq .max_relative_error
  cellc gradcheck --all";

const JSON: &str = "\
The JSON object of a cell:
  cell, dims, order, engine, cases, seed, tolerance
  passed               whether all errors are within the tolerance, and all identities hold
  max_relative_error   of all arguments and results; null if not finite
  compared, kinks      how many derivatives were compared, and how many were not, being at
                       kinks
  unresolved           of order 2, how many differences are less exact than the tolerance: what
                       they may be wrong by, which is estimated, is no error
  arguments            for each param, input and initial state:
    role, name, shape  the role is `param`, `input` or `initial`
    declared           file, line and column (from 1) of its declaration
    compared, kinks, unresolved
                       as above
    max_relative_error, worst
                       the worst of what was compared (null if nothing was): its entry
                       ([t, b, ..] of an input, [b, ..] of an initial state; null for a
                       direction), analytic, numeric, case, steps, batch
    kink               the first of the kinks (null if there was none): operation, entry,
                       case, steps, batch
    singular           if a derivative is infinite or NaN in the cell itself: file, line, column
                       and expression of what it comes from, derivative (whether that of the
                       expression is), number (`NaN` or `infinite`), step, example
  results              of order 2, the same for each output and final state, by forward mode
  identities           of order 2: name, compared, max_relative_error, tolerance, passed
With --all: passed, and cells, a list of such objects.

Exit status: 0 the derivatives agree, 1 they do not, 2 bad input.";

/// Prove a cell's gradient: backpropagation through time against central differences
///
/// Runs the cell in f64 on random cases (1 to 20 steps, 1 to 9 examples, random params, inputs,
/// initial states and cotangents), and compares the derivative of the loss by entries of each
/// argument, and along random directions, with central differences. The error is relative:
/// |a - n| / max(|a|, |n|, scale), where the scale is a thousandth of the size of the argument's
/// gradient. Exit status 1 if an error exceeds the tolerance.
///
/// With `--order 2`, each case has random directions through all arguments at once. Forward mode is
/// held against differences of the results, and the product of the Hessian of the loss with the
/// direction (forward over reverse) against differences of the gradient; and that forward and
/// reverse mode are transposed, and the Hessian symmetric, is checked to near rounding.
///
/// What is behind `stop_gradient` keeps its value in all differences, as it does for the gradient.
///
/// Where relu, abs, max, min, select or a comparison is so near to where it changes that the smallest
/// differences reach across (1e-6), there is no derivative to compare with: that is reported as a
/// kink, and is no failure.
#[derive(clap::Args)]
#[command(
    allow_negative_numbers = true,
    after_help = EXAMPLES,
    after_long_help = format!("{EXAMPLES}\n\n{JSON}"),
)]
pub(crate) struct Args {
    /// A name of the catalogue, or the path of a `.cell` file
    #[arg(required_unless_present = "all")]
    cell: Option<String>,
    /// Check every cell of the catalogue
    #[arg(long, conflicts_with_all = ["cell", "dims", "set"])]
    all: bool,
    /// Which derivatives: 1 gradients, 2 forward mode and products with the Hessian
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = order)]
    order: u8,
    /// The sizes of the cell's dimensions; chosen for you if left out
    #[arg(long, value_name = "I=3,H=4")]
    dims: Option<Dims>,
    /// The values of the cell's hyper-parameters; as the cell says if left out
    #[arg(long, value_name = "NAME=0.1")]
    set: Option<Hypers>,
    /// How many random cases
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = count)]
    cases: u32,
    /// Of order 1, how many entries of each argument are checked in a case; if it has more, these are
    /// drawn, and a random direction through all of them is checked too
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = count)]
    entries: u32,
    /// What the cases are drawn from
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    /// The largest relative error that passes
    #[arg(long, value_name = "X", default_value_t = 1e-6, value_parser = tolerance)]
    tolerance: f64,
    /// What runs the cell
    #[arg(long, value_enum, default_value_t = EngineArg::Jit)]
    engine: EngineArg,
    /// Print one JSON object, which `--help` describes
    #[arg(long)]
    json: bool,
}

fn order(text: &str) -> Result<u8, String> {
    match text {
        "1" => Ok(1),
        "2" => Ok(2),
        _ => Err("expected 1 or 2".to_owned()),
    }
}

fn count(text: &str) -> Result<u32, String> {
    let count = text.parse().ok().filter(|&count: &u32| count > 0);
    count.ok_or_else(|| "expected a whole number from 1 up".to_owned())
}

fn tolerance(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(number) if number > 0.0 && number < 1.0 => Ok(number),
        _ => Err("expected a number between 0 and 1, such as 1e-6".to_owned()),
    }
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let passed = match &args.cell {
        Some(cell) => {
            let loaded = load(cell, args.dims.as_ref(), args.set.as_ref(), Missing::Choose)?;
            let bar = progress(args.cases.into());
            let report = check(&loaded, args, &bar)?;
            bar.finish_and_clear();
            if args.json {
                print_json(&json::cell(&loaded, args, &report))?;
            } else {
                print(text::cell(&loaded, args, &report))?;
            }
            report.passed()
        }
        None => {
            let entries = cellc_cells::all();
            let bar = progress(u64::from(args.cases) * entries.len() as u64);
            let check = |entry: &cellc_cells::Entry| {
                let loaded = load(entry.name, Some(&chosen(entry)), None, Missing::Report)?;
                let report = check(&loaded, args, &bar)?;
                Ok((loaded, report))
            };
            let reports: Vec<_> = entries.iter().map(check).collect::<Result<_, Failure>>()?;
            bar.finish_and_clear();
            if args.json {
                print_json(&json::all(&reports, args))?;
            } else {
                print(text::all(&reports, args))?;
            }
            reports.iter().all(|(_, report)| report.passed())
        }
    };
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn progress(cases: u64) -> ProgressBar {
    let bar = ProgressBar::new(cases);
    let style = "checking {bar:30} {pos}/{len} cases, {eta} left";
    bar.set_style(ProgressStyle::with_template(style).unwrap_or(ProgressStyle::default_bar()));
    bar
}

/// Sizes for the dimensions of a cell of the catalogue.
fn chosen(entry: &cellc_cells::Entry) -> Dims {
    let tree = parse(&Source::new(entry.name, entry.source));
    Dims(tree.map(|tree| default_dims(&tree)).unwrap_or_default())
}

/// Checks one cell.
fn check(loaded: &Loaded, args: &Args, bar: &ProgressBar) -> Result<Report, Failure> {
    let (cell, engine) = (&loaded.cell, Engine::from(args.engine));
    let failed = |error: &dyn std::fmt::Display| Failure::new(error.to_string());
    let program = Program::<f64>::of(cell, engine).map_err(|error| failed(&error))?;
    let mut companions = Companions::of(cell, engine).map_err(|error| failed(&error))?;
    let options = Options {
        cases: args.cases as usize,
        entries: args.entries as usize,
        seed: args.seed,
        tolerance: args.tolerance,
        ..Options::default()
    };
    let start = bar.position();
    let done = |cases: usize| bar.set_position(start + cases as u64);
    let sequence = &mut *program.sequence(1);
    let report = if args.order == 1 {
        check_with_progress(sequence, Some(&mut companions), &options, done)
    } else {
        let mut second = SecondOrder::of_cell(cell, engine).map_err(|error| failed(&error))?;
        check_second_order(sequence, &mut second, Some(&mut companions), &options, done)
    };
    report.map_err(|error| {
        let name = &loaded.tree.name.text;
        Failure::new(if args.all { format!("{name}: {error}") } else { error.to_string() })
    })
}

/// The engine's word on the command line.
fn engine(args: &Args) -> String {
    args.engine.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

/// The line and the column, from 1, where an argument or a result is declared.
fn declared(loaded: &Loaded, row: &Row) -> Option<(usize, usize)> {
    let of_kind = |kind: Kind| {
        let declarations = loaded.tree.items.iter().filter_map(move |item| match item {
            Item::Declaration(declaration) if declaration.kind == kind => Some(&declaration.names),
            _ => None,
        });
        declarations.flatten().collect::<Vec<_>>()
    };
    let names: Vec<&Name> = match row.subject {
        Subject::Param => of_kind(Kind::Param),
        Subject::Input => of_kind(Kind::Input),
        Subject::Initial | Subject::Final => of_kind(Kind::State),
        Subject::Output => {
            let outputs = loaded.tree.items.iter().filter_map(|item| match item {
                Item::Output { name, .. } => Some(name),
                _ => None,
            });
            outputs.collect()
        }
    };
    let name = names.into_iter().find(|name| name.text == row.name)?;
    Some(loaded.source().position(name.span.start))
}
