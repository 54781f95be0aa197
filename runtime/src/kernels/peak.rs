//! What the machine can do at most.

#![allow(unsafe_code, reason = "vectors are made for the detected width")]

use std::hint::black_box;
use std::num::NonZero;
use std::sync::Barrier;
use std::thread::{self, available_parallelism};
use std::time::Instant;

use super::Width;
use super::simd::{Kernel, Vector, Wide};

/// Runs of the loop, of which the best counts.
const RUNS: usize = 12;
/// Rounds of one run: about a millisecond.
const ROUNDS: u64 = 200_000;
/// Sums that are independent of each other, to hide the latency of an addition.
const SUMS: usize = 12;

/// Floating-point operations per second of so many threads at once, or as many as there are cores, a
/// multiplication and an addition being two: the peak that other kernels are compared with.
///
/// Measured by a loop of fused multiply-adds on registers at the machine's best width, and of
/// plain arithmetic where there is no [`Width`].
pub fn peak_flops<T: Wide>(threads: usize) -> f64 {
    // More threads than cores would take turns, and each would count as much as a core.
    let cores = available_parallelism().map_or(1, NonZero::get);
    let threads = threads.clamp(1, cores);
    let barrier = Barrier::new(threads);
    let runs = || {
        let run = |_| {
            barrier.wait();
            let begin = Instant::now();
            let lanes = sums::<T>();
            (lanes, begin.elapsed())
        };
        (0..RUNS).map(run).collect::<Vec<_>>()
    };
    let of_threads: Vec<_> = thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(runs)).collect();
        let own = runs();
        let others = others.into_iter().map(|other| other.join().expect("it does not panic"));
        [own].into_iter().chain(others).collect()
    });
    let rates = (0..RUNS).map(|run| {
        let times = || of_threads.iter().map(|runs| runs[run]);
        let slowest = times().map(|(_, time)| time).max().unwrap_or_default();
        let lanes: usize = times().map(|(lanes, _)| lanes).sum();
        2.0 * (lanes * SUMS) as f64 * ROUNDS as f64 / slowest.as_secs_f64()
    });
    rates.fold(0.0, f64::max)
}

/// Goes through the loop, and gives the lanes of its vectors.
fn sums<T: Wide>() -> usize {
    let Some(width) = Width::detect() else {
        let [factor, mut sum] = [0.5, 1.0].map(|x| black_box([T::from_f64(x); SUMS]));
        for _ in 0..ROUNDS {
            for i in 0..SUMS {
                sum[i] = sum[i] * factor[i] + factor[i];
            }
        }
        black_box(sum);
        return 1;
    };
    // SAFETY: this width has been detected.
    unsafe { width.run(Sums { factor: black_box(T::from_f64(0.5)) }) }
    width.panel(size_of::<T>()) / 2
}

struct Sums<T> {
    factor: T,
}

impl<T: Wide> Kernel<T> for Sums<T> {
    #[inline(always)]
    unsafe fn run<V: Vector<Scalar = T>>(self) {
        // SAFETY: the caller answers for the machine.
        let factor = unsafe { V::splat(self.factor) };
        let mut sums = [factor; SUMS];
        for _ in 0..ROUNDS {
            for sum in &mut sums {
                *sum = sum.mul_add(factor, factor);
            }
        }
        let total = sums.into_iter().reduce(V::add);
        let mut lanes = [T::default(); 16];
        if let Some(total) = total {
            // SAFETY: no vector has more than 16 lanes.
            unsafe { total.store(lanes.as_mut_ptr()) }
        }
        black_box(lanes);
    }
}
