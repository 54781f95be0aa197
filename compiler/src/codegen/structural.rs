//! Operations that move, repeat or combine elements.

use cranelift_codegen::ir::{InstBuilder, Value, types};

use super::Emitter;
use crate::ir::graph::ValueId;
use crate::ir::op::{Op, Reduction};
use crate::plan::Place;

impl Emitter<'_> {
    /// One value that is not elementwise, for each row.
    pub(super) fn single(&mut self, id: ValueId) {
        let graph = self.plan.graph();
        match graph.op(id) {
            Op::MatVec => self.matvec(id),
            Op::MatVecT => self.matvec_t(id),
            Op::Outer => self.outer(id),
            Op::MatMul => self.matmul(id),
            Op::Range { len } => self.range(id, *len),
            Op::Concat { axis } => self.concat(id, *axis),
            Op::Slice { axis, start, .. } => self.slice(id, *axis, *start),
            Op::Pad { axis, before, after } => self.pad(id, *axis, [*before, *after]),
            Op::Transpose => self.transpose(id),
            Op::Reduce { kind, axis } => self.reduce(id, *kind, *axis),
            Op::Take => self.take(id),
            Op::Put { len } => self.put(id, *len),
            op @ (Op::Argument { .. }
            | Op::Constant(_)
            | Op::Unary(_)
            | Op::Binary(_)
            | Op::Select
            | Op::Stop
            | Op::Broadcast { .. }
            | Op::Reshape { .. }) => unreachable!("`{}` is no kernel of its own", op.name()),
        }
    }

    /// The numbers from 0 on.
    fn range(&mut self, id: ValueId, len: usize) {
        let (scalar, bytes) = (self.real.scalar, self.real.bytes);
        self.for_rows(|e, row| {
            let to = e.row(id, row);
            e.for_count(len, 1, &[], |e, i, _| {
                let number = e.b.ins().fcvt_from_sint(scalar, i);
                let to = e.element(to, i, bytes);
                e.store(number, to, 0);
                Vec::new()
            });
        });
    }

    /// Copies a value to a place of its own for each row.
    pub(super) fn copy_rows(&mut self, from: ValueId, to: Place) {
        let size = self.size(from);
        self.for_rows(|e, row| {
            let from = e.row(from, row);
            let to = e.row_at(to, row, e.real.bytes);
            e.copy(from, to, size);
        });
    }

    /// The index that an index value is, for a row.
    pub(super) fn index(&mut self, id: ValueId, row: Value) -> Value {
        let address = self.row(id, row);
        let index = self.b.ins().load(types::I32, Self::readonly(), address, 0);
        self.b.ins().uextend(self.pointer, index)
    }

    fn copy(&mut self, from: Value, to: Value, size: usize) {
        let bytes = self.real.bytes;
        self.for_elements(size, |e, i, ty| {
            let from = e.element(from, i, bytes);
            let value = e.load(ty, from, 0);
            let to = e.element(to, i, bytes);
            e.store(value, to, 0);
        });
    }

    fn zero(&mut self, to: Value, size: usize) {
        let bytes = self.real.bytes;
        self.for_elements(size, |e, i, ty| {
            let zero = e.number(ty, 0.0);
            let to = e.element(to, i, bytes);
            e.store(zero, to, 0);
        });
    }

    fn concat(&mut self, id: ValueId, axis: usize) {
        let parts = self.plan.graph().operands(id).to_vec();
        let (lines, whole) = self.lines(id, axis);
        self.for_rows(|e, row| {
            let mut to = e.row(id, row);
            for part in parts {
                let from = e.row(part, row);
                let (_, size) = e.lines(part, axis);
                e.for_lines(lines, [from, to], [size, whole], |e, [from, to]| {
                    e.copy(from, to, size);
                });
                to = e.advance(to, size);
            }
        });
    }

    fn slice(&mut self, id: ValueId, axis: usize, start: usize) {
        let from = self.plan.graph().operands(id)[0];
        let ((lines, size), (_, whole)) = (self.lines(id, axis), self.lines(from, axis));
        let start = start * self.entry(from, axis);
        self.for_rows(|e, row| {
            let from = e.row(from, row);
            let from = e.advance(from, start);
            let to = e.row(id, row);
            e.for_lines(lines, [from, to], [whole, size], |e, [from, to]| e.copy(from, to, size));
        });
    }

    fn pad(&mut self, id: ValueId, axis: usize, zeros: [usize; 2]) {
        let from = self.plan.graph().operands(id)[0];
        let ((lines, whole), (_, size)) = (self.lines(id, axis), self.lines(from, axis));
        let [before, after] = zeros.map(|zeros| zeros * self.entry(from, axis));
        self.for_rows(|e, row| {
            let [from, to] = [from, id].map(|value| e.row(value, row));
            e.for_lines(lines, [from, to], [size, whole], |e, [from, to]| {
                e.zero(to, before);
                let middle = e.advance(to, before);
                e.copy(from, middle, size);
                let end = e.advance(middle, size);
                e.zero(end, after);
            });
        });
    }

    /// How many times a value runs through an axis, and how many elements it passes each time.
    fn lines(&self, id: ValueId, axis: usize) -> (usize, usize) {
        let shape = &self.plan.graph().ty(id).shape;
        (shape[..axis].iter().product(), shape[axis..].iter().product())
    }

    /// The elements of one entry of an axis.
    fn entry(&self, id: ValueId, axis: usize) -> usize {
        self.plan.graph().ty(id).shape[axis + 1..].iter().product()
    }

    /// Does `body` for each line, given where it begins in two values.
    fn for_lines(
        &mut self,
        lines: usize,
        bases: [Value; 2],
        steps: [usize; 2],
        body: impl FnOnce(&mut Self, [Value; 2]),
    ) {
        let bytes = self.real.bytes;
        self.for_count(lines, 1, &[], |e, line, _| {
            let first = e.element(bases[0], line, steps[0] * bytes);
            let second = e.element(bases[1], line, steps[1] * bytes);
            body(e, [first, second]);
            Vec::new()
        });
    }

    fn transpose(&mut self, id: ValueId) {
        let from = self.plan.graph().operands(id)[0];
        let shape = self.plan.graph().ty(from).shape.clone();
        let (rows, columns, bytes) = (shape[0], shape[1], self.real.bytes);
        self.for_rows(|e, row| {
            let [from, to] = [from, id].map(|value| e.row(value, row));
            e.for_count(rows, 1, &[], |e, i, _| {
                let from = e.element(from, i, columns * bytes);
                let to = e.element(to, i, bytes);
                e.for_count(columns, 1, &[], |e, j, _| {
                    let from = e.element(from, j, bytes);
                    let value = e.load(e.real.scalar, from, 0);
                    let to = e.element(to, j, rows * bytes);
                    e.store(value, to, 0);
                    Vec::new()
                });
                Vec::new()
            });
        });
    }

    fn take(&mut self, id: ValueId) {
        let operands = self.plan.graph().operands(id);
        let (table, index, size) = (operands[0], operands[1], self.size(id));
        self.for_rows(|e, row| {
            let at = e.index(index, row);
            let table = e.row(table, row);
            let from = e.element(table, at, size * e.real.bytes);
            let to = e.row(id, row);
            e.copy(from, to, size);
        });
    }

    fn put(&mut self, id: ValueId, len: usize) {
        let operands = self.plan.graph().operands(id);
        let (index, entry) = (operands[0], operands[1]);
        let size = self.size(entry);
        self.for_rows(|e, row| {
            let to = e.row(id, row);
            e.zero(to, len * size);
            let at = e.index(index, row);
            let to = e.element(to, at, size * e.real.bytes);
            let from = e.row(entry, row);
            e.copy(from, to, size);
        });
    }

    fn reduce(&mut self, id: ValueId, kind: Reduction, axis: Option<usize>) {
        let from = self.plan.graph().operands(id)[0];
        let shape = self.plan.graph().ty(from).shape.clone();
        let bytes = self.real.bytes;
        match (axis, shape.as_slice()) {
            (Some(0), &[rows, columns]) => self.for_rows(|e, row| {
                let [from, to] = [from, id].map(|value| e.row(value, row));
                e.for_elements(columns, |e, j, ty| {
                    let from = e.element(from, j, bytes);
                    let first = e.load(ty, from, 0);
                    let start = e.constant(1);
                    let end = e.constant(rows);
                    let result = e.for_each(start, end, 1, &[first], |e, i, result| {
                        let from = e.element(from, i, columns * bytes);
                        let value = e.load(ty, from, 0);
                        vec![e.combine(kind, result[0], value)]
                    });
                    let to = e.element(to, j, bytes);
                    e.store(result[0], to, 0);
                });
            }),
            (Some(1), &[rows, columns]) => self.for_rows(|e, row| {
                let [from, to] = [from, id].map(|value| e.row(value, row));
                e.for_count(rows, 1, &[], |e, i, _| {
                    let from = e.element(from, i, columns * bytes);
                    let result = e.reduce_contiguous(kind, from, columns);
                    let to = e.element(to, i, bytes);
                    e.store(result, to, 0);
                    Vec::new()
                });
            }),
            _ => self.for_rows(|e, row| {
                let [from_row, to] = [from, id].map(|value| e.row(value, row));
                let size = e.size(from);
                let result = e.reduce_contiguous(kind, from_row, size);
                e.store(result, to, 0);
            }),
        }
    }

    fn combine(&mut self, kind: Reduction, a: Value, b: Value) -> Value {
        match kind {
            Reduction::Sum => self.b.ins().fadd(a, b),
            Reduction::Max => self.b.ins().fmax(a, b),
        }
    }

    /// Combines `size` elements that follow each other: tiles of registers, each of which combines
    /// what stands in its place in all tiles, then registers, then what is left. One register alone
    /// would wait for each of its additions.
    fn reduce_contiguous(&mut self, kind: Reduction, from: Value, size: usize) -> Value {
        /// An addition takes about four times as long as the next may begin after.
        const TILE: usize = 8;
        let (lanes, vector, scalar) = (self.real.count, self.real.vector, self.real.scalar);
        let full = size / lanes * lanes;
        let tile = TILE.min(full / lanes);
        let (mut result, rest) = if full == 0 {
            (self.load(scalar, from, 0), 1)
        } else {
            let first: Vec<Value> = (0..tile).map(|i| self.load(vector, from, i * lanes)).collect();
            let (step, tiled) = (tile * lanes, full / (tile * lanes) * (tile * lanes));
            let (start, end) = (self.constant(step), self.constant(tiled));
            let mut combined = self.for_each(start, end, step, &first, |e, i, combined| {
                let from = e.element(from, i, e.real.bytes);
                let mut next = Vec::new();
                for (i, &sum) in combined.iter().enumerate() {
                    let value = e.load(vector, from, i * lanes);
                    next.push(e.combine(kind, sum, value));
                }
                next
            });
            for (i, at) in (tiled..full).step_by(lanes).enumerate() {
                let value = self.load(vector, from, at);
                combined[i] = self.combine(kind, combined[i], value);
            }
            let one = combined.into_iter().reduce(|a, b| self.combine(kind, a, b));
            let one = one.expect("a tile has registers");
            (self.horizontal(one, |e, a, b| e.combine(kind, a, b)), full)
        };
        for i in rest..size {
            let value = self.load(scalar, from, i);
            result = self.combine(kind, result, value);
        }
        result
    }
}
