//! Lines that are to be answered.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, stdin};
use std::path::Path;

use cellc_train::batch::Example;
use cellc_train::task::{Asked, Codec, DataError};
use serde_json::Value;

use crate::failure::Failure;

/// Takes off quotes that a writer of quoted fields put around a field.
fn unquote(field: &str) -> String {
    let inner = field.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    match inner {
        Some(inner) if !inner.replace("\"\"", "").contains('"') => inner.replace("\"\"", "\""),
        _ => field.to_owned(),
    }
}

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
        records: Records,
        header: Vec<String>,
        /// What makes a field of what is written.
        clean: fn(&str) -> String,
    },
}

type Records = Box<dyn Iterator<Item = csv::Result<csv::StringRecord>>>;

/// A line as it was read.
enum Content {
    Text(String),
    Fields(Vec<(String, Value)>),
}

/// The number of a line, and what stands there or is wrong with it.
type Line = (u64, Result<Content, String>);

impl Input {
    /// Opens a file of questions, each a line; `header` is whether the first of a table names the columns,
    /// if that is said.
    pub(super) fn open(
        path: &Path,
        column: &str,
        header: Option<bool>,
        codec: &dyn Codec,
    ) -> Result<Self, Failure> {
        let streamed = path.as_os_str() == "-";
        let name = if streamed { "standard input".to_owned() } else { path.display().to_string() };
        let broken = |error: std::io::Error| Failure::new(format!("cannot read {name}: {error}"));
        let source: Box<dyn Read> = match streamed {
            true => Box::new(stdin().lock()),
            false => {
                let file = File::open(path).map_err(broken)?;
                if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
                    return Err(Failure::new(format!("cannot read {name}: it is a directory")));
                }
                Box::new(file)
            }
        };
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        let (name, column) = (name.clone(), column.to_owned());
        let source = match ending.to_ascii_lowercase().as_str() {
            "csv" => table(csv::ReaderBuilder::new(), source, header, ToOwned::to_owned, &name)?,
            "tsv" | "tab" => {
                let mut builder = csv::ReaderBuilder::new();
                builder.delimiter(b'\t').quoting(false);
                table(builder, source, header, unquote, &name)?
            }
            ending => {
                let json = matches!(ending, "jsonl" | "ndjson");
                Source::Lines { reader: Box::new(BufReader::new(source)), line: 0, json }
            }
        };
        if let Source::Table { header, .. } = &source
            && reads_texts(codec)
            && place(header.iter(), &column).is_none()
        {
            let fault = missing(&column, header.iter());
            return Err(Failure::new(format!("{name}: {fault}\nName it with --text-column.")));
        }
        Ok(Self { name, column, source })
    }

    /// The questions of a file that the task reads itself.
    pub(super) fn of_file(path: &Path, asked: Vec<Result<Asked, DataError>>) -> Self {
        let source = Source::Asked(asked.into_iter());
        Self { name: path.display().to_string(), column: String::new(), source }
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
        let Some((line, content)) = self.content()? else { return Ok(None) };
        let question = content.and_then(|content| self.question(line, content, codec));
        Ok(Some(question.map_err(|fault| format!("{}:{line}: {fault}", self.name))))
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
                Ok(Some((*line, content(bytes, *json, *line == 1))))
            }
            Source::Table { records, header, clean } => {
                let Some(record) = records.next() else { return Ok(None) };
                let record = match record {
                    Ok(record) => record,
                    Err(error) => {
                        let line = error.position().map_or(0, csv::Position::line);
                        return match error.into_kind() {
                            csv::ErrorKind::Io(error) => Err(broken(error)),
                            kind => Ok(Some((line, Err(fault(&kind))))),
                        };
                    }
                };
                let line = record.position().map_or(0, csv::Position::line);
                let fields = record.iter().map(|field| Value::String(clean(field)));
                let fields = header.iter().cloned().zip(fields).collect();
                Ok(Some((line, Ok(Content::Fields(fields)))))
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
                    Some(_) if reads_texts(codec) => {
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
        Ok(Question { line, asked, example, fields, name: None })
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

fn fault(kind: &csv::ErrorKind) -> String {
    match kind {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("found {len} columns where the header has {expected_len}")
        }
        csv::ErrorKind::Utf8 { .. } => "the text is not UTF-8".to_owned(),
        kind => format!("this is no row of a table ({kind:?})"),
    }
}

fn table(
    mut builder: csv::ReaderBuilder,
    source: Box<dyn Read>,
    header: Option<bool>,
    clean: fn(&str) -> String,
    name: &str,
) -> Result<Source, Failure> {
    let mut records = builder.has_headers(false).from_reader(source).into_records();
    let first = records.next().transpose();
    let first = first.map_err(|error| Failure::new(format!("{name}: {error}")))?;
    let first = first.unwrap_or_default();
    let fields = first.iter().map(|field| {
        let field = field.strip_prefix('\u{feff}').unwrap_or(field);
        clean(field.trim())
    });
    let fields: Vec<String> = fields.collect();
    // As in training, where nothing is said.
    let numbers = fields.iter().any(|field| field.parse::<f64>().is_ok());
    if header.unwrap_or(!numbers) {
        return Ok(Source::Table { records: Box::new(records), header: fields, clean });
    }
    let header = (1..=fields.len()).map(|number| number.to_string()).collect();
    let records = Box::new(std::iter::once(Ok(first)).chain(records));
    Ok(Source::Table { records, header, clean })
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
