//! Vectors of plain numbers, with the operators of the papers' equations.

use std::ops::{Add, Div, Mul, Neg, Sub};

/// A vector, or a matrix by rows. A single number goes with all elements of another.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Vector(pub(crate) Vec<f64>);

impl Vector {
    /// A function of each element.
    pub(crate) fn map(&self, f: impl Fn(f64) -> f64) -> Self {
        Self(self.0.iter().map(|&x| f(x)).collect())
    }

    /// The elements from one up to another.
    pub(crate) fn part(&self, from: usize, to: usize) -> Self {
        Self(self.0[from..to].to_vec())
    }

    /// The sum of the elements.
    pub(crate) fn total(&self) -> f64 {
        self.0.iter().sum()
    }

    /// The elements with mean 0 and variance 1, as `layer_norm` has them.
    pub(crate) fn standard(&self) -> Self {
        let count = self.0.len() as f64;
        let mean = self.total() / count;
        let variance = self.0.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
        self.map(|x| (x - mean) / (variance + 1e-5).sqrt())
    }
}

impl From<f64> for Vector {
    fn from(number: f64) -> Self {
        Self(vec![number])
    }
}

fn zip(a: &Vector, b: &Vector, f: impl Fn(f64, f64) -> f64) -> Vector {
    let count = a.0.len().max(b.0.len());
    let fits = |v: &Vector| v.0.len() == count || v.0.len() == 1;
    assert!(fits(a) && fits(b), "{} and {} elements", a.0.len(), b.0.len());
    Vector((0..count).map(|i| f(a.0[i % a.0.len()], b.0[i % b.0.len()])).collect())
}

macro_rules! operators {
    ($($trait:ident $method:ident $sign:tt,)*) => {$(
        impl $trait for Vector {
            type Output = Vector;
            fn $method(self, other: Vector) -> Vector {
                zip(&self, &other, |a, b| a $sign b)
            }
        }
        impl $trait<&Vector> for Vector {
            type Output = Vector;
            fn $method(self, other: &Vector) -> Vector {
                zip(&self, other, |a, b| a $sign b)
            }
        }
        impl $trait<Vector> for &Vector {
            type Output = Vector;
            fn $method(self, other: Vector) -> Vector {
                zip(self, &other, |a, b| a $sign b)
            }
        }
        impl $trait<&Vector> for &Vector {
            type Output = Vector;
            fn $method(self, other: &Vector) -> Vector {
                zip(self, other, |a, b| a $sign b)
            }
        }
        impl $trait<Vector> for f64 {
            type Output = Vector;
            fn $method(self, other: Vector) -> Vector {
                other.map(|b| self $sign b)
            }
        }
        impl $trait<&Vector> for f64 {
            type Output = Vector;
            fn $method(self, other: &Vector) -> Vector {
                other.map(|b| self $sign b)
            }
        }
    )*};
}

operators! {
    Add add +,
    Sub sub -,
    Mul mul *,
    Div div /,
}

impl Neg for Vector {
    type Output = Vector;
    fn neg(self) -> Vector {
        self.map(|x| -x)
    }
}

pub(crate) fn sigmoid(v: Vector) -> Vector {
    v.map(|x| 1.0 / (1.0 + (-x).exp()))
}

pub(crate) fn tanh(v: Vector) -> Vector {
    v.map(f64::tanh)
}

pub(crate) fn relu(v: Vector) -> Vector {
    v.map(|x| if x > 0.0 { x } else { 0.0 })
}

pub(crate) fn exp(v: Vector) -> Vector {
    v.map(f64::exp)
}

pub(crate) fn softmax(v: Vector) -> Vector {
    let e = exp(v);
    let total = e.total();
    e.map(|x| x / total)
}

/// One behind the other.
pub(crate) fn concat(a: &Vector, b: &Vector) -> Vector {
    Vector(a.0.iter().chain(&b.0).copied().collect())
}

/// The matrix with as many columns as the vector has elements, times it.
pub(crate) fn at(matrix: &Vector, v: &Vector) -> Vector {
    assert_eq!(matrix.0.len() % v.0.len(), 0);
    let rows = matrix.0.chunks(v.0.len());
    Vector(rows.map(|row| row.iter().zip(&v.0).map(|(a, b)| a * b).sum()).collect())
}

/// The matrix of as many rows as columns, transposed, or of so many columns.
pub(crate) fn transposed(matrix: &Vector, columns: usize) -> Vector {
    let rows = matrix.0.len() / columns;
    let column = |j: usize| (0..rows).map(move |i| matrix.0[i * columns + j]);
    Vector((0..columns).flat_map(column).collect())
}

/// The products of each element of the one, for a row, with each of the other.
pub(crate) fn outer(a: &Vector, b: &Vector) -> Vector {
    Vector(a.0.iter().flat_map(|x| b.0.iter().map(move |y| x * y)).collect())
}
