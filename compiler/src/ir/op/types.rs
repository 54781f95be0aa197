//! The types of values, and the roles of a graph's arguments.

use std::fmt;

use smallvec::SmallVec;

use super::Scalar;

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

/// Whether `from` repeats to `to` by NumPy's rules: trailing axes aligned, each equal or 1.
pub fn broadcasts_to(from: &[usize], to: &[usize]) -> bool {
    from.len() <= to.len()
        && from.iter().rev().zip(to.iter().rev()).all(|(from, to)| from == to || *from == 1)
}
