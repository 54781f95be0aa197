//! One step at a time, on memory that is laid out once.

use std::sync::Arc;

use cellc_compiler::phases::Phase;
use cellc_compiler::plan::Binding;

use super::NativeCode;
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
    /// The states before the step and after it.
    memory: Memory<T>,
    worker: Worker<T>,
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
        let worker = Worker::new();
        let params = params.to_vec();
        let mut step = Self { code, interface, batch, params, inputs, masks, memory, worker };
        step.prepare();
        Ok(step)
    }

    /// Fills the table, computes what is the same in all steps, and packs the matrices.
    fn prepare(&mut self) {
        let code = Arc::clone(&self.code);
        let routine = &code.forward;
        let slots = routine.plan().bindings().iter().map(|&binding| match binding {
            Binding::Param(i) => Slot::shared(&self.params[i]),
            Binding::Input(i) => match &mut self.inputs[i] {
                InputArray::Real(data) => Slot::new(data.as_mut_ptr(), 0),
                InputArray::Index(data) => Slot::new(data.as_mut_ptr(), 0),
            },
            Binding::Mask(i) => Slot::new(self.masks[i].as_mut_ptr(), 0),
            Binding::Before(i) => Slot::new(self.memory.histories[i].pointer(0), 0),
            Binding::After(i) => {
                let state = self.batch * self.interface.states[i].ty.size();
                Slot::new(self.memory.histories[i].pointer(state), 0)
            }
            Binding::Packed(i) => Slot::new(self.memory.packed[i].pointer(0), 0),
            Binding::Local(i) => self.memory.local_slot(routine, i, self.batch),
            Binding::Residual(_) | Binding::Sum(_) => {
                unreachable!("a forward graph takes no residuals and gives no sums")
            }
        });
        let slots = Slots(slots.collect());
        self.worker.make_room(routine);
        self.worker.go_to(routine, &slots, 0, 0);
        // SAFETY: the table holds, for each binding, memory of this object for one step of the
        // batch. None of it is moved or freed before the object is.
        unsafe {
            self.worker.phase(routine, Phase::Once, 0..1);
            self.worker.pack(routine, |extent| 0..extent);
        }
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
        let len = self.batch * self.interface.states[state].ty.size();
        &mut self.memory.histories[state].as_mut_slice()[len..]
    }

    fn step(&mut self) -> Result<(), RunError> {
        for (input, port) in self.inputs.iter().zip(&self.interface.inputs) {
            input.check(port)?;
        }
        for history in &mut self.memory.histories {
            let history = history.as_mut_slice();
            let state = history.len() / 2;
            history.copy_within(state.., 0);
        }
        for phase in [Phase::Before, Phase::Body, Phase::After] {
            // SAFETY: as in `prepare`, which came before; indices were checked.
            unsafe { self.worker.phase(&self.code.forward, phase, 0..self.batch) }
        }
        Ok(())
    }

    fn output(&self, output: usize) -> &[T] {
        let plan = self.code.forward.plan();
        let len = self.batch * self.interface.outputs[output].ty.size();
        match plan.binding(plan.outputs()[output].binding) {
            Binding::Before(i) => &self.memory.histories[i].as_slice()[..len],
            Binding::After(i) => &self.memory.histories[i].as_slice()[len..],
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
