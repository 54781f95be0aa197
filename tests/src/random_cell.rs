//! Random recurrent cells: products of params with vectors, concatenations, gates and sums of them,
//! which is what passes over products are about. Among [random graphs](crate::random_graph) such
//! things are rare.

use cellc_compiler::ir::graph::{Graph, OutputRole, ValueId};
use cellc_compiler::ir::op::{Binary, Op, Role, Shape, Type, Unary};

use crate::compare::Numbers;

/// The extents of vectors: below, at and above the extents of tiles and panels.
pub const EXTENTS: [usize; 14] = [1, 2, 3, 4, 5, 7, 8, 13, 16, 17, 24, 31, 33, 40];

/// A random cell: the same for the same seed and number of genes.
pub fn random_cell(seed: u64, genes: usize) -> Graph {
    let mut numbers = Numbers(seed);
    let extents = [(); 3].map(|()| EXTENTS[numbers.next_bits() as usize % EXTENTS.len()]);
    let mut cell = Cell { graph: Graph::new("random"), numbers, extents, bounded: Vec::new() };
    let vector = |n: usize| Type::real([n].as_slice());
    for (name, role, n) in [
        ("x", Role::Input, extents[0]),
        ("e", Role::Input, extents[1]),
        ("h", Role::State, extents[1]),
        ("c", Role::State, extents[2]),
    ] {
        let id = cell.graph.argument(role, name, vector(n));
        cell.bounded.push(id);
    }
    for _ in 0..genes {
        cell.express();
    }
    cell.finish()
}

struct Cell {
    graph: Graph,
    numbers: Numbers,
    extents: [usize; 3],
    /// Vectors whose elements are of the size of 1.
    bounded: Vec<ValueId>,
}

impl Cell {
    fn below(&mut self, bound: usize) -> usize {
        self.numbers.next_bits() as usize % bound
    }

    fn push(&mut self, op: Op, operands: &[ValueId]) -> ValueId {
        self.graph.push(op, operands).expect("it is well-typed")
    }

    fn len(&self, id: ValueId) -> usize {
        self.graph.ty(id).size()
    }

    /// Any vector.
    fn vector(&mut self) -> ValueId {
        let graph = &self.graph;
        let fits = |&id: &ValueId| graph.ty(id).is_real() && graph.ty(id).rank() == 1;
        let varying =
            |&id: &ValueId| !matches!(graph.op(id), Op::Argument { role: Role::Param, .. });
        let all: Vec<ValueId> = graph.ids().filter(fits).filter(varying).collect();
        all[self.below(all.len())]
    }

    /// A bounded vector of a length, if there is one.
    fn bounded_of(&mut self, len: usize) -> Option<ValueId> {
        let graph = &self.graph;
        let fits = self.bounded.iter().copied().filter(|&id| graph.ty(id).size() == len);
        let fits: Vec<ValueId> = fits.collect();
        if fits.is_empty() { None } else { Some(fits[self.below(fits.len())]) }
    }

    /// A vector that can be multiplied: half of the time a concatenation.
    fn factor(&mut self) -> ValueId {
        let pick = |cell: &mut Self| {
            let i = cell.below(cell.bounded.len());
            cell.bounded[i]
        };
        let first = pick(self);
        match self.below(4) {
            0 | 1 => first,
            parts => {
                let mut list = vec![first];
                list.extend((1..parts).map(|_| pick(self)));
                if list.iter().map(|&id| self.len(id)).sum::<usize>() > 100 {
                    return first;
                }
                let id = self.push(Op::Concat { axis: 0 }, &list);
                self.bounded.push(id);
                id
            }
        }
    }

    /// A param of a shape: one that there is, a new one, or a part of a larger one.
    fn matrix(&mut self, shape: [usize; 2]) -> ValueId {
        let graph = &self.graph;
        let fits = |&id: &ValueId| graph.ty(id).shape.as_slice() == shape;
        let param = |&id: &ValueId| matches!(graph.op(id), Op::Argument { role: Role::Param, .. });
        let old: Vec<ValueId> = graph.ids().filter(fits).filter(param).collect();
        let kind = self.below(8);
        if let (0 | 1, [_, ..]) = (kind, &old[..]) {
            return old[self.below(old.len())];
        }
        let axis = kind % 2;
        let mut larger = shape;
        if kind >= 5 {
            larger[axis] += 3;
        }
        if kind == 4 {
            larger.reverse();
        }
        let name = format!("p{}", self.graph.len());
        let id = self.graph.argument(Role::Param, name, Type::real(larger.as_slice()));
        match kind {
            4 => self.push(Op::Transpose, &[id]),
            5.. => self.push(Op::Slice { axis, start: kind - 5, len: shape[axis] }, &[id]),
            _ => id,
        }
    }

    fn product(&mut self, len: usize) -> ValueId {
        let vector = self.factor();
        let n = self.len(vector);
        if self.below(3) == 0 {
            let matrix = self.matrix([n, len]);
            self.push(Op::MatVecT, &[matrix, vector])
        } else {
            let matrix = self.matrix([len, n]);
            self.push(Op::MatVec, &[matrix, vector])
        }
    }

    fn squash(&mut self, id: ValueId) {
        let op = [Unary::Sigmoid, Unary::Tanh, Unary::Tanh][self.below(3)];
        let id = self.push(Op::Unary(op), &[id]);
        self.bounded.push(id);
    }

    fn express(&mut self) {
        match self.below(12) {
            // A gate: a sum of products.
            0..=4 => {
                let pick = self.below(3);
                let len = self.extents[pick];
                let mut sum = self.product(len);
                for _ in 0..self.below(3) {
                    let term = self.product(len);
                    sum = self.push(Op::Binary(Binary::Add), &[sum, term]);
                }
                if self.below(2) == 0 {
                    let name = format!("b{}", self.graph.len());
                    let bias = self.graph.argument(Role::Param, name, Type::real([len].as_slice()));
                    sum = self.push(Op::Binary(Binary::Add), &[sum, bias]);
                }
                if self.below(4) > 0 {
                    self.squash(sum);
                }
            }
            5 | 6 => {
                let a = self.vector();
                let len = self.len(a);
                let Some(b) = self.bounded_of(len) else { return };
                let op = [Binary::Mul, Binary::Add, Binary::Sub][self.below(3)];
                let id = self.push(Op::Binary(op), &[a, b]);
                if op == Binary::Mul && self.bounded.contains(&a) {
                    self.bounded.push(id);
                }
            }
            7 => {
                let id = self.vector();
                self.squash(id);
            }
            8 | 9 => {
                let i = self.below(self.bounded.len());
                let of = self.bounded[i];
                let start = self.below(self.len(of));
                let len = self.below(self.len(of) - start) + 1;
                let id = self.push(Op::Slice { axis: 0, start, len }, &[of]);
                self.bounded.push(id);
            }
            10 => {
                let id = self.factor();
                self.bounded.push(id);
            }
            // A matrix of each row's own, of one row or of one column.
            _ => {
                let (of, n) = (self.vector(), self.vector());
                let n = self.len(of).min(self.len(n));
                let cut = self.push(Op::Slice { axis: 0, start: 0, len: n }, &[of]);
                let shape: Shape = [1, n].as_slice().into();
                let matrix = self.push(Op::Reshape { shape }, &[cut]);
                let Some(by) = self.bounded_of(n) else { return };
                let id = self.push(Op::MatVec, &[matrix, by]);
                self.squash(id);
            }
        }
    }

    /// The youngest values that fit are next states, and the youngest of all outputs.
    fn finish(mut self) -> Graph {
        for (name, len) in [("h", self.extents[1]), ("c", self.extents[2])] {
            let graph = &self.graph;
            let fits = |id: &ValueId| {
                graph.ty(*id).rank() == 1 && graph.ty(*id).size() == len && graph.ty(*id).is_real()
            };
            let all: Vec<ValueId> = graph.ids().rev().filter(fits).take(3).collect();
            let next = all[self.below(all.len())];
            let next = if self.bounded.contains(&next) {
                next
            } else {
                self.push(Op::Unary(Unary::Tanh), &[next])
            };
            self.graph.output(OutputRole::Next, name, next);
        }
        let varying = |id: &ValueId| !matches!(self.graph.op(*id), Op::Argument { .. });
        let youngest: Vec<ValueId> = self.graph.ids().rev().filter(varying).take(3).collect();
        for (i, id) in youngest.into_iter().enumerate() {
            self.graph.output(OutputRole::Output, format!("y{i}"), id);
        }
        self.graph
    }
}
