//! Broken array files: each is refused with exit status 2 and a message that names what is wrong.

use safetensors::Dtype;

use crate::support::{Folder, Tensor, pack};

/// Two inputs, one of them an index; a state; an output.
const CELL: &str = "
cell pick(N) {
    input x: [N]
    input i: index(3)
    state h: [N]
    param W: [N, N]
    param table: [3, N]
    next h = tanh(W @ h + x + table[i])
    output y = h
}
";

/// Arrays that fit `CELL` with N = 2: T = 4, B = 3.
fn fitting() -> Vec<Tensor> {
    let real = |name, shape: &[usize]| Tensor::zeros(name, Dtype::F32, shape);
    vec![
        real("W", &[2, 2]),
        real("table", &[3, 2]),
        real("x", &[4, 3, 2]),
        Tensor::zeros("i", Dtype::I64, &[4, 3]),
        real("h", &[3, 2]),
        real("cotangent.out.y", &[4, 3, 2]),
        real("cotangent.final.h", &[3, 2]),
    ]
}

fn run(bytes: impl AsRef<[u8]>, options: &str) -> (Folder, crate::support::Outcome) {
    let folder = Folder::new();
    folder.file("pick.cell", CELL);
    folder.file("in", bytes);
    let words = format!("run pick.cell --dims N=2 --arrays in --out out {options}");
    let outcome = folder.cellc(&words);
    (folder, outcome)
}

/// Checks that a file is refused, and what is said.
#[track_caller]
fn refused(bytes: impl AsRef<[u8]>, options: &str, parts: &[&str]) {
    let (folder, outcome) = run(bytes, options);
    let outcome = outcome.exits(2).says(&["error: `in`"]).says(parts);
    assert_eq!(outcome.stdout, "");
    assert!(!folder.path().join("out").exists(), "{outcome}");
}

/// The fitting arrays with one of them replaced, or with another one.
fn with(tensor: Tensor) -> Vec<u8> {
    let mut tensors = fitting();
    match tensors.iter_mut().find(|other| other.name == tensor.name) {
        Some(other) => *other = tensor,
        None => tensors.push(tensor),
    }
    pack(&tensors)
}

fn without(names: &[&str]) -> Vec<u8> {
    let mut tensors = fitting();
    tensors.retain(|tensor| !names.contains(&tensor.name.as_str()));
    pack(&tensors)
}

/// A safetensors file with a header of any text.
fn raw(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.resize(bytes.len() + data, 0);
    bytes
}

#[test]
fn the_arrays_fit_unbroken() {
    run(pack(&fitting()), "").1.exits(0);
}

#[test]
fn files_that_are_no_safetensors_files() {
    refused("", "", &["the file is empty"]);
    refused("abc", "", &["not a safetensors file"]);
    refused("this is a text file, not one of tensors", "", &["not a safetensors file"]);
    refused([0xff; 64], "", &["not a safetensors file"]);
    refused(raw("this is no JSON", 0), "", &["not a safetensors file", "JSON"]);
    refused(raw("[1, 2, 3]", 0), "", &["not a safetensors file"]);
    refused(raw("\u{0}\u{1}", 0), "", &["not a safetensors file"]);
}

#[test]
fn damaged_files() {
    let whole = pack(&fitting());
    // Within the header, within its length, and within the last tensor.
    refused(&whole[..40], "", &["damaged", "announce a header", "only 32 bytes follow"]);
    refused(&whole[..5], "", &["damaged"]);
    refused(&whole[..whole.len() - 4], "", &["damaged", "tensor `x`", "96 bytes", "has 92 bytes"]);
    let longer = [whole.as_slice(), b"more"].concat();
    refused(longer, "", &["damaged"]);
    let header = r#"{"x":{"dtype":"F32","shape":[4,3,2],"data_offsets":[0,80]}}"#;
    let parts = ["damaged", "tensor `x`", "[4, 3, 2]", "96 bytes", "has 80 bytes"];
    refused(raw(header, 80), "", &parts);
    let header = r#"{"x":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}"#;
    refused(raw(header, 12), "", &["damaged", "`x`"]);
    let header = r#"{"x":{"dtype":"F99","shape":[2],"data_offsets":[0,8]}}"#;
    refused(raw(header, 8), "", &["damaged", "F99"]);
    let header = r#"{"x":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}"#;
    refused(raw(header, 8), "", &["damaged"]);
    let huge = u64::MAX;
    let header =
        format!(r#"{{"x":{{"dtype":"F32","shape":[{huge},{huge}],"data_offsets":[0,8]}}}}"#);
    refused(raw(&header, 8), "", &["damaged"]);
}

#[test]
fn missing_arrays() {
    let parts = ["tensor `W` is missing", "param", "[2, 2]"];
    refused(without(&["W"]), "", &parts);
    refused(without(&["x"]), "", &["tensor `x` is missing", "input", "[T, B, 2]"]);
    refused(without(&["i"]), "", &["tensor `i` is missing", "[T, B]"]);
    refused(pack(&[]), "", &["`W`", "`table`", "`x`", "`i`"]);
}

#[test]
fn misshapen_arrays() {
    let real = |name, shape: &[usize]| with(Tensor::zeros(name, Dtype::F32, shape));
    refused(real("W", &[2, 3]), "", &["tensor `W` must be [2, 2], found [2, 3]"]);
    refused(real("table", &[2, 3]), "", &["tensor `table` must be [3, 2], found [2, 3]"]);
    refused(real("W", &[4]), "", &["tensor `W` must be [2, 2], found [4]"]);
    refused(real("W", &[]), "", &["tensor `W` must be [2, 2], found []"]);
    refused(real("x", &[4, 3, 5]), "", &["tensor `x` must be [T, B, 2], found [4, 3, 5]"]);
    refused(real("x", &[4, 2]), "", &["tensor `x` must be [T, B, 2], found [4, 2]"]);
    refused(real("h", &[1, 3, 2]), "", &["tensor `h` must be [B, 2], found [1, 3, 2]"]);
    let index = Tensor::zeros("i", Dtype::I64, &[4, 3, 1]);
    refused(with(index), "", &["tensor `i` must be [T, B], found [4, 3, 1]"]);
    let parts = ["`cotangent.out.y` must be [T, B, 2], found [4, 3, 1]"];
    refused(real("cotangent.out.y", &[4, 3, 1]), "", &parts);
    let parts = ["`cotangent.final.h` must be [B, 2], found [2]"];
    refused(real("cotangent.final.h", &[2]), "", &parts);
}

#[test]
fn arrays_that_disagree_on_length_or_batch() {
    let real = |name, shape: &[usize]| with(Tensor::zeros(name, Dtype::F32, shape));
    let index = Tensor::zeros("i", Dtype::I64, &[5, 3]);
    let parts = ["tensor `i` is [5, 3], so T = 5", "`x` is [4, 3, 2], so T = 4"];
    refused(with(index), "", &parts);
    let parts = ["tensor `h` is [1, 2], so B = 1", "`x` is [4, 3, 2], so B = 3"];
    refused(real("h", &[1, 2]), "", &parts);
    let parts = ["`cotangent.out.y` is [4, 4, 2], so B = 4"];
    refused(real("cotangent.out.y", &[4, 4, 2]), "", &parts);
    let parts = ["`cotangent.final.h` is [9, 2], so B = 9"];
    refused(real("cotangent.final.h", &[9, 2]), "", &parts);
    refused(real("x", &[0, 3, 2]), "", &["`x`", "T at least 1", "found [0, 3, 2]"]);
    refused(real("x", &[4, 0, 2]), "", &["`x`", "B at least 1", "found [4, 0, 2]"]);
}

#[test]
fn arrays_that_are_nothing_of_the_cell() {
    let extra = |name| with(Tensor::zeros(name, Dtype::F32, &[7, 1]));
    refused(extra("bias"), "", &["tensor `bias`, [7, 1]", "nothing of this cell's"]);
    refused(extra("out.y"), "", &["`out.y`"]);
    refused(extra("cotangent.out.h"), "", &["`cotangent.out.h`"]);
    let mut tensors = fitting();
    tensors[0].name = "w".to_owned();
    let parts = ["tensor `W` is missing", "tensor `w`", "did you mean `W`?"];
    refused(pack(&tensors), "", &parts);
    let mut tensors = fitting();
    tensors[6].name = "cotangent.final.hh".to_owned();
    refused(pack(&tensors), "", &["did you mean `cotangent.final.h`?"]);
}

#[test]
fn arrays_of_a_wrong_dtype() {
    let parts = ["tensor `x` has dtype F64, but F32 is needed, the dtype of `W`"];
    refused(with(Tensor::zeros("x", Dtype::F64, &[4, 3, 2])), "", &parts);
    let parts = ["tensor `W` has dtype F16, but F32 is needed, the dtype of `table`"];
    refused(with(Tensor::zeros("W", Dtype::F16, &[2, 2])), "", &parts);
    let parts = ["tensor `h` has dtype I64, but F32"];
    refused(with(Tensor::zeros("h", Dtype::I64, &[3, 2])), "", &parts);
    let parts = ["tensor `i` has dtype F32, but I64, I32, U32 or U8 (whole numbers) is needed"];
    refused(with(Tensor::zeros("i", Dtype::F32, &[4, 3])), "", &parts);
    let parts = ["tensor `W` has dtype F32, but F64 is needed", "choose another --dtype"];
    refused(pack(&fitting()), "--dtype f64", &parts);
    run(pack(&fitting()), "--dtype f32").1.exits(0);
    run(pack(&fitting()), "--dtype f16").1.exits(2).says(&["f16", "f32"]);
}

#[test]
fn indices_out_of_bounds() {
    let index = |values: [i64; 12]| {
        with(Tensor::new("i", Dtype::I64, &[4, 3], values.map(i64::to_le_bytes).concat()))
    };
    let parts = ["tensor `i` holds the index 3 at [1, 2]", "below 3"];
    refused(index([0, 1, 2, 0, 1, 3, 0, 0, 0, 0, 0, 0]), "", &parts);
    let parts = ["tensor `i` holds the index -1 at [3, 2]", "at least 0"];
    refused(index([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1]), "", &parts);
    let parts = ["holds the index 4294967296 at [0, 0]"];
    refused(index([1 << 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), "", &parts);
}

#[test]
fn all_faults_are_said_at_once() {
    let mut tensors = fitting();
    tensors[0] = Tensor::zeros("W", Dtype::F32, &[2, 3]);
    tensors[2] = Tensor::zeros("x", Dtype::F64, &[4, 3, 2]);
    tensors[1].name = "tabel".to_owned();
    let parts = [
        "`in` does not fit `pick` with N = 2:",
        "`W` must be [2, 2], found [2, 3]",
        "`table` is missing",
        "`x` has dtype F64",
        "`tabel`, [3, 2], is nothing of this cell's; did you mean `table`?",
    ];
    refused(pack(&tensors), "", &parts);
}

#[test]
fn paths_that_cannot_be_read() {
    let folder = Folder::new();
    folder.file("pick.cell", CELL);
    for path in ["none", "."] {
        let words = format!("run pick.cell --dims N=2 --arrays {path} --out out");
        folder.cellc(&words).exits(2).says(&[&format!("cannot read `{path}`")]);
    }
    folder.cellc("run pick.cell --dims N=2").exits(2).says(&["--arrays", "--out"]);
    let words = "run pick.cell --dims N=2 --arrays in --out out --threads 0";
    folder.cellc(words).exits(2).says(&["--threads"]);
}

#[test]
fn lengths_beyond_the_steps() {
    let lengths = |lengths: [i64; 3]| {
        with(Tensor::new("lengths", Dtype::I64, &[3], lengths.map(i64::to_le_bytes).concat()))
    };
    refused(lengths([4, 0, 5]), "", &["`lengths` holds 5 at [2]", "at most T = 4"]);
    refused(lengths([4, -1, 5]), "", &["`lengths` holds -1 at [1]"]);
    let wrong = |dtype, shape: &[usize]| with(Tensor::zeros("lengths", dtype, shape));
    refused(wrong(Dtype::I64, &[2]), "", &["`lengths` is [2], so B = 2", "B = 3"]);
    refused(wrong(Dtype::I64, &[3, 1]), "", &["`lengths` must be [B], found [3, 1]"]);
    refused(wrong(Dtype::F32, &[3]), "", &["`lengths` has dtype F32", "I64, I32, U32 or U8"]);
}
