//! Initialisers, and the arithmetic of the numbers in them.

use super::names::{Entry, Origin};
use super::value::Extents;
use super::{Checker, errors};
use crate::cell::Initializer;
use crate::diagnostic::{Diagnostic, Span};
use crate::ir::eval::Real;
use crate::ir::op::Unary;
use crate::syntax::ast::{self, Expr, ExprKind, Name, Operator};

/// The initialisers, each with how it is written.
pub(super) const INITIALIZERS: [(&str, &str); 4] = [
    ("uniform", "`uniform(a)` for -a..a, or `uniform(low, high)`"),
    ("normal", "`normal(deviation)`, whose mean is 0"),
    ("identity", "`identity`, or `identity(scale)`"),
    ("orthogonal", "`orthogonal`, or `orthogonal(gain)`"),
];

/// The names of the initialisers.
pub fn initializers() -> impl Iterator<Item = &'static str> {
    INITIALIZERS.iter().map(|(name, _)| *name)
}

impl Checker<'_> {
    /// How a parameter of a shape is drawn; by default as documented in `docs/language.md`.
    pub(super) fn initializer(
        &mut self,
        initializer: Option<&ast::Initializer>,
        extents: &Extents,
    ) -> Option<Initializer> {
        match initializer {
            None => Some(default_initializer(extents)),
            Some(ast::Initializer::Constant(expr)) => self.number(expr).map(Initializer::Constant),
            Some(ast::Initializer::Draw { name, arguments }) => self.draw(name, arguments, extents),
        }
    }

    fn draw(&mut self, name: &Name, list: &[Expr], extents: &Extents) -> Option<Initializer> {
        let Some((_, usage)) = INITIALIZERS.iter().find(|(known, _)| *known == name.text) else {
            return self.fault(errors::unknown_initializer(name));
        };
        let matrix_only = matches!(name.text.as_str(), "identity" | "orthogonal");
        if matrix_only && extents.rank() != 2 {
            return self.fault(errors::initializer_of_matrix(name, extents));
        }
        let numbers: Vec<_> = list.iter().map(|argument| self.number(argument)).collect();
        let numbers = numbers.into_iter().collect::<Option<Vec<f64>>>()?;
        match (name.text.as_str(), numbers.as_slice()) {
            ("uniform", &[bound]) if bound < 0.0 => {
                self.fault(errors::negative_spread("bound", bound, list[0].span))
            }
            ("uniform", &[bound]) => Some(Initializer::Uniform { low: -bound, high: bound }),
            ("uniform", &[low, high]) if low > high => {
                self.fault(errors::empty_interval(low, high, list[0].span.to(list[1].span)))
            }
            ("uniform", &[low, high]) => Some(Initializer::Uniform { low, high }),
            ("normal", &[deviation]) if deviation < 0.0 => {
                self.fault(errors::negative_spread("deviation", deviation, list[0].span))
            }
            ("normal", &[deviation]) => Some(Initializer::Normal { deviation }),
            ("identity", &[]) => Some(Initializer::Identity { scale: 1.0 }),
            ("identity", &[scale]) => Some(Initializer::Identity { scale }),
            ("orthogonal", &[]) => Some(Initializer::Orthogonal { scale: 1.0 }),
            ("orthogonal", &[scale]) => Some(Initializer::Orthogonal { scale }),
            (_, numbers) => self.fault(errors::initializer_arguments(name, numbers.len(), usage)),
        }
    }

    /// A number known before the cell runs.
    pub(super) fn number(&mut self, expr: &Expr) -> Option<f64> {
        number(self, expr)
    }

    /// The same of an expression that was checked, and may be no such number.
    pub(super) fn constant_number(&mut self, expr: &Expr) -> Option<f64> {
        let faults = self.faults.len();
        let number = self.number(expr);
        self.faults.truncate(faults);
        number
    }

    /// The number that a state begins at.
    pub(super) fn initial_number(&mut self, expr: &Expr) -> Option<f64> {
        number(&mut Initial(self), expr)
    }

    /// The number that a name stands for before the cell runs, in the initial value of a state or
    /// elsewhere.
    fn named_number(&mut self, name: &str, span: Span, is_initial: bool) -> Option<f64> {
        if let Some((_, size)) = self.dims.iter().find(|(dim, _)| dim == name) {
            #[allow(clippy::cast_precision_loss, reason = "sizes are far below 2^53")]
            return Some(*size as f64);
        }
        match self.lookup(name) {
            // Poison, if its definition is at fault.
            Some(Entry { origin: Origin::Constant | Origin::Hyper, number, .. }) => number,
            Some(Entry { origin: Origin::Parameter, number: Some(number), .. }) => Some(number),
            // Poison: it is bound to no size.
            Some(Entry { origin: Origin::Dimension, .. }) => None,
            Some(Entry { span: at, .. }) => {
                self.fault(errors::value_in_initializer(name, span, at, is_initial))
            }
            None => self.unknown_number(name, span, is_initial),
        }
    }

    fn unknown_number(&mut self, name: &str, span: Span, is_initial: bool) -> Option<f64> {
        if self.unknown.contains(name) {
            return None;
        }
        if let Some((later, value)) = self.later_number(name) {
            self.unknown.insert(name.to_owned());
            return self.fault(errors::early_use(name, span, later, value));
        }
        if let Some(Entry { span: at, .. }) = self.later_value(name) {
            return self.fault(errors::value_in_initializer(name, span, at, is_initial));
        }
        self.unknown.insert(name.to_owned());
        if let Some(function) = self.globals.find_function(self.file, name) {
            return self.fault(errors::function_as_value(name, span, function));
        }
        let known = self.known().filter(|known| self.is_number(known));
        let fault = errors::unknown_number(name, span, known);
        self.fault(fault)
    }
}

/// What the numbers in the initial values of states are looked up in.
struct Initial<'c, 'a>(&'c mut Checker<'a>);

impl Numbers for Initial<'_, '_> {
    fn named(&mut self, name: &str, span: Span) -> Option<f64> {
        self.0.named_number(name, span, true)
    }

    fn report(&mut self, fault: Diagnostic) {
        self.0.faults.push(fault);
    }
}

impl Numbers for Checker<'_> {
    fn named(&mut self, name: &str, span: Span) -> Option<f64> {
        self.named_number(name, span, false)
    }

    fn report(&mut self, fault: Diagnostic) {
        self.faults.push(fault);
    }
}

/// Who knows the names in a constant expression.
pub(super) trait Numbers {
    /// The number that a name stands for; if none, that is reported.
    fn named(&mut self, name: &str, span: Span) -> Option<f64>;
    /// Reports a fault.
    fn report(&mut self, fault: Diagnostic);
}

/// The value of a constant expression, which must be finite.
pub(super) fn number(names: &mut impl Numbers, expr: &Expr) -> Option<f64> {
    let found = number_within(names, expr)?;
    if !found.is_finite() {
        names.report(errors::not_finite(expr, found));
        return None;
    }
    Some(found)
}

fn number_within(names: &mut impl Numbers, expr: &Expr) -> Option<f64> {
    let fault = match &expr.kind {
        ExprKind::Number { value, .. } => return Some(*value),
        ExprKind::Name(name) => return names.named(name, expr.span),
        ExprKind::Neg(inner) => return number_within(names, inner).map(|number| -number),
        ExprKind::Binary { op, left, right, op_span } => {
            let (a, b) = (number_within(names, left), number_within(names, right));
            let (a, b) = (a?, b?);
            match op {
                Operator::Add => return Some(a + b),
                Operator::Sub => return Some(a - b),
                Operator::Mul => return Some(a * b),
                Operator::Div => return Some(a / b),
                _ => errors::not_an_initializer_operator(*op, *op_span),
            }
        }
        ExprKind::Call { function, arguments } => {
            let numbers: Vec<_> = arguments.iter().map(|a| number_within(names, a)).collect();
            let numbers = numbers.into_iter().collect::<Option<Vec<f64>>>()?;
            let unary = Unary::ALL.into_iter().find(|op| op.name() == function.text);
            match (function.text.as_str(), numbers.as_slice(), unary) {
                (_, &[x], Some(op)) if op != Unary::Neg => return Some(f64::unary(op, x)),
                ("square", &[x], _) => return Some(x * x),
                ("max", &[a, b], _) => return Some(a.max(b)),
                ("min", &[a, b], _) => return Some(a.min(b)),
                _ => errors::not_an_initializer_function(function),
            }
        }
        ExprKind::Error => return None,
        _ => errors::not_a_number(expr),
    };
    names.report(fault);
    None
}

fn default_initializer(extents: &Extents) -> Initializer {
    match extents.0.as_slice() {
        [_, fan_in] => {
            #[allow(clippy::cast_precision_loss, reason = "sizes are far below 2^53")]
            let bound = 1.0 / (fan_in.size as f64).sqrt();
            Initializer::Uniform { low: -bound, high: bound }
        }
        _ => Initializer::Constant(0.0),
    }
}
