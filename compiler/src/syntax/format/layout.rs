//! Pieces to lines.
//!
//! A statement is one line if it fits and no comment stands in it. Else it is broken where it binds
//! least: behind its commas, or behind its operators of the lowest precedence, each line as full as
//! can be. A part that does not fit on a line of its own is broken in turn; brackets are opened: what
//! is in them stands on lines of its own, moved in, one to a line if one line is too short for all.

use std::ops::Range;

use super::comments::Line;
use super::pieces::Piece;
use super::{INDENT, MAX_WIDTH};

/// The lines of a file, without spaces at their ends.
pub(super) fn lines<'t>(pieces: &[Piece<'t>]) -> Vec<Line<'t>> {
    let mut layout = Layout::new(pieces);
    let mut at = 0;
    let mut depth = 0;
    while at < pieces.len() {
        let piece = &pieces[at];
        layout.between_lines(at, depth * INDENT);
        if piece.text.is_empty() {
            // The end of the text.
            break;
        }
        if piece.text == "}" {
            depth -= 1;
            layout.line(depth * INDENT, "}");
            at += 1;
            continue;
        }
        let ends = |piece: &Piece<'_>| piece.starts || matches!(piece.text, "{" | "}" | "");
        let length = 1 + pieces[at + 1..].iter().position(ends).unwrap_or(0);
        let end = at + length;
        let opens = pieces[end].text == "{";
        layout.pending = Some(depth * INDENT);
        layout.statement(at..end, (depth + 1) * INDENT, if opens { " {".len() } else { 0 });
        at = end;
        if opens {
            layout.write(" {");
            depth += 1;
            at += 1;
        }
    }
    layout.lines
}

struct Layout<'p, 't> {
    pieces: &'p [Piece<'t>],
    /// Where each piece ends if all are on one line.
    ends: Vec<usize>,
    /// The number of pieces up to each, and with it, that comments stand before.
    commented: Vec<usize>,
    /// For an opening bracket, the one that closes it.
    closing: Vec<usize>,
    lines: Vec<Line<'t>>,
    /// The next piece begins a line, moved in by so much.
    pending: Option<usize>,
}

impl<'p, 't> Layout<'p, 't> {
    fn new(pieces: &'p [Piece<'t>]) -> Self {
        let (mut ends, mut commented) = (Vec::new(), Vec::new());
        let (mut width, mut comments) = (0, 0);
        let (mut closing, mut open) = (vec![0; pieces.len()], Vec::new());
        for (i, piece) in pieces.iter().enumerate() {
            width += usize::from(piece.space) + piece.text.chars().count();
            comments += usize::from(!piece.comments.is_empty());
            ends.push(width);
            commented.push(comments);
            match piece.text {
                "(" | "[" => open.push(i),
                ")" | "]" => {
                    if let Some(opening) = open.pop() {
                        closing[opening] = i;
                    }
                }
                _ => {}
            }
        }
        Self { pieces, ends, commented, closing, lines: Vec::new(), pending: None }
    }

    /// Comments and a blank line before what begins a line.
    fn between_lines(&mut self, at: usize, indent: usize) {
        let piece = &self.pieces[at];
        for comment in &piece.comments {
            match self.lines.last_mut() {
                Some(last) if !comment.own_line => {
                    last.comment = Some((comment.text, comment.column));
                }
                _ => {
                    self.blank(comment.blank);
                    self.line(indent, comment.text);
                }
            }
        }
        self.blank(piece.blank && !matches!(piece.text, "}" | ""));
    }

    /// A blank line if there is one to be, but not at the beginning of the file or of a body.
    fn blank(&mut self, wanted: bool) {
        let begins = self.lines.last().is_none_or(Line::opens);
        if wanted && !begins {
            self.lines.push(Line::default());
        }
    }

    fn line(&mut self, indent: usize, text: &str) {
        self.lines.push(Line { text: format!("{:indent$}{text}", ""), comment: None });
    }

    /// Writes at the end of the line, or on a new one if one is pending.
    fn write(&mut self, text: &str) {
        match (self.pending.take(), self.lines.last_mut()) {
            (None, Some(last)) => last.text.push_str(text),
            (indent, _) => self.line(indent.unwrap_or(0), text),
        }
    }

    /// The comments before a piece, and then the piece; after comments, on a line moved in.
    fn piece(&mut self, at: usize, indent: usize) {
        self.comments(at, indent);
        let piece = &self.pieces[at];
        if piece.space && self.pending.is_none() {
            self.write(" ");
        }
        self.write(piece.text);
    }

    /// The comments before a piece within a statement, but not before its first.
    fn comments(&mut self, at: usize, indent: usize) {
        let piece = &self.pieces[at];
        if piece.starts {
            return;
        }
        for comment in &piece.comments {
            match self.lines.last_mut() {
                Some(last) if !comment.own_line => {
                    last.comment = Some((comment.text, comment.column));
                }
                _ => self.line(self.pending.unwrap_or(indent), comment.text),
            }
            self.pending = self.pending.or(Some(indent));
        }
    }

    /// The width of pieces on one line, without a space before the first; none if comments stand
    /// between them.
    fn width(&self, range: Range<usize>) -> Option<usize> {
        let Range { start, end } = range;
        if start == end {
            return Some(0);
        }
        let first = self.pieces[start].text.chars().count();
        let uncommented = self.commented[end - 1] == self.commented[start];
        uncommented.then(|| self.ends[end - 1] - self.ends[start] + first)
    }

    /// The column a piece would begin in.
    fn column(&self, at: usize, indent: usize) -> usize {
        let piece = &self.pieces[at];
        match (self.pending, self.lines.last()) {
            (Some(pending), _) => pending,
            (None, Some(last)) if piece.comments.is_empty() => {
                last.width() + usize::from(piece.space)
            }
            _ => indent,
        }
    }

    /// Whether pieces fit on a line from a column on, with something of a width behind them.
    fn fits(&self, range: Range<usize>, column: usize, behind: usize) -> bool {
        self.width(range).is_some_and(|width| column + width + behind <= MAX_WIDTH)
    }

    /// The places of pieces that are in no brackets of their own within a range.
    fn outermost(&self, range: Range<usize>) -> Vec<usize> {
        let mut found = Vec::new();
        let mut at = range.start;
        while at < range.end {
            found.push(at);
            at = if matches!(self.pieces[at].text, "(" | "[") { self.closing[at] } else { at } + 1;
        }
        found
    }

    /// A statement or a part of one. Its further lines are moved in by `indent`, and on its last one
    /// there is to be room for `behind` characters.
    fn statement(&mut self, range: Range<usize>, indent: usize, behind: usize) {
        if self.fits(range.clone(), self.column(range.start, indent), behind) {
            range.for_each(|at| self.piece(at, indent));
            return;
        }
        let outermost = self.outermost(range.clone());
        let all = |is: &dyn Fn(&Piece<'_>) -> bool| -> Vec<usize> {
            outermost.iter().copied().filter(|&at| is(&self.pieces[at])).collect()
        };
        let commas = all(&|piece| piece.text == ",");
        if !commas.is_empty() {
            return self.filled(range, &commas, indent, behind);
        }
        if let Some(&at) = all(&|piece| matches!(piece.text, "=" | "..")).first() {
            if range.start < at {
                self.statement(range.start..at, indent, " =".len());
            }
            self.piece(at, indent);
            if at + 1 < range.end {
                self.statement(at + 1..range.end, indent, behind);
            }
            return;
        }
        for precedence in 1..=3 {
            let operators =
                all(&|piece| piece.operator.is_some_and(|op| op.precedence() == precedence));
            if !operators.is_empty() {
                return self.filled(range, &operators, indent, behind);
            }
        }
        let mut at = range.start;
        while at < range.end {
            let closing = self.closing[at];
            if closing <= at {
                self.piece(at, indent);
                at += 1;
                continue;
            }
            let next = outermost.iter().copied().find(|&next| next > at && self.closing[next] > 0);
            let (until, behind) = next.map_or((range.end, behind), |next| (next, 1));
            if self.fits(at..until, self.column(at, indent), behind) {
                (at..=closing).for_each(|at| self.piece(at, indent));
            } else {
                self.opened(at, indent);
            }
            at = closing + 1;
        }
    }

    /// Parts between separators, on lines as full as can be. A separator ends its line.
    fn filled(&mut self, range: Range<usize>, separators: &[usize], indent: usize, behind: usize) {
        let mut start = range.start;
        let ends = separators.iter().copied().chain([range.end]);
        for end in ends {
            let is_last = end == range.end;
            let behind = if is_last {
                behind
            } else {
                let piece = &self.pieces[end];
                usize::from(piece.space) + piece.text.len()
            };
            let here = self.fits(start..end, self.column(start, indent), behind);
            // What has no room on any line is broken where it stands.
            if start > range.start && !here && self.fits(start..end, indent, behind) {
                self.pending = Some(indent);
            }
            self.statement(start..end, indent, behind);
            if !is_last {
                self.piece(end, indent);
                start = end + 1;
            }
        }
    }

    /// Brackets, with what is in them on lines of its own.
    fn opened(&mut self, open: usize, indent: usize) {
        let close = self.closing[open];
        self.piece(open, indent);
        let outer = self.lines.last().map_or(0, Line::indent);
        let inner = outer + INDENT;
        self.pending = Some(inner);
        if open + 1 < close {
            self.parts(open, close, inner);
        }
        self.comments(close, inner);
        self.pending = Some(outer);
        self.write(self.pieces[close].text);
    }

    /// What is in brackets, on one line or one to a line.
    fn parts(&mut self, open: usize, close: usize, indent: usize) {
        let range = open + 1..close;
        let outermost = self.outermost(range.clone());
        let mut ends: Vec<usize> =
            outermost.into_iter().filter(|&at| self.pieces[at].text == ",").collect();
        if ends.is_empty() || self.fits(range.clone(), indent, 0) {
            return self.statement(range, indent + INDENT, 0);
        }
        ends.push(close);
        let mut start = open + 1;
        for end in ends {
            self.pending = Some(indent);
            self.statement(start..end, indent + INDENT, 1);
            if end < close {
                self.piece(end, indent);
            } else if self.pieces[open].opens_list {
                self.write(",");
            }
            start = end + 1;
        }
    }
}
