//! Shapes that do not fit.

use super::super::names::{Entry, Origin};
use super::super::operators::Operand;
use super::super::value::{Extent, Extents, Value};
use crate::diagnostic::{Diagnostic, Span};
use crate::syntax::ast::{Expr, Name, Operator};

pub(crate) fn plural(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}

pub(crate) fn too_many_elements(extents: &Extents, limit: usize, span: Span) -> Diagnostic {
    Diagnostic::error(format!("a value of shape {extents} is too large"), span)
        .label(format!("the limit is {limit} elements"))
}

/// What a name that is an operand is, for a label where it is introduced.
pub(crate) fn introduced(name: &str, entry: &Entry, value: &Value) -> String {
    let verb = match entry.origin {
        Origin::Declared(_) => "declared as",
        Origin::Parameter => "in this call",
        _ => "defined here:",
    };
    format!("`{name}` is {verb} {}", value.describe())
}

/// Points at a `*` that was perhaps to be `@`, if the shape of a value comes from one.
fn with_spread(fault: Diagnostic, values: &[&Value]) -> Diagnostic {
    match values.iter().find_map(|value| value.spread) {
        Some(star) => fault
            .also(star, "elementwise: the vector is repeated over the rows of the matrix")
            .help("the product of a matrix and a vector is written `@`")
            .edit(star, "@"),
        None => fault,
    }
}

/// Elementwise operands without a common shape, beside those of an operator.
pub(crate) fn no_common_shape(function: &str, operands: &[Value], span: Span) -> Diagnostic {
    let shapes: Vec<_> = operands.iter().map(Value::describe).collect();
    let operands: Vec<_> = operands.iter().collect();
    let message = format!("the arguments of `{function}` have no common shape");
    let fault = Diagnostic::error(message, span).label(shapes.join("; "));
    with_spread(fault, &operands)
}

pub(crate) fn operator_shapes(op: Operator, op_span: Span, a: &Operand, b: &Operand) -> Diagnostic {
    let message = format!(
        "`{}` needs operands of one shape, found {} and {}",
        op.symbol(),
        a.value.describe(),
        b.value.describe()
    );
    let fault = Diagnostic::error(message, op_span);
    let is_product = op == Operator::Mul && a.value.rank() + b.value.rank() == 3;
    if !is_product {
        return with_spread(fault, &[&a.value, &b.value]);
    }
    match (fits(&a.value, &b.value), fits(&b.value, &a.value)) {
        (true, _) => fault
            .help("`*` is elementwise; the product of a matrix and a vector is written `@`")
            .edit(op_span, "@"),
        (false, true) => {
            let (first, second) = (b.expr, a.expr);
            fault.help(format!(
                "`*` is elementwise; the product of a matrix and a vector is written `@`, and \
                 would fit as `{first} @ {second}`"
            ))
        }
        _ => fault.help("`*` is elementwise; the product of a matrix and a vector is written `@`"),
    }
}

/// Whether `a @ b` is a product.
fn fits(a: &Value, b: &Value) -> bool {
    match (a.extents.0.as_slice(), b.extents.0.as_slice()) {
        ([_, columns], [v]) => columns.size == v.size,
        ([v], [rows, _]) => rows.size == v.size,
        _ => false,
    }
}

pub(crate) fn matmul_shapes(op: Span, a: &Operand, b: &Operand) -> Diagnostic {
    let (left, right) = (a.value.describe(), b.value.describe());
    let shapes = (a.value.extents.0.as_slice(), b.value.extents.0.as_slice());
    let needs = match shapes {
        ([_, columns], [_]) => {
            format!("`@` needs a vector of {columns} elements on the right, found {right}")
        }
        ([_], [rows, _]) => {
            format!("`@` needs a vector of {rows} elements on the left, found {left}")
        }
        ([_, columns], [_, _]) => {
            format!("`@` needs a matrix of {columns} rows on the right, found {right}")
        }
        _ => format!("`@` needs a matrix and a vector, found {left} and {right}"),
    };
    let fault = Diagnostic::error(needs, op);
    match shapes {
        ([_, _], [_]) | ([_], [_, _]) => matmul_help(fault, a, b),
        ([_], [_]) => fault.help("the inner product of two vectors is `dot(u, v)`, the elementwise one `u * v`, the outer one `outer(u, v)`"),
        ([], _) | (_, []) => fault.help("a single number is multiplied by `*`").edit(op, "*"),
        _ => fault.help(
            "the right matrix has as many rows as the left one has columns; `transpose(m)` swaps \
             them",
        ),
    }
}

fn matmul_help(fault: Diagnostic, a: &Operand, b: &Operand) -> Diagnostic {
    let matrix_first = a.value.rank() == 2;
    let (matrix, vector) = if matrix_first { (a, b) } else { (b, a) };
    let (m, v) = (&matrix.value, &vector.value);
    let ([rows, columns], [extent]) = (m.extents.0.as_slice(), v.extents.0.as_slice()) else {
        return fault;
    };
    if matrix_first && rows.size == extent.size {
        let swapped = format!("transpose({}) @ {}", matrix.expr, operand_text(vector.expr));
        return match matrix.expr.as_name() {
            Some(name) => fault.help(format!(
                "`{swapped}` fits, or else `{name}` is to be of shape [{}, {}]",
                columns.name(),
                rows.name()
            )),
            None => fault.help(format!("`{swapped}` fits")),
        };
    }
    if !matrix_first && columns.size == extent.size {
        let swapped = format!("{} @ {}", operand_text(matrix.expr), operand_text(vector.expr));
        return fault
            .help("a matrix stands on the left of its vector")
            .edit(a.expr.span.to(b.expr.span), swapped);
    }
    let shape = if matrix_first {
        format!("[{}, {}]", rows.name(), extent.name())
    } else {
        format!("[{}, {}]", extent.name(), columns.name())
    };
    match matrix.expr.as_name() {
        Some(name) => fault.help(format!(
            "for this product `{name}` would be {shape}, or another vector is meant"
        )),
        None => fault.help(format!("for this product the matrix would be {shape}")),
    }
}

/// An expression as an operand of `@`.
fn operand_text(expr: &Expr) -> String {
    use crate::syntax::ast::ExprKind;
    match expr.kind {
        ExprKind::Binary { .. } => format!("({expr})"),
        _ => expr.to_string(),
    }
}

pub(crate) fn next_of_other_shape(
    state: &Name,
    declared: &Value,
    expr: &Expr,
    found: &Value,
    declared_at: Span,
) -> Diagnostic {
    let message = format!(
        "`next {}` must be {}, found {}",
        state.text,
        declared.describe(),
        found.describe()
    );
    let fault =
        Diagnostic::error(message, expr.span).also(declared_at, "the state is declared here");
    with_spread(fault, &[found])
}

// Arguments of functions.

pub(crate) fn not_a_vector(function: &str, found: &Value, span: Span) -> Diagnostic {
    let message = format!("`{function}` takes vectors, found {}", found.describe());
    with_spread(Diagnostic::error(message, span), &[found])
}

pub(crate) fn concat_of_matrix(found: &Value, expr: &Expr) -> Diagnostic {
    let message = format!("`concat` joins vectors, found {}", found.describe());
    let fault = Diagnostic::error(message, expr.span);
    if found.spread.is_some() {
        return with_spread(fault, &[found]);
    }
    fault.help(
        "matrices are joined by `concat_rows(a, b)`, one above the other, or `concat_columns(a, b)`, \
         side by side",
    )
}

pub(crate) fn join_of_other(function: &str, found: &Value, expr: &Expr) -> Diagnostic {
    let message = format!("`{function}` joins matrices, found {}", found.describe());
    let fault = Diagnostic::error(message, expr.span);
    match found.rank() {
        1 => fault.help("vectors are joined by `concat(u, v)`, and as rows by `stack(u, v)`"),
        _ => fault,
    }
}

pub(crate) fn joined_lengths(
    function: &str,
    first: &Extent,
    found: &Extent,
    expr: &Expr,
) -> Diagnostic {
    let what = match function {
        "stack" => "vectors of one length",
        "concat_rows" => "matrices of as many columns",
        _ => "matrices of as many rows",
    };
    let message = format!("`{function}` joins {what}, found {first} and {found}");
    Diagnostic::error(message, expr.span).label(format!("{found} here"))
}

/// `concat([a, b])`
pub(crate) fn joined_list(function: &str, list: Span) -> Diagnostic {
    let first = Span { end: list.start + 1, ..list };
    let last = Span { start: list.end - 1, ..list };
    Diagnostic::error(format!("`{function}` takes values, found a list"), list)
        .help("write them without brackets")
        .edit(first, "")
        .edit(last, "")
}

pub(crate) fn not_a_shape(function: &str, expr: &Expr) -> Diagnostic {
    Diagnostic::error(format!("`{function}` takes a shape in brackets"), expr.span)
        .help("write `[N]` for a vector, `[M, N]` for a matrix, with numbers and dimensions")
        .edit(expr.span.before(), "[")
        .edit(expr.span.after(), "]")
}

pub(crate) fn not_a_length(function: &str, expr: &Expr) -> Diagnostic {
    Diagnostic::error(format!("`{function}` takes a number of entries, found a shape"), expr.span)
        .help(format!("write `{function}(N)`"))
}

pub(crate) fn not_a_count(expr: &Expr) -> Diagnostic {
    Diagnostic::error("`repeat` takes a number of times, found a shape", expr.span)
        .help("write `repeat(v, K)`: each element K times in a row")
}

pub(crate) fn reshape_of_other_size(x: &Value, to: &Extents, span: Span) -> Diagnostic {
    let size = |extents: &Extents| extents.shape().iter().product::<usize>();
    let (from, into) = (size(&x.extents), size(to));
    Diagnostic::error(format!("{} does not fill the shape {to}", x.describe()), span)
        .label(format!("{}, and {into} to fill", plural(from, "element")))
}

pub(crate) fn transpose_of_other(found: &Value, span: Span) -> Diagnostic {
    let message = format!("`transpose` takes a matrix, found {}", found.describe());
    Diagnostic::error(message, span)
        .help(
            "a vector stands on either side of `@` as it is: `v @ W` is `transpose(W) @ v`; the matrix of \
             all products of two vectors is `outer(u, v)`",
        )
}

pub(crate) fn dot_lengths(u: &Value, v: &Value, span: Span) -> Diagnostic {
    let (u, v) = (&u.extents, &v.extents);
    Diagnostic::error(format!("`dot` needs vectors of one length, found {u} and {v}"), span)
}

pub(crate) fn unknown_axis(function: &str, expr: &Expr) -> Diagnostic {
    let message = format!("the axis of `{function}` must be the number 0 or 1");
    Diagnostic::error(message, expr.span).help(match function {
        "norm" => {
            "the norm is `sqrt(sum(square(v)))`, and the axis that of a matrix; other norms are \
             `sum(abs(v))` and `max(abs(v))`"
        }
        _ => "axis 0 combines the rows into one, axis 1 the columns",
    })
}

pub(crate) fn axis_of_other(found: &Value, span: Span) -> Diagnostic {
    Diagnostic::error(format!("an axis is given, but the argument is {}", found.describe()), span)
        .help("only a matrix has axes to choose from")
}

pub(crate) fn axis_needed(function: &str, found: &Value, span: Span) -> Diagnostic {
    let message = format!("`{function}` needs an axis, since its argument is {}", found.describe());
    let fault = Diagnostic::error(message, span);
    if found.spread.is_some() {
        return with_spread(fault, &[found]);
    }
    fault.help(format!("`{function}(m, 1)` is over each row, `{function}(m, 0)` over each column"))
}
