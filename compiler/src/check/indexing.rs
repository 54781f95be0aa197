//! `table[i]`, `v[2]`, `v[a..b]` and `m[rows, columns]`.

use super::value::{Extent, Extents, Value};
use super::{Checker, errors};
use crate::diagnostic::Span;
use crate::ir::op::Op;
use crate::syntax::ast::{Expr, ExprKind, Subscript};

impl Checker<'_> {
    /// `a[i]`: an entry by an index input or by a dimension expression.
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

    /// Whether an expression is made of numbers known before the cell runs, of which it should hold
    /// dimensions alone.
    fn is_dimension(&self, expr: &Expr) -> bool {
        match &expr.kind {
            ExprKind::Number { .. } => true,
            ExprKind::Name(name) => self.is_number(name),
            ExprKind::Neg(inner) => self.is_dimension(inner),
            ExprKind::Binary { left, right, .. } => {
                self.is_dimension(left) && self.is_dimension(right)
            }
            _ => false,
        }
    }

    /// `a[i]`: the `i`-th element of a vector, or row of a matrix.
    fn element(
        &mut self,
        base: &Expr,
        array: Value,
        index: &Expr,
        at: i64,
        span: Span,
    ) -> Option<Value> {
        let Some((extent, rest)) = array.extents.0.split_first() else {
            return self.fault(errors::index_of_scalar(base));
        };
        let name = axis_name(&array, 0);
        let start = self.entry(&errors::Axis { base, extent, name }, index, at)?;
        let id = self.emit(Op::Slice { axis: 0, start, len: 1 }, &[array.id], span)?;
        let entry = Value::real(id, Extents::default());
        self.reshape(&entry, Extents(rest.iter().cloned().collect()), span)
    }

    /// The number of an entry of an axis, if there is one.
    fn entry(&mut self, axis: &errors::Axis<'_>, index: &Expr, at: i64) -> Option<usize> {
        match usize::try_from(at) {
            Ok(start) if start < axis.extent.size => Some(start),
            _ => self.fault(errors::element_out_of_range(axis, index, at)),
        }
    }

    /// `v[a..b]`, or the rows `a..b` of a matrix.
    pub(super) fn slice(
        &mut self,
        base: &Expr,
        start: Option<&Expr>,
        end: Option<&Expr>,
        span: Span,
    ) -> Option<Value> {
        let array = self.real(base);
        let ends = self.ends(start, end);
        let array = array?;
        if array.rank() == 0 {
            return self.fault(errors::slice_of_scalar(base));
        }
        self.range(base, &array, 0, [start, end], ends?, span)
    }

    /// The ends of a slice, where they are given.
    fn ends(&mut self, start: Option<&Expr>, end: Option<&Expr>) -> Option<[Option<i64>; 2]> {
        let [from, to] = [start, end].map(|end| end.map(|end| self.dimension(end)));
        let known = |end: Option<Option<i64>>| match end {
            None => Some(None),
            Some(end) => end.map(Some),
        };
        Some([known(from)?, known(to)?])
    }

    /// The entries of an axis between two ends.
    fn range(
        &mut self,
        base: &Expr,
        array: &Value,
        axis: usize,
        [start, end]: [Option<&Expr>; 2],
        ends: [Option<i64>; 2],
        span: Span,
    ) -> Option<Value> {
        let extent = &array.extents.0[axis];
        let from = ends[0].unwrap_or(0);
        let to = match ends[1] {
            Some(to) => to,
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
                let id = self.emit(Op::Slice { axis, start: from, len }, &[array.id], span)?;
                let mut extents = array.extents.clone();
                extents.0[axis] = extent;
                Some(Value::real(id, extents))
            }
            _ => {
                let axis = errors::Axis { base, extent, name: axis_name(array, axis) };
                let ends = [(start, from), (end, to)];
                self.fault(errors::slice_out_of_range(&axis, ends, span))
            }
        }
    }

    /// `m[rows, columns]`
    pub(super) fn part(&mut self, base: &Expr, axes: &[Subscript; 2], span: Span) -> Option<Value> {
        let array = self.real(base)?;
        if array.rank() != 2 {
            return self.fault(errors::part_of_other(base, &array));
        }
        let mut part = array;
        let mut kept = Vec::new();
        for (axis, subscript) in axes.iter().enumerate() {
            match subscript {
                Subscript::At(index) if self.is_dimension(index) => {
                    let at = self.dimension(index)?;
                    let (extent, name) = (&part.extents.0[axis], axis_name(&part, axis));
                    let start = self.entry(&errors::Axis { base, extent, name }, index, at)?;
                    let id = self.emit(Op::Slice { axis, start, len: 1 }, &[part.id], span)?;
                    part.id = id;
                    part.extents.0[axis] = Extent::number(1);
                }
                Subscript::At(index) => return self.fault(errors::index_in_part(index)),
                Subscript::Range { start: None, end: None } => kept.push(axis),
                Subscript::Range { start, end } => {
                    let (start, end) = (start.as_ref(), end.as_ref());
                    let ends = self.ends(start, end)?;
                    // The fault of one axis is shown there.
                    let span = match (start.or(end), end.or(start)) {
                        (Some(start), Some(end)) => start.span.to(end.span),
                        _ => span,
                    };
                    part = self.range(base, &part, axis, [start, end], ends, span)?;
                    kept.push(axis);
                }
            }
        }
        if kept.len() == 2 {
            return Some(part);
        }
        let extents = kept.into_iter().map(|axis| part.extents.0[axis].clone()).collect();
        self.reshape(&part, Extents(extents), span)
    }
}

/// What the entries of an axis are called.
fn axis_name(array: &Value, axis: usize) -> &'static str {
    match (array.rank(), axis) {
        (2, 0) => "rows",
        (2, _) => "columns",
        _ => "entries",
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
