use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::super::*;

/// Params after each of three steps along the gradients 1, -2 and 0.5 at lr 0.1, from 1.
fn path(method: Method, weight_decay: f64) -> Vec<f64> {
    let mut optimizer = Optimizer::<f64>::new(method, weight_decay, &[vec![1]]);
    let mut param = [1.0];
    let mut step = |g: f64| {
        optimizer.step(&mut [&mut param], &[&[g]], 0.1, 1.0);
        param[0]
    };
    vec![step(1.0), step(-2.0), step(0.5)]
}

fn check(found: &[f64], expected: &[f64]) {
    let close = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-12;
    assert!(found.iter().zip(expected).all(close), "{found:?}, not {expected:?}");
}

#[test]
fn sgd_follows_the_gradient() {
    check(&path(Method::SGD, 0.0), &[0.9, 1.1, 1.05]);
}

#[test]
fn momentum_keeps_its_velocity() {
    // v = 1; 0.9 - 2 = -1.1; -0.99 + 0.5 = -0.49
    check(&path(Method::MOMENTUM, 0.0), &[0.9, 1.01, 1.059]);
}

#[test]
fn adam_corrects_its_moments() {
    // m = 0.1, -0.11, -0.049; s = 0.001, 0.004999, 0.005244001, each by hand.
    let by_hand = |m: f64, s: f64, t: i32| {
        let (m, s) = (m / (1.0 - 0.9_f64.powi(t)), s / (1.0 - 0.999_f64.powi(t)));
        0.1 * m / (s.sqrt() + 1e-8)
    };
    let one = 1.0 - by_hand(0.1, 0.001, 1);
    let two = one - by_hand(-0.11, 0.004_999, 2);
    let three = two - by_hand(-0.049, 0.005_244_001, 3);
    assert!((one - 0.9).abs() < 1e-8, "the first step is lr, whatever the gradient");
    check(&path(Method::ADAM, 0.0), &[one, two, three]);
}

#[test]
fn lion_moves_by_the_learning_rate_alone() {
    // The mean is 0.01, so the second step is along 0.009 - 0.2; then 0.9 * -0.0101 + 0.05.
    check(&path(Method::LION, 0.0), &[0.9, 1.0, 0.9]);
}

#[test]
fn weight_decay_is_in_the_gradient_or_apart_from_it() {
    check(&path(Method::SGD, 0.5)[..2], &[0.95 - 0.1, 0.85 * 0.95 + 0.2]);
    // Adam's first step is as long with as without; AdamW's parameter shrinks besides.
    assert!((path(Method::ADAM, 0.5)[0] - 0.9).abs() < 1e-8);
    assert!((path(Method::ADAMW, 0.5)[0] - (0.95 - 0.1)).abs() < 1e-8);
}

#[test]
fn some_parameters_are_spared_weight_decay() {
    for method in Method::ALL {
        let mut optimizer =
            Optimizer::<f64>::new(method, 0.5, &[vec![1], vec![1]]).without_decay([1]);
        let (mut a, mut b) = ([1.0], [1.0]);
        optimizer.step(&mut [&mut a, &mut b], &[&[0.0], &[0.0]], 0.1, 1.0);
        assert!(a[0] < 1.0 && b[0] == 1.0, "{}: {a:?} {b:?}", method.name());
    }
}

#[test]
fn the_scale_multiplies_gradients_after_their_limit() {
    let mut optimizer = Optimizer::<f64>::new(Method::SGD, 0.0, &[vec![2]]);
    let mut param = [1.0, 2.0];
    optimizer.step(&mut [&mut param], &[&[1.0, -1.0]], 1.0, 0.5);
    assert_eq!(param, [0.5, 2.5]);
    optimizer.step(&mut [&mut param], &[&[0.5, -8.0]], 1.0, Scale { limit: 4.0, factor: 0.5 });
    assert_eq!(param, [0.25, 4.5]);
}

const SHAPES: [&[usize]; 4] = [&[7, 12], &[33], &[9, 4], &[2, 1, 3]];

fn shapes() -> Vec<Vec<usize>> {
    SHAPES.iter().map(|shape| shape.to_vec()).collect()
}

/// Random numbers from -1 to 1.
fn noise(seed: usize, size: usize) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed as u64);
    (0..size).map(|_| rng.random_range(-1.0..1.0)).collect()
}

fn arrays(seed: usize, shapes: &[Vec<usize>]) -> Vec<Vec<f32>> {
    let array = |(i, shape): (usize, &Vec<usize>)| noise(seed + i, shape.iter().product());
    shapes.iter().enumerate().map(array).collect()
}

fn steps(
    optimizer: &mut Optimizer<f32>,
    params: &mut [Vec<f32>],
    shapes: &[Vec<usize>],
    steps: std::ops::Range<usize>,
) {
    for step in steps {
        let gradients = arrays(10 + 10 * step, shapes);
        let gradients: Vec<_> = gradients.iter().map(Vec::as_slice).collect();
        let mut params: Vec<_> = params.iter_mut().map(Vec::as_mut_slice).collect();
        optimizer.step(&mut params, &gradients, 0.01, 0.7);
    }
}

fn with_momentum() -> Method {
    Method::RmsProp { alpha: 0.9, epsilon: 1e-8, momentum: 0.9 }
}

#[test]
fn a_restored_optimizer_goes_on_as_if_nothing_had_happened() {
    for method in Method::ALL.into_iter().chain([with_momentum()]) {
        let shapes = shapes();
        let new = || Optimizer::<f32>::new(method, 0.1, &shapes).with_vectors([2]);
        let (mut whole, mut params) = (new(), arrays(1, &shapes));
        steps(&mut whole, &mut params, &shapes, 0..3);
        let mut restored = new();
        let moments = whole.moments().into_iter().map(<[_]>::to_vec).collect();
        restored.restore(whole.steps(), moments).unwrap();
        let mut again = params.clone();
        steps(&mut whole, &mut params, &shapes, 3..7);
        steps(&mut restored, &mut again, &shapes, 3..7);
        assert_eq!((params, whole), (again, restored), "{}", method.name());
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    for method in Method::ALL.into_iter().chain([with_momentum()]) {
        // Large enough to be shared, and no multiple of what one thread does in one go.
        let shapes = [vec![100_003], vec![40, 72], vec![64, 100], vec![200_001]];
        let run = |threads| {
            let mut optimizer = Optimizer::<f32>::new(method, 0.1, &shapes).with_threads(threads);
            let mut params = arrays(1, &shapes);
            steps(&mut optimizer, &mut params, &shapes, 0..2);
            let moments: Vec<_> = optimizer.moments().into_iter().map(<[_]>::to_vec).collect();
            (params, moments)
        };
        assert!(run(1) == run(3), "{}", method.name());
    }
}

#[test]
fn a_long_parameter_is_updated_as_its_parts_would_be() {
    for method in Method::ALL.into_iter().chain([with_momentum()]) {
        let cuts = [20_001, 40_000, 5];
        let size = cuts.iter().sum();
        let (begin, gradients) = (noise(1, size), [noise(2, size), noise(3, size)]);
        let run = |sizes: &[usize]| {
            let shapes: Vec<_> = sizes.iter().map(|&size| vec![size]).collect();
            let mut optimizer = Optimizer::<f32>::new(method, 0.1, &shapes);
            let mut param = begin.clone();
            for gradient in &gradients {
                let (mut params, mut parts) = (Vec::new(), Vec::new());
                let (mut rest, mut rest_of_gradient) = (param.as_mut_slice(), gradient.as_slice());
                for &size in sizes {
                    let (part, after) = rest.split_at_mut(size);
                    params.push(part);
                    rest = after;
                    parts.push(&rest_of_gradient[..size]);
                    rest_of_gradient = &rest_of_gradient[size..];
                }
                optimizer.step(&mut params, &parts, 0.01, 1.0);
            }
            param
        };
        assert!(run(&[size]) == run(&cuts), "{}", method.name());
    }
}

#[test]
fn a_state_of_something_else_is_an_error_and_changes_nothing() {
    let mut adam = Optimizer::<f32>::new(Method::ADAM, 0.0, &[vec![2], vec![3]]);
    let before = adam.clone();
    let moments = |sizes: &[&[usize]]| -> Vec<Vec<Vec<f32>>> {
        let zeros = |sizes: &&[usize]| sizes.iter().map(|&size| vec![1.0; size]).collect();
        sizes.iter().map(zeros).collect()
    };
    let mut message = |sizes: &[&[usize]]| {
        let error = adam.restore(3, moments(sizes)).unwrap_err().to_string();
        assert_eq!(adam, before);
        error
    };
    assert_eq!(message(&[&[2, 2]]), "the state is of 1 parameters; the model has 2");
    assert_eq!(
        message(&[&[2, 2], &[3]]),
        "the state has 1 arrays for parameter 1; the optimiser keeps 2"
    );
    assert_eq!(
        message(&[&[2, 2], &[3, 4]]),
        "the state has 4 numbers for parameter 1, which has 3"
    );
    adam.restore(3, moments(&[&[2, 2], &[3, 3]])).unwrap();
    assert_eq!((adam.steps(), adam.size()), (3, 10));
}

#[test]
fn muon_remembers_one_array_of_matrices_and_two_of_all_else() {
    let shapes = [vec![3, 4], vec![5], vec![6, 2], vec![1, 4], vec![2, 2, 2]];
    let muon = Optimizer::<f32>::new(Method::MUON, 0.0, &shapes).with_vectors([2]);
    let counts: Vec<_> = muon.moments().iter().map(|moments| moments.len()).collect();
    assert_eq!(counts, [1, 2, 2, 2, 2]);
}

#[test]
fn orthogonal_steps_have_singular_values_of_about_one() {
    for extents @ (rows, columns) in [(5, 9), (9, 5), (8, 16), (2, 2)] {
        let noise = noise(3, rows * columns).into_iter().map(f64::from);
        let o = orthogonal::orthogonalize(&noise.collect::<Vec<_>>(), extents);
        // The trace of the smaller Gram matrix is the sum of the squares of all singular values.
        let squares = o.iter().map(|x| x * x).sum::<f64>() / rows.min(columns) as f64;
        assert!((0.5..1.5).contains(&squares), "{extents:?}: {squares}");
        // Of any direction, no more than the largest singular value is left.
        let sums = (0..rows).map(|i| o[i * columns..][..columns].iter().sum::<f64>());
        let norm = sums.map(|x| x * x).sum::<f64>().sqrt() / (columns as f64).sqrt();
        assert!(norm < 1.25, "{extents:?}: {norm}");
    }
}

/// How far from its minimum a method ends on a function of two matrices' elements.
fn minimise(
    method: Method,
    rate: f64,
    begin: &[f64],
    gradient: impl Fn(&[f64]) -> Vec<f64>,
) -> Vec<f64> {
    let shape = vec![2, begin.len() / 2];
    let mut optimizer = Optimizer::<f64>::new(method, 0.0, &[shape]);
    let mut param = begin.to_vec();
    let steps = 4000;
    for step in 0..steps {
        let gradient = gradient(&param);
        let rate = rate * Schedule::COSINE.factor(step, steps);
        optimizer.step(&mut [&mut param], &[&gradient], rate, 1.0);
    }
    param
}

#[test]
fn each_method_minimises_a_quadratic_function() {
    for (method, rate) in rates() {
        let aim = [1.0, -2.0, 0.5, 3.0];
        let scale = [1.0, 10.0, 0.3, 2.0];
        let found = minimise(method, rate, &[0.0; 4], |p| {
            (0..4).map(|i| scale[i] * (p[i] - aim[i])).collect()
        });
        let far = found.iter().zip(aim).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(far < 1e-2, "{}: {found:?}", method.name());
    }
}

#[test]
fn each_method_descends_a_curved_valley() {
    // Rosenbrock's function of two pairs of numbers, less steep than his: (1 - x)² + 10 (y - x²)².
    let value = |p: &[f64]| -> f64 {
        let pair = |(x, y): (f64, f64)| (1.0 - x).powi(2) + 10.0 * (y - x * x).powi(2);
        pair((p[0], p[1])) + pair((p[2], p[3]))
    };
    let begin = [-1.0, 1.0, 0.5, -0.5];
    for (method, rate) in rates() {
        // What goes down by the gradient itself is no faster than the valley is steep.
        let rate = rate.min(0.01) * if method == Method::ADAGRAD { 50.0 } else { 1.0 };
        let found = minimise(method, rate, &begin, |p| {
            let pair = |x: f64, y: f64| {
                let bend = y - x * x;
                [-2.0 * (1.0 - x) - 40.0 * x * bend, 20.0 * bend]
            };
            [pair(p[0], p[1]), pair(p[2], p[3])].concat()
        });
        assert!(value(&found) < 0.02, "{}: {found:?}, {}", method.name(), value(&found));
    }
}

/// Methods with rates that fit functions of about unit curvature.
fn rates() -> Vec<(Method, f64)> {
    let rate = |method| match method {
        Method::Sgd {} | Method::Nesterov { .. } | Method::Momentum { .. } => 0.05,
        Method::AdaGrad { .. } => 0.5,
        _ => 0.02,
    };
    Method::ALL.into_iter().map(|method| (method, rate(method))).collect()
}

#[test]
fn no_method_makes_nan_of_finite_gradients() {
    for method in Method::ALL.into_iter().chain([with_momentum()]) {
        for size in [0.0, 1e-45, 1e-30, 1.0, 1e18, 1e30, f32::MAX] {
            let shapes = shapes();
            let mut optimizer = Optimizer::<f32>::new(method, 0.0, &shapes);
            let mut params = arrays(1, &shapes);
            for step in 0..20 {
                let sign = if step % 3 == 0 { -1.0 } else { 1.0 };
                let gradients: Vec<Vec<f32>> =
                    params.iter().map(|param| vec![sign * size; param.len()]).collect();
                let gradients: Vec<_> = gradients.iter().map(Vec::as_slice).collect();
                let mut params: Vec<_> = params.iter_mut().map(Vec::as_mut_slice).collect();
                // Without a limit of the norm, the plain sum of such gradients is infinite.
                let scale = clip_scale(global_norm(&gradients), 1e30);
                optimizer.step(&mut params, &gradients, 1e-3, scale);
            }
            let nan = params.iter().flatten().any(|p| p.is_nan());
            assert!(!nan, "{} of {size:e}", method.name());
        }
    }
}

#[test]
fn nan_is_never_hidden() {
    for method in Method::ALL {
        let mut optimizer = Optimizer::<f32>::new(method, 0.0, &[vec![2, 2], vec![3]]);
        let (mut a, mut b) = ([1.0; 4], [1.0; 3]);
        let scale = Scale { limit: 1.0, factor: 1.0 };
        let gradients: [&[f32]; 2] = [&[1.0, f32::NAN, 1.0, 1.0], &[f32::NAN, 1.0, 1.0]];
        optimizer.step(&mut [&mut a, &mut b], &gradients, 0.1, scale);
        assert!(a[1].is_nan() && b[0].is_nan(), "{}: {a:?} {b:?}", method.name());
        assert!(b[1].is_finite());
    }
}
