//! Random well-typed graphs: their text, their passes and their native code.

mod genomes;

use std::collections::BTreeMap;

use cellc_compiler::ir::graph::{Graph, ValueId};
use cellc_compiler::ir::op::{Op, Role};
use cellc_compiler::ir::text::parse;
use cellc_compiler::ir::verify::verify;
use cellc_runtime::kernels::{Wide, Width};
use cellc_runtime::program::{Engine, Settings};
use cellc_runtime::sequence::Extent;
use cellc_tests::compare::{difference, passes, run, run_as, widths};
use cellc_tests::ops::{form, forms};
use cellc_tests::random_cell::random_cell;
use cellc_tests::random_graph::Genome;
use genomes::genome;
use proptest::prelude::*;

/// The graphs are only worth something if every operation is on the way from something that has a
/// gradient to something that has a cotangent, in every form, and often.
#[test]
fn every_operation_occurs() {
    let mut occurs: BTreeMap<String, usize> = forms().into_iter().map(|form| (form, 0)).collect();
    occurs.insert("mask".into(), 0);
    for seed in 0..3000 {
        let graph = Genome::of_seed(seed, 24).build();
        let leaves = graph.arguments().filter(|(_, role, _)| role.is_differentiable());
        let leaves = leaves.map(|(id, ..)| id).filter(|&id| graph.ty(id).is_real());
        let ranges = graph.ids().filter(|&id| matches!(graph.op(id), Op::Range { .. }));
        let from = graph.descendants(leaves.chain(ranges));
        let to = graph.ancestors(graph.outputs().iter().map(|output| output.value));
        for id in graph.ids().filter(|id| from[id.index()] && to[id.index()]) {
            if graph.operands(id).iter().any(|&o| is_mask(&graph, o)) {
                *occurs.entry("mask".into()).or_default() += 1;
            }
            if !matches!(graph.op(id), Op::Argument { .. }) {
                let operands: Vec<_> = graph.operands(id).iter().map(|&o| graph.ty(o)).collect();
                *occurs.entry(form(graph.op(id), &operands)).or_default() += 1;
            }
        }
    }
    let rare: Vec<_> = occurs.iter().filter(|(_, count)| **count < 10).collect();
    assert!(rare.is_empty(), "too rare among random graphs: {rare:?} of {occurs:#?}");
}

fn is_mask(graph: &Graph, id: ValueId) -> bool {
    matches!(graph.op(id), Op::Argument { role: Role::Mask(_), .. })
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

/// Batches below, at and above the rows of tiles.
const BATCHES: [usize; 6] = [1, 2, 3, 5, 13, 33];

fn batch() -> impl Strategy<Value = usize> {
    prop::sample::select(&BATCHES[..])
}

/// Whether single precision is enough for a graph: some make much of a last bit.
fn is_tame(graph: &Graph, extent: Extent, seed: u64) -> bool {
    let double = run::<f64>(graph, Engine::Interpreter, |_| true, 1, extent, seed);
    let single = run::<f32>(graph, Engine::Interpreter, |_| true, 1, extent, seed);
    difference(&single, &double, 2e-5).is_none()
}

/// Holds native code of one precision, with and without the runtime's kernels, against the
/// interpreter.
fn agree<T: Wide>(
    graph: &Graph,
    extent: Extent,
    (threads, seed): (usize, u64),
    tolerance: f64,
) -> Result<(), TestCaseError> {
    let meaning = run::<T>(graph, Engine::Interpreter, |_| true, 1, extent, seed);
    for width in widths() {
        let settings = Settings { width, ..Settings::default() };
        let native = run_as::<T>(graph, Engine::Jit, &settings, threads, extent, seed);
        let difference = difference(&native, &meaning, tolerance);
        prop_assert_eq!(difference, None, "{:?} of {}", width, graph);
    }
    Ok(())
}

/// Holds native code without each of the passes against the interpreter.
fn agree_without(graph: &Graph, extent: Extent, seed: u64) -> Result<(), TestCaseError> {
    let meaning = run::<f64>(graph, Engine::Interpreter, |_| true, 1, extent, seed);
    let compare = |width, off: &str, enabled: &dyn Fn(&str) -> bool| {
        let settings = Settings { enabled, width };
        let native = run_as::<f64>(graph, Engine::Jit, &settings, 1, extent, seed);
        let difference = difference(&native, &meaning, 1e-11);
        prop_assert_eq!(difference, None, "{:?} without {} of {}", width, off, graph);
        Ok(())
    };
    for width in [None, Width::detect()] {
        for off in passes() {
            compare(width, off, &|pass: &str| pass != off)?;
        }
        compare(width, "all", &|_: &str| false)?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(config(80))]

    #[test]
    fn native_code_agrees_with_the_interpreter(
        genome in genome(24),
        steps in 1..5_usize,
        batch in batch(),
        threads in 1..3_usize,
        seed: u64,
    ) {
        agree::<f64>(&genome.build(), Extent { steps, batch }, (threads, seed), 1e-11)?;
    }

    #[test]
    fn native_code_agrees_in_single_precision(
        genome in genome(12),
        steps in 1..4_usize,
        batch in batch(),
        seed: u64,
    ) {
        let (graph, extent) = (genome.build(), Extent { steps, batch });
        prop_assume!(is_tame(&graph, extent, seed));
        agree::<f32>(&graph, extent, (1, seed), 2e-4)?;
    }

    #[test]
    fn native_code_of_cells_agrees(
        cell: u64,
        genes in 1..16_usize,
        steps in 1..4_usize,
        batch in batch(),
        threads in 1..3_usize,
        seed: u64,
    ) {
        let graph = random_cell(cell, genes);
        let extent = Extent { steps, batch };
        agree::<f64>(&graph, extent, (threads, seed), 1e-11)?;
        prop_assume!(is_tame(&graph, extent, seed));
        agree::<f32>(&graph, extent, (threads, seed), 2e-4)?;
    }
}

proptest! {
    #![proptest_config(config(12))]

    #[test]
    fn each_pass_can_be_switched_off(genome in genome(20), batch in batch(), seed: u64) {
        agree_without(&genome.build(), Extent { steps: 2, batch }, seed)?;
    }

    #[test]
    fn each_pass_can_be_switched_off_for_cells(
        cell: u64,
        genes in 1..16_usize,
        batch in batch(),
        seed: u64,
    ) {
        agree_without(&random_cell(cell, genes), Extent { steps: 2, batch }, seed)?;
    }
}
