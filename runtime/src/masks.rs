//! The masks of a run: random numbers 0 and 1, or what is expected of them.
//!
//! A cell draws masks by `bernoulli(p, [..])`. A [`Sequence`](crate::sequence::Sequence) has an array
//! of each, `[T, B, ..]`, which holds `p` everywhere unless it is filled with draws. It is drawn once
//! for a run: backward, and segments that are run again, read the same numbers.
//!
//! Draws are those of ChaCha8 under a key that is made of the seed and of what they are for, with a
//! stream for each mask (a counter-based generator: Salmon et al., Parallel random numbers: as easy
//! as 1, 2, 3, SC 2011). So they depend on no run before, and on neither threads, memory nor engine.

use cellc_compiler::ir::eval::Real;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What masks are in a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Masks {
    /// Each is its probability everywhere: in evaluation.
    #[default]
    Expected,
    /// Each is drawn: in training.
    Drawn(Draw),
}

/// What masks are drawn from: the same numbers for the same draw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Draw {
    /// The user's seed.
    pub seed: u64,
    /// The update of a training that they are drawn for, from 0.
    pub update: u64,
    /// Which of the cells of a model they are of, from 0.
    pub stage: u64,
}

impl Masks {
    /// The same for a cell of a model.
    pub fn of_stage(self, stage: u64) -> Self {
        match self {
            Self::Expected => Self::Expected,
            Self::Drawn(draw) => Self::Drawn(Draw { stage, ..draw }),
        }
    }

    /// Fills the array of a cell's mask of a number, in the order of its elements.
    pub fn fill<T: Real>(self, mask: usize, probability: f64, data: &mut [T]) {
        match self {
            Self::Expected => data.fill(T::from_f64(probability)),
            Self::Drawn(draw) => draw.fill(mask, probability, data),
        }
    }
}

impl Draw {
    fn fill<T: Real>(self, mask: usize, probability: f64, data: &mut [T]) {
        let mut key = *b"                    cellc: masks";
        for (bytes, part) in key.chunks_exact_mut(8).zip([self.seed, self.update, self.stage]) {
            bytes.copy_from_slice(&part.to_le_bytes());
        }
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(mask as u64);
        let ones = ones(probability);
        let (zero, one) = (T::default(), T::from_f64(1.0));
        data.fill_with(|| if u64::from(rng.next_u32()) < ones { one } else { zero });
    }
}

/// Which of 2^32 numbers are a 1: those below the nearest to their share.
fn ones(probability: f64) -> u64 {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number from 0 to 2^32"
    )]
    let ones = (probability * 2.0_f64.powi(32)).round() as u64;
    ones
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probability_is_rounded_to_the_nearest_share() {
        let unit = 2.0_f64.powi(-32);
        for (shares, expected) in [(0.4, 0), (0.6, 1), (7.4, 7), (7.6, 8)] {
            assert_eq!(ones(shares * unit), expected, "{shares}");
        }
        let all = 1 << 32;
        assert_eq!([ones(0.5), ones(1.0 - 0.4 * unit), ones(1.0)], [all / 2, all, all]);
        assert_eq!(ones(1.0 - 0.6 * unit), all - 1);
    }

    const DRAW: Draw = Draw { seed: 1, update: 2, stage: 3 };

    fn drawn(draw: Draw, mask: usize, probability: f64) -> Vec<f64> {
        let mut data = vec![f64::NAN; 100_000];
        Masks::Drawn(draw).fill(mask, probability, &mut data);
        data
    }

    #[test]
    fn ones_are_as_frequent_as_their_probability() {
        for probability in [1e-9, 0.01, 0.3, 0.5, 0.95, 1.0 - 1e-12] {
            let data = drawn(DRAW, 0, probability);
            assert!(data.iter().all(|x| *x == 0.0 || *x == 1.0));
            let n = data.len() as f64;
            let mean = data.iter().sum::<f64>() / n;
            let deviation = (probability * (1.0 - probability) / n).sqrt();
            assert!((mean - probability).abs() <= 4.0 * deviation, "{mean}, not {probability}");
            // Neighbours know nothing of each other.
            let pairs = data.iter().zip(&data[1..]).filter(|(a, b)| **a == 1.0 && **b == 1.0);
            let (both, square) = (pairs.count() as f64 / (n - 1.0), probability * probability);
            let deviation = 2.0 * (square * (1.0 - square) / n).sqrt();
            assert!((both - square).abs() <= 4.0 * deviation, "{both}, not {square}");
        }
    }

    #[test]
    fn draws_depend_on_all_they_are_made_for_and_on_nothing_else() {
        let one = drawn(DRAW, 4, 0.5);
        assert_eq!(one, drawn(DRAW, 4, 0.5));
        let others = [
            drawn(Draw { seed: 9, ..DRAW }, 4, 0.5),
            drawn(Draw { update: 9, ..DRAW }, 4, 0.5),
            drawn(Draw { stage: 9, ..DRAW }, 4, 0.5),
            drawn(DRAW, 9, 0.5),
        ];
        for other in others {
            let same = one.iter().zip(&other).filter(|(a, b)| a == b).count();
            assert!(same.abs_diff(50_000) < 800, "{same} of 100000 are the same");
        }
        let of_another = Masks::Drawn(Draw { stage: 9, ..DRAW });
        assert_eq!(Masks::Drawn(DRAW).of_stage(9), of_another);
        let mut narrow = vec![f32::NAN; one.len()];
        Masks::Drawn(DRAW).fill(4, 0.5, &mut narrow);
        assert!(one.iter().zip(&narrow).all(|(a, b)| *a == f64::from(*b)));
        let mut expected = [f32::NAN; 3];
        Masks::Expected.fill(4, 0.3, &mut expected);
        assert_eq!(expected, [0.3; 3]);
    }
}
