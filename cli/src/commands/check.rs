//! `cellc check`

use std::process::ExitCode;

use cellc_compiler::diagnostic::{Diagnostic, Source, Span};
use serde_json::{Value, json};

use crate::describe;
use crate::dims::Dims;
use crate::failure::Failure;
use crate::load::{Missing, compile, load, source};
use crate::output::{print, print_json};

/// Check a cell, and say what it takes and gives
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cellc check my.cell
  cellc check lstm --dims I=64,H=128
  cellc check my.cell --json | jq '.diagnostics[].message'")]
pub(crate) struct Args {
    /// A name of the catalogue, or the path of a `.cell` file
    cell: String,
    /// The sizes of the cell's dimensions; chosen for you if left out
    #[arg(long, value_name = "I=3,H=4")]
    dims: Option<Dims>,
    /// Print one JSON object: `ok`, `cell`, and `diagnostics` with byte spans and positions
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    if !args.json {
        let loaded = load(&args.cell, args.dims.as_ref(), Missing::Choose)?;
        print(describe::text(&loaded))?;
        return Ok(ExitCode::SUCCESS);
    }
    let source = source(&args.cell)?;
    match compile(&source, args.dims.as_ref(), Missing::Choose) {
        Ok(loaded) => {
            let cell = describe::json(&loaded);
            print_json(&json!({ "ok": true, "cell": cell, "diagnostics": [] }))?;
            Ok(ExitCode::SUCCESS)
        }
        Err(faults) => {
            let faults: Value = faults.iter().map(|fault| diagnostic(fault, &source)).collect();
            print_json(&json!({ "ok": false, "cell": null, "diagnostics": faults }))?;
            Ok(ExitCode::from(2))
        }
    }
}

fn diagnostic(fault: &Diagnostic, source: &Source) -> Value {
    let label = |span, text: &str| json!({ "span": self::span(span, source), "text": text });
    json!({
        "severity": if fault.is_error() { "error" } else { "warning" },
        "message": fault.message,
        "file": source.name,
        "primary": label(fault.primary.span, &fault.primary.text),
        "secondary": fault.secondary.iter().map(|l| label(l.span, &l.text)).collect::<Value>(),
        "help": fault.help,
        "edits": fault.edits.iter().map(|edit| json!({
            "span": span(edit.span, source),
            "replacement": edit.replacement,
        })).collect::<Value>(),
    })
}

/// A span in bytes from 0, and in lines and columns (characters) from 1.
fn span(span: Span, source: &Source) -> Value {
    let position = |at: usize| {
        let (line, column) = source.position(at);
        json!({ "byte": at, "line": line, "column": column })
    };
    json!({ "start": position(span.start), "end": position(span.end) })
}
