//! Freezing: a cell whose states stand still where a mask is zero.
//!
//! Sequences of several lengths run side by side by padding the shorter ones on the left: while a
//! sequence has not begun its mask is 0 and its states keep their initial values, so that after
//! the last step everything is exactly as if it had run alone.

use crate::ir::graph::{Graph, OutputRole, ValueId};
use crate::ir::op::{Op, Role, Shape, Type, TypeError};

/// What the added input is called.
pub const MASK: &str = "mask";

/// Adds a scalar input [`MASK`] as the last input, and makes every next state
/// `select(mask, next, state)`.
///
/// If the cell has an input of this name already, underscores are appended to that of the mask.
/// Outputs are left alone: at a step whose mask is 0 they are to be ignored.
///
/// # Errors
/// Only by a bug: if `graph` is not verified.
pub fn freeze(graph: &Graph) -> Result<Graph, TypeError> {
    let mut frozen = Graph::new(format!("{}.frozen", graph.name()));
    for id in graph.ids() {
        // Values are copied in order, so each keeps its number and operands need no translation.
        match graph.op(id) {
            Op::Argument { role, name } => {
                frozen.argument(*role, name, graph.ty(id).clone());
            }
            op => {
                frozen.push(op.clone(), graph.operands(id))?;
            }
        }
    }
    let mask = flag(&mut frozen, graph, MASK);
    for output in graph.outputs() {
        let value = match graph.find_argument(Role::State, &output.name) {
            Some(state) if output.role == OutputRole::Next => {
                held(&mut frozen, mask, output.value, state)?
            }
            _ => output.value,
        };
        frozen.output(output.role, &output.name, value);
    }
    Ok(frozen)
}

/// Adds a scalar input to a graph that is made of another, under a name that none of the other's has.
pub(crate) fn flag(new: &mut Graph, graph: &Graph, name: &str) -> ValueId {
    let mut name = name.to_owned();
    while graph.find_argument(Role::Input, &name).is_some() {
        name.push('_');
    }
    new.argument(Role::Input, name, Type::scalar())
}

/// A scalar in a shape, which may be that of a scalar.
pub(crate) fn spread(
    graph: &mut Graph,
    scalar: ValueId,
    shape: &Shape,
) -> Result<ValueId, TypeError> {
    if shape.is_empty() {
        return Ok(scalar);
    }
    graph.push(Op::Broadcast { shape: shape.clone() }, &[scalar])
}

fn held(
    graph: &mut Graph,
    mask: ValueId,
    next: ValueId,
    state: ValueId,
) -> Result<ValueId, TypeError> {
    let shape = graph.ty(state).shape.clone();
    let mask = spread(graph, mask, &shape)?;
    graph.push(Op::Select, &[mask, next, state])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::text::parse;
    use crate::ir::verify::verify;

    #[test]
    fn every_next_state_is_selected_by_the_mask() {
        let graph = parse(
            "graph counter
            %0 = input mask : [2]
            %1 = state h : [2]
            %2 = state n : []
            %3 = add %0, %1 : [2]
            %4 = constant 1.0 : []
            %5 = add %2, %4 : []
            next h = %3
            next n = %5
            output h = %3",
        )
        .unwrap();
        let frozen = freeze(&graph).unwrap();
        verify(&frozen).unwrap();
        let expected = parse(
            "graph counter.frozen
            %0 = input mask : [2]
            %1 = state h : [2]
            %2 = state n : []
            %3 = add %0, %1 : [2]
            %4 = constant 1.0 : []
            %5 = add %2, %4 : []
            %6 = input mask_ : []
            %7 = broadcast %6 : [2]
            %8 = select %7, %3, %1 : [2]
            %9 = select %6, %5, %2 : []
            next h = %8
            next n = %9
            output h = %3",
        )
        .unwrap();
        assert_eq!(frozen.to_string(), expected.to_string());
    }

    #[test]
    fn the_mask_takes_no_name_that_is_there() {
        let graph = parse(
            "graph taken
            %0 = input mask : []
            %1 = input mask_ : []
            %2 = add %0, %1 : []
            output y = %2",
        )
        .unwrap();
        let frozen = freeze(&graph).unwrap();
        verify(&frozen).unwrap();
        let names: Vec<_> = frozen.arguments().map(|(_, _, name)| name).collect();
        assert_eq!(names, ["mask", "mask_", "mask__"]);
    }
}
