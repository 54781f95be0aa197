//! Split: a product with a concatenation is a sum of products with its parts.
//!
//! `W @ concat(h, x)` becomes `W[:, ..H] @ h + W[:, H..] @ x`. The concatenation is not built, and
//! what is multiplied with an input no longer waits for a state: it can leave the loop. Parts that
//! run in the same phase after all are put together again by [`merge`](super::merge()).
//!
//! The terms of the sum are added in another order, so results change within rounding.

use super::rebuild::{keep, rebuild};
use crate::ir::graph::{Graph, ValueId};
use crate::ir::op::{Binary, Op, Role, TypeError};

/// Splits each product of a concatenation with a matrix that is the same for all rows. A matrix of
/// each row's own would have to be copied part by part.
///
/// # Errors
/// Only by a bug in this pass.
pub fn split(graph: &Graph) -> Result<Graph, TypeError> {
    let varying = graph.arguments().filter(|(_, role, _)| *role != Role::Param);
    let varying = graph.descendants(varying.map(|(id, ..)| id));
    rebuild(graph, |new, id, operands| {
        // The axis of the matrix that runs along the vector.
        let axis = match graph.op(id) {
            Op::MatVec => 1,
            Op::MatVecT => 0,
            _ => return keep(new, graph, id, operands),
        };
        let (matrix, vector) = (operands[0], operands[1]);
        if varying[graph.operands(id)[0].index()] || !matches!(new.op(vector), Op::Concat { .. }) {
            return keep(new, graph, id, operands);
        }
        let parts = new.operands(vector).to_vec();
        let mut start = 0;
        let mut sum: Option<ValueId> = None;
        for part in parts {
            let len = new.ty(part).size();
            let block = new.push(Op::Slice { axis, start, len }, &[matrix])?;
            start += len;
            let term = new.push(graph.op(id).clone(), &[block, part])?;
            sum = Some(match sum {
                None => term,
                Some(sum) => new.push(Op::Binary(Binary::Add), &[sum, term])?,
            });
        }
        Ok(sum.expect("a concatenation has parts"))
    })
}
