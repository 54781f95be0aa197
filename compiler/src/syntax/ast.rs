//! The text of a cell as a tree, every part with the place it came from.
//!
//! A part that could not be parsed never gets this far: `parse` hands out a tree only if the whole
//! text is well-formed. [`ExprKind::Error`] exists for the parser's own recovery.

use std::fmt;

use crate::diagnostic::Span;

/// A name and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The name.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}

/// `cell NAME(DIM, ...) { .. }`
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// The cell's name.
    pub name: Name,
    /// Its dimensions, in order.
    pub dims: Vec<Name>,
    /// Its declarations and statements, in order.
    pub items: Vec<Item>,
}

/// A declaration or a statement.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// `input x: [I]`, `state h: [H]`, `param W: [H, I] ~ uniform(1)`: names of one type.
    Declaration(Declaration),
    /// `NAME = expr`
    Definition {
        /// What is defined.
        name: Name,
        /// Its value.
        value: Expr,
    },
    /// `next STATE = expr`
    Next {
        /// The word `next`.
        keyword: Span,
        /// The state.
        state: Name,
        /// Its value at the next time step.
        value: Expr,
    },
    /// `output NAME` or `output NAME = expr`
    Output {
        /// The output's name.
        name: Name,
        /// Its value, if it is not that of the value of its name.
        value: Option<Expr>,
    },
}

/// What a declared name is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Given at each time step.
    Input,
    /// Carried from step to step.
    State,
    /// Learnt; the same at all time steps.
    Param,
}

impl Kind {
    /// Its keyword.
    pub fn keyword(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::State => "state",
            Self::Param => "param",
        }
    }
}

/// Names declared together: they share a type and an initialiser.
#[derive(Clone, Debug, PartialEq)]
pub struct Declaration {
    /// What the names are bound to.
    pub kind: Kind,
    /// The names.
    pub names: Vec<Name>,
    /// Their type.
    pub ty: TypeExpr,
    /// How they are first drawn: parameters only.
    pub initializer: Option<Initializer>,
}

/// A type as written.
#[derive(Clone, Debug, PartialEq)]
pub struct TypeExpr {
    /// Which type.
    pub kind: TypeKind,
    /// Where it stands.
    pub span: Span,
}

/// The kinds of types.
#[derive(Clone, Debug, PartialEq)]
pub enum TypeKind {
    /// `[A, B]`: real numbers; `[]` and `scalar` are one number.
    Real(Vec<Expr>),
    /// `index(V)`: a whole number below a bound.
    Index(Box<Expr>),
}

/// How a parameter is first drawn.
#[derive(Clone, Debug, PartialEq)]
pub enum Initializer {
    /// `= expr`: one number for every element.
    Constant(Expr),
    /// `~ NAME(arguments)`: from a distribution.
    Draw {
        /// The distribution.
        name: Name,
        /// Its parameters.
        arguments: Vec<Expr>,
    },
}

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it stands.
    pub span: Span,
    /// The height of the tree, which the parser bounds so that no later walk runs out of stack.
    pub(crate) height: u16,
}

/// The kinds of expressions.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// A number.
    Number {
        /// Its value.
        value: f64,
        /// Its value if it is written as a whole number.
        whole: Option<i64>,
    },
    /// A name.
    Name(String),
    /// `next STATE`
    Next(Name),
    /// `-a`
    Neg(Box<Expr>),
    /// `a + b` and its like.
    Binary {
        /// The operator.
        op: Operator,
        /// Where it stands.
        op_span: Span,
        /// The left operand.
        left: Box<Expr>,
        /// The right operand.
        right: Box<Expr>,
    },
    /// `f(a, ..)`
    Call {
        /// The function.
        function: Name,
        /// The arguments.
        arguments: Vec<Expr>,
    },
    /// `a[i]`
    Index {
        /// What is indexed.
        base: Box<Expr>,
        /// Which entry.
        index: Box<Expr>,
    },
    /// `v[a..b]`, either end optional.
    Slice {
        /// What is sliced.
        base: Box<Expr>,
        /// The first element; from the start if absent.
        start: Option<Box<Expr>>,
        /// One past the last element; to the end if absent.
        end: Option<Box<Expr>>,
    },
    /// `m[rows, columns]`: of a matrix.
    Part {
        /// What a part is taken of.
        base: Box<Expr>,
        /// Which rows, and which columns.
        axes: Box<[Subscript; 2]>,
    },
    /// `[M, N]`: a shape, as an argument.
    Shape(Vec<Expr>),
    /// Something that was reported and passed over.
    Error,
}

/// What is taken along an axis.
#[derive(Clone, Debug, PartialEq)]
pub enum Subscript {
    /// One entry: the axis disappears.
    At(Expr),
    /// `a..b`, either end optional.
    Range {
        /// The first entry; from the start if absent.
        start: Option<Expr>,
        /// One past the last entry; to the end if absent.
        end: Option<Expr>,
    },
}

impl Subscript {
    /// The expressions in it.
    fn parts(&self) -> impl Iterator<Item = &Expr> {
        let (start, end) = match self {
            Self::At(at) => (Some(at), None),
            Self::Range { start, end } => (start.as_ref(), end.as_ref()),
        };
        start.into_iter().chain(end)
    }
}

impl fmt::Display for Subscript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(at) => write!(f, "{at}"),
            Self::Range { start, end } => {
                start.iter().try_for_each(|start| write!(f, "{start}"))?;
                f.write_str("..")?;
                end.iter().try_for_each(|end| write!(f, "{end}"))
            }
        }
    }
}

/// The operators between two expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `a + b`
    Add,
    /// `a - b`
    Sub,
    /// `a * b`, elementwise
    Mul,
    /// `a / b`, elementwise
    Div,
    /// `a @ b`: a matrix with a vector.
    MatMul,
    /// `a < b`
    Less,
    /// `a <= b`
    LessEqual,
    /// `a > b`
    Greater,
    /// `a >= b`
    GreaterEqual,
    /// `a == b`
    Equal,
    /// `a != b`
    NotEqual,
}

impl Operator {
    /// Every operator.
    pub const ALL: [Self; 11] = [
        Self::Add,
        Self::Sub,
        Self::Mul,
        Self::Div,
        Self::MatMul,
        Self::Less,
        Self::LessEqual,
        Self::Greater,
        Self::GreaterEqual,
        Self::Equal,
        Self::NotEqual,
    ];

    /// How it is written.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::MatMul => "@",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::Equal => "==",
            Self::NotEqual => "!=",
        }
    }

    /// How tightly it binds: comparisons, then sums, then products.
    pub fn precedence(self) -> u8 {
        match self {
            Self::Add | Self::Sub => 2,
            Self::Mul | Self::Div | Self::MatMul => 3,
            _ => 1,
        }
    }

    /// Whether it compares.
    pub fn is_comparison(self) -> bool {
        self.precedence() == 1
    }
}

impl Expr {
    /// An expression; its height follows from its parts.
    pub(crate) fn new(kind: ExprKind, span: Span) -> Self {
        let below = match &kind {
            ExprKind::Number { .. } | ExprKind::Name(_) | ExprKind::Next(_) | ExprKind::Error => 0,
            ExprKind::Neg(inner) => inner.height,
            ExprKind::Binary { left, right, .. } => left.height.max(right.height),
            ExprKind::Call { arguments, .. } => {
                arguments.iter().map(|argument| argument.height).max().unwrap_or(0)
            }
            ExprKind::Index { base, index } => base.height.max(index.height),
            ExprKind::Slice { base, start, end } => {
                let ends = [start, end].into_iter().flatten().map(|end| end.height);
                ends.fold(base.height, u16::max)
            }
            ExprKind::Part { base, axes } => {
                let parts = axes.iter().flat_map(Subscript::parts).map(|part| part.height);
                parts.fold(base.height, u16::max)
            }
            ExprKind::Shape(extents) => {
                extents.iter().map(|extent| extent.height).max().unwrap_or(0)
            }
        };
        Self { kind, span, height: below.saturating_add(1) }
    }

    /// The name it consists of, if it is just a name.
    pub fn as_name(&self) -> Option<&str> {
        match &self.kind {
            ExprKind::Name(name) => Some(name),
            _ => None,
        }
    }

    fn precedence(&self) -> u8 {
        match &self.kind {
            ExprKind::Binary { op, .. } => op.precedence(),
            ExprKind::Neg(_) => 4,
            _ => 5,
        }
    }

    fn fmt_within(&self, f: &mut fmt::Formatter<'_>, precedence: u8) -> fmt::Result {
        if self.precedence() < precedence { write!(f, "({self})") } else { write!(f, "{self}") }
    }
}

impl fmt::Display for Expr {
    /// The expression as the language writes it, with no more parentheses than it needs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ExprKind::Number { whole: Some(whole), .. } => write!(f, "{whole}"),
            ExprKind::Number { value, .. } => write!(f, "{value}"),
            ExprKind::Name(name) => f.write_str(name),
            ExprKind::Next(state) => write!(f, "next {}", state.text),
            ExprKind::Neg(inner) => {
                f.write_str("-")?;
                inner.fmt_within(f, 4)
            }
            ExprKind::Binary { op, left, right, .. } => {
                // Operators associate to the left, and comparisons not at all.
                left.fmt_within(f, op.precedence() + u8::from(op.is_comparison()))?;
                write!(f, " {} ", op.symbol())?;
                right.fmt_within(f, op.precedence() + 1)
            }
            ExprKind::Call { function, arguments } => {
                write!(f, "{}(", function.text)?;
                for (i, argument) in arguments.iter().enumerate() {
                    write!(f, "{}{argument}", if i == 0 { "" } else { ", " })?;
                }
                f.write_str(")")
            }
            ExprKind::Index { base, index } => {
                base.fmt_within(f, 5)?;
                write!(f, "[{index}]")
            }
            ExprKind::Slice { base, start, end } => {
                base.fmt_within(f, 5)?;
                f.write_str("[")?;
                start.iter().try_for_each(|start| write!(f, "{start}"))?;
                f.write_str("..")?;
                end.iter().try_for_each(|end| write!(f, "{end}"))?;
                f.write_str("]")
            }
            ExprKind::Part { base, axes } => {
                base.fmt_within(f, 5)?;
                write!(f, "[{}, {}]", axes[0], axes[1])
            }
            ExprKind::Shape(extents) => {
                f.write_str("[")?;
                for (i, extent) in extents.iter().enumerate() {
                    write!(f, "{}{extent}", if i == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
            ExprKind::Error => f.write_str("?"),
        }
    }
}
