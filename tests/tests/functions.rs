//! Functions, constants, hyper-parameters, defaults of dimensions and imports: a cell written with
//! them means what it means written out, by the interpreter and by native code.

use cellc_compiler::cell::{Cell, Initializer};
use cellc_compiler::ir::graph::Graph;
use cellc_runtime::gradcheck::{Options, check};
use cellc_runtime::program::{Engine, Program};
use cellc_runtime::sequence::Extent;
use cellc_tests::cells::{architecture, cell, graph};
use cellc_tests::compare::{difference, run};

const EXTENT: Extent = Extent { steps: 5, batch: 3 };

/// Holds two graphs of one interface against each other, on both engines.
#[track_caller]
fn agree(found: &Graph, expected: &Graph) {
    let expected = run::<f64>(expected, Engine::Interpreter, |_| true, 1, EXTENT, 7);
    for engine in [Engine::Interpreter, Engine::Jit] {
        for threads in [1, 2] {
            let found = run::<f64>(found, engine, |_| true, threads, EXTENT, 7);
            if let Some(difference) = difference(&found, &expected, 1e-12) {
                panic!("{engine:?}: {difference}");
            }
        }
    }
}

const LAYER_NORM_LSTM: &str = "
use layer_norm, standardize from norms

cell layernorm_lstm(I, H, G = 4 * H) {
    input x: [I]
    state h: [H], c: [H]
    param W: [G, I], U: [G, H]
    param gain_x, gain_h, b: [G], gain_c, b_c: [H]

    s = gain_x * standardize(W @ x) + layer_norm(U @ h, gain_h, b)
    f = sigmoid(s[..H])
    i = sigmoid(s[H..2 * H])
    g = tanh(s[2 * H..3 * H])
    o = sigmoid(s[3 * H..])
    next c = f * c + i * g
    next h = o * tanh(layer_norm(next c, gain_c, b_c))
    output h
}";

#[test]
fn a_cell_with_an_imported_function_is_the_one_written_out() {
    let dims = [("I", 5), ("H", 7)];
    agree(&cell(LAYER_NORM_LSTM, &dims, &[]).graph, &architecture("layernorm_lstm", &dims));
}

#[test]
fn norms_are_what_they_say() {
    let found = "
        use epsilon, l2_norm, rms_norm from norms
        cell f(N) {
            input x: [N]
            state h: [N]
            param gain: [N]
            next h = rms_norm(h + x, gain) + l2_norm(h - 2 * x) + epsilon
            output h
        }";
    let written_out = "
        cell f(N) {
            input x: [N]
            state h: [N]
            param gain: [N]
            a = h + x
            b = h - 2 * x
            rms = gain * a / sqrt(sum(a * a) / N + 1e-5)
            next h = rms + b / sqrt(sum(b * b) + 1e-5) + 1e-5
            output h
        }";
    agree(&graph(found, &[("N", 5)]), &graph(written_out, &[("N", 5)]));
}

/// Calls in any order, within each other, of several shapes; locals that are named like others; a
/// dimension of a pattern as a number, as an end of a slice and of an index.
const FUNCTIONS: &str = "
const half = 1 / 2, third = half * 2 / 3

fn outermost(v: [N], W: [M, N]) {
    a = affine(W, v)
    b = middle(a)
    return b * M / N + middle(third)
}
fn middle(x) = half * x + square(x)
fn affine(W, v) {
    b = W @ v
    return b - v[0]
}
fn last(v: [N]) = v[N - 1] + sum(v[N - 2..])
fn row(table: [V, E], i: index(V)) = table[i] / V

cell f(N, M, V) {
    input x: [N], k: index(V)
    state h: [M]
    param W: [M, N], U: [M, M], T: [V, M] ~ uniform(third)
    a = outermost(x, W)
    b = outermost(h, U)
    next h = tanh(a + b + row(T, k)) + half * last(h)
    output h
}";

const WRITTEN_OUT: &str = "
cell f(N, M, V) {
    input x: [N], k: index(V)
    state h: [M]
    param W: [M, N], U: [M, M], T: [V, M]
    t = 1 / 2 * 2 / 3
    u = 0.5 * t + t * t
    a = W @ x - x[0]
    b = U @ h - h[0]
    p = (0.5 * a + a * a) * M / N + u
    q = 0.5 * b + b * b + u
    r = T[k] / V
    next h = tanh(p + q + r) + 0.5 * (h[M - 1] + sum(h[M - 2..]))
    output h
}";

#[test]
fn functions_mean_what_they_stand_for() {
    let dims = [("N", 4), ("M", 3), ("V", 5)];
    let found = cell(FUNCTIONS, &dims, &[]);
    assert_eq!(found.initializers[2], Initializer::Uniform { low: -1.0 / 3.0, high: 1.0 / 3.0 });
    agree(&found.graph, &graph(WRITTEN_OUT, &dims));
    let program = Program::<f64>::of(&found, Engine::Jit).expect("it compiles");
    let report = check(&mut *program.sequence(1), &Options::default()).expect("it runs");
    assert!(report.passed(), "{report:#?}");
}

const HYPER: &str = "
cell leaky(H, P = H / 2, N = 2 * P) {
    hyper rate = 0.1, slope = 2 * rate / H
    input x: [P]
    state h: [N]
    param b: [N] = slope
    next h = (1 - rate) * h + rate * concat(x, x) + slope * b
    output h
}";

#[test]
fn hyper_parameters_and_dimensions_have_defaults_that_bindings_override() {
    let with = |dims: &[(&str, usize)], hypers: &[(&str, f64)]| cell(HYPER, dims, hypers);
    let constants = |found: &Cell| (found.dims.clone(), found.hypers.clone());
    let named = |dims: [(&str, usize); 3], hypers: [(&str, f64); 2]| {
        let dims = dims.map(|(name, size)| (name.to_owned(), size)).to_vec();
        (dims, hypers.map(|(name, value)| (name.to_owned(), value)).to_vec())
    };
    let default = with(&[("H", 4)], &[]);
    let expected = named([("H", 4), ("P", 2), ("N", 4)], [("rate", 0.1), ("slope", 0.05)]);
    assert_eq!(constants(&default), expected);
    assert_eq!(default.initializers, [Initializer::Constant(0.05)]);
    // What is made of a hyper-parameter follows it.
    let set = with(&[("H", 4)], &[("rate", 0.4)]);
    let expected = named([("H", 4), ("P", 2), ("N", 4)], [("rate", 0.4), ("slope", 0.2)]);
    assert_eq!(constants(&set), expected);
    let given = with(&[("H", 4), ("P", 3)], &[("slope", -1.0)]);
    let expected = named([("H", 4), ("P", 3), ("N", 6)], [("rate", 0.1), ("slope", -1.0)]);
    assert_eq!(constants(&given), expected);
    let written_out = "
        cell leaky(P, N) {
            input x: [P]
            state h: [N]
            param b: [N]
            next h = 0.6 * h + 0.4 * concat(x, x) + 0.2 * b
            output h
        }";
    agree(&set.graph, &graph(written_out, &[("P", 2), ("N", 4)]));
}
