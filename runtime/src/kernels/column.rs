//! Sums of rows: the gradient of a bias is made so from all steps and examples.
//!
//! They are bound by memory. Rows are added up in the same blocks as outer products are.

#![allow(clippy::needless_range_loop, reason = "vectors are gone through side by side")]
#![allow(unsafe_code, reason = "rows are given by address")]

use std::ops::Range;

use super::outer::BLOCK;
use super::simd::{Kernel, Vector, Wide};
use super::{Rows, Width};

/// `to[c] += Σ_{r < rows} from[r, c]` for the columns in `part`: so threads can share the work.
///
/// # Safety
/// The machine has `width`. The rows are readable and `to` is writable, they do not overlap, and no
/// other thread touches these columns of `to`.
pub unsafe fn column_sum<T: Wide>(
    width: Width,
    rows: usize,
    from: Rows<T>,
    to: *mut T,
    part: Range<usize>,
) {
    // SAFETY: the caller answers for the machine and for the memory.
    unsafe { width.run(ColumnSum { rows, from, to, part }) }
}

struct ColumnSum<T> {
    rows: usize,
    from: Rows<T>,
    to: *mut T,
    part: Range<usize>,
}

impl<T: Wide> Kernel<T> for ColumnSum<T> {
    #[inline(always)]
    unsafe fn run<V: Vector<Scalar = T>>(self) {
        let Self { rows, from, to, part } = self;
        // Blocks are as even as can be: a last one of a few rows would cost as much as a full one.
        let blocks = rows.div_ceil(BLOCK);
        for block in 0..blocks {
            let first = rows * block / blocks;
            let depth = rows * (block + 1) / blocks - first;
            let block = Rows { data: from.row(first), len: part.end, ..from };
            let mut column = part.start;
            while column < part.end {
                // SAFETY: the caller of `column_sum` answers for the memory of `part`.
                unsafe {
                    // As many vectors side by side as hide the latency of an addition.
                    column += if part.end - column > 4 * V::LANES {
                        add_columns::<V, 8>(block.at(0, column), depth, to.add(column))
                    } else {
                        add_columns::<V, 4>(block.at(0, column), depth, to.add(column))
                    };
                }
            }
        }
    }
}

/// Adds `depth` rows to `to`, up to `S` vectors of them, and gives how many elements that are.
///
/// # Safety
/// The machine has the extension, the rows are readable, and `to` is writable for as many elements.
#[inline(always)]
unsafe fn add_columns<V: Vector, const S: usize>(
    from: Rows<V::Scalar>,
    depth: usize,
    to: *mut V::Scalar,
) -> usize {
    let len = from.len.min(S * V::LANES);
    // SAFETY: where there are fewer elements than vectors have lanes, masks leave them out.
    unsafe {
        let mut sums = [V::splat(V::Scalar::default()); S];
        if len == S * V::LANES {
            for row in 0..depth {
                for s in 0..S {
                    sums[s] = sums[s] + V::load(from.row(row).add(s * V::LANES));
                }
            }
            for s in 0..S {
                let to = to.add(s * V::LANES);
                (V::load(to) + sums[s]).store(to);
            }
            return len;
        }
        let mut masks = [V::mask(0); S];
        for s in 0..S {
            masks[s] = V::mask(V::LANES.min(len.saturating_sub(s * V::LANES)));
        }
        for row in 0..depth {
            for s in 0..S {
                let from = from.row(row).wrapping_add(s * V::LANES);
                sums[s] = sums[s] + V::load_masked(from, masks[s]);
            }
        }
        for s in 0..S {
            let to = to.wrapping_add(s * V::LANES);
            (V::load_masked(to, masks[s]) + sums[s]).store_masked(to, masks[s]);
        }
    }
    len
}
