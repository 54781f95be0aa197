//! `cellc train`

mod diverged;
mod hint;
pub(crate) mod options;
pub(crate) mod report;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use cellc_train::blueprint::CellText;
use cellc_train::experiment::{Experiment, ExperimentError, Ready, Settings};
use cellc_train::judge::judge;
use cellc_train::metrics::regression::RegressionScores;
use cellc_train::model::{Model, Reads};
use cellc_train::run::Run;
use cellc_train::run_folder::{EXPERIMENT, RunFolder, read_experiment};
use cellc_train::task::{Codec, DataError, Figure, Part, Task, TaskError};
use cellc_train::trainer::{End, estimate};
use serde_json::json;

use self::options::Options;
use self::report::{Report, memory_text, time_text};
use crate::commands::sample;
use crate::commands::tasks::list;
use crate::failure::Failure;
use crate::load::{unit, warn};
use crate::output::{note, print, print_json};
use crate::progress::{Progress, listen_for_interrupt};
use crate::table::{Align, columns};
use crate::verdicts::verdicts;

/// Train a model and keep it in a run folder
///
/// A model is an embedding, a stack of cells, a linear head and a loss. Without any option it is an
/// LSTM that reads short product reviews, made by the program itself, and decides whether the
/// reviewer would buy again.
#[derive(clap::Args)]
#[command(
    allow_negative_numbers = true,
    after_help = help()
)]
pub(crate) struct Args {
    #[command(flatten)]
    options: Options,
    /// Go on with a run that was stopped, as if it had not been; with --steps, --epochs or --minutes, for
    /// longer than it was to
    #[arg(long, value_name = "DIR")]
    resume: Option<PathBuf>,
    /// Say what would be done, and do it not
    #[arg(long)]
    dry_run: bool,
    /// The run folder; `runs/<task>-<n>` if left out
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// End with one line of JSON on standard output
    #[arg(long)]
    json: bool,
    /// Show no progress
    #[arg(long)]
    quiet: bool,
}

const EXAMPLES: &str = "\
Examples:
  cellc train
  cellc train --task chars --data shakespeare.txt
  cellc train --task classify --data sentences.tsv --cell gru
  cellc train --task forecast --data load.csv task.horizon=24
  cellc train --cell my.cell
  cellc train --config experiment.toml training.seed=2
  cellc train --resume runs/chars-1";

fn help() -> String {
    format!("Tasks (`cellc tasks TASK` shows the options of one):\n{}\n{EXAMPLES}", list(2))
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    if let Some(path) = &args.resume {
        return resume(args, path);
    }
    let experiment = args.options.experiment()?;
    let cells = texts(&experiment, args.quiet)?;
    let data = experiment.task.get("data").and_then(toml::Value::as_str).map(PathBuf::from);
    let ready = experiment.ready(cells).map_err(|error| {
        let no_column =
            matches!(error, ExperimentError::Data(TaskError::Data(DataError::Column { .. })));
        let guessed = no_column && !args.options.names_task() && !args.options.names_column();
        let hint = data.filter(|_| guessed).and_then(|data| hint::other_task(&data));
        match (Failure::from(error), hint) {
            (Failure::Message(message), Some(hint)) => {
                Failure::Message(format!("{message}\n{hint}"))
            }
            (failure, _) => failure,
        }
    })?;
    if !args.quiet {
        note_of_doubts(&ready);
        let reads_numbers = matches!(ready.model.interface().reads, Reads::Reals(_));
        if reads_numbers && args.options.gives_embedding() {
            note("warning: this task reads numbers, which have no embedding: its size is ignored");
        }
    }
    if args.dry_run {
        args.out.as_deref().map_or(Ok(()), RunFolder::check_free)?;
        return dry_run(ready, args.json);
    }
    let task = ready.experiment.kind()?.name;
    let path = free_folder(args.out.as_deref(), task)?;
    let started = Run::start(ready, &path);
    let named = |error| match args.out {
        Some(_) => Failure::from(error),
        None => Failure::new(format!("{error}\nName another folder with --out.")),
    };
    go(args, started.map_err(named)?)
}

/// The texts of the cells of an experiment, after what `cellc check` would have said of them.
pub(crate) fn texts(experiment: &Experiment, quiet: bool) -> Result<Vec<CellText>, Failure> {
    let cells = texts_of(&experiment.model.cell_names())?;
    check(experiment, &cells, quiet)?;
    Ok(cells)
}

/// The texts of cells.
pub(crate) fn texts_of(names: &[&str]) -> Result<Vec<CellText>, Failure> {
    names.iter().map(|name| Ok(CellText::new(*name, &unit(name)?))).collect()
}

/// Says what `cellc check` would say of the cells: a long run is the wrong time to find that out.
pub(crate) fn check(
    experiment: &Experiment,
    cells: &[CellText],
    quiet: bool,
) -> Result<(), Failure> {
    let blueprint = experiment.blueprint(cells.to_vec());
    for (text, warnings) in blueprint.warnings()? {
        if !quiet {
            warn(&warnings, &unit(&text.name)?.sources);
        }
    }
    Ok(())
}

/// Says what of the data is perhaps a mistake.
pub(crate) fn note_of_doubts(ready: &Ready) {
    for doubt in ready.doubts() {
        note(format_args!("warning: {doubt}"));
    }
}

/// The folder that is asked for, or else the first of `runs/<name>-<n>` that there is not yet.
pub(crate) fn free_folder(asked: Option<&Path>, name: &str) -> Result<PathBuf, Failure> {
    if let Some(path) = asked {
        return Ok(path.to_owned());
    }
    let mut paths = (1_u64..).map(|n| PathBuf::from(format!("runs/{name}-{n}")));
    let free = paths.find(|path| !path.exists());
    free.ok_or_else(|| Failure::new("every name of a run folder is taken"))
}

/// Goes on with a run that was stopped.
fn resume(args: &Args, path: &Path) -> Result<ExitCode, Failure> {
    refuse_beside_resume(path)?;
    let how = args.options.continuation();
    let before = read_experiment(path).map(|experiment| experiment.training.steps);
    let mut run = Run::extend(path, &how)?;
    if let (Ok(before), false) = (before, args.quiet) {
        note_of_schedule(&run, before);
    }
    if let Some(threads) = args.options.threads() {
        run.ready.experiment.training.threads = threads;
    }
    if let Some(over) = run.over() {
        note(format_args!("{} is over: {over}", path.display()));
    }
    go(args, run)
}

/// Says where a longer schedule does not go on at the learning rate that the shorter one would have had.
fn note_of_schedule(run: &Run, before: u64) {
    let Settings { schedule, learning_rate, steps, .. } = run.ready.experiment.training;
    let rate = |steps| learning_rate * schedule.factor(run.step(), steps);
    if run.step() > 0 && rate(before) != rate(steps) {
        note(format_args!(
            "note: the learning rate follows a schedule of the whole length: it goes on at {:.2e}, as \
             in a run of {steps} steps, and not at {:.2e}, as in one of {before}",
            rate(steps),
            rate(before)
        ));
    }
}

/// Options that say how a run is watched or goes on, and not what its course so far was.
const BESIDE_RESUME: [&str; 10] =
    ["resume", "steps", "epochs", "minutes", "lr", "clip", "threads", "quiet", "json", "help"];

/// Refuses options that would make a run that is gone on with another than it was.
fn refuse_beside_resume(path: &Path) -> Result<(), Failure> {
    let command = <Args as clap::Args>::augment_args(clap::Command::new("train"));
    // They were parsed already: there is no error but a bug.
    let matches = command.clone().try_get_matches_from(std::env::args_os().skip(1));
    let matches = matches.map_err(|error| Failure::new(error.to_string()))?;
    let given = command.get_arguments().filter(|arg| {
        let source = matches.value_source(arg.get_id().as_str());
        source == Some(clap::parser::ValueSource::CommandLine)
            && !BESIDE_RESUME.contains(&arg.get_id().as_str())
    });
    let name = |arg: &clap::Arg| {
        arg.get_long().map_or_else(|| "KEY=VALUE".to_owned(), |long| format!("--{long}"))
    };
    let given: Vec<String> = given.map(name).collect();
    if given.is_empty() {
        return Ok(());
    }
    let (given, path) = (given.join(", "), path.display());
    Err(Failure::new(format!(
        "{given} cannot be given with --resume, which goes on with a run as if it had not been \
         stopped: {path}/{EXPERIMENT} says how\nBeside it there can be --steps, --epochs and \
         --minutes, for a longer run, --lr and --clip, if it diverges, and --threads, --quiet and \
         --json. To begin anew with other settings:\n  cellc train --config {path}/{EXPERIMENT} {given} .."
    )))
}

fn go(args: &Args, mut run: Run) -> Result<ExitCode, Failure> {
    let path = run.folder.path().to_owned();
    if !args.quiet {
        let Ready { experiment, loaded, model, .. } = &run.ready;
        let settings = &experiment.training;
        note(&loaded.summary);
        note(format_args!(
            "{}, {} parameters, {} steps of {}",
            layers(experiment),
            model.size(),
            settings.steps,
            settings.batch * settings.accumulate
        ));
        match &run.resumed {
            None => note(format_args!("kept in {} after each evaluation", path.display())),
            Some(resumed) => note(format_args!("going on after step {}", resumed.progress.step)),
        }
    }
    let mut progress = Progress::new(&run, None, args.quiet);
    listen_for_interrupt();
    let outcome = match run.train(&mut progress) {
        Ok(outcome) => outcome,
        Err(error) => {
            run.folder.remove_if_empty();
            return Err(diverged::explained(error, &run.ready, &path));
        }
    };
    let Ready { experiment, loaded, model, .. } = &run.ready;
    let (task, codec) = (loaded.task.as_ref(), loaded.codec.as_ref());
    let figures = match outcome.end {
        End::Interrupted => Vec::new(),
        _ => figures(task, model, experiment.training.threads)?,
    };
    let forecast = match outcome.end {
        End::Interrupted => None,
        _ => forecast_errors(task, codec, model, experiment.training.threads)?,
    };
    let (outcome, figures, forecast) = (&outcome, figures.as_slice(), forecast.as_ref());
    let (path, rose) = (path.as_path(), progress.rose());
    let report = Report { path, experiment, model, task, codec, outcome, figures, forecast, rose };
    if args.json {
        print_json(&report.json())?;
    } else {
        print(report.text())?;
        if outcome.end != End::Interrupted {
            print(demonstration(experiment, codec, model)?)?;
            print(what_next(path, experiment, codec))?;
        }
    }
    // As a shell says of what is stopped by Ctrl-C.
    Ok(if outcome.end == End::Interrupted { ExitCode::from(130) } else { ExitCode::SUCCESS })
}

/// Figures of the task's own.
pub(crate) fn figures(
    task: &dyn Task,
    model: &Model<f32>,
    threads: usize,
) -> Result<Vec<Figure>, Failure> {
    let mut run = model.run(threads);
    Ok(task.figures(&mut |batch| {
        run.forward(model, batch)?;
        Ok(run.logits().to_vec())
    })?)
}

/// How far forecasts of the held-out part are off, and the naive ones, if the task forecasts.
fn forecast_errors(
    task: &dyn Task,
    codec: &dyn Codec,
    model: &Model<f32>,
    threads: usize,
) -> Result<Option<(RegressionScores, RegressionScores)>, Failure> {
    let part = task.naive(Part::HeldOut).zip(task.part(Part::HeldOut));
    let Some((naive, batches)) = part else { return Ok(None) };
    let judgement = judge(model, &mut model.run(threads), codec, batches)?;
    let scores = judgement.errors.and_then(|errors| errors.scores());
    Ok(scores.map(|scores| (scores, naive)))
}

/// The layers in a few words.
fn layers(experiment: &Experiment) -> String {
    let model = &experiment.model;
    if !model.layer.is_empty() {
        return format!("{} layers of {}", model.layer.len(), model.cell_names().join(", "));
    }
    let cell = Path::new(&model.cell).file_stem().and_then(|stem| stem.to_str());
    let both = if model.bidirectional { "bidirectional " } else { "" };
    format!("{} x {} {both}{}", model.layers, model.hidden, cell.unwrap_or(&model.cell))
}

fn dry_run(mut ready: Ready, as_json: bool) -> Result<ExitCode, Failure> {
    let Ready { experiment, loaded, model, .. } = &mut ready;
    let shown = experiment.shown(loaded.codec.as_ref())?;
    if !as_json {
        print(toml::to_string(&shown).map_err(|error| Failure::new(error.to_string()))?)?;
    }
    note(&loaded.summary);
    note(format_args!("{} parameters", model.size()));
    let settings = &experiment.training;
    let estimate = estimate(loaded.task.as_ref(), model, settings)?;
    if as_json {
        print_json(&json!({
            "experiment": shown,
            "parameters": model.size(),
            "steps": settings.steps,
            "seconds": estimate.total(settings).as_secs_f64(),
            "bytes": estimate.memory.sum(),
        }))?;
    }
    note(memory_text(&estimate.memory, settings.memory));
    note(time_text(&estimate, settings));
    Ok(ExitCode::SUCCESS)
}

/// What the model does now that it has learnt.
fn demonstration(
    experiment: &Experiment,
    codec: &dyn Codec,
    model: &Model<f32>,
) -> Result<String, Failure> {
    let seed = experiment.training.seed;
    if experiment.task.get("name").and_then(toml::Value::as_str) == Some("reviews") {
        return verdicts(codec, model, seed);
    }
    if codec.continues() {
        return sample::demonstration(codec, model, seed);
    }
    Ok(String::new())
}

fn what_next(path: &Path, experiment: &Experiment, codec: &dyn Codec) -> String {
    let path = path.display();
    let of_run = |command: &str, rest: &str| format!("cellc {command} {path}{rest}");
    let commands = match experiment.task.get("name").and_then(toml::Value::as_str) {
        Some("reviews") => vec![
            ("cellc train --cell rnn".to_owned(), "a cell without gates, on the same reviews"),
            ("cellc show lstm".to_owned(), "the cell that has just learnt"),
            ("cellc train --task chars --data YOUR.txt".to_owned(), "a text of your own"),
            (of_run("predict", " YOUR.txt"), "reviews of your own, one a line"),
            (of_run("eval", " --data YOUR.csv"), "the same with answers: columns text, label"),
        ],
        _ if codec.continues() => vec![
            (of_run("sample", " --prompt \"The \" --length 500 --temperature 0.8"), ""),
            (of_run("eval", " --data OTHER.txt"), ""),
        ],
        // Not the same data: the model has seen most of them.
        _ => vec![
            (of_run("eval", ""), "what was held out, in all detail"),
            (of_run("eval", " --data OTHER"), "data of your own"),
            (of_run("predict", " FILE"), "answers to data of your own"),
        ],
    };
    let row = |(command, what): (String, &str)| vec![command, what.to_owned()];
    let rows: Vec<_> = commands.into_iter().map(row).collect();
    format!("\nnext:\n{}", columns(2, &[Align::Left; 2], &rows))
}
