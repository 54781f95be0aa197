//! The `tokenizer.json` of Hugging Face.

use serde::{Deserialize, Serialize};

use crate::data::DataError;

/// A tokenizer of a `tokenizer.json`, which is kept as it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HuggingFace {
    json: String,
    #[cfg(feature = "hf-tokenizers")]
    tokenizer: Box<tokenizers::Tokenizer>,
    unknown: Option<u32>,
}

impl PartialEq for HuggingFace {
    fn eq(&self, other: &Self) -> bool {
        self.json == other.json
    }
}

impl From<HuggingFace> for String {
    fn from(tokenizer: HuggingFace) -> Self {
        tokenizer.json
    }
}

#[cfg(not(feature = "hf-tokenizers"))]
impl TryFrom<String> for HuggingFace {
    type Error = DataError;

    fn try_from(_: String) -> Result<Self, DataError> {
        Err(DataError::Tokenizer(
            "a tokenizer.json cannot be read by this build; build cellc with \
             `--features hf-tokenizers`"
                .into(),
        ))
    }
}

#[cfg(feature = "hf-tokenizers")]
impl TryFrom<String> for HuggingFace {
    type Error = DataError;

    fn try_from(json: String) -> Result<Self, DataError> {
        let fault = |error: &dyn std::fmt::Display| {
            DataError::Tokenizer(format!("this is no tokenizer.json: {error}"))
        };
        let mut tokenizer = tokenizers::Tokenizer::from_bytes(&json).map_err(|e| fault(&e))?;
        // Lengths are a matter of batches.
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(|e| fault(&e))?;
        // Models name what is unknown to them by token or, unigram models, by number.
        let value: serde_json::Value = serde_json::from_str(&json).map_err(|e| fault(&e))?;
        let model = &value["model"];
        let by_number = || model["unk_id"].as_u64().and_then(|number| u32::try_from(number).ok());
        let unknown = model["unk_token"].as_str().and_then(|token| tokenizer.token_to_id(token));
        Ok(Self { unknown: unknown.or_else(by_number), json, tokenizer: Box::new(tokenizer) })
    }
}

#[cfg(not(feature = "hf-tokenizers"))]
impl HuggingFace {
    // Without the feature there is no value of this type.

    pub(super) fn len(&self) -> usize {
        0
    }

    pub(super) fn number(&self, _: &str) -> Option<u32> {
        None
    }

    pub(super) fn token(&self, _: u32) -> Option<String> {
        None
    }

    pub(super) fn encode(&self, _: &str, _: &mut Vec<u32>) -> Result<(), DataError> {
        Ok(())
    }

    pub(super) fn decode(&self, _: &[u32]) -> Result<String, DataError> {
        Ok(String::new())
    }
}

#[cfg(feature = "hf-tokenizers")]
impl HuggingFace {
    pub(super) fn len(&self) -> usize {
        // Numbers need not be without gaps.
        let numbers = self.tokenizer.get_vocab(true);
        numbers.values().max().map_or(0, |most| *most as usize + 1)
    }

    pub(super) fn number(&self, token: &str) -> Option<u32> {
        self.tokenizer.token_to_id(token)
    }

    pub(super) fn token(&self, number: u32) -> Option<String> {
        self.tokenizer.id_to_token(number)
    }

    pub(super) fn encode(&self, text: &str, into: &mut Vec<u32>) -> Result<(), DataError> {
        let encoding = self.tokenizer.encode_fast(text, false).map_err(|error| {
            DataError::Tokenizer(format!("the tokenizer cannot take a text apart: {error}"))
        })?;
        into.extend_from_slice(encoding.get_ids());
        Ok(())
    }

    pub(super) fn decode(&self, numbers: &[u32]) -> Result<String, DataError> {
        self.tokenizer.decode(numbers, true).map_err(|error| {
            DataError::Tokenizer(format!("the tokenizer cannot put tokens together: {error}"))
        })
    }
}

impl HuggingFace {
    pub(super) fn unknown(&self) -> Option<u32> {
        self.unknown
    }
}

#[cfg(test)]
mod tests {
    #[cfg(feature = "hf-tokenizers")]
    use super::*;
    use crate::data::tokenizer::Tokenizer;

    #[cfg(feature = "hf-tokenizers")]
    const JSON: &str = r###"{
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
        "normalizer": {"type": "Lowercase"}, "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": null, "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": {"[UNK]": 0, "the": 1, "cat": 2, "##s": 3, "sat": 4, ".": 5}}
    }"###;

    #[test]
    #[cfg(feature = "hf-tokenizers")]
    fn parts_of_words_are_found_and_put_together() {
        let tokenizer = Tokenizer::HuggingFace(HuggingFace::try_from(JSON.to_owned()).unwrap());
        assert_eq!((tokenizer.len(), tokenizer.unknown()), (6, Some(0)));
        let mut numbers = Vec::new();
        assert_eq!(tokenizer.encode("The cats sat. Dog", &mut numbers).unwrap(), 1);
        assert_eq!(numbers, [1, 2, 3, 4, 5, 0]);
        assert_eq!(tokenizer.decode(&numbers[..5]).unwrap(), "the cats sat.");
        assert_eq!((tokenizer.number("cat"), tokenizer.token(3)), (Some(2), Some("##s".into())));
        let text = serde_json::to_string(&tokenizer).unwrap();
        assert_eq!(serde_json::from_str::<Tokenizer>(&text).unwrap(), tokenizer);
    }

    #[test]
    #[cfg(feature = "hf-tokenizers")]
    fn what_is_no_tokenizer_is_refused() {
        for json in ["", "{}", "[1]", r#"{"model": 1}"#] {
            let error = HuggingFace::try_from(json.to_owned()).unwrap_err().to_string();
            assert!(error.starts_with("this is no tokenizer.json: "), "{error}");
        }
    }

    #[test]
    #[cfg(not(feature = "hf-tokenizers"))]
    fn a_build_without_it_says_how_to_get_it() {
        let expected = "a tokenizer.json cannot be read by this build; build cellc with \
                        `--features hf-tokenizers`";
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokenizer.json");
        std::fs::write(&path, "{}").unwrap();
        let error = Tokenizer::open(&path).unwrap_err().to_string();
        assert_eq!(error, format!("{}: {expected}", path.display()));
        let kept = serde_json::from_str::<Tokenizer>(r#"{"hugging_face":"{}"}"#).unwrap_err();
        assert!(kept.to_string().contains(expected), "{kept}");
    }
}
