//! Sums: what is added to a product becomes where the product starts.
//!
//! A matrix kernel adds up in registers, and can begin with any vector as well as with zeros: a bias,
//! or what was computed before the loop. Two steps bring sums into the form in which the stage
//! [`fuse`](mod@crate::fuse) finds that.
//!
//! - *Stack*: [`merge`](super::merge()) leaves products of which slices are used. What is added to
//!   each slice is added to the whole at once: slices of another vector, if they are the same ones,
//!   and what an earlier phase left in memory. A product can start from several such vectors, end to
//!   end, so it does not matter to which of the slices something is added.
//! - *Order*: the terms of a sum with a product in it are added in the order in which they are
//!   there: what runs once, before the loop, in it.
//!
//! The terms of sums are added in another order, so results change within rounding.

use super::merge::{Product, Rebuilt, is_sum, only_summed, outputs, products, terms};
use crate::ir::graph::{Graph, ValueId};
use crate::ir::op::{Op, TypeError};
use crate::phases::{Phase, phases};

/// Brings sums with products into the order and the shape of the products.
///
/// # Errors
/// Only by a bug in this pass.
pub fn sums(graph: &Graph) -> Result<Graph, TypeError> {
    let mut graph = graph.clone();
    // Each round leaves fewer terms beside products, so there is an end to them.
    while let Some(stacked) = stack(&graph)? {
        graph = super::cse(&super::dce(&stacked)?)?;
    }
    order(&graph)
}

/// A slice of a product, and the sum that it is a term of.
struct Part {
    slice: ValueId,
    start: usize,
    len: usize,
    /// The sum and its other terms, if the slice is used for nothing else.
    sum: Option<(ValueId, Vec<ValueId>)>,
}

impl Part {
    /// Whether a value is the same slice of one of some vectors as this is of the product.
    fn is_of(&self, graph: &Graph, value: ValueId, vectors: &[ValueId]) -> bool {
        *graph.op(value) == Op::Slice { axis: 0, start: self.start, len: self.len }
            && vectors.contains(&graph.operands(value)[0])
    }
}

/// The slices of a product, in order, if that is all that it is used for and each of its elements
/// is in one of them.
fn parts(graph: &Graph, is_output: &[bool], product: &Product) -> Option<Vec<Part>> {
    if is_output[product.value.index()] {
        return None;
    }
    let mut parts = Vec::new();
    for slice in graph.users(product.value) {
        let &Op::Slice { start, len, .. } = graph.op(slice) else { return None };
        let mut sum = slice;
        while let Some(user) = only_summed(graph, is_output, sum) {
            sum = user;
        }
        let inner = |id| only_summed(graph, is_output, id).is_some();
        let sum = (sum != slice).then(|| {
            let others = terms(graph, sum, &inner).into_iter().filter(|&term| term != slice);
            (sum, others.collect())
        });
        parts.push(Part { slice, start, len, sum });
    }
    parts.sort_by_key(|part| part.start);
    let mut end = 0;
    for part in &parts {
        if part.start != end {
            return None;
        }
        end += part.len;
    }
    (parts.len() > 1 && end == graph.ty(product.value).size()).then_some(parts)
}

/// Adds to one product as a whole what is added to its slices; `None` if there is no such product.
fn stack(graph: &Graph) -> Result<Option<Graph>, TypeError> {
    let is_output = outputs(graph);
    let looped = phases(graph);
    let products = products(graph);
    // What is added to two products starts the earlier one.
    let mut by_phase: Vec<_> = products.values().collect();
    by_phase.sort_by_key(|(phase, _)| *phase);
    for &(phase, product) in by_phase {
        let Some(parts) = parts(graph, &is_output, &product) else { continue };
        let vectors = common_vectors(graph, &is_output, &parts);
        // When a term is in memory. Anything else is left to the map that computes it where it is used.
        let in_memory = |term: ValueId| match graph.op(term) {
            Op::Slice { axis: 0, .. } => Some(looped.phase(graph.operands(term)[0])),
            Op::Argument { .. } => Some(looped.phase(term)),
            _ if products.contains_key(&term) => Some(looped.phase(term)),
            _ => None,
        };
        let earlier: Vec<Vec<ValueId>> = (parts.iter())
            .map(|part| {
                let earlier = |&term: &ValueId| {
                    let is_there = in_memory(term).is_some_and(|at| at < phase);
                    // What a common vector brings is not to be added once more.
                    (is_there || looped.phase(term) == Phase::Once)
                        && !part.is_of(graph, term, &vectors)
                };
                let terms = part.sum.iter().flat_map(|(_, terms)| terms);
                terms.copied().filter(earlier).collect()
            })
            .collect();
        if !vectors.is_empty() || earlier.iter().any(|terms| !terms.is_empty()) {
            return rebuild(graph, &product, &parts, &vectors, &earlier).map(Some);
        }
    }
    Ok(None)
}

/// The vectors of which each part's sum has the same slice as of the product.
fn common_vectors(graph: &Graph, is_output: &[bool], parts: &[Part]) -> Vec<ValueId> {
    let slice_of = |part: &Part, vector: ValueId| {
        part.sum.as_ref().is_some_and(|(_, terms)| {
            let same = |term: &&ValueId| part.is_of(graph, **term, &[vector]);
            let mut found = terms.iter().filter(same);
            let once = found.next().is_some() && found.next().is_none();
            once && !is_output[vector.index()]
        })
    };
    let size: usize = parts.iter().map(|part| part.len).sum();
    let candidates = parts[0].sum.iter().flat_map(|(_, terms)| terms).filter_map(|&term| {
        let vector = *graph.operands(term).first()?;
        let is_slice = matches!(graph.op(term), Op::Slice { axis: 0, .. });
        (is_slice && graph.ty(vector).shape.as_slice() == [size]).then_some(vector)
    });
    let mut vectors = Vec::new();
    for vector in candidates {
        if parts.iter().all(|part| slice_of(part, vector)) && !vectors.contains(&vector) {
            vectors.push(vector);
        }
    }
    vectors
}

/// Rebuilds the graph with whole vectors added to a product.
fn rebuild(
    graph: &Graph,
    product: &Product,
    parts: &[Part],
    vectors: &[ValueId],
    earlier: &[Vec<ValueId>],
) -> Result<Graph, TypeError> {
    let mut rebuilt = Rebuilt::new(graph)?;
    let mut whole: Option<ValueId> = None;
    for id in graph.ids() {
        if rebuilt.is_placed(id) {
            continue;
        }
        rebuilt.keep(id)?;
        let in_sum = |part: &Part| part.sum.as_ref().is_some_and(|(sum, _)| *sum == id);
        let is_first = whole.is_none() && parts.iter().any(in_sum);
        if (id == product.value && vectors.is_empty()) || is_first {
            let mut sum = rebuilt.at(product.value);
            for &vector in vectors {
                let vector = rebuilt.at(vector);
                sum = rebuilt.add(sum, vector)?;
            }
            if let Some(earlier) = stacked(&mut rebuilt, parts, earlier)? {
                sum = rebuilt.add(sum, earlier)?;
            }
            whole = Some(sum);
        }
        let Some(whole) = whole else { continue };
        for (part, earlier) in parts.iter().zip(earlier) {
            let slice = Op::Slice { axis: 0, start: part.start, len: part.len };
            match &part.sum {
                Some((sum, terms)) if *sum == id => {
                    let mut value = rebuilt.push(slice, &[whole])?;
                    for term in terms.iter().filter(|term| !earlier.contains(term)) {
                        if !part.is_of(graph, *term, vectors) {
                            let term = rebuilt.at(*term);
                            value = rebuilt.add(value, term)?;
                        }
                    }
                    rebuilt.place(id, value);
                }
                None if part.slice == id => {
                    let value = rebuilt.push(slice, &[whole])?;
                    rebuilt.place(id, value);
                }
                _ => {}
            }
        }
    }
    Ok(rebuilt.finish())
}

/// The earlier terms of all parts end to end, with zeros for a part without; `None` for none.
fn stacked(
    rebuilt: &mut Rebuilt<'_>,
    parts: &[Part],
    earlier: &[Vec<ValueId>],
) -> Result<Option<ValueId>, TypeError> {
    if earlier.iter().all(Vec::is_empty) {
        return Ok(None);
    }
    let mut values: Vec<ValueId> = Vec::new();
    for (part, earlier) in parts.iter().zip(earlier) {
        let mut sum: Option<ValueId> = None;
        for &term in earlier {
            // It may stand behind the product, but cannot depend on it.
            rebuilt.bring(term)?;
            let term = rebuilt.at(term);
            sum = Some(match sum {
                None => term,
                Some(sum) => rebuilt.add(sum, term)?,
            });
        }
        let value = match sum {
            Some(sum) => sum,
            None => {
                let zero = rebuilt.push(Op::constant(0.0), &[])?;
                rebuilt.push(Op::Broadcast { shape: [part.len].as_slice().into() }, &[zero])?
            }
        };
        match values.last().and_then(|&last| neighbours(rebuilt.graph(), last, value)) {
            Some((slice, vector)) => {
                values.pop();
                values.push(rebuilt.push(slice, &[vector])?);
            }
            None => values.push(value),
        }
    }
    rebuilt.push(Op::Concat { axis: 0 }, &values).map(Some)
}

/// The one slice that two slices are that follow each other in a vector, and the vector.
fn neighbours(graph: &Graph, first: ValueId, second: ValueId) -> Option<(Op, ValueId)> {
    let slice = |id: ValueId| match *graph.op(id) {
        Op::Slice { axis: 0, start, len } => Some((graph.operands(id)[0], start, len)),
        _ => None,
    };
    let ((vector, start, len), (other, next, more)) = (slice(first)?, slice(second)?);
    let follows = vector == other && next == start + len;
    follows.then_some((Op::Slice { axis: 0, start, len: len + more }, vector))
}

/// Adds the terms of each sum with a product in it by phase; in one phase the products first.
fn order(graph: &Graph) -> Result<Graph, TypeError> {
    let is_output = outputs(graph);
    let looped = phases(graph);
    let products = products(graph);
    let inner = |id| only_summed(graph, &is_output, id).is_some();
    let mut rebuilt = Rebuilt::new(graph)?;
    for id in graph.ids() {
        if rebuilt.is_placed(id) {
            continue;
        }
        let mut terms = terms(graph, id, &inner);
        let startable = |term: &ValueId| inner(*term) && products.contains_key(term);
        if !is_sum(graph, id) || inner(id) || !terms.iter().any(startable) {
            rebuilt.keep(id)?;
            continue;
        }
        terms.sort_by_key(|term| (looped.phase(*term), !startable(term)));
        let mut sum = rebuilt.at(terms[0]);
        for &term in &terms[1..] {
            let term = rebuilt.at(term);
            sum = rebuilt.add(sum, term)?;
        }
        rebuilt.place(id, sum);
    }
    Ok(rebuilt.finish())
}
