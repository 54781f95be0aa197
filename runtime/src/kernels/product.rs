//! Rows times a packed matrix.
//!
//! Two regimes. Many rows use each number of the matrix many times, and the micro-kernel is bound
//! by arithmetic: a tile of up to 12 rows by two vectors (6 rows with AVX2) stays in registers over
//! a range of `k`. One to three rows use it once, and are bound by how fast the matrix arrives: then
//! several panels are gone through at once, which gives enough independent sums to hide the latency
//! of an addition, and several streams for the processor to prefetch.
//!
//! In both, each element of the result is one chain of fused multiply-adds over `k` in order, from
//! its start value on. A chain may rest in memory between two ranges of `k`, which changes no bit.

#![allow(clippy::needless_range_loop, reason = "tiles are gone through by row and column")]
#![allow(unsafe_code, reason = "rows and matrices are given by address")]

use std::mem::MaybeUninit;
use std::ops::Range;

use super::simd::{Kernel, Vector, Wide};
use super::{Rows, Width};

/// The most rows for which several panels are gone through at once.
const FEW: usize = 3;
/// Bytes of a row of the block of `x`: the `k` that a tile goes through before the next one.
const ROW: usize = 2 << 10;
/// Bytes of the block of `x`. With it, its part of the result should stay in L2 while the panels
/// stream by.
const BLOCK: usize = 80 << 10;
/// Rows of a panel from one that is read to one that is fetched.
const AHEAD: usize = 16;

/// `out[r, n] = start[r, n] + Σ_k x[r, k] matrix[k, n]` for the rows `first..last`, where the rows of
/// `parts` one after the other are those of `x`. Without a `start`, it is zero.
///
/// # Safety
/// The machine has `width`. `packed` is a matrix packed for this width, of as many rows as the
/// parts have elements and as many columns as `out`. All rows are valid; those of `out` overlap no
/// part, and are those of `start` or do not overlap them. No other thread touches those of `out`.
#[inline]
pub unsafe fn product<T: Wide>(
    width: Width,
    parts: &[Rows<T>],
    packed: *const T,
    start: Option<Rows<T>>,
    out: Rows<T>,
    first: usize,
    last: usize,
) {
    let depth = parts.iter().map(|part| part.len).sum();
    let product = Product { parts, packed, start, out, depth };
    if first == last || out.len == 0 {
        return;
    }
    if last - first <= FEW {
        // SAFETY: the caller answers for the machine and for the memory.
        unsafe { width.run(FewRows { product, first, rows: last - first }) }
    } else {
        // SAFETY: likewise.
        unsafe { width.run(ManyRows { product, rows: first..last }) }
    }
}

/// The operands.
struct Product<'p, T> {
    parts: &'p [Rows<T>],
    packed: *const T,
    start: Option<Rows<T>>,
    out: Rows<T>,
    /// Rows of the matrix.
    depth: usize,
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
                    let start = if range == 0 { start } else { Some(out) };
                    for column in (0..out.len).step_by(2 * V::LANES) {
                        let panel = packed.add(column * depth + k.start * 2 * V::LANES);
                        for tile in tiles.clone() {
                            let first = row(tile);
                            let tile_rows = row(tile + 1) - first;
                            let tile = Tile {
                                x: block.add((first - begin) * pitch::<T>()),
                                panel,
                                depth: k.len(),
                                start: start.map(|start| start.at(first, column)),
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

/// One to three rows.
struct FewRows<'p, T> {
    product: Product<'p, T>,
    first: usize,
    rows: usize,
}

impl<T: Wide> Kernel<T> for FewRows<'_, T> {
    #[inline(always)]
    unsafe fn run<V: Vector<Scalar = T>>(self) {
        let Self { product, first, rows } = self;
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
            if let Some(start) = start {
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
