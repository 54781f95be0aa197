//! The way from a simplified graph to its plan.

use crate::fuse::fuse;
use crate::ir::graph::Graph;
use crate::phases::phases;
use crate::plan::{Plan, plan as place};

/// Phases, kernels, memory: everything between a graph and code generation.
pub fn plan(graph: &Graph) -> Plan {
    place(&fuse(&phases(graph)))
}
