//! How a training went, as its metrics tell.

use std::collections::BTreeMap;
use std::path::Path;

use cellc_train::chart::{Axis, Line, LineChart, Spread};
use cellc_train::metrics::log::{JSON_LINES, LogError, each};
use cellc_train::run_folder::METRICS;
use serde_json::{Value, json};

/// The metrics that learning curves show.
const LOSSES: [&str; 3] = ["train/loss", "validation/loss", "heldout/loss"];

/// What was noted.
#[derive(Default)]
pub(super) struct Course {
    /// The losses that were noted, each with its step.
    losses: [Vec<(f64, f64)>; LOSSES.len()],
    /// The step of the last note, and whether it is of what was held out.
    end: Option<(u64, bool)>,
    /// The last value of each metric.
    pub(super) last: BTreeMap<String, f64>,
    /// What the model that is kept came to in its evaluations.
    pub(super) kept: BTreeMap<String, f64>,
}

impl Course {
    /// Reads what was noted of a run whose model is that after the step `kept`.
    pub(super) fn read(run: &Path, kept: Option<u64>) -> Result<Self, LogError> {
        let place = |name: &str| METRICS.iter().position(|metric| *metric == name);
        let (places, chosen) = (LOSSES.map(place), place("heldout/chosen_step"));
        let (mut course, mut last) = (Self::default(), [None; METRICS.len()]);
        each(&run.join(JSON_LINES), &METRICS, |step, values| {
            let loss = |place: Option<usize>| place.and_then(|place| values[place]);
            for (line, place) in course.losses.iter_mut().zip(places) {
                line.extend(loss(place).map(|loss| (step as f64, loss)));
            }
            let kept = kept.map(|step| step as f64);
            let chosen = chosen.and_then(|place| values[place]).unwrap_or(step as f64);
            for (name, value) in METRICS.iter().zip(values) {
                // What was held out may be judged at the end, by a model of before.
                let of = match name.split_once('/') {
                    Some(("validation", _)) => step as f64,
                    Some(("heldout", _)) => chosen,
                    _ => continue,
                };
                if let (Some(value), true) = (value, Some(of) == kept) {
                    course.kept.insert((*name).to_owned(), *value);
                }
            }
            course.end = Some((step, loss(places[2]).is_some()));
            last.iter_mut().zip(values).for_each(|(last, value)| *last = value.or(*last));
        })?;
        let last = METRICS.into_iter().zip(last);
        course.last = last.filter_map(|(name, x)| Some((name.to_owned(), x?))).collect();
        Ok(course)
    }

    pub(super) fn last_step(&self) -> Option<u64> {
        self.end.map(|(step, _)| step)
    }

    /// Whether a model was chosen by a validation part and then judged, at the very end.
    pub(super) fn is_finished(&self) -> bool {
        self.last.contains_key("validation/loss") && self.end.is_some_and(|(_, judged)| judged)
    }

    /// When the last note was made, in seconds of training.
    pub(super) fn seconds(&self) -> Option<f64> {
        let times = self.last.iter().filter(|(name, _)| name.ends_with("/seconds"));
        times.map(|(_, seconds)| *seconds).reduce(f64::max)
    }

    /// The losses by step.
    fn lines(&self) -> impl Iterator<Item = (&'static str, &[(f64, f64)])> {
        let lines = LOSSES.into_iter().zip(self.losses.iter().map(Vec::as_slice));
        lines.filter(|(_, points)| points.len() > 1)
    }

    pub(super) fn curves(&self) -> Value {
        let line = |(name, points): (&str, &[_])| (name.to_owned(), json!(points));
        Value::Object(self.lines().map(line).collect())
    }

    /// The learning curves for a terminal; empty if there are none.
    pub(super) fn chart(&self, columns: usize, colour: bool) -> String {
        let line = |(name, points)| Line::of_runs(name, &[thinned(points)], Spread::Range);
        let lines: Vec<Line> = self.lines().map(line).collect();
        if lines.is_empty() {
            return String::new();
        }
        let (x, y) = (Axis::linear("step", ""), Axis::linear("loss", ""));
        LineChart { title: String::new(), x, y, lines }.to_text(columns, 16, colour)
    }
}

/// How many points of a curve are drawn at most: more are noise on a terminal.
const POINTS: usize = 60;

/// Means of as many points as make few enough of them.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let several = points.len().div_ceil(POINTS).max(1);
    let mean = |points: &[(f64, f64)]| {
        let sum = points.iter().fold((0.0, 0.0), |sum, point| (sum.0 + point.0, sum.1 + point.1));
        (sum.0 / points.len() as f64, sum.1 / points.len() as f64)
    };
    points.chunks(several).map(mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_curves_are_drawn_by_means() {
        let points: Vec<(f64, f64)> = (0..120).map(|i| (f64::from(i), 2.0)).collect();
        let drawn = thinned(&points);
        assert_eq!((drawn.len(), drawn[0]), (60, (0.5, 2.0)));
        assert_eq!(thinned(&points[..60]), points[..60]);
        assert_eq!(thinned(&[]), []);
    }
}
