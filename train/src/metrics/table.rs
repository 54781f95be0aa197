//! Tables as aligned text.

use std::fmt::Write;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Lays out rows of cells in columns two blanks apart: the first column to the left, the others to
/// the right. A row may be shorter than others.
pub(crate) fn aligned(rows: &[Vec<String>]) -> String {
    let mut widths = Vec::new();
    for row in rows {
        for (column, cell) in row.iter().enumerate() {
            if column == widths.len() {
                widths.push(0);
            }
            widths[column] = widths[column].max(cell.width());
        }
    }
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            // Not `{:>width$}`, which counts characters and not how wide they are.
            let blanks = " ".repeat(widths[column] - cell.width());
            match column {
                0 => line += &format!("{cell}{blanks}"),
                _ => line += &format!("  {blanks}{cell}"),
            }
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

/// A user's name for something, on one line and at most so wide: control characters are shown as
/// `�`, and what is left out at the end as `…`.
pub(crate) fn shortened(name: &str, width: usize) -> String {
    let harmless = name.replace(char::is_control, "\u{fffd}");
    if harmless.width() <= width {
        return harmless;
    }
    let mut short = String::new();
    for grapheme in harmless.graphemes(true) {
        if short.width() + grapheme.width() + 1 > width {
            break;
        }
        short += grapheme;
    }
    short + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_whatever_stands_in_them() {
        let row = |cells: &[&str]| cells.iter().map(ToString::to_string).collect::<Vec<_>>();
        let rows = [row(&["name", "share"]), row(&["日本", "1.5"]), row(&["a"])];
        assert_eq!(aligned(&rows), "name  share\n日本    1.5\na\n");
        assert_eq!(aligned(&[]), "");
    }

    #[test]
    fn names_are_shortened_between_characters() {
        assert_eq!(shortened("short", 5), "short");
        assert_eq!(shortened("longer", 5), "long…");
        assert_eq!(shortened("日本語", 5), "日本…");
        assert_eq!(shortened("a\n\u{1b}[31m", 9), "a\u{fffd}\u{fffd}[31m");
    }
}
