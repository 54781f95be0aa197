//! The engine that runs native code: the memory of a run, and the calls of compiled code.
//!
//! One of the few files with `unsafe` code: it hands raw addresses to compiled functions. What makes
//! that sound is said once, at `run`.

#![allow(unsafe_code, reason = "this file calls compiled code on raw addresses")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, OnceLock};
use std::thread::Builder;

use cellc_compiler::ir::eval::Real;
use cellc_compiler::jit::Code;
use cellc_compiler::phases::Phase;
use cellc_compiler::plan::{Binding, BindingId, Plan, Span};

use crate::sequence::{
    Extent, InputArray, InputMut, Interface, Port, RunError, Sequence, check_params,
};

/// Below so many multiplications, starting threads takes longer than they save.
pub const WORTH_A_THREAD: usize = 1 << 18;

/// The compiled code of a cell.
#[derive(Debug)]
pub(crate) struct NativeCode {
    /// Forward, without residuals.
    pub(crate) forward: Code,
    /// Forward, with residuals.
    pub(crate) taped: Code,
    /// Backward.
    pub(crate) backward: Code,
}

/// A run of a cell by native code.
pub(crate) struct NativeSequence<T> {
    code: Arc<NativeCode>,
    interface: Interface,
    extent: Extent,
    threads: usize,
    inputs: Vec<InputArray<T>>,
    forward: Memory<T>,
    output_cotangents: Vec<Vec<T>>,
    backward: Memory<T>,
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

/// The memory of one direction of a run.
struct Memory<T> {
    /// For each state, its values before the first and after each step, `[T + 1, B, ..]`.
    histories: Vec<Vec<T>>,
    /// The code's own memory.
    locals: Vec<Vec<T>>,
}

impl<T: Real> Memory<T> {
    fn new(states: usize) -> Self {
        Self { histories: vec![Vec::new(); states], locals: Vec::new() }
    }

    fn reshape(&mut self, states: &[Port], extent: Extent) {
        for (history, port) in self.histories.iter_mut().zip(states) {
            zeros(history, (extent.steps + 1) * extent.batch * port.ty.size());
        }
    }

    fn make_room(&mut self, plan: &Plan, extent: Extent) {
        self.locals.resize_with(plan.locals().len().max(self.locals.len()), Vec::new);
        for (data, local) in self.locals.iter_mut().zip(plan.locals()) {
            let rows = match local.span {
                Span::Once => 1,
                Span::Step => extent.batch,
                Span::Sequence => extent.steps * extent.batch,
            };
            // Written before it is read: no need to clear what is there.
            if data.len() < rows * local.size {
                data.resize(rows * local.size, T::default());
            }
        }
    }
}

/// Makes an array of zeros, in the memory it has if that suffices.
fn zeros<T: Real>(data: &mut Vec<T>, len: usize) {
    data.clear();
    data.resize(len, T::default());
}

impl<T: Real> NativeSequence<T> {
    /// A run of extent zero, on as many threads as given.
    pub(crate) fn new(code: Arc<NativeCode>, interface: Interface, threads: usize) -> Self {
        let Interface { params, inputs, states, outputs } = &interface;
        let extent = Extent::default();
        let mut sequence = Self {
            code,
            extent,
            threads: threads.max(1),
            inputs: inputs.iter().map(|port| InputArray::zeros(port, extent)).collect(),
            forward: Memory::new(states.len()),
            output_cotangents: vec![Vec::new(); outputs.len()],
            backward: Memory::new(states.len()),
            sums: params.iter().map(|port| vec![T::default(); port.ty.size()]).collect(),
            last: Last::Nothing,
            tape: false,
            interface,
        };
        sequence.allocate();
        sequence
    }

    fn allocate(&mut self) {
        let rows = self.extent.rows();
        for (input, port) in self.inputs.iter_mut().zip(&self.interface.inputs) {
            match input {
                InputArray::Real(data) => zeros(data, rows * port.ty.size()),
                InputArray::Index(data) => {
                    data.clear();
                    data.resize(rows, 0);
                }
            }
        }
        for (data, port) in self.output_cotangents.iter_mut().zip(&self.interface.outputs) {
            zeros(data, rows * port.ty.size());
        }
        self.forward.reshape(&self.interface.states, self.extent);
        self.backward.reshape(&self.interface.states, self.extent);
        self.last = Last::Nothing;
        self.tape = false;
    }

    fn run_forward(&mut self, params: &[Vec<T>], taped: bool) -> Result<(), RunError> {
        check_params(&self.interface, params)?;
        for (input, port) in self.inputs.iter().zip(&self.interface.inputs) {
            input.check(port)?;
        }
        self.last = Last::Nothing;
        let native = Arc::clone(&self.code);
        let code = if taped { &native.taped } else { &native.forward };
        self.forward.make_room(code.plan(), self.extent);
        let slots =
            code.plan().bindings().iter().map(|&b| self.forward_slot(code.plan(), b, params));
        let slots = slots.collect();
        // SAFETY: the slots are of this code's bindings, over this extent; see `run`.
        unsafe { run(code, Slots(slots), self.extent, self.threads_for(params), false) }
        self.last = if taped { Last::Taped } else { Last::Forward };
        self.tape = taped;
        Ok(())
    }

    /// Threads that are worth starting for a run.
    fn threads_for(&self, params: &[Vec<T>]) -> usize {
        let work: usize = params.iter().map(Vec::len).sum();
        let work = work.saturating_mul(self.extent.steps * self.extent.batch);
        self.threads.min(1 + work / WORTH_A_THREAD)
    }

    /// Where a binding of forward code is, for step 0.
    fn forward_slot(&mut self, plan: &Plan, binding: Binding, params: &[Vec<T>]) -> Slot {
        let batch = self.extent.batch;
        match binding {
            Binding::Param(i) => Slot::shared(&params[i]),
            Binding::Input(i) => match &mut self.inputs[i] {
                InputArray::Real(data) => {
                    Slot::stepped(data, 0, batch * self.interface.inputs[i].ty.size())
                }
                InputArray::Index(data) => Slot::stepped(data, 0, batch),
            },
            Binding::Before(i) => {
                let step = batch * self.interface.states[i].ty.size();
                Slot::stepped(&mut self.forward.histories[i], 0, step)
            }
            Binding::After(i) => {
                let step = batch * self.interface.states[i].ty.size();
                Slot::stepped(&mut self.forward.histories[i], step, step)
            }
            Binding::Local(i) => self.forward.local_slot(plan, i, batch),
            Binding::Residual(_) | Binding::Sum(_) => {
                unreachable!("a forward graph takes no residuals and gives no sums")
            }
        }
    }

    /// Where a binding of backward code is, for step 0.
    fn backward_slot(&mut self, plan: &Plan, binding: Binding, params: &[Vec<T>]) -> Slot {
        let batch = self.extent.batch;
        match binding {
            Binding::Param(i) => Slot::shared(&params[i]),
            Binding::Input(i) => {
                let step = batch * self.interface.outputs[i].ty.size();
                Slot::stepped(&mut self.output_cotangents[i], 0, step)
            }
            Binding::Residual(i) => {
                let native = Arc::clone(&self.code);
                let plan = native.taped.plan();
                self.forward_slot(plan, plan.binding(plan.residuals()[i]), params)
            }
            // In reverse, a step goes from the cotangent after it to the one before.
            Binding::Before(i) => {
                let step = batch * self.interface.states[i].ty.size();
                Slot::stepped(&mut self.backward.histories[i], step, step)
            }
            Binding::After(i) => {
                let step = batch * self.interface.states[i].ty.size();
                Slot::stepped(&mut self.backward.histories[i], 0, step)
            }
            Binding::Sum(i) => Slot::stepped(&mut self.sums[i], 0, 0),
            Binding::Local(i) => self.backward.local_slot(plan, i, batch),
        }
    }

    /// The array of a port, `[T, B, ..]`.
    fn view(&self, plan: &Plan, port: BindingId, backward: bool) -> &[T] {
        let memory = if backward { &self.backward } else { &self.forward };
        let Extent { steps, batch } = self.extent;
        match plan.binding(port) {
            binding @ (Binding::Before(i) | Binding::After(i)) => {
                // A history has one entry more than there are steps: all but the last are before
                // a step of the forward loop, all but the first after one.
                let step = batch * self.interface.states[i].ty.size();
                let later = matches!(binding, Binding::After(_)) != backward;
                &memory.histories[i][if later { step } else { 0 }..][..steps * step]
            }
            Binding::Local(i) => &memory.locals[i][..steps * batch * plan.locals()[i].size],
            Binding::Input(i) if backward => &self.output_cotangents[i],
            Binding::Input(i) => match &self.inputs[i] {
                InputArray::Real(data) => data,
                InputArray::Index(_) => unreachable!("results are real"),
            },
            binding => unreachable!("{binding:?} has no copy for each row"),
        }
    }
}

impl<T: Real> Memory<T> {
    fn local_slot(&mut self, plan: &Plan, local: usize, batch: usize) -> Slot {
        let step = match plan.locals()[local].span {
            Span::Once | Span::Step => 0,
            Span::Sequence => batch * plan.locals()[local].size,
        };
        Slot::stepped(&mut self.locals[local], 0, step)
    }
}

impl<T: Real> Sequence<T> for NativeSequence<T> {
    fn interface(&self) -> &Interface {
        &self.interface
    }

    fn extent(&self) -> Extent {
        self.extent
    }

    fn reshape(&mut self, extent: Extent) {
        if self.extent != extent {
            self.extent = extent;
            self.allocate();
        }
    }

    fn input_mut(&mut self, input: usize) -> InputMut<'_, T> {
        // The tape refers to the inputs, and to the states.
        self.tape = false;
        self.inputs[input].as_mut()
    }

    fn initial_mut(&mut self, state: usize) -> &mut [T] {
        self.tape = false;
        let len = self.extent.batch * self.interface.states[state].ty.size();
        &mut self.forward.histories[state][..len]
    }

    fn forward(&mut self, params: &[Vec<T>]) -> Result<(), RunError> {
        self.run_forward(params, false)
    }

    fn forward_with_tape(&mut self, params: &[Vec<T>]) -> Result<(), RunError> {
        self.run_forward(params, true)
    }

    fn output(&self, output: usize) -> &[T] {
        let plan = match self.last {
            Last::Nothing => return &[],
            Last::Forward => self.code.forward.plan(),
            Last::Taped | Last::Backward => self.code.taped.plan(),
        };
        self.view(plan, plan.outputs()[output], false)
    }

    fn final_state(&self, state: usize) -> &[T] {
        let step = self.extent.batch * self.interface.states[state].ty.size();
        &self.forward.histories[state][self.extent.steps * step..]
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
        &mut self.backward.histories[state][self.extent.steps * step..]
    }

    fn backward(&mut self, params: &[Vec<T>]) -> Result<(), RunError> {
        check_params(&self.interface, params)?;
        if !self.tape {
            return Err(RunError::NoTape);
        }
        self.sums.iter_mut().for_each(|sum| sum.fill(T::default()));
        let native = Arc::clone(&self.code);
        let code = &native.backward;
        self.backward.make_room(code.plan(), self.extent);
        let slots = code.plan().bindings().iter();
        let slots =
            slots.map(|&binding| self.backward_slot(code.plan(), binding, params)).collect();
        // SAFETY: the slots are of this code's bindings, over this extent; see `run`.
        unsafe { run(code, Slots(slots), self.extent, self.threads_for(params), true) }
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
        let plan = self.code.backward.plan();
        Some(self.view(plan, plan.outputs()[real], true))
    }

    fn initial_gradient(&self, state: usize) -> &[T] {
        let step = self.extent.batch * self.interface.states[state].ty.size();
        &self.backward.histories[state][..step]
    }

    fn tape_bytes(&self) -> usize {
        let memories = [&self.forward, &self.backward];
        let arrays = memories.into_iter().flat_map(|m| m.histories.iter().chain(&m.locals));
        let reals: usize = arrays.chain(&self.output_cotangents).map(Vec::capacity).sum();
        reals * size_of::<T>() + self.inputs.iter().map(InputArray::bytes).sum::<usize>()
    }
}

/// Where a binding is at step 0, and how far it is from one step to the next, in bytes.
#[derive(Clone, Copy)]
struct Slot {
    base: *mut u8,
    step: usize,
}

impl Slot {
    /// Memory that is only read.
    fn shared<E>(data: &[E]) -> Self {
        Self { base: data.as_ptr().cast_mut().cast(), step: 0 }
    }

    /// Memory that begins `offset` elements into an array, with `step` elements to a step.
    fn stepped<E>(data: &mut Vec<E>, offset: usize, step: usize) -> Self {
        debug_assert!(offset <= data.len());
        let bytes = size_of::<E>();
        // Of the vector, not of a slice: pointers that were taken before stay good.
        let base = data.as_mut_ptr().wrapping_add(offset);
        Self { base: base.cast(), step: step * bytes }
    }
}

/// The table of a code's bindings, lent to all threads of a run.
struct Slots(Vec<Slot>);

// SAFETY: threads only read the table; what it points to they touch by the rules of `run`.
unsafe impl Sync for Slots {}

impl Slots {
    /// The base addresses at a step.
    fn at(&self, step: usize, table: &mut Vec<*mut u8>) {
        table.clear();
        table.extend(self.0.iter().map(|slot| slot.base.wrapping_add(step * slot.step)));
    }
}

/// Runs all phases of a code over all steps, in reverse for backward code.
///
/// Each thread owns a range of rows in each phase: of the batch in the body, through all steps
/// without waiting for the others, and of all steps and examples before and after it. A sum is
/// split over its result, not over the rows, so its order of additions is the same for any number
/// of threads.
///
/// # Safety
/// Each slot must point to memory of its binding's element type for the whole extent, and all
/// written memory must be this call's alone. Indices must have been checked against their bounds.
unsafe fn run(code: &Code, slots: Slots, extent: Extent, threads: usize, reverse: bool) {
    let mut table = Vec::new();
    slots.at(0, &mut table);
    // SAFETY: nothing else runs yet; a value of the phase `once` has one row.
    unsafe { code.run(Phase::Once, &table, 0, 1) }
    // How many threads there are is known only once they are: the system may refuse some.
    let team: OnceLock<Barrier> = OnceLock::new();
    let work = |thread: usize, barrier: &Barrier, threads: usize| {
        let share = |rows: usize| rows * thread / threads..rows * (thread + 1) / threads;
        let mut table = Vec::with_capacity(slots.0.len());
        slots.at(0, &mut table);
        let rows = extent.steps * extent.batch;
        let all = share(rows);
        // SAFETY: before and after the loop, the rows of all steps and examples follow each other
        // from step 0 on; this thread alone touches its share of what these phases write.
        unsafe { code.run(Phase::Before, &table, all.start, all.end) }
        barrier.wait();
        let mine = share(extent.batch);
        if !mine.is_empty() {
            for i in 0..extent.steps {
                slots.at(if reverse { extent.steps - 1 - i } else { i }, &mut table);
                // SAFETY: an example's rows are touched by the one thread that owns it, at this
                // and, as states, at the neighbouring steps.
                unsafe { code.run(Phase::Body, &table, mine.start, mine.end) }
            }
        }
        slots.at(0, &mut table);
        barrier.wait();
        // SAFETY: as before the loop.
        unsafe { code.run(Phase::After, &table, all.start, all.end) }
        barrier.wait();
        for sum in 0..code.plan().sums().len() {
            let part = share(code.plan().sum_extent(sum));
            // SAFETY: every phase is done, and this thread alone touches its part of the result.
            unsafe { code.sum(sum, &table, [part.start, part.end], rows) }
        }
    };
    let started = AtomicUsize::new(1);
    std::thread::scope(|scope| {
        for thread in 1..threads {
            let (work, team, started) = (&work, &team, &started);
            let wait_and_work = move || {
                let barrier = team.wait();
                work(thread, barrier, started.load(Ordering::Relaxed));
            };
            if Builder::new().spawn_scoped(scope, wait_and_work).is_err() {
                break;
            }
            started.store(thread + 1, Ordering::Relaxed);
        }
        let threads = started.load(Ordering::Relaxed);
        // Setting it happens before any thread reads how many there are.
        work(0, team.get_or_init(|| Barrier::new(threads)), threads);
    });
}
