//! The faults of meaning, one constructor each.

mod dims;
mod functions;
mod names;
mod shapes;
mod warnings;

pub(super) use dims::*;
pub(super) use functions::*;
pub(super) use names::*;
pub(super) use shapes::*;
pub(super) use warnings::*;

use super::constants::INITIALIZERS;
use super::names::Entry;
use super::value::{Extent, Extents, Value};
use crate::diagnostic::{Diagnostic, Span};
use crate::foreign;
use crate::ir::op::TypeError;
use crate::suggest::closest;
use crate::syntax::ast::{Expr, ExprKind, Kind, Name, Operator};

/// An operation that does not fit operands which were checked: the fault is the compiler's.
pub(super) fn internal(error: &TypeError, span: Span) -> Diagnostic {
    Diagnostic::error(format!("internal error: {error}"), span)
        .help("this is a bug in the checker of cellc; please report it with this cell")
}

// Indices.

pub(super) fn index_not_input(kind: Kind, span: Span) -> Diagnostic {
    Diagnostic::error(format!("a {} cannot be an index", kind.keyword()), span)
        .help("only inputs are indices; an index has no gradient and cannot be computed")
}

pub(super) fn index_as_real(expr: &Expr, bound: &Extent) -> Diagnostic {
    Diagnostic::error(format!("expected real numbers, found an index below {bound}"), expr.span)
        .help(format!(
            "an index selects an entry: `table[{expr}]`, where `table` has {} rows",
            bound.name()
        ))
}

pub(super) fn index_as_output(name: &Name) -> Diagnostic {
    Diagnostic::error(format!("output `{}` is an index", name.text), name.span)
        .help("outputs are real numbers")
}

pub(super) fn real_as_index(index: &Expr, found: &Value) -> Diagnostic {
    Diagnostic::error(format!("expected an index, found {}", found.describe()), index.span).help(
        "an index is an input declared `input i: index(V)`; a part of a vector is `v[a..b]` with \
         numbers and dimensions",
    )
}

pub(super) fn index_of_scalar(base: &Expr) -> Diagnostic {
    Diagnostic::error("a single number has no entries", base.span)
        .label("expected a vector or a matrix")
}

pub(super) fn index_bound(
    index: &Expr,
    bound: &Extent,
    base: &Expr,
    leading: &Extent,
) -> Diagnostic {
    Diagnostic::error("the index does not fit what it indexes", index.span)
        .label(format!("an index below {bound}"))
        .also(base.span, format!("has {leading} entries"))
        .help(format!("declare the index as `index({})`", leading.name()))
}

/// An axis that is indexed.
pub(super) struct Axis<'a> {
    /// What has it.
    pub(super) base: &'a Expr,
    /// How long it is.
    pub(super) extent: &'a Extent,
    /// What its entries are called.
    pub(super) name: &'static str,
}

impl Axis<'_> {
    fn shown(&self, fault: Diagnostic) -> Diagnostic {
        fault.also(self.base.span, format!("has {} {}, counted from 0", self.extent, self.name))
    }

    /// A number that was counted from the end, as it is written here.
    fn counted_back(&self, at: i64) -> Option<String> {
        let back =
            usize::try_from(-at).ok().filter(|back| (1..=self.extent.size).contains(back))?;
        Some(format!("{} - {back}", self.extent.name()))
    }
}

pub(super) fn element_out_of_range(axis: &Axis<'_>, index: &Expr, at: i64) -> Diagnostic {
    let entry = match axis.name {
        "rows" => "row",
        "columns" => "column",
        _ => "entry",
    };
    let fault = axis.shown(Diagnostic::error(format!("there is no {entry} {at}"), index.span));
    match axis.counted_back(at) {
        Some(here) => fault
            .help("entries are counted from the start: the dimension says where the end is")
            .edit(index.span, here),
        None => fault,
    }
}

pub(super) fn slice_of_scalar(base: &Expr) -> Diagnostic {
    Diagnostic::error("a single number has no parts", base.span)
        .label("expected a vector or a matrix to slice")
}

pub(super) fn part_of_other(base: &Expr, found: &Value) -> Diagnostic {
    let fault =
        Diagnostic::error(format!("expected a matrix, found {}", found.describe()), base.span);
    fault.help("`m[rows, columns]` is a part of a matrix; of a vector it is `v[a..b]` or `v[i]`")
}

pub(super) fn index_in_part(index: &Expr) -> Diagnostic {
    Diagnostic::error("expected numbers and dimensions", index.span)
        .help("an index input stands alone: `m[i]` is a row, and `m[i][a..b]` a part of it")
}

pub(super) fn shape_as_value(expr: &Expr) -> Diagnostic {
    Diagnostic::error("a shape is no value", expr.span).help(
        "shapes stand in `reshape(x, [M, N])`, `zeros([M, N])` and `ones([M, N])`; vectors are \
         joined by `concat(a, b)`, and rows by `stack(u, v)`",
    )
}

pub(super) fn slice_out_of_range(
    axis: &Axis<'_>,
    [start, end]: [(Option<&Expr>, i64); 2],
    span: Span,
) -> Diagnostic {
    let (from, to) = (start.1, end.1);
    let of_axis = match axis.name {
        "entries" => String::new(),
        name => format!(" of the {name}"),
    };
    let what = if from >= to && from.min(to) >= 0 { "empty" } else { "out of range" };
    let fault = Diagnostic::error(format!("the slice {from}..{to}{of_axis} is {what}"), span);
    let fault = axis.shown(fault);
    let mends = [start, end].map(|(end, at)| Some((end?.span, axis.counted_back(at)?)));
    let mends: Vec<_> = mends.into_iter().flatten().collect();
    if mends.is_empty() {
        return fault.help("`v[a..b]` takes the entries from a up to, and without, b");
    }
    let fault =
        fault.help("entries are counted from the start: the dimension says where the end is");
    mends.into_iter().fold(fault, |fault, (span, here)| fault.edit(span, here))
}

// Initialisers.

pub(super) fn unknown_initializer(name: &Name) -> Diagnostic {
    let fault = Diagnostic::error(format!("there is no initialiser `{}`", name.text), name.span);
    let known = INITIALIZERS.iter().map(|(known, _)| *known);
    if let Some(known) = closest(&name.text, known) {
        return fault.help(format!("did you mean `{known}`?")).edit(name.span, known);
    }
    match (name.text.as_str(), foreign::initializer(&name.text)) {
        (_, Some(here)) if here.contains('I') => {
            fault.help(format!("for a matrix [H, I], write `{here}`"))
        }
        (_, Some(here)) => fault.help(format!("write `{here}`")),
        ("constant" | "fill", None) => fault.help("write `= number`"),
        _ => {
            let usages: Vec<_> = INITIALIZERS.iter().map(|(_, usage)| *usage).collect();
            fault.help(format!("there are {}", usages.join("; ")))
        }
    }
}

/// `= normal(0.1)` and `= zeros`, for the text from the end of the type.
pub(super) fn initializer_after_equals(
    name: &str,
    kind: Kind,
    equals: Span,
    value: Span,
) -> Option<Diagnostic> {
    let is_known = INITIALIZERS.iter().any(|(known, _)| *known == name);
    let foreign = foreign::initializer(name).filter(|_| !is_known);
    let fault = Diagnostic::error(format!("expected a number, found `{name}`"), value);
    match (kind, foreign) {
        (Kind::Param, _) if is_known => {
            Some(fault.help("what is drawn is written with `~`").edit(equals, " ~ "))
        }
        (Kind::State, _) if is_known || foreign.is_some_and(|here| here.starts_with('~')) => {
            Some(fault.help(
                "the initial state is not drawn; it is where a parameter is, which may be: \
                 `state h: [H] = h_0` with `param h_0: [H] ~ normal(0.1)`",
            ))
        }
        (_, Some(here)) if here.contains('I') => {
            Some(fault.help(format!("for a matrix [H, I], write `{here}`")))
        }
        (_, Some(here)) => {
            Some(fault.help(format!("write `{here}`")).edit(equals.to(value), format!(" {here}")))
        }
        (_, None) => None,
    }
}

pub(super) fn initializer_of_matrix(name: &Name, found: &Extents) -> Diagnostic {
    let found = match found.rank() {
        0 => "a single number".into(),
        _ => format!("a vector {found}"),
    };
    Diagnostic::error(format!("`{}` draws matrices, found {found}", name.text), name.span)
        .help("write `= number`, `~ uniform(a)` or `~ normal(deviation)`")
}

pub(super) fn initializer_arguments(name: &Name, found: usize, usage: &str) -> Diagnostic {
    Diagnostic::error(
        format!("`{}` does not take {}", name.text, plural(found, "argument")),
        name.span,
    )
    .help(format!("write {usage}"))
}

pub(super) fn negative_spread(what: &str, found: f64, span: Span) -> Diagnostic {
    Diagnostic::error(format!("the {what} is negative: {found}"), span).label("expected 0 or more")
}

pub(super) fn not_a_probability(expr: &Expr, found: f64) -> Diagnostic {
    let fault = Diagnostic::error(format!("`{expr}` is no probability"), expr.span);
    match expr.kind {
        ExprKind::Number { .. } => fault,
        _ => fault.label(format!("this is {found}")),
    }
    .help("the first argument of `bernoulli` is the chance of a 1: from 0 to 1")
}

pub(super) fn empty_interval(low: f64, high: f64, span: Span) -> Diagnostic {
    Diagnostic::error(format!("the interval {low}..{high} is empty"), span)
        .help("the smaller bound comes first")
}

pub(super) fn not_finite(expr: &Expr, found: f64) -> Diagnostic {
    Diagnostic::error(format!("`{expr}` is not a finite number"), expr.span)
        .label(format!("this is {found}"))
}

const NUMBERS: &str = "initialisers and probabilities are made of numbers, dimensions, constants and hyper-parameters";

pub(super) fn value_in_initializer(
    name: &str,
    span: Span,
    at: Span,
    is_initial: bool,
) -> Diagnostic {
    Diagnostic::error(format!("`{name}` is not known before the cell runs"), span)
        .also(at, "it is a value of the cell")
        .help(match is_initial {
            true => "a state begins at a number known before, or at a parameter alone",
            false => NUMBERS,
        })
}

pub(super) fn unknown_number<'k>(
    name: &str,
    span: Span,
    known: impl Iterator<Item = &'k str>,
) -> Diagnostic {
    let fault = Diagnostic::error(format!("unknown name `{name}`"), span);
    match closest(name, known) {
        Some(near) => fault.help(format!("did you mean `{near}`?")).edit(span, near),
        None => fault.help(NUMBERS),
    }
}

pub(super) fn not_a_number(expr: &Expr) -> Diagnostic {
    Diagnostic::error("expected a number", expr.span).help(
        "initialisers, probabilities and constants are made of numbers, dimensions and other \
             constants",
    )
}

pub(super) fn not_an_initializer_operator(op: Operator, span: Span) -> Diagnostic {
    Diagnostic::error(
        format!("`{}` has no place in an initialiser or a constant", op.symbol()),
        span,
    )
    .help("the operators there are `+`, `-`, `*` and `/`")
}

pub(super) fn not_an_initializer_function(function: &Name) -> Diagnostic {
    Diagnostic::error(
        format!("`{}` has no place in an initialiser or a constant", function.text),
        function.span,
    )
    .help("the functions there are those of single numbers, such as `sqrt(x)` and `max(a, b)`")
}

// States at the start.

pub(super) fn unknown_initial<'c>(
    name: &Name,
    params: impl Iterator<Item = &'c str>,
) -> Diagnostic {
    let text = &name.text;
    let fault = Diagnostic::error(format!("unknown name `{text}`"), name.span);
    match closest(text, params) {
        Some(known) => fault.help(format!("did you mean `{known}`?")).edit(name.span, known),
        None => fault.help(format!(
            "a state begins at a number or at a parameter of its shape: declare `param {text}: ..`"
        )),
    }
}

pub(super) fn initial_of_other(name: &Name, entry: &Entry) -> Diagnostic {
    let text = &name.text;
    Diagnostic::error(format!("a state cannot begin at `{text}`"), name.span)
        .also(entry.span, format!("`{text}` is {}", entry.origin.describe()))
        .help("a state begins at a number or at a parameter of its shape")
}

pub(super) fn initial_of_other_shape(
    state: &Name,
    declared: &Extents,
    name: &Name,
    found: &Value,
    found_at: Span,
) -> Diagnostic {
    let message = format!(
        "state `{}` of shape {declared} cannot begin at `{}`, which is {}",
        state.text,
        name.text,
        found.describe()
    );
    Diagnostic::error(message, name.span)
        .also(found_at, "the parameter is declared here")
        .help("it must be of the state's own shape; nothing is repeated here")
}

// Hyper-parameters.

pub(super) fn unknown_hyper(name: &str, cell: &Name, hypers: &[&str]) -> Diagnostic {
    let message = format!("cell `{}` has no hyper-parameter `{name}`", cell.text);
    let fault = Diagnostic::error(message, cell.span);
    match closest(name, hypers.iter().copied()) {
        Some(hyper) => fault.help(format!("did you mean `{hyper}`?")),
        None if hypers.is_empty() => fault.help("it has none: one is declared `hyper NAME = 0.1`"),
        None => fault.help(format!("its hyper-parameters are {}", hypers.join(", "))),
    }
}

pub(super) fn hyper_not_finite(name: &Name, found: f64) -> Diagnostic {
    Diagnostic::error(format!("hyper-parameter `{}` cannot be {found}", name.text), name.span)
        .label("expected a finite number")
}

pub(super) fn second_setting(name: &str, cell: &Name) -> Diagnostic {
    Diagnostic::error(format!("hyper-parameter `{name}` is given twice"), cell.span)
}
