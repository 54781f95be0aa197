//! The pass `merge`: products that can run as one, do.

mod genomes;

use cellc_compiler::ir::op::Class;
use cellc_compiler::ir::verify::verify;
use cellc_compiler::opt::{merge, ready, simplify};
use cellc_tests::random_cell::random_cell;
use cellc_tests::texts::{graph, unlike};
use expect_test::{Expect, expect};
use genomes::genome;
use proptest::prelude::*;

/// Two vectors that no state is in, one state, and matrices from each to `[4]`.
const ARGUMENTS: &str = "graph g
    %0 = input x : [2]
    %1 = input e : [3]
    %2 = state h : [4]
    %3 = param W : [4, 2]
    %4 = param V : [4, 3]
    %5 = param U : [4, 4]
    %6 = param T : [2, 4]
    %7 = param R : [4, 2]
    %8 = param b : [4]\n";

/// Holds what the pass makes of a graph against what is expected: the values that come after the
/// arguments, which may stand in another order.
fn check(lines: &str, expected: &Expect) {
    let before = graph(&format!("{ARGUMENTS}{lines}"));
    let after = merge(&before).expect("it can be merged");
    verify(&after).expect("it is valid");
    assert_eq!(unlike(&after, &before, 1), None, "{before} became {after}");
    expected.assert_eq(&after.to_string());
}

/// Holds that the pass makes no product fewer.
fn check_left_alone(lines: &str) {
    let before = graph(&format!("{ARGUMENTS}{lines}"));
    let after = merge(&before).expect("it can be merged");
    let products = |graph: &cellc_compiler::ir::graph::Graph| {
        graph.ids().filter(|&id| graph.op(id).class() == Class::Product).count()
    };
    assert_eq!(products(&after), products(&before), "{before} became {after}");
    assert!(!after.to_string().contains("concat"), "{after}");
    assert_eq!(unlike(&after, &before, 1), None, "{before} became {after}");
}

#[test]
fn terms_of_a_sum_are_one_product() {
    check(
        "%9 = matvec %3, %0 : [4]
        %10 = matvec %4, %1 : [4]
        %11 = add %9, %10 : [4]
        %12 = add %11, %8 : [4]
        next h = %2
        output y = %12",
        &expect![[r#"
            graph g
            %0 = param W : [4, 2]
            %1 = param V : [4, 3]
            %2 = param U : [4, 4]
            %3 = param T : [2, 4]
            %4 = param R : [4, 2]
            %5 = param b : [4]
            %6 = concat %0, %1 axis=1 : [4, 5]
            %7 = input x : [2]
            %8 = input e : [3]
            %9 = state h : [4]
            %10 = concat %7, %8 : [5]
            %11 = matvec %6, %10 : [4]
            %12 = add %11, %5 : [4]
            next h = %9
            output y = %12
        "#]],
    );
}

#[test]
fn products_of_one_vector_are_parts_of_one() {
    check(
        "%9 = matvec %3, %0 : [4]
        %10 = matvec %7, %0 : [4]
        %11 = tanh %9 : [4]
        %12 = mul %11, %10 : [4]
        next h = %2
        output y = %12",
        &expect![[r#"
            graph g
            %0 = param W : [4, 2]
            %1 = param V : [4, 3]
            %2 = param U : [4, 4]
            %3 = param T : [2, 4]
            %4 = param R : [4, 2]
            %5 = param b : [4]
            %6 = input x : [2]
            %7 = input e : [3]
            %8 = state h : [4]
            %9 = concat %4, %0 : [8, 2]
            %10 = matvec %9, %6 : [8]
            %11 = slice %10 start=0 : [4]
            %12 = slice %10 start=4 : [4]
            %13 = tanh %12 : [4]
            %14 = mul %13, %11 : [4]
            next h = %8
            output y = %14
        "#]],
    );
}

/// Of two products one of which is transposed, the other's matrix decides; of two, neither turns.
#[test]
fn transposed_products() {
    check(
        "%9 = matvec %3, %0 : [4]
        %10 = matvec_t %6, %0 : [4]
        %11 = mul %9, %10 : [4]
        next h = %2
        output y = %11",
        &expect![[r#"
            graph g
            %0 = param W : [4, 2]
            %1 = param V : [4, 3]
            %2 = param U : [4, 4]
            %3 = param T : [2, 4]
            %4 = param R : [4, 2]
            %5 = param b : [4]
            %6 = input x : [2]
            %7 = input e : [3]
            %8 = state h : [4]
            %9 = transpose %3 : [4, 2]
            %10 = concat %0, %9 : [8, 2]
            %11 = matvec %10, %6 : [8]
            %12 = slice %11 start=0 : [4]
            %13 = slice %11 start=4 : [4]
            %14 = mul %12, %13 : [4]
            next h = %8
            output y = %14
        "#]],
    );
    check(
        "%9 = matvec_t %6, %0 : [4]
        %10 = matvec_t %5, %2 : [4]
        %11 = matvec_t %5, %8 : [4]
        %12 = add %9, %10 : [4]
        next h = %2
        output y = %12
        output z = %11",
        &expect![[r#"
            graph g
            %0 = param W : [4, 2]
            %1 = param V : [4, 3]
            %2 = param U : [4, 4]
            %3 = param T : [2, 4]
            %4 = param R : [4, 2]
            %5 = param b : [4]
            %6 = matvec_t %2, %5 : [4]
            %7 = concat %3, %2 : [6, 4]
            %8 = input x : [2]
            %9 = input e : [3]
            %10 = state h : [4]
            %11 = concat %8, %10 : [6]
            %12 = matvec_t %7, %11 : [4]
            next h = %10
            output y = %12
            output z = %6
        "#]],
    );
}

/// Sums of the same vectors share their concatenation, and then are products of one vector.
#[test]
fn gates_of_two_vectors_are_one_product() {
    check(
        "%9 = matvec %3, %0 : [4]
        %10 = matvec %4, %1 : [4]
        %11 = add %10, %9 : [4]
        %12 = matvec %7, %0 : [4]
        %13 = matvec %4, %1 : [4]
        %14 = add %12, %13 : [4]
        %15 = mul %11, %14 : [4]
        next h = %2
        output y = %15",
        &expect![[r#"
            graph g
            %0 = param W : [4, 2]
            %1 = param V : [4, 3]
            %2 = param U : [4, 4]
            %3 = param T : [2, 4]
            %4 = param R : [4, 2]
            %5 = param b : [4]
            %6 = concat %0, %1 axis=1 : [4, 5]
            %7 = concat %4, %1 axis=1 : [4, 5]
            %8 = input x : [2]
            %9 = input e : [3]
            %10 = state h : [4]
            %11 = concat %8, %9 : [5]
            %12 = concat %6, %7 : [8, 5]
            %13 = matvec %12, %11 : [8]
            %14 = slice %13 start=0 : [4]
            %15 = slice %13 start=4 : [4]
            %16 = mul %14, %15 : [4]
            next h = %10
            output y = %16
        "#]],
    );
}

/// What waits for a state does not hold up what does not.
#[test]
fn phases_are_not_mixed() {
    check(
        "%9 = matvec %3, %0 : [4]
        %10 = matvec %5, %2 : [4]
        %11 = add %9, %10 : [4]
        %12 = matvec %4, %1 : [4]
        %13 = add %11, %12 : [4]
        %14 = tanh %13 : [4]
        next h = %14
        output y = %14",
        &expect![[r#"
            graph g
            %0 = param W : [4, 2]
            %1 = param V : [4, 3]
            %2 = param U : [4, 4]
            %3 = param T : [2, 4]
            %4 = param R : [4, 2]
            %5 = param b : [4]
            %6 = concat %0, %1 axis=1 : [4, 5]
            %7 = input x : [2]
            %8 = input e : [3]
            %9 = state h : [4]
            %10 = matvec %2, %9 : [4]
            %11 = concat %7, %8 : [5]
            %12 = matvec %6, %11 : [4]
            %13 = add %12, %10 : [4]
            %14 = tanh %13 : [4]
            next h = %14
            output y = %14
        "#]],
    );
}

/// A sum or a product that something else needs too is computed by itself.
#[test]
fn what_others_read_is_no_term() {
    let ends = ["output z = %9", "output z = %11", "output z = %13"];
    for end in ends {
        check_left_alone(&format!(
            "%9 = matvec %3, %0 : [4]
            %10 = matvec %4, %1 : [4]
            %11 = tanh %9 : [4]
            %12 = add %9, %10 : [4]
            %13 = add %12, %8 : [4]
            next h = %2
            output y = %13
            {end}"
        ));
    }
}

#[test]
fn an_output_in_the_middle_of_a_sum_ends_it() {
    check(
        "%9 = matvec %3, %0 : [4]
        %10 = matvec %4, %1 : [4]
        %11 = add %9, %10 : [4]
        %12 = matvec_t %5, %8 : [4]
        %13 = matvec_t %5, %12 : [4]
        %14 = add %11, %13 : [4]
        next h = %2
        output y = %14
        output z = %11",
        &expect![[r#"
            graph g
            %0 = param W : [4, 2]
            %1 = param V : [4, 3]
            %2 = param U : [4, 4]
            %3 = param T : [2, 4]
            %4 = param R : [4, 2]
            %5 = param b : [4]
            %6 = matvec_t %2, %5 : [4]
            %7 = matvec_t %2, %6 : [4]
            %8 = concat %0, %1 axis=1 : [4, 5]
            %9 = input x : [2]
            %10 = input e : [3]
            %11 = state h : [4]
            %12 = concat %9, %10 : [5]
            %13 = matvec %8, %12 : [4]
            %14 = add %13, %7 : [4]
            next h = %11
            output y = %14
            output z = %13
        "#]],
    );
}

#[test]
fn a_value_that_is_added_to_itself_is_no_term() {
    check_left_alone(
        "%9 = matvec %3, %0 : [4]
        %10 = add %9, %9 : [4]
        next h = %2
        output y = %10",
    );
}

#[test]
fn what_is_left_alone() {
    // Matrices of each row's own, and what is computed once.
    check_left_alone(
        "%9 = outer %2, %0 : [4, 2]
        %10 = matvec %9, %0 : [4]
        %11 = matvec %3, %0 : [4]
        %12 = matvec %5, %8 : [4]
        %13 = matvec_t %5, %8 : [4]
        %14 = add %10, %11 : [4]
        %15 = add %12, %13 : [4]
        next h = %2
        output y = %14
        output z = %15",
    );
    // A difference is no sum.
    check_left_alone(
        "%9 = matvec %3, %0 : [4]
        %10 = matvec %4, %1 : [4]
        %11 = sub %9, %10 : [4]
        next h = %2
        output y = %11",
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn meaning_stays(genome in genome(30), cell: u64, genes in 1..24_usize, seed in 0..1000_u64) {
        for before in [genome.build(), random_cell(cell, genes)] {
            let after = merge(&before).expect("it can be merged");
            verify(&after).expect("it is valid");
            prop_assert_eq!(unlike(&after, &before, seed), None, "{} became {}", before, after);
        }
    }

    #[test]
    fn all_passes_together_keep_the_meaning(
        genome in genome(30),
        cell: u64,
        genes in 1..24_usize,
        seed in 0..1000_u64,
    ) {
        for before in [genome.build(), random_cell(cell, genes)] {
            let simple = simplify(&before, |_| true).expect("it can be simplified");
            let after = ready(&simple, |_| true).expect("it can be made ready");
            prop_assert_eq!(unlike(&after, &before, seed), None, "{} became {}", before, after);
        }
    }
}
