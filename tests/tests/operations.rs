//! Every operation by itself, in every form: its derivative, its native code, its text.

use cellc_compiler::codegen::Target;
use cellc_compiler::fuse::Machine;
use cellc_compiler::ir::eval::Precision;
use cellc_compiler::ir::op::{Binary, Op, Unary};
use cellc_compiler::ir::text::parse;
use cellc_compiler::jit::{Listing, list};
use cellc_compiler::pipeline::{Graphs, Plans};
use cellc_compiler::plan;
use cellc_runtime::gradcheck::{Options, check};
use cellc_runtime::program::{Engine, Program};
use cellc_runtime::sequence::Extent;
use cellc_tests::compare::{difference, results, run};
use cellc_tests::ops::{ROLES, cases, forms};

#[test]
fn every_form_has_a_case() {
    let forms = forms();
    let names: Vec<&str> = Unary::ALL.iter().map(|op| op.name()).collect();
    let names = names.into_iter().chain(Binary::ALL.iter().map(|op| op.name()));
    let others = [
        "select",
        "stop",
        "range",
        "matvec",
        "matvec_t",
        "outer",
        "matmul",
        "concat of 1 vectors, axis 0",
        "concat of 2 vectors, axis 0",
        "concat of 3 vectors, axis 0",
        "concat of 3 matrices, axis 0",
        "concat of 3 matrices, axis 1",
        "slice of rank 1, axis 0",
        "slice of rank 2, axis 0",
        "slice of rank 2, axis 1",
        "pad of rank 1, axis 0",
        "pad of rank 2, axis 0",
        "pad of rank 2, axis 1",
        "broadcast scalar to rank 1",
        "broadcast scalar to rank 2",
        "broadcast 1 to rank 1",
        "broadcast 1 to rank 2",
        "broadcast n to rank 2",
        "broadcast 1x1 to rank 2",
        "broadcast 1xn to rank 2",
        "broadcast nx1 to rank 2",
        "reshape",
        "transpose",
        "reduce_sum of rank 1",
        "reduce_sum of rank 2",
        "reduce_sum axis 0",
        "reduce_sum axis 1",
        "reduce_max of rank 1",
        "reduce_max of rank 2",
        "reduce_max axis 0",
        "reduce_max axis 1",
        "take of rank 1",
        "take of rank 2",
        "put of rank 0",
        "put of rank 1",
    ];
    for wanted in names.chain(others) {
        assert!(forms.iter().any(|form| form == wanted), "no case of `{wanted}`");
    }
}

#[test]
fn native_code_agrees_with_the_interpreter() {
    for (number, case) in cases().iter().enumerate() {
        // Five examples: a tile of three, and two that are left.
        let (extent, seed) = (Extent { steps: 2, batch: 5 }, number as u64);
        // Shapes come in runs of the same form, so each form meets each choice of roles.
        let graph = case.graph(ROLES[number % ROLES.len()]);
        let meaning = run::<f64>(&graph, Engine::Interpreter, |_| true, 1, extent, seed);
        let double = run::<f64>(&graph, Engine::Jit, |_| true, 1, extent, seed);
        assert_eq!(difference(&double, &meaning, 1e-13), None, "f64 of {graph}");
        let meaning = run::<f32>(&graph, Engine::Interpreter, |_| true, 1, extent, seed);
        let single = run::<f32>(&graph, Engine::Jit, |_| true, 1, extent, seed);
        assert_eq!(difference(&single, &meaning, 1e-5), None, "f32 of {graph}");
    }
}

#[test]
fn derivatives_agree_with_differences() {
    let options =
        Options { cases: 2, max_steps: 3, max_batch: 3, entries: 6, ..Options::default() };
    // What is stopped differs by purpose, and numbers have no derivative.
    let differs = |op: &Op| matches!(op, Op::Stop | Op::Range { .. });
    for (number, case) in cases().iter().enumerate().filter(|(_, case)| !differs(&case.op)) {
        let graph = case.graph(ROLES[number % ROLES.len()]);
        let options = Options { seed: number as u64, ..options };
        for engine in [Engine::Interpreter, Engine::Jit] {
            let program = Program::<f64>::new(&graph, engine).expect("the graph is valid");
            let report = check(&mut *program.sequence(1), &options).expect("the graph runs");
            assert!(report.passed(), "{engine:?}: {:#?}\n{graph}", report.rows);
            assert!(!report.rows.is_empty(), "{graph}");
        }
    }
}

/// Without a tape and with it, a value may find memory that held another.
#[test]
fn results_do_not_depend_on_what_memory_held() {
    let text = "graph dirty
        %0 = input x : [3]
        %1 = input i : index(2)
        %2 = tanh %0 : [3]
        %3 = mul %2, %0 : [3]
        %4 = outer %3, %3 : [3, 3]
        %5 = pad %3 before=3 after=3 : [9]
        %6 = outer %0, %3 : [3, 3]
        %7 = put %1, %3 : [2, 3]
        output a = %4
        output b = %5
        output c = %6
        output d = %7";
    let graph = parse(text).expect("the graph is well-formed");
    let program = Program::<f64>::new(&graph, Engine::Jit).expect("the graph is valid");
    let extent = Extent { steps: 2, batch: 3 };
    let mut sequence = program.sequence(1);
    let first = results(&mut *sequence, extent, 1);
    assert_eq!(difference(&results(&mut *sequence, extent, 1), &first, 0.0), None);
    let meaning = run::<f64>(&graph, Engine::Interpreter, |_| true, 1, extent, 1);
    assert_eq!(difference(&first, &meaning, 1e-13), None);
}

#[test]
fn texts_parse_back() {
    for case in cases() {
        let graph = case.graph(ROLES[0]);
        assert_eq!(parse(&graph.to_string()).as_ref(), Ok(&graph));
    }
}

/// Machines of which the code cannot be run here must at least have code. The baseline of x86-64
/// has neither fused multiply-add nor SSE4.1.
#[test]
fn every_target_has_code_for_every_operation() {
    let targets = ["aarch64-apple-darwin", "aarch64-unknown-linux-gnu", "x86_64-unknown-linux-gnu"];
    let mut seen = Vec::new();
    for (number, case) in cases().iter().enumerate() {
        // One scalar case and one with a remainder of each form are enough.
        let form = case.form();
        if seen.iter().filter(|other| **other == form).count() == 4 {
            continue;
        }
        seen.push(form);
        let graphs = Graphs::new(&case.graph(ROLES[number % ROLES.len()]), |_| true);
        let options = plan::Options { machine: Machine { wide: false }, reuse: true };
        let plans = Plans::new(&graphs.expect("the graph is valid"), options);
        for triple in targets {
            let target = Target::named(triple).expect("a machine of the list");
            for (plan, precision) in [
                (&plans.taped, Precision::F32),
                (&plans.taped, Precision::F64),
                (&plans.backward, Precision::F32),
                (&plans.backward, Precision::F64),
            ] {
                let text = list(plan, precision, &target, Listing::Assembly);
                let text = text.unwrap_or_else(|error| panic!("{triple}: {error}\n{plan}"));
                assert!(text.is_empty() || text.contains("ret"), "{triple}:\n{text}");
                // All functions are emitted; a library's would be slow, and not there to be called.
                let mut words = text.lines().filter_map(|line| line.split_whitespace().next());
                let calls =
                    words.any(|word| word.starts_with("call") || ["bl", "blr"].contains(&word));
                assert!(!calls, "{triple}:\n{text}");
            }
        }
    }
}

#[test]
fn machines_without_a_code_generator_are_refused() {
    for triple in ["wasm32-unknown-unknown", "no machine", ""] {
        let Err(error) = Target::named(triple) else { panic!("there is code for `{triple}`") };
        assert!(error.to_string().contains(&format!("`{triple}`")), "{error}");
    }
}
