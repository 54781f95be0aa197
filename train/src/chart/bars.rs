//! Bar charts as SVG.

use super::scale::{Range, value};
use super::svg::{Svg, Theme, width};
use super::{BarChart, Scale};
use crate::metrics::table::shortened;

/// How wide the plot is, between names and values.
const WIDTH: f64 = 480.0;

/// From one bar to the next.
const ROW: f64 = 34.0;

/// How thick a bar is.
const BAR: f64 = 18.0;

/// About how many numbers are marked along the axis.
const MARKS: usize = 6;

impl BarChart {
    /// The chart as an SVG picture: bars from the left, or points, with their spread, their single
    /// results and their values.
    pub fn to_svg(&self, theme: Theme) -> String {
        let is_bars = self.from_zero && self.axis.scale == Scale::Linear;
        let numbers = self.bars.iter().flat_map(|bar| {
            [bar.value, bar.low, bar.high].into_iter().chain(bar.runs.iter().copied())
        });
        let range =
            Range::of(self.axis.scale, numbers.chain(is_bars.then_some(0.0))).widened(MARKS);
        let names: Vec<String> = self.bars.iter().map(|bar| shortened(&bar.name, 28)).collect();
        let spreads: Vec<String> = self
            .bars
            .iter()
            .map(|bar| match bar.low < bar.high {
                true => format!("{} to {}", value(bar.low), value(bar.high)),
                false => String::new(),
            })
            .collect();
        let widest = |texts: &[String]| texts.iter().map(|text| width(text)).fold(0.0, f64::max);
        let left = 32.0 + widest(&names);
        let top = if self.title.is_empty() { 16.0 } else { 52.0 };
        let bottom = top + ROW * self.bars.len() as f64 + 6.0;
        let right = left + WIDTH;
        let mut svg = Svg::new(right + 82.0 + widest(&spreads), bottom + 58.0, &self.title, theme);

        let x = |share: f64| left + share * WIDTH;
        svg.heading((20.0, 32.0), &self.title);
        for (at, text) in range.marks(MARKS) {
            let Some(at) = range.share(at).map(x) else { continue };
            svg.line("grid", 1.0, (at, top), (at, bottom));
            svg.text("muted", "middle", (at, bottom + 18.0), &text);
        }
        svg.text("muted", "middle", (x(0.5), bottom + 41.0), &self.axis.caption());
        for (i, bar) in self.bars.iter().enumerate() {
            let y = top + ROW * (i as f64 + 0.5) + 3.0;
            svg.text("text", "end", (left - 12.0, y + 4.5), &names[i]);
            svg.text_and((right + 18.0, y + 4.5), &value(bar.value), &spreads[i]);
            let Some(end) = range.share(bar.value).map(x) else { continue };
            if is_bars {
                let zero = range.share(0.0).map_or(left, x);
                let size = ((end - zero).abs(), BAR);
                svg.bar("f0", (end.min(zero), y - BAR / 2.0), size);
            }
            let spread = range.share_within(bar.low).zip(range.share_within(bar.high));
            if let Some((low, high)) = spread.filter(|(low, high)| low < high) {
                svg.line("whisker", 1.5, (x(low), y), (x(high), y));
                for end in [low, high] {
                    svg.line("whisker", 1.5, (x(end), y - 4.0), (x(end), y + 4.0));
                }
            }
            if !is_bars {
                svg.dot("f0", 6.0, 1.0, (end, y));
            }
            for run in bar.runs.iter().filter_map(|&run| range.share(run)) {
                svg.dot("text", 2.0, 0.6, (x(run), y + BAR / 2.0 + 4.0));
            }
        }
        if let Some(zero) = range.share(0.0).filter(|_| is_bars).map(x) {
            svg.line("axis", 1.0, (zero, top), (zero, bottom));
        }
        svg.finish()
    }
}
