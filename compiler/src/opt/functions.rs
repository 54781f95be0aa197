//! Functions: one function of a vector rather than of each of its parts.
//!
//! [`merge`](super::merge()) leaves slices of one product, and puts those side by side of which the
//! same function is taken: the three sigmoids of an LSTM's gates are one sigmoid of a longer vector,
//! and what they were are slices of the result, which cost nothing.

use std::collections::BTreeMap;

use super::rebuild::{keep, rebuild};
use crate::ir::graph::{Graph, ValueId};
use crate::ir::op::{Op, TypeError};

/// A slice of a vector of which a function is taken.
#[derive(Clone, Copy)]
struct Part {
    /// The function's result.
    value: ValueId,
    start: usize,
    len: usize,
}

/// Puts functions of neighbouring slices together, where the runtime has a kernel for them.
///
/// # Errors
/// Only by a bug in this pass.
pub fn functions(graph: &Graph) -> Result<Graph, TypeError> {
    let runs = runs(graph);
    let mut found: BTreeMap<ValueId, ValueId> = BTreeMap::new();
    rebuild(graph, |new, id, operands| {
        if let Some(&value) = found.get(&id) {
            return Ok(value);
        }
        let Some(run) = runs.get(&id) else { return keep(new, graph, id, operands) };
        // The operand is a slice of the vector; what it slices is in the new graph already.
        let vector = new.operands(operands[0])[0];
        let (start, last) = (run[0].start, run[run.len() - 1]);
        let slice = Op::Slice { axis: 0, start, len: last.start + last.len - start };
        let slice = new.push(slice, &[vector])?;
        let whole = new.push(graph.op(id).clone(), &[slice])?;
        for part in run {
            let slice = Op::Slice { axis: 0, start: part.start - start, len: part.len };
            found.insert(part.value, new.push(slice, &[whole])?);
        }
        Ok(found[&id])
    })
}

/// For each function of a slice, the run of neighbours that it is in, if there are any.
fn runs(graph: &Graph) -> BTreeMap<ValueId, Vec<Part>> {
    let mut by_vector: BTreeMap<(ValueId, &'static str), Vec<Part>> = BTreeMap::new();
    for value in graph.ids() {
        let &Op::Unary(function) = graph.op(value) else { continue };
        if !function.is_wide() {
            continue;
        }
        let operand = graph.operands(value)[0];
        let &Op::Slice { axis: 0, start, len } = graph.op(operand) else { continue };
        let vector = graph.operands(operand)[0];
        if graph.ty(vector).rank() == 1 {
            let parts = by_vector.entry((vector, function.name())).or_default();
            parts.push(Part { value, start, len });
        }
    }
    let mut runs = BTreeMap::new();
    for mut parts in by_vector.into_values() {
        parts.sort_by_key(|part| part.start);
        for run in parts.chunk_by(|a, b| a.start + a.len == b.start).filter(|run| run.len() > 1) {
            runs.extend(run.iter().map(|part| (part.value, run.to_vec())));
        }
    }
    runs
}
