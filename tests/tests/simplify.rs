//! The rules of simplification: each does what it says, and changes no bit of any result.

use cellc_compiler::ir::eval::{Datum, eval};
use cellc_compiler::ir::graph::Graph;
use cellc_compiler::ir::text::parse;
use cellc_compiler::ir::verify::verify;
use cellc_compiler::opt::{PASSES, simplify};

/// Numbers at which rules go wrong that hold for real numbers only.
const SPECIALS: [f64; 9] =
    [-0.0, 0.0, 1.5, -2.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 5e-324, 0.1];

/// The outputs of a graph, as bits, with every NaN the same; its inputs are special numbers.
fn bits(graph: &Graph, shift: usize) -> Vec<Vec<u64>> {
    let values = eval::<f64>(graph, |id| {
        let from = 4 * id.index() + shift;
        Datum::Real((0..graph.ty(id).size()).map(|i| SPECIALS[(from + i) % 9]).collect())
    });
    let bits = |x: &f64| if x.is_nan() { u64::MAX } else { x.to_bits() };
    let outputs = graph.outputs().iter();
    outputs.map(|output| values[output.value.index()].real().iter().map(bits).collect()).collect()
}

/// What the operations of a graph become, one a line. The graph begins with inputs `%0`, `%1` and
/// `%2` of type `[3]`, `%3` of `[2, 3]` and `%4` of `[]`; its last value is its output.
fn check(body: &str, expected: &[&str]) {
    let text = format!(
        "graph g
        %0 = input a : [3]
        %1 = input b : [3]
        %2 = input c : [3]
        %3 = input W : [2, 3]
        %4 = input s : []
        {body}"
    );
    let last = text.lines().rev().find_map(|line| line.trim().split_once(' ')).expect("a value").0;
    let graph = parse(&format!("{text}\noutput y = {last}")).expect("the case is well-formed");
    let simple = simplify(&graph, |_| true).expect("it can be simplified");
    verify(&simple).expect("it is valid");
    let lines: Vec<String> = simple.to_string().lines().skip(6).map(str::to_owned).collect();
    assert_eq!(lines, expected, "of {graph}");
    for shift in 0..9 {
        assert_eq!(bits(&simple, shift), bits(&graph, shift), "{graph} became {simple}");
    }
}

#[test]
fn rules_that_fit() {
    let ones = "%5 = constant 1.0 : []\n%6 = broadcast %5 : [3]\n";
    check(&format!("{ones} %7 = mul %0, %6 : [3]"), &["output y = %0"]);
    check(&format!("{ones} %7 = mul %6, %0 : [3]"), &["output y = %0"]);
    check(&format!("{ones} %7 = div %0, %6 : [3]"), &["output y = %0"]);
    check("%5 = constant 0.0 : []\n%6 = sub %4, %5 : []", &["output y = %4"]);
    check("%5 = broadcast %0 : [3]", &["output y = %0"]);
    check("%5 = reshape %3 : [2, 3]", &["output y = %3"]);
    check("%5 = slice %0 start=0 : [3]", &["output y = %0"]);
    check("%5 = pad %0 before=0 after=0 : [3]", &["output y = %0"]);
    check("%5 = concat %0 : [3]", &["output y = %0"]);
    check(
        "%5 = broadcast %4 : [3]\n%6 = broadcast %5 : [2, 3]",
        &["%5 = broadcast %4 : [2, 3]", "output y = %5"],
    );
    check(
        "%5 = reshape %3 : [6]\n%6 = reshape %5 : [3, 2]",
        &["%5 = reshape %3 : [3, 2]", "output y = %5"],
    );
    // What a rule gives may be simpler still.
    check("%5 = reshape %3 : [6]\n%6 = reshape %5 : [2, 3]", &["output y = %3"]);
    check(
        "%5 = slice %0 start=1 : [2]\n%6 = outer %5, %1 : [2, 3]\n%7 = transpose %6 : [3, 2]",
        &["%5 = slice %0 start=1 : [2]", "%6 = outer %1, %5 : [3, 2]", "output y = %6"],
    );
    check(
        "%5 = transpose %3 : [3, 2]\n%6 = slice %0 start=1 : [2]\n%7 = matvec %5, %6 : [3]",
        &["%5 = slice %0 start=1 : [2]", "%6 = matvec_t %3, %5 : [3]", "output y = %6"],
    );
    check(
        "%5 = transpose %3 : [3, 2]\n%6 = matvec_t %5, %1 : [2]",
        &["%5 = matvec %3, %1 : [2]", "output y = %5"],
    );
    let parts = "%5 = concat %0, %1, %2 : [9]\n";
    check(&format!("{parts} %6 = slice %5 start=3 : [3]"), &["output y = %1"]);
    check(
        &format!("{parts} %6 = slice %5 start=7 : [2]"),
        &["%5 = slice %2 start=1 : [2]", "output y = %5"],
    );
    check(
        "%5 = slice %0 start=1 : [2]\n%6 = slice %5 start=1 : [1]",
        &["%5 = slice %0 start=2 : [1]", "output y = %5"],
    );
    check("%5 = neg %0 : [3]\n%6 = neg %5 : [3]", &["output y = %0"]);
    check("%5 = transpose %3 : [3, 2]\n%6 = transpose %5 : [2, 3]", &["output y = %3"]);
    let abs = &["%5 = abs %0 : [3]", "output y = %5"];
    check("%5 = neg %0 : [3]\n%6 = abs %5 : [3]", abs);
    check("%5 = abs %0 : [3]\n%6 = abs %5 : [3]", abs);
    check("%5 = stop %0 : [3]\n%6 = stop %5 : [3]", &["%5 = stop %0 : [3]", "output y = %5"]);
    check("%5 = neg %1 : [3]\n%6 = add %0, %5 : [3]", &["%5 = sub %0, %1 : [3]", "output y = %5"]);
    check("%5 = neg %1 : [3]\n%6 = sub %0, %5 : [3]", &["%5 = add %0, %1 : [3]", "output y = %5"]);
    check(
        "%5 = constant 2.0 : []\n%6 = constant 0.5 : []\n%7 = less %5, %6 : []\n%8 = sub %5, %7 : []",
        &["%5 = constant 2.0 : []", "output y = %5"],
    );
    check(
        "%5 = constant 3.0 : []\n%6 = constant 0.5 : []\n%7 = sub %5, %6 : []",
        &["%5 = constant 2.5 : []", "output y = %5"],
    );
    check(
        "%5 = mul %0, %1 : [3]\n%6 = mul %0, %1 : [3]\n%7 = exp %2 : [3]\n%8 = add %5, %6 : [3]",
        &["%5 = mul %0, %1 : [3]", "%6 = add %5, %5 : [3]", "output y = %6"],
    );
}

/// What looks alike and is not: of -0, of NaN, of other operands.
#[test]
fn rules_that_do_not_fit() {
    for body in [
        "%5 = constant 0.0 : []\n%6 = add %4, %5 : []",
        "%5 = constant 0.0 : []\n%6 = mul %4, %5 : []",
        "%5 = constant -0.0 : []\n%6 = sub %4, %5 : []",
        "%5 = constant 0.0 : []\n%6 = sub %5, %4 : []",
        "%5 = constant 1.0 : []\n%6 = div %5, %4 : []",
        "%5 = constant 1.0 : []\n%6 = sub %4, %5 : []",
        "%5 = constant -1.0 : []\n%6 = mul %4, %5 : []",
        "%5 = sub %0, %0 : [3]",
        "%5 = slice %3 axis=1 start=1 : [2, 2]\n%6 = slice %5 start=1 : [1, 2]",
        "%5 = stop %0 : [3]\n%6 = neg %5 : [3]",
        "%5 = div %0, %0 : [3]",
        "%5 = sub %0, %1 : [3]\n%6 = sub %1, %0 : [3]\n%7 = add %5, %6 : [3]",
        "%5 = neg %0 : [3]\n%6 = add %5, %1 : [3]",
        "%5 = concat %0, %1 : [6]\n%6 = slice %5 start=2 : [2]",
        "%5 = slice %0 start=1 : [2]\n%6 = slice %0 start=0 : [2]\n%7 = sub %5, %6 : [2]",
        "%5 = broadcast %0 : [2, 3]\n%6 = reshape %5 : [3, 2]",
    ] {
        let lines: Vec<&str> = body.lines().collect();
        let last = format!("output y = %{}", lines.len() + 4);
        check(body, &[lines, vec![last.as_str()]].concat());
    }
}

#[test]
fn passes_have_names_of_their_own() {
    let names = PASSES.map(|pass| pass.name);
    for (i, name) in names.iter().enumerate() {
        assert!(!names[..i].contains(name));
    }
}
