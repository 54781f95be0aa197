//! Places in a text: bytes for the compiler, lines and units of UTF-16 for the protocol.

use std::iter;
use std::ops::Range;

use cellc_compiler::diagnostic::Span;
use lsp_types::Position;

/// A text and where its lines begin. A line ends with `\n`, `\r\n` or `\r`, as the protocol has it.
pub(super) struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let bytes = text.as_bytes();
        let ends_line = |at: &usize| match bytes[*at] {
            b'\n' => true,
            b'\r' => bytes.get(at + 1) != Some(&b'\n'),
            _ => false,
        };
        let after_ends = (0..bytes.len()).filter(ends_line).map(|at| at + 1);
        Self { text, starts: iter::once(0).chain(after_ends).collect() }
    }

    /// The bytes of a line, without what ends it.
    fn line(&self, number: usize) -> Range<usize> {
        let start = self.starts[number];
        let end = self.starts.get(number + 1).copied().unwrap_or(self.text.len());
        start..start + self.text[start..end].trim_end_matches(['\r', '\n']).len()
    }

    /// Where a byte is. One within a character is at its start, one within the end of a line before it.
    pub(super) fn position(&self, at: usize) -> Position {
        let number = self.starts.partition_point(|start| *start <= at) - 1;
        let line = self.line(number);
        let before = &self.text[line.start..self.text.floor_char_boundary(at.min(line.end))];
        let small = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Position::new(small(number), small(before.encode_utf16().count()))
    }

    /// The byte of a place. One within a character is at its start, one behind the end of its line at
    /// that end, one behind the last line at the end of the text.
    pub(super) fn offset(&self, position: Position) -> usize {
        let number = position.line as usize;
        if number >= self.starts.len() {
            return self.text.len();
        }
        let line = self.line(number);
        let mut units = position.character as usize;
        for (at, c) in self.text[line.clone()].char_indices() {
            if units < c.len_utf16() {
                return line.start + at;
            }
            units -= c.len_utf16();
        }
        line.end
    }

    pub(super) fn range(&self, span: Span) -> lsp_types::Range {
        lsp_types::Range::new(self.position(span.start), self.position(span.end.max(span.start)))
    }

    /// The whole text.
    pub(super) fn whole(&self) -> lsp_types::Range {
        self.range(Span::new(0, 0, self.text.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks where a byte is, and that the place is that byte.
    #[track_caller]
    fn check(text: &str, at: usize, line: u32, character: u32) {
        let lines = Lines::new(text);
        assert_eq!(lines.position(at), Position::new(line, character), "byte {at} of {text:?}");
        assert_eq!(lines.offset(Position::new(line, character)), at, "{line}:{character}");
    }

    #[test]
    fn positions_count_units_of_utf_16() {
        // σ has two bytes and one unit, 𝛔 four bytes and two units.
        let text = "a\nσ = 𝛔 b\n";
        check(text, 0, 0, 0);
        check(text, 1, 0, 1);
        check(text, 2, 1, 0);
        check(text, 4, 1, 1);
        check(text, 7, 1, 4);
        check(text, 11, 1, 6);
        check(text, 13, 1, 8);
        check(text, 14, 2, 0);
        let lines = Lines::new(text);
        assert_eq!(lines.position(3), Position::new(1, 0), "within a character");
        assert_eq!(lines.position(9), Position::new(1, 4), "within a character");
        assert_eq!(lines.offset(Position::new(1, 5)), 7, "between two units of a character");
    }

    #[test]
    fn lines_end_in_three_ways() {
        let text = "a\r\nbc\rd\n\r\ne";
        for (at, line, character) in [
            (0, 0, 0),
            (1, 0, 1),
            (3, 1, 0),
            (5, 1, 2),
            (6, 2, 0),
            (8, 3, 0),
            (10, 4, 0),
            (11, 4, 1),
        ] {
            check(text, at, line, character);
        }
        let lines = Lines::new(text);
        assert_eq!(lines.position(2), Position::new(0, 1), "between the two signs of an end");
    }

    #[test]
    fn places_that_are_not_there_are_moved_to_ends() {
        let lines = Lines::new("ab\r\ncd");
        assert_eq!(lines.offset(Position::new(0, 9)), 2);
        assert_eq!(lines.offset(Position::new(1, 9)), 6);
        assert_eq!(lines.offset(Position::new(7, 0)), 6);
        assert_eq!(lines.position(99), Position::new(1, 2));
        assert_eq!(Lines::new("").position(0), Position::new(0, 0));
        assert_eq!(Lines::new("").offset(Position::new(0, 3)), 0);
    }
}
