//! Labelling texts: sentences from a table, as sequences of words.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::examples::{Examples, batches, majority};
use super::options::{OptionError, parse};
use super::table::{self, Columns, Row};
use super::vocabulary::Vocabulary;
use super::words::words;
use super::{Codec, Context, DataError, Goal, Kind, Loaded, TaskError};
use crate::batch::{Batch, Data, Example, IGNORED, Targets};
use crate::draws::rng;
use crate::generate::probabilities;
use crate::model::{Answers, Interface, Readout, Reads};

/// The label of a text.
pub const KIND: Kind = Kind {
    name: "classify",
    about: "the label of a text",
    endings: &["csv", "tsv", "tab", "jsonl", "ndjson"],
    defaults: "
        [model]
        embedding = 64
        [training]
        batch = 32
        learning_rate = 3e-3
        epochs = 10
        least_steps = 100
        evaluations = 20
        patience = 10
    ",
    load: |options, context| load(options, context),
    codec: |kept| Ok(Box::new(serde_json::from_value::<Lexicon>(kept)?)),
};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Options {
    /// The table.
    data: PathBuf,
    /// Another table to choose the best model by.
    validation_data: PathBuf,
    /// Another table to be judged by.
    held_out_data: PathBuf,
    /// Its column of texts.
    text_column: String,
    /// Its column of labels.
    label_column: String,
    /// The share that is held out.
    held_out: f64,
    /// The share of the rest that checkpoints are chosen by.
    validation: f64,
    /// The probability that a word is read as the unknown one in training.
    word_dropout: f64,
    /// How often a word must occur to be known.
    least_count: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            data: PathBuf::new(),
            validation_data: PathBuf::new(),
            held_out_data: PathBuf::new(),
            text_column: "text".to_owned(),
            label_column: "label".to_owned(),
            held_out: 0.1,
            validation: 0.05,
            word_dropout: 0.5,
            least_count: 2,
        }
    }
}

impl Options {
    fn columns(&self) -> Columns {
        Columns { text: self.text_column.clone(), label: self.label_column.clone() }
    }
}

/// What a classifier reads and answers: the words and the labels it knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lexicon {
    /// The words.
    pub words: Vocabulary,
    /// The labels, in the order of their text.
    pub labels: Vec<String>,
}

impl Lexicon {
    /// The numbers of the words of a text.
    fn numbers(&self, text: &str) -> Vec<u32> {
        words(text).iter().map(|word| self.words.number(word)).collect()
    }

    /// A text with the number of its label.
    pub fn example(&self, text: &str, label: u32) -> Example {
        let (data, targets) = (self.numbers(text), vec![label]);
        Example { data: Data::Symbols(data), targets: Targets::Classes(targets) }
    }

    /// Rows as examples.
    ///
    /// # Errors
    /// If a row has a label that is not known.
    fn examples(&self, path: &Path, rows: &[Row]) -> Result<Vec<Example>, DataError> {
        let example = |row: &Row| {
            let label = self.labels.iter().zip(0..).find(|(label, _)| **label == row.label);
            let Some((_, label)) = label else {
                let fault = format!(
                    "the model knows no label `{}`; it knows {}",
                    row.label,
                    list(&self.labels)
                );
                return Err(DataError::Row { path: path.to_owned(), row: row.number, fault });
            };
            Ok(self.example(&row.text, label))
        };
        rows.iter().map(example).collect()
    }
}

impl Codec for Lexicon {
    fn interface(&self) -> Interface {
        Interface {
            reads: Reads::Symbols(self.words.len()),
            answers: Answers::Classes(self.labels.len()),
            readout: Readout::Last,
            masked: true,
            resets: false,
        }
    }

    fn kept(&self) -> Value {
        json!(self)
    }

    fn vocabulary(&self) -> Option<&Vocabulary> {
        Some(&self.words)
    }

    fn labels(&self) -> &[String] {
        &self.labels
    }

    fn step(&self) -> &'static str {
        "word"
    }

    fn encode(&self, text: &str) -> Option<Vec<u32>> {
        Some(self.numbers(text))
    }

    fn decode(&self, symbols: &[u32]) -> String {
        symbols.iter().map(|&number| self.words.symbol(number)).collect::<Vec<_>>().join(" ")
    }

    fn judged(&self, options: &toml::Table) -> Result<Vec<Batch>, TaskError> {
        let options: Options = parse(KIND.name, options)?;
        let rows = table::read(&options.data, &options.columns())?;
        let examples = self.examples(&options.data, &rows)?;
        Ok(batches(&examples, &self.interface()).collect())
    }

    fn question(&self, line: &str) -> Result<Example, String> {
        if line.trim().is_empty() {
            return Err("the line is empty: there is nothing to label".to_owned());
        }
        Ok(self.example(line, IGNORED))
    }

    fn answer(&self, _: &Example, answers: &[f32]) -> Value {
        let probabilities = probabilities(answers, 1.0);
        let best = crate::model::likeliest(answers);
        let all = self.labels.iter().zip(&probabilities);
        let all: serde_json::Map<_, _> = all.map(|(label, p)| (label.clone(), json!(p))).collect();
        json!({
            "label": self.labels[best],
            "probability": probabilities[best],
            "probabilities": all,
        })
    }
}

fn load(options: &toml::Table, context: Context) -> Result<Loaded, TaskError> {
    let options: Options = parse(KIND.name, options)?;
    if options.data.as_os_str().is_empty() {
        let (task, option) = (KIND.name.to_owned(), "data".to_owned());
        let help = "labelled texts, `--data FILE.csv` (or .tsv, .jsonl)".to_owned();
        return Err(OptionError::Missing { task, option, help }.into());
    }
    let rows = table::read(&options.data, &options.columns())?;
    let other = |path: &PathBuf| match path.as_os_str().is_empty() {
        true => Ok(None),
        false => table::read(path, &options.columns()).map(Some),
    };
    let (validation, held_out) = (other(&options.validation_data)?, other(&options.held_out_data)?);
    let mut split =
        Split { held_out: options.held_out, validation: options.validation, seed: context.seed };
    if validation.is_some() {
        split.validation = 0.0;
    }
    let separate = held_out.is_some();
    if separate {
        split.held_out = 0.0;
    }
    let (labels, parts) = prepare(&options.data, &rows, split, separate)?;
    let training: Vec<String> = parts[0].iter().flat_map(|row| words(&row.text)).collect();
    let known = Vocabulary::count(training.iter().map(String::as_str), options.least_count);
    let lexicon = Lexicon { words: known, labels };
    let encode = |rows: &[&Row]| {
        let rows: Vec<Row> = rows.iter().map(|row| (*row).clone()).collect();
        lexicon.examples(&options.data, &rows)
    };
    let mut parts = [encode(&parts[0])?, encode(&parts[1])?, encode(&parts[2])?];
    if let Some(rows) = validation {
        parts[1] = lexicon.examples(&options.validation_data, &rows)?;
    }
    if let Some(rows) = held_out {
        parts[2] = lexicon.examples(&options.held_out_data, &rows)?;
    }
    Ok(loaded(lexicon, parts, context, options.word_dropout, "texts"))
}

/// A task of labelled texts that are read already.
pub fn loaded(
    lexicon: Lexicon,
    parts: [Vec<Example>; 3],
    context: Context,
    noise: f64,
    what: &str,
) -> Loaded {
    let summary = format!(
        "{} {what} to train on and {} held out, {} words, {} labels",
        parts[0].len(),
        parts[2].len(),
        lexicon.words.len() - 1,
        lexicon.labels.len()
    );
    let mut task = Examples::new(lexicon.interface(), context, parts);
    task.goal = Goal::Accuracy;
    task.baseline = Some(majority(task.examples(super::Part::HeldOut)));
    (task.noise, task.short_first) = (noise, true);
    Loaded { task: Box::new(task), codec: Box::new(lexicon), summary }
}

/// How rows are split.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Split {
    /// The share that is held out, 0 to 1.
    held_out: f64,
    /// The share of the rest that checkpoints are chosen by, 0 to 1.
    validation: f64,
    /// What the split is drawn from.
    seed: u64,
}

/// The fewest rows that can be split in three.
const LEAST_ROWS: usize = 20;

/// The labels of rows, and the rows in parts, each with its share of every label. `path` is what the
/// rows are called in errors; `separate` says that others are held out.
///
/// # Errors
/// If there are too few rows, or only one label.
fn prepare<'r>(
    path: &Path,
    rows: &'r [Row],
    split: Split,
    separate: bool,
) -> Result<(Vec<String>, [Vec<&'r Row>; 3]), DataError> {
    let too_little = |fault| Err(DataError::TooLittle { path: path.to_owned(), fault });
    if rows.len() < LEAST_ROWS {
        let n = rows.len();
        return too_little(format!("too few rows to learn from: {n}; give at least {LEAST_ROWS}"));
    }
    let labels: BTreeSet<&str> = rows.iter().map(|row| row.label.as_str()).collect();
    let labels: Vec<String> = labels.into_iter().map(ToOwned::to_owned).collect();
    if labels.len() < 2 {
        return too_little(format!("every row has the label {}; give two or more", list(&labels)));
    }
    if labels.len() > rows.len() / 2 {
        let (n, m) = (labels.len(), rows.len());
        return too_little(format!(
            "{n} different labels in {m} rows; is the label column the right one?"
        ));
    }
    let mut rng = rng(split.seed, "split", [0, 0]);
    let mut parts: [Vec<&Row>; 3] = Default::default();
    for label in &labels {
        let mut rows: Vec<&Row> = rows.iter().filter(|row| row.label == *label).collect();
        rows.shuffle(&mut rng);
        // Of a label with a single row, that row is trained on.
        let share = |of: usize, share: f64| {
            ((of as f64 * share).round() as usize).min(of.saturating_sub(1))
        };
        let training = rows.split_off(share(rows.len(), split.held_out));
        parts[2].append(&mut rows);
        let mut validation = training;
        parts[0].append(&mut validation.split_off(share(validation.len(), split.validation)));
        parts[1].append(&mut validation);
    }
    if parts[2].is_empty() && !separate {
        let share = split.held_out;
        return too_little(format!("a held-out share of {share} leaves no row to judge by"));
    }
    Ok((labels, parts))
}

/// Labels for a message: the first of them, if they are many.
fn list(labels: &[String]) -> String {
    let shown: Vec<_> = labels.iter().take(10).map(|label| format!("`{label}`")).collect();
    let rest = if labels.len() > shown.len() { ", .." } else { "" };
    format!("{}{rest}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPLIT: Split = Split { held_out: 0.1, validation: 0.1, seed: 1 };

    fn row(i: u64, label: &str) -> Row {
        Row { number: i, text: format!("The {label} thing {i}"), label: label.into() }
    }

    fn rows() -> Vec<Row> {
        (0..60).map(|i| row(i, if i % 3 == 0 { "good" } else { "bad" })).collect()
    }

    #[test]
    fn every_part_has_its_share_of_every_label() {
        let rows = rows();
        let (labels, parts) = prepare(Path::new("data.csv"), &rows, SPLIT, false).unwrap();
        let count =
            |part: usize, label: &str| parts[part].iter().filter(|row| row.label == label).count();
        assert_eq!(labels, ["bad", "good"]);
        assert_eq!(
            [0, 1, 2].map(|part| (count(part, "bad"), count(part, "good"))),
            [(32, 16), (4, 2), (4, 2)]
        );
        let again = prepare(Path::new("data.csv"), &rows, SPLIT, false).unwrap();
        assert_eq!(again.1, parts);
        let other = Split { seed: 2, ..SPLIT };
        assert_ne!(prepare(Path::new("data.csv"), &rows, other, false).unwrap().1, parts);
    }

    #[test]
    fn too_little_data_is_refused() {
        let refused = |rows: &[Row], split| {
            let error = prepare(Path::new("data.csv"), rows, split, false).unwrap_err();
            error.to_string()
        };
        assert_eq!(
            refused(&rows()[..5], SPLIT),
            "data.csv: too few rows to learn from: 5; give at least 20"
        );
        let same: Vec<_> = (0..30).map(|i| row(i, "good")).collect();
        assert_eq!(
            refused(&same, SPLIT),
            "data.csv: every row has the label `good`; give two or more"
        );
        let unlike: Vec<_> = (0..30).map(|i| row(i, &i.to_string())).collect();
        assert_eq!(
            refused(&unlike, SPLIT),
            "data.csv: 30 different labels in 30 rows; is the label column the right one?"
        );
        assert_eq!(
            refused(&rows(), Split { held_out: 0.0, ..SPLIT }),
            "data.csv: a held-out share of 0 leaves no row to judge by"
        );
    }

    #[test]
    fn an_unknown_label_is_refused_by_its_row() {
        let words = Vocabulary::count(["good"], 1);
        let lexicon = Lexicon { words, labels: vec!["bad".into(), "good".into()] };
        let error = lexicon.examples(Path::new("new.csv"), &[row(7, "ugly")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "new.csv:7: the model knows no label `ugly`; it knows `bad`, `good`"
        );
        assert_eq!(lexicon.encode("GOOD 17"), Some(vec![1, Vocabulary::UNKNOWN]));
    }
}
