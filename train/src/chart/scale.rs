//! Axes: where numbers lie, and which are marked.

use super::Scale;

/// A range of numbers, laid out from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Range {
    scale: Scale,
    low: f64,
    high: f64,
}

impl Range {
    /// The range of these numbers; what cannot be drawn does not count.
    pub(super) fn of(scale: Scale, numbers: impl Iterator<Item = f64>) -> Self {
        let drawn = numbers.filter(|&x| is_drawn(scale, x));
        let (low, high) =
            drawn.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), x| (l.min(x), h.max(x)));
        let (low, high) = match (scale, low < high) {
            (_, true) => (low, high),
            // A range needs some extent.
            (Scale::Log, false) if low == high => (low / 2.0, low * 2.0),
            (Scale::Log, false) => (0.1, 1.0),
            (Scale::Linear, false) if low == high && low != 0.0 => {
                (low - low.abs() / 2.0, low + low.abs() / 2.0)
            }
            (Scale::Linear, false) => (0.0, 1.0),
        };
        Self { scale, low, high }
    }

    /// The range with some space at its ends; a linear one ends at marks.
    pub(super) fn widened(self, marks: usize) -> Self {
        match self.scale {
            Scale::Linear => {
                let mut range = self;
                // A wider range may have wider steps, and has to end at those.
                for _ in 0..3 {
                    let step = step(range.high - range.low, marks);
                    range.low = (self.low / step + 1e-9).floor() * step;
                    range.high = (self.high / step - 1e-9).ceil() * step;
                }
                range
            }
            Scale::Log => {
                let space = (self.high / self.low).powf(0.04);
                Self { low: self.low / space, high: self.high * space, ..self }
            }
        }
    }

    /// Where a number lies, from 0 to 1; `None` if it cannot be drawn.
    pub(super) fn share(self, x: f64) -> Option<f64> {
        let along = |x: f64| if self.scale == Scale::Log { x.ln() } else { x };
        let (low, high) = (along(self.low), along(self.high));
        is_drawn(self.scale, x).then(|| (along(x) - low) / (high - low))
    }

    /// Where a number lies, or the end of the range that it is beyond.
    pub(super) fn share_within(self, x: f64) -> Option<f64> {
        let x = if x.is_nan() { return None } else { x.clamp(self.low, self.high) };
        self.share(x)
    }

    /// Round numbers of the range and how they are written, about as many as asked for.
    pub(super) fn marks(self, about: usize) -> Vec<(f64, String)> {
        match self.scale {
            Scale::Linear => self.even_marks(about),
            Scale::Log => self.log_marks(about),
        }
    }

    fn even_marks(self, about: usize) -> Vec<(f64, String)> {
        let step = step(self.high - self.low, about);
        let (first, last) = (self.low / step, self.high / step);
        // What is a rounding beyond the end is at the end.
        let (first, last) = ((first - 1e-9).ceil() as i64, (last + 1e-9).floor() as i64);
        let largest = self.low.abs().max(self.high.abs());
        let mark = |i: i64| (i as f64 * step, written(i as f64 * step, step, largest));
        (first..=last).map(mark).collect()
    }

    fn log_marks(self, about: usize) -> Vec<(f64, String)> {
        let decades = self.low.log10().floor() as i32..=self.high.log10().ceil() as i32;
        let inside = |x: &f64| (self.low..=self.high).contains(x);
        let of = |factors: &[f64]| -> Vec<f64> {
            let all =
                decades.clone().flat_map(|d| factors.iter().map(move |f| f * power_of_ten(d)));
            all.filter(inside).collect()
        };
        let enough =
            [&[1.0][..], &[1.0, 2.0, 5.0]].map(of).into_iter().find(|marks| marks.len() > 2);
        let Some(marks) = enough else { return self.even_marks(about) };
        let every = marks.len().div_ceil(about + 2);
        marks.into_iter().step_by(every).map(|x| (x, written(x, x, x))).collect()
    }
}

/// An exact power of ten, if there is one: `powi` of a negative number is off in the last digit.
fn power_of_ten(exponent: i32) -> f64 {
    if exponent < 0 { 1.0 / 10_f64.powi(-exponent) } else { 10_f64.powi(exponent) }
}

fn is_drawn(scale: Scale, x: f64) -> bool {
    x.is_finite() && (scale == Scale::Linear || x > 0.0)
}

/// A round step (1, 2 or 5 times a power of ten) for about so many marks in an extent.
fn step(extent: f64, about: usize) -> f64 {
    let rough = extent / about as f64;
    let exponent = rough.log10().floor() as i32;
    let factor = rough / power_of_ten(exponent);
    let round = [1.0, 2.0, 5.0].into_iter().find(|round| factor < round * 1.45).unwrap_or(10.0);
    if exponent < 0 { round / power_of_ten(-exponent) } else { round * power_of_ten(exponent) }
}

/// A mark as text, exact to a step, where the largest of its axis is of that size.
fn written(x: f64, step: f64, largest: f64) -> String {
    let units = [(1e9, "G"), (1e6, "M"), (1e3, "k")].into_iter();
    let unit = units.filter(|(unit, _)| largest >= *unit).find(|_| largest >= 1e4 || step >= 1e3);
    match unit {
        _ if x == 0.0 && (unit.is_some() || step < 1e-4) => "0".into(),
        Some((unit, name)) => decimals(x / unit, step / unit) + name,
        None if step < 1e-4 => {
            let text = format!("{x:.3e}");
            let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            format!("{}e{exponent}", digits.trim_end_matches('0').trim_end_matches('.'))
        }
        None => decimals(x, step),
    }
}

fn decimals(x: f64, step: f64) -> String {
    let places = (-(step * 1.000_001).log10().floor()).max(0.0) as usize;
    format!("{x:.places$}")
}

/// A value with three significant digits or a little more, as it stands beside its line.
pub(super) fn value(x: f64) -> String {
    match x.abs() {
        _ if !x.is_finite() => "no result".into(),
        0.0 => "0".into(),
        size if !(1e-3..1e6).contains(&size) => format!("{x:.2e}"),
        size => format!("{x:.0$}", (2.0 - size.log10().floor()).max(0.0) as usize),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(scale: Scale, low: f64, high: f64, expected: &str) {
        let marks = Range { scale, low, high }.marks(5);
        let texts: Vec<_> = marks.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(texts.join(" "), expected);
        for (x, text) in &marks {
            assert!((low - 1e-9..=high * (1.0 + 1e-9)).contains(x), "{text}");
        }
    }

    #[test]
    fn marks_are_round_numbers() {
        check(Scale::Linear, 0.0, 1.0, "0.0 0.2 0.4 0.6 0.8 1.0");
        check(Scale::Linear, 0.0, 20_000.0, "0 5k 10k 15k 20k");
        check(Scale::Linear, 0.0, 3e6, "0 0.5M 1.0M 1.5M 2.0M 2.5M 3.0M");
        check(Scale::Linear, -1.5, 1.5, "-1.5 -1.0 -0.5 0.0 0.5 1.0 1.5");
        check(Scale::Linear, 0.90, 0.94, "0.90 0.91 0.92 0.93 0.94");
        check(Scale::Linear, 0.0, 3e-5, "0 5e-6 1e-5 1.5e-5 2e-5 2.5e-5 3e-5");
        check(Scale::Log, 0.001, 1.0, "0.001 0.01 0.1 1");
        check(Scale::Log, 0.15, 3.0, "0.2 0.5 1 2");
        check(Scale::Log, 1e-9, 1e9, "1e-9 1e-6 0.001 1 1k 1M 1G");
        check(Scale::Log, 0.5, 0.6, "0.50 0.52 0.54 0.56 0.58 0.60");
    }

    #[test]
    fn a_range_has_some_extent_whatever_it_is_of() {
        for scale in [Scale::Linear, Scale::Log] {
            for numbers in [vec![], vec![f64::NAN, f64::INFINITY], vec![3.0], vec![0.0], vec![-2.0]]
            {
                let range = Range::of(scale, numbers.iter().copied()).widened(5);
                assert!(range.low < range.high, "{range:?}");
                let marks = range.marks(5);
                assert!((2..12).contains(&marks.len()), "{range:?} {marks:?}");
            }
        }
        let range = Range::of(Scale::Log, [-1.0, 0.0, 0.1, 10.0].into_iter());
        assert_eq!((range.low, range.high), (0.1, 10.0));
        assert!((range.share(1.0).unwrap() - 0.5).abs() < 1e-15);
        assert_eq!(range.share(0.0), None);
        assert_eq!(range.share_within(-3.0), Some(0.0));
        assert_eq!(range.share_within(f64::NAN), None);
    }

    #[test]
    fn a_linear_range_ends_at_marks() {
        for (low, high) in [(0.81, 0.965), (0.0, 1.0), (-0.3, 7.1), (2.0, 2.001), (0.0, 30_100.0)] {
            let range = Range { scale: Scale::Linear, low, high }.widened(6);
            let marks = range.marks(6);
            assert!(range.low <= low + 1e-9 && range.high >= high - 1e-9, "{range:?}");
            assert!((marks[0].0 - range.low).abs() < 1e-9, "{range:?} {marks:?}");
            assert!((marks[marks.len() - 1].0 - range.high).abs() < 1e-9, "{range:?} {marks:?}");
        }
    }

    #[test]
    fn values_are_short() {
        let shown = [0.0, 1.0, 0.12345, 12.345, 123456.0, 1e-5, f64::NAN].map(value);
        assert_eq!(shown, ["0", "1.00", "0.123", "12.3", "123456", "1.00e-5", "no result"]);
    }
}
