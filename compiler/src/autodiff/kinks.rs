//! Where a graph is not smooth: the branches that its kinked operations take.
//!
//! A function such as `relu` is made of smooth pieces. At a point where two of them meet it has no
//! derivative (a kink), or jumps (a comparison), and differences taken across such a point tell
//! nothing of the derivative on either side. Which piece each element is on is itself a value: two
//! runs are on the same pieces if all of these are the same.

use super::DifferentiateError;
use super::expr::{Builder, Expr};
use crate::ir::graph::{Graph, Operands, OutputRole, ValueId};
use crate::ir::op::{Binary, Op, Reduction, Unary};

/// The graph with other outputs: for each operation with a kink, named by it and by its value
/// (`relu.v12`), which of the smooth pieces each element is on.
///
/// # Errors
/// Only by a bug: if the graph is not verified.
pub fn branches(graph: &Graph) -> Result<Graph, DifferentiateError> {
    let builder = Builder::new(Graph::new(format!("{}.branches", graph.name())));
    let mut values: Vec<ValueId> = Vec::with_capacity(graph.len());
    for id in graph.ids() {
        let operands: Operands = graph.operands(id).iter().map(|o| values[o.index()]).collect();
        let value = match graph.op(id) {
            Op::Argument { role, name } => {
                builder.with(|new| new.argument(*role, name, graph.ty(id).clone()))
            }
            op => builder.push(op.clone(), &operands).id(),
        };
        values.push(value);
        let x = |operand: usize| builder.expr(operands[operand]);
        if let Some(branch) = branch(graph.op(id), builder.expr(value), x) {
            let name = format!("{}.v{}", graph.op(id).name(), id.index());
            builder.with(|new| new.output(OutputRole::Output, name, branch.id()));
        }
    }
    for output in graph.outputs_of(OutputRole::Next) {
        let value = values[output.value.index()];
        builder.with(|new| new.output(output.role, &output.name, value));
    }
    Ok(builder.finish()?)
}

/// Which piece each element of a result `y` is on, or of an operand `x(i)`; `None` if there is one.
fn branch<'b>(op: &Op, y: Expr<'b>, x: impl Fn(usize) -> Expr<'b>) -> Option<Expr<'b>> {
    match op {
        Op::Unary(op) => match op {
            Unary::Relu | Unary::Abs => Some(order(x(0), x(0).fill(0.0))),
            Unary::Floor => Some(y),
            Unary::Neg
            | Unary::Exp
            | Unary::Log
            | Unary::Sqrt
            | Unary::Sigmoid
            | Unary::Tanh
            | Unary::Softplus
            | Unary::Expm1
            | Unary::Log1p
            | Unary::Sin
            | Unary::Cos
            | Unary::Erf => None,
        },
        Op::Binary(op) => match op {
            Binary::Max | Binary::Min => Some(order(x(0), x(1))),
            Binary::Less | Binary::LessEqual | Binary::Equal => Some(order(x(0), x(1))),
            Binary::Add | Binary::Sub | Binary::Mul | Binary::Div | Binary::Pow => None,
        },
        Op::Select => Some(x(0).equal(x(0).fill(0.0))),
        Op::Reduce { kind: Reduction::Max, axis } => {
            Some(x(0).equal(y.unreduce(*axis, &x(0).shape())))
        }
        Op::Reduce { kind: Reduction::Sum, .. }
        | Op::Argument { .. }
        | Op::Constant(_)
        | Op::Range { .. }
        | Op::Stop
        | Op::MatVec
        | Op::MatVecT
        | Op::Outer
        | Op::MatMul
        | Op::Concat { .. }
        | Op::Slice { .. }
        | Op::Pad { .. }
        | Op::Broadcast { .. }
        | Op::Reshape { .. }
        | Op::Transpose
        | Op::Take
        | Op::Put { .. } => None,
    }
}

/// 1 where `a > b`, -1 where `a < b`, else 0.
fn order<'b>(a: Expr<'b>, b: Expr<'b>) -> Expr<'b> {
    b.less(a) - a.less(b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::text::parse;
    use crate::ir::verify::verify;

    #[test]
    fn each_kinked_operation_has_its_branches() {
        let graph = parse(
            "graph g
            %0 = input x : [2]
            %1 = state h : [2]
            %2 = relu %0 : [2]
            %3 = tanh %1 : [2]
            %4 = max %2, %3 : [2]
            %5 = less %0, %1 : [2]
            %6 = select %5, %4, %2 : [2]
            %7 = reduce_max %6 : []
            next h = %6
            output y = %7",
        )
        .unwrap();
        let branches = branches(&graph).unwrap();
        verify(&branches).unwrap();
        let names: Vec<_> = branches.outputs().iter().map(|output| output.name.as_str()).collect();
        assert_eq!(names, ["relu.v2", "max.v4", "less.v5", "select.v6", "reduce_max.v7", "h"]);
    }
}
