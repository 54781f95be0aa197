//! Functions, constants and imports.

use super::super::value::Value;
use super::shapes::plural;
use crate::diagnostic::{Diagnostic, Span};
use crate::suggest::closest;
use crate::syntax::ast::{Constant, Expr, ExprKind, Function, Name, Place, Use};

// The names of a file.

pub(crate) fn second_of_file(name: &Name, what: &str, first: Span) -> Diagnostic {
    Diagnostic::error(format!("{what} `{}` has a name that is taken", name.text), name.span)
        .also(first, "first here")
        .help("in a file a name stands for one constant or function, its own or imported")
}

pub(crate) fn second_of_function(name: &Name, first: Span) -> Diagnostic {
    Diagnostic::error(format!("`{}` stands for something already", name.text), name.span)
        .also(first, "first here")
        .help("a name stands for one value; choose another")
}

pub(crate) fn name_of_built_in(name: &Name, usage: &str) -> Diagnostic {
    Diagnostic::error(format!("`{}` is a function of the language", name.text), name.span)
        .label(format!("it is called as `{usage}`"))
        .help("choose another name for yours")
}

pub(crate) fn no_such_import<'k>(
    name: &Name,
    import: &Use,
    known: impl Iterator<Item = &'k str> + Clone,
) -> Diagnostic {
    let place = match &import.place {
        Place::Catalogue(library) => format!("`{library}`"),
        Place::File(path) => format!("\"{path}\""),
    };
    let message = format!("{place} has no function or constant `{}`", name.text);
    let fault = Diagnostic::error(message, name.span);
    if let Some(near) = closest(&name.text, known.clone()) {
        return fault.help(format!("did you mean `{near}`?")).edit(name.span, near);
    }
    match known.collect::<Vec<_>>().join(", ") {
        none if none.is_empty() => fault.help("it has none at all"),
        known => fault.help(format!("it has {known}")),
    }
}

pub(crate) fn library_as_cell(at: Span, functions: &[Function]) -> Diagnostic {
    let names: Vec<_> = functions.iter().map(|f| f.name.text.as_str()).collect();
    let fault = Diagnostic::error("the file is a library: it contains no cell", at);
    match names.as_slice() {
        [] => fault.help("a cell is written `cell NAME(I, H) { .. }`"),
        names => fault.help(format!(
            "a cell imports what it needs: `use {} from ..`; a cell is written \
             `cell NAME(I, H) {{ .. }}`",
            names.join(", ")
        )),
    }
}

// Constants.

pub(crate) fn unknown_constant<'k>(
    name: &str,
    span: Span,
    later: Option<&Constant>,
    known: impl Iterator<Item = &'k str>,
) -> Diagnostic {
    if let Some(later) = later {
        return super::early_use(name, span, later.name.span, Some(&later.value));
    }
    let fault = Diagnostic::error(format!("unknown constant `{name}`"), span);
    match closest(name, known) {
        Some(near) => fault.help(format!("did you mean `{near}`?")).edit(span, near),
        None => fault.help(
            "a constant of a file is made of numbers and of constants above it; what depends on \
             dimensions is defined in the cell",
        ),
    }
}

// Functions.

pub(crate) fn function_as_value(name: &str, span: Span, function: &Function) -> Diagnostic {
    Diagnostic::error(format!("`{name}` is a function"), span)
        .also(function.name.span, "defined here")
        .help(format!("it is called as `{function}`"))
}

pub(crate) fn user_argument_count(function: &Function, found: usize, span: Span) -> Diagnostic {
    let found = plural(found, "argument");
    Diagnostic::error(format!("`{}` does not take {found}", function.name.text), span)
        .also(function.name.span, "defined here")
        .help(format!("it is called as `{function}`"))
}

pub(crate) fn unknown_in_function<'k>(
    name: &str,
    span: Span,
    of_cell: bool,
    known: impl Iterator<Item = &'k str>,
) -> Diagnostic {
    if of_cell {
        return Diagnostic::error(format!("a function does not see `{name}` of the cell"), span)
            .help(format!("make it a parameter of the function, and pass `{name}`"));
    }
    let fault = Diagnostic::error(format!("unknown name `{name}`"), span);
    match closest(name, known) {
        Some(near) => fault.help(format!("did you mean `{near}`?")).edit(span, near),
        None => fault.help(format!(
            "a function sees its parameters, what it defines above, and constants: \
             `const {name} = ..`"
        )),
    }
}

pub(crate) fn next_in_function(state: &Name, span: Span) -> Diagnostic {
    Diagnostic::error("a function does not see the states of the cell", span)
        .help(format!("make it a parameter of the function, and pass `next {}`", state.text))
}

pub(crate) fn recursive(names: &[&str], calls: &[Span]) -> Diagnostic {
    let circle: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    let first = circle[0].clone();
    let mut fault = Diagnostic::error(format!("function {first} calls itself"), calls[0])
        .help("functions are put in place of their calls, which would have no end");
    if circle.len() > 1 {
        let after = circle[1..].join(", which calls ");
        fault = fault.label(format!("{first} calls {after}, which calls {first}"));
    }
    for (call, name) in calls[1..].iter().zip(&circle[1..]) {
        fault = fault.also(*call, format!("{name} goes on here"));
    }
    fault
}

pub(crate) fn calls_too_deep(function: &Name, limit: usize) -> Diagnostic {
    let message = format!("with the functions it calls, `{}` is too deep", function.text);
    Diagnostic::error(message, function.span)
        .label(format!("more than {limit} levels of expressions within expressions"))
        .help("give names to parts of the functions")
}

pub(crate) fn too_many_calls(limit: usize, span: Span) -> Diagnostic {
    Diagnostic::error(format!("the cell calls functions more than {limit} times"), span).help(
        "each call is put in place, those within functions too: define what is used often once",
    )
}

// Patterns.

pub(crate) fn pattern_rank(
    pattern: Span,
    written: &str,
    argument: &Expr,
    found: &Value,
) -> Diagnostic {
    let message = format!("expected {written}, found {}", found.describe());
    Diagnostic::error(message, argument.span).also(pattern, "the parameter is declared here")
}

/// An extent that is another than what its pattern stands for.
pub(crate) struct PatternMismatch<'p> {
    /// The extent as the pattern has it.
    pub(crate) extent: &'p Expr,
    /// The shape that it is part of, in words.
    pub(crate) written: String,
    /// What it stands for.
    pub(crate) expected: i64,
    /// What the argument has there.
    pub(crate) found: &'p Value,
    /// The argument.
    pub(crate) argument: &'p Expr,
    /// The argument that bound it, and what that is called.
    pub(crate) bound_by: Option<(Span, &'p str)>,
}

pub(crate) fn pattern_mismatch(function: &str, mismatch: &PatternMismatch<'_>) -> Diagnostic {
    let PatternMismatch { extent, written, expected, found, argument, bound_by } = mismatch;
    let takes = match extent.kind {
        // It is the same in all calls.
        ExprKind::Number { .. } => format!("`{function}` takes {written}"),
        _ => format!("`{extent}` of `{function}` is {expected} in this call"),
    };
    let message = format!("{takes}, but the argument is {}", found.describe());
    let fault = Diagnostic::error(message, argument.span)
        .also(extent.span, "the parameter is declared here");
    match bound_by {
        Some((span, parameter)) => {
            fault.also(*span, format!("`{parameter}` makes `{extent}` {expected}"))
        }
        None => fault,
    }
}

pub(crate) fn pattern_extent(extent: &Expr) -> Diagnostic {
    Diagnostic::error("expected a dimension in the type of a parameter", extent.span)
        .help("it is a name, which the argument gives a size, or made of names and whole numbers")
}

pub(crate) fn pattern_unbound(name: &str, span: Span) -> Diagnostic {
    Diagnostic::error(format!("nothing gives the dimension `{name}` a size"), span)
        .help(format!("a parameter must have it on its own: `v: [{name}]`"))
}
