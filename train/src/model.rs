//! Models: an embedding, a stack of cells, a head and a loss.
//!
//! Each of them is a cell of the language, run by a [`Sequence`](cellc_runtime::sequence::Sequence) of its
//! own. Going forward, the first output of each is the input of the next; going backward, the
//! cotangent of an input is that of the output it came from. Nothing here knows a derivative.

mod feed;
mod run;

use cellc_compiler::cell::{Cell, Initializer};
use cellc_compiler::freeze::freeze;
use cellc_compiler::ir::op::TypeError;
use cellc_runtime::kernels::Wide;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use cellc_runtime::initialize;
use cellc_runtime::program::{Engine, Program, ProgramError};
use cellc_runtime::segmented::{Limit, Segments};
use cellc_runtime::sequence::Port;

use self::feed::Feed;
pub use self::run::{ModelRun, Score};

/// When a model answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Readout {
    /// Once, after the last step: a label of the whole sequence. Layers are frozen under a mask, so
    /// that sequences of several lengths can share a batch.
    Last,
    /// After every step: the next symbol.
    Each,
}

/// The cells that a model is made of.
#[derive(Clone, Debug)]
pub struct Architecture {
    /// From an index to a vector.
    pub embedding: Cell,
    /// From a vector to a vector, each fed with the first output of the one before.
    pub layers: Vec<Cell>,
    /// From the last layer's first output to one logit for each class.
    pub head: Cell,
    /// From logits and an index, the answer, to a scalar in nats.
    pub loss: Cell,
    /// When the model answers.
    pub readout: Readout,
}

/// Why cells make no model.
#[derive(Debug, Error)]
pub enum ModelError {
    /// A cell takes or gives something else than its place in a model needs.
    #[error("cell `{cell}` cannot be {place} of a model: {fault}")]
    Ports {
        /// The cell's name.
        cell: String,
        /// Its place.
        place: &'static str,
        /// What does not fit.
        fault: String,
    },
    /// A cell could not be made ready.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// A cell could not be frozen.
    #[error("internal error in `freeze`: {0}")]
    Freeze(#[from] TypeError),
}

/// A part of a model: a cell in its place.
struct Stage<T> {
    name: String,
    program: Program<T>,
    /// The input that the stage before feeds, or the symbols.
    input: usize,
    /// The input that takes the mask of a frozen layer, or the answers of a loss.
    second: Option<usize>,
}

/// A parameter of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name: the stage's and the cell's own, such as `layer0.W_f` or `head.b`.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
}

/// Cells composed to a model, and their parameters.
pub struct Model<T> {
    stages: Vec<Stage<T>>,
    readout: Readout,
    /// For each stage, its parameters in the order of its cell.
    params: Vec<Vec<Vec<T>>>,
}

impl<T: Wide> Model<T> {
    /// Composes cells, makes them ready on an engine and draws their parameters.
    ///
    /// # Errors
    /// If a cell does not fit its place.
    pub fn new(architecture: &Architecture, engine: Engine, seed: u64) -> Result<Self, ModelError> {
        let Architecture { embedding, layers, head, loss, readout } = architecture;
        let mut model = Self { stages: Vec::new(), readout: *readout, params: Vec::new() };
        let mut width = model.push("embedding", embedding, Feed::Symbol, engine)?;
        for (i, layer) in layers.iter().enumerate() {
            let frozen;
            let layer = match readout {
                Readout::Each => layer,
                Readout::Last => {
                    frozen = Cell { graph: freeze(&layer.graph)?, ..layer.clone() };
                    &frozen
                }
            };
            let feed = Feed::Layer { width, masked: *readout == Readout::Last };
            width = model.push(&format!("layer{i}"), layer, feed, engine)?;
        }
        width = model.push("head", head, Feed::Head { width }, engine)?;
        model.push("loss", loss, Feed::Loss { width }, engine)?;
        let cells = std::iter::once(embedding).chain(layers).chain([head, loss]);
        model.initialize(&cells.map(|cell| cell.initializers.as_slice()).collect::<Vec<_>>(), seed);
        Ok(model)
    }

    /// Adds a stage, and says how wide its first output is.
    fn push(
        &mut self,
        name: &str,
        cell: &Cell,
        feed: Feed,
        engine: Engine,
    ) -> Result<usize, ModelError> {
        let program = Program::of(cell, engine)?;
        let interface = program.interface();
        let fitted = feed.fit(&interface.inputs, &interface.outputs);
        let (input, second, width) = fitted.map_err(|fault| ModelError::Ports {
            cell: cell.graph.name().trim_end_matches(".frozen").to_owned(),
            place: feed.place(),
            fault,
        })?;
        self.stages.push(Stage { name: name.to_owned(), program, input, second });
        Ok(width)
    }

    fn initialize(&mut self, initializers: &[&[Initializer]], seed: u64) {
        let mut stream = 0;
        for (stage, initializers) in self.stages.iter().zip(initializers) {
            let mut params = Vec::new();
            for (port, &initializer) in stage.program.interface().params.iter().zip(*initializers) {
                params.push(initialize::draw(initializer, &port.ty.shape, seed, stream));
                stream += 1;
            }
            self.params.push(params);
        }
    }

    /// When it answers.
    pub fn readout(&self) -> Readout {
        self.readout
    }

    /// What its parameters are called and how they are shaped, in the order of
    /// [`params`](Self::params).
    pub fn parameters(&self) -> Vec<Parameter> {
        let of_stage = |stage: &Stage<T>| {
            let parameter = |port: &Port| Parameter {
                name: format!("{}.{}", stage.name, port.name),
                shape: port.ty.shape.to_vec(),
            };
            stage.program.interface().params.iter().map(parameter).collect::<Vec<_>>()
        };
        self.stages.iter().flat_map(of_stage).collect()
    }

    /// The number of elements of all parameters together.
    pub fn size(&self) -> usize {
        self.params().iter().map(|param| param.len()).sum()
    }

    /// The parameters, each row-major.
    pub fn params(&self) -> Vec<&[T]> {
        self.params.iter().flatten().map(Vec::as_slice).collect()
    }

    /// The parameters, to be changed.
    pub fn params_mut(&mut self) -> Vec<&mut [T]> {
        self.params.iter_mut().flatten().map(Vec::as_mut_slice).collect()
    }

    /// Memory for runs of this model, each on as many threads as given.
    pub fn run(&self, threads: usize) -> ModelRun<T> {
        self.run_within(threads, None)
    }

    /// The same within a limit of memory: what would take more than that is run in segments. The
    /// parameters are not counted.
    pub fn run_within(&self, threads: usize, limit: Option<Limit>) -> ModelRun<T> {
        // Without a limit, everything fits.
        let segments = Segments::Within(usize::MAX);
        let sequence = |stage: &Stage<T>| stage.program.segmented(threads, segments);
        ModelRun::new(self.stages.iter().map(sequence).collect(), limit)
    }
}

#[cfg(test)]
mod tests;
