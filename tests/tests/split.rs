//! The pass `split`: a product with a concatenation becomes products with its parts.

mod genomes;

use cellc_compiler::ir::verify::verify;
use cellc_compiler::opt::split;
use cellc_tests::random_cell::random_cell;
use cellc_tests::texts::{graph, graph_of, unlike};
use expect_test::{Expect, expect};
use genomes::genome;
use proptest::prelude::*;

/// Holds what the pass makes of these lines against what is expected.
fn check(lines: &str, expected: &Expect) {
    let before = graph_of(lines);
    let after = split(&before).expect("it can be split");
    verify(&after).expect("it is valid");
    assert_eq!(unlike(&after, &before, 1), None, "{before} became {after}");
    expected.assert_eq(&after.to_string());
}

/// Holds that the pass leaves these lines as they are.
fn check_left_alone(lines: &str) {
    let before = graph_of(lines);
    assert_eq!(split(&before).as_ref(), Ok(&before));
}

#[test]
fn a_product_with_two_parts() {
    check(
        "%0 = input x : [2]
        %1 = state h : [3]
        %2 = param W : [4, 5]
        %3 = concat %1, %0 : [5]
        %4 = matvec %2, %3 : [4]
        next h = %1",
        &expect![[r#"
            graph g
            %0 = input x : [2]
            %1 = state h : [3]
            %2 = param W : [4, 5]
            %3 = concat %1, %0 : [5]
            %4 = slice %2 axis=1 start=0 : [4, 3]
            %5 = matvec %4, %1 : [4]
            %6 = slice %2 axis=1 start=3 : [4, 2]
            %7 = matvec %6, %0 : [4]
            %8 = add %5, %7 : [4]
            next h = %1
            output y = %8
        "#]],
    );
}

#[test]
fn a_transposed_product() {
    check(
        "%0 = input x : [2]
        %1 = input e : [3]
        %2 = param W : [5, 4]
        %3 = concat %1, %0 : [5]
        %4 = matvec_t %2, %3 : [4]",
        &expect![[r#"
            graph g
            %0 = input x : [2]
            %1 = input e : [3]
            %2 = param W : [5, 4]
            %3 = concat %1, %0 : [5]
            %4 = slice %2 start=0 : [3, 4]
            %5 = matvec_t %4, %1 : [4]
            %6 = slice %2 start=3 : [2, 4]
            %7 = matvec_t %6, %0 : [4]
            %8 = add %5, %7 : [4]
            output y = %8
        "#]],
    );
}

#[test]
fn three_parts_in_their_order() {
    check(
        "%0 = input x : [2]
        %1 = input e : [3]
        %2 = param b : [1]
        %3 = param W : [4, 8]
        %4 = concat %0, %1, %2, %0 : [8]
        %5 = matvec %3, %4 : [4]",
        &expect![[r#"
            graph g
            %0 = input x : [2]
            %1 = input e : [3]
            %2 = param b : [1]
            %3 = param W : [4, 8]
            %4 = concat %0, %1, %2, %0 : [8]
            %5 = slice %3 axis=1 start=0 : [4, 2]
            %6 = matvec %5, %0 : [4]
            %7 = slice %3 axis=1 start=2 : [4, 3]
            %8 = matvec %7, %1 : [4]
            %9 = add %6, %8 : [4]
            %10 = slice %3 axis=1 start=5 : [4, 1]
            %11 = matvec %10, %2 : [4]
            %12 = add %9, %11 : [4]
            %13 = slice %3 axis=1 start=6 : [4, 2]
            %14 = matvec %13, %0 : [4]
            %15 = add %12, %14 : [4]
            output y = %15
        "#]],
    );
}

/// A concatenation in a concatenation is a part: what it is made of is seen by the kernels.
#[test]
fn parts_that_are_concatenations() {
    check(
        "%0 = input x : [2]
        %1 = input e : [3]
        %2 = param W : [4, 7]
        %3 = concat %0, %1 : [5]
        %4 = concat %3, %0 : [7]
        %5 = matvec %2, %4 : [4]",
        &expect![[r#"
            graph g
            %0 = input x : [2]
            %1 = input e : [3]
            %2 = param W : [4, 7]
            %3 = concat %0, %1 : [5]
            %4 = concat %3, %0 : [7]
            %5 = slice %2 axis=1 start=0 : [4, 5]
            %6 = matvec %5, %3 : [4]
            %7 = slice %2 axis=1 start=5 : [4, 2]
            %8 = matvec %7, %0 : [4]
            %9 = add %6, %8 : [4]
            output y = %9
        "#]],
    );
}

/// Matrices that are computed from params alone are the same for all rows too.
#[test]
fn a_matrix_that_is_computed_once() {
    check(
        "%0 = input x : [2]
        %1 = input e : [3]
        %2 = param V : [5, 4]
        %3 = transpose %2 : [4, 5]
        %4 = concat %0, %1 : [5]
        %5 = matvec %3, %4 : [4]",
        &expect![[r#"
            graph g
            %0 = input x : [2]
            %1 = input e : [3]
            %2 = param V : [5, 4]
            %3 = transpose %2 : [4, 5]
            %4 = concat %0, %1 : [5]
            %5 = slice %3 axis=1 start=0 : [4, 2]
            %6 = matvec %5, %0 : [4]
            %7 = slice %3 axis=1 start=2 : [4, 3]
            %8 = matvec %7, %1 : [4]
            %9 = add %6, %8 : [4]
            output y = %9
        "#]],
    );
}

#[test]
fn what_is_left_alone() {
    // A matrix of each row's own, as an input and as a state.
    check_left_alone(
        "%0 = input x : [2]
        %1 = input W : [4, 4]
        %2 = concat %0, %0 : [4]
        %3 = matvec %1, %2 : [4]",
    );
    check_left_alone(
        "%0 = input x : [2]
        %1 = param P : [4, 4]
        %2 = input s : [4]
        %3 = outer %2, %2 : [4, 4]
        %4 = add %1, %3 : [4, 4]
        %5 = concat %0, %0 : [4]
        %6 = matvec_t %4, %5 : [4]",
    );
    // A vector that is no concatenation, and an outer product with one.
    check_left_alone(
        "%0 = input x : [2]
        %1 = param W : [4, 2]
        %2 = concat %0, %0 : [4]
        %3 = matvec %1, %0 : [4]
        %4 = outer %2, %3 : [4, 4]",
    );
}

/// The concatenation stays for whoever else reads it.
#[test]
fn a_concatenation_that_others_read() {
    let before = graph(
        "graph g
        %0 = input x : [2]
        %1 = input e : [3]
        %2 = param W : [4, 5]
        %3 = concat %0, %1 : [5]
        %4 = matvec %2, %3 : [4]
        %5 = tanh %3 : [5]
        output y = %4
        output z = %5",
    );
    let after = split(&before).expect("it can be split");
    assert_eq!(unlike(&after, &before, 1), None);
    assert!(after.to_string().contains("%3 = concat %0, %1 : [5]"), "{after}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn meaning_stays(genome in genome(30), cell: u64, genes in 1..24_usize, seed in 0..1000_u64) {
        for before in [genome.build(), random_cell(cell, genes)] {
            let after = split(&before).expect("it can be split");
            verify(&after).expect("it is valid");
            prop_assert_eq!(unlike(&after, &before, seed), None, "{} became {}", before, after);
            // There is nothing left to split but concatenations of concatenations.
            prop_assert!(after.len() >= before.len());
        }
    }
}
