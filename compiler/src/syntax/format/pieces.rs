//! Tokens with the comments before them, as they are to be laid out.

use crate::syntax::KEYWORDS;
use crate::syntax::ast::Operator;
use crate::syntax::lexer::TokenKind;
use crate::syntax::parser::Form;

/// A token and what stands before it.
pub(super) struct Piece<'t> {
    pub(super) text: &'t str,
    /// The comments between the token before and this one.
    pub(super) comments: Vec<Comment<'t>>,
    /// Whether a blank line stands before it.
    pub(super) blank: bool,
    /// Whether it begins an item of the file or a statement.
    pub(super) starts: bool,
    /// Whether a space is before it where it begins no line.
    pub(super) space: bool,
    /// The operator it is between two operands.
    pub(super) operator: Option<Operator>,
    /// Whether it opens brackets whose last part may have a comma behind it.
    pub(super) opens_list: bool,
}

/// A comment.
pub(super) struct Comment<'t> {
    /// From its slashes on, without spaces at its end.
    pub(super) text: &'t str,
    /// Whether nothing stands before it in its line.
    pub(super) own_line: bool,
    /// Whether a blank line stands before it.
    pub(super) blank: bool,
    /// The column it begins in, in characters from 0.
    pub(super) column: usize,
}

/// The pieces of a text. Semicolons and commas before a closing bracket are not among them. Comments
/// before a comma or an opening brace, which stay in the line before, are moved behind it.
pub(super) fn pieces<'t>(text: &'t str, form: &Form) -> Vec<Piece<'t>> {
    let mut pieces: Vec<Piece<'t>> = Vec::new();
    let mut starts = form.starts.iter().peekable();
    let mut gap = Gap::default();
    let mut end = 0;
    for (i, token) in form.tokens.iter().enumerate() {
        gap.read(text, end, token.span.start);
        end = token.span.end;
        let is_start = starts.next_if(|start| **start == i).is_some();
        let written = &text[token.span.start..token.span.end];
        let closes = form
            .tokens
            .get(i + 1)
            .is_some_and(|next| matches!(next.kind, TokenKind::Sign(")" | "]")));
        if written == ";" || written == "," && closes {
            continue;
        }
        let waits = written == "," || written == "{";
        let Gap { comments, blank } = if waits { Gap::default() } else { std::mem::take(&mut gap) };
        let before = pieces.last();
        let ends_operand = before.is_some_and(Piece::ends_operand);
        let operator = Operator::ALL.into_iter().find(|op| op.symbol() == written);
        pieces.push(Piece {
            text: written,
            comments,
            blank,
            starts: is_start,
            space: before.is_some_and(|before| before.is_apart(written, ends_operand)),
            operator: operator.filter(|_| ends_operand),
            opens_list: match written {
                "(" => before.is_some_and(|before| before.ends_operand() && before.is_word()),
                "[" => !ends_operand,
                _ => false,
            },
        });
    }
    pieces
}

impl Piece<'_> {
    fn is_word(&self) -> bool {
        self.text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
    }

    /// Whether an operand can end with it: what follows is then an operator, an index or arguments.
    fn ends_operand(&self) -> bool {
        let is_number = self.text.starts_with(|c: char| c.is_ascii_digit());
        let is_name = self.is_word() && !KEYWORDS.contains(&self.text);
        is_number || is_name || matches!(self.text, ")" | "]")
    }

    /// Whether there is a space between it and what follows it.
    fn is_apart(&self, next: &str, ends_operand: bool) -> bool {
        let is_sign = self.operator.is_none() && self.text == "-";
        if matches!(self.text, "(" | "[" | "..") || is_sign {
            return false;
        }
        match next {
            ")" | "]" | "," | ":" => false,
            ".." => self.text == ",",
            "(" | "[" => !ends_operand,
            _ => true,
        }
    }
}

/// What stands between two tokens.
#[derive(Default)]
struct Gap<'t> {
    comments: Vec<Comment<'t>>,
    blank: bool,
}

impl<'t> Gap<'t> {
    /// Adds what stands between two places of the text.
    fn read(&mut self, text: &'t str, start: usize, end: usize) {
        let mut at = start;
        let mut lines = 0;
        loop {
            let rest = &text[at..end];
            let blank = &rest[..rest.find("//").unwrap_or(rest.len())];
            lines += blank.matches('\n').count();
            at += blank.len();
            if at == end {
                break;
            }
            let comment = text[at..end].split('\n').next().unwrap_or_default();
            self.comments.push(Comment {
                text: comment.trim_end(),
                own_line: start == 0 || lines > 0 || !self.comments.is_empty(),
                blank: lines > 1,
                column: text[..at].chars().rev().take_while(|c| *c != '\n').count(),
            });
            at += comment.len();
            lines = 0;
        }
        self.blank |= lines > 1;
    }
}
