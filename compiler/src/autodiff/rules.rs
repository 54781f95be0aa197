//! The derivative rules: for each operation, the cotangents of its operands ([`vjp`]) and the
//! tangent of its result ([`jvp`]).
//!
//! With `g` the cotangent of the result, `y` the result and `x(i)` the operands, a rule states
//! `gᵀ ∂y/∂x(i)` for each operand `i`, in order. A rule that asks for `y` or an `x(i)` makes it a
//! residual: rules prefer what is kept anyway, and results over operands for activations.
//!
//! With `t(i)` the tangents of the operands, a tangent is `Σ ∂y/∂x(i) t(i)`. The Jacobian of an
//! elementwise operation is diagonal, and so its own transpose: such operations have one rule for
//! both modes.
//!
//! At kinks: `relu` and `abs` have derivative 0 at 0; `max` and `min` (also as reductions) share
//! the cotangent equally between what is equal. Comparisons and `floor` have derivative 0 everywhere,
//! and so has `pow` with respect to its exponent where its base is 0.

use std::f64::consts::FRAC_2_SQRT_PI;

use smallvec::{SmallVec, smallvec};

use super::expr::Expr;
use crate::ir::op::{Binary, Op, Reduction, Shape, Unary};

/// What a rule may ask for.
pub(super) trait Site<'b> {
    /// The cotangent of the result.
    fn g(&self) -> Expr<'b>;
    /// The result.
    fn y(&self) -> Expr<'b>;
    /// An operand.
    fn x(&self, operand: usize) -> Expr<'b>;
    /// The shape of an operand.
    fn shape(&self, operand: usize) -> Shape;
    /// The number of operands.
    fn arity(&self) -> usize;
}

/// The cotangent of each operand in order; `None` where it is zero.
pub(super) type Cotangents<'b> = SmallVec<[Option<Expr<'b>>; 3]>;

/// The rule of an operation.
#[rustfmt::skip]
pub(super) fn vjp<'b>(op: &Op, s: &impl Site<'b>) -> Cotangents<'b> {
    let (g, y, x) = (|| s.g(), || s.y(), |i| s.x(i));
    match op {
        Op::Argument { .. } | Op::Constant(_) => smallvec![],

        Op::Unary(Unary::Neg)     => one(-g()),
        Op::Unary(Unary::Exp)     => one(g() * y()),
        Op::Unary(Unary::Log)     => one(g() / x(0)),
        Op::Unary(Unary::Sqrt)    => one(0.5 * g() / y()),
        Op::Unary(Unary::Abs)     => one(g() * sign(x(0))),
        Op::Unary(Unary::Sigmoid) => one(g() * y() * (1.0 - y())),
        Op::Unary(Unary::Tanh)    => one(g() * (1.0 - y() * y())),
        Op::Unary(Unary::Relu)    => one(y().select(g(), y().fill(0.0))),
        Op::Unary(Unary::Softplus) => one(g() * x(0).apply(Op::Unary(Unary::Sigmoid))),

        Op::Unary(Unary::Expm1)   => one(g() * (y() + y().fill(1.0))),
        Op::Unary(Unary::Log1p)   => one(g() / (x(0) + x(0).fill(1.0))),
        Op::Unary(Unary::Sin)     => one(g() * x(0).apply(Op::Unary(Unary::Cos))),
        Op::Unary(Unary::Cos)     => one(-(g() * x(0).apply(Op::Unary(Unary::Sin)))),
        Op::Unary(Unary::Erf)     => {
            let bell = (-(x(0) * x(0))).apply(Op::Unary(Unary::Exp));
            one(g() * (FRAC_2_SQRT_PI * bell))
        }
        Op::Unary(Unary::Floor)   => smallvec![None],

        Op::Binary(Binary::Add)   => two(g(), g()),
        Op::Binary(Binary::Sub)   => two(g(), -g()),
        Op::Binary(Binary::Mul)   => two(g() * x(1), g() * x(0)),
        Op::Binary(Binary::Div)   => {
            // One division, for it takes as long as several multiplications.
            let to_dividend = g() / x(1);
            two(to_dividend, -(to_dividend * y()))
        }
        Op::Binary(Binary::Max)   => two(g() * share(x(1), x(0)), g() * share(x(0), x(1))),
        Op::Binary(Binary::Min)   => two(g() * share(x(0), x(1)), g() * share(x(1), x(0))),
        Op::Binary(Binary::Less | Binary::LessEqual | Binary::Equal) => smallvec![None, None],
        Op::Binary(Binary::Pow)   => {
            let (zero, one) = (g().fill(0.0), g().fill(1.0));
            // At an exponent of 0 the power is 1 everywhere, where the product could be 0 * inf.
            let slope = x(1) * x(0).apply2(Op::Binary(Binary::Pow), x(1) - one);
            let to_base = g() * x(1).select(slope, zero);
            let log = x(0).select(y() * x(0).apply(Op::Unary(Unary::Log)), zero);
            two(to_base, g() * log)
        }
        Op::Select => {
            let zero = g().fill(0.0);
            smallvec![None, Some(x(0).select(g(), zero)), Some(x(0).select(zero, g()))]
        }

        Op::Stop         => smallvec![None],
        Op::Range { .. } => smallvec![],

        Op::MatVec  => two(g().apply2(Op::Outer, x(1)), x(0).apply2(Op::MatVecT, g())),
        Op::MatVecT => two(x(1).apply2(Op::Outer, g()), x(0).apply2(Op::MatVec, g())),
        Op::Outer   => two(g().apply2(Op::MatVec, x(1)), g().apply2(Op::MatVecT, x(0))),

        Op::MatMul  => {
            let transposed = |i| x(i).apply(Op::Transpose);
            two(g().apply2(Op::MatMul, transposed(1)), transposed(0).apply2(Op::MatMul, g()))
        }

        &Op::Concat { axis } => {
            let mut start = 0;
            let part = |i| {
                let len = s.shape(i)[axis];
                start += len;
                Some(g().apply(Op::Slice { axis, start: start - len, len }))
            };
            (0..s.arity()).map(part).collect()
        }
        &Op::Slice { axis, start, len } => {
            let after = s.shape(0)[axis] - start - len;
            one(g().apply(Op::Pad { axis, before: start, after }))
        }
        &Op::Pad { axis, before, .. } => {
            one(g().apply(Op::Slice { axis, start: before, len: s.shape(0)[axis] }))
        }
        Op::Broadcast { .. }   => one(g().sum_to(&s.shape(0))),
        Op::Reshape { .. }     => one(g().reshape(&s.shape(0))),
        Op::Transpose          => one(g().apply(Op::Transpose)),
        Op::Reduce { kind: Reduction::Sum, axis } => one(g().unreduce(*axis, &s.shape(0))),
        Op::Reduce { kind: Reduction::Max, axis } => {
            let largest = x(0).equal(y().unreduce(*axis, &s.shape(0)));
            let each = g() / largest.sum(*axis);
            one(largest * each.unreduce(*axis, &s.shape(0)))
        }
        Op::Take       => smallvec![Some(x(1).apply2(Op::Put { len: s.shape(0)[0] }, g())), None],
        Op::Put { .. } => smallvec![None, Some(g().apply2(Op::Take, x(0)))],
    }
}

/// An operation with the tangents of its operands, as [`jvp`] sees it.
pub(super) struct Moved<'b> {
    /// The result.
    pub(super) y: Expr<'b>,
    /// The operands.
    pub(super) x: SmallVec<[Expr<'b>; 3]>,
    /// Their tangents; `None` where they are zero in every direction.
    pub(super) t: SmallVec<[Option<Expr<'b>>; 3]>,
}

/// The tangent of an operation's result; `None` where it is zero in every direction.
///
/// What the rule of an elementwise operation gives for its other operands is in vain, and dead code.
#[rustfmt::skip]
pub(super) fn jvp<'b>(op: &Op, s: &Moved<'b>) -> Option<Expr<'b>> {
    let (y, x, t) = (s.y, |i: usize| s.x[i], |i: usize| s.t[i]);
    let or_zero = |i: usize| t(i).unwrap_or_else(|| x(i).fill(0.0));
    // Linear in the first operand alone.
    let linear = || Some(t(0)?.apply(op.clone()));
    // Linear in each of two operands.
    let product = || sum(
        t(0).map(|t| t.apply2(op.clone(), x(1))),
        t(1).map(|t| x(0).apply2(op.clone(), t)),
    );
    match op {
        Op::Argument { .. } | Op::Constant(_) | Op::Range { .. } => None,
        Op::Stop => None,

        Op::Unary(_) | Op::Binary(_) => {
            let along = |i: usize| vjp(op, &Along { s, g: t(i)? }).into_iter().nth(i)?;
            (0..s.x.len()).map(along).fold(None, sum)
        }
        Op::Select => {
            t(1).or(t(2))?;
            Some(x(0).select(or_zero(1), or_zero(2)))
        }

        Op::MatVec | Op::MatVecT | Op::Outer | Op::MatMul => product(),

        Op::Concat { .. } => {
            s.t.iter().find_map(|t| *t)?;
            let parts: SmallVec<[_; 3]> = (0..s.x.len()).map(or_zero).collect();
            Some(Expr::join(op.clone(), &parts))
        }
        Op::Slice { .. }     => linear(),
        Op::Pad { .. }       => linear(),
        Op::Broadcast { .. } => linear(),
        Op::Reshape { .. }   => linear(),
        Op::Transpose        => linear(),
        Op::Reduce { kind: Reduction::Sum, .. } => linear(),
        Op::Reduce { kind: Reduction::Max, axis } => {
            let t = t(0)?;
            let largest = x(0).equal(y.unreduce(*axis, &x(0).shape()));
            Some((largest * t).sum(*axis) / largest.sum(*axis))
        }
        Op::Take       => Some(t(0)?.apply2(Op::Take, x(1))),
        Op::Put { .. } => Some(x(0).apply2(op.clone(), t(1)?)),
    }
}

/// An elementwise operation whose rule is asked for a tangent, with that of an operand as `g`.
struct Along<'s, 'b> {
    s: &'s Moved<'b>,
    g: Expr<'b>,
}

impl<'b> Site<'b> for Along<'_, 'b> {
    fn g(&self) -> Expr<'b> {
        self.g
    }

    fn y(&self) -> Expr<'b> {
        self.s.y
    }

    fn x(&self, operand: usize) -> Expr<'b> {
        self.s.x[operand]
    }

    fn shape(&self, operand: usize) -> Shape {
        self.s.x[operand].shape()
    }

    fn arity(&self) -> usize {
        self.s.x.len()
    }
}

/// The sum of two tangents, either of which may be zero in every direction.
fn sum<'b>(a: Option<Expr<'b>>, b: Option<Expr<'b>>) -> Option<Expr<'b>> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a + b),
        (a, b) => a.or(b),
    }
}

fn one(a: Expr<'_>) -> Cotangents<'_> {
    smallvec![Some(a)]
}

fn two<'b>(a: Expr<'b>, b: Expr<'b>) -> Cotangents<'b> {
    smallvec![Some(a), Some(b)]
}

/// 1, 0 or -1.
fn sign(x: Expr<'_>) -> Expr<'_> {
    let zero = x.fill(0.0);
    zero.less(x) - x.less(zero)
}

/// The share of the cotangent that goes to the larger of two operands: 1, or a half if equal.
fn share<'b>(smaller: Expr<'b>, larger: Expr<'b>) -> Expr<'b> {
    smaller.equal(larger).select(smaller.fill(0.5), smaller.less(larger))
}
