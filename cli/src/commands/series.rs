//! What `compare` and `sweep` share: several runs and what they came to.

mod dry_run;

use std::io::{IsTerminal, stdout};
use std::process::ExitCode;
use std::time::Duration;

use cellc_train::metrics::summary::{Better, Interval, Summary, summarize};
use cellc_train::run::Watcher;
use cellc_train::series::report::{GroupReport, Report};
use cellc_train::series::{Purpose, Series, Turn};
use cellc_train::task::{Goal, Part};
use serde_json::json;

use crate::commands::train::note_of_doubts;
use crate::failure::Failure;
use crate::number::number;
use crate::output::{note, print, print_json};
use crate::progress::{Among, Progress, listen_for_interrupt};
use crate::table::{Align, columns};

pub(super) use self::dry_run::dry_run;

/// The size of a chart on a terminal.
const CHART: (usize, usize) = (80, 20);

/// Trains what is left of a series, and reports.
pub(super) fn go(series: &Series, quiet: bool, json: bool) -> Result<ExitCode, Failure> {
    let path = series.path().display();
    if !quiet {
        note(format_args!("kept in {path}"));
    }
    listen_for_interrupt();
    let results = series.run(&mut |turn| watch(turn, quiet))?;
    let report = Report::of(series, &results);
    let left = results.iter().filter(|result| result.is_none()).count();
    let purpose = series.plan().purpose.name();
    let files = if left == 0 { report.write(series)? } else { Vec::new() };
    if json {
        let mut value =
            serde_json::to_value(&report).map_err(|error| Failure::new(error.to_string()))?;
        value["folder"] = json!(series.path());
        value["left"] = json!(left);
        value["files"] = json!(files);
        print_json(&value)?;
    } else if left == 0 {
        if stdout().is_terminal() {
            let colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
            print(report.curves(series).to_text(CHART.0, CHART.1, colour) + "\n")?;
        }
        print(text(&report, series))?;
        print(format_args!("\nkept in {path}: {}\n", files.join(", ")))?;
    } else {
        let all = results.len();
        print(format_args!(
            "stopped after {} of {all} runs, kept in {path}\n\
             go on with: cellc {purpose} --resume {path}\n",
            all - left
        ))?;
    }
    Ok(match left {
        0 if report.groups.iter().all(|group| group.summary.is_none()) => ExitCode::FAILURE,
        0 => ExitCode::SUCCESS,
        // As a shell says of what is stopped by Ctrl-C.
        _ => ExitCode::from(130),
    })
}

/// Who is told of a run, and what there is to say before it.
fn watch(turn: &Turn<'_>, quiet: bool) -> Box<dyn Watcher> {
    let Turn { number, plan, run, .. } = *turn;
    let trial = &plan.trials[number];
    let group = &plan.groups[trial.group];
    let title = group.title(plan.purpose);
    let name = format!("{title}, seed {}", trial.experiment.training.seed);
    let mut among = Among { name, known: Duration::ZERO, unknown: 0 };
    for later in &plan.trials[number + 1..] {
        match seconds_of(turn, later.group) {
            Some(time) => among.known = among.known.saturating_add(time),
            None => among.unknown += 1,
        }
    }
    if !quiet {
        if number == 0 {
            note_of_doubts(&run.ready);
        }
        let (turn, all) = (number + 1, plan.trials.len());
        let goes_on = match run.step() {
            0 => String::new(),
            step => format!(", going on after step {step}"),
        };
        note(format_args!("run {turn} of {all}: {}{goes_on}", among.name));
    }
    Box::new(Progress::new(run, Some(among), quiet))
}

/// The mean time of the runs of a group that are over.
fn seconds_of(turn: &Turn<'_>, group: usize) -> Option<Duration> {
    let of_group = turn.plan.trials.iter().zip(turn.results).filter(|(t, _)| t.group == group);
    let times: Vec<f64> = of_group.filter_map(|(_, r)| Some(r.as_ref()?.seconds)).collect();
    let mean = summarize(&times)?.mean;
    Duration::try_from_secs_f64(mean).ok()
}

/// The ranking, and what there is to say about it.
fn text(report: &Report, series: &Series) -> String {
    let part = match report.purpose.part() {
        Part::Validation => "validation",
        Part::HeldOut => "held-out",
    };
    let figure = format!("{part} {}", report.goal.name());
    let seeds = report.groups.iter().map(|group| group.runs.len()).max().unwrap_or(0);
    let mut text = match seeds {
        0 | 1 => format!("by {figure}\n"),
        seeds => format!("by {figure}: mean and standard deviation of {seeds} seeds\n"),
    };
    let compares = report.purpose == Purpose::Compare;
    let keys: Vec<&String> = match (compares, report.groups.first()) {
        (false, Some(group)) => group.group.choice.keys().collect(),
        _ => Vec::new(),
    };
    let mut head = vec![String::new()];
    let mut align = vec![Align::Right];
    if compares {
        head.extend(["cell", "H"].map(String::from));
        align.extend([Align::Left, Align::Right]);
    }
    for key in &keys {
        head.push((*key).rsplit('.').next().unwrap_or(key).to_owned());
        align.push(Align::Right);
    }
    let names = ["parameters", "steps", "ms/step", "seconds", figure.as_str()];
    head.extend(names.map(String::from));
    align.extend([Align::Right; 5]);
    if seeds > 1 {
        head.extend(["worst", "best", "against the first"].map(String::from));
        align.extend([Align::Right, Align::Right, Align::Left]);
    }
    let mut rows = vec![head];
    for group in &report.groups {
        let mut row = vec![group.place.to_string()];
        if compares {
            row.extend([group.group.name.clone(), group.group.chosen("model.hidden")]);
        }
        row.extend(keys.iter().map(|key| group.group.chosen(key)));
        let steps = group.runs.iter().map(|run| run.steps).max().unwrap_or(0);
        let time = group.seconds_per_step.map(|seconds| format!("{:.2}", 1e3 * seconds));
        row.extend([group.group.parameters.to_string(), steps.to_string()]);
        row.extend([time.unwrap_or_default(), format!("{:.1}", group.seconds)]);
        row.push(mean(report.goal, group.summary.as_ref()));
        if seeds > 1 {
            let (worst, best) = ends(report.goal, group.summary.as_ref());
            row.extend([worst, best, verdict(report.goal, group)]);
        }
        rows.push(row);
    }
    text += &columns(0, &align, &rows);
    let size = if compares { "H: units of a layer; " } else { "" };
    text += &format!(
        "({size}steps: updates of a run; ms/step: the median time of an update; seconds: of all runs \
         of the line)\n"
    );
    let failed = report.groups.iter().flat_map(|group| &group.runs);
    for run in failed.filter(|run| run.failure.is_some()) {
        let why = run.failure.as_deref().unwrap_or_default();
        text += &format!("{} failed: {why}\n", run.run);
    }
    if let (false, Some(best)) = (compares, report.groups.first()) {
        let held_out = mean(report.goal, best.held_out.as_ref());
        let path = series.path().display();
        text += &format!(
            "\nthe best: {}\nits held-out {}: {held_out}\n\
             train it again with: cellc train --config {path}/best.toml\n",
            best.group.title(report.purpose),
            report.goal.name(),
        );
    }
    text
}

/// A figure as it is said.
fn said(goal: Goal, figure: f64) -> String {
    match goal {
        Goal::Accuracy => format!("{:.1} %", 100.0 * figure),
        Goal::Loss => number(figure, 4),
    }
}

fn mean(goal: Goal, summary: Option<&Summary>) -> String {
    let Some(summary) = summary else { return "failed".to_owned() };
    let mean = said(goal, summary.mean);
    summary.deviation.map_or_else(|| mean.clone(), |d| format!("{mean} ± {}", said(goal, d)))
}

/// The worst and the best.
fn ends(goal: Goal, summary: Option<&Summary>) -> (String, String) {
    let Some(summary) = summary else { return Default::default() };
    let (least, greatest) = (said(goal, summary.least), said(goal, summary.greatest));
    match goal.better() {
        Better::Lower => (greatest, least),
        Better::Higher => (least, greatest),
    }
}

/// How a group is against the first.
fn verdict(goal: Goal, group: &GroupReport) -> String {
    let failed = group.runs.iter().filter(|run| !run.figure.is_finite()).count();
    let against = match group.behind {
        _ if group.place == 1 || group.summary.is_none() => "",
        None => "too few runs to tell",
        Some(behind) if behind.holds(0.0) => "within the spread",
        Some(Interval { low, .. }) if (low > 0.0) == (goal.better() == Better::Lower) => "worse",
        Some(_) => "better, where it did not fail",
    };
    match (failed, against) {
        (0, _) => against.to_owned(),
        (_, "") => format!("{failed} of {} failed", group.runs.len()),
        _ => format!("{against}; {failed} of {} failed", group.runs.len()),
    }
}
