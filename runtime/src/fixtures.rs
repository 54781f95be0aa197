//! Small cells for the tests of this crate and of `cellc-train`, in the graph's own text.

use cellc_compiler::cell::{Cell, Initial, Initializer};
use cellc_compiler::ir::op::Role;
use cellc_compiler::ir::text::parse;

/// A cell whose parameters are drawn uniformly.
pub(crate) fn cell(text: &str) -> Cell {
    let graph = parse(text).unwrap();
    let uniform = Initializer::Uniform { low: -0.5, high: 0.5 };
    let initializers = graph.arguments_of(Role::Param).map(|_| uniform).collect();
    let initial = graph.arguments_of(Role::State).map(|_| Initial::ZERO).collect();
    Cell { graph, dims: Vec::new(), hypers: Vec::new(), initializers, initial }
}

/// `y = table[x]`
pub(crate) fn embedding(symbols: usize, width: usize) -> Cell {
    cell(&format!(
        "graph embedding
        %0 = param table : [{symbols}, {width}]
        %1 = input x : index({symbols})
        %2 = take %0, %1 : [{width}]
        output y = %2"
    ))
}

/// `h = tanh(W x + U h); c = c + h`, and gives `h * c`: two states, one read only through the other.
pub(crate) fn rnn(width: usize, hidden: usize) -> Cell {
    cell(&format!(
        "graph rnn
        %0 = param W : [{hidden}, {width}]
        %1 = param U : [{hidden}, {hidden}]
        %2 = input x : [{width}]
        %3 = state h : [{hidden}]
        %4 = state c : [{hidden}]
        %5 = matvec %0, %2 : [{hidden}]
        %6 = matvec %1, %3 : [{hidden}]
        %7 = add %5, %6 : [{hidden}]
        %8 = tanh %7 : [{hidden}]
        %9 = add %4, %8 : [{hidden}]
        %10 = mul %8, %9 : [{hidden}]
        next h = %8
        next c = %9
        output y = %10"
    ))
}
