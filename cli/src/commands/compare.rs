//! `cellc compare`

use std::num::NonZero;
use std::path::PathBuf;
use std::process::ExitCode;

use cellc_train::series::budget::Budget;
use cellc_train::series::compare::{compare, with_each};
use cellc_train::series::{Plan, Purpose, Series};

use crate::commands::series::{dry_run, go};
use crate::commands::train::options::Options;
use crate::commands::train::{check, free_folder, texts_of};
use crate::failure::Failure;
use crate::output::note;

/// Train several cells on one task under one budget, and say which is best
///
/// Each cell is trained from several seeds, and the cells are ranked by what their models reach on
/// the held-out part. Each training is a run that `eval`, `sample` and `train --resume` take; a
/// comparison that was stopped is gone on with by --resume.
#[derive(clap::Args)]
#[command(
    allow_negative_numbers = true,
    after_help = "\
All options of `cellc train` say what is trained, but for --cell.

Examples:
  cellc compare --cells rnn,lstm,gru
  cellc compare --cells lstm,my.cell --budget params --data shakespeare.txt
  cellc compare --cells lstm,gru --seeds 5 --budget 5m training.learning_rate=3e-3
  cellc compare --resume runs/compare-1"
)]
pub(crate) struct Args {
    #[command(flatten)]
    options: Options,
    /// The cells: names of the catalogue, or paths of `.cell` files
    #[arg(
        long,
        value_name = "CELLS",
        value_delimiter = ',',
        required_unless_present = "resume",
        conflicts_with = "cell"
    )]
    cells: Vec<String>,
    /// From how many seeds each cell is trained, from that of --seed on
    #[arg(long, value_name = "N", default_value = "3")]
    seeds: NonZero<u16>,
    /// What all have the same of: `steps` (updates, of layers of one size), `params` (updates, of
    /// layers of such sizes that models have as many parameters as that of the first cell), or time
    /// for each run, such as `5m` or `90s`: some updates of each cell are timed, and as many are made
    /// as will fit in
    #[arg(long, value_name = "BUDGET", default_value = "steps")]
    budget: Budget,
    /// Go on with a comparison that was stopped
    #[arg(long, value_name = "DIR", conflicts_with_all = ["Options", "cells", "seeds", "budget", "out", "dry_run"])]
    resume: Option<PathBuf>,
    /// Say which runs there would be, with their settings and an estimate of their time, and train none
    #[arg(long)]
    dry_run: bool,
    /// The folder of all runs; `runs/compare-<n>` if left out
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// End with one line of JSON on standard output
    #[arg(long)]
    json: bool,
    /// Show no progress
    #[arg(long)]
    quiet: bool,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let series = match &args.resume {
        Some(path) => Series::open(path, Purpose::Compare)?,
        None => {
            let plan = plan(args)?;
            if args.dry_run {
                args.out.as_deref().map_or(Ok(()), Series::check_free)?;
                return dry_run(&plan, args.quiet, args.json);
            }
            let path = free_folder(args.out.as_deref(), Purpose::Compare.name())?;
            Series::create(&path, plan)?
        }
    };
    go(&series, args.quiet, args.json)
}

fn plan(args: &Args) -> Result<Plan, Failure> {
    let base = args.options.experiment()?;
    let mut names: Vec<&str> = args.cells.iter().map(String::as_str).collect();
    names.extend(base.model.layer.iter().filter_map(|layer| layer.cell.as_deref()));
    names.sort_unstable();
    names.dedup();
    let cells = texts_of(&names)?;
    for experiment in with_each(&base, &args.cells, &cells)? {
        check(&experiment, &cells, args.quiet)?;
    }
    if let (Budget::Time(time), false) = (args.budget, args.quiet) {
        note(format_args!("timing some updates of each cell, for runs of {time:?}"));
    }
    let plan = compare(&base, &args.cells, cells, args.seeds.get().into(), args.budget)?;
    if !args.quiet {
        say(&plan);
    }
    Ok(plan)
}

/// What the budget came to.
fn say(plan: &Plan) {
    for group in &plan.groups {
        let (hidden, steps) = (group.chosen("model.hidden"), group.chosen("training.steps"));
        let steps = if steps.is_empty() { steps } else { format!(", {steps} steps") };
        note(format_args!("{}: H = {hidden}, {} parameters{steps}", group.name, group.parameters));
    }
}
