//! The text of a file as a tree, every part with the place it came from.
//!
//! A part that could not be parsed never gets to be compiled: `parse` hands out a tree only if the
//! whole text is well-formed. [`ExprKind::Error`] exists for the parser's own recovery, and for
//! editors, which show what a text means while it is written.

use std::fmt;

pub use super::expr::{Expr, ExprKind, Operator, Subscript};
use crate::diagnostic::Span;

/// A name and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The name.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}

/// The text of a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct File {
    /// What it imports, in order.
    pub uses: Vec<Use>,
    /// Its constants, in order.
    pub constants: Vec<Constant>,
    /// Its functions, in order.
    pub functions: Vec<Function>,
    /// Its cell; a library has none.
    pub cell: Option<Cell>,
}

/// `use NAME, ... from PLACE`
#[derive(Clone, Debug, PartialEq)]
pub struct Use {
    /// What is imported.
    pub names: Vec<Name>,
    /// Where from.
    pub place: Place,
    /// Where the place is written.
    pub span: Span,
}

/// Where something is imported from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// `from norms`: a library of the catalogue.
    Catalogue(String),
    /// `from "norms.cell"`: a file, relative to the one that imports.
    File(String),
}

impl fmt::Display for Place {
    /// As it is written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Catalogue(name) => f.write_str(name),
            Self::File(path) => write!(f, "\"{path}\""),
        }
    }
}

/// `const NAME = expr`, or one of `hyper NAME = expr, ..`
#[derive(Clone, Debug, PartialEq)]
pub struct Constant {
    /// Its name.
    pub name: Name,
    /// Its value, a constant expression.
    pub value: Expr,
}

/// `fn NAME(PARAMETER, ...) = expr`, or with `{ .. return expr }`
#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    /// Its name.
    pub name: Name,
    /// Its parameters, in order.
    pub parameters: Vec<Parameter>,
    /// The names that it defines, each with its value, in order.
    pub definitions: Vec<(Name, Expr)>,
    /// What it gives.
    pub result: Expr,
}

impl fmt::Display for Function {
    /// How it is called: `layer_norm(v, gain, bias)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.parameters.iter().map(|p| p.name.text.as_str()).collect();
        write!(f, "{}({})", self.name.text, names.join(", "))
    }
}

/// A parameter of a function: `v` or `v: [N]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Its name.
    pub name: Name,
    /// What it fits: a type whose dimensions are bound by the argument.
    pub pattern: Option<TypeExpr>,
}

/// `cell NAME(DIM, ...) { .. }`
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// The cell's name.
    pub name: Name,
    /// Its dimensions, in order.
    pub dims: Vec<Dim>,
    /// Its declarations and statements, in order.
    pub items: Vec<Item>,
}

impl Cell {
    /// Its hyper-parameters, in order.
    pub fn hypers(&self) -> impl Iterator<Item = &Constant> {
        self.items.iter().filter_map(|item| match item {
            Item::Hyper(hyper) => Some(hyper),
            _ => None,
        })
    }
}

/// A dimension of a cell: `H` or `P = H / 2`.
#[derive(Clone, Debug, PartialEq)]
pub struct Dim {
    /// Its name.
    pub name: Name,
    /// Its size where none is given: a dimension expression of those before it.
    pub default: Option<Expr>,
}

/// A declaration or a statement.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// `input x: [I]`, `state h: [H]`, `param W: [H, I] ~ uniform(1)`: names of one type.
    Declaration(Declaration),
    /// `hyper NAME = expr`: a number that the command may change.
    Hyper(Constant),
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

impl Item {
    /// What it defines and its value, if it is a definition.
    pub(crate) fn into_definition(self) -> Option<(Name, Expr)> {
        match self {
            Self::Definition { name, value } => Some((name, value)),
            Self::Declaration(_) | Self::Hyper(_) | Self::Next { .. } | Self::Output { .. } => None,
        }
    }
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
    /// How parameters are first drawn, or where states begin.
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

/// How a parameter is first drawn, or where a state begins.
#[derive(Clone, Debug, PartialEq)]
pub enum Initializer {
    /// `= expr`: one number for every element; of a state, also the name of a parameter.
    Constant(Expr),
    /// `~ NAME(arguments)`: from a distribution; parameters only.
    Draw {
        /// The distribution.
        name: Name,
        /// Its parameters.
        arguments: Vec<Expr>,
    },
}
