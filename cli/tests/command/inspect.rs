//! `check`, `cells`, `show`, `gradcheck`, and what all commands share.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::json;

use crate::support::{Folder, cellc};

#[test]
fn help_and_version_are_there() {
    cellc("--version").exits(0).prints(&["cellc 0."]);
    cellc("--help").exits(0).prints(&[
        "check",
        "cells",
        "show",
        "gradcheck",
        "run",
        "bench",
        "train",
    ]);
    for command in ["check", "show", "gradcheck", "run", "bench"] {
        cellc(&format!("{command} --help")).exits(0).prints(&["Example", "cellc ", "--dims"]);
    }
    cellc("").exits(2);
    cellc("chekc lstm").exits(2).says(&["chekc", "check"]);
}

#[test]
fn check_says_what_a_cell_is() {
    let parts =
        ["lstm with I = 3, H = 4", "param   W_f          [H, H + I]", "[4, 7]", "128 parameters"];
    cellc("check lstm --dims I=3,H=4").exits(0).prints(&parts);
    cellc("check lstm").exits(0).says(&["chosen; set with --dims"]);

    let report = cellc("check lstm --dims I=3,H=4 --json").exits(0).json();
    assert_eq!(report["ok"], true);
    assert_eq!(report["cell"]["dims"], json!({"I": 3, "H": 4}));
    assert_eq!(report["cell"]["inputs"], json!([{"name": "x", "shape": [3]}]));
    assert_eq!(report["cell"]["states"][1], json!({"name": "c", "shape": [4]}));
    assert_eq!(report["cell"]["param_elements"], 4 * 4 * 7 + 4 * 4);
    assert_eq!(report["diagnostics"], json!([]));

    assert_eq!(report["cell"]["masks"], json!([]));
    let report = cellc("check lstm_zoneout --dims I=3,H=4 --json").exits(0).json();
    let masks = json!([
        {"shape": [4], "probability": 0.5},
        {"shape": [4], "probability": 0.05},
    ]);
    assert_eq!(report["cell"]["masks"], masks);
    let report = cellc("check embedding --dims V=9,E=2 --json").exits(0).json();
    assert_eq!(report["cell"]["inputs"][0]["index_below"], 9);
}

#[test]
fn check_gives_diagnostics_to_machines() {
    let folder = Folder::new();
    folder.file("a.cell", "cell a(N) {\n    state h: [N]\n    next h = hh\n    output h\n}\n");
    let report = folder.cellc("check a.cell --json").exits(2).json();
    assert_eq!(report["ok"], false);
    let fault = &report["diagnostics"][0];
    assert_eq!(fault["severity"], "error");
    assert_eq!(fault["file"], "a.cell");
    assert_eq!(fault["primary"]["span"]["start"], json!({"byte": 42, "line": 3, "column": 14}));
    assert_eq!(fault["primary"]["span"]["end"], json!({"byte": 44, "line": 3, "column": 16}));
    assert_eq!(fault["edits"][0]["replacement"], "h");
    // Nothing is drawn in colour for a pipe.
    let drawn = folder.cellc("check a.cell").exits(2).says(&["a.cell:3:14", "`hh`", "`h`"]);
    assert!(!drawn.stderr.contains('\u{1b}'), "{drawn}");
}

#[test]
fn a_cell_is_a_name_or_a_file() {
    let folder = Folder::new();
    let text = "cell other(N) {\n    input x: [N]\n    output y = -x\n}\n";
    folder.file("lstm", text);
    folder.file("mine", text);
    folder.file("lstm.cell", text);
    // A bare name of the catalogue is the catalogue's, whatever files there are.
    folder.cellc("check lstm").exits(0).prints(&["lstm with"]);
    for path in ["./lstm", "mine", "lstm.cell"] {
        folder.cellc(&format!("check {path} --dims N=2")).exits(0).prints(&["other with N = 2"]);
    }
    cellc("check lsmt").exits(2).says(&["`lsmt`", "did you mean `lstm`?", "cellc cells"]);
    cellc("check banana").exits(2).says(&["`banana`", "the catalogue has rnn, rnn_relu, indrnn"]);
    cellc("check gru.cell").exits(2).says(&["cannot read `gru.cell`", "say `gru`"]);
    cellc("check no/such.cell").exits(2).says(&["cannot read `no/such.cell`"]);
    cellc("check .").exits(2).says(&["directory"]);
    folder.file("binary.cell", b"cell a() {\n\xff\xfe}");
    folder.cellc("check binary.cell").exits(2).says(&["not UTF-8", "line 2"]);
    folder.file("large.cell", vec![b' '; (1 << 20) + 1]);
    folder.cellc("check large.cell").exits(2).says(&["over 1 MiB"]);
}

#[test]
fn dimensions_are_checked() {
    for (dims, part) in [
        ("I=3,K=4", "no dimension `K`"),
        ("I=3,H=0", "from 1 up"),
        ("I=3,H=-1", "found `-1`"),
        ("I=3,H=x", "found `x`"),
        ("I=3,I=4", "given twice"),
        ("I", "expected NAME=SIZE"),
        ("I=3,H=99999999999", "H"),
        ("I=3,H=4000000", "H"),
    ] {
        cellc(&format!("check lstm --dims {dims}")).exits(2).says(&[part]);
    }
}

#[test]
fn cells_lists_the_catalogue() {
    let parts = ["cell ", "lstm(I, H)", "h [H], c [H]", "1997", "layer", "loss", "norms"];
    let listed = cellc("cells").exits(0).prints(&parts).prints(&["4*I*H + 4*H^2 + 4*H  "]);
    assert!(listed.stdout.lines().any(|line| line.contains("  1  LSTM: ")), "{listed}");
    cellc("cells --dims I=3,H=4").exits(0).prints(&["128", "V*E"]);
    cellc("cells --dims I=3,HH=4").exits(2).says(&["`HH`", "did you mean `H`?"]);

    let list = cellc("cells --dims I=3,H=4 --json").exits(0).json();
    let list = list.as_array().expect("it is an array");
    let lstm = list.iter().find(|cell| cell["name"] == "lstm").expect("lstm is there");
    assert_eq!(lstm["kind"], "recurrent");
    let state = |name: &str| json!({"name": name, "shape": ["H"], "initializer": "= 0"});
    assert_eq!(lstm["states"], json!([state("h"), state("c")]));
    assert_eq!(lstm["year"], 1997);
    // The products with `x` are before the loop, and those of the gates with `h` are one.
    assert_eq!(lstm["products"], json!({"once": 0, "before": 1, "body": 1, "after": 0}));
    let linear = list.iter().find(|cell| cell["name"] == "linear").expect("linear is there");
    assert_eq!((&linear["year"], &linear["states"]), (&json!(null), &json!([])));
    assert_eq!(lstm["dims"], json!(["I", "H"]));
    assert_eq!(lstm["param_elements"], 128);
    // Every cell that is listed checks.
    for cell in list {
        let name = cell["name"].as_str().expect("a name is a string");
        cellc(&format!("check {name}")).exits(0);
    }
}

#[test]
fn cells_shows_one_cell() {
    let cell = cellc("cells gru_cho").exits(0);
    let cell = cell.prints(&["recurrent", "EMNLP (2014)", "3*I*H + 3*H^2 + 3*H", "2 in it"]);
    let source = cellc_cells::find("gru_cho").expect("a cell of the catalogue").source;
    cell.prints(&["param  U_r, U_z, U_n  [H, H]  ~ uniform(1 / sqrt(H))", source]);
    cellc("cells gru --dims I=3,H=4").exits(0).prints(&["parameters  100"]);
    cellc("cells gru --dims P=3").exits(2).says(&["no cell has a dimension `P`"]);

    let cell = cellc("cells cross_entropy --json").exits(0).json();
    let label = json!({"name": "label", "shape": [], "index_below": "C"});
    assert_eq!(cell["inputs"], json!([{"name": "logits", "shape": ["C"]}, label]));
    assert_eq!((&cell["paper"], &cell["params"]), (&json!(null), &json!([])));
    let cell = cellc("cells rnn_relu --json").exits(0).json();
    assert_eq!(cell["params"][1]["initializer"], "~ identity");

    cellc("cells lsmt").exits(2).says(&["`lsmt`", "did you mean `lstm`?", "cellc check FILE"]);
    let library = cellc_cells::find_library("norms").expect("a library of the catalogue").source;
    cellc("cells norms").exits(0).prints(&["library", "rms_norm(v, gain)", library]);
    cellc("show norms").exits(0).prints(&[library]);
    cellc("check norms").exits(0).prints(&["norms is a library", "const  epsilon", "from norms"]);
    assert_eq!(cellc("cells norms --json").exits(0).json()["kind"], "library");
    cellc("cells norms --markdown").exits(2).says(&["`norms` is a library"]);
    cellc("cells --json --markdown").exits(2).says(&["--markdown"]);
}

#[test]
fn show_draws_cells() {
    let folder = Folder::new();
    let text = "use rms_norm from norms\n\ncell a(K) {\n    state s: [K]\n    param g: [K], W: [K, K]\n    \
                next s = rms_norm(W @ s + g, g)\n    output s\n}\n";
    folder.file("a.cell", text);
    let mermaid = folder.cellc("show a.cell --stage graph --format mermaid").exits(0);
    let mermaid = mermaid.prints(&["flowchart TD", "[\"W @ s + g\"]", "next s = rms_norm(·, g)"]);
    assert_eq!(mermaid.stderr, "", "a picture has no sizes to speak of");
    let dot = folder.cellc("show a.cell --stage graph --format dot").exits(0);
    dot.prints(&["digraph a {", "label=\"state s\"", "style=dashed"]);
    for stage in ["source", "gradient", "loop"] {
        let words = format!("show lstm --format mermaid --stage {stage}");
        cellc(&words).exits(2).says(&["--stage graph"]);
    }
}

#[test]
fn show_prints_each_stage() {
    cellc("show rnn").exits(0).prints(&["cell rnn(I, H) {", "param W"]);
    let graph = cellc("show rnn --stage graph --dims I=3,H=4").exits(0);
    let graph = graph.prints(&["graph rnn", "param W : [4, 7]", "next h = ", "output h = "]);
    assert_eq!(graph.stderr, "");
    cellc("show rnn --stage graph").exits(0).says(&["chosen"]);
    let parts = ["residual ", "graph rnn.backward", "sum W = "];
    cellc("show rnn --stage gradient --dims I=3,H=4").exits(0).prints(&parts);
    let parts = ["// forward", "body:", "matvec", "graph rnn.backward"];
    cellc("show rnn --stage loop --dims I=3,H=4").exits(0).prints(&parts);
    for stage in ["kernels", "plan"] {
        let words = format!("show rnn --stage {stage} --dims I=3,H=4");
        cellc(&words).exits(0).prints(&["// backward", "rnn.backward", "matrix 0"]);
    }
    cellc("show rnn --format dot").exits(2).says(&["--stage graph"]);
    cellc("show rnn --stage grahp").exits(2).says(&["grahp", "graph"]);
}

#[test]
fn show_prints_code_for_this_machine_and_others() {
    let clif = cellc("show lstm --stage clif --dims I=3,H=4").exits(0);
    let clif = clif.prints(&["// backward", "function u0:0(", "f32x4", "load."]);
    let wide = cellc("show lstm --stage clif --dims I=3,H=4 --dtype f64").exits(0);
    assert_ne!(clif.stdout, wide.stdout);
    cellc("show lstm --stage asm --dims I=3,H=4").exits(0).prints(&["block0:", "ret"]);
    for (target, word) in [("x86_64-unknown-linux-gnu", "%rdi"), ("aarch64-apple-darwin", "x0")] {
        let words = format!("show lstm --stage asm --dims I=3,H=4 --target {target}");
        cellc(&words).exits(0).prints(&[word]);
    }
    for target in ["riscv64gc-unknown-linux-gnu", "banana"] {
        let words = format!("show lstm --stage asm --dims I=3,H=4 --target {target}");
        cellc(&words).exits(2).says(&[target]);
    }
}

#[test]
fn gradcheck_answers_yes_and_no() {
    let parts = ["lstm with I = 2, H = 3", "param", "W_f", "initial", "the gradients agree"];
    cellc("gradcheck lstm --dims I=2,H=3 --cases 3").exits(0).prints(&parts);

    let words = "gradcheck gru --dims I=2,H=3 --cases 3 --seed 5 --json";
    let report = cellc(words).exits(0).json();
    assert_eq!(report["cases"], 3);
    assert_eq!(report["passed"], true);
    let error = report["max_relative_error"].as_f64().expect("it is a number");
    assert!(error < 1e-7, "{report}");
    let rows = report["arguments"].as_array().expect("it is an array");
    assert!(rows.iter().all(|row| row["max_relative_error"].as_f64() <= Some(error)));
    assert!(rows.iter().any(|row| row["role"] == "initial" && row["name"] == "h"));
    assert_eq!(cellc(words).json(), report, "a seed settles everything");

    // No difference agrees to all 16 digits.
    let words = "gradcheck lstm --dims I=2,H=3 --cases 2 --tolerance 1e-16";
    cellc(words).exits(1).prints(&["DISAGREE", "over the tolerance"]);
    let report = cellc(&format!("{words} --json")).exits(1).json();
    assert_eq!(report["passed"], false);
}

#[test]
fn gradcheck_says_where_arguments_are_declared() {
    let text = "cell a(N) {\n    input x: [N]\n    param u, w: [N]\n    output y = u * x + w\n}\n";
    let folder = Folder::new();
    folder.file("a.cell", text);
    folder.cellc("gradcheck a.cell --cases 1").exits(0).prints(&["a.cell", "3:11", "3:14", "2:11"]);
    let report = folder.cellc("gradcheck a.cell --cases 1 --order 2 --json").exits(0).json();
    let declared = json!({"file": "a.cell", "line": 3, "column": 14});
    assert_eq!(report["arguments"][1]["declared"], declared);
    let declared = json!({"file": "a.cell", "line": 4, "column": 12});
    assert_eq!(report["results"][0]["declared"], declared);
}

#[test]
fn gradcheck_holds_what_is_stopped() {
    let text = "cell a(N) {\n    input x: [N]\n    output y = x * stop_gradient(x)\n}\n";
    let folder = Folder::new();
    folder.file("a.cell", text);
    folder.cellc("gradcheck a.cell --cases 1").exits(0).prints(&["the gradients agree"]);
    folder.cellc("gradcheck a.cell --cases 1 --order 2").exits(0);
}

#[test]
fn gradcheck_says_where_a_cell_has_no_finite_gradient() {
    let text = "cell a(N) {
    input x: [N]
    param w: [N]
    output y = w * select(x > 0, sqrt(x), 0)
}
";
    let folder = Folder::new();
    folder.file("a.cell", text);
    for order in ["", " --order 2"] {
        let check = format!("gradcheck a.cell --cases 3{order}");
        let told =
            ["a.cell:4:34", "this is NaN at step", "sqrt(max(x, 1e-12))", "has no finite gradient"];
        folder.cellc(&check).exits(1).prints(&told);
    }
    let report = folder.cellc("gradcheck a.cell --cases 3 --json").exits(1).json();
    let singular = &report["arguments"][1]["singular"][0];
    assert_eq!(singular["expression"], "sqrt(x)");
    assert_eq!([&singular["line"], &singular["column"]], [4, 34]);
    assert_eq!(report["arguments"][0]["singular"], json!([]));
    folder.file("a.cell", text.replace("sqrt(x)", "sqrt(max(x, 1e-12))"));
    folder.cellc("gradcheck a.cell --cases 3").exits(0);
}

#[test]
fn gradcheck_of_second_order() {
    let words = "gradcheck gru --dims I=2,H=3 --cases 3 --order 2";
    let parts = ["Hessian", "forward mode", "<u, H v> = <v, H u>", "the derivatives agree"];
    cellc(words).exits(0).prints(&parts);
    let report = cellc(&format!("{words} --json")).exits(0).json();
    assert_eq!((&report["order"], &report["passed"]), (&json!(2), &json!(true)));
    let roles: Vec<_> = report["results"].as_array().expect("an array").iter().collect();
    assert_eq!((&roles[0]["role"], &roles[1]["role"]), (&json!("output"), &json!("final")));
    assert!(report["identities"][1]["max_relative_error"].as_f64() < Some(1e-12));
    // No difference is exact to 16 digits, and none is taken for more than it is.
    let parts = ["differences are less exact than the tolerance", "the derivatives agree"];
    cellc(&format!("{words} --tolerance 1e-16")).exits(0).prints(&parts);
    cellc("gradcheck gru --order 3").exits(2).says(&["--order"]);
}

#[test]
fn gradcheck_of_the_catalogue() {
    for order in [1, 2] {
        let words = format!("gradcheck --all --cases 2 --order {order}");
        let cells = cellc_cells::all();
        let names: Vec<&str> = cells.iter().map(|entry| entry.name).collect();
        let outcome = cellc(&words).exits(0).prints(&names);
        outcome.prints(&["cells agree, within 1e-6", "arguments", "worst error", "verdict"]);
        let report = cellc(&format!("{words} --json")).exits(0).json();
        assert_eq!(report["passed"], true);
        assert_eq!(report["cells"].as_array().map(Vec::len), Some(cells.len()));
    }
    let wrong = cellc("gradcheck --all --cases 1 --tolerance 1e-16").exits(1);
    wrong.prints(&["DISAGREE", "`cellc gradcheck CELL` says more"]);
    cellc("gradcheck --all lstm").exits(2).says(&["--all"]);
    cellc("gradcheck --all --dims H=3").exits(2).says(&["--dims"]);
    cellc("gradcheck").exits(2).says(&["CELL"]);
}

#[test]
fn gradcheck_reports_kinks_and_does_not_fail_for_them() {
    // The kinks of the tent map after T steps are 2^-T apart: no difference avoids them.
    let text = "cell tent(N) {\n    state h: [N]\n    next h = abs(1 - 2 * min(abs(h), 1))\n    output h\n}\n";
    let folder = Folder::new();
    folder.file("tent.cell", text);
    for order in [1, 2] {
        let words = format!("gradcheck tent.cell --dims N=4 --order {order}");
        folder.cellc(&words).exits(0).prints(&["kinks:", "initial h:", "at a kink of `", "agree"]);
        let report = folder.cellc(&format!("{words} --json")).exits(0).json();
        assert!(report["kinks"].as_u64() > Some(0), "{report}");
        assert!(report["arguments"][0]["kink"]["operation"].is_string(), "{report}");
    }
}

#[test]
fn gradcheck_refuses_what_it_cannot_check() {
    cellc("gradcheck lstm --cases 0").exits(2).says(&["--cases"]);
    cellc("gradcheck lstm --tolerance 0").exits(2).says(&["--tolerance"]);
    cellc("gradcheck lstm --tolerance nan").exits(2).says(&["--tolerance"]);
    let folder = Folder::new();
    folder.file("nan.cell", "cell nan(N) {\n    input x: [N]\n    output y = log(-x * x)\n}\n");
    folder.cellc("gradcheck nan.cell").exits(2).says(&["not finite"]);
}

#[test]
fn a_closed_pipe_is_no_panic() {
    for words in [&["cells"][..], &["show", "lstm", "--stage", "gradient"]] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_cellc"))
            .args(words)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary was built with the test");
        // Closed before it can have been written to in full.
        drop(child.stdout.take());
        let stderr = child.stderr.take().expect("it is piped");
        let said: Vec<String> = BufReader::new(stderr).lines().map_while(Result::ok).collect();
        let status = child.wait().expect("it ends");
        assert!(!said.iter().any(|line| line.contains("panicked")), "{said:?}");
        assert_eq!(status.code(), Some(0), "{said:?}");
    }
}
