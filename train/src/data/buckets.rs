//! Which sequences share a batch, and in which order the batches of an epoch come.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Sequences of similar length share a batch, so that little is padded; this many batches are
/// sorted by length at a time, so that the order stays random on the whole.
const POOL: usize = 32;

/// How an epoch is ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// How many sequences share a batch, at least 1.
    pub batch: usize,
    /// What the order is drawn from.
    pub seed: u64,
    /// Whether the first epoch goes from the shortest sequences to the longest (SortaGrad, Amodei et
    /// al., Deep Speech 2, 2016): a cell finds out from short ones what matters, and then learns to
    /// remember it for longer and longer. Long ones alone teach a new cell nothing, since it forgets.
    pub short_first: bool,
}

/// The random numbers of an epoch, a function of the seed and the epoch alone: training goes on where
/// it stopped without a state to be kept.
pub fn epoch_rng(seed: u64, epoch: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(epoch);
    rng
}

/// The batches of an epoch, each a list of sequences: every one of `0..lengths.len()` once. The order
/// is a function of its arguments alone; epochs count from 0.
///
/// All batches are of `order.batch` sequences but those that end a pool of 32 batches, or the epoch.
///
/// # Panics
/// If a batch holds none.
pub fn epoch_order(lengths: &[usize], order: Order, epoch: u64) -> Vec<Vec<usize>> {
    assert!(order.batch > 0, "a batch holds at least one sequence");
    let mut rng = epoch_rng(order.seed, epoch);
    let mut sequences: Vec<usize> = (0..lengths.len()).collect();
    sequences.shuffle(&mut rng);
    let batches = |sequences: &[usize]| -> Vec<Vec<usize>> {
        sequences.chunks(order.batch).map(<[_]>::to_vec).collect()
    };
    if epoch == 0 && order.short_first {
        sequences.sort_by_key(|&i| lengths[i]);
        return batches(&sequences);
    }
    let mut all = Vec::new();
    for pool in sequences.chunks_mut(POOL * order.batch) {
        pool.sort_by_key(|&i| lengths[i]);
        all.append(&mut batches(pool));
    }
    all.shuffle(&mut rng);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDER: Order = Order { batch: 8, seed: 1, short_first: true };

    fn lengths() -> Vec<usize> {
        (0..1000).map(|i| 1 + i * 7 % 50).collect()
    }

    #[test]
    fn an_epoch_has_each_sequence_once_in_an_order_of_its_own() {
        let epochs: Vec<_> =
            (0..3).map(|epoch| epoch_order(&lengths(), ORDER, epoch).concat()).collect();
        for (i, epoch) in epochs.iter().enumerate() {
            let mut sorted = epoch.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..1000).collect::<Vec<_>>());
            assert!(epochs[..i].iter().all(|other| other != epoch));
        }
    }

    #[test]
    fn an_order_is_a_function_of_seed_and_epoch() {
        let fifth = || epoch_order(&lengths(), ORDER, 5);
        assert_eq!(fifth(), fifth());
        assert_ne!(fifth(), epoch_order(&lengths(), Order { seed: 2, ..ORDER }, 5));
        // Kept, so that who resumes with another build goes on in the same order.
        let kept = epoch_order(&[3, 1, 2, 1, 3], Order { batch: 2, ..ORDER }, 1);
        assert_eq!(kept, [vec![2, 4], vec![1, 3], vec![0]]);
    }

    #[test]
    fn the_first_epoch_goes_from_short_to_long_if_asked() {
        let lengths = lengths();
        let first = |short_first| epoch_order(&lengths, Order { short_first, ..ORDER }, 0);
        let order = |batches: Vec<Vec<usize>>| -> Vec<_> {
            batches.concat().iter().map(|&i| lengths[i]).collect()
        };
        assert!(order(first(true)).is_sorted());
        assert!(!order(first(false)).is_sorted());
    }

    #[test]
    fn sequences_of_similar_length_share_a_batch() {
        let lengths = lengths();
        let padding = |batch: &Vec<usize>| {
            let longest = batch.iter().map(|&i| lengths[i]).max().unwrap();
            batch.iter().map(|&i| longest - lengths[i]).sum::<usize>()
        };
        let padded: usize = epoch_order(&lengths, ORDER, 1).iter().map(padding).sum();
        assert!(padded < 2000, "{padded} padded of {}", lengths.iter().sum::<usize>());
    }

    #[test]
    fn without_sequences_there_are_no_batches() {
        assert_eq!(epoch_order(&[], ORDER, 0), [[0; 0]; 0]);
        assert_eq!(epoch_order(&[], ORDER, 1), [[0; 0]; 0]);
    }
}
