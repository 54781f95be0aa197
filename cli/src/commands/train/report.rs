//! What `cellc train` says at its end.

use std::path::Path;

use cellc_train::experiment::{Experiment, Settings};
use cellc_train::metrics::regression::RegressionScores;
use cellc_train::model::{Answers, Model, Score};
use cellc_train::number::Short;
use cellc_train::task::{Codec, Figure, Task};
use cellc_train::trainer::{End, Estimate, Needed, Outcome};
use serde_json::{Value, json};

use super::diverged::lower;
use crate::memory::amount;
use crate::number::number;
use crate::progress::clock;

/// What a training came to.
pub(super) struct Report<'a> {
    pub(super) path: &'a Path,
    pub(super) experiment: &'a Experiment,
    pub(super) model: &'a Model<f32>,
    pub(super) task: &'a dyn Task,
    pub(super) codec: &'a dyn Codec,
    pub(super) outcome: &'a Outcome,
    pub(super) figures: &'a [Figure],
    /// How far forecasts of the held-out part are off, and the naive ones, if the task forecasts.
    pub(super) forecast: Option<&'a (RegressionScores, RegressionScores)>,
    /// Whether the training loss rose.
    pub(super) rose: bool,
}

impl Report<'_> {
    fn name(&self) -> &str {
        self.experiment.task.get("name").and_then(toml::Value::as_str).unwrap_or_default()
    }

    /// What `--json` ends with.
    pub(super) fn json(&self) -> Value {
        let Outcome { end, steps, best_step, validation, held_out, elapsed } = *self.outcome;
        let end = match end {
            End::Steps => "steps",
            End::Patience => "patience",
            End::Solved => "solved",
            End::Time => "time",
            End::Interrupted => "interrupted",
        };
        let mut report = json!({
            "run": self.path,
            "task": self.name(),
            "steps": steps,
            "best_step": best_step,
            "end": end,
            "train_seconds": elapsed.as_secs_f64(),
            "parameters": self.model.size(),
        });
        if let Some(score) = validation {
            report["validation"] = score_json(&score, self.codec);
        }
        if let Some(score) = held_out {
            let mut held_out = score_json(&score, self.codec);
            if let Some(baseline) = self.task.baseline() {
                let key = if self.codec.labels().is_empty() { "baseline" } else { "majority" };
                held_out[key] = json!(baseline);
            }
            if let Some((scores, naive)) = self.forecast {
                put_errors(&mut held_out, scores.clone(), Some(naive.clone()));
            }
            for figure in self.figures {
                held_out[figure.name] = json!(figure.value);
            }
            report["heldout"] = held_out;
        }
        report
    }

    pub(super) fn text(&self) -> String {
        let seconds = self.outcome.elapsed.as_secs_f64();
        let path = self.path.display();
        let Some(score) = &self.outcome.held_out else {
            return format!(
                "stopped after {} of {} steps, kept in {path}\ngo on with: cellc train --resume \
                 {path}\n",
                self.outcome.steps, self.experiment.training.steps
            );
        };
        let baseline = self.task.baseline();
        let poor = poor(score, self.codec, baseline).map_or_else(String::new, |than| {
            let clip = if self.experiment.training.clip == 0.0 { ", or --clip 1," } else { "" };
            let advice =
                format!("; the training loss rose on its way: a lower --lr{clip} may help");
            format!("note: {than}{}\n", if self.rose { advice.as_str() } else { "" })
        });
        let forecast = self.forecast.map(|(scores, naive)| (scores, naive));
        let verdict = verdict(score, self.codec, baseline, forecast);
        // Of one target, the verdict says all but the steps.
        let table = match self.forecast {
            Some((scores, naive)) if scores.channels.len() > 1 => {
                let table = scores.table(Some(naive), false);
                format!("MAE and RMSE in the unit of each target\n{table}")
            }
            _ => String::new(),
        };
        let figures: String = self.figures.iter().flat_map(|f| [", ", f.text.as_str()]).collect();
        let settings = &self.experiment.training;
        let Outcome { end, steps, .. } = *self.outcome;
        let ended = ended(end, steps, settings).map_or_else(String::new, |ended| {
            let on = going_on(end, self.path, settings);
            ended + &on.map_or_else(|| ", ".to_owned(), |on| format!("; go on with: {on}\n"))
        });
        format!(
            "held out: {verdict}{figures}\n{table}{poor}{ended}trained in {seconds:.1} s, kept in {path}\n"
        )
    }
}

/// How a training ended that did not take all of its steps.
pub(crate) fn ended(end: End, steps: u64, settings: &Settings) -> Option<String> {
    let early =
        |why: String| Some(format!("ended after step {steps} of {}: {why}", settings.steps));
    match end {
        End::Steps | End::Interrupted => None,
        End::Solved => Some(format!("solved at step {steps}")),
        End::Time => early(format!("its time is over (minutes = {})", Short(settings.minutes))),
        End::Patience => {
            early(format!("no better for {} evaluations (patience)", settings.patience))
        }
    }
}

/// The command that goes on with a training that ended before it had taken all of its steps.
pub(crate) fn going_on(end: End, path: &Path, settings: &Settings) -> Option<String> {
    let option = match end {
        End::Steps | End::Interrupted | End::Solved => return None,
        End::Time => format!("--minutes {}", Short(2.0 * settings.minutes)),
        End::Patience => return Some(lower_rate(path, settings)),
    };
    Some(format!("cellc train --resume {} {option}", path.display()))
}

/// The command that goes on with a training at a lower learning rate.
pub(crate) fn lower_rate(path: &Path, settings: &Settings) -> String {
    format!("cellc train --resume {} --lr {}", path.display(), Short(lower(settings)))
}

/// What a model is worse than that has learnt nothing, if it is.
fn poor(score: &Score, codec: &dyn Codec, baseline: Option<f64>) -> Option<String> {
    let Answers::Classes(classes) = codec.interface().answers else {
        let baseline = baseline.filter(|&baseline| score.mean_squared_error() > baseline)?;
        let than = codec.baseline();
        return Some(format!("by its mean squared error it is worse than {than} ({baseline:.4})"));
    };
    let chance = (classes as f64).ln();
    // A model that has hardly begun is about as good as chance.
    if codec.continues() && score.mean_loss() > 1.05 * chance {
        let step = codec.step();
        return Some(format!(
            "it is worse than equal chances of all {classes} {step}s ({chance:.3} nats)"
        ));
    }
    let baseline = baseline.filter(|&baseline| score.accuracy() < baseline)?;
    Some(format!("it is worse than the most frequent label ({:.1} %)", 100.0 * baseline))
}

/// The memory of a training, and what of it is for what.
pub(super) fn memory_text(needed: &Needed, limit: Option<usize>) -> String {
    let Needed { parameters, gradients, optimizer, tape, evaluation, extent } = *needed;
    let sum = needed.sum();
    let more = match limit {
        Some(limit) if sum > limit => format!(
            "\n  that is more than {}: sequences will be run in segments (--memory)",
            amount(limit)
        ),
        _ => String::new(),
    };
    format!(
        "about {} of memory beside the data:\n  \
         {} parameters, {} gradients, {} optimiser,\n  \
         {} tape of the largest batch ({} steps of {}), up to {} evaluation{more}",
        amount(sum),
        amount(parameters),
        amount(gradients),
        amount(optimizer),
        amount(tape),
        extent.steps,
        extent.batch,
        amount(evaluation),
    )
}

/// The time of a training, by what some of it took.
pub(super) fn time_text(estimate: &Estimate, settings: &Settings) -> String {
    format!(
        "about {} in all: {} steps of {:.2} ms, {} evaluations of {:.2} s",
        clock(estimate.total(settings)),
        settings.steps,
        1e3 * estimate.update.as_secs_f64(),
        settings.steps.div_ceil(settings.evaluate_every.max(1)),
        estimate.evaluation.as_secs_f64(),
    )
}

/// A score as JSON: what has a meaning for the task.
pub(crate) fn score_json(score: &Score, codec: &dyn Codec) -> Value {
    let mut value = json!({ "loss": score.mean_loss(), "count": score.count });
    if score.numbers > 0 {
        value["mean_absolute_error"] = json!(score.mean_absolute_error());
        value["mean_squared_error"] = json!(score.mean_squared_error());
    } else {
        value["accuracy"] = json!(score.accuracy());
    }
    if codec.continues() {
        value["perplexity"] = json!(score.mean_loss().exp());
    }
    value
}

/// Puts how far forecasts are off beside a score as JSON, and the naive ones. What has a unit is not mixed.
pub(crate) fn put_errors(
    value: &mut Value,
    scores: RegressionScores,
    naive: Option<RegressionScores>,
) {
    let scores = scores.unmixed();
    if let Some(naive) = naive {
        if scores.channels.len() == 1 {
            (value["mae"], value["rmse"]) = (json!(scores.overall.mae), json!(scores.overall.rmse));
        }
        value["mase"] = json!(scores.overall.mase);
        value["naive"] = json!(naive.unmixed());
    }
    value["regression"] = json!(scores);
}

/// A score in a sentence, and how far forecasts and the naive ones are off, if it is of forecasts.
pub(crate) fn verdict(
    score: &Score,
    codec: &dyn Codec,
    baseline: Option<f64>,
    forecast: Option<(&RegressionScores, &RegressionScores)>,
) -> String {
    let loss = score.mean_loss();
    let step = codec.step();
    if score.numbers > 0 {
        let (mae, mse) = (score.mean_absolute_error(), score.mean_squared_error());
        let than = baseline
            .map_or_else(String::new, |baseline| format!(" ({}: {baseline:.4})", codec.baseline()));
        let (mse, mae) = (number(mse, 4), number(mae, 4));
        let numbers = format!("mean squared error {mse}{than}, mean absolute error {mae}");
        return match forecast {
            Some((scores, naive)) => {
                format!("{}; on the scale of the training: {numbers}", scores.headline(Some(naive)))
            }
            None => numbers,
        };
    }
    if codec.continues() {
        let (bits, perplexity) = (loss / std::f64::consts::LN_2, loss.exp());
        return format!(
            "loss {} nats per {step} ({} bits, perplexity {})",
            number(loss, 3),
            number(bits, 3),
            number(perplexity, 2)
        );
    }
    let than = baseline.map_or_else(String::new, |baseline| {
        format!(" (the most frequent label: {:.1} %)", 100.0 * baseline)
    });
    format!("accuracy {:.1} %{than}, loss {} nats", 100.0 * score.accuracy(), number(loss, 3))
}
