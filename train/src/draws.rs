//! Random numbers that are a function of what they are for: each purpose has a stream of its own, so
//! that what is drawn for one says nothing of what is drawn for another.
//!
//! | purpose | draws |
//! |---|---|
//! | `split` | which examples are in which part |
//! | `order`, `offset` | the order of examples in an epoch; where windows of a text are cut |
//! | `noise` | which words of a batch are hidden |
//! | `reviews`, `train`, `judge`, `series` | data that the program makes |
//! | `sample` | what a model goes on with |
//! | `sweep` | choices of settings |
//!
//! Parameters ([`initialize`](cellc_runtime::initialize)) and masks ([`masks`](cellc_runtime::masks))
//! have keys of another form.
//!
//! Nothing in a training keeps a generator from one step to the next: each epoch, and each batch
//! that is disturbed, has one of its own, made of the user's seed and of where it stands. So a
//! training can be taken up again anywhere, and goes on as it would have.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The generator of a purpose, at a place such as an epoch and a batch.
pub(crate) fn rng(seed: u64, purpose: &str, place: [u64; 2]) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&place[0].to_le_bytes());
    key[16..24].copy_from_slice(&place[1].to_le_bytes());
    let purpose = purpose.as_bytes();
    assert!(purpose.len() <= 8, "a purpose is a short word");
    key[24..24 + purpose.len()].copy_from_slice(purpose);
    ChaCha8Rng::from_seed(key)
}

/// A number of the standard normal distribution (Box & Muller 1958).
pub(crate) fn normal(rng: &mut ChaCha8Rng) -> f32 {
    let (radius, angle): (f64, f64) = (1.0 - rng.random::<f64>(), rng.random());
    ((-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()) as f32
}
