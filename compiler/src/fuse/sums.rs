//! The gradients of params, as sums over all rows of what each row adds.

use std::fmt;

use super::access::{parts, resolve};
use crate::ir::graph::{Graph, OutputRole, ValueId};
use crate::ir::op::{Binary, Element, Op};

/// Where in a sum output a term goes: its element `(i, j)` is `offset + i * stride + j`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// The sum output, by its number.
    pub sum: usize,
    /// The number of its elements before the first of the term.
    pub offset: usize,
    /// The number of its elements from one row of the term to the next.
    pub stride: usize,
}

/// The elements of a sum output that something is added to: rows of as many columns.
#[derive(Clone, Copy, Debug)]
struct Area {
    to: Target,
    rows: usize,
    columns: usize,
}

impl Area {
    /// Whether the two may have an element in common.
    fn overlaps(self, other: Self) -> bool {
        let end = |area: Self| area.to.offset + (area.rows - 1) * area.to.stride + area.columns;
        let (a, b) = (self.to, other.to);
        if a.sum != b.sum || end(self) <= b.offset || end(other) <= a.offset {
            return false;
        }
        // Of rows of one length, columns side by side have nothing in common.
        let [left, other_left] = [a, b].map(|to| to.offset % to.stride.max(1));
        let whole = |area: Self, left: usize| left + area.columns <= area.to.stride;
        a.stride != b.stride
            || !whole(self, left)
            || !whole(other, other_left)
            || (left < other_left + other.columns && other_left < left + self.columns)
    }
}

/// Something to be added to sum outputs, over all rows (steps and examples).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sum {
    /// The outer products of each `u` with each `v`: summed, one matrix product.
    Outer {
        /// The vectors that give the rows of the result.
        u: Vec<ValueId>,
        /// The vectors that give its columns.
        v: Vec<ValueId>,
        /// Where each goes: of the first `u` with each `v`, of the second, and so on.
        to: Vec<Target>,
    },
    /// An entry at an index: summed, a scatter.
    Put {
        /// The index.
        index: ValueId,
        /// The entry.
        entry: ValueId,
        /// Where it goes.
        to: Target,
    },
    /// Any other value.
    Value {
        /// The value.
        value: ValueId,
        /// Where it goes.
        to: Target,
    },
}

impl Sum {
    /// The values that it reads.
    pub fn reads(&self) -> Vec<ValueId> {
        match self {
            Self::Outer { u, v, .. } => u.iter().chain(v).copied().collect(),
            Self::Put { index, entry, .. } => vec![*index, *entry],
            Self::Value { value, .. } => vec![*value],
        }
    }

    /// What it adds to: the areas of one sum have nothing in common.
    fn areas(&self, graph: &Graph) -> Vec<Area> {
        let size = |id: &ValueId| graph.ty(*id).size();
        match self {
            Self::Outer { u, v, to } => {
                let pairs = u.iter().flat_map(|u| v.iter().map(move |v| (u, v)));
                let area = |((u, v), &to)| Area { to, rows: size(u), columns: size(v) };
                pairs.zip(to).map(area).collect()
            }
            Self::Put { entry, to, .. } => {
                vec![Area { to: *to, rows: self.extent(graph), columns: size(entry) }]
            }
            Self::Value { value, to } => vec![Area { to: *to, rows: 1, columns: size(value) }],
        }
    }

    /// Whether the two may add to the same element, so that they must not do so at once.
    pub fn overlaps(&self, other: &Self, graph: &Graph) -> bool {
        let others = other.areas(graph);
        self.areas(graph).iter().any(|area| others.iter().any(|other| area.overlaps(*other)))
    }

    /// The number of rows of its result, by which it can be done in parts.
    pub fn extent(&self, graph: &Graph) -> usize {
        match self {
            Self::Outer { u, .. } => u.iter().map(|&u| graph.ty(u).size()).sum(),
            Self::Put { index, .. } => match graph.ty(*index).element {
                Element::Index { bound } => bound,
                Element::Real => 1,
            },
            Self::Value { value, .. } => graph.ty(*value).size(),
        }
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |ids: &[ValueId]| ids.iter().map(|id| format!(" {id}")).collect::<String>();
        match self {
            Self::Outer { u, v, .. } => write!(f, "outer{} by{}", list(u), list(v)),
            Self::Put { index, entry, .. } => write!(f, "put {entry} at {index}"),
            Self::Value { value, .. } => write!(f, "{value}"),
        }
    }
}

/// The sums of a graph. Outer products of the same vectors are one, if `merged`.
pub(super) fn sums(graph: &Graph, merged: bool) -> Vec<Sum> {
    let mut sums = Vec::new();
    for (sum, output) in graph.outputs_of(OutputRole::Sum).enumerate() {
        let stride = row_size(graph, output.value);
        collect(graph, output.value, Target { sum, offset: 0, stride }, &mut sums);
    }
    if merged { merge(graph, sums) } else { sums }
}

/// The elements of an entry of the leading axis.
fn row_size(graph: &Graph, id: ValueId) -> usize {
    graph.ty(id).shape.iter().skip(1).product()
}

/// Splits a sum over rows into its terms: an addition sums each side. One that is used more than
/// once is a term itself: its sides would be summed again for each use.
fn collect(graph: &Graph, id: ValueId, to: Target, sums: &mut Vec<Sum>) {
    let id = match resolve(graph, id) {
        // A reshape in the middle of a larger matrix has rows of another length.
        source if row_size(graph, source) == row_size(graph, id) => source,
        source if to.stride == row_size(graph, id) => {
            let to = Target { stride: row_size(graph, source), ..to };
            return collect(graph, source, to, sums);
        }
        _ => id,
    };
    match (graph.op(id), graph.operands(id)) {
        (Op::Binary(Binary::Add), &[a, b]) if graph.users(id).count() <= 1 => {
            collect(graph, a, to, sums);
            collect(graph, b, to, sums);
        }
        (Op::Outer, &[u, v]) => {
            // The outer product of concatenations is made of those of their parts.
            let mut offset = to.offset;
            for u in parts(graph, u) {
                let mut column = offset;
                for v in parts(graph, v) {
                    let to = Target { offset: column, ..to };
                    sums.push(Sum::Outer { u: vec![u], v: vec![v], to: vec![to] });
                    column += graph.ty(v).size();
                }
                offset += graph.ty(u).size() * to.stride;
            }
        }
        (Op::Concat { axis: 0 }, parts) if to.stride == row_size(graph, id) => {
            let mut offset = to.offset;
            for &part in parts {
                collect(graph, part, Target { offset, ..to }, sums);
                offset += graph.ty(part).size();
            }
        }
        (Op::Put { .. }, &[index, entry]) => sums.push(Sum::Put { index, entry, to }),
        (&Op::Pad { axis, before, .. }, &[inner]) => {
            let step = if axis == 0 { to.stride } else { 1 };
            let shifted = Target { offset: to.offset + before * step, ..to };
            let mut terms = Vec::new();
            collect(graph, inner, shifted, &mut terms);
            // Only outer products can be added to rows that do not follow each other.
            let whole_rows = to.stride == row_size(graph, inner);
            if whole_rows || terms.iter().all(|term| matches!(term, Sum::Outer { .. })) {
                sums.append(&mut terms);
            } else {
                sums.push(Sum::Value { value: id, to });
            }
        }
        _ => sums.push(Sum::Value { value: id, to }),
    }
}

/// A vector `v` with where its outer products with some `u`s go.
type Column = (ValueId, Vec<Target>);

/// Puts outer products together: first those with the same `v`, then those with the same `u`s. What
/// adds to the same elements stays apart.
fn merge(graph: &Graph, sums: Vec<Sum>) -> Vec<Sum> {
    let mut by_v: Vec<(ValueId, Vec<(ValueId, Target)>)> = Vec::new();
    let mut rest = Vec::new();
    for sum in sums {
        match sum {
            Sum::Outer { u, v, to } => {
                let (u, v, to) = (u[0], v[0], to[0]);
                let columns = graph.ty(v).size();
                let area =
                    |(u, to): (ValueId, Target)| Area { to, rows: graph.ty(u).size(), columns };
                let fits = |(found, us): &&mut (ValueId, Vec<(ValueId, Target)>)| {
                    *found == v && !us.iter().any(|&other| area(other).overlaps(area((u, to))))
                };
                match by_v.iter_mut().find(fits) {
                    Some((_, us)) => us.push((u, to)),
                    None => by_v.push((v, vec![(u, to)])),
                }
            }
            sum => rest.push(sum),
        }
    }
    // For each list of `u`s the `v`s, each with its targets.
    let mut by_u: Vec<(Vec<ValueId>, Vec<Column>)> = Vec::new();
    let outer = |u: &[ValueId], v: &[Column]| Sum::Outer {
        u: u.to_vec(),
        v: v.iter().map(|(v, _)| *v).collect(),
        to: (0..u.len()).flat_map(|i| v.iter().map(move |(_, targets)| targets[i])).collect(),
    };
    for (v, mut us) in by_v {
        // In the order of the vectors, so that equal sets are equal lists.
        us.sort_unstable();
        let (us, targets): (Vec<_>, Vec<_>) = us.into_iter().unzip();
        let column = (v, targets);
        let fits = |(found, vs): &&mut (Vec<ValueId>, Vec<Column>)| {
            let alone = outer(&us, std::slice::from_ref(&column));
            *found == us && !outer(found, vs).overlaps(&alone, graph)
        };
        match by_u.iter_mut().find(fits) {
            Some((_, vs)) => vs.push(column),
            None => by_u.push((us, vec![column])),
        }
    }
    by_u.iter().map(|(us, vs)| outer(us, vs)).chain(rest).collect()
}
