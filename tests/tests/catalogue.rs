//! The recurrent cells of the catalogue against the equations of their papers, and against what must
//! come out in cases where that is known.

mod equations;

use std::collections::BTreeMap;

use cellc_runtime::program::{Engine, Program};
use cellc_runtime::sequence::{Extent, InputMut};
use cellc_tests::cells::{RECURRENT, cell, dims_of};
use cellc_tests::compare::Numbers;
use equations::step;
use equations::vector::{Vector, at};

type Values = BTreeMap<String, Vector>;

/// Runs a cell of the catalogue for some steps of one example. Params, states and inputs `[T, ..]` are
/// of `given`; a state that is not there begins as a fresh sequence's. The result has outputs `[T, ..]`
/// and the last states, which take the place of an output of their name.
fn run(name: &str, steps: usize, given: &Values) -> Values {
    let entry = cellc_cells::find(name).expect("a cell of the catalogue");
    let cell = cell(entry.source, dims_of(name), &[]);
    let program = Program::<f64>::of(&cell, Engine::Interpreter).expect("the graph is valid");
    let interface = program.interface().clone();
    let mut sequence = program.sequence(1);
    sequence.reshape(Extent { steps, batch: 1 });
    for (i, port) in interface.inputs.iter().enumerate() {
        let InputMut::Real(data) = sequence.input_mut(i) else { panic!("inputs are real") };
        data.copy_from_slice(&given[&port.name].0);
    }
    for (i, port) in interface.states.iter().enumerate() {
        if let Some(state) = given.get(&port.name) {
            sequence.initial_mut(i).copy_from_slice(&state.0);
        }
    }
    let params: Vec<_> = interface.params.iter().map(|port| given[&port.name].0.clone()).collect();
    sequence.forward(&params).expect("it runs");
    let outputs = interface.outputs.iter().enumerate();
    let outputs = outputs.map(|(i, port)| (port.name.clone(), sequence.output(i).to_vec()));
    let states = interface.states.iter().enumerate();
    let states = states.map(|(i, port)| (port.name.clone(), sequence.final_state(i).to_vec()));
    outputs.chain(states).map(|(name, data)| (name, Vector(data))).collect()
}

/// Random params and inputs of so many steps, and states if those are wanted.
fn draw(name: &str, steps: usize, states: bool, seed: u64) -> Values {
    let entry = cellc_cells::find(name).expect("a cell of the catalogue");
    let cell = cell(entry.source, dims_of(name), &[]);
    let interface = cellc_runtime::sequence::Interface::of(&cell.graph);
    let mut numbers = Numbers(seed);
    let mut all = Values::new();
    let inputs = interface.inputs.iter().map(|port| (port, steps));
    let others = interface.params.iter().chain(interface.states.iter().filter(|_| states));
    for (port, times) in inputs.chain(others.map(|port| (port, 1))) {
        let draw = (0..times * port.ty.size()).map(|_| numbers.next_real());
        drop(all.insert(port.name.clone(), Vector(draw.collect())));
    }
    all
}

#[track_caller]
fn assert_close(name: &str, what: &str, found: &Vector, expected: &Vector) {
    assert_eq!(found.0.len(), expected.0.len(), "{name}: {what}");
    for (a, b) in found.0.iter().zip(&expected.0) {
        let near = (a - b).abs() <= 1e-12 * b.abs().max(1.0);
        assert!(near, "{name}: {what} is {a}, by the paper {b}");
    }
}

#[test]
fn cells_follow_the_equations_of_their_papers() {
    for (name, _) in RECURRENT {
        for seed in 1..=5 {
            let mut given = draw(name, 1, true, seed);
            if let ("slstm", Some(n)) = (name, given.get_mut("n")) {
                // From a fresh start a normaliser is 1 or more.
                *n = 2.0 + &*n;
            }
            let found = run(name, 1, &given);
            let expected = step(name, &|name| given[name].clone());
            assert_eq!(expected.len(), found.len(), "{name}: every result is compared");
            for (result, expected) in expected {
                assert_close(name, result, &found[result], &expected);
            }
        }
    }
}

#[test]
fn a_peephole_lstm_without_peepholes_is_an_lstm() {
    let mut given = draw("lstm_peephole", 4, true, 3);
    for peephole in ["p_f", "p_i", "p_o"] {
        given.insert(peephole.to_owned(), Vector(vec![0.0; 7]));
    }
    assert_eq!(run("lstm_peephole", 4, &given), run("lstm", 4, &given));
}

/// The note of `gru_cho` and `gru_chung` on how to convert.
#[test]
fn gru_conventions_convert_by_negating_z() {
    let mut given = draw("gru_chung", 4, true, 3);
    let chung = run("gru_chung", 4, &given);
    for of_z in ["W_z", "U_z", "b_z"] {
        let negated = -given[of_z].clone();
        given.insert(of_z.to_owned(), negated);
    }
    assert_close("gru_cho", "h", &run("gru_cho", 4, &given)["h"], &chung["h"]);
}

#[test]
fn a_highway_that_is_closed_keeps_its_state() {
    let mut given = draw("rhn", 3, true, 3);
    for bias in ["b_t1", "b_t2", "b_t3"] {
        given.insert(bias.to_owned(), Vector(vec![-1e3; 7]));
    }
    assert_close("rhn", "s", &run("rhn", 3, &given)["s"], &given["s"]);
}

/// From a fresh start, what a first step writes is all there is: c / n is the candidate, whatever the
/// gates, even where exp of the gate alone would overflow or vanish.
#[test]
fn a_fresh_slstm_shows_its_candidate() {
    for bias in [0.0, 800.0, -800.0] {
        let mut given = draw("slstm", 1, false, 3);
        given.insert("b_i".to_owned(), Vector(vec![bias; 7]));
        let of = |gate: &str| {
            at(&given[&format!("W_{gate}")], &given["x"]) + &given[&format!("b_{gate}")]
        };
        let expected = of("z").map(f64::tanh) * of("o").map(|x| 1.0 / (1.0 + (-x).exp()));
        let found = run("slstm", 1, &given);
        assert_close("slstm", "h", &found["h"], &expected);
        assert_close("slstm", "n", &found["n"], &Vector(vec![1.0; 7]));
    }
}

/// Over a sequence the stabiliser changes nothing: mLSTM by its unrolled sum, eq. 19 to 27 of the paper.
#[test]
fn an_mlstm_is_a_gated_sum_over_the_past() {
    let steps = 5;
    let given = draw("mlstm", steps, false, 3);
    let found = run("mlstm", steps, &given);
    let x = |t: usize| given["x"].part(5 * t, 5 * t + 5);
    let affine = |gate: &str, t: usize| {
        at(&given[&format!("W_{gate}")], &x(t)) + &given[&format!("b_{gate}")]
    };
    let scalar = |gate: &str, t: usize| {
        (&given[&format!("w_{gate}")] * x(t)).total() + given[&format!("b_{gate}")].0[0]
    };
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    for t in 0..steps {
        let q = affine("q", t);
        let (mut value, mut normaliser) = (Vector(vec![0.0; 7]), 0.0);
        for s in 0..=t {
            let k = at(&given["W_k"], &x(s)).map(|a| a / 3_f64.sqrt()) + &given["b_k"];
            let kept: f64 = (s + 1..=t).map(|u| sigmoid(scalar("f", u))).product();
            let weight = kept * scalar("i", s).exp() * (k * &q).total();
            value = value + weight * affine("v", s);
            normaliser += weight;
        }
        let shown = value / Vector::from(f64::abs(normaliser).max(1.0));
        let expected = affine("o", t).map(sigmoid) * shown;
        assert_close("mlstm", "h", &found["h"].part(7 * t, 7 * t + 7), &expected);
    }
}

/// The closed form of a linear recurrence, in complex powers of lambda by their angle.
#[test]
fn an_lru_is_a_sum_of_powers() {
    let steps = 6;
    let given = draw("lru", steps, false, 3);
    let found = run("lru", steps, &given);
    let mut expected = at(&given["D"], &given["x"].part(5 * (steps - 1), 5 * steps));
    for s in 0..steps {
        let x = given["x"].part(5 * s, 5 * s + 5);
        let (re, im) = (at(&given["B_re"], &x), at(&given["B_im"], &x));
        let power = (steps - 1 - s) as f64;
        for j in 0..3 {
            let (rate, angle) = (given["nu"].0[j].exp(), given["theta"].0[j].exp() * power);
            let size = (-rate * power).exp() * (1.0 - (-2.0 * rate).exp()).sqrt();
            let (sin, cos) = angle.sin_cos();
            let (re, im) = (re.0[j] * cos - im.0[j] * sin, re.0[j] * sin + im.0[j] * cos);
            for h in 0..7 {
                let (c_re, c_im) = (given["C_re"].0[3 * h + j], given["C_im"].0[3 * h + j]);
                expected.0[h] += size * (c_re * re - c_im * im);
            }
        }
    }
    assert_close("lru", "y", &found["y"].part(7 * (steps - 1), 7 * steps), &expected);
}

/// The convolution of width 2 sees the input before, and nothing before the first.
#[test]
fn a_qrnn_sees_two_inputs() {
    let given = draw("qrnn", 2, false, 3);
    let found = run("qrnn", 2, &given);
    let x = |t: usize| given["x"].part(5 * t, 5 * t + 5);
    let sum = |k: usize, name: &str, t: usize| {
        let now = at(&given[&format!("W_{name}")], &x(t));
        let of_gate = given["V"].part(35 * k, 35 * k + 35);
        if t == 0 { now } else { now + at(&of_gate, &x(t - 1)) }
    };
    let sigmoid = |v: Vector| v.map(|x| 1.0 / (1.0 + (-x).exp()));
    let mut c = Vector(vec![0.0; 7]);
    for t in 0..2 {
        let f = sigmoid(sum(1, "f", t));
        c = &f * &c + (1.0 - &f) * sum(0, "z", t).map(f64::tanh);
        let expected = sigmoid(sum(2, "o", t)) * &c;
        assert_close("qrnn", "h", &found["h"].part(7 * t, 7 * t + 7), &expected);
    }
}
