//! How long the wide kernels take: products, sums of outer products, functions, at the sizes of
//! recurrent cells, in f32 at the machine's best width.

#![allow(unsafe_code, reason = "the kernels work on rows given by address")]

use std::time::Duration;

use cellc_compiler::ir::op::Unary;
use cellc_runtime::kernels::{Block, Rows, Width, map, outer_sum, pack, packed_len, product};
use criterion::{BenchmarkId, Criterion, Throughput};

/// Rows, elements of the vector and of the product.
const PRODUCTS: [[usize; 3]; 7] = [
    [1, 192, 512],
    [1, 1024, 2048],
    [16, 256, 1024],
    [20, 650, 2600],
    [32, 256, 1024],
    [32, 1024, 256],
    [256, 256, 1024],
];
/// Rows, elements of `u` and of `v`.
const SUMS: [[usize; 3]; 3] = [[256, 128, 40], [256, 1024, 512], [240, 2600, 1300]];

fn numbers(len: usize) -> Vec<f32> {
    (0_u8..101).cycle().take(len).map(|i| f32::from(i) / 64.0 - 0.75).collect()
}

fn rows(data: &mut [f32], len: usize) -> Rows<f32> {
    Rows { data: data.as_mut_ptr(), stride: len, len }
}

fn products(c: &mut Criterion, width: Width) {
    let mut group = c.benchmark_group("product");
    for [count, k, n] in PRODUCTS {
        let matrix = numbers(k * n);
        let block =
            Block { data: matrix.as_ptr(), stride: k, transposed: true, k: [0, k], n: [0, n] };
        let mut packed = vec![0.0; packed_len(width, 4, k, n)];
        let panels = 0..n.div_ceil(width.panel(4));
        // SAFETY: the block is the whole matrix, and there is room for it.
        unsafe { pack(width, &[block], k, n, panels, packed.as_mut_ptr()) }
        let (mut x, mut y) = (numbers(count * k), vec![0.0; count * n]);
        let (x, y) = (rows(&mut x, k), rows(&mut y, n));
        group.throughput(Throughput::Elements((2 * count * k * n) as u64));
        group.bench_function(BenchmarkId::from_parameter(format!("{count}x{k}x{n}")), |b| {
            // SAFETY: both have so many rows, and the matrix is packed for them.
            b.iter(|| unsafe { product(width, &[x], packed.as_ptr(), &[], y, 0, count) });
        });
    }
    group.finish();
}

fn sums(c: &mut Criterion, width: Width) {
    let mut group = c.benchmark_group("outer sum");
    for [count, m, n] in SUMS {
        let (mut u, mut v, mut to) = (numbers(count * m), numbers(count * n), vec![0.0; m * n]);
        let (u, v, to) = (rows(&mut u, m), rows(&mut v, n), (to.as_mut_ptr(), n));
        let mut scratch = Vec::new();
        group.throughput(Throughput::Elements((2 * count * m * n) as u64));
        group.bench_function(BenchmarkId::from_parameter(format!("{count}x{m}x{n}")), |b| {
            // SAFETY: both have so many rows, and the result is a matrix of both sizes.
            b.iter(|| unsafe { outer_sum(width, count, &[u], &[v], &[to], 0..m, &mut scratch) });
        });
    }
    group.finish();
}

fn functions(c: &mut Criterion, width: Width) {
    let mut group = c.benchmark_group("function");
    let (count, len) = (8, 256);
    for function in [Unary::Exp, Unary::Log, Unary::Sigmoid, Unary::Tanh, Unary::Softplus] {
        let (mut x, mut y) = (numbers(count * len), vec![0.0; count * len]);
        x.iter_mut().for_each(|x| *x = x.abs() + 0.01);
        let (x, y) = (rows(&mut x, len), rows(&mut y, len));
        group.throughput(Throughput::Elements((count * len) as u64));
        group.bench_function(function.name(), |b| {
            // SAFETY: both have so many rows.
            b.iter(|| unsafe { map(width, function, x, y, 0, count) });
        });
    }
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    match Width::detect() {
        Some(width) => {
            products(&mut criterion, width);
            sums(&mut criterion, width);
            functions(&mut criterion, width);
        }
        None => {
            criterion
                .bench_function("nothing: this machine has no wide vectors", |b| b.iter(|| ()));
        }
    }
    criterion.final_summary();
}
