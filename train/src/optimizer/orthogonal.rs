//! Matrices with all singular values brought to about 1.

use super::update::Scalar;

/// The coefficients of the odd polynomial that each iteration applies to singular values: they
/// grow as fast as can be near 0, and end between 0.7 and 1.2 (Jordan et al. 2024).
const COEFFICIENTS: (f64, f64, f64) = (3.4445, -4.7750, 2.0315);

/// How many iterations.
const ITERATIONS: usize = 5;

/// The least norm that a matrix is divided by.
const LEAST: f64 = 1e-7;

/// How many columns a tile of a product has, and how many rows: its sums stay in registers.
const COLUMNS: usize = 8;
const ROWS: usize = 4;

/// Brings the singular values of a row-major matrix to about 1, by Newton-Schulz iterations
/// `X = a X + (b A + c A²) X` with `A = X Xᵀ`.
pub(super) fn orthogonalize<T: Scalar>(matrix: &[T], (rows, columns): (usize, usize)) -> Vec<T> {
    let norm = matrix.iter().map(|x| x.to_f64() * x.to_f64()).sum::<f64>().sqrt();
    let factor = T::from_f64(1.0 / if norm < LEAST { LEAST } else { norm });
    // A is the smaller of both products of X with itself. Zeros around X stay zeros.
    let wide = rows <= columns;
    let (small, large) = if wide { (rows, columns) } else { (columns, rows) };
    let (height, width) = (small.next_multiple_of(COLUMNS), large.next_multiple_of(COLUMNS));
    let mut x = vec![T::default(); height * width];
    for (i, row) in matrix.chunks_exact(columns).enumerate() {
        for (j, &element) in row.iter().enumerate() {
            let (i, j) = if wide { (i, j) } else { (j, i) };
            x[i * width + j] = element * factor;
        }
    }
    let (a, b, c) = COEFFICIENTS;
    let (a, b, c) = (T::from_f64(a), T::from_f64(b), T::from_f64(c));
    for _ in 0..ITERATIONS {
        let gram = product(&x, &transposed(&x, width), width);
        let mut polynomial = product(&gram, &gram, height);
        polynomial.iter_mut().zip(&gram).for_each(|(p, &g)| *p = b * g + c * *p);
        let step = product(&polynomial, &x, height);
        x.iter_mut().zip(&step).for_each(|(x, &s)| *x = a * *x + s);
    }
    let element = |i: usize, j: usize| if wide { x[i * width + j] } else { x[j * width + i] };
    (0..rows).flat_map(|i| (0..columns).map(move |j| element(i, j))).collect()
}

/// A row-major matrix whose rows are `width` long, transposed.
fn transposed<T: Scalar>(matrix: &[T], width: usize) -> Vec<T> {
    let column = |j: usize| matrix[j..].iter().step_by(width).copied();
    (0..width).flat_map(column).collect()
}

/// The product of two row-major matrices, where the left has `inner` columns. Its rows are a
/// multiple of [`ROWS`], the right's columns of [`COLUMNS`].
fn product<T: Scalar>(left: &[T], right: &[T], inner: usize) -> Vec<T> {
    let (height, width) = (left.len() / inner, right.len() / inner);
    // Each tile of the result reads both sides one after the other.
    let bands: Vec<[T; ROWS]> = (0..height)
        .step_by(ROWS)
        .flat_map(|i| (0..inner).map(move |k| std::array::from_fn(|r| left[(i + r) * inner + k])))
        .collect();
    let mut result = vec![T::default(); height * width];
    let mut panel = vec![[T::default(); COLUMNS]; inner];
    for j in (0..width).step_by(COLUMNS) {
        for (packed, row) in panel.iter_mut().zip(right.chunks_exact(width)) {
            packed.copy_from_slice(&row[j..j + COLUMNS]);
        }
        for (band, rows) in bands.chunks_exact(inner).zip(result.chunks_exact_mut(ROWS * width)) {
            let mut sums = [[T::default(); COLUMNS]; ROWS];
            for (left, right) in band.iter().zip(&panel) {
                for (sums, &x) in sums.iter_mut().zip(left) {
                    for (sum, &y) in sums.iter_mut().zip(right) {
                        *sum = *sum + x * y;
                    }
                }
            }
            for (row, sums) in rows.chunks_exact_mut(width).zip(&sums) {
                row[j..j + COLUMNS].copy_from_slice(sums);
            }
        }
    }
    result
}
