//! Series of numbers in tables.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::data::DataError;
use crate::data::table::{self, Ask, Kind, Missing, Survey, Table};
use crate::task::TaskError;
use crate::task::files::too_little;

/// Names of columns: a list, or a text with commas between them. Such a text is also the name of a column
/// that has commas in it, which only the table tells.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "toml::Value", into = "toml::Value")]
pub(super) struct Names(Vec<String>);

impl Names {
    /// The names, as columns of a table.
    pub(super) fn of(&self, table: &Table) -> Vec<String> {
        let apart = |text: &String| match table.columns().iter().any(|column| column.name == *text)
        {
            true => vec![text.clone()],
            false => {
                let names = text.split(',').map(|name| name.trim().to_owned());
                names.filter(|name| !name.is_empty()).collect()
            }
        };
        self.0.iter().filter(|text| !text.is_empty()).flat_map(apart).collect()
    }
}

impl TryFrom<toml::Value> for Names {
    type Error = String;

    fn try_from(value: toml::Value) -> Result<Self, String> {
        let name = |value: &toml::Value| match value {
            toml::Value::String(name) => Ok(name.clone()),
            toml::Value::Integer(number) => Ok(number.to_string()),
            other => Err(format!("expected the name or the number of a column, found {other}")),
        };
        let names = match &value {
            toml::Value::Array(items) => items.iter().map(name).collect::<Result<_, _>>()?,
            one => vec![name(one)?],
        };
        Ok(Self(names))
    }
}

impl From<Names> for toml::Value {
    fn from(names: Names) -> Self {
        names.0.into()
    }
}

/// A series as it is in the file.
pub(super) struct Raw {
    /// What the column that tells series apart says.
    pub(super) name: String,
    /// `[rows, columns]`, NaN where a number is missing.
    pub(super) values: Vec<f64>,
    /// Where each row is in the file.
    pub(super) places: Vec<u64>,
}

/// The columns that are read where none is named, and those that are not, each with the reason.
pub(super) struct Chosen {
    pub(super) names: Vec<String>,
    pub(super) left_out: Vec<String>,
    /// What is to be said of a column that may tell which series a row is of, where none is said to.
    pub(super) series: Option<String>,
}

/// The columns that hold numbers, but for that which tells series apart.
///
/// # Errors
/// If there is none; and if most of a column are numbers but some are not, since it is then as likely that
/// these are mistakes as that the column is none of numbers.
pub(super) fn numeric(table: &Table, series: &str) -> Result<Chosen, TaskError> {
    let series = series_column(table, series)?;
    let surveys = table.survey()?;
    let mut chosen = Chosen { names: Vec::new(), left_out: Vec::new(), series: None };
    if series.is_none() {
        chosen.series = perhaps_series(table, &surveys);
    }
    for (place, (column, survey)) in table.columns().iter().zip(surveys).enumerate() {
        if series == Some(place) {
            continue;
        }
        let Survey { numbers, others, first, .. } = survey;
        let name = &column.name;
        let reason = match first {
            Some(fault) if numbers > others => {
                let mend = "mend the cell, or name the columns that are read (task.columns='a,b')";
                return Err(fault.with(mend).into());
            }
            _ if numbers == 0 && others == 0 => "empty".to_owned(),
            _ if numbers <= others => match &column.shape {
                Some(shape) if !shape.is_empty() => {
                    format!("a row holds an array of shape {shape:?}, where one number is needed")
                }
                Some(_) | None => "no numbers".to_owned(),
            },
            _ if table.column(name).ok() != Some(place) => "another has its name".to_owned(),
            _ => {
                chosen.names.push(name.clone());
                continue;
            }
        };
        chosen.left_out.push(format!("`{name}` ({reason})"));
    }
    if chosen.names.is_empty() {
        let left_out = chosen.left_out.join(", ");
        let fault = format!("no column holds numbers; the columns are {left_out}");
        return Err(too_little(table.path(), fault));
    }
    Ok(chosen)
}

/// What is to be said if a column of texts may tell which series a row is of: few texts that repeat, and no
/// other column of texts, such as that of the time, differs in every row.
fn perhaps_series(table: &Table, surveys: &[Survey]) -> Option<String> {
    /// How often each text must occur, on the average.
    const REPEATED: u64 = 10;
    let texts = || surveys.iter().zip(table.columns()).filter(|(of, _)| of.others > of.numbers);
    if texts().any(|(of, _)| of.different == of.others) {
        return None;
    }
    let repeats =
        |of: &Survey| of.numbers == 0 && of.different > 1 && of.different * REPEATED <= of.others;
    let (survey, column) = texts().find(|(survey, _)| repeats(survey))?;
    Some(format!(
        "all rows are read as one series, but `{0}` has {1} texts that repeat: if it tells which series a \
         row is of, say task.series={0}",
        column.name, survey.different
    ))
}

/// The names of columns that are asked for by name or number.
pub(super) fn named(table: &Table, asked: &[String]) -> Result<Vec<String>, DataError> {
    let place = |asked: &str| table.column(asked).map_err(|error| error.named_by(&["columns"]));
    let name = |asked: &String| Ok(table.columns()[place(asked)?].name.clone());
    asked.iter().map(name).collect()
}

/// The place of the column that tells series apart, if there is one.
fn series_column(table: &Table, series: &str) -> Result<Option<usize>, DataError> {
    let place = (!series.is_empty()).then(|| table.column(series)).transpose();
    place.map_err(|error| error.named_by(&["series"]))
}

/// The places of columns, asked for by name or number, among others; or the one that is none of them.
pub(super) fn places(
    table: &Table,
    columns: &[String],
    asked: &[String],
) -> Result<Vec<usize>, String> {
    let place = |asked: &String| {
        let name = table.column(asked).ok().map(|place| &table.columns()[place].name);
        columns.iter().position(|column| Some(column) == name).ok_or_else(|| asked.clone())
    };
    asked.iter().map(place).collect()
}

/// The largest magnitude that numbers may have: sums of squares of larger ones are none of 64 bits.
const LARGEST: f64 = 1e100;

/// What is wrong with a number that is too large to be reckoned with.
pub(super) fn too_large(column: &str, number: f64) -> Option<String> {
    (number.abs() > LARGEST).then(|| {
        format!(
            "`{column}` is {number:e}: errors of numbers beyond {LARGEST:e} cannot be summed; mend it, or \
             leave the field empty (NaN in arrays) if it is missing"
        )
    })
}

/// Reads series, in the order in which they begin; one, if no column tells them apart. If `strict`, a
/// number that is missing is a fault. What cannot be read is missing, if `bad` lets that pass.
pub(super) fn read(
    table: &Table,
    columns: &[String],
    series: &str,
    strict: bool,
    mut bad: impl FnMut(DataError) -> Result<(), DataError>,
) -> Result<Vec<Raw>, DataError> {
    let missing = if strict { Missing::Error } else { Missing::Nan };
    let mut asked: Vec<Ask> =
        columns.iter().map(|name| Ask { missing, ..Ask::new(name, Kind::Number) }).collect();
    if !series.is_empty() {
        asked.push(Ask::new(series, Kind::Text));
    }
    let mut all: Vec<Raw> = Vec::new();
    let mut known = BTreeMap::<String, usize>::new();
    series_column(table, series)?;
    let mut rows = table.rows(&asked).map_err(|error| error.named_by(&["columns"]))?;
    while let Some(row) = rows.next_mended()? {
        row.faults.into_iter().try_for_each(&mut bad)?;
        let values = row.values.unwrap_or_default();
        let name = values.get(columns.len()).and_then(|value| value.text()).unwrap_or("");
        if name.is_empty() && !series.is_empty() {
            continue;
        }
        let place = match known.get(name) {
            Some(place) => *place,
            None => {
                let (values, places) = (Vec::new(), Vec::new());
                all.push(Raw { name: name.to_owned(), values, places });
                known.insert(name.to_owned(), all.len() - 1);
                all.len() - 1
            }
        };
        for (i, column) in columns.iter().enumerate() {
            let number = values.get(i).and_then(table::Value::number);
            let mut number = number.unwrap_or(f64::NAN);
            if let Some(fault) = too_large(column, number) {
                bad(rows.fault(row.number, fault))?;
                number = f64::NAN;
            }
            all[place].values.push(number);
        }
        all[place].places.push(row.number);
    }
    Ok(all)
}
