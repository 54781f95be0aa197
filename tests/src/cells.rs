//! Graphs of cells: of a text, of the catalogue, of the files in `architectures/`.

use std::path::Path;

use cellc_compiler::cell::Cell;
use cellc_compiler::check::{Bindings, check_unit};
use cellc_compiler::diagnostic::{Source, render};
use cellc_compiler::ir::graph::Graph;
use cellc_compiler::syntax::ast::Place;
use cellc_compiler::unit::{Faults, Unit};

/// The cells of `architectures/`, with sizes of their dimensions that tell them apart.
pub const ARCHITECTURES: [(&str, &[(&str, usize)]); 7] = [
    ("peephole_lstm", &[("I", 5), ("H", 7)]),
    ("layernorm_lstm", &[("I", 5), ("H", 7)]),
    ("mgu", &[("I", 5), ("H", 7)]),
    ("mingru", &[("I", 5), ("H", 7)]),
    ("sru", &[("H", 7)]),
    ("two_input_lstm", &[("I", 5), ("E", 3), ("H", 7)]),
    ("fast_weights", &[("I", 5), ("H", 7)]),
];

/// The recurrent cells of the catalogue, with sizes of their dimensions.
pub const RECURRENT: [(&str, &[(&str, usize)]); 9] = [
    ("rnn", &[("I", 5), ("H", 7)]),
    ("rnn_relu", &[("I", 5), ("H", 7)]),
    ("lstm", &[("I", 5), ("H", 7)]),
    ("lstm_peephole", &[("I", 5), ("H", 7)]),
    ("lstm_projection", &[("I", 5), ("H", 7), ("P", 3)]),
    ("lstm_zoneout", &[("I", 5), ("H", 7)]),
    ("lstm_recurrent_dropout", &[("I", 5), ("H", 7)]),
    ("gru", &[("I", 5), ("H", 7)]),
    ("gru_cho", &[("I", 5), ("H", 7)]),
];

/// The graph of a cell's text, which must be right.
pub fn graph(text: &str, dims: &[(&str, usize)]) -> Graph {
    cell(text, dims, &[]).graph
}

/// A cell's text, which must be right and may import from the catalogue, under settings of its
/// hyper-parameters.
pub fn cell(text: &str, dims: &[(&str, usize)], hypers: &[(&str, f64)]) -> Cell {
    let mut resolve = |_: &Source, place: &Place| match place {
        Place::Catalogue(name) => match cellc_cells::find_library(name) {
            Some(library) => Ok(Source::new(name, library.source)),
            None => Err("the catalogue has no such library".to_owned()),
        },
        Place::File(_) => Err("there are no files".to_owned()),
    };
    let unit = Unit::load(Source::new("test.cell", text), &mut resolve);
    let unit = unit.unwrap_or_else(|Faults { diagnostics, sources }| {
        panic!("{}", render(&diagnostics, &sources, false))
    });
    let dims = dims.iter().map(|(dim, size)| ((*dim).to_owned(), *size)).collect();
    let hypers = hypers.iter().map(|(hyper, value)| ((*hyper).to_owned(), *value)).collect();
    let checked = check_unit(&unit, &Bindings { dims, hypers });
    checked.unwrap_or_else(|faults| panic!("{}", render(&faults, &unit.sources, false))).cell
}

/// The graph of a cell of the catalogue.
pub fn catalogue(name: &str, dims: &[(&str, usize)]) -> Graph {
    graph(cellc_cells::find(name).expect("a cell of the catalogue").source, dims)
}

/// The graph of a cell of `architectures/`.
pub fn architecture(name: &str, dims: &[(&str, usize)]) -> Graph {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("architectures");
    let text = std::fs::read_to_string(folder.join(format!("{name}.cell")));
    graph(&text.expect("a file of a cell"), dims)
}

/// All recurrent cells, of the catalogue and of `architectures/`, by name.
pub fn recurrent() -> Vec<(&'static str, Graph)> {
    let catalogue = RECURRENT.map(|(name, dims)| (name, catalogue(name, dims)));
    let architectures = ARCHITECTURES.map(|(name, dims)| (name, architecture(name, dims)));
    catalogue.into_iter().chain(architectures).collect()
}
