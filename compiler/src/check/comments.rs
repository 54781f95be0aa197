//! Comments that were perhaps to be quotients: `x // 2`, as Python writes a quotient rounded down.

use super::errors;
use super::globals::Globals;
use crate::diagnostic::{Diagnostic, Span};
use crate::syntax::ast::{Expr, Item};

/// The warnings of the file that the cell stands in: values followed by comments of one number.
pub(super) fn warnings(globals: &Globals<'_>) -> Vec<Diagnostic> {
    let (file, source) = (globals.unit.root(), globals.unit.sources.first());
    let Some(source) = source else { return Vec::new() };
    let of_cell = file.cell.iter().flat_map(|cell| &cell.items).filter_map(|item| match item {
        Item::Definition { value, .. } | Item::Next { value, .. } => Some(value),
        Item::Output { value, .. } => value.as_ref(),
        Item::Declaration(_) | Item::Hyper(_) => None,
    });
    let of_functions = file.functions.iter().flat_map(|function| {
        function.definitions.iter().map(|(_, value)| value).chain([&function.result])
    });
    of_cell.chain(of_functions).flat_map(|value| quotients(value, &source.text)).collect()
}

/// The comments of one number in the lines of an expression, where an operand stands before them.
fn quotients(value: &Expr, text: &str) -> Vec<Diagnostic> {
    let rest = &text[value.span.start..];
    let length = value.span.end - value.span.start;
    let end = rest[length..].find('\n').map_or(rest.len(), |line| length + line);
    let mut start = value.span.start;
    let mut doubts = Vec::new();
    for line in rest[..end].split_inclusive('\n') {
        if let Some((before, comment)) = line.split_once("//") {
            let ends_operand = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ')' | ']');
            let number = comment.trim();
            let is_number = number.starts_with(|c: char| c.is_ascii_digit());
            if before.trim_end().ends_with(ends_operand)
                && is_number
                && number.parse::<f64>().is_ok()
            {
                let at = start + before.len();
                let slashes = Span::new(value.span.file, at, at + "//".len());
                doubts.push(errors::comment_of_number(number, slashes));
            }
        }
        start += line.len();
    }
    doubts
}
