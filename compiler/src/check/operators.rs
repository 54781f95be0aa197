//! The operators between two expressions.

use super::value::Value;
use super::{Checker, errors};
use crate::diagnostic::{Diagnostic, Label, Span};
use crate::ir::op::{Binary, Op};
use crate::syntax::ast::{Expr, ExprKind, Operator};

/// An operand as it is written, and its value.
pub(super) struct Operand<'e> {
    pub(super) expr: &'e Expr,
    pub(super) value: Value,
}

impl Checker<'_> {
    pub(super) fn binary(
        &mut self,
        op: Operator,
        op_span: Span,
        left: &Expr,
        right: &Expr,
        span: Span,
    ) -> Option<Value> {
        let (a, b) = (self.real(left), self.real(right));
        let (a, b) = (Operand { expr: left, value: a? }, Operand { expr: right, value: b? });
        let (binary, swapped) = match op {
            Operator::MatMul => return self.matmul(op_span, a, b, span),
            Operator::Add => (Binary::Add, false),
            Operator::Sub => (Binary::Sub, false),
            Operator::Mul => (Binary::Mul, false),
            Operator::Div => (Binary::Div, false),
            Operator::Less => (Binary::Less, false),
            Operator::LessEqual => (Binary::LessEqual, false),
            Operator::Greater => (Binary::Less, true),
            Operator::GreaterEqual => (Binary::LessEqual, true),
            Operator::Equal | Operator::NotEqual => (Binary::Equal, false),
        };
        if a.value.extents.broadcast(&b.value.extents).is_none() {
            let fault = errors::operator_shapes(op, op_span, &a, &b);
            let fault = self.with_operands(fault, [&a, &b]);
            return self.fault(fault);
        }
        let ranks = (a.value.rank(), b.value.rank());
        let operands = if swapped { [b.value, a.value] } else { [a.value, b.value] };
        let result = self.elementwise(Op::Binary(binary), &operands, span)?;
        if op == Operator::NotEqual {
            // True also of NaN, which equals nothing.
            let one = self.constant(1.0, span)?;
            return self.elementwise(Op::Binary(Binary::Sub), &[one, result], span);
        }
        let repeats = op == Operator::Mul && matches!(ranks, (1, 2) | (2, 1));
        Some(if repeats { Value { spread: Some(op_span), ..result } } else { result })
    }

    fn matmul(&mut self, op: Span, a: Operand, b: Operand, span: Span) -> Option<Value> {
        if let (ExprKind::Binary { op: Operator::Mul, right, .. }, Some(star)) =
            (&a.expr.kind, a.value.spread)
            && !a.expr.is_parenthesized()
        {
            self.warnings.push(errors::scaled_matrix(star, a.expr, right, b.expr));
        }
        let (m, v, product) = match (a.value.extents.0.as_slice(), b.value.extents.0.as_slice()) {
            ([rows, columns], [v]) if columns.size == v.size => (&a, &b, (Op::MatVec, rows)),
            ([v], [rows, columns]) if rows.size == v.size => (&b, &a, (Op::MatVecT, columns)),
            ([rows, inner], [other, columns]) if inner.size == other.size => {
                let extents = self.bounded([rows.clone(), columns.clone()].into(), span)?;
                let id = self.emit(Op::MatMul, &[a.value.id, b.value.id], span)?;
                return Some(Value::real(id, extents));
            }
            _ => {
                let fault = errors::matmul_shapes(op, &a, &b);
                let fault = self.with_operands(fault, [&a, &b]);
                return self.fault(fault);
            }
        };
        let (op, extent) = (product.0, product.1.clone());
        let id = self.emit(op, &[m.value.id, v.value.id], span)?;
        Some(Value::real(id, [extent]))
    }

    /// Says what the operands are: where they are introduced if they are plain names, and in place
    /// otherwise.
    fn with_operands<'e>(&self, fault: Diagnostic, operands: [&'e Operand<'e>; 2]) -> Diagnostic {
        let mut fault = fault;
        for Operand { expr, value } in operands {
            let entry = expr.as_name().and_then(|name| Some((name, self.lookup(name)?)));
            let label = match entry {
                Some((name, entry)) if entry.value.is_some() => {
                    Label { span: entry.span, text: errors::introduced(name, &entry, value) }
                }
                _ => Label { span: expr.span, text: value.describe() },
            };
            if !fault.secondary.contains(&label) {
                fault.secondary.push(label);
            }
        }
        fault
    }
}
