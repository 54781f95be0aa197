//! Dimensions: their bindings, and the whole-number arithmetic of shapes.

use super::names::{Entry, Origin};
use super::value::{Extent, Extents};
use super::{Checker, errors};
use crate::diagnostic::Span;
use crate::ir::op::MAX_ELEMENTS;
use crate::syntax::ast::{Cell, Dim, Expr, ExprKind, File, Item, Operator, TypeKind};

impl Checker<'_> {
    /// Binds the cell's dimensions. Faulty bindings are reported, and replaced by defaults for the
    /// sake of what else there is to report.
    pub(super) fn bind_dims(&mut self, bindings: &[(String, usize)]) {
        let cell = self.cell;
        let dims: Vec<&str> = cell.dims.iter().map(|dim| dim.name.text.as_str()).collect();
        for (i, (name, _)) in bindings.iter().enumerate() {
            if !dims.contains(&name.as_str()) {
                self.faults.push(errors::unknown_binding(name, &cell.name, &dims));
            } else if bindings[..i].iter().any(|(other, _)| other == name) {
                self.faults.push(errors::second_binding(name, &cell.name));
            }
        }
        let chosen = chosen_dims(cell);
        let size_in = |list: &[(String, usize)], dim: &str| {
            list.iter().find(|(other, _)| other == dim).map(|(_, size)| *size)
        };
        for Dim { name, default } in &cell.dims {
            let dim = name.text.clone();
            if let Some(first) = &self.lookup(&dim) {
                let fault = errors::second_dimension(name, first);
                self.faults.push(fault);
                // What else there is to report takes it for a dimension all the same.
                if first.origin == Origin::Dimension {
                    continue;
                }
            }
            let otherwise = size_in(&chosen, &dim).unwrap_or(1);
            let size = match (size_in(bindings, &dim), default) {
                (Some(size), _) if (1..=MAX_ELEMENTS).contains(&size) => size,
                (Some(size), _) => {
                    self.faults.push(errors::binding_out_of_range(name, size, MAX_ELEMENTS));
                    otherwise
                }
                (None, Some(default)) => {
                    self.extent(default).map_or(otherwise, |extent| extent.size)
                }
                (None, None) => {
                    self.faults.push(errors::missing_binding(name));
                    otherwise
                }
            };
            let entry = Entry::new(Origin::Dimension, name.span, None);
            self.scope.insert(dim.clone(), entry);
            self.dims.push((dim, size));
        }
    }

    /// The extents of a declared shape.
    pub(super) fn shape(&mut self, extents: &[Expr], span: Span) -> Option<Extents> {
        if extents.len() > 2 {
            return self.fault(errors::rank_too_high(extents.len(), span));
        }
        let extents: Vec<_> = extents.iter().map(|extent| self.extent(extent)).collect();
        let extents = extents.into_iter().collect::<Option<_>>()?;
        self.bounded(Extents(extents), span)
    }

    /// A dimension expression that is an extent: at least 1.
    pub(super) fn extent(&mut self, expr: &Expr) -> Option<Extent> {
        let found = self.dimension(expr)?;
        match usize::try_from(found) {
            Ok(size) if (1..=MAX_ELEMENTS).contains(&size) => {
                Some(Extent::new(size, expr.to_string()))
            }
            _ => {
                let values = self.values_of(expr);
                self.fault(errors::extent_out_of_range(expr, found, &values, MAX_ELEMENTS))
            }
        }
    }

    /// A whole number made of numbers and dimensions.
    pub(super) fn dimension(&mut self, expr: &Expr) -> Option<i64> {
        match &expr.kind {
            ExprKind::Number { whole: Some(whole), .. } => Some(*whole),
            // Far more than a whole number can hold; written in digits or not is all the same.
            ExprKind::Number { value, .. } if *value > 1e18 => {
                self.fault(errors::dimension_overflow(expr.span))
            }
            ExprKind::Number { .. } => self.fault(errors::dimension_not_whole(expr.span)),
            ExprKind::Name(name) => self.dimension_of_name(name, expr.span),
            ExprKind::Neg(inner) => {
                let inner = self.dimension(inner)?;
                inner.checked_neg().or_else(|| self.fault(errors::dimension_overflow(expr.span)))
            }
            ExprKind::Binary { op, op_span, left, right } => {
                let (left_value, right_value) = (self.dimension(left), self.dimension(right));
                let (a, b) = (left_value?, right_value?);
                let result = match op {
                    Operator::Add => a.checked_add(b),
                    Operator::Sub => a.checked_sub(b),
                    Operator::Mul => a.checked_mul(b),
                    Operator::Div if b == 0 => {
                        let values = self.values_of(right);
                        return self.fault(errors::dimension_by_zero(right, &values));
                    }
                    Operator::Div if a % b != 0 => {
                        let values = self.values_of(expr);
                        return self.fault(errors::inexact_division(expr, a, b, &values));
                    }
                    Operator::Div => a.checked_div(b),
                    _ => return self.fault(errors::not_a_dimension_operator(*op, *op_span)),
                };
                result.or_else(|| self.fault(errors::dimension_overflow(expr.span)))
            }
            ExprKind::Error => None,
            _ => self.fault(errors::not_a_dimension(expr)),
        }
    }

    pub(super) fn dimension_of_name(&mut self, name: &str, span: Span) -> Option<i64> {
        if let Some((_, size)) = self.dims.iter().find(|(dim, _)| dim == name) {
            return i64::try_from(*size).ok();
        }
        if let Some(entry) = &self.lookup(name) {
            let fault = errors::value_as_dimension(name, span, entry);
            return self.fault(fault);
        }
        if !self.unknown.insert(name.to_owned()) {
            return None;
        }
        if let Some((later, value)) = self.later_number(name) {
            return self.fault(errors::early_use(name, span, later, value));
        }
        if let Some(entry) = &self.later_value(name) {
            return self.fault(errors::value_as_dimension(name, span, entry));
        }
        let dims: Vec<&str> = self.dims.iter().map(|(dim, _)| dim.as_str()).collect();
        let fault = errors::unknown_dimension(name, span, &dims, &self.cell.name);
        self.fault(fault)
    }

    /// The sizes of the dimensions in an expression, for a message: `H = 7, I = 3`.
    pub(super) fn values_of(&self, expr: &Expr) -> String {
        let mut names = Vec::new();
        names_in(expr, &mut names);
        let sizes = (self.dims.iter())
            .filter(|(dim, _)| names.contains(&dim.as_str()))
            .map(|(dim, size)| format!("{dim} = {size}"));
        sizes.collect::<Vec<_>>().join(", ")
    }
}

fn names_in<'e>(expr: &'e Expr, names: &mut Vec<&'e str>) {
    match &expr.kind {
        ExprKind::Name(name) => names.push(name),
        ExprKind::Neg(inner) => names_in(inner, names),
        ExprKind::Binary { left, right, .. } => {
            names_in(left, names);
            names_in(right, names);
        }
        _ => {}
    }
}

/// Sizes to check a cell with when none are given, for the dimensions without a default: all
/// distinct, none the sum or the double of others, so that shapes that agree by accident are rare;
/// and divisible where a shape or a default divides. A file without a cell has none.
pub fn default_dims(file: &File) -> Vec<(String, usize)> {
    let Some(cell) = &file.cell else { return Vec::new() };
    let has_default =
        |name: &str| cell.dims.iter().any(|dim| dim.default.is_some() && dim.name.text == name);
    chosen_dims(cell).into_iter().filter(|(name, _)| !has_default(name)).collect()
}

/// Such sizes for all dimensions, whether they have a default or not.
fn chosen_dims(cell: &Cell) -> Vec<(String, usize)> {
    let mut previous = 3;
    let mut dims: Vec<(String, usize)> = Vec::new();
    for Dim { name, default } in &cell.dims {
        if dims.iter().any(|(other, _)| *other == name.text) {
            continue;
        }
        // Doubling keeps sums apart; it stops before many dimensions make for huge shapes.
        let least = if previous < 500 { 2 * previous + 1 } else { previous + 1 };
        previous = prime_from(least);
        // What others are divided by is often a number with a default, such as that of heads.
        let size = match default.as_ref().map(|default| &default.kind) {
            Some(ExprKind::Number { whole: Some(whole), .. }) => usize::try_from(*whole).ok(),
            _ => None,
        };
        dims.push((name.text.clone(), size.unwrap_or(previous)));
    }
    for Dim { default, .. } in &cell.dims {
        default.iter().for_each(|default| make_divisible(default, &mut dims));
    }
    for item in &cell.items {
        let Item::Declaration(declaration) = item else { continue };
        match &declaration.ty.kind {
            TypeKind::Real(extents) => extents.iter().for_each(|e| make_divisible(e, &mut dims)),
            TypeKind::Index(bound) => make_divisible(bound, &mut dims),
        }
    }
    dims
}

fn prime_from(least: usize) -> usize {
    let is_prime = |n: &usize| (2..).take_while(|d| d * d <= *n).all(|d| !n.is_multiple_of(d));
    (least..).find(is_prime).unwrap_or(least)
}

/// Multiplies the dimensions that an expression divides by what they are divided by.
fn make_divisible(expr: &Expr, dims: &mut [(String, usize)]) {
    let ExprKind::Binary { op, left, right, .. } = &expr.kind else { return };
    make_divisible(left, dims);
    make_divisible(right, dims);
    if *op != Operator::Div {
        return;
    }
    let mut dividend = Vec::new();
    names_in(left, &mut dividend);
    let divisor = match &right.kind {
        ExprKind::Number { whole: Some(whole), .. } => usize::try_from(*whole).unwrap_or(0),
        ExprKind::Name(name) => dims.iter().find(|(dim, _)| dim == name).map_or(0, |(_, n)| *n),
        _ => 0,
    };
    for (dim, size) in dims {
        if divisor > 0 && dividend.contains(&dim.as_str()) && !size.is_multiple_of(divisor) {
            *size = size.saturating_mul(divisor).min(MAX_ELEMENTS);
        }
    }
}
