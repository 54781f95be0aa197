//! Tagging: a label for each token of a sentence.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::examples::{Counts, Examples, Pooled};
use super::files::{
    Header, JUDGED_MEMORY, MEMORY, check_known, given, in_parts, named, nothing_held_out, shares,
    too_little,
};
use super::options::{described, options, parse};
use super::pool::Pool;
use super::vocabulary::Vocabulary;
use super::{
    Answer, Asked, Batches, Codec, Context, DataError, Figure, Goal, Judged, Kind, Loaded,
    TaskError,
};
use crate::batch::{Data, Example, IGNORED, Targets};
use crate::data::split::{Shares, random};
use crate::data::table::Format;
use crate::generate::probabilities;
use crate::model::{Answers, Interface, Readout, Reads, likeliest};
use cellc_runtime::sequence::RunError;

mod sentences;
mod spans;

use self::sentences::{Fault, Sentence, Source};

/// A label for each token of a sentence, such as its part of speech.
pub const KIND: Kind = Kind {
    name: "tag",
    about: "a label for each token of a sentence",
    endings: &["conll", "conllu", "iob", "iob2", "bio"],
    defaults: "
        [model]
        embedding = 64
        bidirectional = true
        dropout = 0.2
        [training]
        batch = 32
        learning_rate = 3e-3
        epochs = 20
        least_steps = 100
        evaluations = 20
        patience = 6
    ",
    options: described::<Options>,
    load: |options, context| load(options, context),
    codec: |kept| Ok(Box::new(serde_json::from_value::<Tagger>(kept)?)),
};

options! {
    struct Options {
        /// The sentences: CoNLL, a token and its tag a line and a blank line behind each sentence; or
        /// JSON lines, Parquet or CSV, two lists a row.
        data: PathBuf = PathBuf::new(),
        /// Other sentences to choose the best model by.
        validation_data: PathBuf = PathBuf::new(),
        /// Other sentences to judge the model by.
        held_out_data: PathBuf = PathBuf::new(),
        /// The column of the tokens; `tokens` if left out, and in CoNLL the first (FORM in CoNLL-U).
        token_column: String = String::new(),
        /// The column of the tags; `tags` if left out, and in CoNLL the last (UPOS in CoNLL-U).
        tag_column: String = String::new(),
        /// Whether the first line of CSV names the columns; `auto` if no field is a number.
        header: Header = Header::Auto,
        /// The share of the sentences that the best model is chosen by.
        validation: f64 = 0.1,
        /// The share of the sentences that the model is judged by.
        held_out: f64 = 0.1,
        /// Whether tokens are the same in lower case.
        lowercase: bool = false,
        /// The probability that a token is read as the unknown one in training.
        word_dropout: f64 = 0.1,
        /// How often a token must occur to be known.
        least_count: usize = 2,
        /// How many bytes of the sentences' symbols, 4 each, are in memory; what is beyond is in a
        /// temporary file.
        memory: usize = MEMORY,
    }
}

impl Options {
    fn source<'a>(&'a self, path: &'a Path) -> Source<'a> {
        let Self { token_column, tag_column, header, .. } = self;
        Source { path, token_column, tag_column, header: *header, tagged: true }
    }
}

/// What a tagger reads and answers: the tokens and the tags it knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tagger {
    tokens: Vocabulary,
    /// In the order of their text.
    tags: Vec<String>,
    lowercase: bool,
}

impl Tagger {
    fn number(&self, token: &str) -> u32 {
        self.tokens.number(&cased(token, self.lowercase))
    }

    fn example(&self, sentence: &Sentence) -> Result<Example, Fault> {
        let tag = |(tag, row): (&String, &u64)| match self.tags.binary_search(tag) {
            Ok(number) => Ok(number as u32),
            Err(_) => {
                let known = crate::data::list(&self.tags);
                Err(Fault::of(*row, format!("the model knows no tag `{tag}`; it knows {known}")))
            }
        };
        let targets =
            sentence.tags.iter().zip(&sentence.rows).map(tag).collect::<Result<_, _>>()?;
        let data = sentence.tokens.iter().map(|token| self.number(token)).collect();
        Ok(Example { data: Data::Symbols(data), targets: Targets::Classes(targets) })
    }

    /// The tokens of a line: a JSON array of them, an object with `tokens`, or a text whose tokens
    /// stand between spaces.
    fn tokens(line: &str) -> Result<Vec<String>, String> {
        let line = line.trim();
        let tokens = if line.starts_with(['[', '{']) {
            let value: Value =
                serde_json::from_str(line).map_err(|error| format!("this is not JSON: {error}"))?;
            let list = if value.is_object() { value["tokens"].clone() } else { value };
            serde_json::from_value::<Vec<String>>(list).map_err(|_| {
                "expected a JSON array of tokens, or an object with one as `tokens`".to_owned()
            })?
        } else {
            line.split_whitespace().map(ToOwned::to_owned).collect()
        };
        if tokens.is_empty() {
            return Err("there is no token: a sentence has one or more".to_owned());
        }
        Ok(tokens)
    }

    fn tagged(&self, tokens: &[String], answers: &[f32]) -> Value {
        let rows = answers.chunks(self.tags.len().max(1));
        let tagged = tokens.iter().zip(rows).map(|(token, row)| {
            let best = likeliest(row);
            let probability = probabilities(row, 1.0)[best];
            json!({ "token": token, "tag": self.tags[best], "probability": probability })
        });
        json!({ "tags": tagged.collect::<Vec<_>>() })
    }
}

fn cased(token: &str, lowercase: bool) -> std::borrow::Cow<'_, str> {
    if lowercase { token.to_lowercase().into() } else { token.into() }
}

impl Codec for Tagger {
    fn interface(&self) -> Interface {
        Interface {
            reads: Reads::Symbols(self.tokens.len()),
            answers: Answers::Classes(self.tags.len()),
            readout: Readout::Each,
            masked: true,
            resets: false,
        }
    }

    fn kept(&self) -> Value {
        json!(self)
    }

    fn vocabulary(&self) -> Option<&Vocabulary> {
        Some(&self.tokens)
    }

    fn labels(&self) -> &[String] {
        &self.tags
    }

    fn step(&self) -> &'static str {
        "token"
    }

    fn encode(&self, text: &str) -> Option<Vec<u32>> {
        let tokens = Self::tokens(text).unwrap_or_default();
        Some(tokens.iter().map(|token| self.number(token)).collect())
    }

    fn decode(&self, symbols: &[u32]) -> String {
        symbols.iter().map(|&number| self.tokens.symbol(number)).collect::<Vec<_>>().join(" ")
    }

    fn judged(&self, options: &toml::Table) -> Result<Box<dyn Judged>, TaskError> {
        let options: Options = parse(KIND.name, options)?;
        let mut examples = Pool::new(JUDGED_MEMORY);
        options
            .source(&options.data)
            .each(|sentence| Ok(examples.push(&self.example(sentence)?)?))?;
        Ok(Box::new(Pooled { examples, interface: self.interface() }))
    }

    fn figures(
        &self,
        batches: Batches<'_>,
        answer: &mut Answer<'_>,
    ) -> Result<Vec<Figure>, RunError> {
        match spans::are_spans(&self.tags) {
            true => judge(&self.tags, batches, answer),
            false => Ok(Vec::new()),
        }
    }

    fn column(&self, options: &toml::Table) -> String {
        super::column(options, "token_column", "tokens")
    }

    fn column_options(&self) -> [&'static str; 2] {
        ["token_column", "tag_column"]
    }

    fn unit(&self) -> Option<&'static str> {
        Some("sentence")
    }

    fn reads_lists(&self) -> bool {
        true
    }

    fn asked(
        &self,
        path: &Path,
        column: Option<&str>,
        options: &toml::Table,
    ) -> Result<Option<Vec<Result<Asked, DataError>>>, TaskError> {
        let mut options: Options = parse(KIND.name, options)?;
        if let Some(column) = column {
            column.clone_into(&mut options.token_column);
        }
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let name = name.to_ascii_lowercase();
        let ending = name.trim_end_matches(".gz").rsplit('.').next().unwrap_or_default();
        match Format::of(path) {
            None if !KIND.endings.contains(&ending) => return Ok(None),
            // A line is a question, unless it is compressed.
            Some(Format::Jsonl) if !name.ends_with(".gz") => return Ok(None),
            None | Some(_) => {}
        }
        let asked = RefCell::new(Vec::new());
        let mut number = 0;
        let source = Source { tagged: false, ..options.source(path) };
        source.each_or(
            |sentence| {
                number += 1;
                let Some(&row) = sentence.rows.first() else { return Ok(()) };
                let text = json!(sentence.tokens).to_string();
                let example = self.question(&text).map_err(|fault| Fault::of(row, fault))?;
                let name = Some(("sentence".to_owned(), json!(number)));
                asked.borrow_mut().push(Ok(Asked { row, text, example, name }));
                Ok(())
            },
            |fault| {
                asked.borrow_mut().push(Err(fault));
                Ok(())
            },
        )?;
        Ok(Some(asked.into_inner()))
    }

    fn question(&self, line: &str) -> Result<Example, String> {
        let symbols: Vec<u32> = Self::tokens(line)?.iter().map(|t| self.number(t)).collect();
        let targets = vec![IGNORED; symbols.len()];
        Ok(Example { data: Data::Symbols(symbols), targets: Targets::Classes(targets) })
    }

    fn rows(&self, answer: &Value) -> Option<Vec<Map<String, Value>>> {
        Some(answer["tags"].as_array()?.iter().filter_map(Value::as_object).cloned().collect())
    }

    fn answer(&self, question: &Example, answers: &[f32]) -> Value {
        let Data::Symbols(symbols) = &question.data else { return Value::Null };
        let token = |&number: &u32| self.tokens.symbol(number).to_owned();
        self.tagged(&symbols.iter().map(token).collect::<Vec<_>>(), answers)
    }

    fn answer_to(&self, line: &str, question: &Example, answers: &[f32]) -> Value {
        match Self::tokens(line) {
            Ok(tokens) => self.tagged(&tokens, answers),
            Err(_) => self.answer(question, answers),
        }
    }
}

fn load(options: &toml::Table, context: Context) -> Result<Loaded, TaskError> {
    let options: Options = parse(KIND.name, options)?;
    let help = "tagged sentences, `--data FILE.conll` (or .conllu, .jsonl, .parquet)";
    given(KIND.name, &options.data, help)?;
    shares(KIND.name, &[("validation", options.validation), ("held_out", options.held_out)])?;
    let others = [&options.validation_data, &options.held_out_data].map(|path| named(path));
    let share = |part: usize, share| if others[part].is_some() { 0.0 } else { share };
    let shares =
        Shares { validation: share(0, options.validation), test: share(1, options.held_out) };
    let (mut sentences, mut tags) = (0, BTreeSet::new());
    options.source(&options.data).each(|sentence| {
        sentences += 1;
        tags.extend(sentence.tags.iter().cloned());
        Ok(())
    })?;
    if tags.len() < 2 {
        let tags = crate::data::list(&tags);
        return Err(too_little(
            &options.data,
            format!(
                "every token has the tag {tags}; give two or more, or name another column (tag_column)"
            ),
        ));
    }
    let split = random(sentences, shares, context.seed)?;
    if split.test.is_empty() && others[1].is_none() {
        let fault = nothing_held_out(options.held_out, "sentence");
        return Err(too_little(&options.data, fault));
    }
    let mut part_of = vec![0_u8; sentences];
    split.validation.iter().for_each(|i| part_of[*i] = 1);
    split.test.iter().for_each(|i| part_of[*i] = 2);
    let mut counts = BTreeMap::<String, usize>::new();
    let mut parts = part_of.iter();
    options.source(&options.data).each(|sentence| {
        if parts.next() == Some(&0) {
            for token in &sentence.tokens {
                *counts.entry(cased(token, options.lowercase).into_owned()).or_default() += 1;
            }
        }
        Ok(())
    })?;
    let tokens = Vocabulary::of_counts(counts, options.least_count, None);
    check_known(KIND.name, tokens.len(), "token", options.least_count)?;
    let tags: Vec<String> = tags.into_iter().collect();
    let tagger = Tagger { tokens, tags, lowercase: options.lowercase };
    let mut pools = [options.memory / 2, options.memory / 4, options.memory / 4].map(Pool::new);
    let mut baseline = Counts::default();
    let mut put = |part: usize, path: &Path, part_of: &[u8]| {
        let mut parts = part_of.iter();
        options.source(path).each(|sentence| {
            let part = parts.next().map_or(part, |part| usize::from(*part));
            let example = tagger.example(sentence)?;
            if part == 2 {
                baseline.add(&example.targets);
            }
            Ok(pools[part].push(&example)?)
        })
    };
    put(0, &options.data, &part_of)?;
    for (part, path) in (1..).zip(others) {
        path.map_or(Ok(()), |path| put(part, path, &[]))?;
    }
    let summary = format!(
        "{}, {} tokens, {} tags",
        in_parts("sentences", pools.each_ref().map(Pool::len)),
        tagger.tokens.len() - 1,
        tagger.tags.len()
    );
    let mut task = Examples::of_pools(tagger.interface(), context, pools);
    (task.goal, task.baseline) = (Goal::Accuracy, Some(baseline.majority()));
    (task.noise, task.short_first) = (options.word_dropout, true);
    let judge = tagger.clone();
    task.judge = Some(Box::new(move |batches, answer| judge.figures(batches, answer)));
    Ok(Loaded { task: Box::new(task), codec: Box::new(tagger), summary })
}

/// Precision, recall and F1 of spans.
fn judge(
    tags: &[String],
    batches: Batches<'_>,
    answer: &mut Answer<'_>,
) -> Result<Vec<Figure>, RunError> {
    let (mut right, mut found, mut true_spans) = (0, 0, 0);
    for batch in batches {
        // What can no longer be read was an error of the evaluation before.
        let Ok(batch) = batch else { return Ok(Vec::new()) };
        let Targets::Classes(targets) = &batch.targets else { continue };
        let answers = answer(&batch)?;
        let rows: Vec<&[f32]> = answers.chunks(tags.len()).collect();
        for column in 0..batch.extent.batch {
            let steps = (column..targets.len()).step_by(batch.extent.batch);
            let steps = steps.filter(|&row| targets[row] != IGNORED);
            let (truth, guess): (Vec<&str>, Vec<&str>) = steps
                .map(|row| {
                    (tags[targets[row] as usize].as_str(), tags[likeliest(rows[row])].as_str())
                })
                .unzip();
            let (truth, guess) = (spans::spans(&truth), spans::spans(&guess));
            right += guess.iter().filter(|span| truth.contains(span)).count();
            (found, true_spans) = (found + guess.len(), true_spans + truth.len());
        }
    }
    let share = |of: usize| if of == 0 { 0.0 } else { right as f64 / of as f64 };
    let (precision, recall) = (share(found), share(true_spans));
    let f1 = if right == 0 { 0.0 } else { 2.0 * precision * recall / (precision + recall) };
    let figure = |name, what: &str, value: f64| Figure {
        name,
        text: format!("{what} {:.1} %", 100.0 * value),
        value,
    };
    Ok(vec![
        figure("span_f1", "F1 of spans", f1),
        figure("span_precision", "precision", precision),
        figure("span_recall", "recall", recall),
    ])
}

#[cfg(test)]
mod tests;
