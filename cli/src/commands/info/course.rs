//! How a training went, as its metrics tell.

use std::collections::BTreeMap;
use std::path::Path;

use cellc_train::chart::{Axis, Line, LineChart, Spread};
use cellc_train::metrics::log::{JSON_LINES, LogError, Note, curve, read};
use serde_json::{Value, json};

/// What was noted.
#[derive(Default)]
pub(super) struct Course {
    notes: Vec<Note>,
    /// The last value of each metric.
    pub(super) last: BTreeMap<String, f64>,
}

impl Course {
    pub(super) fn read(run: &Path) -> Result<Self, LogError> {
        let notes = read(&run.join(JSON_LINES))?;
        let mut last = BTreeMap::new();
        notes.iter().for_each(|note| last.extend(note.metrics.clone()));
        Ok(Self { notes, last })
    }

    pub(super) fn last_step(&self) -> Option<u64> {
        self.notes.last().map(|note| note.step)
    }

    /// Whether a model was chosen by a validation part and then judged, at the very end.
    pub(super) fn is_finished(&self) -> bool {
        let judged = |note: &Note| note.metrics.contains_key("heldout/loss");
        self.last.contains_key("validation/loss") && self.notes.last().is_some_and(judged)
    }

    /// When the last note was made, in seconds of training.
    pub(super) fn seconds(&self) -> Option<f64> {
        let times = self.last.iter().filter(|(name, _)| name.ends_with("/seconds"));
        times.map(|(_, seconds)| *seconds).reduce(f64::max)
    }

    /// The losses by step.
    fn lines(&self) -> Vec<(&'static str, Vec<(f64, f64)>)> {
        let names = ["train/loss", "validation/loss", "heldout/loss"];
        let lines = names.map(|name| (name, curve(&self.notes, None, name)));
        lines.into_iter().filter(|(_, points)| points.len() > 1).collect()
    }

    pub(super) fn curves(&self) -> Value {
        let line = |(name, points): (&'static str, Vec<_>)| (name.to_owned(), json!(points));
        Value::Object(self.lines().into_iter().map(line).collect())
    }

    /// The learning curves for a terminal; empty if there are none.
    pub(super) fn chart(&self, columns: usize, colour: bool) -> String {
        let line = |(name, points)| Line::of_runs(name, &[thinned(points)], Spread::Range);
        let lines: Vec<Line> = self.lines().into_iter().map(line).collect();
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
fn thinned(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
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
        let drawn = thinned(points.clone());
        assert_eq!((drawn.len(), drawn[0]), (60, (0.5, 2.0)));
        assert_eq!(thinned(points[..60].to_vec()), points[..60]);
        assert_eq!(thinned(Vec::new()), []);
    }
}
