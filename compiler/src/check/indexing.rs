//! `table[i]`, `v[2]` and `v[a..b]`.

use super::value::{Extent, Extents, Value};
use super::{Checker, errors};
use crate::diagnostic::Span;
use crate::ir::op::Op;
use crate::syntax::ast::{Expr, ExprKind};

impl Checker<'_> {
    /// `a[i]`: an entry by an index input, or an element of a vector by a dimension expression.
    pub(super) fn index(&mut self, base: &Expr, index: &Expr, span: Span) -> Option<Value> {
        let array = self.real(base);
        if self.is_dimension(index) {
            let at = self.dimension(index);
            return self.element(base, array?, index, at?, span);
        }
        let entry = self.expression(index);
        let (array, entry) = (array?, entry?);
        let Some(bound) = &entry.bound else {
            return self.fault(errors::real_as_index(index, &entry));
        };
        let Some((leading, rest)) = array.extents.0.split_first() else {
            return self.fault(errors::index_of_scalar(base));
        };
        if leading.size != bound.size {
            return self.fault(errors::index_bound(index, bound, base, leading));
        }
        let extents = Extents(rest.iter().cloned().collect());
        let id = self.emit(Op::Take, &[array.id, entry.id], span)?;
        Some(Value::real(id, extents))
    }

    /// Whether an expression is made of numbers and dimensions alone.
    fn is_dimension(&self, expr: &Expr) -> bool {
        match &expr.kind {
            ExprKind::Number { .. } => true,
            ExprKind::Name(name) => self.dims.iter().any(|(dim, _)| dim == name),
            ExprKind::Neg(inner) => self.is_dimension(inner),
            ExprKind::Binary { left, right, .. } => {
                self.is_dimension(left) && self.is_dimension(right)
            }
            _ => false,
        }
    }

    fn element(
        &mut self,
        base: &Expr,
        array: Value,
        index: &Expr,
        at: i64,
        span: Span,
    ) -> Option<Value> {
        let [extent] = array.extents.0.as_slice() else {
            return self.fault(errors::element_of_other(base, &array));
        };
        match usize::try_from(at) {
            Ok(start) if start < extent.size => {
                let id = self.emit(Op::Slice { axis: 0, start, len: 1 }, &[array.id], span)?;
                let element = Value::real(id, [Extent::number(1)]);
                self.reshape(&element, Extents::default(), span)
            }
            _ => self.fault(errors::element_out_of_range(index, at, base, extent)),
        }
    }

    /// `v[a..b]`
    pub(super) fn slice(
        &mut self,
        base: &Expr,
        start: Option<&Expr>,
        end: Option<&Expr>,
        span: Span,
    ) -> Option<Value> {
        let vector = self.real(base);
        let from = start.map_or(Some(0), |start| self.dimension(start));
        let to = end.map(|end| self.dimension(end));
        let vector = vector?;
        let [extent] = vector.extents.0.as_slice() else {
            return self.fault(errors::slice_of_other(base, &vector));
        };
        let from = from?;
        let to = match to {
            Some(to) => to?,
            None => i64::try_from(extent.size).ok()?,
        };
        match (usize::try_from(from), usize::try_from(to)) {
            (Ok(from), Ok(to)) if from < to && to <= extent.size => {
                let len = to - from;
                let end = end.map_or(extent.name().to_owned(), ToString::to_string);
                let extent = match start {
                    None => Extent::new(len, end),
                    Some(_) if from == 0 => Extent::new(len, end),
                    Some(start) => difference(len, &end, start),
                };
                let id = self.emit(Op::Slice { axis: 0, start: from, len }, &[vector.id], span)?;
                Some(Value::real(id, [extent]))
            }
            _ => self.fault(errors::slice_out_of_range(span, from, to, base, extent)),
        }
    }
}

/// What `end - start` is called: `H` for `2 * H - H` is beyond it, `H + I - H` is not.
fn difference(len: usize, end: &str, start: &Expr) -> Extent {
    let start_name = start.to_string();
    if let Some(rest) = end.strip_prefix(&start_name)
        && let Some(rest) = rest.strip_prefix(" + ")
        && !rest.contains(['-', '*', '/'])
    {
        return Extent::new(len, rest);
    }
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number(end) && is_number(&start_name) {
        return Extent::number(len);
    }
    match start.kind {
        ExprKind::Binary { .. } => Extent::new(len, format!("{end} - ({start_name})")),
        _ => Extent::new(len, format!("{end} - {start_name}")),
    }
}
