//! Single steps of the catalogue's cells and their gradients, against numbers worked out outside
//! this project: see the head of each file in `steps/`.

use cellc_runtime::kernels::Wide;
use std::collections::BTreeMap;
use std::path::Path;

use cellc_compiler::check::check;
use cellc_compiler::diagnostic::Source;
use cellc_compiler::syntax::parse;
use cellc_runtime::program::{Engine, Program};
use cellc_runtime::sequence::{Extent, InputMut};

/// The cotangents of the final states.
const COTANGENTS: [(&str, [f64; 3]); 2] = [("h", [1.0, -2.0, 3.0]), ("c", [2.0, 1.0, -1.0])];

/// The numbers of a file by their kind and name.
type Numbers = BTreeMap<(String, String), Vec<f64>>;

fn numbers(cell: &str) -> Numbers {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("steps").join(format!("{cell}.txt"));
    let text = std::fs::read_to_string(path).expect("a file of numbers");
    (text.lines().filter(|line| !line.starts_with('#')))
        .map(|line| {
            let mut words = line.split(' ');
            let mut word = || words.next().expect("a kind and a name").to_owned();
            let key = (word(), word());
            (key, words.map(|word| word.parse().expect("a number")).collect())
        })
        .collect()
}

fn check_step<T: Wide>(cell: &str, engine: Engine, tolerance: f64) {
    let numbers = numbers(cell);
    let of = |kind: &str, name: &str| numbers[&(kind.to_owned(), name.to_owned())].as_slice();
    let value = |name: &str| of("value", name).iter().map(|&x| T::from_f64(x)).collect::<Vec<T>>();
    let entry = cellc_cells::find(cell).expect("a cell of the catalogue");
    let syntax = parse(&Source::new(cell, entry.source)).expect("the catalogue parses");
    let dims = [("I".to_owned(), 2), ("H".to_owned(), 3)];
    let graph = check(&syntax, &dims).expect("the catalogue checks").graph;
    let program = Program::<T>::new(&graph, engine).expect("the graph is valid");
    let interface = program.interface().clone();
    let params: Vec<_> = interface.params.iter().map(|port| value(&port.name)).collect();

    let mut sequence = program.sequence(1);
    sequence.reshape(Extent { steps: 1, batch: 1 });
    let InputMut::Real(x) = sequence.input_mut(0) else { panic!("x is real") };
    x.copy_from_slice(&value("x"));
    for (i, port) in interface.states.iter().enumerate() {
        sequence.initial_mut(i).copy_from_slice(&value(&port.name));
    }
    sequence.forward_with_tape(&params).expect("the step runs");
    for (i, port) in interface.states.iter().enumerate() {
        let found = COTANGENTS.iter().find(|(name, _)| *name == port.name).expect("h or c");
        sequence.final_cotangent_mut(i).copy_from_slice(&found.1.map(T::from_f64));
    }
    sequence.backward(&params).expect("there is a tape");

    let close = |found: &[T], kind: &str, name: &str| {
        let expected = of(kind, name);
        assert_eq!(found.len(), expected.len(), "{cell}: {kind} {name}");
        for (a, b) in found.iter().zip(expected) {
            let near = (a.to_f64() - b).abs() <= tolerance * b.abs().max(0.1);
            assert!(near, "{cell} on {engine:?}: {kind} {name} is {a}, not {b}");
        }
    };
    let mut compared = 0;
    for (i, port) in interface.states.iter().enumerate() {
        close(sequence.final_state(i), "result", &port.name);
        close(sequence.initial_gradient(i), "gradient", &port.name);
        compared += 2;
    }
    close(sequence.output(0), "result", "h");
    close(sequence.input_gradient(0).expect("x is real"), "gradient", "x");
    for (i, port) in interface.params.iter().enumerate() {
        close(sequence.param_gradient(i), "gradient", &port.name);
    }
    compared += 1 + interface.params.len();
    let expected = numbers.keys().filter(|(kind, _)| kind != "value").count();
    assert_eq!(compared, expected, "{cell}: every number is compared");
}

#[test]
fn steps_agree_with_their_equations() {
    for cell in ["rnn", "lstm", "gru", "gru_cho"] {
        for engine in [Engine::Interpreter, Engine::Jit] {
            check_step::<f64>(cell, engine, 2e-14);
            check_step::<f32>(cell, engine, 2e-6);
        }
    }
}
