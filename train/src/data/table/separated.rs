//! Fields between separators: CSV and TSV.

use std::io::BufRead;
use std::path::{Path, PathBuf};

use super::value::Raw;
use super::{Column, DataError, Format, Source};
use crate::data::utf8::Utf8;

/// How the fields of a file are separated.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    delimiter: u8,
    /// Whether fields are quoted by RFC 4180.
    quoting: bool,
    header: bool,
    /// Whether lines end by a carriage return before the line feed.
    crlf: bool,
    /// Whether `header` was found out, and the number that says that there is none.
    guessed: bool,
    number: Option<String>,
}

impl Layout {
    /// What to do if the first line was mistaken, for a message about a column that is not there.
    pub(super) fn about_header(&self) -> String {
        match (&self.number, self.guessed) {
            (Some(number), true) => format!(
                " (the first line is read as a row since `{number}` is a number; say \
                 `task.header=true` if it names the columns)"
            ),
            (None, true) => {
                " (the first line is read as their names; say `task.header=false` if it is a row, and \
                 give columns by their numbers)"
                    .into()
            }
            (_, false) => String::new(),
        }
    }
}

pub(super) fn open(
    path: &Path,
    format: Format,
    header: Option<bool>,
) -> Result<(Vec<Column>, Layout), DataError> {
    let quoting = format == Format::Csv;
    let (delimiter, crlf) = first_line(path)?;
    let delimiter = if quoting { delimiter } else { b'\t' };
    let mut layout =
        Layout { delimiter, quoting, header: true, crlf, guessed: false, number: None };
    let mut record = csv::StringRecord::new();
    let read = reader(path, &layout)?.read_record(&mut record);
    if !read.map_err(|error| fault(path, &layout, error))?
        || record.iter().all(|f| f.trim().is_empty())
    {
        return Err(DataError::too_little(path, "the file is empty"));
    }
    let first: Vec<_> =
        record.iter().map(|field| clean(&layout, field).trim().to_owned()).collect();
    layout.number = first.iter().find(|field| field.parse::<f64>().is_ok()).cloned();
    layout.header = header.unwrap_or(layout.number.is_none());
    layout.guessed = header.is_none();
    let column = |(number, name): (usize, String)| {
        Column::named(if layout.header { name } else { number.to_string() })
    };
    Ok(((1..).zip(first).map(column).collect(), layout))
}

/// What separates the fields of a CSV file: a comma, unless its first line has none. And whether that
/// line ends by a carriage return and a line feed.
fn first_line(path: &Path) -> Result<(u8, bool), DataError> {
    let mut reader = Utf8::open(path)?;
    // The first line, or as much of it as there is at once.
    let head = reader.fill_buf().map_err(|error| DataError::from_io(path, error))?;
    let line = head.trim_ascii_start().split(|byte| *byte == b'\n').next().unwrap_or(head);
    let mut quoted = false;
    let bare: Vec<u8> = (line.iter().copied())
        .filter(|byte| {
            quoted ^= *byte == b'"';
            !quoted
        })
        .collect();
    let all = [b',', b';', b'\t'];
    let delimiter = all.into_iter().find(|delimiter| bare.contains(delimiter)).unwrap_or(b',');
    Ok((delimiter, line.ends_with(b"\r")))
}

fn reader(path: &Path, layout: &Layout) -> Result<csv::Reader<Utf8>, DataError> {
    let mut builder = csv::ReaderBuilder::new();
    builder.delimiter(layout.delimiter).quoting(layout.quoting).has_headers(false);
    Ok(builder.from_reader(Utf8::open(path)?))
}

/// The line, from 1, at which a row begins. Between a carriage return and its line feed the reader is
/// already done with a row, but not yet with its line.
fn line(layout: &Layout, position: &csv::Position) -> u64 {
    position.line() + u64::from(layout.crlf && position.byte() > 0)
}

fn fault(path: &Path, layout: &Layout, error: csv::Error) -> DataError {
    let row = error.position().map_or(1, |position| line(layout, position));
    match error.into_kind() {
        csv::ErrorKind::Io(error) => DataError::from_io(path, error),
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            let fault = format!(
                "found {len} columns where the first line has {expected_len}; is a separator \
                 missing or a quote never closed, or is there one too many in a text without quotes?"
            );
            DataError::Row { path: path.to_owned(), row, fault }
        }
        kind => {
            let fault = format!("the row cannot be read: {kind:?}");
            DataError::Row { path: path.to_owned(), row, fault }
        }
    }
}

/// Takes off quotes that a writer of quoted fields put around a field of a file without quoting.
fn clean(layout: &Layout, field: &str) -> String {
    let inner = field.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    match inner {
        Some(inner) if !layout.quoting && !inner.replace("\"\"", "").contains('"') => {
            inner.replace("\"\"", "\"")
        }
        _ => field.to_owned(),
    }
}

pub(super) struct Rows {
    path: PathBuf,
    layout: Layout,
    reader: csv::Reader<Utf8>,
    record: csv::StringRecord,
    places: Vec<usize>,
}

pub(super) fn rows(path: &Path, layout: &Layout, places: &[usize]) -> Result<Rows, DataError> {
    let mut reader = reader(path, layout)?;
    let mut record = csv::StringRecord::new();
    if layout.header {
        reader.read_record(&mut record).map_err(|error| fault(path, layout, error))?;
    }
    let (path, layout, places) = (path.to_owned(), layout.clone(), places.to_vec());
    Ok(Rows { path, layout, reader, record, places })
}

impl Source for Rows {
    fn next_row(&mut self) -> Result<Option<(u64, Vec<Raw>)>, DataError> {
        let read = self.reader.read_record(&mut self.record);
        if !read.map_err(|error| fault(&self.path, &self.layout, error))? {
            return Ok(None);
        }
        let number = self.record.position().map_or(0, |position| line(&self.layout, position));
        let field =
            |place: &usize| Raw::Text(clean(&self.layout, self.record.get(*place).unwrap_or("")));
        Ok(Some((number, self.places.iter().map(field).collect())))
    }
}
