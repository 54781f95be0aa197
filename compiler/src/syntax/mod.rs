//! The text of a cell, parsed into a tree.
//!
//! `lexer` makes tokens of text; `parser` (cells and statements), `declarations` and `expressions`
//! make a tree of tokens, by recursive descent with two tokens of lookahead. The grammar is in
//! `docs/language.md`.

pub mod ast;
mod declarations;
mod errors;
mod expressions;
mod lexer;
mod parser;

use crate::diagnostic::{Diagnostic, Source};

/// The words that are no names.
pub(crate) const KEYWORDS: [&str; 6] = ["cell", "input", "state", "param", "next", "output"];

/// Parses the text of a cell.
///
/// # Errors
/// Everything that is wrong with its form, in the order of the text.
pub fn parse(source: &Source) -> Result<ast::Cell, Vec<Diagnostic>> {
    parser::parse(&source.text)
}
