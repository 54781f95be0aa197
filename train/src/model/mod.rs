//! Models: cells that feed each other, a head that answers and a loss that judges.
//!
//! A model is a list of *stages*. Each is a cell of the language, run by a
//! [`Sequence`](cellc_runtime::sequence::Sequence) of its own; what its inputs are fed with is
//! said by [`Feed`]s. Going forward, a stage reads the first outputs of stages before it; going
//! backward, the cotangent of an input is added to that of the outputs it came from. Embeddings,
//! dropout, pooling, residual sums and losses are cells too: nothing here knows a derivative.

mod feed;
mod fill;
mod run;
mod score;

use cellc_compiler::cell::{Cell, Initializer};
use cellc_compiler::freeze::freeze;
use cellc_compiler::ir::op::{Role, TypeError};
use cellc_compiler::reset::resettable;
use cellc_runtime::initialize;
use cellc_runtime::kernels::Wide;
use cellc_runtime::program::{Engine, Program, ProgramError};
use cellc_runtime::segmented::{Limit, Segments};
use cellc_runtime::sequence::Port;
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use self::run::{ModelRun, States};
pub(crate) use self::run::{likeliest, share_of_each};
pub use self::score::Score;

/// When a model answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Readout {
    /// Once, after the last step: a label of the whole sequence.
    Last,
    /// After every step: the next symbol.
    Each,
}

/// What a model reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reads {
    /// A symbol of so many at each step.
    Symbols(usize),
    /// So many real numbers at each step.
    Reals(usize),
}

/// What a model answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answers {
    /// A class of so many, by one score (logit) for each.
    Classes(usize),
    /// So many real numbers.
    Reals(usize),
}

impl Answers {
    /// How many numbers an answer is.
    pub fn width(self) -> usize {
        match self {
            Self::Classes(n) | Self::Reals(n) => n,
        }
    }
}

/// What a task asks of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// What it reads.
    pub reads: Reads,
    /// What it answers.
    pub answers: Answers,
    /// When it answers.
    pub readout: Readout,
    /// Whether sequences of several lengths share a batch: states stand still until a sequence
    /// begins.
    pub masked: bool,
    /// Whether states can begin anew in the middle of a sequence.
    pub resets: bool,
}

/// What an input of a stage is fed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Feed {
    /// What the model reads.
    Data,
    /// The first outputs of stages before it, end to end.
    Stages(Vec<usize>),
    /// The answers to be judged by.
    Targets,
}

/// A cell in its place.
#[derive(Clone, Debug)]
pub struct Stage {
    /// What it is called in the names of its parameters.
    pub name: String,
    /// The cell.
    pub cell: Cell,
    /// What feeds each of its inputs.
    pub feeds: Vec<Feed>,
    /// Whether it reads sequences from their end.
    pub reverse: bool,
    /// Whether it reads only what there is after the last step of a model that answers once.
    pub answers: bool,
    /// A parameter that is that of an earlier stage: its own number, the stage, and the number there.
    pub shared: Option<(usize, usize, usize)>,
}

/// The stages of a model, each fed by those before it.
#[derive(Clone, Debug)]
pub struct Architecture {
    /// The stages; the last is the loss, and the one before it answers.
    pub stages: Vec<Stage>,
    /// What the task asks.
    pub interface: Interface,
}

impl Architecture {
    /// The number of elements of all parameters together, as [`Model::size`] of a model made of it.
    pub fn size(&self) -> usize {
        let sizes = self.stages.iter().map(|stage| {
            let graph = &stage.cell.graph;
            let own = |i: &usize| stage.shared.is_none_or(|(own, ..)| own != *i);
            let params = graph.arguments_of(Role::Param).enumerate();
            let params = params.filter(|(i, _)| own(i));
            params.map(|(_, (id, _))| graph.ty(id).size()).sum::<usize>()
        });
        sizes.sum()
    }
}

/// Why cells make no model.
#[derive(Debug, Error)]
pub enum ModelError {
    /// A cell takes or gives something else than its place in a model needs.
    #[error("cell `{cell}` cannot be `{place}` of a model: {fault}")]
    Ports {
        /// The cell's name.
        cell: String,
        /// Its place.
        place: String,
        /// What does not fit.
        fault: String,
    },
    /// A cell could not be made ready.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// A cell could not be frozen or reset.
    #[error("internal error in `freeze` or `reset`: {0}")]
    Pass(#[from] TypeError),
}

/// A stage, made ready.
struct Ready<T> {
    name: String,
    program: Program<T>,
    feeds: Vec<Feed>,
    reverse: bool,
    answers: bool,
    /// Its inputs for resets and for the mask, which come after those that are fed.
    reset: Option<usize>,
    mask: Option<usize>,
    shared: Option<(usize, usize, usize)>,
}

/// A parameter of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name: the stage's and the cell's own, such as `layer0.W_f` or `head.b`.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
}

/// Stages made ready, and their parameters.
pub struct Model<T> {
    stages: Vec<Ready<T>>,
    interface: Interface,
    /// For each stage, its parameters in the order of its cell.
    params: Vec<Vec<Vec<T>>>,
}

impl<T: Wide> Model<T> {
    /// Makes the stages ready on an engine and draws their parameters.
    ///
    /// # Errors
    /// If a cell does not fit its place.
    pub fn new(architecture: &Architecture, engine: Engine, seed: u64) -> Result<Self, ModelError> {
        let interface = architecture.interface;
        let mut model = Self { stages: Vec::new(), interface, params: Vec::new() };
        for stage in &architecture.stages {
            feed::check(stage, &model.stages, &interface).map_err(|fault| ModelError::Ports {
                cell: stage.cell.graph.name().to_owned(),
                place: stage.name.clone(),
                fault,
            })?;
            model.push(stage, engine)?;
        }
        let initializers = architecture.stages.iter().map(|s| s.cell.initializers.as_slice());
        model.initialize(&initializers.collect::<Vec<_>>(), seed);
        Ok(model)
    }

    fn push(&mut self, stage: &Stage, engine: Engine) -> Result<(), ModelError> {
        let mut cell = stage.cell.clone();
        let mut inputs = stage.feeds.len();
        let recurrent = !cell.initial.is_empty();
        let mut added = |wanted: bool| {
            (wanted && recurrent).then(|| {
                inputs += 1;
                inputs - 1
            })
        };
        let reset = added(self.interface.resets);
        if reset.is_some() {
            cell.graph = resettable(&cell)?;
        }
        let mask = added(self.interface.masked);
        if mask.is_some() {
            cell.graph = freeze(&cell.graph)?;
        }
        self.stages.push(Ready {
            name: stage.name.clone(),
            program: Program::of(&cell, engine)?,
            feeds: stage.feeds.clone(),
            reverse: stage.reverse,
            answers: stage.answers,
            reset,
            mask,
            shared: stage.shared,
        });
        Ok(())
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
        self.share();
    }

    /// Gives stages that share a parameter of another its present value.
    fn share(&mut self) {
        for (i, stage) in self.stages.iter().enumerate() {
            if let Some((own, of, param)) = stage.shared {
                let (before, after) = self.params.split_at_mut(i);
                after[0][own].clone_from(&before[of][param]);
            }
        }
    }

    /// Whether a parameter of a stage is one of its own.
    fn owns(stage: &Ready<T>, param: usize) -> bool {
        stage.shared.is_none_or(|(own, ..)| own != param)
    }

    /// The stages and numbers of the parameters that are not another's.
    fn owned(&self) -> Vec<(usize, usize)> {
        let stages = self.stages.iter().enumerate();
        let of_stage = stages.flat_map(|(i, stage)| {
            let params = 0..stage.program.interface().params.len();
            params.filter(|&param| Self::owns(stage, param)).map(move |param| (i, param))
        });
        of_stage.collect()
    }

    /// What the task asks.
    pub fn interface(&self) -> &Interface {
        &self.interface
    }

    /// What its parameters are called and how they are shaped, in the order of
    /// [`params`](Self::params). One that stages share is there once.
    pub fn parameters(&self) -> Vec<Parameter> {
        let of_stage = |stage: &Ready<T>| {
            let parameter = |port: &Port| Parameter {
                name: format!("{}.{}", stage.name, port.name),
                shape: port.ty.shape.to_vec(),
            };
            let ports = stage.program.interface().params.iter().enumerate();
            let ports = ports.filter(|(i, _)| Self::owns(stage, *i));
            ports.map(|(_, port)| parameter(port)).collect::<Vec<_>>()
        };
        self.stages.iter().flat_map(of_stage).collect()
    }

    /// How many states each of its stages has.
    pub fn state_counts(&self) -> Vec<usize> {
        self.stages.iter().map(|stage| stage.program.interface().states.len()).collect()
    }

    /// The number of elements of all parameters together.
    pub fn size(&self) -> usize {
        self.params().iter().map(|param| param.len()).sum()
    }

    /// The parameters, each row-major.
    pub fn params(&self) -> Vec<&[T]> {
        let stages = self.stages.iter().zip(&self.params);
        let of_stage = stages.flat_map(|(stage, params)| {
            let own = params.iter().enumerate().filter(|(i, _)| Self::owns(stage, *i));
            own.map(|(_, param)| param.as_slice())
        });
        of_stage.collect()
    }

    /// For each stage, its parameters in the order of its cell.
    pub(crate) fn stage_params(&self) -> &[Vec<Vec<T>>] {
        &self.params
    }

    /// Changes the parameters.
    pub fn update<R>(&mut self, change: impl FnOnce(&mut [&mut [T]]) -> R) -> R {
        let stages = self.stages.iter().zip(&mut self.params);
        let mut params: Vec<&mut [T]> = (stages)
            .flat_map(|(stage, params)| {
                let own = params.iter_mut().enumerate().filter(|(i, _)| Self::owns(stage, *i));
                own.map(|(_, param)| param.as_mut_slice())
            })
            .collect();
        let result = change(&mut params);
        self.share();
        result
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
        let sequence = |stage: &Ready<T>| stage.program.segmented(threads, segments);
        ModelRun::new(self.stages.iter().map(sequence).collect(), limit)
    }
}

#[cfg(test)]
mod tests;
