//! Elementwise kernels: each row element by element, everything in registers.

use cranelift_codegen::ir::condcodes::FloatCC;
use cranelift_codegen::ir::{Endianness, InstBuilder, MemFlagsData, Type, Value};

use super::Emitter;
use crate::fuse::{Map, Read, map_reads};
use crate::ir::graph::ValueId;
use crate::ir::op::{Binary, Op, Unary};

/// Where the rows of a map's operands and results are, and how they are gone through.
struct Place {
    id: ValueId,
    row: Value,
}

impl Emitter<'_> {
    /// A run of elementwise values.
    pub(super) fn map(&mut self, map: &Map) {
        let reads: Vec<Vec<Read>> =
            map.values.iter().map(|&id| map_reads(self.plan.graph(), id)).collect();
        let [rows, columns] = map.extents;
        let along_axis = reads.iter().flatten().any(
            |read| matches!(read, Read::Repeated { row_step, column_step, .. } if row_step + column_step > 0),
        );
        if !along_axis && rows * columns < self.real.count && self.map_is_contiguous(map, &reads) {
            return self.map_contiguous(map, &reads);
        }
        self.for_rows(|e, row| {
            let places = e.places(map, &reads, row);
            if along_axis {
                e.for_count(rows, 1, &[], |e, i, _| {
                    e.for_elements(columns, |e, j, ty| e.map_at(map, &reads, &places, i, j, ty));
                    Vec::new()
                });
            } else {
                let zero = e.constant(0);
                let size = rows * columns;
                e.for_elements(size, |e, j, ty| e.map_at(map, &reads, &places, zero, j, ty));
            }
        });
    }

    /// Whether the elements of all rows follow each other in everything that the map touches.
    fn map_is_contiguous(&self, map: &Map, reads: &[Vec<Read>]) -> bool {
        let [rows, columns] = map.extents;
        let follows = |id: ValueId| self.stride(id) == rows * columns;
        let read = reads.iter().flatten().all(|read| match *read {
            Read::Constant(_) => true,
            Read::Elements(id) => map.values.contains(&id) || follows(id),
            Read::Repeated { from, .. } => self.stride(from) == 0,
        });
        read && self.stored(map).all(follows)
    }

    /// A map over values too small to fill a register, whose rows are gone through as one.
    fn map_contiguous(&mut self, map: &Map, reads: &[Vec<Read>]) {
        let [rows, columns] = map.extents;
        let (lanes, size) = (self.real.count, rows * columns);
        let start = self.multiply(self.first, size);
        let end = self.multiply(self.last, size);
        let zero = self.constant(0);
        let places = self.places(map, reads, zero);
        let length = self.b.ins().isub(end, start);
        let lanes_mask = -i64::try_from(lanes).expect("few lanes");
        let full = self.b.ins().band_imm_s(length, lanes_mask);
        let middle = self.b.ins().iadd(start, full);
        let (vector, scalar) = (self.real.vector, self.real.scalar);
        for (from, to, step, ty) in [(start, middle, lanes, vector), (middle, end, 1, scalar)] {
            self.for_each(from, to, step, &[], |e, j, _| {
                e.map_at(map, reads, &places, zero, j, ty);
                Vec::new()
            });
        }
    }

    fn stored<'m>(&self, map: &'m Map) -> impl Iterator<Item = ValueId> + use<'m, '_> {
        let plan = self.plan;
        map.values.iter().copied().filter(|&id| plan.is_stored(id))
    }

    /// The addresses of one row of everything that the map touches.
    fn places(&mut self, map: &Map, reads: &[Vec<Read>], row: Value) -> Vec<Place> {
        let mut touched: Vec<ValueId> = self.stored(map).collect();
        for read in reads.iter().flatten() {
            match read {
                Read::Elements(id) | Read::Repeated { from: id, .. }
                    if !map.values.contains(id) && !touched.contains(id) =>
                {
                    touched.push(*id);
                }
                _ => {}
            }
        }
        touched.into_iter().map(|id| Place { id, row: self.row(id, row) }).collect()
    }

    /// The map's values from column `j` of row `i` on, as many as `ty` holds.
    fn map_at(
        &mut self,
        map: &Map,
        reads: &[Vec<Read>],
        places: &[Place],
        i: Value,
        j: Value,
        ty: Type,
    ) {
        let place = |id: ValueId| {
            places.iter().find(|place| place.id == id).expect("what a map touches has a place").row
        };
        let [rows, columns] = map.extents;
        // The values so far, and what was read: each element is loaded once.
        let mut values: Vec<(ValueId, Value)> = Vec::new();
        let mut loaded: Vec<(Read, Value)> = Vec::new();
        let bytes = self.real.bytes;
        let row = if rows == 1 { None } else { Some(self.multiply(i, columns)) };
        let element = row.map_or(j, |row| self.b.ins().iadd(row, j));
        for (&id, reads) in map.values.iter().zip(reads) {
            let mut operands = Vec::new();
            for read in reads {
                let known = loaded.iter().find(|(r, _)| r == read).map(|(_, value)| *value);
                let value = match *read {
                    Read::Elements(id) if map.values.contains(&id) => {
                        let value = values.iter().find(|(v, _)| *v == id);
                        value.expect("operands come before users").1
                    }
                    _ if known.is_some() => known.expect("just seen"),
                    Read::Constant(number) => self.number(ty, number.0),
                    Read::Elements(id) => {
                        let address = self.element(place(id), element, bytes);
                        self.load(ty, address, 0)
                    }
                    Read::Repeated { from, row_step, column_step } => {
                        let address = self.element(place(from), i, row_step * bytes);
                        let address = self.element(address, j, column_step * bytes);
                        match column_step {
                            0 => self.load_splat(ty, address, 0),
                            _ => self.load(ty, address, 0),
                        }
                    }
                };
                loaded.push((*read, value));
                operands.push(value);
            }
            let value = self.elementwise(id, &operands, ty);
            values.push((id, value));
            if self.plan.is_stored(id) {
                let address = self.element(place(id), element, bytes);
                self.store(value, address, 0);
            }
        }
    }

    /// One elementwise value.
    fn elementwise(&mut self, id: ValueId, operands: &[Value], ty: Type) -> Value {
        match (self.plan.graph().op(id), operands) {
            (Op::Unary(op), &[x]) => self.unary(*op, x, ty),
            (Op::Binary(op), &[a, b]) => self.binary(*op, a, b, ty),
            (Op::Select, &[c, a, b]) => {
                let zero = self.number(ty, 0.0);
                self.choose(FloatCC::NotEqual, c, zero, a, b)
            }
            (Op::Stop, &[x]) => x,
            (Op::Constant(value), []) => self.number(ty, value.0),
            // Repeated by how it was read.
            (Op::Broadcast { .. }, &[x]) => x,
            (op, _) => unreachable!("`{}` is no elementwise operation", op.name()),
        }
    }

    fn unary(&mut self, op: Unary, x: Value, ty: Type) -> Value {
        let math = self.math(ty);
        let b = &mut self.b;
        match op {
            Unary::Neg => b.ins().fneg(x),
            Unary::Exp => math.exp(b, x),
            Unary::Log => math.log(b, x),
            Unary::Sqrt => b.ins().sqrt(x),
            Unary::Abs => b.ins().fabs(x),
            Unary::Sigmoid => math.sigmoid(b, x),
            Unary::Tanh => math.tanh(b, x),
            Unary::Softplus => self.softplus(x, ty),
            Unary::Expm1 => math.expm1(b, x),
            Unary::Log1p => math.log1p(b, x),
            Unary::Sin => math.sin(b, x),
            Unary::Cos => math.cos(b, x),
            Unary::Erf => math.erf(b, x),
            Unary::Floor => math.floor(b, x),
            Unary::Relu => {
                let zero = self.number(ty, 0.0);
                self.choose(FloatCC::LessThanOrEqual, x, zero, zero, x)
            }
        }
    }

    /// `max(x, 0) + log(1 + e)` with `e = e^-|x|`.
    ///
    /// The rounding of `u = 1 + e` would lose a small `e`. It is made up for to first order by
    /// `(e - (u - 1)) / u`, in which `u - 1` is exact (Kahan's way with log1p).
    fn softplus(&mut self, x: Value, ty: Type) -> Value {
        let math = self.math(ty);
        let positive = self.unary(Unary::Relu, x, ty);
        let one = self.number(ty, 1.0);
        let magnitude = self.b.ins().fabs(x);
        let negated = self.b.ins().fneg(magnitude);
        let e = math.exp(&mut self.b, negated);
        let u = self.b.ins().fadd(e, one);
        let log = math.log(&mut self.b, u);
        let kept = self.b.ins().fsub(u, one);
        let lost = self.b.ins().fsub(e, kept);
        let correction = self.b.ins().fdiv(lost, u);
        let log = self.b.ins().fadd(log, correction);
        self.b.ins().fadd(positive, log)
    }

    fn binary(&mut self, op: Binary, x: Value, y: Value, ty: Type) -> Value {
        match op {
            Binary::Add => self.b.ins().fadd(x, y),
            Binary::Sub => self.b.ins().fsub(x, y),
            Binary::Mul => self.b.ins().fmul(x, y),
            Binary::Div => self.b.ins().fdiv(x, y),
            Binary::Max => self.b.ins().fmax(x, y),
            Binary::Min => self.b.ins().fmin(x, y),
            Binary::Less => self.truth(FloatCC::LessThan, x, y, ty),
            Binary::LessEqual => self.truth(FloatCC::LessThanOrEqual, x, y, ty),
            Binary::Equal => self.truth(FloatCC::Equal, x, y, ty),
            Binary::Pow => {
                let math = self.math(ty);
                math.pow(&mut self.b, x, y)
            }
        }
    }

    /// 1 where the comparison holds, else 0.
    fn truth(&mut self, condition: FloatCC, x: Value, y: Value, ty: Type) -> Value {
        let (one, zero) = (self.number(ty, 1.0), self.number(ty, 0.0));
        self.choose(condition, x, y, one, zero)
    }

    /// `a` where the comparison of `x` and `y` holds, else `b`.
    fn choose(&mut self, condition: FloatCC, x: Value, y: Value, a: Value, b: Value) -> Value {
        let holds = self.b.ins().fcmp(condition, x, y);
        let ty = self.b.func.dfg.value_type(a);
        if ty.is_vector() {
            let flags = MemFlagsData::new().with_endianness(Endianness::Little);
            let mask = self.b.ins().bitcast(ty, flags, holds);
            self.b.ins().bitselect(mask, a, b)
        } else {
            self.b.ins().select(holds, a, b)
        }
    }
}
