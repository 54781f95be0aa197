//! How long the transcendental functions take, as maps over 64 rows of 1024 elements. `abs`, which
//! costs next to nothing, shows what is left for reading and writing.

use cellc_runtime::kernels::Wide;
use std::time::Duration;

use cellc_compiler::ir::text::parse;
use cellc_runtime::program::{Engine, Program};
use cellc_runtime::sequence::{Extent, InputMut};
use criterion::{BenchmarkId, Criterion, Throughput};

const FUNCTIONS: [&str; 5] = ["abs", "exp", "log", "sigmoid", "tanh"];
const ROWS: usize = 64;
const COLUMNS: usize = 1024;

fn maps<T: Wide>(c: &mut Criterion) {
    let mut group = c.benchmark_group("math");
    group.throughput(Throughput::Elements((ROWS * COLUMNS) as u64));
    for function in FUNCTIONS {
        let text = format!(
            "graph map
            %0 = input x : [{COLUMNS}]
            %1 = {function} %0 : [{COLUMNS}]
            output y = %1"
        );
        let graph = parse(&text).expect("well-formed text");
        let program = Program::<T>::new(&graph, Engine::Jit).expect("this machine has code");
        let mut sequence = program.sequence(1);
        sequence.reshape(Extent { steps: 1, batch: ROWS });
        if let InputMut::Real(x) = sequence.input_mut(0) {
            // Above 0, for `log`, and where nothing saturates.
            let number = |i: usize| T::from_f64(0.1 + 3.0 * (i % 1000) as f64 / 1000.0);
            x.iter_mut().enumerate().for_each(|(i, x)| *x = number(i));
        }
        group.bench_function(BenchmarkId::new(function, T::PRECISION.name()), |b| {
            b.iter(|| sequence.forward(&[]).expect("there are no params"));
        });
    }
    group.finish();
}

fn main() {
    let criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    let mut criterion = criterion.configure_from_args();
    maps::<f32>(&mut criterion);
    maps::<f64>(&mut criterion);
    criterion.final_summary();
}
