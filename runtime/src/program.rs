//! A cell and its gradient, ready to run.

use std::marker::PhantomData;
use std::sync::Arc;

use cellc_compiler::autodiff::{DifferentiateError, Gradient, differentiate, jvp};
use cellc_compiler::cell::{Cell, Initial};
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
use crate::segmented::{Segmented, Segments, fill};
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
    /// Where each state begins.
    initial: Vec<Initial>,
    ready: Ready,
    precision: PhantomData<T>,
}

enum Ready {
    Native(Arc<NativeCode>),
    Interpreted(Arc<Graph>, Arc<Gradient>),
}

impl<T: Wide> Program<T> {
    /// Differentiates and, for native code, compiles a cell, whose states begin where it says.
    ///
    /// # Errors
    /// As for [`Program::new`].
    pub fn of(cell: &Cell, engine: Engine) -> Result<Self, ProgramError> {
        Ok(Self::new(&cell.graph, engine)?.beginning_at(&cell.initial))
    }

    /// The same with states that begin elsewhere: one place for each.
    ///
    /// # Panics
    /// If there are more or fewer places than states.
    pub fn beginning_at(self, initial: &[Initial]) -> Self {
        assert_eq!(initial.len(), self.initial.len(), "a place for each state");
        Self { initial: initial.to_vec(), ..self }
    }

    /// Differentiates and, for native code, compiles a graph. Its states begin at 0.
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
        let graphs = |enabled: &dyn Fn(&str) -> bool| Graphs::new(graph, enabled);
        Self::make(graph.clone(), engine, settings, || differentiate(graph), graphs)
    }

    /// The [`jvp()`] of a graph, whose gradient is that of the graph with tangents: forward over
    /// reverse. [`SecondOrder`](crate::second::SecondOrder) says what is what in its runs.
    ///
    /// # Errors
    /// As for [`Program::new`].
    pub fn with_tangents(
        graph: &Graph,
        engine: Engine,
        settings: &Settings<'_>,
    ) -> Result<Self, ProgramError> {
        verify(graph)?;
        let gradient = || differentiate(graph)?.jvp();
        let graphs = |enabled: &dyn Fn(&str) -> bool| Graphs::with_tangents(graph, enabled);
        Self::make(jvp(graph)?, engine, settings, gradient, graphs)
    }

    /// What an engine runs: `graph` and its gradient, as they are or as the passes make them.
    fn make(
        graph: Graph,
        engine: Engine,
        settings: &Settings<'_>,
        gradient: impl FnOnce() -> Result<Gradient, DifferentiateError>,
        graphs: impl FnOnce(&dyn Fn(&str) -> bool) -> Result<Graphs, PipelineError>,
    ) -> Result<Self, ProgramError> {
        let interface = Interface::of(&graph);
        let ready = match engine {
            Engine::Interpreter => Ready::Interpreted(Arc::new(graph), Arc::new(gradient()?)),
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
                let plans = Plans::new(&graphs(&enabled)?, options);
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
        let initial = vec![Initial::ZERO; interface.states.len()];
        Ok(Self { interface, initial, ready, precision: PhantomData })
    }

    /// What the cell takes and gives.
    pub fn interface(&self) -> &Interface {
        &self.interface
    }

    /// Memory for runs of this program, each on as many threads as given.
    pub fn sequence(&self, threads: usize) -> Box<dyn Sequence<T>> {
        if self.initial.iter().all(|initial| *initial == Initial::ZERO) {
            return self.plain(threads);
        }
        // Without a limit, everything fits.
        Box::new(self.segmented(threads, Segments::Within(usize::MAX)))
    }

    /// Memory for runs whose states begin at 0.
    fn plain(&self, threads: usize) -> Box<dyn Sequence<T>> {
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
        Segmented::beginning(self.plain(threads), segments, self.initial.clone())
    }

    /// The cell one time step at a time, for `batch` streams side by side, with these params.
    ///
    /// # Errors
    /// If params do not fit the cell.
    ///
    /// # Panics
    /// If the batch has more than 2^28 examples.
    pub fn step(&self, params: &[Vec<T>], batch: usize) -> Result<Box<dyn Step<T>>, RunError> {
        let mut step: Box<dyn Step<T>> = match &self.ready {
            Ready::Native(code) => {
                Box::new(NativeStep::new(code.clone(), self.interface.clone(), params, batch)?)
            }
            Ready::Interpreted(..) => Box::new(SequenceStep::new(self.plain(1), params, batch)?),
        };
        for (state, &initial) in self.initial.iter().enumerate() {
            fill(step.state_mut(state), initial, params);
        }
        Ok(step)
    }
}
