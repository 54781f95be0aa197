//! Phases: what runs for all time steps at once leaves the loop.
//!
//! Found by dependence alone. A value that depends on no input and no state runs *once*. A product
//! with a matrix that depends on no state runs *before* the loop, for all steps at once, with what
//! it is computed from and what is added to it; of an outer product, which is a matrix for each row,
//! only the vectors do. What no next state depends on runs *after* the loop, for all steps at once.
//! What is left is the *body*. Parameter gradients are sums over steps and examples, on which no
//! next state depends: they are always after.

use std::fmt;

use crate::ir::graph::{Graph, OutputRole, ValueId};
use crate::ir::op::{Binary, Class, Op, Role};

/// When a value is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Once in a run: it is the same for all steps and examples.
    Once,
    /// For all steps together, before the loop.
    Before,
    /// Step by step.
    Body,
    /// For all steps together, after the loop.
    After,
}

impl Phase {
    /// All phases in the order in which they run.
    pub const ALL: [Self; 4] = [Self::Once, Self::Before, Self::Body, Self::After];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Once => "once",
            Self::Before => "before",
            Self::Body => "body",
            Self::After => "after",
        }
    }
}

/// A graph of which each value has its phase.
#[derive(Clone, Debug)]
pub struct Loop {
    graph: Graph,
    phases: Vec<Phase>,
}

impl Loop {
    /// The graph.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// When a value is computed. Of an argument: the earliest phase that can read it.
    pub fn phase(&self, id: ValueId) -> Phase {
        self.phases[id.index()]
    }
}

impl fmt::Display for Loop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.graph.to_string();
        let mut lines = text.lines();
        for header in lines.by_ref().take(1) {
            writeln!(f, "{header}")?;
        }
        let lines: Vec<_> = lines.collect();
        for phase in Phase::ALL {
            writeln!(f, "{}:", phase.name())?;
            let in_phase = self.graph.ids().filter(|id| self.phase(*id) == phase);
            for id in in_phase {
                writeln!(f, "  {}", lines[id.index()])?;
            }
        }
        lines[self.graph.len()..].iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// Finds the phase of each value of a graph.
pub fn phases(graph: &Graph) -> Loop {
    let roles = |wanted: fn(Role) -> bool| {
        graph.arguments().filter(move |(_, role, _)| wanted(*role)).map(|(id, ..)| id)
    };
    let varying = graph.descendants(roles(|role| role != Role::Param));
    let stateful = graph.descendants(roles(|role| role == Role::State));
    let next = graph.outputs_of(OutputRole::Next).map(|output| output.value);
    let for_next = graph.ancestors(next);
    let is_product = |id: ValueId| {
        let i = id.index();
        graph.op(id).class() == Class::Product && !stateful[i] && varying[i] && for_next[i]
    };
    // What is added to a product before the loop is where the product starts.
    let is_started = |id: ValueId| {
        let product = |operand: &ValueId| {
            matches!(graph.op(*operand), Op::MatVec | Op::MatVecT)
                && is_product(*operand)
                && graph.users(*operand).count() == 1
        };
        matches!(graph.op(id), Op::Binary(Binary::Add))
            && graph.operands(id).iter().any(product)
            && !stateful[id.index()]
            && for_next[id.index()]
    };
    let products = graph.ids().filter(|&id| is_product(id) || is_started(id));
    // A product that is a matrix would take a matrix of memory for each step and example.
    let for_product = graph.ancestors(products.flat_map(|id| match graph.op(id) {
        Op::Outer | Op::MatMul => graph.operands(id).to_vec(),
        _ => vec![id],
    }));
    let phase = |id: ValueId| {
        let i = id.index();
        let leaf = matches!(graph.op(id), Op::Argument { .. });
        match () {
            () if !varying[i] => Phase::Once,
            () if leaf && !stateful[i] => Phase::Before,
            () if leaf => Phase::Body,
            () if !for_next[i] => Phase::After,
            () if for_product[i] && !stateful[i] => Phase::Before,
            () => Phase::Body,
        }
    };
    Loop { graph: graph.clone(), phases: graph.ids().map(phase).collect() }
}
