//! Lines that are to be answered.

use std::io::{BufRead, BufReader, Read, stdin};
use std::path::Path;

use cellc_train::batch::Example;
use cellc_train::data::decompressed;
use cellc_train::data::table::{self, Ask, Format, Missing, Options, Rows, Table};
use cellc_train::task::{Asked, Codec, DataError};
use serde_json::Value;

use crate::failure::Failure;
use crate::output::note;

/// What is to be answered, and what stood beside it.
pub(super) struct Question {
    /// The line, from 1; 0 if it is of many.
    pub(super) line: u64,
    /// What is asked, as it is written.
    pub(super) asked: String,
    /// What the model reads of it.
    pub(super) example: Example,
    /// The fields of the line, in their order.
    pub(super) fields: Vec<(String, Value)>,
    /// Which of several it is, if lines do not tell: what that is called, and its name or number.
    pub(super) name: Option<(String, Value)>,
}

/// Where questions come from.
pub(super) struct Input {
    /// What it is called in messages.
    name: String,
    /// The column of the texts.
    column: String,
    source: Source,
    /// How many lines were read so far.
    count: u64,
}

enum Source {
    /// Questions that the task has read itself.
    Asked(std::vec::IntoIter<Result<Asked, DataError>>),
    Lines {
        reader: Box<dyn BufRead>,
        line: u64,
        /// Whether every line is JSON.
        json: bool,
    },
    Table {
        rows: Box<Rows>,
        /// The columns that are read of it.
        names: Vec<String>,
    },
}

/// A line as it was read.
enum Content {
    Text(String),
    Fields(Vec<(String, Value)>),
}

/// The number of a line and what stands there, or what is wrong with it.
type Line = Result<(u64, Content), String>;

/// How a file of questions is read.
pub(super) struct Reading<'a> {
    /// The column of the texts.
    pub(super) column: &'a str,
    /// Whether the first line of a table names the columns, if that is said.
    pub(super) header: Option<bool>,
    /// Whether what stands beside the texts is read too.
    pub(super) keep: bool,
}

impl Input {
    /// Opens a file of questions: a table as it is trained on, or else a question a line.
    pub(super) fn open(
        path: &Path,
        reading: &Reading<'_>,
        codec: &dyn Codec,
    ) -> Result<Self, Failure> {
        let (name, column) = (path.display().to_string(), reading.column.to_owned());
        if path.as_os_str() == "-" {
            let name = "standard input".to_owned();
            return Ok(Self { name, column, source: lines(stdin().lock(), false), count: 0 });
        }
        if path.is_dir() {
            return Err(Failure::new(format!("cannot read {name}: it is a directory")));
        }
        match Format::of(path) {
            Some(Format::Jsonl) => {
                Ok(Self { name, column, source: lines(decompressed(path)?, true), count: 0 })
            }
            Some(_) if reads_texts(codec) => Self::of_table(path, reading),
            Some(_) | None => {
                let mut reader = BufReader::new(decompressed(path)?);
                let head = reader.fill_buf().unwrap_or_default();
                if reads_texts(codec) && begins_with_header(head, &column) {
                    note(format_args!(
                        "note: the ending of {name} says no format, so each line is a text, the first one \
                         too, which looks like the header of a table; if it is one, name the file .csv, \
                         .tsv or .jsonl"
                    ));
                }
                Ok(Self { name, column, source: lines(reader, false), count: 0 })
            }
        }
    }

    fn of_table(path: &Path, reading: &Reading<'_>) -> Result<Self, Failure> {
        let Reading { column, header, keep } = *reading;
        let fault = |error: DataError| match error {
            error @ DataError::Column { .. } => {
                Failure::new(format!("{error}\nName it with --text-column."))
            }
            error => error.into(),
        };
        let table = Table::open_with(path, Options { header, ..Options::default() })?;
        let text = table.column(column).map_err(fault)?;
        let (mut asked, mut names) = (Vec::new(), Vec::new());
        for (place, found) in table.columns().iter().enumerate() {
            let name = &found.name;
            if place == text {
                asked.push(Ask::new(column, table::Kind::Text));
            } else if keep && table.column(name).ok() == Some(place) {
                asked.push(Ask { missing: Missing::Nan, ..Ask::new(name, table::Kind::Text) });
            } else {
                continue;
            }
            names.push(name.clone());
        }
        let rows = Box::new(table.rows(&asked)?);
        let column = table.columns()[text].name.clone();
        let source = Source::Table { rows, names };
        Ok(Self { name: path.display().to_string(), column, source, count: 0 })
    }

    /// The questions of a file that the task reads itself.
    pub(super) fn of_file(path: &Path, asked: Vec<Result<Asked, DataError>>) -> Self {
        let source = Source::Asked(asked.into_iter());
        Self { name: path.display().to_string(), column: String::new(), source, count: 0 }
    }

    /// The next question, or what is wrong with its line; `None` at the end.
    pub(super) fn next(
        &mut self,
        codec: &dyn Codec,
    ) -> Result<Option<Result<Question, String>>, Failure> {
        if let Source::Asked(asked) = &mut self.source {
            let question = |Asked { row, text, example, name }| Question {
                line: row,
                asked: text,
                example,
                fields: Vec::new(),
                name,
            };
            return Ok(asked
                .next()
                .map(|asked| asked.map(question).map_err(|fault| fault.to_string())));
        }
        let Some(line) = self.content()? else { return Ok(None) };
        self.count += 1;
        let question = line.and_then(|(line, content)| {
            let question = self.question(line, content, codec);
            question.map_err(|fault| format!("{}:{line}: {fault}", self.name))
        });
        Ok(Some(question))
    }

    fn content(&mut self) -> Result<Option<Line>, Failure> {
        let broken = |error| Failure::new(format!("cannot read {}: {error}", self.name));
        match &mut self.source {
            Source::Asked(_) => Ok(None),
            Source::Lines { reader, line, json } => {
                let mut bytes = Vec::new();
                if reader.read_until(b'\n', &mut bytes).map_err(broken)? == 0 {
                    return Ok(None);
                }
                *line += 1;
                let content = content(bytes, *json, *line == 1);
                let fault = |fault| format!("{}:{line}: {fault}", self.name);
                Ok(Some(content.map(|content| (*line, content)).map_err(fault)))
            }
            Source::Table { rows, names } => {
                let Some(row) = rows.next_mended()? else { return Ok(None) };
                if let Some(fault) = row.faults.first() {
                    return Ok(Some(Err(fault.to_string())));
                }
                let values = row.values.unwrap_or_default();
                let text = |value: table::Value| value.text().unwrap_or_default().to_owned();
                let fields = values.into_iter().map(|value| Value::String(text(value)));
                let fields = names.iter().cloned().zip(fields).collect();
                Ok(Some(Ok((row.number, Content::Fields(fields)))))
            }
        }
    }

    fn question(&self, line: u64, content: Content, codec: &dyn Codec) -> Result<Question, String> {
        let column = &self.column;
        let (asked, fields) = match content {
            Content::Text(text) => (text.clone(), vec![(column.clone(), Value::String(text))]),
            Content::Fields(fields) => {
                let place = place(fields.iter().map(|(name, _)| name), column);
                let asked = match place.map(|place| &fields[place].1) {
                    Some(Value::String(text)) => text.clone(),
                    Some(list @ Value::Array(_)) if codec.reads_lists() => list.to_string(),
                    // As a table of it is read in training.
                    Some(Value::Number(number)) if reads_texts(codec) => match number.as_i128() {
                        Some(number) => number.to_string(),
                        None => number.as_f64().unwrap_or(f64::NAN).to_string(),
                    },
                    Some(value) if reads_texts(codec) && !value.is_boolean() => {
                        return Err(format!("`{column}` is not a string"));
                    }
                    Some(value) => value.to_string(),
                    None if reads_texts(codec) => {
                        let missing = missing(column, fields.iter().map(|(name, _)| name));
                        return Err(format!("{missing}; another is named by --text-column"));
                    }
                    None => Value::Object(fields.iter().cloned().collect()).to_string(),
                };
                (asked, fields)
            }
        };
        let example = codec.question(&asked)?;
        let name = codec.unit().map(|unit| (unit.to_owned(), Value::from(self.count)));
        Ok(Question { line, asked, example, fields, name })
    }
}

/// Whether the task's questions are texts.
fn reads_texts(codec: &dyn Codec) -> bool {
    codec.encode("").is_some()
}

/// The place of a column, by its name or its number from 1.
fn place<'a>(mut names: impl Iterator<Item = &'a String> + Clone, column: &str) -> Option<usize> {
    let number = column.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
    let number = number.filter(|place| *place < names.clone().count());
    names.position(|name| name == column).or(number)
}

fn missing<'a>(column: &str, found: impl Iterator<Item = &'a String>) -> String {
    let found: Vec<String> = found.map(|name| format!("`{name}`")).collect();
    let found = if found.is_empty() { "none".to_owned() } else { found.join(", ") };
    format!("there is no column `{column}`; the columns are {found}")
}

fn lines(reader: impl Read + 'static, json: bool) -> Source {
    Source::Lines { reader: Box::new(BufReader::new(reader)), line: 0, json }
}

/// Whether the first line looks like the names of columns, of which one is that of the texts.
fn begins_with_header(head: &[u8], column: &str) -> bool {
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let line = line.strip_prefix('\u{feff}').unwrap_or(&line);
    line.split([',', ';', '\t']).any(|field| field.trim().trim_matches('"') == column)
}

/// A line without its end: JSON where it must be, or where it is an object.
fn content(mut bytes: Vec<u8>, json: bool, first: bool) -> Result<Content, String> {
    if bytes.ends_with(b"\n") {
        bytes.pop();
    }
    if bytes.ends_with(b"\r") {
        bytes.pop();
    }
    let text = String::from_utf8(bytes).map_err(|_| "the text is not UTF-8".to_owned())?;
    let text = match text.strip_prefix('\u{feff}') {
        Some(rest) if first => rest.to_owned(),
        _ => text,
    };
    let object = text.trim_start().starts_with("{\"");
    if !json && !object {
        return Ok(Content::Text(text));
    }
    let value: Value = serde_json::from_str(&text).map_err(|error| {
        let why = if json { "" } else { ", but begins as a JSON object does" };
        format!("this is not JSON{why}: {error}")
    })?;
    match value {
        Value::Object(fields) => Ok(Content::Fields(fields.into_iter().collect())),
        Value::String(text) => Ok(Content::Text(text)),
        _ => Ok(Content::Text(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_texts_or_objects() {
        let read = |line: &str, json: bool| match content(line.into(), json, true) {
            Ok(Content::Text(text)) => format!("text {text}"),
            Ok(Content::Fields(fields)) => {
                fields.iter().map(|(name, value)| format!("{name}={value};")).collect()
            }
            Err(fault) => fault,
        };
        assert_eq!(read("\u{feff}a b\r\n", false), "text a b");
        assert_eq!(read("{curly}", false), "text {curly}");
        assert_eq!(read(" {\"b\": 1, \"a\": \"x\"}\n", false), "b=1;a=\"x\";");
        assert_eq!(read("\"a\"", true), "text a");
        assert_eq!(read("[1, 2]", true), "text [1, 2]");
        let broken = read("{\"a\": ", false);
        assert!(broken.starts_with("this is not JSON, but begins as a JSON object"), "{broken}");
        assert!(read("a", true).starts_with("this is not JSON: "));
        assert!(content(vec![0xff], false, true).is_err());
    }
}
