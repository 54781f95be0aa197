//! `cellc sample`

use std::path::PathBuf;
use std::process::ExitCode;

use cellc_train::generate::{Generator, Sampling};
use cellc_train::model::{Model, Readout};
use cellc_train::task::config::Words;

use crate::failure::Failure;
use crate::models::open;
use crate::output::{note, print};

/// Let a model of `--task chars` go on with a text
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
    let (run, model) = open(&args.run)?;
    if run.config.task.readout() != Readout::Each {
        return Err(Failure::new(format!(
            "{} labels texts and cannot continue one; `cellc sample` takes a run of `--task chars`",
            args.run.display()
        )));
    }
    let unknown: Vec<char> = {
        let known = |c: &char| run.words.symbols.number(c.encode_utf8(&mut [0; 4])) == 0;
        args.prompt.chars().filter(known).collect()
    };
    if !unknown.is_empty() {
        note(format_args!("note: the model has never seen {unknown:?}; it reads them as unknown"));
    }
    let sampling = Sampling { temperature: args.temperature, seed: args.seed };
    print(&args.prompt)?;
    let mut generator = start(&run.words, &model, sampling, &args.prompt)?;
    for _ in 0..args.length {
        print(run.words.symbols.symbol(generator.draw()?))?;
    }
    print("\n")?;
    Ok(ExitCode::SUCCESS)
}

/// A generator that has read the prompt; a line break or the most frequent character, if it is
/// empty.
fn start<'m>(
    words: &Words,
    model: &'m Model<f32>,
    sampling: Sampling,
    prompt: &str,
) -> Result<Generator<'m>, Failure> {
    let mut symbols = words.symbols.encode_chars(prompt);
    if symbols.is_empty() {
        let line_break = words.symbols.number("\n");
        let most_frequent = 1.min(words.symbols.len() as u32 - 1);
        symbols.push(if line_break == 0 { most_frequent } else { line_break });
    }
    let mut generator = Generator::new(model, sampling);
    for symbol in symbols {
        generator.read(symbol)?;
    }
    Ok(generator)
}

/// A sample to show after a training.
pub(crate) fn demonstration(
    words: &Words,
    model: &Model<f32>,
    seed: u64,
) -> Result<String, Failure> {
    let mut generator = start(words, model, Sampling { temperature: 0.8, seed }, "")?;
    let mut text = String::from("\na sample:\n\n");
    for _ in 0..400 {
        text.push_str(words.symbols.symbol(generator.draw()?));
    }
    text.push('\n');
    Ok(text)
}
