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
mod precision;
mod trigonometric;
mod widen;

use cranelift_codegen::ir::condcodes::FloatCC;
use cranelift_codegen::ir::{
    ConstantData, Endianness, InstBuilder, MemFlagsData, Type, Value, types,
};
use cranelift_frontend::FunctionBuilder;
use std::f64::consts::{FRAC_1_SQRT_2, LOG2_E};

use self::precision::{F32, F64, Precision, exp2};

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

/// Casts keep the order of lanes; CLIF wants that said when their sizes might differ.
const LANES: MemFlagsData = MemFlagsData::new().with_endianness(Endianness::Little);

#[cfg(test)]
mod tests;
