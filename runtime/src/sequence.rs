//! One run of a cell over a sequence: its inputs, states, outputs and cotangents.
//!
//! Arrays are time-major and contiguous: `[T, B, ..]` for what there is at each step, `[B, ..]`
//! for states before the first and after the last step, each with the cell's own shape behind.
//! Batch `B` and length `T` are chosen at run time.

use std::fmt;

use cellc_compiler::cell::Initial;
use cellc_compiler::ir::eval::Real;
use cellc_compiler::ir::graph::{Graph, OutputRole};
use cellc_compiler::ir::op::{Element, Role, Scalar, Type};
use thiserror::Error;

use crate::masks::Masks;

/// The number of steps and of examples of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Time steps, `T`.
    pub steps: usize,
    /// Examples that run side by side, `B`.
    pub batch: usize,
}

/// The most rows of a run: so many that the memory of all rows of the largest value has an address.
const MAX_ROWS: usize = 1 << 29;

impl Extent {
    /// The number of rows: steps times examples.
    ///
    /// # Panics
    /// If there are more than 2^29, one step more included.
    pub fn rows(self) -> usize {
        assert!(self.is_allowed(), "{self:?} is too large");
        self.steps * self.batch
    }

    /// Whether a run may have this extent: at most 2^29 rows, one step more included.
    pub fn is_allowed(self) -> bool {
        let rows = self.steps.checked_add(1).and_then(|steps| steps.checked_mul(self.batch));
        rows.is_some_and(|rows| rows <= MAX_ROWS)
    }
}

/// A named value of a cell's interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Its name in the cell's text.
    pub name: String,
    /// Its type for one example (and step).
    pub ty: Type,
}

/// A mask of a cell: random numbers of its own, which are no input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask {
    /// Its type for one example and step.
    pub ty: Type,
    /// The probability of a 1.
    pub probability: Scalar,
}

/// What a cell takes and gives, each list in the order of the cell's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Shared by all steps and examples.
    pub params: Vec<Port>,
    /// One value for each step and example.
    pub inputs: Vec<Port>,
    /// Carried from step to step.
    pub states: Vec<Port>,
    /// One value for each step and example.
    pub outputs: Vec<Port>,
    /// One value for each step and example, drawn by the cell itself.
    pub masks: Vec<Mask>,
}

impl Interface {
    /// The interface of a graph.
    pub fn of(graph: &Graph) -> Self {
        let arguments = |role| {
            let port = |(id, name): (_, &str)| Port { name: name.into(), ty: graph.ty(id).clone() };
            graph.arguments_of(role).map(port).collect()
        };
        let outputs = graph.outputs_of(OutputRole::Output);
        Self {
            params: arguments(Role::Param),
            inputs: arguments(Role::Input),
            states: arguments(Role::State),
            outputs: outputs
                .map(|o| Port { name: o.name.clone(), ty: graph.ty(o.value).clone() })
                .collect(),
            masks: (graph.masks())
                .map(|(id, _, p)| Mask { ty: graph.ty(id).clone(), probability: Scalar(p) })
                .collect(),
        }
    }
}

impl Mask {
    /// The array over an extent, `[T, B, ..]`: the probability everywhere.
    pub(crate) fn expected<T: Real>(&self, extent: Extent) -> Vec<T> {
        vec![T::from_f64(self.probability.0); extent.rows() * self.ty.size()]
    }
}

/// The array of an input, to be filled.
#[derive(Debug)]
pub enum InputMut<'a, T> {
    /// Real numbers, `[T, B, ..]`.
    Real(&'a mut [T]),
    /// Whole numbers, `[T, B]`.
    Index(&'a mut [u32]),
}

/// The array of an input.
#[derive(Clone, Debug, PartialEq)]
pub enum InputArray<T> {
    /// Real numbers, `[T, B, ..]`.
    Real(Vec<T>),
    /// Whole numbers, `[T, B]`.
    Index(Vec<u32>),
}

impl<T: Real> InputArray<T> {
    /// Zeros for a port over an extent.
    pub fn zeros(port: &Port, extent: Extent) -> Self {
        let rows = extent.rows();
        if port.ty.is_real() {
            Self::Real(vec![T::default(); rows * port.ty.size()])
        } else {
            Self::Index(vec![0; rows])
        }
    }

    /// The array, to be filled.
    pub fn as_mut(&mut self) -> InputMut<'_, T> {
        match self {
            Self::Real(data) => InputMut::Real(data),
            Self::Index(data) => InputMut::Index(data),
        }
    }

    /// Checks that no index is out of the port's bound.
    ///
    /// # Errors
    /// The first index that is.
    pub fn check(&self, port: &Port) -> Result<(), RunError> {
        let (Self::Index(data), Element::Index { bound }) = (self, port.ty.element) else {
            return Ok(());
        };
        match data.iter().position(|&index| index as usize >= bound) {
            None => Ok(()),
            Some(position) => Err(RunError::Index {
                input: port.name.clone(),
                position,
                index: data[position],
                bound,
            }),
        }
    }
}

/// Why a run was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RunError {
    /// An index is out of its bound.
    #[error(
        "input `{input}` holds the index {index} at position {position}; it must be below {bound}"
    )]
    Index {
        /// The input's name.
        input: String,
        /// Where in the `[T, B]` array, flattened.
        position: usize,
        /// The index found.
        index: u32,
        /// What it must be below.
        bound: usize,
    },
    /// A parameter has the wrong number of elements.
    #[error("param `{name}` needs {expected} elements, found {found}")]
    Param {
        /// The parameter's name.
        name: String,
        /// How many elements it needs.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// A state that is gone on from is of a run of another batch.
    #[error(
        "state `{name}` needs {expected} elements to go on from, found {found}: the batch is another"
    )]
    State {
        /// The state's name.
        name: String,
        /// How many elements it needs.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// The parameters are not as many as the cell's.
    #[error("the cell has {expected} params, found {found}")]
    Params {
        /// How many the cell has.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// There is not one length for each example.
    #[error("there are {expected} examples, and lengths of {found}")]
    Lengths {
        /// How many examples there are.
        expected: usize,
        /// How many lengths.
        found: usize,
    },
    /// An example is longer than the run.
    #[error("example {example} has length {length}; there are {steps} steps")]
    Length {
        /// The example, from 0.
        example: usize,
        /// Its length.
        length: usize,
        /// The steps of the run.
        steps: usize,
    },
    /// `backward` without a `forward_with_tape` before it.
    #[error("there is no tape: run `forward_with_tape` before `backward`")]
    NoTape,
    /// The run does not fit into the memory it was given, in however many segments.
    #[error(
        "{} steps of {} examples need {} of memory, and the limit is {}",
        .extent.steps, .extent.batch, Size(*.needed), Size(*.limit)
    )]
    Memory {
        /// The extent that was asked for.
        extent: Extent,
        /// The bytes that it needs.
        needed: usize,
        /// The bytes that it was given.
        limit: usize,
    },
}

/// A number of bytes in a unit fit to be read, rounded up: a limit of as much as is written is enough.
struct Size(usize);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
        match units.into_iter().find(|(unit, _)| self.0 >= *unit) {
            None => write!(f, "{} B", self.0),
            Some((unit, name)) => {
                let tenths = self.0.div_ceil(unit / 10);
                match tenths % 10 {
                    0 => write!(f, "{} {name}", tenths / 10),
                    tenth => write!(f, "{}.{tenth} {name}", tenths / 10),
                }
            }
        }
    }
}

/// The bytes of several arrays together; the largest number there is, if they are more than that.
#[derive(Default)]
pub struct Bytes(usize);

impl Bytes {
    /// Adds an array: `rows` rows of `size` elements each.
    pub fn add<E>(&mut self, rows: usize, size: usize) {
        let bytes = rows.saturating_mul(size).saturating_mul(size_of::<E>());
        self.0 = self.0.saturating_add(bytes);
    }

    /// Adds the array of an input.
    pub(crate) fn add_input<T>(&mut self, rows: usize, port: &Port) {
        if port.ty.is_real() {
            self.add::<T>(rows, port.ty.size());
        } else {
            self.add::<u32>(rows, 1);
        }
    }

    /// The bytes of all that was added.
    pub fn sum(&self) -> usize {
        self.0
    }
}

/// Checks that parameters fit an interface.
pub(crate) fn check_params<T>(interface: &Interface, params: &[Vec<T>]) -> Result<(), RunError> {
    let expected = interface.params.len();
    if params.len() != expected {
        return Err(RunError::Params { expected, found: params.len() });
    }
    for (port, param) in interface.params.iter().zip(params) {
        let (expected, found) = (port.ty.size(), param.len());
        if expected != found {
            return Err(RunError::Param { name: port.name.clone(), expected, found });
        }
    }
    Ok(())
}

/// One run of a cell over a sequence, on some engine. Ports are numbered as in its [`Interface`].
///
/// Reshape it, fill inputs and initial states, go forward; for gradients, go forward with the
/// tape, fill the cotangents, go backward. Its arrays are kept and used again by the next run, so
/// one object serves all runs of a training.
pub trait Sequence<T: Real>: Send {
    /// The cell's interface.
    fn interface(&self) -> &Interface;
    /// The extent of the run.
    fn extent(&self) -> Extent;
    /// Sets the extent. Everything that a caller fills is zero afterwards if the extent changed, masks
    /// are their probabilities, and else all is as it was; results are unspecified until the next run.
    ///
    /// # Panics
    /// If the extent has more than 2^29 rows, or needs more memory than there may be; of the latter,
    /// [`try_reshape`](Self::try_reshape) gives an error.
    fn reshape(&mut self, extent: Extent);
    /// Sets the extent as [`reshape`](Self::reshape) does, if its run may take the memory.
    ///
    /// # Errors
    /// If the run has a limit, and needs more than that.
    ///
    /// # Panics
    /// If the extent has more than 2^29 rows.
    fn try_reshape(&mut self, extent: Extent) -> Result<(), RunError> {
        self.reshape(extent);
        Ok(())
    }
    /// The most that the arrays of a run of an extent take, in bytes. What was kept of runs of
    /// other extents is not counted.
    fn bytes(&self, extent: Extent) -> usize;
    /// Gives back the memory of past runs. The extent is zero afterwards.
    fn release(&mut self);
    /// An input, `[T, B, ..]`. A tape that refers to it is void.
    fn input_mut(&mut self, input: usize) -> InputMut<'_, T>;
    /// A mask, `[T, B, ..]`: its probability everywhere, unless it was filled with something else
    /// since the extent changed. A tape that refers to it is void.
    fn mask_mut(&mut self, mask: usize) -> &mut [T];
    /// Fills all masks of later runs of this extent. A tape that refers to them is void.
    fn set_masks(&mut self, masks: Masks) {
        for i in 0..self.interface().masks.len() {
            let probability = self.interface().masks[i].probability.0;
            masks.fill(i, probability, self.mask_mut(i));
        }
    }
    /// A state before the first step, `[B, ..]`, to be given: it is 0 unless it was given before. A
    /// tape that refers to it is void.
    fn initial_mut(&mut self, state: usize) -> &mut [T];
    /// Takes back what a state was given, so that it begins where the cell says: a sequence that is
    /// fresh does so. A tape that refers to it is void.
    fn begin(&mut self, state: usize) {
        self.initial_mut(state).fill(T::default());
    }
    /// Where a state begins that is given nothing.
    fn initial(&self, _state: usize) -> Initial {
        Initial::ZERO
    }
    /// Runs over all steps, keeping no more than the results.
    ///
    /// # Errors
    /// If params do not fit the cell, or an index is out of its bound.
    fn forward(&mut self, params: &[Vec<T>]) -> Result<(), RunError>;
    /// Runs over all steps, keeping what `backward` needs.
    ///
    /// # Errors
    /// If params do not fit the cell, or an index is out of its bound.
    fn forward_with_tape(&mut self, params: &[Vec<T>]) -> Result<(), RunError>;
    /// An output, `[T, B, ..]`.
    fn output(&self, output: usize) -> &[T];
    /// A state after the last step, `[B, ..]`.
    fn final_state(&self, state: usize) -> &[T];
    /// The cotangent of an output, `[T, B, ..]`.
    fn output_cotangent_mut(&mut self, output: usize) -> &mut [T];
    /// Fills the cotangent of an output from the output, both `[T, B, ..]`: what the derivative of a
    /// loss does.
    fn fill_output_cotangent(&mut self, output: usize, fill: &mut dyn FnMut(&[T], &mut [T]));
    /// The cotangent of a state after the last step, `[B, ..]`.
    fn final_cotangent_mut(&mut self, state: usize) -> &mut [T];
    /// Backpropagates the cotangents through all steps of the last `forward_with_tape`, under the
    /// same params.
    ///
    /// # Errors
    /// If params do not fit the cell, or there is no tape.
    fn backward(&mut self, params: &[Vec<T>]) -> Result<(), RunError>;
    /// The gradient of a param, summed over steps and examples, in the param's own shape. Of a param
    /// that states began at, the cotangents of these before the first step are among the terms.
    fn param_gradient(&self, param: usize) -> &[T];
    /// The cotangent of an input, `[T, B, ..]`; `None` for an index.
    fn input_gradient(&self, input: usize) -> Option<&[T]>;
    /// The cotangent of a state before the first step, `[B, ..]`.
    fn initial_gradient(&self, state: usize) -> &[T];
}
