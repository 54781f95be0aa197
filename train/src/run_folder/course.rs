//! The course of a training, as it was noted in its folder.

use std::path::Path;

use crate::experiment::Ready;
use crate::metrics::log::{JSON_LINES, each};
use crate::metrics::summary::summarize;
use crate::model::Answers;
use crate::task::{Goal, Loaded, Part};

/// The metrics that runs have. The speed is in steps of sequences: symbols, or rows of numbers.
pub const METRICS: [&str; 17] = [
    "train/epoch",
    "train/loss",
    "train/learning_rate",
    "train/gradient_norm",
    "train/seconds",
    "train/symbols_per_second",
    "validation/loss",
    "validation/accuracy",
    "validation/mean_absolute_error",
    "validation/mean_squared_error",
    "validation/seconds",
    "heldout/loss",
    "heldout/accuracy",
    "heldout/mean_absolute_error",
    "heldout/mean_squared_error",
    "heldout/seconds",
    "heldout/chosen_step",
];

/// The metrics of a run, which its task has a meaning for.
pub(crate) fn metrics(ready: &Ready) -> Vec<&'static str> {
    let Loaded { task, codec, .. } = &ready.loaded;
    let numbers = matches!(codec.interface().answers, Answers::Reals(_));
    let accuracy = task.goal() == Goal::Accuracy;
    let has = |name: &&str| match name.rsplit('/').next() {
        Some("mean_absolute_error" | "mean_squared_error") => numbers,
        Some("accuracy") => accuracy,
        _ => true,
    };
    METRICS.into_iter().filter(has).collect()
}

/// A figure of the evaluations on a part, where there are any: steps, seconds, and the figure. Without a
/// log there is none, and of a damaged one what is before the damage.
pub fn curve(path: &Path, part: Part, figure: &str) -> Vec<(f64, f64, f64)> {
    let key = |name: &str| format!("{}/{name}", part_key(part));
    let (seconds, figure) = (key("seconds"), key(figure));
    let mut points = Vec::new();
    read(path, &[&seconds, &figure], |step, values| {
        if let [Some(seconds), Some(figure)] = *values {
            points.push((step as f64, seconds, figure));
        }
    });
    points
}

/// How long a training took, as far as it was noted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Times {
    /// Seconds in all.
    pub(super) seconds: f64,
    /// Seconds of an update in the median, without evaluations; `None` if too few were noted.
    pub(super) per_step: Option<f64>,
}

impl Times {
    /// Of the training in a folder.
    pub(super) fn of(path: &Path) -> Self {
        let (mut last, mut steps) = (None, Vec::new());
        read(path, &["train/seconds", "validation/seconds", "heldout/seconds"], |_, values| {
            let now = values.iter().copied().flatten().filter(|x| !x.is_nan()).reduce(f64::max);
            // A note of a training step comes right after it.
            if let (Some(now), Some(before), Some(_)) = (now, last, values[0]) {
                steps.push(now - before);
            }
            last = now;
        });
        let per_step = summarize(&steps).map(|summary| summary.median);
        Self { seconds: last.unwrap_or(0.0), per_step }
    }
}

/// Goes through the log of a folder as far as it can be read.
fn read(path: &Path, names: &[&str], take: impl FnMut(u64, &[Option<f64>])) {
    let path = path.join(JSON_LINES);
    // A device in its place may have no end.
    if path.is_file() {
        // What is damaged tells nothing more: the training itself is kept elsewhere.
        let _ = each(&path, names, take);
    }
}

pub(super) fn part_key(part: Part) -> &'static str {
    match part {
        Part::Validation => "validation",
        Part::HeldOut => "heldout",
    }
}
