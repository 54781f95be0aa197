//! The transcendental functions as CLIF: exp, log, sigmoid and tanh here, others in `math/`.
//!
//! CLIF has no transcendental functions, and a call per element would cost more than the function
//! itself, so they are emitted inline: straight-line code without branches, calls, or conversions
//! between float and integer. One description serves `F32`, `F32X4`, `F64` and `F64X2`. The scalar
//! code performs the same IEEE operations as the vector code, so an element's result does not
//! depend on whether it was computed in a vector or in a tail; only hosts with and without FMA
//! differ.
//!
//! The exponentials share one argument reduction (Cody and Waite 1980): `x = n ln 2 + r` with an
//! integer `n` and `|r| <= ln 2 / 2`, whence `e^x = 2^n (1 + expm1(r))`. `log` is the classical
//! `m 2^k` decomposition with the series of `2 atanh(f / (2 + f))` (Tang 1990, and fdlibm).
//!
//! The largest errors found, in ulp, results in the denormal range included (`f32`: all inputs;
//! `f64`: millions of random ones), with FMA / without:
//!
//! |       | exp         | log         | sigmoid     | tanh        |
//! |-------|-------------|-------------|-------------|-------------|
//! | `f32` | 0.92 / 1.19 | 0.83 / 0.84 | 1.65 / 1.98 | 1.86 / 2.05 |
//! | `f64` | 0.89 / 1.16 | 0.80 / 0.80 | 1.67 / 1.85 | 2.19 / 2.22 |
//!
//! The same for the functions in `math/` (`f32`: every 997th input; `f64`: tens of thousands of random
//! ones of every magnitude; `sin` and `cos`: angles up to 1e6 and 1e9, also next to quarter turns):
//!
//! |       | expm1       | log1p       | sin, cos    | erf         | pow         |
//! |-------|-------------|-------------|-------------|-------------|-------------|
//! | `f32` | 1.56 / 1.63 | 1.44 / 1.44 | 1.50 / 1.50 | 0.94 / 1.15 | 0.51 / 0.51 |
//! | `f64` | 1.47 / 1.39 | 1.15 / 1.15 | 1.45 / 1.46 | 0.86 / 1.16 | 1.03 / 1.24 |

mod erf;
mod near_zero;
mod power;
mod trigonometric;
mod widen;

use cranelift_codegen::ir::condcodes::FloatCC;
use cranelift_codegen::ir::{
    ConstantData, Endianness, InstBuilder, MemFlagsData, Type, Value, types,
};
use cranelift_frontend::FunctionBuilder;
use std::f64::consts::{FRAC_1_SQRT_2, LOG2_E};

/// The parameters of one IEEE 754 precision. Those of `f32` are held as `f64`, exactly.
struct Precision {
    /// Bits of the stored mantissa.
    mantissa: u8,
    /// Bias of the exponent.
    bias: u64,
    /// `ln 2` in two parts. The first has so few bits that its product with any `n` is exact.
    ln_2: [f64; 2],
    /// Below the first `exp` rounds to zero, above the second it overflows.
    exp_range: [f64; 2],
    /// From here on `sigmoid(x)` and `tanh(x / 2)` round to 1.
    saturation: f64,
    /// `(expm1(r) - r) / r^2`, lowest power first.
    expm1: &'static [f64],
    /// `(2 atanh(s) - 2 s) / s^3` in powers of `s^2`, lowest first.
    atanh: &'static [f64],
    /// `(sin(r) - r) / r^3` in powers of `r^2`, lowest first.
    sin: &'static [f64],
    /// `(cos(r) - 1 + r^2 / 2) / r^4` in powers of `r^2`, lowest first.
    cos: &'static [f64],
    /// `erf(x) / x - 1` in powers of `x^2`, lowest first, for `|x| < 1`.
    erf: &'static [f64],
    /// `log(erfc(1 + t))`, lowest power first.
    log_erfc: &'static [f64],
    /// From here on `erf(x)` rounds to 1.
    erf_saturation: f64,
}

// The polynomials are minimax fits of the relative error (Lawson's weighted least squares), over
// |r| <= ln 2 / 2 or over s between -+(sqrt 2 - 1) / (sqrt 2 + 1). Each coefficient was rounded to
// the precision in turn, and the remaining ones fitted anew.

static F32: Precision = Precision {
    mantissa: 23,
    bias: 127,
    ln_2: [0.693_359_375, -0.000_212_194_441_701_285_54],
    exp_range: [-104.0, 89.0],
    saturation: 20.0,
    // Error 1.4e-8 relative to expm1.
    expm1: &[
        0.499_999_970_197_677_6,
        0.166_665_464_639_663_7,
        0.041_667_435_318_231_58,
        0.008_366_258_814_930_916,
        0.001_387_065_974_995_493_9,
    ],
    // Error 8.1e-10 relative to log.
    atanh: &[0.666_667_759_418_487_5, 0.399_775_743_484_497_07, 0.298_712_342_977_523_8],
    // Errors 4.0e-9 relative to sin and 1.2e-10 relative to cos.
    sin: &[-0.166_666_552_424_430_85, 0.008_332_190_103_828_907, -0.000_195_184_533_367_864_8],
    cos: &[0.041_666_645_556_688_31, -0.001_388_731_063_343_584_5, 2.443_256_562_401_075e-5],
    // Errors 1.5e-9 and 9.4e-9 relative to erf.
    erf: &[
        0.128_379_166_126_251_22,
        -0.376_126_259_565_353_4,
        0.112_835_794_687_271_12,
        -0.026_853_451_505_303_383,
        0.005_187_524_016_946_554,
        -0.000_800_253_765_191_882_8,
        7.827_387_889_847_16e-5,
    ],
    log_erfc: &[
        -1.849_605_560_302_734_4,
        -2.638_961_315_155_029_3,
        -0.843_223_929_405_212_4,
        -0.040_778_502_821_922_3,
        0.007_606_518_920_511_007,
        0.001_890_770_392_492_413_5,
        -0.003_001_680_364_832_282,
        0.001_358_799_869_194_626_8,
        -0.000_225_397_059_693_932_53,
    ],
    erf_saturation: 4.0,
};

static F64: Precision = Precision {
    mantissa: 52,
    bias: 1023,
    ln_2: [0.693_147_180_369_123_8, 1.908_214_929_270_587_7e-10],
    exp_range: [-746.0, 710.0],
    saturation: 40.0,
    // Error 1.9e-17 relative to expm1.
    expm1: &[
        0.500_000_000_000_000_6,
        0.166_666_666_666_666_2,
        0.041_666_666_666_573_99,
        0.008_333_333_333_368_706,
        0.001_388_888_893_224_195,
        0.000_198_412_697_645_630_15,
        2.480_150_460_097_457_6e-05,
        2.755_736_657_960_972_5e-06,
        2.762_627_167_910_784e-07,
        2.506_681_143_280_013_5e-08,
    ],
    // Error 1.3e-18 relative to log.
    atanh: &[
        0.666_666_666_666_673_4,
        0.399_999_999_994_162_14,
        0.285_714_287_422_321_4,
        0.222_221_985_734_696_81,
        0.181_835_650_039_719_27,
        0.153_140_176_709_09,
        0.147_964_182_353_454_5,
    ],
    // Errors 3.8e-18 relative to sin and 6.0e-20 relative to cos.
    sin: &[
        -0.166_666_666_666_666_3,
        0.008_333_333_333_321_931,
        -0.000_198_412_698_294_734_56,
        2.755_731_358_854_949_5e-6,
        -2.505_074_340_912_693e-8,
        1.589_601_050_895_944_8e-10,
    ],
    cos: &[
        0.041_666_666_666_666_595,
        -0.001_388_888_888_887_341_1,
        2.480_158_728_907_022e-5,
        -2.755_731_424_099_157_6e-7,
        2.087_570_900_235_278e-9,
        -1.135_894_681_984_713_5e-11,
    ],
    // Errors 1.4e-17 and 1.7e-19 relative to erf.
    erf: &[
        0.128_379_167_095_512_56,
        -0.376_126_389_031_833_65,
        0.112_837_916_709_382_79,
        -0.026_866_170_642_218_09,
        0.005_223_977_599_141_221,
        -0.000_854_832_560_975_225,
        0.000_120_552_844_135_727_39,
        -1.492_454_298_859_614_3e-5,
        1.644_511_662_149_355_7e-6,
        -1.619_139_385_969_265_8e-7,
        1.364_845_138_086_774_3e-8,
        -7.666_167_934_906_443e-10,
    ],
    log_erfc: &[
        -1.849_605_509_933_248_2,
        -2.638_967_514_234_791,
        -0.843_107_256_358_512_7,
        -0.041_561_098_045_811_3,
        0.010_033_825_424_725_322,
        -0.001_977_902_944_580_831,
        0.000_237_324_311_538_740_4,
        2.627_177_314_964_562_3e-5,
        -2.714_461_179_614_282_3e-5,
        9.583_695_064_453_555e-6,
        -2.027_162_179_475_051_6e-6,
        1.111_418_862_363_411e-7,
        1.208_770_481_586_583_2e-7,
        -6.497_287_222_471_193e-8,
        2.027_287_610_398_295_5e-8,
        -4.495_665_791_360_024e-9,
        7.213_254_411_498_349e-10,
        -8.014_059_888_242_57e-11,
        5.524_268_592_461_013e-12,
        -1.777_794_820_117_169_8e-13,
    ],
    erf_saturation: 6.0,
};

/// Emits the transcendental functions for one type.
///
/// ```ignore
/// let math = Math::new(types::F32X4, has_fma);
/// let y = math.sigmoid(&mut builder, x);
/// ```
#[derive(Clone, Copy)]
pub(crate) struct Math {
    ty: Type,
    fma: bool,
    precision: &'static Precision,
}

impl Math {
    /// Functions over values of type `ty`: a scalar or a vector of `F32` or `F64`.
    ///
    /// `fma` says whether the host has a fused multiply-add. Without one CLIF's `fma` would be a
    /// library call, and a multiplication and an addition take its place.
    pub(crate) fn new(ty: Type, fma: bool) -> Self {
        let precision = match ty.lane_type() {
            types::F32 => &F32,
            types::F64 => &F64,
            other => unreachable!("no transcendental functions over {other}"),
        };
        Self { ty, fma, precision }
    }

    /// `e^x`. Overflows to infinity, underflows gradually.
    pub(crate) fn exp(&self, b: &mut FunctionBuilder<'_>, x: Value) -> Value {
        self.exp_sum(b, x, None)
    }

    /// `e^(x + lost)`, with a `lost` that is far smaller than 1.
    fn exp_sum(&self, b: &mut FunctionBuilder<'_>, x: Value, lost: Option<Value>) -> Value {
        let p = self.precision;
        let [lowest, highest] = p.exp_range.map(|bound| self.constant(b, bound));
        let x = self.max(b, lowest, x);
        let x = self.min(b, highest, x);
        // From e^-104 to e^89 in f32, 2^n spans more exponents than a float has. It is applied as
        // two factors with half of n each, so that only the last multiplication rounds, and `n`
        // is biased twice, once for each factor.
        let (n, mut r) = self.reduce(b, x, 2 * p.bias);
        if let Some(lost) = lost {
            r = b.ins().fadd(r, lost);
        }
        let exp_r = self.exp_reduced(b, r);
        let both = self.shift_left(b, n, p.mantissa);
        let half = self.shift_left(b, n, p.mantissa - 1);
        let exponent_field = self.bits(b, !0 << p.mantissa);
        let half = b.ins().band(half, exponent_field);
        let rest = b.ins().isub(both, half);
        let [half, rest] = [half, rest].map(|bits| self.as_floats(b, bits));
        let y = b.ins().fmul(exp_r, half);
        b.ins().fmul(y, rest)
    }

    /// `1 / (1 + e^-x)`, with full relative accuracy in the tail towards 0.
    pub(crate) fn sigmoid(&self, b: &mut FunctionBuilder<'_>, x: Value) -> Value {
        let p = self.precision;
        // This is e / (1 + e) for e = e^x. The factor 2^k lifts e into the normal numbers. It can
        // be the same everywhere since e matters little beyond the saturation.
        let k = p.bias / 2;
        let [lowest, highest, unit] =
            [p.exp_range[0], p.saturation, exp2(k)].map(|c| self.constant(b, c));
        let x = self.max(b, lowest, x);
        let x = self.min(b, highest, x);
        let (n, r) = self.reduce(b, x, k);
        let exp_r = self.exp_reduced(b, r);
        let exp_r = self.as_integers(b, exp_r);
        let n = self.shift_left(b, n, p.mantissa);
        let e = b.ins().iadd(exp_r, n);
        let e = self.as_floats(b, e);
        let (lesser, quotient) = self.saturate(b, e, unit);
        let unscale = self.constant(b, exp2(k).recip());
        let lesser = b.ins().fmul(lesser, unscale);
        self.sub_mul(b, lesser, quotient)
    }

    /// The hyperbolic tangent, with full relative accuracy towards 0. Odd to the last bit.
    pub(crate) fn tanh(&self, b: &mut FunctionBuilder<'_>, x: Value) -> Value {
        let p = self.precision;
        // This is g / (1 + g) for g = expm1(2 |x|) / 2 = 2^(n-1) expm1(r) + (2^(n-1) - 1/2). For
        // small x the reduction finds n = 0 and leaves 2 |x| alone, so that g is accurate.
        let magnitude = b.ins().fabs(x);
        let [highest, one, half] = [p.saturation, 1.0, 0.5].map(|c| self.constant(b, c));
        let y = b.ins().fadd(magnitude, magnitude);
        let y = self.min(b, highest, y);
        let (n, r, lost) = self.reduce_exactly(b, y, p.bias - 1);
        // Just above ln 2 / 4, g is a small difference of larger terms: what the rounding of r
        // lost would cost half an ulp there.
        let expm1_r = self.expm1_reduced(b, r, lost);
        let power = self.shift_left(b, n, p.mantissa);
        let power = self.as_floats(b, power);
        let rest = b.ins().fsub(power, half);
        let g = self.mul_add(b, expm1_r, power, rest);
        let (lesser, quotient) = self.saturate(b, g, one);
        let y = self.sub_mul(b, lesser, quotient);
        let sign = b.ins().bxor(x, magnitude);
        b.ins().bor(y, sign)
    }

    /// The natural logarithm: minus infinity at zero, NaN below.
    pub(crate) fn log(&self, b: &mut FunctionBuilder<'_>, x: Value) -> Value {
        let (k, f) = self.decompose(b, x);
        let y = self.log_reduced(b, k, f);
        self.log_edges(b, x, y)
    }

    /// `log(2^k (1 + f))`, with `1 + f` between the square roots of 1/2 and 2.
    fn log_reduced(&self, b: &mut FunctionBuilder<'_>, k: Value, f: Value) -> Value {
        let p = self.precision;
        // log(1 + f) = 2 atanh(s) with s = f / (2 + f), written as f - (h - s (h + R)) where
        // h = f^2 / 2 and 2 s + s R is the series, so that the large term f is exact.
        let [two, half] = [2.0, 0.5].map(|c| self.constant(b, c));
        let sum = b.ins().fadd(f, two);
        let s = b.ins().fdiv(f, sum);
        let z = b.ins().fmul(s, s);
        let series = self.polynomial(b, z, p.atanh);
        let f2 = b.ins().fmul(f, f);
        let h = b.ins().fmul(f2, half);
        let inner = self.mul_add(b, series, z, h);
        let [high, low] = p.ln_2.map(|part| self.constant(b, part));
        let k_low = b.ins().fmul(k, low);
        let tail = self.mul_add(b, inner, s, k_low);
        let tail = b.ins().fsub(h, tail);
        let y = b.ins().fsub(f, tail);
        self.mul_add(b, k, high, y)
    }

    /// The logarithm `y` of `x`, or what it is where `x` is not positive and finite.
    fn log_edges(&self, b: &mut FunctionBuilder<'_>, x: Value, y: Value) -> Value {
        let [zero, infinity, minus_infinity, nan] =
            [0.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN].map(|c| self.constant(b, c));
        let finite = b.ins().fcmp(FloatCC::LessThan, x, infinity);
        let y = self.select(b, finite, y, x);
        let is_zero = b.ins().fcmp(FloatCC::Equal, x, zero);
        let outside = self.select(b, is_zero, minus_infinity, nan);
        let positive = b.ins().fcmp(FloatCC::GreaterThan, x, zero);
        self.select(b, positive, y, outside)
    }

    /// `x = 2^k (1 + f)` as `k` and `f`, with `1 + f` between the square roots of 1/2 and 2.
    fn decompose(&self, b: &mut FunctionBuilder<'_>, x: Value) -> (Value, Value) {
        let p = self.precision;
        // An integer below 2^mantissa becomes a float in the mantissa of 2^mantissa.
        let integers = exp2(p.mantissa.into());
        let bias = integers + p.bias as f64;

        // Denormal numbers are scaled to normal ones, and the bias makes up for it.
        let [smallest, up, bias_up, bias] =
            [exp2(p.bias - 1).recip(), integers, bias + f64::from(p.mantissa), bias]
                .map(|c| self.constant(b, c));
        let denormal = b.ins().fcmp(FloatCC::LessThan, x, smallest);
        let scaled = b.ins().fmul(x, up);
        let x = self.select(b, denormal, scaled, x);
        let bias = self.select(b, denormal, bias_up, bias);

        // The exponent steps at powers of two. Adding to the bits what is between sqrt(1/2) and 1
        // moves the step to sqrt(1/2).
        let sqrt_half = p.encode(FRAC_1_SQRT_2);
        let [distance, fraction, sqrt_half] =
            [(p.bias << p.mantissa) - sqrt_half, (1 << p.mantissa) - 1, sqrt_half]
                .map(|bits| self.bits(b, bits));
        let bits = self.as_integers(b, x);
        let bits = b.ins().iadd(bits, distance);
        let k = b.ins().ushr_imm_u(bits, i64::from(p.mantissa));
        let up = self.as_integers(b, up);
        let k = b.ins().bor(k, up);
        let k = self.as_floats(b, k);
        let k = b.ins().fsub(k, bias);
        let m = b.ins().band(bits, fraction);
        let m = b.ins().iadd(m, sqrt_half);
        let m = self.as_floats(b, m);
        let one = self.constant(b, 1.0);
        (k, b.ins().fsub(m, one))
    }

    /// For `g / (1 + g)`, which is `c - c c / (1 + g)` for the lesser `c` of `g` and 1: that
    /// `c`, and `c / (1 + g)`.
    ///
    /// The plain quotient adds up three roundings to as much as 2.5 ulp. In this form those of the
    /// sum and of the quotient only enter a correction, small where the result is small or near 1.
    /// If `g` is scaled, `one` is the scale, and so `c` is scaled too.
    fn saturate(&self, b: &mut FunctionBuilder<'_>, g: Value, one: Value) -> (Value, Value) {
        let lesser = self.min(b, one, g);
        let sum = b.ins().fadd(g, one);
        (lesser, b.ins().fdiv(lesser, sum))
    }

    /// `x - x y`.
    fn sub_mul(&self, b: &mut FunctionBuilder<'_>, x: Value, y: Value) -> Value {
        let y = b.ins().fneg(y);
        self.mul_add(b, y, x, x)
    }

    /// `x = n ln 2 + r`: an integer whose lowest bits hold `n + bias`, and `r`.
    fn reduce(&self, b: &mut FunctionBuilder<'_>, x: Value, bias: u64) -> (Value, Value) {
        let (bits, n, high) = self.reduce_by_high(b, x, bias);
        let low = self.constant(b, -self.precision.ln_2[1]);
        (bits, self.mul_add(b, n, low, high))
    }

    /// The same, and what `r` lost in rounding: `x = n ln 2 + (r + lost)`.
    fn reduce_exactly(
        &self,
        b: &mut FunctionBuilder<'_>,
        x: Value,
        bias: u64,
    ) -> (Value, Value, Value) {
        let (bits, n, high) = self.reduce_by_high(b, x, bias);
        let low = self.constant(b, self.precision.ln_2[1]);
        let low = b.ins().fmul(n, low);
        let r = b.ins().fsub(high, low);
        let taken = b.ins().fsub(high, r);
        (bits, r, b.ins().fsub(taken, low))
    }

    /// The integer whose lowest bits hold `n + bias`, `n`, and `x` less `n` times the high part of
    /// ln 2, of which so few bits are set that both are exact.
    fn reduce_by_high(
        &self,
        b: &mut FunctionBuilder<'_>,
        x: Value,
        bias: u64,
    ) -> (Value, Value, Value) {
        let p = self.precision;
        // The spacing of floats from 2^mantissa on is 1, so that adding so large a number rounds
        // to an integer, and leaves it in the lowest bits. Half as much more keeps the sum in
        // that binade for negative n.
        let magic = self.constant(b, 1.5 * exp2(p.mantissa.into()) + bias as f64);
        let log2_e = self.constant(b, LOG2_E);
        let rounded = self.mul_add(b, log2_e, x, magic);
        let n = b.ins().fsub(rounded, magic);
        let high = self.constant(b, -p.ln_2[0]);
        let high = self.mul_add(b, high, n, x);
        (self.as_integers(b, rounded), n, high)
    }

    /// `e^r` for a reduced `r`.
    fn exp_reduced(&self, b: &mut FunctionBuilder<'_>, r: Value) -> Value {
        let one = self.constant(b, 1.0);
        let q = self.polynomial(b, r, self.precision.expm1);
        let q = self.mul_add(b, q, r, one);
        self.mul_add(b, q, r, one)
    }

    /// `expm1(r + lost)` for a reduced `r`.
    fn expm1_reduced(&self, b: &mut FunctionBuilder<'_>, r: Value, lost: Value) -> Value {
        let q = self.polynomial(b, r, self.precision.expm1);
        let r2 = b.ins().fmul(r, r);
        let tail = self.mul_add(b, q, r2, lost);
        b.ins().fadd(r, tail)
    }

    /// A polynomial by Horner's rule. A processor overlaps the chains of several elements, and so
    /// the rule with the fewest operations is faster than shorter chains with more of them.
    fn polynomial(&self, b: &mut FunctionBuilder<'_>, x: Value, coefficients: &[f64]) -> Value {
        let mut descending = coefficients.iter().rev().copied();
        let leading = descending.next().expect("a polynomial has a coefficient");
        let mut sum = self.constant(b, leading);
        for coefficient in descending {
            let coefficient = self.constant(b, coefficient);
            sum = self.mul_add(b, sum, x, coefficient);
        }
        sum
    }

    /// `x y + z`. On x86 the result takes the register of `x`, so let that be the one whose last
    /// use this is.
    fn mul_add(&self, b: &mut FunctionBuilder<'_>, x: Value, y: Value, z: Value) -> Value {
        if self.fma {
            return b.ins().fma(x, y, z);
        }
        let product = b.ins().fmul(x, y);
        b.ins().fadd(product, z)
    }

    /// The lesser of the two, and `x` if it is NaN: x86's `minps`, and the only order of operands
    /// that Cranelift recognises as such.
    fn min(&self, b: &mut FunctionBuilder<'_>, bound: Value, x: Value) -> Value {
        let below = b.ins().fcmp(FloatCC::LessThan, bound, x);
        self.select(b, below, bound, x)
    }

    /// The greater of the two, and `x` if it is NaN.
    fn max(&self, b: &mut FunctionBuilder<'_>, bound: Value, x: Value) -> Value {
        let above = b.ins().fcmp(FloatCC::LessThan, x, bound);
        self.select(b, above, bound, x)
    }

    /// Lane by lane, `x` where the comparison `condition` holds and `y` elsewhere.
    fn select(&self, b: &mut FunctionBuilder<'_>, condition: Value, x: Value, y: Value) -> Value {
        if !self.ty.is_vector() {
            return b.ins().select(condition, x, y);
        }
        let mask = self.as_floats(b, condition);
        b.ins().bitselect(mask, x, y)
    }

    fn shift_left(&self, b: &mut FunctionBuilder<'_>, bits: Value, by: u8) -> Value {
        b.ins().ishl_imm_u(bits, i64::from(by))
    }

    /// The bits of floats as integers of the same width.
    fn as_integers(&self, b: &mut FunctionBuilder<'_>, x: Value) -> Value {
        b.ins().bitcast(self.ty.as_int(), LANES, x)
    }

    /// The reverse of [`Math::as_integers`].
    fn as_floats(&self, b: &mut FunctionBuilder<'_>, bits: Value) -> Value {
        b.ins().bitcast(self.ty, LANES, bits)
    }

    /// A float in every lane.
    fn constant(&self, b: &mut FunctionBuilder<'_>, value: f64) -> Value {
        let bits = self.precision.encode(value);
        match self.ty {
            types::F32 => b.ins().f32const(f32::from_bits(bits as u32)),
            types::F64 => b.ins().f64const(f64::from_bits(bits)),
            _ => self.splat(b, self.ty, bits),
        }
    }

    /// An integer as wide as the floats, in every lane.
    fn bits(&self, b: &mut FunctionBuilder<'_>, bits: u64) -> Value {
        let ty = self.ty.as_int();
        if !ty.is_vector() {
            return b.ins().iconst(ty, (bits & (!0 >> (64 - ty.bits()))) as i64);
        }
        self.splat(b, ty, bits)
    }

    fn splat(&self, b: &mut FunctionBuilder<'_>, ty: Type, bits: u64) -> Value {
        let lane = &bits.to_le_bytes()[..ty.lane_type().bytes() as usize];
        let lanes = lane.repeat(ty.lane_count() as usize);
        let constant = b.func.dfg.constants.insert(ConstantData::from(lanes.as_slice()));
        b.ins().vconst(ty, constant)
    }
}

impl Precision {
    /// The bits of a number rounded to this precision.
    fn encode(&self, value: f64) -> u64 {
        match self.mantissa {
            23 => (value as f32).to_bits().into(),
            _ => value.to_bits(),
        }
    }
}

fn exp2(exponent: u64) -> f64 {
    2f64.powi(exponent as i32)
}

/// Casts keep the order of lanes; CLIF wants that said when their sizes might differ.
const LANES: MemFlagsData = MemFlagsData::new().with_endianness(Endianness::Little);

#[cfg(test)]
#[path = "math_tests.rs"]
mod tests;
