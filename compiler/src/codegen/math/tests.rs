//! The emitted functions, compiled and run, against references of higher precision.

mod wide;

use self::wide::{Wide, scale};
use super::Math;
use cranelift_codegen::Context;
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{
    AbiParam, BlockArg, Function, InstBuilder, MemFlagsData, Signature, Type, Value, types,
};
use cranelift_codegen::isa::{self, OwnedTargetIsa, TargetIsa};
use cranelift_codegen::settings::{self, Configurable};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{Linkage, Module, default_libcall_names};

const FUNCTIONS: [Op; 17] = [
    Op::Exp,
    Op::Log,
    Op::Sigmoid,
    Op::Tanh,
    Op::Expm1,
    Op::Log1p,
    Op::Sin,
    Op::Cos,
    Op::Erf,
    Op::Floor,
    Op::Pow(2.5),
    Op::Pow(-0.5),
    Op::Pow(1.0 / 3.0),
    Op::Pow(3.0),
    Op::Pow(-7.0),
    Op::Pow(101.25),
    Op::Pow(-1e4),
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Op {
    Exp,
    Log,
    Sigmoid,
    Tanh,
    Expm1,
    Log1p,
    Sin,
    Cos,
    Erf,
    Floor,
    /// The power of this exponent.
    Pow(f64),
}

impl Op {
    fn emit(self, math: Math, b: &mut FunctionBuilder<'_>, x: Value) -> Value {
        match self {
            Self::Exp => math.exp(b, x),
            Self::Log => math.log(b, x),
            Self::Sigmoid => math.sigmoid(b, x),
            Self::Tanh => math.tanh(b, x),
            Self::Expm1 => math.expm1(b, x),
            Self::Log1p => math.log1p(b, x),
            Self::Sin => math.sin(b, x),
            Self::Cos => math.cos(b, x),
            Self::Erf => math.erf(b, x),
            Self::Floor => math.floor(b, x),
            Self::Pow(exponent) => {
                let exponent = math.constant(b, exponent);
                math.pow(b, x, exponent)
            }
        }
    }
}

/// Compiles `fn(input, output, bytes)`: the function of each element, by vectors or one at a time.
fn loop_over(function: &mut Function, isa: &dyn TargetIsa, op: Op, ty: Type) {
    let mut context = FunctionBuilderContext::new();
    let mut b = FunctionBuilder::new(function, &mut context);
    let [entry, body, exit] = [(); 3].map(|()| b.create_block());
    b.append_block_params_for_function_params(entry);
    b.switch_to_block(entry);
    let &[input, output, bytes] = b.block_params(entry) else { unreachable!() };
    let start = b.ins().iconst(types::I64, 0);
    b.ins().jump(body, &[BlockArg::Value(start)]);

    let offset = b.append_block_param(body, types::I64);
    b.switch_to_block(body);
    let flags = MemFlagsData::new().with_notrap();
    let from = b.ins().iadd(input, offset);
    let x = b.ins().load(ty, flags, from, 0);
    let y = op.emit(Math::new(ty, has_fma(isa)), &mut b, x);
    let to = b.ins().iadd(output, offset);
    b.ins().store(flags, y, to, 0);
    let next = b.ins().iadd_imm_u(offset, i64::from(ty.bytes()));
    let more = b.ins().icmp(IntCC::UnsignedLessThan, next, bytes);
    b.ins().brif(more, body, &[BlockArg::Value(next)], exit, &[]);

    b.switch_to_block(exit);
    b.ins().return_(&[]);
    b.seal_all_blocks();
    b.finalize(isa.frontend_config());
}

fn flags() -> settings::Flags {
    let mut flags = settings::builder();
    flags.set("opt_level", "speed").unwrap();
    settings::Flags::new(flags)
}

/// This machine, with all its extensions or with those that every such machine has.
fn host(native: bool) -> OwnedTargetIsa {
    cranelift_native::builder_with_options(native).unwrap().finish(flags()).unwrap()
}

fn has_fma(isa: &dyn TargetIsa) -> bool {
    isa.name() != "x64"
        || isa.isa_flags().iter().any(|flag| flag.name == "has_fma" && flag.as_bool() == Some(true))
}

/// A loop in native code over elements of type `T`.
struct Kernel<T> {
    run: unsafe extern "C" fn(*const T, *mut T, usize),
    /// Owns the code.
    _module: JITModule,
}

impl<T: Float> Kernel<T> {
    fn new(op: Op, ty: Type, native: bool) -> Self {
        let isa = host(native);
        let mut module = JITModule::new(JITBuilder::with_isa(isa, default_libcall_names()));
        let mut context = module.make_context();
        context.func.signature.params = vec![AbiParam::new(types::I64); 3];
        loop_over(&mut context.func, module.isa(), op, ty);
        let id = module.declare_function("f", Linkage::Local, &context.func.signature).unwrap();
        module.define_function(id, &mut context).unwrap();
        module.finalize_definitions().unwrap();
        let code = module.get_finalized_function(id);
        // SAFETY: the signature is the one declared above, with the calling convention of the host.
        #[allow(unsafe_code)]
        let run = unsafe {
            std::mem::transmute::<*const u8, unsafe extern "C" fn(*const T, *mut T, usize)>(code)
        };
        Self { run, _module: module }
    }

    /// Whatever `xs` lacks to a full vector is filled up.
    fn map(&self, xs: &[T]) -> Vec<T> {
        let mut input = xs.to_vec();
        input.resize(xs.len().next_multiple_of(4), T::from_f64(1.0));
        let mut output = input.clone();
        // SAFETY: both hold as many elements as are announced, a multiple of the widest vector,
        // and the module that owns the code is alive.
        #[allow(unsafe_code)]
        unsafe {
            (self.run)(input.as_ptr(), output.as_mut_ptr(), size_of_val(&input[..]));
        }
        output.truncate(xs.len());
        output
    }
}

trait Float: Copy + PartialEq + std::fmt::Debug + 'static {
    const SCALAR: Type;
    const VECTOR: Type;
    /// Bits of the stored mantissa, and the least exponent of a normal number.
    const FORMAT: (i32, i32);
    /// The bound on every error, in units in the last place of the exact result, on hosts with
    /// FMA. The second is for hosts without.
    const BOUNDS: [f64; 2];

    fn from_f64(x: f64) -> Self;
    fn bits(self) -> u64;
    fn to_f64(self) -> f64;
    fn reference(self, op: Op) -> Wide;

    /// The distance from the reference, in units in the last place of the reference.
    fn error(self, reference: Wide) -> f64 {
        let (mantissa, least) = Self::FORMAT;
        let Wide { high, low, exponent } = reference;
        let y = self.to_f64();
        if self == Self::from_f64(scale(high, exponent)) && (y == 0.0 || y.is_infinite()) {
            return 0.0;
        }
        if y.is_nan() {
            return f64::INFINITY;
        }
        let magnitude = (high.to_bits() >> 52 & 0x7ff) as i32 - 1023;
        let ulp = (magnitude + exponent).max(least) - mantissa - exponent;
        scale((scale(y, -exponent) - high) - low, -ulp).abs()
    }
}

impl Float for f32 {
    const SCALAR: Type = types::F32;
    const VECTOR: Type = types::F32X4;
    const FORMAT: (i32, i32) = (23, -126);
    const BOUNDS: [f64; 2] = [2.0, 2.0];

    fn from_f64(x: f64) -> Self {
        x as Self
    }
    fn bits(self) -> u64 {
        self.to_bits().into()
    }
    fn to_f64(self) -> f64 {
        self.into()
    }
    fn reference(self, op: Op) -> Wide {
        let x = f64::from(self);
        Wide::of(match op {
            Op::Exp => x.exp(),
            Op::Log => x.ln(),
            Op::Sigmoid => 1.0 / (1.0 + (-x).exp()),
            Op::Tanh => x.tanh(),
            Op::Expm1 => x.exp_m1(),
            Op::Log1p => x.ln_1p(),
            Op::Sin => x.sin(),
            Op::Cos => x.cos(),
            Op::Erf => libm::erf(x),
            Op::Floor => x.floor(),
            Op::Pow(exponent) => x.powf((exponent as Self).into()),
        })
    }
}

impl Float for f64 {
    const SCALAR: Type = types::F64;
    const VECTOR: Type = types::F64X2;
    const FORMAT: (i32, i32) = (52, -1022);
    const BOUNDS: [f64; 2] = [2.0, 2.0];

    fn from_f64(x: f64) -> Self {
        x
    }
    fn bits(self) -> u64 {
        self.to_bits()
    }
    fn to_f64(self) -> f64 {
        self
    }
    fn reference(self, op: Op) -> Wide {
        match op {
            Op::Exp => Wide::exp(Wide::of(self)),
            Op::Log => Wide::log(self),
            Op::Sigmoid => Wide::sigmoid(self),
            Op::Tanh => Wide::tanh(self),
            Op::Expm1 => Wide::expm1(self),
            Op::Log1p => Wide::log1p(self),
            Op::Sin => Wide::sine(self, 0),
            Op::Cos => Wide::sine(self, 1),
            Op::Erf => Wide::erf(self),
            Op::Floor => Wide::of(self.floor()),
            Op::Pow(exponent) => Wide::pow(self, exponent),
        }
    }
}

/// The largest error over some elements, and where.
fn worst<T: Float>(op: Op, kernel: &Kernel<T>, xs: &[T]) -> (f64, T, T) {
    let mut worst = (0.0, xs[0], xs[0]);
    for (&x, y) in xs.iter().zip(kernel.map(xs)) {
        let error = y.error(x.reference(op));
        if error > worst.0 {
            worst = (error, x, y);
        }
    }
    worst
}

/// Whether the function has a value of its own at `x`: the rest is for [`special_values`].
fn regular(op: Op, x: f64) -> bool {
    match op {
        Op::Exp => x.abs() < 800.0,
        Op::Log => x > 0.0 && x < f64::INFINITY,
        Op::Sigmoid | Op::Tanh | Op::Expm1 | Op::Erf => x.abs() < 1e300 && x.abs() > 0.0,
        Op::Log1p => x > -1.0 && x < f64::INFINITY,
        // As far as the reduction of the argument reaches; there are more of them below.
        Op::Sin | Op::Cos => x.abs() < 1e6 && x.abs() > 0.0,
        Op::Floor => x.abs() < f64::INFINITY && x.abs() >= 1.0,
        Op::Pow(exponent) => {
            x.abs() < f64::INFINITY && (x > 0.0 || x < 0.0 && exponent.fract() == 0.0)
        }
    }
}

/// Pseudo-random integers: the output function of SplitMix64 (Steele et al. 2014).
fn random(count: u64) -> impl Iterator<Item = u64> {
    (1..=count).map(|i| {
        let z = i.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    })
}

/// Checks the bound for a function on this machine, with and without its extensions.
fn check<T: Float>(op: Op, xs: &[T]) {
    let xs: Vec<T> = xs.iter().copied().filter(|x| regular(op, x.to_f64())).collect();
    check_all(op, &xs);
}

fn check_all<T: Float>(op: Op, xs: &[T]) {
    for (native, bound) in [true, false].into_iter().zip(T::BOUNDS) {
        let (error, x, y) = worst(op, &Kernel::new(op, T::VECTOR, native), xs);
        assert!(error <= bound, "{op:?}({x:?}) = {y:?}: off by {error:.3} ulp, native: {native}");
    }
}

/// Doubles of every magnitude, and more of them where the functions are not trivial.
fn doubles(count: u64) -> Vec<f64> {
    let uniform =
        |width: f64| random(count).map(move |z| (z as f64 * 2f64.powi(-64) - 0.5) * width);
    let patterns = random(count).map(f64::from_bits);
    patterns.chain(uniform(1500.0)).chain(uniform(40.0)).chain(uniform(4.0)).collect()
}

#[test]
fn singles_are_within_the_bound() {
    let xs: Vec<f32> = (0..=u32::MAX).step_by(997).map(f32::from_bits).collect();
    FUNCTIONS.iter().for_each(|&op| check(op, &xs));
}

#[test]
#[ignore = "every single there is: some minutes per function"]
fn all_singles_are_within_the_bound() {
    for top in 0..1 << 12 {
        let xs: Vec<f32> = (0..1 << 20).map(|low| f32::from_bits(top << 20 | low)).collect();
        FUNCTIONS.iter().for_each(|&op| check(op, &xs));
    }
}

#[test]
fn doubles_are_within_the_bound() {
    let xs = doubles(20_000);
    FUNCTIONS.iter().for_each(|&op| check(op, &xs));
}

/// The further from 0 an angle is, and the nearer to a quarter turn, the more of pi/2 it takes.
#[test]
fn large_angles_are_within_the_bound() {
    let quarter = std::f64::consts::FRAC_PI_2;
    let turns = |count: u64, below: u64| random(count).map(move |z| (z % below) as f64 * quarter);
    let uniform =
        |width: f64| random(100_000).map(move |z| (z as f64 * 2f64.powi(-64) - 0.5) * width);
    let singles: Vec<f32> = turns(300_000, 600_000)
        .chain(uniform(2e6))
        .map(|x| x as f32)
        .filter(|x| *x != 0.0)
        .collect();
    let doubles: Vec<f64> = turns(100_000, 600_000_000)
        .chain(turns(10_000, 1000))
        .chain(uniform(2e9))
        .filter(|x| *x != 0.0)
        .collect();
    for op in [Op::Sin, Op::Cos] {
        check_all(op, &singles);
        check_all(op, &doubles);
        // Beyond, there is some number that a sine may be.
        for y in Kernel::new(op, types::F64X2, true).map(&[1e10, -1e15, 1e18, 1e100, -1e308]) {
            assert!((-1.0..=1.0).contains(&y), "{op:?}: {y}");
        }
        for y in Kernel::new(op, types::F32X4, true).map(&[1e7, -1e9, 1e18, 3e38]) {
            assert!((-1.0..=1.0).contains(&y), "{op:?}: {y}");
        }
    }
}

/// The specials, the ends of the range of each function, and signed zeros. A NaN stands for any.
#[test]
fn special_values() {
    fn check<T: Float>(op: Op, cases: &[(f64, f64)]) {
        let (xs, ys): (Vec<f64>, Vec<f64>) = cases.iter().copied().unzip();
        let xs: Vec<T> = xs.into_iter().map(T::from_f64).collect();
        for (ty, native) in [(T::SCALAR, true), (T::VECTOR, true), (T::VECTOR, false)] {
            for ((x, y), result) in xs.iter().zip(&ys).zip(Kernel::new(op, ty, native).map(&xs)) {
                let same = T::from_f64(*y).bits() == result.bits();
                let both_nan = y.is_nan() && result.to_f64().is_nan();
                assert!(same || both_nan, "{op:?}({x:?}) = {result:?}, not {y:?}, in {ty}");
            }
        }
    }
    const INF: f64 = f64::INFINITY;
    const NAN: f64 = f64::NAN;
    const TINY: f64 = f32::MIN_POSITIVE as f64 / 4096.0;
    let exp = [(0.0, 1.0), (-0.0, 1.0), (INF, INF), (-INF, 0.0), (NAN, NAN), (1e-30, 1.0)];
    let log = [(1.0, 0.0), (0.0, -INF), (-0.0, -INF), (-1.0, NAN), (-INF, NAN), (INF, INF)];
    let sigmoid = [(0.0, 0.5), (-0.0, 0.5), (INF, 1.0), (-INF, 0.0), (NAN, NAN), (50.0, 1.0)];
    let tanh = [(0.0, 0.0), (-0.0, -0.0), (INF, 1.0), (-INF, -1.0), (NAN, NAN), (TINY, TINY)];
    let expm1 = [(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -1.0), (NAN, NAN), (TINY, TINY)];
    let log1p = [(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-1.0, -INF), (-1.5, NAN), (TINY, TINY)];
    let sin = [(0.0, 0.0), (-0.0, -0.0), (INF, NAN), (-INF, NAN), (NAN, NAN), (TINY, TINY)];
    let cos = [(0.0, 1.0), (-0.0, 1.0), (INF, NAN), (-INF, NAN), (NAN, NAN), (TINY, 1.0)];
    let erf = [(0.0, 0.0), (-0.0, -0.0), (INF, 1.0), (-INF, -1.0), (NAN, NAN), (7.0, 1.0)];
    let floor = [(-0.0, -0.0), (0.5, 0.0), (-0.5, -1.0), (-INF, -INF), (NAN, NAN), (1e30, 1e30)];
    let root = [(0.0, 0.0), (-0.0, 0.0), (INF, INF), (-INF, INF), (-1.0, NAN), (1.0, 1.0)];
    let cube = [(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -INF), (-1.0, -1.0), (NAN, NAN)];
    let fall = [(0.0, INF), (-0.0, -INF), (INF, 0.0), (-INF, -0.0), (-1.0, -1.0), (NAN, NAN)];
    let none = [(0.0, 1.0), (-0.0, 1.0), (INF, 1.0), (-INF, 1.0), (-1.0, 1.0), (NAN, 1.0)];
    let most = [(0.0, 0.0), (-0.5, 0.0), (1.0, 1.0), (-1.0, 1.0), (-2.0, INF), (NAN, NAN)];
    let unknown = [(0.0, NAN), (1.0, 1.0), (-1.0, NAN), (2.0, NAN), (INF, NAN), (NAN, NAN)];
    for (op, cases) in [
        (Op::Exp, exp),
        (Op::Log, log),
        (Op::Sigmoid, sigmoid),
        (Op::Tanh, tanh),
        (Op::Expm1, expm1),
        (Op::Log1p, log1p),
        (Op::Sin, sin),
        (Op::Cos, cos),
        (Op::Erf, erf),
        (Op::Floor, floor),
        (Op::Pow(0.5), root),
        (Op::Pow(3.0), cube),
        (Op::Pow(-3.0), fall),
        (Op::Pow(0.0), none),
        (Op::Pow(INF), most),
        (Op::Pow(NAN), unknown),
    ] {
        check::<f32>(op, &cases);
        check::<f64>(op, &cases);
    }
    check::<f32>(Op::Log, &[(NAN, NAN), (2f64.powi(-149), -103.278_929_903_431_85)]);
    check::<f64>(Op::Log, &[(NAN, NAN), (5e-324, -744.440_071_921_381_2)]);
    let denormal = (-100.0, 3.783_505_853_677_006e-44);
    check::<f32>(Op::Exp, &[(88.8, INF), (1e38, INF), (-104.0, 0.0), (-1e38, 0.0), denormal]);
    check::<f32>(Op::Sigmoid, &[(1e38, 1.0), (-1e38, 0.0), (-104.0, 0.0), denormal]);
    check::<f64>(Op::Exp, &[(709.8, INF), (1e308, INF), (-745.2, 0.0), (-745.0, 5e-324)]);
    check::<f64>(Op::Sigmoid, &[(-745.2, 0.0), (-745.0, 5e-324), (-1e308, 0.0)]);
    check::<f32>(Op::Tanh, &[(1e-30, 1e-30), (-1e-5, -1e-5), (9.1, 1.0), (-1e38, -1.0)]);
    check::<f64>(Op::Tanh, &[(1e-30, 1e-30), (-5e-324, -5e-324), (19.1, 1.0), (-1e308, -1.0)]);
}

#[test]
fn scalars_equal_lanes() {
    fn check<T: Float>(xs: &[T]) {
        for (op, native) in FUNCTIONS.into_iter().flat_map(|op| [(op, true), (op, false)]) {
            let [scalars, lanes] =
                [T::SCALAR, T::VECTOR].map(|ty| Kernel::new(op, ty, native).map(xs));
            for ((x, scalar), lane) in xs.iter().zip(scalars).zip(lanes) {
                let both_nan = scalar.to_f64().is_nan() && lane.to_f64().is_nan();
                let same = scalar.bits() == lane.bits() || both_nan;
                assert!(same, "{op:?}({x:?}) is {scalar:?} or {lane:?}, native: {native}");
            }
        }
    }
    check(&random(100_000).map(|z| f32::from_bits(z as u32)).collect::<Vec<f32>>());
    check(&doubles(50_000).iter().map(|&x| x as f32).collect::<Vec<f32>>());
    check(&doubles(50_000));
}

/// Without FMA the host would call a library for CLIF's `fma`.
#[test]
fn nothing_is_called() {
    let aarch64 = isa::lookup_by_name("aarch64-unknown-linux-gnu").unwrap().finish(flags());
    for isa in [host(true), host(false), aarch64.unwrap()] {
        for (op, ty) in FUNCTIONS
            .into_iter()
            .flat_map(|op| [types::F32, types::F32X4, types::F64, types::F64X2].map(|ty| (op, ty)))
        {
            let mut context = Context::new();
            context.func.signature = Signature::new(isa.default_call_conv());
            context.func.signature.params = vec![AbiParam::new(types::I64); 3];
            loop_over(&mut context.func, &*isa, op, ty);
            let code = context.compile(&*isa, &mut ControlPlane::default()).unwrap();
            assert!(code.buffer.relocs().is_empty(), "{op:?} calls in {ty} for {}", isa.name());
        }
    }
}
