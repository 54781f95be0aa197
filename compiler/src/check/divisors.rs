//! Divisions by a sum or another reduction that can be 0, told by its form alone.

use std::collections::BTreeMap;

use super::errors;
use super::globals::Globals;
use crate::diagnostic::Diagnostic;
use crate::syntax::ast::{Cell, Expr, ExprKind, Function, Item, Operator};

/// What is known of the sign of all elements of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Sign {
    Unknown,
    NotNegative,
    Positive,
}

/// What is known of a value.
#[derive(Clone, Copy, Debug)]
struct Known {
    sign: Sign,
    /// Whether it is a reduction, perhaps scaled, or the root or size of one.
    reduced: bool,
}

const UNKNOWN: Known = Known { sign: Sign::Unknown, reduced: false };

/// Names with what is known of them, and the warnings so far.
struct Walk<'a> {
    names: BTreeMap<&'a str, Known>,
    doubts: Vec<Diagnostic>,
}

/// The warnings of the file that the cell stands in.
pub(super) fn warnings(globals: &Globals<'_>) -> Vec<Diagnostic> {
    let file = globals.unit.root();
    let constants = globals.scopes[0].constants.iter().map(|(name, constant)| {
        let sign = constant.value.map_or(Sign::Unknown, sign_of);
        (name.as_str(), Known { sign, reduced: false })
    });
    let constants: BTreeMap<_, _> = constants.collect();
    let walk = || Walk { names: constants.clone(), doubts: Vec::new() };
    let cell = file.cell.as_ref().map(|cell| walk().cell(cell)).unwrap_or_default();
    let functions = file.functions.iter().flat_map(|function| walk().function(function));
    cell.into_iter().chain(functions).collect()
}

fn sign_of(number: f64) -> Sign {
    match number {
        number if number > 0.0 => Sign::Positive,
        0.0 => Sign::NotNegative,
        _ => Sign::Unknown,
    }
}

impl<'a> Walk<'a> {
    fn cell(mut self, cell: &'a Cell) -> Vec<Diagnostic> {
        let size = Known { sign: Sign::Positive, reduced: false };
        self.names.extend(cell.dims.iter().map(|dim| (dim.name.text.as_str(), size)));
        for item in &cell.items {
            match item {
                Item::Definition { name, value } => self.define(&name.text, value),
                Item::Next { value, .. } | Item::Output { value: Some(value), .. } => {
                    self.expression(value);
                }
                Item::Declaration(_) | Item::Hyper(_) | Item::Output { value: None, .. } => {}
            }
        }
        self.doubts
    }

    fn function(mut self, function: &'a Function) -> Vec<Diagnostic> {
        for parameter in &function.parameters {
            self.names.insert(&parameter.name.text, UNKNOWN);
        }
        for (name, value) in &function.definitions {
            self.define(&name.text, value);
        }
        self.expression(&function.result);
        self.doubts
    }

    fn define(&mut self, name: &'a str, value: &'a Expr) {
        let known = self.expression(value);
        self.names.insert(name, known);
    }

    /// Warns of the divisions in an expression, and says what is known of it.
    fn expression(&mut self, expr: &'a Expr) -> Known {
        let parts: Vec<_> = expr.parts().into_iter().map(|part| self.expression(part)).collect();
        let least = parts.iter().map(|part| part.sign).min().unwrap_or(Sign::Unknown);
        let most = parts.iter().map(|part| part.sign).max().unwrap_or(Sign::Unknown);
        match &expr.kind {
            ExprKind::Number { value, .. } => Known { sign: sign_of(*value), reduced: false },
            ExprKind::Name(name) => self.names.get(name.as_str()).copied().unwrap_or(UNKNOWN),
            ExprKind::Neg(_) => Known { sign: Sign::Unknown, reduced: parts[0].reduced },
            ExprKind::Binary { op, op_span, left, right } => {
                if *op == Operator::Div && parts[1].reduced && parts[1].sign != Sign::Positive {
                    self.doubts.push(errors::divisor(*op_span, right));
                }
                let reduced = parts.iter().any(|part| part.reduced);
                match op {
                    // One that is positive makes the sum so, if the other is not negative.
                    Operator::Add if least != Sign::Unknown => Known { sign: most, reduced: false },
                    Operator::Add | Operator::Sub | Operator::MatMul => UNKNOWN,
                    Operator::Mul if left.to_string() == right.to_string() => {
                        Known { sign: least.max(Sign::NotNegative), reduced }
                    }
                    Operator::Mul | Operator::Div => Known { sign: least, reduced },
                    _ => Known { sign: Sign::NotNegative, reduced: false },
                }
            }
            ExprKind::Call { function, arguments } => {
                let first = parts.first().copied().unwrap_or(UNKNOWN);
                let at_least = first.sign.max(Sign::NotNegative);
                match (function.text.as_str(), arguments.as_slice()) {
                    ("sum" | "mean" | "amax" | "amin", _) | ("max" | "min", [_]) => {
                        Known { sign: first.sign, reduced: true }
                    }
                    ("dot", [a, b]) if a.to_string() == b.to_string() => {
                        Known { sign: at_least, reduced: true }
                    }
                    ("norm", _) => Known { sign: Sign::NotNegative, reduced: true },
                    ("dot", _) => Known { sign: least, reduced: true },
                    ("abs" | "square" | "sqrt", _) => {
                        Known { sign: at_least, reduced: first.reduced }
                    }
                    ("relu", _) => Known { sign: at_least, reduced: false },
                    ("exp" | "sigmoid" | "softplus" | "softmax", _) => {
                        Known { sign: Sign::Positive, reduced: false }
                    }
                    ("max", [_, _]) => Known { sign: most, reduced: false },
                    ("min" | "concat" | "outer", _) => Known { sign: least, reduced: false },
                    ("transpose", _) => first,
                    _ => UNKNOWN,
                }
            }
            ExprKind::Index { .. } | ExprKind::Slice { .. } | ExprKind::Part { .. } => {
                Known { sign: parts[0].sign, reduced: false }
            }
            ExprKind::Next(_) | ExprKind::Shape(_) | ExprKind::Error => UNKNOWN,
        }
    }
}
