//! Functions of the language that are made of several operations: their derivatives and their code.

use std::collections::BTreeSet;

use cellc_compiler::check::check;
use cellc_compiler::diagnostic::{Source, render};
use cellc_compiler::ir::graph::{Graph, OutputRole};
use cellc_compiler::pipeline::Graphs;
use cellc_compiler::syntax::parse;
use cellc_runtime::gradcheck::{self, Options};
use cellc_runtime::kernels::Wide;
use cellc_runtime::program::{Engine, Program};
use cellc_runtime::sequence::{Extent, InputMut};
use cellc_tests::compare::{difference, run};

/// Expressions of a vector `x`, a matrix state `C`, a parameter `W` and a number `s`.
const EXPRESSIONS: [&str; 37] = [
    "pow(x, 3)",
    "pow(x, -2)",
    "pow(abs(x) + 0.5, s)",
    "rsqrt(abs(x) + 0.1)",
    "x * sign(x)",
    "clamp(x, -0.5, s)",
    "leaky_relu(x)",
    "leaky_relu(x, s)",
    "elu(x)",
    "elu(x, s)",
    "gelu(x)",
    "gelu_tanh(x)",
    "silu(x)",
    "hard_sigmoid(3 * x)",
    "hard_tanh(x)",
    "x * floor(2 * x)",
    "sin(x) * cos(3 * x) + erf(x) + expm1(x) + log1p(abs(x))",
    "min(x) + max(x)",
    "amax(C, 0) * amin(C, 0)",
    "amax(C, 1) - amin(C, 1)",
    "norm(x) * x",
    "norm(C, 0)",
    "norm(C, 1)",
    "cumsum(x)",
    "cumsum(C, 0) + cumsum(C, 1)",
    "reshape(C, [N, M])",
    "cumsum(repeat(x, M + 1))",
    "C[1..] * C[..M - 1, ..]",
    "C[.., 1..N - 1]",
    "C[1] * C[M - 1]",
    "C[.., 0] * C[.., N - 1]",
    "C[1, 2] * x",
    "stack(x, x * x)",
    "concat_rows(C, W, ones([1, N]))",
    "concat_columns(C, W, eye(M))",
    "C @ transpose(W) + W @ transpose(C)",
    "(C * reshape(arange(M), [M, 1])) @ x",
];

fn graph(expression: &str, next: &str) -> Graph {
    let text = format!(
        "cell f(N, M) {{
            input x: [N], s: []
            state C: [M, N]
            param W: [M, N], v: [M]
            next C = {next}
            output y = {expression}
        }}"
    );
    let source = Source::new("test.cell", text);
    let dims = [("N".to_owned(), 7), ("M".to_owned(), 5)];
    let cell = parse(&source).and_then(|cell| check(&cell, &dims));
    cell.unwrap_or_else(|faults| panic!("{}", render(&faults, &source, false))).graph
}

fn check_graph(graph: &Graph, seed: u64) {
    let options =
        Options { cases: 2, max_steps: 4, max_batch: 3, entries: 8, seed, ..Options::default() };
    for engine in [Engine::Interpreter, Engine::Jit] {
        let program = Program::<f64>::new(graph, engine).expect("the graph is valid");
        let report = gradcheck::check(&mut *program.sequence(1), &options).expect("it runs");
        assert!(report.passed(), "{engine:?}: {:#?}\n{graph}", report.rows);
    }
    let extent = Extent { steps: 3, batch: 5 };
    let meaning = run::<f64>(graph, Engine::Interpreter, |_| true, 1, extent, seed);
    let double = run::<f64>(graph, Engine::Jit, |_| true, 1, extent, seed);
    assert_eq!(difference(&double, &meaning, 1e-12), None, "f64 of {graph}");
    let meaning = run::<f32>(graph, Engine::Interpreter, |_| true, 1, extent, seed);
    let single = run::<f32>(graph, Engine::Jit, |_| true, 1, extent, seed);
    assert_eq!(difference(&single, &meaning, 1e-4), None, "f32 of {graph}");
}

#[test]
fn derivatives_and_code() {
    for (seed, expression) in (0..).zip(EXPRESSIONS) {
        check_graph(&graph(expression, "tanh(0.5 * C + W + outer(v, x))"), seed);
    }
}

/// Matrix states go through the loop by every operation that a matrix has.
#[test]
fn matrix_states() {
    let nexts = [
        "0.9 * C + outer(v, x)",
        "C - outer(C @ x - v, x) * 0.1",
        "tanh(C @ transpose(W) @ C)",
        "concat_rows(C[1..], stack(tanh(v @ C)))",
        "concat_columns(C[.., 1..], reshape(tanh(C @ x), [M, 1]))",
        "transpose(softmax(transpose(C) * 0.5, 0)) + outer(sum(C * W, 1), x) * 0.1",
    ];
    for (seed, next) in (100..).zip(nexts) {
        check_graph(&graph("concat(C @ x, v @ C, sum(C * W, 0))", next), seed);
    }
}

/// The gradients of a sum of `expression` at given `x`, by both engines.
fn gradient<T: Wide>(expression: &str, x: &[f64], tolerance: f64) -> Vec<f64> {
    let text = format!("cell f(N) {{\n    input x: [N]\n    output y = {expression}\n}}");
    let source = Source::new("test.cell", text);
    let cell = parse(&source).and_then(|cell| check(&cell, &[("N".to_owned(), x.len())]));
    let graph = cell.unwrap_or_else(|faults| panic!("{}", render(&faults, &source, false))).graph;
    let [meaning, native] = [Engine::Interpreter, Engine::Jit].map(|engine| {
        let program = Program::<T>::new(&graph, engine).expect("the graph is valid");
        let mut sequence = program.sequence(1);
        sequence.reshape(Extent { steps: 1, batch: 1 });
        let InputMut::Real(data) = sequence.input_mut(0) else { panic!("inputs are real") };
        data.iter_mut().zip(x).for_each(|(to, &x)| *to = T::from_f64(x));
        sequence.forward_with_tape(&[]).expect("the graph runs");
        sequence.output_cotangent_mut(0).fill(T::from_f64(1.0));
        sequence.backward(&[]).expect("there is a tape");
        let gradient = sequence.input_gradient(0).expect("inputs are real");
        gradient.iter().map(|g| g.to_f64()).collect::<Vec<_>>()
    });
    for (a, b) in native.iter().zip(&meaning) {
        let close = a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= tolerance;
        assert!(close, "{expression}: {native:?} and {meaning:?}");
    }
    meaning
}

/// What the documentation says of derivatives at kinks, and far out, where `inf * 0` lurks.
#[test]
fn derivatives_at_edges() {
    let cases: [(&str, &[f64], &[f64]); 16] = [
        ("leaky_relu(x)", &[-1.0, 0.0, 1.0], &[0.01, 0.01, 1.0]),
        ("elu(x)", &[-1e30, 0.0, 1e30], &[0.0, 1.0, 1.0]),
        ("gelu(x)", &[-1e30, 0.0, 1e30], &[0.0, 0.5, 1.0]),
        ("gelu_tanh(x)", &[-1e30, 0.0, 1e30], &[0.0, 0.5, 1.0]),
        ("silu(x)", &[-1e30, 0.0, 1e30], &[0.0, 0.5, 1.0]),
        ("gelu(x) + gelu_tanh(x) + silu(x)", &[f64::NEG_INFINITY], &[0.0]),
        ("hard_tanh(x)", &[-1.0, 0.0, 1.0, 2.0], &[0.5, 1.0, 0.5, 0.0]),
        ("hard_sigmoid(x)", &[-3.0, 0.0, 3.0], &[1.0 / 12.0, 1.0 / 6.0, 1.0 / 12.0]),
        ("sign(x) + floor(x)", &[-1.0, 0.0, 0.5], &[0.0; 3]),
        ("pow(x, 2)", &[-3.0, 0.0, 2.0], &[-6.0, 0.0, 4.0]),
        ("pow(x, 0) + pow(x, 1)", &[-3.0, 0.0], &[1.0, 1.0]),
        ("pow(x, 9)", &[-1.0, 0.0], &[9.0, 0.0]),
        ("norm(x) * ones([N])", &[0.0, 0.0], &[0.0, 0.0]),
        ("amin(x) * ones([N])", &[1.0, 2.0, 1.0], &[1.5, 0.0, 1.5]),
        ("x * stop_gradient(x)", &[3.0, -2.0], &[3.0, -2.0]),
        ("stop_gradient(tanh(x)) + x", &[3.0, -2.0], &[1.0, 1.0]),
    ];
    for (expression, x, expected) in cases {
        let found = gradient::<f64>(expression, x, 1e-12);
        for (a, b) in found.iter().zip(expected) {
            assert!((a - b).abs() <= 1e-12, "{expression}: {found:?}, not {expected:?}");
        }
    }
}

/// Limits: what is 1 above or 0 below in the end is so at infinity, and no `inf * 0`.
#[test]
fn derivatives_at_infinity() {
    const FAR: [f64; 8] =
        [f64::NEG_INFINITY, -1e38, -2000.0, -200.0, 200.0, 2000.0, 1e38, f64::INFINITY];
    const STEP: [f64; 8] = [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0];
    const FLAT: [f64; 8] = [0.0; 8];
    let cases: [(&str, [f64; 8]); 14] = [
        ("silu(x)", STEP),
        ("gelu(x)", STEP),
        ("gelu_tanh(x)", STEP),
        ("elu(x)", STEP),
        ("elu(x, 0.5)", STEP),
        ("softplus(x)", STEP),
        ("relu(x)", STEP),
        ("leaky_relu(x, 0)", STEP),
        ("tanh(x) + sigmoid(x) + erf(x)", FLAT),
        ("hard_sigmoid(x) + hard_tanh(x)", FLAT),
        ("sigmoid(tanh(x)) + tanh(sigmoid(x)) + sigmoid(2 * x - 1)", FLAT),
        ("tanh(softplus(x)) + sigmoid(silu(x)) + erf(gelu(x)) + tanh(elu(x))", FLAT),
        ("exp(-softplus(x))", FLAT),
        ("silu(silu(x)) + gelu(gelu(x))", [0.0, 0.0, 0.0, 0.0, 2.0, 2.0, 2.0, 2.0]),
    ];
    for (expression, expected) in cases {
        let double = gradient::<f64>(expression, &FAR, 1e-12);
        let single = gradient::<f32>(expression, &FAR, 1e-6);
        for found in [double, single] {
            for (a, b) in found.iter().zip(expected) {
                let right = (a - b).abs() <= 1e-6;
                assert!(right, "{expression}: {found:?}, not {expected:?}");
            }
        }
    }
    // A slope that is learnt has no part of what is above 0.
    assert_eq!(gradient::<f64>("leaky_relu(exp(1e3), x)", &[0.5], 0.0), [0.0]);
    assert_eq!(gradient::<f32>("elu(exp(1e3), x)", &[0.5], 0.0), [0.0]);
    // A term that is -inf has no share, and one that is infinite has all of it.
    let inf = f64::INFINITY;
    let shares = [
        (-inf, [0.0, 0.5, 0.5]),
        (-1e30, [0.0, 0.5, 0.5]),
        (1e30, [1.0, 0.0, 0.0]),
        (inf, [1.0, 0.0, 0.0]),
    ];
    for (x, expected) in shares {
        assert_eq!(gradient::<f64>("logsumexp(x)", &[x, 2.0, 2.0], 1e-12), expected);
    }
}

/// The derivatives of a product and of a sigmoid ask for one value, which is stopped for the product.
fn graph_of_stop() -> Graph {
    graph("W @ stop_gradient(sigmoid(x * s)) * sum(sigmoid(x * s))", "C")
}

/// A stop is gone once there is a gradient.
#[test]
fn stops_take_no_code() {
    let graph = graph("x * stop_gradient(sigmoid(x))", "C");
    let graphs = Graphs::new(&graph, |_| true).expect("it compiles");
    for graph in [&graphs.forward, &graphs.taped, &graphs.backward] {
        assert!(!graph.to_string().contains("= stop "), "{graph}");
    }
    // Nor does the tape keep a value twice.
    let graph = graph_of_stop();
    let graphs = Graphs::new(&graph, |_| true).expect("it compiles");
    let residuals = graphs.taped.outputs_of(OutputRole::Residual);
    let kept: Vec<_> = residuals.map(|output| output.value).collect();
    let distinct: BTreeSet<_> = kept.iter().collect();
    assert_eq!(kept.len(), distinct.len(), "{}", graphs.taped);
}
