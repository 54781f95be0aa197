//! Runs large enough for threads and for sums in parts.
//!
//! Results do not depend on the number of threads, nor on the run: they are the same bit for bit.

use cellc_compiler::ir::graph::Graph;
use cellc_compiler::ir::op::Role;
use cellc_runtime::kernels::{Wide, Width};
use cellc_runtime::native::WORTH_A_THREAD;
use cellc_runtime::program::{Engine, Program, Settings};
use cellc_runtime::sequence::Extent;
use cellc_tests::cells::{ARCHITECTURES, architecture, catalogue, graph};
use cellc_tests::compare::{difference, results, run, run_as, widths};

/// A matrix for a state, a table, sums of each kind, and a value before, in and after the loop.
const MIXED: &str = "
cell mixed(V, E, H) {
    input token: index(V)
    input x: [E]
    state S: [H, E], h: [H]
    param table: [V, E], W: [H, E], U: [H, H], b: [H]
    k = table[token] + x
    r = sigmoid(W @ k + U @ h)
    next S = 0.9 * S + outer(r, k)
    next h = tanh(S @ k + b)
    output y = sum(U @ h * r) + max(x)
}";

/// Holds the bits of runs on some numbers of threads against each other, the work of each being
/// worth five threads.
fn check_threads<T: Wide>(graph: &Graph, extent: Extent, width: Option<Width>) {
    let settings = Settings { width, ..Settings::default() };
    let program = Program::<T>::with_settings(graph, Engine::Jit, &settings);
    let program = program.expect("the graph is valid");
    let elements: usize = program.interface().params.iter().map(|port| port.ty.size()).sum();
    let work = elements * extent.steps * extent.batch;
    assert!(work / WORTH_A_THREAD >= 4, "{}: too little work", graph.name());
    let once = results(&mut *program.sequence(1), extent, 7);
    assert!(once.iter().flat_map(|(_, data)| data).all(|x| x.to_f64().is_finite()));
    for threads in [1, 2, 3, 5] {
        let mut sequence = program.sequence(threads);
        // The second run finds the memory of the first.
        for run in ["first", "second"] {
            for (ours, expected) in results(&mut *sequence, extent, 7).iter().zip(&once) {
                let bits =
                    |data: &[T]| data.iter().map(|x| x.to_f64().to_bits()).collect::<Vec<_>>();
                let (name, data) = ours;
                let same = bits(data) == bits(&expected.1);
                let graph = graph.name();
                assert!(same, "{graph}, {width:?}: {name}, {threads} threads, {run} run");
            }
        }
    }
}

fn check_threads_of_all<T: Wide>(graph: &Graph, batches: &[usize]) {
    let params = graph.arguments_of(Role::Param).map(|(id, _)| graph.ty(id).size());
    let elements: usize = params.sum();
    for &batch in batches {
        // Enough work for five threads.
        let steps = (4 * WORTH_A_THREAD).div_ceil(elements * batch);
        for width in widths() {
            check_threads::<T>(graph, Extent { steps, batch }, width);
        }
    }
}

#[test]
fn threads_change_no_bit() {
    let lstm = catalogue("lstm", &[("I", 19), ("H", 61)]);
    let gru = catalogue("gru", &[("I", 5), ("H", 67)]);
    let mixed = graph(MIXED, &[("V", 31), ("E", 13), ("H", 29)]);
    check_threads_of_all::<f32>(&lstm, &[1, 2, 7, 33]);
    check_threads_of_all::<f64>(&lstm, &[33]);
    check_threads_of_all::<f32>(&gru, &[7]);
    check_threads_of_all::<f64>(&gru, &[1]);
    check_threads_of_all::<f32>(&mixed, &[7]);
    check_threads_of_all::<f64>(&mixed, &[2]);
}

#[test]
fn threads_change_no_bit_of_other_cells() {
    for (name, dims) in ARCHITECTURES {
        let large: &[(&str, usize)] = match name {
            "two_input_lstm" => &[("I", 19), ("E", 9), ("H", 45)],
            _ => &[("I", 19), ("H", 45)],
        };
        assert_eq!(large.len(), dims.len(), "{name}");
        let graph = architecture(name, large);
        check_threads_of_all::<f32>(&graph, &[7]);
    }
}

/// Several sums add to one gradient: no two threads may do so at once.
#[test]
fn gradients_of_params_that_are_used_again() {
    let tied = architecture("tied", &[("I", 61), ("H", 53)]);
    check_threads_of_all::<f32>(&tied, &[1, 7]);
    check_threads_of_all::<f64>(&tied, &[33]);
}

/// What is added to one gradient several times is all there.
#[test]
fn params_that_are_used_again_agree_with_the_interpreter() {
    for dims in [[("I", 3), ("H", 4)], [("I", 40), ("H", 33)]] {
        let tied = architecture("tied", &dims);
        let extent = Extent { steps: 3, batch: 5 };
        let meaning = run::<f64>(&tied, Engine::Interpreter, |_| true, 1, extent, 3);
        for width in widths() {
            let settings = Settings { width, ..Settings::default() };
            let native = run_as::<f64>(&tied, Engine::Jit, &settings, 1, extent, 3);
            assert_eq!(difference(&native, &meaning, 1e-12), None, "{width:?}");
        }
    }
}

/// Sums go through many rows in panels, whose results must add up.
#[test]
fn many_rows_agree_with_the_interpreter() {
    let mixed = graph(MIXED, &[("V", 6), ("E", 5), ("H", 7)]);
    for (steps, batch) in [(23, 25), (1, 257), (600, 1)] {
        let extent = Extent { steps, batch };
        let meaning = run::<f64>(&mixed, Engine::Interpreter, |_| true, 1, extent, 3);
        for (width, threads) in widths().flat_map(|width| [(width, 1), (width, 2)]) {
            let settings = Settings { width, ..Settings::default() };
            let native = run_as::<f64>(&mixed, Engine::Jit, &settings, threads, extent, 3);
            assert_eq!(difference(&native, &meaning, 1e-11), None);
        }
    }
}
