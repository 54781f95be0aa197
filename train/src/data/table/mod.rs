//! Tables of data: rows of CSV, TSV, JSON lines, Parquet and NumPy files, one at a time.
//!
//! A [`Table`] knows its columns; [`Table::rows`] reads those that are asked for. A file is read from
//! its beginning as often as rows are asked for, and is never in memory as a whole.
//!
//! | ending | format |
//! |---|---|
//! | `.csv` | fields between commas, quoted by RFC 4180; between semicolons or tabs if the first line has no comma but one of these |
//! | `.tsv`, `.tab` | fields between tabs, one row a line; quotes around a field are taken off if the quotes within are doubled, and are otherwise part of the text |
//! | `.jsonl`, `.ndjson` | one JSON object a line; the keys of the first are the columns |
//! | `.parquet`, `.pq` | Apache Parquet, compressed by Snappy, Zstandard, LZ4, gzip or not at all |
//! | `.npy` | an array of NumPy: one axis is a column, two are a table, and of more, each row is a list |
//! | `.npz` | arrays of NumPy, each a column: row `i` is element `i` of the first axis, a number or a list |
//!
//! The formats of text may be compressed by gzip, whatever they are called (`.csv.gz` says so).
//!
//! A column is asked for by its name, or by its number from 1. The first line of CSV and TSV is a header
//! unless one of its fields is a number; [`Options::header`] says otherwise.

mod json_lines;
mod numpy;
mod parquet;
mod separated;
mod survey;
mod time;
mod value;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::DataError;
use super::error::{list, rereadable};
pub use survey::Survey;

/// The format of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Comma-separated values.
    Csv,
    /// Tab-separated values.
    Tsv,
    /// JSON lines.
    Jsonl,
    /// Apache Parquet.
    Parquet,
    /// An array of NumPy.
    Npy,
    /// Several arrays of NumPy.
    Npz,
}

impl Format {
    /// The format that a file's ending says.
    pub fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.to_ascii_lowercase();
        let (name, zipped) = match name.strip_suffix(".gz") {
            Some(name) => (name, true),
            None => (name.as_str(), false),
        };
        let format = match name.rsplit_once('.')?.1 {
            "csv" => Self::Csv,
            "tsv" | "tab" => Self::Tsv,
            "jsonl" | "ndjson" => Self::Jsonl,
            "parquet" | "pq" => Self::Parquet,
            "npy" => Self::Npy,
            "npz" => Self::Npz,
            _ => return None,
        };
        (!zipped || format.is_text()).then_some(format)
    }

    fn is_text(self) -> bool {
        match self {
            Self::Csv | Self::Tsv | Self::Jsonl => true,
            Self::Parquet | Self::Npy | Self::Npz => false,
        }
    }
}

/// The endings of the formats.
const KNOWN: &str = ".csv, .tsv, .jsonl (or each of these with .gz behind), .parquet, .npy or .npz";

/// How a table is opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// The format, if the ending does not say it.
    pub format: Option<Format>,
    /// Whether the first line of CSV or TSV names the columns; found out if not given.
    pub header: Option<bool>,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name; its number, from 1, if the file names none.
    pub name: String,
    /// How many rows there are, if the file says so.
    pub rows: Option<u64>,
    /// The shape of what a row holds, if the file says so: `[]` for a number or a text.
    pub shape: Option<Vec<usize>>,
}

impl Column {
    fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), rows: None, shape: None }
    }
}

/// What a column is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A text. Numbers, truth values, dates and times are written as text; dates and times as
    /// `2024-01-31` and `2024-01-31 12:00:00`, with a fraction if there is one.
    Text,
    /// A finite number. A text that reads as a number is one; truth values are 0 and 1.
    Number,
    /// A list of texts. A text is taken apart: a JSON array if it begins with `[`, and otherwise by
    /// white space.
    Texts,
    /// A list of finite numbers, or of lists of equally many. A text is taken apart as for
    /// [`Texts`](Self::Texts), and a single number is a list of one.
    Numbers,
}

/// What is done with a missing value: nothing, an empty text, a null, a NaN; of numbers also `NA`,
/// `N/A`, `null`, `None` and `?`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Missing {
    /// It is an error.
    #[default]
    Error,
    /// It is read as NaN, as an empty text or as an empty list.
    Nan,
    /// It is read as the value before, in the list if it is of a list, else in the row before.
    Forward,
}

/// A column that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Its name, or its number from 1. A name goes before a number.
    pub column: String,
    /// What it is read as.
    pub kind: Kind,
    /// What is done with missing values.
    pub missing: Missing,
}

impl Ask {
    /// Asks for a column in which nothing is missing.
    pub fn new(column: impl Into<String>, kind: Kind) -> Self {
        Self { column: column.into(), kind, missing: Missing::Error }
    }
}

/// What a row has in a column, of the [`Kind`] that was asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A text.
    Text(String),
    /// A number.
    Number(f64),
    /// A list of texts.
    Texts(Vec<String>),
    /// A list of items of `width` numbers each, one after the other; `width` is 1 for a list of
    /// numbers.
    Numbers {
        /// The numbers, `[items, width]`.
        values: Vec<f64>,
        /// How many numbers an item has, at least 1.
        width: usize,
    },
}

impl Value {
    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The number, if it is one.
    pub fn number(&self) -> Option<f64> {
        if let Self::Number(number) = self { Some(*number) } else { None }
    }

    /// The texts, if it is a list of them.
    pub fn texts(&self) -> Option<&[String]> {
        if let Self::Texts(texts) = self { Some(texts) } else { None }
    }

    /// The numbers and how many an item has, if it is a list of numbers.
    pub fn numbers(&self) -> Option<(&[f64], usize)> {
        if let Self::Numbers { values, width } = self { Some((values, *width)) } else { None }
    }
}

/// A row of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Where it is, from 1: its (first) line in a text, else its number.
    pub number: u64,
    /// What was asked for, in that order.
    pub values: Vec<Value>,
}

/// A row of which what cannot be read is missing.
#[derive(Debug)]
pub struct Mended {
    /// Where it is, from 1, as of a [`Row`].
    pub number: u64,
    /// What was asked for, with NaN, an empty text or an empty list where that cannot be read; `None` if
    /// nothing of the row can.
    pub values: Option<Vec<Value>>,
    /// What is wrong with it.
    pub faults: Vec<DataError>,
}

/// What reads the rows of a format.
trait Source: Send {
    /// The next row: its number, and what it has in the columns asked for, in that order.
    fn next_row(&mut self) -> Result<Option<(u64, Vec<value::Raw>)>, DataError>;
}

/// A table of data in a file.
#[derive(Debug)]
pub struct Table {
    path: PathBuf,
    columns: Vec<Column>,
    layout: Layout,
}

/// What is known of a file before its rows are read.
#[derive(Debug)]
enum Layout {
    Separated(separated::Layout),
    JsonLines,
    Parquet,
    Numpy(Vec<numpy::Array>),
}

impl Table {
    /// Opens a table of the format that the file's ending says.
    ///
    /// # Errors
    /// If the file cannot be read, is of no known format or not of the one that it says, or is empty.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        Self::open_with(path, Options::default())
    }

    /// Opens a table.
    ///
    /// # Errors
    /// As of [`open`](Self::open).
    pub fn open_with(path: &Path, options: Options) -> Result<Self, DataError> {
        // A file that is not there has a plainer fault than its name.
        let metadata = std::fs::metadata(path)
            .map_err(|source| DataError::Read { path: path.to_owned(), source })?;
        if metadata.is_dir() {
            return Err(DataError::broken(path, "this is a folder; name a file in it"));
        }
        rereadable(path)?;
        let format = options.format.or_else(|| Format::of(path));
        let format =
            format.ok_or_else(|| DataError::Format { path: path.to_owned(), known: KNOWN })?;
        if metadata.len() == 0 {
            return Err(DataError::too_little(path, "the file is empty"));
        }
        let (columns, layout) = match format {
            Format::Csv | Format::Tsv => {
                let (columns, layout) = separated::open(path, format, options.header)?;
                (columns, Layout::Separated(layout))
            }
            Format::Jsonl => (json_lines::open(path)?, Layout::JsonLines),
            Format::Parquet => (parquet::open(path)?, Layout::Parquet),
            Format::Npy => {
                let (columns, array) = numpy::open(path)?;
                (columns, Layout::Numpy(vec![array]))
            }
            Format::Npz => {
                let (columns, arrays) = numpy::open_archive(path)?;
                (columns, Layout::Numpy(arrays))
            }
        };
        Ok(Self { path: path.to_owned(), columns, layout })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The columns, in order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The place of a column, from 0, by its name, or by its number from 1.
    ///
    /// # Errors
    /// If there is no such column, or several have the name.
    pub fn column(&self, asked: &str) -> Result<usize, DataError> {
        let names = || self.columns.iter().map(|column| column.name.as_str());
        let places: Vec<usize> =
            (0..).zip(names()).filter(|(_, name)| *name == asked).map(|(i, _)| i).collect();
        if places.len() > 1 {
            let numbers: Vec<_> = places.iter().map(|i| (i + 1).to_string()).collect();
            let (n, numbers) = (places.len(), numbers.join(", "));
            let fault =
                format!("{n} columns are called `{asked}`; give the number of one: {numbers}");
            return Err(DataError::broken(&self.path, fault));
        }
        let by_number = || asked.parse::<usize>().ok()?.checked_sub(1);
        let by_number = || by_number().filter(|place| *place < self.columns.len());
        places.first().copied().or_else(by_number).ok_or_else(|| {
            let near = cellc_compiler::suggest::closest(asked, names());
            let near = near.map(|name| format!(" (did you mean `{name}`?)"));
            let header = match &self.layout {
                Layout::Separated(layout) => layout.about_header(),
                Layout::JsonLines | Layout::Parquet | Layout::Numpy(_) => String::new(),
            };
            DataError::Column {
                path: self.path.clone(),
                column: asked.into(),
                found: format!("{}{header}", list(names())),
                help: near.unwrap_or_default(),
                options: &[],
            }
        })
    }

    /// Reads the columns that are asked for, from the first row on. A row that is broken is an error,
    /// and then there are no more rows; so is a table without any row.
    ///
    /// # Errors
    /// If there is no such column, or the file cannot be read.
    pub fn rows(&self, asked: &[Ask]) -> Result<Rows, DataError> {
        let places: Vec<usize> =
            asked.iter().map(|ask| self.column(&ask.column)).collect::<Result<_, _>>()?;
        let source = self.source(&places, false)?;
        let asked = (asked.iter().zip(places))
            .map(|(ask, place)| Ask { column: self.columns[place].name.clone(), ..ask.clone() });
        let asked: Vec<_> = asked.collect();
        let (path, lines) = (self.path.clone(), self.has_lines());
        let before = vec![None; asked.len()];
        Ok(Rows { path, asked, source: Some(source), lines, before, any: false })
    }

    /// What reads the rows. If `gaps`, a line of JSON may be without some of the columns.
    fn source(&self, places: &[usize], gaps: bool) -> Result<Box<dyn Source>, DataError> {
        let path = &self.path;
        Ok(match &self.layout {
            Layout::Separated(layout) => Box::new(separated::rows(path, layout, places)?),
            Layout::JsonLines => {
                let names = places.iter().map(|i| self.columns[*i].name.clone()).collect();
                Box::new(json_lines::rows(path, names, gaps)?)
            }
            Layout::Parquet => Box::new(parquet::rows(path, places)?),
            Layout::Numpy(arrays) => Box::new(numpy::rows(path, arrays, places)?),
        })
    }

    fn has_lines(&self) -> bool {
        matches!(self.layout, Layout::Separated(_) | Layout::JsonLines)
    }

    /// A fault of a row.
    pub(crate) fn fault(&self, row: u64, fault: String) -> DataError {
        fault_of_row(self.path.clone(), self.has_lines(), row, fault)
    }
}

fn fault_of_row(path: PathBuf, lines: bool, row: u64, fault: String) -> DataError {
    if lines { DataError::Row { path, row, fault } } else { DataError::Record { path, row, fault } }
}

/// The rows of a table.
pub struct Rows {
    path: PathBuf,
    asked: Vec<Ask>,
    /// None once there are no more rows.
    source: Option<Box<dyn Source>>,
    lines: bool,
    /// The values of the row before, for columns in which missing values are those before.
    before: Vec<Option<Value>>,
    any: bool,
}

impl Rows {
    /// A fault of a row, for whoever finds out that its values cannot be.
    pub fn fault(&self, row: u64, fault: impl Into<String>) -> DataError {
        fault_of_row(self.path.clone(), self.lines, row, fault.into())
    }

    /// The next row, be it broken; `None` at the end.
    ///
    /// # Errors
    /// If the file cannot be read, or has no row.
    pub fn next_mended(&mut self) -> Result<Option<Mended>, DataError> {
        let Some(source) = &mut self.source else { return Ok(None) };
        let (number, raw) = match source.next_row() {
            Ok(Some(row)) => row,
            Ok(None) if self.any => return Ok(None),
            Ok(None) => {
                let fault = "there are columns but no row";
                return Err(DataError::too_little(&self.path, fault));
            }
            // Of a text, the next line can be read all the same.
            Err(DataError::Row { path, row, fault }) => {
                self.any = true;
                let faults = vec![DataError::Row { path, row, fault }];
                return Ok(Some(Mended { number: row, values: None, faults }));
            }
            Err(error) => return Err(error),
        };
        self.any = true;
        let (mut values, mut faults) = (Vec::with_capacity(raw.len()), Vec::new());
        for (i, (ask, raw)) in self.asked.iter().zip(raw).enumerate() {
            let value = value::convert(raw, ask, self.before[i].as_ref()).unwrap_or_else(|fault| {
                faults.push(self.fault(number, fault));
                value::nothing(ask.kind)
            });
            if ask.missing == Missing::Forward {
                self.before[i] = Some(value.clone());
            }
            values.push(value);
        }
        Ok(Some(Mended { number, values: Some(values), faults }))
    }

    fn read(&mut self) -> Result<Option<Row>, DataError> {
        let Some(Mended { number, values, faults }) = self.next_mended()? else { return Ok(None) };
        match (faults.into_iter().next(), values) {
            (Some(fault), _) => Err(fault),
            (None, values) => Ok(values.map(|values| Row { number, values })),
        }
    }
}

impl Iterator for Rows {
    type Item = Result<Row, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let read = self.read();
        if !matches!(read, Ok(Some(_))) {
            self.source = None;
        }
        read.transpose()
    }
}

#[cfg(test)]
mod tests;
