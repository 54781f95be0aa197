//! Resets: a cell whose states can begin anew in the middle of a sequence.
//!
//! Sequences that follow one another in a stream, such as the documents of a corpus, need not be
//! cut apart: where one begins, a reset is 1, and the cell reads its states as they are before a
//! first step. What came before has then no effect, and gets no gradient.

use crate::cell::{Cell, Initial};
use crate::freeze::{flag, spread};
use crate::ir::graph::{Graph, ValueId};
use crate::ir::op::{Op, Role, Scalar, TypeError};

/// What the added input is called.
pub const RESET: &str = "reset";

/// Adds a scalar input [`RESET`] as the last input, and reads every state as
/// `select(reset, initial, state)`.
///
/// If the cell has an input of this name already, underscores are appended to that of the reset.
///
/// # Errors
/// Only by a bug: if the graph of `cell` is not verified.
pub fn resettable(cell: &Cell) -> Result<Graph, TypeError> {
    let graph = &cell.graph;
    let mut new = Graph::new(format!("{}.resettable", graph.name()));
    let mut placed: Vec<Option<ValueId>> = vec![None; graph.len()];
    // Arguments first: a state may begin at a param that is declared after it.
    for id in graph.ids() {
        if let Op::Argument { role, name } = graph.op(id) {
            placed[id.index()] = Some(new.argument(*role, name, graph.ty(id).clone()));
        }
    }
    let reset = flag(&mut new, graph, RESET);
    let params: Vec<ValueId> = new.arguments_of(Role::Param).map(|(id, _)| id).collect();
    for ((state, _), initial) in graph.arguments_of(Role::State).zip(&cell.initial) {
        let shape = graph.ty(state).shape.clone();
        let initial = match *initial {
            Initial::Param(param) => params[param],
            Initial::Constant(number) => {
                let number = new.push(Op::Constant(Scalar(number)), &[])?;
                spread(&mut new, number, &shape)?
            }
        };
        let reset = spread(&mut new, reset, &shape)?;
        let kept = placed[state.index()].expect("every argument is placed");
        placed[state.index()] = Some(new.push(Op::Select, &[reset, initial, kept])?);
    }
    for id in graph.ids() {
        if placed[id.index()].is_none() {
            let operands: Vec<ValueId> = (graph.operands(id).iter())
                .map(|operand| placed[operand.index()].expect("operands come first"))
                .collect();
            placed[id.index()] = Some(new.push(graph.op(id).clone(), &operands)?);
        }
    }
    for output in graph.outputs() {
        let value = placed[output.value.index()].expect("every value is placed");
        new.output(output.role, &output.name, value);
    }
    Ok(new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::text::parse;
    use crate::ir::verify::verify;

    #[test]
    fn every_state_is_read_as_at_its_beginning_where_it_is_reset() {
        let graph = parse(
            "graph counter
            %0 = input reset : [2]
            %1 = state h : [2]
            %2 = state n : []
            %3 = param h0 : [2]
            %4 = add %0, %1 : [2]
            %5 = constant 1.0 : []
            %6 = add %2, %5 : []
            next h = %4
            next n = %6
            output y = %1",
        )
        .unwrap();
        let initial = vec![Initial::Param(0), Initial::Constant(3.0)];
        let (dims, hypers, initializers) = (Vec::new(), Vec::new(), Vec::new());
        let cell = Cell { graph, dims, hypers, initializers, initial };
        let reset = resettable(&cell).unwrap();
        verify(&reset).unwrap();
        let expected = parse(
            "graph counter.resettable
            %0 = input reset : [2]
            %1 = state h : [2]
            %2 = state n : []
            %3 = param h0 : [2]
            %4 = input reset_ : []
            %5 = broadcast %4 : [2]
            %6 = select %5, %3, %1 : [2]
            %7 = constant 3.0 : []
            %8 = select %4, %7, %2 : []
            %9 = add %0, %6 : [2]
            %10 = constant 1.0 : []
            %11 = add %8, %10 : []
            next h = %9
            next n = %11
            output y = %6",
        )
        .unwrap();
        assert_eq!(reset.to_string(), expected.to_string());
    }
}
