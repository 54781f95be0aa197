//! Code generation: each task of a plan becomes one function in Cranelift's IR, unless the runtime
//! has a wider kernel for it.
//!
//! Every function has the same signature, `(table, first, last, rows)`. `table` holds the base
//! address of each binding. A task over rows computes the rows `first..last`; where a place is
//! tiled, `first` is its row 0. A sum adds, over all `rows`, to the part `first..last` of its
//! extent. Extents of the cell are constants in the code; only rows vary.
//!
//! A function reads only what was complete before it was called, and writes nothing that it reads
//! but the elements of a sum. That is what makes `readonly` and `can_move` true of its loads.

mod map;
mod math;
mod matrix;
mod structural;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{
    AbiParam, Endianness, Function, InstBuilder, MemFlagsData, Signature, Type, UserFuncName,
    Value, types,
};
use cranelift_codegen::isa::{CallConv, OwnedTargetIsa};
use cranelift_codegen::settings::{self, Configurable};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use thiserror::Error;

use self::math::Math;
use crate::fuse::{Sum, resolve};
use crate::ir::eval::Precision;
use crate::ir::graph::ValueId;
use crate::plan::{BindingId, Place, Plan, Task};

/// Why there can be no code for a machine.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TargetError {
    /// Cranelift has no backend for it.
    #[error("there is no code generator for `{target}`: {reason}")]
    Unsupported {
        /// The machine.
        target: String,
        /// What Cranelift says.
        reason: String,
    },
}

/// The machine that code is for.
#[derive(Clone)]
pub struct Target {
    pub(crate) isa: OwnedTargetIsa,
    /// Whether it has fused multiply-add. Without, Cranelift's `fma` would call a function.
    fma: bool,
}

impl Target {
    /// The machine that this runs on, with all that it can do.
    ///
    /// # Errors
    /// If Cranelift has no backend for it.
    pub fn host() -> Result<Self, TargetError> {
        let fault = |reason: String| TargetError::Unsupported {
            target: target_lexicon::Triple::host().to_string(),
            reason,
        };
        let builder = cranelift_native::builder().map_err(|reason| fault(reason.into()))?;
        Self::new(builder).map_err(fault)
    }

    /// A machine by its target triple, with no more than every such machine can do.
    ///
    /// # Errors
    /// If Cranelift has no backend for it.
    pub fn named(triple: &str) -> Result<Self, TargetError> {
        let fault = |reason: String| TargetError::Unsupported { target: triple.to_owned(), reason };
        // Not `isa::lookup_by_name`, which panics at a triple that is none.
        let parsed =
            triple.parse::<target_lexicon::Triple>().map_err(|error| fault(error.to_string()))?;
        let builder =
            cranelift_codegen::isa::lookup(parsed).map_err(|error| fault(error.to_string()))?;
        Self::new(builder).map_err(fault)
    }

    fn new(builder: cranelift_codegen::isa::Builder) -> Result<Self, String> {
        let mut flags = settings::builder();
        for (name, value) in [
            ("opt_level", "speed"),
            ("use_colocated_libcalls", "false"),
            ("is_pic", "false"),
            ("enable_verifier", if cfg!(debug_assertions) { "true" } else { "false" }),
        ] {
            flags.set(name, value).map_err(|error| error.to_string())?;
        }
        let isa = builder.finish(settings::Flags::new(flags)).map_err(|e| e.to_string())?;
        let x86 = isa.triple().architecture == target_lexicon::Architecture::X86_64;
        let fma = !x86
            || isa
                .isa_flags()
                .iter()
                .any(|flag| flag.name == "has_fma" && flag.as_bool() == Some(true));
        Ok(Self { isa, fma })
    }

    fn pointer(&self) -> Type {
        self.isa.pointer_type()
    }

    /// The signature of every function.
    pub(crate) fn signature(&self) -> Signature {
        let mut signature = Signature::new(CallConv::triple_default(self.isa.triple()));
        signature.params.extend([AbiParam::new(self.pointer()); 4]);
        signature
    }
}

/// What a function is for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Job<'p> {
    /// A task over rows.
    Task(&'p Task),
    /// A sum over all rows.
    Sum(&'p Sum),
}

impl Job<'_> {
    /// Whether it is compiled, rather than done by a kernel of the runtime.
    pub(crate) fn is_compiled(self, plan: &Plan) -> bool {
        match self {
            Self::Task(Task::Wide(_) | Task::Product(_))
            | Self::Sum(Sum::Outer { .. } | Sum::Value { .. }) => !plan.machine().wide,
            Self::Task(Task::Map(_) | Task::Single(_) | Task::Copy { .. })
            | Self::Sum(Sum::Put { .. }) => true,
        }
    }

    /// It in a line.
    pub(crate) fn describe(self, plan: &Plan) -> String {
        match self {
            Self::Task(task) => plan.describe(task),
            Self::Sum(sum) => sum.to_string(),
        }
    }
}

/// Emits the function of a task or sum that [is compiled](Job::is_compiled).
pub(crate) fn emit(plan: &Plan, job: Job<'_>, precision: Precision, target: &Target) -> Function {
    let mut function = Function::with_name_signature(UserFuncName::default(), target.signature());
    let mut context = FunctionBuilderContext::new();
    let mut b = FunctionBuilder::new(&mut function, &mut context);
    let entry = b.create_block();
    b.append_block_params_for_function_params(entry);
    b.switch_to_block(entry);
    let [table, first, last, rows] = *b.block_params(entry) else {
        unreachable!("the signature has four parameters")
    };
    let real = Lanes::of(precision);
    let fma = target.fma;
    let pointer = target.pointer();
    let mut emitter = Emitter { b, plan, real, fma, pointer, table, first, last, rows };
    match job {
        Job::Task(Task::Map(map)) => emitter.map(map),
        Job::Task(Task::Product(product)) => emitter.product(product),
        Job::Task(Task::Single(id)) => emitter.single(*id),
        Job::Task(Task::Copy { from, to }) => emitter.copy_rows(*from, *to),
        Job::Task(Task::Wide(_)) => unreachable!("only a wide machine has such tasks"),
        Job::Sum(Sum::Outer { u, v, to }) => emitter.sum_outer(u[0], v[0], to[0]),
        Job::Sum(Sum::Put { index, entry, to }) => emitter.sum_put(*index, *entry, *to),
        Job::Sum(Sum::Value { value, to }) => emitter.sum_value(*value, *to),
    }
    emitter.b.ins().return_(&[]);
    emitter.b.seal_all_blocks();
    emitter.b.finalize(target.isa.frontend_config());
    function
}

/// How real numbers lie in registers.
#[derive(Clone, Copy)]
struct Lanes {
    /// One number.
    scalar: Type,
    /// A register full of numbers.
    vector: Type,
    /// How many numbers a register holds.
    count: usize,
    /// The size of a number.
    bytes: usize,
}

impl Lanes {
    fn of(precision: Precision) -> Self {
        let (scalar, vector, count) = match precision {
            Precision::F32 => (types::F32, types::F32X4, 4),
            Precision::F64 => (types::F64, types::F64X2, 2),
        };
        Self { scalar, vector, count, bytes: precision.bytes() }
    }
}

/// An address: a base and a constant number of elements from it.
#[derive(Clone, Copy)]
struct Address {
    base: Value,
    offset: usize,
}

/// A function under construction.
struct Emitter<'a> {
    b: FunctionBuilder<'a>,
    plan: &'a Plan,
    real: Lanes,
    fma: bool,
    pointer: Type,
    table: Value,
    first: Value,
    last: Value,
    rows: Value,
}

impl Emitter<'_> {
    /// Flags of a load of what this function does not write.
    fn readonly() -> MemFlagsData {
        MemFlagsData::new()
            .with_notrap()
            .with_can_move()
            .with_readonly()
            .with_endianness(Endianness::Little)
    }

    /// Flags of a store, or of a load of what this function writes.
    fn writable() -> MemFlagsData {
        MemFlagsData::new().with_notrap().with_endianness(Endianness::Little)
    }

    fn constant(&mut self, number: usize) -> Value {
        let number = i64::try_from(number).expect("extents fit in 63 bits");
        self.b.ins().iconst(self.pointer, number)
    }

    fn multiply(&mut self, value: Value, factor: usize) -> Value {
        let factor = i64::try_from(factor).expect("extents fit in 63 bits");
        self.b.ins().imul_imm_s(value, factor)
    }

    /// The base address of a binding.
    fn base(&mut self, binding: BindingId) -> Value {
        let offset = i32::try_from(binding.index() * self.pointer.bytes() as usize)
            .expect("the table is short");
        self.b.ins().load(self.pointer, Self::readonly(), self.table, offset)
    }

    /// Where a value lives.
    fn home(&self, id: ValueId) -> Place {
        self.plan.home(id).expect("what a task reads or writes is in memory")
    }

    /// The number of elements from one row of a value to the next.
    fn stride(&self, id: ValueId) -> usize {
        self.home(id).stride
    }

    fn size(&self, id: ValueId) -> usize {
        self.plan.graph().ty(id).size()
    }

    /// The address of a value of some row.
    fn row(&mut self, id: ValueId, row: Value) -> Value {
        // Indices are 32 bits wide; everything else is a real number.
        let real = self.plan.graph().ty(resolve(self.plan.graph(), id)).is_real();
        let bytes = if real { self.real.bytes } else { 4 };
        self.row_at(self.home(id), row, bytes)
    }

    /// The address of some row of a place.
    fn row_at(&mut self, place: Place, row: Value, bytes: usize) -> Value {
        let base = self.base(place.binding);
        let row = if place.tiled { self.b.ins().isub(row, self.first) } else { row };
        let address = self.element(base, row, place.stride * bytes);
        match i64::try_from(place.offset * bytes).expect("extents fit in 63 bits") {
            0 => address,
            offset => self.b.ins().iadd_imm_s(address, offset),
        }
    }

    /// `base + index * bytes`.
    fn element(&mut self, base: Value, index: Value, bytes: usize) -> Value {
        if bytes == 0 {
            return base;
        }
        let offset = self.multiply(index, bytes);
        self.b.ins().iadd(base, offset)
    }

    /// A constant number of elements further on.
    fn advance(&mut self, base: Value, elements: usize) -> Value {
        let bytes = i64::try_from(elements * self.real.bytes).expect("extents fit in 63 bits");
        self.b.ins().iadd_imm_s(base, bytes)
    }

    /// The address as a base and an offset that an instruction can hold.
    fn split(&mut self, at: Address) -> (Value, i32) {
        match i32::try_from(at.offset * self.real.bytes) {
            Ok(offset) => (at.base, offset),
            Err(_) => (self.advance(at.base, at.offset), 0),
        }
    }

    fn load(&mut self, ty: Type, base: Value, offset: usize) -> Value {
        let (base, offset) = self.split(Address { base, offset });
        self.b.ins().load(ty, Self::readonly(), base, offset)
    }

    /// One number in every lane.
    fn load_splat(&mut self, ty: Type, base: Value, offset: usize) -> Value {
        let number = self.load(self.real.scalar, base, offset);
        if ty == self.real.scalar { number } else { self.b.ins().splat(ty, number) }
    }

    fn store(&mut self, value: Value, base: Value, offset: usize) {
        let (base, offset) = self.split(Address { base, offset });
        self.b.ins().store(Self::writable(), value, base, offset);
    }

    /// This number in every lane.
    fn number(&mut self, ty: Type, number: f64) -> Value {
        let scalar = match self.real.scalar {
            #[allow(clippy::cast_possible_truncation, reason = "rounding is what is asked for")]
            types::F32 => self.b.ins().f32const(number as f32),
            _ => self.b.ins().f64const(number),
        };
        if ty == self.real.scalar { scalar } else { self.b.ins().splat(ty, scalar) }
    }

    /// `x * y + z`, in one rounding where the machine can. The result takes the register of `x`,
    /// which therefore best is a value that is not needed again.
    fn multiply_add(&mut self, x: Value, y: Value, z: Value) -> Value {
        if self.fma {
            return self.b.ins().fma(x, y, z);
        }
        let product = self.b.ins().fmul(x, y);
        self.b.ins().fadd(product, z)
    }

    fn math(&self, ty: Type) -> Math {
        Math::new(ty, self.fma)
    }

    /// The sum, or whatever `combine` makes, of all lanes.
    fn horizontal(
        &mut self,
        vector: Value,
        mut combine: impl FnMut(&mut Self, Value, Value) -> Value,
    ) -> Value {
        let mut lanes: Vec<Value> = (0..self.real.count)
            .map(|lane| self.b.ins().extractlane(vector, u8::try_from(lane).expect("few lanes")))
            .collect();
        // As a tree: (0, 2), (1, 3), and then their results.
        while lanes.len() > 1 {
            let upper = lanes.split_off(lanes.len() / 2);
            lanes = lanes.iter().zip(upper).map(|(&a, b)| combine(self, a, b)).collect();
        }
        lanes[0]
    }

    /// `for i in start..end, by step`, carrying values. `step` must be positive.
    fn for_each(
        &mut self,
        start: Value,
        end: Value,
        step: usize,
        carried: &[Value],
        body: impl FnOnce(&mut Self, Value, &[Value]) -> Vec<Value>,
    ) -> Vec<Value> {
        let [inside, outside] = [self.b.create_block(), self.b.create_block()];
        let i = self.b.append_block_param(inside, self.pointer);
        let mut results = Vec::new();
        let mut inner = Vec::new();
        for &value in carried {
            let ty = self.b.func.dfg.value_type(value);
            inner.push(self.b.append_block_param(inside, ty));
            results.push(self.b.append_block_param(outside, ty));
        }
        let args = |values: &[Value]| -> Vec<_> { values.iter().map(|&v| v.into()).collect() };
        let enter = self.b.ins().icmp(IntCC::SignedLessThan, start, end);
        let initial: Vec<Value> = std::iter::once(start).chain(carried.iter().copied()).collect();
        self.b.ins().brif(enter, inside, &args(&initial), outside, &args(carried));
        self.b.switch_to_block(inside);
        let next = body(self, i, &inner);
        let step = i64::try_from(step).expect("extents fit in 63 bits");
        let after = self.b.ins().iadd_imm_s(i, step);
        let again = self.b.ins().icmp(IntCC::SignedLessThan, after, end);
        let looped: Vec<Value> = std::iter::once(after).chain(next.iter().copied()).collect();
        self.b.ins().brif(again, inside, &args(&looped), outside, &args(&next));
        self.b.switch_to_block(outside);
        results
    }

    /// The same for a number of steps that is known: a single one is no loop.
    fn for_count(
        &mut self,
        count: usize,
        step: usize,
        carried: &[Value],
        body: impl FnOnce(&mut Self, Value, &[Value]) -> Vec<Value>,
    ) -> Vec<Value> {
        let start = self.constant(0);
        match count.div_ceil(step) {
            0 => carried.to_vec(),
            1 => body(self, start, carried),
            _ => {
                let end = self.constant(count);
                self.for_each(start, end, step, carried, body)
            }
        }
    }

    /// Does `body` for each row of the task.
    fn for_rows(&mut self, body: impl FnOnce(&mut Self, Value)) {
        self.for_each(self.first, self.last, 1, &[], |e, row, _| {
            body(e, row);
            Vec::new()
        });
    }

    /// Does `body` for `size` elements, a register at a time: it is given the number of the first
    /// element and the type to compute in. What is left after the last full register is done as one
    /// more full register that ends with the last element, so `body` may be given an element twice.
    fn for_elements(&mut self, size: usize, mut body: impl FnMut(&mut Self, Value, Type)) {
        let lanes = self.real.count;
        if size < lanes {
            let scalar = self.real.scalar;
            self.for_count(size, 1, &[], |e, i, _| {
                body(e, i, scalar);
                Vec::new()
            });
            return;
        }
        let vector = self.real.vector;
        self.for_count(size, lanes, &[], |e, i, _| {
            let mut i = i;
            if !size.is_multiple_of(lanes) {
                let last = e.constant(size - lanes);
                i = e.b.ins().umin(i, last);
            }
            body(e, i, vector);
            Vec::new()
        });
    }
}
