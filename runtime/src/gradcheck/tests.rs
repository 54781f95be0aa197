use std::sync::Arc;

use cellc_compiler::autodiff::differentiate;
use cellc_compiler::ir::graph::Graph;
use cellc_compiler::ir::op::Role;
use cellc_compiler::ir::text::parse;

use super::{GradcheckError, Options, Place, Report, Subject, check};
use crate::interpreter::InterpretedSequence;

/// Tanh, products of states, a matrix and a broadcast: something of everything.
const CELL: &str = "
graph cell
%0 = param W : [3, 3]
%1 = param b : [3]
%2 = input x : [3]
%3 = state h : [3]
%4 = input i : index(3)
%5 = matvec %0, %3 : [3]
%6 = add %5, %1 : [3]
%7 = mul %6, %2 : [3]
%8 = tanh %7 : [3]
%9 = take %8, %4 : []
%10 = broadcast %9 : [3]
%11 = add %8, %10 : [3]
%12 = relu %11 : [3]
next h = %12
output y = %9
";

fn run(text: &str, options: &Options) -> Result<Report, GradcheckError> {
    let graph = parse(text).expect("the test's graph is well-formed");
    let gradient = differentiate(&graph).expect("a graph has a gradient");
    check(&mut InterpretedSequence::new(Arc::new(graph), Arc::new(gradient)), options)
}

/// A report under a gradient whose backward graph was changed.
fn run_with_fault(fault: impl Fn(&Graph) -> String) -> Report {
    let graph = parse(CELL).expect("the test's graph is well-formed");
    let mut gradient = differentiate(&graph).expect("a graph has a gradient");
    gradient.backward = parse(&fault(&gradient.backward)).expect("the fault keeps it well-formed");
    let mut sequence = InterpretedSequence::new(Arc::new(graph), Arc::new(gradient));
    check(&mut sequence, &Options::default()).expect("the cell runs")
}

#[test]
fn right_gradients_agree_closely() {
    let report = run(CELL, &Options::default()).expect("the cell runs");
    let names: Vec<_> = report.rows.iter().map(|row| (row.subject, row.name.as_str())).collect();
    let expected = [
        (Subject::Param, "W"),
        (Subject::Param, "b"),
        (Subject::Input, "x"),
        (Subject::Initial, "h"),
    ];
    assert_eq!(names, expected);
    assert!(report.max_relative_error < 1e-8, "{report:#?}");
    assert!(report.passed());
    assert!(report.rows.iter().all(|row| row.compared > 20));
}

#[test]
fn a_seed_settles_everything() {
    let with = |seed| run(CELL, &Options { seed, cases: 3, ..Options::default() });
    assert_eq!(with(1), with(1));
    assert_ne!(with(1), with(2));
}

#[test]
fn a_wrong_gradient_is_found_and_placed() {
    // The cotangent of `b` alone is doubled: the other gradients stay right.
    let double = |backward: &Graph| {
        let text = backward.to_string();
        let line = text.lines().find(|line| line.starts_with("sum b = ")).expect("`b` has a sum");
        let value = line.trim_start_matches("sum b = ");
        let (operations, results) = text.split_once("\nsum").expect("there are results");
        let doubled = format!("%{} = add {value}, {value} : [3]", backward.len());
        let results =
            results.replace(&format!(" b = {value}\n"), &format!(" b = %{}\n", backward.len()));
        format!("{operations}\n{doubled}\nsum{results}")
    };
    let report = run_with_fault(double);
    assert!(!report.passed());
    for row in &report.rows {
        let error = row.worst.relative_error;
        if row.name == "b" {
            assert!((error - 0.5).abs() < 1e-6, "{row:?}");
            assert!((row.worst.analytic - 2.0 * row.worst.numeric).abs() < 1e-6, "{row:?}");
            assert!(matches!(&row.worst.place, Place::Entry(at) if at.len() == 1), "{row:?}");
        } else {
            assert!(error < 1e-8, "{row:?}");
        }
    }
}

#[test]
fn every_operation_of_a_backward_graph_matters() {
    let backward = differentiate(&parse(CELL).expect("well-formed")).expect("a gradient").backward;
    let text = backward.to_string();
    let mut faults = 0;
    for (from, to) in [(" = mul ", " = add "), (" = sub ", " = add "), (" = add ", " = sub ")] {
        for (at, _) in text.match_indices(from) {
            let changed = format!("{}{to}{}", &text[..at], &text[at + from.len()..]);
            let report = run_with_fault(|_| changed.clone());
            assert!(!report.passed(), "not noticed:\n{changed}");
            faults += 1;
        }
    }
    assert!(faults >= 5, "the test changed only {faults} operations");
}

#[test]
fn results_that_are_never_finite_are_no_pass() {
    let text = "
graph cell
%0 = param b : [1]
%1 = state h : [1]
%2 = neg %0 : [1]
%3 = mul %2, %0 : [1]
%4 = log %3 : [1]
next h = %4
output y = %4
";
    let result = run(text, &Options::default());
    assert!(matches!(result, Err(GradcheckError::NotFinite { .. })), "{result:?}");
}

#[test]
fn roots_and_logarithms_find_their_domain() {
    let text = "
graph cell
%0 = param b : [8]
%1 = state h : [8]
%2 = log %0 : [8]
%3 = sqrt %1 : [8]
%4 = mul %2, %2 : [8]
%5 = add %4, %3 : [8]
next h = %5
output y = %2
";
    let report = run(text, &Options { cases: 5, ..Options::default() }).expect("it is found");
    assert!(report.passed(), "{report:#?}");
}

/// Many rectified units and maxima: some derivative is taken right beside a kink.
const KINKED: &str = "
graph kinked
%0 = param W : [4, 3]
%1 = param U : [4, 4]
%2 = input x : [3]
%3 = state h : [4]
%4 = matvec %0, %2 : [4]
%5 = matvec %1, %3 : [4]
%6 = add %4, %5 : [4]
%7 = relu %6 : [4]
%8 = abs %3 : [4]
%9 = neg %8 : [4]
%10 = constant 0.1 : []
%11 = broadcast %10 : [4]
%12 = mul %11, %3 : [4]
%13 = max %12, %9 : [4]
%14 = sub %7, %13 : [4]
next h = %14
output h = %14
";

#[test]
fn a_slope_between_the_sides_of_a_kink_passes() {
    let report = run(KINKED, &Options { cases: 60, ..Options::default() });
    let report = report.expect("the cell runs");
    assert!(report.passed(), "{report:?}");
}

#[test]
fn the_size_of_one_output_hides_no_error_of_another() {
    // The gradient of `w` is wrong by a factor; that of the huge output is right.
    let text = "
        graph scales
        %0 = param w : [2]
        %1 = input x : [2]
        %2 = constant 1e10 : []
        %3 = broadcast %2 : [2]
        %4 = mul %3, %1 : [2]
        %5 = mul %0, %0 : [2]
        output huge = %4
        output small = %5
    ";
    let graph = parse(text).expect("the test's graph is well-formed");
    let mut gradient = differentiate(&graph).expect("a graph has a gradient");
    let wrong = gradient.backward.to_string().replacen("sum w = ", "// sum w = ", 1);
    let id = gradient.backward.find_argument(Role::Param, "w").expect("w is a param");
    gradient.backward = parse(&format!("{wrong}sum w = {id}")).expect("it is well-formed");
    let mut sequence = InterpretedSequence::new(Arc::new(graph), Arc::new(gradient));
    let report = check(&mut sequence, &Options::default()).expect("the cell runs");
    assert!(!report.passed(), "{report:?}");
}
