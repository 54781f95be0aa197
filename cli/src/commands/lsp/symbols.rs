//! The outline of a document: what it defines.

use cellc_compiler::diagnostic::Span;
use cellc_compiler::syntax::ast::{Cell, Expr, File, Item, Name};
use lsp_types::{DocumentSymbol, SymbolKind};

use super::position::Lines;
use crate::describe::written_type;

/// What a file defines, in the order of the text.
pub(super) fn of_file(file: &File, lines: &Lines<'_>) -> Vec<DocumentSymbol> {
    let symbol =
        |name: &Name, kind, end: Span, detail: &str| symbol(lines, name, kind, end, detail);
    let constants = (file.constants.iter())
        .map(|constant| symbol(&constant.name, SymbolKind::CONSTANT, constant.value.span, ""));
    let functions = file.functions.iter().map(|function| {
        symbol(&function.name, SymbolKind::FUNCTION, function.result.span, &function.to_string())
    });
    let cell = file.cell.iter().map(|cell| of_cell(cell, lines));
    let mut symbols: Vec<_> = constants.chain(functions).chain(cell).collect();
    symbols.retain(|symbol| !symbol.name.is_empty());
    symbols.sort_by_key(|symbol| symbol.range.start);
    symbols
}

fn of_cell(cell: &Cell, lines: &Lines<'_>) -> DocumentSymbol {
    let mut children = Vec::new();
    let mut end = cell.name.span;
    let mut child = |name: &Name, kind, value: Option<&Expr>, detail: &str| {
        let span = value.map_or(name.span, |value| value.span);
        end.end = end.end.max(span.end);
        children.push(symbol(lines, name, kind, span, detail));
    };
    for dim in &cell.dims {
        child(&dim.name, SymbolKind::TYPE_PARAMETER, dim.default.as_ref(), "dimension");
    }
    for item in &cell.items {
        match item {
            Item::Declaration(declaration) => {
                let ty = written_type(&declaration.ty);
                let detail = format!("{} {ty}", declaration.kind.keyword());
                for name in &declaration.names {
                    child(name, SymbolKind::FIELD, None, &detail);
                }
            }
            Item::Hyper(hyper) => {
                child(&hyper.name, SymbolKind::CONSTANT, Some(&hyper.value), "hyper");
            }
            Item::Definition { name, value } => {
                child(name, SymbolKind::VARIABLE, Some(value), "");
            }
            Item::Next { state, value, .. } => {
                child(state, SymbolKind::EVENT, Some(value), "next");
            }
            Item::Output { name, value } => {
                child(name, SymbolKind::EVENT, value.as_ref(), "output");
            }
        }
    }
    DocumentSymbol {
        children: Some(children),
        ..symbol(lines, &cell.name, SymbolKind::CLASS, end, "cell")
    }
}

/// What stands from a name to an end.
fn symbol(
    lines: &Lines<'_>,
    name: &Name,
    kind: SymbolKind,
    end: Span,
    detail: &str,
) -> DocumentSymbol {
    #[allow(deprecated, reason = "the field must be filled all the same")]
    DocumentSymbol {
        name: name.text.clone(),
        detail: (!detail.is_empty()).then(|| detail.to_owned()),
        kind,
        tags: None,
        deprecated: None,
        range: lines.range(name.span.to(end)),
        selection_range: lines.range(name.span),
        children: None,
    }
}
