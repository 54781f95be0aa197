//! The graph itself: operations with ordered operands, and named outputs.
//!
//! This is the only file that knows petgraph. A graph grows by appending: operands exist before
//! their users, so a value's number is its place in a topological order, and no cycle can be
//! built. A pass never changes a graph; it builds a new one.

use std::fmt;

use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::{Bfs, Reversed};
use smallvec::SmallVec;

use super::op::{Op, Role, Type, TypeError};

/// A value of a [`Graph`]: the result of one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ValueId(u32);

impl ValueId {
    /// Its place in the graph's topological order, from 0.
    pub fn index(self) -> usize {
        self.0 as usize
    }

    fn node(self) -> NodeIndex {
        NodeIndex::new(self.index())
    }
}

impl From<NodeIndex> for ValueId {
    fn from(node: NodeIndex) -> Self {
        Self(u32::try_from(node.index()).expect("a graph has fewer than 2^32 values"))
    }
}

impl fmt::Display for ValueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "%{}", self.0)
    }
}

/// The ordered operands of an operation.
pub type Operands = SmallVec<[ValueId; 3]>;

/// An operation, its operands in order, and the type of its result.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The operation.
    pub op: Op,
    /// Its operands, in order.
    pub operands: Operands,
    /// The type of the result.
    pub ty: Type,
}

/// What becomes of an output when the graph is looped over a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OutputRole {
    /// One value for each example and time step.
    Output,
    /// The next value of the state of the same name.
    Next,
    /// Kept for the backward graph: one value for each example and time step.
    Residual,
    /// Summed over all examples and time steps: the gradient of a parameter.
    Sum,
}

impl OutputRole {
    /// Every role of an output.
    pub const ALL: [Self; 4] = [Self::Output, Self::Next, Self::Residual, Self::Sum];

    /// Its word in the text form.
    pub fn name(self) -> &'static str {
        match self {
            Self::Output => "output",
            Self::Next => "next",
            Self::Residual => "residual",
            Self::Sum => "sum",
        }
    }
}

/// A named result of a graph.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// What becomes of it.
    pub role: OutputRole,
    /// Its name, unique within its role.
    pub name: String,
    /// Its value.
    pub value: ValueId,
}

/// One time step of a cell, for one example, as a dataflow graph.
#[derive(Clone, Debug)]
pub struct Graph {
    name: String,
    nodes: DiGraph<Node, ()>,
    outputs: Vec<Output>,
}

impl PartialEq for Graph {
    /// Equality of structure: the same operations in the same order under the same names.
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
            && self.outputs == other.outputs
            && self.nodes.node_weights().eq(other.nodes.node_weights())
    }
}

impl Graph {
    /// An empty graph.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), nodes: DiGraph::new(), outputs: Vec::new() }
    }

    /// Its name: a cell's, or a cell's with what was derived from it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Appends a leaf of a declared type.
    pub fn argument(&mut self, role: Role, name: impl Into<String>, ty: Type) -> ValueId {
        self.append(Node { op: Op::argument(role, name), operands: Operands::new(), ty })
    }

    /// Appends an operation, or says why it does not fit its operands.
    ///
    /// # Errors
    /// If the operands' types break the operation's typing rule.
    pub fn push(&mut self, op: Op, operands: &[ValueId]) -> Result<ValueId, TypeError> {
        let ty = {
            let types: SmallVec<[&Type; 3]> = operands.iter().map(|&id| self.ty(id)).collect();
            op.result_type(&types)?
        };
        Ok(self.append(Node { op, operands: operands.into(), ty }))
    }

    fn append(&mut self, node: Node) -> ValueId {
        let operands = node.operands.clone();
        let id = self.nodes.add_node(node);
        for operand in operands {
            self.nodes.add_edge(operand.node(), id, ());
        }
        id.into()
    }

    /// Appends without a check, for tests of the verifier.
    #[cfg(test)]
    pub(super) fn append_unchecked(&mut self, node: Node) -> ValueId {
        self.append(node)
    }

    /// Names a value as a result of the graph.
    pub fn output(&mut self, role: OutputRole, name: impl Into<String>, value: ValueId) {
        self.outputs.push(Output { role, name: name.into(), value });
    }

    /// The number of values.
    pub fn len(&self) -> usize {
        self.nodes.node_count()
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All values, operands before users.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = ValueId> + ExactSizeIterator + use<> {
        (0..self.len()).map(|i| NodeIndex::new(i).into())
    }

    /// A value's operation, operands and type.
    pub fn node(&self, id: ValueId) -> &Node {
        &self.nodes[id.node()]
    }

    /// A value's operation.
    pub fn op(&self, id: ValueId) -> &Op {
        &self.node(id).op
    }

    /// A value's operands, in order.
    pub fn operands(&self, id: ValueId) -> &[ValueId] {
        &self.node(id).operands
    }

    /// A value's type.
    pub fn ty(&self, id: ValueId) -> &Type {
        &self.node(id).ty
    }

    /// The values that take `id` as an operand, each as often as it does, oldest first.
    pub fn users(&self, id: ValueId) -> impl Iterator<Item = ValueId> + use<> {
        let mut users: Vec<ValueId> =
            self.nodes.neighbors_directed(id.node(), Direction::Outgoing).map(Into::into).collect();
        users.sort_unstable();
        users.into_iter()
    }

    /// For each value, whether any of `roots` is computed from it (roots included).
    pub fn ancestors(&self, roots: impl IntoIterator<Item = ValueId>) -> Vec<bool> {
        self.reach(roots, |nodes, bfs| bfs.next(Reversed(nodes)))
    }

    /// For each value, whether it is computed from any of `roots` (roots included).
    pub fn descendants(&self, roots: impl IntoIterator<Item = ValueId>) -> Vec<bool> {
        self.reach(roots, |nodes, bfs| bfs.next(nodes))
    }

    fn reach(
        &self,
        roots: impl IntoIterator<Item = ValueId>,
        next: impl Fn(&DiGraph<Node, ()>, &mut Bfs<NodeIndex, Seen>) -> Option<NodeIndex>,
    ) -> Vec<bool> {
        let mut reached = vec![false; self.len()];
        for root in roots {
            if reached[root.index()] {
                continue;
            }
            let mut bfs = Bfs::new(&self.nodes, root.node());
            while let Some(node) = next(&self.nodes, &mut bfs) {
                reached[node.index()] = true;
            }
        }
        reached
    }

    /// The leaves of the graph in order: each with its role and name.
    pub fn arguments(&self) -> impl Iterator<Item = (ValueId, Role, &str)> {
        self.ids().filter_map(|id| match self.op(id) {
            Op::Argument { role, name } => Some((id, *role, name.as_str())),
            _ => None,
        })
    }

    /// The leaf of a role and name.
    pub fn find_argument(&self, role: Role, name: &str) -> Option<ValueId> {
        self.arguments().find(|(_, r, n)| *r == role && *n == name).map(|(id, ..)| id)
    }

    /// The leaves of one role, in order: each with its name.
    pub fn arguments_of(&self, role: Role) -> impl Iterator<Item = (ValueId, &str)> {
        self.arguments().filter(move |(_, r, _)| *r == role).map(|(id, _, name)| (id, name))
    }

    /// The masks of the graph, in order: each with its name and the probability of 1.
    pub fn masks(&self) -> impl Iterator<Item = (ValueId, &str, f64)> {
        self.arguments().filter_map(|(id, role, name)| match role {
            Role::Mask(probability) => Some((id, name, probability.0)),
            Role::Param | Role::Input | Role::State | Role::Residual => None,
        })
    }

    /// The results of the graph, in order.
    pub fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    /// The results of one role, in order.
    pub fn outputs_of(&self, role: OutputRole) -> impl Iterator<Item = &Output> {
        self.outputs.iter().filter(move |output| output.role == role)
    }
}

type Seen = <DiGraph<Node, ()> as petgraph::visit::Visitable>::Map;
