//! File tests of the compiler's stages: each graph of `stages/` with what every stage makes of it.
//! `UPDATE_EXPECT=1` rewrites the expectations. What must not be lost is said in tests below.

use std::path::{Path, PathBuf};

use cellc_compiler::autodiff::differentiate;
use cellc_compiler::fuse::{Machine, Sum, fuse};
use cellc_compiler::ir::graph::{Graph, OutputRole};
use cellc_compiler::ir::op::Role;
use cellc_compiler::ir::{text, verify::verify};
use cellc_compiler::opt::{ready, simplify};
use cellc_compiler::phases::{Phase, phases};
use cellc_compiler::pipeline::{Graphs, Plans};
use cellc_compiler::plan::{Options, Task};
use cellc_tests::cells::{self, catalogue, dims_of};
use cellc_tests::inventory::{MACHINES, Part, compile};
use expect_test::expect_file;

const WIDE: Machine = Machine { wide: true };

fn path(name: &str, ending: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("stages").join(format!("{name}.{ending}"))
}

fn graph(name: &str) -> Graph {
    let file = std::fs::read_to_string(path(name, "graph")).expect("a file of a graph");
    let graph = text::parse(&file).expect("the file is well-formed");
    verify(&graph).expect("the graph is valid");
    graph
}

/// Holds what each stage makes of a graph against the files beside it.
fn check_stages(name: &str) {
    let input = graph(name);
    let gradient = differentiate(&input).expect("a graph has a gradient");
    let graphs = Graphs::new(&input, |_| true).expect("a graph can be compiled");
    let both = |of: &dyn Fn(&Graph) -> String| {
        let parts = [("forward", &graphs.taped), ("backward", &graphs.backward)];
        parts.map(|(part, graph)| format!("// {part}\n{}", of(graph))).join("\n")
    };
    let kernels = |machine| both(&|graph| fuse(&phases(graph), machine).to_string());
    let plan = |machine| {
        let Plans { taped, backward, .. } = Plans::new(&graphs, Options { machine, reuse: true });
        format!("// forward\n{taped}\n// backward\n{backward}")
    };
    let [wide, portable] = MACHINES;
    let gradient = format!("// forward\n{}\n// backward\n{}", gradient.forward, gradient.backward);
    let stages = [
        ("gradient", gradient),
        ("simplified", both(&Graph::to_string)),
        ("loop", both(&|graph| phases(graph).to_string())),
        ("kernels", kernels(wide)),
        ("plan", plan(wide)),
        ("portable.kernels", kernels(portable)),
        ("portable.plan", plan(portable)),
    ];
    for (stage, found) in stages {
        expect_file![path(name, &format!("{stage}.txt"))].assert_eq(&found);
    }
}

#[test]
fn stages_give_what_their_files_say() {
    for name in ["rnn", "delay", "kinks", "ungated", "tables", "gates"] {
        check_stages(name);
    }
}

fn compile_text(source: &str, dims: &[(&str, usize)], machine: Machine) -> [Part; 3] {
    compile(&cells::graph(source, dims), machine)
}

#[test]
fn an_lstm_has_one_elementwise_kernel() {
    // Where transcendental functions are kernels, it is cut at them: gates, then `tanh(next c)`.
    let bodies = [&["product", "wide", "map", "wide", "map"][..], &["product", "map"]];
    for (machine, body) in MACHINES.into_iter().zip(bodies) {
        let lstm = catalogue("lstm", &[("I", 5), ("H", 7)]);
        let [forward, taped, backward] = compile(&lstm, machine);
        for part in [&forward, &taped] {
            assert_eq!(part.names(Phase::Body), body, "{}", part.kernels);
            assert_eq!(part.names(Phase::After), [""; 0], "{}", part.kernels);
            // All that is elementwise runs tile by tile.
            assert_eq!(part.plan.groups(Phase::Body).len(), 2, "{}", part.plan);
        }
        assert_eq!(backward.names(Phase::Body), ["map", "product"], "{}", backward.kernels);
    }
}

#[test]
fn gradients_of_params_are_sums() {
    let entries = cellc_cells::all().iter();
    for (entry, machine) in entries.flat_map(|entry| MACHINES.map(|machine| (entry, machine))) {
        let [_, _, backward] = compile(&catalogue(entry.name, dims_of(entry.name)), machine);
        let graph = backward.kernels.graph();
        let outputs: Vec<_> = graph.outputs_of(OutputRole::Sum).collect();
        for sum in backward.kernels.sums() {
            if let Sum::Value { to, .. } = sum {
                let output = outputs[to.sum];
                let built = graph.ty(output.value).rank() == 2;
                let (name, plan) = (entry.name, &backward.plan);
                assert!(!built, "{name}: the gradient of {} is built\n{plan}", output.name);
            }
        }
        for phase in Phase::ALL {
            let names = backward.names(phase);
            // Of a state that is a matrix, the cotangent is one too.
            let has_matrix =
                graph.arguments_of(Role::State).any(|(id, _)| graph.ty(id).rank() == 2);
            let outer = names.contains(&"outer");
            assert!(!outer || has_matrix, "{}: {}", entry.name, backward.kernels);
            let put = names.contains(&"put");
            assert!(!put || entry.name.ends_with("cross_entropy"), "{}", backward.kernels);
        }
    }
}

/// Gates that do not look at the state, as in minGRU (Feng et al. 2024).
const UNGATED: &str = "
cell ungated(I, H) {
    input x: [I]
    state h: [H]
    param W_z, W_h: [H, I], b: [H]
    z = sigmoid(W_z @ x + b)
    next h = (1 - z) * h + z * (W_h @ x)
    output h
}";

#[test]
fn products_that_depend_on_no_state_leave_the_loop() {
    for (machine, body) in MACHINES.into_iter().zip([&["wide", "map"][..], &["map"]]) {
        let dims = [("I", 5), ("H", 7)];
        let [forward, _, backward] = compile_text(UNGATED, &dims, machine);
        assert_eq!(forward.names(Phase::Before), ["product"], "{}", forward.kernels);
        assert_eq!(forward.names(Phase::Body), body, "{}", forward.kernels);
        assert_eq!(forward.copies(), 0, "{}", forward.plan);
        // The gradient of the input is computed for all steps at once.
        assert_eq!(backward.names(Phase::Body), ["map"], "{}", backward.kernels);
        assert_eq!(backward.count(Phase::After, "product"), 1, "{}", backward.kernels);
    }
}

#[test]
fn what_no_next_state_needs_comes_after_the_loop() {
    let source = "
        cell head(I, H) {
            input x: [I]
            state h: [H]
            param W: [H, I + H], V: [I, H]
            next h = tanh(W @ concat(x, h))
            output y = softmax(V @ next h)
        }";
    let [forward, ..] = compile_text(source, &[("I", 5), ("H", 7)], WIDE);
    assert_eq!(forward.names(Phase::Before), ["product"], "{}", forward.kernels);
    assert_eq!(forward.names(Phase::Body), ["product", "wide"], "{}", forward.kernels);
    assert_eq!(forward.names(Phase::After)[0], "product", "{}", forward.kernels);
    assert_eq!(forward.copies(), 0, "{}", forward.plan);
}

#[test]
fn only_what_has_no_place_of_its_own_is_copied() {
    let source = "
        cell line(N) {
            input x: [N]
            state a: [N], b: [N], c: [N]
            param p: [N]
            next a = x
            next b = a
            next c = tanh(c)
            output y = c
            output z = p
        }";
    let [forward, ..] = compile_text(source, &[("N", 3)], WIDE);
    // `x` and `a` to the states they become, `p` for each row; `c` and `y` are one.
    let body = forward.tasks(Phase::Body).filter(|task| matches!(task, Task::Copy { .. }));
    assert_eq!((body.count(), forward.copies()), (2, 3), "{}", forward.plan);
}

#[test]
fn a_pass_that_is_off_does_nothing() {
    let graph = graph("kinks");
    assert_eq!(simplify(&graph, |_| false).as_ref(), Ok(&graph));
    // And what is on gives nothing that it could simplify again.
    let once = simplify(&graph, |_| true).expect("it can be simplified");
    assert_eq!(simplify(&once, |_| true).as_ref(), Ok(&once));
}

/// The operations of a graph with their types, in no order.
fn ops(graph: &Graph) -> Vec<String> {
    let op = |id| format!("{:?} {}", graph.op(id), graph.ty(id));
    let mut ops: Vec<String> = graph.ids().map(op).collect();
    ops.sort_unstable();
    ops
}

#[test]
fn readying_a_graph_twice_changes_nothing() {
    for name in ["kinks", "rnn", "ungated", "tables", "gates"] {
        let simple = simplify(&graph(name), |_| true).expect("it can be simplified");
        let once = ready(&simple, |_| true).expect("it can be made ready");
        let twice = ready(&once, |_| true).expect("it can be made ready");
        // Values are numbered anew each time.
        assert_eq!(ops(&twice), ops(&once), "{name}");
    }
}
