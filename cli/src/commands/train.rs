//! `cellc train`

use std::num::NonZero;
use std::path::PathBuf;
use std::process::ExitCode;

use cellc_train::blueprint::{Blueprint, Import};
use cellc_train::checkpoint::FORMAT;
use cellc_train::model::{Model, Readout};
use cellc_train::optimizer::{Method, Schedule};
use cellc_train::run_folder::{Config, RunFolder};
use cellc_train::task::config::{LoadedTask, TaskConfig, Words};
use cellc_train::trainer::{Outcome, Settings, train};
use clap::ValueEnum;
use serde_json::{Value, json};

use crate::commands::sample;
use crate::defaults::Defaults;
use crate::dims::Dims;
use crate::failure::Failure;
use crate::hypers::Hypers;
use crate::load::{unit, warn};
use crate::memory::memory;
use crate::models::{build, threads};
use crate::output::{note, print, print_json};
use crate::progress::{Progress, Unit};
use crate::verdicts::verdicts;

/// Train a model and keep it in a run folder
///
/// A model is an embedding, a stack of cells, a linear head and softmax cross-entropy. Without any
/// option it is an LSTM that reads short product reviews, made by the program itself, and decides
/// whether the reviewer would buy again.
#[derive(clap::Args)]
#[command(
    allow_negative_numbers = true,
    after_help = "\
Examples:
  cellc train
  cellc train --task chars --data shakespeare.txt
  cellc train --task classify --data sentences.tsv --cell gru
  cellc train --cell my.cell"
)]
pub(crate) struct Args {
    /// What to learn; if left out, what fits the data
    #[arg(long, value_enum)]
    task: Option<TaskName>,
    /// A text for `chars`; a .csv, .tsv or .jsonl table with a text and a label for `classify`
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// The column of the texts of `classify`
    #[arg(long, value_name = "NAME", default_value = "text")]
    text_column: String,
    /// The column of the labels of `classify`
    #[arg(long, value_name = "NAME", default_value = "label")]
    label_column: String,
    /// How many reviews are made to train on, for `reviews`
    #[arg(long, value_name = "N", value_parser = count::<10_000_000>)]
    examples: Option<NonZero<usize>>,
    /// A cell of the catalogue, or the path of a `.cell` file, with dimensions I and H
    #[arg(long, value_name = "CELL", default_value = "lstm")]
    cell: String,
    /// The sizes of the cell's dimensions beside I and H; those with a default may be left out
    #[arg(long, value_name = "P=32")]
    dims: Option<Dims>,
    /// The values of the cell's hyper-parameters; as the cell says if left out
    #[arg(long, value_name = "NAME=0.1")]
    set: Option<Hypers>,
    /// How many layers of cells
    #[arg(long, value_name = "N", value_parser = count::<100>)]
    layers: Option<NonZero<usize>>,
    /// The size H of a layer
    #[arg(long, value_name = "H", value_parser = count::<65_536>)]
    hidden: Option<NonZero<usize>>,
    /// The size of a symbol's vector
    #[arg(long, value_name = "N", value_parser = count::<65_536>)]
    embedding: Option<NonZero<usize>>,
    /// How many sequences are trained on at once
    #[arg(long, value_name = "N", value_parser = count::<1_000_000>)]
    batch: Option<NonZero<usize>>,
    /// How many steps gradients flow back through, for `chars`
    #[arg(long, value_name = "N", value_parser = count::<1_000_000>)]
    seq: Option<NonZero<usize>>,
    /// How parameters follow their gradients
    #[arg(long, value_enum, default_value_t = OptimizerName::Adam)]
    optimizer: OptimizerName,
    /// The learning rate at its highest
    #[arg(long, value_name = "RATE", value_parser = positive)]
    lr: Option<f64>,
    /// How the learning rate changes
    #[arg(long, value_enum, default_value_t = ScheduleName::Cosine)]
    schedule: ScheduleName,
    /// What the norm of all gradients together is clipped to; 0 for no clipping
    #[arg(long, value_name = "NORM", value_parser = not_negative)]
    clip: Option<f64>,
    /// How much parameters shrink at each step, times the learning rate
    #[arg(long, value_name = "RATE", value_parser = not_negative)]
    weight_decay: Option<f64>,
    /// The probability that a word is hidden from the model while it trains, for `classify`
    #[arg(long, value_name = "P", value_parser = share)]
    word_dropout: Option<f64>,
    /// How often the data are gone through
    #[arg(long, value_name = "N", conflicts_with = "steps", value_parser = positive)]
    epochs: Option<f64>,
    /// How many batches are trained on
    #[arg(long, value_name = "N")]
    steps: Option<NonZero<u64>>,
    /// The share of the data that the model is judged by and never trained on
    #[arg(long, value_name = "SHARE", value_parser = share)]
    held_out: Option<f64>,
    /// What everything random is drawn from
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How many threads; as many as there are cores if left out. Results do not depend on it
    #[arg(long, value_name = "N")]
    threads: Option<NonZero<usize>>,
    /// The most memory that the training may take, beside the data; long sequences are run in
    /// segments if they would take more, at the cost of one more run forward
    #[arg(long, value_name = "200MB", value_parser = memory)]
    memory: Option<usize>,
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

/// `--task`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TaskName {
    /// Product reviews made by the program: would the reviewer buy again?
    Reviews,
    /// The next character of a text
    Chars,
    /// The label of a text
    Classify,
}

/// `--optimizer`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum OptimizerName {
    /// Against the gradient
    Sgd,
    /// With a velocity that keeps 0.9 of itself (Polyak 1964)
    Momentum,
    /// By running moments of the gradient (Kingma & Ba 2015)
    Adam,
}

/// `--schedule`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ScheduleName {
    /// It stays as it is
    Constant,
    /// It rises quickly, then falls along half a cosine wave
    Cosine,
}

fn number(text: &str, fits: fn(f64) -> bool, expected: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|x: &f64| x.is_finite() && fits(*x));
    number.ok_or_else(|| format!("expected {expected}"))
}

/// A count from 1 up, within what memory there can be for.
fn count<const MOST: usize>(text: &str) -> Result<NonZero<usize>, String> {
    let count = text.parse().ok().filter(|count: &NonZero<usize>| count.get() <= MOST);
    count.ok_or_else(|| format!("expected a whole number from 1 to {MOST}"))
}

fn positive(text: &str) -> Result<f64, String> {
    number(text, |x| x > 0.0, "a number above 0")
}

fn not_negative(text: &str) -> Result<f64, String> {
    number(text, |x| x >= 0.0, "a number from 0 up")
}

fn share(text: &str) -> Result<f64, String> {
    number(text, |x| (0.0..1.0).contains(&x), "a share from 0 up and below 1, such as 0.1")
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let task_name = task_name(args)?;
    let defaults = Defaults::of(task_name);
    let task = task_config(args, task_name, &defaults)?;
    let unit = unit(&args.cell)?;
    let blueprint = Blueprint {
        cell: unit.sources[0].name.clone(),
        text: unit.sources[0].text.clone(),
        imports: Import::of(&unit),
        dims: args.dims.clone().unwrap_or_default().0.into_iter().collect(),
        hypers: args.set.clone().unwrap_or_default().0.into_iter().collect(),
        layers: args.layers.map_or(defaults.layers, NonZero::get),
        hidden: args.hidden.map_or(defaults.hidden, NonZero::get),
        embedding: args.embedding.map_or(defaults.embedding, NonZero::get),
    };
    // A fault of the cell is to be known before much data is read.
    blueprint.architecture(1, 2, task.readout())?;
    if !args.quiet {
        // A long run is the wrong time to find out what `cellc check` would have said.
        warn(&blueprint.warnings()?, &unit.sources);
    }
    let LoadedTask { mut task, words, summary } = {
        let loaded = task.load(args.seed);
        loaded.map_err(|error| too_little(Failure::from(error), args))?
    };
    let config = Config {
        format: FORMAT,
        task: task_config(args, task_name, &defaults)?,
        model: blueprint,
        training: settings(args, &defaults, task.batches_per_epoch()),
    };
    let readout = config.task.readout();
    let mut model = build(&config.model, &words, readout, args.seed)?;
    let folder = create_folder(args, &config, &words)?;
    let path = folder.path().to_owned();
    if !args.quiet {
        let Blueprint { cell, layers, hidden, .. } = &config.model;
        let cell = cell.trim_end_matches(".cell");
        note(format_args!("{summary}"));
        note(format_args!(
            "{layers} x {hidden} {cell}, {} parameters, {} steps of {}",
            model.size(),
            config.training.steps,
            args.batch.map_or(defaults.batch, NonZero::get),
        ));
        note(format_args!("kept in {} after each evaluation", path.display()));
    }
    let unit = match readout {
        Readout::Each => Unit::Symbols,
        Readout::Last => Unit::Examples,
    };
    let mut progress = Progress::new(folder, unit, config.training.steps, args.quiet);
    let outcome = train(task.as_mut(), &mut model, &config.training, &mut progress);
    progress.finish();
    let outcome = outcome?;
    let majority = task.majority();
    if args.json {
        print_json(&report(&path, &config, &model, &outcome, majority))?;
    } else {
        print(summary_text(&path, &outcome, majority))?;
        print(demonstration(&config, &words, &model)?)?;
        print(what_next(&path, &config))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The task that is asked for, or that fits the data.
fn task_name(args: &Args) -> Result<TaskName, Failure> {
    let table = |path: &PathBuf| {
        let ending = path.extension().and_then(|e| e.to_str()).unwrap_or("");
        ["csv", "tsv", "tab", "jsonl", "ndjson"].contains(&ending.to_ascii_lowercase().as_str())
    };
    let task = match (&args.data, args.task) {
        (_, Some(task)) => task,
        (None, None) => TaskName::Reviews,
        (Some(data), None) if table(data) => TaskName::Classify,
        (Some(_), None) => TaskName::Chars,
    };
    let misplaced = |option: &str, of: &str| {
        Err(Failure::new(format!("`{option}` has no meaning here; it is for `--task {of}`")))
    };
    match task {
        TaskName::Reviews if args.data.is_some() => {
            misplaced("--data", "chars` or `--task classify")
        }
        TaskName::Reviews if args.held_out.is_some() => {
            misplaced("--held-out", "chars` or `--task classify")
        }
        TaskName::Chars | TaskName::Classify if args.examples.is_some() => {
            misplaced("--examples", "reviews")
        }
        TaskName::Reviews | TaskName::Classify if args.seq.is_some() => misplaced("--seq", "chars"),
        TaskName::Reviews | TaskName::Chars if args.word_dropout.is_some() => {
            misplaced("--word-dropout", "classify")
        }
        TaskName::Chars | TaskName::Classify if args.data.is_none() => {
            let (name, what) = match task {
                TaskName::Chars => ("chars", "a text to learn from: `--data FILE.txt`"),
                _ => ("classify", "labelled texts: `--data FILE.csv` (or .tsv, .jsonl)"),
            };
            Err(Failure::new(format!("`--task {name}` needs {what}")))
        }
        task => Ok(task),
    }
}

fn task_config(args: &Args, task: TaskName, defaults: &Defaults) -> Result<TaskConfig, Failure> {
    let batch = args.batch.map_or(defaults.batch, NonZero::get);
    let held_out = args.held_out.unwrap_or(defaults.held_out);
    let data = args.data.clone().unwrap_or_default();
    Ok(match task {
        TaskName::Reviews => {
            let examples = args.examples.map_or(defaults.examples, NonZero::get);
            TaskConfig::Reviews { examples, batch }
        }
        TaskName::Chars => {
            let seq = args.seq.map_or(defaults.seq, NonZero::get);
            TaskConfig::Chars { data, batch, seq, held_out }
        }
        TaskName::Classify => TaskConfig::Classify {
            data,
            text_column: args.text_column.clone(),
            label_column: args.label_column.clone(),
            batch,
            held_out,
            word_dropout: args.word_dropout.unwrap_or(defaults.word_dropout),
            least_count: defaults.least_count,
        },
    })
}

/// Says which options make do with less data.
fn too_little(failure: Failure, args: &Args) -> Failure {
    match failure {
        Failure::Message(message) if message.contains("streams of") && args.data.is_some() => {
            Failure::new(format!("{message} (--batch, --seq)"))
        }
        failure => failure,
    }
}

fn settings(args: &Args, defaults: &Defaults, batches_per_epoch: usize) -> Settings {
    let epoch = batches_per_epoch as f64;
    let steps = match (args.steps, args.epochs) {
        (Some(steps), _) => steps.get(),
        (None, Some(epochs)) => ((epochs * epoch).round() as u64).max(1),
        (None, None) => ((defaults.epochs * epoch).round() as u64).max(defaults.least_steps),
    };
    Settings {
        optimizer: match args.optimizer {
            OptimizerName::Sgd => Method::SGD,
            OptimizerName::Momentum => Method::MOMENTUM,
            OptimizerName::Adam => Method::ADAM,
        },
        learning_rate: args.lr.unwrap_or(match args.optimizer {
            OptimizerName::Adam => defaults.learning_rate,
            // Their steps are as long as the gradient: they take far higher rates.
            OptimizerName::Momentum => 0.1,
            OptimizerName::Sgd => 1.0,
        }),
        schedule: match args.schedule {
            ScheduleName::Constant => Schedule::CONSTANT,
            ScheduleName::Cosine => Schedule::COSINE,
        },
        clip: args.clip.unwrap_or(defaults.clip),
        weight_decay: args.weight_decay.unwrap_or(defaults.weight_decay),
        steps,
        evaluate_every: steps.div_ceil(defaults.evaluations).max(1),
        patience: defaults.patience,
        seed: args.seed,
        threads: threads(args.threads),
        memory: args.memory,
    }
}

fn create_folder(args: &Args, config: &Config, words: &Words) -> Result<RunFolder, Failure> {
    if let Some(path) = &args.out {
        return Ok(RunFolder::create(path, config, words)?);
    }
    let free = (1_u64..)
        .map(|n| PathBuf::from(format!("runs/{}-{n}", config.task.name())))
        .find(|path| !path.exists());
    let path = free.ok_or_else(|| Failure::new("every name of a run folder is taken"))?;
    let created = RunFolder::create(&path, config, words);
    created.map_err(|error| Failure::new(format!("{error}\nName another folder with --out.")))
}

/// What `--json` ends with.
fn report(
    path: &std::path::Path,
    config: &Config,
    model: &Model<f32>,
    outcome: &Outcome,
    majority: Option<f64>,
) -> Value {
    let mut held_out = json!({ "loss": outcome.held_out.mean_loss() });
    if let Some(majority) = majority {
        held_out["accuracy"] = json!(outcome.held_out.accuracy());
        held_out["majority"] = json!(majority);
    }
    json!({
        "run": path,
        "task": config.task.name(),
        "steps": outcome.steps,
        "train_seconds": outcome.elapsed.as_secs_f64(),
        "parameters": model.size(),
        "heldout": held_out,
    })
}

fn summary_text(path: &std::path::Path, outcome: &Outcome, majority: Option<f64>) -> String {
    let score = &outcome.held_out;
    let verdict = match majority {
        Some(majority) => format!(
            "accuracy {:.1} % (the most frequent label: {:.1} %), loss {:.3} nats",
            100.0 * score.accuracy(),
            100.0 * majority,
            score.mean_loss()
        ),
        None => format!("loss {:.3} nats per character", score.mean_loss()),
    };
    let seconds = outcome.elapsed.as_secs_f64();
    format!("held out: {verdict}\ntrained in {seconds:.1} s, kept in {}\n", path.display())
}

/// What the model does now that it has learnt.
fn demonstration(config: &Config, words: &Words, model: &Model<f32>) -> Result<String, Failure> {
    match &config.task {
        TaskConfig::Reviews { .. } => verdicts(words, model, config.training.seed),
        TaskConfig::Chars { .. } => sample::demonstration(words, model, config.training.seed),
        TaskConfig::Classify { .. } => Ok(String::new()),
    }
}

fn what_next(path: &std::path::Path, config: &Config) -> String {
    let path = path.display();
    let commands = match &config.task {
        TaskConfig::Reviews { .. } => format!(
            "  cellc train --cell rnn                          \
             a cell without gates, on the same reviews\n  \
             cellc show lstm                                 the cell that has just learnt\n  \
             cellc train --task chars --data YOUR.txt        a text of your own\n  \
             cellc eval {path} --data YOUR.csv    reviews of your own: columns text, label\n"
        ),
        TaskConfig::Chars { .. } => format!(
            "  cellc sample {path} --prompt \"The \" --length 500 --temperature 0.8\n  \
             cellc eval {path} --data OTHER.txt\n"
        ),
        // Not the same data: the model has seen most of them.
        TaskConfig::Classify { .. } => format!(
            "  cellc eval {path}                     the rows held out, again\n  \
             cellc eval {path} --data OTHER.tsv    rows of your own\n"
        ),
    };
    format!("\nnext:\n{commands}")
}
