//! The text of a file, parsed into a tree.
//!
//! `lexer` makes tokens of text; `parser` (files and cells), `items` (functions, constants and
//! imports), `statements`, `declarations` and `expressions` make a tree of tokens, by recursive
//! descent with two tokens of lookahead; `foreign` knows what is written otherwise in other languages.
//! The grammar is in `docs/language.md`. `format` writes a text in the one style.

pub mod ast;
mod declarations;
mod errors;
mod expr;
mod expressions;
mod foreign;
mod format;
mod items;
mod lexer;
mod parser;
mod statements;

pub use self::format::format;
use crate::diagnostic::{Diagnostic, Source};

/// The words that are no names.
pub const KEYWORDS: [&str; 11] =
    ["cell", "input", "state", "param", "hyper", "next", "output", "fn", "return", "const", "use"];

/// Parses the text of a file.
///
/// # Errors
/// Everything that is wrong with its form, in the order of the text.
pub fn parse(source: &Source) -> Result<ast::File, Vec<Diagnostic>> {
    parser::parse(&source.text, 0).map(|form| form.file)
}

/// Parses the text of a file that is one of several: its spans are of the source of that number.
///
/// # Errors
/// Everything that is wrong with its form, in the order of the text.
pub(crate) fn parse_numbered(source: &Source, file: usize) -> Result<ast::File, Vec<Diagnostic>> {
    parser::parse(&source.text, file).map(|form| form.file)
}

/// What of such a text can be parsed, and everything that is wrong with its form. If something is,
/// the tree may lack parts of the text, and have [`ExprKind::Error`](ast::ExprKind::Error) in it.
pub(crate) fn recover_numbered(source: &Source, file: usize) -> (ast::File, Vec<Diagnostic>) {
    let (form, faults) = parser::recover(&source.text, file);
    (form.file, faults)
}
