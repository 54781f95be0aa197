//! Labelling texts: sentences from a table, as sequences of words.

use std::collections::BTreeSet;
use std::path::Path;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::DataError;
use super::labelled::{Example, Labelled, Options};
use super::table::Row;
use super::vocabulary::Vocabulary;
use super::words::words;

/// How rows are split and read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Split {
    /// The share that is held out, 0 to 1.
    pub held_out: f64,
    /// The share of the rest that checkpoints are chosen by, 0 to 1.
    pub validation: f64,
    /// How often a word must occur in the training part to be known.
    pub least_count: usize,
    /// What the split is drawn from.
    pub seed: u64,
}

/// What a classifier reads and answers: the words and the labels it knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lexicon {
    /// The words.
    pub words: Vocabulary,
    /// The labels, in the order of their text.
    pub labels: Vec<String>,
}

impl Lexicon {
    /// The numbers of the words of a text.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        words(text).iter().map(|word| self.words.number(word)).collect()
    }

    /// Rows as examples.
    ///
    /// # Errors
    /// If a row has a label that is not known.
    pub fn examples(&self, path: &Path, rows: &[Row]) -> Result<Vec<Example>, DataError> {
        let example = |row: &Row| {
            let label = self.labels.iter().zip(0..).find(|(label, _)| **label == row.label);
            let Some((_, label)) = label else {
                let fault = format!(
                    "the model knows no label `{}`; it knows {}",
                    row.label,
                    list(&self.labels)
                );
                return Err(DataError::Row { path: path.to_owned(), row: row.number, fault });
            };
            Ok(Example { symbols: self.encode(&row.text), label })
        };
        rows.iter().map(example).collect()
    }
}

/// Rows to learn from: how they are read, and in which part they are.
pub struct Corpus {
    /// The words and labels.
    pub lexicon: Lexicon,
    /// Training, validation and held-out examples.
    pub parts: [Vec<Example>; 3],
}

/// The fewest rows that can be split in three.
const LEAST_ROWS: usize = 20;

/// Splits rows into parts, each with its share of every label, and counts the words of the
/// training part. `path` is what the rows are called in errors.
///
/// # Errors
/// If there are too few rows, or only one label.
pub fn prepare(path: &Path, rows: &[Row], split: Split) -> Result<Corpus, DataError> {
    let too_little = |fault| Err(DataError::TooLittle { path: path.to_owned(), fault });
    if rows.len() < LEAST_ROWS {
        let n = rows.len();
        return too_little(format!("too few rows to learn from: {n}; give at least {LEAST_ROWS}"));
    }
    let labels: BTreeSet<&str> = rows.iter().map(|row| row.label.as_str()).collect();
    let labels: Vec<String> = labels.into_iter().map(ToOwned::to_owned).collect();
    if labels.len() < 2 {
        return too_little(format!("every row has the label {}; give two or more", list(&labels)));
    }
    if labels.len() > rows.len() / 2 {
        let (n, m) = (labels.len(), rows.len());
        return too_little(format!(
            "{n} different labels in {m} rows; is the label column the right one?"
        ));
    }
    let mut rng = ChaCha8Rng::seed_from_u64(split.seed);
    let mut parts: [Vec<&Row>; 3] = Default::default();
    for label in &labels {
        let mut rows: Vec<&Row> = rows.iter().filter(|row| row.label == *label).collect();
        rows.shuffle(&mut rng);
        // Of a label with a single row, that row is trained on.
        let share = |of: usize, share: f64| {
            ((of as f64 * share).round() as usize).min(of.saturating_sub(1))
        };
        let training = rows.split_off(share(rows.len(), split.held_out));
        parts[2].append(&mut rows);
        let mut validation = training;
        parts[0].append(&mut validation.split_off(share(validation.len(), split.validation)));
        parts[1].append(&mut validation);
    }
    if parts[2].is_empty() {
        let share = split.held_out;
        return too_little(format!("a held-out share of {share} leaves no row to judge by"));
    }
    let training: Vec<String> = parts[0].iter().flat_map(|row| words(&row.text)).collect();
    let words = Vocabulary::count(training.iter().map(String::as_str), split.least_count);
    let lexicon = Lexicon { words, labels };
    let encode = |rows: &Vec<&Row>| {
        let rows: Vec<Row> = rows.iter().map(|row| (*row).clone()).collect();
        lexicon.examples(path, &rows)
    };
    let parts = [encode(&parts[0])?, encode(&parts[1])?, encode(&parts[2])?];
    Ok(Corpus { lexicon, parts })
}

impl Corpus {
    /// The corpus as a task.
    pub fn into_task(self, options: Options) -> Labelled {
        let sizes = (self.lexicon.words.len(), self.lexicon.labels.len());
        Labelled::new(sizes, self.parts, options)
    }
}

/// Labels for a message: the first of them, if they are many.
fn list(labels: &[String]) -> String {
    let shown: Vec<_> = labels.iter().take(10).map(|label| format!("`{label}`")).collect();
    let rest = if labels.len() > shown.len() { ", .." } else { "" };
    format!("{}{rest}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPLIT: Split = Split { held_out: 0.1, validation: 0.1, least_count: 2, seed: 1 };

    fn row(i: u64, label: &str) -> Row {
        Row { number: i, text: format!("The {label} thing {i}"), label: label.into() }
    }

    fn rows() -> Vec<Row> {
        (0..60).map(|i| row(i, if i % 3 == 0 { "good" } else { "bad" })).collect()
    }

    fn prepare(rows: &[Row], split: Split) -> Result<Corpus, String> {
        super::prepare(Path::new("data.csv"), rows, split).map_err(|error| error.to_string())
    }

    #[test]
    fn every_part_has_its_share_of_every_label() {
        let corpus = prepare(&rows(), SPLIT).unwrap();
        let count = |part: usize, label| {
            corpus.parts[part].iter().filter(|example| example.label == label).count()
        };
        assert_eq!(corpus.lexicon.labels, ["bad", "good"]);
        assert_eq!(
            [0, 1, 2].map(|part| (count(part, 0), count(part, 1))),
            [(32, 16), (4, 2), (4, 2)]
        );
    }

    #[test]
    fn the_split_is_drawn_from_the_seed() {
        let parts = |seed| prepare(&rows(), Split { seed, ..SPLIT }).unwrap().parts;
        assert_eq!(parts(1), parts(1));
        let words = |seed| prepare(&rows(), Split { seed, least_count: 1, ..SPLIT }).unwrap();
        assert_ne!(words(1).lexicon, words(2).lexicon);
    }

    #[test]
    fn words_are_counted_in_the_training_part_alone() {
        let lexicon = prepare(&rows(), SPLIT).unwrap().lexicon;
        let known = ["the", "thing", "good", "bad"].map(|word| lexicon.words.number(word));
        assert!(known.iter().all(|number| *number != Vocabulary::UNKNOWN));
        assert_eq!(lexicon.encode("GOOD 17"), [lexicon.words.number("good"), Vocabulary::UNKNOWN]);
    }

    #[test]
    fn too_little_data_is_refused() {
        let refused = |rows: &[Row], split| prepare(rows, split).err().unwrap();
        assert_eq!(
            refused(&rows()[..5], SPLIT),
            "data.csv: too few rows to learn from: 5; give at least 20"
        );
        let same: Vec<_> = (0..30).map(|i| row(i, "good")).collect();
        assert_eq!(
            refused(&same, SPLIT),
            "data.csv: every row has the label `good`; give two or more"
        );
        let unlike: Vec<_> = (0..30).map(|i| row(i, &i.to_string())).collect();
        assert_eq!(
            refused(&unlike, SPLIT),
            "data.csv: 30 different labels in 30 rows; is the label column the right one?"
        );
        assert_eq!(
            refused(&rows(), Split { held_out: 0.0, ..SPLIT }),
            "data.csv: a held-out share of 0 leaves no row to judge by"
        );
    }

    #[test]
    fn an_unknown_label_is_refused_by_its_row() {
        let lexicon = prepare(&rows(), SPLIT).unwrap().lexicon;
        let error = lexicon.examples(Path::new("new.csv"), &[row(7, "ugly")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "new.csv:7: the model knows no label `ugly`; it knows `bad`, `good`"
        );
    }
}
