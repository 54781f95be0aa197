use std::sync::Arc;

use cellc_compiler::autodiff::{differentiate, jvp};
use cellc_compiler::ir::graph::Graph;
use cellc_compiler::ir::op::Role;
use cellc_compiler::ir::text::parse;

use super::{
    Companions, GradcheckError, Options, Place, Report, Subject, check, check_second_order,
    check_with_progress,
};
use crate::interpreter::InterpretedSequence;
use crate::program::Engine;
use crate::second::SecondOrder;
use crate::sequence::Interface;

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

/// A report of second order under graphs with tangents that were changed: forward, taped, backward.
fn run_second(text: &str, fault: impl Fn([&Graph; 3]) -> [String; 3]) -> Report {
    let graph = parse(text).expect("the test's graph is well-formed");
    let gradient = differentiate(&graph).expect("a graph has a gradient");
    let forward = jvp(&graph).expect("a graph has a jvp");
    let mut tangent = gradient.jvp().expect("a gradient has a jvp");
    let changed = fault([&forward, &tangent.forward, &tangent.backward]);
    let [forward, taped, backward] =
        changed.map(|text| parse(&text).expect("the fault keeps it well-formed"));
    (tangent.forward, tangent.backward) = (taped, backward);
    let interface = Interface::of(&graph);
    let run = InterpretedSequence::<f64>::new(Arc::new(forward), Arc::new(tangent));
    let mut second = SecondOrder::of(interface, Box::new(run));
    let mut sequence = InterpretedSequence::new(Arc::new(graph), Arc::new(gradient));
    let options = Options { cases: 4, max_steps: 6, max_batch: 3, ..Options::default() };
    check_second_order(&mut sequence, &mut second, None, &options, |_| {}).expect("the cell runs")
}

#[test]
fn right_second_derivatives_agree_closely() {
    let report = run_second(CELL, |graphs| graphs.map(ToString::to_string));
    assert!(report.passed(), "{report:#?}");
    assert!(report.max_relative_error < 1e-7, "{report:#?}");
    let results: Vec<_> = report.results.iter().map(|row| (row.subject, &*row.name)).collect();
    assert_eq!(results, [(Subject::Output, "y"), (Subject::Final, "h")]);
    assert!(report.rows.iter().all(|row| row.compared > 10));
    assert!(report.identities.iter().all(|identity| identity.max_relative_error < 1e-14));
}

#[test]
fn every_operation_with_tangents_matters() {
    let graphs = |change: &dyn Fn(usize, String) -> String| {
        run_second(CELL, |graphs| {
            let [forward, taped, backward] = graphs.map(ToString::to_string);
            [forward, change(0, taped), change(1, backward)]
        })
    };
    let mut faults = 0;
    for part in [0, 1] {
        for (from, to) in [(" = mul ", " = add "), (" = sub ", " = add "), (" = add ", " = sub ")] {
            for number in 0.. {
                let there = std::cell::Cell::new(false);
                let report = graphs(&|of, text| {
                    let at = text.match_indices(from).nth(number).filter(|_| of == part);
                    there.set(there.get() || at.is_some());
                    let Some((at, _)) = at else { return text };
                    format!("{}{to}{}", &text[..at], &text[at + from.len()..])
                });
                if !there.get() {
                    break;
                }
                faults += usize::from(!report.passed());
                // What a rule computes in vain, before passes drop it, changes nothing.
                assert!(!report.passed() || number > 0, "{from} {number} of graph {part}");
            }
        }
    }
    assert!(faults >= 20, "only {faults} changes were noticed");
}

/// Two parts that do not touch: the gradient of `a` is a hundred million times that of `b`.
const UNEQUAL: &str = "
graph unequal
%0 = param a : [2]
%1 = param b : [2]
%2 = input x : [2]
%3 = state h : [2]
%4 = mul %0, %2 : [2]
%5 = tanh %4 : [2]
%6 = constant 1e8 : []
%7 = broadcast %6 : [2]
%8 = mul %7, %5 : [2]
%9 = mul %1, %3 : [2]
%10 = tanh %9 : [2]
next h = %10
output y = %8
";

#[test]
fn a_small_fault_of_any_argument_is_found() {
    for (text, arguments) in [(CELL, &["W", "b", "x", "h"][..]), (UNEQUAL, &["a", "b", "x", "h"])] {
        for name in arguments {
            // The argument's part of the product with the Hessian is wrong by a hundred-thousandth.
            let fault = |backward: &Graph| {
                let result = format!(" {name}.tangent = %");
                let text = backward.to_string();
                let (before, after) = text.split_once(&result).expect("it has a product");
                let (value, after) = after.split_once('\n').expect("a result is a line");
                let start = before.rfind('\n').expect("results come after values");
                let (values, role) = before.split_at(start);
                let ty = values.lines().find(|line| line.starts_with(&format!("%{value} = ")));
                let (_, ty) = ty.and_then(|line| line.rsplit_once(" : ")).expect("it has a type");
                let first =
                    values.find("\nsum ").or(values.find("\noutput ")).or(values.find("\nnext "));
                let (values, results) = values.split_at(first.unwrap_or(values.len()));
                let n = backward.len();
                format!(
                    "{values}\n%{n} = constant 1.00001 : []\n%{} = broadcast %{n} : {ty}\n\
                     %{} = mul %{}, %{value} : {ty}{results}{role}{result}{}\n{after}",
                    n + 1,
                    n + 2,
                    n + 1,
                    n + 2
                )
            };
            let report = run_second(text, |[forward, taped, backward]| {
                [forward.to_string(), taped.to_string(), fault(backward)]
            });
            for row in &report.rows {
                let found = row.worst.relative_error > report.tolerance;
                // A wrong cotangent of a state goes on to all that is before it.
                assert!(
                    found == (row.name == *name) || found && *name == "h",
                    "{name}: {report:#?}"
                );
            }
        }
    }
}

#[test]
fn what_cancels_is_not_taken_for_a_fault() {
    // What is added and taken away again leaves its rounding in the results, and in all differences.
    let text = "
        graph cancels
        %0 = param w : [3]
        %1 = input x : [3]
        %2 = tanh %1 : [3]
        %3 = constant 1e5 : []
        %4 = broadcast %3 : [3]
        %5 = mul %4, %2 : [3]
        %6 = mul %5, %0 : [3]
        %7 = mul %1, %0 : [3]
        %8 = tanh %7 : [3]
        %9 = add %6, %8 : [3]
        %10 = sub %9, %6 : [3]
        output y = %10
    ";
    let report = run_second(text, |graphs| graphs.map(ToString::to_string));
    assert!(report.passed(), "{report:#?}");
}

/// The tent map, whose kinks after `T` steps are 2^-T apart.
const TENT: &str = "
graph tent
%0 = state h : [3]
%1 = constant 2.0 : []
%2 = broadcast %1 : [3]
%3 = constant 1.0 : []
%4 = broadcast %3 : [3]
%5 = abs %0 : [3]
%6 = min %5, %4 : [3]
%7 = mul %2, %6 : [3]
%8 = sub %4, %7 : [3]
%9 = abs %8 : [3]
next h = %9
output h = %9
";

#[test]
fn kinks_that_no_step_avoids_are_reported_and_no_failure() {
    let graph = parse(TENT).expect("the test's graph is well-formed");
    let gradient = Arc::new(differentiate(&graph).expect("a graph has a gradient"));
    let mut companions = Companions::new(&graph, Engine::Interpreter).expect("it is valid");
    let options = Options { cases: 10, ..Options::default() };
    let mut sequence = InterpretedSequence::new(Arc::new(graph.clone()), gradient);
    let first = check_with_progress(&mut sequence, Some(&mut companions), &options, |_| {});
    let mut second = SecondOrder::new(&graph, Engine::Interpreter).expect("it is valid");
    let second =
        check_second_order(&mut sequence, &mut second, Some(&mut companions), &options, |_| {});
    for report in [first, second] {
        let report = report.expect("the cell runs");
        assert!(report.passed(), "{report:#?}");
        assert!(report.kinks() > 0 && report.compared() > report.kinks(), "{report:#?}");
        let kink = report.rows[0].kink.as_ref().expect("there is one");
        assert!(["abs", "min"].contains(&kink.operation.as_str()), "{kink:?}");
        assert!(kink.at.extent.steps > 8, "{kink:?}");
    }
}

#[test]
fn a_wrong_derivative_is_no_kink() {
    // Right of 0 the gradient of relu is doubled; the cell has kinks, but not there.
    let text = "
        graph hinge
        %0 = input x : [4]
        %1 = relu %0 : [4]
        output y = %1
    ";
    let graph = parse(text).expect("the test's graph is well-formed");
    let mut gradient = differentiate(&graph).expect("a graph has a gradient");
    let wrong = gradient.backward.to_string();
    let (values, output) = wrong.split_once("output x = ").expect("`x` has a gradient");
    let (value, doubled) = (output.trim(), gradient.backward.len());
    let wrong = format!("{values}%{doubled} = add {value}, {value} : [4]\noutput x = %{doubled}");
    gradient.backward = parse(&wrong).expect("it is well-formed");
    let mut companions = Companions::new(&graph, Engine::Interpreter).expect("it is valid");
    let mut sequence = InterpretedSequence::new(Arc::new(graph), Arc::new(gradient));
    let report =
        check_with_progress(&mut sequence, Some(&mut companions), &Options::default(), |_| {});
    let report = report.expect("the cell runs");
    assert!(!report.passed() && report.kinks() == 0, "{report:#?}");
}

/// Stops of a parameter's factor, of a state (nothing goes back in time through it), of another stop,
/// and of a jump, past which the gradient goes straight (Bengio et al. 2013).
const STOPPED: &str = "
graph stopped
%0 = param w : [3]
%1 = input x : [3]
%2 = state h : [3]
%3 = state k : [3]
%4 = mul %0, %1 : [3]
%5 = sigmoid %4 : [3]
%6 = stop %5 : [3]
%7 = mul %6, %4 : [3]
%8 = stop %2 : [3]
%9 = add %7, %8 : [3]
%10 = tanh %9 : [3]
%11 = floor %10 : [3]
%12 = sub %11, %10 : [3]
%13 = mul %12, %6 : [3]
%14 = stop %13 : [3]
%15 = add %10, %14 : [3]
%16 = mul %15, %3 : [3]
%17 = mul %3, %10 : [3]
%18 = sin %17 : [3]
next h = %10
next k = %18
output y = %16
";

/// The reports of first and of second order of a graph whose gradient is that of another.
fn reports(graph: &Graph, differentiated: &Graph, aided: bool) -> [Report; 2] {
    let gradient = Arc::new(differentiate(differentiated).expect("a graph has a gradient"));
    let mut companions = Companions::new(graph, Engine::Jit).expect("it is valid");
    let mut companions = aided.then_some(&mut companions);
    let options = Options { cases: 10, ..Options::default() };
    let mut sequence = InterpretedSequence::new(Arc::new(graph.clone()), gradient);
    let first = check_with_progress(&mut sequence, companions.as_deref_mut(), &options, |_| {});
    let mut second = SecondOrder::new(differentiated, Engine::Jit).expect("it is valid");
    let second = check_second_order(&mut sequence, &mut second, companions, &options, |_| {});
    [first, second].map(|report| report.expect("the cell runs"))
}

#[test]
fn differences_hold_what_is_stopped() {
    let graph = parse(STOPPED).expect("the test's graph is well-formed");
    for report in reports(&graph, &graph, true) {
        assert!(report.passed(), "{report:#?}");
        assert_eq!(report.kinks(), 0, "what jumps is behind a stop: {report:#?}");
    }
    // Without what holds them, the stops are seen through.
    assert!(reports(&graph, &graph, false).iter().all(|report| !report.passed()));
    // A gradient that ignores a stop is wrong.
    for stop in ["stop %5", "stop %2", "stop %13"] {
        let ignored = stop.replace("stop ", "reshape ");
        let ignoring = parse(&STOPPED.replace(stop, &ignored)).expect("it is well-formed");
        let reports = reports(&graph, &ignoring, true);
        assert!(reports.iter().all(|report| !report.passed()), "{stop} was ignored");
    }
}

#[test]
fn what_makes_a_gradient_no_number_is_told() {
    // The root of what is below 0 is not selected, and has a part in the gradient all the same.
    let text = "
        graph guarded
        %0 = input x : [4]
        %1 = param w : [4]
        %2 = constant 0.0 : []
        %3 = broadcast %2 : [4]
        %4 = less %3, %0 : [4]
        %5 = sqrt %0 : [4]
        %6 = select %4, %5, %3 : [4]
        %7 = mul %6, %1 : [4]
        output y = %7
    ";
    let graph = parse(text).expect("the test's graph is well-formed");
    for report in reports(&graph, &graph, true) {
        assert!(!report.passed(), "{report:#?}");
        let row = |name: &str| report.rows.iter().find(|row| row.name == name).expect("a row");
        let [singularity] = row("x").singular.as_slice() else { panic!("{report:#?}") };
        assert_eq!((singularity.value, singularity.derivative), (5, false), "{report:#?}");
        assert!(singularity.number.is_nan());
        assert!(row("w").singular.is_empty(), "its gradient is finite");
    }
    // NaN that the interpreter has not is no doing of the cell.
    let finite = text.replace("sqrt %0", "sigmoid %0");
    let finite = parse(&finite).expect("the test's graph is well-formed");
    let [first, _] = reports(&finite, &graph, true);
    assert!(!first.passed() && first.rows.iter().all(|row| row.singular.is_empty()), "{first:#?}");
}
