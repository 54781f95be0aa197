//! Gradients that are infinite or NaN by the cell's own doing: where, and what mends it.

use std::collections::BTreeSet;

use cellc_compiler::diagnostic::{Diagnostic, Span};
use cellc_compiler::ir::graph::ValueId;
use cellc_compiler::ir::op::{Binary, Op, Unary};
use cellc_runtime::gradcheck::{Report, Row, Singularity};

use crate::load::Loaded;

/// How many places are shown.
const SHOWN: usize = 3;

/// The rows whose derivatives are infinite or NaN in the cell itself.
pub(super) fn rows(report: &Report) -> impl Iterator<Item = &Row> {
    report.rows.iter().filter(|row| !row.singular.is_empty())
}

/// Where a singularity is written.
pub(super) fn span(loaded: &Loaded, singularity: &Singularity) -> Span {
    loaded.spans[singularity.value]
}

/// One for each of the first places that are infinite or NaN.
pub(super) fn diagnostics(loaded: &Loaded, report: &Report) -> Vec<Diagnostic> {
    let mut places = BTreeSet::new();
    let found = rows(report).flat_map(|row| &row.singular);
    let found = found.filter(|singularity| places.insert(span(loaded, singularity)));
    found.take(SHOWN).map(|singularity| diagnostic(loaded, singularity)).collect()
}

fn diagnostic(loaded: &Loaded, singularity: &Singularity) -> Diagnostic {
    let Singularity { value, derivative, number, step, example } = singularity;
    let graph = &loaded.cell.graph;
    let op = graph.ids().nth(*value).map(|id: ValueId| graph.op(id));
    let number = if number.is_nan() { "NaN" } else { "infinite" };
    let subject = if *derivative { "the derivative of this" } else { "this" };
    Diagnostic::error(
        format!("the gradient is infinite or NaN, by what is {number} here"),
        span(loaded, singularity),
    )
    .label(format!("{subject} is {number} at step {step} of example {example}"))
    .help(format!(
        "what is not selected is computed all the same, and 0 times infinity or NaN is NaN: keep \
         what is given to it in bounds, {}",
        mend(op)
    ))
}

/// An operand that is kept where an operation and its derivative are finite.
fn mend(op: Option<&Op>) -> &'static str {
    match op {
        Some(Op::Unary(Unary::Sqrt)) => "`sqrt(max(x, 1e-12))`",
        Some(Op::Unary(Unary::Log)) => "`log(max(x, 1e-12))`",
        Some(Op::Unary(Unary::Log1p)) => "`log1p(max(x, -0.999))`",
        Some(Op::Unary(Unary::Exp | Unary::Expm1)) => "`exp(min(x, 50))`",
        Some(Op::Binary(Binary::Pow)) => "`pow(max(x, 1e-12), y)`",
        Some(Op::Binary(Binary::Div)) => "`a / select(abs(b) > 1e-6, b, 1)`",
        _ => "as `clamp(x, -1e6, 1e6)` does",
    }
}
