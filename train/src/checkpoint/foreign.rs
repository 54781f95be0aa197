//! How the parameters of one model differ from those of another.

use crate::model::Parameter;

/// How many differences are told.
const TOLD: usize = 3;

/// How parameters that were found differ from those of a model, stage by stage; `None` if they do not.
pub(super) fn differences(found: &[Parameter], own: &[Parameter]) -> Option<String> {
    let mut stages: Vec<&str> = Vec::new();
    for parameter in own.iter().chain(found) {
        let stage = split(parameter).0;
        if !stages.contains(&stage) {
            stages.push(stage);
        }
    }
    let differences: Vec<_> = stages.into_iter().filter_map(|s| of_stage(s, found, own)).collect();
    let told = differences.iter().take(TOLD).cloned().collect::<Vec<_>>().join("; ");
    match differences.len() {
        0 => None,
        count if count > TOLD => Some(format!("{told}; and {} more", count - TOLD)),
        _ => Some(told),
    }
}

fn of_stage(stage: &str, found: &[Parameter], own: &[Parameter]) -> Option<String> {
    let of = |all: &'_ [Parameter]| -> Vec<Parameter> {
        let mut all: Vec<_> = all.iter().filter(|p| split(p).0 == stage).cloned().collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    };
    let (found, own) = (of(found), of(own));
    match (found.as_slice(), own.as_slice()) {
        ([], _) => return Some(format!("it has no `{stage}`")),
        (_, []) => return Some(format!("it has a `{stage}`, and the model has none")),
        _ => {}
    }
    let names = |all: &[Parameter], but: &[Parameter]| -> Vec<String> {
        let others = all.iter().filter(|p| but.iter().all(|other| other.name != p.name));
        others.map(|p| format!("`{}`", split(p).1)).collect()
    };
    let (more, less) = (names(&found, &own), names(&own, &found));
    if !(more.is_empty() && less.is_empty()) {
        let list = |names: &[String]| match names {
            [] => "nothing".to_owned(),
            names if names.len() > TOLD => format!("{}, ..", names[..TOLD].join(", ")),
            names => names.join(", "),
        };
        return Some(format!(
            "`{stage}` is another cell, with {} where the model has {}",
            list(&more),
            list(&less)
        ));
    }
    let pairs = found.iter().zip(&own);
    let mut shapes = pairs.filter(|(found, own)| found.shape != own.shape);
    let told = |(found, own): (&Parameter, &Parameter)| {
        format!("`{}` is {:?} where the model has {:?}", own.name, found.shape, own.shape)
    };
    shapes.next().map(told)
}

/// The stage of a parameter, and its name there.
fn split(parameter: &Parameter) -> (&str, &str) {
    parameter.name.rsplit_once('.').unwrap_or(("", &parameter.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(parameters: &[(&str, &[usize])]) -> Vec<Parameter> {
        let own = |(name, shape): &(&str, &[usize])| Parameter {
            name: (*name).to_owned(),
            shape: shape.to_vec(),
        };
        parameters.iter().map(own).collect()
    }

    #[test]
    fn what_differs_is_told_by_stages() {
        let own = all(&[("layer0.W_r", &[8, 6]), ("layer0.b", &[8]), ("head.W", &[4, 8])]);
        assert_eq!(differences(&own, &own), None);
        let mut other = own.clone();
        other.reverse();
        assert_eq!(differences(&other, &own), None, "the order makes no difference");
        for (found, told) in [
            (
                all(&[("layer0.W_r", &[12, 6]), ("layer0.b", &[12]), ("head.W", &[4, 12])]),
                "`layer0.W_r` is [12, 6] where the model has [8, 6]; `head.W` is [4, 12] where the \
                 model has [4, 8]",
            ),
            (
                all(&[("layer0.W_f", &[8, 6]), ("layer0.b", &[8]), ("head.W", &[4, 8])]),
                "`layer0` is another cell, with `W_f` where the model has `W_r`",
            ),
            (
                all(&[("layer0.W_r", &[8, 6]), ("layer0.b", &[8]), ("layer1.b", &[8])]),
                "it has no `head`; it has a `layer1`, and the model has none",
            ),
        ] {
            assert_eq!(differences(&found, &own).as_deref(), Some(told));
        }
    }
}
