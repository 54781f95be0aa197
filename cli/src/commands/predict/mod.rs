//! `cellc predict`

mod input;
mod output;

use std::path::PathBuf;
use std::process::ExitCode;

use cellc_train::batch::{Batch, Data};
use cellc_train::model::{Model, ModelRun, Readout, Reads};
use cellc_train::task::Codec;
use serde_json::Value;

use self::input::{Input, Question};
use self::output::{Format, Output};
use crate::failure::Failure;
use crate::models::open;
use crate::output::{note, print};

/// Let a trained model answer lines of a file, or of standard input
///
/// A line is a text, or a JSON object with the column of the texts; a file that ends with .csv or .tsv
/// is a table with a header. Each line of standard input is answered as soon as it is read, so that a
/// program can ask and wait. Of labels the answer is the likeliest, with the probabilities of all; of
/// what comes next in a text, the mean loss of the line (null for a line of one symbol, of which nothing
/// is predicted) and what is likeliest to follow.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  echo \"Anything but amazing!\" | cellc predict runs/reviews-1
  cellc predict runs/reviews-1 reviews.csv --text-column body --keep --format csv
  tail -f log.jsonl | cellc predict runs/classify-1 --keep --skip-bad")]
pub(crate) struct Args {
    /// The run folder
    run: PathBuf,
    /// The lines; `-` for standard input
    #[arg(default_value = "-")]
    file: PathBuf,
    /// The column of the texts; that of the training if left out
    #[arg(long, value_name = "NAME")]
    text_column: Option<String>,
    /// How answers are printed
    #[arg(long, value_enum, default_value_t = Format::Jsonl)]
    format: Format,
    /// Print what stood in a line beside its answer; a field of an answer's name as `input_NAME`
    #[arg(long)]
    keep: bool,
    /// Pass over lines that cannot be read, and say so, where else the first ends the program
    #[arg(long)]
    skip_bad: bool,
}

/// How many lines of a file are answered at once. Lines of standard input are answered one by one: how
/// many are waiting is chance, and the last bits of an answer may depend on who shares its batch.
const TOGETHER: usize = 64;

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let (run, codec, model) = open(&args.run)?;
    let codec = codec.as_ref();
    let of_training = run.experiment.task.get("text_column").and_then(toml::Value::as_str);
    let column = args.text_column.as_deref().or(of_training).unwrap_or("text");
    let streamed = args.file.as_os_str() == "-";
    let mut input = Input::open(&args.file, column, codec)?;
    let mut output = Output::new(args.format, args.keep);
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
                    let mend = "Mend the line, or pass over such lines with --skip-bad.";
                    end = Some(Err(Failure::new(format!("{fault}\n{mend}"))));
                }
            }
        }
        let answers = answer(codec, &model, &mut memory, &questions)?;
        let mut text = String::new();
        for (question, answer) in questions.into_iter().zip(answers) {
            text += &output.line(question, answer)?;
        }
        if !text.is_empty() {
            print(text)?;
        }
        if let Some(end) = end {
            return end;
        }
    }
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
