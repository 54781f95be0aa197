//! Charts of trainings: learning curves and final results, as SVG and on a terminal.
//!
//! A chart is data ([`LineChart`], [`BarChart`]); [`LineChart::to_svg`], [`BarChart::to_svg`] and
//! [`LineChart::to_text`] draw it. The same chart is always the same text.

mod bars;
mod lines;
mod scale;
mod svg;
mod terminal;

use crate::metrics::summary::{Summary, summarize};

pub use svg::Theme;
pub use terminal::sparkline;

/// How many places along x a line of several runs has at most.
const PLACES: usize = 400;

/// What an axis shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// What of, such as `validation loss`.
    pub label: String,
    /// Its unit, such as `nats`; empty for pure numbers.
    pub unit: String,
    /// How its numbers lie.
    pub scale: Scale,
}

impl Axis {
    /// A linear axis.
    pub fn linear(label: &str, unit: &str) -> Self {
        Self { label: label.into(), unit: unit.into(), scale: Scale::Linear }
    }

    /// A logarithmic axis.
    pub fn log(label: &str, unit: &str) -> Self {
        Self { scale: Scale::Log, ..Self::linear(label, unit) }
    }

    fn caption(&self) -> String {
        let unit = if self.unit.is_empty() { String::new() } else { format!(" ({})", self.unit) };
        self.label.clone() + &unit
    }
}

/// How the numbers of an axis lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Equal differences are equally far.
    Linear,
    /// Equal ratios are equally far. What is not above 0 is not drawn.
    Log,
}

/// What is drawn about the mean of several runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// One standard deviation to both sides.
    Deviation,
    /// From the least to the greatest.
    Range,
    /// The interval that holds the mean with a confidence of 95 %.
    Interval,
}

impl Spread {
    fn about(self, summary: &Summary) -> (f64, f64) {
        let mean = summary.mean;
        let deviation = summary.deviation.unwrap_or(0.0);
        match self {
            Self::Deviation => (mean - deviation, mean + deviation),
            Self::Range => (summary.least, summary.greatest),
            Self::Interval => summary.interval.map_or((mean, mean), |i| (i.low, i.high)),
        }
    }
}

/// A value at a place, with its spread. What is not finite is not drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// The place.
    pub x: f64,
    /// The value.
    pub y: f64,
    /// Where its spread begins; `y` if it has none.
    pub low: f64,
    /// Where its spread ends; `y` if it has none.
    pub high: f64,
}

/// A line of a chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// What of.
    pub name: String,
    /// Its points, by rising `x`.
    pub points: Vec<Point>,
}

impl Line {
    /// The mean of several runs, each `(x, y)` by rising `x`, and its spread.
    ///
    /// The places are those of all runs, or 400 evenly spread if there are more. Between the points
    /// of a run lies a straight line. The mean is over the runs that reach a place and are finite
    /// there, so runs that stopped early are not part of it from there on.
    pub fn of_runs(name: &str, runs: &[Vec<(f64, f64)>], spread: Spread) -> Self {
        let mut places: Vec<f64> = runs.iter().flatten().map(|&(x, _)| x).collect();
        places.retain(|x| x.is_finite());
        places.sort_by(f64::total_cmp);
        places.dedup();
        if let (Some(&first), Some(&last), true) =
            (places.first(), places.last(), places.len() > PLACES)
        {
            let step = (last - first) / (PLACES - 1) as f64;
            places = (0..PLACES - 1).map(|i| first + step * i as f64).chain([last]).collect();
        }
        let points = places.into_iter().filter_map(|x| {
            let values: Vec<f64> = runs.iter().filter_map(|run| value_at(run, x)).collect();
            let summary = summarize(&values)?;
            let (low, high) = spread.about(&summary);
            Some(Point { x, y: summary.mean, low, high })
        });
        Self { name: name.into(), points: points.collect() }
    }
}

/// The value of a run at a place, if it reaches there.
fn value_at(run: &[(f64, f64)], x: f64) -> Option<f64> {
    let after = run.partition_point(|&(place, _)| place < x);
    let &(right, y_right) = run.get(after)?;
    if right == x {
        return Some(y_right);
    }
    let &(left, y_left) = run.get(after.checked_sub(1)?)?;
    Some(y_left + (y_right - y_left) * (x - left) / (right - left))
}

/// Lines over a common axis, such as learning curves.
#[derive(Clone, Debug, PartialEq)]
pub struct LineChart {
    /// What it shows; may be empty.
    pub title: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// The lines. Seven and more share colours, and differ in their dashes.
    pub lines: Vec<Line>,
}

/// A bar of a chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Bar {
    /// What of.
    pub name: String,
    /// How far it reaches. What is not finite is written down and not drawn.
    pub value: f64,
    /// Where its spread begins; `value` if it has none.
    pub low: f64,
    /// Where its spread ends; `value` if it has none.
    pub high: f64,
    /// The single results, drawn as dots; may be empty.
    pub runs: Vec<f64>,
}

impl Bar {
    /// The mean of several results, and its spread; no number if none is finite.
    pub fn of_runs(name: &str, runs: &[f64], spread: Spread) -> Self {
        let summary = summarize(runs);
        let (low, high) = summary.map_or((f64::NAN, f64::NAN), |summary| spread.about(&summary));
        let value = summary.map_or(f64::NAN, |summary| summary.mean);
        Self { name: name.into(), value, low, high, runs: runs.to_vec() }
    }
}

/// Values to be compared, one below the other.
#[derive(Clone, Debug, PartialEq)]
pub struct BarChart {
    /// What it shows; may be empty.
    pub title: String,
    /// The axis of the values.
    pub axis: Axis,
    /// Whether the axis begins at 0, as bars need. If not, or if it is logarithmic, the values are
    /// points and not bars, which shows small differences of large values.
    pub from_zero: bool,
    /// The bars, from above.
    pub bars: Vec<Bar>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(x: f64, y: f64, low: f64, high: f64) -> Point {
        Point { x, y, low, high }
    }

    #[test]
    fn runs_meet_at_all_places_that_they_reach() {
        let runs = [vec![(0.0, 1.0), (2.0, 3.0), (4.0, f64::NAN)], vec![(1.0, 4.0), (2.0, 5.0)]];
        let line = Line::of_runs("a", &runs, Spread::Range);
        let expected =
            [point(0.0, 1.0, 1.0, 1.0), point(1.0, 3.0, 2.0, 4.0), point(2.0, 4.0, 3.0, 5.0)];
        assert_eq!(line.points, expected);
        assert_eq!(Line::of_runs("a", &[vec![], vec![]], Spread::Range).points, []);
        let root = 2_f64.sqrt();
        let line = Line::of_runs("a", &runs, Spread::Deviation);
        assert_eq!(line.points[2], point(2.0, 4.0, 4.0 - root, 4.0 + root));
        let reach = Line::of_runs("a", &runs, Spread::Interval).points[2].high - 4.0;
        assert!((reach - 12.706205).abs() < 1e-6, "{reach}");
    }

    #[test]
    fn long_runs_are_thinned() {
        let run = |shift: f64| (0..5000).map(|i| (f64::from(i) + shift, f64::from(i))).collect();
        let line = Line::of_runs("a", &[run(0.0), run(0.5)], Spread::Deviation);
        assert_eq!(line.points.len(), PLACES);
        assert_eq!((line.points[0].x, line.points[PLACES - 1].x), (0.0, 4999.5));
        assert!((line.points[200].y - (line.points[200].x - 0.25)).abs() < 1e-9);
    }

    #[test]
    fn bars_of_failed_runs_have_no_value() {
        assert!(Bar::of_runs("a", &[f64::NAN], Spread::Range).value.is_nan());
        let bar = Bar::of_runs("a", &[1.0, 3.0], Spread::Range);
        assert_eq!((bar.value, bar.low, bar.high), (2.0, 1.0, 3.0));
    }

    #[test]
    fn labels_are_moved_apart_no_further_than_needed() {
        assert_eq!(lines::apart(&[50.0, 10.0, 12.0], 5.0, 0.0, 100.0), [50.0, 10.0, 15.0]);
        assert_eq!(lines::apart(&[100.0, 99.0, 98.0], 5.0, 0.0, 100.0), [100.0, 95.0, 90.0]);
        assert_eq!(lines::apart(&[], 5.0, 0.0, 100.0), [0.0; 0]);
    }
}
