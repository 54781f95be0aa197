//! The number of elements of a cell's parameters, as a polynomial of its dimensions.

use std::collections::BTreeMap;

use cellc_compiler::syntax::ast::{Cell, Expr, ExprKind, Item, Kind, Operator, TypeKind};

/// A polynomial: for each product of dimensions (their exponents, in the cell's order) a factor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Polynomial(BTreeMap<Vec<u32>, i64>);

impl Polynomial {
    fn term(exponents: Vec<u32>, factor: i64) -> Self {
        Self(BTreeMap::from([(exponents, factor)]))
    }

    fn add(mut self, other: &Self, factor: i64) -> Option<Self> {
        for (exponents, by) in &other.0 {
            let sum = self.0.entry(exponents.clone()).or_default();
            *sum = sum.checked_add(by.checked_mul(factor)?)?;
        }
        self.0.retain(|_, factor| *factor != 0);
        Some(self)
    }

    fn multiply(&self, other: &Self) -> Option<Self> {
        let mut product = Self::default();
        for (left, a) in &self.0 {
            for (right, b) in &other.0 {
                let exponents = left.iter().zip(right).map(|(a, b)| a + b).collect();
                product = product.add(&Self::term(exponents, a.checked_mul(*b)?), 1)?;
            }
        }
        Some(product)
    }

    /// An expression of a shape. `None` if it is no polynomial, such as a quotient.
    fn of(expr: &Expr, dims: &[&str]) -> Option<Self> {
        let one = vec![0; dims.len()];
        match &expr.kind {
            ExprKind::Number { whole, .. } => Some(Self::term(one, (*whole)?)),
            ExprKind::Name(name) => {
                let mut exponents = one;
                exponents[dims.iter().position(|dim| dim == name)?] = 1;
                Some(Self::term(exponents, 1))
            }
            ExprKind::Neg(inner) => Self::default().add(&Self::of(inner, dims)?, -1),
            ExprKind::Binary { op, left, right, .. } => {
                let (left, right) = (Self::of(left, dims)?, Self::of(right, dims)?);
                match op {
                    Operator::Add => left.add(&right, 1),
                    Operator::Sub => left.add(&right, -1),
                    Operator::Mul => left.multiply(&right),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// Highest degree first, such as `4*I*H + 4*H^2 + 4*H`.
    fn written(&self, dims: &[&str]) -> String {
        let mut terms: Vec<_> = self.0.iter().collect();
        terms.sort_by_key(|(exponents, _)| {
            std::cmp::Reverse((exponents.iter().sum::<u32>(), (*exponents).clone()))
        });
        let mut text = String::new();
        for (exponents, factor) in terms {
            let sign = match (text.is_empty(), *factor < 0) {
                (true, false) => "",
                (true, true) => "-",
                (false, false) => " + ",
                (false, true) => " - ",
            };
            let mut parts = Vec::new();
            if factor.abs() != 1 || exponents.iter().all(|exponent| *exponent == 0) {
                parts.push(factor.abs().to_string());
            }
            for (dim, exponent) in dims.iter().zip(exponents) {
                match exponent {
                    0 => {}
                    1 => parts.push((*dim).to_owned()),
                    _ => parts.push(format!("{dim}^{exponent}")),
                }
            }
            text.push_str(sign);
            text.push_str(&parts.join("*"));
        }
        if text.is_empty() { "0".to_owned() } else { text }
    }
}

/// The number of elements of all params of a cell, such as `4*I*H + 4*H^2 + 4*H`. `None` if a
/// shape is no polynomial of the dimensions.
pub(crate) fn param_count(cell: &Cell) -> Option<String> {
    let dims: Vec<&str> = cell.dims.iter().map(|dim| dim.name.text.as_str()).collect();
    let mut total = Polynomial::default();
    for item in &cell.items {
        let Item::Declaration(declaration) = item else { continue };
        let TypeKind::Real(extents) = &declaration.ty.kind else { continue };
        if declaration.kind != Kind::Param {
            continue;
        }
        let mut size = Polynomial::term(vec![0; dims.len()], 1);
        for extent in extents {
            size = size.multiply(&Polynomial::of(extent, &dims)?)?;
        }
        total = total.add(&size, i64::try_from(declaration.names.len()).ok()?)?;
    }
    Some(total.written(&dims))
}
