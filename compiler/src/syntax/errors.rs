//! The faults of form, one constructor each.

mod foreign;

pub(super) use self::foreign::*;
use super::KEYWORDS;
use super::ast::{Expr, ExprKind, Kind, Name, Operator};
use crate::diagnostic::{Diagnostic, Edit, Span};
use crate::suggest::closest;

/// What those who come from other languages begin a statement with, and what to write here.
const FOREIGN_KEYWORDS: [(&str, &str); 20] = [
    ("let", "write `name = expression`"),
    ("var", "write `name = expression`"),
    ("def", "write `cell NAME(DIM, ...) { .. }`, or above the cell `fn NAME(x, y) = expression`"),
    ("function", "write `fn NAME(x, y) = expression` above the cell"),
    ("func", "write `fn NAME(x, y) = expression` above the cell"),
    ("class", "write `cell NAME(DIM, ...) { .. }`"),
    ("import", "write `use NAME from \"FILE.cell\"` above the cell"),
    ("from", "write `use NAME from \"FILE.cell\"` above the cell"),
    ("if", "write `select(condition, a, b)`"),
    ("else", "write `select(condition, a, b)`"),
    ("for", "a cell is one time step; the loop over the sequence is made by the compiler"),
    ("while", "a cell is one time step; the loop over the sequence is made by the compiler"),
    ("self", "a state or parameter is used by its plain name"),
    ("print", "to look at a value, make it an output: `output name`"),
    ("pass", "remove it: there is no empty statement"),
    ("assert", "shapes are checked where the cell is compiled; values are not checked"),
    ("elif", "write `select(condition, a, b)`"),
    ("with", "a cell consists of declarations, definitions and outputs alone"),
    ("new", "write `next state = expression`"),
    ("out", "write `output name`"),
];

/// What declarations begin with in other languages, and the keyword here.
const FOREIGN_DECLARATIONS: [(&str, &str); 15] = [
    ("weight", "param"),
    ("weights", "param"),
    ("bias", "param"),
    ("biases", "param"),
    ("parameter", "param"),
    ("parameters", "param"),
    ("learnable", "param"),
    ("trainable", "param"),
    ("variable", "param"),
    ("hidden", "state"),
    ("memory", "state"),
    ("carry", "state"),
    ("recurrent", "state"),
    ("in", "input"),
    ("feature", "input"),
];

// Characters and words.

pub(super) fn unknown_character(c: char, span: Span, help: Option<&str>) -> Diagnostic {
    let shown = if c.is_control() { c.escape_unicode().to_string() } else { c.to_string() };
    let fault = Diagnostic::error(format!("unknown character `{shown}`"), span);
    match help {
        Some(help) => fault.help(help),
        None => fault.help("outside comments, a cell is written in ASCII"),
    }
}

pub(super) fn foreign_sign(sign: &str, span: Span, help: &str) -> Diagnostic {
    Diagnostic::error(format!("`{sign}` is not part of the language"), span).help(help)
}

pub(super) fn non_ascii_name(name: &str, span: Span) -> Diagnostic {
    let fault = Diagnostic::error(format!("the name `{name}` is not ASCII"), span)
        .label("names consist of ASCII letters, digits and `_`");
    match name {
        "σ" => fault.help("the logistic function is `sigmoid`").edit(span, "sigmoid"),
        "Σ" => fault.help("the sum of a vector is `sum`").edit(span, "sum"),
        _ => fault,
    }
}

pub(super) fn number_without_fraction(whole: &str, span: Span) -> Diagnostic {
    Diagnostic::error("no digits after the decimal point", span)
        .help("write the number without the point, or with a zero after it")
        .edit(span, format!("{whole}.0"))
}

pub(super) fn number_without_whole_part(digits: &str, span: Span) -> Diagnostic {
    Diagnostic::error("no digits before the decimal point", span)
        .help("write a zero before it")
        .edit(span, format!("0.{digits}"))
}

pub(super) fn number_too_large(span: Span) -> Diagnostic {
    Diagnostic::error("the number is too large", span).label("the largest is about 1.8e308")
}

pub(super) fn text_literal(span: Span) -> Diagnostic {
    Diagnostic::error("there is no text in the language", span)
        .help("a comment starts with `//`; names are written without quotes")
}

pub(super) fn unclosed_path(span: Span) -> Diagnostic {
    Diagnostic::error("the name of the file has no end", span)
        .help("it ends with `\"`, in the same line: `use NAME from \"FILE.cell\"`")
}

pub(super) fn block_comment(span: Span) -> Diagnostic {
    Diagnostic::error("comments are not written `/* .. */`", span)
        .help("a comment starts with `//` and ends with its line")
}

// What was expected.

pub(super) fn expected(what: &str, found: &str, span: Span) -> Diagnostic {
    Diagnostic::error(format!("expected {what}, found {found}"), span).label("unexpected")
}

pub(super) fn expected_at_line_end(what: &str, found: &str, span: Span) -> Diagnostic {
    Diagnostic::error(format!("expected {what}, found {found} on a later line"), span)
        .label("the line ends too early")
}

/// Two operands without an operator, where an operator or `end` was expected.
pub(super) fn juxtaposition(end: &str, found: &str, span: Span) -> Diagnostic {
    let fault = Diagnostic::error(format!("expected an operator or {end}, found {found}"), span);
    match found.trim_matches('`') {
        "for" => fault.help("functions and operators take whole vectors: `sum(2 * x)`"),
        "float" | "float16" | "float32" | "float64" | "f32" | "f64" | "double" | "int" => fault
            .help("a type is a shape alone: all numbers of a run are of one precision, `--dtype`"),
        _ => fault.help("a product is written with `*`, or with `@` between a matrix and a vector"),
    }
}

pub(super) fn unclosed(sign: &str, found: &str, at: Span, open: Span) -> Diagnostic {
    Diagnostic::error(format!("expected `{sign}`, found {found}"), at)
        .label(format!("`{sign}` is missing"))
        .also(open, "opened here")
}

pub(super) fn keyword_as_name(what: &str, keyword: &str, span: Span) -> Diagnostic {
    Diagnostic::error(format!("expected {what}, found the keyword `{keyword}`"), span)
        .help(format!("{} are keywords, and cannot be names", list_of(&KEYWORDS)))
}

fn list_of(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

// The file and the cell.

pub(super) fn empty_file(span: Span) -> Diagnostic {
    Diagnostic::error("the file contains no cell", span)
        .help("a cell is written `cell NAME(I, H) { .. }`")
}

/// What may stand in a file, beside comments.
const ITEMS: [&str; 4] = ["cell", "fn", "const", "use"];

/// Whether a text that begins with a word is one of the language, if perhaps with a mistake in that word.
pub(super) fn begins_item(word: &str, has_cell: bool) -> bool {
    let is_foreign = FOREIGN_KEYWORDS.iter().any(|(foreign, _)| *foreign == word);
    closest(word, ITEMS).is_some() || has_cell && is_foreign
}

pub(super) fn no_item(found: &str, span: Span, is_definition: bool) -> Diagnostic {
    let fault = Diagnostic::error(format!("expected `cell`, found `{found}`"), span);
    if is_definition {
        return fault.help(format!(
            "beside the cell stand constants, `const {found} = 0.1`, and functions, \
             `fn {found}(x) = expression`"
        ));
    }
    if let Some(word) = closest(found, ITEMS) {
        return fault.help(format!("did you mean `{word}`?")).edit(span, word);
    }
    match FOREIGN_KEYWORDS.iter().find(|(foreign, _)| *foreign == found) {
        Some((_, help)) => fault.help(*help),
        None => fault.help(
            "a file consists of one cell, `cell NAME(I, H) { .. }`, and of what it is made of: \
             `fn NAME(x) = ..`, `const NAME = ..`, `use NAME from ..`",
        ),
    }
}

pub(super) fn second_cell(span: Span, first: Span) -> Diagnostic {
    Diagnostic::error("a file contains one cell", span)
        .label("a second cell")
        .also(first, "the first")
        .help("move each cell to a file of its own")
}

pub(super) fn after_item(found: &str, span: Span, what: &str, name: Span) -> Diagnostic {
    Diagnostic::error(format!("expected the end of the text, found {found}"), span)
        .label(format!("after the end of the {what}"))
        .also(name, format!("this {what} has ended"))
        .help("is there a `}` too many?")
}

pub(super) fn item_in_cell(keyword: &str, span: Span) -> Diagnostic {
    let what = match keyword {
        "use" => "imports stand",
        "const" => "constants stand",
        _ => "functions stand",
    };
    let fault = Diagnostic::error(format!("`{keyword}` has no place in a cell"), span);
    let help = format!("{what} beside the cell, above it");
    match keyword {
        "const" => fault.help(format!(
            "{help}; a number of the cell that the command may change is `hyper NAME = 0.1`"
        )),
        _ => fault.help(help),
    }
}

// Functions, constants and imports.

pub(super) fn return_in_cell(span: Span) -> Diagnostic {
    Diagnostic::error("`return` has no place in a cell", span)
        .help("the results of a cell are its outputs: write `output name` or `output name = ..`")
}

pub(super) fn statement_in_function(keyword: &str, span: Span) -> Diagnostic {
    let fault = Diagnostic::error(format!("`{keyword}` has no place in a function"), span);
    match keyword {
        "next" | "output" => {
            fault.help("a function gives a value, `return ..`; what the cell does with it, it says")
        }
        "hyper" => fault.help("it is the cell's, which may pass it to the function"),
        "input" | "state" | "param" => fault
            .help("a function has parameters: `fn NAME(x, W)`; the cell declares what they are"),
        _ => fault.help("it stands beside the function"),
    }
}

pub(super) fn function_without_return(name: &Name, end: Span) -> Diagnostic {
    Diagnostic::error(format!("function `{}` gives no value", name.text), end)
        .label("expected `return` before the end")
        .also(name.span, "this function")
        .help("end it with `return ..`; if it is one expression, write `fn NAME(x) = expression`")
}

pub(super) fn after_return(span: Span, first: Span) -> Diagnostic {
    Diagnostic::error("expected `}`, found a statement after `return`", span)
        .also(first, "the function ends here")
        .help("`return` is the last statement of a function")
}

pub(super) fn unclosed_function(at: Span, open: Span) -> Diagnostic {
    Diagnostic::error("the function has no end", at).label("expected `}`").also(open, "opened here")
}

pub(super) fn import_without_place(found: &str, span: Span) -> Diagnostic {
    Diagnostic::error(format!("expected where to import from, found {found}"), span).help(
        "a file is named in quotes, `from \"norms.cell\"`; a library of the catalogue without, \
         `from norms`",
    )
}

pub(super) fn whole_import(span: Span) -> Diagnostic {
    Diagnostic::error("`*` imports nothing", span)
        .help("name what is imported: `use layer_norm, rms_norm from norms`")
}

pub(super) fn hyper_with_type(name: &Name, span: Span) -> Diagnostic {
    Diagnostic::error(format!("`{}` has a type", name.text), span)
        .label("a hyper-parameter is one number")
        .help(format!("write `hyper {} = 0.1`", name.text))
}

pub(super) fn unclosed_cell(at: Span, open: Span) -> Diagnostic {
    Diagnostic::error("the cell has no end", at).label("expected `}`").also(open, "opened here")
}

pub(super) fn number_as_dimension(span: Span) -> Diagnostic {
    Diagnostic::error("expected the name of a dimension, found a number", span).help(
        "name the dimension here, as in `cell lstm(I, H)`; it is given its size when the cell is \
         compiled",
    )
}

pub(super) fn dimension_with_type(cell: &Name, dim: &Name, colon: Span) -> Diagnostic {
    let (cell, dim) = (&cell.text, &dim.text);
    Diagnostic::error(format!("dimension `{dim}` has no type"), colon).help(format!(
        "write `cell {cell}({dim}, ..)`, and give its size when the cell is compiled, `--dims {dim}=4`; \
         a default is written `{dim} = 4`"
    ))
}

// Statements.

pub(super) fn unknown_keyword(word: &str, span: Span) -> Diagnostic {
    let fault = Diagnostic::error(format!("`{word}` begins no statement"), span);
    if let Some(keyword) = closest(word, KEYWORDS) {
        return fault.help(format!("did you mean `{keyword}`?")).edit(span, keyword);
    }
    if let Some((_, here)) = FOREIGN_DECLARATIONS.iter().find(|(foreign, _)| *foreign == word) {
        return fault.help(format!("the keyword is `{here}`")).edit(span, *here);
    }
    match FOREIGN_KEYWORDS.iter().find(|(foreign, _)| *foreign == word) {
        Some((_, help)) => fault.help(*help),
        None => fault.help(
            "a statement is `input`, `state` or `param` with names and a type, `hyper name = 0.1`, \
             `name = expression`, `next state = expression`, or `output name`",
        ),
    }
}

/// For a word that begins a statement in other languages, whatever follows it.
pub(super) fn foreign_keyword(word: &str, span: Span) -> Option<Diagnostic> {
    let (_, help) = FOREIGN_KEYWORDS.iter().find(|(foreign, _)| *foreign == word)?;
    Some(Diagnostic::error(format!("`{word}` begins no statement"), span).help(*help))
}

pub(super) fn declaration_without_keyword(name: &str, span: Span) -> Diagnostic {
    Diagnostic::error(format!("the declaration of `{name}` has no keyword"), span)
        .help(format!("write `input {name}: ..`, `state {name}: ..` or `param {name}: ..`"))
}

/// A declaration without a type; one that has it after `equals` is mended there.
pub(super) fn declaration_without_type(
    kind: Kind,
    first: &Name,
    last: Span,
    equals: Option<Span>,
) -> Diagnostic {
    let (keyword, name) = (kind.keyword(), &first.text);
    let fault = Diagnostic::error(format!("{keyword} `{name}` has no type"), last.after())
        .label("expected `:` and a type");
    if let Some(equals) = equals {
        return fault.help("a type stands after `:`").edit(Span { start: last.end, ..equals }, ":");
    }
    match kind {
        Kind::Param => fault.help(format!(
            "write `param {name}: [H, I]` for a matrix, `[H]` for a vector, `[]` for one number"
        )),
        _ => fault.help(format!(
            "write `{keyword} {name}: [H]` for a vector, `{keyword} {name}: []` for one number"
        )),
    }
}

/// A type that is no shape in brackets, with the changes that make it one, if they are known.
pub(super) fn type_without_brackets(found: &str, span: Span, edits: &[(Span, &str)]) -> Diagnostic {
    let fault = Diagnostic::error(format!("expected a type, found `{found}`"), span).help(
        "a shape is written in brackets: `[H, I]` for a matrix, `[H]` for a vector, `[]` for one \
         number; `index(V)` is a whole number below V",
    );
    edits.iter().fold(fault, |fault, (span, text)| fault.edit(*span, *text))
}

pub(super) fn initial_input(span: Span) -> Diagnostic {
    Diagnostic::error("inputs have no initialiser", span)
        .help("only parameters and states are initialised")
}

pub(super) fn drawn_state(span: Span) -> Diagnostic {
    Diagnostic::error("the initial state is not drawn", span).help(
        "a state begins at a number, `state h: [H] = 0`, or where a parameter says, which may be \
         drawn: `state h: [H] = h_0` with `param h_0: [H] ~ ..`",
    )
}

pub(super) fn drawn_constant(tilde: Span, number: Span) -> Diagnostic {
    Diagnostic::error("expected a distribution after `~`, found a number", number)
        .help("a constant is written with `=`")
        .edit(tilde, "=")
}

pub(super) fn comparison_as_definition(name: &str, span: Span) -> Diagnostic {
    Diagnostic::error("expected `=`, found `==`", span)
        .label("`==` compares")
        .help(format!("write `=` to define `{name}`"))
        .edit(span, "=")
}

pub(super) fn several_definitions(span: Span) -> Diagnostic {
    Diagnostic::error("a definition defines one name", span).help(
        "write one definition for each name; what gives several values is called for each, and \
             parts of a vector are `v[..H]` and `v[H..]`",
    )
}

pub(super) fn output_with_type(name: &Name, span: Span) -> Diagnostic {
    Diagnostic::error(format!("output `{}` has a type", name.text), span)
        .label("the type of an output follows from its value")
        .help(format!("write `output {0}` or `output {0} = expression`", name.text))
}

/// For `f(x) = ..`, `h(t) = ..`, `h[t] = ..` and `v[0] = ..`.
pub(super) fn definition_of_other(defined: &Expr) -> Diagnostic {
    let is_step = |at: &Expr| {
        let at = at.to_string();
        at == "t" || at.starts_with("t +") || at.starts_with("t -")
    };
    let of_step = match &defined.kind {
        ExprKind::Call { arguments, .. } => matches!(&arguments[..], [at] if is_step(at)),
        ExprKind::Index { index, .. } => is_step(index),
        _ => false,
    };
    match &defined.kind {
        _ if of_step => Diagnostic::error("a definition is of this step alone", defined.span).help(
            "write `name = expression`, and for the new value of a state `next h = expression`",
        ),
        ExprKind::Call { function, .. } => {
            Diagnostic::error("a function is not defined within a cell", defined.span)
                .help(format!("write `fn {}(x) = expression` above the cell", function.text))
        }
        _ => Diagnostic::error("a definition defines one name", defined.span)
            .help("a value is made as a whole: parts are put together by `concat(a, b)`"),
    }
}

pub(super) fn part_of_next(state: &Name, span: Span) -> Diagnostic {
    let state = &state.text;
    Diagnostic::error(format!("`next {state}` is defined as a whole, not by its parts"), span)
        .help(format!("put the parts together: `next {state} = concat(a, b)`"))
}

pub(super) fn comma_at_end(span: Span) -> Diagnostic {
    Diagnostic::error("expected an operator or the end of the line, found `,`", span)
        .help("a statement ends with its line")
        .edit(span, "")
}

pub(super) fn lone_expression(expr: &Expr) -> Diagnostic {
    Diagnostic::error("an expression on its own does nothing", expr.span)
        .help("define a name by it, `name = ..`, or make it an output, `output name = ..`")
}

// Expressions.

pub(super) fn chained_comparison(second: Span, first: Span) -> Diagnostic {
    Diagnostic::error("comparisons cannot be chained", second)
        .also(first, "the first comparison")
        .help("write a product of comparisons: `(a < b) * (b < c)`")
}

pub(super) fn too_deep(limit: u16, span: Span) -> Diagnostic {
    Diagnostic::error(format!("the expression is more than {limit} levels deep"), span)
        .help("give names to its parts")
}

pub(super) fn tuple(span: Span) -> Diagnostic {
    Diagnostic::error("expected `)`, found `,`", span).help("vectors are joined by `concat(a, b)`")
}

pub(super) fn list(span: Span, close: Option<Span>) -> Diagnostic {
    let fault = Diagnostic::error("expected an expression, found `[`", span);
    let fault = match close {
        Some(close) => fault.edit(span, "concat(").edit(close, ")"),
        None => fault,
    };
    fault.help("vectors are joined by `concat(a, b)`, and rows by `stack(u, v)`; a shape is an argument of its \
         own: `zeros([M, N])`")
}

pub(super) fn decorator(span: Span) -> Diagnostic {
    Diagnostic::error("expected an expression, found `@`", span)
        .help("`@` stands between a matrix and a vector: `W @ x`")
}

pub(super) fn named_argument(argument: &Expr, span: Span, value: Span) -> Diagnostic {
    let fault = Diagnostic::error("arguments have no names", span);
    let fault = match &argument.kind {
        ExprKind::Name(_) => fault.edit(argument.span.to(value.before()), ""),
        _ => fault,
    };
    match &argument.kind {
        ExprKind::Name(name) if name == "dim" || name == "axis" => {
            fault.help("write the axis as a number: `sum(m, 0)`")
        }
        _ => fault
            .help(format!("write the value alone, or `{}` to compare", Operator::Equal.symbol())),
    }
}

pub(super) fn three_indices(span: Span) -> Diagnostic {
    Diagnostic::error("expected `]`, found `,`", span)
        .help("a matrix has two axes: `m[rows, columns]`, each an index or `a..b`")
}
