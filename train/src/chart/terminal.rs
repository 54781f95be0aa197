//! Line charts as text, for a terminal.

use unicode_width::UnicodeWidthStr;

use super::LineChart;
use super::lines::apart;
use super::scale::{Range, value};
use crate::metrics::table::shortened;

/// The colours of lines, of the 256 that terminals have: near those of the pictures, and visible on
/// light and dark ones.
const COLOURS: [u8; 6] = [33, 202, 36, 175, 178, 75];

/// The dots of a braille character, by column and row, in the bits of its code point.
const DOTS: [[u8; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];

impl LineChart {
    /// The chart as text of so many columns and rows, drawn with braille characters. Each line's name
    /// and last value stand to its right; with `colour`, in its colour, by the escape sequences of
    /// terminals. A plot has at least 20 columns and 4 rows, and a row for each line.
    pub fn to_text(&self, columns: usize, rows: usize, colour: bool) -> String {
        let heads = usize::from(!self.title.is_empty()) + 1;
        let rows = rows.saturating_sub(heads + 3).max(self.lines.len()).max(4);
        let (x, y) = self.ranges(rows.div_ceil(3));
        let marks = y.marks(rows.div_ceil(3));
        let left = marks.iter().map(|(_, text)| text.width()).max().unwrap_or(0);
        let names: Vec<String> = self
            .lines
            .iter()
            .map(|line| {
                let last = line.points.iter().rfind(|p| y.share(p.y).is_some());
                let last = last.map_or_else(|| "no result".into(), |p| value(p.y));
                format!("{} {last}", shortened(&line.name, 20))
            })
            .collect();
        let right = names.iter().map(|name| name.width()).max().unwrap_or(0);
        let columns = columns.saturating_sub(left + 3 + right).max(20);
        let mut grid = Grid::new(columns, rows);
        let mut ends = Vec::new();
        for (i, line) in self.lines.iter().enumerate() {
            let place = |x_share: f64, y_share: f64| {
                (x_share * (2 * columns - 1) as f64, (1.0 - y_share) * (4 * rows - 1) as f64)
            };
            let mut before = None;
            for point in &line.points {
                let now = x.share(point.x).zip(y.share(point.y)).map(|(x, y)| place(x, y));
                if let Some(now) = now {
                    grid.line(i, before.unwrap_or(now), now);
                }
                before = now;
            }
            let last = line.points.iter().rev().find_map(|p| y.share(p.y));
            ends.push(last.map_or(rows - 1, |y| ((1.0 - y) * (rows - 1) as f64).round() as usize));
        }
        let wanted: Vec<f64> = ends.iter().map(|&row| row as f64).collect();
        let labels = apart(&wanted, 1.0, 0.0, (rows - 1) as f64);

        let mut text = String::new();
        let mut push = |line: String| text += &format!("{}\n", line.trim_end());
        if !self.title.is_empty() {
            push(shortened(&self.title, left + 2 + columns + right));
        }
        push(self.y.caption());
        for row in 0..rows {
            let mark = marks.iter().find(|(at, _)| row_of(y, *at, rows) == Some(row));
            let mark = mark.map_or("", |(_, text)| text);
            let edge = if mark.is_empty() { '│' } else { '┤' };
            let mut line = format!("{mark:>left$} {edge}{}", grid.row(row, colour));
            for i in (0..labels.len()).filter(|&i| labels[i] as usize == row) {
                line += &format!(" {}", painted(&names[i], i, colour));
            }
            push(line);
        }
        let (axis, numbers) = below(x, columns);
        push(format!("{:left$} └{axis}", ""));
        push(format!("{:left$}  {numbers}", ""));
        push(format!("{:left$}  {:^columns$}", "", self.x.caption()));
        text
    }
}

/// The row that a number is in.
fn row_of(y: Range, at: f64, rows: usize) -> Option<usize> {
    Some(((1.0 - y.share(at)?) * (rows - 1) as f64).round() as usize)
}

/// The horizontal axis and the numbers below it, without those that would run into others.
fn below(x: Range, columns: usize) -> (String, String) {
    let mut axis = vec!['─'; columns];
    let mut numbers = String::new();
    for (at, text) in x.marks((columns / 12).max(2)) {
        let Some(share) = x.share(at) else { continue };
        let column = (share * (columns - 1) as f64).round() as usize;
        let begin = column.saturating_sub(text.width() / 2);
        if numbers.is_empty() || begin > numbers.width() {
            axis[column.min(columns - 1)] = '┬';
            numbers += &" ".repeat(begin - numbers.width());
            numbers += &text;
        }
    }
    (axis.into_iter().collect(), numbers)
}

fn painted(text: &str, line: usize, colour: bool) -> String {
    let code = COLOURS[line % COLOURS.len()];
    if colour { format!("\u{1b}[38;5;{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}

/// Characters of 2 x 4 dots. A character has the colour of the line that was drawn there last.
struct Grid {
    columns: usize,
    cells: Vec<(u8, usize)>,
}

impl Grid {
    fn new(columns: usize, rows: usize) -> Self {
        Self { columns, cells: vec![(0, 0); columns * rows] }
    }

    fn line(&mut self, line: usize, from: (f64, f64), to: (f64, f64)) {
        let dots = (to.0 - from.0).abs().max((to.1 - from.1).abs()).ceil().max(1.0);
        for i in 0..=dots as usize {
            let share = i as f64 / dots;
            let x = (from.0 + (to.0 - from.0) * share).round() as usize;
            let y = (from.1 + (to.1 - from.1) * share).round() as usize;
            let cell = &mut self.cells[y / 4 * self.columns + x / 2];
            *cell = (cell.0 | DOTS[x % 2][y % 4], line);
        }
    }

    fn row(&self, row: usize, colour: bool) -> String {
        let cells = &self.cells[row * self.columns..][..self.columns];
        let runs = cells.chunk_by(|a, b| a.1 == b.1 && (a.0 == 0) == (b.0 == 0));
        runs.map(|run| {
            let braille = |dots: u8| char::from_u32(0x2800 + u32::from(dots)).unwrap_or(' ');
            match run[0].0 {
                0 => " ".repeat(run.len()),
                _ => {
                    painted(&run.iter().map(|c| braille(c.0)).collect::<String>(), run[0].1, colour)
                }
            }
        })
        .collect()
    }
}

/// Values as a line of so many bars at most, from the least to the greatest: of more values than bars,
/// each bar is a mean. What is not finite is a blank.
pub fn sparkline(values: &[f64], width: usize) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let bars = width.min(values.len());
    let means: Vec<f64> = (0..bars)
        .map(|i| {
            let part = &values[i * values.len() / bars..(i + 1) * values.len() / bars];
            part.iter().sum::<f64>() / part.len() as f64
        })
        .collect();
    let finite = || means.iter().copied().filter(|x| x.is_finite());
    let (least, greatest) =
        (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
    let bar = |&x: &f64| {
        let share = if greatest > least { (x - least) / (greatest - least) } else { 0.5 };
        if x.is_finite() { BARS[(share * 7.0).round() as usize] } else { ' ' }
    };
    means.iter().map(bar).collect()
}
