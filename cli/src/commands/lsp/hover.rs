//! What is shown of a name where the pointer rests on it.

use std::collections::BTreeSet;

use cellc_compiler::check::NamedValue;
use cellc_compiler::diagnostic::Span;
use cellc_compiler::syntax::ast::{
    Cell, Declaration, Dim, Expr, Function, Initializer, Kind, Name, Parameter,
};
use cellc_compiler::unit::Unit;

use super::document::Analysis;
use super::names::{Meaning, Mention};
use super::reference;
use crate::describe::written_type;

/// What a name of a document stands for, in Markdown: how it is introduced, and what it is.
pub(super) fn text(analysis: &Analysis, unit: &Unit, mention: Mention<'_>) -> Option<String> {
    let value = || {
        let span = mention.meaning.introduced()?;
        let value = analysis.values.iter().find(|value| value.span == span)?;
        Some(shape(value, unit.root().cell.as_ref()?))
    };
    let of_shape = |what: &str| match value() {
        Some(shape) => format!("{what}: {shape}"),
        None => what.to_owned(),
    };
    let of = |function: &Function| format!("of the function `{}`", function.name.text);
    // What is imported says where from.
    let global = |what: &str| match mention.meaning.introduced() {
        Some(Span { file, .. }) if file != 0 => format!("{what} of {}", unit.sources[file].name),
        _ => what.to_owned(),
    };
    let (code, what) = match mention.meaning {
        Meaning::BuiltIn(name) => return reference::function(name),
        Meaning::Initializer(name) => return reference::initializer(name),
        Meaning::Cell(cell) => (header(cell), "the cell".to_owned()),
        Meaning::Dim(dim) => (dimension(dim), "a dimension of the cell".to_owned()),
        Meaning::Declared(declaration, name) => {
            (declared(declaration, name), of_shape(kind(declaration.kind)))
        }
        Meaning::Hyper(hyper) => {
            (format!("hyper {} = {}", hyper.name.text, hyper.value), "a hyper-parameter".to_owned())
        }
        Meaning::Defined(name, value) => (defined(name, value), of_shape("a value of each step")),
        Meaning::Output(name, value) => {
            (format!("output {}", defined(name, value)), of_shape("an output"))
        }
        Meaning::Constant(constant) => {
            let code = format!("const {} = {}", constant.name.text, constant.value);
            (code, global("a constant"))
        }
        Meaning::Function(function) => {
            let parameters: Vec<_> = function.parameters.iter().map(parameter).collect();
            let code = format!("fn {}({})", function.name.text, parameters.join(", "));
            (code, global("a function"))
        }
        Meaning::Parameter(function, given) => {
            (parameter(given), format!("a parameter {}", of(function)))
        }
        Meaning::Extent(function, extent) => {
            (extent.to_string(), format!("a dimension {}, bound by the argument", of(function)))
        }
        Meaning::Local(function, name, value) => {
            (defined(name, value), format!("a value {}", of(function)))
        }
    };
    let code = format!("```cellc\n{code}\n```\n\n{what}");
    let documented =
        matches!(mention.meaning, Meaning::Cell(_) | Meaning::Function(_) | Meaning::Constant(_));
    let comment = mention.meaning.introduced().filter(|_| documented);
    let comment = comment.map(|span| comment_above(unit, span)).unwrap_or_default();
    Some(if comment.is_empty() { code } else { format!("{code}\n\n{comment}") })
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Input => "an input",
        Kind::State => "a state",
        Kind::Param => "a parameter",
    }
}

fn header(cell: &Cell) -> String {
    let dims: Vec<_> = cell.dims.iter().map(dimension).collect();
    format!("cell {}({})", cell.name.text, dims.join(", "))
}

fn dimension(dim: &Dim) -> String {
    let default = dim.default.as_ref().map(|default| format!(" = {default}"));
    format!("{}{}", dim.name.text, default.unwrap_or_default())
}

/// A declaration, of one of its names: `param W: [H, I] ~ uniform(0.1)`.
fn declared(declaration: &Declaration, name: &Name) -> String {
    let initializer = match &declaration.initializer {
        None => String::new(),
        Some(Initializer::Constant(value)) => format!(" = {value}"),
        Some(Initializer::Draw { name, arguments }) if arguments.is_empty() => {
            format!(" ~ {}", name.text)
        }
        Some(Initializer::Draw { name, arguments }) => {
            let arguments: Vec<_> = arguments.iter().map(ToString::to_string).collect();
            format!(" ~ {}({})", name.text, arguments.join(", "))
        }
    };
    let keyword = declaration.kind.keyword();
    format!("{keyword} {}: {}{initializer}", name.text, written_type(&declaration.ty))
}

fn defined(name: &Name, value: &Expr) -> String {
    format!("{} = {value}", name.text)
}

fn parameter(parameter: &Parameter) -> String {
    let pattern = parameter.pattern.as_ref().map(|pattern| format!(": {}", written_type(pattern)));
    format!("{}{}", parameter.name.text, pattern.unwrap_or_default())
}

/// A shape in words. The sizes are in it if they follow from the text; those that were chosen to check
/// the cell say nothing.
fn shape(value: &NamedValue, cell: &Cell) -> String {
    if let Some(bound) = &value.bound {
        return format!("an index below {}", sized(std::slice::from_ref(bound), cell, |list| list));
    }
    let brackets = |list| format!("[{list}]");
    match value.extents.as_slice() {
        [] => "a single number".to_owned(),
        vector @ [_] => format!("a vector {}", sized(vector, cell, brackets)),
        matrix => format!("a matrix {}", sized(matrix, cell, brackets)),
    }
}

/// Extents as they are written, and their sizes if these are known.
fn sized(extents: &[(String, usize)], cell: &Cell, within: impl Fn(String) -> String) -> String {
    let list = |parts: Vec<String>| within(parts.join(", "));
    let written = list(extents.iter().map(|(written, _)| written.clone()).collect());
    let sizes = list(extents.iter().map(|(_, size)| size.to_string()).collect());
    let known = known_dims(cell);
    let is_known = |(written, _): &(String, usize)| {
        let words = written.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        words.filter(|word| !word.is_empty()).all(|word| {
            word.starts_with(|first: char| first.is_ascii_digit()) || known.contains(word)
        })
    };
    if written != sizes && extents.iter().all(is_known) {
        return format!("{written} = {sizes}");
    }
    written
}

/// The dimensions of a cell whose sizes follow from defaults alone.
fn known_dims(cell: &Cell) -> BTreeSet<&str> {
    let mut known = BTreeSet::new();
    for Dim { name, default } in &cell.dims {
        if default.as_ref().is_some_and(|default| is_made_of(default, &known)) {
            known.insert(name.text.as_str());
        }
    }
    known
}

fn is_made_of(expr: &Expr, names: &BTreeSet<&str>) -> bool {
    expr.as_name().is_none_or(|name| names.contains(name))
        && expr.parts().into_iter().all(|part| is_made_of(part, names))
}

/// The comment on the lines just above a place.
fn comment_above(unit: &Unit, span: Span) -> String {
    let Some(source) = unit.sources.get(span.file) else { return String::new() };
    let line = source.text[..span.start].rfind('\n').map_or(0, |end| end + 1);
    let above = source.text[..line].lines().rev();
    let comments = above.map_while(|line| line.trim().strip_prefix("//").map(str::trim));
    let mut comments: Vec<_> = comments.collect();
    comments.reverse();
    comments.join("\n")
}
