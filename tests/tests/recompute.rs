//! What the tape keeps: which residuals there are, and that gradients do not depend on it.

mod genomes;

use cellc_compiler::autodiff::differentiate;
use cellc_compiler::ir::graph::{Graph, OutputRole};
use cellc_compiler::ir::op::Op;
use cellc_compiler::ir::text;
use cellc_compiler::ir::verify::verify;
use cellc_compiler::pipeline::{GRADIENT_PASSES, Graphs};
use cellc_compiler::recompute::{drop_unread, recompute};
use cellc_runtime::program::Engine;
use cellc_runtime::sequence::Extent;
use cellc_tests::cells;
use cellc_tests::compare::{difference, run};
use expect_test::{Expect, expect};
use genomes::genome;
use proptest::prelude::*;

fn parse(text: &str) -> Graph {
    let graph = text::parse(text).expect("the graph is well-formed");
    verify(&graph).expect("the graph is valid");
    graph
}

/// Holds the residuals and the backward graph of a graph against what is expected.
fn check_recompute(graph: &str, expected: &Expect) {
    let gradient = differentiate(&parse(graph)).expect("a graph has a gradient");
    let again = recompute(&gradient).expect("it can be computed again");
    again.check_residuals().expect("residuals match");
    for graph in [&again.forward, &again.backward] {
        verify(graph).expect("it is valid");
    }
    let forward = again.forward.to_string();
    let residuals: String = forward
        .lines()
        .filter(|line| line.starts_with("residual"))
        .fold(String::new(), |all, line| all + line + "\n");
    expected.assert_eq(&format!("{residuals}\n{}", again.backward));
}

#[test]
fn cheap_values_are_computed_from_what_stays() {
    // `1 - z` from `z`, which the derivative of the sigmoid keeps.
    check_recompute(
        "graph gate
        %0 = input x : [3]
        %1 = sigmoid %0 : [3]
        %2 = constant 1.0 : []
        %3 = broadcast %2 : [3]
        %4 = sub %3, %1 : [3]
        %5 = tanh %0 : [3]
        %6 = mul %4, %5 : [3]
        output y = %6",
        &expect![[r#"
            residual v5 = %5
            residual v1 = %1

            graph gate.backward
            %0 = input y : [3]
            %1 = residual v5 : [3]
            %2 = mul %0, %1 : [3]
            %3 = constant 1.0 : []
            %4 = broadcast %3 : [3]
            %5 = residual v1 : [3]
            %6 = sub %4, %5 : [3]
            %7 = mul %0, %6 : [3]
            %8 = mul %1, %1 : [3]
            %9 = constant 1.0 : []
            %10 = broadcast %9 : [3]
            %11 = sub %10, %8 : [3]
            %12 = mul %7, %11 : [3]
            %13 = neg %2 : [3]
            %14 = reduce_sum %2 : []
            %15 = mul %13, %5 : [3]
            %16 = constant 1.0 : []
            %17 = broadcast %16 : [3]
            %18 = sub %17, %5 : [3]
            %19 = mul %15, %18 : [3]
            %20 = add %12, %19 : [3]
            output x = %20
        "#]],
    );
}

#[test]
fn inputs_states_and_results_cost_no_memory() {
    // `x + h` is read by the derivative of `log`; neither `x` nor `h` was a residual.
    check_recompute(
        "graph sums
        %0 = input x : [3]
        %1 = state h : [3]
        %2 = add %0, %1 : [3]
        %3 = log %2 : [3]
        next h = %3
        output y = %3",
        &expect![[r#"
            residual v0 = %0
            residual v1 = %1

            graph sums.backward
            %0 = input y : [3]
            %1 = state h : [3]
            %2 = add %0, %1 : [3]
            %3 = residual v0 : [3]
            %4 = residual v1 : [3]
            %5 = add %3, %4 : [3]
            %6 = div %2, %5 : [3]
            output x = %6
            next h = %6
        "#]],
    );
}

#[test]
fn what_costs_more_than_memory_is_kept() {
    // Two new loads and two operations; three would be too many loads.
    let three = "graph three
        %0 = input x : [3]
        %1 = input y : [3]
        %2 = input z : [3]
        %3 = add %0, %1 : [3]
        %4 = add %3, %2 : [3]
        %5 = log %4 : [3]
        output y = %5";
    check_recompute(
        three,
        &expect![[r#"
        residual v4 = %4

        graph three.backward
        %0 = input y : [3]
        %1 = residual v4 : [3]
        %2 = div %0, %1 : [3]
        output x = %2
        output y = %2
        output z = %2
    "#]],
    );
    // A product reads it: computed again, it would be stored again.
    let product = "graph product
        %0 = input x : [3]
        %1 = param W : [3, 3]
        %2 = neg %0 : [3]
        %3 = matvec %1, %2 : [3]
        output y = %3";
    check_recompute(
        product,
        &expect![[r#"
        residual v2 = %2

        graph product.backward
        %0 = param W : [3, 3]
        %1 = input y : [3]
        %2 = residual v2 : [3]
        %3 = outer %1, %2 : [3, 3]
        %4 = matvec_t %0, %1 : [3]
        %5 = neg %4 : [3]
        output x = %5
        sum W = %3
    "#]],
    );
    // A division takes longer than memory.
    let division = "graph division
        %0 = input x : [3]
        %1 = input y : [3]
        %2 = div %0, %1 : [3]
        %3 = log %2 : [3]
        output y = %3";
    check_recompute(
        division,
        &expect![[r#"
            residual v2 = %2
            residual v1 = %1

            graph division.backward
            %0 = input y : [3]
            %1 = residual v2 : [3]
            %2 = div %0, %1 : [3]
            %3 = residual v1 : [3]
            %4 = div %2, %3 : [3]
            %5 = mul %4, %1 : [3]
            %6 = neg %5 : [3]
            output x = %4
            output y = %6
        "#]],
    );
}

#[test]
fn what_is_repeated_in_place_is_no_reason_to_keep_a_value() {
    // The body repeats `s` too, for the cotangent of `h`, and keeps nothing of it: `h * s` can be
    // computed again after the loop, for the gradient of `g`.
    let scaled = "graph scaled
        %0 = param g : [3]
        %1 = state h : [3]
        %2 = input s : []
        %3 = broadcast %2 : [3]
        %4 = mul %1, %3 : [3]
        %5 = mul %0, %4 : [3]
        next h = %5
        output y = %5";
    check_recompute(
        scaled,
        &expect![[r#"
        residual v1 = %1
        residual v2 = %2

        graph scaled.backward
        %0 = param g : [3]
        %1 = input y : [3]
        %2 = state h : [3]
        %3 = add %1, %2 : [3]
        %4 = residual v1 : [3]
        %5 = residual v2 : []
        %6 = broadcast %5 : [3]
        %7 = mul %4, %6 : [3]
        %8 = mul %3, %7 : [3]
        %9 = mul %3, %0 : [3]
        %10 = broadcast %5 : [3]
        %11 = mul %9, %10 : [3]
        %12 = mul %9, %4 : [3]
        %13 = reduce_sum %12 : []
        sum g = %8
        next h = %11
        output s = %13
    "#]],
    );
}

#[test]
fn residuals_that_nothing_reads_are_dropped_on_both_sides() {
    // The cotangent of the constant is all that reads `x`.
    let graph = parse(
        "graph scaled
        %0 = input x : [3]
        %1 = constant 0.5 : []
        %2 = broadcast %1 : [3]
        %3 = mul %2, %0 : [3]
        output y = %3",
    );
    let mut gradient = differentiate(&graph).expect("a graph has a gradient");
    assert_eq!(gradient.forward.outputs_of(OutputRole::Residual).count(), 1);
    assert_eq!(drop_unread(&gradient).as_ref(), Ok(&gradient), "it is read as yet");
    gradient.backward =
        cellc_compiler::opt::simplify(&gradient.backward, |_| true).expect("it can be simplified");
    let dropped = drop_unread(&gradient).expect("it can be dropped");
    expect![[r#"
        graph scaled
        %0 = input x : [3]
        %1 = constant 0.5 : []
        %2 = broadcast %1 : [3]
        %3 = mul %2, %0 : [3]
        output y = %3

        graph scaled.backward
        %0 = input y : [3]
        %1 = constant 0.5 : []
        %2 = broadcast %1 : [3]
        %3 = mul %0, %2 : [3]
        output x = %3
    "#]]
    .assert_eq(&format!("{}\n{}", dropped.forward, dropped.backward));
}

fn catalogue(name: &str) -> Graph {
    cells::catalogue(name, cells::dims_of(name))
}

/// What a cell's tape keeps, as operations; of an input or a state also its name.
fn kept(name: &str) -> Vec<String> {
    let Graphs { taped, .. } = Graphs::new(&catalogue(name), |_| true).expect("it is compiled");
    let next = |value| taped.outputs_of(OutputRole::Next).find(|next| next.value == value);
    let mut kept: Vec<_> = (taped.outputs_of(OutputRole::Residual))
        .map(|residual| match (taped.op(residual.value), next(residual.value)) {
            (Op::Argument { role, name }, _) => format!("{} {name}", role.name()),
            (_, Some(next)) => format!("next {}", next.name),
            (op, None) => op.name().to_owned(),
        })
        .collect();
    kept.sort_unstable();
    kept
}

#[test]
fn the_tape_of_each_cell() {
    // f, i, o, which are slices of one sigmoid; g, tanh(c).
    let lstm = ["input x", "slice", "slice", "slice", "state c", "state h", "tanh", "tanh"];
    assert_eq!(kept("lstm"), lstm);
    // r, z, which are slices of one sigmoid; U_n @ h + c_n; n. Not 1 - z.
    assert_eq!(kept("gru"), ["input x", "slice", "slice", "slice", "state h", "tanh"]);
    assert_eq!(kept("rnn"), ["input x", "next h", "state h"]);
}

#[test]
fn gradients_of_the_catalogue_are_the_same_bit_for_bit() {
    let extent = Extent { steps: 5, batch: 3 };
    for entry in cellc_cells::all() {
        let graph = catalogue(entry.name);
        let all = run::<f64>(&graph, Engine::Jit, |_| true, 1, extent, 5);
        let off = |pass: &str| GRADIENT_PASSES.iter().all(|gradient| gradient.name != pass);
        let without = run::<f64>(&graph, Engine::Jit, off, 1, extent, 5);
        assert_eq!(difference(&all, &without, 0.0), None, "{}", entry.name);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, max_shrink_iters: 4000, ..ProptestConfig::default() })]

    #[test]
    fn gradients_do_not_depend_on_what_is_kept(genome in genome(24), seed: u64) {
        let graph = genome.build();
        let extent = Extent { steps: 3, batch: 2 };
        let all = run::<f64>(&graph, Engine::Jit, |_| true, 1, extent, seed);
        for pass in GRADIENT_PASSES {
            let without = run::<f64>(&graph, Engine::Jit, |name| name != pass.name, 1, extent, seed);
            prop_assert_eq!(difference(&all, &without, 1e-12), None, "{} of {}", pass.name, graph);
        }
        let kept = |enabled: &dyn Fn(&str) -> bool| {
            let graphs = Graphs::new(&graph, enabled).expect("it is compiled");
            memory(&graphs.taped)
        };
        prop_assert!(kept(&|_| true) <= kept(&|name| name != "recompute"), "{}", graph);
    }
}

/// How many elements the tape takes for a row: what is an input, a state or a result is kept anyway.
fn memory(taped: &Graph) -> usize {
    let anyway = |value| {
        let mut outputs = taped.outputs().iter();
        matches!(taped.op(value), Op::Argument { .. })
            || outputs.any(|o| o.value == value && o.role != OutputRole::Residual)
    };
    let residuals = taped.outputs_of(OutputRole::Residual).map(|residual| residual.value);
    residuals.filter(|&value| !anyway(value)).map(|value| taped.ty(value).size()).sum()
}
