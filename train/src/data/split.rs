//! Which examples are trained on, which checkpoints are chosen by, and which a model is judged by.

use std::collections::BTreeMap;

use rand::seq::SliceRandom;

use super::DataError;
use crate::draws::rng;

/// The shares of the data that are not trained on, each 0 to 1 and together less than 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shares {
    /// What the best of several checkpoints is chosen by.
    pub validation: f64,
    /// What a model is judged by, once it is chosen.
    pub test: f64,
}

/// Numbers of examples in three parts; each example is in one of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// What is trained on.
    pub training: Vec<usize>,
    /// What the best of several checkpoints is chosen by.
    pub validation: Vec<usize>,
    /// What a model is judged by, once it is chosen.
    pub test: Vec<usize>,
}

impl Shares {
    /// How many of `count` examples are in each part, rounded: training, validation and test.
    ///
    /// # Errors
    /// If the shares are none, or a part that is to be is empty, or nothing is left to train on.
    pub fn counts(self, count: usize) -> Result<[usize; 3], DataError> {
        for (name, share) in [("validation", self.validation), ("test", self.test)] {
            if !(0.0..1.0).contains(&share) {
                let fault = format!(
                    "a {name} share of {share} is no share; give 0 or more and less than 1"
                );
                return Err(DataError::Split(fault));
            }
        }
        let sum = self.validation + self.test;
        if sum >= 1.0 {
            return Err(DataError::Split(format!(
                "shares of {} for validation and {} for the test leave nothing to train on",
                self.validation, self.test
            )));
        }
        let part = |share: f64| (count as f64 * share).round() as usize;
        let (validation, test) = (part(self.validation), part(self.test));
        for (name, share, part) in
            [("validation", self.validation, validation), ("test", self.test, test)]
        {
            if share > 0.0 && part == 0 {
                return Err(DataError::Split(format!(
                    "a {name} share of {share} is none of {count} examples; give more data, or a \
                     larger share"
                )));
            }
        }
        match count.checked_sub(validation + test) {
            None | Some(0) => {
                let fault = format!("{count} examples are too few to be split; give more data");
                Err(DataError::Split(fault))
            }
            Some(training) => Ok([training, validation, test]),
        }
    }
}

/// Examples drawn for each part by a seed; a part is in the order of the data.
///
/// # Errors
/// If a part that is to be is empty.
pub fn random(count: usize, shares: Shares, seed: u64) -> Result<Split, DataError> {
    let counts = shares.counts(count)?;
    let mut order: Vec<usize> = (0..count).collect();
    order.shuffle(&mut rng(seed, "split", [0, 0]));
    Ok(cut(order, counts).sorted())
}

/// Examples drawn for each part by a seed, so that each part has its share of every label; the example
/// of a label that has just one is trained on.
///
/// # Errors
/// If a part that is to be is empty.
pub fn stratified<L: Ord>(labels: &[L], shares: Shares, seed: u64) -> Result<Split, DataError> {
    shares.counts(labels.len())?;
    let mut examples = BTreeMap::<&L, Vec<usize>>::new();
    for (i, label) in labels.iter().enumerate() {
        examples.entry(label).or_default().push(i);
    }
    let mut rng = rng(seed, "split", [0, 0]);
    let mut split = Split::default();
    for (_, mut order) in examples {
        order.shuffle(&mut rng);
        let part = |share: f64, of: usize| {
            ((order.len() as f64 * share).round() as usize).min(of.saturating_sub(1))
        };
        let test = part(shares.test, order.len());
        let validation = part(shares.validation, order.len() - test);
        let training = order.len() - test - validation;
        let mut parts = cut(order, [training, validation, test]);
        split.training.append(&mut parts.training);
        split.validation.append(&mut parts.validation);
        split.test.append(&mut parts.test);
    }
    for (name, share, part) in
        [("validation", shares.validation, &split.validation), ("test", shares.test, &split.test)]
    {
        if share > 0.0 && part.is_empty() {
            return Err(DataError::Split(format!(
                "a {name} share of {share} is none of the examples of any label; give more data, or \
                 a larger share"
            )));
        }
    }
    Ok(split.sorted())
}

fn cut(mut order: Vec<usize>, [training, validation, _]: [usize; 3]) -> Split {
    let test = order.split_off(training + validation);
    let validation = order.split_off(training);
    Split { training: order, validation, test }
}

impl Split {
    fn sorted(mut self) -> Self {
        self.training.sort_unstable();
        self.validation.sort_unstable();
        self.test.sort_unstable();
        self
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    const SHARES: Shares = Shares { validation: 0.1, test: 0.2 };

    fn whole(split: &Split) -> Vec<usize> {
        let mut all =
            [split.training.clone(), split.validation.clone(), split.test.clone()].concat();
        all.sort_unstable();
        all
    }

    #[test]
    fn a_random_split_is_drawn_from_the_seed() {
        let split = random(50, SHARES, 1).unwrap();
        assert_eq!([split.training.len(), split.validation.len(), split.test.len()], [35, 5, 10]);
        assert_eq!(whole(&split), (0..50).collect::<Vec<_>>());
        assert_eq!(split, random(50, SHARES, 1).unwrap());
        assert_ne!(split, random(50, SHARES, 2).unwrap());
    }

    #[test]
    fn parts_are_not_drawn_from_the_stream_of_the_first_parameter() {
        let mut order: Vec<usize> = (0..50).collect();
        order.shuffle(&mut ChaCha8Rng::seed_from_u64(1));
        assert_ne!(cut(order, [35, 5, 10]).sorted(), random(50, SHARES, 1).unwrap());
    }

    #[test]
    fn each_part_has_its_share_of_every_label() {
        let labels: Vec<_> = (0..60).map(|i| if i % 3 == 0 { "good" } else { "bad" }).collect();
        let split = stratified(&labels, SHARES, 1).unwrap();
        let count = |part: &[usize]| part.iter().filter(|&&i| labels[i] == "good").count();
        assert_eq!(
            [count(&split.training), count(&split.validation), count(&split.test)],
            [14, 2, 4]
        );
        assert_eq!(whole(&split), (0..60).collect::<Vec<_>>());
        assert_eq!(split, stratified(&labels, SHARES, 1).unwrap());
        assert_ne!(split, stratified(&labels, SHARES, 2).unwrap());
        let rare: Vec<_> = (0..41).map(|i| u32::from(i == 40)).collect();
        assert!(stratified(&rare, SHARES, 1).unwrap().training.contains(&40));
    }

    #[test]
    fn shares_that_leave_nothing_are_refused() {
        let refused = |count, validation, test| {
            random(count, Shares { validation, test }, 1).unwrap_err().to_string()
        };
        assert_eq!(
            refused(10, -0.1, 0.0),
            "a validation share of -0.1 is no share; give 0 or more and less than 1"
        );
        assert_eq!(
            refused(10, 0.0, f64::NAN),
            "a test share of NaN is no share; give 0 or more and less than 1"
        );
        assert_eq!(
            refused(10, 0.5, 0.5),
            "shares of 0.5 for validation and 0.5 for the test leave nothing to train on"
        );
        assert_eq!(
            refused(4, 0.0, 0.1),
            "a test share of 0.1 is none of 4 examples; give more data, or a larger share"
        );
        assert_eq!(refused(1, 0.0, 0.9), "1 examples are too few to be split; give more data");
        assert_eq!(refused(0, 0.0, 0.0), "0 examples are too few to be split; give more data");
        let unlike: Vec<_> = (0..30).collect();
        assert_eq!(
            stratified(&unlike, SHARES, 1).unwrap_err().to_string(),
            "a validation share of 0.1 is none of the examples of any label; give more data, or a \
             larger share"
        );
    }
}
