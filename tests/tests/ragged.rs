//! Batches of examples of several lengths, and runs in reverse, are what each example gives when it
//! is run alone, by the interpreter; their gradients are those of central differences.

use cellc_compiler::ir::graph::Graph;
use cellc_runtime::kernels::{Wide, Width};
use cellc_runtime::program::{Engine, Program, Settings};
use cellc_runtime::ragged::Ragged;
use cellc_runtime::sequence::{Extent, InputMut, Interface, Port, RunError, Sequence};
use cellc_runtime::stack::{Stack, StackError};
use cellc_tests::cells::{catalogue, graph, recurrent};
use cellc_tests::compare::{Array, Numbers, difference, widths};

/// An index beside a vector, a state that is a matrix, two outputs, one of them a scalar.
const MIXED: &str = "
cell mixed(V, E, H) {
    input token: index(V), x: [E]
    state S: [H, E], h: [H]
    param table: [V, E], W: [H, E], U: [H, H], b: [H]
    k = table[token] + x
    r = sigmoid(W @ k + U @ h)
    next S = 0.9 * S + outer(r, k)
    next h = tanh(S @ k + b)
    output y = sum(U @ h * r)
    output z = next h
}";

const EXTENT: Extent = Extent { steps: 6, batch: 5 };
const LENGTHS: [usize; 5] = [4, 6, 0, 1, 6];

fn ragged<T: Wide>(
    graph: &Graph,
    engine: Engine,
    width: Option<Width>,
    threads: usize,
) -> Ragged<T> {
    let settings = Settings { width, ..Settings::default() };
    Ragged::new(graph, engine, &settings, threads, None).expect("the graph is valid")
}

/// What a run is made of: one array for each argument, and one for each cotangent.
#[derive(Clone)]
struct Case {
    extent: Extent,
    params: Vec<Vec<f64>>,
    inputs: Vec<Vec<f64>>,
    initial: Vec<Vec<f64>>,
    outputs: Vec<Vec<f64>>,
    finals: Vec<Vec<f64>>,
}

impl Case {
    fn draw(interface: &Interface, extent: Extent) -> Self {
        let mut numbers = Numbers(5);
        let mut draw = |ports: &[Port], rows: usize| -> Vec<Vec<f64>> {
            let mut array = |port: &Port| match port.ty.element {
                cellc_compiler::ir::op::Element::Index { bound } => {
                    (0..rows).map(|_| (numbers.next_bits() % bound as u64) as f64).collect()
                }
                cellc_compiler::ir::op::Element::Real => {
                    (0..rows * port.ty.size()).map(|_| numbers.next_real()).collect()
                }
            };
            ports.iter().map(&mut array).collect()
        };
        let (steps, batch) = (extent.steps * extent.batch, extent.batch);
        Self {
            extent,
            params: draw(&interface.params, 1),
            inputs: draw(&interface.inputs, steps),
            initial: draw(&interface.states, batch),
            outputs: draw(&interface.outputs, steps),
            finals: draw(&interface.states, batch),
        }
    }

    fn params<T: Wide>(&self) -> Vec<Vec<T>> {
        self.params.iter().map(|data| narrow(data)).collect()
    }

    fn set<T: Wide>(&self, sequence: &mut dyn Sequence<T>) {
        sequence.reshape(self.extent);
        for (i, data) in self.inputs.iter().enumerate() {
            match sequence.input_mut(i) {
                InputMut::Real(to) => to.copy_from_slice(&narrow(data)),
                InputMut::Index(to) => {
                    to.iter_mut().zip(data).for_each(|(to, &from)| *to = from as u32);
                }
            }
        }
        for (i, data) in self.initial.iter().enumerate() {
            sequence.initial_mut(i).copy_from_slice(&narrow(data));
        }
    }

    /// Outputs and final states.
    fn forward<T: Wide>(&self, sequence: &mut dyn Sequence<T>) -> Vec<Array<T>> {
        self.set(sequence);
        sequence.forward(&self.params()).expect("it runs");
        values(sequence)
    }

    /// Outputs, final states and all gradients.
    fn results<T: Wide>(&self, sequence: &mut dyn Sequence<T>) -> Vec<Array<T>> {
        self.set(sequence);
        let params = self.params();
        sequence.forward_with_tape(&params).expect("it runs");
        for (i, data) in self.outputs.iter().enumerate() {
            sequence.output_cotangent_mut(i).copy_from_slice(&narrow(data));
        }
        for (i, data) in self.finals.iter().enumerate() {
            sequence.final_cotangent_mut(i).copy_from_slice(&narrow(data));
        }
        let mut all = values(sequence);
        sequence.backward(&params).expect("there is a tape");
        let interface = sequence.interface();
        let mut add = |name: &str, data: &[T]| all.push((name.to_owned(), data.to_vec()));
        for (i, port) in interface.params.iter().enumerate() {
            add(&port.name, sequence.param_gradient(i));
        }
        for (i, port) in interface.inputs.iter().enumerate() {
            add(&port.name, sequence.input_gradient(i).unwrap_or_default());
        }
        for (i, port) in interface.states.iter().enumerate() {
            add(&port.name, sequence.initial_gradient(i));
        }
        all
    }

    /// The same by running each example alone, over its own length, its steps reversed if asked.
    fn one_by_one(&self, graph: &Graph, lengths: &[usize], reverse: bool) -> Vec<Array<f64>> {
        let program = Program::<f64>::new(graph, Engine::Interpreter).expect("it verifies");
        let interface = program.interface().clone();
        let Interface { params, inputs, states, outputs, .. } = &interface;
        let batch = self.extent.batch;
        let mut all: Vec<Array<f64>> = Vec::new();
        let rows = self.extent.steps * batch;
        let lists =
            [(outputs, rows), (states, batch), (params, 1), (inputs, rows), (states, batch)];
        for (ports, rows) in lists {
            for port in ports {
                let size = if port.ty.is_real() { rows * port.ty.size() } else { 0 };
                all.push((port.name.clone(), vec![0.0; size]));
            }
        }
        for (example, &length) in lengths.iter().enumerate() {
            // The rows of the example in the order in which they are run.
            let row = |step: usize| step * batch + example;
            let mut steps: Vec<usize> = (0..length).map(row).collect();
            if reverse {
                steps.reverse();
            }
            let pick = |data: &[f64], rows: &[usize], all: usize| -> Vec<f64> {
                let size = data.len() / all;
                rows.iter().flat_map(|row| &data[row * size..][..size]).copied().collect()
            };
            let of = |list: &[Vec<f64>], rows: &[usize], all: usize| -> Vec<Vec<f64>> {
                list.iter().map(|data| pick(data, rows, all)).collect()
            };
            let alone = Self {
                extent: Extent { steps: length, batch: 1 },
                params: self.params.clone(),
                inputs: of(&self.inputs, &steps, rows),
                initial: of(&self.initial, &[example], batch),
                outputs: of(&self.outputs, &steps, rows),
                finals: of(&self.finals, &[example], batch),
            };
            let found = alone.results(&mut *program.sequence(1));
            let kinds = [outputs.len(), states.len(), params.len(), inputs.len(), states.len()];
            let kinds = kinds.iter().enumerate().flat_map(|(kind, &count)| vec![kind; count]);
            for ((kind, to), (_, from)) in kinds.zip(&mut all).zip(found) {
                let places: Vec<usize> = match kind {
                    0 | 3 => steps.clone(),
                    2 => vec![0],
                    _ => vec![example],
                };
                let size = from.len() / places.len().max(1);
                for (place, from) in places.iter().zip(from.chunks(size.max(1))) {
                    let to = &mut to.1[place * size..][..size];
                    to.iter_mut().zip(from).for_each(|(sum, term)| *sum += term);
                }
            }
        }
        all
    }
}

fn narrow<T: Wide>(data: &[f64]) -> Vec<T> {
    data.iter().map(|&x| T::from_f64(x)).collect()
}

fn values<T: Wide>(sequence: &dyn Sequence<T>) -> Vec<Array<T>> {
    let Interface { outputs, states, .. } = sequence.interface();
    let of = |i: usize, port: &Port| (port.name.clone(), sequence.output(i).to_vec());
    let outputs = outputs.iter().enumerate().map(|(i, port)| of(i, port));
    let of = |i: usize, port: &Port| (port.name.clone(), sequence.final_state(i).to_vec());
    outputs.chain(states.iter().enumerate().map(|(i, port)| of(i, port))).collect()
}

fn cells() -> Vec<(&'static str, Graph)> {
    let mixed = graph(MIXED, &[("V", 5), ("E", 3), ("H", 4)]);
    recurrent().into_iter().chain([("mixed", mixed)]).collect()
}

#[test]
fn examples_are_as_if_run_alone() {
    for (name, graph) in cells() {
        let interface = Interface::of(&graph);
        let mut case = Case::draw(&interface, EXTENT);
        for (lengths, reverse) in
            [(None, false), (None, true), (Some(&LENGTHS[..]), false), (Some(&LENGTHS[..]), true)]
        {
            let all = [EXTENT.steps; EXTENT.batch];
            let expected = case.one_by_one(&graph, lengths.unwrap_or(&all), reverse);
            // Nothing is read beyond an example's end.
            let written = case.clone();
            for (example, &length) in lengths.unwrap_or(&all).iter().enumerate() {
                let inputs = case.inputs.iter_mut().zip(&interface.inputs);
                for (data, _) in inputs.filter(|(_, port)| port.ty.is_real()) {
                    let size = data.len() / (EXTENT.steps * EXTENT.batch);
                    for step in length..EXTENT.steps {
                        data[(step * EXTENT.batch + example) * size..][..size].fill(f64::NAN);
                    }
                }
            }
            for engine in [Engine::Interpreter, Engine::Jit] {
                for width in widths() {
                    let what = format!("{name}, {engine:?}, {width:?}, {lengths:?}, {reverse}");
                    let mut sequence = ragged::<f64>(&graph, engine, width, 2);
                    sequence.set_lengths(lengths);
                    sequence.set_reverse(reverse);
                    // The second run finds the memory of the first.
                    for _ in 0..2 {
                        let found = case.results(&mut sequence);
                        assert_eq!(difference(&found, &expected, 1e-12), None, "{what}");
                    }
                    let found = case.forward(&mut sequence);
                    let values = &expected[..found.len()];
                    assert_eq!(difference(&found, values, 1e-12), None, "{what}");
                    if engine == Engine::Jit {
                        let mut sequence = ragged::<f32>(&graph, engine, width, 1);
                        sequence.set_lengths(lengths);
                        sequence.set_reverse(reverse);
                        let found = case.results(&mut sequence);
                        assert_eq!(difference(&found, &expected, 2e-5), None, "{what}");
                    }
                }
            }
            case = written;
        }
    }
}

/// The loss whose gradients are those of a case.
fn loss(case: &Case, sequence: &mut dyn Sequence<f64>) -> f64 {
    let found = case.forward(sequence);
    let cotangents = case.outputs.iter().chain(&case.finals);
    let dot =
        |(a, b): (&Vec<f64>, &Array<f64>)| -> f64 { a.iter().zip(&b.1).map(|(a, b)| a * b).sum() };
    cotangents.zip(&found).map(dot).sum()
}

#[test]
fn gradients_are_those_of_differences() {
    for name in ["lstm_peephole", "lstm_projection", "gru"] {
        let graph = if name == "lstm_projection" {
            catalogue(name, &[("I", 2), ("H", 3), ("P", 2)])
        } else {
            catalogue(name, &[("I", 2), ("H", 3)])
        };
        let interface = Interface::of(&graph);
        let case = Case::draw(&interface, EXTENT);
        for reverse in [false, true] {
            let mut sequence = ragged::<f64>(&graph, Engine::Jit, Width::detect(), 1);
            sequence.set_lengths(Some(&LENGTHS));
            sequence.set_reverse(reverse);
            let found = case.results(&mut sequence);
            let gradients = &found[interface.outputs.len() + interface.states.len()..];
            let mut compared = 0;
            for (i, (argument, gradient)) in gradients.iter().enumerate() {
                for (at, &analytic) in gradient.iter().enumerate() {
                    let mut at_step = |step: f64| {
                        let mut moved = case.clone();
                        let (params, inputs) = (moved.params.len(), moved.inputs.len());
                        let data = match i {
                            i if i < params => &mut moved.params[i],
                            i if i < params + inputs => &mut moved.inputs[i - params],
                            i => &mut moved.initial[i - params - inputs],
                        };
                        data[at] += step;
                        loss(&moved, &mut sequence)
                    };
                    let numeric = (at_step(1e-5) - at_step(-1e-5)) / 2e-5;
                    let near = (analytic - numeric).abs() <= 1e-8 * numeric.abs().max(1.0);
                    assert!(near, "{name}: {argument}[{at}] is {analytic}, not {numeric}");
                    compared += 1;
                }
            }
            assert!(compared > 100, "{compared}");
        }
    }
}

/// The derivative of `log` at 0 is infinite, and so NaN where it is not used: an example without
/// steps must not be computed on zeros that nobody gave.
#[test]
fn examples_without_steps_have_no_part_in_gradients() {
    let source = "
cell logs(H) {
    input x: [H]
    state h: [H]
    param w: [H]
    next h = tanh(w * log(x) + h)
    output h
}";
    let graph = graph(source, &[("H", 2)]);
    let mut case = Case::draw(&Interface::of(&graph), EXTENT);
    case.inputs[0].iter_mut().for_each(|x| *x = x.abs() + 0.5);
    for engine in [Engine::Interpreter, Engine::Jit] {
        for reverse in [false, true] {
            let mut sequence = ragged::<f64>(&graph, engine, Width::detect(), 1);
            sequence.set_lengths(Some(&[0, 6, 0, 1, 6]));
            sequence.set_reverse(reverse);
            for (name, numbers) in case.results(&mut sequence) {
                assert!(numbers.iter().all(|x| x.is_finite()), "{name}: {numbers:?}");
            }
        }
    }
}

#[test]
fn lengths_must_fit() {
    let graph = catalogue("rnn", &[("I", 2), ("H", 3)]);
    let case = Case::draw(&Interface::of(&graph), EXTENT);
    let mut sequence = ragged::<f64>(&graph, Engine::Jit, Width::detect(), 1);
    case.set(&mut sequence);
    sequence.set_lengths(Some(&[1, 2]));
    let fault = RunError::Lengths { expected: 5, found: 2 };
    assert_eq!(sequence.forward(&case.params()), Err(fault));
    sequence.set_lengths(Some(&[1, 2, 7, 0, 0]));
    let fault = RunError::Length { example: 2, length: 7, steps: 6 };
    assert_eq!(sequence.forward_with_tape(&case.params()), Err(fault));
    assert_eq!(sequence.backward(&case.params()), Err(RunError::NoTape));
    sequence.set_lengths(Some(&LENGTHS));
    assert_eq!(sequence.forward_with_tape(&case.params()), Ok(()));
    sequence.set_reverse(true);
    assert_eq!(sequence.backward(&case.params()), Err(RunError::NoTape), "of another run");
}

#[test]
fn limits_of_memory_are_kept() {
    let graph = catalogue("lstm", &[("I", 3), ("H", 20)]);
    let extent = Extent { steps: 300, batch: 3 };
    let case = Case::draw(&Interface::of(&graph), extent);
    let lengths = [300, 120, 7];
    let make = |limit| {
        let settings = Settings::default();
        let sequence = Ragged::<f64>::new(&graph, Engine::Jit, &settings, 1, limit);
        let mut sequence = sequence.expect("the graph is valid");
        sequence.set_lengths(Some(&lengths));
        sequence
    };
    let whole = make(None).bytes(extent);
    let expected = case.results(&mut make(None));
    let mut cut = make(Some(whole * 2 / 3));
    assert_eq!(difference(&case.results(&mut cut), &expected, 1e-12), None);
    assert!(cut.bytes(extent) <= whole * 2 / 3);
    let fault = make(Some(1000)).try_reshape(extent);
    assert!(matches!(fault, Err(RunError::Memory { limit: 1000, .. })), "{fault:?}");
}

#[test]
fn stacks_must_fit() {
    let run = |input: usize| {
        let graph = catalogue("gru", &[("I", input), ("H", 3)]);
        ragged::<f32>(&graph, Engine::Interpreter, None, 1)
    };
    assert!(Stack::new(vec![vec![run(2), run(2)], vec![run(6)]]).is_ok());
    let fault = Stack::new(vec![vec![run(2), run(2)], vec![run(6), run(3)]]).err();
    let (layer, cell) = (1, "cell 1".to_owned());
    assert_eq!(fault, Some(StackError::Ports { layer, cell, width: Some(6) }));
    assert_eq!(
        fault.expect("it was compared").to_string(),
        "cell 1 of layer 1 must have one input, a vector of 6 elements, and a vector as its first \
         output"
    );
    let fault = Stack::<f32>::new(vec![vec![run(2)], vec![]]).err();
    assert_eq!(fault, Some(StackError::Empty { layer: 1 }));
}
