//! What a graph multiplies derivatives by: where a gradient that is no number comes from.
//!
//! Each operation contributes its derivative to the chain rule as a factor. If one is infinite or NaN,
//! so may be the gradient, even if the result is not: what `select` leaves out is computed all the
//! same, and has a cotangent of 0, which an infinite factor makes NaN.

use super::DifferentiateError;
use super::expr::Builder;
use super::rules::{self, Moved};
use crate::ir::graph::{Graph, Operands, OutputRole, ValueId};
use crate::ir::op::{Class, Op};

/// The graph with other outputs: for each operation that computes, named by its value (`v12`), the
/// result, and for each function of numbers also its derivative (`v12.derivative`; of two operands the
/// sum of both). What only moves elements has none: nothing becomes infinite or NaN there.
///
/// # Errors
/// Only by a bug: if the graph is not verified.
pub fn factors(graph: &Graph) -> Result<Graph, DifferentiateError> {
    let builder = Builder::new(Graph::new(format!("{}.factors", graph.name())));
    let mut values: Vec<ValueId> = Vec::with_capacity(graph.len());
    for id in graph.ids() {
        let operands: Operands = graph.operands(id).iter().map(|o| values[o.index()]).collect();
        let op = graph.op(id);
        let value = match op {
            Op::Argument { role, name } => {
                builder.with(|new| new.argument(*role, name, graph.ty(id).clone()))
            }
            op => builder.push(op.clone(), &operands).id(),
        };
        values.push(value);
        let show = |value: ValueId, what: &str| {
            let name = format!("v{}{what}", id.index());
            builder.with(|new| new.output(OutputRole::Output, name, value));
        };
        let is_function = matches!(op, Op::Unary(_) | Op::Binary(_));
        if is_function || op.class() == Class::Product || matches!(op, Op::Reduce { .. }) {
            show(value, "");
        }
        if is_function {
            let x = operands.iter().map(|&x| builder.expr(x)).collect();
            let t = operands.iter().map(|&x| Some(builder.expr(x).fill(1.0))).collect();
            if let Some(derivative) = rules::jvp(op, &Moved { y: builder.expr(value), x, t }) {
                show(derivative.id(), ".derivative");
            }
        }
    }
    for output in graph.outputs_of(OutputRole::Next) {
        let value = values[output.value.index()];
        builder.with(|new| new.output(output.role, &output.name, value));
    }
    Ok(builder.finish()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::text::parse;
    use crate::ir::verify::verify;

    #[test]
    fn functions_have_derivatives_and_moves_have_nothing() {
        let graph = parse(
            "graph g
            %0 = input x : [2]
            %1 = state h : []
            %2 = sqrt %0 : [2]
            %3 = less %2, %0 : [2]
            %4 = select %3, %2, %0 : [2]
            %5 = reduce_sum %4 : []
            %6 = pow %5, %1 : []
            next h = %6
            output y = %4",
        )
        .unwrap();
        let factors = factors(&graph).unwrap();
        verify(&factors).unwrap();
        let names: Vec<_> = factors.outputs().iter().map(|output| output.name.as_str()).collect();
        let expected = ["v2", "v2.derivative", "v3", "v5", "v6", "v6.derivative", "h"];
        assert_eq!(names, expected);
    }
}
