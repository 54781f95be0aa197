//! How kernels find the values that they read.

use crate::ir::graph::{Graph, ValueId};
use crate::ir::op::{Op, Scalar};

use super::{Kernel, Map, Product};
use crate::phases::{Loop, Phase};

/// The value whose elements these are, in the same order: a reshape only names them anew.
pub fn resolve(graph: &Graph, mut id: ValueId) -> ValueId {
    while let Op::Reshape { .. } = graph.op(id) {
        id = graph.operands(id)[0];
    }
    id
}

/// Where a value is found in another's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// The value that has memory of its own.
    pub base: ValueId,
    /// The number of its elements before the first of this value.
    pub offset: usize,
}

/// Where a value is found: a reshape where its operand is, and so is a slice along the leading
/// axis, somewhat further on. Any other value has memory of its own.
pub fn view(graph: &Graph, id: ValueId) -> View {
    let mut view = View { base: id, offset: 0 };
    loop {
        match graph.op(view.base) {
            Op::Reshape { .. } => {}
            Op::Slice { axis: 0, start, .. } => {
                let entry: usize = graph.ty(view.base).shape[1..].iter().product();
                view.offset += start * entry;
            }
            _ => return view,
        }
        view.base = graph.operands(view.base)[0];
    }
}

/// Whether a value is found in another's memory.
pub(super) fn is_view(graph: &Graph, id: ValueId) -> bool {
    view(graph, id).base != id
}

/// The shape of a value as rows and columns: 1 row for a vector.
pub fn extents(graph: &Graph, id: ValueId) -> [usize; 2] {
    match *graph.ty(id).shape.as_slice() {
        [rows, columns] => [rows, columns],
        _ => [1, graph.ty(id).size()],
    }
}

/// How a map reads an operand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Read {
    /// A number: compared by its bits, so that -0 is not taken for 0.
    Constant(Scalar),
    /// From its register, if the same map computed it, else element by element from memory.
    Elements(ValueId),
    /// Repeated from memory: the steps from one row and from one column to the next, each 0 or as
    /// in a value of that shape.
    Repeated {
        /// The value that is repeated.
        from: ValueId,
        /// The step from row to row.
        row_step: usize,
        /// The step from column to column.
        column_step: usize,
    },
}

/// How a map of these extents reads an operand: constants and broadcasts are read in place.
pub(super) fn read(graph: &Graph, map: [usize; 2], operand: ValueId) -> Read {
    let source = resolve(graph, operand);
    match graph.op(source) {
        Op::Constant(value) => Read::Constant(*value),
        Op::Broadcast { .. } => read_broadcast(graph, map, source),
        _ => Read::Elements(source),
    }
}

/// How a map of these extents, which may be the broadcast itself, reads a broadcast.
pub(super) fn read_broadcast(graph: &Graph, map: [usize; 2], broadcast: ValueId) -> Read {
    let operand = graph.operands(broadcast)[0];
    let from = resolve(graph, operand);
    let [rows, columns] = extents(graph, operand);
    match (graph.op(from), [rows, columns]) {
        (Op::Constant(value), _) => Read::Constant(*value),
        // One element is no repetition.
        (_, [1, 1]) if map == [1, 1] => Read::Elements(from),
        (_, [1, 1]) => Read::Repeated { from, row_step: 0, column_step: 0 },
        // Reshaped behind the broadcast: its rows and columns are not the map's.
        _ if extents(graph, broadcast) != map => Read::Elements(broadcast),
        _ => {
            let row_step = if rows == 1 { 0 } else { columns };
            Read::Repeated { from, row_step, column_step: usize::from(columns > 1) }
        }
    }
}

/// What a value reads that is part of a map, in the order of its operands.
pub fn map_reads(graph: &Graph, id: ValueId) -> Vec<Read> {
    let map = extents(graph, id);
    match graph.op(id) {
        Op::Broadcast { .. } => vec![read_broadcast(graph, map, id)],
        _ => graph.operands(id).iter().map(|&operand| read(graph, map, operand)).collect(),
    }
}

/// The values that a map reads from memory.
pub fn map_operands<'a>(graph: &'a Graph, map: &'a Map) -> impl Iterator<Item = ValueId> + 'a {
    let reads = map.values.iter().flat_map(|&id| map_reads(graph, id));
    let read = reads.filter_map(|read| match read {
        Read::Constant(_) => None,
        Read::Elements(id) | Read::Repeated { from: id, .. } => Some(id),
    });
    read.filter(|id| !map.values.contains(id))
}

/// The values that a kernel reads from memory.
pub fn reads(graph: &Graph, kernel: &Kernel) -> Vec<ValueId> {
    match kernel {
        Kernel::Map(map) => map_operands(graph, map).collect(),
        Kernel::Wide(values) => values.iter().map(|&id| graph.operands(id)[0]).collect(),
        Kernel::Product(Product { start, parts, .. }) => {
            parts.iter().chain(start).copied().collect()
        }
        Kernel::Single(id) => graph.operands(*id).to_vec(),
    }
}

/// The parts of what a product starts with. A concatenation that is the same for all rows is made
/// once, and read as a whole.
pub(super) fn starts(looped: &Loop, start: Option<ValueId>) -> Vec<ValueId> {
    match start {
        None => Vec::new(),
        Some(start) if looped.phase(start) == Phase::Once => vec![start],
        Some(start) => parts(looped.graph(), start),
    }
}

/// The parts of a vector that is read part by part: of a concatenation, its operands.
pub(super) fn parts(graph: &Graph, vector: ValueId) -> Vec<ValueId> {
    let vector = resolve(graph, vector);
    match graph.op(vector) {
        Op::Concat { .. } => graph.operands(vector).iter().flat_map(|&o| parts(graph, o)).collect(),
        _ => vec![vector],
    }
}
