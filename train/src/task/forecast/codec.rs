//! What is kept of a forecaster: its columns, and how their numbers are brought to a scale and back.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::rows::{Raw, too_large};
use super::windows::Windows;
use super::{KIND, Options, parse, read, there_are};
use crate::batch::{Batch, Data, Example, Targets};
use crate::data::DataError;
use crate::data::normalize::Normalizer;
use crate::data::table::{Format, Missing, Table};
use crate::metrics::regression::{Channel, Regression};
use crate::model::{Answers, Interface, Readout, Reads};
use crate::task::files::too_little;
use crate::task::{Asked, Codec, Context, Judged, Part, Task, TaskError};
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
    /// Of each target, what MASE is a multiple of: the mean absolute error of the naive forecast over what
    /// is trained on. `None` if there was none to be taken.
    pub(super) naive: Vec<Option<f64>>,
}

/// The largest magnitude of a number on its scale: the squares of larger ones are none of 32 bits.
const FARTHEST: f64 = 1e18;

impl Forecaster {
    pub(super) fn width(&self) -> usize {
        self.columns.len()
    }

    /// A number of a column on its scale.
    pub(super) fn scaled(&self, column: usize, number: f64) -> f64 {
        self.normalizer.apply(column, number)
    }

    /// What is wrong with a number that is too far from those trained on to be reckoned with.
    fn too_far(&self, column: usize, number: f64) -> Option<String> {
        let (name, scaled) = (&self.columns[column], self.scaled(column, number));
        (scaled.abs() > FARTHEST).then(|| {
            format!(
                "`{name}` is {number:e}, or {scaled:.1e} on the scale of the training: squares of numbers \
                 beyond {FARTHEST:e} are infinite in 32 bits; mend it, or leave the field empty (NaN in \
                 arrays) if it is missing"
            )
        })
    }

    /// Checks that a series can be reckoned with; what cannot is missing, if `bad` lets that pass.
    pub(super) fn check(
        &self,
        table: &Table,
        series: &mut Raw,
        mut bad: impl FnMut(DataError) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let width = self.width();
        for (i, number) in series.values.iter_mut().enumerate() {
            if let Some(fault) = self.too_far(i % width, *number) {
                bad(table.fault(series.places[i / width], fault))?;
                *number = f64::NAN;
            }
        }
        Ok(())
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

    /// The last window of past numbers `[rows, columns]`, of the `series` that is asked for if there are
    /// several; or what is wrong with it.
    fn past(&self, values: &[f64], series: Option<&str>) -> Result<Example, String> {
        let (rows, window) = (values.len() / self.width().max(1), self.window);
        let fault = |there: String| {
            format!("{there}, but the last {window} are read: the run has a window of {window}")
        };
        if rows < window {
            return Err(fault(there_are(rows, series)));
        }
        let first = (rows - window) * self.width();
        if values[first..].iter().all(|number| number.is_nan()) {
            let of = series.map_or_else(String::new, |series| format!(" of {series}"));
            return Err(format!(
                "the last {window} rows{of} are read, since the run has a window of {window}, and hold no \
                 number; there must be at least 1 to go by"
            ));
        }
        let data = self.inputs(&self.filled(values)[first..]);
        let targets = vec![f32::NAN; self.interface().answers.width()];
        Ok(Example { data: Data::Reals(data), targets: Targets::Reals(targets) })
    }

    /// A row that a user gives: numbers, an object of them, or a number.
    fn row(&self, row: &Value) -> Result<Vec<f64>, String> {
        let number = |column: usize, value: &Value| {
            let name = &self.columns[column];
            let number = match value {
                Value::Null => return Ok(f64::NAN),
                value => value.as_f64(),
            };
            let number = number.ok_or_else(|| format!("`{name}` is {value}, not a number"))?;
            let fault = too_large(name, number).or_else(|| self.too_far(column, number));
            fault.map_or(Ok(number), Err)
        };
        let width = self.width();
        match row {
            Value::Object(object) => {
                let column = |(i, name): (usize, &String)| match object.get(name) {
                    Some(value) => number(i, value),
                    None => Err(format!("there is no `{name}`")),
                };
                self.columns.iter().enumerate().map(column).collect()
            }
            Value::Array(items) if items.len() == width => {
                items.iter().enumerate().map(|(i, value)| number(i, value)).collect()
            }
            Value::Array(items) => Err(format!(
                "there are {} numbers, not {width}: {}",
                items.len(),
                self.columns.join(", ")
            )),
            one if width == 1 => Ok(vec![number(0, one)?]),
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

    fn resolved(&self) -> toml::Table {
        let targets = self.targets.iter().map(|&i| self.columns[i].clone()).collect::<Vec<_>>();
        let columns = [("columns", self.columns.clone()), ("targets", targets)];
        columns.into_iter().map(|(key, names)| (key.to_owned(), names.into())).collect()
    }

    fn step(&self) -> &'static str {
        "row"
    }

    fn scales(&self) -> bool {
        let Normalizer { shift, scale } = &self.normalizer;
        shift.iter().any(|shift| *shift != 0.0) || scale.iter().any(|scale| *scale != 1.0)
    }

    fn baseline(&self) -> &'static str {
        "the naive forecast"
    }

    fn errors(&self) -> Regression {
        let names = self.targets.iter().map(|&i| self.columns[i].clone());
        let naive = self.naive.iter().copied().chain(std::iter::repeat(None));
        let channels = names.zip(naive).map(|(name, naive)| Channel { name, naive });
        Regression::new(self.horizon, channels.collect())
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
        let mut longest = 0;
        let all = read(&table, &self.columns, &options.series, strict, Err)?;
        for mut series in all {
            self.check(&table, &mut series, Err)?;
            let rows = series.places.len();
            windows.add(&series, [0..0, 0..0, 0..rows]);
            longest = longest.max(rows);
        }
        if windows.part(Part::HeldOut).is_none() {
            let (window, horizon) = (self.window, self.horizon);
            let least = window + horizon;
            let series = (!options.series.is_empty()).then_some("the longest series");
            let fault = format!(
                "{}, but {least} are needed: the run has a window of {window} and a horizon of {horizon}",
                there_are(longest, series)
            );
            return Err(too_little(&options.data, fault));
        }
        windows.find_baseline();
        Ok(Box::new(windows))
    }

    fn asked(
        &self,
        path: &Path,
        _: Option<&str>,
        options: &toml::Table,
    ) -> Result<Option<Vec<Result<Asked, DataError>>>, TaskError> {
        let Some(format) = Format::of(path) else { return Ok(None) };
        let options: Options = parse(KIND.name, options)?;
        let table = options.header.open(path);
        if format == Format::Jsonl {
            // A line may be a question too: an array of rows, or an object with one.
            let has = |table: &Table| self.columns.iter().any(|name| table.column(name).is_ok());
            if !table.as_ref().is_ok_and(has) {
                return Ok(None);
            }
        }
        let table = table?;
        let strict = options.missing == Missing::Error;
        let mut faults = Vec::new();
        let mut bad = |fault| {
            faults.push(Err(fault));
            Ok(())
        };
        let mut all = read(&table, &self.columns, &options.series, strict, &mut bad)?;
        all.iter_mut().try_for_each(|series| self.check(&table, series, &mut bad))?;
        let asked = all.into_iter().map(|Raw { name, values, .. }| {
            let of_several = !options.series.is_empty();
            let series = of_several.then(|| format!("series `{name}`"));
            let example = self.past(&values, series.as_deref());
            let example = example.map_err(|fault| DataError::too_little(path, fault))?;
            let name = of_several.then(|| (options.series.clone(), json!(name)));
            Ok(Asked { row: 0, text: String::new(), example, name })
        });
        Ok(Some(faults.into_iter().chain(asked).collect()))
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
        self.past(&values, None)
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

    fn rows(&self, answer: &Value) -> Option<Vec<Map<String, Value>>> {
        let names: Vec<&String> = self.targets.iter().map(|&i| &self.columns[i]).collect();
        let step = if names.iter().any(|name| *name == "step") { "step_ahead" } else { "step" };
        let row = |(i, row): (usize, &Value)| {
            let numbers = row.as_array().cloned().unwrap_or_else(|| vec![row.clone()]);
            let numbers = names.iter().map(|name| (*name).clone()).zip(numbers);
            [(step.to_owned(), json!(i))].into_iter().chain(numbers).collect()
        };
        Some((1..).zip(answer["forecast"].as_array()?).map(row).collect())
    }
}
