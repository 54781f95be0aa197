//! When values run: the phases of small graphs.

use cellc_compiler::phases::{Phase, phases};
use cellc_tests::texts::graph;

/// Holds the phases of a graph's values against letters: `o`nce, `b`efore, `l`oop, `a`fter.
fn check(text: &str, expected: &str) {
    let graph = graph(text);
    let looped = phases(&graph);
    let letter = |id| match looped.phase(id) {
        Phase::Once => 'o',
        Phase::Before => 'b',
        Phase::Body => 'l',
        Phase::After => 'a',
    };
    assert_eq!(graph.ids().map(letter).collect::<String>(), expected, "{looped}");
}

#[test]
fn products_of_inputs_come_before_the_loop() {
    check(
        "graph g
        %0 = input x : [2]
        %1 = state h : [2]
        %2 = param W : [2, 2]
        %3 = tanh %0 : [2]
        %4 = matvec %2, %3 : [2]
        %5 = exp %4 : [2]
        %6 = matvec %2, %1 : [2]
        %7 = add %5, %6 : [2]
        next h = %7
        output y = %7",
        // What a product is computed from goes with it; what is computed from it does not.
        "blobblll",
    );
}

#[test]
fn what_is_the_same_for_all_rows_runs_once() {
    check(
        "graph g
        %0 = param W : [2, 3]
        %1 = state h : [2]
        %2 = constant 2.0 : []
        %3 = broadcast %2 : [2, 3]
        %4 = mul %0, %3 : [2, 3]
        %5 = slice %4 axis=1 start=1 : [2, 2]
        %6 = matvec %5, %1 : [2]
        next h = %6
        output y = %6",
        "olooool",
    );
}

#[test]
fn what_no_next_state_needs_comes_after_the_loop() {
    check(
        "graph g
        %0 = input x : [2]
        %1 = state h : [2]
        %2 = param V : [2, 2]
        %3 = add %0, %1 : [2]
        %4 = matvec %2, %3 : [2]
        %5 = matvec %2, %0 : [2]
        %6 = mul %4, %5 : [2]
        next h = %3
        output y = %6",
        "blolaaa",
    );
}

#[test]
fn outer_products_are_not_set_aside() {
    check(
        "graph g
        %0 = input x : [2]
        %1 = state S : [2, 2]
        %2 = param W : [2, 2]
        %3 = matvec %2, %0 : [2]
        %4 = tanh %3 : [2]
        %5 = outer %4, %0 : [2, 2]
        %6 = add %1, %5 : [2, 2]
        %7 = matvec %6, %0 : [2]
        next S = %6
        output y = %7",
        "blobblla",
    );
    // Unless a product that leaves the loop is computed from it.
    check(
        "graph g
        %0 = input x : [2]
        %1 = state h : [2]
        %2 = outer %0, %0 : [2, 2]
        %3 = matvec %2, %0 : [2]
        %4 = add %1, %3 : [2]
        next h = %4
        output y = %4",
        "blbbl",
    );
}

#[test]
fn a_cell_without_states_is_after_its_loop() {
    check(
        "graph g
        %0 = input x : [2]
        %1 = param W : [2, 2]
        %2 = matvec %1, %0 : [2]
        output y = %2",
        "boa",
    );
}
