//! Comments at the ends of lines.

use super::INDENT;

/// A line: code, a comment or nothing, and the comment behind it.
#[derive(Default)]
pub(super) struct Line<'t> {
    pub(super) text: String,
    /// The comment behind the code, and the column it stood in.
    pub(super) comment: Option<(&'t str, usize)>,
}

impl Line<'_> {
    pub(super) fn width(&self) -> usize {
        self.text.chars().count()
    }

    fn is_code(&self) -> bool {
        let code = self.text.trim_start();
        !code.is_empty() && !code.starts_with("//")
    }

    /// Whether a body begins behind it.
    pub(super) fn opens(&self) -> bool {
        self.is_code() && self.text.ends_with('{')
    }

    /// How far it is moved in, in characters.
    pub(super) fn indent(&self) -> usize {
        self.text.len() - self.text.trim_start().len()
    }

    /// Whether its comment goes with that of the line behind it.
    fn goes_with(&self, other: &Self) -> bool {
        let stands_alone = |line: &Self| !line.is_code() || line.text.ends_with(['{', '}']);
        !stands_alone(self) && !stands_alone(other) && self.indent() == other.indent()
    }
}

/// The lines as one text, with the comments at the ends of neighbouring lines in one column: the one
/// that all stood in, if it has room for the code; else the next that is a multiple of the indent.
pub(super) fn aligned(mut lines: Vec<Line<'_>>) -> String {
    for run in lines.chunk_by_mut(Line::goes_with) {
        let commented = || run.iter().filter(|line| line.comment.is_some());
        let least = commented().map(Line::width).max().unwrap_or(0) + 2;
        let mut stood = commented().filter_map(|line| line.comment.map(|(_, column)| column));
        let column = match (commented().count(), stood.next()) {
            (1, _) => least,
            (_, Some(first)) if first >= least && stood.all(|column| column == first) => first,
            _ => least.next_multiple_of(INDENT),
        };
        for line in run {
            if let Some((comment, _)) = line.comment {
                let spaces = column - line.width();
                line.text.extend(std::iter::repeat_n(' ', spaces));
                line.text.push_str(comment);
            }
        }
    }
    let mut text = String::new();
    for line in lines {
        text.push_str(&line.text);
        text.push('\n');
    }
    text
}
