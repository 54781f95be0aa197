//! No pass knows a cell by its names or by the order of its text.

use cellc_compiler::ir::graph::Graph;
use cellc_compiler::ir::op::{Op, Role};
use cellc_compiler::phases::Phase;
use cellc_compiler::plan::Span;
use cellc_runtime::kernels::{Wide, Width};
use cellc_runtime::program::{Engine, Program, Settings};
use cellc_runtime::sequence::{Extent, InputMut};
use cellc_tests::cells::{architecture, catalogue};
use cellc_tests::compare::{Array, Numbers, difference};
use cellc_tests::inventory::{MACHINES, compile};

/// The catalogue's names beside those of `lstm_renamed`.
const NAMES: [(&str, &str); 11] = [
    ("x", "u"),
    ("h", "m"),
    ("c", "s"),
    ("W_f", "P"),
    ("W_i", "Q"),
    ("W_g", "R"),
    ("W_o", "S"),
    ("b_f", "p"),
    ("b_i", "q"),
    ("b_g", "r"),
    ("b_o", "s0"),
];

fn cells(inputs: usize, hidden: usize) -> [Graph; 2] {
    let renamed = architecture("lstm_renamed", &[("N", inputs), ("M", hidden)]);
    [catalogue("lstm", &[("I", inputs), ("H", hidden)]), renamed]
}

/// A name as the catalogue has it.
fn common(name: &str) -> &str {
    NAMES.iter().find(|(_, other)| *other == name).map_or(name, |(common, _)| common)
}

#[test]
fn the_plan_is_the_same() {
    let [one, other] = cells(5, 7);
    for machine in MACHINES {
        for (one, other) in compile(&one, machine).iter().zip(&compile(&other, machine)) {
            for phase in Phase::ALL {
                assert_eq!(one.names(phase), other.names(phase), "{}{}", one.plan, other.plan);
                let tasks = |part: &cellc_tests::inventory::Part| {
                    let groups = part.plan.groups(phase).iter();
                    groups
                        .map(|group| (group.tasks.len(), group.row_elements(part.plan.graph())))
                        .collect::<Vec<_>>()
                };
                assert_eq!(tasks(one), tasks(other), "{}{}", one.plan, other.plan);
            }
            for span in [Span::Once, Span::Tile, Span::Step, Span::Sequence] {
                assert_eq!(one.locals(span), other.locals(span), "{}{}", one.plan, other.plan);
            }
            let extents = |part: &cellc_tests::inventory::Part| {
                let matrices = part.plan.matrices().iter();
                matrices.map(|m| [m.inner, m.outer, m.blocks.len()]).collect::<Vec<_>>()
            };
            assert_eq!(extents(one), extents(other));
            let ops = |graph: &Graph| {
                let mut ops: Vec<&str> = graph.ids().map(|id| graph.op(id).name()).collect();
                ops.sort_unstable();
                ops.into_iter().map(str::to_owned).collect::<Vec<_>>()
            };
            assert_eq!(ops(one.plan.graph()), ops(other.plan.graph()));
        }
    }
}

/// All results, by the catalogue's names, in their order.
fn results<T: Wide>(graph: &Graph, width: Option<Width>, extent: Extent) -> Vec<Array<T>> {
    let settings = Settings { width, ..Settings::default() };
    let program = Program::<T>::with_settings(graph, Engine::Jit, &settings).expect("it is valid");
    let mut sequence = program.sequence(1);
    let interface = sequence.interface().clone();
    // What is filled depends on the name alone.
    let fill = |kind: u64, name: &str, data: &mut [T]| {
        let seed = common(name).bytes().fold(kind, |seed, byte| 31 * seed + u64::from(byte));
        let mut numbers = Numbers(seed);
        data.iter_mut().for_each(|x| *x = T::from_f64(numbers.next_real()));
    };
    let params: Vec<Vec<T>> = (interface.params.iter())
        .map(|port| {
            let mut data = vec![T::default(); port.ty.size()];
            fill(1, &port.name, &mut data);
            data
        })
        .collect();
    sequence.reshape(extent);
    let InputMut::Real(x) = sequence.input_mut(0) else { panic!("the input is real") };
    fill(2, &interface.inputs[0].name, x);
    for (i, port) in interface.states.iter().enumerate() {
        fill(3, &port.name, sequence.initial_mut(i));
        fill(4, &port.name, sequence.final_cotangent_mut(i));
    }
    fill(5, &interface.outputs[0].name, sequence.output_cotangent_mut(0));
    sequence.forward_with_tape(&params).expect("it runs");
    let mut all = vec![("output".to_owned(), sequence.output(0).to_vec())];
    sequence.backward(&params).expect("there is a tape");
    all.push(("input".into(), sequence.input_gradient(0).expect("it is real").to_vec()));
    for (i, port) in interface.states.iter().enumerate() {
        let name = common(&port.name);
        all.push((format!("final {name}"), sequence.final_state(i).to_vec()));
        all.push((format!("gradient of {name}"), sequence.initial_gradient(i).to_vec()));
    }
    for (i, port) in interface.params.iter().enumerate() {
        let name = format!("gradient of {}", common(&port.name));
        all.push((name, sequence.param_gradient(i).to_vec()));
    }
    all.sort_by(|(a, _), (b, _)| a.cmp(b));
    all
}

#[test]
fn the_results_are_the_same() {
    let [one, other] = cells(9, 21);
    assert_eq!(one.arguments_of(Role::Param).count(), 8);
    assert!(one.ids().all(|id| !matches!(one.op(id), Op::Argument { name, .. } if name == "P")));
    for width in [None].into_iter().chain(Width::available().map(Some)) {
        for batch in [1, 5] {
            let extent = Extent { steps: 6, batch };
            let (a, b) = (results::<f64>(&one, width, extent), results(&other, width, extent));
            // Sums whose terms stand in another order differ by rounding.
            assert_eq!(difference::<f64, f64>(&a, &b, 1e-14), None, "{width:?}");
            let (a, b) = (results::<f32>(&one, width, extent), results(&other, width, extent));
            assert_eq!(difference::<f32, f32>(&a, &b, 3e-6), None, "{width:?}");
        }
    }
}
