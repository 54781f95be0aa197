//! `run`: a cell applied to arrays, against numbers computed by hand.

use safetensors::{Dtype, SafeTensors};

use crate::support::{Folder, Tensor, pack};

/// `h' = a h + x`, `y = h' h'`
const DECAY: &str = "
cell decay(N) {
    input x: [N]
    state h: [N]
    param a: [N]
    next h = a * h + x
    output y = next h * next h
}
";

/// T = 2, B = 2, N = 1; the second example starts from zero.
fn decay(number: impl Fn(&str, &[usize], &[f64]) -> Tensor) -> Vec<Tensor> {
    vec![
        number("a", &[1], &[0.5]),
        number("x", &[2, 2, 1], &[1.0, -2.0, 3.0, 0.0]),
        number("h", &[2, 1], &[2.0, 0.0]),
    ]
}

/// The numbers of a tensor of the results, and its shape.
fn read(folder: &Folder, name: &str) -> (Vec<usize>, Vec<f64>) {
    let bytes = std::fs::read(folder.path().join("out")).expect("the results are there");
    let file = SafeTensors::deserialize(&bytes).expect("the results are a safetensors file");
    let tensor = file.tensor(name).expect("the tensor is among the results");
    let data = tensor.data();
    let numbers = match tensor.dtype() {
        Dtype::F32 => data.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b).into()).collect(),
        Dtype::F64 => data.as_chunks().0.iter().map(|&b| f64::from_le_bytes(b)).collect(),
        dtype => panic!("results are not {dtype}"),
    };
    (tensor.shape().to_vec(), numbers)
}

fn names(folder: &Folder) -> Vec<String> {
    let bytes = std::fs::read(folder.path().join("out")).expect("the results are there");
    let file = SafeTensors::deserialize(&bytes).expect("the results are a safetensors file");
    let mut names: Vec<_> = file.names().into_iter().map(str::to_owned).collect();
    names.sort_unstable();
    names
}

fn narrow(name: &str, shape: &[usize], numbers: &[f64]) -> Tensor {
    #[allow(clippy::cast_possible_truncation, reason = "small numbers with few digits")]
    let numbers: Vec<f32> = numbers.iter().map(|&x| x as f32).collect();
    Tensor::f32(name, shape, &numbers)
}

#[test]
fn results_are_those_computed_by_hand() {
    for engine in ["jit", "interpreter"] {
        for dtype in [Dtype::F32, Dtype::F64] {
            let folder = Folder::new();
            folder.file("decay.cell", DECAY);
            let tensors = if dtype == Dtype::F32 { decay(narrow) } else { decay(Tensor::f64) };
            folder.file("in", pack(&tensors));
            let words =
                format!("run decay.cell --dims N=1 --arrays in --out out --engine {engine}");
            let dtype_name = dtype.to_string().to_lowercase();
            folder.cellc(&words).exits(0).prints(&["T = 2, B = 2", &dtype_name, "final.h"]);
            assert_eq!(names(&folder), ["final.h", "out.y"]);
            // h: 2 -> 2 -> 4 and 0 -> -2 -> -1
            assert_eq!(read(&folder, "out.y"), (vec![2, 2, 1], vec![4.0, 4.0, 16.0, 1.0]));
            assert_eq!(read(&folder, "final.h"), (vec![2, 1], vec![4.0, -1.0]));
        }
    }
}

#[test]
fn gradients_are_those_computed_by_hand() {
    let folder = Folder::new();
    folder.file("decay.cell", DECAY);
    let mut tensors = decay(Tensor::f64);
    tensors.push(Tensor::f64("cotangent.out.y", &[2, 2, 1], &[0.0, 1.0, 1.0, 0.0]));
    tensors.push(Tensor::f64("cotangent.final.h", &[2, 1], &[1.0, 10.0]));
    folder.file("in", pack(&tensors));
    folder.cellc("run decay.cell --dims N=1 --arrays in --out out --threads 2").exits(0);
    assert_eq!(names(&folder), ["final.h", "grad.a", "grad.h", "grad.x", "out.y"]);
    // The cotangent of h after step 2 is 1 + 2 * 4 = 9 and 10; after step 1, 9 / 2 = 4.5 and
    // 10 / 2 + 2 * -2 = 1.
    assert_eq!(read(&folder, "grad.x"), (vec![2, 2, 1], vec![4.5, 1.0, 9.0, 10.0]));
    assert_eq!(read(&folder, "grad.h"), (vec![2, 1], vec![2.25, 0.5]));
    // 4.5 * 2 + 9 * 2 + 1 * 0 + 10 * -2
    assert_eq!(read(&folder, "grad.a"), (vec![1], vec![7.0]));
}

#[test]
fn absent_states_and_cotangents_are_zero() {
    let folder = Folder::new();
    folder.file("decay.cell", DECAY);
    let mut tensors = decay(Tensor::f64);
    tensors.truncate(2);
    tensors.push(Tensor::f64("cotangent.final.h", &[2, 1], &[1.0, 1.0]));
    folder.file("in", pack(&tensors));
    folder.cellc("run decay.cell --dims N=1 --arrays in --out out").exits(0);
    // h: 0 -> 1 -> 3.5 and 0 -> -2 -> -1
    assert_eq!(read(&folder, "final.h").1, [3.5, -1.0]);
    assert_eq!(read(&folder, "grad.a").1, [-1.0]);
    assert_eq!(read(&folder, "grad.x").1, [0.5, 0.5, 1.0, 1.0]);
}

#[test]
fn not_a_number_is_a_number_here() {
    let folder = Folder::new();
    folder.file("decay.cell", DECAY);
    let mut tensors = decay(Tensor::f64);
    tensors[1] = Tensor::f64("x", &[1, 3, 1], &[f64::NAN, f64::INFINITY, 1.0]);
    tensors.truncate(2);
    folder.file("in", pack(&tensors));
    folder.cellc("run decay.cell --dims N=1 --arrays in --out out").exits(0);
    let (_, y) = read(&folder, "out.y");
    assert!(y[0].is_nan() && y[1] == f64::INFINITY && y[2] == 1.0, "{y:?}");
}

#[test]
fn indices_come_in_four_dtypes() {
    let indices: [(Dtype, Vec<u8>); 4] = [
        (Dtype::U8, vec![2, 0]),
        (Dtype::U32, [2u32, 0].map(u32::to_le_bytes).concat()),
        (Dtype::I32, [2i32, 0].map(i32::to_le_bytes).concat()),
        (Dtype::I64, [2i64, 0].map(i64::to_le_bytes).concat()),
    ];
    for (dtype, bytes) in indices {
        let folder = Folder::new();
        let table = [0.5, 1.0, 1.5, 2.0, 2.5, 3.0];
        let mut tensors = vec![Tensor::f64("table", &[3, 2], &table)];
        tensors.push(Tensor::f64("cotangent.out.y", &[2, 1, 2], &[1.0, 2.0, 3.0, 4.0]));
        tensors.push(Tensor::new("token", dtype, &[2, 1], bytes));
        folder.file("in", pack(&tensors));
        folder.cellc("run embedding --dims V=3,E=2 --arrays in --out out").exits(0);
        assert_eq!(read(&folder, "out.y").1, [2.5, 3.0, 0.5, 1.0]);
        assert_eq!(read(&folder, "grad.table").1, [3.0, 4.0, 0.0, 0.0, 1.0, 2.0]);
        assert_eq!(names(&folder), ["grad.table", "out.y"]);
    }
}

#[test]
fn a_cell_without_inputs_takes_its_length_from_cotangents() {
    let folder = Folder::new();
    folder.file("grow.cell", "cell grow() {\n state h: []\n next h = 2 * h\n output h\n}\n");
    let h = Tensor::f64("h", &[1], &[3.0]);
    folder.file("in", pack(&[h.clone(), Tensor::f64("cotangent.out.h", &[4, 1], &[0.0; 4])]));
    folder.cellc("run grow.cell --arrays in --out out").exits(0).prints(&["T = 4"]);
    assert_eq!(read(&folder, "out.h"), (vec![4, 1], vec![6.0, 12.0, 24.0, 48.0]));
    folder.file("in", pack(&[h]));
    let outcome = folder.cellc("run grow.cell --arrays in --out out").exits(2);
    outcome.says(&["number of time steps T", "`cotangent.out.h` [T, B, ..]"]);
}

#[test]
fn results_replace_a_file_as_a_whole() {
    let folder = Folder::new();
    folder.file("decay.cell", DECAY);
    folder.file("in", pack(&decay(Tensor::f64)));
    folder.file("out", "of before");
    let words = "run decay.cell --dims N=1 --arrays";
    folder.cellc(&format!("{words} none --out out")).exits(2).says(&["cannot read `none`"]);
    assert_eq!(std::fs::read(folder.path().join("out")).expect("it is there"), b"of before");
    folder.cellc(&format!("{words} in --out out")).exits(0);
    assert_eq!(read(&folder, "final.h").1, [4.0, -1.0]);
    for out in ["no/such/folder", "."] {
        let outcome = folder.cellc(&format!("{words} in --out {out}")).exits(2);
        outcome.says(&[&format!("cannot write `{out}`")]);
    }
    let files = std::fs::read_dir(folder.path()).expect("it is a folder");
    assert_eq!(files.count(), 3, "no temporary file is left behind");
}

#[test]
fn run_wants_every_dimension() {
    let folder = Folder::new();
    folder.file("in", pack(&[]));
    let outcome = folder.cellc("run lstm --dims I=3 --arrays in --out out").exits(2);
    outcome.says(&["H"]);
}

#[test]
fn arrays_are_not_overwritten_with_results() {
    let (folder, arrays) = (Folder::new(), b"anything");
    folder.file("in.safetensors", arrays);
    let run = "run lstm --dims I=1,H=1 --arrays in.safetensors --out ./in.safetensors";
    folder.cellc(run).exits(2).says(&["would be overwritten", "--out"]);
    let kept = std::fs::read(folder.path().join("in.safetensors")).expect("the file is there");
    assert_eq!(kept, arrays);
}

#[test]
fn a_run_keeps_to_its_memory_or_says_what_it_needs() {
    let folder = Folder::new();
    let ramp = |n: usize| (0..n).map(|i| (i % 17) as f64 / 17.0 - 0.4).collect::<Vec<_>>();
    let mut tensors = vec![
        Tensor::f64("x", &[500, 2, 2], &ramp(2000)),
        Tensor::f64("W", &[8, 10], &ramp(80)),
        Tensor::f64("b", &[8], &ramp(8)),
    ];
    tensors.push(Tensor::f64("cotangent.final.h", &[2, 8], &ramp(16)));
    folder.file("in", pack(&tensors));
    let words = "run rnn --dims I=2,H=8 --arrays in --out out";
    folder.cellc(words).exits(0);
    let whole = ["out.h", "grad.x", "grad.W"].map(|name| read(&folder, name).1);
    folder.cellc(&format!("{words} --memory 300kB")).exits(0);
    for (name, whole) in ["out.h", "grad.x", "grad.W"].iter().zip(whole) {
        let cut = read(&folder, name).1;
        assert!(cut.iter().zip(&whole).all(|(a, b)| (a - b).abs() <= 1e-12 * b.abs().max(1.0)));
    }
    let refused = folder.cellc(&format!("{words} --memory 64KiB")).exits(2);
    refused
        .says(&["500 steps of 2 examples need", "of memory, and the limit is 65.6 kB (--memory)"]);
}

/// The first example has one step, the second two, whichever comes first.
#[test]
fn lengths_and_directions() {
    for engine in ["jit", "interpreter"] {
        let folder = Folder::new();
        folder.file("decay.cell", DECAY);
        let mut tensors = decay(Tensor::f64);
        tensors.push(Tensor::f64("cotangent.out.y", &[2, 2, 1], &[1.0, 1.0, 1.0, 1.0]));
        let lengths = [1i64, 2].map(i64::to_le_bytes).concat();
        tensors.push(Tensor::new("lengths", Dtype::I64, &[2], lengths));
        folder.file("in", pack(&tensors));
        let words = format!("run decay.cell --dims N=1 --arrays in --out out --engine {engine}");
        // h: 2 -> 0.5 * 2 + 1 and 0 -> -2 -> -1
        folder.cellc(&words).exits(0);
        assert_eq!(read(&folder, "final.h").1, [2.0, -1.0]);
        assert_eq!(read(&folder, "out.y").1, [4.0, 4.0, 0.0, 1.0]);
        // y = h'h': 2 h' at each step, and half of what comes after it; nothing beyond the end.
        assert_eq!(read(&folder, "grad.x").1, [4.0, -5.0, 0.0, -2.0]);
        assert_eq!(read(&folder, "grad.h").1, [2.0, -2.5]);
        // In reverse, the second is 0 -> 0 -> -2.
        folder.cellc(&format!("{words} --reverse")).exits(0);
        assert_eq!(read(&folder, "final.h").1, [2.0, -2.0]);
        assert_eq!(read(&folder, "out.y").1, [4.0, 4.0, 0.0, 0.0]);
        assert_eq!(read(&folder, "grad.x").1, [4.0, -4.0, 0.0, -2.0]);
    }
}

#[test]
fn masks_are_drawn_by_a_seed_and_are_no_inputs() {
    let folder = Folder::new();
    let cell = "cell noisy(N) {\n    input x: [N]\n    output y = x * bernoulli(0.25, [N])\n}";
    folder.file("noisy.cell", cell);
    let ones = [1.0; 2 * 64];
    let cotangent = Tensor::f64("cotangent.out.y", &[2, 1, 64], &ones);
    folder.file("in", pack(&[Tensor::f64("x", &[2, 1, 64], &ones), cotangent]));
    let run = |more: &str| {
        let words = format!("run noisy.cell --dims N=64 --arrays in --out out {more}");
        folder.cellc(&words).exits(0);
        assert_eq!(names(&folder), ["grad.x", "out.y"]);
        let y = read(&folder, "out.y").1;
        // What was drawn is the same on the way back.
        assert_eq!(read(&folder, "grad.x").1, y);
        y
    };
    assert_eq!(run(""), [0.25; 2 * 64]);
    let drawn = run("--seed 1");
    assert!(drawn.contains(&0.0) && drawn.contains(&1.0), "{drawn:?}");
    for more in ["", "--engine interpreter", "--threads 2"] {
        assert_eq!(run(&format!("--seed 1 {more}")), drawn);
    }
    assert_ne!(run("--seed 2"), drawn);
    // Of the steps in reverse, the last is drawn first.
    assert_eq!(run("--seed 1 --reverse"), [&drawn[64..], &drawn[..64]].concat());
    folder.cellc("check noisy.cell").exits(0).prints(&["draws", "1 with probability 0.25"]);
}
