//! The course of a training, as it was noted in its folder.

use std::path::Path;

use serde_json::Value;

use crate::experiment::Ready;
use crate::metrics::log::JSON_LINES;
use crate::metrics::summary::summarize;
use crate::model::Answers;
use crate::task::{Goal, Loaded, Part};

/// The metrics that runs have. The speed is in steps of sequences: symbols, or rows of numbers.
const METRICS: [&str; 17] = [
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

/// What was noted in a folder, in its order. Lines that are not whole are left out.
pub fn course(path: &Path) -> Vec<Value> {
    let path = path.join(JSON_LINES);
    // A device in its place may have no end.
    let text = if path.is_file() { std::fs::read_to_string(path).ok() } else { None };
    text.unwrap_or_default().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// A figure of the evaluations on a part, where there are any: steps, seconds, and the figure.
pub fn curve(course: &[Value], part: Part, figure: &str) -> Vec<(f64, f64, f64)> {
    let key = |name: &str| format!("{}/{name}", part_key(part));
    let (seconds, figure) = (key("seconds"), key(figure));
    let point = |note: &Value| {
        // What is no number was written as `null`.
        let y = note.get(&figure)?.as_f64().unwrap_or(f64::NAN);
        Some((note["step"].as_f64()?, note[&seconds].as_f64()?, y))
    };
    course.iter().filter_map(point).collect()
}

/// When something was noted, in seconds of the training.
pub(super) fn noted_at(note: &Value) -> Option<f64> {
    ["train/seconds", "validation/seconds", "heldout/seconds"]
        .iter()
        .filter_map(|key| note[key].as_f64())
        .reduce(f64::max)
}

pub(super) fn seconds_per_step(course: &[Value]) -> Option<f64> {
    let pairs = course.windows(2).filter(|pair| pair[1].get("train/seconds").is_some());
    let times = pairs.filter_map(|pair| Some(noted_at(&pair[1])? - noted_at(&pair[0])?));
    summarize(&times.collect::<Vec<_>>()).map(|summary| summary.median)
}

pub(super) fn part_key(part: Part) -> &'static str {
    match part {
        Part::Validation => "validation",
        Part::HeldOut => "heldout",
    }
}
