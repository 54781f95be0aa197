//! Line charts as SVG.

use super::scale::{Range, value};
use super::svg::{COLOURS, Svg, Theme, width};
use super::{Line, LineChart, Point};
use crate::metrics::table::shortened;

/// The size of the plot, between the axes.
const WIDTH: f64 = 620.0;
const HEIGHT: f64 = 340.0;

/// From one label of a line to the next.
const SPACING: f64 = 19.0;

/// About how many numbers are marked along each axis.
const MARKS: (usize, usize) = (7, 6);

impl LineChart {
    /// The ranges of both axes.
    pub(super) fn ranges(&self, marks: usize) -> (Range, Range) {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let x = Range::of(self.x.scale, points().filter(|p| p.y.is_finite()).map(|p| p.x));
        let y = Range::of(self.y.scale, points().flat_map(|p| [p.y, p.low, p.high]));
        (x, y.widened(marks))
    }

    /// The chart as an SVG picture.
    ///
    /// Where a line ends stand its name and its last value. Points that cannot be drawn interrupt a
    /// line.
    pub fn to_svg(&self, theme: Theme) -> String {
        let (x, y) = self.ranges(MARKS.1);
        let names: Vec<String> = self.lines.iter().map(|line| shortened(&line.name, 28)).collect();
        let last: Vec<Option<&Point>> = self
            .lines
            .iter()
            .map(|line| {
                line.points.iter().rfind(|p| x.share(p.x).is_some() && y.share(p.y).is_some())
            })
            .collect();
        let values: Vec<String> = last
            .iter()
            .map(|last| last.map_or_else(|| "no result".into(), |p| value(p.y)))
            .collect();
        let marks = y.marks(MARKS.1);
        let widest = |texts: &mut dyn Iterator<Item = &String>| {
            texts.map(|text| width(text)).fold(0.0, f64::max)
        };
        let plot = Plot {
            left: 30.0 + widest(&mut marks.iter().map(|(_, text)| text)),
            top: if self.title.is_empty() { 46.0 } else { 74.0 },
            height: HEIGHT.max(SPACING * self.lines.len() as f64),
            x,
            y,
        };
        let labels = widest(&mut names.iter()) + widest(&mut values.iter());
        let (right, bottom) = (plot.left + WIDTH, plot.top + plot.height);
        let mut svg = Svg::new(right + 68.0 + labels, bottom + 58.0, &self.title, theme);

        svg.heading((20.0, 32.0), &self.title);
        svg.text("muted", "start", (20.0, plot.top - 18.0), &self.y.caption());
        for (at, text) in &marks {
            let Some(at) = plot.y(*at) else { continue };
            svg.line("grid", 1.0, (plot.left, at), (right, at));
            svg.text("muted", "end", (plot.left - 8.0, at + 4.5), text);
        }
        svg.line("axis", 1.0, (plot.left, bottom), (right, bottom));
        for (at, text) in x.marks(MARKS.0) {
            let Some(at) = plot.x(at) else { continue };
            svg.line("axis", 1.0, (at, bottom), (at, bottom + 5.0));
            svg.text("muted", "middle", (at, bottom + 20.0), &text);
        }
        let middle = plot.left + WIDTH / 2.0;
        svg.text("muted", "middle", (middle, bottom + 43.0), &self.x.caption());

        // Bands first: no line is below another's band.
        for (i, line) in self.lines.iter().enumerate() {
            for piece in plot.pieces(line) {
                if piece.iter().any(|p| p.low < p.high) {
                    svg.band(i, &plot.around(&piece));
                }
            }
        }
        for (i, line) in self.lines.iter().enumerate() {
            let place = |p: &Point| Some((plot.x(p.x)?, plot.y(p.y)?));
            let pieces = plot.pieces(line);
            let pieces: Vec<Vec<_>> =
                pieces.iter().map(|piece| piece.iter().filter_map(place).collect()).collect();
            svg.path(i, &pieces);
        }
        let ends: Vec<Option<(f64, f64)>> =
            last.iter().map(|last| last.and_then(|p| Some((plot.x(p.x)?, plot.y(p.y)?)))).collect();
        let wanted: Vec<f64> = ends.iter().map(|end| end.map_or(bottom, |(_, y)| y)).collect();
        let labels = apart(&wanted, SPACING, plot.top, bottom);
        for (i, label) in labels.into_iter().enumerate() {
            if let Some(end) = ends[i] {
                svg.dot(&format!("f{}", i % COLOURS), 3.5, 1.0, end);
                if end.0 > right - 2.0 && (end.1 - label).abs() > 3.0 {
                    svg.line("axis", 0.6, (end.0 + 6.0, end.1), (right + 16.0, label));
                }
            }
            svg.path(i, &[vec![(right + 18.0, label), (right + 36.0, label)]]);
            svg.text_and((right + 44.0, label + 4.5), &names[i], &values[i]);
        }
        svg.finish()
    }
}

/// Where a chart is drawn.
struct Plot {
    left: f64,
    top: f64,
    height: f64,
    x: Range,
    y: Range,
}

impl Plot {
    fn x(&self, x: f64) -> Option<f64> {
        Some(self.left + self.x.share(x)? * WIDTH)
    }

    fn y(&self, y: f64) -> Option<f64> {
        Some(self.top + (1.0 - self.y.share(y)?) * self.height)
    }

    /// The points of a line that can be drawn, in uninterrupted pieces.
    fn pieces(&self, line: &Line) -> Vec<Vec<Point>> {
        let drawn = |p: &Point| self.x.share(p.x).is_some() && self.y.share(p.y).is_some();
        let pieces = line.points.split(|p| !drawn(p));
        pieces.filter(|piece| !piece.is_empty()).map(<[Point]>::to_vec).collect()
    }

    /// The way around the spread of a piece. What is beyond the chart is drawn at its end: on a
    /// logarithmic axis, a spread may reach below 0.
    fn around(&self, piece: &[Point]) -> Vec<(f64, f64)> {
        let place = |x: f64, y: f64| {
            let y = self.y.share_within(y)?;
            Some((self.x(x)?, self.top + (1.0 - y) * self.height))
        };
        let above = piece.iter().filter_map(|p| place(p.x, p.high));
        let below = piece.iter().rev().filter_map(|p| place(p.x, p.low));
        above.chain(below).collect()
    }
}

/// Moves labels apart: each as near to where it is wanted as the others and the ends allow.
pub(super) fn apart(wanted: &[f64], spacing: f64, top: f64, bottom: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|&a, &b| wanted[a].total_cmp(&wanted[b]));
    let mut places = wanted.to_vec();
    let mut least = top;
    for &i in &order {
        places[i] = places[i].max(least);
        least = places[i] + spacing;
    }
    let mut most = bottom;
    for &i in order.iter().rev() {
        places[i] = places[i].min(most);
        most = places[i] - spacing;
    }
    places
}
