//! How well classes are told apart.
//!
//! Definitions are those of scikit-learn 1.x, with its defaults: a quotient by zero is 0, and a class
//! that neither occurs nor is predicted is left out of means over classes.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::table::{aligned, shortened};

/// How many classes a drawn confusion matrix has at most.
const DRAWN: usize = 20;

/// How many confusions are listed if not all classes are drawn.
const LISTED: usize = 10;

/// How wide a drawn matrix may be with the labels over its columns; a wider one has numbers there.
const WIDTH: usize = 100;

/// A confusion matrix: how often what is of one class was taken for another. It keeps what occurred
/// only, so many classes cost no more than few.
#[derive(Clone, Debug, PartialEq)]
pub struct Confusion {
    labels: Vec<String>,
    counts: BTreeMap<(usize, usize), u64>,
}

/// What is said of a classifier. All scores but `matthews` are 0 to 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Classification {
    /// How many examples there were, at least 1.
    pub examples: u64,
    /// The share of examples that were classified rightly.
    pub accuracy: f64,
    /// The mean recall of the classes that occur (Brodersen et al., The balanced accuracy and its
    /// posterior distribution, 2010).
    pub balanced_accuracy: f64,
    /// The mean F1 of the classes that occur or are predicted.
    pub macro_f1: f64,
    /// F1 of all classes' hits and misses together; with one label an example it is the accuracy.
    pub micro_f1: f64,
    /// The mean F1 of classes, each weighted by how often it occurs.
    pub weighted_f1: f64,
    /// The correlation of truth and prediction, -1 to 1, of several classes as in Gorodkin,
    /// Comparing two K-category assignments by a K-category correlation coefficient, 2004 (for two
    /// classes Matthews, 1975). 0 if only one class occurs or only one is predicted.
    pub matthews: f64,
    /// The classes, in their order.
    pub classes: Vec<ClassScore>,
    /// The confusion matrix without its zeros, by truth and prediction in the order of classes.
    pub confusion: Vec<Confused>,
}

/// What is said of one class. All scores are 0 to 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassScore {
    /// Its label.
    pub label: String,
    /// The share of those predicted to be of it that are; 0 if there are none.
    pub precision: f64,
    /// The share of those of it that are predicted to be; 0 if there are none.
    pub recall: f64,
    /// The harmonic mean of both; 0 if both are.
    pub f1: f64,
    /// How many examples are of it.
    pub support: u64,
    /// How many examples are predicted to be of it.
    pub predicted: u64,
}

/// One entry of a confusion matrix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confused {
    /// The label that is right.
    pub truth: String,
    /// The label that was predicted.
    pub prediction: String,
    /// How often.
    pub count: u64,
}

impl Confusion {
    /// An empty matrix of these classes.
    pub fn new(labels: Vec<String>) -> Self {
        Self { labels, counts: BTreeMap::new() }
    }

    /// Takes in an example of class `truth` that was taken for class `prediction`.
    ///
    /// # Panics
    /// If there is no such class.
    pub fn add(&mut self, truth: usize, prediction: usize) {
        let classes = self.labels.len();
        assert!(truth < classes && prediction < classes, "a class beyond the {classes} there are");
        *self.counts.entry((truth, prediction)).or_default() += 1;
    }

    /// How often `truth` was taken for `prediction`.
    pub fn count(&self, truth: usize, prediction: usize) -> u64 {
        self.counts.get(&(truth, prediction)).copied().unwrap_or(0)
    }

    /// How many examples there are of each class, and how many were predicted to be of it.
    fn margins(&self) -> (Vec<u64>, Vec<u64>) {
        let mut margins = (vec![0; self.labels.len()], vec![0; self.labels.len()]);
        for (&(truth, prediction), count) in &self.counts {
            margins.0[truth] += count;
            margins.1[prediction] += count;
        }
        margins
    }

    /// The scores, or `None` if there was no example.
    pub fn scores(&self) -> Option<Classification> {
        let (supports, predicted) = self.margins();
        let examples: u64 = supports.iter().sum();
        if examples == 0 {
            return None;
        }
        let classes: Vec<ClassScore> = (0..self.labels.len())
            .map(|class| {
                let hits = self.count(class, class);
                let (support, predicted) = (supports[class], predicted[class]);
                ClassScore {
                    label: self.labels[class].clone(),
                    precision: share(hits, predicted),
                    recall: share(hits, support),
                    f1: share(2 * hits, support + predicted),
                    support,
                    predicted,
                }
            })
            .collect();
        let hits = (0..classes.len()).map(|class| self.count(class, class)).sum();
        let accuracy = share(hits, examples);
        let occurring = || classes.iter().filter(|class| class.support > 0);
        let known = || classes.iter().filter(|class| class.support + class.predicted > 0);
        let weighted: f64 = classes.iter().map(|class| class.f1 * class.support as f64).sum();
        Some(Classification {
            examples,
            accuracy,
            balanced_accuracy: mean(occurring().map(|class| class.recall)),
            macro_f1: mean(known().map(|class| class.f1)),
            micro_f1: accuracy,
            weighted_f1: weighted / examples as f64,
            matthews: matthews(hits, &supports, &predicted),
            confusion: self.entries().map(|(at, count)| self.confused(at, count)).collect(),
            classes,
        })
    }

    fn entries(&self) -> impl Iterator<Item = ((usize, usize), u64)> {
        self.counts.iter().map(|(&at, &count)| (at, count))
    }

    fn confused(&self, (truth, prediction): (usize, usize), count: u64) -> Confused {
        let label = |class: usize| self.labels[class].clone();
        Confused { truth: label(truth), prediction: label(prediction), count }
    }

    /// The worst confusions: pairs of truth and another prediction, the most frequent first and
    /// equally frequent ones in the order of classes.
    pub fn worst(&self, most: usize) -> Vec<Confused> {
        let mut wrong: Vec<_> = self.entries().filter(|((a, b), _)| a != b).collect();
        wrong.sort_by_key(|&(at, count)| (std::cmp::Reverse(count), at));
        wrong.into_iter().take(most).map(|(at, count)| self.confused(at, count)).collect()
    }

    /// The classes that are drawn: all, or those that occur most often, in their order.
    fn drawn(&self) -> Vec<usize> {
        let (supports, _) = self.margins();
        let mut classes: Vec<usize> = (0..self.labels.len()).collect();
        classes.sort_by_key(|&class| std::cmp::Reverse(supports[class]));
        classes.truncate(DRAWN);
        classes.sort_unstable();
        classes
    }
}

/// Draws the matrix: a row for each class that is right, a column for each that was predicted. Of
/// more than 20 classes the most frequent are drawn, the rest of them together, and the worst
/// confusions of all classes are listed below.
impl fmt::Display for Confusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let drawn = self.drawn();
        let others = self.labels.len() - drawn.len();
        let side = drawn.len() + usize::from(others > 0);
        let mut cells = vec![vec![0; side]; side];
        let place = |class: usize| drawn.binary_search(&class).unwrap_or(drawn.len());
        for ((truth, prediction), count) in self.entries() {
            cells[place(truth)][place(prediction)] += count;
        }
        let mut names: Vec<String> =
            drawn.iter().map(|&class| shortened(&self.labels[class], 16)).collect();
        if others > 0 {
            names.push(format!("{others} others"));
        }
        let table = |numbered: bool| {
            let mut rows = vec![vec![String::from("truth \\ predicted")]];
            for (i, name) in names.iter().enumerate() {
                let number = (i + 1).to_string();
                let named = shortened(name, 10);
                rows[0].push(if numbered { number.clone() } else { named });
                let mut row =
                    vec![if numbered { format!("{number:>2} {name}") } else { name.clone() }];
                row.extend(cells[i].iter().map(|&count| match count {
                    0 => "·".to_owned(),
                    count => count.to_string(),
                }));
                rows.push(row);
            }
            aligned(&rows)
        };
        let named = table(false);
        let fits = named.lines().all(|line| unicode_width::UnicodeWidthStr::width(line) <= WIDTH);
        f.write_str(&if fits { named } else { table(true) })?;
        if others > 0 {
            writeln!(f, "\nworst confusions")?;
            let rows = self.worst(LISTED).into_iter().map(|worst| {
                let names = [worst.truth, worst.prediction].map(|name| shortened(&name, 24));
                vec![names.join(" taken for "), worst.count.to_string()]
            });
            f.write_str(&aligned(&rows.collect::<Vec<_>>()))?;
        }
        Ok(())
    }
}

/// A table of the classes' scores, and of their means.
impl fmt::Display for Classification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heads = ["class", "precision", "recall", "F1", "examples"];
        let mut rows = vec![heads.map(String::from).to_vec()];
        rows.extend(self.classes.iter().map(|class| {
            let scores = [class.precision, class.recall, class.f1].map(|x| format!("{x:.3}"));
            let mut row = vec![shortened(&class.label, 24)];
            row.extend(scores);
            row.push(class.support.to_string());
            row
        }));
        writeln!(f, "{}", aligned(&rows))?;
        let totals = [
            ("accuracy", self.accuracy),
            ("balanced accuracy", self.balanced_accuracy),
            ("macro F1", self.macro_f1),
            ("weighted F1", self.weighted_f1),
            ("Matthews correlation", self.matthews),
        ];
        let totals = totals.map(|(name, x)| vec![name.to_owned(), format!("{x:.3}")]);
        f.write_str(&aligned(&totals))
    }
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0_u32), |(sum, count), x| (sum + x, count + 1));
    sum / f64::from(count)
}

fn matthews(hits: u64, supports: &[u64], predicted: &[u64]) -> f64 {
    let dot =
        |a: &[u64], b: &[u64]| -> f64 { a.iter().zip(b).map(|(&a, &b)| a as f64 * b as f64).sum() };
    let examples = supports.iter().sum::<u64>() as f64;
    let covariance = hits as f64 * examples - dot(supports, predicted);
    let truth = examples * examples - dot(supports, supports);
    let prediction = examples * examples - dot(predicted, predicted);
    let deviations = truth.sqrt() * prediction.sqrt();
    if deviations == 0.0 { 0.0 } else { covariance / deviations }
}

#[cfg(test)]
#[path = "classification_tests.rs"]
mod tests;
