//! Dead code elimination: what no output needs is dropped. Arguments stay: they are the interface.

use crate::ir::graph::{Graph, ValueId};
use crate::ir::op::{Op, TypeError};

use super::rebuild::keep;

/// Drops every operation that no output is computed from.
///
/// # Errors
/// None: kept operations keep their types.
pub fn dce(graph: &Graph) -> Result<Graph, TypeError> {
    let live = graph.ancestors(graph.outputs().iter().map(|output| output.value));
    let mut new = Graph::new(graph.name());
    let mut placed: Vec<Option<ValueId>> = vec![None; graph.len()];
    for id in graph.ids() {
        if live[id.index()] || matches!(graph.op(id), Op::Argument { .. }) {
            // The operands of what is live are live.
            let operands: Vec<ValueId> =
                graph.operands(id).iter().filter_map(|operand| placed[operand.index()]).collect();
            placed[id.index()] = Some(keep(&mut new, graph, id, &operands)?);
        }
    }
    for output in graph.outputs() {
        if let Some(value) = placed[output.value.index()] {
            new.output(output.role, output.name.clone(), value);
        }
    }
    Ok(new)
}
