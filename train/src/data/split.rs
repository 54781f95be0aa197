//! Which examples are trained on, which checkpoints are chosen by, and which a model is judged by.

use std::cmp::Reverse;
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

/// Examples drawn for each part by a seed, so that each part has its share of every label, rounded up
/// or down: what is left when all are rounded down goes to the labels with the largest remainders
/// (Hamilton's method), so that the parts have their share of the whole as well. One example of every
/// label at least is trained on; a label that has just one counts for no other part.
///
/// # Errors
/// If a part that is to be is empty.
pub fn stratified<L: Ord>(labels: &[L], shares: Shares, seed: u64) -> Result<Split, DataError> {
    shares.counts(labels.len())?;
    let mut examples = BTreeMap::<&L, Vec<usize>>::new();
    for (i, label) in labels.iter().enumerate() {
        examples.entry(label).or_default().push(i);
    }
    let counts: Vec<usize> = examples.values().map(Vec::len).collect();
    // Which of equal remainders come first is drawn too: it would else be the same labels in all parts.
    let mut turns: Vec<usize> = (0..counts.len()).collect();
    turns.shuffle(&mut rng(seed, "split", [1, 0]));
    let mut taken = vec![0; counts.len()];
    let test = apportioned(&counts, shares.test, &mut taken, &turns);
    let validation = apportioned(&counts, shares.validation, &mut taken, &turns);
    let mut rng = rng(seed, "split", [0, 0]);
    let mut split = Split::default();
    for (label, (_, mut order)) in examples.into_iter().enumerate() {
        order.shuffle(&mut rng);
        let training = order.len() - test[label] - validation[label];
        let mut parts = cut(order, [training, validation[label], test[label]]);
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

/// How many examples of each label are in a part of a share, and adds them to those that are `taken` of
/// the label. Of equal remainders, the label of which less was taken comes first, and then as `turns` say.
fn apportioned(counts: &[usize], share: f64, taken: &mut [usize], turns: &[usize]) -> Vec<usize> {
    let several = |label: usize| counts[label] > 1;
    let quota = |label: usize| if several(label) { counts[label] as f64 * share } else { 0.0 };
    let all: usize = (0..counts.len()).filter(|label| several(*label)).map(|l| counts[l]).sum();
    let total = (all as f64 * share).round() as usize;
    let free = |label: usize, taken: &[usize]| counts[label].saturating_sub(1 + taken[label]);
    let least = |label| (quota(label).floor() as usize).min(free(label, taken));
    let mut part: Vec<usize> = (0..counts.len()).map(least).collect();
    let mut order = turns.to_vec();
    // Equal but for the rounding of products is equal.
    let remainder = |label: usize| (1e9 * quota(label).fract()).round() as u64;
    order.sort_by_key(|&label| (Reverse(remainder(label)), taken[label]));
    let mut left = total.saturating_sub(part.iter().sum());
    // More than once round, where a label has not as many examples as its share.
    while left > 0 {
        let before = left;
        for &label in &order {
            if left > 0 && part[label] < free(label, taken) {
                part[label] += 1;
                left -= 1;
            }
        }
        if left == before {
            break;
        }
    }
    taken.iter_mut().zip(&part).for_each(|(taken, part)| *taken += part);
    part
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
    fn rare_labels_are_in_a_part_as_often_as_its_share_of_all() {
        // Twenty labels of 4 examples each, and two of 100.
        let labels: Vec<usize> =
            (0..80).map(|i| i / 4).chain((0..200).map(|i| 20 + i % 2)).collect();
        let shares = Shares { validation: 0.05, test: 0.1 };
        for seed in 0..20 {
            let split = stratified(&labels, shares, seed).unwrap();
            assert_eq!([split.validation.len(), split.test.len()], [14, 28]);
            assert_eq!(whole(&split), (0..280).collect::<Vec<_>>());
            let count =
                |part: &[usize], label| part.iter().filter(|i| labels[**i] == label).count();
            for label in 0..22 {
                let rare = label < 20;
                let test = count(&split.test, label);
                assert!(if rare { test <= 1 } else { test == 10 }, "{test} of {label}");
                let validation = count(&split.validation, label);
                assert!(if rare { validation <= 1 } else { validation == 5 });
                assert!(count(&split.training, label) >= 3, "{label}");
            }
            assert_eq!(split, stratified(&labels, shares, seed).unwrap());
        }
        // As far as there are examples beside those that are trained on.
        let pairs: Vec<usize> = (0..40).map(|i| i / 2).collect();
        let split = stratified(&pairs, Shares { validation: 0.0, test: 0.6 }, 1).unwrap();
        assert_eq!([split.training.len(), split.validation.len(), split.test.len()], [20, 0, 20]);
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
