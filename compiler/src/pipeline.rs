//! The way from a cell's graph to the plans of its code.

use thiserror::Error;

use crate::autodiff::{DifferentiateError, differentiate};
use crate::fuse::fuse;
use crate::ir::graph::Graph;
use crate::opt::{PassError, ready, simplify};
use crate::phases::phases;
use crate::plan::{Options, Place, Plan, plan as place};

/// A bug on the way from a graph to its plan.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PipelineError {
    /// Differentiation failed.
    #[error("internal error in `differentiate`: {0}")]
    Differentiate(#[from] DifferentiateError),
    /// A pass failed.
    #[error("internal error: {0}")]
    Pass(#[from] PassError),
}

/// The graphs that a cell is compiled as, all simplified.
#[derive(Clone, Debug, PartialEq)]
pub struct Graphs {
    /// The cell's own.
    pub forward: Graph,
    /// The cell's own, with residuals for `backward` as further outputs.
    pub taped: Graph,
    /// From residuals and cotangents of results to cotangents of arguments.
    pub backward: Graph,
}

impl Graphs {
    /// Simplifies a verified graph, differentiates it, and simplifies what that gives, by those
    /// passes whose name `enabled` lets through.
    ///
    /// # Errors
    /// Only by a bug, which the error places.
    pub fn new(graph: &Graph, enabled: impl Fn(&str) -> bool) -> Result<Self, PipelineError> {
        let graph = simplify(graph, &enabled)?;
        let gradient = differentiate(&graph)?;
        let ready = |graph: &Graph| ready(&simplify(graph, &enabled)?, &enabled);
        Ok(Self {
            forward: ready(&graph)?,
            taped: ready(&gradient.forward)?,
            backward: ready(&gradient.backward)?,
        })
    }
}

/// The plans of a cell's code.
#[derive(Clone, Debug)]
pub struct Plans {
    /// Forward.
    pub forward: Plan,
    /// Forward, leaving residuals.
    pub taped: Plan,
    /// Backward, from the residuals where `taped` leaves them.
    pub backward: Plan,
}

impl Plans {
    /// Phases, kernels, memory: everything between graphs and code generation.
    pub fn new(graphs: &Graphs, options: Options) -> Self {
        let plan = |graph: &Graph, residuals: &[Place]| {
            place(&fuse(&phases(graph), options.machine), options, residuals)
        };
        let taped = plan(&graphs.taped, &[]);
        let backward = plan(&graphs.backward, taped.residuals());
        Self { forward: plan(&graphs.forward, &[]), taped, backward }
    }
}
