//! From the text of a cell to the cells of a model.

use cellc_compiler::cell::Cell;
use cellc_compiler::check::check;
use cellc_compiler::diagnostic::{Diagnostic, Source};
use cellc_compiler::syntax::parse;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::model::{Architecture, Readout};

/// A model but for its symbols and classes, which come from the data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blueprint {
    /// What the text of the cell is called in diagnostics.
    pub cell: String,
    /// The text of the cell that the layers are made of.
    pub text: String,
    /// How many layers there are.
    pub layers: usize,
    /// The cell's dimension `H` in every layer.
    pub hidden: usize,
    /// The number of elements of a symbol's vector: `I` of the first layer.
    pub embedding: usize,
}

/// Why a blueprint makes no model.
#[derive(Debug, Error)]
pub enum BlueprintError {
    /// A cell's text has faults, to be drawn by [`cellc_compiler::diagnostic::render`].
    #[error("{} faults in {}", faults.len(), source_text.name)]
    Faults {
        /// What is wrong.
        faults: Vec<Diagnostic>,
        /// The text.
        source_text: Source,
    },
    /// A cell has other dimensions than a layer needs.
    #[error(
        "cell `{cell}` cannot be a layer of a model: its dimensions are {found}; a layer has two, \
         `I` for the size of its input and `H` for that of its output: `cell {cell}(I, H)`"
    )]
    Dims {
        /// The cell's name.
        cell: String,
        /// Its dimensions.
        found: String,
    },
    /// The catalogue lacks a cell that every model needs: a fault of the build.
    #[error("internal error: the catalogue has no cell `{0}`")]
    Catalogue(&'static str),
}

impl Blueprint {
    /// The cells of a model over `symbols` symbols whose answers are of `classes` classes.
    ///
    /// # Errors
    /// If the cell's text has faults, or its dimensions are not `I` and `H`.
    pub fn architecture(
        &self,
        symbols: usize,
        classes: usize,
        readout: Readout,
    ) -> Result<Architecture, BlueprintError> {
        let embedding = catalogue("embedding", &[("V", symbols), ("E", self.embedding)])?;
        let mut layers = Vec::with_capacity(self.layers);
        for i in 0..self.layers {
            let width = if i == 0 { self.embedding } else { self.hidden };
            layers.push(self.layer(width)?);
        }
        let width = if self.layers == 0 { self.embedding } else { self.hidden };
        let head = catalogue("linear", &[("I", width), ("O", classes)])?;
        let loss = catalogue("cross_entropy", &[("C", classes)])?;
        Ok(Architecture { embedding, layers, head, loss, readout })
    }

    fn layer(&self, width: usize) -> Result<Cell, BlueprintError> {
        let source = Source::new(&self.cell, &self.text);
        let faults = |faults| BlueprintError::Faults { faults, source_text: source.clone() };
        let tree = parse(&source).map_err(faults)?;
        let mut dims: Vec<_> = tree.dims.iter().map(|dim| dim.text.as_str()).collect();
        dims.sort_unstable();
        if dims != ["H", "I"] {
            let found: Vec<_> = tree.dims.iter().map(|dim| format!("`{}`", dim.text)).collect();
            let found = if found.is_empty() { "none".into() } else { found.join(", ") };
            return Err(BlueprintError::Dims { cell: tree.name.text.clone(), found });
        }
        check(&tree, &bind(&[("I", width), ("H", self.hidden)])).map_err(faults)
    }
}

fn bind(dims: &[(&str, usize)]) -> Vec<(String, usize)> {
    dims.iter().map(|(name, size)| ((*name).to_owned(), *size)).collect()
}

fn catalogue(name: &'static str, dims: &[(&str, usize)]) -> Result<Cell, BlueprintError> {
    let entry = cellc_cells::find(name).ok_or(BlueprintError::Catalogue(name))?;
    let source = Source::new(format!("{name}.cell"), entry.source);
    let cell = parse(&source).and_then(|tree| check(&tree, &bind(dims)));
    cell.map_err(|faults| BlueprintError::Faults { faults, source_text: source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Model;
    use crate::program::Engine;

    fn blueprint(text: &str) -> Blueprint {
        let text = text.to_owned();
        Blueprint { cell: "my.cell".into(), text, layers: 2, hidden: 5, embedding: 3 }
    }

    #[test]
    fn every_recurrent_cell_of_the_catalogue_makes_a_model() {
        for entry in cellc_cells::all() {
            // Cells of other dimensions, such as a projection's, are refused as below.
            let is_layer = entry.source.contains("(I, H) {");
            if entry.kind == cellc_cells::Kind::Recurrent && is_layer {
                for readout in [Readout::Last, Readout::Each] {
                    let made = blueprint(entry.source).architecture(7, 4, readout).unwrap();
                    Model::<f32>::new(&made, Engine::default(), 1).unwrap();
                }
            }
        }
    }

    #[test]
    fn other_dimensions_are_refused() {
        let text =
            "cell odd(N) {\n    input x: [N]\n    state h: [N]\n    next h = x\n    output h\n}";
        assert_eq!(
            blueprint(text).architecture(7, 4, Readout::Last).unwrap_err().to_string(),
            "cell `odd` cannot be a layer of a model: its dimensions are `N`; a layer has two, `I` \
             for the size of its input and `H` for that of its output: `cell odd(I, H)`"
        );
    }

    #[test]
    fn faults_of_the_text_are_handed_on() {
        let error = blueprint("cell broken(I, H) {").architecture(7, 4, Readout::Last).unwrap_err();
        assert!(matches!(error, BlueprintError::Faults { .. }), "{error}");
    }
}
