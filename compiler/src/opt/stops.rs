//! Stops: what is differentiated no further is an ordinary value.
//!
//! `stop` matters to differentiation alone. In the graphs that it gives, its operand takes its place.

use super::rebuild::{keep, rebuild};
use crate::ir::graph::Graph;
use crate::ir::op::{Op, TypeError};

/// Puts the operand of each `stop` in its place.
///
/// # Errors
/// None: kept operations keep their types.
pub fn stops(graph: &Graph) -> Result<Graph, TypeError> {
    rebuild(graph, |new, id, operands| match graph.op(id) {
        Op::Stop => Ok(operands[0]),
        _ => keep(new, graph, id, operands),
    })
}
