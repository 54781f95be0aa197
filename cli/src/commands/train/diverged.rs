//! What to do about a training that ended in numbers that are none.

use std::path::Path;

use cellc_train::batch::Batch;
use cellc_train::checkpoint::read_metadata;
use cellc_train::culprit::{Culprit, find};
use cellc_train::experiment::{Ready, Settings, usual_rate};
use cellc_train::number::Short;
use cellc_train::run_folder::{MODEL, TRAINING};
use cellc_train::trainer::TrainError;

use crate::failure::Failure;

/// An error of a training, with what is kept of it and how it is gone on with.
pub(super) fn explained(error: TrainError, ready: &Ready, path: &Path) -> Failure {
    let TrainError::Diverged { step, ref batches, backward, learning_rate, .. } = error else {
        return error.into();
    };
    let settings = &ready.experiment.training;
    let mut text = error.to_string();
    if step == 1 {
        text += &first_step(ready, batches, backward);
        return Failure::new(text);
    }
    if let (false, Some(culprit)) = (backward, culprit(ready, batches)) {
        text += &format!(".\n{}", begins(&culprit));
    }
    text += &format!("\nThe learning rate is {} there.", rate(learning_rate));
    let lower = Short(lower(settings));
    let clip = if settings.clip == 0.0 {
        "Gradients are not clipped: --clip 1 does that.".to_owned()
    } else {
        format!("Or clip gradients harder than to {}.", Short(settings.clip))
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
fn first_step(ready: &Ready, batches: &[Batch], backward: bool) -> String {
    let Settings { batch, .. } = ready.experiment.training;
    let cells = ready.experiment.model.cell_names().join(", ");
    let begin = ", before anything was learnt: no learning rate mends that.\n";
    if backward {
        return format!(
            "{begin}The loss is finite, so it is a slope that is not: look in {cells} for a root, a \
             power, a logarithm or a quotient at 0 (`cellc gradcheck` finds it)."
        );
    }
    if let Some(culprit) = culprit(ready, batches) {
        return format!("{begin}{}", begins(&culprit));
    }
    format!(
        "{begin}{cells} gives infinities or NaN for the first {batch} sequences as it begins: look \
         for an exponential of something large, a logarithm or a root of something that is not \
         above 0, or a quotient by 0."
    )
}

/// Where it begins, in a sentence.
fn begins(culprit: &Culprit) -> String {
    let Culprit { stage, cell, operation, nan, step, place } = culprit;
    let what = if *nan { "NaN" } else { "an infinity" };
    let place = place.as_ref().map_or_else(String::new, |(file, line, column)| {
        format!(", in what stands at {file}:{line}:{column}")
    });
    format!(
        "It begins in `{operation}` of cell `{cell}` ({stage}), which gives {what} at step {step} of a \
         sequence{place}."
    )
}

/// The operation that it begins with, if that can be found out: not if a parameter is no number already,
/// or it takes the states of batches before or the masks of a training.
fn culprit(ready: &Ready, batches: &[Batch]) -> Option<Culprit> {
    let Ready { blueprint, model, .. } = ready;
    if model.params().into_iter().flatten().any(|x| !x.is_finite()) {
        return None;
    }
    let architecture = blueprint.architecture(*model.interface()).ok()?;
    batches.iter().find_map(|batch| find(&architecture, blueprint, model, batch))
}

/// A lower rate to try: a third at the most, of one digit. One that is far beyond all usual rates of the
/// method is the usual one.
pub(super) fn lower(settings: &Settings) -> f64 {
    let usual = usual_rate(settings.optimizer);
    if settings.learning_rate > 100.0 * usual {
        return usual;
    }
    // What is rounded here is not to be rounded down for that.
    let third = settings.learning_rate / 3.0 * (1.0 + 1e-9);
    let power = third.log10().floor();
    // What is rounded down to one of these is easily read, and is lower.
    let digit = [5, 2, 1].into_iter().find(|digit| f64::from(*digit) <= third / 10_f64.powf(power));
    // Read as it is written: no power of ten below 1 is exact.
    format!("{}e{power}", digit.unwrap_or(1)).parse().unwrap_or(third)
}

/// A learning rate to three digits.
fn rate(rate: f64) -> Short {
    Short(format!("{rate:.2e}").parse().unwrap_or(rate))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lower_rates_are_easily_read() {
        for (learning_rate, said) in [
            (5e-3, "0.001"),
            (1e-3, "0.0002"),
            (0.1, "0.02"),
            (3e-5, "1e-5"),
            (1e30, "0.005"),
            (f64::MAX, "0.005"),
            (0.3, "0.1"),
            (0.006, "0.002"),
        ] {
            let settings = Settings { learning_rate, ..Settings::default() };
            assert_eq!(Short(lower(&settings)).to_string(), said, "{learning_rate}");
        }
        assert_eq!(rate(1e30).to_string(), "1e30");
        assert_eq!(rate(0.001_234_567).to_string(), "0.00123");
    }
}
