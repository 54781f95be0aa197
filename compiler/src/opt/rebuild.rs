//! How every pass walks: value by value into a new graph.

use crate::ir::graph::{Graph, Operands, ValueId};
use crate::ir::op::{Op, TypeError};

/// Builds a new graph: for each value of the old one, in order, `place` is given the new graph,
/// the old value and its operands in the new graph, and says which new value stands for it.
/// Outputs follow.
pub(super) fn rebuild(
    graph: &Graph,
    mut place: impl FnMut(&mut Graph, ValueId, &[ValueId]) -> Result<ValueId, TypeError>,
) -> Result<Graph, TypeError> {
    let mut new = Graph::new(graph.name());
    let mut placed: Vec<ValueId> = Vec::with_capacity(graph.len());
    for id in graph.ids() {
        let operands: Operands =
            graph.operands(id).iter().map(|operand| placed[operand.index()]).collect();
        placed.push(place(&mut new, id, &operands)?);
    }
    for output in graph.outputs() {
        new.output(output.role, output.name.clone(), placed[output.value.index()]);
    }
    Ok(new)
}

/// The same operation in the new graph.
pub(crate) fn keep(
    new: &mut Graph,
    old: &Graph,
    id: ValueId,
    operands: &[ValueId],
) -> Result<ValueId, TypeError> {
    match old.op(id) {
        Op::Argument { role, name } => Ok(new.argument(*role, name, old.ty(id).clone())),
        op => new.push(op.clone(), operands),
    }
}
