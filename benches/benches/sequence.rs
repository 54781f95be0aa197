//! How long a sequence takes: forward, and a training step, on one thread.
//!
//! A training step is forward with the tape, backward to the parameters, the inputs and the initial
//! states, and an update by gradient descent. Throughput is in steps of one example.

use std::time::Duration;

use cellc_benches::{SIZES, Size, cell, source};
use cellc_runtime::measure::Workload;
use cellc_runtime::program::{Engine, Program};
use cellc_runtime::sequence::Extent;
use criterion::{BenchmarkId, Criterion, Throughput};

const CELLS: [&str; 3] = ["lstm", "gru", "rnn"];

/// A cell at a size, ready to run.
fn ready(name: &str, size: Size) -> Workload<f32> {
    let cell = cell(&source(name), size.input, size.hidden);
    let program = Program::<f32>::new(&cell.graph, Engine::Jit).expect("this machine has code");
    Workload::new(&program, &cell, Extent { steps: size.steps, batch: size.batch }, 1)
}

fn forward(c: &mut Criterion) {
    let mut group = c.benchmark_group("forward");
    for (name, size) in CELLS.into_iter().flat_map(|name| SIZES.map(|size| (name, size))) {
        let mut workload = ready(name, size);
        group.throughput(Throughput::Elements((size.steps * size.batch) as u64));
        group.bench_function(BenchmarkId::new(name, size.name), |b| {
            b.iter(|| workload.forward().expect("the params fit"));
        });
    }
    group.finish();
}

fn training_step(c: &mut Criterion) {
    let mut group = c.benchmark_group("training step");
    for (name, size) in CELLS.into_iter().flat_map(|name| SIZES.map(|size| (name, size))) {
        let mut workload = ready(name, size);
        group.throughput(Throughput::Elements((size.steps * size.batch) as u64));
        group.bench_function(BenchmarkId::new(name, size.name), |b| {
            b.iter(|| workload.training_step().expect("the params fit"));
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
