//! Graphs of cells: of a text, of the catalogue, of the files in `architectures/`.

use std::path::Path;

use cellc_compiler::check::check;
use cellc_compiler::diagnostic::{Source, render};
use cellc_compiler::ir::graph::Graph;
use cellc_compiler::syntax::parse;

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
pub const RECURRENT: [(&str, &[(&str, usize)]); 7] = [
    ("rnn", &[("I", 5), ("H", 7)]),
    ("rnn_relu", &[("I", 5), ("H", 7)]),
    ("lstm", &[("I", 5), ("H", 7)]),
    ("lstm_peephole", &[("I", 5), ("H", 7)]),
    ("lstm_projection", &[("I", 5), ("H", 7), ("P", 3)]),
    ("gru", &[("I", 5), ("H", 7)]),
    ("gru_cho", &[("I", 5), ("H", 7)]),
];

/// The graph of a cell's text, which must be right.
pub fn graph(text: &str, dims: &[(&str, usize)]) -> Graph {
    let source = Source::new("test.cell", text);
    let dims: Vec<_> = dims.iter().map(|(dim, size)| ((*dim).to_owned(), *size)).collect();
    let cell = parse(&source).and_then(|cell| check(&cell, &dims));
    cell.unwrap_or_else(|faults| panic!("{}", render(&faults, &source, false))).graph
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
