//! `cellc eval`

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use cellc_runtime::batch::Batch;
use cellc_runtime::model::{Model, Score};
use cellc_runtime::run_folder::KeptRun;
use cellc_runtime::task::config::{TaskConfig, labelled_examples};
use cellc_runtime::task::labelled::{Example, batches, majority};
use cellc_runtime::task::{Part, chars, read_text};
use cellc_runtime::trainer::evaluate;
use serde_json::json;

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
    /// The share of the most frequent label, for labels.
    majority: Option<f64>,
    /// Symbols that the model does not know, and all of them.
    symbols: (usize, usize),
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let (run, model) = open(&args.run)?;
    let threads = threads(args.threads);
    let verdict = match &args.data {
        None => held_out(&run, &model, threads)?,
        Some(data) => judge(args, &run, &model, data, threads)?,
    };
    let Verdict { score, majority, symbols: (unknown, all) } = verdict;
    if args.json {
        let mut result = json!({
            "run": args.run,
            "task": run.config.task.name(),
            "loss": score.mean_loss(),
            "count": score.count,
            "symbols": all,
            "unknown_symbols": unknown,
        });
        if let Some(majority) = majority {
            result["accuracy"] = json!(score.accuracy());
            result["majority"] = json!(majority);
        }
        print_json(&result)?;
        return Ok(ExitCode::SUCCESS);
    }
    let loss = score.mean_loss();
    let (unit, verdict) = match majority {
        Some(majority) => {
            let (accuracy, majority) = (100.0 * score.accuracy(), 100.0 * majority);
            let text =
                format!("accuracy {accuracy:.1} % (the most frequent label: {majority:.1} %)");
            ("words", format!("{text}, loss {loss:.3} nats, of {} texts", score.count))
        }
        None => {
            let bits = loss / std::f64::consts::LN_2;
            let text = format!("loss {loss:.3} nats per character ({bits:.3} bits)");
            ("characters", format!("{text}, of {} characters", score.count))
        }
    };
    let unknown = match unknown {
        0 => String::new(),
        unknown => format!("{unknown} of {all} {unit} are unknown to the model\n"),
    };
    print(format!("{verdict}\n{unknown}"))?;
    Ok(ExitCode::SUCCESS)
}

/// Judges a model by a file.
fn judge(
    args: &Args,
    run: &KeptRun,
    model: &Model<f32>,
    data: &Path,
    threads: usize,
) -> Result<Verdict, Failure> {
    if matches!(run.config.task, TaskConfig::Chars { .. }) {
        let symbols = run.words.symbols.encode_chars(&read_text(data)?);
        if symbols.len() < 2 {
            let message = "a text of two characters or more is needed: the second is predicted";
            return Err(Failure::new(format!("{}: {message}", data.display())));
        }
        let score = evaluate(model, &mut model.run(threads), chars::evaluation(&symbols))?;
        return Ok(Verdict { score, majority: None, symbols: count_unknown(&symbols) });
    }
    let mut columns = run.config.task.columns();
    columns.text = args.text_column.clone().unwrap_or(columns.text);
    columns.label = args.label_column.clone().unwrap_or(columns.label);
    let examples = labelled_examples(data, &columns, &run.words)?;
    let score = evaluate(model, &mut model.run(threads), batches(&examples))?;
    let symbols: Vec<u32> = examples.iter().flat_map(|e: &Example| e.symbols.clone()).collect();
    let majority = Some(majority(&examples, run.words.classes()));
    Ok(Verdict { score, majority, symbols: count_unknown(&symbols) })
}

/// Judges a model by what was held out when it was trained.
fn held_out(run: &KeptRun, model: &Model<f32>, threads: usize) -> Result<Verdict, Failure> {
    let loaded = run.config.task.load(run.config.training.seed)?;
    if loaded.words != run.words {
        return Err(Failure::new(
            "the data have changed since the training, so nobody knows what was held out; \
             name data with --data",
        ));
    }
    let parts = || loaded.task.part(Part::HeldOut).into_iter().flatten();
    let score = evaluate(model, &mut model.run(threads), parts())?;
    let real = |batch: Batch| -> Vec<u32> {
        let begun = |i: usize| batch.mask.get(i).copied().unwrap_or(true);
        (0..batch.symbols.len()).filter(|&i| begun(i)).map(|i| batch.symbols[i]).collect()
    };
    let symbols: Vec<u32> = parts().flat_map(real).collect();
    Ok(Verdict { score, majority: loaded.task.majority(), symbols: count_unknown(&symbols) })
}

fn count_unknown(symbols: &[u32]) -> (usize, usize) {
    (symbols.iter().filter(|symbol| **symbol == 0).count(), symbols.len())
}
