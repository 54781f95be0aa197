//! The symbols that a model knows, and their numbers.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

/// A numbered list of symbols. Number 0 is [`UNKNOWN`](Self::UNKNOWN), which stands for all that
/// is not in the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<String>", into = "Vec<String>")]
pub struct Vocabulary {
    symbols: Vec<String>,
    // Only looked up in, never walked: its order decides nothing.
    numbers: HashMap<String, u32>,
}

impl Vocabulary {
    /// The number of the unknown symbol.
    pub const UNKNOWN: u32 = 0;
    /// How the unknown symbol is written.
    pub const UNKNOWN_SYMBOL: &'static str = "<unk>";

    /// The symbols that occur `least` times or more, the most frequent first, equals in the order
    /// of their text.
    pub fn count<'a>(symbols: impl IntoIterator<Item = &'a str>, least: usize) -> Self {
        let mut counts = BTreeMap::<&str, usize>::new();
        for symbol in symbols {
            *counts.entry(symbol).or_default() += 1;
        }
        Self::of_counts(counts, least, None)
    }

    /// As [`count`](Self::count), of symbols that are counted, and at most so many with the unknown
    /// one.
    pub fn of_counts<S: AsRef<str>>(
        counts: BTreeMap<S, usize>,
        least: usize,
        most: Option<usize>,
    ) -> Self {
        let mut counts: Vec<_> = counts.into_iter().filter(|(_, count)| *count >= least).collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let unknown = std::iter::once(Self::UNKNOWN_SYMBOL.to_owned());
        let known = counts.into_iter().map(|(symbol, _)| symbol.as_ref().to_owned());
        let known = known.filter(|symbol| *symbol != Self::UNKNOWN_SYMBOL);
        let most = most.unwrap_or(usize::MAX).max(1);
        unknown.chain(known).take(most).collect::<Vec<_>>().into()
    }

    /// How many symbols there are, the unknown one included.
    pub fn len(&self) -> usize {
        self.symbols.len()
    }

    /// Whether there is no symbol, not even the unknown one.
    pub fn is_empty(&self) -> bool {
        self.symbols.is_empty()
    }

    /// A symbol's number.
    pub fn number(&self, symbol: &str) -> u32 {
        self.numbers.get(symbol).copied().unwrap_or(Self::UNKNOWN)
    }

    /// A number's symbol.
    pub fn symbol(&self, number: u32) -> &str {
        self.symbols.get(number as usize).map_or(Self::UNKNOWN_SYMBOL, String::as_str)
    }
}

impl From<Vec<String>> for Vocabulary {
    fn from(symbols: Vec<String>) -> Self {
        let numbers = symbols.iter().cloned().zip(0..).collect();
        Self { symbols, numbers }
    }
}

impl From<Vocabulary> for Vec<String> {
    fn from(vocabulary: Vocabulary) -> Self {
        vocabulary.symbols
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_are_numbered_by_frequency_and_rare_ones_are_unknown() {
        let vocabulary = Vocabulary::count("b a c a b d a".split(' '), 2);
        assert_eq!(Vec::from(vocabulary.clone()), ["<unk>", "a", "b"]);
        assert_eq!((vocabulary.number("b"), vocabulary.number("c")), (2, Vocabulary::UNKNOWN));
        assert_eq!((vocabulary.symbol(1), vocabulary.symbol(9)), ("a", "<unk>"));
    }

    #[test]
    fn it_is_kept_as_a_plain_list() {
        let vocabulary = Vocabulary::count(["é", "é", "b"], 1);
        let text = serde_json::to_string(&vocabulary).unwrap();
        assert_eq!(text, r#"["<unk>","é","b"]"#);
        assert_eq!(serde_json::from_str::<Vocabulary>(&text).unwrap(), vocabulary);
    }
}
