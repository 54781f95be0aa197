//! Simplification, graph to graph: algebra, constants, common subexpressions, dead code.
//!
//! A pass is a pure function from one graph to a new one. They stand in one visible list,
//! [`PASSES`]; one runner applies them and verifies what each of them gives.

mod algebra;
mod cse;
mod dce;
mod functions;
mod merge;
mod pads;
mod rebuild;
mod reciprocals;
mod split;
mod stops;
mod sums;

pub use algebra::algebra;
pub use cse::cse;
pub use dce::dce;
pub use functions::functions;
pub use merge::merge;
pub use pads::pads;
pub(crate) use rebuild::keep;
pub use reciprocals::reciprocals;
pub use split::split;
pub use stops::stops;
pub use sums::sums;
use thiserror::Error;

use crate::ir::graph::Graph;
use crate::ir::op::TypeError;
use crate::ir::verify::{VerifyError, verify};

/// A pass: its name, and the function that it is.
#[derive(Clone, Copy)]
pub struct Pass {
    /// The name by which it is reported and switched off.
    pub name: &'static str,
    /// From one graph to a new one of the same meaning.
    pub run: fn(&Graph) -> Result<Graph, TypeError>,
}

/// The passes that simplify a graph, in the order in which they run.
pub const PASSES: [Pass; 5] = [
    Pass { name: "algebra", run: algebra },
    Pass { name: "split", run: split },
    Pass { name: "reciprocals", run: reciprocals },
    Pass { name: "cse", run: cse },
    Pass { name: "dce", run: dce },
];

/// The passes that ready a graph for the loop, once it is neither differentiated nor simplified
/// any more: [`split()`] would undo [`merge()`].
pub const LOOP_PASSES: [Pass; 9] = [
    Pass { name: "stops", run: stops },
    Pass { name: "pads", run: pads },
    Pass { name: "merge", run: merge },
    Pass { name: "cse", run: cse },
    Pass { name: "dce", run: dce },
    Pass { name: "sums", run: sums },
    Pass { name: "functions", run: functions },
    Pass { name: "cse", run: cse },
    Pass { name: "dce", run: dce },
];

/// A bug in a pass.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PassError {
    /// It built an ill-typed operation.
    #[error("pass `{pass}`: {source}")]
    Type {
        /// The pass.
        pass: &'static str,
        /// What was ill-typed.
        source: TypeError,
    },
    /// Its result has other arguments, or in another order, which is that of the interface.
    #[error("pass `{pass}` changes the arguments")]
    Arguments {
        /// The pass.
        pass: &'static str,
    },
    /// Its result breaks an invariant.
    #[error("after pass `{pass}`: {source}")]
    Verify {
        /// The pass.
        pass: &'static str,
        /// The invariant.
        source: VerifyError,
    },
}

/// Runs every pass of [`PASSES`] that `enabled` lets through, verifying each result.
///
/// # Errors
/// Only by a bug in a pass, which the error names.
pub fn simplify(graph: &Graph, enabled: impl Fn(&str) -> bool) -> Result<Graph, PassError> {
    apply(&PASSES, graph, enabled)
}

/// Runs every pass of [`LOOP_PASSES`] that `enabled` lets through, verifying each result.
///
/// # Errors
/// Only by a bug in a pass, which the error names.
pub fn ready(graph: &Graph, enabled: impl Fn(&str) -> bool) -> Result<Graph, PassError> {
    apply(&LOOP_PASSES, graph, enabled)
}

fn apply(
    passes: &[Pass],
    graph: &Graph,
    enabled: impl Fn(&str) -> bool,
) -> Result<Graph, PassError> {
    let mut graph = graph.clone();
    for &Pass { name: pass, run } in passes {
        if enabled(pass) {
            let new = run(&graph).map_err(|source| PassError::Type { pass, source })?;
            verify(&new).map_err(|source| PassError::Verify { pass, source })?;
            if !same_arguments(&graph, &new) {
                return Err(PassError::Arguments { pass });
            }
            graph = new;
        }
    }
    Ok(graph)
}

/// Whether the arguments of each role are the same ones, in the same order.
fn same_arguments(old: &Graph, new: &Graph) -> bool {
    let by_role = |graph: &Graph| {
        let mut arguments: Vec<_> =
            graph.arguments().map(|(_, role, name)| (role.name(), name.to_owned())).collect();
        // Stable: names stay in their order.
        arguments.sort_by_key(|(role, _)| *role);
        arguments
    };
    by_role(old) == by_role(new)
}
