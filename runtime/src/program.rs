//! A cell and its gradient, ready to run.

use std::marker::PhantomData;
use std::sync::Arc;

use cellc_compiler::autodiff::{DifferentiateError, Gradient, differentiate};
use cellc_compiler::ir::eval::Real;
use cellc_compiler::ir::graph::Graph;
use cellc_compiler::ir::verify::{VerifyError, verify};
use cellc_compiler::jit::{Code, JitError};
use cellc_compiler::pipeline::{self, Graphs, PipelineError};
use thiserror::Error;

use crate::interpreter::InterpretedSequence;
use crate::native::{NativeCode, NativeSequence};
use crate::segmented::{Segmented, Segments};
use crate::sequence::{Interface, Sequence};

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
    /// A pass failed, or differentiation after it.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// There is no machine code.
    #[error(transparent)]
    Jit(#[from] JitError),
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

impl<T: Real> Program<T> {
    /// Differentiates and, for native code, compiles a graph.
    ///
    /// The interpreter is given the graph as it is, native code what the passes make of it.
    ///
    /// # Errors
    /// If the graph breaks an invariant, or there is no code generator for this machine.
    pub fn new(graph: &Graph, engine: Engine) -> Result<Self, ProgramError> {
        Self::with_passes(graph, engine, |_| true)
    }

    /// The same with only those simplifying passes whose name `enabled` lets through.
    ///
    /// # Errors
    /// As for [`Program::new`].
    pub fn with_passes(
        graph: &Graph,
        engine: Engine,
        enabled: impl Fn(&str) -> bool,
    ) -> Result<Self, ProgramError> {
        verify(graph)?;
        let ready = match engine {
            Engine::Interpreter => {
                Ready::Interpreted(Arc::new(graph.clone()), Arc::new(differentiate(graph)?))
            }
            Engine::Jit => {
                let graphs = Graphs::new(graph, enabled)?;
                let compile = |graph: &Graph| Code::compile(pipeline::plan(graph), T::PRECISION);
                Ready::Native(Arc::new(NativeCode {
                    forward: compile(&graphs.forward)?,
                    taped: compile(&graphs.taped)?,
                    backward: compile(&graphs.backward)?,
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
}
