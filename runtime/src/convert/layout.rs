//! Where a gate's weights lie in an array.

use cellc_compiler::ir::eval::Real;

use super::{ConvertError, Tensor, Tensors};

/// An array that a conversion reads or writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Array {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    /// Whether it may be left out: it is 0 then.
    pub(super) optional: bool,
}

impl Array {
    /// An array that must be there.
    pub(super) fn new(name: impl Into<String>, shape: Vec<usize>) -> Self {
        Self { name: name.into(), shape, optional: false }
    }

    /// Its name, and zeros in its shape.
    pub(super) fn zeros<T: Real>(&self) -> (String, Tensor<T>) {
        (self.name.clone(), Tensor::zeros(&self.shape))
    }

    /// Checks that the array of its name is of its shape, and there unless it may be absent.
    pub(super) fn check<T>(
        &self,
        arrays: &Tensors<T>,
        may_be_absent: bool,
    ) -> Result<(), ConvertError> {
        let (array, expected) = (self.name.clone(), format!("{:?}", self.shape));
        match arrays.get(&self.name) {
            Some(found) if found.shape == self.shape => Ok(()),
            Some(found) => Err(ConvertError::Shape { array, expected, found: found.shape.clone() }),
            None if may_be_absent => Ok(()),
            None => Err(ConvertError::Missing { array, expected }),
        }
    }
}

/// A matrix in an array: its element `(r, c)` is at `start + r * row + c * column`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct View {
    pub(super) array: String,
    pub(super) start: usize,
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) row: usize,
    pub(super) column: usize,
}

impl View {
    /// A whole matrix.
    pub(super) fn matrix(array: &str, rows: usize, columns: usize) -> Self {
        Self { array: array.to_owned(), start: 0, rows, columns, row: columns, column: 1 }
    }

    /// A whole vector, as a matrix of one column.
    pub(super) fn vector(array: &str, rows: usize) -> Self {
        Self::matrix(array, rows, 1)
    }

    /// Some columns of a matrix.
    pub(super) fn columns(self, first: usize, columns: usize) -> Self {
        Self { start: self.start + first * self.column, columns, ..self }
    }

    /// Where its elements are, row by row.
    pub(super) fn places(&self) -> impl Iterator<Item = usize> {
        let Self { start, rows, columns, row, column, .. } = *self;
        (0..rows).flat_map(move |r| (0..columns).map(move |c| start + r * row + c * column))
    }
}

/// A block of each gate in an array.
#[derive(Clone, Debug)]
pub(super) struct Blocks {
    pub(super) array: Array,
    /// The block of the first gate.
    pub(super) first: View,
    /// From a gate's block to the next.
    pub(super) gate: usize,
}

impl Blocks {
    /// Blocks one below the other, each `[rows, columns]`: `[.., gates rows, columns]`, in the part
    /// of the array that begins at `start`.
    pub(super) fn stacked(array: Array, start: usize, rows: usize, columns: usize) -> Self {
        let first = View { start, ..View::matrix(&array.name, rows, columns) };
        Self { array, first, gate: rows * columns }
    }

    /// Blocks side by side, each a transposed `[rows, columns]`: `[columns, gates rows]`.
    pub(super) fn transposed(array: Array, rows: usize, columns: usize) -> Self {
        let row = array.shape[1];
        let whole = View::matrix(&array.name, rows, columns);
        Self { array, first: View { row: 1, column: row, ..whole }, gate: rows }
    }

    /// The block of the gate at a position.
    pub(super) fn of_gate(&self, position: usize) -> View {
        View { start: self.first.start + position * self.gate, ..self.first.clone() }
    }

    /// The same, in an array that may be left out.
    pub(super) fn optional(mut self) -> Self {
        self.array.optional = true;
        self
    }
}

/// How a system keeps the weights of one layer and direction.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    /// The letters of our gates in the system's order.
    pub(super) gates: &'static str,
    /// What the input is multiplied by.
    pub(super) kernel: Blocks,
    /// What the state is multiplied by.
    pub(super) recurrent: Blocks,
    /// The biases: that of the input, and that of the state if there is one.
    pub(super) biases: Vec<Blocks>,
    /// What the cell state is multiplied by, with the order of its gates.
    pub(super) peepholes: Option<(&'static str, Blocks)>,
    /// From the cells to the shown state.
    pub(super) projection: Option<Blocks>,
}

impl Layout {
    /// The position of a gate of ours.
    pub(super) fn position(&self, letter: char) -> usize {
        position(self.gates, letter)
    }

    /// All arrays, each once.
    pub(super) fn arrays(&self) -> Vec<Array> {
        let peepholes = self.peepholes.as_ref().map(|(_, blocks)| blocks);
        let rest = self.biases.iter().chain(peepholes).chain(&self.projection);
        let mut arrays: Vec<Array> = Vec::new();
        for blocks in [&self.kernel, &self.recurrent].into_iter().chain(rest) {
            if !arrays.contains(&blocks.array) {
                arrays.push(blocks.array.clone());
            }
        }
        arrays
    }
}

/// The position of a gate in an order of gates.
pub(super) fn position(order: &str, letter: char) -> usize {
    order.find(letter).expect("the order of a cell's gates has all of them")
}

/// The extents of an array of so many axes, in which `expected` names them.
pub(super) fn extents<const N: usize, T>(
    arrays: &Tensors<T>,
    array: &str,
    expected: &str,
) -> Result<[usize; N], ConvertError> {
    let (array, expected) = (array.to_owned(), expected.to_owned());
    let Some(found) = arrays.get(&array) else {
        return Err(ConvertError::Missing { array, expected });
    };
    if found.shape.contains(&0) {
        let expected = format!("{expected}, none of them 0");
        return Err(ConvertError::Shape { array, expected, found: found.shape.clone() });
    }
    let shape = <[usize; N]>::try_from(found.shape.as_slice());
    shape.map_err(|_| ConvertError::Shape { array, expected, found: found.shape.clone() })
}

/// The extent of one gate in an axis of all gates.
pub(super) fn per_gate<T>(
    arrays: &Tensors<T>,
    array: &str,
    expected: &str,
    (extent, gates): (usize, usize),
) -> Result<usize, ConvertError> {
    if extent.is_multiple_of(gates) {
        return Ok(extent / gates);
    }
    let found = arrays.get(array).map(|tensor| tensor.shape.clone()).unwrap_or_default();
    Err(ConvertError::Shape { array: array.to_owned(), expected: expected.to_owned(), found })
}
