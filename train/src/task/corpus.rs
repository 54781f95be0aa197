//! Texts of any length in three parts, as streams of symbols.

use std::path::Path;

use super::files::named;
use crate::data::rereadable;
use crate::data::store::Store;
use crate::data::text::Pieces;
use crate::data::tokenizer::{Counter, Limits, Scheme};
use crate::data::{DataError, tokenizer};

/// Where the parts of a text are.
pub(super) struct Source<'a> {
    /// The text that is trained on, and from whose end the other parts are taken.
    pub(super) data: &'a Path,
    /// Other texts for what is chosen by and for what is judged by; empty if there are none.
    pub(super) others: [&'a Path; 2],
    /// Otherwise, the share of the text that is chosen by, of what is not judged by, and the share
    /// that is judged by.
    pub(super) shares: [f64; 2],
    /// Whether a part ends where a line does.
    pub(super) lines: bool,
}

/// What reads a text as symbols.
pub(super) trait Encode {
    /// Appends the symbols of a text.
    fn encode(&self, text: &str, into: &mut Vec<u32>) -> Result<(), DataError>;
}

impl Source<'_> {
    /// Where the text is cut, in characters: the part to train on ends, then that to choose by.
    ///
    /// # Errors
    /// If it cannot be read, or is empty.
    pub(super) fn cuts(&self) -> Result<[usize; 2], DataError> {
        // They are read again when the run is gone on with.
        self.others.into_iter().filter_map(named).try_for_each(rereadable)?;
        let mut total = 0;
        for piece in Pieces::open(self.data)? {
            total += piece?.chars().count();
        }
        if total == 0 {
            return Err(DataError::too_little(self.data, "the file is empty"));
        }
        let share = |of: usize, part: usize| match named(self.others[part]) {
            Some(_) => 0,
            None => (of as f64 * self.shares[part]).round() as usize,
        };
        let rest = total - share(total, 1);
        Ok([rest - share(rest, 0), rest])
    }

    /// Counts the tokens of the part that is trained on.
    ///
    /// # Errors
    /// If the text cannot be read.
    pub(super) fn tokenizer(
        &self,
        cuts: [usize; 2],
        scheme: Scheme,
        limits: Limits,
    ) -> Result<tokenizer::Tokenizer, DataError> {
        let mut counter = Counter::new(scheme);
        sections(self.data, cuts, self.lines, |part, text| {
            if part == 0 {
                counter.add(text);
            }
            Ok(())
        })?;
        Ok(counter.tokenizer(limits))
    }

    /// The symbols of each part, of which about `memory` bytes are in memory at most.
    ///
    /// # Errors
    /// If a text cannot be read, or what is beyond the limit cannot be kept.
    pub(super) fn streams(
        &self,
        cuts: [usize; 2],
        encode: &dyn Encode,
        memory: usize,
    ) -> Result<[Store<u32>; 3], DataError> {
        let mut stores = [memory / 2, memory / 4, memory / 4].map(Store::new);
        let mut symbols = Vec::new();
        let mut take = |part: usize, text: &str| {
            symbols.clear();
            encode.encode(text, &mut symbols)?;
            stores[part].extend(&symbols)
        };
        sections(self.data, cuts, self.lines, &mut take)?;
        for (part, other) in (1..).zip(self.others) {
            if let Some(other) = named(other) {
                sections(other, [usize::MAX; 2], false, |_, text| take(part, text))?;
            }
        }
        for (store, other) in stores[1..].iter().zip(self.others) {
            if let Some(other) = named(other).filter(|_| store.elements() < 2) {
                let fault =
                    "too little text to judge by: the second symbol is the first that is predicted";
                return Err(DataError::too_little(other, fault));
            }
        }
        Ok(stores)
    }
}

/// The symbols of a whole text.
///
/// # Errors
/// If it cannot be read.
pub(super) fn whole(
    path: &Path,
    encode: &dyn Encode,
    memory: usize,
) -> Result<Store<u32>, DataError> {
    let mut store = Store::new(memory);
    let mut symbols = Vec::new();
    for piece in Pieces::open(path)? {
        symbols.clear();
        encode.encode(&piece?, &mut symbols)?;
        store.extend(&symbols)?;
    }
    Ok(store)
}

/// Reads a text that is cut in two places, piece by piece, each with the number of its part.
fn sections(
    path: &Path,
    cuts: [usize; 2],
    lines: bool,
    mut take: impl FnMut(usize, &str) -> Result<(), DataError>,
) -> Result<(), DataError> {
    let (mut part, mut read) = (0, 0);
    for piece in Pieces::open(path)? {
        let piece = piece?;
        let mut rest = piece.as_str();
        while part < 2
            && let Some(cut) = place(rest, cuts[part].saturating_sub(read), lines)
        {
            let (head, tail) = rest.split_at(cut);
            if !head.is_empty() {
                take(part, head)?;
            }
            (rest, read, part) = (tail, read + head.chars().count(), part + 1);
        }
        if !rest.is_empty() {
            take(part, rest)?;
            read += rest.chars().count();
        }
    }
    Ok(())
}

/// Where a piece is cut that ends a part after so many characters, or behind the line of the last;
/// `None` if the part ends with the piece or later.
fn place(text: &str, left: usize, lines: bool) -> Option<usize> {
    let (byte, _) = text.char_indices().nth(left)?;
    if !lines || byte == 0 || text[..byte].ends_with('\n') {
        return Some(byte);
    }
    let rest = text[byte..].find('\n')?;
    Some(byte + rest + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Chars;

    impl Encode for Chars {
        fn encode(&self, text: &str, into: &mut Vec<u32>) -> Result<(), DataError> {
            into.extend(text.chars().map(u32::from));
            Ok(())
        }
    }

    fn parts(text: &str, shares: [f64; 2], lines: bool) -> [String; 3] {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("a.txt");
        std::fs::write(&data, text).unwrap();
        let source = Source { data: &data, others: [Path::new(""); 2], shares, lines };
        let stores = source.streams(source.cuts().unwrap(), &Chars, 64).unwrap();
        stores.map(|store| {
            let mut symbols = Vec::new();
            if !store.is_empty() {
                store.read(0, &mut symbols).unwrap();
            }
            symbols.iter().map(|&c| char::from_u32(c).unwrap()).collect()
        })
    }

    #[test]
    fn a_text_is_cut_at_characters_or_behind_lines() {
        let text = "one\ntwä\nthree\nfour\n";
        assert_eq!(parts(text, [0.0, 0.0], false), [text, "", ""].map(String::from));
        assert_eq!(
            parts(text, [0.25, 0.25], false),
            ["one\ntwä\nth", "ree\n", "four\n"].map(String::from)
        );
        assert_eq!(
            parts(text, [0.25, 0.25], true),
            ["one\ntwä\nthree\n", "", "four\n"].map(String::from)
        );
    }

    #[test]
    fn long_texts_lose_nothing_at_their_cuts() {
        let line = "some words of a line, ä and ö\n";
        let text = line.repeat(40_000);
        for lines in [false, true] {
            let parts = parts(&text, [0.3, 0.3], lines);
            assert!(parts.concat() == text, "all of it in order");
            let total = text.chars().count();
            let held = parts[2].chars().count();
            assert!(held.abs_diff(total * 3 / 10) < 2 * line.len(), "{held} of {total}");
            assert!(!lines || parts.iter().all(|part| part.ends_with('\n')));
        }
    }
}
