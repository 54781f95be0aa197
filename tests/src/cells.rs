//! Graphs of cells: of a text, of the catalogue, of the files in `architectures/`.

use std::path::Path;

use cellc_compiler::cell::Cell;
use cellc_compiler::check::{Bindings, check_unit};
use cellc_compiler::diagnostic::{Source, render};
use cellc_compiler::ir::graph::Graph;
use cellc_compiler::syntax::ast::Place;
use cellc_compiler::unit::{Faults, Unit};

/// The cells of `architectures/`, with sizes of their dimensions that tell them apart.
pub const ARCHITECTURES: [(&str, &[(&str, usize)]); 4] = [
    ("peephole_lstm", &[("I", 5), ("H", 7)]),
    ("layernorm_lstm", &[("I", 5), ("H", 7)]),
    ("two_input_lstm", &[("I", 5), ("E", 3), ("H", 7)]),
    ("packed_gates", &[("I", 5), ("H", 7)]),
];

/// The recurrent cells of the catalogue, with sizes of their dimensions.
pub const RECURRENT: [(&str, &[(&str, usize)]); 42] = [
    ("rnn", &[("I", 5), ("H", 7)]),
    ("rnn_relu", &[("I", 5), ("H", 7)]),
    ("indrnn", &[("I", 5), ("H", 7)]),
    ("antisymmetric_rnn", &[("I", 5), ("H", 7)]),
    ("cornn", &[("I", 5), ("H", 7)]),
    ("lstm", &[("I", 5), ("H", 7)]),
    ("lstm_peephole", &[("I", 5), ("H", 7)]),
    ("lstm_projection", &[("I", 5), ("H", 7), ("P", 3)]),
    ("lstm_nig", &[("I", 5), ("H", 7)]),
    ("lstm_nfg", &[("I", 5), ("H", 7)]),
    ("lstm_nog", &[("I", 5), ("H", 7)]),
    ("lstm_niaf", &[("I", 5), ("H", 7)]),
    ("lstm_noaf", &[("I", 5), ("H", 7)]),
    ("lstm_cifg", &[("I", 5), ("H", 7)]),
    ("lstm_fgr", &[("I", 5), ("H", 7)]),
    ("lstm_layer_norm", &[("I", 5), ("H", 7)]),
    ("lstm_mogrifier", &[("I", 5), ("H", 7)]),
    ("slstm", &[("I", 5), ("H", 7)]),
    ("lstm_zoneout", &[("I", 5), ("H", 7)]),
    ("lstm_recurrent_dropout", &[("I", 5), ("H", 7)]),
    ("gru", &[("I", 5), ("H", 7)]),
    ("gru_cho", &[("I", 5), ("H", 7)]),
    ("gru_chung", &[("I", 5), ("H", 7)]),
    ("gru_layer_norm", &[("I", 5), ("H", 7)]),
    ("li_gru", &[("I", 5), ("H", 7)]),
    ("mgu", &[("I", 5), ("H", 7)]),
    ("mut1", &[("I", 5), ("H", 7)]),
    ("mut2", &[("I", 5), ("H", 7)]),
    ("mut3", &[("I", 5), ("H", 7)]),
    ("ugrnn", &[("I", 5), ("H", 7)]),
    ("rhn", &[("I", 5), ("H", 7)]),
    ("sru", &[("I", 5), ("H", 7)]),
    ("qrnn", &[("I", 5), ("H", 7)]),
    ("mingru", &[("I", 5), ("H", 7)]),
    ("minlstm", &[("I", 5), ("H", 7)]),
    ("lru", &[("I", 5), ("H", 7), ("N", 3)]),
    ("fast_weights", &[("I", 5), ("H", 7)]),
    ("deltanet", &[("I", 5), ("H", 7), ("K", 3)]),
    ("gated_linear_attention", &[("I", 5), ("H", 7), ("K", 3), ("R", 2)]),
    ("mlstm", &[("I", 5), ("H", 7), ("K", 3)]),
    ("cfc", &[("I", 5), ("H", 7), ("B", 4)]),
    ("lmu", &[("I", 5), ("H", 7), ("D", 3)]),
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

/// Sizes that tell apart the dimensions of a cell of the catalogue.
pub fn dims_of(name: &str) -> &'static [(&'static str, usize)] {
    match name {
        "embedding" => &[("V", 6), ("E", 3)],
        "linear" => &[("I", 5), ("O", 4)],
        "cross_entropy" | "smoothed_cross_entropy" => &[("C", 5)],
        "squared_error" | "absolute_error" | "huber" => &[("N", 4)],
        "dropout" | "residual" | "mean_pool" | "max_pool" | "attention_pool" => &[("I", 5)],
        _ => RECURRENT.iter().find(|(other, _)| *other == name).expect("a cell that is listed").1,
    }
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
