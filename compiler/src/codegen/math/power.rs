//! Powers, and the largest whole number below.
//!
//! `x^y = e^(y log x)`: an error of the logarithm counts `y log x`-fold, up to 700, so it is computed to
//! about twice the precision of `f64`, from exact products (Dekker 1971 where there is no FMA). In
//! `f32` all of that is done in `f64`.

use cranelift_codegen::ir::condcodes::FloatCC;
use cranelift_codegen::ir::{InstBuilder, Value, types};
use cranelift_frontend::FunctionBuilder;

use super::{Math, exp2};

/// 2/3 in two parts.
const TWO_THIRDS: [f64; 2] = [2.0 / 3.0, 3.700_743_415_417_188e-17];
/// What ln 2 is beyond `ln_2[0]` of [`super::precision::F64`].
const LN_2_REST: f64 = 1.908_214_929_270_587_7e-10;
/// `(2 atanh(s) - 2 s - 2/3 s^3) / s^5` in powers of `s^2`. Error 8.4e-23 relative to log.
const ATANH: [f64; 8] = [
    0.399_999_999_999_999_8,
    0.285_714_285_714_414_4,
    0.222_222_222_178_163_2,
    0.181_818_188_403_214_73,
    0.153_845_586_902_713_5,
    0.133_362_543_213_106_42,
    0.116_759_859_905_395_11,
    0.119_800_709_453_807_2,
];

/// The unrounded sum of two floats, the second far smaller.
type Pair = (Value, Value);

impl Math {
    /// `x^y`, with the edge cases of IEEE 754.
    pub(crate) fn pow(&self, b: &mut FunctionBuilder<'_>, x: Value, y: Value) -> Value {
        if self.ty.lane_type() != types::F32 {
            return self.power(b, x, y);
        }
        let double = self.double();
        let (xs, ys) = (self.widen(b, x), self.widen(b, y));
        let powers: Vec<_> = xs.into_iter().zip(ys).map(|(x, y)| double.power(b, x, y)).collect();
        self.narrow(b, &powers)
    }

    /// The largest whole number that is not above `x`.
    pub(crate) fn floor(&self, b: &mut FunctionBuilder<'_>, x: Value) -> Value {
        // Numbers from 2^mantissa on are whole: adding that much rounds to the nearest whole number,
        // which is taken back by 1 where it is above.
        let [whole, one, zero] =
            [exp2(self.precision.mantissa.into()), 1.0, 0.0].map(|c| self.constant(b, c));
        let magnitude = b.ins().fabs(x);
        let nearest = b.ins().fadd(magnitude, whole);
        let nearest = b.ins().fsub(nearest, whole);
        let nearest = self.with_sign_of(b, nearest, x);
        let above = b.ins().fcmp(FloatCC::LessThan, x, nearest);
        let back = self.select(b, above, one, zero);
        let floor = b.ins().fsub(nearest, back);
        let fractional = b.ins().fcmp(FloatCC::LessThan, magnitude, whole);
        self.select(b, fractional, floor, x)
    }

    fn power(&self, b: &mut FunctionBuilder<'_>, x: Value, y: Value) -> Value {
        // An exponent beyond 2^65 takes anything but 1 out of the range of floats.
        let [zero, one, infinity, nan] =
            [0.0, 1.0, f64::INFINITY, f64::NAN].map(|c| self.constant(b, c));
        let [lowest, highest] = [-exp2(65), exp2(65)].map(|c| self.constant(b, c));
        let bounded = self.max(b, lowest, y);
        let bounded = self.min(b, highest, bounded);
        let magnitude = b.ins().fabs(x);
        let (high, low) = self.log_pair(b, magnitude);
        let (exponent, lost) = self.product(b, bounded, high);
        let lost = self.mul_add(b, low, bounded, lost);
        let power = self.exp_pair(b, exponent, lost);

        // A negative base needs a whole exponent, and an odd one keeps its sign.
        let half = self.constant(b, 0.5);
        let half = b.ins().fmul(y, half);
        let [whole_y, whole_half] = [y, half].map(|y| self.floor(b, y));
        let is_broken = b.ins().fcmp(FloatCC::NotEqual, y, whole_y);
        let is_negative = b.ins().fcmp(FloatCC::LessThan, x, zero);
        let outside = b.ins().band(is_broken, is_negative);
        let power = self.select(b, outside, nan, power);
        let falls = b.ins().fcmp(FloatCC::LessThan, y, zero);
        let of_zero = self.select(b, falls, infinity, zero);
        let of_infinity = self.select(b, falls, zero, infinity);
        let is_zero = b.ins().fcmp(FloatCC::Equal, magnitude, zero);
        let power = self.select(b, is_zero, of_zero, power);
        let is_infinite = b.ins().fcmp(FloatCC::Equal, magnitude, infinity);
        let power = self.select(b, is_infinite, of_infinity, power);
        let is_half = b.ins().fcmp(FloatCC::NotEqual, half, whole_half);
        let sign = b.ins().bxor(x, magnitude);
        let sign = self.select(b, is_half, sign, zero);
        let sign = self.select(b, is_broken, zero, sign);
        let power = b.ins().bxor(power, sign);

        let unordered = b.ins().fcmp(FloatCC::Unordered, x, y);
        let power = self.select(b, unordered, nan, power);
        let flat = b.ins().fcmp(FloatCC::Equal, y, zero);
        let power = self.select(b, flat, one, power);
        let is_one = b.ins().fcmp(FloatCC::Equal, x, one);
        self.select(b, is_one, one, power)
    }

    /// The natural logarithm of a positive `f64` to about twice its precision.
    fn log_pair(&self, b: &mut FunctionBuilder<'_>, x: Value) -> Pair {
        let (k, f) = self.decompose(b, x);
        let [two, c, c_low] = [2.0, TWO_THIRDS[0], TWO_THIRDS[1]].map(|c| self.constant(b, c));
        // s = f / (2 + f): what the divisor and the quotient lose in rounding is in `s_low`.
        let (d, d_low) = self.sum(b, two, f);
        let s = b.ins().fdiv(f, d);
        let (whole, part) = self.product(b, s, d);
        let rest = b.ins().fsub(f, whole);
        let rest = b.ins().fsub(rest, part);
        let of_low = b.ins().fmul(s, d_low);
        let rest = b.ins().fsub(rest, of_low);
        let s_low = b.ins().fdiv(rest, d);

        // log(1 + f) = 2 s + s z (2/3 + z R) with z = s^2, and k ln 2 is added.
        let z = self.product(b, s, s);
        let twice = b.ins().fadd(s, s);
        let z = (z.0, self.mul_add(b, twice, s_low, z.1));
        let series = self.polynomial(b, z.0, &ATANH);
        let series = b.ins().fmul(series, z.0);
        let (q, q_low) = self.sum(b, c, series);
        let q = (q, b.ins().fadd(q_low, c_low));
        let cube = self.product_pairs(b, (s, s_low), z);
        let small = self.product_pairs(b, cube, q);
        let [high, low] = [self.precision.ln_2[0], LN_2_REST].map(|part| self.constant(b, part));
        let of_k = b.ins().fmul(k, high);
        let (sum, first) = self.sum(b, of_k, twice);
        let (sum, second) = self.sum(b, sum, small.0);
        let lost = b.ins().fadd(first, second);
        let lost = self.mul_add(b, k, low, lost);
        let s_low = b.ins().fadd(s_low, s_low);
        let rest = b.ins().fadd(small.1, s_low);
        let lost = b.ins().fadd(lost, rest);
        self.sum(b, sum, lost)
    }

    /// `e^(x + lost)`.
    fn exp_pair(&self, b: &mut FunctionBuilder<'_>, x: Value, lost: Value) -> Value {
        // Where x is out of the range of the exponential, what it lost does not matter.
        let [lowest, highest] = [-exp2(30).recip(), exp2(30).recip()].map(|c| self.constant(b, c));
        let lost = self.max(b, lowest, lost);
        let lost = self.min(b, highest, lost);
        self.exp_sum(b, x, Some(lost))
    }

    /// `x + y` for an `x` that is 0 or not the smaller.
    fn sum(&self, b: &mut FunctionBuilder<'_>, x: Value, y: Value) -> Pair {
        let sum = b.ins().fadd(x, y);
        let kept = b.ins().fsub(sum, x);
        (sum, b.ins().fsub(y, kept))
    }

    /// `x y`.
    fn product(&self, b: &mut FunctionBuilder<'_>, x: Value, y: Value) -> Pair {
        let product = b.ins().fmul(x, y);
        if self.fma {
            let negated = b.ins().fneg(product);
            return (product, b.ins().fma(x, y, negated));
        }
        let [(x, x_low), (y, y_low)] = [x, y].map(|x| self.halves(b, x));
        let high = b.ins().fmul(x, y);
        let mut lost = b.ins().fsub(high, product);
        for (x, y) in [(x, y_low), (x_low, y), (x_low, y_low)] {
            let part = b.ins().fmul(x, y);
            lost = b.ins().fadd(lost, part);
        }
        (product, lost)
    }

    fn product_pairs(&self, b: &mut FunctionBuilder<'_>, x: Pair, y: Pair) -> Pair {
        let (product, lost) = self.product(b, x.0, y.0);
        let lost = self.mul_add(b, x.1, y.0, lost);
        (product, self.mul_add(b, y.1, x.0, lost))
    }

    /// An `f64` as two of half its bits (Veltkamp 1968).
    fn halves(&self, b: &mut FunctionBuilder<'_>, x: Value) -> Pair {
        let factor = self.constant(b, exp2(27) + 1.0);
        let scaled = b.ins().fmul(x, factor);
        let rest = b.ins().fsub(scaled, x);
        let high = b.ins().fsub(scaled, rest);
        (high, b.ins().fsub(x, high))
    }
}
