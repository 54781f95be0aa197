//! What to do about a training that ended in numbers that are none.

use std::path::Path;

use cellc_train::checkpoint::read_metadata;
use cellc_train::culprit::{Culprit, find};
use cellc_train::experiment::{Ready, Settings};
use cellc_train::run_folder::{MODEL, TRAINING};
use cellc_train::trainer::TrainError;

use crate::failure::Failure;
use crate::number::number;

/// An error of a training, with what is kept of it and how it is gone on with.
pub(super) fn explained(error: TrainError, ready: &Ready, path: &Path) -> Failure {
    let TrainError::Diverged { step, backward, learning_rate, .. } = error else {
        return error.into();
    };
    let settings = &ready.experiment.training;
    let mut text = error.to_string();
    if step == 1 {
        text += &first_step(ready, backward);
        return Failure::new(text);
    }
    text += &format!(", where the learning rate is {}", rate(learning_rate));
    let lower = rate(settings.learning_rate / 3.0);
    let clip = if settings.clip == 0.0 {
        "Gradients are not clipped: --clip 1 does that.".to_owned()
    } else {
        format!("Or clip gradients harder than to {}.", number(settings.clip, 3))
    };
    let kept = |file| read_metadata(&path.join(file)).ok().map(|kept| kept.step);
    let shown = path.display();
    match kept(TRAINING) {
        // Before the first checkpoint there is nothing to go on from.
        None => {
            text += &format!("\nBegin anew with a lower one, such as --lr {lower}. {clip}");
        }
        Some(after) => {
            text += &format!(
                "\n{shown} holds the training as it was after step {after}. To go on from there \
                 with a lower one:\n  cellc train --resume {shown} --lr {lower}\n{clip}"
            );
        }
    }
    if let Some(best) = kept(MODEL) {
        text += &format!("\nThe model of step {best} can be used: cellc eval {shown}");
    }
    Failure::new(text)
}

/// Nothing was learnt yet: no learning rate mends that.
fn first_step(ready: &Ready, backward: bool) -> String {
    let Settings { batch, .. } = ready.experiment.training;
    let cells = ready.experiment.model.cell_names().join(", ");
    let begin = ", before anything was learnt: no learning rate mends that.\n";
    if backward {
        return format!(
            "{begin}The loss is finite, so it is a slope that is not: look in {cells} for a root, a \
             power, a logarithm or a quotient at 0 (`cellc gradcheck` finds it)."
        );
    }
    if let Some(culprit) = culprit(ready) {
        let Culprit { stage, cell, operation, nan, step, place } = culprit;
        let what = if nan { "NaN" } else { "an infinity" };
        let place = place.map_or_else(String::new, |(file, line, column)| {
            format!(", in what stands at {file}:{line}:{column}")
        });
        return format!(
            "{begin}It begins in `{operation}` of cell `{cell}` ({stage}), which gives {what} at \
             step {step} of a sequence{place}."
        );
    }
    format!(
        "{begin}{cells} gives infinities or NaN for the first {batch} sequences as it begins: look \
         for an exponential of something large, a logarithm or a root of something that is not \
         above 0, or a quotient by 0."
    )
}

/// The operation that it begins with, if that can be found out.
fn culprit(ready: &Ready) -> Option<Culprit> {
    let Ready { experiment, blueprint, loaded, model, .. } = ready;
    let architecture = blueprint.architecture(*model.interface()).ok()?;
    let batches = loaded.task.epoch(0, 0).take(experiment.training.accumulate);
    batches.flatten().find_map(|batch| find(&architecture, blueprint, model, &batch))
}

/// A learning rate to three digits.
fn rate(rate: f64) -> String {
    format!("{rate:.2e}").parse().unwrap_or(rate).to_string()
}
