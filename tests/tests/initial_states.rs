//! Where states begin: at a number or at a param, in runs whole and in segments, step by step, in
//! models, and in gradients; and that what is given comes first.

use std::num::NonZero;

use cellc_compiler::cell::{Cell, Initial};
use cellc_runtime::gradcheck::{Options, check};
use cellc_runtime::program::{Engine, Program};
use cellc_runtime::segmented::Segments;
use cellc_runtime::sequence::{Extent, InputMut, Sequence};
use cellc_tests::cells::cell;
use cellc_tests::compare::Numbers;
use cellc_train::batch::{Batch, Data, Example, Targets};
use cellc_train::blueprint::{Blueprint, CellText, LossConfig, ModelConfig};
use cellc_train::model::{Answers, Interface, Model, Readout, Reads};

/// Two states begin at one param, one of them a state that is not shown; one begins at a matrix, one
/// at a number, one at 0.
const TEXT: &str = "
const low = -1.5

cell f(I, H) {
    input x: [I]
    state h, g: [H] = h_0, S: [H, H] = S_0, m: [] = 2 * low, z: [H]
    param W: [H, I], U: [H, H], h_0: [H], S_0: [H, H]
    next h = tanh(W @ x + U @ h + 0.1 * (S @ g))
    next g = 0.5 * g + 0.3 * h_0 * z
    next S = 0.9 * S + outer(next h, next h)
    next m = max(m, sum(x))
    next z = h
    output h, low = m
}";

const ENGINES: [Engine; 2] = [Engine::Interpreter, Engine::Jit];
const EXTENT: Extent = Extent { steps: 7, batch: 3 };

fn subject() -> Cell {
    cell(TEXT, &[("I", 2), ("H", 4)], &[])
}

fn numbers(seed: u64, count: usize) -> Vec<f64> {
    let mut numbers = Numbers(seed);
    (0..count).map(|_| numbers.next_real()).collect()
}

fn params() -> Vec<Vec<f64>> {
    [8, 16, 4, 16].into_iter().zip(1..).map(|(size, seed)| numbers(seed, size)).collect()
}

fn fill(sequence: &mut dyn Sequence<f64>) {
    if let InputMut::Real(x) = sequence.input_mut(0) {
        let drawn = numbers(9, x.len());
        x.copy_from_slice(&drawn);
    }
}

/// What each state begins with, for all examples.
fn beginnings() -> Vec<Vec<f64>> {
    let params = params();
    let rows = [params[2].clone(), params[2].clone(), params[3].clone(), vec![-3.0], vec![0.0; 4]];
    rows.map(|row| row.repeat(EXTENT.batch)).to_vec()
}

type Arrays = Vec<Vec<f64>>;

/// Outputs and final states, then gradients of params and of the states before the first step.
fn run(sequence: &mut dyn Sequence<f64>) -> (Arrays, Arrays, Arrays) {
    let params = params();
    let states = sequence.interface().states.len();
    sequence.forward(&params).expect("it runs");
    let read = |sequence: &dyn Sequence<f64>| {
        let outputs = (0..2).map(|i| sequence.output(i).to_vec());
        let finals = (0..states).map(|i| sequence.final_state(i).to_vec());
        outputs.chain(finals).collect::<Vec<_>>()
    };
    let plain = read(sequence);
    sequence.forward_with_tape(&params).expect("it runs");
    let taped = read(sequence);
    assert_eq!(plain, taped);
    for output in 0..2 {
        let cotangents = sequence.output_cotangent_mut(output);
        let drawn = numbers(20 + output as u64, cotangents.len());
        cotangents.copy_from_slice(&drawn);
    }
    for state in 0..states {
        let cotangents = sequence.final_cotangent_mut(state);
        let drawn = numbers(30 + state as u64, cotangents.len());
        cotangents.copy_from_slice(&drawn);
    }
    sequence.backward(&params).expect("there is a tape");
    let of_params = (0..params.len()).map(|i| sequence.param_gradient(i).to_vec()).collect();
    let of_states = (0..states).map(|i| sequence.initial_gradient(i).to_vec()).collect();
    (taped, of_params, of_states)
}

fn close(a: &[Vec<f64>], b: &[Vec<f64>]) -> bool {
    let near = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-12 * a.abs().max(1.0);
    a.iter().zip(b).all(|(a, b)| a.len() == b.len() && a.iter().zip(b).all(near))
}

#[test]
fn the_cell_says_where_states_begin() {
    let expected = [
        Initial::Param(2),
        Initial::Param(2),
        Initial::Param(3),
        Initial::Constant(-3.0),
        Initial::ZERO,
    ];
    assert_eq!(subject().initial, expected);
}

/// The states begun by the cell against the same states given, and their gradients added by hand.
#[test]
fn a_fresh_sequence_begins_there_and_its_gradient_is_that_of_the_param() {
    for engine in ENGINES {
        let program = Program::of(&subject(), engine).expect("it compiles");
        let given = {
            let plain = Program::<f64>::new(&subject().graph, engine).expect("it compiles");
            let mut sequence = plain.sequence(1);
            sequence.reshape(EXTENT);
            fill(&mut *sequence);
            for (i, state) in beginnings().iter().enumerate() {
                sequence.initial_mut(i).copy_from_slice(state);
            }
            run(&mut *sequence)
        };
        let mut sums = given.1.clone();
        for (state, param) in [(0, 2), (1, 2), (2, 3)] {
            for example in given.2[state].chunks(sums[param].len()) {
                sums[param].iter_mut().zip(example).for_each(|(sum, term)| *sum += term);
            }
        }
        for threads in [1, 2] {
            let mut sequence = program.sequence(threads);
            sequence.reshape(EXTENT);
            fill(&mut *sequence);
            let fresh = run(&mut *sequence);
            assert_eq!(fresh, (given.0.clone(), sums.clone(), given.2.clone()), "{engine:?}");
            // Once more, since its memory is used again.
            assert_eq!(run(&mut *sequence), fresh);
        }
        for steps in [1, 3, 100].map(|steps| NonZero::new(steps).expect("it is not 0")) {
            let mut sequence = program.segmented(1, Segments::Of(steps));
            sequence.reshape(EXTENT);
            fill(&mut sequence);
            let (results, of_params, of_states) = run(&mut sequence);
            assert_eq!(results, given.0, "{engine:?} in segments of {steps}");
            assert!(close(&of_params, &sums) && close(&of_states, &given.2), "{engine:?}");
        }
    }
}

#[test]
fn states_that_are_given_come_first_until_they_are_taken_back() {
    for engine in ENGINES {
        let program = Program::of(&subject(), engine).expect("it compiles");
        let mut sequence = program.sequence(1);
        sequence.reshape(EXTENT);
        fill(&mut *sequence);
        let fresh = run(&mut *sequence);
        // What is given is 0 where nothing is written.
        for state in 0..5 {
            assert!(sequence.initial_mut(state).iter().all(|x| *x == 0.0), "{engine:?}");
        }
        let given = run(&mut *sequence);
        let plain = Program::<f64>::new(&subject().graph, engine).expect("it compiles");
        let mut zeros = plain.sequence(1);
        zeros.reshape(EXTENT);
        fill(&mut *zeros);
        assert_eq!(given, run(&mut *zeros), "{engine:?}: a given state has no param");
        (0..5).for_each(|state| sequence.begin(state));
        assert!(sequence.backward(&params()).is_err(), "the tape is void");
        assert_eq!(run(&mut *sequence), fresh, "{engine:?}");
        // Another extent is another sequence.
        sequence.initial_mut(0).fill(9.0);
        sequence.reshape(Extent { steps: 2, ..EXTENT });
        sequence.reshape(EXTENT);
        fill(&mut *sequence);
        assert_eq!(run(&mut *sequence), fresh, "{engine:?}");
    }
}

#[test]
fn steps_begin_there_too() {
    for engine in ENGINES {
        let program = Program::of(&subject(), engine).expect("it compiles");
        let mut sequence = program.sequence(1);
        sequence.reshape(EXTENT);
        fill(&mut *sequence);
        let (results, ..) = run(&mut *sequence);
        let inputs = numbers(9, EXTENT.steps * EXTENT.batch * 2);
        let mut step = program.step(&params(), EXTENT.batch).expect("the params fit");
        for t in 0..EXTENT.steps {
            if let InputMut::Real(x) = step.input_mut(0) {
                x.copy_from_slice(&inputs[t * EXTENT.batch * 2..][..EXTENT.batch * 2]);
            }
            step.step().expect("it runs");
            let row = EXTENT.batch * 4;
            let shown = &results[0][t * row..][..row];
            let near = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-12;
            assert!(step.output(0).iter().zip(shown).all(near), "{engine:?}, step {t}");
        }
    }
}

#[test]
fn gradients_agree_with_central_differences() {
    for engine in ENGINES {
        let program = Program::of(&subject(), engine).expect("it compiles");
        let report = check(&mut *program.sequence(1), &Options::default()).expect("it runs");
        assert!(report.passed(), "{engine:?}: {report:#?}");
        // Params are checked in all cases, states that may begin on their own in every other.
        let compared = |name: &str| {
            let row = report.rows.iter().find(|row| row.name == name);
            row.map_or(0, |row| row.compared)
        };
        assert!(compared("h_0") > 0 && compared("h") > 0 && compared("z") > compared("h"));
    }
}

/// A model that begins a text, and goes on with it: the loss by the param that its states begin at.
#[test]
fn models_begin_there_and_carry_states_on() {
    let text = "
        cell f(I, H, P = H) {
            input x: [I]
            state h: [P] = h_0
            param W: [P, I], U: [P, P], h_0: [P] ~ uniform(1)
            next h = tanh(W @ x + U @ h)
            output h
        }";
    let cell = "f.cell".to_owned();
    let (name, file, imports) = (cell.clone(), cell.clone(), Vec::new());
    let cells = vec![CellText { name, file, text: text.into(), imports }];
    let model = ModelConfig { cell, layers: 1, hidden: 3, embedding: 2, ..ModelConfig::default() };
    let blueprint = Blueprint { model, loss: LossConfig::default(), cells };
    for readout in [Readout::Each, Readout::Last] {
        let (reads, answers) = (Reads::Symbols(4), Answers::Classes(4));
        let masked = readout == Readout::Last;
        let interface = Interface { reads, answers, readout, masked, resets: false };
        let architecture = blueprint.architecture(interface).expect("a layer");
        let mut model = Model::<f64>::new(&architecture, Engine::Jit, 1).expect("a model");
        let h_0 = model.parameters().iter().position(|p| p.name == "layer0.h_0").expect("a param");
        let fresh = match readout {
            Readout::Each => Batch {
                extent: Extent { steps: 2, batch: 2 },
                data: Data::Symbols(vec![1, 2, 3, 0]),
                targets: Targets::Classes(vec![2, 3, 0, 1]),
                ..Batch::default()
            },
            Readout::Last => {
                let example = |symbols: &[u32], label| Example {
                    data: Data::Symbols(symbols.to_vec()),
                    targets: Targets::Classes(vec![label]),
                };
                Batch::padded(&[example(&[1, 2, 3], 0), example(&[3], 2)], 1, false, 1)
            }
        };
        let mut run = model.run(1);
        run.forward_backward(&model, &fresh, None).expect("it runs");
        let gradient = run.gradients()[h_0].to_vec();
        let mut loss =
            |model: &Model<f64>| run.forward(model, &fresh).expect("it runs").mean_loss();
        for (i, gradient) in gradient.iter().enumerate() {
            let mut moved = |by: f64| {
                model.update(|params| params[h_0][i] += by);
                let loss = loss(&model);
                model.update(|params| params[h_0][i] -= by);
                loss
            };
            let difference = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            assert!((difference - gradient).abs() < 1e-9, "{difference} {gradient}");
            assert!(gradient.abs() > 1e-4, "the loss depends on it");
        }
        if readout == Readout::Each {
            let mut run = model.run(1);
            run.forward(&model, &fresh).expect("it runs");
            let next = Batch { continues: true, ..fresh };
            run.forward_backward(&model, &next, None).expect("it runs");
            assert!(run.gradients()[h_0].iter().all(|g| *g == 0.0), "these states were carried");
        }
    }
}
