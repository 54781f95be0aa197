//! `cellc eval`

use std::fmt::Write;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use cellc_train::judge::{Judgement, judge};
use cellc_train::metrics::classification::Confusion;
use cellc_train::metrics::language::Language;
use cellc_train::metrics::regression::{Regression, RegressionScores};
use cellc_train::model::Model;
use cellc_train::run_folder::KeptRun;
use cellc_train::task::{Codec, Context, Figure, Part};
use clap::ValueEnum;
use serde_json::{Value, json};

use crate::commands::train::figures;
use crate::commands::train::report::{self, score_json};
use crate::failure::Failure;
use crate::models::{of_run, open, threads};
use crate::output::{print, print_json};

/// Judge a trained model by data
///
/// Of labels it tells precision, recall and F1 of each, and which is taken for which; of numbers, how
/// far off they are, beside the naive forecast; of what comes next in a text, bits and perplexity. The data are of the form of
/// those that the model was trained on.
#[derive(clap::Args)]
#[command(
    allow_negative_numbers = true,
    after_help = "\
Examples:
  cellc eval runs/chars-1
  cellc eval runs/reviews-1 --part held-out
  cellc eval runs/reviews-1 --data mine.csv --json"
)]
pub(crate) struct Args {
    /// The run folder
    run: PathBuf,
    /// The data; those held out in training if left out
    #[arg(long, value_name = "FILE", conflicts_with = "part")]
    data: Option<PathBuf>,
    /// A part of the data of the training
    #[arg(long, value_enum, default_value_t = PartName::HeldOut)]
    part: PartName,
    /// The column of the texts, or of the tokens; that of the training if left out
    #[arg(long, value_name = "NAME", requires = "data")]
    text_column: Option<String>,
    /// The column of the labels, or of the tags; that of the training if left out
    #[arg(long, value_name = "NAME", requires = "data")]
    label_column: Option<String>,
    /// How many threads; as many as there are cores if left out
    #[arg(long, value_name = "N")]
    threads: Option<NonZero<usize>>,
    /// Print one line of JSON
    #[arg(long)]
    json: bool,
}

/// `--part`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PartName {
    /// What the best model was chosen by
    Validation,
    /// What was held out
    HeldOut,
}

/// How well a model did.
struct Verdict {
    judgement: Judgement,
    /// What is reached without reading.
    baseline: Option<f64>,
    /// What the naive forecast is worth, if the task forecasts.
    naive: Option<RegressionScores>,
    figures: Vec<Figure>,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let (run, codec, model) = open(&args.run)?;
    let threads = threads(args.threads);
    let verdict = match &args.data {
        None => of_training(&run, codec.as_ref(), &model, args.part, threads)?,
        Some(data) => of_file(args, &run, codec.as_ref(), &model, data, threads)?,
    };
    if args.json {
        print_json(&json(args, &run, codec.as_ref(), &verdict))?;
    } else {
        print(text(codec.as_ref(), &verdict))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn json(args: &Args, run: &KeptRun, codec: &dyn Codec, verdict: &Verdict) -> Value {
    let Verdict { judgement, baseline, naive, figures } = verdict;
    let mut result = score_json(&judgement.score, codec);
    result["run"] = json!(args.run);
    result["task"] = json!(run.kept.task);
    match (&args.data, args.part) {
        (Some(data), _) => result["data"] = json!(data),
        (None, PartName::Validation) => result["part"] = json!("validation"),
        (None, PartName::HeldOut) => result["part"] = json!("heldout"),
    }
    result["symbols"] = json!(judgement.symbols);
    result["unknown_symbols"] = json!(judgement.unknown);
    if let Some(baseline) = baseline {
        let key = if codec.labels().is_empty() { "baseline" } else { "majority" };
        result[key] = json!(baseline);
    }
    if let Some(scores) = judgement.confusion.as_ref().and_then(Confusion::scores) {
        result["classification"] = json!(scores);
    }
    if let Some(scores) = judgement.errors.as_ref().and_then(Regression::scores) {
        report::put_errors(&mut result, scores, naive.clone());
    }
    if codec.continues() {
        let mut language = Language::default();
        language.add(judgement.score.loss, judgement.score.count as u64);
        result["language"] = json!(language.score());
    }
    for figure in figures {
        result[figure.name] = json!(figure.value);
    }
    result
}

fn text(codec: &dyn Codec, verdict: &Verdict) -> String {
    let Verdict { judgement, baseline, naive, figures } = verdict;
    let Judgement { score, confusion, errors, symbols, unknown } = judgement;
    let step = codec.step();
    let what = if codec.continues() { step } else { "answer" };
    let scores = errors.as_ref().and_then(Regression::scores);
    let forecast = scores.as_ref().zip(naive.as_ref());
    let mut text = report::verdict(score, codec, *baseline, forecast);
    // Writing to a string cannot fail.
    figures.iter().for_each(|figure| text += &format!(", {}", figure.text));
    let plural = if score.count == 1 { "" } else { "s" };
    let _ = writeln!(text, ", of {} {what}{plural}", score.count);
    if *unknown > 0 {
        let _ = writeln!(text, "{unknown} of {symbols} {step}s are unknown to the model");
    }
    if let Some((confusion, scores)) = confusion.as_ref().and_then(|c| Some((c, c.scores()?))) {
        let _ = write!(text, "\n{scores}\n{confusion}");
    }
    if let Some(scores) = scores {
        let of = if scores.channels.len() > 1 { "each target" } else { "the data" };
        let table = scores.table(naive.as_ref(), true);
        let _ = write!(text, "\nMAE and RMSE in the unit of {of}\n{table}");
    }
    text
}

/// Judges a model by a file.
fn of_file(
    args: &Args,
    run: &KeptRun,
    codec: &dyn Codec,
    model: &Model<f32>,
    data: &Path,
    threads: usize,
) -> Result<Verdict, Failure> {
    let mut options = run.experiment.task.clone();
    refuse_columns(args, run)?;
    let mut put = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            options.insert(key.to_owned(), value.into());
        }
    };
    put("data", Some(data.display().to_string()));
    let [texts, labels] = codec.column_options();
    put(texts, args.text_column.clone());
    put(labels, args.label_column.clone());
    let judged = codec.judged(&options).map_err(of_run)?;
    let mut run = model.run(threads);
    let judgement = judge(model, &mut run, codec, judged.batches())?;
    let figures = codec.figures(judged.batches(), &mut |batch| {
        run.forward(model, batch)?;
        Ok(run.logits().to_vec())
    })?;
    let baseline = judged.baseline().or_else(|| judgement.majority());
    Ok(Verdict { baseline, naive: judged.naive(), judgement, figures })
}

/// Refuses names of columns for a task whose data have none.
fn refuse_columns(args: &Args, run: &KeptRun) -> Result<(), Failure> {
    let known = (run.experiment.kind()?.options)();
    let has_columns = known.iter().any(|option| option.name.ends_with("_column"));
    let given = [("--text-column", &args.text_column), ("--label-column", &args.label_column)];
    match given.into_iter().find(|(_, name)| name.is_some()) {
        Some((option, _)) if !has_columns => Err(Failure::new(format!(
            "{option} has no meaning here: the data of task `{}` have no columns of texts and labels",
            run.kept.task
        ))),
        _ => Ok(()),
    }
}

/// Judges a model by a part of the data that it was trained with.
fn of_training(
    run: &KeptRun,
    codec: &dyn Codec,
    model: &Model<f32>,
    part: PartName,
    threads: usize,
) -> Result<Verdict, Failure> {
    let mend = "so nobody knows what was held out; put it back, or name data with --data";
    run.check_data().map_err(|error| Failure::new(format!("{error},\n{mend}")))?;
    let training = &run.experiment.training;
    let context = Context { batch: training.batch, seed: training.seed };
    let loaded = (run.experiment.kind()?.load)(&run.experiment.task, context)?;
    if loaded.codec.kept() != codec.kept() {
        return Err(Failure::new(
            "the data make another model than that of the run, so nobody knows what was held out; \
             name data with --data",
        ));
    }
    let task = loaded.task.as_ref();
    let (part, name) = match part {
        PartName::Validation => (Part::Validation, "validation"),
        PartName::HeldOut => (Part::HeldOut, "held-out"),
    };
    let Some(batches) = task.part(part) else {
        let mend = match part {
            Part::Validation => "it was trained without one (`cellc train --validation SHARE`)",
            Part::HeldOut => "name data with --data",
        };
        return Err(Failure::new(format!("the run has no {name} part: {mend}")));
    };
    let judgement = judge(model, &mut model.run(threads), codec, batches)?;
    let naive = task.naive(part);
    let (baseline, figures) = match part {
        Part::Validation => (judgement.majority(), Vec::new()),
        Part::HeldOut => (task.baseline(), figures(task, model, threads)?),
    };
    Ok(Verdict { judgement, baseline, naive, figures })
}
