//! `cellc gradcheck`

use std::process::ExitCode;

use cellc_compiler::ir::op::Role;
use cellc_runtime::gradcheck::{Options, Place, Report, Row, check_with_progress};
use cellc_runtime::program::{Engine, Program};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::run::EngineArg;
use crate::describe::dims_json;
use crate::dims::{Dims, written};
use crate::failure::Failure;
use crate::hypers::Hypers;
use crate::load::{Loaded, Missing, load};
use crate::output::{print, print_json};
use crate::table::{Align, columns};

/// Prove a cell's gradient: backpropagation through time against central differences
///
/// Runs the cell in f64 on random cases (1 to 20 steps, 1 to 9 examples, random params, inputs,
/// initial states and cotangents), and compares the derivative of the loss by entries of each
/// argument, and along random directions, with central differences. The error is relative:
/// |a - n| / max(|a|, |n|, scale), where the scale is a thousandth of the size of the argument's
/// gradient. Exit status 1 if an error exceeds the tolerance.
#[derive(clap::Args)]
#[command(
    allow_negative_numbers = true,
    after_help = "\
Examples:
  cellc gradcheck lstm --dims I=3,H=4
  cellc gradcheck my.cell --cases 200 --seed 7
  cellc gradcheck my.cell --json | jq .max_relative_error"
)]
pub(crate) struct Args {
    /// A name of the catalogue, or the path of a `.cell` file
    cell: String,
    /// The sizes of the cell's dimensions; chosen for you if left out
    #[arg(long, value_name = "I=3,H=4")]
    dims: Option<Dims>,
    /// The values of the cell's hyper-parameters; as the cell says if left out
    #[arg(long, value_name = "NAME=0.1")]
    set: Option<Hypers>,
    /// How many random cases
    #[arg(long, value_name = "N", default_value_t = 20)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    cases: u32,
    /// What the cases are drawn from
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    /// The largest relative error that passes
    #[arg(long, value_name = "X", default_value_t = 1e-6, value_parser = tolerance)]
    tolerance: f64,
    /// What runs the cell
    #[arg(long, value_enum, default_value_t = EngineArg::Jit)]
    engine: EngineArg,
    /// Print one JSON object: `passed`, `cases`, `max_relative_error` (null if not finite), and a
    /// row for each argument
    #[arg(long)]
    json: bool,
}

fn tolerance(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(number) if number > 0.0 && number < 1.0 => Ok(number),
        _ => Err("expected a number between 0 and 1, such as 1e-6".to_owned()),
    }
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let loaded = load(&args.cell, args.dims.as_ref(), args.set.as_ref(), Missing::Choose)?;
    let program = Program::<f64>::of(&loaded.cell, Engine::from(args.engine))
        .map_err(|error| Failure::new(error.to_string()))?;
    let options = Options {
        cases: args.cases as usize,
        seed: args.seed,
        tolerance: args.tolerance,
        ..Options::default()
    };
    let bar = ProgressBar::new(args.cases.into());
    let style = "checking {bar:30} {pos}/{len} cases, {eta} left";
    bar.set_style(ProgressStyle::with_template(style).unwrap_or(ProgressStyle::default_bar()));
    let done = |cases: usize| bar.set_position(cases as u64);
    let report = check_with_progress(&mut *program.sequence(1), &options, done);
    bar.finish_and_clear();
    let report = report.map_err(|error| Failure::new(error.to_string()))?;
    if args.json {
        print_json(&json(&loaded, args, &report))?;
    } else {
        print(text(&loaded, args, &report))?;
    }
    Ok(if report.passed() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn text(loaded: &Loaded, args: &Args, report: &Report) -> String {
    let heads = ["", "", "shape", "compared", "worst error", "analytic", "numeric", "at"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    for row in &report.rows {
        let worst = &row.worst;
        rows.push(vec![
            role(row).to_owned(),
            row.name.clone(),
            row.ty.to_string(),
            row.compared.to_string(),
            format!("{:.1e}", worst.relative_error),
            format!("{:.9e}", worst.analytic),
            format!("{:.9e}", worst.numeric),
            place(row),
        ]);
    }
    use Align::{Left, Right};
    let table = columns(2, &[Left, Left, Left, Right, Right, Right, Right, Left], &rows);
    let name = &loaded.tree.name.text;
    let with = match written(&loaded.cell.dims) {
        dims if dims.is_empty() => String::new(),
        dims => format!(" with {dims}"),
    };
    let verdict = if report.passed() {
        "the gradients agree: the worst relative error"
    } else {
        "the gradients DISAGREE: the worst relative error"
    };
    let comparison = if report.passed() { "within" } else { "over" };
    format!(
        "{name}{with}: backpropagation through time against central differences\n\
         {} cases, seed {}, f64\n\n{table}\n{verdict} is {:.1e}, {comparison} the tolerance of {:e}\n",
        report.cases, args.seed, report.max_relative_error, report.tolerance,
    )
}

fn role(row: &Row) -> &'static str {
    match row.role {
        Role::State => "initial",
        role => role.name(),
    }
}

fn place(row: &Row) -> String {
    let worst = &row.worst;
    let place = match &worst.place {
        Place::Entry(at) => format!("{at:?}"),
        Place::Direction => "a random direction".to_owned(),
    };
    format!("{place}, case {} (T = {}, B = {})", worst.case, worst.extent.steps, worst.extent.batch)
}

fn json(loaded: &Loaded, args: &Args, report: &Report) -> Value {
    let row = |row: &Row| {
        let worst = &row.worst;
        let entry = match &worst.place {
            Place::Entry(at) => json!(at),
            Place::Direction => Value::Null,
        };
        json!({
            "role": role(row),
            "name": row.name,
            "shape": row.ty.shape.as_slice(),
            "compared": row.compared,
            "max_relative_error": worst.relative_error,
            "worst": {
                "entry": entry,
                "analytic": worst.analytic,
                "numeric": worst.numeric,
                "case": worst.case,
                "steps": worst.extent.steps,
                "batch": worst.extent.batch,
            },
        })
    };
    json!({
        "cell": loaded.tree.name.text,
        "dims": dims_json(&loaded.cell.dims),
        "cases": report.cases,
        "seed": args.seed,
        "tolerance": report.tolerance,
        "passed": report.passed(),
        "max_relative_error": report.max_relative_error,
        "arguments": report.rows.iter().map(row).collect::<Value>(),
    })
}
