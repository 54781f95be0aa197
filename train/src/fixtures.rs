//! Small cells for the tests of this crate, in the graph's own text.

use cellc_compiler::cell::{Cell, Initial, Initializer};
use cellc_compiler::ir::op::Role;
use cellc_compiler::ir::text::parse;

use crate::model::{Answers, Architecture, Feed, Interface, Readout, Reads, Stage};

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

/// `y = W x + b`
pub(crate) fn linear(width: usize, classes: usize) -> Cell {
    cell(&format!(
        "graph linear
        %0 = param W : [{classes}, {width}]
        %1 = param b : [{classes}]
        %2 = input x : [{width}]
        %3 = matvec %0, %2 : [{classes}]
        %4 = add %3, %1 : [{classes}]
        output y = %4"
    ))
}

/// `loss = log(sum(exp(logits))) - logits[label]`
pub(crate) fn cross_entropy(classes: usize) -> Cell {
    cell(&format!(
        "graph cross_entropy
        %0 = input logits : [{classes}]
        %1 = input label : index({classes})
        %2 = exp %0 : [{classes}]
        %3 = reduce_sum %2 : []
        %4 = log %3 : []
        %5 = take %0, %1 : []
        %6 = sub %4, %5 : []
        output loss = %6"
    ))
}

/// What a task of symbols and classes asks.
pub(crate) fn interface(symbols: usize, classes: usize, readout: Readout) -> Interface {
    Interface {
        reads: Reads::Symbols(symbols),
        answers: Answers::Classes(classes),
        readout,
        masked: readout == Readout::Last,
        resets: false,
    }
}

/// Two layers between an embedding and a softmax.
pub(crate) fn architecture(symbols: usize, classes: usize, readout: Readout) -> Architecture {
    let stage = |name: &str, cell: Cell, feeds: Vec<Feed>, answers: bool| Stage {
        name: name.to_owned(),
        cell,
        feeds,
        reverse: false,
        answers,
        shared: None,
    };
    let after = |stage| vec![Feed::Stages(vec![stage])];
    let stages = vec![
        stage("embedding", embedding(symbols, 3), vec![Feed::Data], false),
        stage("layer0", rnn(3, 4), after(0), false),
        stage("layer1", rnn(4, 5), after(1), false),
        stage("head", linear(5, classes), after(2), true),
        stage("loss", cross_entropy(classes), vec![Feed::Stages(vec![3]), Feed::Targets], true),
    ];
    Architecture { stages, interface: interface(symbols, classes, readout) }
}
