//! From the text of a cell to the cells of a model.

use std::collections::BTreeMap;

use cellc_compiler::cell::Cell;
use cellc_compiler::check::{Bindings, Checked, check, check_unit};
use cellc_compiler::diagnostic::{Diagnostic, Source};
use cellc_compiler::syntax::ast::Place;
use cellc_compiler::syntax::parse;
use cellc_compiler::unit::{Faults, Unit};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::model::{Architecture, Readout};

/// A model but for its symbols and classes, which come from the data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blueprint {
    /// What the text of the cell is called in diagnostics.
    pub cell: String,
    /// The text of the cell that the layers are made of.
    pub text: String,
    /// What that text imports, and what is imported by this in turn.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub imports: Vec<Import>,
    /// How many layers there are.
    pub layers: usize,
    /// The cell's dimension `H` in every layer.
    pub hidden: usize,
    /// The number of elements of a symbol's vector: `I` of the first layer.
    pub embedding: usize,
    /// The cell's other dimensions, those without a default and those that are to have another.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dims: BTreeMap<String, usize>,
    /// The hyper-parameters that are not to have their defaults.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub hypers: BTreeMap<String, f64>,
}

/// A text that another imports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Import {
    /// What the text that imports is called in diagnostics.
    pub by: String,
    /// Where from, as it is written there.
    pub from: String,
    /// What the imported text is called in diagnostics.
    pub name: String,
    /// The imported text.
    pub text: String,
}

/// Why a blueprint makes no model.
#[derive(Debug, Error)]
pub enum BlueprintError {
    /// A cell's text has faults, to be drawn by [`cellc_compiler::diagnostic::render`].
    #[error("{} faults in {}", .0.diagnostics.len(), .0.sources[0].name)]
    Faults(Faults),
    /// A cell lacks a dimension that a layer needs.
    #[error(
        "cell `{cell}` cannot be a layer of a model: its dimensions are {found}; a layer has \
         `I` for the size of its input and `H` for that of its output: `cell {cell}(I, H)`"
    )]
    Dims {
        /// The cell's name.
        cell: String,
        /// Its dimensions.
        found: String,
    },
    /// A dimension is given that the layer has from its place in the model.
    #[error("`{0}` of a layer follows from its place in the model, and cannot be given")]
    Given(&'static str),
    /// The catalogue lacks a cell that every model needs: a fault of the build.
    #[error("internal error: the catalogue has no cell `{0}`")]
    Catalogue(&'static str),
}

impl Import {
    /// All imports of a unit, as its texts have them.
    pub fn of(unit: &Unit) -> Vec<Self> {
        let by_file = unit.files.iter().zip(&unit.targets).zip(&unit.sources);
        let imports = by_file.flat_map(|((file, targets), by)| {
            file.uses.iter().zip(targets).map(|(import, &target)| {
                let Source { name, text } = unit.sources[target].clone();
                Self { by: by.name.clone(), from: import.place.to_string(), name, text }
            })
        });
        imports.collect()
    }
}

impl Blueprint {
    /// The cells of a model over `symbols` symbols whose answers are of `classes` classes.
    ///
    /// # Errors
    /// If the texts have faults, or `I` and `H` are not among the cell's dimensions.
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
            layers.push(self.layer(width)?.cell);
        }
        let width = if self.layers == 0 { self.embedding } else { self.hidden };
        let head = catalogue("linear", &[("I", width), ("O", classes)])?;
        let loss = catalogue("cross_entropy", &[("C", classes)])?;
        Ok(Architecture { embedding, layers, head, loss, readout })
    }

    /// The text of the cell with what it imports.
    ///
    /// # Errors
    /// What is wrong with the form of the texts, or if an import was not kept.
    pub fn unit(&self) -> Result<Unit, Faults> {
        let mut resolve = |by: &Source, place: &Place| {
            let from = place.to_string();
            let kept = self.imports.iter().find(|kept| kept.by == by.name && kept.from == from);
            let kept = kept.map(|kept| Source::new(&kept.name, &kept.text));
            kept.ok_or_else(|| "it was not kept with the cell".to_owned())
        };
        Unit::load(Source::new(&self.cell, &self.text), &mut resolve)
    }

    /// What has a meaning in the text of the cell, but perhaps not the intended one.
    ///
    /// # Errors
    /// As [`architecture`](Self::architecture).
    pub fn warnings(&self) -> Result<Vec<Diagnostic>, BlueprintError> {
        self.layer(self.embedding).map(|checked| checked.warnings)
    }

    fn layer(&self, width: usize) -> Result<Checked, BlueprintError> {
        let unit = self.unit().map_err(BlueprintError::Faults)?;
        if let Some(cell) = &unit.root().cell {
            let has = |name: &str| cell.dims.iter().any(|dim| dim.name.text == name);
            if !(has("I") && has("H")) {
                let found: Vec<_> =
                    cell.dims.iter().map(|dim| format!("`{}`", dim.name.text)).collect();
                let found = if found.is_empty() { "none".into() } else { found.join(", ") };
                return Err(BlueprintError::Dims { cell: cell.name.text.clone(), found });
            }
        }
        let mut dims = bind(&[("I", width), ("H", self.hidden)]);
        if let Some(name) = ["I", "H"].into_iter().find(|name| self.dims.contains_key(*name)) {
            return Err(BlueprintError::Given(name));
        }
        dims.extend(self.dims.clone());
        let hypers = self.hypers.clone().into_iter().collect();
        let checked = check_unit(&unit, &Bindings { dims, hypers });
        checked.map_err(|diagnostics| {
            BlueprintError::Faults(Faults { diagnostics, sources: unit.sources })
        })
    }
}

fn bind(dims: &[(&str, usize)]) -> Vec<(String, usize)> {
    dims.iter().map(|(name, size)| ((*name).to_owned(), *size)).collect()
}

fn catalogue(name: &'static str, dims: &[(&str, usize)]) -> Result<Cell, BlueprintError> {
    let entry = cellc_cells::find(name).ok_or(BlueprintError::Catalogue(name))?;
    let source = Source::new(format!("{name}.cell"), entry.source);
    let cell = parse(&source).and_then(|tree| check(&tree, &bind(dims)));
    cell.map_err(|diagnostics| {
        BlueprintError::Faults(Faults { diagnostics, sources: vec![source] })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Model;
    use cellc_runtime::program::Engine;

    fn blueprint(text: &str) -> Blueprint {
        let text = text.to_owned();
        Blueprint {
            cell: "my.cell".into(),
            text,
            layers: 2,
            hidden: 5,
            embedding: 3,
            ..Blueprint::default()
        }
    }

    #[test]
    fn every_recurrent_cell_of_the_catalogue_makes_a_model() {
        for entry in cellc_cells::all() {
            // A layer has one input; a projection's size must be given.
            let is_layer = !["cfc", "lstm_projection"].contains(&entry.name);
            if entry.kind == cellc_cells::Kind::Recurrent && is_layer {
                let imports = cellc_cells::libraries().iter().map(|library| Import {
                    by: "my.cell".into(),
                    from: library.name.into(),
                    name: library.name.into(),
                    text: library.source.into(),
                });
                let blueprint = Blueprint { imports: imports.collect(), ..blueprint(entry.source) };
                for readout in [Readout::Last, Readout::Each] {
                    let made = blueprint.architecture(7, 4, readout).unwrap();
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
            "cell `odd` cannot be a layer of a model: its dimensions are `N`; a layer has `I` \
             for the size of its input and `H` for that of its output: `cell odd(I, H)`"
        );
    }

    #[test]
    fn faults_of_the_text_are_handed_on() {
        let error = blueprint("cell broken(I, H) {").architecture(7, 4, Readout::Last).unwrap_err();
        assert!(matches!(error, BlueprintError::Faults { .. }), "{error}");
    }
}
