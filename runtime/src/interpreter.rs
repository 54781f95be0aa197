//! The engine that interprets graphs: slow, obvious, and what the others are tested against.

use std::sync::Arc;

use cellc_compiler::autodiff::Gradient;
use cellc_compiler::ir::eval::{Datum, Real, eval};
use cellc_compiler::ir::graph::{Graph, Output, OutputRole, ValueId};
use cellc_compiler::ir::op::{Op, Role};

use crate::sequence::{
    Bytes, Extent, InputArray, InputMut, Interface, Port, RunError, Sequence, check_params,
};

/// A run of a cell by the reference interpreter.
pub struct InterpretedSequence<T> {
    graph: Arc<Graph>,
    gradient: Arc<Gradient>,
    interface: Interface,
    extent: Extent,
    inputs: Vec<InputArray<T>>,
    masks: Vec<Vec<T>>,
    initial: Vec<Vec<T>>,
    outputs: Vec<Vec<T>>,
    finals: Vec<Vec<T>>,
    /// For each row (step by step, example by example), the residuals in order.
    tape: Option<Vec<Vec<Datum<T>>>>,
    output_cotangents: Vec<Vec<T>>,
    final_cotangents: Vec<Vec<T>>,
    param_gradients: Vec<Vec<T>>,
    input_gradients: Vec<Option<Vec<T>>>,
    initial_gradients: Vec<Vec<T>>,
}

impl<T: Real> InterpretedSequence<T> {
    /// A run of extent zero.
    pub fn new(graph: Arc<Graph>, gradient: Arc<Gradient>) -> Self {
        let interface = Interface::of(&graph);
        let mut sequence = Self {
            graph,
            gradient,
            interface,
            extent: Extent::default(),
            inputs: Vec::new(),
            masks: Vec::new(),
            initial: Vec::new(),
            outputs: Vec::new(),
            finals: Vec::new(),
            tape: None,
            output_cotangents: Vec::new(),
            final_cotangents: Vec::new(),
            param_gradients: Vec::new(),
            input_gradients: Vec::new(),
            initial_gradients: Vec::new(),
        };
        sequence.allocate();
        sequence
    }

    fn allocate(&mut self) {
        let batch = self.extent.batch;
        let zeros = |rows: usize, ports: &[Port]| -> Vec<Vec<T>> {
            ports.iter().map(|port| vec![T::default(); rows * port.ty.size()]).collect()
        };
        let Interface { params, inputs, states, outputs, masks } = &self.interface;
        self.inputs = inputs.iter().map(|port| InputArray::zeros(port, self.extent)).collect();
        self.masks = masks.iter().map(|mask| mask.expected(self.extent)).collect();
        self.initial = zeros(batch, states);
        let rows = self.extent.rows();
        self.outputs = zeros(rows, outputs);
        self.finals = zeros(batch, states);
        self.output_cotangents = zeros(rows, outputs);
        self.final_cotangents = zeros(batch, states);
        self.param_gradients = zeros(1, params);
        self.input_gradients = inputs.iter().map(|port| port.ty.is_real().then(Vec::new)).collect();
        self.initial_gradients = zeros(batch, states);
        self.tape = None;
    }

    fn run(&mut self, params: &[Vec<T>], keep_tape: bool) -> Result<(), RunError> {
        check_params(&self.interface, params)?;
        for (input, port) in self.inputs.iter().zip(&self.interface.inputs) {
            input.check(port)?;
        }
        let graph = if keep_tape { &self.gradient.forward } else { &*self.graph };
        self.tape = None;
        let mut tape = Vec::with_capacity(if keep_tape { self.extent.rows() } else { 0 });
        self.finals.clone_from(&self.initial);
        for step in 0..self.extent.steps {
            for example in 0..self.extent.batch {
                let row = step * self.extent.batch + example;
                let values = evaluate(graph, |role, position, size| match role {
                    Role::Param => Datum::Real(params[position].clone()),
                    Role::Input => match &self.inputs[position] {
                        InputArray::Real(data) => Datum::Real(nth(data, row, size).to_vec()),
                        InputArray::Index(data) => Datum::Index(data[row] as usize),
                    },
                    Role::State => Datum::Real(nth(&self.finals[position], example, size).to_vec()),
                    Role::Mask(_) => Datum::Real(nth(&self.masks[position], row, size).to_vec()),
                    Role::Residual => unreachable!("a forward graph takes no residuals"),
                });
                let value = |output: &Output| &values[output.value.index()];
                for (data, output) in
                    self.outputs.iter_mut().zip(graph.outputs_of(OutputRole::Output))
                {
                    store(data, row, value(output).real());
                }
                for (data, port) in self.finals.iter_mut().zip(&self.interface.states) {
                    store(data, example, value(next(graph, &port.name)).real());
                }
                if keep_tape {
                    let residuals = graph.outputs_of(OutputRole::Residual);
                    tape.push(residuals.map(|output| value(output).clone()).collect());
                }
            }
        }
        self.tape = keep_tape.then_some(tape);
        Ok(())
    }
}

impl<T: Real> Sequence<T> for InterpretedSequence<T> {
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

    fn bytes(&self, extent: Extent) -> usize {
        let Interface { params, inputs, states, outputs, masks } = &self.interface;
        let rows = extent.steps.saturating_mul(extent.batch);
        let mut bytes = Bytes::default();
        for port in inputs {
            bytes.add_input::<T>(rows, port);
            // The gradients of this run and of the one before.
            bytes.add_input::<T>(rows.saturating_mul(2), port);
        }
        masks.iter().for_each(|mask| bytes.add::<T>(rows, mask.ty.size()));
        outputs.iter().for_each(|port| bytes.add::<T>(rows.saturating_mul(2), port.ty.size()));
        states.iter().for_each(|port| bytes.add::<T>(6 * extent.batch, port.ty.size()));
        params.iter().for_each(|port| bytes.add::<T>(2, port.ty.size()));
        // A list of values grows by doubling, from 4 on.
        let Gradient { forward, backward } = &*self.gradient;
        let residuals = || forward.outputs_of(OutputRole::Residual).map(|output| output.value);
        bytes.add::<Vec<Datum<T>>>(rows, 1);
        bytes.add::<Datum<T>>(rows, (2 * residuals().count()).max(4));
        residuals().for_each(|id| bytes.add::<T>(rows, forward.ty(id).size()));
        for graph in [forward, backward] {
            bytes.add::<Datum<T>>(1, (2 * graph.len()).max(4));
            graph.ids().for_each(|id| bytes.add::<T>(2, graph.ty(id).size()));
        }
        bytes.sum()
    }

    fn release(&mut self) {
        self.extent = Extent::default();
        self.allocate();
    }

    fn input_mut(&mut self, input: usize) -> InputMut<'_, T> {
        self.tape = None;
        self.inputs[input].as_mut()
    }

    fn mask_mut(&mut self, mask: usize) -> &mut [T] {
        self.tape = None;
        &mut self.masks[mask]
    }

    fn initial_mut(&mut self, state: usize) -> &mut [T] {
        self.tape = None;
        &mut self.initial[state]
    }

    fn forward(&mut self, params: &[Vec<T>]) -> Result<(), RunError> {
        self.run(params, false)
    }

    fn forward_with_tape(&mut self, params: &[Vec<T>]) -> Result<(), RunError> {
        self.run(params, true)
    }

    fn output(&self, output: usize) -> &[T] {
        &self.outputs[output]
    }

    fn final_state(&self, state: usize) -> &[T] {
        &self.finals[state]
    }

    fn output_cotangent_mut(&mut self, output: usize) -> &mut [T] {
        &mut self.output_cotangents[output]
    }

    fn fill_output_cotangent(&mut self, output: usize, fill: &mut dyn FnMut(&[T], &mut [T])) {
        fill(&self.outputs[output], &mut self.output_cotangents[output]);
    }

    fn final_cotangent_mut(&mut self, state: usize) -> &mut [T] {
        &mut self.final_cotangents[state]
    }

    fn backward(&mut self, params: &[Vec<T>]) -> Result<(), RunError> {
        check_params(&self.interface, params)?;
        let tape = self.tape.as_ref().ok_or(RunError::NoTape)?;
        let Extent { steps, batch } = self.extent;
        let Interface { inputs, .. } = &self.interface;
        let graph = &self.gradient.backward;
        let mut sums: Vec<Vec<T>> =
            params.iter().map(|param| vec![T::default(); param.len()]).collect();
        let mut input_gradients: Vec<Option<Vec<T>>> = (inputs.iter())
            .map(|port| {
                port.ty.is_real().then(|| vec![T::default(); steps * batch * port.ty.size()])
            })
            .collect();
        let mut carried = self.final_cotangents.clone();
        for step in (0..steps).rev() {
            for example in 0..batch {
                let row = step * batch + example;
                let values = evaluate(graph, |role, position, size| match role {
                    Role::Param => Datum::Real(params[position].clone()),
                    Role::Input => {
                        Datum::Real(nth(&self.output_cotangents[position], row, size).to_vec())
                    }
                    Role::State => Datum::Real(nth(&carried[position], example, size).to_vec()),
                    Role::Residual => tape[row][position].clone(),
                    Role::Mask(_) => unreachable!("a backward graph draws nothing"),
                });
                let value = |output: &Output| values[output.value.index()].real();
                for (sum, output) in sums.iter_mut().zip(graph.outputs_of(OutputRole::Sum)) {
                    for (sum, &term) in sum.iter_mut().zip(value(output)) {
                        *sum = *sum + term;
                    }
                }
                let gradients = input_gradients.iter_mut().flatten();
                for (data, output) in gradients.zip(graph.outputs_of(OutputRole::Output)) {
                    store(data, row, value(output));
                }
                for (data, output) in carried.iter_mut().zip(graph.outputs_of(OutputRole::Next)) {
                    store(data, example, value(output));
                }
            }
        }
        self.param_gradients = sums;
        self.input_gradients = input_gradients;
        self.initial_gradients = carried;
        Ok(())
    }

    fn param_gradient(&self, param: usize) -> &[T] {
        &self.param_gradients[param]
    }

    fn input_gradient(&self, input: usize) -> Option<&[T]> {
        self.input_gradients[input].as_deref()
    }

    fn initial_gradient(&self, state: usize) -> &[T] {
        &self.initial_gradients[state]
    }
}

/// Evaluates a graph whose leaves are found by role, position within the role, and size.
fn evaluate<T: Real>(
    graph: &Graph,
    bind: impl Fn(Role, usize, usize) -> Datum<T>,
) -> Vec<Datum<T>> {
    let position = |id: ValueId, role: Role| {
        let before = graph.arguments().take_while(|(i, ..)| *i != id);
        before.filter(|(_, other, _)| other.name() == role.name()).count()
    };
    eval(graph, |id| match graph.op(id) {
        Op::Argument { role, .. } => bind(*role, position(id, *role), graph.ty(id).size()),
        op => unreachable!("`{}` is no leaf", op.name()),
    })
}

/// The next value of a state; a verified graph has one.
fn next<'g>(graph: &'g Graph, state: &str) -> &'g Output {
    graph
        .outputs_of(OutputRole::Next)
        .find(|output| output.name == state)
        .expect("every state of a verified graph has a next value")
}

fn nth<T>(data: &[T], row: usize, size: usize) -> &[T] {
    &data[row * size..][..size]
}

fn store<T: Real>(data: &mut [T], row: usize, value: &[T]) {
    data[row * value.len()..][..value.len()].copy_from_slice(value);
}
