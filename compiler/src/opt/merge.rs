//! Merge: products that can run as one, do.
//!
//! A matrix kernel is the faster the larger its matrix is, and each pass over a vector costs. Two
//! kinds of products are merged, if they run in the same [`Phase`] and their matrices are the same
//! for all rows:
//!
//! - the terms of a sum: `U a + V b` is one product of `[U V]` with `concat(a, b)`. In a backward
//!   graph this makes one product of the cotangents of all gates.
//! - products of one vector: `U a` and `V a` are slices of one product of `[U; V]` with `a`. An
//!   LSTM's four gates are one product.
//!
//! Concatenated matrices are not built either: they say what a packed matrix is packed from. A
//! concatenated vector that only products read is read part by part, and a slice is a view.
//!
//! The terms of sums are added in another order, so results change within rounding.

use std::collections::BTreeMap;

use super::rebuild::keep;
use crate::ir::graph::{Graph, ValueId};
use crate::ir::op::{Binary, Op, Role, TypeError};
use crate::phases::{Phase, phases};

/// Merges the products of a graph.
///
/// # Errors
/// Only by a bug in this pass.
pub fn merge(graph: &Graph) -> Result<Graph, TypeError> {
    merge_operands(&merge_terms(graph)?)
}

/// A product with a matrix that is the same for all rows.
#[derive(Clone, Copy)]
pub(super) struct Product {
    pub(super) value: ValueId,
    matrix: ValueId,
    vector: ValueId,
    transposed: bool,
}

/// Finds the products of a graph that can be merged, each with its phase.
pub(super) fn products(graph: &Graph) -> BTreeMap<ValueId, (Phase, Product)> {
    let looped = phases(graph);
    let product = |value: ValueId| {
        let transposed = match graph.op(value) {
            Op::MatVec => false,
            Op::MatVecT => true,
            _ => return None,
        };
        let &[matrix, vector] = graph.operands(value) else { return None };
        let mergeable = looped.phase(matrix) == Phase::Once && looped.phase(value) != Phase::Once;
        let product = Product { value, matrix, vector, transposed };
        mergeable.then(|| (value, (looped.phase(value), product)))
    };
    graph.ids().filter_map(product).collect()
}

/// A graph under construction, and where each value of the old one is in it.
pub(super) struct Rebuilt<'g> {
    old: &'g Graph,
    new: Graph,
    placed: Vec<Option<ValueId>>,
}

impl<'g> Rebuilt<'g> {
    /// A new graph with what is computed from params and constants alone, so that matrices are there
    /// before the first product, and then the other arguments, whose order is that of the interface.
    pub(super) fn new(old: &'g Graph) -> Result<Self, TypeError> {
        let looped = phases(old);
        let new = Graph::new(old.name());
        let mut rebuilt = Self { old, new, placed: vec![None; old.len()] };
        for id in old.ids().filter(|id| looped.phase(*id) == Phase::Once) {
            rebuilt.keep(id)?;
        }
        for (id, ..) in old.arguments().filter(|(_, role, _)| *role != Role::Param) {
            rebuilt.keep(id)?;
        }
        Ok(rebuilt)
    }

    pub(super) fn at(&self, id: ValueId) -> ValueId {
        self.placed[id.index()].expect("operands are placed before their users")
    }

    /// The graph so far.
    pub(super) fn graph(&self) -> &Graph {
        &self.new
    }

    pub(super) fn is_placed(&self, id: ValueId) -> bool {
        self.placed[id.index()].is_some()
    }

    pub(super) fn place(&mut self, id: ValueId, value: ValueId) {
        self.placed[id.index()] = Some(value);
    }

    pub(super) fn keep(&mut self, id: ValueId) -> Result<(), TypeError> {
        let operands: Vec<ValueId> = self.old.operands(id).iter().map(|&o| self.at(o)).collect();
        let value = keep(&mut self.new, self.old, id, &operands)?;
        self.place(id, value);
        Ok(())
    }

    /// Keeps a value, and first what it is computed from.
    pub(super) fn bring(&mut self, id: ValueId) -> Result<(), TypeError> {
        if self.is_placed(id) {
            return Ok(());
        }
        for &operand in self.old.operands(id) {
            self.bring(operand)?;
        }
        self.keep(id)
    }

    pub(super) fn push(&mut self, op: Op, operands: &[ValueId]) -> Result<ValueId, TypeError> {
        self.new.push(op, operands)
    }

    pub(super) fn add(&mut self, a: ValueId, b: ValueId) -> Result<ValueId, TypeError> {
        self.push(Op::Binary(Binary::Add), &[a, b])
    }

    /// The matrices of products, end to end: along what is summed over, or along the results.
    /// Also says whether the result is to be multiplied transposed.
    fn concat_matrices(
        &mut self,
        products: &[Product],
        along_sum: bool,
    ) -> Result<(ValueId, bool), TypeError> {
        let transposed = products.iter().all(|product| product.transposed);
        let mut parts = Vec::new();
        for product in products {
            let matrix = self.at(product.matrix);
            parts.push(if product.transposed == transposed {
                matrix
            } else {
                self.new.push(Op::Transpose, &[matrix])?
            });
        }
        // A matrix is [results, summed], unless it is to be multiplied transposed.
        let axis = usize::from(along_sum != transposed);
        Ok((self.new.push(Op::Concat { axis }, &parts)?, transposed))
    }

    fn multiply(&mut self, matrix: (ValueId, bool), vector: ValueId) -> Result<ValueId, TypeError> {
        let op = if matrix.1 { Op::MatVecT } else { Op::MatVec };
        self.new.push(op, &[matrix.0, vector])
    }

    pub(super) fn finish(mut self) -> Graph {
        for output in self.old.outputs() {
            let value = self.at(output.value);
            self.new.output(output.role, output.name.clone(), value);
        }
        self.new
    }
}

/// Makes one product of those terms of a sum that run in the same phase.
fn merge_terms(graph: &Graph) -> Result<Graph, TypeError> {
    let products = products(graph);
    let is_output = outputs(graph);
    // Whether a value is of no use but to the one sum that it is a term of.
    let inner = |id: ValueId| graph.users(id).count() == 1 && !is_output[id.index()];
    let mut rebuilt = Rebuilt::new(graph)?;
    for id in graph.ids() {
        if rebuilt.is_placed(id) {
            continue;
        }
        let inside = |user| is_sum(graph, user) && is_sum(graph, id);
        if inner(id) && graph.users(id).all(inside) {
            // Part of a larger sum, which finds the same terms.
            rebuilt.keep(id)?;
            continue;
        }
        let terms = terms(graph, id, &inner);
        let mut by_phase: BTreeMap<Phase, Vec<Product>> = BTreeMap::new();
        for term in terms.iter().filter(|&&term| term != id && inner(term)) {
            if let Some((phase, product)) = products.get(term) {
                by_phase.entry(*phase).or_default().push(*product);
            }
        }
        by_phase.retain(|_, group| group.len() > 1);
        if by_phase.is_empty() {
            rebuilt.keep(id)?;
            continue;
        }
        let mut sum: Option<ValueId> = None;
        for &term in &terms {
            let group = by_phase.values().find(|group| group.iter().any(|p| p.value == term));
            let value = match group {
                None => rebuilt.at(term),
                // All terms of a group stand where its first does.
                Some(group) if group[0].value != term => continue,
                Some(group) => {
                    // In the order of the vectors: sums of the same vectors share their concatenation.
                    let mut group = group.clone();
                    group.sort_by_key(|product| product.vector);
                    let matrix = rebuilt.concat_matrices(&group, true)?;
                    let vectors: Vec<_> = group.iter().map(|p| rebuilt.at(p.vector)).collect();
                    let vector = rebuilt.new.push(Op::Concat { axis: 0 }, &vectors)?;
                    rebuilt.multiply(matrix, vector)?
                }
            };
            sum = Some(match sum {
                None => value,
                Some(sum) => rebuilt.new.push(Op::Binary(Binary::Add), &[sum, value])?,
            });
        }
        rebuilt.place(id, sum.expect("a sum has terms"));
    }
    Ok(rebuilt.finish())
}

pub(super) fn is_sum(graph: &Graph, id: ValueId) -> bool {
    matches!(graph.op(id), Op::Binary(Binary::Add))
}

/// The terms of a sum, from left to right: a value that is no sum is its only term.
pub(super) fn terms(graph: &Graph, sum: ValueId, inner: &impl Fn(ValueId) -> bool) -> Vec<ValueId> {
    let mut terms = Vec::new();
    let mut open = vec![sum];
    while let Some(id) = open.pop() {
        if is_sum(graph, id) && (id == sum || inner(id)) {
            open.extend(graph.operands(id).iter().rev());
        } else {
            terms.push(id);
        }
    }
    terms
}

/// Makes one product of those that multiply the same vector in the same phase.
fn merge_operands(graph: &Graph) -> Result<Graph, TypeError> {
    // Concatenations are equal if their parts are: they were made apart.
    let graph = &super::cse(&super::dce(graph)?)?;
    let products = products(graph);
    let mut groups: BTreeMap<(Phase, ValueId), Vec<Product>> = BTreeMap::new();
    for (phase, product) in products.values() {
        groups.entry((*phase, product.vector)).or_default().push(*product);
    }
    // Those of which the same function is taken in the end stand side by side.
    let is_output = outputs(graph);
    for group in groups.values_mut() {
        group.sort_by_key(|product| destination(graph, &is_output, product.value));
    }
    let mut rebuilt = Rebuilt::new(graph)?;
    for id in graph.ids() {
        if rebuilt.is_placed(id) {
            continue;
        }
        let group = products.get(&id).map(|(phase, product)| &groups[&(*phase, product.vector)]);
        match group {
            Some(group) if group.len() > 1 => {
                let matrix = rebuilt.concat_matrices(group, false)?;
                let vector = rebuilt.at(group[0].vector);
                let merged = rebuilt.multiply(matrix, vector)?;
                let mut start = 0;
                for product in group {
                    let len = graph.ty(product.value).size();
                    let slice = Op::Slice { axis: 0, start, len };
                    let value = rebuilt.new.push(slice, &[merged])?;
                    rebuilt.place(product.value, value);
                    start += len;
                }
            }
            _ => rebuilt.keep(id)?,
        }
    }
    Ok(rebuilt.finish())
}

/// What becomes of a product: the operation that its sum is an operand of, and the sum.
fn destination(graph: &Graph, is_output: &[bool], product: ValueId) -> (&'static str, ValueId) {
    let mut sum = product;
    while let Some(user) = only_summed(graph, is_output, sum) {
        sum = user;
    }
    let users: Vec<ValueId> = graph.users(sum).collect();
    match users[..] {
        [user] if !is_output[sum.index()] => (graph.op(user).name(), sum),
        _ => ("", sum),
    }
}

/// The sum that a value is a term of, if it is of no other use.
pub(super) fn only_summed(graph: &Graph, is_output: &[bool], id: ValueId) -> Option<ValueId> {
    let users: Vec<ValueId> = graph.users(id).collect();
    match users[..] {
        [user] if !is_output[id.index()] && is_sum(graph, user) => Some(user),
        _ => None,
    }
}

/// For each value, whether it is an output.
pub(super) fn outputs(graph: &Graph) -> Vec<bool> {
    let mut is_output = vec![false; graph.len()];
    for output in graph.outputs() {
        is_output[output.value.index()] = true;
    }
    is_output
}
