//! `cellc sample`

use std::path::PathBuf;
use std::process::ExitCode;

use cellc_train::generate::{Generator, Sampling};
use cellc_train::model::Model;
use cellc_train::task::vocabulary::Vocabulary;
use cellc_train::task::{Codec, continuation};

use crate::failure::Failure;
use crate::models::open;
use crate::output::{note, print};

/// Let a model of `--task chars` or `--task words` go on with a text
#[derive(clap::Args)]
#[command(
    allow_negative_numbers = true,
    after_help = "\
Examples:
  cellc sample runs/chars-1
  cellc sample runs/chars-1 --prompt \"The \" --length 200 --temperature 0.6"
)]
pub(crate) struct Args {
    /// The run folder
    run: PathBuf,
    /// What the text begins with
    #[arg(long, value_name = "TEXT", default_value = "")]
    prompt: String,
    /// How many characters follow
    #[arg(long, value_name = "N", default_value_t = 500)]
    length: usize,
    /// Below 1 the likely gets likelier; 0 takes the likeliest character each time
    #[arg(long, value_name = "X", default_value_t = 0.8, value_parser = temperature)]
    temperature: f64,
    /// What characters are drawn from
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

fn temperature(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|x: &f64| x.is_finite() && *x >= 0.0);
    number.ok_or_else(|| "expected a number from 0 up, such as 0.8".to_owned())
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let (run, codec, model) = open(&args.run)?;
    if !codec.continues() {
        return Err(Failure::new(format!(
            "{} is a run of `--task {}` and cannot continue a text; `cellc sample` takes a run of \
             `--task chars` or `--task words`",
            args.run.display(),
            run.kept.task
        )));
    }
    let unknown = codec.encode(&args.prompt).unwrap_or_default();
    let unknown = unknown.iter().filter(|symbol| **symbol == Vocabulary::UNKNOWN).count();
    if unknown > 0 {
        note(format_args!(
            "note: the model has never seen {unknown} of the prompt's {}s; it reads them as unknown",
            codec.step()
        ));
    }
    let sampling = Sampling { temperature: args.temperature, seed: args.seed };
    let (mut generator, mut symbols) = start(codec.as_ref(), &model, sampling, &args.prompt)?;
    // Where spaces are no symbols, one comes with the next word.
    let spaced = codec.decode(&symbols).ends_with(char::is_whitespace);
    print(if spaced { &args.prompt } else { args.prompt.trim_end() })?;
    if args.prompt.is_empty() {
        symbols.clear();
    }
    for _ in 0..args.length {
        let symbol = generator.draw()?;
        print(continuation(codec.as_ref(), &symbols, symbol))?;
        symbols.push(symbol);
    }
    print("\n")?;
    Ok(ExitCode::SUCCESS)
}

/// A generator that has read the prompt, and its symbols; a line break or the most frequent symbol, if
/// it is empty.
fn start<'m>(
    codec: &dyn Codec,
    model: &'m Model<f32>,
    sampling: Sampling,
    prompt: &str,
) -> Result<(Generator<'m>, Vec<u32>), Failure> {
    let mut symbols = codec.encode(prompt).unwrap_or_default();
    if symbols.is_empty() {
        let line_break = codec.encode("\n").unwrap_or_default();
        let line_break = line_break.first().filter(|symbol| **symbol != Vocabulary::UNKNOWN);
        let count = codec.vocabulary().map_or(0, Vocabulary::len);
        symbols.push(line_break.copied().unwrap_or(1.min(count.saturating_sub(1) as u32)));
    }
    let mut generator = Generator::new(model, sampling);
    for &symbol in &symbols {
        generator.read(symbol)?;
    }
    Ok((generator, symbols))
}

/// A sample to show after a training.
pub(crate) fn demonstration(
    codec: &dyn Codec,
    model: &Model<f32>,
    seed: u64,
) -> Result<String, Failure> {
    let (mut generator, _) = start(codec, model, Sampling { temperature: 0.8, seed }, "")?;
    let drawn = (0..if codec.step() == "character" { 400 } else { 80 }).map(|_| generator.draw());
    let drawn = drawn.collect::<Result<Vec<_>, _>>()?;
    Ok(format!("\na sample:\n\n{}\n", codec.decode(&drawn)))
}
