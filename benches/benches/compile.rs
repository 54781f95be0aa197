//! How long compiling takes: each stage on its own, for the recurrent cells of the catalogue.

use std::hint::black_box;
use std::time::Duration;

use cellc_benches::{cell, source};
use cellc_cells::Kind;
use cellc_compiler::autodiff::differentiate;
use cellc_compiler::fuse::Machine;
use cellc_compiler::ir::eval::Precision;
use cellc_compiler::jit::Code;
use cellc_compiler::opt::simplify;
use cellc_compiler::pipeline::{Graphs, Plans};
use cellc_compiler::plan::Options;
use cellc_runtime::kernels::Width;
use cellc_runtime::program::{Engine, Program};
use criterion::{BenchmarkId, Criterion};

/// `I` and `H`. Code has loops over them: compile times hardly depend on their size.
const DIMS: [usize; 2] = [64, 128];

fn stages(c: &mut Criterion) {
    let mut group = c.benchmark_group("compile");
    for entry in cellc_cells::all().iter().filter(|entry| entry.kind == Kind::Recurrent) {
        let source = source(entry.name);
        let graph = cell(&source, DIMS[0], DIMS[1]).graph;
        let graphs = Graphs::new(&graph, |_| true).expect("the passes work");
        let wide = Width::detect().is_some();
        let options = Options { machine: Machine { wide }, reuse: true };
        let id = |stage: &str| BenchmarkId::new(stage, entry.name);
        group.bench_function(id("parse and check"), |b| {
            b.iter(|| cell(black_box(&source), DIMS[0], DIMS[1]));
        });
        group.bench_function(id("differentiate"), |b| {
            b.iter(|| differentiate(black_box(&graph)).expect("the rules are well-typed"));
        });
        group.bench_function(id("simplify backward"), |b| {
            let backward = differentiate(&graph).expect("the rules are well-typed").backward;
            b.iter(|| simplify(black_box(&backward), |_| true).expect("the passes work"));
        });
        group.bench_function(id("phases, kernels and plan"), |b| {
            b.iter(|| Plans::new(black_box(&graphs), options));
        });
        group.bench_function(id("machine code"), |b| {
            let Plans { forward, taped, backward } = Plans::new(&graphs, options);
            b.iter(|| {
                [&forward, &taped, &backward].map(|plan| {
                    Code::compile(plan.clone(), Precision::F32).expect("this machine has code")
                })
            });
        });
        group.bench_function(id("graph to machine code"), |b| {
            b.iter(|| {
                Program::<f32>::new(black_box(&graph), Engine::Jit).expect("this machine has code")
            });
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
    stages(&mut criterion);
    criterion.final_summary();
}
