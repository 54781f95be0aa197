//! Dimensions and their bindings.

use super::super::names::{Entry, Origin};
use crate::diagnostic::{Diagnostic, Span};
use crate::suggest::closest;
use crate::syntax::ast::{Expr, Name, Operator};

/// ` (H = 7, I = 3)`, or nothing if no dimension is involved.
fn where_(values: &str) -> String {
    if values.is_empty() { String::new() } else { format!(" ({values})") }
}

pub(crate) fn unknown_binding(name: &str, cell: &Name, dims: &[&str]) -> Diagnostic {
    let fault =
        Diagnostic::error(format!("cell `{}` has no dimension `{name}`", cell.text), cell.span);
    match closest(name, dims.iter().copied()) {
        Some(dim) => fault.help(format!("did you mean `{dim}`?")),
        None if dims.is_empty() => fault.help("it has no dimensions"),
        None => fault.help(format!("its dimensions are {}", dims.join(", "))),
    }
}

pub(crate) fn second_binding(name: &str, cell: &Name) -> Diagnostic {
    Diagnostic::error(format!("dimension `{name}` is given twice"), cell.span)
}

pub(crate) fn missing_binding(dim: &Name) -> Diagnostic {
    Diagnostic::error(format!("the size of dimension `{}` is not given", dim.text), dim.span)
        .help(format!("give it as in `--dims {}=16`", dim.text))
}

pub(crate) fn binding_out_of_range(dim: &Name, found: usize, limit: usize) -> Diagnostic {
    Diagnostic::error(format!("dimension `{}` cannot be {found}", dim.text), dim.span)
        .label(format!("expected a size from 1 to {limit}"))
}

pub(crate) fn second_dimension(dim: &Name, first: &Entry) -> Diagnostic {
    let text = &dim.text;
    let message = match first.origin {
        Origin::Dimension => format!("dimension `{text}` is declared twice"),
        origin => format!("`{text}` is declared, but {} already", origin.describe()),
    };
    Diagnostic::error(message, dim.span).also(first.span, "first here")
}

pub(crate) fn unknown_dimension(name: &str, span: Span, dims: &[&str], cell: &Name) -> Diagnostic {
    let fault = Diagnostic::error(format!("unknown dimension `{name}`"), span);
    match closest(name, dims.iter().copied()) {
        Some(dim) => fault.help(format!("did you mean `{dim}`?")).edit(span, dim),
        None => {
            let all: Vec<_> = dims.iter().copied().chain([name]).collect();
            let all = all.join(", ");
            fault.help(format!("declare it with the cell: `cell {}({all})`", cell.text))
        }
    }
}

pub(crate) fn value_as_dimension(name: &str, span: Span, entry: &Entry) -> Diagnostic {
    let what = match entry.origin {
        // Above or below.
        Origin::Definition => "a value of the cell",
        origin => origin.describe(),
    };
    let fault = Diagnostic::error(format!("expected a dimension, found `{name}`"), span)
        .also(entry.span, format!("`{name}` is {what}"));
    match entry.origin {
        Origin::Parameter => fault.help(
            "the dimensions of a function are those that the types of its parameters name: \
             `fn NAME(v: [N])`",
        ),
        _ => fault.help("dimensions are those of the cell: `cell NAME(I, H)`"),
    }
}

pub(crate) fn dimension_not_whole(span: Span) -> Diagnostic {
    Diagnostic::error("expected a whole number", span)
        .help("sizes are whole numbers, written without a point or an exponent")
}

pub(crate) fn dimension_overflow(span: Span) -> Diagnostic {
    Diagnostic::error("the dimension is too large to compute", span)
}

pub(crate) fn dimension_by_zero(divisor: &Expr, values: &str) -> Diagnostic {
    let fault = Diagnostic::error("division by zero", divisor.span);
    if values.is_empty() { fault } else { fault.label(format!("0 for {values}")) }
}

pub(crate) fn inexact_division(expr: &Expr, a: i64, b: i64, values: &str) -> Diagnostic {
    let message = format!("`{expr}` is not a whole number{}", where_(values));
    Diagnostic::error(message, expr.span).label(format!("{a} is not divisible by {b}"))
}

pub(crate) fn not_a_dimension_operator(op: Operator, span: Span) -> Diagnostic {
    Diagnostic::error(format!("`{}` has no place in a dimension", op.symbol()), span)
        .help("the operators there are `+`, `-`, `*` and `/`")
}

pub(crate) fn not_a_dimension(expr: &Expr) -> Diagnostic {
    Diagnostic::error("expected a dimension", expr.span)
        .help("a dimension is made of whole numbers and the dimensions of the cell: `H + I`")
}

pub(crate) fn extent_out_of_range(
    expr: &Expr,
    found: i64,
    values: &str,
    limit: usize,
) -> Diagnostic {
    let message = if values.is_empty() {
        format!("a size cannot be {found}")
    } else {
        format!("the size `{expr}` cannot be {found} ({values})")
    };
    Diagnostic::error(message, expr.span).label(format!("expected a size from 1 to {limit}"))
}

pub(crate) fn rank_too_high(found: usize, span: Span) -> Diagnostic {
    Diagnostic::error(format!("a shape has at most 2 extents, found {found}"), span).help(
        "a cell is written for one example and one time step: batch and time are no part of its \
         shapes",
    )
}
