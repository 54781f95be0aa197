//! Seeded initialisation of parameters.
//!
//! The numbers depend on the seed and the parameter's place alone: they are drawn in f64 from
//! ChaCha8, one stream per parameter, and then rounded, so every machine draws the same ones, and a
//! new parameter does not change its neighbours.

use cellc_compiler::cell::Initializer;
use cellc_compiler::ir::eval::Real;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

/// Draws the elements of a parameter, row-major.
///
/// `shape` is the parameter's shape, of rank 2 at the most; `stream` tells the parameters of one
/// model apart. What is said of a matrix takes a vector as a matrix of one row.
pub fn draw<T: Real>(initializer: Initializer, shape: &[usize], seed: u64, stream: u64) -> Vec<T> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    let size = shape.iter().product();
    let numbers: Vec<f64> = match initializer {
        Initializer::Constant(value) => vec![value; size],
        Initializer::Uniform { low, high } => {
            (0..size).map(|_| low + (high - low) * rng.random::<f64>()).collect()
        }
        Initializer::Normal { deviation } => {
            normal(&mut rng, size).into_iter().map(|x| deviation * x).collect()
        }
        Initializer::Identity { scale } => {
            let (_, columns) = rows_and_columns(shape);
            let diagonal = |i: usize| i / columns == i % columns;
            (0..size).map(|i| if diagonal(i) { scale } else { 0.0 }).collect()
        }
        Initializer::Orthogonal { scale } => {
            let (rows, columns) = rows_and_columns(shape);
            let basis = orthonormal(&mut rng, rows.min(columns), rows.max(columns));
            let element = |i: usize| {
                let (row, column) = (i / columns, i % columns);
                if rows <= columns { basis[row][column] } else { basis[column][row] }
            };
            (0..size).map(|i| scale * element(i)).collect()
        }
    };
    numbers.into_iter().map(T::from_f64).collect()
}

fn rows_and_columns(shape: &[usize]) -> (usize, usize) {
    match *shape {
        [rows, columns] => (rows, columns),
        _ => (1, shape.iter().product()),
    }
}

fn normal(rng: &mut ChaCha8Rng, size: usize) -> Vec<f64> {
    (0..size).map(|_| rng.sample(StandardNormal)).collect()
}

/// `count` orthonormal vectors of `len >= count` elements, by Gram-Schmidt on normal vectors, which
/// makes them uniform among all such systems (Haar measure).
fn orthonormal(rng: &mut ChaCha8Rng, count: usize, len: usize) -> Vec<Vec<f64>> {
    let dot = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
    let mut basis: Vec<Vec<f64>> = Vec::with_capacity(count);
    while basis.len() < count {
        let mut vector = normal(rng, len);
        let length = dot(&vector, &vector).sqrt();
        // A second round removes what rounding left of the others in the first.
        for _ in 0..2 {
            for other in &basis {
                let share = dot(&vector, other);
                vector.iter_mut().zip(other).for_each(|(x, other)| *x -= share * other);
            }
        }
        let rest = dot(&vector, &vector).sqrt();
        // A vector that lies almost in the span of the others is nothing but rounding.
        if rest > 1e-8 * length {
            vector.iter_mut().for_each(|x| *x /= rest);
            basis.push(vector);
        }
    }
    basis
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(numbers: &[f64]) -> (f64, f64) {
        let n = numbers.len() as f64;
        let mean = numbers.iter().sum::<f64>() / n;
        (mean, (numbers.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt())
    }

    #[test]
    fn the_same_seed_and_stream_draw_the_same_numbers() {
        let uniform = Initializer::Uniform { low: -1.0, high: 1.0 };
        let first: Vec<f64> = draw(uniform, &[3, 4], 7, 2);
        assert_eq!(first, draw::<f64>(uniform, &[3, 4], 7, 2));
        assert_ne!(first, draw::<f64>(uniform, &[3, 4], 8, 2));
        assert_ne!(first, draw::<f64>(uniform, &[3, 4], 7, 3));
        let rounded: Vec<f32> = draw(uniform, &[3, 4], 7, 2);
        assert!(first.iter().zip(rounded).all(|(a, b)| f32::from_f64(*a) == b));
    }

    #[test]
    fn numbers_are_those_of_every_machine() {
        let drawn: Vec<f64> = draw(Initializer::Uniform { low: 0.0, high: 1.0 }, &[2], 1, 0);
        assert_eq!(drawn, [0.402_485_663_664_848_06, 0.080_383_708_929_781_97]);
    }

    #[test]
    fn uniform_and_normal_have_their_moments() {
        let uniform: Vec<f64> =
            draw(Initializer::Uniform { low: -2.0, high: 4.0 }, &[20_000], 1, 0);
        assert!(uniform.iter().all(|x| (-2.0..4.0).contains(x)));
        let (mean, deviation) = moments(&uniform);
        assert!((mean - 1.0).abs() < 0.05 && (deviation - 3.0_f64.sqrt()).abs() < 0.05);
        let normal: Vec<f64> = draw(Initializer::Normal { deviation: 0.1 }, &[20_000], 1, 0);
        let (mean, deviation) = moments(&normal);
        assert!(mean.abs() < 0.005 && (deviation - 0.1).abs() < 0.005);
    }

    #[test]
    fn identity_and_constant_are_what_they_say() {
        let constant: Vec<f32> = draw(Initializer::Constant(0.5), &[2], 0, 0);
        assert_eq!(constant, [0.5, 0.5]);
        let identity: Vec<f32> = draw(Initializer::Identity { scale: 2.0 }, &[2, 3], 0, 0);
        assert_eq!(identity, [2.0, 0.0, 0.0, 0.0, 2.0, 0.0]);
    }

    #[test]
    fn orthogonal_rows_or_columns_are_orthonormal() {
        for (rows, columns) in [(5, 5), (3, 7), (7, 3), (1, 4)] {
            let matrix: Vec<f64> =
                draw(Initializer::Orthogonal { scale: 2.0 }, &[rows, columns], 3, 0);
            let at = |i: usize, j: usize| matrix[i * columns + j];
            let few = rows.min(columns);
            for i in 0..few {
                for j in 0..few {
                    let product: f64 = if rows <= columns {
                        (0..columns).map(|k| at(i, k) * at(j, k)).sum()
                    } else {
                        (0..rows).map(|k| at(k, i) * at(k, j)).sum()
                    };
                    let expected = if i == j { 4.0 } else { 0.0 };
                    assert!((product - expected).abs() < 1e-12, "{rows}x{columns} at {i}, {j}");
                }
            }
        }
    }
}
