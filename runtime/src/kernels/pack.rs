//! Matrices in the order in which products read them.
//!
//! A packed `K x N` matrix is a row of panels, each two vectors wide. A panel is stored row by row
//! (all of its columns for `k = 0`, then for `k = 1`, ...), and so the micro-kernel reads memory
//! from its first to its last element. The last panel is filled up with columns of zeros.

#![allow(unsafe_code, reason = "matrices are given by address")]

use std::ops::Range;

use super::Width;
use super::simd::Wide;

/// A block of the matrix of a product, which has `K` rows and `N` columns.
///
/// Element `(k, n)` of the block, counted from its own corner, is at `data[n * stride + k]` if
/// `transposed` (stored by columns: the matrix of `W v`, each of whose rows gives an element of the
/// result), else at `data[k * stride + n]`.
#[derive(Clone, Copy, Debug)]
pub struct Block<T> {
    /// The first element.
    pub data: *const T,
    /// Elements from one row or column to the next.
    pub stride: usize,
    /// Whether the block is stored by columns.
    pub transposed: bool,
    /// The first row in the whole matrix, and the one after the last.
    pub k: [usize; 2],
    /// The first column in the whole matrix, and the one after the last.
    pub n: [usize; 2],
}

/// Elements of a packed `K x N` matrix.
pub fn packed_len(width: Width, bytes: usize, k: usize, n: usize) -> usize {
    let panel = width.panel(bytes);
    n.div_ceil(panel) * panel * k
}

/// Packs some panels of a `K x N` matrix from the blocks which tile it. Threads can share the work
/// by panels.
///
/// # Safety
/// The blocks' elements are readable. `packed` has room for [`packed_len`] elements, and no other
/// thread touches these panels of it.
pub unsafe fn pack<T: Wide>(
    width: Width,
    blocks: &[Block<T>],
    k: usize,
    n: usize,
    panels: Range<usize>,
    packed: *mut T,
) {
    let columns = width.panel(size_of::<T>());
    for panel in panels {
        // SAFETY: the caller answers for the memory; this is where the panel is in it.
        unsafe {
            let to = packed.add(panel * columns * k);
            let first = panel * columns;
            let last = n.min(first + columns);
            if last < first + columns {
                to.write_bytes(0, columns * k);
            }
            for block in blocks {
                let begin = first.max(block.n[0]);
                let end = last.min(block.n[1]);
                if begin < end {
                    let to = to.add(block.k[0] * columns + begin - first);
                    pack_block(block, begin - block.n[0]..end - block.n[0], columns, to);
                }
            }
        }
    }
}

/// Copies some columns of a block to where they are in a panel with so many columns in all.
///
/// # Safety
/// As for [`pack`].
unsafe fn pack_block<T: Wide>(block: &Block<T>, range: Range<usize>, columns: usize, to: *mut T) {
    /// As many numbers as a cache line has: what has been fetched is used before it is evicted.
    const RUN: usize = 16;
    let depth = block.k[1] - block.k[0];
    // SAFETY: all places are within the block and the panel.
    unsafe {
        if !block.transposed {
            for k in 0..depth {
                let from = block.data.add(k * block.stride + range.start);
                from.copy_to_nonoverlapping(to.add(k * columns), range.len());
            }
            return;
        }
        for k in (0..depth).step_by(RUN) {
            let run = RUN.min(depth - k);
            for (i, n) in range.clone().enumerate() {
                let from = block.data.add(n * block.stride + k);
                let to = to.add(k * columns + i);
                if run == RUN {
                    for j in 0..RUN {
                        *to.add(j * columns) = *from.add(j);
                    }
                } else {
                    for j in 0..run {
                        *to.add(j * columns) = *from.add(j);
                    }
                }
            }
        }
    }
}
