//! Expressions to values of the graph, and the broadcasting of elementwise operands.

use super::value::{Extents, Value};
use super::{Checker, errors};
use crate::diagnostic::Span;
use crate::ir::op::{Op, Unary};
use crate::syntax::ast::{Expr, ExprKind};

impl Checker<'_> {
    /// The value of an expression: real numbers or an index.
    pub(super) fn expression(&mut self, expr: &Expr) -> Option<Value> {
        match &expr.kind {
            ExprKind::Number { value, .. } => self.constant(*value, expr.span),
            ExprKind::Name(name) => self.name(name, expr.span),
            ExprKind::Next(state) => self.next_value(state),
            ExprKind::Neg(inner) => {
                let inner = self.real(inner)?;
                self.elementwise(Op::Unary(Unary::Neg), &[inner], expr.span)
            }
            ExprKind::Binary { op, op_span, left, right } => {
                self.binary(*op, *op_span, left, right, expr.span)
            }
            ExprKind::Call { function, arguments } => self.call(function, arguments, expr.span),
            ExprKind::Index { base, index } => self.index(base, index, expr.span),
            ExprKind::Slice { base, start, end } => {
                self.slice(base, start.as_deref(), end.as_deref(), expr.span)
            }
            ExprKind::Part { base, axes } => self.part(base, axes, expr.span),
            ExprKind::Shape(_) => self.fault(errors::shape_as_value(expr)),
            ExprKind::Error => None,
        }
    }

    /// The value of an expression that must be of real numbers.
    pub(super) fn real(&mut self, expr: &Expr) -> Option<Value> {
        let value = self.expression(expr)?;
        match &value.bound {
            None => Some(value),
            Some(bound) => self.fault(errors::index_as_real(expr, bound)),
        }
    }

    /// The values of all, each checked whatever becomes of the others.
    pub(super) fn reals(&mut self, exprs: &[Expr]) -> Option<Vec<Value>> {
        let values: Vec<_> = exprs.iter().map(|expr| self.real(expr)).collect();
        values.into_iter().collect()
    }

    pub(super) fn constant(&mut self, number: f64, span: Span) -> Option<Value> {
        let id = self.emit(Op::constant(number), &[], span)?;
        Some(Value::real(id, Extents::default()))
    }

    /// An elementwise operation whose operands are known to broadcast to one shape.
    pub(super) fn elementwise(&mut self, op: Op, operands: &[Value], span: Span) -> Option<Value> {
        let mut extents = Extents::default();
        for operand in operands {
            match extents.broadcast(&operand.extents) {
                Some(common) => extents = common,
                None => return self.fault(errors::no_common_shape(op.name(), operands, span)),
            }
        }
        let extents = self.bounded(extents, span)?;
        let mut ids = Vec::new();
        for operand in operands {
            ids.push(self.broadcast(operand, &extents, span)?.id);
        }
        let id = self.emit(op, &ids, span)?;
        let spread = operands.iter().find_map(|operand| operand.spread);
        Some(Value { spread, ..Value::real(id, extents) })
    }

    /// The value repeated to a shape that it broadcasts to.
    pub(super) fn broadcast(&mut self, value: &Value, to: &Extents, span: Span) -> Option<Value> {
        if value.extents.same(to) {
            return Some(value.clone());
        }
        let id = self.emit(Op::Broadcast { shape: to.shape() }, &[value.id], span)?;
        Some(Value::real(id, to.clone()))
    }

    /// The same elements under another shape.
    pub(super) fn reshape(&mut self, value: &Value, to: Extents, span: Span) -> Option<Value> {
        let id = self.emit(Op::Reshape { shape: to.shape() }, &[value.id], span)?;
        Some(Value::real(id, to))
    }
}
