//! Texts as numbers, and back.
//!
//! A [`Tokenizer`] is made of texts by a [`Counter`], or read from the `tokenizer.json` of Hugging Face.
//! It is kept with the model that reads its numbers.

mod hugging_face;

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation;

use self::hugging_face::HuggingFace;
use super::DataError;
use super::text::read_text;
use super::vocabulary::Vocabulary;

/// What a text is taken apart into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Scheme {
    /// Characters (Unicode scalar values).
    Characters,
    /// Words.
    Words {
        /// Where a word ends.
        boundary: Boundary,
        /// Whether words are the same in lower case.
        lowercase: bool,
        /// Whether a line break is the word `<eos>`, as for models of the Penn Treebank (Mikolov et
        /// al. 2010), or white space.
        eos: bool,
    },
}

/// Where a word ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Boundary {
    /// By Unicode (UAX #29): punctuation marks are words of their own.
    #[default]
    Unicode,
    /// At white space, for texts that are tokenized.
    Space,
}

/// How the end of a line is written as a word.
pub const EOS: &str = "<eos>";

impl Scheme {
    /// Calls `take` with each token of a text.
    fn each(self, text: &str, mut take: impl FnMut(&str)) {
        match self {
            Self::Characters => {
                let mut buffer = [0; 4];
                text.chars().for_each(|c| take(c.encode_utf8(&mut buffer)));
            }
            Self::Words { boundary, lowercase, eos } => {
                for line in text.split_inclusive('\n') {
                    boundary.each(line, |word| {
                        if lowercase { take(&word.to_lowercase()) } else { take(word) }
                    });
                    if eos && line.ends_with('\n') {
                        take(EOS);
                    }
                }
            }
        }
    }
}

impl Boundary {
    /// Calls `take` with each word of a line.
    fn each(self, line: &str, take: impl FnMut(&str)) {
        match self {
            Self::Space => line.split_whitespace().for_each(take),
            Self::Unicode => {
                line.split_word_bounds().filter(|word| !word.trim().is_empty()).for_each(take);
            }
        }
    }
}

/// Which tokens are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// How often a token must occur.
    pub least_count: usize,
    /// How many there are at most, the unknown one included; the most frequent are.
    pub most: Option<usize>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { least_count: 1, most: None }
    }
}

/// Counts tokens, text by text.
#[derive(Clone, Debug)]
pub struct Counter {
    scheme: Scheme,
    counts: BTreeMap<String, usize>,
}

impl Counter {
    /// A counter that has read nothing.
    pub fn new(scheme: Scheme) -> Self {
        Self { scheme, counts: BTreeMap::new() }
    }

    /// Counts the tokens of a text: all of it, or a piece that [`Pieces`](super::text::Pieces) gives.
    pub fn add(&mut self, text: &str) {
        let counts = &mut self.counts;
        self.scheme.each(text, |token| match counts.get_mut(token) {
            Some(count) => *count += 1,
            None => {
                counts.insert(token.to_owned(), 1);
            }
        });
    }

    /// The tokenizer of these tokens.
    pub fn tokenizer(self, limits: Limits) -> Tokenizer {
        let vocabulary = Vocabulary::of_counts(self.counts, limits.least_count, limits.most);
        Tokenizer::Counted { scheme: self.scheme, vocabulary }
    }
}

/// Reads texts as numbers, and writes numbers as texts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Tokenizer {
    /// Of tokens that were counted.
    Counted {
        /// What a text is taken apart into.
        scheme: Scheme,
        /// The tokens.
        vocabulary: Vocabulary,
    },
    /// Of a `tokenizer.json`.
    HuggingFace(HuggingFace),
}

impl Tokenizer {
    /// Reads a `tokenizer.json` of Hugging Face.
    ///
    /// # Errors
    /// If it cannot be read or is no tokenizer, or `cellc` was built without the feature
    /// `hf-tokenizers`.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let tokenizer = HuggingFace::try_from(read_text(path)?)
            .map_err(|error| DataError::broken(path, error.to_string()))?;
        Ok(Self::HuggingFace(tokenizer))
    }

    /// How many tokens there are: numbers are less than that.
    pub fn len(&self) -> usize {
        match self {
            Self::Counted { vocabulary, .. } => vocabulary.len(),
            Self::HuggingFace(tokenizer) => tokenizer.len(),
        }
    }

    /// Whether there is no token.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of what is not known; `None` if everything is.
    pub fn unknown(&self) -> Option<u32> {
        match self {
            Self::Counted { .. } => Some(Vocabulary::UNKNOWN),
            Self::HuggingFace(tokenizer) => tokenizer.unknown(),
        }
    }

    /// A token's number, if it is known.
    pub fn number(&self, token: &str) -> Option<u32> {
        match self {
            Self::Counted { vocabulary, .. } => {
                let number = vocabulary.number(token);
                (vocabulary.symbol(number) == token).then_some(number)
            }
            Self::HuggingFace(tokenizer) => tokenizer.number(token),
        }
    }

    /// A number's token, if there is one.
    pub fn token(&self, number: u32) -> Option<String> {
        match self {
            Self::Counted { vocabulary, .. } => {
                let known = (number as usize) < vocabulary.len();
                known.then(|| vocabulary.symbol(number).to_owned())
            }
            Self::HuggingFace(tokenizer) => tokenizer.token(number),
        }
    }

    /// Appends the numbers of a text's tokens, and tells how many of them are not known. No special
    /// tokens are added around them.
    ///
    /// # Errors
    /// If a `tokenizer.json` cannot take the text apart.
    pub fn encode(&self, text: &str, into: &mut Vec<u32>) -> Result<usize, DataError> {
        let before = into.len();
        match self {
            Self::Counted { scheme, vocabulary } => {
                scheme.each(text, |token| into.push(vocabulary.number(token)));
            }
            Self::HuggingFace(tokenizer) => tokenizer.encode(text, into)?,
        }
        let unknown = self.unknown();
        Ok(into[before..].iter().filter(|number| Some(**number) == unknown).count())
    }

    /// The text of numbers. Characters are put side by side. Words are put together by spaces, which
    /// is not quite the text that was taken apart: by the boundaries of Unicode no space goes before
    /// `.,;:!?)]}%` and behind `([{`, `<eos>` is a line break, and case is not found again. A
    /// `tokenizer.json` has rules of its own; special tokens are left out.
    ///
    /// # Errors
    /// If a `tokenizer.json` cannot put them together.
    pub fn decode(&self, numbers: &[u32]) -> Result<String, DataError> {
        let (scheme, vocabulary) = match self {
            Self::Counted { scheme, vocabulary } => (scheme, vocabulary),
            Self::HuggingFace(tokenizer) => return tokenizer.decode(numbers),
        };
        let tokens = numbers.iter().map(|number| vocabulary.symbol(*number));
        match scheme {
            Scheme::Characters => Ok(tokens.collect()),
            Scheme::Words { boundary, .. } => Ok(join(tokens, *boundary)),
        }
    }
}

fn join<'t>(words: impl Iterator<Item = &'t str>, boundary: Boundary) -> String {
    let mut text = String::new();
    for word in words {
        if word == EOS {
            text.push('\n');
            continue;
        }
        let begins = text.is_empty() || text.ends_with('\n');
        let tight = boundary == Boundary::Unicode
            && ([".", ",", ";", ":", "!", "?", ")", "]", "}", "%"].contains(&word)
                || text.ends_with(['(', '[', '{']));
        if !begins && !tight {
            text.push(' ');
        }
        text.push_str(word);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: Scheme =
        Scheme::Words { boundary: Boundary::Unicode, lowercase: true, eos: false };
    const TREEBANK: Scheme =
        Scheme::Words { boundary: Boundary::Space, lowercase: false, eos: true };

    fn tokenizer(scheme: Scheme, text: &str, limits: Limits) -> Tokenizer {
        let mut counter = Counter::new(scheme);
        counter.add(text);
        counter.tokenizer(limits)
    }

    /// The tokens of a text, how many are unknown, and the text that is made of them.
    fn check(tokenizer: &Tokenizer, text: &str, expected: (&[&str], usize, &str)) {
        let mut numbers = Vec::new();
        let unknown = tokenizer.encode(text, &mut numbers).unwrap();
        let tokens: Vec<_> = numbers.iter().map(|n| tokenizer.token(*n).unwrap()).collect();
        let decoded = tokenizer.decode(&numbers).unwrap();
        let tokens: Vec<_> = tokens.iter().map(String::as_str).collect();
        assert_eq!((tokens.as_slice(), unknown, decoded.as_str()), expected);
    }

    #[test]
    fn characters_are_found_again() {
        let characters = tokenizer(Scheme::Characters, "Größe\n", Limits::default());
        assert_eq!(characters.len(), 7);
        check(&characters, "rö\nß", (&["r", "ö", "\n", "ß"], 0, "rö\nß"));
        check(&characters, "röx", (&["r", "ö", "<unk>"], 1, "rö<unk>"));
        assert_eq!((characters.number("x"), characters.token(9)), (None, None));
    }

    #[test]
    fn words_are_put_together_as_text_is_written() {
        let words = tokenizer(WORDS, "It's (very) great, no?\nYes.", Limits::default());
        let tokens = ["it's", "(", "very", ")", "great", ",", "no", "?", "yes", "."];
        let text = "It's (very) great, no?\nYes.";
        check(&words, text, (&tokens, 0, "it's (very) great, no? yes."));
    }

    #[test]
    fn words_of_the_treebank_end_at_spaces_and_lines_at_eos() {
        let text = " the <unk> n't fell N \n mr. the\n";
        let words = tokenizer(TREEBANK, text, Limits::default());
        let tokens = ["the", "<unk>", "n't", "fell", "N", "<eos>", "mr.", "the", "<eos>"];
        check(&words, text, (&tokens, 1, "the <unk> n't fell N\nmr. the\n"));
        check(&words, "The", (&["<unk>"], 1, "<unk>"));
    }

    #[test]
    fn vocabularies_are_limited_by_count_and_size() {
        let known = |least_count, most| {
            let tokenizer = tokenizer(TREEBANK, "a a a b b c c d", Limits { least_count, most });
            (0..tokenizer.len() as u32).map(|n| tokenizer.token(n).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(known(2, None), ["<unk>", "a", "b", "c"]);
        assert_eq!(known(1, Some(3)), ["<unk>", "a", "b"]);
        assert_eq!(known(1, Some(0)), ["<unk>"]);
    }

    #[test]
    fn pieces_of_lines_are_counted_as_the_text() {
        let text = "The cat.\nA dog: the end\n";
        let mut counter = Counter::new(WORDS);
        text.split_inclusive('\n').for_each(|line| counter.add(line));
        assert_eq!(counter.tokenizer(Limits::default()), tokenizer(WORDS, text, Limits::default()));
    }

    #[test]
    fn it_is_kept_with_a_model() {
        for scheme in [Scheme::Characters, WORDS, TREEBANK] {
            let tokenizer = tokenizer(scheme, "a b\n", Limits::default());
            let text = serde_json::to_string(&tokenizer).unwrap();
            assert_eq!(serde_json::from_str::<Tokenizer>(&text).unwrap(), tokenizer, "{text}");
        }
    }
}
