//! A cell one time step at a time: for streams, where the next input is not there yet.

use crate::kernels::Wide;
use crate::sequence::{Extent, InputMut, Interface, RunError, Sequence};

/// A cell with its params and states, to be stepped. Made by
/// [`Program::step`](crate::program::Program::step); ports are numbered as in its [`Interface`].
///
/// States are at first where the cell has them begin, and masks are their probabilities. With native code, a step allocates nothing, takes no lock and calls
/// nothing of the system: it can run where time is short, such as in an audio callback, on any
/// thread.
pub trait Step<T: Wide>: Send {
    /// The cell's interface.
    fn interface(&self) -> &Interface;
    /// An input, `[B, ..]`: as it was in the last step until it is changed.
    fn input_mut(&mut self, input: usize) -> InputMut<'_, T>;
    /// A state, `[B, ..]`: as the last step left it, to be read or set.
    fn state_mut(&mut self, state: usize) -> &mut [T];
    /// Takes a step.
    ///
    /// # Errors
    /// If an index is out of its bound; nothing has changed then.
    fn step(&mut self) -> Result<(), RunError>;
    /// An output of the last step, `[B, ..]`; unspecified once an input or a state is touched, for
    /// it may be found there.
    fn output(&self, output: usize) -> &[T];
}

/// Steps of any engine, as sequences of one step.
pub(crate) struct SequenceStep<T> {
    sequence: Box<dyn Sequence<T>>,
    params: Vec<Vec<T>>,
    states: Vec<Vec<T>>,
}

impl<T: Wide> SequenceStep<T> {
    /// Steps by a sequence.
    pub(crate) fn new(
        mut sequence: Box<dyn Sequence<T>>,
        params: &[Vec<T>],
        batch: usize,
    ) -> Result<Self, RunError> {
        crate::sequence::check_params(sequence.interface(), params)?;
        sequence.reshape(Extent { steps: 1, batch });
        let states = sequence.interface().states.iter();
        let states = states.map(|port| vec![T::default(); batch * port.ty.size()]).collect();
        Ok(Self { sequence, params: params.to_vec(), states })
    }
}

impl<T: Wide> Step<T> for SequenceStep<T> {
    fn interface(&self) -> &Interface {
        self.sequence.interface()
    }

    fn input_mut(&mut self, input: usize) -> InputMut<'_, T> {
        self.sequence.input_mut(input)
    }

    fn state_mut(&mut self, state: usize) -> &mut [T] {
        &mut self.states[state]
    }

    fn step(&mut self) -> Result<(), RunError> {
        for (i, state) in self.states.iter().enumerate() {
            self.sequence.initial_mut(i).copy_from_slice(state);
        }
        self.sequence.forward(&self.params)?;
        for (i, state) in self.states.iter_mut().enumerate() {
            state.copy_from_slice(self.sequence.final_state(i));
        }
        Ok(())
    }

    fn output(&self, output: usize) -> &[T] {
        self.sequence.output(output)
    }
}
