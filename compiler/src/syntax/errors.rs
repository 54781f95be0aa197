//! The faults of form, one constructor each.

use super::KEYWORDS;
use super::ast::{Expr, ExprKind, Kind, Name, Operator};
use crate::diagnostic::{Diagnostic, Span};
use crate::suggest::closest;

/// What those who come from other languages begin a statement with, and what to write here.
const FOREIGN_KEYWORDS: [(&str, &str); 21] = [
    ("let", "write `name = expression`"),
    ("var", "write `name = expression`"),
    ("const", "write `name = expression`"),
    ("def", "write `cell NAME(DIM, ...) { .. }`"),
    ("class", "write `cell NAME(DIM, ...) { .. }`"),
    ("fn", "write `cell NAME(DIM, ...) { .. }`"),
    ("return", "write `output name` or `output name = expression`"),
    ("import", "all functions are built in"),
    ("from", "all functions are built in"),
    ("if", "write `select(condition, a, b)`"),
    ("else", "write `select(condition, a, b)`"),
    ("for", "a cell is one time step; the loop over the sequence is made by the compiler"),
    ("while", "a cell is one time step; the loop over the sequence is made by the compiler"),
    ("self", "a state or parameter is used by its plain name"),
    ("print", "to look at a value, make it an output: `output name`"),
    ("weight", "write `param NAME: [H, I]`"),
    ("parameter", "write `param NAME: [H, I]`"),
    ("hidden", "write `state NAME: [H]`"),
    ("memory", "write `state NAME: [H]`"),
    ("new", "write `next state = expression`"),
    ("out", "write `output name`"),
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

pub(super) fn juxtaposition(found: &str, span: Span) -> Diagnostic {
    Diagnostic::error(format!("expected an operator or the end of the line, found {found}"), span)
        .help("a product is written with `*`, or with `@` between a matrix and a vector")
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

pub(super) fn no_cell(found: &str, span: Span) -> Diagnostic {
    let fault = Diagnostic::error(format!("expected `cell`, found `{found}`"), span);
    match closest(found, ["cell"]) {
        Some(word) => fault.help(format!("did you mean `{word}`?")).edit(span, word),
        None => fault.help("a file consists of one cell: `cell NAME(I, H) { .. }`"),
    }
}

pub(super) fn second_cell(span: Span, first: Span) -> Diagnostic {
    Diagnostic::error("a file contains one cell", span)
        .label("a second cell")
        .also(first, "the first")
        .help("move each cell to a file of its own")
}

pub(super) fn after_cell(found: &str, span: Span, cell: Span) -> Diagnostic {
    Diagnostic::error(format!("expected the end of the text, found {found}"), span)
        .label("after the end of the cell")
        .also(cell, "this cell has ended")
        .help("is there a `}` too many?")
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

// Statements.

pub(super) fn unknown_keyword(word: &str, span: Span) -> Diagnostic {
    let fault = Diagnostic::error(format!("`{word}` begins no statement"), span);
    if let Some(keyword) = closest(word, KEYWORDS) {
        return fault.help(format!("did you mean `{keyword}`?")).edit(span, keyword);
    }
    match FOREIGN_KEYWORDS.iter().find(|(foreign, _)| *foreign == word) {
        Some((_, help)) => fault.help(*help),
        None => fault.help(
            "a statement is `input`, `state` or `param` with names and a type, `name = expression`, \
             `next state = expression`, or `output name`",
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

pub(super) fn declaration_without_type(kind: Kind, first: &Name, last: Span) -> Diagnostic {
    let (keyword, name) = (kind.keyword(), &first.text);
    let end = Span::new(last.end, last.end);
    let fault = Diagnostic::error(format!("{keyword} `{name}` has no type"), end)
        .label("expected `:` and a type");
    match kind {
        Kind::Param => fault.help(format!(
            "write `param {name}: [H, I]` for a matrix, `[H]` for a vector, `[]` for one number"
        )),
        _ => fault.help(format!(
            "write `{keyword} {name}: [H]` for a vector, `{keyword} {name}: []` for one number"
        )),
    }
}

pub(super) fn type_without_brackets(found: &str, span: Span) -> Diagnostic {
    Diagnostic::error(format!("expected a type, found `{found}`"), span).help(
        "a shape is written in brackets: `[H, I]` for a matrix, `[H]` for a vector, `[]` for one \
         number; `index(V)` is a whole number below V",
    )
}

pub(super) fn initializer_of_other(kind: Kind, span: Span) -> Diagnostic {
    let keyword = kind.keyword();
    let fault = Diagnostic::error(format!("{keyword}s have no initialiser"), span);
    match kind {
        Kind::State => fault.help("a state is 0 at the start of a sequence, unless it is given"),
        _ => fault.help("only parameters are initialised"),
    }
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
    Diagnostic::error("a definition defines one name", span)
        .help("write one definition for each name; parts of a vector are `v[..H]` and `v[H..]`")
}

pub(super) fn output_with_type(name: &Name, span: Span) -> Diagnostic {
    Diagnostic::error(format!("output `{}` has a type", name.text), span)
        .label("the type of an output follows from its value")
        .help(format!("write `output {0}` or `output {0} = expression`", name.text))
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

pub(super) fn list(span: Span) -> Diagnostic {
    Diagnostic::error("expected an expression, found `[`", span)
        .help("vectors are joined by `concat(a, b)`, and rows by `stack(u, v)`; a shape is an argument of its \
         own: `zeros([M, N])`")
}

pub(super) fn decorator(span: Span) -> Diagnostic {
    Diagnostic::error("expected an expression, found `@`", span)
        .help("`@` stands between a matrix and a vector: `W @ x`")
}

pub(super) fn named_argument(argument: &Expr, span: Span) -> Diagnostic {
    let fault = Diagnostic::error("arguments have no names", span);
    match &argument.kind {
        ExprKind::Name(name) if name == "dim" || name == "axis" => {
            fault.help("write the axis as a number: `sum(m, 0)`")
        }
        _ => fault
            .help(format!("write the value alone, or `{}` to compare", Operator::Equal.symbol())),
    }
}

pub(super) fn colon_slice(span: Span) -> Diagnostic {
    Diagnostic::error("expected `..`, found `:`", span)
        .help("a slice is written `v[a..b]`")
        .edit(span, "..")
}

pub(super) fn three_indices(span: Span) -> Diagnostic {
    Diagnostic::error("expected `]`, found `,`", span)
        .help("a matrix has two axes: `m[rows, columns]`, each an index or `a..b`")
}
