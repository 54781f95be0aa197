//! `cellc predict`

mod input;
mod output;

use std::path::PathBuf;
use std::process::ExitCode;

use cellc_train::batch::{Batch, Data};
use cellc_train::model::{Model, ModelRun, Readout, Reads};
use cellc_train::task::Codec;
use serde_json::Value;

use self::input::{Input, Question, Reading};
use self::output::{Format, Output};
use crate::failure::Failure;
use crate::models::{of_run, open};
use crate::output::{note, print};

/// Let a trained model answer lines of a file, or of standard input
///
/// A line is a text, or a JSON object with the column of the texts; a file whose ending says that it is a
/// table (.csv, .tsv, .parquet, .npy, or of text with .gz behind) is read as in training. Each line of standard input is answered as soon as it is read, so that a
/// program can ask and wait. Of labels the answer is the likeliest, with the probabilities of all; of
/// what comes next in a text, the mean loss of the line (null for a line of one symbol, of which nothing
/// is predicted) and what is likeliest to follow.
///
/// A run that forecasts takes a file of the form of its training data (CSV, TSV, JSON lines, Parquet,
/// NumPy): the last rows of each series are read, and those that follow are the answer. A line is a JSON
/// array of past rows, each an array or an object. A run that tags takes the files that it is trained on
/// too (CoNLL, JSON lines, CSV, Parquet), whose tags are ignored. As CSV, an answer is a row for each step
/// with a column for each target, or a row for each token.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  echo \"Anything but amazing!\" | cellc predict runs/reviews-1
  cellc predict runs/reviews-1 reviews.csv --text-column body --keep --format csv
  cellc predict runs/forecast-1 load.csv --format csv
  tail -f log.jsonl | cellc predict runs/classify-1 --keep --skip-bad")]
pub(crate) struct Args {
    /// The run folder
    run: PathBuf,
    /// The lines; `-` for standard input
    #[arg(default_value = "-")]
    file: PathBuf,
    /// The column of the texts, or of the tokens; that of the training if left out
    #[arg(long, value_name = "NAME")]
    text_column: Option<String>,
    /// How answers are printed
    #[arg(long, value_enum, default_value_t = Format::Jsonl)]
    format: Format,
    /// Print what stood in a line beside its answer; a field of an answer's name as `input_NAME`
    #[arg(long)]
    keep: bool,
    /// Pass over lines that cannot be read, and say so, where else the first ends the program; in a series,
    /// what cannot be read is then missing
    #[arg(long)]
    skip_bad: bool,
}

/// How many lines of a file are answered at once. Lines of standard input are answered one by one: how
/// many are waiting is chance, and the last bits of an answer may depend on who shares its batch.
const TOGETHER: usize = 64;

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let (run, codec, model) = open(&args.run)?;
    let codec = codec.as_ref();
    let options = &run.experiment.task;
    let of_training = codec.column(options);
    let column = args.text_column.as_deref().unwrap_or(&of_training);
    let streamed = args.file.as_os_str() == "-";
    // A line of a plain table may be asked with what stands beside it.
    let ending = args.file.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let by_line = streamed || args.keep && codec.reads_lists() && ending == "csv";
    let asked = match by_line {
        true => None,
        false => codec.asked(&args.file, args.text_column.as_deref(), options).map_err(of_run)?,
    };
    let mut output = Output::new(args.format, args.keep);
    let mut input = match asked {
        Some(asked) => {
            refuse_beside_a_whole_file(args, codec)?;
            Input::of_file(&args.file, asked)
        }
        None => {
            let header = options.get("header").and_then(toml::Value::as_bool);
            Input::open(&args.file, &Reading { column, header, keep: args.keep }, codec)?
        }
    };
    let mut memory = model.run(1);
    // Without a mask, only sequences of one length can share a batch.
    let most = if streamed || !codec.interface().masked { 1 } else { TOGETHER };
    loop {
        let (mut questions, mut end) = (Vec::new(), None);
        while questions.len() < most && end.is_none() {
            match input.next(codec)? {
                None => end = Some(Ok(ExitCode::SUCCESS)),
                Some(Ok(question)) => questions.push(question),
                Some(Err(fault)) if args.skip_bad => note(format_args!("skipped: {fault}")),
                Some(Err(fault)) => {
                    let mend = "Mend it, or pass over what cannot be read with --skip-bad.";
                    end = Some(Err(Failure::new(format!("{fault}\n{mend}"))));
                }
            }
        }
        let answers = answer(codec, &model, &mut memory, &questions)?;
        let mut text = String::new();
        for (question, answer) in questions.into_iter().zip(answers) {
            let rows = codec.rows(&answer);
            text += &output.line(question, answer, rows)?;
        }
        if !text.is_empty() {
            print(text)?;
        }
        if let Some(end) = end {
            return end;
        }
    }
}

/// Refuses options that are of no meaning for a file whose lines are no questions of their own.
fn refuse_beside_a_whole_file(args: &Args, codec: &dyn Codec) -> Result<(), Failure> {
    let file = args.file.display();
    if args.keep {
        return Err(Failure::new(format!(
            "--keep: a line of {file} is no question of its own, so nothing stands beside it"
        )));
    }
    if args.text_column.is_some() && !codec.reads_lists() {
        return Err(Failure::new(format!(
            "--text-column: the model reads no texts of {file}, but the columns that it was trained on"
        )));
    }
    Ok(())
}

/// The answers to questions that share a batch.
fn answer(
    codec: &dyn Codec,
    model: &Model<f32>,
    run: &mut ModelRun<f32>,
    questions: &[Question],
) -> Result<Vec<Value>, Failure> {
    if questions.is_empty() {
        return Ok(Vec::new());
    }
    let interface = codec.interface();
    let batch = codec.batch(&questions.iter().map(|q| &q.example).collect::<Vec<_>>());
    run.forward(model, &batch)?;
    let width = interface.answers.width();
    let row = |row: usize| &run.logits()[row * width..][..width];
    let answers = questions.iter().enumerate().map(|(column, question)| {
        let Batch { extent, .. } = batch;
        let numbers = match interface.readout {
            Readout::Last => row(column).to_vec(),
            Readout::Each => {
                // Shorter sequences are padded on the left.
                let steps = match (&question.example.data, interface.reads) {
                    (Data::Symbols(symbols), _) => symbols.len(),
                    (Data::Reals(reals), Reads::Reals(width)) => reals.len() / width.max(1),
                    (Data::Reals(reals), Reads::Symbols(_)) => reals.len(),
                };
                let own = extent.steps - steps.max(1)..extent.steps;
                own.flat_map(|step| row(step * extent.batch + column)).copied().collect()
            }
        };
        codec.answer_to(&question.asked, &question.example, &numbers)
    });
    Ok(answers.collect())
}
