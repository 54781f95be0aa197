//! Reciprocals: a vector that is divided by one number is multiplied by the number's reciprocal.
//!
//! A division takes a processor as long as several multiplications, and its result costs more than it
//! is worth to compute again for the backward loop. A layer normalisation (Ba et al. 2016) divides all
//! of a product by one standard deviation.
//!
//! `x * (1 / s)` is `x / s` within rounding unless the reciprocal overflows or is subnormal. So `s`
//! must be known to be neither tiny nor huge: a root is at most that of the largest number, and the
//! root of a sum that has a positive constant among terms that are not negative is no smaller than
//! the constant's. Of an infinity or NaN, both forms make the same.

use super::rebuild::{keep, rebuild};
use crate::ir::graph::{Graph, ValueId};
use crate::ir::op::{Binary, Op, Reduction, TypeError, Unary};

/// The least constant under a root that keeps it away from zero, in f32 too.
const LEAST: f64 = 1e-30;

/// Replaces divisions by one number, repeated, where its reciprocal is safe to take.
///
/// # Errors
/// Only by a bug in this pass.
pub fn reciprocals(graph: &Graph) -> Result<Graph, TypeError> {
    rebuild(graph, |new, id, operands| {
        let divisor = match graph.op(id) {
            Op::Binary(Binary::Div) => repeated(new, operands[1]),
            _ => None,
        };
        let Some(divisor) = divisor.filter(|&divisor| is_moderate(new, divisor)) else {
            return keep(new, graph, id, operands);
        };
        let mut one = new.push(Op::constant(1.0), &[])?;
        let shape = new.ty(divisor).shape.clone();
        if !shape.is_empty() {
            one = new.push(Op::Broadcast { shape }, &[one])?;
        }
        let reciprocal = new.push(Op::Binary(Binary::Div), &[one, divisor])?;
        let reciprocals = new.push(new.op(operands[1]).clone(), &[reciprocal])?;
        new.push(Op::Binary(Binary::Mul), &[operands[0], reciprocals])
    })
}

/// What a value repeats, if it has fewer elements.
fn repeated(graph: &Graph, id: ValueId) -> Option<ValueId> {
    let Op::Broadcast { .. } = graph.op(id) else { return None };
    let of = graph.operands(id)[0];
    (graph.ty(of).size() < graph.ty(id).size()).then_some(of)
}

/// Whether all elements are known to be roots of numbers that are not tiny.
fn is_moderate(graph: &Graph, id: ValueId) -> bool {
    let operands = graph.operands(id);
    match graph.op(id) {
        Op::Unary(Unary::Sqrt) => {
            let Op::Binary(Binary::Add) = graph.op(operands[0]) else { return false };
            let terms = graph.operands(operands[0]);
            let is_floor = |term: ValueId| number(graph, term).is_some_and(|c| c >= LEAST);
            terms.iter().any(|&term| is_floor(term))
                && terms.iter().all(|&term| is_not_negative(graph, term))
        }
        Op::Broadcast { .. } | Op::Reshape { .. } => is_moderate(graph, operands[0]),
        _ => false,
    }
}

/// Whether no element can be below zero. It may be NaN.
fn is_not_negative(graph: &Graph, id: ValueId) -> bool {
    let operands = graph.operands(id);
    let all = || operands.iter().all(|&operand| is_not_negative(graph, operand));
    match graph.op(id) {
        Op::Constant(value) => value.0 >= 0.0,
        Op::Unary(function) => matches!(
            function,
            Unary::Exp | Unary::Sqrt | Unary::Abs | Unary::Sigmoid | Unary::Relu | Unary::Softplus
        ),
        Op::Binary(Binary::Mul) => operands[0] == operands[1] || all(),
        Op::Binary(Binary::Add | Binary::Div) => all(),
        Op::Broadcast { .. }
        | Op::Reshape { .. }
        | Op::Transpose
        | Op::Slice { .. }
        | Op::Reduce { kind: Reduction::Sum | Reduction::Max, .. } => all(),
        _ => false,
    }
}

/// The number that every element of a value is, if it is known.
fn number(graph: &Graph, id: ValueId) -> Option<f64> {
    match graph.op(id) {
        Op::Constant(value) => Some(value.0),
        Op::Broadcast { .. } => number(graph, graph.operands(id)[0]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::text::parse;

    fn run(text: &str) -> String {
        let graph = parse(text).expect("the text of a graph");
        reciprocals(&graph).expect("no bug").to_string()
    }

    /// Division by the root of a mean square and a constant: with it, the quotient is a product.
    fn normalised(epsilon: &str) -> String {
        run(&format!(
            "graph g\n%0 = input x : [4]\n%1 = mul %0, %0 : [4]\n%2 = reduce_sum %1 : []\n\
             %3 = constant {epsilon} : []\n%4 = add %2, %3 : []\n%5 = sqrt %4 : []\n\
             %6 = broadcast %5 : [4]\n%7 = div %0, %6 : [4]\noutput y = %7\n"
        ))
    }

    #[test]
    fn a_root_with_a_floor_is_turned_over_once() {
        let text = normalised("1e-5");
        assert!(text.contains("= div %7, %5 : []"), "{text}");
        assert!(text.contains("= mul %0, %9 : [4]"), "{text}");
    }

    #[test]
    fn a_root_that_may_be_zero_stays_a_divisor() {
        for epsilon in ["0.0", "1e-40", "-1.0"] {
            let text = normalised(epsilon);
            assert!(text.contains("= div %0, %6 : [4]"), "{text}");
        }
    }

    #[test]
    fn a_term_that_may_be_negative_is_no_floor() {
        let text =
            run("graph g\n%0 = input x : [4]\n%1 = reduce_sum %0 : []\n%2 = constant 1.0 : []\n\
             %3 = add %1, %2 : []\n%4 = sqrt %3 : []\n%5 = broadcast %4 : [4]\n\
             %6 = div %0, %5 : [4]\noutput y = %6\n");
        assert!(text.contains("= div %0, %5 : [4]"), "{text}");
    }
}
