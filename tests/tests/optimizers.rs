//! What PyTorch's optimisers and schedules computed, against what they give here.
//!
//! `recorded/optimizers.py` makes the file.

use cellc_train::optimizer::{Method, Optimizer, Plateau, PlateauSettings, Schedule};
use serde_json::Value;

fn recorded() -> Value {
    serde_json::from_str(include_str!("../recorded/pytorch_optimizers.json")).expect("JSON")
}

fn numbers(value: &Value) -> Vec<f64> {
    serde_json::from_value(value.clone()).expect("numbers")
}

/// One array cut to arrays of these shapes.
fn cut(shapes: &[Vec<usize>], mut numbers: Vec<f64>) -> Vec<Vec<f64>> {
    let part = |shape: &Vec<usize>| {
        let rest = numbers.split_off(shape.iter().product());
        std::mem::replace(&mut numbers, rest)
    };
    shapes.iter().map(part).collect()
}

fn check(name: &str, found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{name}");
    for (i, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= 1e-12 * b.abs().max(1.0), "{name}, {i}: {a}, not {b}");
    }
}

#[test]
fn each_method_goes_the_way_it_goes_in_pytorch() {
    let recorded = recorded();
    let shapes: Vec<Vec<usize>> =
        serde_json::from_value(recorded["shapes"].clone()).expect("shapes");
    let number = |key: &str| recorded[key].as_f64().expect("a number");
    let paths = recorded["paths"].as_object().expect("paths");
    for (name, path) in paths {
        let method = match name.as_str() {
            "rmsprop_momentum" => Method::RmsProp { alpha: 0.99, epsilon: 1e-8, momentum: 0.9 },
            name => Method::named(name).expect("a method"),
        };
        let mut optimizer = Optimizer::<f64>::new(method, number("weight_decay"), &shapes);
        let mut params = cut(&shapes, numbers(&recorded["begin"]));
        let steps = recorded["gradients"].as_array().expect("steps");
        for (gradients, expected) in steps.iter().zip(path.as_array().expect("steps")) {
            let gradients = cut(&shapes, numbers(gradients));
            let gradients: Vec<_> = gradients.iter().map(Vec::as_slice).collect();
            let mut slices: Vec<_> = params.iter_mut().map(Vec::as_mut_slice).collect();
            optimizer.step(&mut slices, &gradients, number("learning_rate"), 1.0);
            check(name, &params.concat(), &numbers(expected));
        }
        assert_eq!(optimizer.steps(), 5);
    }
    let missing = Method::NAMES.iter().find(|&&name| !paths.contains_key(name));
    assert_eq!(missing, None, "each method is recorded");
}

#[test]
fn one_cycle_is_that_of_pytorch() {
    for (total, expected) in recorded()["one_cycle"].as_object().expect("cycles") {
        let total: u64 = total.parse().expect("a number");
        let found: Vec<_> = (0..total).map(|i| Schedule::ONE_CYCLE.factor(i, total)).collect();
        check("one cycle", &found, &numbers(expected));
    }
}

#[test]
fn a_plateau_is_that_of_pytorch() {
    let recorded = &recorded()["plateau"];
    let settings =
        PlateauSettings { factor: 0.5, patience: 1, threshold: 1e-3, cooldown: 2, minimum: 0.1 };
    let mut plateau = Plateau::new(settings);
    let losses = numbers(&recorded["losses"]);
    let found: Vec<_> = losses.into_iter().map(|loss| plateau.observe(loss)).collect();
    check("plateau", &found, &numbers(&recorded["factors"]));
}
