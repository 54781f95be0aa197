//! `compare --dry-run` and `sweep --dry-run`: which runs there would be, and what they would take.

use std::process::ExitCode;
use std::time::Duration;

use cellc_train::experiment::{Experiment, Ready};
use cellc_train::number::Short;
use cellc_train::series::{Plan, Purpose};
use cellc_train::trainer::{TrainError, estimate};
use serde_json::{Value, json};

use crate::commands::train::note_of_doubts;
use crate::failure::Failure;
use crate::memory::amount;
use crate::output::{note, print, print_json};
use crate::progress::clock;
use crate::table::{Align, columns};

/// How many groups are timed; the others are thought to take as long as these in the mean.
const TIMED: usize = 12;

/// What is known of the runs of a group.
struct Expected {
    steps: u64,
    /// The time of a run, and its memory beside the data, if that was found out.
    takes: Option<(Duration, usize)>,
}

/// Says which runs there would be, and trains none.
pub(in crate::commands) fn dry_run(
    plan: &Plan,
    quiet: bool,
    as_json: bool,
) -> Result<ExitCode, Failure> {
    let mut expected = Vec::new();
    let mut first: Option<Experiment> = None;
    for (group, _) in plan.groups.iter().enumerate() {
        let Some(trial) = plan.trials.iter().find(|trial| trial.group == group) else { continue };
        let mut ready = plan.ready(trial)?;
        if let (0, false) = (group, quiet) {
            note_of_doubts(&ready);
            note(&ready.loaded.summary);
        }
        expected.push(Expected::of(&mut ready, group < TIMED)?);
        first.get_or_insert(ready.experiment);
    }
    let known: Vec<_> = expected.iter().filter_map(|group| group.takes).collect();
    let sum: Duration = known.iter().map(|(time, _)| *time).sum();
    let mean = sum.checked_div(known.len() as u32).unwrap_or_default();
    let time_of = |group: usize| {
        let takes = expected.get(group).and_then(|group| group.takes);
        takes.map_or(mean, |(time, _)| time)
    };
    let times = plan.trials.iter().map(|trial| time_of(trial.group));
    let all = times.fold(Duration::ZERO, Duration::saturating_add);
    let memory = known.iter().map(|(_, memory)| *memory).max().unwrap_or(0);
    if as_json {
        let steps = |group: usize| expected.get(group).map(|group| group.steps);
        let run = |trial: &cellc_train::series::Trial| {
            json!({
                "run": trial.name,
                "choice": plan.groups[trial.group].choice,
                "seed": trial.experiment.training.seed,
                "parameters": plan.groups[trial.group].parameters,
                "steps": steps(trial.group),
                "seconds": time_of(trial.group).as_secs_f64(),
                "experiment": trial.experiment,
            })
        };
        print_json(&json!({
            "purpose": plan.purpose,
            "runs": plan.trials.iter().map(run).collect::<Vec<Value>>(),
            "seconds": all.as_secs_f64(),
            "bytes": memory,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    print(table(plan, &expected))?;
    if let (Some(first), Some(trial)) = (&first, plan.trials.first()) {
        let text = toml::to_string(first).map_err(|error| Failure::new(error.to_string()))?;
        let name = &trial.name;
        print(format_args!(
            "\nthe experiment of {name}, of which the others differ as said:\n\n{text}"
        ))?;
    }
    let runs = plan.trials.len();
    note(format_args!(
        "{runs} runs, about {} in all, with up to {} of memory beside the data; none is trained \
         (--dry-run)",
        clock(all),
        amount(memory)
    ));
    Ok(ExitCode::SUCCESS)
}

impl Expected {
    fn of(ready: &mut Ready, timed: bool) -> Result<Self, Failure> {
        let Ready { experiment, loaded, model, .. } = ready;
        let settings = &experiment.training;
        let takes = match timed.then(|| estimate(loaded.task.as_ref(), model, settings)) {
            // It fails at once, as the comparison is to say.
            None | Some(Err(TrainError::Diverged { .. })) => None,
            Some(estimate) => {
                let estimate = estimate?;
                Some((estimate.total(settings), estimate.memory.sum()))
            }
        };
        Ok(Self { steps: settings.steps, takes })
    }
}

/// The dimensions and hyper-parameters that are set, as `--dims` and `--set` have them.
fn set(experiment: &Experiment) -> String {
    let model = &experiment.model;
    let dims = model.dims.iter().map(|(name, size)| format!("{name}={size}"));
    let set = model.set.iter().map(|(name, value)| format!("{name}={}", Short(*value)));
    dims.chain(set).collect::<Vec<_>>().join(",")
}

/// The runs, a line for each.
fn table(plan: &Plan, expected: &[Expected]) -> String {
    let compares = plan.purpose == Purpose::Compare;
    let keys: Vec<&String> = match plan.groups.first() {
        Some(group) if !compares => group.choice.keys().collect(),
        _ => Vec::new(),
    };
    let mut head = vec!["run".to_owned()];
    let mut align = vec![Align::Left];
    if compares {
        head.extend(["cell", "H"].map(String::from));
        align.extend([Align::Left, Align::Right]);
    }
    head.extend(keys.iter().map(|key| (*key).clone()));
    // Each cell has its own of what is set for all.
    let shows_set = compares && plan.trials.iter().any(|trial| !set(&trial.experiment).is_empty());
    if shows_set {
        head.push("set".to_owned());
        align.push(Align::Left);
    }
    head.extend(["seed", "parameters", "steps", "time"].map(String::from));
    align.resize(head.len(), Align::Right);
    let mut rows = vec![head];
    for trial in &plan.trials {
        let (group, expected) = (&plan.groups[trial.group], expected.get(trial.group));
        let mut row = vec![trial.name.clone()];
        if compares {
            row.extend([group.chosen("model.cell"), group.chosen("model.hidden")]);
        }
        row.extend(keys.iter().map(|key| group.chosen(key)));
        if shows_set {
            row.push(set(&trial.experiment));
        }
        row.extend([trial.experiment.training.seed.to_string(), group.parameters.to_string()]);
        row.push(expected.map_or_else(String::new, |expected| expected.steps.to_string()));
        let time = expected.and_then(|expected| expected.takes);
        row.push(time.map_or_else(String::new, |(time, _)| format!("about {}", clock(time))));
        rows.push(row);
    }
    columns(0, &align, &rows)
}
