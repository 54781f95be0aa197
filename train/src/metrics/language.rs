//! How well sequences of symbols are foreseen.

use serde::{Deserialize, Serialize};

/// Sums the cross-entropy of predicted symbols.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Language {
    nats: f64,
    symbols: u64,
}

/// What is said of a model of language.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LanguageScore {
    /// How many symbols were predicted.
    pub symbols: u64,
    /// The mean cross-entropy of a symbol, in nats: `-ln p`.
    pub loss: f64,
    /// The mean cross-entropy of a symbol, in bits: the loss divided by `ln 2`. Of characters it is
    /// known as BPC.
    pub bits_per_symbol: f64,
    /// `exp(loss)`: of how many equally likely symbols the choice would be as hard. Infinite (`null`
    /// in JSON) for a loss above 709 nats.
    #[serde(deserialize_with = "crate::metrics::number_or_null")]
    pub perplexity: f64,
}

impl Language {
    /// Takes in the sum of the losses of so many symbols, in nats.
    pub fn add(&mut self, nats: f64, symbols: u64) {
        self.nats += nats;
        self.symbols += symbols;
    }

    /// The score, or `None` if no symbol was predicted.
    pub fn score(&self) -> Option<LanguageScore> {
        let loss = self.nats / (self.symbols > 0).then_some(self.symbols as f64)?;
        Some(LanguageScore {
            symbols: self.symbols,
            loss,
            bits_per_symbol: loss / std::f64::consts::LN_2,
            perplexity: loss.exp(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equally_likely_symbols_have_their_number_as_perplexity() {
        let mut language = Language::default();
        language.add(3.0 * 8_f64.ln(), 3);
        language.add(8_f64.ln(), 1);
        let score = language.score().unwrap();
        assert_eq!(score.symbols, 4);
        assert!((score.loss - 2.0794415416798357).abs() < 1e-15);
        assert!((score.bits_per_symbol - 3.0).abs() < 1e-15);
        assert!((score.perplexity - 8.0).abs() < 1e-14);
    }

    #[test]
    fn nothing_has_no_score_and_a_hopeless_model_an_infinite_perplexity() {
        assert_eq!(Language::default().score(), None);
        let mut language = Language::default();
        language.add(1000.0, 1);
        let score = language.score().unwrap();
        assert_eq!(score.perplexity, f64::INFINITY);
        let json = serde_json::to_string(&score).unwrap();
        assert!(json.ends_with("\"perplexity\":null}"), "{json}");
        let back: LanguageScore = serde_json::from_str(&json).unwrap();
        assert!(back.perplexity.is_nan());
    }
}
