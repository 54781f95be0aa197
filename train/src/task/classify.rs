//! Labelling texts: sentences from a table, as sequences of words.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::examples::{Counts, Examples, Pooled, majority};
use super::files::{
    Header, JUDGED_MEMORY, MEMORY, check_known, given, in_parts, named, nothing_held_out, shares,
    too_little,
};
use super::options::{described, options, parse};
use super::pool::Pool;
use super::vocabulary::Vocabulary;
use super::{Codec, Context, DataError, Goal, Judged, Kind, Loaded, TaskError};
use crate::batch::{Data, Example, IGNORED, Targets};
use crate::data::split::{Shares, Split, stratified};
use crate::data::table::{self, Ask};
use crate::data::words::words;
use crate::generate::probabilities;
use crate::model::{Answers, Interface, Readout, Reads};

/// The label of a text.
pub const KIND: Kind = Kind {
    name: "classify",
    about: "the label of a text",
    endings: &["csv", "tsv", "tab", "jsonl", "ndjson", "parquet", "pq"],
    defaults: "
        [model]
        embedding = 64
        embedding_scale = 0.1
        [training]
        batch = 32
        learning_rate = 3e-3
        epochs = 10
        least_steps = 100
        evaluations = 20
        patience = 10
    ",
    options: described::<Options>,
    load: |options, context| load(options, context),
    codec: |kept| Ok(Box::new(serde_json::from_value::<Lexicon>(kept)?)),
};

options! {
    struct Options {
        /// The table: CSV, TSV, JSON lines, Parquet or NumPy; those of text may be compressed by gzip.
        data: PathBuf = PathBuf::new(),
        /// Another table to choose the best model by.
        validation_data: PathBuf = PathBuf::new(),
        /// Another table to judge the model by.
        held_out_data: PathBuf = PathBuf::new(),
        /// The column of the texts, by its name or its number from 1.
        text_column: String = "text".to_owned(),
        /// The column of the labels, by its name or its number from 1.
        label_column: String = "label".to_owned(),
        /// Whether the first line of CSV or TSV names the columns; `auto` if no field is a number.
        header: Header = Header::Auto,
        /// The share of the rows that the model is judged by.
        held_out: f64 = 0.1,
        /// The share of the rows that the best model is chosen by.
        validation: f64 = 0.05,
        /// The probability that a word is read as the unknown one in training.
        word_dropout: f64 = 0.5,
        /// How often a word must occur to be known.
        least_count: usize = 2,
        /// How many bytes of the texts' symbols, 4 each, are in memory; what is beyond is in a
        /// temporary file.
        memory: usize = MEMORY,
    }
}

impl Options {
    /// Calls `take` with the text and the label of each row; a fault that it finds is of that row.
    fn each(
        &self,
        path: &Path,
        mut take: impl FnMut(&str, &str) -> Result<(), String>,
    ) -> Result<(), DataError> {
        let ask = |column: &str| Ask::new(column, table::Kind::Text);
        let table = self.header.open(path)?;
        let mut rows = table
            .rows(&[ask(&self.text_column), ask(&self.label_column)])
            .map_err(|error| error.named_by(&["text_column", "label_column"]))?;
        while let Some(row) = rows.next() {
            let row = row?;
            let text = |i: usize| row.values[i].text().unwrap_or_default();
            take(text(0), text(1).trim()).map_err(|fault| rows.fault(row.number, fault))?;
        }
        Ok(())
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

    /// A text with its label.
    ///
    /// # Errors
    /// If the label is not known.
    fn labelled(&self, text: &str, label: &str) -> Result<Example, String> {
        let Ok(number) = self.labels.binary_search_by(|known| known.as_str().cmp(label)) else {
            let known = list(&self.labels);
            return Err(format!("the model knows no label `{label}`; it knows {known}"));
        };
        Ok(self.example(text, number as u32))
    }

    /// The texts of a table with their labels, of which few are in memory.
    fn pooled(&self, options: &toml::Table) -> Result<Pooled, TaskError> {
        let options: Options = parse(KIND.name, options)?;
        let mut examples = Pool::new(JUDGED_MEMORY);
        // What cannot be kept is no fault of the row.
        let mut kept = Ok(());
        options.each(&options.data, |text, label| {
            let example = self.labelled(text, label)?;
            if kept.is_ok() {
                kept = examples.push(&example);
            }
            Ok(())
        })?;
        kept?;
        Ok(Pooled { examples, interface: self.interface() })
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

    fn judged(&self, options: &toml::Table) -> Result<Box<dyn Judged>, TaskError> {
        Ok(Box::new(self.pooled(options)?))
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
    given(
        KIND.name,
        &options.data,
        "labelled texts, `--data FILE.csv` (or .tsv, .jsonl, .parquet)",
    )?;
    shares(KIND.name, &[("validation", options.validation), ("held_out", options.held_out)])?;
    let share = |path: &Path, share| if named(path).is_some() { 0.0 } else { share };
    let shares = Shares {
        validation: share(&options.validation_data, options.validation),
        test: share(&options.held_out_data, options.held_out),
    };
    // First the labels alone: by them rows are split, and only then is it known which words are.
    let (labels, of_rows) = labels(&options)?;
    let separate = named(&options.held_out_data).is_some();
    let split = split(&options.data, &labels, &of_rows, shares, context.seed)?;
    if split.test.is_empty() && !separate {
        return Err(too_little(&options.data, nothing_held_out(options.held_out, "row")));
    }
    let mut part_of = vec![0_u8; of_rows.len()];
    split.validation.iter().for_each(|row| part_of[*row] = 1);
    split.test.iter().for_each(|row| part_of[*row] = 2);
    let mut counts = BTreeMap::<String, usize>::new();
    let mut parts = part_of.iter();
    options.each(&options.data, |text, _| {
        if parts.next() == Some(&0) {
            words(text).into_iter().for_each(|word| *counts.entry(word).or_default() += 1);
        }
        Ok(())
    })?;
    let words = Vocabulary::of_counts(counts, options.least_count, None);
    check_known(KIND.name, words.len(), "word", options.least_count)?;
    let lexicon = Lexicon { words, labels };
    let mut pools = [options.memory / 2, options.memory / 4, options.memory / 4].map(Pool::new);
    let mut counts = Counts::default();
    let mut seen = [(); 3].map(|()| vec![false; lexicon.labels.len()]);
    let mut put = |part: usize, path: &Path, part_of: &[u8]| {
        let mut parts = part_of.iter();
        // What cannot be kept is no fault of the row.
        let mut kept = Ok(());
        options.each(path, |text, label| {
            let part = parts.next().map_or(part, |part| usize::from(*part));
            let example = lexicon.labelled(text, label)?;
            if part == 2 {
                counts.add(&example.targets);
            }
            if let Targets::Classes(classes) = &example.targets {
                classes.iter().for_each(|&class| seen[part][class as usize] = true);
            }
            if kept.is_ok() {
                kept = pools[part].push(&example);
            }
            Ok(())
        })?;
        kept
    };
    put(0, &options.data, &part_of)?;
    for (part, path) in [(1, &options.validation_data), (2, &options.held_out_data)] {
        if let Some(path) = named(path) {
            put(part, path, &[])?;
        }
    }
    let baseline = counts.majority();
    let judged = ["", "validation", "held-out"].into_iter().zip(&pools).zip(&seen).skip(1);
    let warnings = judged.filter(|((_, pool), _)| !pool.is_empty());
    let warnings = warnings.filter_map(|((part, _), seen)| lacking(part, &lexicon.labels, seen));
    let warnings = warnings.collect();
    let facts = Facts { baseline, warnings, noise: options.word_dropout, what: "texts" };
    Ok(of_pools(lexicon, pools, context, facts))
}

/// What is to be said of a part that has no text of some labels.
fn lacking(part: &str, labels: &[String], seen: &[bool]) -> Option<String> {
    let lacking: Vec<String> = labels
        .iter()
        .zip(seen)
        .filter(|(_, seen)| !**seen)
        .map(|(label, _)| label.clone())
        .collect();
    let (n, of) = (lacking.len(), labels.len());
    (n > 0).then(|| {
        format!(
            "the {part} part has no text of {n} of {of} labels, and tells nothing of how well they are \
             learnt: {}; give more data, or a larger share",
            list(&lacking)
        )
    })
}

/// The labels of a table in the order of their text, and the number of each row's.
fn labels(options: &Options) -> Result<(Vec<String>, Vec<u32>), DataError> {
    let mut found = BTreeMap::<String, u32>::new();
    let mut of_rows = Vec::new();
    options.each(&options.data, |_, label| {
        let next = found.len() as u32;
        let number = match found.get(label) {
            Some(number) => *number,
            None => *found.entry(label.to_owned()).or_insert(next),
        };
        of_rows.push(number);
        Ok(())
    })?;
    let mut order = vec![0; found.len()];
    (0..).zip(found.values()).for_each(|(place, number)| order[*number as usize] = place);
    of_rows.iter_mut().for_each(|number| *number = order[*number as usize]);
    Ok((found.into_keys().collect(), of_rows))
}

/// A task of labelled texts that are read already.
pub fn loaded(
    lexicon: Lexicon,
    parts: [Vec<Example>; 3],
    context: Context,
    noise: f64,
    what: &str,
) -> Loaded {
    let facts = Facts { baseline: majority(&parts[2]), warnings: Vec::new(), noise, what };
    of_pools(lexicon, parts.map(Pool::from), context, facts)
}

/// What is known of labelled texts.
struct Facts<'a> {
    /// The share of the most frequent label of those that are held out.
    baseline: f64,
    warnings: Vec<String>,
    /// The probability that a word is read as the unknown one in training.
    noise: f64,
    /// What the texts are called.
    what: &'a str,
}

fn of_pools(lexicon: Lexicon, parts: [Pool; 3], context: Context, facts: Facts<'_>) -> Loaded {
    let Facts { baseline, warnings, noise, what } = facts;
    let summary = format!(
        "{}, {} words, {} labels",
        in_parts(what, parts.each_ref().map(Pool::len)),
        lexicon.words.len() - 1,
        lexicon.labels.len()
    );
    let mut task = Examples::of_pools(lexicon.interface(), context, parts);
    (task.goal, task.baseline) = (Goal::Accuracy, Some(baseline));
    (task.noise, task.short_first, task.warnings) = (noise, true, warnings);
    Loaded { task: Box::new(task), codec: Box::new(lexicon), summary }
}

/// The fewest rows that can be split in three.
const LEAST_ROWS: usize = 20;

/// Rows in parts, each with its share of every label. `path` is what the rows are called in errors.
///
/// # Errors
/// If there are too few rows, or only one label.
fn split(
    path: &Path,
    labels: &[String],
    of_rows: &[u32],
    mut shares: Shares,
    seed: u64,
) -> Result<Split, TaskError> {
    let (n, rows) = (labels.len(), of_rows.len());
    if rows < LEAST_ROWS {
        let fault = format!("too few rows to learn from: {rows}; give at least {LEAST_ROWS}");
        return Err(too_little(path, fault));
    }
    if n < 2 {
        let fault = format!("every row has the label {}; give two or more", list(labels));
        return Err(too_little(path, fault));
    }
    if n > rows / 2 {
        return Err(too_little(
            path,
            format!("{n} different labels in {rows} rows; is the label column the right one?"),
        ));
    }
    // Few rows are better trained on than chosen by.
    let mut counts = vec![0_usize; n];
    of_rows.iter().for_each(|label| counts[*label as usize] += 1);
    let most = counts.into_iter().max().unwrap_or(0) as f64;
    if (most * shares.validation).round() == 0.0 {
        shares.validation = 0.0;
    }
    Ok(stratified(of_rows, shares, seed)?)
}

/// Labels for a message: the first of them, if they are many.
fn list(labels: &[String]) -> String {
    let shown: Vec<_> = labels.iter().take(10).map(|label| format!("`{label}`")).collect();
    let rest = if labels.len() > shown.len() { ", .." } else { "" };
    format!("{}{rest}", shown.join(", "))
}

#[cfg(test)]
mod tests;
