//! One JSON object a line.

use std::io::BufRead;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value as Json};

use super::value::Raw;
use super::{Column, DataError, Source};
use crate::data::error::list;
use crate::data::utf8::Utf8;

struct Lines {
    path: PathBuf,
    reader: Utf8,
    line: Vec<u8>,
    number: u64,
}

impl Lines {
    fn open(path: &Path) -> Result<Self, DataError> {
        let (path, reader) = (path.to_owned(), Utf8::open(path)?);
        Ok(Self { path, reader, line: Vec::new(), number: 0 })
    }

    fn fault(&self, fault: String) -> DataError {
        DataError::Row { path: self.path.clone(), row: self.number, fault }
    }

    fn next(&mut self) -> Result<Option<Map<String, Json>>, DataError> {
        loop {
            self.line.clear();
            self.number += 1;
            let read = self.reader.read_until(b'\n', &mut self.line);
            if read.map_err(|error| DataError::from_io(&self.path, error))? == 0 {
                return Ok(None);
            }
            if !self.line.trim_ascii().is_empty() {
                break;
            }
        }
        match serde_json::from_slice(&self.line) {
            Ok(Json::Object(object)) => Ok(Some(object)),
            Ok(_) => Err(self.fault("a line must be a JSON object".into())),
            Err(error) => {
                // The place it tells is of this line alone.
                let text = error.to_string();
                let what = text.split(" at line ").next().unwrap_or(&text);
                let column = error.column();
                Err(self.fault(format!("this is not JSON: {what} (column {column})")))
            }
        }
    }
}

pub(super) fn open(path: &Path) -> Result<Vec<Column>, DataError> {
    match Lines::open(path)?.next()? {
        Some(object) => Ok(object.keys().map(Column::named).collect()),
        None => Err(DataError::too_little(path, "the file is empty")),
    }
}

pub(super) struct Rows {
    lines: Lines,
    names: Vec<String>,
    /// Whether a line may be without some of them.
    gaps: bool,
}

pub(super) fn rows(path: &Path, names: Vec<String>, gaps: bool) -> Result<Rows, DataError> {
    Ok(Rows { lines: Lines::open(path)?, names, gaps })
}

impl Source for Rows {
    fn next_row(&mut self) -> Result<Option<(u64, Vec<Raw>)>, DataError> {
        let Some(object) = self.lines.next()? else { return Ok(None) };
        let mut values = Vec::with_capacity(self.names.len());
        for name in &self.names {
            // A column may be asked for twice, so it stays where it is.
            let Some(value) = object.get(name).or(self.gaps.then_some(&Json::Null)) else {
                let found = list(object.keys());
                let fault = format!("there is no `{name}`; the columns here are {found}");
                return Err(self.lines.fault(fault));
            };
            values.push(Raw::from(value.clone()));
        }
        Ok(Some((self.lines.number, values)))
    }
}
