//! The course of a training, as files in its run folder.
//!
//! | file | holds |
//! |---|---|
//! | `metrics.jsonl` | one JSON object a line: `step`, and the metrics noted then; `null` for what is no number |
//! | `metrics.csv` | `step` and a column for each metric; empty if it was not noted, `NaN`, `inf` or `-inf` |
//! | `events.out.tfevents.*` | scalars for TensorBoard, one file for each time the training was started or resumed |
//!
//! **What is kept if a program ends.** Each line and each event is handed to the operating system in one
//! write, with no buffer in between: a program that is killed loses none that was noted before. A line
//! that a full disk cuts short is taken back. After a loss of power the lines before the last
//! [`MetricLog::sync`] are there, and a line that is cut short there is dropped at the next resume.
//!
//! **What a resumed training does.** It goes on from a checkpoint, so what was noted after the
//! checkpoint will be noted again. The lines of later steps are cut off. Files of events are never
//! changed: a new one begins with a `SessionLog` that tells TensorBoard to drop the later steps of those
//! before.

mod file;
mod note;
mod tensorboard;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;

use file::AppendFile;
use tensorboard::Events;

/// The file of JSON lines in a run folder.
pub const JSON_LINES: &str = "metrics.jsonl";

/// The table in a run folder.
pub const CSV: &str = "metrics.csv";

/// How the names of files of events in a run folder begin.
pub const EVENTS: &str = "events.out.tfevents.";

/// As what files the course of a training is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Formats {
    /// `metrics.jsonl`.
    pub jsonl: bool,
    /// `metrics.csv`.
    pub csv: bool,
    /// Files of events for TensorBoard.
    pub tensorboard: bool,
}

/// A kind of file that the course of a training is kept as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// `metrics.jsonl`.
    Jsonl,
    /// `metrics.csv`.
    Csv,
    /// Files of events for TensorBoard.
    Tensorboard,
}

impl From<&[Format]> for Formats {
    /// Those, and JSON lines in any case: they are what the program itself reads.
    fn from(formats: &[Format]) -> Self {
        let has = |format| formats.contains(&format);
        Self { jsonl: true, csv: has(Format::Csv), tensorboard: has(Format::Tensorboard) }
    }
}

impl Default for Formats {
    fn default() -> Self {
        Self { jsonl: true, csv: false, tensorboard: false }
    }
}

/// Why the course of a training cannot be kept, or read.
#[derive(Debug, Error)]
pub enum LogError {
    /// A file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is damaged, or is something else.
    #[error("{}: {fault}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: String,
    },
    /// The caller notes what it did not say it would.
    #[error("internal error: in the metrics, {0}")]
    Misuse(String),
}

/// Notes the course of a training.
#[derive(Debug)]
pub struct MetricLog {
    columns: Vec<String>,
    jsonl: Option<AppendFile>,
    csv: Option<AppendFile>,
    events: Option<Events>,
    last: u64,
}

impl MetricLog {
    /// Begins the log of a new training in a folder, with the names of all metrics that will be noted,
    /// such as `validation/loss`: TensorBoard groups them by what stands before the slash. Files of a
    /// log that is there already are replaced; files of events are left, but what they hold is dropped
    /// by TensorBoard.
    ///
    /// # Errors
    /// If the files cannot be written, or if a name is empty, `step`, there twice, or has a comma, a
    /// quotation mark or a control character in it.
    pub fn create(folder: &Path, formats: Formats, columns: &[&str]) -> Result<Self, LogError> {
        let columns = checked(columns)?;
        let jsonl = formats.jsonl.then(|| AppendFile::create(&folder.join(JSON_LINES), b""));
        let head = csv_head(&columns);
        let csv = formats.csv.then(|| AppendFile::create(&folder.join(CSV), head.as_bytes()));
        let events = formats.tensorboard.then(|| Events::create(folder, 0));
        Ok(Self {
            columns,
            jsonl: jsonl.transpose()?,
            csv: csv.transpose()?,
            events: events.transpose()?,
            last: 0,
        })
    }

    /// Goes on with the log of a training that is resumed after so many steps, and drops what was
    /// noted of later ones. What is not there yet is begun.
    ///
    /// # Errors
    /// Those of [`Self::create`], and if a file is damaged before its last line or the table has other
    /// columns; the file is then as it was.
    pub fn resume(
        folder: &Path,
        formats: Formats,
        columns: &[&str],
        after: u64,
    ) -> Result<Self, LogError> {
        let columns = checked(columns)?;
        let (json_lines, csv) = (folder.join(JSON_LINES), folder.join(CSV));
        let jsonl =
            formats.jsonl.then(|| AppendFile::resume(&json_lines, b"", |line| kept(line, after)));
        let head = csv_head(&columns);
        let csv = formats.csv.then(|| {
            AppendFile::resume(&csv, head.as_bytes(), |line| {
                let step = line.split(',').next().and_then(|step| step.parse::<u64>().ok());
                Ok(step.ok_or("it does not begin with a step")? <= after)
            })
        });
        let events = formats.tensorboard.then(|| Events::create(folder, after + 1));
        Ok(Self {
            columns,
            jsonl: jsonl.transpose()?,
            csv: csv.transpose()?,
            events: events.transpose()?,
            last: after,
        })
    }

    /// Notes metrics of a step. There may be several notes of one step, as of training and validation.
    ///
    /// # Errors
    /// If a file cannot be written, as on a full disk: what was noted before stays whole, and to note
    /// more later may succeed; other files may have this note and that one not. If a metric was not named at the beginning or is there twice, or the
    /// step is before that of the last note; nothing is then noted.
    pub fn note(&mut self, step: u64, metrics: &[(&str, f64)]) -> Result<(), LogError> {
        self.check(step, metrics)?;
        if let Some(jsonl) = &mut self.jsonl {
            let mut line = Map::from_iter([("step".to_owned(), step.into())]);
            line.extend(metrics.iter().map(|&(name, x)| (name.to_owned(), number(x))));
            jsonl.append(format!("{}\n", Value::from(line)).as_bytes())?;
        }
        if let Some(csv) = &mut self.csv {
            let mut line = step.to_string();
            for column in &self.columns {
                line.push(',');
                if let Some((_, x)) = metrics.iter().find(|(name, _)| name == column) {
                    line += &if x.is_finite() { number(*x).to_string() } else { x.to_string() };
                }
            }
            line.push('\n');
            csv.append(line.as_bytes())?;
        }
        if let Some(events) = &mut self.events {
            events.scalars(step, metrics)?;
        }
        self.last = step;
        Ok(())
    }

    fn check(&self, step: u64, metrics: &[(&str, f64)]) -> Result<(), LogError> {
        if step < self.last {
            let last = self.last;
            return Err(LogError::Misuse(format!("step {step} is noted after step {last}")));
        }
        for (i, (name, _)) in metrics.iter().enumerate() {
            if !self.columns.iter().any(|column| column == name) {
                return Err(LogError::Misuse(format!("`{name}` was not named at the beginning")));
            }
            if metrics[..i].iter().any(|(other, _)| other == name) {
                return Err(LogError::Misuse(format!("`{name}` is noted twice at once")));
            }
        }
        Ok(())
    }

    /// Has the operating system write everything to the disk, as when a checkpoint is kept.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn sync(&self) -> Result<(), LogError> {
        let events = self.events.as_ref().map(|events| &events.file);
        [self.jsonl.as_ref(), self.csv.as_ref(), events]
            .into_iter()
            .flatten()
            .try_for_each(AppendFile::sync)
    }
}

fn checked(columns: &[&str]) -> Result<Vec<String>, LogError> {
    let breaks = |c: char| c == ',' || c == '"' || c.is_control();
    for (i, name) in columns.iter().enumerate() {
        if name.is_empty() || *name == "step" || name.contains(breaks) {
            return Err(LogError::Misuse(format!("`{name}` is no name")));
        }
        if columns[..i].contains(name) {
            return Err(LogError::Misuse(format!("`{name}` is named twice")));
        }
    }
    Ok(columns.iter().map(ToString::to_string).collect())
}

fn csv_head(columns: &[String]) -> String {
    let names = columns.iter().map(|column| format!(",{column}"));
    format!("step{}\n", names.collect::<String>())
}

/// A number as JSON: whole numbers without a point, `null` for what JSON has no number for.
fn number(x: f64) -> Value {
    // Up to 2^53, whole numbers are exact.
    if x.fract() == 0.0 && x.abs() <= 9_007_199_254_740_992.0 {
        Value::from(x as i64)
    } else {
        Value::from(x)
    }
}

/// Whether a line is of a step up to that, or what is wrong with it.
fn kept(line: &str, after: u64) -> Result<bool, String> {
    Ok(note::parse(line, &[], &mut [])? <= after)
}

/// Goes through a file of JSON lines, and hands on of each the step and the metrics of these names:
/// `None` for what was not noted then, NaN for what was no number or infinite. A last line that is cut
/// short is left out: the training may be running. One line at a time is in memory.
///
/// # Errors
/// If it cannot be read, or a line before is damaged; those before it were handed on.
pub fn each(
    path: &Path,
    names: &[&str],
    mut take: impl FnMut(u64, &[Option<f64>]),
) -> Result<(), LogError> {
    let mut values = vec![None; names.len()];
    file::lines(path, |_, line| {
        let step = note::parse(line, names, &mut values)?;
        take(step, &values);
        Ok(true)
    })?;
    Ok(())
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
