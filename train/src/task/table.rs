//! Tables of labelled texts: CSV, TSV and JSON lines.

use std::path::Path;

use serde_json::Value;

use super::{DataError, read_text};

/// Which columns hold what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns {
    /// The column of the texts.
    pub text: String,
    /// The column of the labels.
    pub label: String,
}

impl Default for Columns {
    fn default() -> Self {
        Self { text: "text".into(), label: "label".into() }
    }
}

/// A labelled text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its line in the file, from 1.
    pub number: u64,
    /// The text.
    pub text: String,
    /// The label.
    pub label: String,
}

/// Reads a table of labelled texts, of the format that the file's ending says:
/// - `.csv`: comma-separated with a header, fields quoted by RFC 4180;
/// - `.tsv`: tab-separated with a header, one row a line; quotes around a field are taken off if
///   the quotes within are doubled, and are otherwise part of the text;
/// - `.jsonl` or `.ndjson`: one JSON object a line; labels may be strings, numbers or booleans.
///
/// # Errors
/// If the file cannot be read, a column is missing, or a row is broken, empty or without a label.
pub fn read(path: &Path, columns: &Columns) -> Result<Vec<Row>, DataError> {
    let ending = path.extension().and_then(|e| e.to_str()).unwrap_or("").to_ascii_lowercase();
    let parse = match ending.as_str() {
        "csv" => parse_csv,
        "tsv" | "tab" => parse_tsv,
        "jsonl" | "ndjson" => parse_json_lines,
        // A file that is not there has a plainer fault than its name.
        _ if path.exists() => return Err(DataError::Format { path: path.to_owned() }),
        _ => parse_csv,
    };
    let text = read_text(path)?;
    let too_little = |fault: &str| DataError::TooLittle { path: path.into(), fault: fault.into() };
    if text.trim().is_empty() {
        return Err(too_little("the file is empty"));
    }
    let rows = parse(path, &text, columns)?;
    if rows.is_empty() {
        return Err(too_little("there is a header but no row"));
    }
    for row in &rows {
        let fault = |column: &str| Err(broken(path, row.number, format!("`{column}` is empty")));
        if row.text.trim().is_empty() {
            return fault(&columns.text);
        }
        if row.label.is_empty() {
            return fault(&columns.label);
        }
    }
    Ok(rows)
}

fn broken(path: &Path, row: u64, fault: impl Into<String>) -> DataError {
    DataError::Row { path: path.to_owned(), row, fault: fault.into() }
}

fn parse_csv(path: &Path, text: &str, columns: &Columns) -> Result<Vec<Row>, DataError> {
    let reader = csv::Reader::from_reader(text.as_bytes());
    parse_separated(reader, path, columns, ToOwned::to_owned)
}

fn parse_tsv(path: &Path, text: &str, columns: &Columns) -> Result<Vec<Row>, DataError> {
    let mut builder = csv::ReaderBuilder::new();
    let reader = builder.delimiter(b'\t').quoting(false).from_reader(text.as_bytes());
    parse_separated(reader, path, columns, unquote)
}

/// Takes off quotes that a writer of quoted fields put around a field.
pub fn unquote(field: &str) -> String {
    let inner = field.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    match inner {
        Some(inner) if !inner.replace("\"\"", "").contains('"') => inner.replace("\"\"", "\""),
        _ => field.to_owned(),
    }
}

fn parse_separated(
    mut reader: csv::Reader<&[u8]>,
    path: &Path,
    columns: &Columns,
    clean: impl Fn(&str) -> String,
) -> Result<Vec<Row>, DataError> {
    let fault = |error: csv::Error| {
        let row = error.position().map_or(1, csv::Position::line);
        let fault = match error.kind() {
            csv::ErrorKind::UnequalLengths { expected_len, len, .. } => format!(
                "found {len} columns where the header has {expected_len}; is a separator missing, \
                 or one too many in a text without quotes?"
            ),
            _ => error.to_string(),
        };
        broken(path, row, fault)
    };
    let header: Vec<_> = reader.headers().map_err(fault)?.iter().map(|h| clean(h.trim())).collect();
    let place = |column: &String| {
        header.iter().position(|name| name == column).ok_or_else(|| {
            let found: Vec<_> = header.iter().map(|name| format!("`{name}`")).collect();
            let (column, found) = (column.clone(), found.join(", "));
            DataError::Column { path: path.to_owned(), column, found }
        })
    };
    let (text, label) = (place(&columns.text)?, place(&columns.label)?);
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(fault)?;
        let field = |i: usize| clean(record.get(i).unwrap_or(""));
        let number = record.position().map_or(0, csv::Position::line);
        rows.push(Row { number, text: field(text), label: field(label).trim().to_owned() });
    }
    Ok(rows)
}

fn parse_json_lines(path: &Path, text: &str, columns: &Columns) -> Result<Vec<Row>, DataError> {
    let mut rows = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim().is_empty() {
            continue;
        }
        let value: Value = (serde_json::from_str(line))
            .map_err(|error| broken(path, number, format!("this is not JSON: {error}")))?;
        let Value::Object(object) = value else {
            return Err(broken(path, number, "a line must be a JSON object"));
        };
        let field = |column: &String| {
            object.get(column).ok_or_else(|| {
                let found: Vec<_> = object.keys().map(|name| format!("`{name}`")).collect();
                let found = if found.is_empty() { "none".into() } else { found.join(", ") };
                let fault = format!("there is no `{column}`; the columns here are {found}");
                broken(path, number, fault)
            })
        };
        let Value::String(text) = field(&columns.text)? else {
            return Err(broken(path, number, format!("`{}` is not a string", columns.text)));
        };
        let label = match field(&columns.label)? {
            Value::String(label) => label.trim().to_owned(),
            label @ (Value::Number(_) | Value::Bool(_)) => label.to_string(),
            _ => {
                let fault = format!("`{}` is no string, number or boolean", columns.label);
                return Err(broken(path, number, fault));
            }
        };
        rows.push(Row { number, text: text.clone(), label });
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `text` as a file of this ending; the texts and labels, or the error without the path.
    fn check(ending: &str, text: impl AsRef<[u8]>, expected: Result<&[(&str, &str)], &str>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(format!("data.{ending}"));
        std::fs::write(&path, text).unwrap();
        match (read(&path, &Columns::default()), expected) {
            (Ok(rows), Ok(expected)) => {
                let found: Vec<_> =
                    rows.iter().map(|row| (row.text.as_str(), row.label.as_str())).collect();
                assert_eq!(found, expected);
            }
            (Err(error), Err(expected)) => {
                let found = error.to_string().replace(path.to_str().unwrap(), "FILE");
                assert_eq!(found, expected);
            }
            (found, expected) => panic!("{found:?}, not {expected:?}"),
        }
    }

    #[test]
    fn csv_quotes_and_other_columns_are_understood() {
        let text = "id,text,label\r\n1,\"a, \"\"b\"\"\",pos\r\n2,c,neg\r\n";
        check("csv", text, Ok(&[("a, \"b\"", "pos"), ("c", "neg")]));
    }

    #[test]
    fn tsv_keeps_the_quotes_of_plain_text_and_takes_off_those_of_a_writer() {
        let text = "label\ttext\npos\t\" a \" b\nneg\t\"say \"\"no\"\"\"\n";
        check("tsv", text, Ok(&[("\" a \" b", "pos"), ("say \"no\"", "neg")]));
    }

    #[test]
    fn json_lines_may_label_by_numbers() {
        let text = "{\"text\": \"a\\nb\", \"label\": 1}\n\n{\"label\": true, \"text\": \"c\"}\n";
        check("jsonl", text, Ok(&[("a\nb", "1"), ("c", "true")]));
    }

    #[test]
    fn a_byte_order_mark_is_passed_over() {
        check("csv", "\u{feff}text,label\na,b\n", Ok(&[("a", "b")]));
    }

    #[test]
    fn faults_name_the_row_and_the_mend() {
        check("csv", "", Err("FILE: the file is empty"));
        check("csv", "text,label\n", Err("FILE: there is a header but no row"));
        check(
            "txt",
            "a",
            Err("FILE: the ending says no format; name the file .csv, .tsv or .jsonl"),
        );
        check(
            "tsv",
            "sentence\tlabel\na\tb\n",
            Err("FILE: there is no column `text`; the columns are `sentence`, `label`"),
        );
        check(
            "csv",
            "text,label\na,b\nc, d,e\n",
            Err("FILE:3: found 3 columns where the header has 2; is a separator missing, or one \
                 too many in a text without quotes?"),
        );
        check("csv", "text,label\na,b\n ,c\n", Err("FILE:3: `text` is empty"));
        check("csv", "text,label\na,\n", Err("FILE:2: `label` is empty"));
        check(
            "csv",
            b"text,label\na\xff,b\n",
            Err("FILE:2: the text is not UTF-8 (byte 12); convert it, for instance by `iconv -f \
                 latin1 -t utf8`"),
        );
        check("jsonl", "[1]\n", Err("FILE:1: a line must be a JSON object"));
        check(
            "jsonl",
            "{\"text\": \"a\", \"label\": 1}\n{\"body\": \"a\", \"label\": 1}\n",
            Err("FILE:2: there is no `text`; the columns here are `body`, `label`"),
        );
        check("jsonl", "{\"text\": 1, \"label\": 1}\n", Err("FILE:1: `text` is not a string"));
        check(
            "jsonl",
            "{\"text\": \"a\", \"label\": []}\n",
            Err("FILE:1: `label` is no string, number or boolean"),
        );
        let missing = read(Path::new("not/there.csv"), &Columns::default()).unwrap_err();
        assert!(missing.to_string().starts_with("cannot read not/there.csv: "), "{missing}");
    }
}
