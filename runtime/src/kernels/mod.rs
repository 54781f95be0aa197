//! What the machine can do.

use std::hint::black_box;
use std::time::Instant;

use cellc_compiler::ir::eval::Real;

/// A number of which this crate has wide kernels.
pub trait Wide: Real {}

impl Wide for f32 {}
impl Wide for f64 {}

/// The most floating-point operations per second of multiply-and-add on so many threads.
pub fn peak_flops<T: Wide>(threads: usize) -> f64 {
    let start = Instant::now();
    let mut sums = black_box([T::default(); 64]);
    let (factor, term) = (black_box(T::from_f64(0.5)), black_box(T::from_f64(1.0)));
    const ROUNDS: usize = 1 << 20;
    for _ in 0..ROUNDS {
        for sum in &mut sums {
            *sum = *sum * factor + term;
        }
    }
    black_box(sums);
    (2 * sums.len() * ROUNDS * threads) as f64 / start.elapsed().as_secs_f64()
}
