//! Graphs as text, and whether two mean the same.

use cellc_compiler::ir::eval::{Datum, eval};
use cellc_compiler::ir::graph::Graph;
use cellc_compiler::ir::op::{Element, Op};
use cellc_compiler::ir::text::parse;
use cellc_compiler::ir::verify::verify;

use crate::compare::{Array, Numbers, difference};

/// A graph from its text, which must be right.
pub fn graph(text: &str) -> Graph {
    let graph = parse(text).unwrap_or_else(|error| panic!("{error} in {text}"));
    verify(&graph).unwrap_or_else(|error| panic!("{error} in {text}"));
    graph
}

/// A graph of these lines whose last value is its output.
pub fn graph_of(lines: &str) -> Graph {
    let values = lines.lines().filter(|line| line.trim().starts_with('%')).count();
    graph(&format!("graph g\n{lines}\noutput y = %{}", values - 1))
}

/// The outputs of a graph by the interpreter, its arguments drawn by their names.
fn meaning(graph: &Graph, seed: u64) -> Vec<Array<f64>> {
    let values = eval::<f64>(graph, |id| {
        let Op::Argument { name, .. } = graph.op(id) else { unreachable!("only these are bound") };
        let seed = name.bytes().fold(seed, |seed, byte| 31 * (seed % 1000) + u64::from(byte));
        let mut numbers = Numbers(seed);
        match graph.ty(id).element {
            Element::Real => {
                Datum::Real((0..graph.ty(id).size()).map(|_| numbers.next_real()).collect())
            }
            Element::Index { bound } => Datum::Index(numbers.next_bits() as usize % bound),
        }
    });
    let outputs = graph.outputs().iter();
    outputs
        .map(|output| {
            let name = format!("{:?} {}", output.role, output.name);
            (name, values[output.value.index()].real().to_vec())
        })
        .collect()
}

/// A difference between what two graphs of the same interface give, but for rounding.
pub fn unlike(one: &Graph, other: &Graph, seed: u64) -> Option<String> {
    difference(&meaning(one, seed), &meaning(other, seed), 1e-12)
}
