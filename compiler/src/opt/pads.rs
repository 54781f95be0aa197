//! Pads: a sum of vectors between zeros is a concatenation.
//!
//! The derivative of a slice is a [pad](Op::Pad): where a vector was cut into gates, its cotangent is
//! a sum of pads, one for each. If they leave nothing out and do not overlap, that is a concatenation,
//! which is neither padded nor added up.
//!
//! `-0 + 0` is `0`, so a zero may have another sign.

use super::merge::{Rebuilt, is_sum, only_summed, outputs, terms};
use crate::ir::graph::{Graph, ValueId};
use crate::ir::op::{Op, TypeError};

/// Makes concatenations of sums of pads.
///
/// # Errors
/// Only by a bug in this pass.
pub fn pads(graph: &Graph) -> Result<Graph, TypeError> {
    let is_output = outputs(graph);
    let inner = |id| only_summed(graph, &is_output, id).is_some();
    let mut rebuilt = Rebuilt::new(graph)?;
    for id in graph.ids() {
        if rebuilt.is_placed(id) {
            continue;
        }
        let terms = terms(graph, id, &inner);
        let tiles = if is_sum(graph, id) && !inner(id) { tiles(graph, &terms) } else { None };
        let Some(tiles) = tiles else {
            rebuilt.keep(id)?;
            continue;
        };
        let parts: Vec<ValueId> =
            tiles.iter().map(|&pad| rebuilt.at(graph.operands(pad)[0])).collect();
        let mut sum = rebuilt.push(Op::Concat { axis: 0 }, &parts)?;
        for term in terms.into_iter().filter(|term| !tiles.contains(term)) {
            let term = rebuilt.at(term);
            sum = rebuilt.add(sum, term)?;
        }
        rebuilt.place(id, sum);
    }
    Ok(rebuilt.finish())
}

/// The pads among the terms of a sum, in the order of what is between their zeros, if together
/// that is the whole.
fn tiles(graph: &Graph, terms: &[ValueId]) -> Option<Vec<ValueId>> {
    let mut pads: Vec<(usize, ValueId)> = (terms.iter())
        .filter_map(|&term| match *graph.op(term) {
            Op::Pad { axis: 0, before, .. } if graph.ty(term).rank() == 1 => Some((before, term)),
            _ => None,
        })
        .collect();
    pads.sort_unstable();
    let mut end = 0;
    for &(before, pad) in &pads {
        if before != end {
            return None;
        }
        end += graph.ty(graph.operands(pad)[0]).size();
    }
    let whole = !pads.is_empty() && end == graph.ty(pads[0].1).size();
    whole.then(|| pads.into_iter().map(|(_, pad)| pad).collect())
}
