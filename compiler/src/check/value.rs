//! Values while a cell is checked: a place in the graph, and a type that remembers how its
//! extents are written in the source, so that messages speak of `[H, H + I]`, not of numbers alone.

use std::fmt;
use std::rc::Rc;

use smallvec::SmallVec;

use crate::diagnostic::Span;
use crate::ir::graph::ValueId;
use crate::ir::op::Shape;

/// The extent of one axis: its size, and what it is called.
#[derive(Clone, Debug)]
pub(super) struct Extent {
    pub(super) size: usize,
    name: Rc<str>,
}

impl Extent {
    pub(super) fn new(size: usize, name: impl Into<Rc<str>>) -> Self {
        let name = name.into();
        // Long sums say less than the number.
        if name.len() > 32 { Self::number(size) } else { Self { size, name } }
    }

    pub(super) fn number(size: usize) -> Self {
        Self { size, name: size.to_string().into() }
    }

    /// What it is called, as an operand of `+` or `-` on the right.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    fn is_number(&self) -> bool {
        self.name.bytes().all(|byte| byte.is_ascii_digit())
    }
}

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_number() {
            write!(f, "{}", self.size)
        } else {
            write!(f, "{} = {}", self.name, self.size)
        }
    }
}

/// The extents of a value, outermost first.
#[derive(Clone, Debug, Default)]
pub(super) struct Extents(pub(super) SmallVec<[Extent; 2]>);

impl Extents {
    pub(super) fn rank(&self) -> usize {
        self.0.len()
    }

    pub(super) fn shape(&self) -> Shape {
        self.0.iter().map(|extent| extent.size).collect()
    }

    pub(super) fn same(&self, other: &Self) -> bool {
        self.shape() == other.shape()
    }

    /// The shape both repeat to by NumPy's rules, if there is one.
    pub(super) fn broadcast(&self, other: &Self) -> Option<Self> {
        let rank = self.rank().max(other.rank());
        let at = |extents: &Self, axis: usize| -> Option<Extent> {
            (axis + extents.rank()).checked_sub(rank).map(|axis| extents.0[axis].clone())
        };
        let axes = (0..rank).map(|axis| match (at(self, axis), at(other, axis)) {
            (Some(a), Some(b)) if b.size == 1 || a.size == b.size => Some(a),
            (Some(a), Some(b)) if a.size == 1 => Some(b),
            (Some(_), Some(_)) => None,
            (a, b) => a.or(b),
        });
        axes.collect::<Option<_>>().map(Self)
    }
}

impl<const N: usize> From<[Extent; N]> for Extents {
    fn from(extents: [Extent; N]) -> Self {
        Self(extents.into_iter().collect())
    }
}

impl fmt::Display for Extents {
    /// `[H, H + I] = [4, 7]`, or `[4, 7]` alone where that is how it is written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |part: fn(&Extent) -> String| -> String {
            let parts: Vec<_> = self.0.iter().map(part).collect();
            format!("[{}]", parts.join(", "))
        };
        f.write_str(&list(|extent| extent.name.to_string()))?;
        if !self.0.iter().all(Extent::is_number) {
            write!(f, " = {}", list(|extent| extent.size.to_string()))?;
        }
        Ok(())
    }
}

/// A value of the graph with its type.
#[derive(Clone, Debug)]
pub(super) struct Value {
    pub(super) id: ValueId,
    pub(super) extents: Extents,
    /// The bound of an index; real numbers have none.
    pub(super) bound: Option<Extent>,
    /// The `*` by which a vector was repeated over the rows of a matrix, in what led to this
    /// matrix: where the shape surprises later, `@` was likely meant there.
    pub(super) spread: Option<Span>,
}

impl Value {
    pub(super) fn real(id: ValueId, extents: impl Into<Extents>) -> Self {
        Self { id, extents: extents.into(), bound: None, spread: None }
    }

    pub(super) fn rank(&self) -> usize {
        self.extents.rank()
    }

    /// The type in words.
    pub(super) fn describe(&self) -> String {
        match (&self.bound, self.rank()) {
            (Some(bound), _) => format!("an index below {bound}"),
            (None, 0) => "a single number".into(),
            (None, 1) => format!("a vector {}", self.extents),
            (None, _) => format!("a matrix {}", self.extents),
        }
    }
}
