//! What is said of a model: its layers and its loss.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How a sequence becomes one vector, where a model answers once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pooling {
    /// What the last layer gives after the last step.
    #[default]
    Last,
    /// The mean of what it gives.
    Mean,
    /// Of each element the largest.
    Max,
    /// The mean by learnt weights.
    Attention,
}

/// What the layers of a model are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelConfig {
    /// The cell of the layers: one of the catalogue, or the path of a `.cell` file.
    pub cell: String,
    /// How many layers there are.
    pub layers: usize,
    /// The cell's dimension `H` in every layer.
    pub hidden: usize,
    /// How many numbers a symbol's vector has; of no meaning where numbers are read.
    pub embedding: usize,
    /// The standard deviation of the numbers of embeddings before the training.
    pub embedding_scale: f64,
    /// The probability that a number on its way into a layer or into the head is left out while the
    /// model is trained.
    pub dropout: f64,
    /// Whether every layer reads sequences also from their end.
    pub bidirectional: bool,
    /// Whether the layers from the second on add what they find to what they read.
    pub residual: bool,
    /// How a sequence becomes one vector, where the model answers once.
    pub pooling: Pooling,
    /// Whether the head's matrix is the embedding's.
    pub tied: bool,
    /// The cell's other dimensions.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub dims: BTreeMap<String, usize>,
    /// The hyper-parameters that are not to have their defaults.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub set: BTreeMap<String, f64>,
    /// Layers that differ; if there are any, there are as many layers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub layer: Vec<LayerConfig>,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            cell: "lstm".to_owned(),
            layers: 1,
            hidden: 64,
            embedding: 32,
            embedding_scale: 1.0,
            dropout: 0.0,
            bidirectional: false,
            residual: false,
            pooling: Pooling::Last,
            tied: false,
            dims: BTreeMap::new(),
            set: BTreeMap::new(),
            layer: Vec::new(),
        }
    }
}

/// A layer that differs: what is left out is as in [`ModelConfig`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LayerConfig {
    /// The cell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cell: Option<String>,
    /// Its dimension `H`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hidden: Option<usize>,
    /// Whether it reads sequences also from their end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bidirectional: Option<bool>,
    /// Whether it adds what it finds to what it reads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub residual: Option<bool>,
    /// The cell's other dimensions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dims: Option<BTreeMap<String, usize>>,
    /// Its hyper-parameters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set: Option<BTreeMap<String, f64>>,
}

/// What training makes small.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LossConfig {
    /// The loss: a cell of the catalogue. If left out, `cross_entropy` of classes and
    /// `squared_error` of numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The share of a class's probability that is spread over all classes, 0 to 1.
    pub label_smoothing: f64,
}

/// A layer with everything said.
pub(super) struct Layer<'a> {
    pub(super) cell: &'a str,
    pub(super) hidden: usize,
    pub(super) bidirectional: bool,
    pub(super) residual: Option<bool>,
    pub(super) dims: &'a BTreeMap<String, usize>,
    pub(super) set: &'a BTreeMap<String, f64>,
}

impl ModelConfig {
    pub(super) fn layers(&self) -> Vec<Layer<'_>> {
        let common = Layer {
            cell: &self.cell,
            hidden: self.hidden,
            bidirectional: self.bidirectional,
            residual: None,
            dims: &self.dims,
            set: &self.set,
        };
        if self.layer.is_empty() {
            return (0..self.layers).map(|_| Layer { ..common }).collect();
        }
        let layers = self.layer.iter().map(|own| Layer {
            cell: own.cell.as_deref().unwrap_or(common.cell),
            hidden: own.hidden.unwrap_or(common.hidden),
            bidirectional: own.bidirectional.unwrap_or(common.bidirectional),
            residual: own.residual,
            dims: own.dims.as_ref().unwrap_or(common.dims),
            set: own.set.as_ref().unwrap_or(common.set),
        });
        layers.collect()
    }

    /// The cells that are named, each once.
    pub fn cell_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for layer in self.layers() {
            if !names.contains(&layer.cell) {
                names.push(layer.cell);
            }
        }
        names
    }
}
