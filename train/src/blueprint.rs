//! From what a user says of a model, and the texts of its cells, to its stages.

mod config;

use std::collections::HashSet;

use cellc_compiler::cell::Cell;
use cellc_compiler::check::{Bindings, Checked, check_unit};
use cellc_compiler::diagnostic::{Diagnostic, Source};
use cellc_compiler::ir::graph::OutputRole;
use cellc_compiler::syntax::ast::Place;
use cellc_compiler::unit::{Faults, Unit};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use self::config::Layer;
use crate::model::{Answers, Architecture, Feed, Interface, Readout, Reads, Stage};
use crate::number::Short;

pub use self::config::{LayerConfig, LossConfig, ModelConfig, Pooling};

/// A model but for what the task asks of it: what is kept of it beside its parameters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blueprint {
    /// What the layers are.
    pub model: ModelConfig,
    /// The loss.
    #[serde(default)]
    pub loss: LossConfig,
    /// The texts of the cells that [`ModelConfig`] names.
    pub cells: Vec<CellText>,
}

/// The text of a cell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CellText {
    /// How the user names it.
    pub name: String,
    /// What the text is called in diagnostics.
    pub file: String,
    /// The text.
    pub text: String,
    /// What it imports, and what is imported by this in turn.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub imports: Vec<Import>,
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
    /// Settings that contradict each other, or the task.
    #[error("{0}")]
    Settings(String),
    /// A text is not among those that were kept.
    #[error("there is no text of a cell `{0}`")]
    Text(String),
}

impl CellText {
    /// The texts of a unit that the user calls by a name.
    pub fn new(name: impl Into<String>, unit: &Unit) -> Self {
        let Source { name: file, text } = unit.sources[0].clone();
        let by_file = unit.files.iter().zip(&unit.targets).zip(&unit.sources);
        let imports = by_file.flat_map(|((file, targets), by)| {
            file.uses.iter().zip(targets).map(|(import, &target)| {
                let Source { name, text } = unit.sources[target].clone();
                Import { by: by.name.clone(), from: import.place.to_string(), name, text }
            })
        });
        Self { name: name.into(), file, text, imports: imports.collect() }
    }

    /// A cell of the catalogue.
    ///
    /// # Errors
    /// If there is none of this name, or it has faults.
    pub fn of_catalogue(name: &str) -> Result<Self, BlueprintError> {
        let entry = cellc_cells::find(name).ok_or_else(|| BlueprintError::Text(name.to_owned()))?;
        let mut resolve = |_: &Source, place: &Place| {
            let library = cellc_cells::find_library(&place.to_string());
            let library = library.map(|library| Source::new(library.name, library.source));
            library.ok_or_else(|| "there is no library of this name".to_owned())
        };
        let source = Source::new(format!("{name}.cell"), entry.source);
        let unit = Unit::load(source, &mut resolve).map_err(BlueprintError::Faults)?;
        Ok(Self::new(name, &unit))
    }

    /// The text with what it imports.
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
        Unit::load(Source::new(&self.file, &self.text), &mut resolve)
    }

    /// The names of the cell's dimensions and hyper-parameters.
    ///
    /// # Errors
    /// What is wrong with the form of the texts.
    pub fn settable(&self) -> Result<HashSet<String>, BlueprintError> {
        let unit = self.unit().map_err(BlueprintError::Faults)?;
        let cell = unit.root().cell.iter();
        let names = cell.flat_map(|cell| {
            let dims = cell.dims.iter().map(|dim| &dim.name);
            dims.chain(cell.hypers().map(|hyper| &hyper.name))
        });
        Ok(names.map(|name| name.text.clone()).collect())
    }

    fn check(&self, bindings: &Bindings) -> Result<Checked, BlueprintError> {
        let unit = self.unit().map_err(BlueprintError::Faults)?;
        check_unit(&unit, bindings).map_err(|diagnostics| {
            BlueprintError::Faults(Faults { diagnostics, sources: unit.sources })
        })
    }
}

/// The most layers of a model.
pub const MOST_LAYERS: usize = 100;
/// The most numbers of an embedding, and units of a layer.
pub const MOST_UNITS: usize = 65_536;

/// Stages as they are put together.
struct Builder<'a> {
    blueprint: &'a Blueprint,
    interface: Interface,
    stages: Vec<Stage>,
}

impl Builder<'_> {
    fn push(&mut self, name: impl Into<String>, cell: Cell, feeds: Vec<Feed>) -> usize {
        let (name, reverse, answers, shared) = (name.into(), false, false, None);
        self.stages.push(Stage { name, cell, feeds, reverse, answers, shared });
        self.stages.len() - 1
    }

    /// How wide the first outputs of stages are together.
    fn width(&self, stages: &[usize]) -> usize {
        let width = |&stage: &usize| {
            let graph = &self.stages[stage].cell.graph;
            let output = graph.outputs_of(OutputRole::Output).next();
            output.map_or(0, |output| graph.ty(output.value).size())
        };
        stages.iter().map(width).sum()
    }

    fn dropout(&mut self, name: &str, from: Vec<usize>) -> Result<Vec<usize>, BlueprintError> {
        let rate = self.blueprint.model.dropout;
        if rate == 0.0 {
            return Ok(from);
        }
        let cell = catalogue("dropout", &[("I", self.width(&from))], &[("rate", rate)])?;
        Ok(vec![self.push(name, cell, vec![Feed::Stages(from)])])
    }
}

impl Blueprint {
    /// A model of cells of the catalogue.
    ///
    /// # Errors
    /// If the catalogue lacks a cell that is named.
    pub fn of_catalogue(model: ModelConfig) -> Result<Self, BlueprintError> {
        let cells = model.cell_names().into_iter().map(CellText::of_catalogue);
        Ok(Self { cells: cells.collect::<Result<_, _>>()?, model, loss: LossConfig::default() })
    }

    /// The stages of a model that does what a task asks.
    ///
    /// # Errors
    /// If texts have faults, cells cannot be layers, or settings contradict each other.
    pub fn architecture(&self, interface: Interface) -> Result<Architecture, BlueprintError> {
        let model = &self.model;
        let fault = |text: String| Err(BlueprintError::Settings(text));
        if !(0.0..1.0).contains(&model.dropout) {
            return fault(format!(
                "dropout is a share from 0 up and below 1, not {}",
                Short(model.dropout)
            ));
        }
        let reads_symbols = matches!(interface.reads, Reads::Symbols(_));
        if reads_symbols {
            in_range("embedding", model.embedding, MOST_UNITS)?;
        }
        self.check_layers()?;
        let layers = model.layers();
        if !model.layer.is_empty() && ![1, model.layer.len()].contains(&model.layers) {
            let (layers, tables) = (model.layers, model.layer.len());
            return fault(format!(
                "model.layers is {layers}, but there are {tables} of [[model.layer]]"
            ));
        }
        if interface.readout == Readout::Each && model.pooling != Pooling::Last {
            return fault("there is nothing to pool: this task answers at each step".to_owned());
        }
        // Where states begin anew is not known from the other end either.
        let is_stream = interface.readout == Readout::Each && !interface.masked;
        if (is_stream || interface.resets) && layers.iter().any(|layer| layer.bidirectional) {
            return fault(
                "a bidirectional layer would read the answers: this task predicts what comes next"
                    .to_owned(),
            );
        }
        let mut builder = Builder { blueprint: self, interface, stages: Vec::new() };
        let mut top = match interface.reads {
            Reads::Symbols(count) => {
                let sizes = [("V", count), ("E", model.embedding)];
                let cell = catalogue("embedding", &sizes, &[("scale", model.embedding_scale)])?;
                vec![builder.push("embedding", cell, vec![Feed::Data])]
            }
            Reads::Reals(_) => Vec::new(),
        };
        for (i, layer) in layers.iter().enumerate() {
            top = self.layer(&mut builder, i, layer, top)?;
        }
        self.head(builder, top)
    }

    fn layer(
        &self,
        builder: &mut Builder<'_>,
        i: usize,
        layer: &Layer<'_>,
        below: Vec<usize>,
    ) -> Result<Vec<usize>, BlueprintError> {
        let (feed, width) = match (below.as_slice(), builder.interface.reads) {
            ([], Reads::Reals(width)) => (Feed::Data, width),
            _ => {
                let name = format!("layer{i}.dropout");
                (Feed::Stages(builder.dropout(&name, below.clone())?), builder.width(&below))
            }
        };
        let cell = self.cell(layer, width)?.cell;
        let mut top = vec![builder.push(format!("layer{i}"), cell.clone(), vec![feed.clone()])];
        if layer.bidirectional {
            let reverse = builder.push(format!("layer{i}.reverse"), cell, vec![feed]);
            builder.stages[reverse].reverse = true;
            top.push(reverse);
        }
        let residual = layer.residual.unwrap_or(self.model.residual && i > 0);
        if residual {
            let own = builder.width(&top);
            if own != width || below.is_empty() {
                return Err(BlueprintError::Settings(format!(
                    "layer {i} cannot be residual: it reads {width} numbers and gives {own}"
                )));
            }
            let cell = catalogue("residual", &[("I", width)], &[])?;
            let feeds = vec![Feed::Stages(below), Feed::Stages(top)];
            top = vec![builder.push(format!("layer{i}.residual"), cell, feeds)];
        }
        Ok(top)
    }

    fn head(
        &self,
        mut builder: Builder<'_>,
        mut top: Vec<usize>,
    ) -> Result<Architecture, BlueprintError> {
        let Interface { answers, readout, .. } = builder.interface;
        let pool = match self.model.pooling {
            _ if readout == Readout::Each => None,
            Pooling::Last => None,
            Pooling::Mean => Some("mean_pool"),
            Pooling::Max => Some("max_pool"),
            Pooling::Attention => Some("attention_pool"),
        };
        if let Some(pool) = pool {
            let cell = catalogue(pool, &[("I", builder.width(&top))], &[])?;
            top = vec![builder.push("pool", cell, vec![Feed::Stages(top)])];
        }
        let before = builder.stages.len();
        top = builder.dropout("head.dropout", top)?;
        let width = builder.width(&top);
        let head = catalogue("linear", &[("I", width), ("O", answers.width())], &[])?;
        let head = builder.push("head", head, vec![Feed::Stages(top)]);
        if self.model.tied {
            let Reads::Symbols(symbols) = builder.interface.reads else {
                return Err(BlueprintError::Settings(
                    "there is no embedding to tie the head to: the model reads numbers".to_owned(),
                ));
            };
            let embedding = self.model.embedding;
            if answers != Answers::Classes(symbols) || width != embedding {
                let mend = match answers {
                    Answers::Classes(n) if n == symbols => {
                        format!("; take `model.embedding = {width}`")
                    }
                    _ => String::new(),
                };
                return Err(BlueprintError::Settings(format!(
                    "the head cannot be tied to the embedding: it maps {width} numbers to {} \
                     scores, and the embedding {symbols} symbols to {embedding} numbers{mend}",
                    answers.width()
                )));
            }
            // The first params of both: `W` of `linear`, `table` of `embedding`. As a head it begins
            // small, so that no symbol is taken for likely.
            builder.stages[0].cell.initializers[0] = builder.stages[head].cell.initializers[0];
            builder.stages[head].shared = Some((0, 0, 0));
        }
        let loss = self.loss_cell(answers)?;
        builder.push("loss", loss, vec![Feed::Stages(vec![head]), Feed::Targets]);
        builder.stages[before..].iter_mut().for_each(|stage| stage.answers = true);
        Ok(Architecture { stages: builder.stages, interface: builder.interface })
    }

    fn loss_cell(&self, answers: Answers) -> Result<Cell, BlueprintError> {
        let smoothing = self.loss.label_smoothing;
        let fault = |text: String| Err(BlueprintError::Settings(text));
        if !(0.0..1.0).contains(&smoothing) {
            return fault(format!(
                "label_smoothing is a share from 0 up and below 1, not {}",
                Short(smoothing)
            ));
        }
        let (known, dim): (&[&'static str], _) = match answers {
            Answers::Classes(_) => (&["cross_entropy"], "C"),
            Answers::Reals(_) if smoothing > 0.0 => {
                return fault("there are no labels to smooth: numbers are answered".to_owned());
            }
            Answers::Reals(_) => (&["squared_error", "absolute_error", "huber"], "N"),
        };
        let name = match &self.loss.name {
            None => known[0],
            Some(name) => known.iter().copied().find(|known| known == name).ok_or_else(|| {
                let (known, n) = (known.join("`, `"), answers.width());
                let what = if dim == "C" { "classes" } else { "numbers" };
                BlueprintError::Settings(format!(
                    "there is no loss `{name}` of {n} {what}; take one of `{known}`"
                ))
            })?,
        };
        let name = if smoothing > 0.0 { "smoothed_cross_entropy" } else { name };
        let sets: &[_] =
            if name == "smoothed_cross_entropy" { &[("smoothing", smoothing)] } else { &[] };
        catalogue(name, &[(dim, answers.width())], sets)
    }

    /// What has a meaning in the texts of the cells, but perhaps not the intended one, with the text
    /// that it is of.
    ///
    /// # Errors
    /// As [`architecture`](Self::architecture).
    pub fn warnings(&self) -> Result<Vec<(&CellText, Vec<Diagnostic>)>, BlueprintError> {
        self.check_layers()?;
        let mut all = Vec::new();
        for layer in self.model.layers() {
            let text = self.text(layer.cell)?;
            if all.iter().all(|(seen, _): &(&CellText, _)| seen.name != text.name) {
                all.push((text, self.cell(&layer, layer.hidden)?.warnings));
            }
        }
        Ok(all)
    }

    /// Checks how many layers there are, and their sizes.
    fn check_layers(&self) -> Result<(), BlueprintError> {
        let model = &self.model;
        in_range("layers", model.layers.max(model.layer.len()), MOST_LAYERS)?;
        in_range("hidden", model.hidden, MOST_UNITS)?;
        let hidden = model.layer.iter().filter_map(|layer| layer.hidden);
        hidden.into_iter().try_for_each(|hidden| in_range("layer.hidden", hidden, MOST_UNITS))
    }

    fn text(&self, name: &str) -> Result<&CellText, BlueprintError> {
        let text = self.cells.iter().find(|text| text.name == name);
        text.ok_or_else(|| BlueprintError::Text(name.to_owned()))
    }

    fn cell(&self, layer: &Layer<'_>, width: usize) -> Result<Checked, BlueprintError> {
        let text = self.text(layer.cell)?;
        let unit = text.unit().map_err(BlueprintError::Faults)?;
        if let Some(cell) = &unit.root().cell {
            let has = |name: &str| cell.dims.iter().any(|dim| dim.name.text == name);
            if !(has("I") && has("H")) {
                let found: Vec<_> =
                    cell.dims.iter().map(|dim| format!("`{}`", dim.name.text)).collect();
                let found = if found.is_empty() { "none".into() } else { found.join(", ") };
                return Err(BlueprintError::Dims { cell: cell.name.text.clone(), found });
            }
        }
        if let Some(name) = ["I", "H"].into_iter().find(|name| layer.dims.contains_key(*name)) {
            return Err(BlueprintError::Given(name));
        }
        let mut dims = bind(&[("I", width), ("H", layer.hidden)]);
        dims.extend(layer.dims.clone());
        let hypers = layer.set.clone().into_iter().collect();
        text.check(&Bindings { dims, hypers })
    }
}

fn in_range(name: &str, size: usize, most: usize) -> Result<(), BlueprintError> {
    if (1..=most).contains(&size) {
        return Ok(());
    }
    Err(BlueprintError::Settings(format!(
        "model.{name} is {size}; it must be a whole number from 1 to {most}"
    )))
}

fn bind<T: Copy>(values: &[(&str, T)]) -> Vec<(String, T)> {
    values.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
}

fn catalogue(
    name: &str,
    dims: &[(&str, usize)],
    hypers: &[(&str, f64)],
) -> Result<Cell, BlueprintError> {
    let bindings = Bindings { dims: bind(dims), hypers: bind(hypers).into_iter().collect() };
    Ok(CellText::of_catalogue(name)?.check(&bindings)?.cell)
}

#[cfg(test)]
mod tests;
