//! A cell and its gradient, ready to run.

use std::marker::PhantomData;
use std::sync::Arc;

use cellc_compiler::autodiff::{DifferentiateError, Gradient, differentiate};
use cellc_compiler::fuse::Machine;
use cellc_compiler::ir::graph::Graph;
use cellc_compiler::ir::op::TypeError;
use cellc_compiler::ir::verify::{VerifyError, verify};
use cellc_compiler::jit::{Code, JitError};
use cellc_compiler::pipeline::{Graphs, PipelineError, Plans};
use cellc_compiler::plan::Options;
use thiserror::Error;

use crate::interpreter::InterpretedSequence;
use crate::kernels::{Wide, Width};
use crate::native::{NativeCode, NativeSequence, NativeStep, Routine};
use crate::segmented::{Segmented, Segments};
use crate::sequence::{Interface, RunError, Sequence};
use crate::step::{SequenceStep, Step};

/// What runs a cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Engine {
    /// Native code for this machine.
    #[default]
    Jit,
    /// The reference interpreter: slow, obvious, and what the meaning of the language is.
    Interpreter,
}

/// Why a cell could not be made ready: this machine has no code generator, or a bug.
#[derive(Debug, Error)]
pub enum ProgramError {
    /// The graph breaks an invariant.
    #[error("internal error: {0}")]
    Verify(#[from] VerifyError),
    /// Differentiation failed.
    #[error("internal error in `differentiate`: {0}")]
    Differentiate(#[from] DifferentiateError),
    /// A cell could not be frozen.
    #[error("internal error in `freeze`: {0}")]
    Freeze(#[from] TypeError),
    /// A pass failed, or differentiation after it.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// There is no machine code.
    #[error(transparent)]
    Jit(#[from] JitError),
    /// Vectors were asked for that this machine has not.
    #[error("this machine has no vectors of {0:?}")]
    Width(Width),
}

/// How native code is made.
#[derive(Clone, Copy)]
pub struct Settings<'a> {
    /// Lets a pass through, or not, by its name: those of `cellc_compiler::opt`, and `reuse` of
    /// memory.
    pub enabled: &'a dyn Fn(&str) -> bool,
    /// The vectors of the runtime's kernels; `None` to compile everything.
    pub width: Option<Width>,
}

impl Default for Settings<'_> {
    /// All passes, and the widest vectors of this machine.
    fn default() -> Self {
        Self { enabled: &|_| true, width: Width::detect() }
    }
}

/// A cell and its gradient, ready to run on an engine in one precision.
pub struct Program<T> {
    interface: Interface,
    ready: Ready,
    precision: PhantomData<T>,
}

enum Ready {
    Native(Arc<NativeCode>),
    Interpreted(Arc<Graph>, Arc<Gradient>),
}

impl<T: Wide> Program<T> {
    /// Differentiates and, for native code, compiles a graph.
    ///
    /// The interpreter is given the graph as it is, native code what the passes make of it.
    ///
    /// # Errors
    /// If the graph breaks an invariant, or there is no code generator for this machine.
    pub fn new(graph: &Graph, engine: Engine) -> Result<Self, ProgramError> {
        Self::with_settings(graph, engine, &Settings::default())
    }

    /// The same, made in another way than is best: for tests and measurements.
    ///
    /// # Errors
    /// As for [`Program::new`], or if this machine has no vectors of the width.
    pub fn with_settings(
        graph: &Graph,
        engine: Engine,
        settings: &Settings<'_>,
    ) -> Result<Self, ProgramError> {
        verify(graph)?;
        let ready = match engine {
            Engine::Interpreter => {
                Ready::Interpreted(Arc::new(graph.clone()), Arc::new(differentiate(graph)?))
            }
            Engine::Jit => {
                let &Settings { enabled, width } = settings;
                if let Some(width) = width
                    && !Width::available().any(|available| available == width)
                {
                    return Err(ProgramError::Width(width));
                }
                let options =
                    Options { machine: Machine { wide: width.is_some() }, reuse: enabled("reuse") };
                let enabled = |pass: &str| enabled(pass) && options.machine.has_use_of(pass);
                let plans = Plans::new(&Graphs::new(graph, enabled)?, options);
                let compile = |plan| -> Result<Routine, ProgramError> {
                    Ok(Routine::new::<T>(Code::compile(plan, T::PRECISION)?, width))
                };
                Ready::Native(Arc::new(NativeCode {
                    forward: compile(plans.forward)?,
                    taped: compile(plans.taped)?,
                    backward: compile(plans.backward)?,
                }))
            }
        };
        Ok(Self { interface: Interface::of(graph), ready, precision: PhantomData })
    }

    /// What the cell takes and gives.
    pub fn interface(&self) -> &Interface {
        &self.interface
    }

    /// Memory for runs of this program, each on as many threads as given.
    pub fn sequence(&self, threads: usize) -> Box<dyn Sequence<T>> {
        match &self.ready {
            Ready::Native(code) => {
                Box::new(NativeSequence::new(code.clone(), self.interface.clone(), threads))
            }
            Ready::Interpreted(graph, gradient) => {
                Box::new(InterpretedSequence::new(graph.clone(), gradient.clone()))
            }
        }
    }

    /// The same within a limit of memory, in bytes: if a run would take more than that, it is cut
    /// into segments. Params are not counted.
    pub fn sequence_within(&self, threads: usize, limit: Option<usize>) -> Box<dyn Sequence<T>> {
        match limit {
            None => self.sequence(threads),
            Some(limit) => Box::new(self.segmented(threads, Segments::Within(limit))),
        }
    }

    /// Memory for runs of this program in segments, each on as many threads as given.
    pub fn segmented(&self, threads: usize, segments: Segments) -> Segmented<T> {
        Segmented::new(self.sequence(threads), segments)
    }

    /// The cell one time step at a time, for `batch` streams side by side, with these params.
    ///
    /// # Errors
    /// If params do not fit the cell.
    ///
    /// # Panics
    /// If the batch has more than 2^28 examples.
    pub fn step(&self, params: &[Vec<T>], batch: usize) -> Result<Box<dyn Step<T>>, RunError> {
        Ok(match &self.ready {
            Ready::Native(code) => {
                Box::new(NativeStep::new(code.clone(), self.interface.clone(), params, batch)?)
            }
            Ready::Interpreted(..) => Box::new(SequenceStep::new(self.sequence(1), params, batch)?),
        })
    }
}
