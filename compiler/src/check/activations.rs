//! Elementwise functions that are made of others.
//!
//! Where a factor goes to 0 as another goes to infinity, the other is bounded first: `inf * 0` is no
//! number, in a value as little as in a gradient.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

use super::functions::Call;
use super::value::Value;
use super::{Checker, errors};
use crate::ir::op::{Binary, Op, Unary};

/// Which of them.
#[derive(Clone, Copy)]
pub(super) enum Activation {
    Rsqrt,
    Sign,
    Clamp,
    LeakyRelu,
    Elu,
    Gelu,
    GeluTanh,
    Silu,
    HardSigmoid,
    HardTanh,
    Pow,
    Stop,
}

/// The largest whole exponent whose power is a product.
const LARGEST_PRODUCT: f64 = 8.0;
/// Beyond, `e^x` and `e^-x` are 0 or infinite in any precision.
const FAR: f64 = 1000.0;

impl Checker<'_> {
    pub(super) fn activation(&mut self, activation: Activation, call: Call) -> Option<Value> {
        let operands = self.reals(call.arguments)?;
        let mut a = Algebra { checker: self, call };
        let (x, second) = (&operands[0], operands.get(1));
        match (activation, second) {
            (Activation::Rsqrt, _) => {
                let root = a.unary(Unary::Sqrt, x)?;
                a.of_number(1.0, Binary::Div, &root)
            }
            (Activation::Sign, _) => {
                let (above, below) =
                    (a.of_number(0.0, Binary::Less, x)?, a.with(Binary::Less, x, 0.0)?);
                a.binary(Binary::Sub, &above, &below)
            }
            (Activation::Clamp, _) => {
                let (low, high) = (&operands[1], &operands[2]);
                a.interval(low, high)?;
                let above = a.binary(Binary::Max, x, low)?;
                a.binary(Binary::Min, &above, high)
            }
            (Activation::LeakyRelu, slope) => {
                let slope = match slope {
                    Some(slope) => slope.clone(),
                    None => a.number(0.01)?,
                };
                let below = match second {
                    // A slope that is learnt has no part of what is above 0, if that is infinite.
                    Some(_) => a.not_positive(x)?,
                    None => x.clone(),
                };
                let below = a.binary(Binary::Mul, &slope, &below)?;
                a.where_positive(x, x, &below)
            }
            (Activation::Elu, alpha) => {
                let below = a.not_positive(x)?;
                let mut below = a.unary(Unary::Expm1, &below)?;
                if let Some(alpha) = alpha {
                    below = a.binary(Binary::Mul, alpha, &below)?;
                }
                a.where_positive(x, x, &below)
            }
            (Activation::Gelu, _) => {
                let bounded = a.bounded(x, -FAR, FAR)?;
                let scaled = a.with(Binary::Mul, &bounded, FRAC_1_SQRT_2)?;
                let erf = a.unary(Unary::Erf, &scaled)?;
                let twice = a.with(Binary::Add, &erf, 1.0)?;
                let half = a.with(Binary::Mul, &bounded, 0.5)?;
                let near = a.binary(Binary::Mul, &half, &twice)?;
                a.where_near(x, &near)
            }
            (Activation::GeluTanh, _) => {
                // (1 + tanh(u)) / 2 is sigmoid(2 u), which is accurate on both sides.
                let bounded = a.bounded(x, -FAR, FAR)?;
                let square = a.binary(Binary::Mul, &bounded, &bounded)?;
                let factor = 2.0 * (2.0 / PI).sqrt();
                let cubic = a.with(Binary::Mul, &square, factor * 0.044_715)?;
                let slope = a.with(Binary::Add, &cubic, factor)?;
                let angle = a.binary(Binary::Mul, &bounded, &slope)?;
                let gate = a.unary(Unary::Sigmoid, &angle)?;
                let near = a.binary(Binary::Mul, &bounded, &gate)?;
                a.where_near(x, &near)
            }
            (Activation::Silu, _) => {
                let bounded = a.bounded(x, -FAR, FAR)?;
                let gate = a.unary(Unary::Sigmoid, &bounded)?;
                let near = a.binary(Binary::Mul, &bounded, &gate)?;
                a.where_near(x, &near)
            }
            (Activation::HardSigmoid, _) => {
                let moved = a.with(Binary::Add, x, 3.0)?;
                let bounded = a.bounded(&moved, 0.0, 6.0)?;
                a.with(Binary::Div, &bounded, 6.0)
            }
            (Activation::HardTanh, _) => a.bounded(x, -1.0, 1.0),
            (Activation::Pow, None) => None,
            (Activation::Pow, Some(y)) => match a.known(y) {
                Some(n) if n.fract() == 0.0 && n.abs() <= LARGEST_PRODUCT => a.whole_power(x, n),
                _ => a.binary(Binary::Pow, x, y),
            },
            (Activation::Stop, _) => a.apply(Op::Stop, &[x]),
        }
    }
}

/// Writes values of a call as algebra.
struct Algebra<'c, 'a, 'e> {
    checker: &'c mut Checker<'a>,
    call: Call<'e>,
}

impl Algebra<'_, '_, '_> {
    fn number(&mut self, number: f64) -> Option<Value> {
        self.checker.constant(number, self.call.span)
    }

    fn apply(&mut self, op: Op, operands: &[&Value]) -> Option<Value> {
        let operands: Vec<Value> = operands.iter().map(|&operand| operand.clone()).collect();
        self.checker.elementwise(op, &operands, self.call.span)
    }

    fn unary(&mut self, op: Unary, x: &Value) -> Option<Value> {
        self.apply(Op::Unary(op), &[x])
    }

    fn binary(&mut self, op: Binary, x: &Value, y: &Value) -> Option<Value> {
        if x.extents.broadcast(&y.extents).is_none() {
            let operands = [x.clone(), y.clone()];
            let fault = errors::no_common_shape(self.call.name, &operands, self.call.span);
            return self.checker.fault(fault);
        }
        self.apply(Op::Binary(op), &[x, y])
    }

    fn with(&mut self, op: Binary, x: &Value, y: f64) -> Option<Value> {
        let y = self.number(y)?;
        self.binary(op, x, &y)
    }

    fn of_number(&mut self, x: f64, op: Binary, y: &Value) -> Option<Value> {
        let x = self.number(x)?;
        self.binary(op, &x, y)
    }

    fn bounded(&mut self, x: &Value, low: f64, high: f64) -> Option<Value> {
        let above = self.with(Binary::Max, x, low)?;
        self.with(Binary::Min, &above, high)
    }

    /// `a` where `x` is above 0, else `b`.
    fn where_positive(&mut self, x: &Value, a: &Value, b: &Value) -> Option<Value> {
        let positive = self.of_number(0.0, Binary::Less, x)?;
        self.apply(Op::Select, &[&positive, a, b])
    }

    /// `x` where it is not above 0, else 0: not `min(x, 0)`, whose derivative is divided at 0.
    fn not_positive(&mut self, x: &Value) -> Option<Value> {
        let zero = self.number(0.0)?;
        self.where_positive(x, &zero, x)
    }

    /// `near`, but far above 0, where it nears `x`, `x` itself. So is NaN.
    fn where_near(&mut self, x: &Value, near: &Value) -> Option<Value> {
        let is_near = self.with(Binary::Less, x, FAR)?;
        self.apply(Op::Select, &[&is_near, near, x])
    }

    /// The number that a value is, if it is written as one.
    fn known(&self, value: &Value) -> Option<f64> {
        let graph = &self.checker.graph;
        match (graph.op(value.id), graph.operands(value.id)) {
            (Op::Constant(number), _) => Some(number.0),
            (Op::Unary(Unary::Neg), &[inner]) => match graph.op(inner) {
                Op::Constant(number) => Some(-number.0),
                _ => None,
            },
            _ => None,
        }
    }

    /// Reports an interval without numbers in it.
    fn interval(&mut self, low: &Value, high: &Value) -> Option<()> {
        match (self.known(low), self.known(high)) {
            (Some(low), Some(high)) if low > high => {
                let arguments = self.call.arguments;
                let span = arguments[1].span.to(arguments[2].span);
                self.checker.fault(errors::empty_interval(low, high, span))
            }
            _ => Some(()),
        }
    }

    /// A power by as few products as its exponent has binary digits, or twice that.
    fn whole_power(&mut self, x: &Value, exponent: f64) -> Option<Value> {
        let one = self.number(1.0)?;
        let mut rest = exponent.abs();
        let mut square = x.clone();
        let mut power: Option<Value> = None;
        while rest > 0.0 {
            if rest % 2.0 == 1.0 {
                power = Some(match power {
                    Some(power) => self.binary(Binary::Mul, &power, &square)?,
                    None => square.clone(),
                });
            }
            rest = (rest / 2.0).floor();
            if rest > 0.0 {
                square = self.binary(Binary::Mul, &square, &square)?;
            }
        }
        match power {
            Some(power) if exponent < 0.0 => self.binary(Binary::Div, &one, &power),
            Some(power) => Some(power),
            None => self.checker.broadcast(&one, &x.extents, self.call.span),
        }
    }
}
