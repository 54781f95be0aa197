//! Operations: their names, classes and typing rules, each stated once.
//!
//! Only four places in the compiler match every operation, without a wildcard: this file, the
//! interpreter (`ir/eval.rs`), the derivative rules (`autodiff/rules.rs`, and `autodiff/kinks.rs` for
//! where there is no derivative) and code generation.

use std::cmp::Ordering;
use std::fmt;

use smallvec::{SmallVec, smallvec};
use thiserror::Error;

/// The most elements that a value may have: so many that the size of all rows of a run, in bytes,
/// is a number of 64 bits.
pub const MAX_ELEMENTS: usize = 1 << 31;

/// The extents of a value, outermost first: rank 0 (scalar) to rank 2 (matrix, row-major).
pub type Shape = SmallVec<[usize; 2]>;

/// What the elements of a value are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Element {
    /// A floating-point number; its precision is chosen when a graph is evaluated or compiled.
    Real,
    /// A whole number in `0..bound`: a symbol, a label, a row of a table. Carries no gradient.
    Index {
        /// One more than the largest value.
        bound: usize,
    },
}

/// The type of a value: its elements and its shape.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Type {
    /// What the elements are.
    pub element: Element,
    /// The extents, outermost first.
    pub shape: Shape,
}

impl Type {
    /// A type of real numbers.
    pub fn real(shape: impl Into<Shape>) -> Self {
        Self { element: Element::Real, shape: shape.into() }
    }

    /// A single real number.
    pub fn scalar() -> Self {
        Self::real(Shape::new())
    }

    /// A single whole number in `0..bound`.
    pub fn index(bound: usize) -> Self {
        Self { element: Element::Index { bound }, shape: Shape::new() }
    }

    /// The number of axes.
    pub fn rank(&self) -> usize {
        self.shape.len()
    }

    /// The number of elements; the largest number there is, if it is larger than that.
    pub fn size(&self) -> usize {
        self.shape.iter().fold(1, |size: usize, &extent| size.saturating_mul(extent))
    }

    /// Whether the elements are real numbers (and so carry a gradient).
    pub fn is_real(&self) -> bool {
        self.element == Element::Real
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Element::Index { bound } = self.element {
            return write!(f, "index({bound})");
        }
        f.write_str("[")?;
        for (i, extent) in self.shape.iter().enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{extent}")?;
        }
        f.write_str("]")
    }
}

/// What a leaf of the graph is bound to when the graph runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Shared by all examples and all time steps.
    Param,
    /// One value for each example and time step.
    Input,
    /// Carried from step to step, per example.
    State,
    /// Kept by a forward graph for the backward graph: one value for each example and time step.
    Residual,
    /// Independent numbers for each example and time step, each 1 with a probability and else 0, or
    /// all of them this probability, which is their expectation. Carries no gradient.
    Mask(Scalar),
}

impl Role {
    /// Its word in the text form.
    pub fn name(self) -> &'static str {
        match self {
            Self::Param => "param",
            Self::Input => "input",
            Self::State => "state",
            Self::Residual => "residual",
            Self::Mask(_) => "mask",
        }
    }

    /// Whether values of this role may carry a gradient.
    pub fn is_differentiable(self) -> bool {
        match self {
            Self::Param | Self::Input | Self::State | Self::Residual => true,
            Self::Mask(_) => false,
        }
    }
}

/// A constant's value, compared, hashed and ordered by its bits.
#[derive(Clone, Copy)]
pub struct Scalar(pub f64);

impl PartialEq for Scalar {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

impl Eq for Scalar {}

impl PartialOrd for Scalar {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Scalar {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.to_bits().cmp(&other.0.to_bits())
    }
}

impl std::hash::Hash for Scalar {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.to_bits().hash(state);
    }
}

impl fmt::Debug for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `Debug` of f64 prints the shortest text that parses back to the same bits.
        write!(f, "{:?}", self.0)
    }
}

/// Elementwise functions of one operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unary {
    /// `-x`
    Neg,
    /// `e^x`
    Exp,
    /// The natural logarithm.
    Log,
    /// The square root.
    Sqrt,
    /// `|x|`
    Abs,
    /// The logistic function `1 / (1 + e^-x)`.
    Sigmoid,
    /// The hyperbolic tangent.
    Tanh,
    /// `max(x, 0)`, NaN for NaN.
    Relu,
    /// `log(1 + e^x)`, whose negation at `-x` is the logarithm of the sigmoid.
    Softplus,
    /// `e^x - 1`, accurate near 0.
    Expm1,
    /// `log(1 + x)`, accurate near 0.
    Log1p,
    /// The sine of an angle in radians.
    Sin,
    /// The cosine of an angle in radians.
    Cos,
    /// The error function `2 / sqrt(pi)` times the integral of `e^(-t^2)` from 0 to `x`.
    Erf,
    /// The largest whole number that is not above `x`.
    Floor,
}

impl Unary {
    /// Every elementwise function of one operand.
    pub const ALL: [Self; 15] = [
        Self::Neg,
        Self::Exp,
        Self::Log,
        Self::Sqrt,
        Self::Abs,
        Self::Sigmoid,
        Self::Tanh,
        Self::Relu,
        Self::Softplus,
        Self::Expm1,
        Self::Log1p,
        Self::Sin,
        Self::Cos,
        Self::Erf,
        Self::Floor,
    ];

    /// Whether it takes many instructions, none of which a machine has for it.
    pub fn is_transcendental(self) -> bool {
        match self {
            Self::Exp | Self::Log | Self::Sigmoid | Self::Tanh | Self::Softplus => true,
            Self::Expm1 | Self::Log1p | Self::Sin | Self::Cos | Self::Erf => true,
            Self::Neg | Self::Sqrt | Self::Abs | Self::Relu | Self::Floor => false,
        }
    }

    /// Whether the runtime has a kernel of it for the machine's widest vectors.
    pub fn is_wide(self) -> bool {
        match self {
            Self::Exp | Self::Log | Self::Sigmoid | Self::Tanh | Self::Softplus => true,
            Self::Expm1 | Self::Log1p | Self::Sin | Self::Cos | Self::Erf => false,
            Self::Neg | Self::Sqrt | Self::Abs | Self::Relu | Self::Floor => false,
        }
    }

    /// Its word in the text form, and in the language where it is a function.
    pub fn name(self) -> &'static str {
        match self {
            Self::Neg => "neg",
            Self::Exp => "exp",
            Self::Log => "log",
            Self::Sqrt => "sqrt",
            Self::Abs => "abs",
            Self::Sigmoid => "sigmoid",
            Self::Tanh => "tanh",
            Self::Relu => "relu",
            Self::Softplus => "softplus",
            Self::Expm1 => "expm1",
            Self::Log1p => "log1p",
            Self::Sin => "sin",
            Self::Cos => "cos",
            Self::Erf => "erf",
            Self::Floor => "floor",
        }
    }
}

/// Elementwise functions of two operands of the same shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Binary {
    /// `a + b`
    Add,
    /// `a - b`
    Sub,
    /// `a * b`
    Mul,
    /// `a / b`
    Div,
    /// The larger, 0 rather than -0; NaN if either is NaN.
    Max,
    /// The smaller, -0 rather than 0; NaN if either is NaN.
    Min,
    /// 1 where `a < b`, else 0 (also where either is NaN).
    Less,
    /// 1 where `a <= b`, else 0 (also where either is NaN).
    LessEqual,
    /// 1 where `a == b`, else 0 (also where either is NaN).
    Equal,
    /// `a^b`, with the edge cases of IEEE 754: 1 for a `b` of 0, NaN for a negative `a` and a `b`
    /// that is no whole number.
    Pow,
}

impl Binary {
    /// Every elementwise function of two operands.
    pub const ALL: [Self; 10] = [
        Self::Add,
        Self::Sub,
        Self::Mul,
        Self::Div,
        Self::Max,
        Self::Min,
        Self::Less,
        Self::LessEqual,
        Self::Equal,
        Self::Pow,
    ];

    /// Its word in the text form.
    pub fn name(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Sub => "sub",
            Self::Mul => "mul",
            Self::Div => "div",
            Self::Max => "max",
            Self::Min => "min",
            Self::Less => "less",
            Self::LessEqual => "less_equal",
            Self::Equal => "equal",
            Self::Pow => "pow",
        }
    }
}

/// How a reduction combines elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reduction {
    /// The sum.
    Sum,
    /// The largest; NaN if any is NaN.
    Max,
}

impl Reduction {
    /// Every reduction.
    pub const ALL: [Self; 2] = [Self::Sum, Self::Max];

    /// Its word in the text form.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sum => "reduce_sum",
            Self::Max => "reduce_max",
        }
    }
}

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

/// Whether `from` repeats to `to` by NumPy's rules: trailing axes aligned, each equal or 1.
pub fn broadcasts_to(from: &[usize], to: &[usize]) -> bool {
    from.len() <= to.len()
        && from.iter().rev().zip(to.iter().rev()).all(|(from, to)| from == to || *from == 1)
}
