//! Random well-typed graphs: their text, their passes and their native code.

mod genomes;

use std::collections::BTreeMap;

use cellc_compiler::ir::op::Op;
use cellc_compiler::ir::text::parse;
use cellc_compiler::ir::verify::verify;
use cellc_compiler::opt::PASSES;
use cellc_runtime::program::Engine;
use cellc_runtime::sequence::Extent;
use cellc_tests::compare::{difference, run};
use cellc_tests::ops::{form, forms};
use cellc_tests::random_graph::Genome;
use genomes::genome;
use proptest::prelude::*;

/// The graphs are only worth something if every operation is on the way from something that has a
/// gradient to something that has a cotangent, in every form, and often.
#[test]
fn every_operation_occurs() {
    let mut occurs: BTreeMap<String, usize> = forms().into_iter().map(|form| (form, 0)).collect();
    for seed in 0..3000 {
        let graph = Genome::of_seed(seed, 24).build();
        let leaves = graph.arguments().map(|(id, ..)| id).filter(|&id| graph.ty(id).is_real());
        let from = graph.descendants(leaves);
        let to = graph.ancestors(graph.outputs().iter().map(|output| output.value));
        for id in graph.ids().filter(|id| from[id.index()] && to[id.index()]) {
            if !matches!(graph.op(id), Op::Argument { .. }) {
                let operands: Vec<_> = graph.operands(id).iter().map(|&o| graph.ty(o)).collect();
                *occurs.entry(form(graph.op(id), &operands)).or_default() += 1;
            }
        }
    }
    let rare: Vec<_> = occurs.iter().filter(|(_, count)| **count < 10).collect();
    assert!(rare.is_empty(), "too rare among random graphs: {rare:?} of {occurs:#?}");
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, max_shrink_iters: 4000, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn text_parses_back(genome in genome(40)) {
        let graph = genome.build();
        verify(&graph).unwrap();
        prop_assert_eq!(parse(&graph.to_string()).unwrap(), graph);
    }
}

proptest! {
    #![proptest_config(config(120))]

    #[test]
    fn native_code_agrees_with_the_interpreter(
        genome in genome(24),
        steps in 1..5_usize,
        batch in 1..6_usize,
        threads in 1..3_usize,
        seed: u64,
    ) {
        let graph = genome.build();
        let extent = Extent { steps, batch };
        let meaning = run::<f64>(&graph, Engine::Interpreter, |_| true, 1, extent, seed);
        let double = run::<f64>(&graph, Engine::Jit, |_| true, threads, extent, seed);
        prop_assert_eq!(difference(&double, &meaning, 1e-11), None, "f64 of {}", graph);
    }

    #[test]
    fn native_code_agrees_in_single_precision(
        genome in genome(12),
        steps in 1..4_usize,
        batch in 1..6_usize,
        seed: u64,
    ) {
        let graph = genome.build();
        let extent = Extent { steps, batch };
        let meaning = run::<f32>(&graph, Engine::Interpreter, |_| true, 1, extent, seed);
        let single = run::<f32>(&graph, Engine::Jit, |_| true, 1, extent, seed);
        prop_assert_eq!(difference(&single, &meaning, 2e-4), None, "f32 of {}", graph);
    }

    #[test]
    fn each_pass_can_be_switched_off(genome in genome(20), off in 0..PASSES.len(), seed: u64) {
        let graph = genome.build();
        let extent = Extent { steps: 2, batch: 3 };
        let meaning = run::<f64>(&graph, Engine::Interpreter, |_| true, 1, extent, seed);
        let enabled = |pass: &str| pass != PASSES[off].name;
        let without = run::<f64>(&graph, Engine::Jit, enabled, 1, extent, seed);
        prop_assert_eq!(difference(&without, &meaning, 1e-11), None, "{}", graph);
    }
}
