//! Symbols of a problem: written as single characters, read as vectors with a one in their place.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::batch::{Data, Example, Targets};
use crate::model::likeliest;

/// The symbols of a line by their places in an alphabet.
pub(super) fn read(line: &str, alphabet: &str) -> Result<Vec<u32>, String> {
    let number = |(place, symbol): (usize, char)| match alphabet.find(symbol) {
        Some(number) => Ok(number as u32),
        None => Err(format!("symbol {} is `{symbol}`, not one of `{alphabet}`", place + 1)),
    };
    line.chars().enumerate().map(number).collect()
}

/// Symbols as they are written.
pub(super) fn written(symbols: &[u32], alphabet: &str) -> String {
    let character = |&symbol: &u32| alphabet.chars().nth(symbol as usize).unwrap_or('?');
    symbols.iter().map(character).collect()
}

/// A vector for each symbol: 1 in its place, else 0.
pub(super) fn one_hot(symbols: &[u32], width: usize) -> Data {
    let mut data = vec![0.0; symbols.len() * width];
    for (row, &symbol) in data.chunks_exact_mut(width).zip(symbols) {
        row[symbol as usize] = 1.0;
    }
    Data::Reals(data)
}

/// The symbols of such vectors.
pub(super) fn of_one_hot(data: &Data, width: usize) -> Vec<u32> {
    match data {
        Data::Reals(reals) => reals.chunks_exact(width).map(|row| likeliest(row) as u32).collect(),
        Data::Symbols(symbols) => symbols.clone(),
    }
}

/// One of so many, each as likely.
pub(super) fn any(rng: &mut ChaCha8Rng, count: u32) -> u32 {
    rng.random_range(0..count)
}

/// A string of which each symbol but the first is to be predicted from those before.
pub(super) fn to_be_continued(string: &[u32], width: usize) -> Example {
    let read = &string[..string.len() - 1];
    Example { data: one_hot(read, width), targets: Targets::Classes(string[1..].to_vec()) }
}

/// The string that such an example was made of.
pub(super) fn continued(example: &Example, width: usize) -> Vec<u32> {
    let mut string = of_one_hot(&example.data, width);
    if let Targets::Classes(classes) = &example.targets {
        string.extend(classes.last());
    }
    string
}

/// Whether the symbols that may follow have higher scores than all others.
pub(super) fn foreseen(scores: &[f32], legal: &[u32]) -> bool {
    let least = legal.iter().map(|&symbol| scores[symbol as usize]).fold(f32::INFINITY, f32::min);
    let others = scores.iter().enumerate().filter(|(i, _)| !legal.contains(&(*i as u32)));
    others.into_iter().all(|(_, score)| *score < least)
}
