//! The error function.
//!
//! Below 1, `erf(x) = x + x P(x^2)`, whose second term is the lesser by far. From there on it is
//! `1 - e^q` with a polynomial `q` for `log(erfc(x))`, of which an error counts the less the nearer
//! the result is to 1.

use cranelift_codegen::ir::condcodes::FloatCC;
use cranelift_codegen::ir::{InstBuilder, Value};
use cranelift_frontend::FunctionBuilder;

use super::Math;

impl Math {
    /// The error function. Odd to the last bit.
    pub(crate) fn erf(&self, b: &mut FunctionBuilder<'_>, x: Value) -> Value {
        let p = self.precision;
        let z = b.ins().fmul(x, x);
        let series = self.polynomial(b, z, p.erf);
        let near = self.mul_add(b, series, x, x);

        let [one, highest] = [1.0, p.erf_saturation].map(|c| self.constant(b, c));
        let magnitude = b.ins().fabs(x);
        let t = self.min(b, highest, magnitude);
        let t = b.ins().fsub(t, one);
        let log = self.polynomial(b, t, p.log_erfc);
        let rest = self.exp(b, log);
        let far = b.ins().fsub(one, rest);
        let far = self.with_sign_of(b, far, x);

        let is_near = b.ins().fcmp(FloatCC::LessThan, magnitude, one);
        self.select(b, is_near, near, far)
    }
}
