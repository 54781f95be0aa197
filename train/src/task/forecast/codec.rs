//! What is kept of a forecaster: its columns, and how their numbers are brought to a scale and back.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::windows::Windows;
use super::{KIND, Options, Raw, parse, read};
use crate::batch::{Batch, Data, Example, Targets};
use crate::data::normalize::Normalizer;
use crate::data::table::Missing;
use crate::metrics::regression::{Channel, Regression};
use crate::model::{Answers, Interface, Readout, Reads};
use crate::task::files::too_little;
use crate::task::{Batches, Codec, Context, Judged, Part, Task, TaskError};
use cellc_runtime::sequence::Extent;

/// What a forecaster reads and answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Forecaster {
    /// The columns that are read.
    pub(super) columns: Vec<String>,
    /// The places of those that are forecast.
    pub(super) targets: Vec<usize>,
    pub(super) window: usize,
    pub(super) horizon: usize,
    pub(super) season: usize,
    pub(super) relative: bool,
    /// Whether missing numbers are those before, as answers too.
    pub(super) forward: bool,
    pub(super) normalizer: Normalizer,
}

impl Forecaster {
    pub(super) fn width(&self) -> usize {
        self.columns.len()
    }

    /// A number of a column on its scale.
    pub(super) fn scaled(&self, column: usize, number: f64) -> f64 {
        self.normalizer.apply(column, number)
    }

    /// Numbers `[rows, columns]` with those that are missing as the ones before; before the first, those
    /// that are 0 on their scale.
    pub(super) fn filled(&self, values: &[f64]) -> Vec<f64> {
        let mut filled: Vec<f64> = Vec::with_capacity(values.len());
        for (i, &number) in values.iter().enumerate() {
            let before = i.checked_sub(self.width()).map(|before| filled[before]);
            let start = self.normalizer.shift[i % self.width()];
            filled.push(if number.is_nan() { before.unwrap_or(start) } else { number });
        }
        filled
    }

    /// Numbers `[rows, columns]` as they are read.
    pub(super) fn inputs(&self, filled: &[f64]) -> Vec<f32> {
        let scaled = |(i, number): (usize, &f64)| self.scaled(i % self.width(), *number) as f32;
        filled.iter().enumerate().map(scaled).collect()
    }

    /// The answer `[horizon, targets]` that numbers are, behind a row of inputs.
    pub(super) fn answers(&self, last: &[f32], truth: impl Iterator<Item = f64>) -> Vec<f32> {
        let answer = |(i, number): (usize, f64)| {
            let column = self.targets[i % self.targets.len()];
            let base = if self.relative { f64::from(last[column]) } else { 0.0 };
            (self.scaled(column, number) - base) as f32
        };
        truth.enumerate().map(answer).collect()
    }

    /// The numbers `[horizon, targets]` that an answer is, behind a row of inputs.
    pub(super) fn numbers(&self, last: &[f32], answer: &[f32]) -> Vec<f64> {
        let number = |(i, x): (usize, &f32)| {
            let column = self.targets[i % self.targets.len()];
            let base = if self.relative { f64::from(last[column]) } else { 0.0 };
            self.normalizer.invert(column, f64::from(*x) + base)
        };
        answer.iter().enumerate().map(number).collect()
    }

    /// A row that a user gives: numbers, an object of them, or a number.
    fn row(&self, row: &Value) -> Result<Vec<f64>, String> {
        let number = |name: &str, value: &Value| match value {
            Value::Null => Ok(f64::NAN),
            value => value.as_f64().ok_or_else(|| format!("`{name}` is {value}, not a number")),
        };
        let width = self.width();
        match row {
            Value::Object(object) => {
                let column = |name: &String| match object.get(name) {
                    Some(value) => number(name, value),
                    None => Err(format!("there is no `{name}`")),
                };
                self.columns.iter().map(column).collect()
            }
            Value::Array(items) if items.len() == width => {
                self.columns.iter().zip(items).map(|(name, value)| number(name, value)).collect()
            }
            Value::Array(items) => Err(format!(
                "there are {} numbers, not {width}: {}",
                items.len(),
                self.columns.join(", ")
            )),
            one if width == 1 => Ok(vec![number(&self.columns[0], one)?]),
            other => Err(format!("{other} is no list of {width} numbers")),
        }
    }
}

impl Codec for Forecaster {
    fn interface(&self) -> Interface {
        Interface {
            reads: Reads::Reals(self.width()),
            answers: Answers::Reals(self.horizon * self.targets.len()),
            readout: Readout::Last,
            masked: true,
            resets: false,
        }
    }

    fn kept(&self) -> Value {
        json!(self)
    }

    fn step(&self) -> &'static str {
        "row"
    }

    fn baseline(&self) -> &'static str {
        "the naive forecast"
    }

    fn errors(&self) -> Regression {
        // The naive errors that MASE scales by are those of the training data, which are not kept.
        let channel = |&i: &usize| Channel { name: self.columns[i].clone(), naive: None };
        Regression::new(self.horizon, self.targets.iter().map(channel).collect())
    }

    fn measured(&self, batch: &Batch, place: usize, numbers: &[f32]) -> Vec<f64> {
        let Data::Reals(data) = &batch.data else { return Vec::new() };
        let Extent { steps, batch: columns } = batch.extent;
        let last = (steps.saturating_sub(1) * columns + place) * self.width();
        self.numbers(&data[last..][..self.width()], numbers)
    }

    fn judged(&self, options: &toml::Table) -> Result<Box<dyn Judged>, TaskError> {
        let options: Options = parse(KIND.name, options)?;
        let table = options.header.open(&options.data)?;
        let strict = options.missing == Missing::Error;
        let mut windows = Windows::new(self.clone(), Context { batch: 1, seed: 0 }, 1);
        for series in read(&table, &self.columns, &options.series, strict)? {
            let rows = series.rows(self.width());
            windows.add(&series, [0..0, 0..0, 0..rows]);
        }
        let Some(batches): Option<Batches<'_>> = windows.part(Part::HeldOut) else {
            let (window, horizon) = (self.window, self.horizon);
            let fault = format!("no series has {horizon} rows behind {window} others");
            return Err(too_little(&options.data, fault));
        };
        Ok(Box::new(batches.collect::<Result<Vec<_>, _>>()?))
    }

    fn question(&self, line: &str) -> Result<Example, String> {
        let value: Value = serde_json::from_str(line)
            .map_err(|error| format!("expected a JSON array of past rows: {error}"))?;
        let rows = value.as_array().ok_or("expected a JSON array of past rows")?;
        if rows.is_empty() {
            return Err("there is no past row to go by".to_owned());
        }
        let mut values = Vec::new();
        for (i, row) in (1..).zip(rows) {
            values.extend(self.row(row).map_err(|fault| format!("row {i}: {fault}"))?);
        }
        let raw = Raw { values };
        let first = raw.rows(self.width()).saturating_sub(self.window) * self.width();
        let data = self.inputs(&self.filled(&raw.values)[first..]);
        let targets = vec![f32::NAN; self.interface().answers.width()];
        Ok(Example { data: Data::Reals(data), targets: Targets::Reals(targets) })
    }

    fn answer(&self, question: &Example, answers: &[f32]) -> Value {
        let Data::Reals(data) = &question.data else { return Value::Null };
        let last = &data[data.len().saturating_sub(self.width())..];
        let numbers = self.numbers(last, answers);
        let names: Vec<&String> = self.targets.iter().map(|&i| &self.columns[i]).collect();
        let rows = numbers.chunks(names.len().max(1));
        let row = |row: &[f64]| match (row, self.width()) {
            ([one], 1) => json!(one),
            _ => json!(row),
        };
        json!({ "columns": names, "forecast": rows.map(row).collect::<Vec<_>>() })
    }
}
