//! Words: what labelled sentences are made of.

use unicode_segmentation::UnicodeSegmentation;

/// The lower-cased words and punctuation marks of a text, without white space, by the word
/// boundaries of Unicode (UAX #29): `It's great!` is `it's`, `great`, `!`.
pub fn words(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let visible = lower.split_word_bounds().filter(|word| !word.trim().is_empty());
    visible.map(ToOwned::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn punctuation_stands_alone_and_apostrophes_stay() {
        assert_eq!(words("It's GREAT, no?\n"), ["it's", "great", ",", "no", "?"]);
        assert_eq!(words("Größe 3.5 – naïve"), ["größe", "3.5", "–", "naïve"]);
        assert_eq!(words(" \t\n"), [""; 0]);
    }
}
