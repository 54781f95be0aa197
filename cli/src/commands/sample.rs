//! `cellc sample`

use std::num::NonZero;
use std::path::PathBuf;
use std::process::ExitCode;

use cellc_train::generate::{Generator, Sampling};
use cellc_train::model::Model;
use cellc_train::task::vocabulary::Vocabulary;
use cellc_train::task::{Codec, continuation};
use serde_json::json;

use crate::failure::Failure;
use crate::models::open;
use crate::output::{note, print, print_json};

/// Let a model go on with a text
///
/// The model is one that was trained on what comes next, as by `--task chars`.
#[derive(clap::Args)]
#[command(
    allow_negative_numbers = true,
    after_help = "\
Examples:
  cellc sample runs/chars-1
  cellc sample runs/chars-1 --prompt \"The \" --length 200 --temperature 0.6
  cellc sample runs/chars-1 --top-p 0.9 --until \".\" --count 5"
)]
pub(crate) struct Args {
    /// The run folder
    run: PathBuf,
    /// What the text begins with
    #[arg(long, value_name = "TEXT", default_value = "")]
    prompt: String,
    /// How many symbols follow at most: characters, or words
    #[arg(long, value_name = "N", default_value_t = 500)]
    length: usize,
    /// End with the first time that this follows
    #[arg(long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    until: Option<String>,
    /// Below 1 the likely gets likelier; 0 takes the likeliest symbol each time
    #[arg(long, value_name = "X", default_value_t = 0.8, value_parser = temperature)]
    temperature: f64,
    /// Draw from the N likeliest symbols alone
    #[arg(long, value_name = "N")]
    top_k: Option<NonZero<usize>>,
    /// Draw from the likeliest symbols alone, as few as have this probability together
    #[arg(long, value_name = "P", default_value_t = 1.0, value_parser = top_p)]
    top_p: f64,
    /// What symbols are drawn from
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How many samples
    #[arg(long, value_name = "N", default_value = "1")]
    count: NonZero<u64>,
    /// Print a line of JSON for each sample
    #[arg(long)]
    json: bool,
}

fn temperature(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|x: &f64| x.is_finite() && *x >= 0.0);
    number.ok_or_else(|| "expected a number from 0 up, such as 0.8".to_owned())
}

fn top_p(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|x: &f64| *x > 0.0 && *x <= 1.0);
    number.ok_or_else(|| "expected a probability above 0 and up to 1, such as 0.9".to_owned())
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
    for number in 0..args.count.get() {
        if args.json {
            let mut text = String::new();
            let ended = sample(args, codec.as_ref(), &model, number, |piece| {
                text.push_str(piece);
                Ok(())
            })?;
            print_json(&json!({
                "sample": number + 1,
                "seed": args.seed,
                "prompt": args.prompt,
                "text": text,
                "ended": ended,
            }))?;
            continue;
        }
        if args.count.get() > 1 {
            print(format_args!("--- {} of {}\n", number + 1, args.count))?;
        }
        print(&args.prompt)?;
        sample(args, codec.as_ref(), &model, number, |piece| print(piece))?;
        print("\n")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Draws one sample and hands it on piece by piece. Tells whether it came to its end (`--until`).
fn sample(
    args: &Args,
    codec: &dyn Codec,
    model: &Model<f32>,
    number: u64,
    mut show: impl FnMut(&str) -> Result<(), Failure>,
) -> Result<bool, Failure> {
    let Args { temperature, top_k, top_p, seed, .. } = *args;
    let sampling = Sampling { temperature, top_k, top_p, seed, number };
    let (mut generator, mut symbols) = start(codec, model, sampling, &args.prompt)?;
    if args.prompt.is_empty() {
        symbols.clear();
    }
    let mut text = String::new();
    for _ in 0..args.length {
        let before = text.len();
        let symbol = generator.draw()?;
        text.push_str(&continuation(codec, &symbols, symbol));
        symbols.push(symbol);
        if let Some(end) = args.until.as_deref().and_then(|until| ends(&text, before, until)) {
            show(&text[before..end])?;
            return Ok(true);
        }
        show(&text[before..])?;
    }
    Ok(false)
}

/// Where a text ends that is to end with `until`, if that came with what was added at `before`.
fn ends(text: &str, before: usize, until: &str) -> Option<usize> {
    // It may have begun earlier, but was not whole.
    let mut from = before.saturating_sub(until.len());
    while !text.is_char_boundary(from) {
        from -= 1;
    }
    text[from..].find(until).map(|at| from + at + until.len()).filter(|end| *end > before)
}

/// A generator that has read the prompt; a line break or the most frequent symbol, if it is empty.
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
    let mut generator = Generator::new(model, codec.end(), sampling);
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
    let sampling = Sampling { temperature: 0.8, seed, ..Sampling::default() };
    let (mut generator, _) = start(codec, model, sampling, "")?;
    let drawn = (0..if codec.step() == "character" { 400 } else { 80 }).map(|_| generator.draw());
    let drawn = drawn.collect::<Result<Vec<_>, _>>()?;
    Ok(format!("\na sample:\n\n{}\n", codec.decode(&drawn)))
}

#[cfg(test)]
mod tests {
    use super::ends;

    #[test]
    fn a_sample_ends_where_its_end_is_whole() {
        assert_eq!(ends("one. two", 3, "."), Some(4));
        assert_eq!(ends("ab", 1, "ab"), Some(2));
        assert_eq!(ends("abc", 2, "ab"), None);
        assert_eq!(ends("äöü!", 6, "ü!"), Some(7));
        assert_eq!(ends("ab", 1, "abc"), None);
    }
}
