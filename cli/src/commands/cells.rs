//! `cellc cells`

use std::process::ExitCode;

use cellc_cells::{Entry, Kind};
use cellc_compiler::check::{Bindings, check_unit};
use cellc_compiler::diagnostic::{Source, render};
use cellc_compiler::suggest::closest;
use cellc_compiler::syntax::ast::{self, Item};
use cellc_compiler::syntax::parse;
use cellc_compiler::unit::{Faults, Unit};

use cellc_runtime::sequence::Interface;
use serde_json::{Value, json};

use crate::describe::param_elements;
use crate::dims::Dims;
use crate::failure::Failure;
use crate::formula::param_count;
use crate::load::resolve;
use crate::output::{print, print_json};
use crate::table::{Align, columns};

/// List the catalogue of cells, and its libraries of functions
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cellc cells
  cellc cells --dims I=64,H=128
  cellc cells --json | jq '.[].name'")]
pub(crate) struct Args {
    /// Count the parameters for these sizes, where a cell's dimensions are among them
    #[arg(long, value_name = "I=64,H=128")]
    dims: Option<Dims>,
    /// Print a JSON array of objects
    #[arg(long)]
    json: bool,
}

/// A cell of the catalogue with what its text says.
struct Listed {
    entry: &'static Entry,
    tree: ast::Cell,
    /// The number of parameters, if every dimension has a size.
    elements: Option<usize>,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let dims = args.dims.clone().unwrap_or_default();
    let cells: Vec<Listed> =
        (cellc_cells::all().iter()).map(|entry| list(entry, &dims)).collect::<Result<_, _>>()?;
    known(&dims, &cells)?;
    if args.json {
        print_json(&cells.iter().map(json).collect())?;
    } else {
        print(text(&cells))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn list(entry: &'static Entry, dims: &Dims) -> Result<Listed, Failure> {
    let source = Source::new(format!("{}.cell", entry.name), entry.source);
    let faulty =
        |faults: Faults| Failure::Diagnostics(render(&faults.diagnostics, &faults.sources, false));
    let unit = Unit::load(source, &mut resolve).map_err(faulty)?;
    let Some(tree) = unit.root().cell.clone() else {
        return Err(Failure::new(format!("internal error: `{}` is no cell", entry.name)));
    };
    let own: Vec<_> = (dims.0.iter())
        .filter(|(name, _)| tree.dims.iter().any(|dim| dim.name.text == *name))
        .cloned()
        .collect();
    let known = |dim: &ast::Dim| {
        dim.default.is_some() || own.iter().any(|(name, _)| *name == dim.name.text)
    };
    let elements = if tree.dims.iter().all(known) {
        let checked = check_unit(&unit, &Bindings { dims: own, ..Bindings::default() });
        let sources = unit.sources;
        let checked = checked.map_err(|diagnostics| faulty(Faults { diagnostics, sources }))?;
        Some(param_elements(&Interface::of(&checked.cell.graph)))
    } else {
        None
    };
    Ok(Listed { entry, tree, elements })
}

/// Checks that each dimension is one of some cell's.
fn known(dims: &Dims, cells: &[Listed]) -> Result<(), Failure> {
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

fn kind(entry: &Entry) -> &'static str {
    match entry.kind {
        Kind::Recurrent => "recurrent",
        Kind::Layer => "layer",
        Kind::Loss => "loss",
    }
}

/// The cell as its text declares it, such as `lstm(I, H)`.
fn signature(cell: &Listed) -> String {
    let dims = cell.tree.dims.iter().map(|dim| match &dim.default {
        Some(default) => format!("{} = {default}", dim.name.text),
        None => dim.name.text.clone(),
    });
    format!("{}({})", cell.entry.name, dims.collect::<Vec<_>>().join(", "))
}

fn states(cell: &Listed) -> Vec<&str> {
    let declarations = cell.tree.items.iter().filter_map(|item| match item {
        Item::Declaration(declaration) if declaration.kind == ast::Kind::State => Some(declaration),
        _ => None,
    });
    declarations.flat_map(|declaration| &declaration.names).map(|name| name.text.as_str()).collect()
}

fn text(cells: &[Listed]) -> String {
    let heads = ["cell", "kind", "states", "parameters", "what it is"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    for cell in cells {
        let count = cell.elements.map(|elements| elements.to_string());
        rows.push(vec![
            signature(cell),
            kind(cell.entry).to_owned(),
            states(cell).join(", "),
            count.or_else(|| param_count(&cell.tree)).unwrap_or_default(),
            cell.entry.summary.to_owned(),
        ]);
    }
    format!("{}\n{}", columns(0, &[Align::Left; 5], &rows), libraries())
}

/// The libraries that cells import from, each with its functions.
fn libraries() -> String {
    let heads = ["library", "functions", "what it is"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    for library in cellc_cells::libraries() {
        let file = parse(&Source::new(library.name, library.source)).unwrap_or_default();
        let functions: Vec<_> = file.functions.iter().map(ToString::to_string).collect();
        let row = [library.name, &functions.join(", "), library.summary];
        rows.push(row.map(str::to_owned).to_vec());
    }
    columns(0, &[Align::Left; 3], &rows)
}

fn json(cell: &Listed) -> Value {
    json!({
        "name": cell.entry.name,
        "kind": kind(cell.entry),
        "summary": cell.entry.summary,
        "dims": cell.tree.dims.iter().map(|dim| dim.name.text.as_str()).collect::<Value>(),
        "states": states(cell),
        "param_formula": param_count(&cell.tree),
        "param_elements": cell.elements,
    })
}
