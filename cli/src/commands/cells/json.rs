//! Cells of the catalogue for machines.

use cellc_compiler::diagnostic::Source;
use cellc_compiler::syntax::ast::{Declaration, Kind, TypeKind};
use cellc_compiler::syntax::parse;
use serde_json::{Map, Value, json};

use crate::describe::library_json;
use crate::facts::{Facts, written_initializer};

/// What a list says of a cell.
pub(super) fn summary(cell: &Facts) -> Value {
    let products = cell.products.iter().map(|(phase, count)| (phase.name().into(), json!(count)));
    json!({
        "name": cell.entry.name,
        "kind": cell.kind(),
        "family": cell.family().title(),
        "year": cell.paper.as_ref().map(|paper| paper.year),
        "summary": cell.entry.summary,
        "dims": cell.tree.dims.iter().map(|dim| dim.name.text.as_str()).collect::<Value>(),
        "states": declared(cell, Kind::State),
        "param_formula": cell.formula,
        "param_elements": cell.elements,
        "products": products.collect::<Map<_, _>>(),
    })
}

/// Everything about a cell.
pub(super) fn one(cell: &Facts) -> Value {
    let mut value = summary(cell);
    value["paper"] = json!(cell.paper.as_ref().map(|paper| &paper.citation));
    value["imports_from"] = json!(cell.libraries);
    value["inputs"] = declared(cell, Kind::Input);
    value["params"] = declared(cell, Kind::Param);
    value["source"] = json!(cell.entry.source);
    value
}

/// Everything about a library.
pub(super) fn library(library: &cellc_cells::Library) -> Value {
    let file = parse(&Source::new(library.name, library.source)).unwrap_or_default();
    let mut value = library_json(&file);
    value["name"] = json!(library.name);
    value["kind"] = json!("library");
    value["summary"] = json!(library.summary);
    value["source"] = json!(library.source);
    value
}

/// What is declared of a kind, each name with its shape and how it begins.
fn declared(cell: &Facts, kind: Kind) -> Value {
    let declarations = cell.declarations().filter(|declaration| declaration.kind == kind);
    let one = |declaration: &Declaration, name: &str| {
        let mut value = json!({ "name": name });
        match &declaration.ty.kind {
            TypeKind::Real(extents) => {
                value["shape"] = extents.iter().map(ToString::to_string).collect();
            }
            TypeKind::Index(bound) => {
                value["shape"] = json!([]);
                value["index_below"] = json!(bound.to_string());
            }
        }
        if kind != Kind::Input {
            value["initializer"] = json!(written_initializer(declaration));
        }
        value
    };
    declarations
        .flat_map(|d| d.names.iter().map(|name| one(d, &name.text)).collect::<Vec<_>>())
        .collect()
}
