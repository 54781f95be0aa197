//! File tests of the compiler's stages: each graph of `stages/` with what every stage makes of it.
//! `UPDATE_EXPECT=1` rewrites the expectations. What must not be lost is said in tests below.

use std::path::{Path, PathBuf};

use cellc_compiler::autodiff::differentiate;
use cellc_compiler::check::check;
use cellc_compiler::diagnostic::Source;
use cellc_compiler::fuse::{Kernel, Kernels, SumTerm, fuse};
use cellc_compiler::ir::graph::{Graph, OutputRole};
use cellc_compiler::ir::op::{Class, Op};
use cellc_compiler::ir::{text, verify::verify};
use cellc_compiler::opt::simplify;
use cellc_compiler::phases::{Phase, phases};
use cellc_compiler::pipeline::Graphs;
use cellc_compiler::plan::{Plan, Task, plan};
use cellc_compiler::syntax;
use expect_test::expect_file;

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
    let both = |of: fn(&Graph) -> String| {
        let parts = [("forward", &graphs.taped), ("backward", &graphs.backward)];
        parts.map(|(part, graph)| format!("// {part}\n{}", of(graph))).join("\n")
    };
    let gradient = format!("// forward\n{}\n// backward\n{}", gradient.forward, gradient.backward);
    let stages = [
        ("gradient", gradient),
        ("simplified", both(Graph::to_string)),
        ("loop", both(|graph| phases(graph).to_string())),
        ("kernels", both(|graph| fuse(&phases(graph)).to_string())),
        ("plan", both(|graph| plan(&fuse(&phases(graph))).to_string())),
    ];
    for (stage, found) in stages {
        expect_file![path(name, &format!("{stage}.txt"))].assert_eq(&found);
    }
}

#[test]
fn stages_give_what_their_files_say() {
    for name in ["rnn", "delay", "kinks", "ungated", "tables"] {
        check_stages(name);
    }
}

/// The kernels and the plans of a cell's text: of its forward graph without and with a tape, and
/// of its backward graph.
fn compile(source: &str, dims: &[(&str, usize)]) -> [(Kernels, Plan); 3] {
    let dims: Vec<_> = dims.iter().map(|(dim, size)| ((*dim).to_owned(), *size)).collect();
    let cell = syntax::parse(&Source::new("test.cell", source)).expect("the cell parses");
    let graph = check(&cell, &dims).expect("the cell checks").graph;
    let graphs = Graphs::new(&graph, |_| true).expect("a graph can be compiled");
    [graphs.forward, graphs.taped, graphs.backward].map(|graph| {
        let kernels = fuse(&phases(&graph));
        let plan = plan(&kernels);
        (kernels, plan)
    })
}

fn catalogue(name: &str) -> [(Kernels, Plan); 3] {
    let entry = cellc_cells::find(name).expect("a cell of the catalogue");
    compile(entry.source, &[("I", 5), ("H", 7)])
}

/// A phase's kernels by name, as they run.
fn names(kernels: &Kernels, phase: Phase) -> Vec<&'static str> {
    let name = |kernel: &Kernel| match kernel {
        Kernel::Map(_) => "map",
        Kernel::Single(id) => kernels.graph().op(*id).name(),
    };
    kernels.phase(phase).iter().map(name).collect()
}

fn copies(plan: &Plan) -> usize {
    let tasks = Phase::ALL.into_iter().flat_map(|phase| plan.tasks(phase));
    tasks.filter(|task| matches!(task, Task::Copy { .. })).count()
}

#[test]
fn an_lstm_has_one_elementwise_kernel() {
    let [(forward, plan), (taped, _), (backward, _)] = catalogue("lstm");
    for kernels in [&forward, &taped] {
        let products = ["concat", "matvec", "matvec", "matvec", "matvec", "map"];
        assert_eq!(names(kernels, Phase::Body), products, "{kernels}");
        assert_eq!(names(kernels, Phase::After), [""; 0], "{kernels}");
    }
    assert_eq!(copies(&plan), 0, "the state is computed where it is kept, and read there: {plan}");
    let maps = names(&backward, Phase::Body).iter().filter(|name| **name == "map").count();
    assert!(maps <= 2, "{backward}");
}

#[test]
fn gradients_of_params_are_sums() {
    for entry in cellc_cells::all() {
        let dims: &[_] = match entry.name {
            "embedding" => &[("V", 6), ("E", 3)],
            "linear" => &[("I", 5), ("O", 2)],
            "cross_entropy" => &[("C", 4)],
            "squared_error" => &[("N", 4)],
            _ => &[("I", 5), ("H", 7)],
        };
        let [_, _, (backward, plan)] = compile(entry.source, dims);
        let graph = backward.graph();
        for (output, terms) in graph.outputs_of(OutputRole::Sum).zip(backward.sums()) {
            let rank = graph.ty(output.value).rank();
            for term in terms {
                let small = matches!(term, SumTerm::Value(_)) == (rank < 2);
                assert!(small, "{}: the gradient of {} is built\n{plan}", entry.name, output.name);
            }
        }
        for phase in Phase::ALL {
            let names = names(&backward, phase);
            assert!(!names.contains(&"outer"), "{}: {backward}", entry.name);
            assert!(!names.contains(&"put") || entry.name == "cross_entropy", "{backward}");
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
    let [(forward, plan), _, (backward, _)] = compile(UNGATED, &[("I", 5), ("H", 7)]);
    assert_eq!(names(&forward, Phase::Before), ["matvec", "matvec"], "{forward}");
    assert_eq!(names(&forward, Phase::Body), ["map"], "{forward}");
    assert_eq!(copies(&plan), 0, "{plan}");
    // The gradient of the input is computed for all steps at once.
    assert_eq!(names(&backward, Phase::Body), ["map"], "{backward}");
    let after = names(&backward, Phase::After);
    assert_eq!(after.iter().filter(|name| **name == "matvec_t").count(), 2, "{backward}");
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
    let [(forward, plan), ..] = compile(source, &[("I", 5), ("H", 7)]);
    assert_eq!(names(&forward, Phase::Body), ["concat", "matvec", "map"], "{forward}");
    assert_eq!(names(&forward, Phase::After)[0], "matvec", "{forward}");
    assert_eq!(copies(&plan), 0, "{plan}");
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
    let [(_, plan), ..] = compile(source, &[("N", 3)]);
    // `x` and `a` to the states they become, `p` for each row; `c` and `y` are one.
    let body = plan.tasks(Phase::Body).iter().filter(|task| matches!(task, Task::Copy { .. }));
    assert_eq!((body.count(), copies(&plan)), (2, 3), "{plan}");
}

#[test]
fn a_pass_that_is_off_does_nothing() {
    let graph = graph("kinks");
    assert_eq!(simplify(&graph, |_| false).as_ref(), Ok(&graph));
    // And what is on gives nothing that it could simplify again.
    let once = simplify(&graph, |_| true).expect("it can be simplified");
    assert_eq!(simplify(&once, |_| true).as_ref(), Ok(&once));
}

#[test]
fn products_stay_products() {
    // No pass may turn a product with a matrix into elementwise work, or the reverse.
    for name in ["rnn", "ungated", "tables"] {
        let count = |graph: &Graph| {
            let product = |op: &Op| matches!(op.class(), Class::Product);
            graph.ids().filter(|&id| product(graph.op(id))).count()
        };
        let graph = graph(name);
        let simplified = simplify(&graph, |_| true).expect("it can be simplified");
        assert_eq!(count(&simplified), count(&graph), "{name}");
    }
}
