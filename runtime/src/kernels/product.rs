//! Rows times a packed matrix.
//!
//! Two regimes. Many rows use each number of the matrix many times, and the micro-kernel is bound
//! by arithmetic: a tile of up to 12 rows by two vectors (6 rows with AVX2) stays in registers over
//! a range of `k`. That is here. One to three rows use it too few times for that; `few.rs` says what
//! is done with them.
//!
//! In both, each element of the result is one chain of fused multiply-adds over `k` in order, from
//! its start value on. A chain may rest in memory between two ranges of `k`, which changes no bit.

#![allow(clippy::needless_range_loop, reason = "tiles are gone through by row and column")]
#![allow(unsafe_code, reason = "rows and matrices are given by address")]

use std::mem::MaybeUninit;
use std::ops::Range;

use super::few::{self, FewRows};
use super::simd::{Kernel, Vector, Wide};
use super::{Rows, Width};

/// Bytes of a row of the block of `x`: the `k` that a tile goes through before the next one.
const ROW: usize = 2 << 10;
/// Bytes of the block of `x`. With it, its part of the result should stay in L2 while the panels
/// stream by.
const BLOCK: usize = 80 << 10;
/// Rows of a panel from one that is read to one that is fetched.
const AHEAD: usize = 16;

/// `out[r, n] = start[r, n] + Σ_k x[r, k] matrix[k, n]` for the rows `first..last`, where the rows of
/// `parts` one after the other are those of `x`, and the rows of `start`'s those of the start: zeros
/// without any.
///
/// # Safety
/// The machine has `width`. `packed` is a matrix packed for this width, of as many rows as the
/// parts have elements and as many columns as `out`, which the parts of a start have too. All rows are
/// valid; those of `out` overlap no part, and are those of `start` or do not overlap them. No other thread
/// touches those of `out`.
#[inline]
pub unsafe fn product<T: Wide>(
    width: Width,
    parts: &[Rows<T>],
    packed: *const T,
    start: &[Rows<T>],
    out: Rows<T>,
    first: usize,
    last: usize,
) {
    let depth = parts.iter().map(|part| part.len).sum();
    let product = Product { parts, packed, start, out, depth };
    if first == last || out.len == 0 {
        return;
    }
    if last - first <= few::MOST_ROWS {
        // SAFETY: the caller answers for the machine and for the memory.
        unsafe { width.run(FewRows { product, first, rows: last - first }) }
    } else {
        // SAFETY: likewise.
        unsafe { width.run(ManyRows { product, rows: first..last }) }
    }
}

/// The operands.
pub(super) struct Product<'p, T> {
    pub(super) parts: &'p [Rows<T>],
    pub(super) packed: *const T,
    pub(super) start: &'p [Rows<T>],
    pub(super) out: Rows<T>,
    /// Rows of the matrix.
    pub(super) depth: usize,
}

/// Where a few rows of a panel start, if that lies in several parts: `ROWS` of two vectors at most.
struct Seam<T>([MaybeUninit<T>; SEAM]);

/// Twelve rows of two vectors of f32 at 512 bits, which has the largest tiles.
const SEAM: usize = 12 * 32;

impl<T: Wide> Seam<T> {
    fn new() -> Self {
        Self([const { MaybeUninit::uninit() }; SEAM])
    }

    /// Puts together `columns` of some rows: from `first`, which begins at the first of them, and from the
    /// parts that follow it.
    ///
    /// # Safety
    /// As for [`start_at`].
    unsafe fn join(
        &mut self,
        first: Rows<T>,
        others: &[Rows<T>],
        rows: Range<usize>,
        columns: usize,
    ) -> Rows<T> {
        let data: *mut T = self.0.as_mut_ptr().cast();
        let others = others.iter().map(|part| part.at(rows.start, 0));
        let mut column = 0;
        for part in std::iter::once(first).chain(others) {
            let len = part.len.min(columns - column);
            for row in 0..rows.len() {
                // SAFETY: the parts are readable, and there is room for the rows of a tile.
                unsafe {
                    let to = data.add(row * columns + column);
                    to.copy_from_nonoverlapping(part.row(row), len);
                }
            }
            column += len;
        }
        Rows { data, stride: columns, len: columns }
    }
}

/// Where a panel of some rows starts: from a column on as many as `columns`, found in the part that has
/// them, or put together from several.
///
/// # Safety
/// The rows are readable, and there are no more of them than of a tile, nor columns than of a panel.
#[inline(always)]
unsafe fn start_at<T: Wide>(
    start: &[Rows<T>],
    rows: Range<usize>,
    column: usize,
    columns: usize,
    seam: &mut Seam<T>,
) -> Option<Rows<T>> {
    let mut before = 0;
    for (i, part) in start.iter().enumerate() {
        if column < before + part.len {
            let own = part.at(rows.start, column - before);
            if own.len >= columns {
                return Some(own);
            }
            // SAFETY: as the caller says.
            return Some(unsafe { seam.join(own, &start[i + 1..], rows, columns) });
        }
        before += part.len;
    }
    None
}

/// A range of rows that is long enough to be gone through tile by tile.
struct ManyRows<'p, T> {
    product: Product<'p, T>,
    rows: Range<usize>,
}

/// The block of `x`: rows at a fixed distance, so that a tile addresses them all from one register.
#[repr(align(64))]
struct Buffer(MaybeUninit<[u8; BLOCK]>);

/// Elements from one row of the block to the next. The odd cache line at the end keeps rows of a
/// power of two apart in the sets of a cache.
const fn pitch<T>() -> usize {
    (ROW + 64) / size_of::<T>()
}

impl<T: Wide> Kernel<T> for ManyRows<'_, T> {
    #[inline(always)]
    unsafe fn run<V: Vector<Scalar = T>>(self) {
        let Self { product, rows } = self;
        let Product { parts, packed, start, out, depth } = product;
        const { assert!(V::ROWS * 2 * V::LANES <= SEAM, "a seam has room for the largest tile") }
        let mut seam = Seam::new();
        let mut buffer = Buffer(MaybeUninit::uninit());
        let block = buffer.0.as_mut_ptr().cast::<T>();
        // Rows are split evenly: 11, 11 and 10 are faster than 12, 12 and 8.
        let tiles = rows.len().div_ceil(V::ROWS);
        let row = |tile: usize| rows.start + rows.len() * tile / tiles;
        let tiles_in_block = BLOCK / (pitch::<T>() * size_of::<T>()) / V::ROWS;
        let ranges = depth.div_ceil(ROW / size_of::<T>()).max(1);
        for tile in (0..tiles).step_by(tiles_in_block) {
            let tiles = tile..tiles.min(tile + tiles_in_block);
            let begin = row(tiles.start);
            for range in 0..ranges {
                let k = depth * range / ranges..depth * (range + 1) / ranges;
                // SAFETY: the caller of `product` answers for the memory, and the block has room
                // for the rows of its tiles.
                unsafe {
                    copy_block(parts, begin..row(tiles.end), &k, block);
                    let rest = [out];
                    let start = if range == 0 { start } else { &rest };
                    for column in (0..out.len).step_by(2 * V::LANES) {
                        let panel = packed.add(column * depth + k.start * 2 * V::LANES);
                        for tile in tiles.clone() {
                            let first = row(tile);
                            let tile_rows = row(tile + 1) - first;
                            let columns = (2 * V::LANES).min(out.len - column);
                            let rows = first..first + tile_rows;
                            let tile = Tile {
                                x: block.add((first - begin) * pitch::<T>()),
                                panel,
                                depth: k.len(),
                                start: start_at(start, rows, column, columns, &mut seam),
                                out: out.at(first, column),
                            };
                            tile.run::<V>(tile_rows);
                        }
                    }
                }
            }
        }
    }
}

/// Copies the elements `k` of some rows of the parts into the block.
///
/// # Safety
/// They are readable, and the block has room for them.
#[inline(always)]
unsafe fn copy_block<T: Wide>(
    parts: &[Rows<T>],
    rows: Range<usize>,
    k: &Range<usize>,
    block: *mut T,
) {
    let mut before = 0;
    for part in parts {
        let begin = k.start.max(before);
        let end = k.end.min(before + part.len);
        if begin < end {
            for (i, row) in rows.clone().enumerate() {
                // SAFETY: as the caller says.
                unsafe {
                    let from = part.row(row).add(begin - before);
                    let to = block.add(i * pitch::<T>() + begin - k.start);
                    to.copy_from_nonoverlapping(from, end - begin);
                }
            }
        }
        before += part.len;
    }
}

/// A tile of the result over a range of `k`. Its rows begin at `out.data`, and have `out.len`
/// columns from there on, of which the tile covers up to two vectors.
struct Tile<T> {
    /// Rows of the block.
    x: *const T,
    /// The panel from the first `k` on.
    panel: *const T,
    /// How many `k`.
    depth: usize,
    start: Option<Rows<T>>,
    out: Rows<T>,
}

impl<T: Wide> Tile<T> {
    /// Computes so many rows of it.
    ///
    /// # Safety
    /// As for [`product`], and `rows` is not 0 and at most `V::ROWS`.
    #[inline(always)]
    unsafe fn run<V: Vector<Scalar = T>>(&self, rows: usize) {
        /// One instance for each number of rows and columns.
        macro_rules! by_rows {
            ($($rows:literal)*) => {
                match (rows, self.out.len > V::LANES) {
                    $(
                        ($rows, true) => V::enter(TileOf::<'_, T, $rows, 2>(self)),
                        ($rows, false) => V::enter(TileOf::<'_, T, $rows, 1>(self)),
                    )*
                    _ => unreachable!("a tile of {rows} rows"),
                }
            };
        }
        // SAFETY: the caller answers for the machine and the memory.
        unsafe { by_rows!(1 2 3 4 5 6 7 8 9 10 11 12) }
    }
}

/// A tile of `R` rows by `C` vectors.
struct TileOf<'t, T, const R: usize, const C: usize>(&'t Tile<T>);

impl<T: Wide, const R: usize, const C: usize> Kernel<T> for TileOf<'_, T, R, C> {
    #[inline(always)]
    unsafe fn run<V: Vector<Scalar = T>>(self) {
        if R > V::ROWS {
            unreachable!("a tile has at most {} rows", V::ROWS)
        }
        let &Tile { x, mut panel, depth, start, out } = self.0;
        // SAFETY: the block has `R` rows of `depth` elements and the panel has `depth` rows;
        // masks end where `out` does.
        unsafe {
            for r in 0..R {
                for c in 0..C {
                    V::prefetch(out.row(r).wrapping_add(c * V::LANES));
                }
            }
            let mut sums = match start {
                None => [[V::splat(T::default()); C]; R],
                Some(start) => load_tile(Rows { len: out.len, ..start }),
            };
            for k in 0..depth {
                let mut columns = [V::splat(T::default()); C];
                for c in 0..C {
                    V::prefetch(panel.wrapping_add((2 * AHEAD + c) * V::LANES));
                    columns[c] = V::load(panel.add(c * V::LANES));
                }
                for r in 0..R {
                    let x = V::splat(*x.add(r * pitch::<T>() + k));
                    for c in 0..C {
                        sums[r][c] = x.mul_add(columns[c], sums[r][c]);
                    }
                }
                panel = panel.add(2 * V::LANES);
            }
            store_tile(&sums, out);
        }
    }
}

/// Loads `C` vectors of `R` rows, and of the last one what is within the rows.
///
/// # Safety
/// The machine has the extension, and the rows are readable.
#[inline(always)]
unsafe fn load_tile<V: Vector, const R: usize, const C: usize>(
    from: Rows<V::Scalar>,
) -> [[V; C]; R] {
    // SAFETY: nothing behind the end of a row is touched.
    unsafe {
        let mut tile = [[V::splat(V::Scalar::default()); C]; R];
        let whole = from.len >= C * V::LANES;
        let mask = V::mask(V::LANES.min(from.len - (C - 1) * V::LANES));
        for (r, row) in tile.iter_mut().enumerate() {
            for (c, vector) in row.iter_mut().enumerate() {
                let from = from.row(r).add(c * V::LANES);
                *vector =
                    if whole || c + 1 < C { V::load(from) } else { V::load_masked(from, mask) };
            }
        }
        tile
    }
}

/// Stores `C` vectors of `R` rows, and of the last one what is within the rows.
///
/// # Safety
/// The rows are writable.
#[inline(always)]
unsafe fn store_tile<V: Vector, const R: usize, const C: usize>(
    tile: &[[V; C]; R],
    to: Rows<V::Scalar>,
) {
    // SAFETY: nothing behind the end of a row is touched.
    unsafe {
        let whole = to.len >= C * V::LANES;
        let mask = V::mask(V::LANES.min(to.len - (C - 1) * V::LANES));
        for (r, row) in tile.iter().enumerate() {
            for (c, vector) in row.iter().enumerate() {
                let to = to.row(r).add(c * V::LANES);
                if whole || c + 1 < C {
                    vector.store(to);
                } else {
                    vector.store_masked(to, mask);
                }
            }
        }
    }
}
