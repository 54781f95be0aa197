//! Forward mode and second order: graphs with tangents, and what their runs give.

mod genomes;

use std::num::NonZero;

use cellc_compiler::autodiff::{differentiate, jvp};
use cellc_compiler::ir::graph::Graph;
use cellc_compiler::ir::text::parse;
use cellc_compiler::ir::verify::verify;
use cellc_runtime::gradcheck::{Companions, GradcheckError, Options, check_second_order};
use cellc_runtime::kernels::Width;
use cellc_runtime::masks::{Draw, Masks};
use cellc_runtime::program::{Engine, Program, Settings};
use cellc_runtime::second::SecondOrder;
use cellc_runtime::segmented::Segments;
use cellc_runtime::sequence::{Extent, InputMut, Interface, Sequence};
use cellc_tests::cells::{architecture, catalogue, dims_of, recurrent};
use cellc_tests::compare::{Array, Numbers, difference, drawn_results, passes, results, widths};
use cellc_tests::ops::{ROLES, cases};
use cellc_tests::random_cell::random_cell;
use genomes::genome;
use proptest::prelude::*;

/// The catalogue's cells that are not recurrent.
fn layers() -> Vec<(&'static str, Graph)> {
    let layers =
        cellc_cells::all().iter().filter(|entry| entry.kind != cellc_cells::Kind::Recurrent);
    layers.map(|entry| (entry.name, catalogue(entry.name, dims_of(entry.name)))).collect()
}

/// The cells of the catalogue and of `architectures/`.
fn cells() -> Vec<(&'static str, Graph)> {
    let tied = architecture("tied", &[("I", 5), ("H", 7)]);
    let renamed = architecture("lstm_renamed", &[("N", 5), ("M", 7)]);
    let ntm = architecture("ntm", &[("I", 5), ("H", 7), ("N", 5), ("M", 3)]);
    let others = [("tied", tied), ("lstm_renamed", renamed), ("ntm", ntm)];
    recurrent().into_iter().chain(others).chain(layers()).collect()
}

/// All results of a graph with tangents, by an engine made in some way.
fn run(graph: &Graph, engine: Engine, settings: &Settings<'_>, extent: Extent) -> Vec<Array<f64>> {
    let program = Program::<f64>::with_tangents(graph, engine, settings).expect("it is valid");
    drawn_results(&mut *program.sequence(1), extent, 7)
}

/// Native code with tangents does what the interpreter does.
fn engines_agree(graph: &Graph, extent: Extent) -> Option<String> {
    let meaning = run(graph, Engine::Interpreter, &Settings::default(), extent);
    let ways = widths().map(|width| Settings { width, ..Settings::default() });
    ways.into_iter().find_map(|settings| {
        difference(&run(graph, Engine::Jit, &settings, extent), &meaning, 1e-10)
    })
}

/// The gradients of all params, real inputs and states of a run with tangents, whose cotangents are
/// drawn by `seed`: first those of the results, then those of their tangents, or in the other order.
fn gradients(sequence: &mut dyn Sequence<f64>, extent: Extent, swapped: bool) -> Vec<Array<f64>> {
    let mut numbers = Numbers(11);
    let interface = sequence.interface().clone();
    let mut draw = |data: &mut [f64]| data.iter_mut().for_each(|x| *x = numbers.next_real());
    sequence.reshape(extent);
    sequence.set_masks(Masks::Drawn(Draw::default()));
    let params = interface.params.iter().map(|port| {
        let mut data = vec![0.0; port.ty.size()];
        draw(&mut data);
        data
    });
    let params: Vec<_> = params.collect();
    for i in 0..interface.inputs.len() {
        match sequence.input_mut(i) {
            InputMut::Real(data) => draw(data),
            InputMut::Index(data) => data.fill(0),
        }
    }
    for i in 0..interface.states.len() {
        draw(sequence.initial_mut(i));
    }
    let other = |i: usize| if swapped { i ^ 1 } else { i };
    for i in 0..interface.outputs.len() {
        draw(sequence.output_cotangent_mut(other(i)));
    }
    for i in 0..interface.states.len() {
        draw(sequence.final_cotangent_mut(other(i)));
    }
    sequence.forward_with_tape(&params).expect("it runs");
    sequence.backward(&params).expect("there is a tape");
    let Interface { params, inputs, states, .. } = &interface;
    let param = |i| sequence.param_gradient(i).to_vec();
    let initial = |i| sequence.initial_gradient(i).to_vec();
    let real: Vec<usize> = (0..inputs.len()).filter(|&i| inputs[i].ty.is_real()).collect();
    let input = |i: usize| sequence.input_gradient(real[i]).expect("it is real").to_vec();
    let name = |role: &str, i: usize| format!("{role} {i}");
    let params = (0..params.len()).map(|i| (name("param", i), param(other(i))));
    let inputs = (0..real.len()).map(|i| (name("input", i), input(other(i))));
    let states = (0..states.len()).map(|i| (name("state", i), initial(other(i))));
    params.chain(inputs).chain(states).collect()
}

/// Forward over reverse and reverse over forward are two ways to the same second derivatives: of one
/// the tangent of a cotangent is what is of the other the cotangent of a value, and the reverse.
fn orders_commute(graph: &Graph, extent: Extent) -> Option<String> {
    let over_reverse = Program::with_tangents(graph, Engine::Jit, &Settings::default());
    let over_reverse = over_reverse.expect("it is valid");
    let over_forward = Program::new(&jvp(graph).expect("it has a jvp"), Engine::Jit);
    let over_forward = over_forward.expect("it is valid");
    assert_eq!(over_reverse.interface(), over_forward.interface());
    let ours = gradients(&mut *over_reverse.sequence(1), extent, false);
    let theirs = gradients(&mut *over_forward.sequence(1), extent, true);
    difference(&ours, &theirs, 1e-10)
}

/// Forward mode and products with the Hessian agree with differences, on both engines.
fn differences_agree(graph: &Graph, options: &Options) -> Result<Option<String>, GradcheckError> {
    for engine in [Engine::Interpreter, Engine::Jit] {
        let program = Program::<f64>::new(graph, engine).expect("it is valid");
        let mut second = SecondOrder::new(graph, engine).expect("it is valid");
        let mut companions = Companions::new(graph, engine).expect("it is valid");
        let sequence = &mut *program.sequence(1);
        let report =
            check_second_order(sequence, &mut second, Some(&mut companions), options, |_| {})?;
        if !report.passed() || report.compared() == 0 {
            return Ok(Some(format!("{engine:?}: {report:#?}")));
        }
    }
    Ok(None)
}

#[test]
fn cells_agree_with_differences() {
    let options = Options { cases: 4, max_steps: 12, max_batch: 4, ..Options::default() };
    for (name, graph) in cells() {
        assert_eq!(differences_agree(&graph, &options), Ok(None), "{name}");
    }
}

#[test]
fn operations_agree_with_differences() {
    let options = Options { cases: 1, max_steps: 2, max_batch: 2, ..Options::default() };
    for (number, case) in cases().iter().enumerate().step_by(3) {
        let graph = case.graph(ROLES[number / 3 % ROLES.len()]);
        assert_eq!(differences_agree(&graph, &options), Ok(None), "{graph}");
    }
}

const EXTENT: Extent = Extent { steps: 6, batch: 5 };

#[test]
fn cells_run_with_tangents() {
    for (name, graph) in cells() {
        assert_eq!(engines_agree(&graph, EXTENT), None, "{name}");
        assert_eq!(orders_commute(&graph, EXTENT), None, "{name}");
    }
}

#[test]
fn every_operation_has_tangents() {
    for (number, case) in cases().iter().enumerate().step_by(3) {
        let graph = case.graph(ROLES[number / 3 % ROLES.len()]);
        let extent = Extent { steps: 2, batch: 2 };
        assert_eq!(engines_agree(&graph, extent), None, "{graph}");
        assert_eq!(orders_commute(&graph, extent), None, "{graph}");
    }
}

#[test]
fn each_pass_can_be_switched_off() {
    for (name, graph) in recurrent() {
        let meaning = run(&graph, Engine::Interpreter, &Settings::default(), EXTENT);
        for off in passes().into_iter().chain(["all"]) {
            let enabled = |pass: &str| off != "all" && pass != off;
            let settings = Settings { enabled: &enabled, width: Width::detect() };
            let native = run(&graph, Engine::Jit, &settings, EXTENT);
            assert_eq!(difference(&native, &meaning, 1e-10), None, "{name} without {off}");
        }
    }
}

#[test]
fn segments_threads_and_single_precision() {
    for (name, graph) in recurrent() {
        let settings = Settings::default();
        let program = Program::<f64>::with_tangents(&graph, Engine::Jit, &settings);
        let program = program.expect("it is valid");
        let whole = results(&mut *program.sequence(1), EXTENT, 7);
        let steps = NonZero::new(4).expect("it is not zero");
        let mut segmented = program.segmented(2, Segments::Of(steps));
        let segmented = results(&mut segmented, EXTENT, 7);
        assert_eq!(difference(&segmented, &whole, 1e-12), None, "{name} in segments");
        let single = Program::<f32>::with_tangents(&graph, Engine::Jit, &settings);
        let single = results(&mut *single.expect("it is valid").sequence(1), EXTENT, 7);
        assert_eq!(difference(&single, &whole, 1e-4), None, "{name} in single precision");
    }
}

/// The jvp of a graph, and both graphs of its gradient with tangents, are verified and print.
fn is_well_formed(graph: &Graph) {
    let gradient = differentiate(graph).expect("it has a gradient").jvp().expect("it has a jvp");
    let twice = jvp(&jvp(graph).expect("it has a jvp")).expect("and that has one");
    for graph in [&gradient.forward, &gradient.backward, &twice] {
        verify(graph).unwrap_or_else(|error| panic!("{error}: {graph}"));
        assert_eq!(parse(&graph.to_string()).as_ref(), Ok(graph));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, max_shrink_iters: 4000, ..ProptestConfig::default() })]

    #[test]
    fn random_graphs_run_with_tangents(
        genome in genome(20),
        steps in 1..4_usize,
        batch in 1..6_usize,
        seed: u64,
    ) {
        let graph = genome.build();
        is_well_formed(&graph);
        let extent = Extent { steps, batch };
        prop_assert_eq!(engines_agree(&graph, extent), None, "{}", graph);
        prop_assert_eq!(orders_commute(&graph, extent), None, "{}", graph);
        let options = Options {
            cases: 1,
            seed,
            tolerance: 1e-5,
            max_steps: 2,
            max_batch: 3,
            ..Options::default()
        };
        match differences_agree(&graph, &options) {
            Ok(found) => prop_assert_eq!(found, None, "{}", graph),
            Err(GradcheckError::NotFinite { .. }) => prop_assume!(false, "not finite"),
            Err(error) => prop_assert!(false, "{}", error),
        }
    }

    #[test]
    fn random_cells_run_with_tangents(seed: u64, genes in 1..12_usize, batch in 1..6_usize) {
        let graph = random_cell(seed, genes);
        is_well_formed(&graph);
        let extent = Extent { steps: 3, batch };
        prop_assert_eq!(engines_agree(&graph, extent), None, "{}", graph);
        prop_assert_eq!(orders_commute(&graph, extent), None, "{}", graph);
    }
}
