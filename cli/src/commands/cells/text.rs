//! Cells of the catalogue for people.

use cellc_compiler::diagnostic::Source;
use cellc_compiler::phases::Phase;
use cellc_compiler::syntax::parse;

use crate::describe::written_type;
use crate::facts::{Facts, written_initializer};
use crate::table::{Align, columns};

/// All cells and libraries, a line each.
pub(super) fn list(cells: &[Facts]) -> String {
    let heads = ["cell", "kind", "year", "states", "parameters", "in loop", "what it is"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    for cell in cells {
        rows.push(vec![
            cell.signature(),
            cell.kind().to_owned(),
            cell.year(),
            cell.written_states(),
            count(cell),
            cell.products_in(Phase::Body).to_string(),
            cell.entry.summary.to_owned(),
        ]);
    }
    use Align::{Left, Right};
    let table = columns(0, &[Left, Left, Left, Left, Left, Right, Left], &rows);
    format!("{table}\n{}\n{}", IN_LOOP, libraries())
}

/// What a column counts.
const IN_LOOP: &str = "\
in loop: products with a matrix at each step, after all passes; the others run for many steps at once
";

/// The number of parameters: for the sizes that were given, or as a formula.
fn count(cell: &Facts) -> String {
    let count = cell.elements.map(|elements| elements.to_string());
    count.or_else(|| cell.formula.clone()).unwrap_or_default()
}

/// The libraries that cells import from, each with its functions.
fn libraries() -> String {
    let heads = ["library", "functions", "what it is"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    for library in cellc_cells::libraries() {
        let row = [library.name, &functions(library), library.summary];
        rows.push(row.map(str::to_owned).to_vec());
    }
    columns(0, &[Align::Left; 3], &rows)
}

/// The functions of a library, as they are called.
pub(super) fn functions(library: &cellc_cells::Library) -> String {
    let file = parse(&Source::new(library.name, library.source)).unwrap_or_default();
    let functions: Vec<_> = file.functions.iter().map(ToString::to_string).collect();
    functions.join(", ")
}

/// One library: how it is imported, and its text.
pub(super) fn library(library: &cellc_cells::Library) -> String {
    let facts = [["library", library.name], ["functions", &functions(library)]];
    let facts = columns(2, &[Align::Left; 2], &facts.map(|row| row.map(str::to_owned).to_vec()));
    format!("{}\n\n{facts}\n{}\n", library.summary, library.source.trim_end())
}

/// One cell: its facts and its text.
pub(super) fn one(cell: &Facts) -> String {
    let mut facts = vec![[cell.kind().to_owned(), cell.signature()].to_vec()];
    let mut fact = |name: &str, value: String| facts.push(vec![name.to_owned(), value]);
    if let Some(paper) = &cell.paper {
        fact("paper", paper.citation.clone());
    }
    if !cell.libraries.is_empty() {
        fact("imports from", cell.libraries.join(", "));
    }
    fact("parameters", count(cell));
    fact("products", products(cell));
    let facts = columns(2, &[Align::Left; 2], &facts);
    let declared: Vec<Vec<String>> = (cell.declarations())
        .map(|declaration| {
            let names: Vec<_> = declaration.names.iter().map(|name| name.text.as_str()).collect();
            let keyword = declaration.kind.keyword().to_owned();
            let initializer = written_initializer(declaration);
            vec![keyword, names.join(", "), written_type(&declaration.ty), initializer]
        })
        .collect();
    let declared = columns(2, &[Align::Left; 4], &declared);
    let entry = cell.entry;
    format!("{}\n\n{facts}\n{declared}\n{}\n", entry.summary, entry.source.trim_end())
}

/// When the cell's products with a matrix are computed.
pub(super) fn products(cell: &Facts) -> String {
    let [before, body, after] =
        [Phase::Before, Phase::Body, Phase::After].map(|phase| cell.products_in(phase));
    format!("{before} before the loop, {body} in it, {after} after it")
}
