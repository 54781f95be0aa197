//! Layers one above the other, each of one direction or of several side by side.
//!
//! The runs of a layer have the same input; their first outputs, end to end in the order of the
//! runs, are the input of the next layer, as of stacked and bidirectional layers in PyTorch, Keras
//! and ONNX. A bidirectional layer is two runs, of which the second is in reverse.

use thiserror::Error;

use crate::kernels::Wide;
use crate::ragged::Ragged;
use crate::sequence::{Extent, InputMut, Interface, RunError, Sequence};

/// Why runs make no stack.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StackError {
    /// A layer without a run.
    #[error("layer {layer} has no cell")]
    Empty {
        /// The layer, from 0.
        layer: usize,
    },
    /// A cell's inputs and outputs do not fit those of the others.
    #[error("{cell} of layer {layer} must have one input, a vector{}, and a vector as its first \
        output", .width.map_or(String::new(), |width| format!(" of {width} elements")))]
    Ports {
        /// The layer, from 0.
        layer: usize,
        /// Which of its runs, such as `cell 0`.
        cell: String,
        /// The number of elements that its input needs, if it is known.
        width: Option<usize>,
    },
}

/// Runs in layers.
///
/// Each run keeps its own states, params' gradients and direction: reach them by
/// [`run_mut`](Self::run_mut).
pub struct Stack<T> {
    layers: Vec<Vec<Ragged<T>>>,
    extent: Extent,
    /// The numbers of elements of the input, and of each layer's output.
    widths: Vec<usize>,
    /// The input, and each layer's output, `[T, B, ..]`.
    values: Vec<Vec<T>>,
    /// The cotangents of the same.
    cotangents: Vec<Vec<T>>,
}

/// The width of the only input, and of the first output, if both are vectors.
fn widths(interface: &Interface) -> Option<(usize, usize)> {
    let ([input], Some(output)) = (&interface.inputs[..], interface.outputs.first()) else {
        return None;
    };
    let vectors = input.ty.is_real() && input.ty.rank() == 1 && output.ty.rank() == 1;
    vectors.then(|| (input.ty.size(), output.ty.size()))
}

impl<T: Wide> Stack<T> {
    /// Puts layers one above the other, the first of them at the input.
    ///
    /// # Errors
    /// If a cell has not one vector as its input and another as its first output, or they do not
    /// fit each other.
    pub fn new(layers: Vec<Vec<Ragged<T>>>) -> Result<Self, StackError> {
        let mut all: Vec<usize> = Vec::new();
        for (layer, runs) in layers.iter().enumerate() {
            let mut output = 0;
            for (i, run) in runs.iter().enumerate() {
                let width = all.last().copied();
                let fault = || StackError::Ports { layer, cell: format!("cell {i}"), width };
                let (input, own) = widths(run.interface()).ok_or_else(fault)?;
                if width.is_some_and(|width| width != input) {
                    return Err(fault());
                }
                if width.is_none() {
                    all.push(input);
                }
                output += own;
            }
            if output == 0 {
                return Err(StackError::Empty { layer });
            }
            all.push(output);
        }
        let (extent, none) = (Extent::default(), vec![Vec::new(); all.len()]);
        Ok(Self { layers, extent, widths: all, values: none.clone(), cotangents: none })
    }

    /// A run of a layer.
    pub fn run(&self, layer: usize, run: usize) -> &Ragged<T> {
        &self.layers[layer][run]
    }

    /// A run of a layer, for its initial states and the cotangents of its final ones. Its input,
    /// its extent and the cotangents of its outputs are the stack's business.
    pub fn run_mut(&mut self, layer: usize, run: usize) -> &mut Ragged<T> {
        &mut self.layers[layer][run]
    }

    fn runs_mut(&mut self) -> impl Iterator<Item = &mut Ragged<T>> {
        self.layers.iter_mut().flatten()
    }

    /// Sets the lengths of all runs.
    pub fn set_lengths(&mut self, lengths: Option<&[usize]>) {
        self.runs_mut().for_each(|run| run.set_lengths(lengths));
    }

    /// Sets the extent. Everything that a caller fills is zero afterwards if the extent changed.
    ///
    /// # Errors
    /// If a run has a limit of memory, and needs more than that.
    pub fn try_reshape(&mut self, extent: Extent) -> Result<(), RunError> {
        if self.extent == extent {
            return Ok(());
        }
        for run in self.runs_mut() {
            run.try_reshape(extent)?;
        }
        let zeros = |width: &usize| vec![T::default(); extent.rows() * width];
        self.values = self.widths.iter().map(zeros).collect();
        self.cotangents = self.widths.iter().map(zeros).collect();
        self.extent = extent;
        Ok(())
    }

    /// The input, `[T, B, ..]`.
    pub fn input_mut(&mut self) -> &mut [T] {
        &mut self.values[0]
    }

    /// Runs all layers, keeping what [`backward`](Self::backward) needs if `taped`. `params` has
    /// those of each run of each layer.
    ///
    /// # Errors
    /// If params do not fit a cell, or lengths the extent.
    pub fn forward(&mut self, params: &[Vec<Vec<Vec<T>>>], taped: bool) -> Result<(), RunError> {
        for (layer, runs) in self.layers.iter_mut().enumerate() {
            let (before, after) = self.values.split_at_mut(layer + 1);
            let (input, output) = (&before[layer], &mut after[0]);
            let mut first = 0;
            for (run, params) in runs.iter_mut().zip(&params[layer]) {
                let InputMut::Real(to) = run.input_mut(0) else {
                    unreachable!("the inputs of a stack are vectors");
                };
                to.copy_from_slice(input);
                if taped {
                    run.forward_with_tape(params)?;
                } else {
                    run.forward(params)?;
                }
                let width = run.interface().outputs[0].ty.size();
                let rows = output.chunks_exact_mut(self.widths[layer + 1]);
                for (to, from) in rows.zip(run.output(0).chunks_exact(width)) {
                    to[first..][..width].copy_from_slice(from);
                }
                first += width;
            }
        }
        Ok(())
    }

    /// The outputs of the last layer, `[T, B, ..]`.
    pub fn output(&self) -> &[T] {
        self.values.last().expect("there is the input at least")
    }

    /// The cotangent of the last layer's outputs, `[T, B, ..]`.
    pub fn output_cotangent_mut(&mut self) -> &mut [T] {
        self.cotangents.last_mut().expect("there is that of the input at least")
    }

    /// Backpropagates through all layers of the last `forward` with a tape.
    ///
    /// # Errors
    /// If params do not fit a cell, or there is no tape.
    pub fn backward(&mut self, params: &[Vec<Vec<Vec<T>>>]) -> Result<(), RunError> {
        for (layer, runs) in self.layers.iter_mut().enumerate().rev() {
            let (before, after) = self.cotangents.split_at_mut(layer + 1);
            let (input, output) = (&mut before[layer], &after[0]);
            input.fill(T::default());
            let mut first = 0;
            for (run, params) in runs.iter_mut().zip(&params[layer]) {
                let width = run.interface().outputs[0].ty.size();
                let rows = output.chunks_exact(self.widths[layer + 1]);
                let to = run.output_cotangent_mut(0).chunks_exact_mut(width);
                for (to, from) in to.zip(rows) {
                    to.copy_from_slice(&from[first..][..width]);
                }
                first += width;
                run.backward(params)?;
                let gradient = run.input_gradient(0).expect("the inputs of a stack are vectors");
                input.iter_mut().zip(gradient).for_each(|(sum, &term)| *sum = *sum + term);
            }
        }
        Ok(())
    }

    /// The cotangent of the input, `[T, B, ..]`.
    pub fn input_gradient(&self) -> &[T] {
        &self.cotangents[0]
    }
}
