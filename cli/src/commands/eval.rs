//! `cellc eval`

use std::collections::BTreeMap;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use cellc_train::batch::{Batch, Data, IGNORED, Targets};
use cellc_train::model::{Model, Score};
use cellc_train::run_folder::KeptRun;
use cellc_train::task::vocabulary::Vocabulary;
use cellc_train::task::{Codec, Context, Figure, Part};
use cellc_train::trainer::evaluate;
use serde_json::json;

use crate::commands::train::figures;
use crate::commands::train::report::{self, score_json};
use crate::failure::Failure;
use crate::models::{open, threads};
use crate::output::{print, print_json};

/// Judge a trained model by data
///
/// A run of `--task chars` takes a text, the others a table of labelled texts (.csv, .tsv, .jsonl).
#[derive(clap::Args)]
#[command(
    allow_negative_numbers = true,
    after_help = "\
Examples:
  cellc eval runs/chars-1
  cellc eval runs/reviews-1 --data mine.csv --json"
)]
pub(crate) struct Args {
    /// The run folder
    run: PathBuf,
    /// The data; those held out in training if left out
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// The column of the texts; that of the training if left out
    #[arg(long, value_name = "NAME")]
    text_column: Option<String>,
    /// The column of the labels; that of the training if left out
    #[arg(long, value_name = "NAME")]
    label_column: Option<String>,
    /// How many threads; as many as there are cores if left out
    #[arg(long, value_name = "N")]
    threads: Option<NonZero<usize>>,
    /// Print one line of JSON
    #[arg(long)]
    json: bool,
}

/// How well a model did, on what.
struct Verdict {
    score: Score,
    /// What is reached without reading.
    baseline: Option<f64>,
    figures: Vec<Figure>,
    /// Symbols that the model does not know, and all of them.
    symbols: (usize, usize),
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let (run, codec, model) = open(&args.run)?;
    let threads = threads(args.threads);
    let verdict = match &args.data {
        None => held_out(&run, codec.as_ref(), &model, threads)?,
        Some(data) => judge(args, &run, codec.as_ref(), &model, data, threads)?,
    };
    let Verdict { score, baseline, figures, symbols: (unknown, all) } = verdict;
    if args.json {
        let mut result = score_json(&score, codec.as_ref());
        result["run"] = json!(args.run);
        result["task"] = json!(run.kept.task);
        result["symbols"] = json!(all);
        result["unknown_symbols"] = json!(unknown);
        if let Some(baseline) = baseline {
            let key = if codec.labels().is_empty() { "baseline" } else { "majority" };
            result[key] = json!(baseline);
        }
        for figure in figures {
            result[figure.name] = json!(figure.value);
        }
        print_json(&result)?;
        return Ok(ExitCode::SUCCESS);
    }
    let text = report::verdict(&score, codec.as_ref(), baseline);
    let figures: String = figures.iter().flat_map(|figure| [", ", figure.text.as_str()]).collect();
    let step = codec.step();
    let what = if codec.labels().is_empty() { step } else { "answer" };
    let unknown = match unknown {
        0 => String::new(),
        unknown => format!("{unknown} of {all} {step}s are unknown to the model\n"),
    };
    print(format!("{text}{figures}, of {} {what}s\n{unknown}", score.count))?;
    Ok(ExitCode::SUCCESS)
}

/// Judges a model by a file.
fn judge(
    args: &Args,
    run: &KeptRun,
    codec: &dyn Codec,
    model: &Model<f32>,
    data: &Path,
    threads: usize,
) -> Result<Verdict, Failure> {
    let mut options = run.experiment.task.clone();
    let mut put = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            options.insert(key.to_owned(), value.into());
        }
    };
    put("data", Some(data.display().to_string()));
    put("text_column", args.text_column.clone());
    put("label_column", args.label_column.clone());
    let batches = codec.judged(&options)?;
    let symbols = count_unknown(batches.iter());
    let baseline = majority(&batches);
    let score = evaluate(model, &mut model.run(threads), batches.into_iter().map(Ok))?;
    let baseline = (!codec.labels().is_empty()).then_some(baseline);
    Ok(Verdict { score, baseline, figures: Vec::new(), symbols })
}

/// Judges a model by what was held out when it was trained.
fn held_out(
    run: &KeptRun,
    codec: &dyn Codec,
    model: &Model<f32>,
    threads: usize,
) -> Result<Verdict, Failure> {
    let training = &run.experiment.training;
    let context = Context { batch: training.batch, seed: training.seed };
    let loaded = (run.experiment.kind()?.load)(&run.experiment.task, context)?;
    if loaded.codec.kept() != codec.kept() {
        return Err(Failure::new(
            "the data have changed since the training, so nobody knows what was held out; \
             name data with --data",
        ));
    }
    let task = loaded.task.as_ref();
    let parts = || task.part(Part::HeldOut).into_iter().flatten();
    let score = evaluate(model, &mut model.run(threads), parts())?;
    let batches = parts().collect::<Result<Vec<_>, _>>()?;
    let symbols = count_unknown(batches.iter());
    let figures = figures(task, model, threads)?;
    Ok(Verdict { score, baseline: task.baseline(), figures, symbols })
}

/// The share of the most frequent class, 0 to 1.
fn majority(batches: &[Batch]) -> f64 {
    let mut counts = BTreeMap::<u32, usize>::new();
    for batch in batches {
        if let Targets::Classes(classes) = &batch.targets {
            for &class in classes.iter().filter(|class| **class != IGNORED) {
                *counts.entry(class).or_default() += 1;
            }
        }
    }
    counts.values().max().copied().unwrap_or(0) as f64
        / counts.values().sum::<usize>().max(1) as f64
}

fn count_unknown<'a>(batches: impl Iterator<Item = &'a Batch>) -> (usize, usize) {
    let mut counts = (0, 0);
    for batch in batches {
        let Data::Symbols(symbols) = &batch.data else { continue };
        let begun = |i: &usize| batch.mask.get(*i).copied().unwrap_or(true);
        for i in (0..symbols.len()).filter(begun) {
            counts.0 += usize::from(symbols[i] == Vocabulary::UNKNOWN);
            counts.1 += 1;
        }
    }
    counts
}
