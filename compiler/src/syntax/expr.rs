//! Expressions as a tree, and how they are written.

use std::fmt;

use super::ast::Name;
use crate::diagnostic::Span;

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

    fn parts_mut(&mut self) -> impl Iterator<Item = &mut Expr> {
        let (start, end) = match self {
            Self::At(at) => (Some(at), None),
            Self::Range { start, end } => (start.as_mut(), end.as_mut()),
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

    /// The expressions that it is directly made of, in the order of the text.
    pub fn parts(&self) -> Vec<&Self> {
        match &self.kind {
            ExprKind::Number { .. } | ExprKind::Name(_) | ExprKind::Next(_) | ExprKind::Error => {
                Vec::new()
            }
            ExprKind::Neg(inner) => vec![inner],
            ExprKind::Binary { left, right, .. } => vec![left, right],
            ExprKind::Call { arguments, .. } => arguments.iter().collect(),
            ExprKind::Index { base, index } => vec![base, index],
            ExprKind::Slice { base, start, end } => {
                let ends = [start, end].into_iter().flatten().map(|end| &**end);
                std::iter::once(&**base).chain(ends).collect()
            }
            ExprKind::Part { base, axes } => {
                std::iter::once(&**base).chain(axes.iter().flat_map(Subscript::parts)).collect()
            }
            ExprKind::Shape(extents) => extents.iter().collect(),
        }
    }

    /// The same, to put others in their place.
    pub(crate) fn parts_mut(&mut self) -> Vec<&mut Self> {
        match &mut self.kind {
            ExprKind::Number { .. } | ExprKind::Name(_) | ExprKind::Next(_) | ExprKind::Error => {
                Vec::new()
            }
            ExprKind::Neg(inner) => vec![inner],
            ExprKind::Binary { left, right, .. } => vec![left, right],
            ExprKind::Call { arguments, .. } => arguments.iter_mut().collect(),
            ExprKind::Index { base, index } => vec![base, index],
            ExprKind::Slice { base, start, end } => {
                let ends = [start, end].into_iter().flatten().map(|end| &mut **end);
                std::iter::once(&mut **base).chain(ends).collect()
            }
            ExprKind::Part { base, axes } => {
                let axes = axes.iter_mut().flat_map(Subscript::parts_mut);
                std::iter::once(&mut **base).chain(axes).collect()
            }
            ExprKind::Shape(extents) => extents.iter_mut().collect(),
        }
    }

    /// Whether it stands in parentheses, which the tree does not hold.
    pub fn is_parenthesized(&self) -> bool {
        match &self.kind {
            ExprKind::Binary { left, .. } => self.span.start < left.span.start,
            _ => false,
        }
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
