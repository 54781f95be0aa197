//! Sequences run in segments give what they give when they are run as a whole.

use std::num::NonZero;

use cellc_compiler::check::check;
use cellc_compiler::diagnostic::Source;
use cellc_compiler::freeze::freeze;
use cellc_compiler::ir::graph::Graph;
use cellc_compiler::syntax::parse;
use cellc_runtime::program::{Engine, Program};
use cellc_runtime::segmented::Segments;
use cellc_runtime::sequence::{Extent, RunError, Sequence};
use cellc_tests::compare::{difference, drawn_results, results};
use cellc_tests::random_graph::Genome;

fn graph(source: &str, dims: &[(&str, usize)]) -> Graph {
    let dims: Vec<_> = dims.iter().map(|(dim, size)| ((*dim).to_owned(), *size)).collect();
    let cell = parse(&Source::new("test.cell", source)).expect("the cell parses");
    check(&cell, &dims).expect("the cell checks").graph
}

fn catalogue(name: &str, dims: &[(&str, usize)]) -> Graph {
    graph(cellc_cells::find(name).expect("a cell of the catalogue").source, dims)
}

/// Inputs of each kind, states of each rank, a state that is another's past, and two outputs.
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
    output z = next h
}";

fn cells() -> Vec<Graph> {
    let dims = [("I", 3), ("H", 5)];
    let lstm = catalogue("lstm", &dims);
    vec![
        freeze(&lstm).expect("it can be frozen"),
        lstm,
        catalogue("gru", &dims),
        catalogue("gru_cho", &dims),
        graph(MIXED, &[("V", 6), ("E", 4), ("H", 3)]),
        // Without a state.
        catalogue("linear", &[("I", 3), ("O", 2)]),
        catalogue("embedding", &[("V", 7), ("E", 3)]),
        catalogue("cross_entropy", &[("C", 4)]),
    ]
}

/// Runs a graph in segments and as a whole. Only the gradients of params are sums over segments;
/// all else is the same bit for bit.
fn check_segments(graph: &Graph, engine: Engine, extent: Extent, steps: &[usize]) {
    let program = Program::<f64>::new(graph, engine).expect("the graph is valid");
    let (sums, exact): (Vec<_>, Vec<_>) = drawn_results(&mut *program.sequence(1), extent, 11)
        .into_iter()
        .partition(|(name, _)| name.starts_with("gradient of param"));
    for &steps in steps {
        let segments = Segments::Of(NonZero::new(steps).expect("not zero"));
        let mut sequence = program.segmented(2, segments);
        // The second run finds the memory of the first.
        for _ in 0..2 {
            let found = drawn_results(&mut sequence, extent, 11);
            let (our_sums, ours): (Vec<_>, Vec<_>) =
                found.into_iter().partition(|(name, _)| name.starts_with("gradient of param"));
            let what = format!("{} on {engine:?}, {extent:?} by {steps}", graph.name());
            assert_eq!(difference(&ours, &exact, 0.0), None, "{what}");
            assert_eq!(difference(&our_sums, &sums, 1e-12), None, "{what}");
        }
    }
}

#[test]
fn segments_change_nothing() {
    for graph in cells() {
        for engine in [Engine::Interpreter, Engine::Jit] {
            let lengths = [1, 2, 3, 5, 6, 10, 11, 12];
            check_segments(&graph, engine, Extent { steps: 11, batch: 3 }, &lengths);
            for steps in [0, 1, 2] {
                check_segments(&graph, engine, Extent { steps, batch: 2 }, &[1, 2, 3]);
            }
        }
    }
}

#[test]
fn random_cells_run_in_segments() {
    for seed in 0..60 {
        let graph = Genome::of_seed(seed, 20).build_cell();
        check_segments(&graph, Engine::Jit, Extent { steps: 7, batch: 2 }, &[1, 3, 4]);
    }
}

/// The least limit under which a run is accepted, found by trial.
fn least(program: &Program<f64>, extent: Extent) -> usize {
    let refused = |limit| program.sequence_within(1, Some(limit)).try_reshape(extent).is_err();
    let (mut low, mut high) = (0, program.sequence(1).bytes(extent));
    while low + 1 < high {
        let middle = usize::midpoint(low, high);
        if refused(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

#[test]
fn limits_are_kept_by_as_few_segments_as_can_be() {
    let graph = catalogue("lstm", &[("I", 3), ("H", 20)]);
    for engine in [Engine::Jit, Engine::Interpreter] {
        let program = Program::<f64>::new(&graph, engine).expect("the graph is valid");
        let extent = Extent { steps: 400, batch: 2 };
        let whole = program.sequence(1).bytes(extent);
        let least = least(&program, extent);
        assert!(least < whole / 2, "{engine:?}: {least} of {whole}");
        let mut last = 0;
        for limit in [least, least + (whole - least) / 10, whole - 1, whole] {
            let mut sequence = program.segmented(1, Segments::Within(limit));
            sequence.try_reshape(extent).expect("it fits");
            assert!(sequence.bytes(extent) <= limit);
            let steps = sequence.segment_steps();
            assert!(steps > last, "more memory, longer segments");
            assert_eq!(steps == extent.steps, limit == whole);
            last = steps;
        }
        let mut sequence = program.segmented(1, Segments::Within(least - 1));
        let fault = RunError::Memory { extent, needed: least, limit: least - 1 };
        assert_eq!(sequence.try_reshape(extent), Err(fault));
        assert_eq!(sequence.extent(), Extent::default(), "as it was");
    }
}

#[test]
fn what_is_refused_says_how_much_would_do() {
    let extent = Extent { steps: 1000, batch: 8 };
    let text = |needed, limit| RunError::Memory { extent, needed, limit }.to_string();
    assert_eq!(
        text(61_440_001, 20_000_000),
        "1000 steps of 8 examples need 61.5 MB of memory, and the limit is 20 MB"
    );
    assert_eq!(
        text(2_000_000_000, 999),
        "1000 steps of 8 examples need 2 GB of memory, and the limit is 999 B"
    );
}

/// A run that goes from one extent to another, whole and in segments, is as if it were the first.
#[test]
fn extents_follow_each_other() {
    let graph = graph(MIXED, &[("V", 6), ("E", 4), ("H", 9)]);
    let program = Program::<f64>::new(&graph, Engine::Jit).expect("the graph is valid");
    let longest = Extent { steps: 300, batch: 2 };
    let limit = program.sequence(1).bytes(longest) * 3 / 4;
    let mut sequence = program.segmented(1, Segments::Within(limit));
    let mut cut = 0;
    for (steps, batch) in
        [(300, 2), (40, 2), (3, 50), (300, 2), (75, 2), (150, 2), (0, 2), (299, 2)]
    {
        let extent = Extent { steps, batch };
        let expected = results(&mut *program.sequence(1), extent, 3);
        let found = results(&mut sequence, extent, 3);
        assert_eq!(difference(&found, &expected, 1e-12), None, "{extent:?}");
        sequence.reshape(Extent { steps: 1, batch: 1 });
        sequence.reshape(extent);
        assert!(sequence.initial_mut(0).iter().all(|x| *x == 0.0), "{extent:?}");
        cut += usize::from(sequence.segment_steps() < steps);
    }
    assert_eq!(cut, 3, "the longest");
    sequence.release();
    let extent = Extent { steps: 20, batch: 2 };
    let expected = results(&mut *program.sequence(1), extent, 3);
    assert_eq!(difference(&results(&mut sequence, extent, 3), &expected, 1e-12), None);
}
