//! `cellc cells`

mod json;
mod markdown;
mod text;

use std::process::ExitCode;

use cellc_compiler::suggest::closest;

use crate::dims::Dims;
use crate::facts::Facts;
use crate::failure::Failure;
use crate::output::{print, print_json};

/// List the catalogue of cells, and its libraries of functions; or show one cell in full
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cellc cells
  cellc cells lstm
  cellc cells --dims I=64,H=128
  cellc cells --json | jq '.[].name'
  cellc cells lstm --markdown > lstm.md")]
pub(crate) struct Args {
    /// A cell or a library of the catalogue, to be shown in full; all are listed if left out
    name: Option<String>,
    /// Count the parameters for these sizes, where a cell's dimensions are among them
    #[arg(long, value_name = "I=64,H=128")]
    dims: Option<Dims>,
    /// Print a JSON array of objects, or one object
    #[arg(long)]
    json: bool,
    /// Print a page of documentation, with the cell drawn
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let dims = args.dims.clone().unwrap_or_default();
    if let Some(library) = args.name.as_deref().and_then(cellc_cells::find_library) {
        return show_library(args, library);
    }
    if let Some(name) = &args.name {
        let entry = cellc_cells::find(name).ok_or_else(|| unknown(name))?;
        let cell = Facts::of(entry, &dims)?;
        known(&dims, std::slice::from_ref(&cell))?;
        match (args.json, args.markdown) {
            (true, _) => print_json(&json::one(&cell))?,
            (_, true) => print(markdown::page(&cell))?,
            (false, false) => print(text::one(&cell))?,
        }
        return Ok(ExitCode::SUCCESS);
    }
    let entries = cellc_cells::all().iter();
    let cells: Vec<Facts> =
        entries.map(|entry| Facts::of(entry, &dims)).collect::<Result<_, _>>()?;
    known(&dims, &cells)?;
    match (args.json, args.markdown) {
        (true, _) => print_json(&cells.iter().map(json::summary).collect())?,
        (_, true) => print(markdown::index(&cells))?,
        (false, false) => print(text::list(&cells))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn show_library(args: &Args, library: &cellc_cells::Library) -> Result<ExitCode, Failure> {
    if args.markdown || args.dims.is_some() {
        return Err(Failure::new(format!(
            "`{}` is a library of functions, and no cell: it has no dimensions and no page",
            library.name
        )));
    }
    if args.json {
        print_json(&json::library(library))?;
    } else {
        print(text::library(library))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn unknown(name: &str) -> Failure {
    let hint = match closest(name, cellc_cells::all().iter().map(|entry| entry.name)) {
        Some(near) => format!("; did you mean `{near}`?"),
        None => String::new(),
    };
    Failure::new(format!(
        "the catalogue has no cell `{name}`{hint}\n\
         `cellc cells` lists it; `cellc check FILE` says what a cell of your own is."
    ))
}

/// Checks that each dimension is one of some cell's.
fn known(dims: &Dims, cells: &[Facts]) -> Result<(), Failure> {
    let all =
        || cells.iter().flat_map(|cell| cell.tree.dims.iter().map(|dim| dim.name.text.as_str()));
    match dims.0.iter().find(|(name, _)| !all().any(|dim| dim == name)) {
        None => Ok(()),
        Some((name, _)) => {
            let hint = closest(name, all()).map(|near| format!("; did you mean `{near}`?"));
            let hint = hint.unwrap_or_default();
            Err(Failure::new(format!("no cell has a dimension `{name}`{hint}")))
        }
    }
}
