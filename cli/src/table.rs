//! Aligned columns.

/// Which side the cells of a column lean to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Lays out rows in columns, two spaces apart, each row indented by `indent`.
pub(crate) fn columns(indent: usize, align: &[Align], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..align.len()).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = " ".repeat(indent);
        for ((cell, align), width) in row.iter().zip(align).zip(&widths) {
            match align {
                Align::Left => line.push_str(&format!("{cell:<width$}  ")),
                Align::Right => line.push_str(&format!("{cell:>width$}  ")),
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Align, columns};

    #[test]
    fn columns_are_aligned_without_trailing_spaces() {
        let rows = [["a", "10", ""], ["β-cell", "7", "x"]].map(|row| row.map(String::from).into());
        let text = columns(1, &[Align::Left, Align::Right, Align::Left], &rows);
        assert_eq!(text, " a       10\n β-cell   7  x\n");
    }
}
