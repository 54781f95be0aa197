//! One step at a time, on memory that is laid out once.

use std::ops::Range;
use std::sync::Arc;

use cellc_compiler::phases::Phase;
use cellc_compiler::plan::Binding;

use super::NativeCode;
use super::call::{Calls, Joined};
use super::memory::{Memory, Slot, Slots};
use super::run::Worker;
use crate::kernels::Wide;
use crate::sequence::{Extent, InputArray, InputMut, Interface, RunError, check_params};
use crate::step::Step;

/// A step of a cell by native code.
pub(crate) struct NativeStep<T> {
    code: Arc<NativeCode>,
    interface: Interface,
    batch: usize,
    params: Vec<Vec<T>>,
    inputs: Vec<InputArray<T>>,
    /// What is expected of the masks: a step draws nothing.
    masks: Vec<Vec<T>>,
    /// The states before the step and after it, which change places at each step.
    memory: Memory<T>,
    worker: Worker<T>,
    /// What is done by a step that leaves the states in either of their places.
    calls: [Calls<T>; 2],
    /// Matrices of those calls.
    joined: Joined<T>,
    /// Where the last step left the states.
    place: usize,
}

impl<T: Wide> NativeStep<T> {
    /// Packs the params and lays out the memory of all steps to come.
    pub(crate) fn new(
        code: Arc<NativeCode>,
        interface: Interface,
        params: &[Vec<T>],
        batch: usize,
    ) -> Result<Self, RunError> {
        check_params(&interface, params)?;
        let extent = Extent { steps: 1, batch };
        // Panics if it is too large, as the documentation says.
        extent.rows();
        let mut memory = Memory::new(interface.states.len());
        memory.reshape(&interface.states, extent);
        memory.make_room(&code.forward, extent);
        let inputs = interface.inputs.iter().map(|port| InputArray::zeros(port, extent)).collect();
        let masks = interface.masks.iter().map(|mask| mask.expected(extent)).collect();
        let mut worker = Worker::new();
        worker.make_room(&code.forward);
        let params = params.to_vec();
        let calls = [Calls::default(), Calls::default()];
        let mut step = Self {
            code,
            interface,
            batch,
            params,
            inputs,
            masks,
            memory,
            worker,
            calls,
            joined: Joined::default(),
            place: 0,
        };
        step.prepare();
        Ok(step)
    }

    /// Computes what is the same in all steps, packs the matrices, and binds the calls of a step to
    /// their memory.
    fn prepare(&mut self) {
        let code = Arc::clone(&self.code);
        let routine = &code.forward;
        for place in [0, 1] {
            let slots = self.slots(place);
            self.worker.go_to(routine, &slots, 0, 0);
            // SAFETY: the table holds, for each binding, memory of this object for one step of the
            // batch. None of it is moved or freed before the object is.
            unsafe {
                if place == 0 {
                    self.worker.phase(routine, Phase::Once, 0..1);
                    self.worker.pack(routine, |extent| 0..extent);
                }
                self.calls[place] = Calls::new(routine, &self.worker, self.batch, &mut self.joined);
            }
        }
    }

    /// Where everything is in a step that leaves the states in the given one of their places.
    fn slots(&mut self, place: usize) -> Slots {
        let code = Arc::clone(&self.code);
        let routine = &code.forward;
        let (batch, states) = (self.batch, &self.interface.states);
        let slots = routine.plan().bindings().iter().map(|&binding| match binding {
            Binding::Param(i) => Slot::shared(&self.params[i]),
            Binding::Input(i) => match &mut self.inputs[i] {
                InputArray::Real(data) => Slot::new(data.as_mut_ptr(), 0),
                InputArray::Index(data) => Slot::new(data.as_mut_ptr(), 0),
            },
            Binding::Mask(i) => Slot::new(self.masks[i].as_mut_ptr(), 0),
            Binding::Before(i) | Binding::After(i) => {
                let place = if binding == Binding::After(i) { place } else { 1 - place };
                let state = batch * states[i].ty.size();
                Slot::new(self.memory.histories[i].pointer(place * state), 0)
            }
            Binding::Packed(i) => Slot::new(self.memory.packed[i].pointer(0), 0),
            Binding::Local(i) => self.memory.local_slot(routine, i, batch),
            Binding::Residual(_) | Binding::Sum(_) => {
                unreachable!("a forward graph takes no residuals and gives no sums")
            }
        });
        Slots(slots.collect())
    }

    /// A state in one of its two places.
    fn state(&self, state: usize, place: usize) -> Range<usize> {
        let len = self.batch * self.interface.states[state].ty.size();
        place * len..(place + 1) * len
    }
}

impl<T: Wide> Step<T> for NativeStep<T> {
    fn interface(&self) -> &Interface {
        &self.interface
    }

    fn input_mut(&mut self, input: usize) -> InputMut<'_, T> {
        self.inputs[input].as_mut()
    }

    fn state_mut(&mut self, state: usize) -> &mut [T] {
        let range = self.state(state, self.place);
        &mut self.memory.histories[state].as_mut_slice()[range]
    }

    fn step(&mut self) -> Result<(), RunError> {
        for (input, port) in self.inputs.iter().zip(&self.interface.inputs) {
            input.check(port)?;
        }
        self.place = 1 - self.place;
        // SAFETY: the calls are bound to memory of this object; indices were checked.
        unsafe { self.calls[self.place].run(&self.code.forward) }
        Ok(())
    }

    fn output(&self, output: usize) -> &[T] {
        let plan = self.code.forward.plan();
        let len = self.batch * self.interface.outputs[output].ty.size();
        let state = |i: usize, place| &self.memory.histories[i].as_slice()[self.state(i, place)];
        match plan.binding(plan.outputs()[output].binding) {
            Binding::Before(i) => state(i, 1 - self.place),
            Binding::After(i) => state(i, self.place),
            Binding::Local(i) => &self.memory.locals[i].as_slice()[..len],
            Binding::Input(i) => match &self.inputs[i] {
                InputArray::Real(data) => data,
                InputArray::Index(_) => unreachable!("results are real"),
            },
            Binding::Mask(i) => &self.masks[i],
            binding => unreachable!("{binding:?} has no output"),
        }
    }
}
