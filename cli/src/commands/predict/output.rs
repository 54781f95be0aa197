//! Answers as they are printed.

use clap::ValueEnum;
use serde_json::{Map, Value};

use super::input::Question;
use crate::failure::Failure;

/// `--format`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// A JSON object for each line
    Jsonl,
    /// A table with a header
    Csv,
    /// A few words for each line
    Text,
}

/// Puts answers into lines.
pub(super) struct Output {
    format: Format,
    keep: bool,
    /// The columns of a table, once there are some.
    header: Option<Vec<String>>,
}

impl Output {
    pub(super) fn new(format: Format, keep: bool) -> Self {
        Self { format, keep, header: None }
    }

    /// An answer with its line's end; before the first of a table comes its header. As a table and as words,
    /// an answer of several `rows` is as many lines.
    pub(super) fn line(
        &mut self,
        question: Question,
        answer: Value,
        rows: Option<Vec<Map<String, Value>>>,
    ) -> Result<String, Failure> {
        let answer = match answer {
            Value::Object(answer) => answer,
            other => Map::from_iter([("answer".to_owned(), other)]),
        };
        let number = question.line;
        let kept = if self.keep { question.fields } else { Vec::new() };
        let mut fields = Map::new();
        let several = rows.as_ref().filter(|_| self.format != Format::Jsonl);
        let mut keep = |name: String, value| {
            let taken = match several {
                Some(rows) => rows.first().is_some_and(|row| row.contains_key(&name)),
                None => answer.contains_key(&name),
            };
            fields.insert(if taken { format!("input_{name}") } else { name }, value);
        };
        if let Some((name, value)) = question.name {
            keep(name, value);
        } else if several.is_some() && number > 0 && self.format == Format::Csv {
            keep("line".to_owned(), number.into());
        }
        kept.into_iter().for_each(|(name, value)| keep(name, value));
        if let Some(rows) = several {
            let lines = rows.iter().map(|row| {
                let mut fields = fields.clone();
                fields.extend(row.clone());
                match self.format {
                    Format::Csv => self.row(number, &fields),
                    Format::Text | Format::Jsonl => {
                        Ok(fields.values().map(word).collect::<Vec<_>>().join("\t") + "\n")
                    }
                }
            });
            return lines.collect();
        }
        match self.format {
            Format::Jsonl => {
                fields.extend(answer);
                Ok(format!("{}\n", Value::Object(fields)))
            }
            Format::Csv => {
                fields.extend(answer);
                self.row(number, &fields)
            }
            Format::Text => {
                let kept = fields.values().map(word);
                Ok(kept.chain([words(&answer)]).collect::<Vec<_>>().join("\t") + "\n")
            }
        }
    }

    fn row(&mut self, line: u64, fields: &Map<String, Value>) -> Result<String, Failure> {
        let mut flat = Vec::new();
        fields.iter().for_each(|(name, value)| flatten(name, value, &mut flat));
        let mut rows = Vec::new();
        if self.header.is_none() {
            rows.push(flat.iter().map(|(name, _)| name.clone()).collect());
        }
        let header = self.header.get_or_insert_with(|| {
            let names = flat.iter().map(|(name, _)| name.clone());
            names.collect()
        });
        if let Some((name, _)) = flat.iter().find(|(name, _)| !header.contains(name)) {
            return Err(Failure::new(format!(
                "line {line} has a field `{name}`, which the first had not: a table has the same \
                 columns in every row; take --format jsonl"
            )));
        }
        let field = |column: &String| {
            let found = flat.iter().find(|(name, _)| name == column);
            found.map_or_else(String::new, |(_, value)| value.clone())
        };
        rows.push(header.iter().map(field).collect::<Vec<String>>());
        let mut writer = csv::Writer::from_writer(Vec::new());
        let written = rows.iter().try_for_each(|row| writer.write_record(row));
        let bytes = written.ok().and_then(|()| writer.into_inner().ok());
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        text.ok_or_else(|| Failure::new("internal error: a row cannot be written"))
    }
}

/// A value of several fields as as many columns.
fn flatten(name: &str, value: &Value, into: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(own, value)| flatten(&format!("{name}.{own}"), value, into));
        }
        value => into.push((name.to_owned(), word(value))),
    }
}

fn word(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        value => value.to_string(),
    }
}

/// An answer in a few words: the label and how likely it is, or all there is.
fn words(answer: &Map<String, Value>) -> String {
    let label = answer.get("label").and_then(Value::as_str);
    let probability = answer.get("probability").and_then(Value::as_f64);
    if let (Some(label), Some(probability)) = (label, probability) {
        return format!("{label}\t{:.1} %", 100.0 * probability);
    }
    let all = answer.iter().map(|(name, value)| format!("{name} {}", word(value)));
    all.collect::<Vec<_>>().join("\t")
}

#[cfg(test)]
mod tests {
    use cellc_train::batch::{Data, Example, Targets};
    use serde_json::json;

    use super::*;

    fn question(fields: &[(&str, Value)]) -> Question {
        let (data, targets) = (Data::default(), Targets::default());
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        let (asked, example) = (String::new(), Example { data, targets });
        Question { line: 7, asked, example, fields: fields.collect(), name: None }
    }

    #[test]
    fn answers_are_lines_of_json_tables_or_words() {
        let answer = json!({ "label": "a, b", "probability": 0.75, "all": { "x": 1, "y": 2 } });
        let own = [("id", json!(3)), ("label", json!("c"))];
        let line =
            |format, keep| Output::new(format, keep).line(question(&own), answer.clone(), None);
        let line = |format, keep| line(format, keep).expect("it can be written");
        assert_eq!(
            line(Format::Jsonl, true),
            "{\"id\":3,\"input_label\":\"c\",\"label\":\"a, b\",\"probability\":0.75,\
             \"all\":{\"x\":1,\"y\":2}}\n"
        );
        assert_eq!(
            line(Format::Csv, true),
            "id,input_label,label,probability,all.x,all.y\n3,c,\"a, b\",0.75,1,2\n"
        );
        assert_eq!(line(Format::Text, false), "a, b\t75.0 %\n");
    }

    #[test]
    fn an_answer_of_several_rows_is_as_many_lines_of_a_table() {
        let rows = || [1, 2].map(|i| Map::from_iter([("step".to_owned(), json!(i))])).to_vec();
        let line = |format, name: Option<(&str, Value)>| {
            let name = name.map(|(name, value)| (name.to_owned(), value));
            let question = Question { name, ..question(&[("step", json!("x"))]) };
            let answer = json!({ "forecast": [1, 2] });
            let line = Output::new(format, true).line(question, answer, Some(rows()));
            line.expect("it can be written")
        };
        assert_eq!(line(Format::Csv, None), "line,input_step,step\n7,x,1\n7,x,2\n");
        let name = || Some(("id", json!("a")));
        assert_eq!(line(Format::Csv, name()), "id,input_step,step\na,x,1\na,x,2\n");
        assert_eq!(line(Format::Text, name()), "a\tx\t1\na\tx\t2\n");
        let whole = "{\"id\":\"a\",\"step\":\"x\",\"forecast\":[1,2]}\n";
        assert_eq!(line(Format::Jsonl, name()), whole);
    }

    #[test]
    fn a_table_has_one_header_and_the_same_columns_in_every_row() {
        let mut table = Output::new(Format::Csv, true);
        let mut line = |own: &[(&str, Value)]| table.line(question(own), json!([1, null]), None);
        assert_eq!(line(&[("id", json!(1))]).expect("a row"), "id,answer\n1,\"[1,null]\"\n");
        assert_eq!(line(&[]).expect("a row"), ",\"[1,null]\"\n");
        let fault = line(&[("other", json!(1))]).expect_err("another column").to_string();
        assert!(fault.contains("line 7 has a field `other`"), "{fault}");
    }
}
