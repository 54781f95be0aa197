//! Reductions that are made of sums and maxima.

use super::functions::Call;
use super::value::Value;
use super::{Checker, errors};
use crate::ir::op::{Binary, Op, Reduction, Unary};

impl Checker<'_> {
    /// The largest, or the smallest: that is less the largest of what is negated.
    pub(super) fn extreme(&mut self, smallest: bool, call: Call) -> Option<Value> {
        let (x, axis) = self.along_axis(call)?;
        if !smallest {
            return self.reduce(Reduction::Max, &x, axis, call.span);
        }
        let negated = self.unary(Unary::Neg, &x, call.span)?;
        let largest = self.reduce(Reduction::Max, &negated, axis, call.span)?;
        self.unary(Unary::Neg, &largest, call.span)
    }

    /// The square root of the sum of squares, with a derivative of 0 at 0.
    pub(super) fn norm(&mut self, call: Call) -> Option<Value> {
        let (x, axis) = self.along_axis(call)?;
        let span = call.span;
        let square = self.combine(Binary::Mul, &x, &x, span)?;
        let sum = self.reduce(Reduction::Sum, &square, axis, span)?;
        // The root of 0 has no derivative: that of 1 is taken, and not used.
        let (zero, one) = (self.constant(0.0, span)?, self.constant(1.0, span)?);
        let is_zero = self.combine(Binary::Equal, &sum, &zero, span)?;
        let guarded = self.elementwise(Op::Select, &[is_zero.clone(), one, sum], span)?;
        let root = self.unary(Unary::Sqrt, &guarded, span)?;
        self.elementwise(Op::Select, &[is_zero, zero, root], span)
    }

    /// Sums of each element and all before it: of 1, 2, 4 and more of them in turn (Hillis and
    /// Steele 1986).
    pub(super) fn cumsum(&mut self, call: Call) -> Option<Value> {
        let (x, axis) = self.along_axis(call)?;
        if x.rank() == 2 && axis.is_none() {
            return self.fault(errors::axis_needed(call.name, &x, call.span));
        }
        let Some(extent) = x.extents.0.get(axis.unwrap_or(0)) else { return Some(x) };
        let (axis, size) = (axis.unwrap_or(0), extent.size);
        let mut sum = x.id;
        let mut reach = 1;
        while reach < size {
            let kept = Op::Slice { axis, start: 0, len: size - reach };
            let kept = self.emit(kept, &[sum], call.span)?;
            let moved = Op::Pad { axis, before: reach, after: 0 };
            let moved = self.emit(moved, &[kept], call.span)?;
            sum = self.emit(Op::Binary(Binary::Add), &[sum, moved], call.span)?;
            reach *= 2;
        }
        Some(Value::real(sum, x.extents))
    }
}
