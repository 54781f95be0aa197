//! What answers are worth.

use serde::{Deserialize, Serialize};

use crate::metrics::number_or_null;

/// What a model's answers are worth: sums, which can be added up over batches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// The sum of the losses of all answers: of classes in nats, of real numbers of each of them.
    #[serde(deserialize_with = "number_or_null")]
    pub loss: f64,
    /// How many answers were given.
    pub count: usize,
    /// Of classes: how many answers had the right one as their likeliest.
    pub correct: usize,
    /// Of real numbers: how many there were.
    pub numbers: usize,
    /// Of real numbers: the sum of how far off they were.
    #[serde(deserialize_with = "number_or_null")]
    pub absolute: f64,
    /// Of real numbers: the sum of the squares of that.
    #[serde(deserialize_with = "number_or_null")]
    pub squared: f64,
}

impl Score {
    /// The mean loss of a class, or of a number.
    pub fn mean_loss(&self) -> f64 {
        let of = if self.numbers > 0 { self.numbers } else { self.count };
        self.loss / of as f64
    }

    /// The share of answers whose likeliest class was right, 0 to 1.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.count as f64
    }

    /// How far off a number is, on the mean.
    pub fn mean_absolute_error(&self) -> f64 {
        self.absolute / self.numbers as f64
    }

    /// The mean of the squares of how far off numbers are.
    pub fn mean_squared_error(&self) -> f64 {
        self.squared / self.numbers as f64
    }
}

impl std::ops::AddAssign for Score {
    fn add_assign(&mut self, other: Self) {
        self.loss += other.loss;
        self.count += other.count;
        self.correct += other.correct;
        self.numbers += other.numbers;
        self.absolute += other.absolute;
        self.squared += other.squared;
    }
}
