//! `convert`: weights of other systems become arrays that `run` takes.

use safetensors::{Dtype, SafeTensors};

use crate::support::{Folder, Tensor, pack};

fn ramp(name: &str, shape: &[usize]) -> Tensor {
    let size: usize = shape.iter().product();
    let numbers: Vec<f64> = (0..size).map(|i| (i % 11) as f64 / 11.0 - 0.4).collect();
    Tensor::f64(name, shape, &numbers)
}

/// The shape and numbers of a tensor of a file.
fn read(folder: &Folder, file: &str, name: &str) -> (Vec<usize>, Vec<f64>) {
    let bytes = std::fs::read(folder.path().join(file)).expect("the file is there");
    let file = SafeTensors::deserialize(&bytes).expect("a safetensors file");
    let tensor = file.tensor(name).expect("the tensor is there");
    let numbers = tensor.data().as_chunks().0.iter().map(|&bytes| f64::from_le_bytes(bytes));
    (tensor.shape().to_vec(), numbers.collect())
}

/// A bidirectional GRU of ONNX, batch-major, with lengths.
fn node() -> Vec<Tensor> {
    let lengths = [2i32, 3].map(i32::to_le_bytes).concat();
    vec![
        ramp("W", &[2, 9, 2]),
        ramp("R", &[2, 9, 3]),
        ramp("B", &[2, 18]),
        ramp("X", &[2, 3, 2]),
        ramp("initial_h", &[2, 2, 3]),
        Tensor::new("sequence_lens", Dtype::I32, &[2], lengths),
    ]
}

#[test]
fn a_node_is_converted_and_run() {
    let folder = Folder::new();
    folder.file("node", pack(&node()));
    let convert = "convert node --from onnx --cell gru_cho --reverse --batch-first --out in";
    let run = "cellc run gru_cho --dims I=2,H=3 --arrays in --reverse --out";
    folder.cellc(convert).exits(0).prints(&["gru_cho of ONNX", "lengths", run]);
    assert_eq!(read(&folder, "in", "x").0, [3, 2, 2]);
    let (shape, h) = read(&folder, "in", "h");
    assert_eq!(shape, [2, 3]);
    assert_eq!(
        h[..3],
        ramp("", &[12]).bytes.as_chunks().0[3..6]
            .iter()
            .map(|&b| f64::from_le_bytes(b))
            .collect::<Vec<_>>()[..]
    );
    folder.cellc("run gru_cho --dims I=2,H=3 --arrays in --reverse --out out").exits(0);
    let (shape, out) = read(&folder, "out", "out.h");
    assert_eq!(shape, [3, 2, 3]);
    // The first example has two steps: its last output is zero, and its first is where it ends.
    assert_eq!(out[12..15], [0.0; 3]);
    assert_ne!(out[15..], [0.0; 3]);
    assert_eq!(out[..6], read(&folder, "out", "final.h").1);
}

#[test]
fn what_does_not_fit_is_refused() {
    let folder = Folder::new();
    folder.file("node", pack(&node()));
    let refused = |words: &str, parts: &[&str]| {
        let outcome = folder.cellc(&format!("convert {words} --out in")).exits(2).says(parts);
        assert!(!folder.path().join("in").exists(), "{outcome}");
    };
    refused("none --from onnx --cell gru", &["cannot read `none`"]);
    refused("node --from onnx --cell grue", &["`grue` cannot be converted to", "gru_cho"]);
    refused(
        "node --from onnx --cell lstm",
        &["`node`: array `W` must be [D, 4 H, I]", "[2, 9, 2]"],
    );
    refused("node --from onnx --cell lstm_projection", &["ONNX has no cell"]);
    refused(
        "node --from pytorch --cell gru",
        &["array `weight_ih_l0` is missing: it must be [3 H, I]"],
    );
    folder.file("node", "no tensors");
    refused("node --from onnx --cell gru", &["`node`: not a safetensors file"]);
    folder.file("node", pack(&[]));
    refused("node --from onnx --cell gru", &["array `W` is missing"]);
    refused("node --from keras --cell gru --layer 1", &["`--layer 1` is for PyTorch", "Keras"]);
    refused("node --from onnx --cell gru --layer 2", &["`--layer 2` is for PyTorch", "ONNX"]);
}

#[test]
fn tensors_of_other_dtypes_are_refused() {
    let folder = Folder::new();
    let refused = |name: &str, dtype: Dtype, bytes: usize, parts: &[&str]| {
        let mut tensors = node();
        let tensor = tensors.iter_mut().find(|tensor| tensor.name == name).expect("it is there");
        let size = tensor.shape.iter().product::<usize>() * bytes;
        *tensor = Tensor::new(name, dtype, &tensor.shape, vec![0; size]);
        folder.file("node", pack(&tensors));
        let convert = "convert node --from onnx --cell gru_cho --batch-first --out in";
        let outcome = folder.cellc(convert).exits(2).says(parts);
        assert!(!folder.path().join("in").exists(), "{outcome}");
    };
    for name in ["W", "R", "B", "X", "initial_h"] {
        let says = format!("tensor `{name}` is BF16, which is not supported");
        refused(name, Dtype::BF16, 2, &[&says, "must be F32 or F64"]);
    }
    refused("W", Dtype::F16, 2, &["tensor `W` is F16, which is not supported"]);
    let one = "must be of one precision";
    refused("initial_h", Dtype::F32, 4, &["tensor `initial_h` is F32, but `B` is F64", one]);
    refused("B", Dtype::F32, 4, &["tensor `R` is F64, but `B` is F32", one]);
    refused("sequence_lens", Dtype::F64, 8, &["tensor `sequence_lens` is F64", "whole numbers"]);
    // What is not taken may be of any dtype.
    let mut tensors = node();
    tensors.push(Tensor::new("other.W", Dtype::F16, &[1], vec![0; 2]));
    folder.file("node", pack(&tensors));
    let outcome = folder.cellc("convert node --from onnx --cell gru_cho --batch-first --out in");
    assert!(outcome.exits(0).stdout.ends_with("OUT.safetensors\n"));
}

#[test]
fn params_go_back_to_the_weights_they_came_from() {
    let folder = Folder::new();
    let theirs = |bias: &str, zero: bool| {
        let mut weights = vec![
            ramp("enc.weight_ih_l1_reverse", &[12, 2]),
            ramp("enc.weight_hh_l1_reverse", &[12, 3]),
            ramp(bias, &[12]),
        ];
        if zero {
            weights.push(Tensor::f64("enc.bias_hh_l1_reverse", &[12], &[0.0; 12]));
        }
        weights
    };
    folder.file("weights", pack(&theirs("enc.bias_ih_l1_reverse", true)));
    let place = "--cell lstm --layer 1 --reverse --prefix enc.";
    folder.cellc(&format!("convert weights --from pytorch {place} --out params")).exits(0);
    let back = format!("convert params --to pytorch {place} --out again");
    folder.cellc(&back).exits(0).prints(&["lstm as weights of PyTorch", "enc.bias_hh_l1_reverse"]);
    for name in ["weight_ih", "weight_hh", "bias_ih", "bias_hh"] {
        let name = format!("enc.{name}_l1_reverse");
        assert_eq!(read(&folder, "again", &name), read(&folder, "weights", &name), "{name}");
    }
    // A state that is projected, and matrices apart, tell their sizes too.
    let projection = [
        ramp("weight_ih_l0", &[16, 3]),
        ramp("weight_hh_l0", &[16, 2]),
        ramp("weight_hr_l0", &[2, 4]),
    ];
    for (cell, weights) in [
        ("lstm_projection", &projection[..]),
        ("rnn_relu", &[ramp("weight_ih_l0", &[4, 3]), ramp("weight_hh_l0", &[4, 4])]),
    ] {
        folder.file("weights", pack(weights));
        let convert = |way: &str| folder.cellc(&format!("convert {way} --cell {cell}")).exits(0);
        convert("weights --from pytorch --out params");
        convert("params --to pytorch --out again");
        for Tensor { name, .. } in weights {
            assert_eq!(read(&folder, "again", name), read(&folder, "weights", name), "{name}");
        }
    }
}

#[test]
fn params_of_a_model_go_to_other_systems() {
    let folder = Folder::new();
    let params: Vec<_> = ["W_f", "W_i", "W_g", "W_o"]
        .map(|name| ramp(&format!("layer0.{name}"), &[3, 5]))
        .into_iter()
        .chain(["b_f", "b_i", "b_g", "b_o"].map(|name| ramp(&format!("layer0.{name}"), &[3])))
        .collect();
    let mut model = params.clone();
    model.push(Tensor::new("head.W", Dtype::F16, &[1], vec![0; 2]));
    folder.file("model", pack(&model));
    let to = "convert model --params layer0. --cell lstm --out out --to";
    folder.cellc(&format!("{to} onnx")).exits(0).prints(&["lstm as weights of ONNX"]);
    let (shape, numbers) = read(&folder, "out", "W");
    assert_eq!(shape, [1, 12, 2]);
    // The columns of the state come first in the cell's matrices.
    let own: Vec<f64> =
        params[0].bytes.as_chunks().0.iter().map(|&bytes| f64::from_le_bytes(bytes)).collect();
    assert_eq!(numbers[..2], own[3..5]);
    folder.cellc(&format!("{to} keras")).exits(0);
    assert_eq!(read(&folder, "out", "kernel").0, [2, 12]);

    let refused = |words: &str, parts: &[&str]| {
        folder.cellc(&format!("convert {words}")).exits(2).says(parts);
    };
    refused("model --to onnx --cell lstm --out no", &["array `W_f` is missing", "[H, H + I]"]);
    let part = "model --params layer0. --out no --to";
    refused(&format!("{part} onnx --cell lstm_peephole"), &["array `layer0.p_f` is missing"]);
    refused(&format!("{part} onnx --cell gru"), &["array `layer0.W_r` is missing", "[H, I]"]);
    refused(&format!("{part} pytorch --cell gru_cho"), &["PyTorch has no cell"]);
    refused("model --cell lstm --out no", &["--from", "required"]);
    refused("model --cell lstm --out no --from onnx --to onnx", &["cannot be used with"]);
    folder.file("model", pack(&[ramp("W", &[4, 4])]));
    refused("model --to onnx --cell rnn --out no", &["array `W` must be [H, H + I], found [4, 4]"]);
    assert!(!folder.path().join("no").exists());
}
