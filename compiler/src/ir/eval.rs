//! The reference interpreter: what every operation means, written to be obviously right.
//!
//! It evaluates one time step for one example. Everything else in the project (native code, every
//! pass, every gradient) is tested against it.

use std::fmt::{Debug, Display};
use std::iter::Sum;
use std::ops::{Add, Div, Mul, Neg, Sub};

use super::graph::{Graph, ValueId};
use super::op::{Binary, Op, Reduction, Unary};

/// A floating-point type: `f32` or `f64`.
pub trait Real:
    Copy
    + Debug
    + Default
    + Display
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + Sum
    + Send
    + Sync
    + 'static
{
    /// Which precision this is.
    const PRECISION: Precision;
    /// The nearest number of this type.
    fn from_f64(value: f64) -> Self;
    /// The number as an `f64`, exactly.
    fn to_f64(self) -> f64;
    /// Applies an elementwise function.
    fn unary(op: Unary, x: Self) -> Self;
    /// `self^exponent`, with the edge cases of IEEE 754.
    fn pow(self, exponent: Self) -> Self;
}

/// The precision of the real numbers of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Precision {
    /// IEEE 754 binary32.
    F32,
    /// IEEE 754 binary64.
    F64,
}

impl Precision {
    /// The size of a number in bytes.
    pub fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    /// `f32` or `f64`.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F64 => "f64",
        }
    }
}

macro_rules! impl_real {
    ($type:ident, $precision:ident, $erf:path) => {
        impl Real for $type {
            const PRECISION: Precision = Precision::$precision;

            #[allow(clippy::cast_possible_truncation, reason = "rounding is what is asked for")]
            fn from_f64(value: f64) -> Self {
                value as $type
            }

            fn to_f64(self) -> f64 {
                self.into()
            }

            fn unary(op: Unary, x: Self) -> Self {
                match op {
                    Unary::Neg => -x,
                    Unary::Exp => x.exp(),
                    Unary::Log => x.ln(),
                    Unary::Sqrt => x.sqrt(),
                    Unary::Abs => x.abs(),
                    // Both forms are the logistic function; each keeps its relative accuracy where
                    // the other would overflow.
                    Unary::Sigmoid if x < 0.0 => {
                        let e = x.exp();
                        e / (1.0 + e)
                    }
                    Unary::Sigmoid => 1.0 / (1.0 + (-x).exp()),
                    Unary::Tanh => x.tanh(),
                    // Not `x.max(0.0)`, which would hide a NaN.
                    Unary::Relu if x <= 0.0 => 0.0,
                    Unary::Relu => x,
                    // What e^x adds to its larger limit, without overflow.
                    Unary::Softplus => Self::unary(Unary::Relu, x) + (-x.abs()).exp().ln_1p(),
                    Unary::Expm1 => x.exp_m1(),
                    Unary::Log1p => x.ln_1p(),
                    Unary::Sin => x.sin(),
                    Unary::Cos => x.cos(),
                    Unary::Erf => $erf(x),
                    Unary::Floor => x.floor(),
                }
            }

            fn pow(self, exponent: Self) -> Self {
                self.powf(exponent)
            }
        }
    };
}

impl_real!(f32, F32, libm::erff);
impl_real!(f64, F64, libm::erf);

/// A value while it is interpreted.
#[derive(Clone, Debug, PartialEq)]
pub enum Datum<T> {
    /// Real numbers, row-major.
    Real(Vec<T>),
    /// A whole number.
    Index(usize),
}

impl<T: Real> Datum<T> {
    /// The real numbers.
    ///
    /// # Panics
    /// If the value is an index.
    pub fn real(&self) -> &[T] {
        match self {
            Self::Real(data) => data,
            Self::Index(_) => panic!("an index where real numbers are needed"),
        }
    }

    fn index(&self) -> usize {
        match self {
            Self::Index(index) => *index,
            Self::Real(_) => panic!("real numbers where an index is needed"),
        }
    }
}

/// Evaluates a graph: `bind` supplies each leaf; the result holds every value of the graph.
///
/// The graph must be verified, and each leaf supplied in its declared type.
///
/// # Panics
/// If a leaf is of another kind or size than declared, or an index is out of its bound.
pub fn eval<T: Real>(graph: &Graph, mut bind: impl FnMut(ValueId) -> Datum<T>) -> Vec<Datum<T>> {
    let mut values: Vec<Datum<T>> = Vec::with_capacity(graph.len());
    for id in graph.ids() {
        let value = match graph.op(id) {
            Op::Argument { .. } => bind(id),
            op => Datum::Real(eval_op(graph, id, op, &values)),
        };
        if let Datum::Real(data) = &value {
            assert_eq!(data.len(), graph.ty(id).size(), "{id} has the wrong number of elements");
        }
        values.push(value);
    }
    values
}

fn eval_op<T: Real>(graph: &Graph, id: ValueId, op: &Op, values: &[Datum<T>]) -> Vec<T> {
    let operands = graph.operands(id);
    let value = |i: usize| &values[operands[i].index()];
    let real = |i: usize| value(i).real();
    let shape = |i: usize| graph.ty(operands[i]).shape.as_slice();
    let zero = T::default();
    match op {
        Op::Argument { .. } => unreachable!("leaves are bound by the caller"),
        Op::Constant(value) => vec![T::from_f64(value.0)],
        Op::Unary(op) => real(0).iter().map(|&x| T::unary(*op, x)).collect(),
        Op::Binary(op) => real(0).iter().zip(real(1)).map(|(&a, &b)| binary(*op, a, b)).collect(),
        Op::Select => (real(0).iter().zip(real(1).iter().zip(real(2))))
            .map(|(&c, (&a, &b))| if c != zero { a } else { b })
            .collect(),
        Op::Stop => real(0).to_vec(),
        #[allow(clippy::cast_precision_loss, reason = "sizes are far below 2^53")]
        Op::Range { len } => (0..*len).map(|i| T::from_f64(i as f64)).collect(),
        Op::MatVec => {
            let v = real(1);
            real(0)
                .chunks(v.len())
                .map(|row| row.iter().zip(v).map(|(&w, &v)| w * v).sum())
                .collect()
        }
        Op::MatVecT => {
            let (matrix, v) = (real(0), real(1));
            let columns = shape(0)[1];
            let column = |j: usize| (0..v.len()).map(|i| matrix[i * columns + j] * v[i]).sum();
            (0..columns).map(column).collect()
        }
        Op::Outer => {
            let v = real(1);
            real(0).iter().flat_map(|&u| v.iter().map(move |&v| u * v)).collect()
        }
        Op::MatMul => {
            let (a, b, columns) = (real(0), real(1), shape(1)[1]);
            let element = |row: &[T], j: usize| -> T {
                row.iter().enumerate().map(|(k, &a)| a * b[k * columns + j]).sum()
            };
            a.chunks(shape(0)[1])
                .flat_map(|row| (0..columns).map(move |j| element(row, j)))
                .collect()
        }
        Op::Concat { axis } => {
            let parts: Vec<_> =
                (0..operands.len()).map(|i| runs(real(i), shape(i), *axis)).collect();
            let lines = shape(0)[..*axis].iter().product();
            (0..lines)
                .flat_map(|line| parts.iter().flat_map(move |part| part[line]))
                .copied()
                .collect()
        }
        Op::Slice { axis, start, len } => {
            let entry: usize = shape(0)[axis + 1..].iter().product();
            let taken = start * entry..(start + len) * entry;
            runs(real(0), shape(0), *axis)
                .iter()
                .flat_map(|run| &run[taken.clone()])
                .copied()
                .collect()
        }
        Op::Pad { axis, before, after } => {
            let entry: usize = shape(0)[axis + 1..].iter().product();
            let zeros = |n: usize| std::iter::repeat_n(zero, n * entry);
            let padded = |run: &&[T]| zeros(*before).chain(run.to_vec()).chain(zeros(*after));
            runs(real(0), shape(0), *axis).iter().flat_map(padded).collect()
        }
        Op::Broadcast { shape: to } => broadcast(real(0), shape(0), to),
        Op::Reshape { .. } => real(0).to_vec(),
        Op::Transpose => {
            let (matrix, columns) = (real(0), shape(0)[1]);
            (0..columns).flat_map(|j| matrix.iter().skip(j).step_by(columns).copied()).collect()
        }
        Op::Reduce { kind, axis } => {
            let data = real(0);
            match axis {
                None => vec![reduce(*kind, data.iter().copied())],
                Some(0) => {
                    let columns = shape(0)[1];
                    let column = |j: usize| data.iter().skip(j).step_by(columns).copied();
                    (0..columns).map(|j| reduce(*kind, column(j))).collect()
                }
                Some(_) => {
                    data.chunks(shape(0)[1]).map(|row| reduce(*kind, row.iter().copied())).collect()
                }
            }
        }
        Op::Take => {
            let size = graph.ty(id).size();
            real(0)[value(1).index() * size..][..size].to_vec()
        }
        Op::Put { len } => {
            let entry = real(1);
            let mut result = vec![zero; len * entry.len()];
            result[value(0).index() * entry.len()..][..entry.len()].copy_from_slice(entry);
            result
        }
    }
}

/// What stands along an axis, once for each index of the axes before it.
fn runs<'a, T>(data: &'a [T], shape: &[usize], axis: usize) -> Vec<&'a [T]> {
    data.chunks(shape[axis..].iter().product()).collect()
}

fn binary<T: Real>(op: Binary, a: T, b: T) -> T {
    let truth = |holds: bool| T::from_f64(if holds { 1.0 } else { 0.0 });
    #[allow(clippy::eq_op, clippy::float_cmp, reason = "only NaN differs from itself")]
    let nan = |x: T| x != x;
    let zero = T::default();
    match op {
        Binary::Add => a + b,
        Binary::Sub => a - b,
        Binary::Mul => a * b,
        Binary::Div => a / b,
        Binary::Max | Binary::Min if nan(a) => a,
        Binary::Max | Binary::Min if nan(b) => b,
        // Only zeros are equal and yet differ: their sum is -0 if both are, as the larger is.
        Binary::Max if a == zero && b == zero => a + b,
        Binary::Min if a == zero && b == zero => -(-a + -b),
        Binary::Max if a < b => b,
        Binary::Min if b < a => b,
        Binary::Max | Binary::Min => a,
        Binary::Less => truth(a < b),
        Binary::LessEqual => truth(a <= b),
        Binary::Equal => truth(a == b),
        Binary::Pow => a.pow(b),
    }
}

fn reduce<T: Real>(kind: Reduction, data: impl Iterator<Item = T>) -> T {
    match kind {
        Reduction::Sum => data.sum(),
        Reduction::Max => {
            data.fold(T::from_f64(f64::NEG_INFINITY), |a, b| binary(Binary::Max, a, b))
        }
    }
}

/// Repeats `data` of shape `from` to shape `to`, of rank 2 at the most.
fn broadcast<T: Real>(data: &[T], from: &[usize], to: &[usize]) -> Vec<T> {
    let pad = |shape: &[usize]| match *shape {
        [] => [1, 1],
        [n] => [1, n],
        [m, n] => [m, n],
        _ => unreachable!("values have rank 2 at the most"),
    };
    let (from, to) = (pad(from), pad(to));
    let stride = [if from[0] == 1 { 0 } else { from[1] }, usize::from(from[1] != 1)];
    (0..to[0]).flat_map(|i| (0..to[1]).map(move |j| data[i * stride[0] + j * stride[1]])).collect()
}
