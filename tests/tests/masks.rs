//! Random masks: what is drawn when, that it is the same wherever it is drawn, and what is not drawn.

use cellc_compiler::fuse::Machine;
use cellc_compiler::ir::graph::Graph;
use cellc_compiler::plan::Binding;
use cellc_runtime::gradcheck::{Companions, Options, check_second_order, check_with_progress};
use cellc_runtime::kernels::Wide;
use cellc_runtime::masks::{Draw, Masks};
use cellc_runtime::native::WORTH_A_THREAD;
use cellc_runtime::program::{Engine, Program, Settings};
use cellc_runtime::ragged::Ragged;
use cellc_runtime::second::SecondOrder;
use cellc_runtime::segmented::Segments;
use cellc_runtime::sequence::{Extent, InputMut, RunError, Sequence};
use cellc_tests::cells::{catalogue, graph};
use cellc_tests::compare::{Array, difference, passes, results};
use cellc_tests::inventory::compile;

/// Masks before, in and after the loop: of each rank, in a function, and as a result.
const MASKED: &str = "
fn dropout(v: [N], rate) = v * bernoulli(1 - rate, [N]) / (1 - rate)

cell masked(I, H) {
    hyper rate = 0.3
    input x: [I]
    state h: [H], c: [H]
    param W: [H, I], U: [H, H], V: [H, H]
    keep = bernoulli(0.25, [H])
    g = tanh(W @ dropout(x, rate) + (U * bernoulli(0.75, [H, H])) @ h)
    next c = keep * c + (1 - keep) * g
    next h = c + V @ dropout(next c, rate) * bernoulli(0.5)
    output y = dropout(next h, 2 * rate), keep
}";

const DIMS: [(&str, usize); 2] = [("I", 3), ("H", 5)];
const SMALL: Extent = Extent { steps: 6, batch: 4 };
const DRAW: Draw = Draw { seed: 3, update: 1, stage: 0 };

fn drawn<T: Wide>(sequence: &mut dyn Sequence<T>, extent: Extent, draw: Draw) -> Vec<Array<T>> {
    sequence.reshape(extent);
    sequence.set_masks(Masks::Drawn(draw));
    results(sequence, extent, 7)
}

fn program<T: Wide>(graph: &Graph, engine: Engine) -> Program<T> {
    Program::new(graph, engine).expect("the graph is valid")
}

fn bits<T: Wide>(results: &[Array<T>]) -> Vec<u64> {
    let numbers = results.iter().flat_map(|(_, data)| data);
    numbers.map(|x| x.to_f64().to_bits()).collect()
}

/// The masks of the catalogue's cells and of one that has all kinds of them.
fn graphs() -> Vec<Graph> {
    let of = |name| catalogue(name, &DIMS);
    vec![graph(MASKED, &DIMS), of("lstm_zoneout"), of("lstm_recurrent_dropout")]
}

#[test]
fn both_engines_draw_the_same_whatever_the_passes() {
    for graph in graphs() {
        let meaning = program::<f64>(&graph, Engine::Interpreter);
        let meaning = drawn(&mut *meaning.sequence(1), SMALL, DRAW);
        let off = passes().into_iter().map(Some).chain([None]);
        for off in off {
            let enabled = |pass: &str| Some(pass) != off;
            let settings = Settings { enabled: &enabled, ..Settings::default() };
            let native = Program::<f64>::with_settings(&graph, Engine::Jit, &settings);
            let ours = drawn(&mut *native.expect("it is valid").sequence(1), SMALL, DRAW);
            assert_eq!(difference(&ours, &meaning, 1e-12), None, "{}, {off:?}", graph.name());
        }
    }
}

#[test]
fn threads_and_runs_before_change_no_bit_and_updates_and_seeds_do() {
    for graph in graphs() {
        let program = program::<f32>(&graph, Engine::Jit);
        let elements: usize = program.interface().params.iter().map(|port| port.ty.size()).sum();
        let extent = Extent { steps: (4 * WORTH_A_THREAD).div_ceil(elements * 64), batch: 64 };
        let expected = bits(&drawn(&mut *program.sequence(1), extent, DRAW));
        for threads in [1, 2, 3] {
            let mut sequence = program.sequence(threads);
            for other in [Draw { update: 2, ..DRAW }, Draw { seed: 4, ..DRAW }] {
                let other = bits(&drawn(&mut *sequence, extent, other));
                assert_ne!(other, expected, "{}", graph.name());
            }
            let found = bits(&drawn(&mut *sequence, extent, DRAW));
            assert!(found == expected, "{}, {threads} threads", graph.name());
        }
    }
}

#[test]
fn segments_replay_the_masks_of_the_run() {
    for graph in graphs() {
        for engine in [Engine::Jit, Engine::Interpreter] {
            let program = program::<f64>(&graph, engine);
            let whole = drawn(&mut *program.sequence(1), SMALL, DRAW);
            for steps in [1, 2, 4].map(|steps| std::num::NonZero::new(steps).expect("not 0")) {
                let mut cut = program.segmented(1, Segments::Of(steps));
                let ours = drawn(&mut cut, SMALL, DRAW);
                assert_eq!(difference(&ours, &whole, 1e-13), None, "{steps} of {}", graph.name());
                // Without draws, the same run is another.
                cut.set_masks(Masks::Expected);
                assert_ne!(results(&mut cut, SMALL, 7), ours);
            }
            let extent = Extent { steps: 50, ..SMALL };
            let least = match program.sequence_within(1, Some(0)).try_reshape(extent) {
                Err(RunError::Memory { needed, .. }) => needed,
                other => panic!("{other:?}"),
            };
            assert!(least < program.sequence(1).bytes(extent), "it would not be cut");
            let whole = drawn(&mut *program.sequence(1), extent, DRAW);
            let ours = drawn(&mut *program.sequence_within(1, Some(least)), extent, DRAW);
            assert_eq!(difference(&ours, &whole, 1e-13), None, "{}", graph.name());
        }
    }
}

#[test]
fn in_evaluation_a_mask_is_its_probability() {
    let certain = |text: &str| {
        let text = text.replace("bernoulli(0.25, [H])", "(0.25 * ones([H]))");
        let text = text.replace("bernoulli(0.75, [H, H])", "(0.75 * ones([H, H]))");
        let text = text.replace("bernoulli(1 - rate, [N])", "((1 - rate) * ones([N]))");
        let text = text.replace("bernoulli(zoneout_c, [H])", "(zoneout_c * ones([H]))");
        let text = text.replace("bernoulli(zoneout_h, [H])", "(zoneout_h * ones([H]))");
        let text = text.replace("bernoulli(1 - dropout, [H])", "(1 - dropout)");
        let text = text.replace("bernoulli(0.5)", "0.5");
        assert!(!text.contains("bernoulli"), "{text}");
        graph(&text, &DIMS)
    };
    let source = |name| cellc_cells::find(name).expect("a cell of the catalogue").source;
    for text in [MASKED, source("lstm_zoneout"), source("lstm_recurrent_dropout")] {
        let (masked, certain) = (graph(text, &DIMS), certain(text));
        for engine in [Engine::Jit, Engine::Interpreter] {
            let expected = results(&mut *program::<f64>(&certain, engine).sequence(1), SMALL, 7);
            let program = program::<f64>(&masked, engine);
            let mut sequence = program.sequence(1);
            let fresh = results(&mut *sequence, SMALL, 7);
            assert_eq!(difference(&fresh, &expected, 1e-13), None, "{}", masked.name());
            drawn(&mut *sequence, SMALL, DRAW);
            // As long as nothing else is said, the draws stay: for both directions.
            assert_ne!(results(&mut *sequence, SMALL, 7), fresh);
            sequence.set_masks(Masks::Expected);
            assert_eq!(results(&mut *sequence, SMALL, 7), fresh);
            drawn(&mut *sequence, SMALL, DRAW);
            sequence.reshape(Extent { steps: 1, ..SMALL });
            assert_eq!(results(&mut *sequence, SMALL, 7), fresh, "of another extent");
            steps_draw_nothing(&program);
        }
    }
}

/// A step is one of a sequence whose masks are their probabilities.
fn steps_draw_nothing(program: &Program<f64>) {
    let interface = program.interface();
    let params: Vec<_> = interface.params.iter().map(|p| vec![0.3; p.ty.size()]).collect();
    let mut step = program.step(&params, 2).expect("params fit");
    let mut sequence = program.sequence(1);
    sequence.reshape(Extent { steps: 2, batch: 2 });
    for input in [sequence.input_mut(0), step.input_mut(0)] {
        let InputMut::Real(data) = input else { panic!("x is real") };
        data.fill(0.7);
    }
    sequence.forward(&params).expect("it runs");
    for at in 0..2 {
        step.step().expect("it runs");
        for (i, port) in interface.outputs.iter().enumerate() {
            let size = 2 * port.ty.size();
            let expected = &sequence.output(i)[at * size..][..size];
            let close = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-13;
            assert!(step.output(i).iter().zip(expected).all(close), "{}", port.name);
        }
    }
}

#[test]
fn derivatives_with_fixed_draws_agree_with_differences() {
    let options = Options { cases: 3, max_steps: 5, max_batch: 3, ..Options::default() };
    for graph in graphs() {
        for engine in [Engine::Jit, Engine::Interpreter] {
            let program = program::<f64>(&graph, engine);
            let sequence = &mut *program.sequence(1);
            let mut companions = Companions::new(&graph, engine).expect("it is valid");
            let report = check_with_progress(sequence, Some(&mut companions), &options, |_| {});
            let report = report.expect("it runs");
            assert!(report.passed() && report.compared() > 0, "{report:#?}");
            assert!(report.rows.iter().all(|row| row.name != "m0"), "no gradient of a mask");
            let mut second = SecondOrder::new(&graph, engine).expect("it is valid");
            let report = check_second_order(sequence, &mut second, None, &options, |_| {});
            let report = report.expect("it runs");
            assert!(report.passed() && report.compared() > 0, "{report:#?}");
        }
    }
}

#[test]
fn examples_of_several_lengths_and_in_reverse_have_masks() {
    let graph = graph(MASKED, &DIMS);
    for engine in [Engine::Jit, Engine::Interpreter] {
        let settings = Settings::default();
        let mut run = Ragged::<f64>::new(&graph, engine, &settings, 1, None).expect("it is valid");
        let whole = drawn(&mut *program(&graph, engine).sequence(1), SMALL, DRAW);
        let ours = drawn(&mut run, SMALL, DRAW);
        assert_eq!(difference(&ours, &whole, 1e-12), None);
        let lengths = [6, 2, 0, 5];
        run.set_lengths(Some(&lengths));
        let ours = drawn(&mut run, SMALL, DRAW);
        let keep = |results: &[Array<f64>]| {
            let keep = results.iter().find(|(name, _)| name == "output keep");
            keep.expect("an output").1.clone()
        };
        for (i, (a, b)) in keep(&ours).iter().zip(keep(&whole)).enumerate() {
            let (step, example) = (i / (4 * 5), i / 5 % 4);
            assert_eq!(*a, if step < lengths[example] { b } else { 0.0 });
        }
    }
}

#[test]
fn each_call_is_a_mask_of_its_own_and_what_is_certain_is_none() {
    let text = "
cell flips(N) {
    input x: [N]
    output a = x * bernoulli(0.5, [N]), b = x * bernoulli(0.5, [N])
    output never = bernoulli(0, [N]) + x, always = bernoulli(1, [N]) * x, one = x * bernoulli(N / N)
}";
    let flips = graph(text, &[("N", 400)]);
    assert_eq!(
        flips.masks().map(|(_, name, p)| (name, p)).collect::<Vec<_>>(),
        [("m0", 0.5), ("m1", 0.5)]
    );
    let mut sequence = program::<f64>(&flips, Engine::Jit).sequence(1);
    let found = drawn(&mut *sequence, Extent { steps: 1, batch: 1 }, DRAW);
    let pairs = found[0].1.iter().zip(&found[1].1);
    let same = pairs.filter(|(a, b)| (**a == 0.0) == (**b == 0.0)).count();
    assert!(same.abs_diff(200) < 50, "{same} of 400 are the same");
    assert_eq!([&found[2].1, &found[3].1], [&found[4].1; 2]);
}

/// The mask of a dropout that a gradient needs is read where it is.
#[test]
fn the_tape_has_no_copy_of_a_mask() {
    let text = "
cell dropped(N) {
    input x: [N]
    output y = x * bernoulli(0.5, [N])
}";
    let [_, taped, _] = compile(&graph(text, &[("N", 4)]), Machine { wide: false });
    let residuals = taped.plan.residuals().iter();
    let places: Vec<_> = residuals.map(|place| taped.plan.binding(place.binding)).collect();
    assert_eq!(places, [Binding::Mask(0)]);
}
