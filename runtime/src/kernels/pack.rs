//! Matrices in the order in which products read them.
//!
//! A packed `K x N` matrix is a row of panels, each two vectors wide. A panel is stored row by row
//! (all of its columns for `k = 0`, then for `k = 1`, ...), and so the micro-kernel reads memory
//! from its first to its last element. The last panel is filled up with columns of zeros.

#![allow(clippy::needless_range_loop, reason = "squares are gone through by row and column")]
#![allow(unsafe_code, reason = "matrices are given by address")]

use std::ops::Range;

use super::Width;
use super::simd::{Kernel, Vector, Wide};

/// Squares of a transposed block from one that is copied to one that is fetched: its rows are too
/// many for the processor to foresee them.
const AHEAD: usize = 2;

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
/// The machine has `width`. The blocks' elements are readable. `packed` has room for [`packed_len`] elements, and no other
/// thread touches these panels of it.
pub unsafe fn pack<T: Wide>(
    width: Width,
    blocks: &[Block<T>],
    k: usize,
    n: usize,
    panels: Range<usize>,
    packed: *mut T,
) {
    // SAFETY: the caller answers for the machine and for the memory.
    unsafe { width.run(Pack { blocks, k, n, panels, packed }) }
}

struct Pack<'b, T> {
    blocks: &'b [Block<T>],
    k: usize,
    n: usize,
    panels: Range<usize>,
    packed: *mut T,
}

impl<T: Wide> Kernel<T> for Pack<'_, T> {
    #[inline(always)]
    unsafe fn run<V: Vector<Scalar = T>>(self) {
        let Self { blocks, k, n, panels, packed } = self;
        let columns = 2 * V::LANES;
        for panel in panels {
            // SAFETY: the caller of `pack` answers for the memory; this is where the panel is in it.
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
                        let range = begin - block.n[0]..end - block.n[0];
                        match block.transposed {
                            true => transpose::<V>(block, range, to),
                            false => copy::<V>(block, range, to),
                        }
                    }
                }
            }
        }
    }
}

/// Copies some columns of a block to where they are in a panel.
///
/// # Safety
/// As for [`pack`].
#[inline(always)]
unsafe fn copy<V: Vector>(block: &Block<V::Scalar>, range: Range<usize>, to: *mut V::Scalar) {
    for k in 0..block.k[1] - block.k[0] {
        // SAFETY: all places are within the block and the panel.
        unsafe {
            let from = block.data.add(k * block.stride + range.start);
            from.copy_to_nonoverlapping(to.add(k * 2 * V::LANES), range.len());
        }
    }
}

/// Copies some columns of a block, which is stored by columns, to where they are in a panel.
///
/// # Safety
/// As for [`pack`].
#[inline(always)]
unsafe fn transpose<V: Vector>(block: &Block<V::Scalar>, range: Range<usize>, to: *mut V::Scalar) {
    let depth = block.k[1] - block.k[0];
    for k in (0..depth).step_by(V::LANES) {
        let rows = V::LANES.min(depth - k);
        for n in range.clone().step_by(V::LANES) {
            let columns = V::LANES.min(range.end - n);
            // SAFETY: all places are within the block and the panel.
            unsafe {
                let from = block.data.add(n * block.stride + k);
                let to = to.add(k * 2 * V::LANES + n - range.start);
                if rows == V::LANES && columns == V::LANES {
                    transpose_square::<V>(from, block.stride, to);
                    continue;
                }
                for column in 0..columns {
                    for row in 0..rows {
                        *to.add(row * 2 * V::LANES + column) =
                            *from.add(column * block.stride + row);
                    }
                }
            }
        }
    }
}

/// Copies as many columns as a vector has lanes, of as many elements, to rows of a panel.
///
/// # Safety
/// As for [`pack`].
#[inline(always)]
unsafe fn transpose_square<V: Vector>(from: *const V::Scalar, stride: usize, to: *mut V::Scalar) {
    const MOST_LANES: usize = 16;
    // SAFETY: the caller answers for the machine and for the memory.
    unsafe {
        let mut square = [V::splat(V::Scalar::default()); MOST_LANES];
        for i in 0..V::LANES {
            let from = from.add(i * stride);
            V::prefetch(from.wrapping_add(AHEAD * V::LANES));
            square[i] = V::load(from);
        }
        // Each round doubles how many lanes of a vector are of one row: the first half of the
        // vectors and the second are two packs of cards, riffled.
        let mut lanes = 1;
        while lanes < V::LANES {
            let pack = square;
            for i in 0..V::LANES / 2 {
                let pair = pack[i].interleave(pack[i + V::LANES / 2]);
                [square[2 * i], square[2 * i + 1]] = pair;
            }
            lanes *= 2;
        }
        for i in 0..V::LANES {
            square[i].store(to.add(i * 2 * V::LANES));
        }
    }
}
