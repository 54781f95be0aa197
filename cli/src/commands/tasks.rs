//! `cellc tasks`

use std::process::ExitCode;

use cellc_train::experiment::ExperimentError;
use cellc_train::task::options::OptionInfo;
use cellc_train::task::{self, Kind};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::output::{print, print_json};
use crate::table::{Align, columns};

/// List the tasks that `cellc train` knows; or show one task's options, what they mean and what they
/// are if they are left out
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cellc tasks
  cellc tasks forecast
  cellc train --task forecast --data load.csv task.horizon=24
  cellc tasks --json | jq '.[].name'")]
pub(crate) struct Args {
    /// A task to be shown in full; all are listed if left out
    name: Option<String>,
    /// Print a JSON array of objects, or one object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    match &args.name {
        None if args.json => print_json(&task::KINDS.iter().map(as_json).collect())?,
        None => print(list(0))?,
        Some(name) => {
            let unknown = || ExperimentError::Task { found: name.clone() };
            let kind = task::find(name).ok_or_else(unknown)?;
            if args.json { print_json(&as_json(kind))? } else { print(page(kind))? }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The tasks, a line each, indented by `indent`.
pub(crate) fn list(indent: usize) -> String {
    let row = |kind: &Kind| vec![kind.name.to_owned(), kind.about.to_owned()];
    let rows: Vec<_> = task::KINDS.iter().map(row).collect();
    columns(indent, &[Align::Left, Align::Left], &rows)
}

fn as_json(kind: &Kind) -> Value {
    let option = |option: OptionInfo| {
        let OptionInfo { name, default, meaning } = option;
        json!({ "name": name, "default": default, "meaning": meaning })
    };
    let options: Vec<Value> = (kind.options)().into_iter().map(option).collect();
    json!({
        "name": kind.name,
        "about": kind.about,
        "endings": kind.endings,
        "defaults": kind.defaults.parse::<toml::Table>().unwrap_or_default(),
        "options": options,
    })
}

/// Columns of a line.
const WIDTH: usize = 92;

fn page(kind: &Kind) -> String {
    let mut text = format!("{}: {}\n", kind.name, kind.about);
    if !kind.endings.is_empty() {
        text += &format!("\ntaken for files that end in .{}\n", kind.endings.join(", ."));
    }
    text += "\noptions, given as `task.NAME=VALUE`, and what they are if they are left out:\n";
    for OptionInfo { name, default, meaning } in (kind.options)() {
        text += &format!("\n  {name} = {default}\n");
        for line in wrapped(&meaning, WIDTH - 6) {
            text += &format!("      {line}\n");
        }
    }
    text += "\nwhat else its trainings do that say nothing else:\n\n";
    for line in kind.defaults.lines().map(str::trim).filter(|line| !line.is_empty()) {
        text += &format!("  {line}\n");
    }
    text
}

fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
