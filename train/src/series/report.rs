//! What came of a series: a ranking, a table of all runs, pictures.

use serde::Serialize;

use crate::chart::{Axis, Bar, BarChart, Line, LineChart, Spread, Theme};
use crate::checkpoint::{CheckpointError, write_whole};
use crate::metrics::summary::{Interval, Summary, rank, summarize};
use crate::model::Score;
use crate::run::RunResult;
use crate::run_folder::curve;
use crate::task::{Goal, Part};
use crate::trainer::End;

use super::{Group, Purpose, Series};

/// How many lines a picture of a search has at most: those of the best.
const LINES: usize = 6;

/// How many bars.
const BARS: usize = 24;

/// What came of a series.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// What the series was for.
    pub purpose: Purpose,
    /// What its figures are.
    pub goal: Goal,
    /// The groups, the best first.
    pub groups: Vec<GroupReport>,
    #[serde(skip)]
    timed: bool,
}

/// What came of the runs of a group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GroupReport {
    /// What it is.
    #[serde(flatten)]
    pub group: Group,
    /// Its place, from 1; groups that are equal share a place.
    pub place: usize,
    /// The figures of its runs; `None` if all failed.
    pub summary: Option<Summary>,
    /// How far its mean is from that of the first, with a confidence of 95 %; see
    /// [`Ranked`](crate::metrics::summary::Ranked).
    pub behind: Option<Interval>,
    /// Whether that is more than the spread over seeds explains; `None` of the first, and if there
    /// are too few runs to tell.
    pub apart: Option<bool>,
    /// The figures of its runs on the held-out part.
    pub held_out: Option<Summary>,
    /// Seconds of an update, in the median over runs.
    pub seconds_per_step: Option<f64>,
    /// Seconds of all of its runs together.
    pub seconds: f64,
    /// Its runs, by their seeds.
    pub runs: Vec<RunReport>,
}

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunReport {
    /// The name of its folder.
    pub run: String,
    /// Its seed.
    pub seed: u64,
    /// What it is ranked by; no number if it failed.
    pub figure: f64,
    /// The same figure on the held-out part.
    pub held_out: f64,
    /// Why it ended; `None` if it failed.
    pub end: Option<End>,
    /// Why it failed, if it did.
    pub failure: Option<String>,
    /// How many updates were made.
    pub steps: u64,
    /// After which of them it was at its best.
    pub best_step: u64,
    /// Seconds of an update in the median, without evaluations.
    pub seconds_per_step: Option<f64>,
    /// Seconds of training, evaluations included.
    pub seconds: f64,
}

impl Report {
    /// What came of the runs that are over.
    pub fn of(series: &Series, results: &[Option<RunResult>]) -> Self {
        let plan = series.plan();
        let (goal, part) = (plan.goal, plan.purpose.part());
        let mut runs: Vec<Vec<RunReport>> = vec![Vec::new(); plan.groups.len()];
        for (trial, result) in plan.trials.iter().zip(results) {
            let Some(result) = result else { continue };
            let (name, seed) = (trial.name.clone(), trial.experiment.training.seed);
            runs[trial.group].push(RunReport::of(name, seed, result, goal, part));
        }
        let figures = |runs: &[RunReport]| runs.iter().map(|run| run.figure).collect::<Vec<_>>();
        // Named by number: names are the user's.
        let named = runs.iter().enumerate().map(|(i, runs)| (i.to_string(), figures(runs)));
        let ranked = rank(&named.collect::<Vec<_>>(), goal.better());
        let groups = ranked.into_iter().filter_map(|ranked| {
            let number: usize = ranked.name.parse().ok()?;
            let runs = std::mem::take(&mut runs[number]);
            let held_out: Vec<f64> = runs.iter().map(|run| run.held_out).collect();
            let times: Vec<f64> = runs.iter().filter_map(|run| run.seconds_per_step).collect();
            Some(GroupReport {
                group: plan.groups[number].clone(),
                place: ranked.place,
                summary: ranked.summary,
                behind: ranked.behind,
                apart: ranked.behind.map(|behind| !behind.holds(0.0)),
                held_out: summarize(&held_out),
                seconds_per_step: summarize(&times).map(|times| times.median),
                seconds: runs.iter().map(|run| run.seconds).sum(),
                runs,
            })
        });
        Self { purpose: plan.purpose, goal, groups: groups.collect(), timed: plan.timed }
    }

    /// Writes `results.csv` or `sweep.csv`, the pictures, and of a search the best experiment; gives
    /// the names of the files.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn write(&self, series: &Series) -> Result<Vec<&'static str>, CheckpointError> {
        let mut files: Vec<(&'static str, String)> = Vec::new();
        let pictures =
            [self.curves(series).to_svg(Theme::Auto), self.quality().to_svg(Theme::Auto)];
        let [curves, quality] = pictures;
        match self.purpose {
            Purpose::Compare => {
                files.extend([("results.csv", self.csv()), ("comparison.svg", curves)]);
            }
            Purpose::Sweep => {
                files.extend([("sweep.csv", self.csv()), ("curves.svg", curves)]);
                let best = self.groups.first().and_then(|group| group.runs.first());
                let trials = &series.plan().trials;
                let best = best.and_then(|best| trials.iter().find(|trial| trial.name == best.run));
                if let Some(best) = best {
                    let text = toml::to_string(&best.experiment);
                    let path = series.path().join("best.toml");
                    let fault = |error: toml::ser::Error| error.to_string();
                    let text = text.map_err(fault);
                    let text = text.map_err(|fault| CheckpointError::Damaged { path, fault })?;
                    files.push(("best.toml", text));
                }
            }
        }
        files.push(("quality.svg", quality));
        for (name, text) in &files {
            write_whole(&series.path().join(name), text.as_bytes())?;
        }
        Ok(files.into_iter().map(|(name, _)| name).collect())
    }

    /// All runs, a line for each.
    pub fn csv(&self) -> String {
        let mut keys: Vec<&String> = Vec::new();
        for key in self.groups.iter().flat_map(|group| group.group.choice.keys()) {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        let mut csv = csv::Writer::from_writer(Vec::new());
        let part = match self.purpose.part() {
            Part::Validation => "validation",
            Part::HeldOut => "heldout",
        };
        let figure = format!("{part}_{}", self.goal.name());
        let held_out = format!("heldout_{}", self.goal.name());
        let mut head: Vec<&str> = vec!["place", "name"];
        head.extend(keys.iter().map(|key| key.as_str()));
        head.extend(["parameters", "seed", "run", &figure]);
        if self.purpose.part() != Part::HeldOut {
            head.push(&held_out);
        }
        head.extend(["steps", "best_step", "ms_per_step", "seconds", "failure"]);
        let number = |x: f64| if x.is_finite() { x.to_string() } else { String::new() };
        // Memory is written to: there is nothing that could fail.
        let _ = csv.write_record(&head);
        for group in &self.groups {
            for run in &group.runs {
                let mut line = vec![group.place.to_string(), group.group.name.clone()];
                line.extend(keys.iter().map(|key| group.group.chosen(key)));
                line.extend([group.group.parameters.to_string(), run.seed.to_string()]);
                line.extend([run.run.clone(), number(run.figure)]);
                if self.purpose.part() != Part::HeldOut {
                    line.push(number(run.held_out));
                }
                line.extend([run.steps.to_string(), run.best_step.to_string()]);
                let time = run.seconds_per_step.map(|seconds| 1e3 * seconds);
                line.extend([number(time.unwrap_or(f64::NAN)), number(run.seconds)]);
                line.push(run.failure.clone().unwrap_or_default());
                let _ = csv.write_record(&line);
            }
        }
        String::from_utf8(csv.into_inner().unwrap_or_default()).unwrap_or_default()
    }

    /// The learning curves, with one standard deviation over seeds to both sides: over the updates,
    /// or over the time if that is what all have the same of.
    pub fn curves(&self, series: &Series) -> LineChart {
        let mut watched = Part::HeldOut;
        let mut lines = Vec::new();
        for group in self.groups.iter().take(self.shown(LINES)) {
            let curves = |part| {
                let paths = group.runs.iter().map(|run| series.path().join(&run.run));
                let curves = paths.map(|path| curve(&path, part, self.goal.name()));
                curves.collect::<Vec<_>>()
            };
            let mut found = curves(Part::Validation);
            if found.iter().all(Vec::is_empty) {
                found = curves(Part::HeldOut);
            } else {
                watched = Part::Validation;
            }
            let runs: Vec<Vec<(f64, f64)>> = found
                .into_iter()
                .map(|run| {
                    let x = |(step, seconds)| if self.timed { seconds } else { step };
                    run.into_iter().map(|(step, seconds, y)| (x((step, seconds)), y)).collect()
                })
                .collect();
            lines.push(Line::of_runs(&group.group.title(self.purpose), &runs, Spread::Deviation));
        }
        let x = if self.timed { Axis::linear("time", "s") } else { Axis::linear("step", "") };
        LineChart { title: String::new(), x, y: self.axis(watched), lines }
    }

    /// The figures of all groups, with one standard deviation to both sides.
    pub fn quality(&self) -> BarChart {
        let bars = self.groups.iter().take(self.shown(BARS)).map(|group| {
            let figures: Vec<f64> = group.runs.iter().map(|run| run.figure).collect();
            Bar::of_runs(&group.group.title(self.purpose), &figures, Spread::Deviation)
        });
        let (bars, axis) = (bars.collect(), self.axis(self.purpose.part()));
        BarChart { title: String::new(), axis, from_zero: false, bars }
    }

    /// Of a comparison all are shown; of a search the best.
    fn shown(&self, most: usize) -> usize {
        match self.purpose {
            Purpose::Compare => self.groups.len(),
            Purpose::Sweep => most,
        }
    }

    fn axis(&self, part: Part) -> Axis {
        let part = match part {
            Part::Validation => "validation",
            Part::HeldOut => "held-out",
        };
        Axis::linear(&format!("{part} {}", self.goal.name()), "")
    }
}

impl Group {
    /// What it is a choice of, in one line.
    pub fn title(&self, purpose: Purpose) -> String {
        match purpose {
            Purpose::Compare => self.name.clone(),
            Purpose::Sweep => {
                let keys = self.choice.keys();
                let parts = keys.map(|key| {
                    format!("{} {}", key.rsplit('.').next().unwrap_or(key), self.chosen(key))
                });
                parts.collect::<Vec<_>>().join(", ")
            }
        }
    }

    /// The value of a key, as it is written; empty if it has none.
    pub fn chosen(&self, key: &str) -> String {
        match self.choice.get(key) {
            None => String::new(),
            Some(toml::Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
        }
    }
}

impl RunReport {
    fn of(run: String, seed: u64, result: &RunResult, goal: Goal, part: Part) -> Self {
        let figure = |score: Option<Score>| score.map_or(f64::NAN, |score| goal.figure(&score));
        let held_out = figure(result.held_out);
        Self {
            run,
            seed,
            figure: match part {
                Part::Validation => figure(result.validation),
                Part::HeldOut => held_out,
            },
            held_out,
            end: result.end,
            failure: result.failure.clone(),
            steps: result.steps,
            best_step: result.best_step,
            seconds_per_step: result.seconds_per_step,
            seconds: result.seconds,
        }
    }
}
