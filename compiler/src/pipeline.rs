//! The way from a cell's graph to the plans of its code.

use thiserror::Error;

use crate::autodiff::{DifferentiateError, Gradient, differentiate, jvp};
use crate::fuse::fuse;
use crate::ir::graph::Graph;
use crate::ir::op::TypeError;
use crate::ir::verify::verify;
use crate::opt::{PassError, ready, simplify};
use crate::phases::phases;
use crate::plan::{Options, Place, Plan, plan as place};
use crate::recompute::{drop_unread, recompute};

/// A bug on the way from a graph to its plan.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PipelineError {
    /// Differentiation failed.
    #[error("internal error in `differentiate`: {0}")]
    Differentiate(#[from] DifferentiateError),
    /// A pass failed.
    #[error("internal error: {0}")]
    Pass(#[from] PassError),
    /// A pass over both graphs of a gradient left residuals that do not match.
    #[error("internal error: after pass `{pass}`: {source}")]
    Residuals {
        /// The pass.
        pass: &'static str,
        /// What does not match.
        source: DifferentiateError,
    },
}

/// A pass over a gradient: its name, and the function that it is.
#[derive(Clone, Copy)]
pub struct GradientPass {
    /// The name by which it is reported and switched off.
    pub name: &'static str,
    /// From one gradient to a new one of the same meaning.
    pub run: fn(&Gradient) -> Result<Gradient, TypeError>,
}

/// The passes over gradients in the order in which they run.
pub const GRADIENT_PASSES: [GradientPass; 2] = [
    GradientPass { name: "unread", run: drop_unread },
    GradientPass { name: "recompute", run: recompute },
];

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
    /// Simplifies a verified graph, differentiates it, chooses what the tape keeps, and simplifies
    /// what that gives, by those passes whose name `enabled` lets through.
    ///
    /// # Errors
    /// Only by a bug, which the error places.
    pub fn new(graph: &Graph, enabled: impl Fn(&str) -> bool) -> Result<Self, PipelineError> {
        let graph = simplify(graph, &enabled)?;
        let gradient = differentiate(&graph)?;
        Self::of(&graph, gradient, &enabled)
    }

    /// The same with tangents: `forward` is the [`jvp()`] of the graph, and the other two are those
    /// of its gradient, forward over reverse.
    ///
    /// # Errors
    /// Only by a bug, which the error places.
    pub fn with_tangents(
        graph: &Graph,
        enabled: impl Fn(&str) -> bool,
    ) -> Result<Self, PipelineError> {
        let graph = simplify(graph, &enabled)?;
        let gradient = differentiate(&graph)?.jvp()?;
        Self::of(&jvp(&graph)?, gradient, &enabled)
    }

    /// The graphs of a gradient: chooses what the tape keeps, and readies all for the loop.
    fn of(
        graph: &Graph,
        mut gradient: Gradient,
        enabled: &impl Fn(&str) -> bool,
    ) -> Result<Self, PipelineError> {
        // What a derivative rule asked for in vain is still read before it is simplified away.
        gradient.backward = simplify(&gradient.backward, enabled)?;
        for pass in GRADIENT_PASSES.iter().filter(|pass| enabled(pass.name)) {
            gradient = apply(pass, &gradient)?;
        }
        let ready = |graph: &Graph| ready(&simplify(graph, enabled)?, enabled);
        Ok(Self {
            forward: ready(graph)?,
            taped: ready(&gradient.forward)?,
            backward: ready(&gradient.backward)?,
        })
    }
}

/// Runs a pass over a gradient and verifies what it gives.
fn apply(pass: &GradientPass, gradient: &Gradient) -> Result<Gradient, PipelineError> {
    let GradientPass { name: pass, run } = *pass;
    let new = run(gradient).map_err(|source| PassError::Type { pass, source })?;
    for graph in [&new.forward, &new.backward] {
        verify(graph).map_err(|source| PassError::Verify { pass, source })?;
    }
    new.check_residuals().map_err(|source| PipelineError::Residuals { pass, source })?;
    Ok(new)
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
