//! What has a meaning, but perhaps not the intended one.

use crate::diagnostic::{Diagnostic, Span};
use crate::syntax::ast::{Expr, ExprKind, Name};

pub(crate) fn unused(what: &str, name: &Name) -> Diagnostic {
    let text = &name.text;
    let warning = Diagnostic::warning(format!("{what} `{text}` is never used"), name.span);
    match what {
        "import" | "function" | "constant" => warning.help("remove it, if it is not to be used"),
        _ => warning.help(format!("use it or remove it; to keep it as it is, name it `_{text}`")),
    }
}

pub(crate) fn shadowed(name: &Name, call: Span) -> Diagnostic {
    let text = &name.text;
    Diagnostic::warning(format!("`{text}` is a value, and a function beside it"), name.span)
        .also(call, "here the function is called")
        .help("a reader may take one for the other: choose another name for the value")
}

// States and outputs.

pub(crate) fn state_never_updated(state: &Name, next: Span) -> Diagnostic {
    let text = &state.text;
    Diagnostic::warning(format!("state `{text}` is never updated"), next)
        .also(state.span, "it stays where it begins")
        .help(format!(
            "define what it becomes, `next {text} = ..`; a value that is learnt and stays is a \
             `param`; to keep it as it is, name it `_{text}`"
        ))
}

pub(crate) fn state_without_effect(state: &Name) -> Diagnostic {
    let text = &state.text;
    Diagnostic::warning(format!("state `{text}` has no effect"), state.span)
        .label("no output depends on it, at this step or a later one")
        .help(format!(
            "read `{text}` or `next {text}` on the way to an output, or remove it; to keep it as it \
             is, name it `_{text}`"
        ))
}

pub(crate) fn constant_output(output: &Name) -> Diagnostic {
    let text = &output.text;
    Diagnostic::warning(format!("output `{text}` is the same at every step"), output.span)
        .label("it depends on no input and no state")
        .help(format!("to keep it as it is, name it `_{text}`"))
}

// Expressions.

/// A divisor that can be 0; `is_signed` if it can be negative too, for all that is known.
pub(crate) fn divisor(operator: Span, divisor: &Expr, is_signed: bool) -> Diagnostic {
    let warning = Diagnostic::warning("the divisor can be 0", divisor.span)
        .label(match is_signed {
            true => "its terms can be of either sign and cancel",
            false => "0 where all its terms are",
        })
        .also(operator, "the quotient is infinite or NaN then, and so is its gradient");
    match &divisor.kind {
        // The derivative of a square root is infinite at 0, whatever is added after it.
        ExprKind::Call { function, arguments } if function.text == "sqrt" => warning.help(format!(
            "add a small number under the root: `sqrt({} + 1e-6)`",
            arguments.iter().map(ToString::to_string).collect::<String>()
        )),
        // A number that is added, or a floor, is for what is not negative.
        ExprKind::Call { function, arguments }
            if is_signed && matches!(function.text.as_str(), "sum" | "mean") =>
        {
            let (first, rest) = (&arguments[0], &arguments[1..]);
            let rest: String = rest.iter().map(|argument| format!(", {argument}")).collect();
            warning.help(format!(
                "divide by what cannot cancel, `/ ({}(abs({first}){rest}) + 1e-6)`, or by another \
                 number near 0, `/ select(abs({divisor}) > 1e-6, {divisor}, 1)`",
                function.text
            ))
        }
        _ if is_signed => warning.help(format!(
            "divide by another number near 0: `/ select(abs({divisor}) > 1e-6, {divisor}, 1)`"
        )),
        _ => warning.help(format!(
            "add a small number, `/ ({divisor} + 1e-6)`, or put a floor under it, \
             `/ max({divisor}, 1e-6)`"
        )),
    }
}

/// `x // 2`
pub(crate) fn comment_of_number(number: &str, slashes: Span) -> Diagnostic {
    Diagnostic::warning(format!("`// {number}` is a comment"), slashes)
        .label("nothing is divided")
        .help("a quotient is written `/`, and rounded down by `floor(a / b)`; or say more in the comment")
        .edit(slashes, "/")
}

pub(crate) fn scaled_matrix(star: Span, left: &Expr, matrix: &Expr, vector: &Expr) -> Diagnostic {
    Diagnostic::warning(format!("`{left}` is one matrix, and `@` takes all of it"), star)
        .label("`*` and `@` bind alike: from the left, the vector scales the columns of the matrix")
        .help("to scale the product, put it into parentheses; or, if that is meant, the matrix")
        .edit(matrix.span.before(), "(")
        .edit(vector.span.after(), ")")
}
