//! Sine and cosine.
//!
//! The reduction `x = n pi/2 + r` takes pi/2 in parts (Cody and Waite 1980), so short that their
//! products with `n` are exact, with FMA and without. In `f64` four parts of 22 bits and a rest
//! serve up to `|x| = 1e9`. In `f32` the reduction is done in `f64`, with two parts, and serves up to
//! 1e6. Beyond, the result is some number in -1..1.

use std::f64::consts::FRAC_2_PI;

use cranelift_codegen::ir::{InstBuilder, Value, types};
use cranelift_frontend::FunctionBuilder;

use super::{Math, exp2};

/// pi/2 in parts of 22 bits, and what is left of it.
const HALF_PI: [f64; 5] = [
    1.570_796_012_878_418,
    3.139_164_164_167_596e-7,
    6.223_371_969_669_989e-14,
    2.022_265_958_410_353_3e-21,
    2.903_855_973_979_360_5e-28,
];
/// pi/2 as 32 bits, and what is left of it.
const HALF_PI_OF_SINGLES: [f64; 2] = [1.570_796_326_734_125_6, 6.077_100_506_506_192e-11];
/// No reduced angle is larger, but beyond the range of the reduction.
const LARGEST_ANGLE: f64 = 0.79;

impl Math {
    /// The sine of an angle in radians.
    pub(crate) fn sin(&self, b: &mut FunctionBuilder<'_>, x: Value) -> Value {
        self.sine(b, x, 0)
    }

    /// The cosine of an angle in radians.
    pub(crate) fn cos(&self, b: &mut FunctionBuilder<'_>, x: Value) -> Value {
        self.sine(b, x, 1)
    }

    /// The sine of an angle, some quarter turns further on.
    fn sine(&self, b: &mut FunctionBuilder<'_>, x: Value, quarters: u64) -> Value {
        let p = self.precision;
        let (n, r) = self.quarter_turns(b, x);
        let quarters = self.bits(b, quarters);
        let n = b.ins().iadd(n, quarters);

        let z = b.ins().fmul(r, r);
        let series = self.polynomial(b, z, p.sin);
        let cube = b.ins().fmul(z, r);
        let sin = self.mul_add(b, series, cube, r);
        let sin = self.with_sign_of(b, sin, r);
        // 1 - z/2 is rounded; what that loses goes to the small terms.
        let [one, half] = [1.0, 0.5].map(|c| self.constant(b, c));
        let h = b.ins().fmul(z, half);
        let most = b.ins().fsub(one, h);
        let kept = b.ins().fsub(one, most);
        let lost = b.ins().fsub(kept, h);
        let series = self.polynomial(b, z, p.cos);
        let fourth = b.ins().fmul(z, z);
        let rest = self.mul_add(b, series, fourth, lost);
        let cos = b.ins().fadd(most, rest);

        // In odd quarters the cosine, in the lower half plane negated.
        let [zero, unit] = [0, 1].map(|bits| self.bits(b, bits));
        let odd = b.ins().band(n, unit);
        let is_odd = b.ins().isub(zero, odd);
        let [sin, cos] = [sin, cos].map(|y| self.as_integers(b, y));
        let differ = b.ins().bxor(sin, cos);
        let differ = b.ins().band(differ, is_odd);
        let y = b.ins().bxor(sin, differ);
        let width = self.ty.lane_type().bits() as u8;
        let sign = self.shift_left(b, n, width - 2);
        let sign_bit = self.bits(b, 1 << (width - 1));
        let sign = b.ins().band(sign, sign_bit);
        let y = b.ins().bxor(y, sign);
        self.as_floats(b, y)
    }

    /// `x = n pi/2 + r`: an integer with the lowest two bits of `n`, and `r`.
    fn quarter_turns(&self, b: &mut FunctionBuilder<'_>, x: Value) -> (Value, Value) {
        if self.ty.lane_type() == types::F32 {
            let double = self.double();
            let halves = self.widen(b, x);
            let turns: Vec<_> = halves.into_iter().map(|x| double.single_turns(b, x)).collect();
            let (integers, angles): (Vec<_>, Vec<_>) = turns.into_iter().unzip();
            return (self.narrow_integers(b, &integers), self.narrow(b, &angles));
        }
        let (bits, n) = self.nearest_turn(b, x);
        let [first, second, third, fourth, rest] = HALF_PI.map(|part| self.constant(b, -part));
        let r = self.mul_add(b, first, n, x);
        let mut r = self.mul_add(b, second, n, r);
        // From here on differences are rounded, unless they are small.
        let mut low = b.ins().fmul(rest, n);
        for part in [third, fourth] {
            let part = b.ins().fmul(part, n);
            let rounded = b.ins().fadd(r, part);
            let kept = b.ins().fsub(rounded, r);
            let lost = b.ins().fsub(part, kept);
            low = b.ins().fadd(low, lost);
            r = rounded;
        }
        let r = b.ins().fadd(r, low);
        (bits, self.bounded_angle(b, r))
    }

    /// The same for the `f64` of an `f32`.
    fn single_turns(&self, b: &mut FunctionBuilder<'_>, x: Value) -> (Value, Value) {
        let (bits, n) = self.nearest_turn(b, x);
        let [high, low] = HALF_PI_OF_SINGLES.map(|part| self.constant(b, -part));
        let r = self.mul_add(b, high, n, x);
        let r = self.mul_add(b, low, n, r);
        (bits, self.bounded_angle(b, r))
    }

    /// The `n` nearest to `x / (pi/2)`, as an integer in the lowest bits and as a float.
    fn nearest_turn(&self, b: &mut FunctionBuilder<'_>, x: Value) -> (Value, Value) {
        let magic = self.constant(b, 1.5 * exp2(self.precision.mantissa.into()));
        let turns = self.constant(b, FRAC_2_PI);
        let rounded = self.mul_add(b, turns, x, magic);
        let n = b.ins().fsub(rounded, magic);
        (self.as_integers(b, rounded), n)
    }

    fn bounded_angle(&self, b: &mut FunctionBuilder<'_>, r: Value) -> Value {
        let [lowest, highest] = [-LARGEST_ANGLE, LARGEST_ANGLE].map(|c| self.constant(b, c));
        let r = self.max(b, lowest, r);
        self.min(b, highest, r)
    }
}
