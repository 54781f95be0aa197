//! The kernels against plain loops, for every width that this machine has and both precisions.

#![allow(clippy::single_range_in_vec_init, reason = "a list of parts, of which there may be one")]
#![allow(unsafe_code, reason = "these are the tests of unsafe functions")]

use std::fmt::Debug;
use std::ops::Range;

use cellc_compiler::ir::op::Unary;

use super::*;

const SIZES: [usize; 10] = [1, 2, 3, 5, 7, 13, 31, 33, 40, 100];

/// Bits of a number, to compare with.
trait Bits: Wide {
    const EPSILON: f64;
    fn bits(self) -> u64;
}

impl Bits for f32 {
    const EPSILON: f64 = f32::EPSILON as f64;
    fn bits(self) -> u64 {
        self.to_bits().into()
    }
}

impl Bits for f64 {
    const EPSILON: f64 = f64::EPSILON;
    fn bits(self) -> u64 {
        self.to_bits()
    }
}

/// Pseudo-random integers: the output function of SplitMix64 (Steele et al. 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// A number below `bound`.
    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// A number from -1 to 1.
    fn number<T: Wide>(&mut self) -> T {
        T::from_f64((self.next() >> 11) as f64 * 2f64.powi(-52) - 1.0)
    }
}

/// Rows with some elements between them, before the first and after the last, all of them NaN.
#[derive(Clone)]
struct Array<T> {
    data: Vec<T>,
    rows: usize,
    len: usize,
    stride: usize,
}

/// Elements before the first row.
const GUARD: usize = 40;

impl<T: Bits> Array<T> {
    fn new(rows: usize, len: usize, random: &mut Random) -> Self {
        let stride = len + random.below(3) * 7;
        let data = vec![T::from_f64(f64::NAN); GUARD + rows * stride + GUARD];
        let mut array = Self { data, rows, len, stride };
        for row in 0..rows {
            for i in 0..len {
                array.data[GUARD + row * stride + i] = random.number();
            }
        }
        array
    }

    fn rows(&self) -> Rows<T> {
        let data = self.data.as_ptr().wrapping_add(GUARD).cast_mut();
        Rows { data, stride: self.stride, len: self.len }
    }

    fn rows_mut(&mut self) -> Rows<T> {
        let data = self.data.as_mut_ptr().wrapping_add(GUARD);
        Rows { data, stride: self.stride, len: self.len }
    }

    fn at(&self, row: usize, i: usize) -> f64 {
        assert!(row < self.rows && i < self.len);
        self.data[GUARD + row * self.stride + i].to_f64()
    }

    /// Compares every bit, those between rows too.
    #[track_caller]
    fn assert_same(&self, other: &Self, what: &dyn Debug) {
        for (i, (a, b)) in self.data.iter().zip(&other.data).enumerate() {
            assert_eq!(a.bits(), b.bits(), "element {i} of {what:?}");
        }
    }

    /// Compares rows with a reference, and all the rest with what it was.
    #[track_caller]
    fn assert_near(
        &self,
        before: &Self,
        rows: Range<usize>,
        tolerance: f64,
        expected: impl Fn(usize, usize) -> f64,
        what: &dyn Debug,
    ) {
        for (place, (now, before)) in self.data.iter().zip(&before.data).enumerate() {
            let row = place.wrapping_sub(GUARD) / self.stride;
            let i = place.wrapping_sub(GUARD) % self.stride;
            if place >= GUARD && rows.contains(&row) && i < self.len {
                let expected = expected(row, i);
                let error = (now.to_f64() - expected).abs();
                assert!(error <= tolerance, "({row}, {i}): {now:?}, not {expected}: {what:?}");
            } else {
                assert_eq!(now.bits(), before.bits(), "({row}, {i}) is touched: {what:?}");
            }
        }
    }
}

/// Cuts a length into up to three parts.
fn cut(len: usize, random: &mut Random) -> Vec<usize> {
    let mut cuts = [random.below(len + 1), random.below(len + 1)];
    cuts.sort_unstable();
    match random.below(3) {
        0 => vec![len],
        1 => vec![cuts[0], len - cuts[0]],
        _ => vec![cuts[0], cuts[1] - cuts[0], len - cuts[1]],
    }
}

fn parts<T: Bits>(rows: usize, len: usize, random: &mut Random) -> Vec<Array<T>> {
    cut(len, random).into_iter().map(|len| Array::new(rows, len, random)).collect()
}

/// An element of rows which lie in several arrays, one after the other.
fn stacked<T: Bits>(parts: &[Array<T>], row: usize, mut i: usize) -> f64 {
    for part in parts {
        if i < part.len {
            return part.at(row, i);
        }
        i -= part.len;
    }
    unreachable!("no such column")
}

fn all_rows<T: Bits>(parts: &[Array<T>]) -> Vec<Rows<T>> {
    parts.iter().map(Array::rows).collect()
}

/// Runs a test for all widths and both precisions.
macro_rules! for_all {
    ($($name:ident => $check:ident),* $(,)?) => {$(
        #[test]
        fn $name() {
            for width in Width::available() {
                $check::<f32>(width);
                $check::<f64>(width);
            }
        }
    )*};
}

for_all! {
    packed_matrices_have_every_element => check_pack,
    products_are_right => check_product,
    long_products_are_right => check_long_product,
    outer_sums_are_right => check_outer_sum,
    long_outer_sums_are_right => check_long_outer_sum,
    column_sums_are_right => check_column_sum,
    maps_are_the_same_in_vectors_and_tails => check_map,
}

/// A matrix in blocks, stored either way, and packed.
struct Matrix<T> {
    n: usize,
    elements: Vec<T>,
    packed: Vec<T>,
}

impl<T: Bits> Matrix<T> {
    fn new(width: Width, k: usize, n: usize, random: &mut Random) -> Self {
        let elements: Vec<T> = (0..k * n).map(|_| random.number()).collect();
        // A grid of blocks, each an array of its own.
        let mut arrays = Vec::new();
        let n_cuts = cut(n, random);
        let mut first_k = 0;
        for k_len in cut(k, random) {
            let mut first_n = 0;
            for &n_len in &n_cuts {
                let transposed = random.below(2) == 0;
                let [rows, len] = if transposed { [n_len, k_len] } else { [k_len, n_len] };
                let mut array = Array::new(rows, len, random);
                for row in 0..rows {
                    for i in 0..len {
                        let [k, n_in] = if transposed { [i, row] } else { [row, i] };
                        array.data[GUARD + row * array.stride + i] =
                            elements[(first_k + k) * n + first_n + n_in];
                    }
                }
                let extent = ([first_k, first_k + k_len], [first_n, first_n + n_len]);
                arrays.push((array, transposed, extent));
                first_n += n_len;
            }
            first_k += k_len;
        }
        let block = |(array, transposed, (k, n)): &(Array<T>, bool, ([usize; 2], [usize; 2]))| {
            let Rows { data, stride, .. } = array.rows();
            Block { data: data.cast_const(), stride, transposed: *transposed, k: *k, n: *n }
        };
        let blocks: Vec<Block<T>> = arrays.iter().map(block).collect();

        let len = packed_len(width, size_of::<T>(), k, n);
        let mut packed = vec![T::from_f64(f64::NAN); len + GUARD];
        let panels = n.div_ceil(width.panel(size_of::<T>()));
        let some = random.below(panels + 1);
        for range in [some..panels, 0..some] {
            // SAFETY: the blocks are of arrays which live, and there is room for the panels.
            unsafe { pack(width, &blocks, k, n, range, packed.as_mut_ptr()) }
        }
        assert!(packed.split_off(len).iter().all(|x| x.to_f64().is_nan()), "written behind it");
        Self { n, elements, packed }
    }

    fn at(&self, k: usize, n: usize) -> f64 {
        self.elements[k * self.n + n].to_f64()
    }
}

fn check_pack<T: Bits>(width: Width) {
    let mut random = Random(1);
    let panel = width.panel(size_of::<T>());
    for (k, n) in SIZES.into_iter().flat_map(|k| SIZES.map(|n| (k, n))) {
        let matrix = Matrix::<T>::new(width, k, n, &mut random);
        for (i, x) in matrix.packed.iter().enumerate() {
            let column = i / (panel * k) * panel + i % panel;
            let expected = if column < n { matrix.at(i / panel % k, column) } else { 0.0 };
            assert_eq!(x.to_f64(), expected, "element {i} of {k} x {n}");
        }
    }
}

/// Some products of a shape: with and without a start, in place, and by subsets of the rows.
fn check_product_of<T: Bits>(width: Width, [rows, k, n]: [usize; 3], random: &mut Random) {
    let what = (width, [rows, k, n]);
    let x = parts::<T>(rows, k, random);
    let x_rows = all_rows(&x);
    let matrix = Matrix::<T>::new(width, k, n, random);
    let packed = matrix.packed.as_ptr();
    let before = Array::<T>::new(rows, n, random);
    let [start, shared] = [rows, 1].map(|rows| Array::<T>::new(rows, n, random));
    let shared_rows = Rows { stride: 0, ..shared.rows() };
    // Parts of both by turns, some of them empty.
    let mut cuts: Vec<usize> = (0..4).map(|_| random.below(n + 1)).chain([0, n]).collect();
    cuts.sort_unstable();
    let of_start = |column: usize| cuts.iter().filter(|&&cut| cut <= column).count() % 2 == 0;
    let seams: Vec<Rows<T>> = (cuts.windows(2))
        .map(|cut| {
            let from = if of_start(cut[0]) { start.rows() } else { shared_rows };
            Rows { data: from.data.wrapping_add(cut[0]), len: cut[1] - cut[0], ..from }
        })
        .collect();
    let tolerance = T::EPSILON * (k + 2) as f64;
    let sum =
        |r: usize, n: usize| -> f64 { (0..k).map(|k| stacked(&x, r, k) * matrix.at(k, n)).sum() };

    let starts = [vec![], vec![start.rows()], vec![shared_rows], seams];
    for (kind, start_rows) in starts.iter().enumerate() {
        let mut out = before.clone();
        let to = out.rows_mut();
        // SAFETY: all arrays live, and have as many rows.
        unsafe { product(width, &x_rows, packed, start_rows, to, 0, rows) }
        let begin = |r: usize, n: usize| match kind {
            0 => 0.0,
            1 => start.at(r, n),
            2 => shared.at(0, n),
            _ if of_start(n) => start.at(r, n),
            _ => shared.at(0, n),
        };
        out.assert_near(&before, 0..rows, tolerance, |r, n| begin(r, n) + sum(r, n), &what);

        // Rows by themselves, in two parts.
        let mut again = before.clone();
        let middle = random.below(rows + 1);
        for [first, last] in [[middle, rows], [0, middle]] {
            let to = again.rows_mut();
            // SAFETY: as above.
            unsafe { product(width, &x_rows, packed, start_rows, to, first, last) }
        }
        again.assert_same(&out, &what);

        if kind == 1 {
            let mut place = start.clone();
            let to = place.rows_mut();
            // SAFETY: as above, and a start may be the result's own memory.
            unsafe { product(width, &x_rows, packed, &[to], to, 0, rows) }
            for (r, i) in (0..rows).flat_map(|r| (0..n).map(move |i| (r, i))) {
                assert_eq!(place.at(r, i), out.at(r, i), "in place: {what:?}");
            }
            place.assert_near(&start, 0..rows, f64::INFINITY, |_, _| 0.0, &what);
        }
    }
}

fn check_product<T: Bits>(width: Width) {
    let mut random = Random(2);
    for rows in SIZES {
        for n in SIZES {
            let k = SIZES[random.below(SIZES.len())];
            check_product_of::<T>(width, [rows, k, n], &mut random);
        }
    }
}

/// Of more than one range of `k`, block of rows, and strip of panels.
fn check_long_product<T: Bits>(width: Width) {
    let mut random = Random(3);
    for shape in [[4, 257, 33], [25, 700, 20], [170, 300, 40], [1, 600, 300], [3, 20, 250]] {
        check_product_of::<T>(width, shape, &mut random);
    }
    // A sum without terms is where it starts.
    let start = Array::<T>::new(5, 7, &mut random);
    let mut out = Array::<T>::new(5, 7, &mut random);
    for rows in [3, 5] {
        let to = out.rows_mut();
        // SAFETY: nothing of an empty matrix is read.
        unsafe { product(width, &[], std::ptr::null(), &[start.rows()], to, 0, rows) }
        let before = out.clone();
        out.assert_near(&before, 0..rows, 0.0, |r, n| start.at(r, n), &rows);
    }
}

/// A sum of outer products, whole, and in two parts.
fn check_outer_sum_of<T: Bits>(width: Width, [rows, m, n]: [usize; 3], random: &mut Random) {
    let what = (width, [rows, m, n]);
    let [u, v] = [m, n].map(|len| parts::<T>(rows, len, random));
    let (u_rows, v_rows) = (all_rows(&u), all_rows(&v));
    let pairs = u.iter().flat_map(|u| v.iter().map(|v| (u.len, v.len)));
    let before: Vec<Array<T>> = pairs.map(|(m, n)| Array::new(m, n, random)).collect();
    let mut scratch = Vec::new();
    let mut run = |ranges: &[Range<usize>]| {
        let mut blocks = before.clone();
        let to: Vec<(*mut T, usize)> =
            blocks.iter_mut().map(|block| (block.rows_mut().data, block.stride)).collect();
        for range in ranges {
            // SAFETY: all arrays live, and have as many rows.
            unsafe {
                outer_sum(width, rows, &u_rows, &v_rows, &to, range.clone(), &mut scratch);
            }
        }
        blocks
    };
    let blocks = run(&[0..m]);
    let tolerance = T::EPSILON * (rows + 2) as f64;
    for (i, u) in u.iter().enumerate() {
        for (j, v_part) in v.iter().enumerate() {
            let (before, block) = (&before[i * v.len() + j], &blocks[i * v.len() + j]);
            let sum = |a: usize, b: usize| -> f64 {
                (0..rows).map(|r| u.at(r, a) * v_part.at(r, b)).sum()
            };
            let expected = |a: usize, b: usize| before.at(a, b) + sum(a, b);
            if u.len > 0 && v_part.len > 0 {
                block.assert_near(before, 0..u.len, tolerance, expected, &what);
            }
        }
    }
    let middle = random.below(m + 1);
    for (a, b) in blocks.iter().zip(run(&[middle..m, 0..middle])) {
        a.assert_same(&b, &what);
    }
}

fn check_outer_sum<T: Bits>(width: Width) {
    let mut random = Random(4);
    for m in SIZES {
        for n in SIZES {
            let rows = SIZES[random.below(SIZES.len())];
            check_outer_sum_of::<T>(width, [rows, m, n], &mut random);
        }
    }
}

/// Of more than one block of rows, and of more panels than are packed at once.
fn check_long_outer_sum<T: Bits>(width: Width) {
    let mut random = Random(5);
    for shape in [[700, 20, 9], [300, 130, 20], [9, 20, 600], [257, 33, 70], [0, 3, 4]] {
        check_outer_sum_of::<T>(width, shape, &mut random);
    }
}

fn check_column_sum<T: Bits>(width: Width) {
    let mut random = Random(6);
    for (rows, n) in SIZES.into_iter().chain([300, 600]).flat_map(|r| SIZES.map(|n| (r, n))) {
        let from = Array::<T>::new(rows, n, &mut random);
        let before = Array::<T>::new(1, n, &mut random);
        let middle = random.below(n + 1);
        let run = |ranges: &[Range<usize>]| {
            let mut to = before.clone();
            for range in ranges {
                // SAFETY: both arrays live, and have as many columns.
                unsafe {
                    column_sum(width, rows, from.rows(), to.rows_mut().data, range.clone());
                }
            }
            to
        };
        let to = run(&[0..n]);
        let sum = |_, c: usize| before.at(0, c) + (0..rows).map(|r| from.at(r, c)).sum::<f64>();
        to.assert_near(&before, 0..1, T::EPSILON * (rows + 2) as f64, sum, &(width, rows, n));
        to.assert_same(&run(&[middle..n, 0..middle]), &(width, rows, n));
    }
}

fn check_map<T: Bits>(width: Width) {
    let mut random = Random(7);
    for (rows, n) in [1, 2, 5].into_iter().flat_map(|r| SIZES.map(|n| (r, n))) {
        let from = Array::<T>::new(rows, n, &mut random);
        let before = Array::<T>::new(rows, n, &mut random);
        let is_inline = |function: &Unary| function.is_transcendental() && !function.is_wide();
        for function in Unary::ALL.into_iter().filter(|f| !is_inline(f) && *f != Unary::Floor) {
            let what = (width, function, rows, n);
            let mut to = before.clone();
            // SAFETY: both arrays live, and have as many rows.
            unsafe { map(width, function, from.rows(), to.rows_mut(), 0, rows) }
            let near = |r, i| T::unary(function, T::from_f64(from.at(r, i))).to_f64();
            for (r, i) in (0..rows).flat_map(|r| (0..n).map(move |i| (r, i))) {
                // Each element by itself, at the end of a row of one.
                let (x, mut y) = (T::from_f64(from.at(r, i)), T::default());
                let rows = |data| Rows { data, stride: 1, len: 1 };
                // SAFETY: rows of one number.
                unsafe {
                    map(width, function, rows(&raw const x as *mut T), rows(&raw mut y), 0, 1);
                }
                let same = y.bits() == T::from_f64(to.at(r, i)).bits();
                assert!(same || y.to_f64().is_nan() && to.at(r, i).is_nan(), "{what:?}");
                let (y, near) = (y.to_f64(), near(r, i));
                let close = (y - near).abs() <= 4.0 * T::EPSILON * near.abs();
                assert!(close || y.is_nan() && near.is_nan(), "{what:?}: {y}, not {near}");
            }
            // What is not of these rows is as before.
            for (place, (now, before)) in to.data.iter().zip(&before.data).enumerate() {
                let i = place.wrapping_sub(GUARD);
                if i / to.stride >= rows || i % to.stride >= n {
                    assert_eq!(now.bits(), before.bits(), "place {place} is touched: {what:?}");
                }
            }

            // Some of the rows, and in place.
            let mut place = from.clone();
            let rows_of_place = place.rows_mut();
            let middle = random.below(rows + 1);
            for [first, last] in [[middle, rows], [0, middle]] {
                // SAFETY: as above; the result may be in place.
                unsafe { map(width, function, rows_of_place, rows_of_place, first, last) }
            }
            for (r, i) in (0..rows).flat_map(|r| (0..n).map(move |i| (r, i))) {
                let [a, b] = [to.at(r, i), place.at(r, i)];
                assert_eq!(a.is_nan(), b.is_nan(), "{what:?}");
                assert!(a.is_nan() || a.to_bits() == b.to_bits(), "{what:?}");
            }
        }
    }
}
