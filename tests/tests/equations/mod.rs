//! One step of each recurrent cell of the catalogue in plain numbers, written from the equations of
//! its paper and not from its text.

pub(crate) mod vector;

use vector::{Vector, at, concat, exp, outer, relu, sigmoid, softmax, tanh, transposed};

/// What a step is given, params, inputs and states, by its name in the cell's text.
pub(crate) type Given<'a> = &'a dyn Fn(&str) -> Vector;

/// New states and outputs by name. A state that is shown has one value for both.
pub(crate) type Results = Vec<(&'static str, Vector)>;

/// An affine map: the matrix `W_..`, the vector, the bias `b_..`.
fn affine(v: Given<'_>, gate: &str, z: &Vector) -> Vector {
    at(&v(&format!("W_{gate}")), z) + v(&format!("b_{gate}"))
}

/// `W_.. x + U_.. h + b_..`.
fn gate(v: Given<'_>, gate: &str, h: &Vector) -> Vector {
    affine(v, gate, &v("x")) + at(&v(&format!("U_{gate}")), h)
}

/// What of an LSTM the Odyssey leaves out or changes.
#[derive(Clone, Copy, PartialEq)]
enum Lstm {
    Plain,
    Peepholes,
    NoInputGate,
    NoForgetGate,
    NoOutputGate,
    NoInputActivation,
    NoOutputActivation,
    Coupled,
    GatesRecurrent,
}

/// The LSTM of Greff et al. 2017, and its variants.
fn lstm(v: Given<'_>, kind: Lstm) -> Results {
    let (h, c) = (v("h"), v("c"));
    let z = concat(&h, &v("x"));
    let peephole = |name: &str, c: &Vector| match kind {
        Lstm::Plain => Vector(vec![0.0]),
        _ => v(&format!("p_{name}")) * c,
    };
    let recurrent = |name: &str| match kind {
        Lstm::GatesRecurrent => {
            let from = |other: &str| at(&v(&format!("R_{other}{name}")), &v(other));
            from("f") + from("i") + from("o")
        }
        _ => Vector(vec![0.0]),
    };
    let sum = |name: &str, c: &Vector| affine(v, name, &z) + peephole(name, c) + recurrent(name);
    let one = || h.map(|_| 1.0);
    let i = if kind == Lstm::NoInputGate { one() } else { sigmoid(sum("i", &c)) };
    let f = match kind {
        Lstm::NoForgetGate => one(),
        Lstm::Coupled => 1.0 - &i,
        _ => sigmoid(sum("f", &c)),
    };
    let g = affine(v, "g", &z);
    let g = if kind == Lstm::NoInputActivation { g } else { tanh(g) };
    let new_c = &f * &c + &i * g;
    let o = if kind == Lstm::NoOutputGate { one() } else { sigmoid(sum("o", &new_c)) };
    let shown = if kind == Lstm::NoOutputActivation { new_c.clone() } else { tanh(new_c.clone()) };
    let mut results = vec![("h", &o * shown), ("c", new_c)];
    if kind == Lstm::GatesRecurrent {
        results.extend([("f", f), ("i", i), ("o", o)]);
    }
    results
}

fn lstm_layer_norm(v: Given<'_>) -> Results {
    let (h, c) = (v("h"), v("c"));
    let size = h.0.len();
    let norm = |a: Vector, name: &str| {
        v(&format!("gain_{name}")) * a.standard() + v(&format!("bias_{name}"))
    };
    let s = norm(at(&v("U"), &h), "h") + norm(at(&v("W"), &v("x")), "x");
    let of = |k: usize, bias: &str| s.part(k * size, (k + 1) * size) + v(bias);
    let (f, i) = (sigmoid(of(0, "b_f")), sigmoid(of(1, "b_i")));
    let (g, o) = (tanh(of(2, "b_g")), sigmoid(of(3, "b_o")));
    let c = f * c + i * g;
    vec![("h", o * tanh(norm(c.clone(), "c"))), ("c", c)]
}

fn lstm_mogrifier(v: Given<'_>) -> Results {
    let (mut x, mut h) = (v("x"), v("h"));
    for round in 1..=5 {
        if round % 2 == 1 {
            x = 2.0 * sigmoid(at(&v(&format!("Q_{round}")), &h)) * x;
        } else {
            h = 2.0 * sigmoid(at(&v(&format!("R_{round}")), &x)) * h;
        }
    }
    let gated = |name: &str| match name {
        "x" => x.clone(),
        "h" => h.clone(),
        _ => v(name),
    };
    lstm(&gated, Lstm::Plain)
}

/// Krueger et al. 2017, as they evaluate: a mask is its expectation.
fn lstm_zoneout(v: Given<'_>) -> Results {
    let results = lstm(v, Lstm::Plain);
    let kept = |name: &str, rate: f64, new: &Vector| rate * v(name) + (1.0 - rate) * new.clone();
    vec![("h", kept("h", 0.05, &results[0].1)), ("c", kept("c", 0.5, &results[1].1))]
}

/// Semeniuta et al. 2016, evaluated: the candidate times the probability that it is written.
fn lstm_recurrent_dropout(v: Given<'_>) -> Results {
    let z = concat(&v("h"), &v("x"));
    let gate = |name: &str| sigmoid(affine(v, name, &z));
    let c = gate("f") * v("c") + gate("i") * (0.75 * tanh(affine(v, "g", &z)));
    vec![("h", gate("o") * tanh(c.clone())), ("c", c)]
}

fn lstm_projection(v: Given<'_>) -> Results {
    let results = lstm(v, Lstm::Plain);
    let (_, shown) = &results[0];
    vec![("h", at(&v("R"), shown)), results[1].clone()]
}

/// Beck et al. 2024 without a stabiliser: what is carried is divided by exp(m).
fn slstm(v: Given<'_>) -> Results {
    let h = v("h");
    let sum = |name: &str| affine(v, name, &v("x")) + at(&v(&format!("R_{name}")), &h);
    let (i, f) = (exp(sum("i")), sigmoid(sum("f")));
    let scale = exp(v("m"));
    let c = &f * v("c") * &scale + &i * tanh(sum("z"));
    let n = &f * v("n") * &scale + &i;
    let h = sigmoid(sum("o")) * &c / &n;
    let kept = f * scale;
    let m = Vector(kept.0.iter().zip(&i.0).map(|(a, b)| a.max(*b)).collect());
    vec![("h", h), ("c", c / &m), ("n", n / &m), ("m", m.map(f64::ln))]
}

/// Beck et al. 2024 without a stabiliser: what is carried is divided by exp(m).
fn mlstm(v: Given<'_>) -> Results {
    let (x, scale) = (v("x"), exp(v("m")));
    let q = affine(v, "q", &x);
    let k = at(&v("W_k"), &x) / Vector::from((q.0.len() as f64).sqrt()) + v("b_k");
    let i = exp(Vector::from((v("w_i") * &x).total()) + v("b_i"));
    let f = sigmoid(Vector::from((v("w_f") * &x).total()) + v("b_f"));
    let matrix = &f * v("C") * &scale + &i * outer(&affine(v, "v", &x), &k);
    let n = &f * v("n") * &scale + &i * &k;
    let divisor = (&n * &q).total().abs().max(1.0);
    let h = sigmoid(affine(v, "o", &x)) * at(&matrix, &q) / Vector::from(divisor);
    let m = (f * scale).0[0].max(i.0[0]);
    let (matrix, n) = (matrix.map(|a| a / m), n.map(|a| a / m));
    vec![("h", h), ("C", matrix), ("n", n), ("m", Vector::from(m.ln()))]
}

/// GRU, with its conventions: whether z keeps the old state, and whether r acts before the matmul.
fn gru(v: Given<'_>, keeps: bool, before: bool) -> Results {
    let h = v("h");
    let (r, z) = (sigmoid(gate(v, "r", &h)), sigmoid(gate(v, "z", &h)));
    let n = if before {
        tanh(gate(v, "n", &(&r * &h)))
    } else {
        tanh(affine(v, "n", &v("x")) + r * (at(&v("U_n"), &h) + v("c_n")))
    };
    let (old, new) = if keeps { (z.clone(), 1.0 - z) } else { (1.0 - &z, z) };
    vec![("h", old * h + new * n)]
}

fn gru_layer_norm(v: Given<'_>) -> Results {
    let (x, h) = (v("x"), v("h"));
    let size = h.0.len();
    let norm = |matrix: &str, u: &Vector, name: &str| {
        let (gain, bias) = (v(&format!("gain_{name}")), v(&format!("bias_{name}")));
        gain * at(&v(matrix), u).standard() + bias
    };
    let gates = sigmoid(norm("U", &h, "h") + norm("W", &x, "x"));
    let (z, r) = (gates.part(0, size), gates.part(size, 2 * size));
    let n = tanh(norm("W_n", &x, "nx") + r * norm("U_n", &h, "nh"));
    vec![("h", (1.0 - &z) * h + z * n)]
}

fn li_gru(v: Given<'_>) -> Results {
    let h = v("h");
    let sum = |name: &str| {
        let normed = at(&v(&format!("W_{name}")), &v("x")).standard() * v(&format!("gain_{name}"));
        normed + v(&format!("b_{name}")) + at(&v(&format!("U_{name}")), &h)
    };
    let z = sigmoid(sum("z"));
    vec![("h", &z * &h + (1.0 - &z) * relu(sum("n")))]
}

fn mgu(v: Given<'_>) -> Results {
    let (x, h) = (v("x"), v("h"));
    let f = sigmoid(affine(v, "f", &concat(&h, &x)));
    let n = tanh(affine(v, "n", &concat(&(&f * &h), &x)));
    vec![("h", (1.0 - &f) * h + f * n)]
}

/// MUT1, MUT2 or MUT3.
fn mut_of(v: Given<'_>, which: usize) -> Results {
    let (x, h) = (v("x"), v("h"));
    let z = match which {
        1 => affine(v, "z", &x),
        2 => gate(v, "z", &h),
        _ => gate(v, "z", &tanh(h.clone())),
    };
    let r = match which {
        2 => at(&v("E"), &x) + at(&v("U_r"), &h) + v("b_r"),
        _ => gate(v, "r", &h),
    };
    let seen = sigmoid(r) * &h;
    let n = match which {
        1 => at(&v("U_n"), &seen) + tanh(at(&v("E"), &x)) + v("b_n"),
        _ => gate(v, "n", &seen),
    };
    let z = sigmoid(z);
    vec![("h", tanh(n) * &z + h * (1.0 - z))]
}

fn ugrnn(v: Given<'_>) -> Results {
    let z = concat(&v("h"), &v("x"));
    let (g, c) = (sigmoid(affine(v, "g", &z)), tanh(affine(v, "c", &z)));
    vec![("h", &g * v("h") + (1.0 - &g) * c)]
}

fn rhn(v: Given<'_>) -> Results {
    let mut s = v("s");
    for layer in 1..=3 {
        let sum = |name: &str| {
            let sum = at(&v(&format!("R_{name}{layer}")), &s) + v(&format!("b_{name}{layer}"));
            if layer == 1 { sum + at(&v(&format!("W_{name}")), &v("x")) } else { sum }
        };
        let (h, t) = (tanh(sum("h")), sigmoid(sum("t")));
        s = h * &t + s * (1.0 - t);
    }
    vec![("s", s)]
}

fn sru(v: Given<'_>) -> Results {
    let (x, c) = (v("x"), v("c"));
    let f = sigmoid(affine(v, "f", &x) + v("v_f") * &c);
    let r = sigmoid(affine(v, "r", &x) + v("v_r") * &c);
    let c = &f * c + (1.0 - &f) * at(&v("W"), &x);
    let alpha = 3_f64.sqrt(); // for a bias of 0
    vec![("h", &r * &c + (1.0 - &r) * at(&v("E"), &x) * Vector::from(alpha)), ("c", c)]
}

fn qrnn(v: Given<'_>) -> Results {
    let (x, c) = (v("x"), v("c"));
    let size = c.0.len();
    let sum = |k: usize, name: &str| {
        v("before").part(k * size, (k + 1) * size) + at(&v(&format!("W_{name}")), &x)
    };
    let (z, f, o) = (tanh(sum(0, "z")), sigmoid(sum(1, "f")), sigmoid(sum(2, "o")));
    let c = &f * c + (1.0 - &f) * z;
    vec![("h", o * &c), ("c", c), ("before", at(&v("V"), &x))]
}

fn minlstm(v: Given<'_>) -> Results {
    let x = v("x");
    let (f, i) = (sigmoid(affine(v, "f", &x)), sigmoid(affine(v, "i", &x)));
    vec![("h", (&f * v("h") + &i * affine(v, "h", &x)) / (&f + &i))]
}

fn mingru(v: Given<'_>) -> Results {
    let z = sigmoid(affine(v, "z", &v("x")));
    vec![("h", (1.0 - &z) * v("h") + &z * affine(v, "h", &v("x")))]
}

fn lru(v: Given<'_>) -> Results {
    let (x, radius, angle) = (v("x"), exp(-exp(v("nu"))), exp(v("theta")));
    let gamma = radius.map(|r| (1.0 - r * r).sqrt());
    let (cos, sin) = (angle.map(f64::cos), angle.map(f64::sin));
    let (re, im) = (v("re"), v("im"));
    let new_re = &radius * (&cos * &re - &sin * &im) + &gamma * at(&v("B_re"), &x);
    let new_im = &radius * (&sin * &re + &cos * &im) + &gamma * at(&v("B_im"), &x);
    let y = at(&v("C_re"), &new_re) - at(&v("C_im"), &new_im) + at(&v("D"), &x);
    vec![("y", y), ("re", new_re), ("im", new_im)]
}

fn fast_weights(v: Given<'_>) -> Results {
    let h = v("h");
    let matrix = 0.95 * v("A") + 0.5 * outer(&h, &h);
    let slow = at(&v("W"), &h) + at(&v("C"), &v("x"));
    let f = |sum: Vector| relu(v("gain") * sum.standard() + v("bias"));
    let settled = f(&slow + at(&matrix, &f(slow.clone())));
    vec![("h", settled), ("A", matrix)]
}

fn deltanet(v: Given<'_>) -> Results {
    let (x, s) = (v("x"), v("S"));
    let (k, q) = (softmax(at(&v("W_k"), &x)), softmax(at(&v("W_q"), &x)));
    let beta = sigmoid(Vector::from((v("w_b") * &x).total()));
    // What the key k has is taken out, and a mixture of it and the new value is put in its place.
    let held = at(&s, &k);
    let new = &beta * at(&v("W_v"), &x) + (1.0 - &beta) * &held;
    let s = s - outer(&held, &k) + outer(&new, &k);
    vec![("y", at(&s, &q)), ("S", s)]
}

fn gated_linear_attention(v: Given<'_>) -> Results {
    let x = v("x");
    let q = at(&v("W_q"), &x);
    let q = q.map(|a| a / (q.0.len() as f64).sqrt());
    let (k, value) = (at(&v("W_k"), &x), at(&v("W_v"), &x));
    let alpha = sigmoid(at(&v("W_2"), &at(&v("W_1"), &x)) + v("b")).map(|a| a.powf(1.0 / 16.0));
    let s = outer(&alpha, &value.map(|_| 1.0)) * v("S") + outer(&k, &value);
    vec![("y", at(&transposed(&s, value.0.len()), &q)), ("S", s)]
}

fn cfc(v: Given<'_>) -> Results {
    let z = tanh(at(&v("W"), &concat(&v("h"), &v("x"))) + v("b"));
    let gate = 1.0 / (1.0 + exp(affine(v, "f", &z) * v("dt")));
    let (g, k) = (tanh(affine(v, "g", &z)), tanh(affine(v, "k", &z)));
    vec![("h", &gate * g + (1.0 - &gate) * k)]
}

fn lmu(v: Given<'_>) -> Results {
    let (x, h, m) = (v("x"), v("h"), v("m"));
    let u = (v("e_x") * &x).total() + (v("e_h") * &h).total() + (v("e_m") * &m).total();
    let row = |i: usize| {
        let element = |j: usize| {
            let sign = if i < j || (i - j).is_multiple_of(2) { -1.0 } else { 1.0 };
            (2 * i + 1) as f64 * sign * m.0[j]
        };
        let b = (2 * i + 1) as f64 * if i.is_multiple_of(2) { 1.0 } else { -1.0 };
        m.0[i] + ((0..m.0.len()).map(element).sum::<f64>() + b * u) / 100.0
    };
    let m = Vector((0..m.0.len()).map(row).collect());
    let h = tanh(at(&v("W_x"), &x) + at(&v("W_h"), &h) + at(&v("W_m"), &m));
    vec![("h", h), ("m", m)]
}

fn antisymmetric_rnn(v: Given<'_>) -> Results {
    let (w, h) = (v("W"), v("h"));
    let turned = at(&(&w - transposed(&w, h.0.len())), &h) - 0.01 * &h;
    let moved = tanh(turned + at(&v("V"), &v("x")) + v("b"));
    vec![("h", h + 0.1 * moved)]
}

fn cornn(v: Given<'_>) -> Results {
    let (y, z) = (v("y"), v("z"));
    let force = tanh(at(&v("W"), &y) + at(&v("Z"), &z) + at(&v("V"), &v("x")) + v("b"));
    let z = &z + 0.042 * (force - 2.7 * &y - 4.7 * &z);
    vec![("y", y + 0.042 * &z), ("z", z)]
}

/// The step of a cell.
pub(crate) fn step(name: &str, v: Given<'_>) -> Results {
    match name {
        "rnn" => vec![("h", tanh(at(&v("W"), &concat(&v("h"), &v("x"))) + v("b")))],
        "rnn_relu" => {
            vec![("h", relu(at(&v("W"), &v("x")) + at(&v("U"), &v("h")) + v("b")))]
        }
        "indrnn" => vec![("h", relu(at(&v("W"), &v("x")) + v("u") * v("h") + v("b")))],
        "antisymmetric_rnn" => antisymmetric_rnn(v),
        "cornn" => cornn(v),
        "lstm" => lstm(v, Lstm::Plain),
        "lstm_peephole" => lstm(v, Lstm::Peepholes),
        "lstm_projection" => lstm_projection(v),
        "lstm_zoneout" => lstm_zoneout(v),
        "lstm_recurrent_dropout" => lstm_recurrent_dropout(v),
        "lstm_nig" => lstm(v, Lstm::NoInputGate),
        "lstm_nfg" => lstm(v, Lstm::NoForgetGate),
        "lstm_nog" => lstm(v, Lstm::NoOutputGate),
        "lstm_niaf" => lstm(v, Lstm::NoInputActivation),
        "lstm_noaf" => lstm(v, Lstm::NoOutputActivation),
        "lstm_cifg" => lstm(v, Lstm::Coupled),
        "lstm_fgr" => lstm(v, Lstm::GatesRecurrent),
        "lstm_layer_norm" => lstm_layer_norm(v),
        "lstm_mogrifier" => lstm_mogrifier(v),
        "slstm" => slstm(v),
        "mlstm" => mlstm(v),
        "gru" => gru(v, true, false),
        "gru_cho" => gru(v, true, true),
        "gru_chung" => gru(v, false, true),
        "gru_layer_norm" => gru_layer_norm(v),
        "li_gru" => li_gru(v),
        "mgu" => mgu(v),
        "mut1" => mut_of(v, 1),
        "mut2" => mut_of(v, 2),
        "mut3" => mut_of(v, 3),
        "ugrnn" => ugrnn(v),
        "rhn" => rhn(v),
        "sru" => sru(v),
        "qrnn" => qrnn(v),
        "mingru" => mingru(v),
        "minlstm" => minlstm(v),
        "lru" => lru(v),
        "fast_weights" => fast_weights(v),
        "deltanet" => deltanet(v),
        "gated_linear_attention" => gated_linear_attention(v),
        "cfc" => cfc(v),
        "lmu" => lmu(v),
        _ => panic!("`{name}` has no equations here: write them from its paper"),
    }
}
