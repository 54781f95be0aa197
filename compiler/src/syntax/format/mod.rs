//! The text of a file in the style of the catalogue.
//!
//! `pieces` are the tokens, each with the comments before it; `layout` puts them on lines, and
//! `comments` aligns the comments at their ends. What comes out depends on the tokens, on which of
//! them comments stand between, and on which statements have blank lines between them: line breaks
//! within a statement are made anew. [`format()`] compares the tree and the comments before and after.

mod comments;
mod layout;
mod pieces;
mod plain;

use self::pieces::{Piece, pieces};
use self::plain::plain;
use super::parser::{Form, parse};
use crate::diagnostic::{Diagnostic, Source, Span};

/// Where a line of code ends at the latest, in characters, if it can be broken.
const MAX_WIDTH: usize = 100;

/// How far a line is moved in within brackets.
const INDENT: usize = 4;

/// The same cell in the style of the catalogue: four spaces, a statement on each line, spaces around
/// operators, lines of at most 100 characters, comments at the ends of neighbouring lines in one
/// column. Comments stay, and so does one blank line where there are some. Lines end as the first
/// one does.
///
/// # Errors
/// Everything that is wrong with the form of the text.
pub fn format(source: &Source) -> Result<String, Vec<Diagnostic>> {
    let before = parse(&source.text, 0)?;
    let before_pieces = pieces(&source.text, &before);
    let text = comments::aligned(layout::lines(&before_pieces));
    let same = parse(&text, 0).is_ok_and(|after| {
        let after_pieces = pieces(&text, &after);
        is_same(&before, &after) && said(&before_pieces).eq(said(&after_pieces))
    });
    if !same {
        let fault =
            Diagnostic::error("internal error: formatting changes this file", Span::default());
        return Err(vec![fault.help("the file stays as it is; please report it")]);
    }
    let first_line = source.text.split_inclusive('\n').next();
    let ends_as_windows = first_line.is_some_and(|line| line.ends_with("\r\n"));
    Ok(if ends_as_windows { text.replace('\n', "\r\n") } else { text })
}

/// Whether two trees are the same but for where their parts stand.
fn is_same(one: &Form, other: &Form) -> bool {
    plain(one.file.clone()) == plain(other.file.clone())
}

/// The comments, in order.
fn said<'p>(pieces: &'p [Piece<'_>]) -> impl Iterator<Item = &'p str> {
    pieces.iter().flat_map(|piece| piece.comments.iter().map(|comment| comment.text))
}
