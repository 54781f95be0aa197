//! What can be wrong with the arrays a cell is to be applied to.

use cellc_compiler::ir::op::Shape;
use safetensors::Dtype;
use thiserror::Error;

/// A file that holds no tensors that could be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FileError {
    /// There is nothing in it.
    #[error("the file is empty, so it is no safetensors file")]
    Empty,
    /// It is not, or no longer, of the safetensors format.
    #[error("not a safetensors file, or a damaged one: {0}")]
    Damaged(String),
    /// The part of the file that belongs to a tensor does not fit its shape.
    #[error(
        "the file is damaged: tensor `{tensor}` is {dtype} {shape}, {expected} bytes, but the \
         file has {found} bytes for it"
    )]
    Tensor {
        /// The tensor's name.
        tensor: String,
        /// The type of its elements.
        dtype: String,
        /// Its shape, such as `[2, 3]`.
        shape: String,
        /// The bytes that its shape takes.
        expected: u64,
        /// The bytes that it has.
        found: u64,
    },
}

/// A leading axis that the runtime adds to a cell's own shapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis {
    /// Time steps.
    Steps,
    /// Examples.
    Batch,
}

impl Axis {
    /// `T` or `B`.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Steps => "T",
            Self::Batch => "B",
        }
    }
}

/// A shape whose leading axes are chosen at run time, such as `[T, B, 4]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// The axes in front.
    pub lead: &'static [Axis],
    /// The cell's own extents.
    pub shape: Shape,
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let lead = self.lead.iter().map(|axis| axis.symbol().to_owned());
        let parts: Vec<_> = lead.chain(self.shape.iter().map(ToString::to_string)).collect();
        write!(f, "[{}]", parts.join(", "))
    }
}

/// A fault of one tensor, or of the lack of one. Shapes are written `[5, 2, 3]`.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// A tensor that the cell needs is not there.
    #[error("tensor `{tensor}` is missing: the cell's {role} `{tensor}` needs {expected}")]
    Missing {
        /// The tensor's name.
        tensor: String,
        /// `param` or `input`.
        role: &'static str,
        /// The shape it needs.
        expected: Pattern,
    },
    /// A tensor has the wrong shape.
    #[error("tensor `{tensor}` must be {expected}, found {}", brackets(.found))]
    Shape {
        /// The tensor's name.
        tensor: String,
        /// The shape it needs.
        expected: Pattern,
        /// The shape it has.
        found: Vec<usize>,
    },
    /// Two tensors disagree on the number of steps or examples.
    #[error(
        "tensor `{tensor}` is {}, so {} = {extent}, but `{other}` is {}, so {} = {other_extent}: \
         all must agree",
        brackets(.found), .axis.symbol(), brackets(.other_found), .axis.symbol()
    )]
    Disagree {
        /// The tensor's name.
        tensor: String,
        /// Its shape.
        found: Vec<usize>,
        /// The axis in question.
        axis: Axis,
        /// Its extent along the axis.
        extent: usize,
        /// The tensor it disagrees with.
        other: String,
        /// That tensor's shape.
        other_found: Vec<usize>,
        /// That tensor's extent along the axis.
        other_extent: usize,
    },
    /// There are no steps, or no examples.
    #[error(
        "tensor `{tensor}` must be {expected} with {} at least 1, found {}",
        .axis.symbol(), brackets(.found)
    )]
    NoExtent {
        /// The tensor's name.
        tensor: String,
        /// The shape it needs.
        expected: Pattern,
        /// The axis of extent 0.
        axis: Axis,
        /// The shape it has.
        found: Vec<usize>,
    },
    /// A tensor has elements of the wrong type.
    #[error(
        "tensor `{tensor}` has dtype {found}, but {expected} is needed{}",
        .like.as_ref().map(|like| format!(", the dtype of `{like}`")).unwrap_or_default()
    )]
    Dtype {
        /// The tensor's name.
        tensor: String,
        /// The dtypes that would do.
        expected: String,
        /// The dtype it has.
        found: Dtype,
        /// The tensor that the needed dtype was taken from.
        like: Option<String>,
    },
    /// An index is negative or too large.
    #[error(
        "tensor `{tensor}` holds the index {index} at [{step}, {example}]; an index must be at \
         least 0 and below {bound}"
    )]
    Index {
        /// The tensor's name.
        tensor: String,
        /// The time step, from 0.
        step: usize,
        /// The example, from 0.
        example: usize,
        /// The index found.
        index: i64,
        /// What it must be below.
        bound: usize,
    },
    /// A length is negative, or larger than the number of steps.
    #[error(
        "tensor `lengths` holds {length} at [{example}]; a length must be at least 0 and at most T \
         = {steps}"
    )]
    Length {
        /// The example, from 0.
        example: usize,
        /// The length found.
        length: i64,
        /// The time steps.
        steps: usize,
    },
    /// A tensor means nothing to the cell.
    #[error(
        "tensor `{tensor}`, {}, is nothing of this cell's{}",
        brackets(.found),
        .suggestion.as_ref().map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
    )]
    Extra {
        /// The tensor's name.
        tensor: String,
        /// Its shape.
        found: Vec<usize>,
        /// A name of the cell's that is near.
        suggestion: Option<String>,
    },
    /// Two leaves of the cell would share a tensor.
    #[error(
        "the cell has a {first} and a {second} of the name `{name}`, which a file of tensors \
         cannot tell apart: rename one"
    )]
    Clash {
        /// The name.
        name: String,
        /// One role.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
    /// Nothing says how many steps, or examples, there are.
    #[error("nothing tells the number of {}: {hint}", match .axis {
        Axis::Steps => "time steps T",
        Axis::Batch => "examples B",
    })]
    UnknownExtent {
        /// The axis in question.
        axis: Axis,
        /// Which tensors could tell.
        hint: String,
    },
}

/// A shape as it is written: `[5, 2, 3]`.
pub(super) fn brackets(shape: &[usize]) -> String {
    format!("{shape:?}")
}
