//! Products with matrices, and the sums over rows that parameter gradients are.
//!
//! Two forms serve all of them. In the *dot* form, `y[r, m] = Σ_k x[r, k] w[m, k]`, both operands
//! run along `k`, so a register holds several `k` of one sum, which are added up at the end. In the
//! *axpy* form, `c[i, j] (+)= Σ_p a[i, p] b[p, j]`, a register holds several `j`. Both compute a tile
//! of eight registers at a time, so that eight sums are under way (a fused multiply-add can start
//! twice a cycle and takes four), what is loaded is used more than once, and the sums, the operands
//! and the copies that Cranelift's `fma` makes of them fit in sixteen registers. The order in which an
//! element's terms are added is the same in every tile: a row's result does not depend on which
//! rows it is computed with.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Type, Value};

use super::Emitter;
use crate::fuse::{Product, Target};
use crate::ir::graph::ValueId;

/// The rows of a tile, widest first: what one leaves over is left to the next.
const TILE_ROWS: [usize; 3] = [4, 2, 1];
/// The dot products, or registers, of a tile: with its rows, how many sums are under way.
const TILE: usize = 8;
/// How many rows of both operands a sum of outer products goes through at a time, so that a
/// panel of them stays in the first-level cache while all of the result is gone through.
const PANEL: usize = 256;

/// A step of a row and a step of the summed index, in elements.
#[derive(Clone, Copy)]
struct Strides {
    row: usize,
    sum: usize,
}

impl Emitter<'_> {
    /// `W v` for each row.
    pub(super) fn matvec(&mut self, id: ValueId) {
        let [w, v] = self.two_operands(id);
        let rows_share_matrix = self.stride(w) == 0;
        self.for_row_tiles(rows_share_matrix, |e, row, tile| e.matvec_rows(id, w, v, row, tile));
    }

    /// `Wᵀ v` for each row.
    pub(super) fn matvec_t(&mut self, id: ValueId) {
        let [w, v] = self.two_operands(id);
        let rows_share_matrix = self.stride(w) == 0;
        let (inner, outer) = (self.size(v), self.size(id));
        self.for_row_tiles(rows_share_matrix, |e, row, tile| {
            let [a, b, c] = [v, w, id].map(|value| e.row(value, row));
            let a_strides = Strides { row: e.stride(v), sum: 1 };
            e.for_column_tiles(outer, TILE / tile, |e, j, width, ty| {
                let b = e.element(b, j, e.real.bytes);
                let c = e.element(c, j, e.real.bytes);
                let zero = e.number(ty, 0.0);
                let start = vec![zero; tile * width];
                let end = e.constant(inner);
                let sums = e.axpy(a, a_strides, b, outer, end, start, [tile, width], ty);
                let stride = e.stride(id);
                e.for_tile([tile, width], |e, r, i, at| {
                    e.store(sums[at], c, r * stride + i * e.lanes(ty));
                });
            });
        });
    }

    /// `u vᵀ` for each row.
    pub(super) fn outer(&mut self, id: ValueId) {
        let [u, v] = self.two_operands(id);
        let (rows, columns) = (self.size(u), self.size(v));
        self.for_rows(|e, row| {
            let [from_u, from_v, to] = [u, v, id].map(|value| e.row(value, row));
            let bytes = e.real.bytes;
            e.for_count(rows, 1, &[], |e, i, _| {
                let u = e.element(from_u, i, bytes);
                let to = e.element(to, i, columns * bytes);
                e.for_elements(columns, |e, j, ty| {
                    let factor = e.load_splat(ty, u, 0);
                    let from = e.element(from_v, j, bytes);
                    let v = e.load(ty, from, 0);
                    let product = e.b.ins().fmul(v, factor);
                    let to = e.element(to, j, bytes);
                    e.store(product, to, 0);
                });
                Vec::new()
            });
        });
    }

    /// `A B` for each row: the rows of `A` are what rows are to other products.
    pub(super) fn matmul(&mut self, id: ValueId) {
        let [left, right] = self.two_operands(id);
        let shape = self.plan.graph().ty(left).shape.clone();
        let (height, inner, width) = (shape[0], shape[1], self.size(id) / shape[0]);
        self.for_rows(|e, row| {
            let [a, b, c] = [left, right, id].map(|value| e.row(value, row));
            let mut start = 0;
            for tile in TILE_ROWS {
                let end = start + (height - start) / tile * tile;
                let first = start;
                e.for_count(end - start, tile, &[], |e, i, _| {
                    let offset = e.constant(first);
                    let i = e.b.ins().iadd(i, offset);
                    let a = e.element(a, i, inner * e.real.bytes);
                    let c = e.element(c, i, width * e.real.bytes);
                    e.for_column_tiles(width, TILE / tile, |e, j, columns, ty| {
                        let b = e.element(b, j, e.real.bytes);
                        let c = e.element(c, j, e.real.bytes);
                        let zero = e.number(ty, 0.0);
                        let sums = vec![zero; tile * columns];
                        let strides = Strides { row: inner, sum: 1 };
                        let end = e.constant(inner);
                        let sums = e.axpy(a, strides, b, width, end, sums, [tile, columns], ty);
                        e.for_tile([tile, columns], |e, r, k, at| {
                            e.store(sums[at], c, r * width + k * e.lanes(ty));
                        });
                    });
                    Vec::new()
                });
                start = end;
            }
        });
    }

    /// `M v` for each row, with a matrix that was packed as one panel: its element for element
    /// `k` of the vector and `n` of the product is element `(k, n)`.
    pub(super) fn product(&mut self, product: &Product) {
        let mut column = 0;
        for &start in &product.start {
            self.product_columns(product, column, self.size(start), Some(start));
            column += self.size(start);
        }
        if product.start.is_empty() {
            self.product_columns(product, 0, self.size(product.value), None);
        }
    }

    /// Some columns of a product, and what they start with.
    fn product_columns(
        &mut self,
        product: &Product,
        column: usize,
        columns: usize,
        start: Option<ValueId>,
    ) {
        let outer = self.size(product.value);
        let packed = self.base(self.plan.packed(product.matrix));
        let packed = self.advance(packed, column);
        self.for_tiles(|e, row, tile| {
            let c = e.row(product.value, row);
            let c = e.advance(c, column);
            let start = start.map(|start| (e.row(start, row), e.stride(start)));
            e.for_column_tiles(columns, TILE / tile, |e, j, width, ty| {
                let mut b = e.element(packed, j, e.real.bytes);
                let c = e.element(c, j, e.real.bytes);
                let mut sums = Vec::new();
                e.for_tile([tile, width], |e, r, i, _| {
                    sums.push(match start {
                        None => e.number(ty, 0.0),
                        Some((start, stride)) => {
                            let start = e.element(start, j, e.real.bytes);
                            e.load_written(ty, start, r * stride + i * e.lanes(ty))
                        }
                    });
                });
                for &part in &product.parts {
                    let inner = e.size(part);
                    let a = e.row(part, row);
                    let strides = Strides { row: e.stride(part), sum: 1 };
                    let end = e.constant(inner);
                    sums = e.axpy(a, strides, b, outer, end, sums, [tile, width], ty);
                    b = e.advance(b, inner * outer);
                }
                let stride = e.stride(product.value);
                e.for_tile([tile, width], |e, r, i, at| {
                    e.store(sums[at], c, r * stride + i * e.lanes(ty));
                });
            });
        });
    }

    /// The address of a term's place in a sum output.
    fn target(&mut self, to: Target) -> Value {
        let base = self.base(self.plan.sum_output(to.sum));
        self.advance(base, to.offset)
    }

    /// Adds `Σ u vᵀ` over all rows to rows `first..last` of a matrix.
    pub(super) fn sum_outer(&mut self, u: ValueId, v: ValueId, to: Target) {
        let width = self.size(v);
        let columns = to.stride;
        let (u_stride, v_stride) = (self.stride(u), self.stride(v));
        let (zero, bytes) = (self.constant(0), self.real.bytes);
        let [u, v] = [u, v].map(|value| self.row(value, zero));
        let c = self.target(to);
        self.for_each(zero, self.rows, PANEL, &[], |e, p, _| {
            let left = e.b.ins().isub(e.rows, p);
            let panel = e.constant(PANEL);
            let count = e.b.ins().umin(left, panel);
            let u = e.element(u, p, u_stride * bytes);
            let v = e.element(v, p, v_stride * bytes);
            e.for_tiles(|e, i, tile| {
                let a = e.element(u, i, bytes);
                let c = e.element(c, i, columns * bytes);
                e.for_column_tiles(width, TILE / tile, |e, j, width, ty| {
                    let v = e.element(v, j, bytes);
                    let c = e.element(c, j, bytes);
                    let mut start = Vec::new();
                    e.for_tile([tile, width], |e, r, k, _| {
                        let at = r * columns + k * e.lanes(ty);
                        start.push(e.load_written(ty, c, at));
                    });
                    let strides = Strides { row: 1, sum: u_stride };
                    let sums = e.axpy(a, strides, v, v_stride, count, start, [tile, width], ty);
                    e.for_tile([tile, width], |e, r, k, at| {
                        e.store(sums[at], c, r * columns + k * e.lanes(ty));
                    });
                });
            });
            Vec::new()
        });
    }

    /// Adds the sum over all rows of a value to elements `first..last` of a sum.
    pub(super) fn sum_value(&mut self, value: ValueId, to: Target) {
        let stride = self.stride(value);
        let (zero, bytes) = (self.constant(0), self.real.bytes);
        let from = self.row(value, zero);
        let to = self.target(to);
        let (lanes, vector, scalar) = (self.real.count, self.real.vector, self.real.scalar);
        let length = self.b.ins().isub(self.last, self.first);
        let mask = -i64::try_from(lanes).expect("few lanes");
        let full = self.b.ins().band_imm_s(length, mask);
        let middle = self.b.ins().iadd(self.first, full);
        for (start, end, step, ty) in
            [(self.first, middle, lanes, vector), (middle, self.last, 1, scalar)]
        {
            self.for_each(start, end, step, &[], |e, j, _| {
                let to = e.element(to, j, bytes);
                let from = e.element(from, j, bytes);
                let sum = e.load_written(ty, to, 0);
                let rows = e.rows;
                let sum = e.for_each(zero, rows, 1, &[sum], |e, row, sum| {
                    let from = e.element(from, row, stride * bytes);
                    let term = e.load(ty, from, 0);
                    vec![e.b.ins().fadd(sum[0], term)]
                });
                e.store(sum[0], to, 0);
                Vec::new()
            });
        }
    }

    /// The number of elements that a type holds.
    pub(super) fn lanes(&self, ty: Type) -> usize {
        if ty == self.real.scalar { 1 } else { self.real.count }
    }

    fn two_operands(&self, id: ValueId) -> [ValueId; 2] {
        let operands = self.plan.graph().operands(id);
        [operands[0], operands[1]]
    }

    /// Loads what this function also writes.
    pub(super) fn load_written(&mut self, ty: Type, base: Value, offset: usize) -> Value {
        let (base, offset) = self.split(super::Address { base, offset });
        self.b.ins().load(ty, Self::writable(), base, offset)
    }

    /// Does `body` for each element of a tile: its row, its column and its number.
    fn for_tile(
        &mut self,
        [rows, columns]: [usize; 2],
        mut body: impl FnMut(&mut Self, usize, usize, usize),
    ) {
        for row in 0..rows {
            for column in 0..columns {
                body(self, row, column, row * columns + column);
            }
        }
    }

    /// Goes through `first..last` in tiles of [`TILE_ROWS`].
    fn for_tiles(&mut self, mut body: impl FnMut(&mut Self, Value, usize)) {
        let mut start = self.first;
        for tile in TILE_ROWS {
            let left = self.b.ins().isub(self.last, start);
            // Tiles have a power of two of rows.
            let mask = -i64::try_from(tile).expect("tiles are small");
            let tiled = self.b.ins().band_imm_s(left, mask);
            let end = self.b.ins().iadd(start, tiled);
            self.for_each(start, end, tile, &[], |e, row, _| {
                body(e, row, tile);
                Vec::new()
            });
            start = end;
        }
    }

    /// The same for rows, which go one by one if each has a matrix of its own.
    fn for_row_tiles(&mut self, tiled: bool, mut body: impl FnMut(&mut Self, Value, usize)) {
        if tiled {
            self.for_tiles(body);
        } else {
            self.for_rows(|e, row| body(e, row, 1));
        }
    }

    /// Goes through columns in tiles of `width` registers, then registers, then numbers.
    fn for_column_tiles(
        &mut self,
        columns: usize,
        width: usize,
        mut body: impl FnMut(&mut Self, Value, usize, Type),
    ) {
        let lanes = self.real.count;
        let wide = columns / (width * lanes) * (width * lanes);
        let vectors = columns / lanes * lanes;
        let parts = [
            (0, wide, width, self.real.vector),
            (wide, vectors, 1, self.real.vector),
            (vectors, columns, 1, self.real.scalar),
        ];
        for (start, end, width, ty) in parts {
            let step = width * self.lanes(ty);
            self.for_count(end - start, step, &[], |e, j, _| {
                let offset = e.constant(start);
                let j = e.b.ins().iadd(j, offset);
                body(e, j, width, ty);
                Vec::new()
            });
        }
    }

    /// `start[r, c] + Σ_p a[r, p] b[p, c]` for a tile of rows by registers, `p` from 0 to `end`.
    #[allow(clippy::too_many_arguments, reason = "two strided operands and a tile")]
    fn axpy(
        &mut self,
        a: Value,
        a_strides: Strides,
        b: Value,
        b_stride: usize,
        end: Value,
        start: Vec<Value>,
        [rows, columns]: [usize; 2],
        ty: Type,
    ) -> Vec<Value> {
        let zero = self.constant(0);
        let carried: Vec<Value> = [a, b].into_iter().chain(start).collect();
        let mut result = self.for_each(zero, end, 1, &carried, |e, _, carried| {
            let (a, b, mut sums) = (carried[0], carried[1], carried[2..].to_vec());
            let vectors: Vec<Value> =
                (0..columns).map(|column| e.load(ty, b, column * e.lanes(ty))).collect();
            for row in 0..rows {
                let factor = e.load_splat(ty, a, row * a_strides.row);
                for (column, &vector) in vectors.iter().enumerate() {
                    let sum = &mut sums[row * columns + column];
                    *sum = e.multiply_add(factor, vector, *sum);
                }
            }
            let a = e.advance(a, a_strides.sum);
            let b = e.advance(b, b_stride);
            [a, b].into_iter().chain(sums).collect()
        });
        result.split_off(2)
    }

    /// `W v` for the rows `row..row + tile`.
    fn matvec_rows(&mut self, id: ValueId, w: ValueId, v: ValueId, row: Value, tile: usize) {
        let (outer, inner) = (self.size(id), self.size(v));
        let [w, x, y] = [w, v, id].map(|value| self.row(value, row));
        let (x_stride, y_stride) = (self.stride(v), self.stride(id));
        let wide = TILE / tile;
        let full = outer / wide * wide;
        for (start, end, width) in [(0, full, wide), (full, outer, 1)] {
            self.for_count(end - start, width, &[], |e, m, _| {
                let offset = e.constant(start);
                let m = e.b.ins().iadd(m, offset);
                let w = e.element(w, m, inner * e.real.bytes);
                let y = e.element(y, m, e.real.bytes);
                let sums = e.dot(x, x_stride, w, inner, [tile, width]);
                e.for_tile([tile, width], |e, r, c, at| e.store(sums[at], y, r * y_stride + c));
                Vec::new()
            });
        }
    }

    /// `Σ_k x[r, k] w[c, k]` for a tile of rows `r` by rows `c`.
    fn dot(
        &mut self,
        x: Value,
        x_stride: usize,
        w: Value,
        inner: usize,
        [rows, columns]: [usize; 2],
    ) -> Vec<Value> {
        let (lanes, vector, scalar) = (self.real.count, self.real.vector, self.real.scalar);
        let full = inner / lanes * lanes;
        let zero = self.number(vector, 0.0);
        let carried: Vec<Value> =
            [x, w].into_iter().chain(std::iter::repeat_n(zero, rows * columns)).collect();
        let sums = self.for_count(full, lanes, &carried, |e, _, carried| {
            let (x, w, mut sums) = (carried[0], carried[1], carried[2..].to_vec());
            let weights: Vec<Value> =
                (0..columns).map(|column| e.load(vector, w, column * inner)).collect();
            for row in 0..rows {
                let x = e.load(vector, x, row * x_stride);
                for (column, &weight) in weights.iter().enumerate() {
                    let sum = &mut sums[row * columns + column];
                    *sum = e.multiply_add(x, weight, *sum);
                }
            }
            let (x, w) = (e.advance(x, lanes), e.advance(w, lanes));
            [x, w].into_iter().chain(sums).collect()
        });
        let mut totals = Vec::new();
        self.for_tile([rows, columns], |e, r, c, at| {
            let mut total = e.horizontal(sums[2 + at], |e, a, b| e.b.ins().fadd(a, b));
            for k in full..inner {
                let weight = e.load(scalar, w, c * inner + k);
                let x = e.load(scalar, x, r * x_stride + k);
                total = e.multiply_add(weight, x, total);
            }
            totals.push(total);
        });
        totals
    }

    /// Adds the sum over all rows of an entry at an index to entries `first..last` of a sum.
    pub(super) fn sum_put(&mut self, index: ValueId, entry: ValueId, to: Target) {
        let size = self.size(entry);
        let to = self.target(to);
        let (zero, rows, bytes) = (self.constant(0), self.rows, self.real.bytes);
        self.for_each(zero, rows, 1, &[], |e, row, _| {
            let at = e.index(index, row);
            let (first, last) = (e.first, e.last);
            let above = e.b.ins().icmp(IntCC::UnsignedGreaterThanOrEqual, at, first);
            let below = e.b.ins().icmp(IntCC::UnsignedLessThan, at, last);
            let mine = e.b.ins().band(above, below);
            let [add, next] = [e.b.create_block(), e.b.create_block()];
            e.b.ins().brif(mine, add, &[], next, &[]);
            e.b.switch_to_block(add);
            let to = e.element(to, at, size * bytes);
            let from = e.row(entry, row);
            // Not `for_elements`, which may be given an element twice.
            e.for_column_tiles(size, 1, |e, j, width, ty| {
                let to = e.element(to, j, bytes);
                let from = e.element(from, j, bytes);
                for i in 0..width {
                    let offset = i * e.lanes(ty);
                    let sum = e.load_written(ty, to, offset);
                    let term = e.load(ty, from, offset);
                    let sum = e.b.ins().fadd(sum, term);
                    e.store(sum, to, offset);
                }
            });
            e.b.ins().jump(next, &[]);
            e.b.switch_to_block(next);
            Vec::new()
        });
    }
}
