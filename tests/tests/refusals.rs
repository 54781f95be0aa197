//! What runs are refused, and what of a run may be used again: the same on both
//! engines, in one segment or several.

use std::num::NonZero;

use cellc_compiler::ir::text::parse;
use cellc_runtime::program::{Engine, Program};
use cellc_runtime::segmented::Segments;
use cellc_runtime::sequence::{Extent, InputMut, RunError, Sequence};

/// A running sum of rows of a table, times a number.
const CELL: &str = "graph cell
    %0 = param table : [3, 2]
    %1 = param k : []
    %2 = input i : index(3)
    %3 = input x : [2]
    %4 = state h : [2]
    %5 = take %0, %2 : [2]
    %6 = broadcast %1 : [2]
    %7 = mul %6, %3 : [2]
    %8 = add %5, %7 : [2]
    %9 = add %8, %4 : [2]
    next h = %9
    output y = %4";

fn params() -> Vec<Vec<f64>> {
    vec![vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], vec![10.0]]
}

fn on_each_engine(test: impl Fn(&mut dyn Sequence<f64>, Engine)) {
    let graph = parse(CELL).expect("the cell is well-formed");
    for engine in [Engine::Interpreter, Engine::Jit] {
        let program = Program::<f64>::new(&graph, engine).expect("the graph is valid");
        for threads in [1, 2] {
            test(&mut *program.sequence(threads), engine);
        }
        for steps in [1, 2, 3] {
            let segments = Segments::Of(NonZero::new(steps).expect("not zero"));
            test(&mut program.segmented(1, segments), engine);
        }
    }
}

fn set(sequence: &mut dyn Sequence<f64>, indices: &[u32], x: &[f64]) {
    let InputMut::Index(data) = sequence.input_mut(0) else { panic!("an index") };
    data.copy_from_slice(indices);
    let InputMut::Real(data) = sequence.input_mut(1) else { panic!("real numbers") };
    data.copy_from_slice(x);
}

#[test]
fn an_index_out_of_its_bound_is_refused() {
    on_each_engine(|sequence, engine| {
        sequence.reshape(Extent { steps: 2, batch: 2 });
        for (indices, position, index) in [([0, 2, 3, 1], 2, 3), ([u32::MAX, 7, 0, 0], 0, u32::MAX)]
        {
            set(sequence, &indices, &[0.0; 8]);
            let fault = RunError::Index { input: "i".into(), position, index, bound: 3 };
            assert_eq!(sequence.forward(&params()), Err(fault.clone()), "{engine:?}");
            assert_eq!(sequence.forward_with_tape(&params()), Err(fault.clone()));
            assert_eq!(sequence.backward(&params()), Err(RunError::NoTape));
            let expected = format!(
                "input `i` holds the index {index} at position {position}; it must be below 3"
            );
            assert_eq!(fault.to_string(), expected);
        }
    });
}

#[test]
fn params_that_do_not_fit_are_refused() {
    let [table, k] = [params()[0].clone(), params()[1].clone()];
    let cases = [
        (vec![], RunError::Params { expected: 2, found: 0 }, "the cell has 2 params, found 0"),
        (
            vec![table.clone(), k.clone(), k.clone()],
            RunError::Params { expected: 2, found: 3 },
            "the cell has 2 params, found 3",
        ),
        (
            vec![table[..5].to_vec(), k.clone()],
            RunError::Param { name: "table".into(), expected: 6, found: 5 },
            "param `table` needs 6 elements, found 5",
        ),
        (
            vec![table, vec![]],
            RunError::Param { name: "k".into(), expected: 1, found: 0 },
            "param `k` needs 1 elements, found 0",
        ),
    ];
    on_each_engine(|sequence, _| {
        sequence.reshape(Extent { steps: 1, batch: 1 });
        for (wrong, fault, text) in &cases {
            assert_eq!(fault.to_string(), *text);
            assert_eq!(sequence.forward(wrong).as_ref(), Err(fault));
            assert_eq!(sequence.forward_with_tape(wrong).as_ref(), Err(fault));
            sequence.forward_with_tape(&params()).expect("these fit");
            assert_eq!(sequence.backward(wrong).as_ref(), Err(fault));
            // What was refused leaves the tape as it was.
            sequence.backward(&params()).expect("there is a tape");
        }
    });
}

#[test]
fn a_tape_is_good_until_what_it_refers_to_changes() {
    type Change = fn(&mut dyn Sequence<f64>);
    let voids: [(&str, Change); 4] = [
        ("an input", |sequence| set(sequence, &[0], &[0.0; 2])),
        ("a state", |sequence| sequence.initial_mut(0).fill(0.0)),
        ("another extent", |sequence| sequence.reshape(Extent { steps: 3, batch: 1 })),
        ("a run without a tape", |sequence| sequence.forward(&params()).expect("it runs")),
    ];
    on_each_engine(|sequence, engine| {
        sequence.reshape(Extent { steps: 1, batch: 1 });
        assert_eq!(sequence.backward(&params()), Err(RunError::NoTape), "{engine:?}");
        for (what, change) in voids {
            sequence.forward_with_tape(&params()).expect("it runs");
            sequence.backward(&params()).expect("there is a tape");
            sequence.output_cotangent_mut(0).fill(1.0);
            sequence.final_cotangent_mut(0).fill(1.0);
            sequence.reshape(sequence.extent());
            sequence.backward(&params()).expect("it is good for another time");
            change(sequence);
            let error = sequence.backward(&params()).expect_err(what);
            assert_eq!(error, RunError::NoTape, "{what} on {engine:?}");
        }
    });
}

#[test]
fn a_sequence_without_steps_gives_its_initial_states() {
    on_each_engine(|sequence, engine| {
        sequence.reshape(Extent { steps: 0, batch: 2 });
        sequence.initial_mut(0).copy_from_slice(&[1.0, 2.0, 3.0, 4.0]);
        sequence.final_cotangent_mut(0).copy_from_slice(&[5.0, 6.0, 7.0, 8.0]);
        sequence.forward_with_tape(&params()).expect("it runs");
        assert_eq!(sequence.final_state(0), [1.0, 2.0, 3.0, 4.0], "{engine:?}");
        assert_eq!(sequence.output(0), [0.0; 0]);
        sequence.backward(&params()).expect("there is a tape");
        assert_eq!(sequence.initial_gradient(0), [5.0, 6.0, 7.0, 8.0]);
        assert_eq!(sequence.param_gradient(0), [0.0; 6]);
        assert_eq!(sequence.input_gradient(1), Some([].as_slice()));
        assert_eq!(sequence.input_gradient(0), None, "an index has no gradient");
    });
}

#[test]
fn a_batch_without_examples_runs() {
    on_each_engine(|sequence, _| {
        sequence.reshape(Extent { steps: 3, batch: 0 });
        sequence.forward_with_tape(&params()).expect("it runs");
        sequence.backward(&params()).expect("there is a tape");
        assert_eq!((sequence.output(0), sequence.final_state(0)), ([].as_slice(), [].as_slice()));
        assert_eq!(sequence.param_gradient(1), [0.0]);
    });
}

#[test]
fn another_extent_begins_with_zeros_and_the_same_keeps_everything() {
    on_each_engine(|sequence, engine| {
        let (two, one) = (Extent { steps: 2, batch: 1 }, Extent { steps: 1, batch: 1 });
        sequence.reshape(two);
        set(sequence, &[2, 1], &[1.0, 2.0, 3.0, 4.0]);
        sequence.initial_mut(0).copy_from_slice(&[0.5, 0.25]);
        sequence.output_cotangent_mut(0).fill(1.0);
        sequence.final_cotangent_mut(0).fill(1.0);
        for _ in 0..2 {
            sequence.reshape(two);
            assert_eq!(sequence.extent(), two);
            sequence.forward_with_tape(&params()).expect("it runs");
            assert_eq!(sequence.output(0), [0.5, 0.25, 15.5, 26.25], "{engine:?}");
            assert_eq!(sequence.final_state(0), [48.5, 70.25]);
            sequence.backward(&params()).expect("there is a tape");
            assert_eq!(sequence.initial_gradient(0), [3.0, 3.0]);
            assert_eq!(sequence.param_gradient(0), [0.0, 0.0, 1.0, 1.0, 2.0, 2.0]);
            assert_eq!(sequence.param_gradient(1), [2.0 * 3.0 + 7.0]);
            let gradient = Some([20.0, 20.0, 10.0, 10.0].as_slice());
            assert_eq!(sequence.input_gradient(1), gradient);
        }
        for extent in [one, two] {
            sequence.reshape(extent);
            sequence.forward_with_tape(&params()).expect("it runs");
            let last = [1.0, 2.0].map(|x| x * extent.steps as f64);
            assert_eq!(sequence.final_state(0), last, "index 0, and zeros");
            sequence.backward(&params()).expect("there is a tape");
            assert_eq!(sequence.initial_gradient(0), [0.0, 0.0]);
            assert_eq!(sequence.param_gradient(0), [0.0; 6]);
        }
    });
}
