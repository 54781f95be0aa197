//! How far forecasts are off.
//!
//! A forecast is of `[steps, channels]` numbers: so many steps ahead, of so many channels. What
//! happened but was not measured is not a number (NaN) and does not count. A forecast that is not a
//! number does: the errors are then not numbers either, and `null` in JSON.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::table::{aligned, shortened};

/// Sums the errors of forecasts.
#[derive(Clone, Debug, PartialEq)]
pub struct Regression {
    channels: Vec<Channel>,
    /// Of each step and channel, row-major.
    errors: Vec<Errors>,
}

/// A channel of a series.
#[derive(Clone, Debug, PartialEq)]
pub struct Channel {
    /// Its name.
    pub name: String,
    /// The mean absolute error of the naive forecast of it ([`NaiveErrors`]), which MASE is a
    /// multiple of. Without one, or if it is 0, the channel has no MASE.
    pub naive: Option<f64>,
}

/// The errors of forecasts of one step of one channel.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Errors {
    count: u64,
    absolute: f64,
    squared: f64,
    relative: f64,
    /// The mean of what happened, and the sum of squares of what differs from it (Welford, Note on a
    /// method for calculating corrected sums of squares and products, 1962).
    mean: f64,
    variation: f64,
}

/// What is said of forecasts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RegressionScores {
    /// All of them.
    pub overall: RegressionScore,
    /// Those of each step ahead, the next one first; `None` if nothing was measured then.
    pub steps: Vec<Option<RegressionScore>>,
    /// Those of each channel, in their order.
    pub channels: Vec<ChannelScore>,
}

/// What is said of the forecasts of one channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChannelScore {
    /// Its name.
    pub name: String,
    /// Its score; `None` if nothing of it was measured.
    pub score: Option<RegressionScore>,
}

/// What is said of several numbers, each against its forecast.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RegressionScore {
    /// How many numbers, at least 1.
    pub count: u64,
    /// The mean absolute error, in the unit of the numbers.
    #[serde(deserialize_with = "crate::metrics::number_or_null")]
    pub mae: f64,
    /// The root of the mean squared error, in the unit of the numbers.
    #[serde(deserialize_with = "crate::metrics::number_or_null")]
    pub rmse: f64,
    /// The coefficient of determination: 1 less the squared errors as a share of those of the best
    /// constant. 1 is perfect; it is below 0 if the constant is better. Each step of each channel
    /// has a constant of its own, and of several the squares are summed (scikit-learn's
    /// `variance_weighted`). If nothing varies it is 1 without errors and 0 with them, as in
    /// scikit-learn; of a single number it is `None`.
    pub r2: Option<f64>,
    /// The symmetric mean absolute percentage error, 0 to 200: the mean of
    /// `200 |y - f| / (|y| + |f|)`, where 0 against 0 is no error (Makridakis, Accuracy measures:
    /// theoretical and practical concerns, 1993).
    #[serde(deserialize_with = "crate::metrics::number_or_null")]
    pub smape: f64,
    /// The mean absolute scaled error (Hyndman & Koehler, Another look at measures of forecast
    /// accuracy, 2006): the mean of `|y - f| / q`, where `q` is that of the channel, the mean of
    /// `|y_t - y_(t-m)|` over what the model learns from ([`NaiveErrors`]). It has no unit, so that of
    /// several channels it is their mean. Below 1, a forecast is better than the naive one, one step
    /// ahead, is there. Channels without a `q`, or with 0, are left out; `None` if there is no other.
    pub mase: Option<f64>,
}

impl Regression {
    /// No errors yet, of forecasts of so many steps of these channels.
    pub fn new(steps: usize, channels: Vec<Channel>) -> Self {
        let errors = vec![Errors::default(); steps * channels.len()];
        Self { channels, errors }
    }

    /// Takes in what happened and what was forecast, each `[steps, channels]`, row-major.
    ///
    /// # Panics
    /// If either is of another size.
    pub fn add<T: Copy + Into<f64>>(&mut self, truth: &[T], forecast: &[T]) {
        let size = self.errors.len();
        assert!(truth.len() == size && forecast.len() == size, "a forecast has {size} numbers");
        for (errors, (&truth, &forecast)) in self.errors.iter_mut().zip(truth.iter().zip(forecast))
        {
            errors.add(truth.into(), forecast.into());
        }
    }

    /// The scores, or `None` if nothing was measured.
    pub fn scores(&self) -> Option<RegressionScores> {
        let width = self.channels.len();
        let places = || 0..self.errors.len();
        let steps = self.errors.len().checked_div(width).unwrap_or(0);
        let channels = self.channels.iter().enumerate().map(|(channel, Channel { name, .. })| {
            let score = self.score(places().filter(|place| place % width == channel));
            ChannelScore { name: name.clone(), score }
        });
        Some(RegressionScores {
            overall: self.score(places())?,
            steps: (0..steps).map(|step| self.score(step * width..(step + 1) * width)).collect(),
            channels: channels.collect(),
        })
    }

    fn score(&self, places: impl Iterator<Item = usize> + Clone) -> Option<RegressionScore> {
        let errors = || places.clone().map(|place| &self.errors[place]);
        let sum = |of: fn(&Errors) -> f64| errors().map(of).sum::<f64>();
        let count: u64 = errors().map(|errors| errors.count).sum();
        let mean = |sum: f64| sum / count as f64;
        if count == 0 {
            return None;
        }
        let squared = sum(|e| e.squared);
        // Places that are constant have no share in what is explained (scikit-learn's
        // `variance_weighted`).
        let varied = errors().filter(|errors| errors.variation > 0.0);
        let explained =
            |(squared, variation), e: &Errors| (squared + e.squared, variation + e.variation);
        let (unexplained, variation) = varied.fold((0.0, 0.0), explained);
        let r2 = if variation > 0.0 {
            1.0 - unexplained / variation
        } else if squared == 0.0 {
            1.0
        } else {
            // 0, or no number if the errors are none.
            squared * 0.0
        };
        Some(RegressionScore {
            count,
            mae: mean(sum(|e| e.absolute)),
            rmse: mean(squared).sqrt(),
            r2: errors().any(|errors| errors.count > 1).then_some(r2),
            smape: mean(sum(|e| e.relative)),
            mase: self.scaled(places),
        })
    }

    fn scaled(&self, places: impl Iterator<Item = usize>) -> Option<f64> {
        let (mut sum, mut count) = (0.0, 0);
        for place in places {
            let naive = self.channels[place % self.channels.len()].naive;
            if let Some(naive) = naive.filter(|&naive| naive > 0.0) {
                sum += self.errors[place].absolute / naive;
                count += self.errors[place].count;
            }
        }
        (count > 0).then(|| sum / count as f64)
    }
}

impl Errors {
    fn add(&mut self, truth: f64, forecast: f64) {
        if truth.is_nan() {
            return;
        }
        let error = (truth - forecast).abs();
        self.count += 1;
        self.absolute += error;
        self.squared += error * error;
        // 0 against 0 is no error; what is not a number stays so.
        self.relative +=
            if error == 0.0 { 0.0 } else { 200.0 * error / (truth.abs() + forecast.abs()) };
        let difference = truth - self.mean;
        self.mean += difference / self.count as f64;
        self.variation += difference * (truth - self.mean);
    }
}

/// The mean absolute errors of the seasonal naive forecast, which says what was one season ago: `q` of
/// MASE. They are taken over the series that a model learns from, of several series over all together,
/// and scale the errors of its forecasts of these and of any other series.
#[derive(Clone, Debug, PartialEq)]
pub struct NaiveErrors {
    season: usize,
    /// The sum of errors and their number, of each channel.
    sums: Vec<(f64, u64)>,
}

impl NaiveErrors {
    /// No errors yet, of so many channels and a season of so many steps: 1 for the last value.
    pub fn new(channels: usize, season: usize) -> Self {
        Self { season, sums: vec![(0.0, 0); channels] }
    }

    /// Takes in a series, `[steps, channels]`, row-major. Of several series, errors are not taken
    /// across their ends. A gap (NaN) has no error, and what is one season after it neither.
    ///
    /// # Panics
    /// If it is no whole number of steps.
    pub fn add<T: Copy + Into<f64>>(&mut self, series: &[T]) {
        let channels = self.sums.len();
        assert!(series.len().is_multiple_of(channels), "a step has {channels} numbers");
        for (place, &now) in series.iter().enumerate().skip(self.season * channels) {
            let error = (now.into() - series[place - self.season * channels].into()).abs();
            if !error.is_nan() {
                let (sum, count) = &mut self.sums[place % channels];
                *sum += error;
                *count += 1;
            }
        }
    }

    /// The mean of each channel, or `None` if there was no error to be taken.
    pub fn means(&self) -> Vec<Option<f64>> {
        let mean = |&(sum, count): &(f64, u64)| (count > 0).then(|| sum / count as f64);
        self.sums.iter().map(mean).collect()
    }
}

impl RegressionScores {
    /// The scores beside those of the naive forecast of the same numbers, as a table: overall, of each
    /// step if there are several and `steps` are asked for, and of each channel if there are several.
    /// What mixes the units of several channels is left out.
    pub fn table(&self, naive: Option<&Self>, steps: bool) -> String {
        let mut heads = vec![""];
        for head in ["MAE", "RMSE", "MASE"] {
            heads.push(head);
            heads.extend(naive.map(|_| "naive"));
        }
        heads.extend(["R2", "sMAPE %", "numbers"]);
        let mut rows = vec![heads.into_iter().map(String::from).collect()];
        let several = self.channels.len() > 1;
        let mut add = |name: String, mixed, of: &dyn Fn(&Self) -> Option<RegressionScore>| {
            rows.push(row(name, mixed, of(self), naive.map(of)));
        };
        add("overall".into(), several, &|scores| Some(scores.overall));
        if steps && self.steps.len() > 1 {
            for i in 0..self.steps.len() {
                let of = move |scores: &Self| scores.steps.get(i).copied().flatten();
                add(format!("step {}", i + 1), several, &of);
            }
        }
        if several {
            for (i, channel) in self.channels.iter().enumerate() {
                let of = move |scores: &Self| scores.channels.get(i).and_then(|c| c.score);
                add(shortened(&channel.name, 24), false, &of);
            }
        }
        aligned(&rows)
    }

    /// The scores in a sentence, beside those of the naive forecast: of one channel the errors in its
    /// unit, of several the scaled error, in which units are not mixed.
    pub fn headline(&self, naive: Option<&Self>) -> String {
        let than = |said: &str, number: fn(&RegressionScore) -> Option<f64>| {
            let naive = naive.and_then(|naive| number(&naive.overall));
            naive.map_or_else(String::new, |naive| format!(" ({said}{})", four_digits(naive)))
        };
        let said = |first: &str, name, number: fn(&RegressionScore) -> Option<f64>| {
            let own = number(&self.overall)?;
            Some(format!("{name} {}{}", four_digits(own), than(first, number)))
        };
        const NAIVE: &str = "the naive forecast: ";
        match self.channels.as_slice() {
            [one] => {
                let mae = said(NAIVE, "MAE", |score| Some(score.mae));
                let rmse = said("", "RMSE", |score| Some(score.rmse));
                let mase = said("", "MASE", |score| score.mase);
                let errors = [mae, rmse].into_iter().flatten().collect::<Vec<_>>().join(", ");
                let mase = mase.map_or_else(String::new, |mase| format!(", {mase}"));
                format!("{errors} of `{}` in its unit{mase}", one.name)
            }
            several => {
                let scaled = |c: &&ChannelScore| c.score.is_some_and(|score| score.mase.is_some());
                let (n, of) = (several.iter().filter(scaled).count(), several.len());
                let of = if n == of { String::new() } else { format!(" of {of}") };
                said(NAIVE, "MASE", |score| score.mase).map_or_else(
                    || "no MASE, since no target changes in what is trained on".to_owned(),
                    |mase| format!("{mase}, the mean over {n}{of} targets"),
                )
            }
        }
    }

    /// The scores without what mixes the units of several channels, which is no number then.
    #[must_use]
    pub fn unmixed(mut self) -> Self {
        if self.channels.len() > 1 {
            for score in [&mut self.overall].into_iter().chain(self.steps.iter_mut().flatten()) {
                (score.mae, score.rmse, score.r2) = (f64::NAN, f64::NAN, None);
            }
        }
        self
    }
}

/// The table without a naive forecast.
impl fmt::Display for RegressionScores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.table(None, true))
    }
}

/// A row of the table; `naive` is `None` if there is no such column. If `mixed`, what has a unit is not
/// shown.
fn row(
    name: String,
    mixed: bool,
    own: Option<RegressionScore>,
    naive: Option<Option<RegressionScore>>,
) -> Vec<String> {
    let number = |x: Option<f64>| x.map_or_else(|| "-".to_owned(), four_digits);
    let with_unit = |x: f64| (!mixed).then_some(x);
    let mae = |score: RegressionScore| with_unit(score.mae);
    let rmse = |score: RegressionScore| with_unit(score.rmse);
    let mase = |score: RegressionScore| score.mase;
    let mut row = vec![name];
    let beside: [&dyn Fn(RegressionScore) -> Option<f64>; 3] = [&mae, &rmse, &mase];
    for of in beside {
        row.push(number(own.and_then(of)));
        row.extend(naive.map(|naive| number(naive.and_then(of))));
    }
    row.push(number(own.and_then(|score| score.r2.and_then(with_unit))));
    row.push(number(own.map(|score| score.smape)));
    row.push(own.map_or(0, |score| score.count).to_string());
    row
}

/// A number with four significant digits.
fn four_digits(x: f64) -> String {
    let magnitude = x.abs().log10().floor();
    if x == 0.0 || !x.is_finite() {
        x.to_string()
    } else if (-4.0..7.0).contains(&magnitude) {
        format!("{x:.0$}", (3.0 - magnitude).max(0.0) as usize)
    } else {
        format!("{x:.3e}")
    }
}

#[cfg(test)]
#[path = "regression_tests.rs"]
mod tests;
