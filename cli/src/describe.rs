//! What a checked cell is: its interface, for people and for machines.

use cellc_compiler::cell::{Initial, Initializer};
use cellc_compiler::syntax::ast::{File, Item, Kind, Place, TypeExpr, TypeKind};
use cellc_runtime::sequence::{Interface, Mask, Port};
use serde_json::{Value, json};

use crate::dims::written;
use crate::formula::param_count;
use crate::load::Loaded;
use crate::table::{Align, columns};

/// The number of elements of all params.
pub(crate) fn param_elements(interface: &Interface) -> usize {
    interface.params.iter().map(|port| port.ty.size()).sum()
}

/// A cell's interface as a table.
pub(crate) fn text(loaded: &Loaded) -> String {
    let interface = Interface::of(&loaded.cell.graph);
    let Interface { params, inputs, states, outputs, masks } = &interface;
    let mut rows = Vec::new();
    let mut row = |role: &str, port: &Port, declared: String, more: [String; 2]| {
        let start = [role.to_owned(), port.name.clone(), declared, port.ty.to_string()];
        rows.push(start.into_iter().chain(more).collect::<Vec<_>>());
    };
    let none = || [String::new(), String::new()];
    for port in inputs {
        row("input", port, declared(loaded, Kind::Input, &port.name), none());
    }
    for (port, initial) in states.iter().zip(&loaded.cell.initial) {
        let more = [String::new(), begins(initial, params)];
        row("state", port, declared(loaded, Kind::State, &port.name), more);
    }
    for (port, initializer) in params.iter().zip(&loaded.cell.initializers) {
        let more = [port.ty.size().to_string(), initial(initializer)];
        row("param", port, declared(loaded, Kind::Param, &port.name), more);
    }
    for port in outputs {
        row("output", port, String::new(), none());
    }
    for Mask { ty, probability } in masks {
        let start =
            ["draws", "", "", &ty.to_string(), "", &format!("1 with probability {probability:?}")];
        rows.push(start.map(str::to_owned).to_vec());
    }
    for (name, value) in &loaded.cell.hypers {
        let start = ["hyper", name.as_str(), "", "", "", &value.to_string()];
        rows.push(start.map(str::to_owned).to_vec());
    }
    use Align::{Left, Right};
    let table = columns(2, &[Left, Left, Left, Left, Right, Left], &rows);
    let name = &loaded.tree.name.text;
    let dims = match written(&loaded.cell.dims) {
        dims if dims.is_empty() => String::new(),
        dims => format!(" with {dims}"),
    };
    let elements = param_elements(&interface);
    let formula = match param_count(&loaded.tree) {
        Some(formula) if formula != elements.to_string() => format!(" = {formula}"),
        _ => String::new(),
    };
    format!("{name}{dims}\n\n{table}\n  {elements} parameters{formula}\n")
}

/// A declared type as the cell's text has it, such as `[H, I + H]`.
fn declared(loaded: &Loaded, kind: Kind, name: &str) -> String {
    let declarations = loaded.tree.items.iter().filter_map(|item| match item {
        Item::Declaration(declaration) if declaration.kind == kind => Some(declaration),
        _ => None,
    });
    let of_name = |names: &[_]| {
        names.iter().any(|other: &cellc_compiler::syntax::ast::Name| other.text == name)
    };
    let found = declarations.into_iter().find(|declaration| of_name(&declaration.names));
    found.map_or_else(String::new, |declaration| written_type(&declaration.ty))
}

/// A type as a text has it, such as `[H, I + H]`.
pub(crate) fn written_type(ty: &TypeExpr) -> String {
    match &ty.kind {
        TypeKind::Real(extents) => {
            let extents: Vec<_> = extents.iter().map(ToString::to_string).collect();
            format!("[{}]", extents.join(", "))
        }
        TypeKind::Index(bound) => format!("index({bound})"),
    }
}

/// Where a state begins, if not at 0.
fn begins(initial: &Initial, params: &[Port]) -> String {
    match initial {
        Initial::Constant(0.0) => String::new(),
        Initial::Constant(number) => format!("begins at {number}"),
        Initial::Param(param) => format!("begins at {}", params[*param].name),
    }
}

fn initial(initializer: &Initializer) -> String {
    match initializer {
        Initializer::Constant(value) => format!("all {value}"),
        Initializer::Uniform { low, high } => format!("uniform in {low:.4} .. {high:.4}"),
        Initializer::Normal { deviation } => format!("normal, deviation {deviation:.4}"),
        Initializer::Identity { scale } => format!("{scale} times the identity"),
        Initializer::Orthogonal { scale } => format!("{scale} times an orthogonal matrix"),
    }
}

/// What a library has, and how it is imported.
pub(crate) fn library(file: &File, name: &str, place: &Place) -> String {
    let functions = file.functions.iter().map(|f| vec!["fn".to_owned(), f.to_string()]);
    let constants = file.constants.iter().map(|c| vec!["const".to_owned(), c.name.text.clone()]);
    let rows: Vec<_> = functions.chain(constants).collect();
    let table = columns(2, &[Align::Left; 2], &rows);
    let first = file.functions.first().map(|function| &function.name);
    let first = first.or_else(|| file.constants.first().map(|constant| &constant.name));
    let import = first.map_or(String::new(), |name| format!("  use {} from {place}\n", name.text));
    format!("{name} is a library: it has no cell, and cells import from it\n\n{table}\n{import}")
}

/// What a library has as JSON.
pub(crate) fn library_json(file: &File) -> Value {
    json!({
        "functions": file.functions.iter().map(ToString::to_string).collect::<Value>(),
        "constants": file.constants.iter().map(|c| c.name.text.as_str()).collect::<Value>(),
    })
}

/// A cell's interface as JSON.
pub(crate) fn json(loaded: &Loaded) -> Value {
    let interface = Interface::of(&loaded.cell.graph);
    let ports = |ports: &[Port]| -> Value { ports.iter().map(port).collect() };
    json!({
        "name": loaded.tree.name.text,
        "dims": dims_json(&loaded.cell.dims),
        "hypers": hypers_json(&loaded.cell.hypers),
        "inputs": ports(&interface.inputs),
        "states": ports(&interface.states),
        "params": ports(&interface.params),
        "outputs": ports(&interface.outputs),
        "masks": interface.masks.iter().map(mask).collect::<Value>(),
        "param_elements": param_elements(&interface),
        "param_formula": param_count(&loaded.tree),
    })
}

/// Sizes of dimensions as a JSON object.
pub(crate) fn dims_json(dims: &[(String, usize)]) -> Value {
    Value::Object(dims.iter().map(|(name, size)| (name.clone(), json!(size))).collect())
}

/// Values of hyper-parameters as a JSON object.
fn hypers_json(hypers: &[(String, f64)]) -> Value {
    Value::Object(hypers.iter().map(|(name, value)| (name.clone(), json!(value))).collect())
}

/// What a call of `bernoulli` draws.
fn mask(Mask { ty, probability }: &Mask) -> Value {
    json!({ "shape": ty.shape.as_slice(), "probability": probability.0 })
}

fn port(port: &Port) -> Value {
    let mut value = json!({ "name": port.name, "shape": port.ty.shape.as_slice() });
    if let cellc_compiler::ir::op::Element::Index { bound } = port.ty.element {
        value["index_below"] = json!(bound);
    }
    value
}
