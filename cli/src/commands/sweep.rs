//! `cellc sweep`

use std::num::NonZero;
use std::path::PathBuf;
use std::process::ExitCode;

use cellc_train::blueprint::CellText;
use cellc_train::series::sweep::{Search, choices, keyed, sweep};
use cellc_train::series::{Plan, Purpose, Series};

use crate::commands::series::{dry_run, go};
use crate::commands::train::options::Options;
use crate::commands::train::{free_folder, texts};
use crate::failure::Failure;
use crate::output::note;

/// Search for the settings that train best
///
/// Keys of the experiment are given several values, and each choice of them is trained. The best is
/// chosen by the validation part alone. What each comes to on the held-out part is shown beside it, and
/// nothing is chosen by that. A search that was stopped is gone on with by --resume.
#[derive(clap::Args)]
#[command(
    allow_negative_numbers = true,
    after_help = "\
Values:
  training.learning_rate=1e-3,3e-3,1e-2   each of these; quote what has a comma in it
  training.learning_rate=1e-4..1e-2       with --random, a number from here to there: drawn evenly
                                          by its logarithm, if both ends are above 0 and one is 10
                                          times the other or more, and else evenly; whole, if both
                                          ends are

Examples:
  cellc sweep training.learning_rate=1e-3,3e-3,1e-2 model.hidden=64,128
  cellc sweep --random 20 training.learning_rate=1e-4..1e-2 model.cell=lstm,gru
  cellc sweep --resume runs/sweep-1
  cellc train --config runs/sweep-1/best.toml"
)]
pub(crate) struct Args {
    #[command(flatten)]
    options: Options,
    /// Try so many choices drawn at random, by the seed, instead of all
    #[arg(long, value_name = "N")]
    random: Option<NonZero<u16>>,
    /// From how many seeds each choice is trained, from that of --seed on
    #[arg(long, value_name = "N", default_value = "1")]
    seeds: NonZero<u16>,
    /// Go on with a search that was stopped
    #[arg(long, value_name = "DIR", conflicts_with_all = ["Options", "random", "seeds", "out", "dry_run"])]
    resume: Option<PathBuf>,
    /// Say which runs there would be, with their settings and an estimate of their time, and train none
    #[arg(long)]
    dry_run: bool,
    /// The folder of all runs; `runs/sweep-<n>` if left out
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
        Some(path) => Series::open(path, Purpose::Sweep)?,
        None => {
            let plan = plan(args)?;
            if args.dry_run {
                args.out.as_deref().map_or(Ok(()), Series::check_free)?;
                return dry_run(&plan, args.quiet, args.json);
            }
            let path = free_folder(args.out.as_deref(), Purpose::Sweep.name())?;
            Series::create(&path, plan)?
        }
    };
    go(&series, args.quiet, args.json)
}

fn plan(args: &Args) -> Result<Plan, Failure> {
    let axes = args.options.axes()?;
    let search = args.random.map_or(Search::Grid, |count| Search::Random(count.get().into()));
    // Where the seed itself is searched through, anything will do.
    let first = axes.iter().map(|axis| (axis.key.clone(), axis.any()));
    let seed = args.options.chosen(&first.collect())?.training.seed;
    let mut cells: Vec<CellText> = Vec::new();
    let mut experiments = Vec::new();
    for choice in choices(&axes, search, seed)? {
        let choice = keyed(&axes, &choice);
        let experiment = args.options.chosen(&choice)?;
        let known = |name: &&str| cells.iter().any(|text| text.name == *name);
        if !experiment.model.cell_names().iter().all(known) {
            for text in texts(&experiment, args.quiet)? {
                if cells.iter().all(|known| known.name != text.name) {
                    cells.push(text);
                }
            }
        }
        experiments.push((choice, experiment));
    }
    let (plan, set_aside) = sweep(experiments, cells, args.seeds.get().into())?;
    if !args.quiet {
        if let Some(share) = set_aside {
            note(format_args!(
                "the task has no validation part to choose the best by: {:.0} % of what there is to \
                 learn from is set aside (--validation)",
                100.0 * share
            ));
        }
        note(format_args!("{} choices, {} runs", plan.groups.len(), plan.trials.len()));
    }
    Ok(plan)
}
