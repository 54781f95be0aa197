//! Sums of outer products.
//!
//! Such a sum is the product `Uᵀ V` of two tall matrices, which is how the gradient of a
//! weight is made from all steps and examples. It is Goto and van de Geijn's: a block of rows of
//! both operands is packed into panels, those of `v` for L2, those of `u` a few at a time, one of
//! which stays in L1 while those of `v` stream by. The tile of the result that is in registers is
//! added to memory once for each block of rows.
//!
//! Rows are added up in even blocks of up to [`BLOCK`], each in order from zero, and then the blocks
//! in order. Where they end depends on the number of rows alone. Besides the determinism, that is
//! more accurate than one long chain.

#![allow(clippy::needless_range_loop, reason = "tiles are gone through by row and column")]
#![allow(unsafe_code, reason = "rows are given by address")]

use std::ops::Range;

use super::simd::{Kernel, Vector, Wide};
use super::{Rows, Width};

/// The most rows that are added up before they go to the result.
pub(super) const BLOCK: usize = 256;
/// Panels of `v` that are packed at once: half of an L2 cache, since a row of a panel has 128 bytes
/// at the most.
const V_PANELS: usize = 16;
/// Panels of `u` that are packed at once.
const U_PANELS: usize = 8;
/// Panels of `v` for which it is not worth while to pack `u`.
const FEW_PANELS: usize = 3;
/// Rows from one that is packed to one that is fetched: the next one may be a page away, where the
/// processor does not look by itself.
const AHEAD: usize = 12;
/// Rows of a panel from one that is multiplied to one that is fetched from L2.
const NEXT: usize = 16;
/// Rows of the largest tile there is.
const MOST_ROWS: usize = 12;

/// `to[i, j][a, b] += Σ_{r < rows} u[i][r, a] v[j][r, b]`, for only those rows of the result which
/// are in `part`, counted through all parts of `u`: so threads can share the work.
///
/// `to[i * v.len() + j]` is the block of the result for `u[i]` and `v[j]`: its first element, and how
/// many elements it is from one of its rows to the next. `scratch` becomes as large as needed, and
/// can be kept for the next call.
///
/// # Safety
/// The machine has `width`. All rows are readable and all blocks writable, the latter overlap
/// nothing, and no other thread touches these rows of them.
pub unsafe fn outer_sum<T: Wide>(
    width: Width,
    rows: usize,
    u: &[Rows<T>],
    v: &[Rows<T>],
    to: &[(*mut T, usize)],
    part: Range<usize>,
    scratch: &mut Vec<T>,
) {
    assert_eq!(to.len(), u.len() * v.len(), "a block of the result for each pair of parts");
    // SAFETY: the caller answers for the machine and for the memory.
    unsafe { width.run(OuterSum { rows, u, v, to, part, scratch }) }
}

/// The most elements that the scratch of [`outer_sum`] becomes, for so many rows of vectors `u` and
/// `v` of so many elements in all.
pub fn outer_scratch<T>(width: Width, rows: usize, u: usize, v: usize) -> usize {
    let tile_rows = match width {
        Width::Avx2 => MOST_ROWS / 2,
        Width::Avx512 => MOST_ROWS,
    };
    Scratch::new(rows, u, v, tile_rows, width.panel(size_of::<T>())).len
}

/// How panels lie in the scratch: those of `v`, then those of `u`.
struct Scratch {
    u_panel: usize,
    v_panel: usize,
    /// The place of the first panel of `u`.
    u_panels: usize,
    len: usize,
}

impl Scratch {
    fn new(rows: usize, u: usize, v: usize, tile_rows: usize, panel: usize) -> Self {
        let depth = BLOCK.min(rows);
        // Behind each panel is room for the vector that is stored for its last few columns.
        let [u_panel, v_panel] = [tile_rows, panel].map(|pitch| pitch * depth + panel);
        let u_panels = V_PANELS.min(v.div_ceil(panel)) * v_panel;
        // One more for what is left to the next cache line.
        let len = u_panels + U_PANELS.min(u.div_ceil(tile_rows)) * u_panel + panel;
        Self { u_panel, v_panel, u_panels, len }
    }
}

struct OuterSum<'s, T> {
    rows: usize,
    u: &'s [Rows<T>],
    v: &'s [Rows<T>],
    to: &'s [(*mut T, usize)],
    part: Range<usize>,
    scratch: &'s mut Vec<T>,
}

/// A run of columns of one part that is packed into one panel.
struct Segment<V: Vector> {
    /// The columns of all rows: so many vectors, and a last one by a mask.
    from: Rows<V::Scalar>,
    vectors: usize,
    mask: V::Mask,
    /// Where they are in the panels.
    to: usize,
    /// Elements from one row of the panel to the next.
    pitch: usize,
}

impl<T: Wide> Kernel<T> for OuterSum<'_, T> {
    #[inline(always)]
    unsafe fn run<V: Vector<Scalar = T>>(self) {
        let Self { rows, u, v, to, part, scratch } = self;
        let columns: usize = v.iter().map(|v| v.len).sum();
        if part.is_empty() || columns == 0 {
            return;
        }
        let width = 2 * V::LANES;
        // The rows of the result are split evenly into tiles.
        let tiles = part.len().div_ceil(V::ROWS);
        let row = |tile: usize| part.start + part.len() * tile / tiles;
        let Scratch { u_panel: u_panel_len, v_panel: v_panel_len, u_panels, len } =
            Scratch::new(rows, part.len(), columns, V::ROWS, width);
        if scratch.len() < len {
            // Not beside what was there, and no larger than it need be.
            *scratch = Vec::new();
            *scratch = vec![T::default(); len];
        }
        let v_panels = scratch.as_mut_ptr();
        let v_panels = v_panels.wrapping_add(v_panels.align_offset(64));
        let u_panels = v_panels.wrapping_add(u_panels);
        let mut segments = Vec::new();
        // Blocks are as even as can be: a last one of a few rows would cost as much as a full one.
        let blocks = rows.div_ceil(BLOCK);
        for block in 0..blocks {
            let first = rows * block / blocks;
            let depth = rows * (block + 1) / blocks - first;
            for left in (0..columns).step_by(V_PANELS * width) {
                let right = columns.min(left + V_PANELS * width);
                let panels = (left..right).step_by(width).zip((0..).step_by(v_panel_len));
                // SAFETY: the caller of `outer_sum` answers for the memory, and the scratch has
                // room for the panels.
                unsafe {
                    segments.clear();
                    for (begin, at) in panels.clone() {
                        cut::<V>(v, begin..right.min(begin + width), at, width, &mut segments);
                    }
                    pack_segments(&segments, first, depth, v_panels);
                    for some in (0..tiles).step_by(U_PANELS) {
                        let some = some..tiles.min(some + U_PANELS);
                        segments.clear();
                        let mut operands = [(std::ptr::null(), 0); U_PANELS];
                        for (i, tile) in some.clone().enumerate() {
                            let range = row(tile)..row(tile + 1);
                            operands[i] = match within(u, &range) {
                                Some(u) if columns <= FEW_PANELS * width => {
                                    (u.row(first).cast_const(), u.stride)
                                }
                                _ => {
                                    let at = i * u_panel_len;
                                    cut::<V>(u, range.clone(), at, range.len(), &mut segments);
                                    (u_panels.add(at).cast_const(), range.len())
                                }
                            };
                        }
                        pack_segments(&segments, first, depth, u_panels);
                        for (tile, (u_panel, u_stride)) in some.zip(operands) {
                            let places = Places::new(u, row(tile)..row(tile + 1));
                            for (begin, at) in panels.clone() {
                                let v_panel = v_panels.add(at);
                                let tile = Tile { u: u_panel, u_stride, v: v_panel, depth };
                                tile.add::<V>(&places, v, begin..right.min(begin + width), to);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Some columns of all parts together, if they are of one part.
fn within<T: Wide>(parts: &[Rows<T>], columns: &Range<usize>) -> Option<Rows<T>> {
    let mut before = 0;
    for part in parts {
        if columns.start < before + part.len {
            let whole = columns.end <= before + part.len;
            return whole.then(|| part.at(0, columns.start - before));
        }
        before += part.len;
    }
    None
}

/// The segments which make up some columns of all parts together, for a panel of a given pitch at a
/// given place.
///
/// # Safety
/// The machine has the extension.
#[inline(always)]
unsafe fn cut<V: Vector>(
    parts: &[Rows<V::Scalar>],
    columns: Range<usize>,
    at: usize,
    pitch: usize,
    segments: &mut Vec<Segment<V>>,
) {
    let mut before = 0;
    for part in parts {
        let begin = columns.start.max(before);
        let end = columns.end.min(before + part.len);
        if begin < end {
            let from = Rows { len: end - begin, ..part.at(0, begin - before) };
            let vectors = (from.len - 1) / V::LANES;
            // SAFETY: between 1 and all lanes are left.
            let mask = unsafe { V::mask(from.len - vectors * V::LANES) };
            let to = at + begin - columns.start;
            segments.push(Segment { from, vectors, mask, to, pitch });
        }
        before += part.len;
    }
}

/// Copies `depth` rows of the segments, from `first` on, into panels.
///
/// The last vector of a segment is stored as a whole, which is faster than by a mask. It reaches
/// into what is written after it, or is behind the panel.
///
/// # Safety
/// The machine has the extension, the rows are readable, and there is room for the panels and a
/// vector behind each.
#[inline(always)]
unsafe fn pack_segments<V: Vector>(
    segments: &[Segment<V>],
    first: usize,
    depth: usize,
    panels: *mut V::Scalar,
) {
    for r in 0..depth {
        for &Segment { from, vectors, mask, to, pitch } in segments {
            let ahead = from.row(first + r + AHEAD);
            let from = from.row(first + r).cast_const();
            // SAFETY: as the caller says.
            unsafe {
                let to = panels.add(to + r * pitch);
                for i in 0..vectors {
                    V::prefetch(ahead.wrapping_add(i * V::LANES));
                    V::load(from.add(i * V::LANES)).store(to.add(i * V::LANES));
                }
                let i = vectors * V::LANES;
                V::prefetch(ahead.wrapping_add(i));
                V::load_masked(from.add(i), mask).store(to.add(i));
            }
        }
    }
}

/// Where the rows of a tile of the result belong.
struct Places {
    /// The part of `u` and the column in it, for each row.
    of: [(usize, usize); MOST_ROWS],
    rows: usize,
}

impl Places {
    fn new<T>(u: &[Rows<T>], range: Range<usize>) -> Self {
        let mut of = [(0, 0); MOST_ROWS];
        let rows = range.len();
        let (mut part, mut before) = (0, 0);
        for (place, row) in of.iter_mut().zip(range) {
            while row - before >= u[part].len {
                before += u[part].len;
                part += 1;
            }
            *place = (part, row - before);
        }
        Self { of, rows }
    }
}

/// A panel of each operand, for one block of rows.
struct Tile<T> {
    u: *const T,
    /// Elements from one row of `u` to the next: it may be packed or not.
    u_stride: usize,
    v: *const T,
    depth: usize,
}

impl<T: Wide> Tile<T> {
    /// Adds their product to the given columns of the result.
    ///
    /// # Safety
    /// As for [`outer_sum`].
    #[inline(always)]
    unsafe fn add<V: Vector<Scalar = T>>(
        &self,
        places: &Places,
        v: &[Rows<T>],
        columns: Range<usize>,
        to: &[(*mut T, usize)],
    ) {
        let len = columns.len();
        let (mut part, mut before) = (0, 0);
        while columns.start - before >= v[part].len {
            before += v[part].len;
            part += 1;
        }
        let mut rows = [std::ptr::null_mut(); MOST_ROWS];
        // SAFETY: the caller answers for the memory.
        unsafe {
            if columns.end <= before + v[part].len {
                for r in 0..places.rows {
                    let (i, a) = places.of[r];
                    let (data, stride) = to[i * v.len() + part];
                    rows[r] = data.add(a * stride + columns.start - before);
                }
                return self.add_to::<V>(&rows, places.rows, len);
            }
            // The tile straddles parts of `v`. It goes to memory of its own, and on from there.
            let mut tile = [[T::default(); 32]; MOST_ROWS];
            let pitch = tile[0].len();
            for (r, row) in rows.iter_mut().enumerate() {
                *row = tile.as_mut_ptr().cast::<T>().add(r * pitch);
            }
            self.add_to::<V>(&rows, places.rows, len);
            for r in 0..places.rows {
                let (i, a) = places.of[r];
                let (mut part, mut before) = (part, before);
                for column in columns.clone() {
                    while column - before >= v[part].len {
                        before += v[part].len;
                        part += 1;
                    }
                    let (data, stride) = to[i * v.len() + part];
                    let to = data.add(a * stride + column - before);
                    *to = *to + *rows[r].add(column - columns.start);
                }
            }
        }
    }

    /// Adds their product to `len` elements of so many rows.
    ///
    /// # Safety
    /// The elements are writable.
    #[inline(always)]
    unsafe fn add_to<V: Vector<Scalar = T>>(
        &self,
        to: &[*mut T; MOST_ROWS],
        rows: usize,
        len: usize,
    ) {
        /// One instance for each number of rows and columns.
        macro_rules! by_rows {
            ($($rows:literal)*) => {
                match (rows, len > V::LANES) {
                    $(
                        ($rows, true) => V::enter(TileOf::<'_, T, $rows, 2> { tile: self, to, len }),
                        ($rows, false) => V::enter(TileOf::<'_, T, $rows, 1> { tile: self, to, len }),
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
struct TileOf<'t, T, const R: usize, const C: usize> {
    tile: &'t Tile<T>,
    to: &'t [*mut T; MOST_ROWS],
    len: usize,
}

impl<T: Wide, const R: usize, const C: usize> Kernel<T> for TileOf<'_, T, R, C> {
    #[inline(always)]
    unsafe fn run<V: Vector<Scalar = T>>(self) {
        if R > V::ROWS {
            unreachable!("a tile has at most {} rows", V::ROWS)
        }
        let Self { tile, to, len } = self;
        let &Tile { mut u, u_stride, mut v, depth } = tile;
        // SAFETY: `u` and `v` have `depth` rows, of `R` and `2 LANES` elements; masks end at `len`.
        unsafe {
            let mut sums = [[V::splat(T::default()); C]; R];
            for k in 0..depth {
                // Not all rows of the result at once: the panel has to be fetched as well.
                if k < R {
                    for c in 0..C {
                        V::prefetch(to[k].wrapping_add(c * V::LANES));
                    }
                }
                let mut columns = [V::splat(T::default()); C];
                for c in 0..C {
                    V::prefetch(v.wrapping_add((2 * NEXT + c) * V::LANES));
                    columns[c] = V::load(v.add(c * V::LANES));
                }
                for r in 0..R {
                    let u = V::splat(*u.add(r));
                    for c in 0..C {
                        sums[r][c] = u.mul_add(columns[c], sums[r][c]);
                    }
                }
                u = u.wrapping_add(u_stride);
                v = v.add(2 * V::LANES);
            }
            let whole = len >= C * V::LANES;
            let mask = V::mask(V::LANES.min(len - (C - 1) * V::LANES));
            for r in 0..R {
                for c in 0..C {
                    let to = to[r].add(c * V::LANES);
                    if whole || c + 1 < C {
                        (V::load(to) + sums[r][c]).store(to);
                    } else {
                        (V::load_masked(to, mask) + sums[r][c]).store_masked(to, mask);
                    }
                }
            }
        }
    }
}
