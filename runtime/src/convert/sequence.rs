//! What a system feeds a layer with, as the arrays that `cellc run` takes.

use cellc_compiler::ir::eval::Real;

use super::{Conversion, ConvertError, Place, Sizes, System, Tensor, Tensors};

/// Which axis of the input stands first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// `[T, B, I]`: PyTorch's default, ONNX's `layout=0`.
    #[default]
    TimeMajor,
    /// `[B, T, I]`: PyTorch's `batch_first=True`, ONNX's `layout=1`, Keras whatever is said.
    BatchMajor,
}

/// The names of a system's input, its initial states, and the lengths of its examples.
struct Names {
    input: &'static str,
    states: [&'static str; 2],
    lengths: &'static str,
}

fn names(system: System) -> Names {
    let (input, states, lengths) = match system {
        System::Pytorch => ("input", ["h_0", "c_0"], "lengths"),
        System::Keras => ("sequences", ["initial_state.0", "initial_state.1"], "lengths"),
        System::Onnx => ("X", ["initial_h", "initial_c"], "sequence_lens"),
    };
    Names { input, states, lengths }
}

impl System {
    /// What it calls the lengths of the examples, `[B]`.
    pub fn lengths(self) -> &'static str {
        names(self).lengths
    }
}

impl Conversion {
    /// The input `x`, `[T, B, I]`, and the initial states `h` and `c`, `[B, ..]`, of those that are
    /// among the system's arrays: PyTorch's `input`, `h_0` and `c_0`, Keras's `sequences`,
    /// `initial_state.0` and `initial_state.1`, ONNX's `X`, `initial_h` and `initial_c`. Of states of
    /// several layers or directions, those of this one are taken. The input is that of layer 0, so
    /// a later layer has none: it is fed with the outputs of the layer before.
    ///
    /// # Errors
    /// If an array has not as many axes as it needs, or no part for this layer and direction, or its
    /// last axis is not of the layer's size.
    pub fn sequence<T: Real>(
        &self,
        arrays: &Tensors<T>,
        order: Order,
    ) -> Result<Tensors<T>, ConvertError> {
        let system = self.place.system;
        let Names { input, states, .. } = names(system);
        let mut taken = Tensors::new();
        if let Some(array) = arrays.get(input).filter(|_| self.takes_sequence(input)) {
            let batch_major = order == Order::BatchMajor || system == System::Keras;
            let lead: &[_] = if batch_major { &["B", "T"] } else { &["T", "B"] };
            check(input, array, lead, self.sizes.input)?;
            let x = if batch_major { swapped(array) } else { array.clone() };
            taken.insert("x".to_owned(), x);
        }
        let Sizes { hidden, .. } = self.sizes;
        let sizes = [self.sizes.shown(), hidden];
        for ((theirs, ours), size) in states.into_iter().zip(self.cell.states()).zip(sizes) {
            if let Some(array) = arrays.get(theirs) {
                taken.insert((*ours).to_owned(), self.state((theirs, size), array, order)?);
            }
        }
        Ok(taken)
    }

    /// Whether an array of the system is the input or an initial state that
    /// [`sequence`](Self::sequence) takes.
    pub fn takes_sequence(&self, array: &str) -> bool {
        let Names { input, states, .. } = names(self.place.system);
        let mut states = states.into_iter().zip(self.cell.states());
        (array == input && self.place.layer == 0) || states.any(|(theirs, _)| theirs == array)
    }

    /// A state of this layer and direction, of a name and a size.
    fn state<T: Real>(
        &self,
        (name, size): (&str, usize),
        array: &Tensor<T>,
        order: Order,
    ) -> Result<Tensor<T>, ConvertError> {
        let Place { system, layer, reverse, bidirectional, .. } = self.place;
        let part = match system {
            System::Keras => {
                check(name, array, &["B"], size)?;
                return Ok(array.clone());
            }
            System::Pytorch => layer * (1 + usize::from(bidirectional)) + usize::from(reverse),
            System::Onnx => self.place.direction(),
        };
        // PyTorch's states do not follow `batch_first`.
        let batch_major = system == System::Onnx && order == Order::BatchMajor;
        let lead: &[_] = match (system, batch_major) {
            (_, true) => &["B", "D"],
            (System::Onnx, false) => &["D", "B"],
            (System::Pytorch | System::Keras, false) => &["layers D", "B"],
        };
        check(name, array, lead, size)?;
        if array.shape[usize::from(batch_major)] <= part {
            return Err(misfit(name, array, lead, size));
        }
        let array = if batch_major { swapped(array) } else { array.clone() };
        let size: usize = array.shape[1..].iter().product();
        let data = array.data[part * size..][..size].to_vec();
        Ok(Tensor { shape: array.shape[1..].to_vec(), data })
    }
}

/// Checks that an array has leading axes of these names, and then one of a size.
fn check<T>(name: &str, array: &Tensor<T>, lead: &[&str], size: usize) -> Result<(), ConvertError> {
    let fits = array.shape.len() == lead.len() + 1 && array.shape.ends_with(&[size]);
    if fits { Ok(()) } else { Err(misfit(name, array, lead, size)) }
}

fn misfit<T>(name: &str, array: &Tensor<T>, lead: &[&str], size: usize) -> ConvertError {
    let expected = format!("[{}, {size}]", lead.join(", "));
    ConvertError::Shape { array: name.to_owned(), expected, found: array.shape.clone() }
}

/// The first two axes of an array of three, exchanged.
fn swapped<T: Copy>(array: &Tensor<T>) -> Tensor<T> {
    let [first, second, size] = [array.shape[0], array.shape[1], array.shape[2]];
    let rows = (0..second).flat_map(|s| (0..first).map(move |f| f * second + s));
    let data = rows.flat_map(|row| array.data[row * size..][..size].iter().copied()).collect();
    Tensor { shape: vec![second, first, size], data }
}
