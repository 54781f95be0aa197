//! Constants and sums on native code: what the passes and kernels may not take for the same.

use cellc_compiler::check::check;
use cellc_compiler::diagnostic::Source;
use cellc_compiler::ir::graph::Graph;
use cellc_compiler::ir::text;
use cellc_compiler::ir::verify::verify;
use cellc_compiler::syntax::parse;
use cellc_runtime::kernels::Wide;
use cellc_runtime::program::Engine;
use cellc_runtime::sequence::Extent;
use cellc_tests::compare::{difference, run};

fn graph(body: &str) -> Graph {
    let source =
        Source::new("c.cell", format!("cell c() {{\ninput x: []\nparam w: []\n{body}\n}}"));
    let tree = parse(&source).expect("the cell is well-formed");
    check(&tree, &[]).expect("its shapes agree").graph
}

fn engines_agree<T: Wide>(graph: &Graph) {
    let extent = Extent { steps: 2, batch: 4 };
    let [meaning, native] = [Engine::Interpreter, Engine::Jit]
        .map(|engine| run::<T>(graph, engine, |_| true, 1, extent, 7));
    assert_eq!(difference(&native, &meaning, 1e-6), None, "{graph}");
}

#[test]
fn the_sign_of_zero_is_kept() {
    let graph = graph("output p = 1 / (0 * x + 0)\noutput q = 1 / (0 * x + -0)");
    engines_agree::<f32>(&graph);
    engines_agree::<f64>(&graph);
}

#[test]
fn constants_are_folded_only_if_both_precisions_agree() {
    for expression in [
        "select(0.1 + 0.2 == 0.3, x, 0 - x)",
        "1e200 * 1e-200 * x",
        "16777216 + 1 - 16777216 + x * 0",
    ] {
        let graph = graph(&format!("output y = {expression}"));
        engines_agree::<f32>(&graph);
        engines_agree::<f64>(&graph);
    }
}

#[test]
fn a_sum_of_sums_is_summed_once() {
    // 2^40 terms, if each use of a sum were gone into.
    let mut body = "y0 = w * x\n".to_owned();
    for i in 0..40 {
        body += &format!("y{} = y{i} + y{i}\n", i + 1);
    }
    engines_agree::<f64>(&graph(&format!("{body}output y = y40 * 1e-12")));
    // The same in the gradient of a param.
    let mut body = "y0 = w * 1\n".to_owned();
    for i in 0..40 {
        body += &format!("y{} = y{i} + y{i}\n", i + 1);
    }
    engines_agree::<f64>(&graph(&format!("{body}output y = x * y40 * 1e-12")));
}

#[test]
fn sizes_that_wrap_are_refused() {
    // 274177 * 67280421310721 = 2^64 + 1.
    let text = "
        graph wraps
        %0 = param W : [274177, 67280421310721]
        %1 = transpose %0 : [67280421310721, 274177]
        output y = %1
    ";
    let graph = text::parse(text).expect("the text is well-formed");
    let error = verify(&graph).expect_err("no memory is of that size").to_string();
    assert!(error.contains("sizes go to 2^31"), "{error}");
}
