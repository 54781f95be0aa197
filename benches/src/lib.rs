//! What the benchmarks share: cells of the catalogue with their dimensions bound.
//!
//! `cargo bench` runs all of them; `cargo bench --bench sequence -- lstm` those of one file whose
//! name contains a word. Numbers are of this machine alone: compare two runs of one machine, side
//! by side, and by their ratio.

use cellc_compiler::cell::Cell;
use cellc_compiler::check::{Bindings, check_unit};
use cellc_compiler::diagnostic::Source;
use cellc_compiler::syntax::ast::Place;
use cellc_compiler::unit::Unit;

/// A size at which cells are run: `T` steps of `B` examples, `I` inputs, `H` hidden units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// What it is called.
    pub name: &'static str,
    /// `B`, examples side by side.
    pub batch: usize,
    /// `T`, time steps.
    pub steps: usize,
    /// `I`, the elements of an input.
    pub input: usize,
    /// `H`, the elements of a state.
    pub hidden: usize,
}

/// From states so small that elementwise work counts most, to ones where the matrix products do.
pub const SIZES: [Size; 3] = [
    Size { name: "tiny", batch: 32, steps: 100, input: 8, hidden: 32 },
    Size { name: "sentiment", batch: 32, steps: 128, input: 64, hidden: 128 },
    Size { name: "char", batch: 32, steps: 64, input: 256, hidden: 256 },
];

/// The text of a cell of the catalogue.
///
/// # Panics
/// If the catalogue has no cell of that name.
pub fn source(name: &str) -> Source {
    let entry = cellc_cells::find(name).expect("a cell of the catalogue");
    Source::new(format!("{name}.cell"), entry.source)
}

/// A recurrent cell of the catalogue, its dimension `I` bound to the one, all others to the other.
///
/// # Panics
/// If the text is not that of a cell.
pub fn cell(source: &Source, input: usize, hidden: usize) -> Cell {
    let mut resolve = |_: &Source, place: &Place| match place {
        Place::Catalogue(name) => {
            let library = cellc_cells::find_library(name);
            let library = library.map(|library| Source::new(name, library.source));
            library.ok_or_else(|| "the catalogue has no such library".to_owned())
        }
        Place::File(_) => Err("the catalogue imports no files".to_owned()),
    };
    let unit = Unit::load(source.clone(), &mut resolve).expect("the catalogue parses");
    let size = |dim: &str| if dim == "I" { input } else { hidden };
    let dims = unit.root().cell.iter().flat_map(|cell| &cell.dims).map(|dim| &dim.name.text);
    let dims: Vec<_> = dims.map(|dim| (dim.clone(), size(dim))).collect();
    check_unit(&unit, &Bindings { dims, ..Bindings::default() }).expect("the catalogue checks").cell
}
