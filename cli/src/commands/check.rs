//! `cellc check`

use std::process::ExitCode;

use cellc_compiler::check::check_library;
use cellc_compiler::diagnostic::{Diagnostic, Source, Span};
use cellc_compiler::syntax::ast::Place;
use cellc_compiler::unit::{Faults, Unit};
use serde_json::{Value, json};

use crate::describe;
use crate::dims::Dims;
use crate::failure::Failure;
use crate::hypers::Hypers;
use crate::load::{Loaded, Missing, compile_unit, drawn, resolve, source, warn};
use crate::output::{print, print_json};

/// Check a cell, and say what it takes and gives
///
/// Of a library, a file of functions without a cell, the functions are checked as far as that goes
/// without a call. What has a meaning, but perhaps not the intended one, is a warning on standard error.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cellc check my.cell
  cellc check lstm --dims I=64,H=128
  cellc check my.cell --deny-warnings
  cellc check my.cell --json | jq '.diagnostics[].message'")]
pub(crate) struct Args {
    /// A name of the catalogue, or the path of a `.cell` file
    cell: String,
    /// The sizes of the cell's dimensions; chosen for you if left out
    #[arg(long, value_name = "I=3,H=4")]
    dims: Option<Dims>,
    /// The values of the cell's hyper-parameters; as the cell says if left out
    #[arg(long, value_name = "NAME=0.1")]
    set: Option<Hypers>,
    /// Exit with status 1 if there are warnings
    #[arg(long)]
    deny_warnings: bool,
    /// Print one JSON object: `ok`, `cell` (its dimensions, arguments, outputs and masks), and
    /// `diagnostics` with byte spans and positions
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let (dims, set) = (args.dims.as_ref(), args.set.as_ref());
    let unit = Unit::load(source(&args.cell)?, &mut resolve);
    if let Ok(unit) = &unit
        && unit.root().cell.is_none()
    {
        return library(args, unit);
    }
    match unit.and_then(|unit| compile_unit(unit, dims, set, Missing::Choose)) {
        Ok(loaded) => {
            let status = status(args, &loaded);
            let sources = &loaded.unit.sources;
            if args.json {
                let warnings = loaded.warnings.iter().map(|w| diagnostic(w, sources));
                let warnings: Value = warnings.collect();
                let (ok, cell) = (!is_denied(args, &loaded), describe::json(&loaded));
                print_json(&json!({ "ok": ok, "cell": cell, "diagnostics": warnings }))?;
            } else {
                print(describe::text(&loaded))?;
                warn(&loaded.warnings, sources);
            }
            Ok(status)
        }
        Err(faults) => refused(args, &faults),
    }
}

/// Says what is wrong with a file.
fn refused(args: &Args, Faults { diagnostics, sources }: &Faults) -> Result<ExitCode, Failure> {
    if !args.json {
        return Err(Failure::Diagnostics(drawn(diagnostics, sources)));
    }
    let faults: Value = diagnostics.iter().map(|d| diagnostic(d, sources)).collect();
    print_json(&json!({ "ok": false, "cell": null, "diagnostics": faults }))?;
    Ok(ExitCode::from(2))
}

/// Checks a file without a cell.
fn library(args: &Args, unit: &Unit) -> Result<ExitCode, Failure> {
    if args.dims.is_some() || args.set.is_some() {
        return Err(Failure::new(format!(
            "`{}` is a library, without a cell: it has no dimensions and no hyper-parameters",
            args.cell
        )));
    }
    if let Err(diagnostics) = check_library(unit) {
        return refused(args, &Faults { diagnostics, sources: unit.sources.clone() });
    }
    if args.json {
        let library = describe::library_json(unit.root());
        print_json(&json!({ "ok": true, "cell": null, "library": library, "diagnostics": [] }))?;
    } else {
        let is_of_catalogue = cellc_cells::find_library(&args.cell).is_some();
        let place = match is_of_catalogue {
            true => Place::Catalogue(args.cell.clone()),
            false => Place::File(args.cell.clone()),
        };
        print(describe::library(unit.root(), &args.cell, &place))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn status(args: &Args, loaded: &Loaded) -> ExitCode {
    if is_denied(args, loaded) { ExitCode::from(1) } else { ExitCode::SUCCESS }
}

fn is_denied(args: &Args, loaded: &Loaded) -> bool {
    args.deny_warnings && !loaded.warnings.is_empty()
}

fn diagnostic(fault: &Diagnostic, sources: &[Source]) -> Value {
    let name = |span: Span| &sources[span.file].name;
    let label = |span: Span, text: &str| json!({ "file": name(span), "span": self::span(span, sources), "text": text });
    json!({
        "severity": if fault.is_error() { "error" } else { "warning" },
        "message": fault.message,
        "file": name(fault.primary.span),
        "primary": label(fault.primary.span, &fault.primary.text),
        "secondary": fault.secondary.iter().map(|l| label(l.span, &l.text)).collect::<Value>(),
        "help": fault.help,
        "edits": fault.edits.iter().map(|edit| json!({
            "file": name(edit.span),
            "span": span(edit.span, sources),
            "replacement": edit.replacement,
        })).collect::<Value>(),
    })
}

/// A span in bytes from 0, and in lines and columns (characters) from 1.
fn span(span: Span, sources: &[Source]) -> Value {
    let source = &sources[span.file];
    let position = |at: usize| {
        let (line, column) = source.position(at);
        json!({ "byte": at, "line": line, "column": column })
    };
    json!({ "start": position(span.start), "end": position(span.end) })
}
