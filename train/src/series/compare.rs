//! Comparisons: the same task, the same budget, several cells.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::blueprint::CellText;
use crate::experiment::{Experiment, ExperimentError};
use crate::model::Model;
use crate::task::Context;
use crate::trainer::{TrainError, estimate};
use cellc_compiler::suggest::closest;
use cellc_runtime::program::Engine;

use super::budget::{Budget, nearest, parameters};
use super::{FORMAT, Group, Plan, Purpose, SeriesError, Trial, seeded, texts};

/// Plans a comparison of cells, each by its name in `base`'s place of the cell and trained from so
/// many seeds, from that of `base` on, as [`with_each`] has it. `cells` are the texts of all cells.
///
/// With a budget of time, some updates of each cell are timed here.
///
/// # Errors
/// If a cell makes no model, or the budget cannot be kept to.
pub fn compare(
    base: &Experiment,
    names: &[String],
    cells: Vec<CellText>,
    seeds: u64,
    budget: Budget,
) -> Result<Plan, SeriesError> {
    let mut base = base.clone();
    base.absolute();
    check(&base, names, budget)?;
    let training = &base.training;
    let context = Context { batch: training.batch, seed: training.seed };
    let loaded = (base.kind()?.load)(&base.task, context).map_err(ExperimentError::from)?;
    let interface = loaded.codec.interface();
    let count = |experiment: &Experiment| {
        parameters(experiment, &texts(experiment, &cells), interface).map_err(ExperimentError::from)
    };
    let mut target = None;
    let (mut groups, mut experiments) = (Vec::new(), Vec::new());
    let of_cells = with_each(&base, names, &cells)?;
    for ((name, mut experiment), label) in names.iter().zip(of_cells).zip(labels(names)) {
        let mut choice = toml::Table::new();
        choice.insert("model.cell".to_owned(), name.as_str().into());
        if budget == Budget::Params {
            let target = match target {
                Some(target) => target,
                None => *target.insert(count(&experiment)?),
            };
            let of_size = |hidden| {
                let mut sized = experiment.clone();
                sized.model.hidden = hidden;
                count(&sized)
            };
            experiment.model.hidden = nearest(target, of_size)?;
        }
        if let Budget::Time(time) = budget {
            let architecture =
                experiment.blueprint(texts(&experiment, &cells)).architecture(interface);
            let architecture = architecture.map_err(ExperimentError::from)?;
            let model = Model::new(&architecture, Engine::default(), experiment.training.seed);
            let mut model = model.map_err(ExperimentError::from)?;
            let settings = &experiment.training;
            let steps = match estimate(loaded.task.as_ref(), &mut model, settings) {
                Ok(estimate) => estimate.steps_within(time, settings),
                // It fails at once, whatever its number of steps.
                Err(TrainError::Diverged { .. }) => 1,
                Err(error) => return Err(error.into()),
            };
            if steps == 0 {
                return Err(SeriesError::Settings(format!(
                    "{time:?} is too little for `{label}`: its evaluations alone take longer; give \
                     more, or have fewer (training.evaluations=1)"
                )));
            }
            experiment.give_steps(steps);
            choice.insert("training.steps".to_owned(), toml::Value::from(steps.cast_signed()));
        }
        let hidden = i64::try_from(experiment.model.hidden).unwrap_or(i64::MAX);
        choice.insert("model.hidden".to_owned(), hidden.into());
        let parameters = count(&experiment)?;
        groups.push(Group { name: label, choice, parameters });
        experiments.push(seeded(&experiment, seeds).collect::<Vec<_>>());
    }
    let timed = matches!(budget, Budget::Time(_));
    let trials = in_turn(&groups, experiments);
    let (purpose, goal) = (Purpose::Compare, loaded.task.goal());
    Ok(Plan { format: FORMAT, purpose, goal, timed, groups, trials, cells })
}

/// The experiment with each of the cells in turn. The dimensions and hyper-parameters that it sets are
/// set in those cells that have them.
///
/// # Errors
/// What is wrong with the form of a text of `cells`, which are those of all; or what none of several cells
/// has. Of one cell that stays set, to be told where it is checked.
pub fn with_each(
    base: &Experiment,
    names: &[String],
    cells: &[CellText],
) -> Result<Vec<Experiment>, SeriesError> {
    let known = cells.iter().map(CellText::settable).collect::<Result<Vec<_>, _>>();
    let known = known.map_err(ExperimentError::from)?;
    // All begin alike, the cell of the task's choice too.
    let mut base = base.clone();
    base.forget_hypers();
    let given = base.model.dims.keys().chain(base.model.set.keys());
    for name in given {
        if names.len() > 1 && !known.iter().any(|known| known.contains(name)) {
            let near = closest(name, known.iter().flatten().map(String::as_str));
            let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            return Err(SeriesError::Settings(format!(
                "none of the cells {} has a dimension or hyper-parameter `{name}`{near}",
                names.join(", ")
            )));
        }
    }
    let with = |name: &String| {
        let mut experiment = base.clone();
        experiment.model.cell.clone_from(name);
        let own = experiment.model.cell_names();
        let is_own: Vec<_> = cells.iter().map(|text| own.contains(&text.name.as_str())).collect();
        let stays = |name: &String| {
            let has = |known: &HashSet<String>| known.contains(name);
            is_own.iter().zip(&known).any(|(is_own, known)| *is_own && has(known))
                || !known.iter().any(has)
        };
        experiment.model.dims.retain(|name, _| stays(name));
        experiment.model.set.retain(|name, _| stays(name));
        experiment
    };
    Ok(names.iter().map(with).collect())
}

/// All groups from the first seed, then all from the second: what is seen early is of all of them.
pub(super) fn in_turn(groups: &[Group], experiments: Vec<Vec<Experiment>>) -> Vec<Trial> {
    let mut trials: Vec<(usize, Trial)> = Vec::new();
    for (group, experiments) in experiments.into_iter().enumerate() {
        for (turn, experiment) in experiments.into_iter().enumerate() {
            let name = format!("{}-{}", groups[group].name, experiment.training.seed);
            trials.push((turn, Trial { name, group, experiment }));
        }
    }
    trials.sort_by_key(|(turn, _)| *turn);
    trials.into_iter().map(|(_, trial)| trial).collect()
}

/// Whether there is something to be compared, and by this budget.
fn check(base: &Experiment, names: &[String], budget: Budget) -> Result<(), SeriesError> {
    let fault = |text: String| Err(SeriesError::Settings(text));
    // A file may be named in several ways.
    let file = |name: &String| match name.ends_with(".cell") {
        true => std::fs::canonicalize(name).unwrap_or_else(|_| PathBuf::from(name)),
        false => PathBuf::from(name),
    };
    let files: Vec<_> = names.iter().map(file).collect();
    let twice = (0..names.len()).find(|&i| files[..i].contains(&files[i]));
    if let Some(twice) = twice.map(|i| &names[i]) {
        return fault(format!("cell `{twice}` is named twice"));
    }
    let layers = &base.model.layer;
    if !layers.is_empty() && layers.iter().all(|layer| layer.cell.is_some()) {
        return fault(
            "every [[model.layer]] names a cell of its own, so none is left to be compared; leave \
             out `cell` where those of --cells are to stand"
                .to_owned(),
        );
    }
    if budget == Budget::Params && layers.iter().any(|layer| layer.hidden.is_some()) {
        return fault(
            "a budget of params chooses the size of layers; leave out `hidden` in [[model.layer]]"
                .to_owned(),
        );
    }
    if budget == Budget::Params && base.model.tied {
        return fault(
            "a budget of params chooses the size of layers, but a head that is tied to the \
             embedding settles it; leave out `tied`, or compare by steps"
                .to_owned(),
        );
    }
    Ok(())
}

/// What cells are called in a comparison: names without folders and endings, with a number after
/// those that there are already.
fn labels(names: &[String]) -> Vec<String> {
    let mut labels: Vec<String> = Vec::new();
    for name in names {
        let stem = Path::new(name).file_stem().and_then(|stem| stem.to_str()).unwrap_or(name);
        let numbered = (2_u64..).map(|n| format!("{stem}.{n}"));
        let free = std::iter::once(stem.to_owned()).chain(numbered);
        labels.extend(free.into_iter().find(|label| !labels.contains(label)));
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::labels;

    #[test]
    fn cells_of_one_name_are_told_apart() {
        let names = ["lstm", "my/lstm.cell", "b.cell", "c/b.cell"].map(String::from);
        assert_eq!(labels(&names), ["lstm", "lstm.2", "b", "b.2"]);
    }
}
