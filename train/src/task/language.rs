//! What is kept of models of language: what symbols they know, and where states begin anew.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::corpus::{self, Encode};
use super::files::{MEMORY, fault_of, too_little};
use super::options::OptionError;
use super::stream::evaluation;
use super::vocabulary::Vocabulary;
use super::{Codec, DataError, Judged, TaskError};
use crate::batch::{Data, Example, IGNORED, Targets};
use crate::data::tokenizer::{Scheme, Tokenizer};
use crate::generate::probabilities;
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

    fn judged(&self, options: &toml::Table) -> Result<Judged, TaskError> {
        let path = options.get("data").and_then(toml::Value::as_str).unwrap_or_default();
        let store = corpus::whole(path.as_ref(), self, MEMORY)?;
        if store.elements() < 2 {
            let step = self.step();
            let fault = format!("a text of two {step}s or more is needed: the second is predicted");
            return Err(too_little(path.as_ref(), fault));
        }
        let batches: Result<Vec<_>, DataError> = evaluation(&store, self.end).collect();
        Ok(batches?.into())
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
        let rows: Vec<Vec<f64>> =
            answers.chunks(self.symbols()).map(|row| probabilities(row, 1.0)).collect();
        let known = rows.iter().zip(targets).filter(|(_, target)| **target != IGNORED);
        let loss: f64 = known.map(|(row, target)| -row[*target as usize].ln()).sum();
        let mut next: Vec<(usize, f64)> =
            rows.last().into_iter().flatten().copied().enumerate().collect();
        next.sort_by(|a, b| b.1.total_cmp(&a.1));
        let next = next
            .iter()
            .take(5)
            .map(|(symbol, p)| json!({ "text": self.shown(*symbol as u32), "probability": p }));
        json!({
            "loss": loss / (targets.len().max(2) - 1) as f64,
            "next": next.collect::<Vec<_>>(),
        })
    }
}
