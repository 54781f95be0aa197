//! What is not wrong, and yet likely not what was meant.

use super::{Checker, comments, divisors, errors, unused};
use crate::diagnostic::Diagnostic;
use crate::ir::graph::{Graph, OutputRole, ValueId};
use crate::ir::op::{Op, Role};

impl Checker<'_> {
    /// The warnings of a cell without faults, whose graph is complete; those that depend on shapes
    /// were given on the way.
    pub(super) fn doubts(&self) -> Vec<Diagnostic> {
        let mut doubts = unused::warnings(self.globals);
        doubts.extend(divisors::warnings(self.globals));
        doubts.extend(comments::warnings(self.globals));
        doubts.extend(self.states_without_use());
        doubts.extend(self.constant_outputs());
        doubts
    }

    fn states_without_use(&self) -> Vec<Diagnostic> {
        let read_as_next = unused::live_nexts(self.cell);
        let live = live(&self.graph);
        let mut doubts = Vec::new();
        for state in self.states.iter().filter(|state| !state.text.starts_with('_')) {
            let Some(id) = self.graph.find_argument(Role::State, &state.text) else { continue };
            match self.nexts.get(&state.text) {
                Some((next, Some(value))) if value.id == id => {
                    doubts.push(errors::state_never_updated(state, *next));
                }
                _ if live[id.index()] || read_as_next.contains(&state.text) => {}
                _ => doubts.push(errors::state_without_effect(state)),
            }
        }
        doubts
    }

    fn constant_outputs(&self) -> Vec<Diagnostic> {
        let varies = |id: ValueId| {
            let is_leaf = |(i, found): (usize, bool)| {
                let op = self.graph.ids().nth(i).map(|id| self.graph.op(id));
                found && matches!(op, Some(Op::Argument { role, .. }) if *role != Role::Param)
            };
            ancestors(&self.graph, &[id]).into_iter().enumerate().any(is_leaf)
        };
        let outputs = self.graph.outputs_of(OutputRole::Output).zip(&self.outputs);
        outputs
            .filter(|(output, (name, _))| !name.text.starts_with('_') && !varies(output.value))
            .map(|(_, (name, _))| errors::constant_output(name))
            .collect()
    }
}

/// For each value, whether some of the others depend on it, or it is one of them.
fn ancestors(graph: &Graph, of: &[ValueId]) -> Vec<bool> {
    let mut found = vec![false; graph.len()];
    let mut open = of.to_vec();
    while let Some(id) = open.pop() {
        if !std::mem::replace(&mut found[id.index()], true) {
            open.extend_from_slice(graph.operands(id));
        }
    }
    found
}

/// For each value, whether an output depends on it, at the same step or a later one.
fn live(graph: &Graph) -> Vec<bool> {
    let mut roots: Vec<_> = graph.outputs_of(OutputRole::Output).map(|o| o.value).collect();
    loop {
        let found = ancestors(graph, &roots);
        let nexts = graph.outputs_of(OutputRole::Next).filter(|next| {
            let state = graph.find_argument(Role::State, &next.name);
            state.is_some_and(|state| found[state.index()]) && !roots.contains(&next.value)
        });
        let more: Vec<_> = nexts.map(|next| next.value).collect();
        if more.is_empty() {
            return found;
        }
        roots.extend(more);
    }
}
