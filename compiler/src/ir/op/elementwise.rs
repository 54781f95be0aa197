//! Elementwise functions and reductions by name, and the numbers of constants.

use std::cmp::Ordering;
use std::fmt;

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
