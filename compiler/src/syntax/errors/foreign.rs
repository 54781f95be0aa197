//! What is written otherwise in other languages.

use super::{Diagnostic, Edit, Expr, Name, Span};
use crate::foreign;

// Names with points.

/// What functions of other systems stand in.
const MODULES: [&str; 24] = [
    "torch",
    "nn",
    "F",
    "np",
    "numpy",
    "jnp",
    "jax",
    "lax",
    "tf",
    "keras",
    "math",
    "K",
    "ops",
    "functional",
    "layers",
    "init",
    "initializers",
    "activations",
    "flax",
    "linen",
    "hk",
    "mx",
    "special",
    "random",
];

/// A name with points, `torch.sigmoid`, at the beginning of `text`.
pub(in crate::syntax) fn dotted(path: &str, after: &str, span: Span) -> Diagnostic {
    let (first, rest) = path.split_once('.').unwrap_or((path, ""));
    let (_, last) = path.rsplit_once('.').unwrap_or(("", path));
    let fault = Diagnostic::error(format!("`{path}` is not part of the language"), span);
    if matches!(first, "self" | "cls") {
        return of_self(fault, rest, after, span);
    }
    if !MODULES.contains(&first) {
        return method(fault, path, last, after, span);
    }
    let lower = last.to_lowercase();
    match (foreign::function(last).or_else(|| foreign::function(&lower)), foreign::value(last)) {
        (Some(foreign::Advice { name: Some(name), .. }), _) => {
            plain_name(fault, name, after, span)
        }
        (Some(advice), _) => fault.help(advice.help),
        (None, Some(value)) => fault.help(format!("write `{value}`")).edit(span, value),
        (None, None) if is_recurrent(&lower) => fault.help(
            "a cell is written out, step by step; `cellc cells` lists those of the catalogue, to be copied",
        ),
        (None, None) if last == lower => plain_name(fault, last, after, span),
        // A layer that is made first and called then.
        (None, None) => fault.help(format!("a function is called by its plain name: `{lower}(x)`")),
    }
}

fn is_recurrent(name: &str) -> bool {
    ["rnn", "lstm", "gru"].iter().any(|family| name.starts_with(family))
}

fn of_self(fault: Diagnostic, name: &str, after: &str, span: Span) -> Diagnostic {
    if after.starts_with('(') {
        return fault.help(
            "there are no layers to call: a matrix is declared, `param W: [H, I]`, and applied, `W @ x`",
        );
    }
    fault.help("a state or parameter is used by its plain name").edit(span, name)
}

/// A function whose name alone is to be changed, and its argument if that is a list.
fn plain_name(fault: Diagnostic, name: &str, after: &str, span: Span) -> Diagnostic {
    let fault = fault.help("functions are called by their plain names").edit(span, name);
    let joins = matches!(name, "concat" | "stack" | "concat_rows");
    let (Some(list), true) = (after.strip_prefix("(["), joins) else { return fault };
    let Some(length) = closing(list) else { return fault };
    let Some(end) = list[length..].find(')') else { return fault };
    let open = Span::new(span.file, span.end, span.end + "([".len());
    let close = open.end + length;
    // What follows the list names an axis.
    fault.edit(open, "(").edit(Span::new(span.file, close, close + end), "")
}

/// Where the bracket that is open at the beginning is closed.
fn closing(text: &str) -> Option<usize> {
    let mut open = 1;
    let ends = |c: char| {
        match c {
            '(' | '[' => open += 1,
            ')' | ']' => open -= 1,
            _ => {}
        }
        open == 0
    };
    text.find(ends)
}

/// `x.sum(..)`: what stands before the point is the first argument here.
fn method(fault: Diagnostic, path: &str, last: &str, after: &str, span: Span) -> Diagnostic {
    let object = path.strip_suffix(last).and_then(|path| path.strip_suffix('.')).unwrap_or(path);
    match last {
        "T" | "t" | "transpose" => {
            let call = after.starts_with('(').then(|| after.find(')')).flatten();
            let end = call.map_or(span.end, |call| span.end + call + 1);
            let transpose = format!("transpose({object})");
            return fault.help("the transpose is a function").edit(Span { end, ..span }, transpose);
        }
        "view" | "reshape" => {
            return fault
                .help(format!("write `reshape({object}, [M, N])`, with numbers and dimensions"));
        }
        "shape" | "size" | "ndim" => {
            return fault.help(
                "sizes are the dimensions of the declaration: for `x: [I]` write `I`, a number in an expression",
            );
        }
        _ => {}
    }
    let Some(arguments) = after.strip_prefix('(') else {
        return fault.help("names consist of ASCII letters, digits and `_`");
    };
    match foreign::function(last) {
        Some(foreign::Advice { name: None, help }) => fault.help(help),
        advice => {
            let name = advice.and_then(|advice| advice.name).unwrap_or(last);
            let comma = if arguments.trim_start().starts_with(')') { "" } else { ", " };
            let fault = fault.help("functions are called by their plain names");
            fault.edit(Span { end: span.end + 1, ..span }, format!("{name}({object}{comma}"))
        }
    }
}

/// `(a + b).sum()`, of which `.sum` is at fault.
pub(in crate::syntax) fn method_of_expression(name: &str, span: Span) -> Diagnostic {
    let fault = Diagnostic::error(format!("`.{name}` is not part of the language"), span);
    match (name, foreign::function(name)) {
        ("T", _) => fault.help("write `transpose(..)` around what it is of"),
        (_, Some(foreign::Advice { name: None, help })) => fault.help(help),
        (_, advice) => {
            let name = advice.and_then(|advice| advice.name).unwrap_or(name);
            fault.help(format!("write `{name}(..)` around what it is of"))
        }
    }
}

pub(in crate::syntax) fn unquoted_path(path: &str, span: Span) -> Diagnostic {
    Diagnostic::error("the name of a file stands in quotes", span)
        .help("a library of the catalogue is named without")
        .edit(span, format!("\"{path}\""))
}

pub(in crate::syntax) fn updated_in_place(
    name: Option<&str>,
    sign: &str,
    span: Span,
) -> Diagnostic {
    let op = sign.trim_end_matches('=');
    let name = name.unwrap_or("h");
    Diagnostic::error(format!("`{sign}` is not part of the language"), span).help(format!(
        "if `{name}` is a state, write `next {name} = {name} {op} ..`; otherwise define another name: \
         `{name}_2 = {name} {op} ..`"
    ))
}

// Expressions.

pub(in crate::syntax) fn foreign_logic(
    word: &str,
    at: Span,
    all: Span,
    here: String,
) -> Diagnostic {
    let help = match word {
        "if" => "`select(condition, a, b)` is a where the condition holds, else b",
        "and" => "both hold where the product of the comparisons is 1",
        "or" => "one of two holds where the larger of the comparisons is 1",
        _ => "it does not hold where 1 - the comparison is 1",
    };
    Diagnostic::error(format!("`{word}` is not part of the language"), at)
        .help(help)
        .edit(all, here)
}

pub(in crate::syntax) fn if_without_else(at: Span) -> Diagnostic {
    Diagnostic::error("`if` is not part of the language", at)
        .help("write `select(condition, a, b)`: a where the condition holds, else b")
}

pub(in crate::syntax) fn lambda(at: Span) -> Diagnostic {
    Diagnostic::error("`lambda` is not part of the language", at)
        .help("write a function above the cell: `fn NAME(x) = expression`")
}

pub(in crate::syntax) fn grouped_digits(span: Span) -> Diagnostic {
    Diagnostic::error("the digits of a number are not separated", span)
        .help("write them without `_`")
        .edit(span, "")
}

pub(in crate::syntax) fn missing_times(found: &str, at: Span, gap: Span) -> Diagnostic {
    Diagnostic::error(format!("expected an operator after the number, found {found}"), at)
        .help("a product is written with `*`")
        .edit(gap, " * ")
}

/// `Linear(I, H)(x)`
pub(in crate::syntax) fn called_again(function: &Name, span: Span) -> Diagnostic {
    let fault = Diagnostic::error("expected an operator or the end of the line, found `(`", span);
    match foreign::function(&function.text.to_lowercase()) {
        Some(advice) => fault.help(advice.help),
        None => fault.help("a function gives a value, which is not called"),
    }
}

/// `h ** 2`, with its operands, if they are plain.
pub(in crate::syntax) fn power(
    sign: &str,
    span: Span,
    operands: Option<(Span, Span)>,
) -> Diagnostic {
    let fault = Diagnostic::error(format!("`{sign}` is not part of the language"), span)
        .help("write `pow(x, y)`, or `x * x`");
    let Some((base, exponent)) = operands else { return fault };
    let between = Span { start: base.end, ..exponent.before() };
    fault.edit(base.before(), "pow(").edit(between, ", ").edit(exponent.after(), ")")
}

pub(in crate::syntax) fn number_suffix(span: Span) -> Diagnostic {
    Diagnostic::error("a number has no suffix", span)
        .help("all numbers of a run are of one precision, `--dtype`")
        .edit(span, "")
}

pub(in crate::syntax) fn declaration_in_expression(keyword: &str, span: Span) -> Diagnostic {
    Diagnostic::error(format!("expected an expression, found the keyword `{keyword}`"), span)
        .help(format!("a declaration is a statement of its own: `{keyword} NAME: [H, I]`"))
}

pub(in crate::syntax) fn dictionary(span: Span) -> Diagnostic {
    Diagnostic::error("expected an expression, found `{`", span)
        .help("braces stand around the bodies of cells and functions alone")
}

/// `next(h)`
pub(in crate::syntax) fn next_called(open: Span, close: Span) -> Diagnostic {
    Diagnostic::error("`next` is no function", open)
        .help("it stands before the name of a state")
        .edit(open, " ")
        .edit(close, "")
}

// Indices.

pub(in crate::syntax) fn colon_slices(colons: &[Span]) -> Diagnostic {
    let fault = Diagnostic::error("expected `..`, found `:`", colons[0])
        .help("a slice is written `v[a..b]`, and a whole axis `..`");
    colons.iter().fold(fault, |fault, colon| fault.edit(*colon, ".."))
}

pub(in crate::syntax) fn slice_step(span: Span) -> Diagnostic {
    Diagnostic::error("a slice has no step", span)
        .help("`v[a..b]` takes all entries from a up to, and without, b")
}

pub(in crate::syntax) fn new_axis(span: Span, base: &str) -> Diagnostic {
    Diagnostic::error("an index adds no axis", span).help(format!(
        "write `reshape({base}, [1, N])` for a matrix of one row, `reshape({base}, [N, 1])` for one of one \
         column"
    ))
}

// Statements.

pub(in crate::syntax) fn output_of_expression(expr: &Expr) -> Diagnostic {
    Diagnostic::error("an output has a name", expr.span)
        .label("this is an expression")
        .help("give the output a name, `output y = ..`; or define it above, `y = ..`, and write `output y`")
        .edit(expr.span.before(), "y = ")
}

/// `output (h, c)`
pub(in crate::syntax) fn output_of_tuple(open: Span, close: Span) -> Diagnostic {
    Diagnostic::error("several outputs stand without parentheses", open)
        .help("write them as a list")
        .edit(open, "")
        .edit(close, "")
}

pub(in crate::syntax) fn output_of_next(next: Span, state: &Name) -> Diagnostic {
    Diagnostic::error("`next` has no place in an output", next.to(state.span))
        .help(format!("the output of a state is its new value: write `output {}`", state.text))
        .edit(next.to(state.span), state.text.as_str())
}

pub(in crate::syntax) fn several_nexts(comma: Span, state: &Name) -> Diagnostic {
    Diagnostic::error("`next` defines one state", comma).help(format!(
        "write a line for each state: `next {} = ..`; what both are made of is defined above",
        state.text
    ))
}

pub(in crate::syntax) fn several_results(comma: Span) -> Diagnostic {
    Diagnostic::error("a function gives one value", comma).help(
        "write a function for each value; or join vectors, `concat(a, b)`, and take the result apart \
         where it is called, `v[..H]` and `v[H..]`",
    )
}

// The file and the cell.

/// The body of a cell or a function that begins with `:` or without anything.
pub(in crate::syntax) fn body_without_braces(
    what: &str,
    colon: Option<Span>,
    begin: Span,
    end: Option<Span>,
) -> Diagnostic {
    let fault = match colon {
        Some(colon) => Diagnostic::error("expected `{`, found `:`", colon),
        None => Diagnostic::error("expected `{`", begin).label("the body begins here"),
    };
    let fault = fault.help(format!("the body of a {what} stands in braces"));
    let fault = match colon {
        Some(colon) => fault.edit(colon, " {"),
        None => fault.edit(begin, " {"),
    };
    match end {
        Some(end) => fault.edit(end, "\n}"),
        None => fault,
    }
}

pub(in crate::syntax) fn renamed_import(name: &str, span: Span) -> Diagnostic {
    Diagnostic::error("`as` is not part of the language", span).help(format!(
        "what is imported keeps its name: `use {name} from ..`; to call it otherwise, define a function: \
         `fn NAME(x) = {name}(x)`"
    ))
}

pub(in crate::syntax) fn no_cell_at_all(found: &str, span: Span) -> Diagnostic {
    Diagnostic::error("the file is no cell", span)
        .label(format!("found `{found}`"))
        .help("a cell is written `cell NAME(I, H) { .. }`; comments start with `//`")
}

/// `x // 2`
pub(in crate::syntax) fn comment_for_quotient(fault: Diagnostic, slashes: Span) -> Diagnostic {
    fault
        .also(slashes, "`//` starts a comment, which goes to the end of the line")
        .help("a quotient is written `/`; that of dimensions must be whole, and one of values is rounded down by `floor(a / b)`")
        .edit(slashes, "/")
}

/// Adds the changes of another diagnostic of the same line.
pub(in crate::syntax) fn together(fault: &mut Diagnostic, other: Diagnostic) {
    let apart = |edit: &Edit| {
        fault
            .edits
            .iter()
            .all(|known| edit.span.end <= known.span.start || known.span.end <= edit.span.start)
    };
    if other.edits.iter().all(apart) {
        fault.edits.extend(other.edits);
        fault.edits.sort_by_key(|edit| edit.span);
    }
}
