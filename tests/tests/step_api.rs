//! Cells one step at a time: the same numbers as over a sequence, and nothing taken of the
//! allocator. A test binary of its own, since it has an allocator of its own, which counts.

#![allow(unsafe_code, reason = "an allocator is unsafe to implement")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use cellc_compiler::ir::graph::Graph;
use cellc_compiler::ir::op::Element;
use cellc_runtime::kernels::Wide;
use cellc_runtime::program::{Engine, Program, Settings};
use cellc_runtime::sequence::{Extent, InputArray, InputMut, RunError};
use cellc_runtime::step::Step;
use cellc_tests::cells::{architecture, catalogue, graph};
use cellc_tests::compare::{Numbers, widths};

thread_local! {
    /// How often this thread has asked for memory, or given it back.
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

fn count() {
    CALLS.with(|calls| calls.set(calls.get() + 1));
}

// SAFETY: all is done by the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: handed on to the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, data: *mut u8, layout: Layout) {
        count();
        // SAFETY: handed on to the caller.
        unsafe { System.dealloc(data, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What is called of the allocator meanwhile.
fn calls(what: impl FnOnce()) -> usize {
    let before = CALLS.with(Cell::get);
    what();
    CALLS.with(Cell::get) - before
}

/// An index, inputs before and after the loop, a matrix for a state, a state that is shown as it
/// was, one that is another's past, a copied param, and reductions.
const MIXED: &str = "
cell mixed(V, E, H) {
    input token: index(V), x: [E]
    state S: [H, E], h: [H], past: [H]
    param table: [V, E], W: [H, E], U: [H, H], b: [H]
    k = table[token] + x
    r = sigmoid(W @ k + U @ h)
    next S = 0.9 * S + outer(r, k)
    next h = tanh(S @ k + b)
    next past = h
    output y = sum(U @ past * r) + max(x)
    output old = h
    output z = next h
    output bias = b
    output heard = x
}";

fn cells() -> Vec<Graph> {
    let dims = [("I", 5), ("H", 19)];
    vec![
        catalogue("lstm", &dims),
        catalogue("gru", &dims),
        catalogue("gru_cho", &dims),
        architecture("layernorm_lstm", &dims),
        catalogue("sru", &dims),
        catalogue("deltanet", &dims),
        graph(MIXED, &[("V", 6), ("E", 5), ("H", 7)]),
    ]
}

fn draw<T: Wide>(numbers: &mut Numbers, len: usize) -> Vec<T> {
    (0..len).map(|_| T::from_f64(numbers.next_real())).collect()
}

/// Random params and, for each step, inputs.
fn material<T: Wide>(program: &Program<T>, extent: Extent) -> (Vec<Vec<T>>, Vec<InputArray<T>>) {
    let mut numbers = Numbers(5);
    let interface = program.interface();
    let params = interface.params.iter().map(|port| draw(&mut numbers, port.ty.size())).collect();
    let rows = extent.steps * extent.batch;
    let inputs = interface.inputs.iter().map(|port| match port.ty.element {
        Element::Real => InputArray::Real(draw(&mut numbers, rows * port.ty.size())),
        Element::Index { bound } => {
            let index = |_| (numbers.next_bits() % bound as u64) as u32;
            InputArray::Index((0..rows).map(index).collect())
        }
    });
    (params, inputs.collect())
}

/// Fills the inputs of a step with those of step `t` of a sequence.
fn hear<T: Wide>(step: &mut dyn Step<T>, inputs: &[InputArray<T>], t: usize) {
    for (i, all) in inputs.iter().enumerate() {
        match (step.input_mut(i), all) {
            (InputMut::Real(to), InputArray::Real(all)) => {
                to.copy_from_slice(&all[t * to.len()..][..to.len()]);
            }
            (InputMut::Index(to), InputArray::Index(all)) => {
                to.copy_from_slice(&all[t * to.len()..][..to.len()]);
            }
            _ => panic!("an input has one type"),
        }
    }
}

fn check_steps<T: Wide + Send + 'static>(graph: &Graph, engine: Engine, batch: usize) {
    for width in widths() {
        let settings = Settings { width, ..Settings::default() };
        let program = Program::<T>::with_settings(graph, engine, &settings).expect("it is valid");
        let extent = Extent { steps: 7, batch };
        let (params, inputs) = material(&program, extent);
        let mut numbers = Numbers(6);
        let states = &program.interface().states;
        let initial: Vec<Vec<T>> =
            states.iter().map(|port| draw(&mut numbers, batch * port.ty.size())).collect();

        let mut sequence = program.sequence(1);
        sequence.reshape(extent);
        for (i, all) in inputs.iter().enumerate() {
            match (sequence.input_mut(i), all) {
                (InputMut::Real(to), InputArray::Real(all)) => to.copy_from_slice(all),
                (InputMut::Index(to), InputArray::Index(all)) => to.copy_from_slice(all),
                _ => panic!("an input has one type"),
            }
        }
        for (i, state) in initial.iter().enumerate() {
            sequence.initial_mut(i).copy_from_slice(state);
        }
        sequence.forward(&params).expect("it runs");

        let mut step = program.step(&params, batch).expect("the params fit");
        for (i, state) in initial.iter().enumerate() {
            assert!(step.state_mut(i).iter().all(|x| *x == T::default()), "zero at first");
            step.state_mut(i).copy_from_slice(state);
        }
        let what = format!("{} on {engine:?}, {width:?}, batch {batch}", graph.name());
        for t in 0..extent.steps {
            let called = calls(|| {
                hear(&mut *step, &inputs, t);
                step.step().expect("it runs");
            });
            assert!(called == 0 || engine == Engine::Interpreter, "{what}: {called} calls");
            for i in 0..step.interface().outputs.len() {
                let found = step.output(i);
                let expected = &sequence.output(i)[t * found.len()..][..found.len()];
                assert_eq!(found, expected, "{what}: output {i} of step {t}");
            }
        }
        for i in 0..initial.len() {
            let found = step.state_mut(i);
            assert_eq!(found, sequence.final_state(i), "{what}: state {i}");
        }
        // A copy of nothing: on another thread it goes on as it would have here.
        let last: Vec<Vec<T>> = (0..initial.len()).map(|i| step.state_mut(i).to_vec()).collect();
        step.step().expect("it runs");
        let here: Vec<Vec<T>> = (0..initial.len()).map(|i| step.state_mut(i).to_vec()).collect();
        for (i, state) in last.iter().enumerate() {
            step.state_mut(i).copy_from_slice(state);
        }
        let there = std::thread::spawn(move || {
            step.step().expect("it runs");
            (0..last.len()).map(|i| step.state_mut(i).to_vec()).collect::<Vec<_>>()
        });
        assert_eq!(there.join().expect("it does not panic"), here, "{what}");
    }
}

#[test]
fn steps_are_those_of_a_sequence_and_allocate_nothing() {
    for graph in cells() {
        for batch in [1, 3] {
            check_steps::<f32>(&graph, Engine::Jit, batch);
            check_steps::<f64>(&graph, Engine::Jit, batch);
        }
    }
}

#[test]
fn the_interpreter_steps_too() {
    for graph in cells() {
        check_steps::<f64>(&graph, Engine::Interpreter, 2);
    }
}

#[test]
fn a_state_before_the_step_can_be_shown() {
    let source = "cell delay(N) {
        input x: [N]
        state h: [N]
        next h = x
        output old = h
        output new = next h
        output sum = h + next h
    }";
    for engine in [Engine::Jit, Engine::Interpreter] {
        let program = Program::<f64>::new(&graph(source, &[("N", 2)]), engine).expect("valid");
        let mut step = program.step(&[], 1).expect("there are no params");
        step.state_mut(0).copy_from_slice(&[7.0, 8.0]);
        for (heard, expected) in [([1.0, 2.0], [7.0, 8.0]), ([3.0, 4.0], [1.0, 2.0])] {
            let InputMut::Real(x) = step.input_mut(0) else { panic!("x is real") };
            x.copy_from_slice(&heard);
            step.step().expect("it runs");
            assert_eq!(step.output(0), expected, "{engine:?}");
            assert_eq!(step.output(1), heard, "{engine:?}");
            assert_eq!(step.output(2), [heard[0] + expected[0], heard[1] + expected[1]]);
            assert_eq!(step.state_mut(0), heard, "{engine:?}");
        }
    }
}

#[test]
fn an_index_out_of_bound_changes_nothing() {
    let mixed = graph(MIXED, &[("V", 6), ("E", 5), ("H", 7)]);
    for engine in [Engine::Jit, Engine::Interpreter] {
        let program = Program::<f32>::new(&mixed, engine).expect("the graph is valid");
        let (params, inputs) = material(&program, Extent { steps: 2, batch: 3 });
        let mut step = program.step(&params, 3).expect("the params fit");
        hear(&mut *step, &inputs, 0);
        step.step().expect("it runs");
        let show = |step: &mut dyn Step<f32>| {
            let states: Vec<Vec<f32>> = (0..3).map(|i| step.state_mut(i).to_vec()).collect();
            let outputs: Vec<Vec<f32>> = (0..5).map(|i| step.output(i).to_vec()).collect();
            (states, outputs)
        };
        let before = show(&mut *step);
        let InputMut::Index(tokens) = step.input_mut(0) else { panic!("tokens are indices") };
        let right = tokens[1];
        tokens[1] = 6;
        let error = step.step().expect_err("there are 6 tokens");
        let expected = RunError::Index { input: "token".into(), position: 1, index: 6, bound: 6 };
        assert_eq!(error, expected, "{engine:?}");
        assert_eq!(show(&mut *step), before, "{engine:?}");
        // And it can go on.
        let InputMut::Index(tokens) = step.input_mut(0) else { panic!("tokens are indices") };
        tokens[1] = right;
        step.step().expect("it runs");
        assert_ne!(show(&mut *step).0, before.0, "{engine:?}");
    }
}

#[test]
fn params_that_do_not_fit_are_refused() {
    let lstm = catalogue("lstm", &[("I", 2), ("H", 3)]);
    let program = Program::<f32>::new(&lstm, Engine::Jit).expect("the graph is valid");
    let (mut params, _) = material(&program, Extent { steps: 1, batch: 1 });
    params[2].pop();
    let error = program.step(&params, 1).err().expect("one is too short");
    assert!(matches!(&error, RunError::Param { expected: 15, found: 14, .. }), "{error}");
    params.pop();
    let error = program.step(&params, 1).err().expect("one is missing");
    assert_eq!(error, RunError::Params { expected: 8, found: 7 });
}

/// A batch of no rows does nothing.
#[test]
fn there_may_be_no_streams() {
    let lstm = catalogue("lstm", &[("I", 2), ("H", 3)]);
    let program = Program::<f32>::new(&lstm, Engine::Jit).expect("the graph is valid");
    let (params, _) = material(&program, Extent { steps: 1, batch: 1 });
    let mut step = program.step(&params, 0).expect("the params fit");
    step.step().expect("it runs");
    assert!(step.output(0).is_empty() && step.state_mut(0).is_empty());
}
