//! `bench`: what it says of a cell, and that its figures agree with each other.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Folder, cellc};

fn number(report: &Value, key: &str) -> f64 {
    report[key].as_f64().unwrap_or_else(|| panic!("`{key}` is a number in {report}"))
}

/// Checks that throughputs are those of a work of so many operations, forward.
#[track_caller]
fn agrees(report: &Value, work: f64) {
    for (throughput, time, work) in
        [("forward_gflops", "forward_ms", work), ("train_gflops", "train_ms", 3.0 * work)]
    {
        let expected = work / (number(report, time) * 1e-3) / 1e9;
        assert!((number(report, throughput) - expected).abs() <= 1e-9 * expected, "{report}");
    }
    for key in ["compile_ms", "forward_ms", "train_ms", "peak_gflops", "tape_bytes"] {
        assert!(number(report, key) > 0.0, "{key} in {report}");
    }
}

#[test]
fn throughput_is_work_by_time() {
    let words = "bench --cell lstm --batch 2 --seq 3 --input 4 --hidden 5 --seconds 0 --json";
    let report = cellc(words).exits(0).json();
    agrees(&report, 2.0 * (4.0 * 5.0 * 9.0) * 6.0);
    assert_eq!(report["cell"], "lstm");
    assert_eq!(report["dims"], json!({"I": 4, "H": 5}));
    assert_eq!([&report["batch"], &report["seq"], &report["threads"]], [2, 3, 1]);
    assert_eq!(report["dtype"], "f32");
    assert_eq!(report.get("step_us"), None);
    // Inputs, outputs and their cotangents at the least.
    assert!(number(&report, "tape_bytes") >= (6 * (4 + 5 + 5) * 4) as f64);
}

#[test]
fn threads_precision_and_a_step_are_as_asked_for() {
    let words = "bench --cell gru --batch 3 --seq 2 --dims I=3,H=4 --seconds 0 --threads 2 \
                 --dtype f64 --step --json";
    let report = cellc(words).exits(0).json();
    agrees(&report, 2.0 * (3.0 * 4.0 * 3.0 + 3.0 * 4.0 * 4.0) * 6.0);
    assert_eq!([&report["threads"], &report["dtype"]], [&json!(2), &json!("f64")]);
    assert!(number(&report, "step_us") > 0.0);
}

#[test]
fn a_file_is_measured_with_all_its_inputs_and_dimensions() {
    let folder = Folder::new();
    let text = "
cell two(N, V) {
    input x: [N], symbol: index(V)
    state h: [N]
    param W: [N, N]
    param table: [V, N]
    param never: [N, N]
    next h = tanh(W @ h + x @ W + table[symbol])
    output h, double = h + h
}
";
    folder.file("two.cell", text);
    let words =
        "bench --cell two.cell --dims N=3,V=2 --batch 2 --seq 5 --seconds 0 --json".to_owned();
    // Each param once for each product with it; the table and what is not used do not count.
    agrees(&folder.cellc(&words).exits(0).json(), 2.0 * (2.0 * 9.0) * 10.0);

    let words = words.replace("--json", "--step");
    folder.cellc(&words).exits(0).prints(&[
        "two with N = 3, V = 2: T = 5, B = 2, f32, 1 thread",
        "compile",
        "forward",
        "training step",
        "one step of one example",
        "peak of 1 thread",
        "training holds",
    ]);
}

#[test]
fn a_cell_without_products_or_params_is_measured() {
    let folder = Folder::new();
    folder.file(
        "sum.cell",
        "cell sum(I) {\n state h: [I]; input x: [I]\n next h = h + x\n output h\n}\n",
    );
    let words = "bench --cell sum.cell --input 2 --batch 1 --seq 2 --seconds 0 --json";
    let report = folder.cellc(words).exits(0).json();
    agrees(&report, 0.0);
}

#[test]
fn the_cells_that_other_systems_are_measured_with_run() {
    let cells = Path::new(env!("CARGO_MANIFEST_DIR")).join("../benches/peers/cells");
    let cells = std::fs::read_dir(cells).expect("the cells are there");
    let cells: Vec<_> = cells.map(|file| file.expect("a file can be listed").path()).collect();
    assert_eq!(cells.len(), 4);
    let folder = Folder::new();
    for cell in cells {
        folder.file("peer.cell", std::fs::read(cell).expect("a cell can be read"));
        let words = "bench --cell peer.cell --batch 2 --seq 3 --input 4 --hidden 5 --seconds 0";
        let report = folder.cellc(&format!("{words} --json")).exits(0).json();
        assert!(number(&report, "train_gflops") > 0.0, "{report}");
    }
}

#[test]
fn what_cannot_be_measured_is_refused() {
    let folder = Folder::new();
    folder.file("bad.cell", "cell bad(N) {\n input x: [N]\n output y = z\n}\n");
    folder.file("other.cell", "cell other(N) {\n input x: [N]\n output y = x\n}\n");
    for (words, parts) in [
        ("bench --cell lstn", &["`lstn`", "did you mean `lstm`?"][..]),
        ("bench --cell none.cell", &["cannot read `none.cell`"]),
        ("bench --cell bad.cell --dims N=2", &["unknown name `z`", "bad.cell:3:13"]),
        ("bench --cell other.cell", &["the size of dimension `N` is not given"]),
        ("bench --cell other.cell --dims N=2 --hidden 3", &["no dimension `H`"]),
        ("bench --cell lstm --dims H=4 --hidden 4", &["`H` is given twice", "`--hidden`"]),
        ("bench --cell lstm --batch 0", &["--batch", "'0'"]),
        ("bench --cell lstm --seq -1", &["-1"]),
        ("bench --cell lstm --hidden many", &["--hidden", "'many'"]),
        ("bench --cell lstm --threads 0", &["--threads"]),
        ("bench --cell lstm --dtype f16", &["--dtype", "f16", "f32, f64"]),
        ("bench --cell lstm --seconds nan", &["--seconds", "from 0 to 3600"]),
        ("bench --cell lstm --batch 9999999 --seq 9999999", &["too many", "2^29"]),
    ] {
        folder.cellc(words).exits(2).says(parts);
    }
}
