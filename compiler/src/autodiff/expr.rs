//! A small language for writing graphs as algebra, in which the derivative rules are stated.

use std::cell::RefCell;
use std::ops::{Add, Div, Mul, Neg, Sub};

use crate::ir::graph::{Graph, Operands, ValueId};
use crate::ir::op::{Binary, Op, Reduction, Shape, Type, TypeError, Unary};

/// A graph under construction, and the first rule that was broken while building it.
///
/// Keeping the error here rather than returning it from every operator is what lets rules be
/// written as algebra; whoever owns the graph asks for it once, at the end.
pub(super) struct Builder {
    state: RefCell<State>,
}

struct State {
    graph: Graph,
    error: Option<TypeError>,
}

impl Builder {
    pub(super) fn new(graph: Graph) -> Self {
        Self { state: RefCell::new(State { graph, error: None }) }
    }

    /// The finished graph, or the first rule that was broken.
    pub(super) fn finish(self) -> Result<Graph, TypeError> {
        let State { graph, error } = self.state.into_inner();
        error.map_or(Ok(graph), Err)
    }

    /// Changes the graph directly: for leaves and outputs.
    pub(super) fn with<R>(&self, change: impl FnOnce(&mut Graph) -> R) -> R {
        change(&mut self.state.borrow_mut().graph)
    }

    /// Refers to a value of the graph.
    pub(super) fn expr(&self, id: ValueId) -> Expr<'_> {
        Expr { builder: self, id }
    }

    /// Appends an operation. If it is ill-typed, the error is kept and some value is returned.
    pub(super) fn push(&self, op: Op, operands: &[ValueId]) -> Expr<'_> {
        let mut state = self.state.borrow_mut();
        let id = match state.graph.push(op, operands) {
            Ok(id) => id,
            Err(error) => {
                state.error.get_or_insert(error);
                let ty = Type::scalar();
                state.graph.argument(crate::ir::op::Role::Input, "poison", ty)
            }
        };
        Expr { builder: self, id }
    }
}

/// A value of a graph under construction.
#[derive(Clone, Copy)]
pub(super) struct Expr<'b> {
    builder: &'b Builder,
    id: ValueId,
}

impl<'b> Expr<'b> {
    pub(super) fn id(self) -> ValueId {
        self.id
    }

    pub(super) fn shape(self) -> Shape {
        self.builder.with(|graph| graph.ty(self.id).shape.clone())
    }

    pub(super) fn apply(self, op: Op) -> Self {
        self.builder.push(op, &[self.id])
    }

    pub(super) fn apply2(self, op: Op, other: Self) -> Self {
        self.builder.push(op, &[self.id, other.id])
    }

    /// An operation of one or more operands.
    pub(super) fn join(op: Op, parts: &[Self]) -> Self {
        let operands: Operands = parts.iter().map(|part| part.id).collect();
        parts[0].builder.push(op, &operands)
    }

    fn binary(self, op: Binary, other: Self) -> Self {
        self.apply2(Op::Binary(op), other)
    }

    /// 1 where less, else 0.
    pub(super) fn less(self, other: Self) -> Self {
        self.binary(Binary::Less, other)
    }

    /// 1 where equal, else 0.
    pub(super) fn equal(self, other: Self) -> Self {
        self.binary(Binary::Equal, other)
    }

    /// `a` where this is not zero, else `b`.
    pub(super) fn select(self, a: Self, b: Self) -> Self {
        self.builder.push(Op::Select, &[self.id, a.id, b.id])
    }

    /// This number, everywhere in the shape of `self`.
    pub(super) fn fill(self, value: f64) -> Self {
        self.builder.push(Op::constant(value), &[]).broadcast(&self.shape())
    }

    pub(super) fn broadcast(self, shape: &[usize]) -> Self {
        if self.shape().as_slice() == shape {
            return self;
        }
        self.apply(Op::Broadcast { shape: shape.into() })
    }

    pub(super) fn reshape(self, shape: &[usize]) -> Self {
        if self.shape().as_slice() == shape {
            return self;
        }
        self.apply(Op::Reshape { shape: shape.into() })
    }

    pub(super) fn sum(self, axis: Option<usize>) -> Self {
        self.apply(Op::Reduce { kind: Reduction::Sum, axis })
    }

    /// The sum over all repetitions, which brings a broadcast value back to its first shape.
    pub(super) fn sum_to(self, shape: &[usize]) -> Self {
        let [from_rows, from_columns] = as_matrix(shape);
        let [rows, columns] = as_matrix(&self.shape());
        let sum = match (from_rows == rows, from_columns == columns) {
            (true, true) => self,
            (false, false) => self.sum(None),
            // In a vector's repetition there is one axis; in a matrix's, the one that was 1.
            _ if self.shape().len() < 2 => self.sum(None),
            (false, true) => self.sum(Some(0)),
            (true, false) => self.sum(Some(1)),
        };
        sum.reshape(shape)
    }

    /// Repeats the result of a reduction along the axis that it removed.
    pub(super) fn unreduce(self, axis: Option<usize>, shape: &[usize]) -> Self {
        match axis {
            Some(1) => self.reshape(&[shape[0], 1]).broadcast(shape),
            _ => self.broadcast(shape),
        }
    }
}

/// A shape of rank 2 at the most as a matrix, aligned as broadcasting aligns it.
fn as_matrix(shape: &[usize]) -> [usize; 2] {
    match *shape {
        [] => [1, 1],
        [columns] => [1, columns],
        [rows, columns, ..] => [rows, columns],
    }
}

impl Add for Expr<'_> {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        self.binary(Binary::Add, other)
    }
}

impl Sub for Expr<'_> {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self.binary(Binary::Sub, other)
    }
}

impl Mul for Expr<'_> {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        self.binary(Binary::Mul, other)
    }
}

impl Div for Expr<'_> {
    type Output = Self;
    fn div(self, other: Self) -> Self {
        self.binary(Binary::Div, other)
    }
}

impl Neg for Expr<'_> {
    type Output = Self;
    fn neg(self) -> Self {
        self.apply(Op::Unary(Unary::Neg))
    }
}

impl<'b> Sub<Expr<'b>> for f64 {
    type Output = Expr<'b>;
    fn sub(self, other: Expr<'b>) -> Expr<'b> {
        other.fill(self) - other
    }
}

impl<'b> Mul<Expr<'b>> for f64 {
    type Output = Expr<'b>;
    fn mul(self, other: Expr<'b>) -> Expr<'b> {
        other.fill(self) * other
    }
}
