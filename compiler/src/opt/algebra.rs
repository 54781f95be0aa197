//! Algebra: rewrites that hold bit for bit in floating point, also for infinities and NaN.
//!
//! That excludes `x * 0 -> 0` (NaN), `x + 0 -> x` (of -0) and every reassociation.

use super::rebuild::{keep, rebuild};
use crate::ir::eval::{Real, eval};
use crate::ir::graph::{Graph, ValueId};
use crate::ir::op::{Binary, Class, Op, Type, TypeError, Unary};

/// Rewrites each value by the rules that fit, until none does.
///
/// # Errors
/// Only by a bug in a rule.
pub fn algebra(graph: &Graph) -> Result<Graph, TypeError> {
    rebuild(graph, |new, id, operands| {
        let (mut op, mut operands) = (graph.op(id).clone(), operands.to_vec());
        let ty = graph.ty(id);
        // Each rewrite leaves an operation behind, so there is an end to them.
        loop {
            if let Some(&same) = operands.iter().find(|&&o| is_same(new, &op, ty, o, &operands)) {
                return Ok(same);
            }
            if let Some(undone) = undone(new, &op, &operands) {
                return Ok(undone);
            }
            match rewrite(new, &op, &operands) {
                Some(rewritten) => (op, operands) = rewritten,
                None => break,
            }
        }
        match (fold(new, &op, &operands), op) {
            (Some(value), _) => new.push(Op::constant(value), &[]),
            (None, Op::Argument { .. }) => keep(new, graph, id, &operands),
            (None, op) => new.push(op, &operands),
        }
    })
}

/// Whether the operation gives its operand `o` back.
fn is_same(new: &Graph, op: &Op, ty: &Type, o: ValueId, operands: &[ValueId]) -> bool {
    let is = |operand: usize, number: f64| constant(new, operands[operand]) == Some(number);
    match op {
        Op::Binary(Binary::Mul) => {
            (o == operands[0] && is(1, 1.0)) || (o == operands[1] && is(0, 1.0))
        }
        Op::Binary(Binary::Div) => o == operands[0] && is(1, 1.0),
        Op::Binary(Binary::Sub) => {
            o == operands[0]
                && is(1, 0.0)
                && constant(new, operands[1]).is_some_and(f64::is_sign_positive)
        }
        Op::Broadcast { .. } | Op::Reshape { .. } | Op::Slice { .. } | Op::Pad { .. } => {
            new.ty(o) == ty
        }
        Op::Concat { .. } => operands.len() == 1,
        _ => false,
    }
}

/// What an operation gives back that undoes the one before it.
fn undone(new: &Graph, op: &Op, operands: &[ValueId]) -> Option<ValueId> {
    let &[operand] = operands else { return None };
    let undoes = matches!(
        (op, new.op(operand)),
        (Op::Unary(Unary::Neg), Op::Unary(Unary::Neg)) | (Op::Transpose, Op::Transpose)
    );
    undoes.then(|| new.operands(operand)[0])
}

/// Another operation of the same value.
fn rewrite(new: &Graph, op: &Op, operands: &[ValueId]) -> Option<(Op, Vec<ValueId>)> {
    let inner = |i: usize| (new.op(operands[i]), new.operands(operands[i]));
    Some(match (op, operands.first().map(|_| inner(0))?) {
        (Op::Broadcast { shape }, (Op::Broadcast { .. }, x)) => {
            (Op::Broadcast { shape: shape.clone() }, x.to_vec())
        }
        (Op::Reshape { shape }, (Op::Reshape { .. }, x)) => {
            (Op::Reshape { shape: shape.clone() }, x.to_vec())
        }
        (Op::Transpose, (Op::Outer, uv)) => (Op::Outer, vec![uv[1], uv[0]]),
        (Op::Stop, (Op::Stop, x)) => (Op::Stop, x.to_vec()),
        (Op::Unary(Unary::Abs), (Op::Unary(Unary::Neg | Unary::Abs), x)) => {
            (Op::Unary(Unary::Abs), x.to_vec())
        }
        (Op::MatVec, (Op::Transpose, w)) => (Op::MatVecT, vec![w[0], operands[1]]),
        (Op::MatVecT, (Op::Transpose, w)) => (Op::MatVec, vec![w[0], operands[1]]),
        (Op::Slice { axis, start, len }, (Op::Concat { axis: along }, parts)) if axis == along => {
            // A slice that lies within one part is a slice of that part.
            let mut before = 0;
            for &part in parts {
                let size = new.ty(part).shape[*axis];
                if before <= *start && start + len <= before + size {
                    let slice = Op::Slice { axis: *axis, start: start - before, len: *len };
                    return Some((slice, vec![part]));
                }
                before += size;
            }
            return None;
        }
        (Op::Slice { axis, start, len }, (Op::Slice { axis: along, start: first, .. }, x))
            if axis == along =>
        {
            (Op::Slice { axis: *axis, start: first + start, len: *len }, x.to_vec())
        }
        (Op::Binary(Binary::Add), _) => match inner(1) {
            (Op::Unary(Unary::Neg), x) => (Op::Binary(Binary::Sub), vec![operands[0], x[0]]),
            _ => return None,
        },
        (Op::Binary(Binary::Sub), _) => match inner(1) {
            (Op::Unary(Unary::Neg), x) => (Op::Binary(Binary::Add), vec![operands[0], x[0]]),
            _ => return None,
        },
        _ => return None,
    })
}

/// The value of an elementwise operation on constant scalars, if it is the same in f32 as in f64:
/// `0.1 + 0.2 == 0.3` holds in one of them.
fn fold(new: &Graph, op: &Op, operands: &[ValueId]) -> Option<f64> {
    let scalars = operands.iter().all(|&o| matches!(new.op(o), Op::Constant(_)));
    if op.class() != Class::Elementwise || !scalars {
        return None;
    }
    let mut graph = Graph::new("fold");
    let leaves: Vec<_> = operands
        .iter()
        .map(|&o| graph.push(new.op(o).clone(), &[]))
        .collect::<Result<_, _>>()
        .ok()?;
    let result = graph.push(op.clone(), &leaves).ok()?;
    let double: f64 = value(&graph, result);
    let single: f32 = value(&graph, result);
    // A program of either precision must find what it would have computed.
    (f32::from_f64(double).to_bits() == single.to_bits()).then_some(double)
}

/// A scalar of a graph whose only leaves are constants.
fn value<T: Real>(graph: &Graph, id: ValueId) -> T {
    let values = eval(graph, |_| unreachable!("there are no leaves but constants"));
    values[id.index()].real()[0]
}

/// The number that every element of a value is, if it is known.
fn constant(graph: &Graph, id: ValueId) -> Option<f64> {
    match graph.op(id) {
        Op::Constant(value) => Some(value.0),
        Op::Broadcast { .. } => constant(graph, graph.operands(id)[0]),
        _ => None,
    }
}
