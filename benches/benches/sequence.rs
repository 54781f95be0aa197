//! How long a sequence takes: forward, and a training step, on one thread.
//!
//! A training step is forward with the tape, backward to the parameters, the inputs and the initial
//! states, and an update by gradient descent. Throughput is in steps of one example.

use std::time::Duration;

use cellc_benches::{SIZES, Size, cell, source};
use cellc_runtime::initialize::draw;
use cellc_runtime::optimizer::{Method, Optimizer};
use cellc_runtime::program::{Engine, Program};
use cellc_runtime::sequence::{Extent, InputMut, Sequence};
use criterion::{BenchmarkId, Criterion, Throughput};

const CELLS: [&str; 3] = ["lstm", "gru", "rnn"];

/// A cell at a size, ready to run: its memory and its parameters.
fn ready(name: &str, size: Size) -> (Box<dyn Sequence<f32>>, Vec<Vec<f32>>) {
    let cell = cell(&source(name), size.input, size.hidden);
    let program = Program::<f32>::new(&cell.graph, Engine::Jit).expect("this machine has code");
    let ports = program.interface().params.iter().zip(&cell.initializers);
    let params = ports.zip(0..).map(|((port, &how), i)| draw(how, &port.ty.shape, 1, i)).collect();
    let mut sequence = program.sequence(1);
    sequence.reshape(Extent { steps: size.steps, batch: size.batch });
    if let InputMut::Real(x) = sequence.input_mut(0) {
        // Numbers of either sign: what they are does not matter to the speed.
        x.iter_mut().zip((0_u8..17).cycle()).for_each(|(x, i)| *x = f32::from(i) / 8.0 - 1.0);
    }
    sequence.output_cotangent_mut(0).fill(1e-3);
    (sequence, params)
}

fn forward(c: &mut Criterion) {
    let mut group = c.benchmark_group("forward");
    for (name, size) in CELLS.into_iter().flat_map(|name| SIZES.map(|size| (name, size))) {
        let (mut sequence, params) = ready(name, size);
        group.throughput(Throughput::Elements((size.steps * size.batch) as u64));
        group.bench_function(BenchmarkId::new(name, size.name), |b| {
            b.iter(|| sequence.forward(&params).expect("the params fit"));
        });
    }
    group.finish();
}

fn training_step(c: &mut Criterion) {
    let mut group = c.benchmark_group("training step");
    for (name, size) in CELLS.into_iter().flat_map(|name| SIZES.map(|size| (name, size))) {
        let (mut sequence, mut params) = ready(name, size);
        let sizes: Vec<usize> = params.iter().map(Vec::len).collect();
        let mut optimizer = Optimizer::new(Method::Sgd, 0.0, &sizes);
        group.throughput(Throughput::Elements((size.steps * size.batch) as u64));
        group.bench_function(BenchmarkId::new(name, size.name), |b| {
            b.iter(|| {
                sequence.forward_with_tape(&params).expect("the params fit");
                sequence.backward(&params).expect("there is a tape");
                let gradients: Vec<&[f32]> =
                    (0..params.len()).map(|param| sequence.param_gradient(param)).collect();
                let mut params: Vec<&mut [f32]> =
                    params.iter_mut().map(Vec::as_mut_slice).collect();
                optimizer.step(&mut params, &gradients, 1e-6, 1.0);
            });
        });
    }
    group.finish();
}

fn main() {
    let criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2));
    let mut criterion = criterion.configure_from_args();
    forward(&mut criterion);
    training_step(&mut criterion);
    criterion.final_summary();
}
