//! `expm1` and `log1p`: the exponential and the logarithm where they are close to `x`.

use cranelift_codegen::ir::{InstBuilder, Value};
use cranelift_frontend::FunctionBuilder;

use super::Math;

impl Math {
    /// `e^x - 1`, with full relative accuracy towards 0.
    pub(crate) fn expm1(&self, b: &mut FunctionBuilder<'_>, x: Value) -> Value {
        let p = self.precision;
        // This is twice 2^(n-1) expm1(r) + (2^(n-1) - 1/2): of 2^n itself there is no float where
        // the result is just below the largest. For small x the reduction finds n = 0.
        let [lowest, highest, half] =
            [-p.saturation, p.exp_range[1], 0.5].map(|c| self.constant(b, c));
        let y = self.max(b, lowest, x);
        let y = self.min(b, highest, y);
        let (n, r, lost) = self.reduce_exactly(b, y, p.bias - 1);
        let expm1_r = self.expm1_reduced(b, r, lost);
        let power = self.shift_left(b, n, p.mantissa);
        let power = self.as_floats(b, power);
        let rest = b.ins().fsub(power, half);
        let g = self.mul_add(b, expm1_r, power, rest);
        let y = b.ins().fadd(g, g);
        self.with_sign_of(b, y, x)
    }

    /// `log(1 + x)`, with full relative accuracy towards 0; minus infinity at -1, NaN below.
    pub(crate) fn log1p(&self, b: &mut FunctionBuilder<'_>, x: Value) -> Value {
        // What u = 1 + x loses in rounding (Knuth's exact sum) is `lost`, and log(u + lost) is
        // log(u) + lost / u, as little as it is.
        let one = self.constant(b, 1.0);
        let u = b.ins().fadd(x, one);
        let of_x = b.ins().fsub(u, one);
        let of_one = b.ins().fsub(u, of_x);
        let rest = b.ins().fsub(one, of_one);
        let lost = b.ins().fsub(x, of_x);
        let lost = b.ins().fadd(lost, rest);
        let (k, f) = self.decompose(b, u);
        let y = self.log_reduced(b, k, f);
        let correction = b.ins().fdiv(lost, u);
        let y = b.ins().fadd(y, correction);
        let y = self.with_sign_of(b, y, x);
        self.log_edges(b, u, y)
    }

    /// `y`, which is of the sign of `x` or 0, with that sign.
    pub(super) fn with_sign_of(&self, b: &mut FunctionBuilder<'_>, y: Value, x: Value) -> Value {
        let magnitude = b.ins().fabs(x);
        let sign = b.ins().bxor(x, magnitude);
        b.ins().bor(y, sign)
    }
}
