//! What expressions of the language mean: their values by the interpreter against closed forms.

use std::f64::consts::LN_2;

use cellc_compiler::check::check;
use cellc_compiler::diagnostic::{Source, render};
use cellc_compiler::ir::eval::{Datum, eval};
use cellc_compiler::ir::graph::OutputRole;
use cellc_compiler::ir::op::Op;
use cellc_compiler::syntax::parse;

/// The outputs and next values of a cell, by name, for given values of its arguments.
fn run(text: &str, dims: &[(&str, usize)], values: &[(&str, &[f64])]) -> Vec<(String, Vec<f64>)> {
    let source = Source::new("test.cell", text);
    let dims: Vec<_> = dims.iter().map(|(dim, size)| ((*dim).to_owned(), *size)).collect();
    let cell = parse(&source).and_then(|cell| check(&cell, &dims));
    let graph = cell.unwrap_or_else(|faults| panic!("{}", render(&faults, &source, false))).graph;
    let results = eval::<f64>(&graph, |id| match graph.op(id) {
        Op::Argument { name, .. } => {
            let (_, value) =
                values.iter().find(|(other, _)| other == name).expect("every argument has a value");
            if graph.ty(id).is_real() {
                Datum::Real(value.to_vec())
            } else {
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
                Datum::Index(value[0] as usize)
            }
        }
        _ => unreachable!("only arguments are bound"),
    });
    let of = |role: OutputRole| {
        let results = &results;
        let named = move |output: &cellc_compiler::ir::graph::Output| {
            (output.name.clone(), results[output.value.index()].real().to_vec())
        };
        graph.outputs_of(role).map(named).collect::<Vec<_>>()
    };
    [of(OutputRole::Next), of(OutputRole::Output)].concat()
}

fn assert_close(found: &[f64], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}: {found:?}, not {expected:?}");
    for (a, b) in found.iter().zip(expected) {
        let close = a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= 1e-12 * b.abs().max(1.0);
        assert!(close, "{what}: {found:?}, not {expected:?}");
    }
}

const X: [f64; 3] = [0.5, -2.0, 0.0];
const W: [f64; 6] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];

#[test]
fn expressions_mean_what_they_say() {
    let sums = [(2.5_f64.exp() + 1.0).ln(), (0.5_f64.exp() + (-2.0_f64).exp() + 1.0).ln()];
    let cases: [(&str, &[f64]); 94] = [
        ("2 * 3 - 4 / 8", &[5.5]),
        ("-x * 2", &[-1.0, 4.0, 0.0]),
        ("x - (1 - 3)", &[2.5, 0.0, 2.0]),
        ("N + 1 / M", &[3.5]),
        ("x > -1", &[1.0, 0.0, 1.0]),
        ("0 >= x", &[0.0, 1.0, 1.0]),
        ("(x <= 0) + (x == 0)", &[0.0, 1.0, 2.0]),
        ("1 - (x < 0)", &[1.0, 0.0, 1.0]),
        ("W @ x", &[-3.5, -8.0]),
        ("x @ transpose(W)", &[-3.5, -8.0]),
        ("u @ W", &[-3.0, -3.0, -3.0]),
        ("W * x", &[0.5, -4.0, 0.0, 2.0, -10.0, 0.0]),
        ("W @ x * 2", &[-7.0, -16.0]),
        ("outer(u, x)", &[0.5, -2.0, 0.0, -0.5, 2.0, 0.0]),
        ("dot(x, x)", &[4.25]),
        ("transpose(W)", &[1.0, 4.0, 2.0, 5.0, 3.0, 6.0]),
        ("concat(x, 7, u)", &[0.5, -2.0, 0.0, 7.0, 1.0, -1.0]),
        ("x[1..]", &[-2.0, 0.0]),
        ("x[..N - 1]", &[0.5, -2.0]),
        ("x[1..2]", &[-2.0]),
        ("x[N - 1] + x[0]", &[0.5]),
        ("W[i]", &[4.0, 5.0, 6.0]),
        ("u[i]", &[-1.0]),
        ("max(x, 0)", &[0.5, 0.0, 0.0]),
        ("min(x, u[0])", &[0.5, -2.0, 0.0]),
        ("max(x)", &[0.5]),
        ("select(x, x, 9)", &[0.5, -2.0, 9.0]),
        ("sum(W) + sum(1)", &[22.0]),
        ("sum(W, 0)", &[5.0, 7.0, 9.0]),
        ("mean(W, 1)", &[2.0, 5.0]),
        ("mean(W)", &[3.5]),
        ("square(x)", &[0.25, 4.0, 0.0]),
        ("softmax(1000 * u)", &[1.0, 0.0]),
        ("log_softmax(1000 * u)", &[0.0, -2000.0]),
        ("softmax(0 * W, 1)", &[1.0 / 3.0; 6]),
        ("softmax(0 * W, 0)", &[0.5; 6]),
        ("softplus(concat(0, 1000, -1000))", &[LN_2, 1000.0, 0.0]),
        // What log(1 + e^x) itself would lose.
        ("1e9 * softplus(concat(0 - 20, x[2]))", &[2.061_153_620_314_381, 1e9 * LN_2]),
        ("logsumexp(log(concat(0, 0)))", &[f64::NEG_INFINITY]),
        ("logsumexp(concat(1, 0 - log(0)))", &[f64::INFINITY]),
        ("concat(logsumexp(concat(2.5, 0)), logsumexp(x))", &sums),
        ("x != 0", &[1.0, 1.0, 0.0]),
        ("log(-x) != log(-x)", &[1.0, 0.0, 0.0]),
        ("pow(x, 2) + pow(x, 0)", &[1.25, 5.0, 1.0]),
        ("pow(x, -3)", &[8.0, -0.125, f64::INFINITY]),
        ("pow(x, 7) / pow(x, 6) * (x != 0)", &[0.5, -2.0, f64::NAN]),
        ("pow(square(x), 1.5)", &[0.125, 8.0, 0.0]),
        ("pow(abs(x), x)", &[0.5_f64.sqrt(), 0.25, 1.0]),
        ("rsqrt(square(x) + 4)", &[4.25_f64.sqrt().recip(), 8.0_f64.sqrt().recip(), 0.5]),
        ("sign(x)", &[1.0, -1.0, 0.0]),
        ("floor(x + 0.25)", &[0.0, -2.0, 0.0]),
        ("clamp(x, -1, u[0])", &[0.5, -1.0, 0.0]),
        ("leaky_relu(x)", &[0.5, -0.02, 0.0]),
        ("leaky_relu(x, u[0] / 4)", &[0.5, -0.5, 0.0]),
        ("elu(x)", &[0.5, -0.864_664_716_763_387_3, 0.0]),
        ("elu(x, 2) / 2", &[0.25, -0.864_664_716_763_387_3, 0.0]),
        ("1e9 * elu(concat(-1e-9, -1e30, 1e-9))", &[-1.0 + 0.5e-9, -1e9, 1.0]),
        ("gelu(x)", &[0.345_731_230_636_946_1, -0.045_500_263_896_358_4, 0.0]),
        ("gelu(concat(1e30, -1e30, 0 - 1e300 * 1e300))", &[1e30, 0.0, 0.0]),
        ("gelu_tanh(x)", &[0.345_714_009_825_143_94, -0.045_402_305_912_224_97, 0.0]),
        ("gelu_tanh(concat(1e30, -1e30, 0 - 1e300 * 1e300))", &[1e30, 0.0, 0.0]),
        ("silu(x)", &[0.311_229_665_600_927_3, -0.238_405_844_044_235_1, 0.0]),
        ("silu(concat(1e30, -1e30, 0 - 1e300 * 1e300))", &[1e30, 0.0, 0.0]),
        ("hard_sigmoid(4 * x)", &[5.0 / 6.0, 0.0, 0.5]),
        ("hard_tanh(x)", &[0.5, -1.0, 0.0]),
        ("sin(x) * sin(x) + cos(x) * cos(x)", &[1.0, 1.0, 1.0]),
        ("erf(x)", &[0.520_499_877_813_046_5, -0.995_322_265_018_952_7, 0.0]),
        ("1e9 * (expm1(x / 1e9) + log1p(x / 1e9))", &[1.0, -4.0, 0.0]),
        ("stop_gradient(x)", &[0.5, -2.0, 0.0]),
        ("min(x) + max(x) + amin(x) + amax(x)", &[-3.0]),
        ("amax(W, 0) + amin(W, 0)", &[5.0, 7.0, 9.0]),
        ("amax(W, 1) - amin(W, 1)", &[2.0, 2.0]),
        ("norm(x) + norm(0 * x)", &[4.25_f64.sqrt()]),
        ("norm(concat_rows(W, 0 * W), 1)", &[14.0_f64.sqrt(), 77.0_f64.sqrt(), 0.0, 0.0]),
        ("cumsum(x)", &[0.5, -1.5, -1.5]),
        ("cumsum(arange(7))", &[0.0, 1.0, 3.0, 6.0, 10.0, 15.0, 21.0]),
        ("cumsum(W, 0)", &[1.0, 2.0, 3.0, 5.0, 7.0, 9.0]),
        ("cumsum(W, 1)", &[1.0, 3.0, 6.0, 4.0, 9.0, 15.0]),
        ("reshape(W, [N, M]) @ u", &[-1.0, -1.0, -1.0]),
        ("reshape(W, [M * N])[1..3]", &[2.0, 3.0]),
        ("repeat(x, M)", &[0.5, 0.5, -2.0, -2.0, 0.0, 0.0]),
        ("repeat(W[1], 1)", &[4.0, 5.0, 6.0]),
        ("reshape(x[..1], [])", &[0.5]),
        ("W[1..]", &[4.0, 5.0, 6.0]),
        ("W[M - 1] - W[0]", &[3.0, 3.0, 3.0]),
        ("W[.., 1]", &[2.0, 5.0]),
        ("W[1, ..2] + W[.., 1..][0]", &[6.0, 8.0]),
        ("W[1, 2]", &[6.0]),
        ("W[..1, N - 2..]", &[2.0, 3.0]),
        ("stack(x, -x)", &[0.5, -2.0, 0.0, -0.5, 2.0, 0.0]),
        ("concat_columns(W, eye(M))", &[1.0, 2.0, 3.0, 1.0, 0.0, 4.0, 5.0, 6.0, 0.0, 1.0]),
        ("zeros([M]) + ones([1, M])", &[1.0, 1.0]),
        ("W @ transpose(W)", &[14.0, 32.0, 32.0, 77.0]),
        // A causal mask: what is at or before each row.
        ("sum(arange(N) <= reshape(arange(N), [N, 1]), 1)", &[1.0, 2.0, 3.0]),
    ];
    for (expression, expected) in cases {
        let text = format!(
            "cell f(N, M) {{
                input x: [N], u: [M], i: index(M)
                param W: [M, N]
                output y = {expression}
            }}"
        );
        let values: [(&str, &[f64]); 4] =
            [("x", &X), ("u", &[1.0, -1.0]), ("i", &[1.0]), ("W", &W)];
        let results = run(&text, &[("N", 3), ("M", 2)], &values);
        assert_close(&results[0].1, expected, expression);
    }
}

#[test]
fn states_and_outputs_are_of_the_right_time_step() {
    let text = "
        cell f() {
            input x: []
            state a: [], b: []
            output b
            next b = a + x
            next a = 10 * next b
            output old = a
            output a
        }";
    let results = run(text, &[], &[("x", &[1.0]), ("a", &[2.0]), ("b", &[3.0])]);
    let expected = [("a", 30.0), ("b", 3.0), ("b", 3.0), ("old", 2.0), ("a", 30.0)];
    let results: Vec<_> = results.iter().map(|(name, value)| (name.as_str(), value[0])).collect();
    assert_eq!(results, expected);
}

fn catalogue(name: &str, dims: &[(&str, usize)], values: &[(&str, &[f64])]) -> Vec<f64> {
    let entry = cellc_cells::find(name).expect("a cell of the catalogue");
    run(entry.source, dims, values).pop().expect("an output").1
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Both conventions of the GRU, with one unit, against their equations.
#[test]
fn the_reset_gate_acts_where_the_name_says() {
    let (x, h) = (0.7, -0.4);
    let weights: [(&str, &[f64]); 12] = [
        ("x", &[0.7]),
        ("h", &[-0.4]),
        ("W_r", &[0.1]),
        ("W_z", &[0.2]),
        ("W_n", &[0.3]),
        ("U_r", &[0.4]),
        ("U_z", &[0.5]),
        ("U_n", &[0.6]),
        ("b_r", &[0.7]),
        ("b_z", &[0.8]),
        ("b_n", &[0.9]),
        ("c_n", &[1.1]),
    ];
    let dims = [("I", 1), ("H", 1)];
    let r = sigmoid(0.1 * x + 0.4 * h + 0.7);
    let z = sigmoid(0.2 * x + 0.5 * h + 0.8);
    let after = (0.3 * x + 0.9 + r * (0.6 * h + 1.1)).tanh();
    let before = (0.3 * x + 0.9 + 0.6 * (r * h)).tanh();
    assert_close(&catalogue("gru", &dims, &weights), &[z * h + (1.0 - z) * after], "gru");
    assert_close(&catalogue("gru_cho", &dims, &weights), &[z * h + (1.0 - z) * before], "gru_cho");
}

#[test]
fn losses_and_layers_of_the_catalogue() {
    let logits: (&str, &[f64]) = ("logits", &[1000.0, 1001.0]);
    let loss = catalogue("cross_entropy", &[("C", 2)], &[logits, ("label", &[1.0])]);
    assert_close(&loss, &[(-1.0_f64).exp().ln_1p()], "cross_entropy");
    let pair: [(&str, &[f64]); 2] = [("prediction", &[1.0, 2.0]), ("target", &[2.0, 5.0])];
    assert_close(&catalogue("squared_error", &[("N", 2)], &pair), &[5.0], "squared_error");
    let table: [(&str, &[f64]); 2] = [("token", &[1.0]), ("table", &W)];
    let row = catalogue("embedding", &[("V", 2), ("E", 3)], &table);
    assert_close(&row, &[4.0, 5.0, 6.0], "embedding");
}
