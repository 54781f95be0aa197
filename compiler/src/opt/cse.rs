//! Common subexpression elimination: what is computed twice is computed once.

use std::collections::HashMap;

use super::rebuild::{keep, rebuild};
use crate::ir::graph::{Graph, Operands, ValueId};
use crate::ir::op::{Op, TypeError};

/// Gives equal operations on equal operands one value.
///
/// # Errors
/// None: kept operations keep their types.
pub fn cse(graph: &Graph) -> Result<Graph, TypeError> {
    let mut seen: HashMap<(Op, Operands), ValueId> = HashMap::new();
    rebuild(graph, |new, id, operands| {
        let key = (graph.op(id).clone(), Operands::from(operands));
        if let Some(&value) = seen.get(&key) {
            return Ok(value);
        }
        let value = keep(new, graph, id, operands)?;
        seen.insert(key, value);
        Ok(value)
    })
}
