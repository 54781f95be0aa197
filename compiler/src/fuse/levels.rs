//! Levels: which elementwise values can be computed together.
//!
//! Within a phase, a value stands above what it reads. Even levels hold elementwise values, which
//! maps compute together; odd ones hold everything that reads its operands from memory.

use super::access::{Read, extents, is_view, map_reads, parts, resolve, starts, view};
use super::{Form, Need};
use crate::ir::graph::{Graph, ValueId};
use crate::ir::op::{Class, Op};
use crate::phases::Loop;

/// Finds the level of each value.
pub(super) fn levels(looped: &Loop, forms: &[Form], needed: &[Need]) -> Vec<usize> {
    let mut levels = Levels { looped, forms, level: Vec::new() };
    for id in looped.graph().ids() {
        let level = levels.lowest(id);
        levels.level.push(level);
    }
    levels.sink(needed);
    levels.level
}

struct Levels<'a> {
    looped: &'a Loop,
    forms: &'a [Form],
    level: Vec<usize>,
}

impl Levels<'_> {
    fn graph(&self) -> &Graph {
        self.looped.graph()
    }

    /// The lowest level at which a value can be computed.
    fn lowest(&self, id: ValueId) -> usize {
        let graph = self.graph();
        let operands = graph.operands(id);
        if is_view(graph, id) {
            // Found with its operand.
            return self.level[operands[0].index()];
        }
        match self.forms[id.index()] {
            Form::Leaf => 0,
            Form::Map => {
                let above = map_reads(graph, id).into_iter().map(|read| self.above(id, read)).max();
                above.map_or(0, |level| level.next_multiple_of(2))
            }
            // Found with the product that starts with what is added.
            Form::Started => 0,
            Form::Product { product, start } => {
                let parts = parts(graph, graph.operands(product)[1]).into_iter();
                let start = starts(self.looped, start);
                let read = parts.chain(start).map(|part| self.memory(id, part));
                read.max().map_or(1, |level| level | 1)
            }
            // There when the last of its parts is.
            Form::Gathered => operands.iter().map(|o| self.level[o.index()]).max().unwrap_or(0),
            Form::Wide | Form::Single => {
                let operands = operands.iter();
                operands.map(|&o| self.memory(id, o)).max().map_or(1, |level| level | 1)
            }
        }
    }

    /// The lowest level at which a map can read this.
    fn above(&self, id: ValueId, read: Read) -> usize {
        match read {
            Read::Constant(_) => 0,
            Read::Repeated { from, .. } => self.memory(id, from),
            Read::Elements(source) if self.in_one_map(source, id) => self.level[source.index()],
            Read::Elements(source) => self.memory(id, source),
        }
    }

    /// Whether one map could compute both.
    fn in_one_map(&self, source: ValueId, user: ValueId) -> bool {
        let graph = self.graph();
        self.forms[source.index()] == Form::Map
            && graph.op(source).class() == Class::Elementwise
            && self.looped.phase(source) == self.looped.phase(user)
            && extents(graph, source) == extents(graph, user)
    }

    /// The lowest level at which a value can be read from memory.
    fn memory(&self, id: ValueId, operand: ValueId) -> usize {
        let source = view(self.graph(), operand).base;
        let leaf = self.graph().op(source).class() == Class::Leaf;
        if leaf || self.looped.phase(source) != self.looped.phase(id) {
            return 0;
        }
        self.level[source.index()] + 1
    }

    /// Moves elementwise values up to the first map that uses them, if all that they read is in
    /// memory anyway: there they need no memory themselves.
    fn sink(&mut self, needed: &[Need]) {
        for id in self.graph().ids().rev() {
            if needed[id.index()] != Need::Maps || !self.is_light(id, needed) {
                continue;
            }
            let together = |&user: &ValueId| {
                self.forms[user.index()] == Form::Map && self.in_one_map(id, user)
            };
            let users: Vec<ValueId> = self.graph().users(id).collect();
            if let (true, Some(level)) = (
                users.iter().all(together),
                users.iter().map(|user| self.level[user.index()]).min(),
            ) {
                self.level[id.index()] = level;
            }
        }
    }

    /// Whether a map can compute this from memory alone.
    fn is_light(&self, id: ValueId, needed: &[Need]) -> bool {
        let graph = self.graph();
        self.forms[id.index()] == Form::Map
            && graph.op(id).class() == Class::Elementwise
            && map_reads(graph, id).into_iter().all(|read| match read {
                Read::Constant(_) | Read::Repeated { .. } => true,
                Read::Elements(source) if self.in_one_map(source, id) => {
                    needed[source.index()] == Need::Stored
                        || (graph.users(source).count() == 1 && self.is_light(source, needed))
                }
                Read::Elements(_) => true,
            })
    }
}

/// What maps read in place rather than from memory.
pub(super) fn is_inline(op: &Op) -> bool {
    matches!(op, Op::Constant(_) | Op::Broadcast { .. })
}

/// The value whose memory an operand of anything but a map is read from.
pub(super) fn source(graph: &Graph, id: ValueId) -> ValueId {
    view(graph, resolve(graph, id)).base
}
