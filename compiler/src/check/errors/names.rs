//! Names, states and outputs.

use super::super::functions::{FUNCTIONS, Function};
use super::super::names::{Entry, Origin};
use super::shapes::plural;
use crate::diagnostic::{Diagnostic, Span};
use crate::foreign;
use crate::suggest::closest;
use crate::syntax::ast::{Expr, Kind, Name};

const TIME: &str = "names are of this step: `x` is its input, `h` the state before it, and `next h` the \
                    state after it";

/// `h(t - 1)`
pub(crate) fn value_at_time(name: &Name) -> Diagnostic {
    Diagnostic::error(format!("`{}` is not a function", name.text), name.span).help(TIME)
}

pub(crate) fn unknown_name<'c>(
    name: &str,
    span: Span,
    known: impl Iterator<Item = &'c str>,
) -> Diagnostic {
    let fault = Diagnostic::error(format!("unknown name `{name}`"), span);
    if let Some(function) = FUNCTIONS.iter().find(|function| function.name == name) {
        return fault.help(format!("`{name}` is a function, called as `{}`", function.usage));
    }
    if let Some(here) = foreign::value(name) {
        return fault.help(format!("write `{here}`")).edit(span, here);
    }
    if matches!(name, "t" | "time") {
        return fault.help(TIME);
    }
    let known: Vec<_> = known.collect();
    if let Some((base, is_after)) = foreign::of_step(name)
        && known.contains(&base)
    {
        let here = if is_after { format!("next {base}") } else { base.to_owned() };
        return fault.help(TIME).edit(span, here);
    }
    match closest(name, known) {
        Some(known) => fault.help(format!("did you mean `{known}`?")).edit(span, known),
        None => fault.help(format!(
            "declare it (`input`, `state` or `param`) or define it (`{name} = ..`) above"
        )),
    }
}

/// A name that is used above its definition, or in the value that defines it.
pub(crate) fn early_use(name: &str, span: Span, later: Span, value: Option<&Expr>) -> Diagnostic {
    if value.is_some_and(|value| value.span.contains(span)) {
        return Diagnostic::error(format!("`{name}` is made of itself"), span)
            .also(later, "defined here")
            .help("a name stands for one value, made of what is defined above it; choose another");
    }
    Diagnostic::error(format!("`{name}` is used before it is defined"), span)
        .also(later, "defined here")
        .help("a name is defined above its uses")
}

pub(crate) fn second_definition(name: &Name, origin: Origin, first: &Entry) -> Diagnostic {
    let text = &name.text;
    if origin == Origin::Definition {
        match first.origin {
            Origin::Declared(Kind::State) => {
                return Diagnostic::error(format!("state `{text}` is not assigned to"), name.span)
                    .also(first.span, "declared here")
                    .help("its value at the next time step is defined by `next`")
                    .edit(name.span.before(), "next ");
            }
            Origin::Definition => {}
            other => {
                let message = format!("`{text}` is {} already", other.describe());
                return Diagnostic::error(message, name.span)
                    .also(first.span, "declared here")
                    .help("choose another name for this value");
            }
        }
    }
    let verb = if origin == Origin::Definition { "defined" } else { "declared" };
    let before = match first.origin {
        Origin::Definition | Origin::Constant => "defined",
        _ => "declared",
    };
    let message = if verb == before {
        format!("`{text}` is {verb} twice")
    } else {
        format!("`{text}` is {verb}, but {before} already")
    };
    Diagnostic::error(message, name.span)
        .also(first.span, "first here")
        .help("a name stands for one value; choose another")
}

// Functions.

pub(crate) fn unknown_function<'f>(
    name: &Name,
    is_value: bool,
    own: impl Iterator<Item = &'f str>,
) -> Diagnostic {
    let text = &name.text;
    if is_value {
        return Diagnostic::error(format!("`{text}` is not a function"), name.span)
            .help("a product is written with `*`, or with `@` between a matrix and a vector");
    }
    let fault = Diagnostic::error(format!("unknown function `{text}`"), name.span);
    if let Some(own) = closest(text, own) {
        return fault.help(format!("did you mean `{own}`?")).edit(name.span, own);
    }
    if let Some(advice) =
        foreign::function(text).or_else(|| foreign::function(&text.to_lowercase()))
    {
        let fault = fault.help(advice.help);
        return match advice.name {
            Some(here) => fault.edit(name.span, here),
            None => fault,
        };
    }
    match closest(text, FUNCTIONS.iter().map(|function| function.name)) {
        Some(known) => fault.help(format!("did you mean `{known}`?")).edit(name.span, known),
        None => {
            let names: Vec<_> = FUNCTIONS.iter().map(|function| function.name).collect();
            fault.help(format!(
                "the functions are {}; one of your own is written `fn {text}(x) = ..` above the \
                 cell",
                names.join(", ")
            ))
        }
    }
}

pub(crate) fn argument_count(function: &Function, found: usize, span: Span) -> Diagnostic {
    let usage = format!("it is called as `{}`", function.usage);
    let help = match function.name {
        name @ ("max" | "min") if found > 2 => {
            format!("{usage}; of three values, write `{name}(a, {name}(b, c))`")
        }
        "zeros" | "ones" | "reshape" | "bernoulli" if found > 1 => {
            format!("{usage}: a shape is one argument, in brackets")
        }
        _ => usage,
    };
    let found = plural(found, "argument");
    Diagnostic::error(format!("`{}` does not take {found}", function.name), span).help(help)
}

// States.

pub(crate) fn unknown_state<'c>(state: &Name, states: impl Iterator<Item = &'c str>) -> Diagnostic {
    let fault = Diagnostic::error(format!("there is no state `{}`", state.text), state.span);
    match closest(&state.text, states) {
        Some(known) => fault.help(format!("did you mean `{known}`?")).edit(state.span, known),
        None => fault.help(format!("declare it above: `state {}: [H]`", state.text)),
    }
}

pub(crate) fn next_of_other(name: &Name, entry: &Entry) -> Diagnostic {
    let message = format!("`{}` is not a state", name.text);
    let what = match entry.origin {
        Origin::Definition => "defined here".into(),
        origin => format!("`{}` is {}", name.text, origin.describe()),
    };
    Diagnostic::error(message, name.span)
        .also(entry.span, what)
        .help("`next` is for states: their values at the next time step")
}

/// The new value of a state, above its definition or in the value that defines it.
pub(crate) fn early_next(state: &Name, later: Option<(Span, &Expr)>) -> Diagnostic {
    let text = &state.text;
    if let Some((later, value)) = later
        && value.span.contains(state.span)
    {
        return Diagnostic::error(format!("`next {text}` is made of itself"), state.span)
            .also(later, "defined here")
            .help(format!("the value before the time step is `{text}`, without `next`"));
    }
    let message = format!("`next {text}` is used before it is defined");
    let fault = Diagnostic::error(message, state.span);
    match later {
        Some((later, _)) => fault
            .also(later, "defined here")
            .help(format!("move this below; the value before the time step is `{text}`")),
        None => fault.help(format!("define it above: `next {text} = ..`")),
    }
}

pub(crate) fn second_next(state: &Name, span: Span, first: Span) -> Diagnostic {
    Diagnostic::error(format!("`next {}` is defined twice", state.text), span)
        .also(first, "first here")
}

pub(crate) fn state_without_next(state: &Name) -> Diagnostic {
    let text = &state.text;
    Diagnostic::error(format!("state `{text}` has no next value"), state.span)
        .help(format!("define it: `next {text} = ..`; `next {text} = {text}` keeps it as it is"))
}

// Outputs.

pub(crate) fn unknown_output<'c>(name: &Name, known: impl Iterator<Item = &'c str>) -> Diagnostic {
    let text = &name.text;
    let fault = Diagnostic::error(format!("unknown name `{text}`"), name.span);
    match closest(text, known) {
        Some(known) => fault.help(format!("did you mean `{known}`?")).edit(name.span, known),
        None => fault.help(format!("give the output a value: `output {text} = ..`")),
    }
}

pub(crate) fn second_output(name: &Name, first: Span) -> Diagnostic {
    Diagnostic::error(format!("there are two outputs `{}`", name.text), name.span)
        .also(first, "first here")
}

pub(crate) fn output_as_value(name: &str, span: Span, output: Span) -> Diagnostic {
    Diagnostic::error(format!("unknown name `{name}`"), span)
        .also(output, format!("`{name}` is the name of an output alone"))
        .help(format!("define `{name} = ..` first, and then `output {name}`"))
}

pub(crate) fn no_output(cell: &Name, state: Option<&str>) -> Diagnostic {
    let fault = Diagnostic::error(format!("cell `{}` has no output", cell.text), cell.span);
    match state {
        Some(state) => {
            fault.help(format!("write `output {state}` to show the new value of state `{state}`"))
        }
        None => fault.help("write `output name` or `output name = ..`"),
    }
}
