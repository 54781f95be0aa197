//! Operations: their names, classes and typing rules, each stated once.
//!
//! Only four places in the compiler match every operation, without a wildcard: this file with
//! `ir/op/elementwise.rs`, the interpreter (`ir/eval.rs`), the derivative rules (`autodiff/rules.rs`,
//! and `autodiff/kinks.rs` for where there is no derivative) and code generation.

mod elementwise;
mod types;

use std::fmt;

use smallvec::smallvec;
use thiserror::Error;

pub use self::elementwise::{Binary, Reduction, Scalar, Unary};
pub use self::types::{Element, MAX_ELEMENTS, Role, Shape, Type, broadcasts_to};

/// An operation of the graph.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// A leaf that is bound when the graph runs.
    Argument {
        /// What it is bound to.
        role: Role,
        /// Its name, unique within its role.
        name: String,
    },
    /// A constant scalar.
    Constant(Scalar),
    /// An elementwise function of one operand.
    Unary(Unary),
    /// An elementwise function of two operands of one shape.
    Binary(Binary),
    /// `select(c, a, b)`: `a` where `c` is not zero, else `b`; all of one shape.
    Select,
    /// The operand as it is, with a derivative of 0.
    Stop,
    /// The numbers from 0 to `len - 1`.
    Range {
        /// How many there are.
        len: usize,
    },
    /// `W: [m, n]`, `v: [n]` to `W v: [m]`.
    MatVec,
    /// `W: [m, n]`, `v: [m]` to the transposed product `Wᵀ v: [n]`.
    MatVecT,
    /// `u: [m]`, `v: [n]` to `u vᵀ: [m, n]`.
    Outer,
    /// `A: [m, k]`, `B: [k, n]` to `A B: [m, n]`.
    MatMul,
    /// One or more vectors or matrices, end to end along an axis.
    Concat {
        /// The axis whose extents add up.
        axis: usize,
    },
    /// `len` entries of an axis from `start` on.
    Slice {
        /// The axis that is cut.
        axis: usize,
        /// The first entry taken.
        start: usize,
        /// How many are taken.
        len: usize,
    },
    /// A vector or matrix between zeros along an axis; what `Slice` undoes.
    Pad {
        /// The axis that grows.
        axis: usize,
        /// Zeros before.
        before: usize,
        /// Zeros after.
        after: usize,
    },
    /// Repeats along new leading axes and along axes of extent 1 (NumPy's rules).
    Broadcast {
        /// The shape of the result.
        shape: Shape,
    },
    /// The same elements in the same order under another shape.
    Reshape {
        /// The shape of the result.
        shape: Shape,
    },
    /// `[m, n]` to `[n, m]`.
    Transpose,
    /// Combines all elements, or those of one axis of a matrix, which disappears.
    Reduce {
        /// How they are combined.
        kind: Reduction,
        /// The axis that disappears; all of them for `None`.
        axis: Option<usize>,
    },
    /// `a: [m, ..]`, `i: index(m)` to the `i`-th entry of the leading axis.
    Take,
    /// `i: index(m)`, `a` to `[m, ..]`: `a` as the `i`-th entry among zeros; what `Take` undoes.
    Put {
        /// The extent of the leading axis.
        len: usize,
    },
}

/// The class of an operation: what the loop passes need to know of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Bound from outside.
    Leaf,
    /// Element `i` of the result depends on element `i` of each operand alone.
    Elementwise,
    /// A product with a matrix.
    Product,
    /// Moves, repeats or combines elements.
    Structural,
}

/// Why an operation does not fit its operands.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TypeError {
    /// The number of operands is wrong.
    #[error("`{op}` takes {expected} operands, found {found}")]
    Arity {
        /// The operation.
        op: String,
        /// How many it takes.
        expected: String,
        /// How many it was given.
        found: usize,
    },
    /// An operand's type is wrong.
    #[error("`{op}` needs {expected} as operand {operand}, found {found}")]
    Operand {
        /// The operation.
        op: String,
        /// Which operand, from 0.
        operand: usize,
        /// What it needs.
        expected: String,
        /// What it was given.
        found: Type,
    },
}

impl Op {
    /// A leaf.
    pub fn argument(role: Role, name: impl Into<String>) -> Self {
        Self::Argument { role, name: name.into() }
    }

    /// A constant scalar.
    pub fn constant(value: f64) -> Self {
        Self::Constant(Scalar(value))
    }

    /// The operation's word in the text form.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Argument { role, .. } => role.name(),
            Self::Constant(_) => "constant",
            Self::Unary(op) => op.name(),
            Self::Binary(op) => op.name(),
            Self::Select => "select",
            Self::Stop => "stop",
            Self::Range { .. } => "range",
            Self::MatVec => "matvec",
            Self::MatVecT => "matvec_t",
            Self::Outer => "outer",
            Self::MatMul => "matmul",
            Self::Concat { .. } => "concat",
            Self::Slice { .. } => "slice",
            Self::Pad { .. } => "pad",
            Self::Broadcast { .. } => "broadcast",
            Self::Reshape { .. } => "reshape",
            Self::Transpose => "transpose",
            Self::Reduce { kind, .. } => kind.name(),
            Self::Take => "take",
            Self::Put { .. } => "put",
        }
    }

    /// The operation's class.
    pub fn class(&self) -> Class {
        match self {
            Self::Argument { .. } | Self::Constant(_) => Class::Leaf,
            Self::Unary(_) | Self::Binary(_) | Self::Select | Self::Stop => Class::Elementwise,
            Self::MatVec | Self::MatVecT | Self::Outer | Self::MatMul => Class::Product,
            Self::Range { .. }
            | Self::Concat { .. }
            | Self::Slice { .. }
            | Self::Pad { .. }
            | Self::Broadcast { .. }
            | Self::Reshape { .. }
            | Self::Transpose
            | Self::Reduce { .. }
            | Self::Take
            | Self::Put { .. } => Class::Structural,
        }
    }

    /// How many operands it takes; `None` for one or more.
    pub fn arity(&self) -> Option<usize> {
        match self {
            Self::Argument { .. } | Self::Constant(_) | Self::Range { .. } => Some(0),
            Self::Unary(_)
            | Self::Stop
            | Self::Slice { .. }
            | Self::Pad { .. }
            | Self::Broadcast { .. }
            | Self::Reshape { .. }
            | Self::Transpose
            | Self::Reduce { .. } => Some(1),
            Self::Binary(_) | Self::MatVec | Self::MatVecT => Some(2),
            Self::Outer | Self::MatMul => Some(2),
            Self::Take | Self::Put { .. } => Some(2),
            Self::Select => Some(3),
            Self::Concat { .. } => None,
        }
    }

    /// The type of the result, from the types of the operands.
    ///
    /// An argument's type is declared rather than inferred: for it this is an arity error.
    pub fn result_type(&self, operands: &[&Type]) -> Result<Type, TypeError> {
        let fits = match self.arity() {
            Some(arity) => operands.len() == arity,
            None => !operands.is_empty(),
        };
        if !fits || matches!(self, Self::Argument { .. }) {
            return Err(TypeError::Arity {
                op: self.name().into(),
                expected: self.arity().map_or("one or more".into(), |n| n.to_string()),
                found: operands.len(),
            });
        }
        let needs = |operand: usize, expected: &dyn fmt::Display| TypeError::Operand {
            op: self.name().into(),
            operand,
            expected: expected.to_string(),
            found: operands[operand].clone(),
        };
        // Everything is over reals but the index of `Take` and `Put`.
        let index_operand = match self {
            Self::Take => Some(1),
            Self::Put { .. } => Some(0),
            _ => None,
        };
        for (i, ty) in operands.iter().enumerate() {
            if index_operand == Some(i) && ty.is_real() {
                return Err(needs(i, &"an index"));
            }
            if index_operand != Some(i) && !ty.is_real() {
                return Err(needs(i, &"real numbers"));
            }
        }
        let ranked = |operand: usize, rank: usize| match (operands[operand].rank() == rank, rank) {
            (true, _) => Ok(operands[operand].shape.as_slice()),
            (false, 1) => Err(needs(operand, &"a vector")),
            (false, _) => Err(needs(operand, &"a matrix")),
        };
        let with_axis = |operand: usize, axis: usize| match operands[operand].rank() {
            rank if rank > axis => Ok(operands[operand].shape.clone()),
            _ if axis == 0 => Err(needs(operand, &"a vector")),
            _ => Err(needs(operand, &"a matrix")),
        };
        let vector = |operand: usize, len: usize| match operands[operand].shape.as_slice() {
            [found] if *found == len => Ok(()),
            _ => Err(needs(operand, &Type::real([len].as_slice()))),
        };
        let shape: Shape = match self {
            Self::Argument { .. } | Self::Constant(_) => Shape::new(),
            Self::Range { len } => smallvec![*len],
            Self::Unary(_) | Self::Stop => operands[0].shape.clone(),
            Self::Binary(_) | Self::Select => {
                for i in 1..operands.len() {
                    if operands[i] != operands[0] {
                        return Err(needs(i, operands[0]));
                    }
                }
                operands[0].shape.clone()
            }
            Self::MatVec => {
                let matrix = ranked(0, 2)?;
                vector(1, matrix[1])?;
                smallvec![matrix[0]]
            }
            Self::MatVecT => {
                let matrix = ranked(0, 2)?;
                vector(1, matrix[0])?;
                smallvec![matrix[1]]
            }
            Self::Outer => smallvec![ranked(0, 1)?[0], ranked(1, 1)?[0]],
            Self::MatMul => {
                let (left, right) = (ranked(0, 2)?, ranked(1, 2)?);
                if left[1] != right[0] {
                    return Err(needs(1, &format!("a matrix of {} rows", left[1])));
                }
                smallvec![left[0], right[1]]
            }
            Self::Concat { axis } => {
                let mut total = with_axis(0, *axis)?;
                for i in 1..operands.len() {
                    let mut expected = total.clone();
                    let found = with_axis(i, *axis)?;
                    expected[*axis] = found.get(*axis).copied().unwrap_or_default();
                    if found != expected {
                        return Err(needs(i, &Type::real(expected)));
                    }
                    total[*axis] = total[*axis].saturating_add(found[*axis]);
                }
                total
            }
            Self::Slice { axis, start, len } => {
                let mut shape = with_axis(0, *axis)?;
                match start.checked_add(*len) {
                    Some(end) if end <= shape[*axis] => shape[*axis] = *len,
                    _ => {
                        shape[*axis] = start.saturating_add(*len);
                        return Err(needs(0, &format!("at least {}", Type::real(shape))));
                    }
                }
                shape
            }
            Self::Pad { axis, before, after } => {
                let mut shape = with_axis(0, *axis)?;
                shape[*axis] = shape[*axis].saturating_add(*before).saturating_add(*after);
                shape
            }
            Self::Broadcast { shape } => {
                if !broadcasts_to(&operands[0].shape, shape) {
                    let target = Type::real(shape.clone());
                    return Err(needs(0, &format!("a shape that broadcasts to {target}")));
                }
                shape.clone()
            }
            Self::Reshape { shape } => {
                if operands[0].size() != Type::real(shape.clone()).size() {
                    let target = Type::real(shape.clone());
                    return Err(needs(0, &format!("as many elements as {target}")));
                }
                shape.clone()
            }
            Self::Transpose => {
                let matrix = ranked(0, 2)?;
                smallvec![matrix[1], matrix[0]]
            }
            Self::Reduce { axis: None, .. } => Shape::new(),
            Self::Reduce { axis: Some(axis), .. } => match (ranked(0, 2)?, axis) {
                (matrix, 0) => smallvec![matrix[1]],
                (matrix, 1) => smallvec![matrix[0]],
                _ => return Err(needs(0, &format!("an axis {axis}"))),
            },
            Self::Take => match operands[0].shape.split_first() {
                Some((len, rest)) if operands[1].element == (Element::Index { bound: *len }) => {
                    rest.into()
                }
                Some((len, _)) => return Err(needs(1, &Type::index(*len))),
                None => return Err(needs(0, &"a vector or a matrix")),
            },
            Self::Put { len } => {
                if operands[0].element != (Element::Index { bound: *len }) {
                    return Err(needs(0, &Type::index(*len)));
                }
                if operands[1].rank() > 1 {
                    return Err(needs(1, &"a scalar or a vector"));
                }
                std::iter::once(*len).chain(operands[1].shape.iter().copied()).collect()
            }
        };
        Ok(Type::real(shape))
    }
}
