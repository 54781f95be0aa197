//! What is kept of models of language: what symbols they know, and where states begin anew.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::corpus::{self, Encode};
use super::files::{JUDGED_MEMORY, fault_of, too_little};
use super::options::OptionError;
use super::stream::evaluation;
use super::vocabulary::Vocabulary;
use super::{Batches, Codec, DataError, Judged, TaskError};
use crate::batch::{Data, Example, IGNORED, Targets};
use crate::data::store::Store;
use crate::data::tokenizer::{Scheme, Tokenizer};
use crate::generate::{probabilities, surprise};
use crate::model::{Answers, Interface, Readout, Reads};

/// What a model of language reads and answers. Number 0 is what it does not know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Language {
    tokenizer: Tokenizer,
    /// States begin anew after this symbol.
    end: Option<u32>,
}

impl Language {
    pub(super) fn new(tokenizer: Tokenizer) -> Self {
        Self { tokenizer, end: None }
    }

    /// Has states begin anew after a symbol, if one is given.
    ///
    /// # Errors
    /// If there is no such symbol.
    pub(super) fn reset_after(self, task: &str, symbol: &str) -> Result<Self, OptionError> {
        if symbol.is_empty() {
            return Ok(self);
        }
        let Some(number) = self.tokenizer.number(symbol) else {
            let step = self.step();
            let fault = format!("the model knows no {step} `{}`", symbol.escape_debug());
            return Err(fault_of(task, "reset_after", fault));
        };
        let end = Some(self.symbol(number));
        Ok(Self { end, ..self })
    }

    /// How many symbols there are, with the unknown one.
    pub(super) fn symbols(&self) -> usize {
        self.tokenizer.len() + usize::from(self.is_shifted())
    }

    /// Whether numbers of the tokenizer are one less than the symbols: its own number 0 is a token.
    fn is_shifted(&self) -> bool {
        matches!(self.tokenizer, Tokenizer::HuggingFace(_))
    }

    fn symbol(&self, number: u32) -> u32 {
        if !self.is_shifted() {
            number
        } else if self.tokenizer.unknown() == Some(number) {
            Vocabulary::UNKNOWN
        } else {
            number + 1
        }
    }

    fn number(&self, symbol: u32) -> Option<u32> {
        match self.is_shifted() {
            false => Some(symbol),
            true => symbol.checked_sub(1).or(self.tokenizer.unknown()),
        }
    }

    /// A text to be judged by, of which little is in memory.
    fn text(&self, path: &Path) -> Result<Text, DataError> {
        Ok(Text { symbols: corpus::whole(path, self, JUDGED_MEMORY)?, end: self.end })
    }

    fn read(&self, text: &str) -> Result<Vec<u32>, DataError> {
        let mut symbols = Vec::new();
        Encode::encode(self, text, &mut symbols)?;
        Ok(symbols)
    }

    /// A symbol as it is shown.
    fn shown(&self, symbol: u32) -> String {
        let token = self.number(symbol).and_then(|number| self.tokenizer.token(number));
        token.unwrap_or_else(|| Vocabulary::UNKNOWN_SYMBOL.to_owned())
    }
}

impl Encode for Language {
    fn encode(&self, text: &str, into: &mut Vec<u32>) -> Result<(), DataError> {
        let before = into.len();
        self.tokenizer.encode(text, into)?;
        into[before..].iter_mut().for_each(|number| *number = self.symbol(*number));
        Ok(())
    }
}

/// A text to be judged by.
#[derive(Debug)]
struct Text {
    symbols: Store<u32>,
    end: Option<u32>,
}

impl Judged for Text {
    fn batches(&self) -> Batches<'_> {
        Box::new(evaluation(&self.symbols, self.end))
    }
}

impl Codec for Language {
    fn interface(&self) -> Interface {
        let symbols = self.symbols();
        Interface {
            reads: Reads::Symbols(symbols),
            answers: Answers::Classes(symbols),
            readout: Readout::Each,
            masked: false,
            resets: self.end.is_some(),
        }
    }

    fn kept(&self) -> Value {
        json!(self)
    }

    fn vocabulary(&self) -> Option<&Vocabulary> {
        match &self.tokenizer {
            Tokenizer::Counted { vocabulary, .. } => Some(vocabulary),
            Tokenizer::HuggingFace(_) => None,
        }
    }

    fn step(&self) -> &'static str {
        match &self.tokenizer {
            Tokenizer::Counted { scheme: Scheme::Characters, .. } => "character",
            Tokenizer::Counted { scheme: Scheme::Words { .. }, .. } => "word",
            Tokenizer::HuggingFace(_) => "token",
        }
    }

    fn continues(&self) -> bool {
        true
    }

    fn end(&self) -> Option<u32> {
        self.end
    }

    fn encode(&self, text: &str) -> Option<Vec<u32>> {
        self.read(text).ok()
    }

    fn decode(&self, symbols: &[u32]) -> String {
        let numbers: Vec<u32> = symbols.iter().filter_map(|&s| self.number(s)).collect();
        self.tokenizer.decode(&numbers).unwrap_or_default()
    }

    fn judged(&self, options: &toml::Table) -> Result<Box<dyn Judged>, TaskError> {
        let path = options.get("data").and_then(toml::Value::as_str).unwrap_or_default();
        let text = self.text(path.as_ref())?;
        if text.symbols.elements() < 2 {
            let step = self.step();
            let fault = format!("a text of two {step}s or more is needed: the second is predicted");
            return Err(too_little(path.as_ref(), fault));
        }
        Ok(Box::new(text))
    }

    fn question(&self, line: &str) -> Result<Example, String> {
        let symbols = self.read(line).map_err(|error| error.to_string())?;
        if symbols.is_empty() {
            return Err("the line is empty: there is nothing to continue".to_owned());
        }
        let targets = symbols[1..].iter().copied().chain([IGNORED]).collect();
        Ok(Example { data: Data::Symbols(symbols), targets: Targets::Classes(targets) })
    }

    fn answer(&self, question: &Example, answers: &[f32]) -> Value {
        let Targets::Classes(targets) = &question.targets else { return Value::Null };
        let rows = answers.chunks(self.symbols());
        let known = rows.clone().zip(targets).filter(|(_, target)| **target != IGNORED);
        let losses: Vec<f64> = known.map(|(row, &target)| surprise(row, target as usize)).collect();
        // Of one symbol nothing is predicted, so there is no loss to be told.
        let loss = losses.iter().sum::<f64>() / losses.len() as f64;
        let last = rows.last().map_or_else(Vec::new, |row| probabilities(row, 1.0));
        let mut next: Vec<(usize, f64)> = last.into_iter().enumerate().collect();
        next.sort_by(|a, b| b.1.total_cmp(&a.1));
        let next = next
            .iter()
            .take(5)
            .map(|(symbol, p)| json!({ "text": self.shown(*symbol as u32), "probability": p }));
        json!({
            "loss": (!losses.is_empty()).then_some(loss),
            "next": next.collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::tokenizer::{Counter, Limits};

    #[test]
    fn a_text_that_is_judged_need_not_be_in_memory() {
        let mut counter = Counter::new(Scheme::Characters);
        counter.add("abc\n");
        let language = Language::new(counter.tokenizer(Limits { least_count: 1, most: None }));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        // 20 MB of symbols.
        std::fs::write(&path, "abcabc\n".repeat(720_000)).unwrap();
        let text = language.text(&path).unwrap();
        assert!(text.symbols.spilled() > 0);
        let answers: f64 = text.batches().map(|batch| batch.unwrap().targets.count(1)).sum();
        assert_eq!(answers, f64::from(7 * 720_000 - 1));
    }
}
