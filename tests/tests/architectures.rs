//! What recurrent cells are compiled to, kernel by kernel: all that makes them fast is counted
//! here, so that none of it is lost unseen.

use cellc_compiler::fuse::{Machine, Sum};
use cellc_compiler::ir::graph::{Graph, OutputRole};
use cellc_compiler::ir::op::{Op, Role};
use cellc_compiler::phases::Phase;
use cellc_compiler::plan::Span;
use cellc_tests::cells::{ARCHITECTURES, architecture, catalogue, dims_of, graph, recurrent};
use cellc_tests::inventory::{MACHINES, Part, compile, compile_with, describe};
use expect_test::expect_file;

const WIDE: Machine = Machine { wide: true };

/// All kernels of each cell, their sums and memory. `UPDATE_EXPECT=1` rewrites the files: look at
/// what has changed.
#[test]
fn cells_are_compiled_to_what_their_files_say() {
    for (name, graph) in recurrent() {
        let [wide, portable] = MACHINES.map(|machine| describe(&compile(&graph, machine)));
        let found = format!("// wide\n{wide}\n// portable\n{portable}");
        expect_file![format!("{}/architectures/{name}.txt", env!("CARGO_MANIFEST_DIR"))]
            .assert_eq(&found);
    }
}

/// The products before, in and after the loop, forward and backward. A recurrent cell spends its
/// time in them: one for what needs no state, and in the body as many as wait for each other.
#[test]
fn products_are_as_few_as_can_be() {
    let expected = [
        ("rnn", [[1, 1, 0], [0, 1, 1]]),
        ("rnn_relu", [[1, 1, 0], [0, 1, 1]]),
        ("indrnn", [[1, 0, 0], [0, 0, 1]]),
        ("antisymmetric_rnn", [[1, 1, 0], [0, 1, 1]]),
        ("cornn", [[1, 1, 0], [0, 1, 1]]),
        ("lstm", [[1, 1, 0], [0, 1, 1]]),
        ("lstm_peephole", [[1, 1, 0], [0, 1, 1]]),
        ("lstm_projection", [[1, 2, 0], [0, 2, 1]]),
        ("lstm_nig", [[1, 1, 0], [0, 1, 1]]),
        ("lstm_nfg", [[1, 1, 0], [0, 1, 1]]),
        ("lstm_nog", [[1, 1, 0], [0, 1, 1]]),
        ("lstm_niaf", [[1, 1, 0], [0, 1, 1]]),
        ("lstm_noaf", [[1, 1, 0], [0, 1, 1]]),
        ("lstm_cifg", [[1, 1, 0], [0, 1, 1]]),
        ("lstm_fgr", [[1, 2, 0], [0, 2, 1]]),
        ("lstm_layer_norm", [[1, 1, 0], [0, 1, 1]]),
        ("lstm_mogrifier", [[0, 6, 0], [0, 6, 0]]),
        ("slstm", [[1, 1, 0], [0, 1, 1]]),
        ("lstm_zoneout", [[1, 1, 0], [0, 1, 1]]),
        ("lstm_recurrent_dropout", [[1, 1, 0], [0, 1, 1]]),
        ("gru", [[1, 1, 0], [0, 1, 1]]),
        ("gru_cho", [[1, 2, 0], [0, 2, 1]]),
        ("gru_chung", [[1, 2, 0], [0, 2, 1]]),
        ("gru_layer_norm", [[1, 1, 0], [0, 1, 1]]),
        ("li_gru", [[1, 1, 0], [0, 1, 1]]),
        ("mgu", [[1, 2, 0], [0, 2, 1]]),
        ("mut1", [[1, 2, 0], [0, 2, 1]]),
        ("mut2", [[1, 2, 0], [0, 2, 1]]),
        ("mut3", [[1, 3, 0], [0, 3, 1]]),
        ("ugrnn", [[1, 1, 0], [0, 1, 1]]),
        ("rhn", [[1, 3, 0], [0, 3, 1]]),
        ("sru", [[1, 0, 1], [0, 0, 1]]),
        ("qrnn", [[1, 0, 1], [0, 0, 1]]),
        ("mingru", [[1, 0, 0], [0, 0, 1]]),
        ("minlstm", [[1, 0, 0], [0, 0, 1]]),
        ("lru", [[1, 0, 1], [1, 0, 1]]),
        ("fast_weights", [[1, 1, 0], [0, 1, 1]]),
        ("deltanet", [[1, 0, 1], [0, 0, 1]]),
        ("gated_linear_attention", [[2, 0, 1], [0, 0, 2]]),
        ("mlstm", [[1, 0, 1], [0, 0, 1]]),
        ("cfc", [[1, 2, 0], [0, 2, 1]]),
        ("lmu", [[1, 3, 0], [0, 3, 1]]),
        ("peephole_lstm", [[1, 1, 0], [0, 1, 1]]),
        ("layernorm_lstm", [[1, 1, 0], [0, 1, 1]]),
        ("two_input_lstm", [[1, 1, 0], [0, 1, 1]]),
        ("packed_gates", [[1, 1, 0], [0, 1, 1]]),
    ];
    let cells = recurrent();
    assert_eq!(cells.len(), expected.len());
    for ((name, graph), (expected_name, [forward, backward])) in cells.iter().zip(expected) {
        assert_eq!(*name, expected_name);
        for machine in MACHINES {
            let parts = compile(graph, machine);
            for (part, expected) in parts.iter().zip([forward, forward, backward]) {
                let count = |phase| part.count(phase, "product");
                let found = [Phase::Before, Phase::Body, Phase::After].map(count);
                assert_eq!(found, expected, "{name}, {machine:?}: {}", part.kernels);
            }
        }
    }
}

/// The cells whose states are vectors. Products of a matrix of each row's own are not packed.
fn of_vectors() -> Vec<(&'static str, Graph)> {
    let is_vector = |graph: &Graph, id| graph.ty(id).rank() < 2;
    let of_vectors =
        |graph: &Graph| graph.arguments_of(Role::State).all(|(id, _)| is_vector(graph, id));
    recurrent().into_iter().filter(|(_, graph)| of_vectors(graph)).collect()
}

#[test]
fn nothing_only_moves_data() {
    // How many copies there are: of gradients of two inputs, or of gates that are carried, which are
    // parts of one product, whose rows must be together; and of a part of a product that is carried.
    let expected = [("lstm_fgr.backward", 3), ("qrnn", 1), ("two_input_lstm.backward", 2)];
    let mut copies = Vec::new();
    for (name, graph) in recurrent() {
        for machine in MACHINES {
            for part in compile(&graph, machine) {
                if part.copies() > 0 {
                    copies.push((part.plan.graph().name().to_owned(), part.copies()));
                }
                // Biases are put together once in a run.
                for phase in [Phase::Before, Phase::Body, Phase::After] {
                    let names = part.names(phase);
                    let moves = ["concat", "slice", "pad", "reshape", "transpose", "broadcast"];
                    assert!(!names.iter().any(|n| moves.contains(n)), "{name}: {}", part.kernels);
                }
            }
        }
    }
    copies.dedup();
    let copies: Vec<_> = copies.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    assert_eq!(copies, expected);
}

#[test]
fn gradients_of_params_are_built_nowhere() {
    for (name, graph) in recurrent() {
        for machine in MACHINES {
            let [_, _, backward] = compile(&graph, machine);
            let graph = backward.kernels.graph();
            let outputs: Vec<_> = graph.outputs_of(OutputRole::Sum).collect();
            for sum in backward.kernels.sums() {
                if let Sum::Value { value, to } = sum {
                    let rank = graph.ty(outputs[to.sum].value).rank();
                    assert!(rank < 2, "{name}: {value} of {}", backward.kernels);
                }
            }
        }
    }
    for (name, graph) in of_vectors() {
        let params = graph.arguments_of(Role::Param).filter(|(id, _)| graph.ty(*id).rank() == 2);
        let matrix = params.map(|(id, _)| graph.ty(id).size()).max().expect("it has a matrix");
        for machine in MACHINES {
            for part in compile(&graph, machine) {
                for phase in Phase::ALL {
                    assert_eq!(part.count(phase, "outer"), 0, "{name}: {}", part.kernels);
                }
                for span in [Span::Once, Span::Tile, Span::Step, Span::Chunk, Span::Sequence] {
                    let largest = part.locals(span).last().copied().unwrap_or(0);
                    assert!(largest < matrix, "{name}: {}", part.plan);
                }
            }
        }
    }
}

#[test]
fn gates_that_see_no_state_leave_an_elementwise_body() {
    for name in ["indrnn", "mingru", "minlstm", "qrnn", "sru"] {
        for machine in MACHINES {
            let [forward, taped, backward] = compile(&catalogue(name, dims_of(name)), machine);
            for part in [&forward, &taped] {
                let elementwise = |name: &&str| ["map", "wide"].contains(name);
                let body = part.names(Phase::Body);
                assert!(body.iter().all(elementwise) && body.len() <= 3, "{}", part.kernels);
                assert!(part.locals(Span::Step).is_empty(), "{name}: {}", part.plan);
            }
            assert_eq!(backward.names(Phase::Body), ["map"], "{name}: {}", backward.kernels);
            assert!(backward.locals(Span::Step).is_empty(), "{name}: {}", backward.plan);
        }
    }
}

/// The elements that each row takes of the locals of a span.
fn elements(part: &Part, span: Span) -> usize {
    part.locals(span).iter().sum()
}

#[test]
fn memory_is_used_again() {
    for (name, graph) in recurrent() {
        for machine in MACHINES {
            let thrifty = compile(&graph, machine);
            let lavish = compile_with(&graph, machine, |pass| pass != "reuse");
            for (with, without) in thrifty.iter().zip(&lavish) {
                for span in [Span::Tile, Span::Step] {
                    let (with, without) = (elements(with, span), elements(without, span));
                    assert!(with <= without, "{name}: {with} of {span:?}, not {without}");
                }
                for span in [Span::Once, Span::Chunk, Span::Sequence] {
                    assert_eq!(with.locals(span), without.locals(span), "{name}");
                }
            }
        }
    }
    // One cell by its numbers.
    let dims =
        ARCHITECTURES.iter().find(|(name, _)| *name == "layernorm_lstm").expect("it is there").1;
    let cell = architecture("layernorm_lstm", dims);
    let [_, _, with] = compile(&cell, WIDE);
    let [_, _, without] = compile_with(&cell, WIDE, |pass| pass != "reuse");
    assert_eq!(with.locals(Span::Tile), [1, 1, 7, 7, 7, 28, 28, 28], "{}", with.describe());
    assert_eq!(without.locals(Span::Tile).len(), 24, "{}", without.describe());
}

/// What fast weights add in each step: a matrix for each step and example, if it left the loop.
#[test]
fn outer_products_stay_in_the_loop() {
    let source = "
        cell linear_attention(I, H) {
            input x: [I]
            state S: [H, H]
            param W_k, W_v, W_q: [H, I]
            next S = S + outer(W_v @ x, softmax(W_k @ x))
            output y = next S @ (W_q @ x)
        }";
    for machine in MACHINES {
        for part in compile(&graph(source, &[("I", 5), ("H", 7)]), machine) {
            assert_eq!(part.count(Phase::Before, "outer"), 0, "{}", part.kernels);
            let outer = part.kernels.graph().ids();
            let outer = outer.filter(|&id| *part.kernels.graph().op(id) == Op::Outer);
            let homes: Vec<_> = outer.filter_map(|id| part.plan.home(id)).collect();
            assert!(homes.iter().all(|home| home.tiled), "{}", part.plan);
        }
        let [forward, ..] = compile(&graph(source, &[("I", 5), ("H", 7)]), machine);
        let softmax = ["reduce_max", "reduce_sum"];
        assert!(softmax.iter().all(|name| forward.count(Phase::Before, name) == 1));
        assert!(softmax.iter().all(|name| forward.count(Phase::Body, name) == 0));
    }
}
