//! Pages of documentation: one of each cell, and an index.

use std::fmt::Display;

use cellc_compiler::draw::Drawing;
use cellc_compiler::phases::Phase;
use cellc_compiler::syntax::ast::Item;

use super::text::{functions, products};
use crate::describe::written_type;
use crate::facts::{Facts, Family, written_initializer};

/// Where texts of cells are, from where the pages are.
const CELLS: &str = "../../cells";

/// The page of a cell.
pub(super) fn page(cell: &Facts) -> String {
    let entry = cell.entry;
    let mut text = format!("# {}\n\n{}\n", entry.title(), capitalised(entry.sentence()));
    if let Some(paper) = &cell.paper {
        text.push_str(&format!("\nPaper: {}.\n", paper.citation));
    }
    let file = format!("[`{0}.cell`]({CELLS}/{0}.cell)", entry.name);
    let source = entry.source.trim_end();
    text.push_str(&format!("\n{file}:\n\n```text\n{source}\n```\n"));
    for library in &cell.libraries {
        text.push_str(&format!("\nFunctions from [`{library}`]({CELLS}/{library}.cell).\n"));
    }
    let rows: Vec<_> = cell.tree.items.iter().filter_map(row).collect();
    text.push_str(&table(&["", "names", "shape", "at first"], &rows));
    let formula = cell.formula.as_ref().map(code);
    let rows = [
        ["parameters".to_owned(), formula.unwrap_or_default()].to_vec(),
        ["products with a matrix, after all passes".to_owned(), products(cell)].to_vec(),
    ];
    text.push_str(&table(&["", ""], &rows));
    let drawing = Drawing::of(&cell.tree).to_mermaid();
    text.push_str(&format!(
        "\n## One time step\n\nDots are the operations that arrows come from; what depends on no \
         input and no state stands\nwhere it is used. Dotted lines lead from next values back to \
         their states.\n\n```mermaid\n{drawing}```\n"
    ));
    text
}

/// The row of a declaration or of a hyper-parameter.
fn row(item: &Item) -> Option<Vec<String>> {
    match item {
        Item::Declaration(declaration) => {
            let names: Vec<_> = declaration.names.iter().map(|name| name.text.as_str()).collect();
            let initializer = written_initializer(declaration);
            let initializer = if initializer.is_empty() { initializer } else { code(&initializer) };
            let (names, ty) = (code(names.join(", ")), code(written_type(&declaration.ty)));
            Some(vec![declaration.kind.keyword().to_owned(), names, ty, initializer])
        }
        Item::Hyper(hyper) => {
            let value = code(format!("= {}", hyper.value));
            Some(vec!["hyper".to_owned(), code(&hyper.name.text), String::new(), value])
        }
        Item::Definition { .. } | Item::Next { .. } | Item::Output { .. } => None,
    }
}

/// The page that lists all.
pub(super) fn index(cells: &[Facts]) -> String {
    let mut text = String::from(
        "# The catalogue\n\n\
         Each cell is a file, and has a page with its text, its paper and a picture. `cellc cells` \
         lists them too,\nand `cellc cells NAME` shows one. The families are by structure alone. *In \
         the loop* counts the products\nwith a matrix at each step, after all passes: the others run \
         for many steps at once.\n",
    );
    for family in Family::ALL {
        let rows: Vec<_> = (cells.iter().filter(|cell| cell.family() == family))
            .map(|cell| {
                let formula = cell.formula.as_ref().map(code).unwrap_or_default();
                let states = cell.written_states();
                vec![
                    format!("[`{}`]({}.md)", cell.signature(), cell.entry.name),
                    cell.year(),
                    if states.is_empty() { states } else { code(states) },
                    formula,
                    cell.products_in(Phase::Body).to_string(),
                    cell.entry.summary.to_owned(),
                ]
            })
            .collect();
        if !rows.is_empty() {
            text.push_str(&format!("\n## {}\n\n{}\n", family.title(), family.says()));
            let heads = ["cell", "year", "states", "parameters", "in the loop", "what it is"];
            text.push_str(&table(&heads, &rows));
        }
    }
    let rows: Vec<_> = (cellc_cells::libraries().iter())
        .map(|library| {
            let link = format!("[`{0}`]({CELLS}/{0}.cell)", library.name);
            vec![link, code(functions(library)), library.summary.to_owned()]
        })
        .collect();
    text.push_str("\n## Libraries of functions\n\n`use NAME from LIBRARY` imports from them.\n");
    text.push_str(&table(&["library", "functions", "what it is"], &rows));
    text
}

/// A table behind a blank line.
fn table(heads: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let heads: Vec<String> = heads.iter().map(|&head| head.to_owned()).collect();
    let rule = "|---".repeat(heads.len());
    let rows: String = rows.iter().map(|row| line(row)).collect();
    format!("\n{}{rule}|\n{rows}", line(&heads))
}

fn code(text: impl Display) -> String {
    format!("`{text}`")
}

fn capitalised(sentence: &str) -> String {
    let mut characters = sentence.chars();
    let first: Option<char> = characters.next();
    first.into_iter().flat_map(char::to_uppercase).chain(characters).collect()
}
