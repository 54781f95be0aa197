//! Fusion: from values to kernels.
//!
//! Within a phase, values are laid out in levels: a product or a movement of data stands one level
//! above what it reads, and elementwise values stand between. All elementwise values of one level
//! and shape become one kernel, a [`Map`], which keeps what it computes in registers; constants and
//! broadcasts are read in place by the maps that use them. A parameter's gradient is not a kernel
//! of the loop but a sum over all rows (steps and examples) of a few [`SumTerm`]s, so that the outer
//! products it is made of are never built.

use std::collections::BTreeMap;
use std::fmt;

use crate::ir::graph::{Graph, OutputRole, ValueId};
use crate::ir::op::{Binary, Class, Op, Scalar};
use crate::phases::{Loop, Phase};

/// A kernel: what one compiled function computes for each row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// A run of elementwise values.
    Map(Map),
    /// One value that is not elementwise.
    Single(ValueId),
}

/// A run of elementwise values of one shape, computed element by element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Map {
    /// The shape as rows and columns: 1 row for a vector.
    pub extents: [usize; 2],
    /// The values, operands before users.
    pub values: Vec<ValueId>,
}

/// A term of a parameter's gradient, to be summed over all rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SumTerm {
    /// The outer product of two vectors: summed, a matrix product.
    Outer(ValueId, ValueId),
    /// An entry at an index: summed, a scatter.
    Put {
        /// The index.
        index: ValueId,
        /// The entry.
        entry: ValueId,
    },
    /// Any other value.
    Value(ValueId),
}

impl SumTerm {
    /// The values that it reads.
    pub fn reads(self) -> impl Iterator<Item = ValueId> {
        let (first, second) = match self {
            Self::Outer(u, v) => (u, Some(v)),
            Self::Put { index, entry } => (index, Some(entry)),
            Self::Value(value) => (value, None),
        };
        std::iter::once(first).chain(second)
    }
}

/// A loop as kernels.
#[derive(Clone, Debug)]
pub struct Kernels {
    graph: Graph,
    phases: BTreeMap<Phase, Vec<Kernel>>,
    sums: Vec<Vec<SumTerm>>,
    stored: Vec<bool>,
}

impl Kernels {
    /// The graph.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The kernels of a phase, in order.
    pub fn phase(&self, phase: Phase) -> &[Kernel] {
        self.phases.get(&phase).map_or(&[], Vec::as_slice)
    }

    /// The terms of each sum output, in the order of the outputs.
    pub fn sums(&self) -> &[Vec<SumTerm>] {
        &self.sums
    }

    /// Whether a value is written to memory: whether anything but its own kernel reads it.
    pub fn is_stored(&self, id: ValueId) -> bool {
        self.stored[id.index()]
    }
}

impl fmt::Display for Kernels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "kernels {}", self.graph.name())?;
        for phase in Phase::ALL {
            for kernel in self.phase(phase) {
                match kernel {
                    Kernel::Map(map) => {
                        let [rows, columns] = map.extents;
                        writeln!(f, "{}: map {rows} x {columns}", phase.name())?;
                        for &id in &map.values {
                            let stored = if self.is_stored(id) { " stored" } else { "" };
                            writeln!(f, "  {id} = {}{stored}", self.graph.op(id).name())?;
                        }
                    }
                    Kernel::Single(id) => {
                        let op = self.graph.op(*id).name();
                        writeln!(f, "{}: {op} {id} {}", phase.name(), self.graph.ty(*id))?;
                    }
                }
            }
        }
        for (output, terms) in self.graph.outputs_of(OutputRole::Sum).zip(&self.sums) {
            writeln!(f, "sum {}:", output.name)?;
            for term in terms {
                match term {
                    SumTerm::Outer(u, v) => writeln!(f, "  outer {u}, {v}")?,
                    SumTerm::Put { index, entry } => writeln!(f, "  put {index}, {entry}")?,
                    SumTerm::Value(value) => writeln!(f, "  {value}")?,
                }
            }
        }
        Ok(())
    }
}

/// The value in whose memory a value is found: a reshape is where its operand is.
pub fn resolve(graph: &Graph, mut id: ValueId) -> ValueId {
    while let Op::Reshape { .. } = graph.op(id) {
        id = graph.operands(id)[0];
    }
    id
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
fn read(graph: &Graph, map: [usize; 2], operand: ValueId) -> Read {
    let source = resolve(graph, operand);
    match graph.op(source) {
        Op::Constant(value) => Read::Constant(*value),
        Op::Broadcast { .. } => read_broadcast(graph, map, source),
        _ => Read::Elements(source),
    }
}

/// How a map of these extents, which may be the broadcast itself, reads a broadcast.
fn read_broadcast(graph: &Graph, map: [usize; 2], broadcast: ValueId) -> Read {
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

/// The values that a kernel reads from memory.
pub fn reads(graph: &Graph, kernel: &Kernel) -> Vec<ValueId> {
    match kernel {
        Kernel::Single(id) => graph.operands(*id).iter().map(|&o| resolve(graph, o)).collect(),
        Kernel::Map(map) => (map.values.iter())
            .flat_map(|&id| map_reads(graph, id))
            .filter_map(|read| match read {
                Read::Constant(_) => None,
                Read::Elements(id) | Read::Repeated { from: id, .. } => Some(id),
            })
            .filter(|id| !map.values.contains(id))
            .collect(),
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

/// Makes kernels of a loop.
pub fn fuse(looped: &Loop) -> Kernels {
    let graph = looped.graph();
    let sums: Vec<Vec<SumTerm>> = (graph.outputs_of(OutputRole::Sum))
        .map(|output| {
            let mut terms = Vec::new();
            sum_terms(graph, output.value, &mut terms);
            terms
        })
        .collect();
    let needed = needed(graph, &sums);
    let levels = Levels { looped };
    let mut level: Vec<usize> = Vec::with_capacity(graph.len());
    for id in graph.ids() {
        level.push(levels.of(id, &level));
    }
    // Kernels in order of level; within one, maps by shape and singles by age.
    type Key = (Phase, usize, Option<[usize; 2]>, Option<ValueId>);
    let mut kernels: BTreeMap<Key, Kernel> = BTreeMap::new();
    for id in graph.ids().filter(|id| needed[id.index()] != Need::None) {
        let (phase, level) = (looped.phase(id), level[id.index()]);
        let op = graph.op(id);
        match op {
            Op::Argument { .. } | Op::Reshape { .. } => {}
            _ if is_inline(op) && needed[id.index()] != Need::Stored => {}
            _ if is_map(op) => {
                let extents = extents(graph, id);
                let map = kernels.entry((phase, level, Some(extents), None));
                let map = map.or_insert(Kernel::Map(Map { extents, values: Vec::new() }));
                if let Kernel::Map(map) = map {
                    map.values.push(id);
                }
            }
            _ => {
                kernels.insert((phase, level, None, Some(id)), Kernel::Single(id));
            }
        }
    }
    let mut phases: BTreeMap<Phase, Vec<Kernel>> = BTreeMap::new();
    for ((phase, ..), kernel) in kernels {
        phases.entry(phase).or_default().push(kernel);
    }
    let stored = stored(graph, &phases, &needed);
    Kernels { graph: graph.clone(), phases, sums, stored }
}

/// Splits a sum over rows into its terms: an addition sums each side. One that is used more than
/// once is a term itself: its sides would be summed again for each use.
fn sum_terms(graph: &Graph, id: ValueId, terms: &mut Vec<SumTerm>) {
    let id = resolve(graph, id);
    match (graph.op(id), graph.operands(id)) {
        (Op::Binary(Binary::Add), &[a, b]) if graph.users(id).count() <= 1 => {
            sum_terms(graph, a, terms);
            sum_terms(graph, b, terms);
        }
        (Op::Outer, &[u, v]) => terms.push(SumTerm::Outer(u, v)),
        (Op::Put { .. }, &[index, entry]) => terms.push(SumTerm::Put { index, entry }),
        _ => terms.push(SumTerm::Value(id)),
    }
}

/// What a value is needed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Need {
    /// Nothing: it lies between a sum and its terms.
    None,
    /// Elementwise values, which may read it in place.
    Maps,
    /// Something that reads it from memory.
    Stored,
}

/// What each value is needed for.
fn needed(graph: &Graph, sums: &[Vec<SumTerm>]) -> Vec<Need> {
    let mut needed = vec![Need::None; graph.len()];
    let need = |needed: &mut Vec<Need>, id: ValueId, how: Need| {
        let slot = &mut needed[resolve(graph, id).index()];
        *slot = how.max(*slot);
    };
    for output in graph.outputs().iter().filter(|output| output.role != OutputRole::Sum) {
        need(&mut needed, output.value, Need::Stored);
    }
    for id in sums.iter().flatten().flat_map(|term| term.reads()) {
        need(&mut needed, id, Need::Stored);
    }
    for id in graph.ids().rev() {
        let op = graph.op(id);
        if needed[id.index()] == Need::None || matches!(op, Op::Reshape { .. }) {
            continue;
        }
        if op.class() == Class::Elementwise {
            for &operand in graph.operands(id) {
                match read(graph, extents(graph, id), operand) {
                    Read::Elements(broadcast) if is_inline(graph.op(broadcast)) => {
                        need(&mut needed, broadcast, Need::Stored);
                    }
                    _ => need(&mut needed, operand, Need::Maps),
                }
            }
        } else if let Op::Broadcast { .. } = op {
            match read_broadcast(graph, extents(graph, id), id) {
                Read::Constant(_) => {}
                Read::Elements(from) | Read::Repeated { from, .. } => {
                    need(&mut needed, from, Need::Stored);
                }
            }
        } else {
            for &operand in graph.operands(id) {
                need(&mut needed, operand, Need::Stored);
            }
        }
    }
    needed
}

/// Whether maps read the value in place rather than from memory.
fn is_inline(op: &Op) -> bool {
    matches!(op, Op::Constant(_) | Op::Broadcast { .. })
}

/// Whether the operation can be part of a map.
fn is_map(op: &Op) -> bool {
    op.class() == Class::Elementwise || is_inline(op)
}

/// Levels: even ones hold maps, odd ones everything else.
struct Levels<'a> {
    looped: &'a Loop,
}

impl Levels<'_> {
    fn of(&self, id: ValueId, level: &[usize]) -> usize {
        let graph = self.looped.graph();
        let operands = graph.operands(id).iter();
        match graph.op(id) {
            Op::Argument { .. } | Op::Constant(_) => 0,
            // Found with its operand.
            Op::Reshape { .. } => level[graph.operands(id)[0].index()],
            op if is_map(op) => {
                let reads = map_reads(graph, id).into_iter();
                let above = reads.map(|read| self.above(id, read, level)).max();
                above.map_or(0, |level| level.next_multiple_of(2))
            }
            _ => operands.map(|&o| self.memory(id, o, level)).max().map_or(1, |level| level | 1),
        }
    }

    /// The lowest level at which a map can read this.
    fn above(&self, id: ValueId, read: Read, level: &[usize]) -> usize {
        let graph = self.looped.graph();
        match read {
            Read::Constant(_) => 0,
            Read::Repeated { from, .. } => self.memory(id, from, level),
            Read::Elements(source) => {
                let together = graph.op(source).class() == Class::Elementwise
                    && self.looped.phase(source) == self.looped.phase(id)
                    && extents(graph, source) == extents(graph, id);
                if together { level[source.index()] } else { self.memory(id, source, level) }
            }
        }
    }

    /// The lowest level at which a value can be read from memory.
    fn memory(&self, id: ValueId, operand: ValueId, level: &[usize]) -> usize {
        let graph = self.looped.graph();
        let source = resolve(graph, operand);
        let leaf = graph.op(source).class() == Class::Leaf;
        if leaf || self.looped.phase(source) != self.looped.phase(id) {
            return 0;
        }
        level[source.index()] + 1
    }
}

/// Which values are read by anything but the map that computes them.
fn stored(graph: &Graph, phases: &BTreeMap<Phase, Vec<Kernel>>, needed: &[Need]) -> Vec<bool> {
    let mut stored: Vec<bool> = needed.iter().map(|need| *need == Need::Stored).collect();
    for id in phases.values().flatten().flat_map(|kernel| reads(graph, kernel)) {
        stored[id.index()] = true;
    }
    stored
}
