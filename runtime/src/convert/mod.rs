//! Weights of other systems as params of the catalogue's cells, and back.
//!
//! | | PyTorch | Keras 3 | ONNX |
//! |---|---|---|---|
//! | `lstm`, gates | i, f, g, o | i, f, c, o | i, o, f, c |
//! | `gru`, `gru_cho`, gates | r, z, n | z, r, h | z, r, h |
//! | matrices | `[gates H, I]` | transposed: `[I, gates H]` | `[D, gates H, I]` |
//! | biases | two | one; of a GRU with `reset_after`, two | two, in one array |
//! | `lstm_peephole` | | | `P`: i, o, f |
//! | `lstm_projection` | `proj_size` | | |
//! | `gru`, whose reset gate acts after the product | `nn.GRU` | `reset_after=True` | `linear_before_reset=1` |
//! | `gru_cho`, before the product | | `reset_after=False` | `linear_before_reset=0` |
//!
//! In all of them z keeps the old state.
//!
//! A [`Conversion`] is a list of links between blocks of our params and blocks of their arrays: a
//! block of ours is the sum of one or two of theirs. What becomes of weights, of params on the way
//! back, and of gradients is read from the same list.
//!
//! **What is not kept.** Where a system has two biases that are only ever added, our cell has one,
//! their sum. On the way back the first of the two, that of the input, is given all of it and the
//! other is 0: the same function, but not the arrays of before. A gradient by the sum is that by
//! each of the two, so [`Conversion::gradients`] is exact.
//!
//! ```
//! use cellc_runtime::convert::{Conversion, Kind, Place, System, Tensor, Tensors};
//!
//! let ones = |shape: &[usize]| {
//!     Tensor { shape: shape.to_vec(), data: vec![1.0_f32; shape.iter().product()] }
//! };
//! let arrays: Tensors<f32> = [
//!     ("weight_ih_l0".to_owned(), ones(&[16, 3])),
//!     ("weight_hh_l0".to_owned(), ones(&[16, 4])),
//!     ("bias_ih_l0".to_owned(), ones(&[16])),
//!     ("bias_hh_l0".to_owned(), ones(&[16])),
//! ]
//! .into();
//! let place = Place::new(System::Pytorch);
//! let conversion = Conversion::of_arrays(Kind::Lstm, &place, &arrays)?;
//! let params = conversion.to_cell(&arrays)?;
//! assert_eq!(params["W_f"].shape, [4, 4 + 3]);
//! assert_eq!(params["b_f"].data, [2.0; 4]);
//! # Ok::<(), cellc_runtime::convert::ConvertError>(())
//! ```

mod cell;
mod keras;
mod layout;
mod onnx;
mod pytorch;
mod sequence;

use std::collections::BTreeMap;

use cellc_compiler::ir::eval::Real;
use thiserror::Error;

pub use self::cell::{Kind, Sizes};
use self::layout::{Array, Layout, View};
pub use self::sequence::Order;

/// A real array of any rank, row-major.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tensor<T> {
    /// Its extents.
    pub shape: Vec<usize>,
    /// Its elements.
    pub data: Vec<T>,
}

impl<T: Real> Tensor<T> {
    fn zeros(shape: &[usize]) -> Self {
        Self { shape: shape.to_vec(), data: vec![T::default(); shape.iter().product()] }
    }
}

/// Arrays by their names.
pub type Tensors<T> = BTreeMap<String, Tensor<T>>;

/// A system that arrays come from, or go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// `nn.LSTM`, `nn.GRU`, `nn.RNN`: `weight_ih_l0`, `weight_hh_l0`, `bias_ih_l0`, `bias_hh_l0`,
    /// `weight_hr_l0`.
    Pytorch,
    /// Layers of Keras 3: `kernel`, `recurrent_kernel`, `bias`.
    Keras,
    /// The operators LSTM, GRU and RNN: `W`, `R`, `B`, `P`.
    Onnx,
}

impl System {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pytorch => "PyTorch",
            Self::Keras => "Keras",
            Self::Onnx => "ONNX",
        }
    }

    /// The cells of the catalogue that it has.
    pub fn cells(self) -> &'static [Kind] {
        match self {
            Self::Pytorch => &pytorch::CELLS,
            Self::Keras => &keras::CELLS,
            Self::Onnx => &onnx::CELLS,
        }
    }
}

/// Where the weights of one layer and one direction stand among a system's arrays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The system.
    pub system: System,
    /// What stands before the names, such as `encoder.` or `lstm/lstm_cell/`.
    pub prefix: String,
    /// The layer, from 0. Only PyTorch keeps several layers side by side.
    pub layer: usize,
    /// Whether it is the direction from the end of the sequence to its beginning. Keras tells
    /// directions apart by the prefix.
    pub reverse: bool,
    /// Whether there are both directions: arrays of ONNX have a leading axis of both, and so have
    /// states of PyTorch.
    pub bidirectional: bool,
}

impl Place {
    /// The only layer, in the only direction, forward.
    pub fn new(system: System) -> Self {
        Self { system, prefix: String::new(), layer: 0, reverse: false, bidirectional: false }
    }

    /// Which direction of an axis of directions it is.
    fn direction(&self) -> usize {
        usize::from(self.reverse && self.bidirectional)
    }
}

/// Why arrays cannot be converted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConvertError {
    /// The system has no such cell.
    #[error(
        "{} has no cell that computes what `{}` does; it has {}",
        .system.name(), .cell.name(), names(.system.cells())
    )]
    NoSuchCell {
        /// The system.
        system: System,
        /// The cell.
        cell: Kind,
    },
    /// An array is not there.
    #[error("array `{array}` is missing: it must be {expected}")]
    Missing {
        /// Its name.
        array: String,
        /// The shape it needs, such as `[4 H, I]`.
        expected: String,
    },
    /// An array has another shape.
    #[error("array `{array}` must be {expected}, found {found:?}")]
    Shape {
        /// Its name.
        array: String,
        /// The shape it needs, such as `[4 H, I]` or `[12, 3]`.
        expected: String,
        /// The shape it has.
        found: Vec<usize>,
    },
    /// An array that the cell has no use for, and without which it is another function.
    #[error(
        "array `{array}` has no place in `{}`: these are the weights of `{}`",
        .cell.name(), .other.name()
    )]
    Other {
        /// The array.
        array: String,
        /// The cell that was asked for.
        cell: Kind,
        /// The cell that has a place for it.
        other: Kind,
    },
}

fn names(cells: &[Kind]) -> String {
    let names: Vec<_> = cells.iter().map(|cell| format!("`{}`", cell.name())).collect();
    names.join(", ")
}

/// A block of our params as the sum of blocks of theirs.
#[derive(Clone, Debug)]
struct Link {
    ours: View,
    theirs: Vec<View>,
}

/// How the weights of one layer and direction of another system become the params of a cell.
#[derive(Clone, Debug)]
pub struct Conversion {
    cell: Kind,
    sizes: Sizes,
    place: Place,
    ours: Vec<Array>,
    theirs: Vec<Array>,
    links: Vec<Link>,
}

impl Conversion {
    /// Between a cell of some sizes and a system's arrays.
    ///
    /// # Errors
    /// If the system has no such cell.
    pub fn new(cell: Kind, sizes: Sizes, place: &Place) -> Result<Self, ConvertError> {
        let system = place.system;
        if !system.cells().contains(&cell) {
            return Err(ConvertError::NoSuchCell { system, cell });
        }
        let layout = match system {
            System::Pytorch => pytorch::layout(cell, sizes, place),
            System::Keras => keras::layout(cell, sizes, place),
            System::Onnx => onnx::layout(cell, sizes, place),
        };
        let links = links(cell, sizes, &layout);
        let (ours, theirs) = (cell.params(sizes), layout.arrays());
        Ok(Self { cell, sizes, place: place.clone(), ours, theirs, links })
    }

    /// The same with the sizes and the number of directions that a system's arrays have.
    ///
    /// # Errors
    /// If the system has no such cell, the arrays that tell the sizes are missing or of another
    /// rank, or there is one that only another cell has.
    pub fn of_arrays<T>(
        cell: Kind,
        place: &Place,
        arrays: &Tensors<T>,
    ) -> Result<Self, ConvertError> {
        let system = place.system;
        if !system.cells().contains(&cell) {
            return Err(ConvertError::NoSuchCell { system, cell });
        }
        let (sizes, bidirectional) = match system {
            System::Pytorch => pytorch::sizes(cell, place, arrays)?,
            System::Keras => (keras::sizes(cell, place, arrays)?, place.bidirectional),
            System::Onnx => onnx::sizes(cell, place, arrays)?,
        };
        Self::new(cell, sizes, &Place { bidirectional, ..place.clone() })
    }

    /// The same with the sizes that a cell's params have, for the way back.
    ///
    /// # Errors
    /// If the system has no such cell, or the params that tell the sizes are missing or of another
    /// shape.
    pub fn of_params<T>(
        cell: Kind,
        place: &Place,
        params: &Tensors<T>,
    ) -> Result<Self, ConvertError> {
        let system = place.system;
        if !system.cells().contains(&cell) {
            return Err(ConvertError::NoSuchCell { system, cell });
        }
        Self::new(cell, cell.sizes(params)?, place)
    }

    /// The cell.
    pub fn cell(&self) -> Kind {
        self.cell
    }

    /// The layer and direction, with the number of directions found.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The sizes of its dimensions.
    pub fn sizes(&self) -> Sizes {
        self.sizes
    }

    /// Whether an array of the system is one of this layer and direction.
    pub fn takes(&self, array: &str) -> bool {
        self.theirs.iter().any(|other| other.name == array)
    }

    /// Whether a name is that of a param of the cell.
    pub fn is_param(&self, name: &str) -> bool {
        self.ours.iter().any(|param| param.name == name)
    }

    /// The params of the cell, by the names of its text. Biases that are absent are 0; of two,
    /// both must be. Arrays of other names are ignored.
    ///
    /// # Errors
    /// If an array is missing or has another shape.
    pub fn to_cell<T: Real>(&self, arrays: &Tensors<T>) -> Result<Tensors<T>, ConvertError> {
        let optional = |array: &&Array| array.optional;
        let any = self.theirs.iter().filter(optional).any(|a| arrays.contains_key(&a.name));
        for array in &self.theirs {
            array.check(arrays, array.optional && !any)?;
        }
        let mut params: Tensors<T> = self.ours.iter().map(Array::zeros).collect();
        for Link { ours, theirs } in &self.links {
            let into = &mut params.get_mut(&ours.array).expect("links are of params").data;
            for theirs in theirs {
                if let Some(from) = arrays.get(&theirs.array) {
                    let pairs = ours.places().zip(theirs.places());
                    pairs.for_each(|(to, at)| into[to] = into[to] + from.data[at]);
                }
            }
        }
        Ok(params)
    }

    /// Writes the params of the cell to the system's arrays: to those there are, which may hold
    /// another direction, or else to new ones. Of two biases that are only added, the first gets
    /// all and the second is 0.
    ///
    /// # Errors
    /// If a param is missing, or a param or an array has another shape.
    pub fn from_cell<T: Real>(
        &self,
        params: &Tensors<T>,
        arrays: &mut Tensors<T>,
    ) -> Result<(), ConvertError> {
        self.write(params, arrays, |nth, x| if nth == 0 { x } else { T::default() })
    }

    /// Writes the gradients by the cell's params to arrays in the shapes of the system's: the
    /// gradients by those.
    ///
    /// # Errors
    /// If a param is missing, or a param or an array has another shape.
    pub fn gradients<T: Real>(
        &self,
        params: &Tensors<T>,
        arrays: &mut Tensors<T>,
    ) -> Result<(), ConvertError> {
        self.write(params, arrays, |_, x| x)
    }

    /// Writes each element to each of those whose sum it is, as `share` says.
    fn write<T: Real>(
        &self,
        params: &Tensors<T>,
        arrays: &mut Tensors<T>,
        share: impl Fn(usize, T) -> T,
    ) -> Result<(), ConvertError> {
        for array in &self.ours {
            array.check(params, false)?;
        }
        for array in &self.theirs {
            array.check(arrays, true)?;
            let (name, zeros) = array.zeros();
            arrays.entry(name).or_insert(zeros);
        }
        for Link { ours, theirs } in &self.links {
            let from = &params[&ours.array].data;
            for (nth, theirs) in theirs.iter().enumerate() {
                let into = &mut arrays.get_mut(&theirs.array).expect("it was made above").data;
                let pairs = ours.places().zip(theirs.places());
                pairs.for_each(|(at, to)| into[to] = share(nth, from[at]));
            }
        }
        Ok(())
    }
}

/// The links between a cell's params and a system's arrays.
fn links(cell: Kind, sizes: Sizes, layout: &Layout) -> Vec<Link> {
    let mut links = Vec::new();
    for gate in cell.gates() {
        let (kernel, recurrent) = cell.matrices(gate, sizes);
        let nth = layout.position(gate.letter);
        links.push(Link { ours: kernel, theirs: vec![layout.kernel.of_gate(nth)] });
        links.push(Link { ours: recurrent, theirs: vec![layout.recurrent.of_gate(nth)] });
        let mut biases: Vec<_> = layout.biases.iter().map(|bias| bias.of_gate(nth)).collect();
        if let (Some(name), [_, _]) = (gate.recurrent_bias, &biases[..]) {
            let ours = View::vector(name, sizes.hidden);
            links.push(Link { ours, theirs: biases.split_off(1) });
        }
        links.push(Link { ours: View::vector(gate.bias, sizes.hidden), theirs: biases });
        if let (Some(name), Some((order, blocks))) = (gate.peephole, &layout.peepholes) {
            let nth = layout::position(order, gate.letter);
            let ours = View::vector(name, sizes.hidden);
            links.push(Link { ours, theirs: vec![blocks.of_gate(nth)] });
        }
    }
    if let Some(blocks) = &layout.projection {
        let ours = View::matrix("R", sizes.shown(), sizes.hidden);
        links.push(Link { ours, theirs: vec![blocks.of_gate(0)] });
    }
    links
}

#[cfg(test)]
mod tests;
