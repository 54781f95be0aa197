//! Running a cell over arrays, and its results as tensors.

use cellc_compiler::ir::eval::{Precision, Real};
use safetensors::SafeTensorError;
use safetensors::tensor::{TensorView, serialize};

use super::bind::Arrays;
use super::file::dtype_of;
use crate::kernels::Wide;
use crate::ragged::Ragged;
use crate::sequence::{Extent, InputArray, InputMut, Port, RunError, Sequence};

/// What a cell made of its arrays: named tensors.
#[derive(Clone, Debug, PartialEq)]
pub struct Results<T> {
    /// Each with its name, shape and elements in row-major order.
    pub tensors: Vec<(String, Vec<usize>, Vec<T>)>,
}

impl<T: Real> Arrays<T> {
    /// Runs a cell over the arrays, and backward if there are cotangents. Lengths are not looked at:
    /// [`run_ragged`](Self::run_ragged) takes them.
    ///
    /// # Errors
    /// If the arrays do not fit the cell of the sequence, or the run not its memory.
    pub fn run(&self, sequence: &mut dyn Sequence<T>) -> Result<Results<T>, RunError> {
        let interface = sequence.interface().clone();
        let Extent { steps, batch } = self.extent;
        sequence.try_reshape(self.extent)?;
        for (i, input) in self.inputs.iter().enumerate() {
            match (sequence.input_mut(i), input) {
                (InputMut::Real(to), InputArray::Real(from)) => to.copy_from_slice(from),
                (InputMut::Index(to), InputArray::Index(from)) => to.copy_from_slice(from),
                _ => unreachable!("arrays are bound to the interface of the cell they run on"),
            }
        }
        for (i, state) in self.initial.iter().enumerate() {
            match state {
                Some(state) => sequence.initial_mut(i).copy_from_slice(state),
                None => sequence.begin(i),
            }
        }
        let mut tensors = Vec::new();
        let mut keep = |prefix: &str, port: &Port, lead: &[usize], data: &[T]| {
            let shape = lead.iter().chain(&port.ty.shape).copied().collect();
            tensors.push((format!("{prefix}.{}", port.name), shape, data.to_vec()));
        };
        match &self.cotangents {
            None => sequence.forward(&self.params)?,
            Some(cotangents) => {
                sequence.forward_with_tape(&self.params)?;
                for (i, cotangent) in cotangents.outputs.iter().enumerate() {
                    sequence.output_cotangent_mut(i).copy_from_slice(cotangent);
                }
                for (i, cotangent) in cotangents.finals.iter().enumerate() {
                    sequence.final_cotangent_mut(i).copy_from_slice(cotangent);
                }
            }
        }
        for (i, port) in interface.outputs.iter().enumerate() {
            keep("out", port, &[steps, batch], sequence.output(i));
        }
        for (i, port) in interface.states.iter().enumerate() {
            keep("final", port, &[batch], sequence.final_state(i));
        }
        if self.cotangents.is_some() {
            sequence.backward(&self.params)?;
            for (i, port) in interface.params.iter().enumerate() {
                keep("grad", port, &[], sequence.param_gradient(i));
            }
            for (i, port) in interface.inputs.iter().enumerate() {
                if let Some(gradient) = sequence.input_gradient(i) {
                    keep("grad", port, &[steps, batch], gradient);
                }
            }
            for (i, port) in interface.states.iter().enumerate() {
                keep("grad", port, &[batch], sequence.initial_gradient(i));
            }
        }
        Ok(Results { tensors })
    }
}

impl<T: Wide> Arrays<T> {
    /// Runs a cell over the arrays, each example over its own length, and backward if there are
    /// cotangents.
    ///
    /// # Errors
    /// If the arrays do not fit the cell of the sequence, or the run not its memory.
    pub fn run_ragged(&self, sequence: &mut Ragged<T>) -> Result<Results<T>, RunError> {
        sequence.set_lengths(self.lengths.as_deref());
        self.run(sequence)
    }
}

impl<T: Real> Results<T> {
    /// The bytes of a safetensors file that holds the results.
    ///
    /// # Errors
    /// If the header would be larger than the format allows.
    pub fn to_bytes(&self) -> Result<Vec<u8>, SafeTensorError> {
        let bytes: Vec<Vec<u8>> = self.tensors.iter().map(|(.., data)| encode(data)).collect();
        let dtype = dtype_of(T::PRECISION);
        let views = self.tensors.iter().zip(&bytes).map(|((name, shape, _), bytes)| {
            Ok((name.as_str(), TensorView::new(dtype, shape.clone(), bytes)?))
        });
        serialize(views.collect::<Result<Vec<_>, SafeTensorError>>()?, None)
    }
}

fn encode<T: Real>(data: &[T]) -> Vec<u8> {
    match T::PRECISION {
        #[allow(clippy::cast_possible_truncation, reason = "an f32 that was widened")]
        Precision::F32 => data.iter().flat_map(|x| (x.to_f64() as f32).to_le_bytes()).collect(),
        Precision::F64 => data.iter().flat_map(|x| x.to_f64().to_le_bytes()).collect(),
    }
}
