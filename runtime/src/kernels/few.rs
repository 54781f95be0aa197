//! A few rows times a packed matrix, as at every step of a small batch.
//!
//! Each number of the matrix is used a few times only, so that what counts is how fast it arrives.
//! Several panels are gone through at once: that gives enough independent sums to hide the latency
//! of an addition, and several streams for the processor to fetch ahead. There is nothing to block.

#![allow(clippy::needless_range_loop, reason = "strips are gone through by row and panel")]
#![allow(unsafe_code, reason = "rows and matrices are given by address")]

use std::ops::Range;

use super::Rows;
use super::product::Product;
use super::simd::{Kernel, Vector, Wide};

/// The most rows that are few.
pub(super) const MOST_ROWS: usize = 3;

/// One to three rows.
pub(super) struct FewRows<'p, T> {
    pub(super) product: Product<'p, T>,
    pub(super) first: usize,
    pub(super) rows: usize,
}

impl<T: Wide> Kernel<T> for FewRows<'_, T> {
    #[inline(always)]
    unsafe fn run<V: Vector<Scalar = T>>(self) {
        let Self { product: Product { parts, packed, start, out, depth }, first, rows } = self;
        let gathered = [out];
        let start = if start.len() > 1 {
            // SAFETY: the caller of `product` answers for the memory.
            unsafe { gather::<V>(start, out, first..first + rows) }
            &gathered
        } else {
            start
        };
        let product = Product { parts, packed, start, out, depth };
        // As many panels as leave registers for a vector of each row.
        let most = match rows {
            1 => V::ROWS / 2,
            2 => V::ROWS / 3,
            _ => V::ROWS / 4,
        };
        let panels = product.out.len.div_ceil(2 * V::LANES);
        let strips = panels.div_ceil(most);
        for strip in 0..strips {
            let begin = panels * strip / strips;
            let panels = panels * (strip + 1) / strips - begin;
            let strip = Strip { product: &product, first, column: begin * 2 * V::LANES };
            /// One instance for each number of rows and panels.
            macro_rules! by_panels {
                ($($rows:literal: $($panels:literal)*;)*) => {
                    match (rows, panels) {
                        $($(($rows, $panels) => {
                            V::enter(StripOf::<'_, '_, T, $rows, $panels>(strip));
                        })*)*
                        _ => unreachable!("{panels} panels of {rows} rows at once"),
                    }
                };
            }
            // SAFETY: the caller of `product` answers for the machine and the memory.
            unsafe {
                by_panels! {
                    1: 1 2 3 4 5 6;
                    2: 1 2 3 4;
                    3: 1 2 3;
                }
            }
        }
    }
}

/// Some panels of the result for few rows.
struct Strip<'s, 'p, T> {
    product: &'s Product<'p, T>,
    first: usize,
    column: usize,
}

/// A strip of `R` rows by `P` panels.
struct StripOf<'s, 'p, T, const R: usize, const P: usize>(Strip<'s, 'p, T>);

impl<T: Wide, const R: usize, const P: usize> Kernel<T> for StripOf<'_, '_, T, R, P> {
    #[inline(always)]
    unsafe fn run<V: Vector<Scalar = T>>(self) {
        let Strip { product, first, column } = self.0;
        let &Product { parts, packed, start, out, depth } = product;
        let panel_len = 2 * V::LANES * depth;
        // SAFETY: the caller of `product` answers for the memory, and what is behind the end of a
        // row of `out` is not touched.
        unsafe {
            let mut panel = packed.add(column * depth);
            let mut sums = [[[V::splat(T::default()); 2]; P]; R];
            if let Some(start) = start.first() {
                for r in 0..R {
                    for p in 0..P {
                        let from = start.at(first + r, column + p * 2 * V::LANES);
                        sums[r][p] = load_pair(from.data, out.len - column - p * 2 * V::LANES);
                    }
                }
            }
            for part in parts {
                for k in 0..part.len {
                    let mut x = [V::splat(T::default()); R];
                    for r in 0..R {
                        x[r] = V::splat(*part.row(first + r).add(k));
                    }
                    for p in 0..P {
                        for c in 0..2 {
                            let column = V::load(panel.add(p * panel_len + c * V::LANES));
                            for r in 0..R {
                                sums[r][p][c] = x[r].mul_add(column, sums[r][p][c]);
                            }
                        }
                    }
                    panel = panel.add(2 * V::LANES);
                }
            }
            for r in 0..R {
                for p in 0..P {
                    let to = out.at(first + r, column + p * 2 * V::LANES);
                    store_pair(sums[r][p], to.data, to.len);
                }
            }
        }
    }
}

/// Puts the parts of a start together where the result goes: in so few rows a copy costs less than
/// finding the part at each panel.
///
/// # Safety
/// The machine has the extension. The parts are readable, and the rows of `out`, which have as many
/// elements, writable.
#[inline(always)]
unsafe fn gather<V: Vector>(parts: &[Rows<V::Scalar>], out: Rows<V::Scalar>, rows: Range<usize>) {
    let mut column = 0;
    for part in parts {
        for row in rows.clone() {
            let (from, to) = (part.row(row), out.at(row, column).data);
            for i in (0..part.len).step_by(2 * V::LANES) {
                // SAFETY: as the caller says.
                unsafe {
                    let pair: [V; 2] = load_pair(from.add(i), part.len - i);
                    store_pair(pair, to.add(i), part.len - i);
                }
            }
        }
        column += part.len;
    }
}

/// Loads up to two vectors of the `len` elements from `from` on.
///
/// # Safety
/// The machine has the extension, and the elements are readable.
#[inline(always)]
unsafe fn load_pair<V: Vector>(from: *const V::Scalar, len: usize) -> [V; 2] {
    // SAFETY: the masks choose elements among the `len` only.
    unsafe {
        if len >= 2 * V::LANES {
            return [V::load(from), V::load(from.add(V::LANES))];
        }
        let masks = [len.min(V::LANES), len.saturating_sub(V::LANES)];
        let [low, high] = [V::mask(masks[0]), V::mask(masks[1])];
        [V::load_masked(from, low), V::load_masked(from.wrapping_add(V::LANES), high)]
    }
}

/// Stores two vectors to the `len` elements from `to` on, as far as there are so many.
///
/// # Safety
/// The elements are writable.
#[inline(always)]
unsafe fn store_pair<V: Vector>(pair: [V; 2], to: *mut V::Scalar, len: usize) {
    // SAFETY: the masks choose elements among the `len` only.
    unsafe {
        if len >= 2 * V::LANES {
            pair[0].store(to);
            pair[1].store(to.add(V::LANES));
            return;
        }
        pair[0].store_masked(to, V::mask(len.min(V::LANES)));
        pair[1].store_masked(to.wrapping_add(V::LANES), V::mask(len.saturating_sub(V::LANES)));
    }
}
