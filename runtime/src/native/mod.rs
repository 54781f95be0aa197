//! The engine that runs native code: the memory of a run, and the calls of compiled code and of
//! kernels.
//!
//! One of the few modules with `unsafe` code: it hands raw addresses to compiled functions. What
//! makes that sound is said once, at `run` in `run.rs`.

#![allow(unsafe_code, reason = "this module calls compiled code on raw addresses")]

mod call;
mod crew;
mod gate;
mod memory;
mod run;
mod script;
mod step;

use std::sync::Arc;

use cellc_compiler::plan::{Binding, Place, Span};

use self::memory::{Memory, Slot, Slots, rows};
pub(crate) use self::run::Routine;
use self::run::{Routing, Worker, run};
pub(crate) use self::step::NativeStep;
use crate::kernels::Wide;
use crate::sequence::{
    Bytes, Extent, InputArray, InputMut, Interface, RunError, Sequence, check_params,
};

/// Below so many multiplications, starting a thread takes longer than it saves: at 50 a nanosecond
/// they take 40 microseconds.
pub const WORTH_A_THREAD: usize = 1 << 21;

/// The compiled code of a cell.
#[derive(Debug)]
pub(crate) struct NativeCode {
    /// Forward, without residuals.
    pub(crate) forward: Routine,
    /// Forward, with residuals.
    pub(crate) taped: Routine,
    /// Backward.
    pub(crate) backward: Routine,
}

/// A run of a cell by native code.
pub(crate) struct NativeSequence<T> {
    code: Arc<NativeCode>,
    interface: Interface,
    extent: Extent,
    inputs: Vec<InputArray<T>>,
    masks: Vec<Vec<T>>,
    forward: Memory<T>,
    output_cotangents: Vec<Vec<T>>,
    backward: Memory<T>,
    workers: Vec<Worker<T>>,
    sums: Vec<Vec<T>>,
    last: Last,
    /// Whether what the tape refers to is as it was when the tape was made.
    tape: bool,
}

/// What was run last, and so which results there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    Nothing,
    Forward,
    Taped,
    Backward,
}

/// Makes an array of zeros, in the memory it has if that suffices.
fn zeros<T: Clone + Default>(data: &mut Vec<T>, len: usize) {
    all(T::default(), data, len);
}

/// Makes an array of one number, in the memory it has if that suffices.
fn all<T: Clone>(number: T, data: &mut Vec<T>, len: usize) {
    if data.capacity() < len {
        // Not beside what was there.
        *data = Vec::new();
        *data = vec![number; len];
    } else {
        data.clear();
        data.resize(len, number);
    }
}

impl<T: Wide> NativeSequence<T> {
    /// A run of extent zero, on as many threads as given.
    pub(crate) fn new(code: Arc<NativeCode>, interface: Interface, threads: usize) -> Self {
        let Interface { params, inputs, states, outputs, masks } = &interface;
        let extent = Extent::default();
        let mut sequence = Self {
            code,
            extent,
            workers: (0..threads.max(1)).map(|_| Worker::new()).collect(),
            inputs: inputs.iter().map(|port| InputArray::zeros(port, extent)).collect(),
            masks: vec![Vec::new(); masks.len()],
            forward: Memory::new(states.len()),
            output_cotangents: vec![Vec::new(); outputs.len()],
            backward: Memory::new(states.len()),
            sums: params.iter().map(|port| vec![T::default(); port.ty.size()]).collect(),
            last: Last::Nothing,
            tape: false,
            interface,
        };
        sequence.allocate(extent);
        sequence
    }

    /// Makes room for an extent.
    fn allocate(&mut self, extent: Extent) {
        let rows = extent.rows();
        // Whatever happens meanwhile, no array is shorter than the extent says.
        self.extent = Extent::default();
        self.last = Last::Nothing;
        self.tape = false;
        for (input, port) in self.inputs.iter_mut().zip(&self.interface.inputs) {
            match input {
                InputArray::Real(data) => zeros(data, rows * port.ty.size()),
                InputArray::Index(data) => zeros(data, rows),
            }
        }
        for (data, mask) in self.masks.iter_mut().zip(&self.interface.masks) {
            all(T::from_f64(mask.probability.0), data, rows * mask.ty.size());
        }
        for (data, port) in self.output_cotangents.iter_mut().zip(&self.interface.outputs) {
            zeros(data, rows * port.ty.size());
        }
        self.forward.reshape(&self.interface.states, extent);
        self.backward.reshape(&self.interface.states, extent);
        self.extent = extent;
    }

    fn run_forward(&mut self, params: &[Vec<T>], taped: bool) -> Result<(), RunError> {
        check_params(&self.interface, params)?;
        for (input, port) in self.inputs.iter().zip(&self.interface.inputs) {
            input.check(port)?;
        }
        self.last = Last::Nothing;
        self.tape = false;
        let native = Arc::clone(&self.code);
        let routing: Routing = if taped { |code| &code.taped } else { |code| &code.forward };
        let routine = routing(&native);
        self.forward.make_room(routine, self.extent);
        let slots = routine.plan().bindings().iter();
        let slots = Slots(slots.map(|&b| self.forward_slot(routine, b, params)).collect());
        let workers = self.workers_for(routine, params);
        // SAFETY: the slots are of this code's bindings, over this extent; see `run`.
        unsafe { run(&native, routing, slots, self.extent, &mut self.workers, workers, false) }
        self.last = if taped { Last::Taped } else { Last::Forward };
        self.tape = taped;
        Ok(())
    }

    /// How many workers a run is worth, each with room for it.
    fn workers_for(&mut self, routine: &Routine, params: &[Vec<T>]) -> usize {
        let work: usize = params.iter().map(Vec::len).sum();
        let work = work.saturating_mul(self.extent.steps * self.extent.batch);
        let wanted = self.workers.len().min(1 + work / WORTH_A_THREAD);
        // If the system refuses threads, there is one.
        let workers = if crew::hire(wanted - 1) { wanted } else { 1 };
        self.workers[..workers].iter_mut().for_each(|worker| worker.make_room(routine));
        workers
    }

    /// Where a binding of forward code is, for step 0.
    fn forward_slot(&mut self, routine: &Routine, binding: Binding, params: &[Vec<T>]) -> Slot {
        let batch = self.extent.batch;
        match binding {
            Binding::Param(i) => Slot::shared(&params[i]),
            Binding::Input(i) => match &mut self.inputs[i] {
                InputArray::Real(data) => {
                    Slot::new(data.as_mut_ptr(), batch * self.interface.inputs[i].ty.size())
                }
                InputArray::Index(data) => Slot::new(data.as_mut_ptr(), batch),
            },
            Binding::Mask(i) => {
                let step = batch * self.interface.masks[i].ty.size();
                Slot::new(self.masks[i].as_mut_ptr(), step)
            }
            Binding::Before(i) => {
                let step = batch * self.interface.states[i].ty.size();
                Slot::new(self.forward.histories[i].pointer(0), step)
            }
            Binding::After(i) => {
                let step = batch * self.interface.states[i].ty.size();
                Slot::new(self.forward.histories[i].pointer(step), step)
            }
            Binding::Packed(i) => Slot::new(self.forward.packed[i].pointer(0), 0),
            Binding::Local(i) => self.forward.local_slot(routine, i, batch),
            Binding::Residual(_) | Binding::Sum(_) => {
                unreachable!("a forward graph takes no residuals and gives no sums")
            }
        }
    }

    /// Where a binding of backward code is, for step 0.
    fn backward_slot(&mut self, binding: Binding, params: &[Vec<T>]) -> Slot {
        let batch = self.extent.batch;
        match binding {
            Binding::Param(i) => Slot::shared(&params[i]),
            Binding::Input(i) => {
                let step = batch * self.interface.outputs[i].ty.size();
                Slot::new(self.output_cotangents[i].as_mut_ptr(), step)
            }
            Binding::Residual(i) => {
                let native = Arc::clone(&self.code);
                let taped = &native.taped;
                let residual = taped.plan().residuals()[i].binding;
                self.forward_slot(taped, taped.plan().binding(residual), params)
            }
            // In reverse, a step goes from the cotangent after it to the one before.
            Binding::Before(i) => {
                let step = batch * self.interface.states[i].ty.size();
                Slot::new(self.backward.histories[i].pointer(step), step)
            }
            Binding::After(i) => {
                let step = batch * self.interface.states[i].ty.size();
                Slot::new(self.backward.histories[i].pointer(0), step)
            }
            Binding::Sum(i) => Slot::new(self.sums[i].as_mut_ptr(), 0),
            Binding::Packed(i) => Slot::new(self.backward.packed[i].pointer(0), 0),
            Binding::Mask(_) => unreachable!("a backward graph draws nothing"),
            Binding::Local(i) => {
                let native = Arc::clone(&self.code);
                self.backward.local_slot(&native.backward, i, batch)
            }
        }
    }

    /// The array of a port, `[T, B, ..]`.
    fn view(&self, routine: &Routine, port: Place, backward: bool) -> &[T] {
        let memory = if backward { &self.backward } else { &self.forward };
        let Extent { steps, batch } = self.extent;
        let plan = routine.plan();
        match plan.binding(port.binding) {
            binding @ (Binding::Before(i) | Binding::After(i)) => {
                // A history has one entry more than there are steps: all but the last are before
                // a step of the forward loop, all but the first after one.
                let step = batch * self.interface.states[i].ty.size();
                let later = matches!(binding, Binding::After(_)) != backward;
                let history = memory.histories[i].as_slice();
                &history[if later { step } else { 0 }..][..steps * step]
            }
            Binding::Local(i) => {
                &memory.locals[i].as_slice()[..steps * batch * plan.locals()[i].size]
            }
            Binding::Input(i) if backward => &self.output_cotangents[i],
            Binding::Input(i) => match &self.inputs[i] {
                InputArray::Real(data) => data,
                InputArray::Index(_) => unreachable!("results are real"),
            },
            Binding::Mask(i) => &self.masks[i],
            binding => unreachable!("{binding:?} has no copy for each row"),
        }
    }
}

impl<T: Wide> Sequence<T> for NativeSequence<T> {
    fn interface(&self) -> &Interface {
        &self.interface
    }

    fn extent(&self) -> Extent {
        self.extent
    }

    fn reshape(&mut self, extent: Extent) {
        if self.extent != extent {
            self.allocate(extent);
        }
    }

    fn bytes(&self, extent: Extent) -> usize {
        let Interface { params, inputs, states, outputs, masks } = &self.interface;
        let all = rows(Span::Sequence, extent);
        let mut bytes = Bytes::default();
        inputs.iter().for_each(|port| bytes.add_input::<T>(all, port));
        masks.iter().for_each(|mask| bytes.add::<T>(all, mask.ty.size()));
        outputs.iter().for_each(|port| bytes.add::<T>(all, port.ty.size()));
        params.iter().for_each(|port| bytes.add::<T>(1, port.ty.size()));
        let NativeCode { forward, taped, backward } = &*self.code;
        // Forward without and with a tape share their memory.
        for routines in [&[forward, taped][..], &[backward]] {
            let arrays = memory::layout::<T>(routines, states, extent);
            arrays.into_iter().for_each(|len| bytes.add::<T>(1, len));
        }
        let of_worker = [forward, taped, backward].map(|r| run::elements::<T>(r, extent));
        bytes.add::<T>(self.workers.len(), of_worker.into_iter().sum());
        bytes.sum()
    }

    fn release(&mut self) {
        let none = Extent::default();
        for (input, port) in self.inputs.iter_mut().zip(&self.interface.inputs) {
            *input = InputArray::zeros(port, none);
        }
        self.masks.fill(Vec::new());
        self.output_cotangents.fill(Vec::new());
        self.forward = Memory::new(self.interface.states.len());
        self.backward = Memory::new(self.interface.states.len());
        self.workers.iter_mut().for_each(|worker| *worker = Worker::new());
        self.allocate(none);
    }

    fn input_mut(&mut self, input: usize) -> InputMut<'_, T> {
        // The tape refers to the inputs, and to the states.
        self.tape = false;
        self.inputs[input].as_mut()
    }

    fn mask_mut(&mut self, mask: usize) -> &mut [T] {
        self.tape = false;
        &mut self.masks[mask]
    }

    fn initial_mut(&mut self, state: usize) -> &mut [T] {
        self.tape = false;
        let len = self.extent.batch * self.interface.states[state].ty.size();
        &mut self.forward.histories[state].as_mut_slice()[..len]
    }

    fn forward(&mut self, params: &[Vec<T>]) -> Result<(), RunError> {
        self.run_forward(params, false)
    }

    fn forward_with_tape(&mut self, params: &[Vec<T>]) -> Result<(), RunError> {
        self.run_forward(params, true)
    }

    fn output(&self, output: usize) -> &[T] {
        let routine = match self.last {
            Last::Nothing => return &[],
            Last::Forward => &self.code.forward,
            Last::Taped | Last::Backward => &self.code.taped,
        };
        self.view(routine, routine.plan().outputs()[output], false)
    }

    fn final_state(&self, state: usize) -> &[T] {
        let step = self.extent.batch * self.interface.states[state].ty.size();
        &self.forward.histories[state].as_slice()[self.extent.steps * step..]
    }

    fn output_cotangent_mut(&mut self, output: usize) -> &mut [T] {
        &mut self.output_cotangents[output]
    }

    fn fill_output_cotangent(&mut self, output: usize, fill: &mut dyn FnMut(&[T], &mut [T])) {
        let mut cotangent = std::mem::take(&mut self.output_cotangents[output]);
        fill(self.output(output), &mut cotangent);
        self.output_cotangents[output] = cotangent;
    }

    fn final_cotangent_mut(&mut self, state: usize) -> &mut [T] {
        let step = self.extent.batch * self.interface.states[state].ty.size();
        &mut self.backward.histories[state].as_mut_slice()[self.extent.steps * step..]
    }

    fn backward(&mut self, params: &[Vec<T>]) -> Result<(), RunError> {
        check_params(&self.interface, params)?;
        if !self.tape {
            return Err(RunError::NoTape);
        }
        // One that was taken to be filled, by a function that panicked, is gone.
        let rows = self.extent.rows();
        for (data, port) in self.output_cotangents.iter_mut().zip(&self.interface.outputs) {
            if data.len() != rows * port.ty.size() {
                zeros(data, rows * port.ty.size());
            }
        }
        self.sums.iter_mut().for_each(|sum| sum.fill(T::default()));
        let native = Arc::clone(&self.code);
        let routine = &native.backward;
        self.backward.make_room(routine, self.extent);
        let slots = routine.plan().bindings().iter();
        let slots = Slots(slots.map(|&binding| self.backward_slot(binding, params)).collect());
        let workers = self.workers_for(routine, params);
        let routing: Routing = |code| &code.backward;
        // SAFETY: the slots are of this code's bindings, over this extent; see `run`.
        unsafe { run(&native, routing, slots, self.extent, &mut self.workers, workers, true) }
        self.last = Last::Backward;
        Ok(())
    }

    fn param_gradient(&self, param: usize) -> &[T] {
        &self.sums[param]
    }

    fn input_gradient(&self, input: usize) -> Option<&[T]> {
        let port = &self.interface.inputs[input];
        if !port.ty.is_real() {
            return None;
        }
        if self.last != Last::Backward {
            return Some(&[]);
        }
        let real = self.interface.inputs[..input].iter().filter(|port| port.ty.is_real()).count();
        let backward = &self.code.backward;
        Some(self.view(backward, backward.plan().outputs()[real], true))
    }

    fn initial_gradient(&self, state: usize) -> &[T] {
        let step = self.extent.batch * self.interface.states[state].ty.size();
        &self.backward.histories[state].as_slice()[..step]
    }
}
