//! Windows of series: so many rows to be read, and those behind them to be answered.

use std::ops::Range;

use rand::seq::SliceRandom;

use super::codec::Forecaster;
use super::rows::Raw;
use crate::batch::{Batch, Data, Example, Targets};
use crate::draws::rng;
use crate::metrics::regression::{NaiveErrors, RegressionScores};
use crate::task::examples::together;
use crate::task::{Batches, Codec, Context, Goal, Judged, Part, Task};

/// How many windows are evaluated at once.
const EVALUATION_BATCH: usize = 64;

/// The windows of series, in three parts.
#[derive(Debug)]
pub(super) struct Windows {
    codec: Forecaster,
    context: Context,
    stride: usize,
    series: Vec<Series>,
    /// Of each part: a series, and where the rows to be answered may begin.
    parts: [Vec<(usize, Range<usize>)>; 3],
    /// Of each target, over what is trained on.
    naive: NaiveErrors,
    baseline: Option<f64>,
    /// What is to be known of the data.
    pub(super) warnings: Vec<String>,
}

#[derive(Debug)]
struct Series {
    /// `[rows, columns]`, nothing missing, scaled.
    inputs: Vec<f32>,
    /// `[rows, targets]`, nothing missing, in the unit of the data.
    filled: Vec<f64>,
    /// `[rows, targets]`, NaN where there is no answer, in the unit of the data.
    truth: Vec<f64>,
}

impl Windows {
    pub(super) fn new(codec: Forecaster, context: Context, stride: usize) -> Self {
        let naive = NaiveErrors::new(codec.targets.len(), codec.season.max(1));
        let (series, parts) = (Vec::new(), Default::default());
        Self { codec, context, stride, series, parts, naive, baseline: None, warnings: Vec::new() }
    }

    /// Adds a series whose rows are in parts. What is answered is within its part; what is read may be
    /// of those before it. Says whether any part has a window of it.
    pub(super) fn add(&mut self, raw: &Raw, parts: [Range<usize>; 3]) -> bool {
        let codec = &self.codec;
        let all = codec.filled(&raw.values);
        let of_targets = |values: &[f64]| -> Vec<f64> {
            let row = |row: &[f64]| codec.targets.iter().map(|&i| row[i]).collect::<Vec<_>>();
            values.chunks(codec.width()).flat_map(row).collect()
        };
        let filled = of_targets(&all);
        let mut truth = of_targets(&raw.values);
        if codec.forward {
            let targets = codec.targets.len();
            for i in targets..truth.len() {
                if truth[i].is_nan() {
                    truth[i] = truth[i - targets];
                }
            }
        }
        self.naive.add(
            &truth[parts[0].start * codec.targets.len()..][..parts[0].len() * codec.targets.len()],
        );
        let mut any = false;
        for (windows, part) in self.parts.iter_mut().zip(parts) {
            let first = part.start.max(codec.window);
            let end = (part.end + 1).saturating_sub(codec.horizon);
            if first < end {
                windows.push((self.series.len(), first..end));
                any = true;
            }
        }
        self.series.push(Series { inputs: codec.inputs(&all), filled, truth });
        any
    }

    fn step(&self, part: usize) -> usize {
        if part == 0 { self.stride } else { 1 }
    }

    /// How many windows a part has.
    pub(super) fn count(&self, part: usize) -> usize {
        self.parts[part].iter().map(|(_, range)| range.len().div_ceil(self.step(part))).sum()
    }

    /// The series and the first answered row of each window of a part.
    fn places(&self, part: usize) -> impl Iterator<Item = (usize, usize)> + '_ {
        let step = self.step(part);
        let ranges = self.parts[part].iter();
        ranges.flat_map(move |(series, range)| range.clone().step_by(step).map(|at| (*series, at)))
    }

    fn last(&self, (series, at): (usize, usize)) -> &[f32] {
        let width = self.codec.width();
        &self.series[series].inputs[(at - 1) * width..][..width]
    }

    fn truth(&self, (series, at): (usize, usize)) -> &[f64] {
        let Forecaster { targets, horizon, .. } = &self.codec;
        &self.series[series].truth[at * targets.len()..][..horizon * targets.len()]
    }

    /// The naive forecast: what was one season ago, or the last number.
    fn naive_forecast(&self, (series, at): (usize, usize)) -> Vec<f64> {
        let Forecaster { targets, horizon, season, .. } = &self.codec;
        let row = |ahead: usize| match season {
            0 => at - 1,
            season => (at + ahead).checked_sub(season * (ahead / season + 1)).unwrap_or(at - 1),
        };
        let filled = &self.series[series].filled;
        (0..*horizon)
            .flat_map(|ahead| &filled[row(ahead) * targets.len()..][..targets.len()])
            .copied()
            .collect()
    }

    fn example(&self, place: (usize, usize)) -> Example {
        let (series, at) = place;
        let (width, window) = (self.codec.width(), self.codec.window);
        let data = self.series[series].inputs[(at - window) * width..at * width].to_vec();
        let targets = self.codec.answers(self.last(place), self.truth(place).iter().copied());
        Example { data: Data::Reals(data), targets: Targets::Reals(targets) }
    }

    fn batch(&self, places: &[(usize, usize)]) -> Batch {
        let examples: Vec<Example> = places.iter().map(|&place| self.example(place)).collect();
        // All are of one length, so nothing is padded.
        Batch { mask: Vec::new(), ..together(&examples, &self.codec.interface()) }
    }

    /// Finds the mean squared error of the naive forecast, scaled.
    pub(super) fn find_baseline(&mut self) {
        let (mut sum, mut count) = (0.0, 0_usize);
        for place in self.places(2) {
            let last = self.last(place);
            let truth = self.codec.answers(last, self.truth(place).iter().copied());
            let naive = self.codec.answers(last, self.naive_forecast(place).into_iter());
            let squares = truth.iter().zip(&naive).map(|(x, y)| f64::from(x - y).powi(2));
            // Of what is known, as a model is judged by.
            for square in squares.filter(|square| !square.is_nan()) {
                (sum, count) = (sum + square, count + 1);
            }
        }
        self.baseline = (count > 0).then(|| sum / count as f64);
    }

    /// The codec, told how far off the naive forecast is over what is trained on.
    pub(super) fn with_naive_errors(&mut self) -> Forecaster {
        self.codec.naive = self.naive.means();
        self.codec.clone()
    }
}

fn index_of(part: Part) -> usize {
    match part {
        Part::Validation => 1,
        Part::HeldOut => 2,
    }
}

/// Those that are held out.
impl Judged for Windows {
    fn batches(&self) -> Batches<'_> {
        self.part(Part::HeldOut).unwrap_or_else(|| Box::new(std::iter::empty()))
    }

    fn baseline(&self) -> Option<f64> {
        Task::baseline(self)
    }

    fn naive(&self) -> Option<RegressionScores> {
        Task::naive(self, Part::HeldOut)
    }
}

impl Task for Windows {
    fn batches_per_epoch(&self) -> usize {
        self.count(0).div_ceil(self.context.batch).max(1)
    }

    fn epoch(&self, epoch: u64, skipped: usize) -> Batches<'_> {
        let Context { batch, seed } = self.context;
        let mut places: Vec<_> = self.places(0).collect();
        places.shuffle(&mut rng(seed, "order", [epoch, 0]));
        let batches: Vec<_> = places.chunks(batch).skip(skipped).map(<[_]>::to_vec).collect();
        Box::new(batches.into_iter().map(|places| Ok(self.batch(&places))))
    }

    fn part(&self, part: Part) -> Option<Batches<'_>> {
        let places: Vec<_> = self.places(index_of(part)).collect();
        let chunks: Vec<_> = places.chunks(EVALUATION_BATCH).map(<[_]>::to_vec).collect();
        let batches = move || Box::new(chunks.into_iter().map(|places| Ok(self.batch(&places))));
        (!places.is_empty()).then(|| batches() as Batches<'_>)
    }

    fn goal(&self) -> Goal {
        Goal::Loss
    }

    fn baseline(&self) -> Option<f64> {
        self.baseline
    }

    fn warnings(&self) -> &[String] {
        &self.warnings
    }

    fn naive(&self, part: Part) -> Option<RegressionScores> {
        let mut errors = self.codec.errors();
        for place in self.places(index_of(part)) {
            errors.add(self.truth(place), &self.naive_forecast(place));
        }
        errors.scores()
    }
}
