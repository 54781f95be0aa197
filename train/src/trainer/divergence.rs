//! What is to be said of a training whose numbers are none any more.

use crate::model::{Model, Score};

/// What is no finite number: the loss, or else the first gradient that has one, or else the norm of
/// all of them together.
pub(super) fn diverged(model: &Model<f32>, gradients: &[&[f32]], score: Score) -> String {
    if score.loss.is_nan() {
        return "the loss is not a number (NaN)".to_owned();
    }
    if !score.loss.is_finite() {
        return "the loss is infinite".to_owned();
    }
    let parameters = model.parameters();
    let mut all = parameters.iter().zip(gradients);
    let first = all.find_map(|(p, gradient)| Some((&p.name, not_finite(gradient)?)));
    first.map_or_else(
        || "the gradients are too long for their norm to be a number".to_owned(),
        |(name, fault)| format!("the gradient of `{name}` {fault}"),
    )
}

/// How many of numbers are not finite, if any is.
fn not_finite(numbers: &[f32]) -> Option<String> {
    let (bad, all) = (numbers.iter().filter(|x| !x.is_finite()).count(), numbers.len());
    let kind = if numbers.iter().any(|x| x.is_nan()) { "NaN" } else { "infinite" };
    (bad > 0).then(|| format!("is {kind} in {bad} of its {all} numbers"))
}

/// Which parameter a divergence may come from: the first that is not finite, or else the one with the
/// `longest` gradient of the step before.
pub(super) fn suspect(model: &Model<f32>, longest: Option<(usize, f64)>) -> Option<String> {
    let parameters = model.parameters();
    let mut all = parameters.iter().zip(model.params());
    let first = all.find_map(|(p, numbers)| Some((&p.name, not_finite(numbers)?)));
    if let Some((name, fault)) = first {
        return Some(format!("the parameter `{name}` {fault}"));
    }
    let (place, norm) = longest?;
    let name = &parameters.get(place)?.name;
    Some(format!(
        "the longest gradient of the step before was that of `{name}`, of norm {norm:.3e}"
    ))
}
