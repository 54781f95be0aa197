//! Values that have a place in two others at once: as part of a concatenation, as a state, as an
//! output. Each must be found where each reader looks.

use cellc_runtime::program::{Engine, Settings};
use cellc_runtime::sequence::Extent;
use cellc_tests::cells::graph;
use cellc_tests::compare::{difference, run, run_as, widths};

const CELLS: [&str; 4] = [
    // A state that is a part of a concatenation, under another shape.
    "cell a(H) {
        input x: [H]
        state s: scalar, h: [H + 1]
        param W: [1, H + 1]
        p = tanh(W @ h + 0.3)
        z = concat(p, x * s + 0.1)
        next s = p[0]
        next h = 0.5 * z
        output y = h
    }",
    // The whole is a state, and a part of it an output.
    "cell b(H) {
        input x: [H]
        state h: [2 * H], k: [H]
        param W: [H, 2 * H]
        p = tanh(W @ h)
        next h = concat(p, x * k)
        next k = sigmoid(p + x)
        output p
    }",
    // Parts of parts, and one part twice.
    "cell c(H) {
        input x: [H]
        state h: [4 * H]
        param W: [H, 4 * H]
        p = 0.1 * (W @ h)
        q = exp(-p * p)
        inner = concat(p, q)
        next h = tanh(concat(inner, q, x + q))
        output y = inner
    }",
    // Gates that are cut from one vector.
    "cell d(H) {
        input x: [H]
        state h: [H]
        param W, U: [3 * H, H], b: [3 * H]
        z = 0.2 * (W @ x + U @ h + b)
        r = z / sqrt(sum(z * z) + 1)
        next h = sigmoid(r[..H]) * h + tanh(r[H..2 * H]) * sigmoid(z[2 * H..])
        output h
    }",
];

#[test]
fn values_are_found_wherever_they_are_read() {
    for text in CELLS {
        for (hidden, steps, batch) in [(3, 4, 2), (7, 9, 5), (17, 70, 5)] {
            let graph = graph(text, &[("H", hidden)]);
            let extent = Extent { steps, batch };
            let meaning = run::<f64>(&graph, Engine::Interpreter, |_| true, 1, extent, 5);
            for width in widths() {
                let settings = Settings { width, ..Settings::default() };
                let native = run_as::<f64>(&graph, Engine::Jit, &settings, 2, extent, 5);
                assert_eq!(difference(&native, &meaning, 1e-10), None, "{width:?}: {text}");
            }
        }
    }
}
