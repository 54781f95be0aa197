//! The arrays of a run in several segments, and the way through the segments.

use std::ops::Range;

use cellc_compiler::ir::eval::Real;

use crate::sequence::{
    Bytes, Extent, InputArray, InputMut, Interface, Port, RunError, Sequence, check_params,
};

/// The arrays of a run in several segments. Each segment is run by an inner sequence, into which
/// its part of the arrays is copied.
pub(super) struct Whole<T> {
    interface: Interface,
    extent: Extent,
    /// The steps of all segments but the first, which has no more.
    pub(super) steps: usize,
    /// How many segments there are.
    count: usize,
    pub(super) inputs: Vec<InputArray<T>>,
    pub(super) masks: Vec<Vec<T>>,
    /// For each state, its values at the borders of segments, `[count + 1, B, ..]`.
    borders: Vec<Vec<T>>,
    pub(super) outputs: Vec<Vec<T>>,
    pub(super) output_cotangents: Vec<Vec<T>>,
    pub(super) final_cotangents: Vec<Vec<T>>,
    pub(super) param_gradients: Vec<Vec<T>>,
    pub(super) input_gradients: Vec<Option<Vec<T>>>,
    /// The cotangents of the states at the border that `backward` has come to.
    pub(super) carried: Vec<Vec<T>>,
    /// Whether what the tape refers to is as it was when the tape was made.
    pub(super) tape: bool,
    /// The segment whose tape the inner sequence holds.
    taped: Option<usize>,
}

impl<T: Real> Whole<T> {
    /// Zeros for a run in segments of so many steps.
    pub(super) fn new(interface: &Interface, extent: Extent, steps: usize) -> Self {
        let Interface { params, inputs, states, outputs, masks } = interface;
        let count = extent.steps.div_ceil(steps);
        let rows = extent.rows();
        let zeros = |rows: usize, port: &Port| vec![T::default(); rows * port.ty.size()];
        let all_zeros = |rows: usize, ports: &[Port]| -> Vec<Vec<T>> {
            ports.iter().map(|port| zeros(rows, port)).collect()
        };
        let gradient = |port: &Port| port.ty.is_real().then(|| zeros(rows, port));
        Self {
            interface: interface.clone(),
            extent,
            steps,
            count,
            inputs: inputs.iter().map(|port| InputArray::zeros(port, extent)).collect(),
            masks: masks.iter().map(|mask| mask.expected(extent)).collect(),
            borders: all_zeros((count + 1) * extent.batch, states),
            outputs: all_zeros(rows, outputs),
            output_cotangents: all_zeros(rows, outputs),
            final_cotangents: all_zeros(extent.batch, states),
            param_gradients: all_zeros(1, params),
            input_gradients: inputs.iter().map(gradient).collect(),
            carried: all_zeros(extent.batch, states),
            tape: false,
            taped: None,
        }
    }

    /// What [`Whole::new`] takes, in bytes.
    pub(super) fn bytes(interface: &Interface, extent: Extent, steps: usize) -> usize {
        let Interface { params, inputs, states, outputs, masks } = interface;
        let rows = extent.steps.saturating_mul(extent.batch);
        // Those of the segments, the last state, and two cotangents.
        let borders = (extent.steps.div_ceil(steps) + 3).saturating_mul(extent.batch);
        let mut bytes = Bytes::default();
        for port in inputs {
            bytes.add_input::<T>(rows, port);
            bytes.add::<T>(rows, if port.ty.is_real() { port.ty.size() } else { 0 });
        }
        masks.iter().for_each(|mask| bytes.add::<T>(rows, mask.ty.size()));
        outputs.iter().for_each(|port| bytes.add::<T>(rows.saturating_mul(2), port.ty.size()));
        states.iter().for_each(|port| bytes.add::<T>(borders, port.ty.size()));
        params.iter().for_each(|port| bytes.add::<T>(1, port.ty.size()));
        bytes.sum()
    }

    /// The steps of a segment.
    fn range(&self, segment: usize) -> Range<usize> {
        let end = self.extent.steps - (self.count - 1 - segment) * self.steps;
        end.saturating_sub(self.steps)..end
    }

    /// The part of a `[T, B, ..]` array that belongs to a segment.
    fn part(&self, segment: usize, row: usize) -> Range<usize> {
        let Range { start, end } = self.range(segment);
        let step = self.extent.batch * row;
        start * step..end * step
    }

    /// The part of an array of borders that belongs to one.
    fn border(&self, border: usize, row: usize) -> Range<usize> {
        let state = self.extent.batch * row;
        border * state..(border + 1) * state
    }

    pub(super) fn initial_mut(&mut self, state: usize) -> &mut [T] {
        self.tape = false;
        let first = self.border(0, self.interface.states[state].ty.size());
        &mut self.borders[state][first]
    }

    pub(super) fn final_state(&self, state: usize) -> &[T] {
        &self.borders[state][self.border(self.count, self.interface.states[state].ty.size())]
    }

    /// Runs over all segments; if `taped`, with the tape of the last.
    pub(super) fn forward(
        &mut self,
        inner: &mut dyn Sequence<T>,
        params: &[Vec<T>],
        taped: bool,
    ) -> Result<(), RunError> {
        check_params(&self.interface, params)?;
        // Here rather than by the inner sequence, to which positions count from its segment on.
        for (input, port) in self.inputs.iter().zip(&self.interface.inputs) {
            input.check(port)?;
        }
        self.tape = false;
        for segment in 0..self.count {
            self.load(inner, segment);
            if taped && segment + 1 == self.count {
                inner.forward_with_tape(params)?;
                self.taped = Some(segment);
            } else {
                inner.forward(params)?;
            }
            for (i, port) in self.interface.outputs.iter().enumerate() {
                let part = self.part(segment, port.ty.size());
                self.outputs[i][part].copy_from_slice(inner.output(i));
            }
            for (i, port) in self.interface.states.iter().enumerate() {
                let border = self.border(segment + 1, port.ty.size());
                self.borders[i][border].copy_from_slice(inner.final_state(i));
            }
        }
        self.tape = taped;
        Ok(())
    }

    /// Goes back through all segments, replaying each but the one whose tape is there.
    pub(super) fn backward(
        &mut self,
        inner: &mut dyn Sequence<T>,
        params: &[Vec<T>],
    ) -> Result<(), RunError> {
        check_params(&self.interface, params)?;
        if !self.tape {
            return Err(RunError::NoTape);
        }
        for (carried, cotangent) in self.carried.iter_mut().zip(&self.final_cotangents) {
            carried.copy_from_slice(cotangent);
        }
        for segment in (0..self.count).rev() {
            if self.taped != Some(segment) {
                self.load(inner, segment);
                inner.forward_with_tape(params)?;
                self.taped = Some(segment);
            }
            self.backward_segment(inner, params, segment)?;
        }
        Ok(())
    }

    /// Fills the inner sequence with what a segment begins with.
    fn load(&mut self, inner: &mut dyn Sequence<T>, segment: usize) {
        self.taped = None;
        inner.reshape(Extent { steps: self.range(segment).len(), ..self.extent });
        for (i, port) in self.interface.inputs.iter().enumerate() {
            let part = self.part(segment, port.ty.size());
            match (inner.input_mut(i), &self.inputs[i]) {
                (InputMut::Real(to), InputArray::Real(from)) => to.copy_from_slice(&from[part]),
                (InputMut::Index(to), InputArray::Index(from)) => to.copy_from_slice(&from[part]),
                _ => unreachable!("both are of one interface"),
            }
        }
        for (i, mask) in self.interface.masks.iter().enumerate() {
            let part = self.part(segment, mask.ty.size());
            inner.mask_mut(i).copy_from_slice(&self.masks[i][part]);
        }
        for (i, port) in self.interface.states.iter().enumerate() {
            let border = self.border(segment, port.ty.size());
            inner.initial_mut(i).copy_from_slice(&self.borders[i][border]);
        }
    }

    fn backward_segment(
        &mut self,
        inner: &mut dyn Sequence<T>,
        params: &[Vec<T>],
        segment: usize,
    ) -> Result<(), RunError> {
        for (i, port) in self.interface.outputs.iter().enumerate() {
            let part = self.part(segment, port.ty.size());
            inner.output_cotangent_mut(i).copy_from_slice(&self.output_cotangents[i][part]);
        }
        for (i, carried) in self.carried.iter().enumerate() {
            inner.final_cotangent_mut(i).copy_from_slice(carried);
        }
        inner.backward(params)?;
        for (i, sum) in self.param_gradients.iter_mut().enumerate() {
            let term = inner.param_gradient(i);
            if segment + 1 == self.count {
                sum.copy_from_slice(term);
            } else {
                sum.iter_mut().zip(term).for_each(|(sum, &term)| *sum = *sum + term);
            }
        }
        for (i, port) in self.interface.inputs.iter().enumerate() {
            let part = self.part(segment, port.ty.size());
            if let (Some(to), Some(from)) = (&mut self.input_gradients[i], inner.input_gradient(i))
            {
                to[part].copy_from_slice(from);
            }
        }
        for (i, carried) in self.carried.iter_mut().enumerate() {
            carried.copy_from_slice(inner.initial_gradient(i));
        }
        Ok(())
    }
}
