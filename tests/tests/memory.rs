//! What runs take of the allocator is no more than what they say they take. A test binary of its
//! own, with one test: nothing else may allocate meanwhile.

use cellc_compiler::check::check;
use cellc_compiler::diagnostic::Source;
use cellc_compiler::freeze::freeze;
use cellc_compiler::ir::graph::Graph;
use cellc_compiler::syntax::parse;
use cellc_runtime::program::{Engine, Program};
use cellc_runtime::segmented::{Limit, Segments};
use cellc_runtime::sequence::{Extent, InputMut, RunError, Sequence};
use cellc_train::batch::{Batch, Data, Targets};
use cellc_train::blueprint::{Blueprint, ModelConfig};
use cellc_train::model::{Answers, Interface, Model, Readout, Reads};
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// Tables of addresses and the like: not arrays.
const BESIDES: usize = 100_000;

fn lstm(inputs: usize, hidden: usize) -> Graph {
    let entry = cellc_cells::find("lstm").expect("a cell of the catalogue");
    let cell = parse(&Source::new("lstm", entry.source)).expect("the cell parses");
    check(&cell, &[("I".into(), inputs), ("H".into(), hidden)]).expect("the cell checks").graph
}

/// Trains for a step, if there is memory for it, and says what was taken at the most.
fn peak(
    sequence: &mut dyn Sequence<f32>,
    extent: Extent,
    params: &[Vec<f32>],
    from: usize,
) -> usize {
    ALLOCATOR.reset_peak_usage();
    sequence.try_reshape(extent).expect("there is memory");
    sequence.forward(params).expect("it runs");
    sequence.forward_with_tape(params).expect("it runs");
    sequence.output_cotangent_mut(0).fill(1.0);
    sequence.backward(params).expect("there is a tape");
    ALLOCATOR.peak_usage() - from
}

#[test]
fn limits_hold_of_all_that_is_allocated() {
    limits_hold();
    ten_thousand_steps_in_200_megabytes();
    a_model_shares_its_limit();
}

fn limits_hold() {
    let graph = freeze(&lstm(4, 16)).expect("it can be frozen");
    for engine in [Engine::Jit, Engine::Interpreter] {
        let program = Program::<f32>::new(&graph, engine).expect("the graph is valid");
        let params: Vec<Vec<f32>> =
            program.interface().params.iter().map(|port| vec![0.1; port.ty.size()]).collect();
        let long = Extent { steps: if engine == Engine::Jit { 5000 } else { 500 }, batch: 4 };
        let from = ALLOCATOR.current_usage();
        let mut whole = program.sequence(1);
        let needed = whole.bytes(long);
        let taken = peak(&mut *whole, long, &params, from);
        assert!(taken <= needed + BESIDES, "{engine:?}: {taken} taken, {needed} said");
        assert!(taken >= needed / 2, "{engine:?}: {taken} taken, {needed} said");
        drop(whole);
        assert!(ALLOCATOR.current_usage() <= from + BESIDES);

        let from = ALLOCATOR.current_usage();
        let limit = needed / 3;
        let mut cut = program.segmented(1, Segments::Within(limit));
        // What one extent leaves behind must not add to what another takes.
        let wide = Extent { steps: 10, batch: long.steps / 10 };
        let short = Extent { steps: long.steps / 4, batch: 4 };
        for extent in [long, short, wide, long, wide, short, long] {
            let taken = peak(&mut cut, extent, &params, from);
            assert!(taken <= limit + BESIDES, "{engine:?}, {extent:?}: {taken} of {limit}");
        }
        assert!(cut.segment_steps() < long.steps);
        cut.release();
        assert!(ALLOCATOR.current_usage() <= from + 3 * BESIDES, "given back");
    }
}

fn ten_thousand_steps_in_200_megabytes() {
    let program = Program::<f32>::new(&lstm(32, 64), Engine::Jit).expect("the graph is valid");
    let params: Vec<Vec<f32>> = (program.interface().params.iter())
        .map(|port| (0..port.ty.size()).map(|i| ((i * 37) % 101) as f32 / 500.0 - 0.1).collect())
        .collect();
    let extent = Extent { steps: 10_000, batch: 8 };
    let limit = 200_000_000;
    let gradients = |sequence: &mut dyn Sequence<f32>| {
        let from = ALLOCATOR.current_usage();
        ALLOCATOR.reset_peak_usage();
        sequence.try_reshape(extent).expect("there is memory");
        let InputMut::Real(x) = sequence.input_mut(0) else { panic!("x is real") };
        x.iter_mut().enumerate().for_each(|(i, x)| *x = ((i * 29) % 83) as f32 / 41.0 - 1.0);
        sequence.forward_with_tape(&params).expect("it runs");
        sequence.output_cotangent_mut(0).fill(1e-3);
        sequence.backward(&params).expect("there is a tape");
        let peak = ALLOCATOR.peak_usage() - from;
        let sums: Vec<_> = (0..params.len()).map(|i| sequence.param_gradient(i).to_vec()).collect();
        (sums, sequence.input_gradient(0).expect("x is real").to_vec(), peak)
    };
    let (sums, inputs, whole) = gradients(&mut *program.sequence(1));
    assert!(whole > limit, "it would take {whole}");
    let (our_sums, ours, taken) = gradients(&mut *program.sequence_within(1, Some(limit)));
    assert!(taken <= limit + BESIDES, "{taken} taken");
    assert_eq!(ours, inputs, "bit for bit");
    for (ours, sums) in our_sums.iter().zip(&sums) {
        let largest = sums.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
        for (a, b) in ours.iter().zip(sums) {
            assert!((a - b).abs() <= 2e-4 * largest, "{a} is not {b}; largest {largest}");
        }
    }
}

/// The stages of a model together take no more than it was given, whatever batches there are.
fn a_model_shares_its_limit() {
    let (cell, layers, hidden, embedding) = ("gru".to_owned(), 2, 24, 8);
    let config = ModelConfig { cell, layers, hidden, embedding, ..ModelConfig::default() };
    let blueprint = Blueprint::of_catalogue(config).expect("a cell of the catalogue");
    for readout in [Readout::Each, Readout::Last] {
        let (reads, answers) = (Reads::Symbols(30), Answers::Classes(30));
        let masked = readout == Readout::Last;
        let interface = Interface { reads, answers, readout, masked, resets: false };
        let architecture = blueprint.architecture(interface).expect("it makes a model");
        let model = Model::<f32>::new(&architecture, Engine::Jit, 1).expect("it can be compiled");
        let batch = |steps: usize, batch| {
            let symbols: Vec<u32> = (0..steps * batch).map(|i| (i * i % 29) as u32).collect();
            let answers = if readout == Readout::Each { steps } else { 1 };
            let targets = Targets::Classes(symbols[..answers * batch].to_vec());
            let (extent, data) = (Extent { steps, batch }, Data::Symbols(symbols));
            Batch { extent, data, targets, ..Batch::default() }
        };
        let long = batch(1000, 4);
        let within = |bytes| model.run_within(1, Some(Limit { bytes, taken: 0 }));
        let needed = match within(0).forward_backward(&model, &long, None) {
            Err(RunError::Memory { needed, .. }) => needed,
            other => panic!("{other:?}"),
        };
        let batches = [long, batch(400, 4), batch(20, 60), batch(1000, 4)];
        for limit in [needed, needed * 5 / 4, needed * 2] {
            let from = ALLOCATOR.current_usage();
            ALLOCATOR.reset_peak_usage();
            let mut run = within(limit);
            for batch in &batches {
                run.forward_backward(&model, batch, None).expect("there is memory");
                let taken = ALLOCATOR.peak_usage() - from;
                assert!(taken <= limit + BESIDES, "{readout:?}: {taken} of {limit}");
            }
        }
    }
}
