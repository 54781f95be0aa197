//! Fusion: which kernels the values of small graphs become, on machines with kernels of the
//! runtime and on others.

use cellc_compiler::fuse::{Machine, fuse};
use cellc_compiler::phases::phases;
use cellc_tests::inventory::MACHINES;
use cellc_tests::texts::graph;
use expect_test::{Expect, expect};

const ARGUMENTS: &str = "graph g
    %0 = input x : [4]
    %1 = input m : [4, 3]
    %2 = state h : [4]
    %3 = param W : [4, 4]
    %4 = param V : [6, 4]
    %5 = param b : [4]
    %6 = param k : []\n";

fn kernels(lines: &str, machine: Machine) -> String {
    fuse(&phases(&graph(&format!("{ARGUMENTS}{lines}"))), machine).to_string()
}

/// Holds the kernels of a graph, which are the same on both machines, against what is expected.
fn check(lines: &str, expected: &Expect) {
    let [wide, portable] = MACHINES.map(|machine| kernels(lines, machine));
    assert_eq!(wide, portable);
    expected.assert_eq(&wide);
}

#[test]
fn elementwise_values_are_one_map() {
    // Constants and broadcasts are read in place; only what others read is stored.
    check(
        "%7 = broadcast %6 : [4]
        %8 = constant 2.0 : []
        %9 = broadcast %8 : [4]
        %10 = mul %0, %7 : [4]
        %11 = add %10, %9 : [4]
        %12 = sub %11, %2 : [4]
        next h = %12
        output y = %11",
        &expect![[r#"
            kernels g
            body: map 1 x 4
              %10 = mul
              %11 = add stored
              %12 = sub stored
        "#]],
    );
}

#[test]
fn shapes_are_maps_of_their_own() {
    check(
        "%7 = abs %1 : [4, 3]
        %8 = abs %2 : [4]
        %9 = reduce_sum %7 axis=1 : [4]
        %10 = add %8, %9 : [4]
        next h = %10
        output y = %10",
        &expect![[r#"
            kernels g
            body: map 4 x 3
              %7 = abs stored
            body: reduce_sum %9 [4]
            body: map 1 x 4
              %8 = abs
              %10 = add stored
        "#]],
    );
}

#[test]
fn transcendental_functions_cut_maps_where_they_are_kernels() {
    let lines = "%7 = add %0, %2 : [4]
        %8 = sub %0, %2 : [4]
        %9 = tanh %7 : [4]
        %10 = sigmoid %8 : [4]
        %11 = mul %9, %10 : [4]
        %12 = softplus %11 : [4]
        %13 = sqrt %12 : [4]
        next h = %13
        output y = %13";
    let [wide, portable] = MACHINES.map(|machine| kernels(lines, machine));
    expect![[r#"
        kernels g
        body: map 1 x 4
          %7 = add stored
          %8 = sub stored
        body: wide
          %9 = tanh %7 [4]
          %10 = sigmoid %8 [4]
        body: map 1 x 4
          %11 = mul stored
        body: wide
          %12 = softplus %11 [4]
        body: map 1 x 4
          %13 = sqrt stored
    "#]]
    .assert_eq(&wide);
    expect![[r#"
        kernels g
        body: map 1 x 4
          %7 = add
          %8 = sub
          %9 = tanh
          %10 = sigmoid
          %11 = mul
          %12 = softplus
          %13 = sqrt stored
    "#]]
    .assert_eq(&portable);
}

#[test]
fn slices_along_the_leading_axis_are_views() {
    check(
        "%7 = matvec %4, %2 : [6]
        %8 = slice %7 start=1 : [4]
        %9 = slice %8 start=1 : [3]
        %10 = reduce_sum %9 : []
        %11 = broadcast %10 : [4]
        %12 = mul %8, %11 : [4]
        %13 = slice %1 start=2 : [1, 3]
        %14 = reduce_sum %13 : []
        next h = %12
        output y = %14",
        &expect![[r#"
            kernels g
            matrix 0: 6 x 4
              %4 at 0..6, 0..4
            body: product %7 [6]: matrix 0 by %2
            body: reduce_sum %10 []
            body: map 1 x 4
              %12 = mul stored
            after: reduce_sum %14 []
        "#]],
    );
}

/// Columns do not follow each other, and are copied.
#[test]
fn slices_along_the_other_axis_are_kernels() {
    check(
        "%7 = slice %1 axis=1 start=1 : [4, 2]
        %8 = abs %7 : [4, 2]
        next h = %2
        output y = %8",
        &expect![[r#"
            kernels g
            after: slice %7 [4, 2]
            after: map 4 x 2
              %8 = abs stored
        "#]],
    );
}

#[test]
fn products_read_concatenations_part_by_part() {
    check(
        "%7 = add %0, %2 : [4]
        %8 = slice %7 start=0 : [2]
        %9 = concat %8, %2 : [6]
        %10 = concat %9 : [6]
        %11 = matvec_t %4, %10 : [4]
        next h = %11
        output y = %11",
        &expect![[r#"
            kernels g
            matrix 0: 4 x 6
              %4 at 0..4, 0..6
            body: map 1 x 4
              %7 = add stored
            body: product %11 [4]: matrix 0 by %8 %2
        "#]],
    );
}

#[test]
fn concatenations_that_others_read_are_kernels() {
    check(
        "%7 = concat %0, %2 : [8]
        %8 = abs %7 : [8]
        next h = %2
        output y = %8",
        &expect![[r#"
            kernels g
            after: concat %7 [8]
            after: map 1 x 8
              %8 = abs stored
        "#]],
    );
}

/// A packed matrix knows the params that it is made of, through all that only moves elements.
#[test]
fn matrices_are_traced_to_their_params() {
    check(
        "%7 = transpose %3 : [4, 4]
        %8 = slice %7 axis=1 start=1 : [4, 2]
        %9 = slice %4 start=2 : [4, 4]
        %10 = concat %8, %9 axis=1 : [4, 6]
        %11 = concat %10, %10 : [8, 6]
        %12 = slice %11 start=3 : [3, 6]
        %13 = slice %0 start=0 : [2]
        %14 = concat %13, %2 : [6]
        %15 = matvec %12, %14 : [3]
        next h = %2
        output y = %15",
        &expect![[r#"
            kernels g
            matrix 0: 3 x 6
              %3 at 0..1, 0..2
              %4 at 0..1, 2..6
              %3 at 1..3, 0..2
              %4 at 1..3, 2..6
            after: product %15 [3]: matrix 0 by %13 %2
        "#]],
    );
}

/// What is computed once is in memory, and packed from there.
#[test]
fn matrices_that_are_computed_once() {
    check(
        "%7 = abs %3 : [4, 4]
        %8 = matvec %7, %2 : [4]
        %9 = matvec_t %7, %8 : [4]
        %10 = matvec %7, %9 : [4]
        next h = %10
        output y = %10",
        &expect![[r#"
            kernels g
            matrix 0: 4 x 4
              %7 at 0..4, 0..4
            matrix 1: 4 x 4
              %7 at 0..4, 0..4
            once: map 4 x 4
              %7 = abs stored
            body: product %8 [4]: matrix 0 by %2
            body: product %9 [4]: matrix 1 by %8
            body: product %10 [4]: matrix 0 by %9
        "#]],
    );
}

/// A light value waits for the first map that uses it: it needs no memory then.
#[test]
fn light_values_sink() {
    check(
        "%7 = mul %0, %5 : [4]
        %8 = matvec %3, %2 : [4]
        %9 = add %7, %8 : [4]
        next h = %9
        output y = %9",
        &expect![[r#"
            kernels g
            matrix 0: 4 x 4
              %3 at 0..4, 0..4
            body: map 1 x 4
              %7 = mul stored
            body: product %9 [4]: %7 + matrix 0 by %2
        "#]],
    );
    // But not from what is in a register only lower down, which two read.
    check(
        "%7 = mul %0, %2 : [4]
        %8 = neg %7 : [4]
        %9 = matvec %3, %7 : [4]
        %10 = add %8, %9 : [4]
        next h = %10
        output y = %10",
        &expect![[r#"
            kernels g
            matrix 0: 4 x 4
              %3 at 0..4, 0..4
            body: map 1 x 4
              %7 = mul stored
              %8 = neg stored
            body: product %10 [4]: %8 + matrix 0 by %7
        "#]],
    );
}

#[test]
fn sums_of_outer_products_are_merged_where_the_runtime_adds_them() {
    let lines = "%7 = add %0, %2 : [4]
        %8 = sub %0, %2 : [4]
        %9 = outer %7, %0 : [4, 4]
        %10 = outer %7, %2 : [4, 4]
        %11 = outer %8, %0 : [4, 4]
        %12 = add %9, %11 : [4, 4]
        %13 = pad %10 axis=0 before=2 after=0 : [6, 4]
        %14 = slice %0 start=1 : [3]
        %15 = outer %8, %14 : [4, 3]
        %16 = pad %15 axis=1 before=1 after=0 : [4, 4]
        %17 = add %12, %16 : [4, 4]
        next h = %2
        sum W = %17
        sum V = %13
        sum b = %7";
    let [wide, portable] = MACHINES.map(|machine| kernels(lines, machine));
    expect![[r#"
        kernels g
        after: map 1 x 4
          %7 = add stored
          %8 = sub stored
        sum V, W: outer %7 by %0 %2
        sum W: outer %8 by %0
        sum W: outer %8 by %14
        sum b: %7
    "#]]
    .assert_eq(&wide);
    expect![[r#"
        kernels g
        after: map 1 x 4
          %7 = add stored
          %8 = sub stored
        sum W: outer %7 by %0
        sum W: outer %8 by %0
        sum W: outer %8 by %14
        sum V: outer %7 by %2
        sum b: %7
    "#]]
    .assert_eq(&portable);
}
