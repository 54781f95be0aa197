//! From `f32` to `f64` and back, for functions that need more than the precision of their result.

use cranelift_codegen::ir::{ConstantData, InstBuilder, Type, Value, types};
use cranelift_frontend::FunctionBuilder;

use super::{LANES, Math};

impl Math {
    /// The functions over what [`Math::widen`] gives.
    pub(super) fn double(&self) -> Self {
        let ty = if self.ty.is_vector() { types::F64X2 } else { types::F64 };
        Self::new(ty, self.fma)
    }

    /// An `f32` as `f64`; a vector as two, the lower half first.
    pub(super) fn widen(&self, b: &mut FunctionBuilder<'_>, x: Value) -> Vec<Value> {
        if !self.ty.is_vector() {
            return vec![b.ins().fpromote(types::F64, x)];
        }
        let upper = self.shuffle(b, x, x, [8, 9, 10, 11, 12, 13, 14, 15], types::F32X4);
        [x, upper].map(|half| b.ins().fvpromote_low(half)).to_vec()
    }

    /// The reverse of [`Math::widen`], rounded.
    pub(super) fn narrow(&self, b: &mut FunctionBuilder<'_>, xs: &[Value]) -> Value {
        match *xs {
            [x] => b.ins().fdemote(types::F32, x),
            [lower, upper] => {
                let [lower, upper] = [lower, upper].map(|half| b.ins().fvdemote(half));
                self.shuffle(b, lower, upper, [0, 1, 2, 3, 4, 5, 6, 7], types::F32X4)
            }
            _ => unreachable!("a vector has two halves"),
        }
    }

    /// The lower halves of integers as wide as `f64`.
    pub(super) fn narrow_integers(&self, b: &mut FunctionBuilder<'_>, xs: &[Value]) -> Value {
        match *xs {
            [x] => b.ins().ireduce(types::I32, x),
            [lower, upper] => {
                self.shuffle(b, lower, upper, [0, 1, 2, 3, 8, 9, 10, 11], types::I32X4)
            }
            _ => unreachable!("a vector has two halves"),
        }
    }

    /// The same eight bytes of two vectors side by side.
    fn shuffle(
        &self,
        b: &mut FunctionBuilder<'_>,
        lower: Value,
        upper: Value,
        bytes: [u8; 8],
        ty: Type,
    ) -> Value {
        let mask: Vec<u8> = bytes.into_iter().chain(bytes.map(|byte| byte + 16)).collect();
        let mask = b.func.dfg.immediates.push(ConstantData::from(mask));
        let [lower, upper] = [lower, upper].map(|half| b.ins().bitcast(types::I8X16, LANES, half));
        let shuffled = b.ins().shuffle(lower, upper, mask);
        b.ins().bitcast(ty, LANES, shuffled)
    }
}
