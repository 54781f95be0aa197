//! Runs large enough for threads and for sums in parts.
//!
//! Results do not depend on the number of threads, nor on the run: they are the same bit for bit.

use cellc_compiler::check::check;
use cellc_compiler::diagnostic::Source;
use cellc_compiler::ir::graph::Graph;
use cellc_compiler::syntax::parse;
use cellc_runtime::kernels::Wide;
use cellc_runtime::native::WORTH_A_THREAD;
use cellc_runtime::program::{Engine, Program};
use cellc_runtime::sequence::Extent;
use cellc_tests::compare::{difference, results, run};

fn graph(source: &str, dims: &[(&str, usize)]) -> Graph {
    let dims: Vec<_> = dims.iter().map(|(dim, size)| ((*dim).to_owned(), *size)).collect();
    let cell = parse(&Source::new("test.cell", source)).expect("the cell parses");
    check(&cell, &dims).expect("the cell checks").graph
}

fn catalogue(name: &str, dims: &[(&str, usize)]) -> Graph {
    graph(cellc_cells::find(name).expect("a cell of the catalogue").source, dims)
}

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

fn check_threads<T: Wide>(graph: &Graph, extent: Extent) {
    let program = Program::<T>::new(graph, Engine::Jit).expect("the graph is valid");
    let elements: usize = program.interface().params.iter().map(|port| port.ty.size()).sum();
    let work = elements * extent.steps * extent.batch;
    assert!(work / WORTH_A_THREAD >= 2, "{}: too little work", graph.name());
    let once = results(&mut *program.sequence(1), extent, 7);
    assert!(once.iter().flat_map(|(_, data)| data).all(|x| x.to_f64().is_finite()));
    for threads in [1, 2, 3] {
        let mut sequence = program.sequence(threads);
        // The second run finds the memory of the first.
        for run in ["first", "second"] {
            for (ours, expected) in results(&mut *sequence, extent, 7).iter().zip(&once) {
                let bits =
                    |data: &[T]| data.iter().map(|x| x.to_f64().to_bits()).collect::<Vec<_>>();
                let (name, data) = ours;
                let same = bits(data) == bits(&expected.1);
                assert!(same, "{}: {name}, {threads} threads, {run} run", graph.name());
            }
        }
    }
}

#[test]
fn threads_change_no_bit() {
    let lstm = catalogue("lstm", &[("I", 19), ("H", 37)]);
    let gru = catalogue("gru", &[("I", 5), ("H", 41)]);
    let mixed = graph(MIXED, &[("V", 31), ("E", 13), ("H", 29)]);
    for (graph, steps, batch) in
        [(&lstm, 7, 13), (&lstm, 80, 1), (&lstm, 1, 67), (&gru, 29, 5), (&mixed, 60, 7)]
    {
        check_threads::<f32>(graph, Extent { steps, batch });
        check_threads::<f64>(graph, Extent { steps, batch });
    }
}

/// Sums go through many rows in panels, whose results must add up.
#[test]
fn many_rows_agree_with_the_interpreter() {
    let mixed = graph(MIXED, &[("V", 6), ("E", 5), ("H", 7)]);
    for (steps, batch) in [(23, 25), (1, 257), (600, 1)] {
        let extent = Extent { steps, batch };
        let meaning = run::<f64>(&mixed, Engine::Interpreter, |_| true, 1, extent, 3);
        for threads in [1, 2] {
            let native = run::<f64>(&mixed, Engine::Jit, |_| true, threads, extent, 3);
            assert_eq!(difference(&native, &meaning, 1e-11), None);
        }
    }
}
