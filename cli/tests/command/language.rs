//! Cells that import, have hyper-parameters, defaults and warnings, through every subcommand.

use safetensors::SafeTensors;

use crate::support::{Folder, Tensor, cellc, pack};

/// A cell in a folder of its own, with the file it imports from beside it.
fn cells() -> Folder {
    let folder = Folder::new();
    std::fs::create_dir(folder.path().join("cells")).expect("a folder can be made");
    folder.file(
        "cells/mine.cell",
        "use twice from \"lib/twice.cell\"
use rms_norm from norms

cell mine(I, H, P = H / 2) {
    input x: [I]
    state h: [H] = h_0, m: [] = -2
    param W: [P, I], U: [H, H], h_0: [H] ~ uniform(1), gain: [H] = 1
    hyper leak = 0.1, top = 2 * leak
    p = twice(W @ x)
    next m = max(m, sum(p))
    next h = (1 - leak) * h + leak * tanh(U @ rms_norm(h, gain) + concat(p, p)) + top * next m
    output h
}
",
    );
    std::fs::create_dir(folder.path().join("cells/lib")).expect("a folder can be made");
    folder.file("cells/lib/twice.cell", "use two from \"../two.cell\"\nfn twice(x) = two * x\n");
    folder.file("cells/two.cell", "const two = 2\n");
    folder
}

#[test]
fn a_cell_is_found_with_what_it_imports() {
    let folder = cells();
    let outcome = folder.cellc("check cells/mine.cell --dims I=3,H=4 --deny-warnings").exits(0);
    outcome.prints(&["mine with I = 3, H = 4, P = 2", "begins at h_0", "begins at -2", "hyper"]);
    folder.cellc("gradcheck cells/mine.cell --dims I=3,H=4 --cases 4").exits(0).prints(&["h_0"]);
    folder.cellc("bench --cell cells/mine.cell --batch 2 --seq 3 --seconds 0 --step").exits(0);
    let graph = folder.cellc("show cells/mine.cell --stage graph").exits(0);
    graph.prints(&["constant 0.1", "constant 0.2"]);
    // A file has one name however it is reached.
    folder.file("cells/lib/twice.cell", "use x from \"../lib/../mine.cell\"\nfn twice(x) = x\n");
    folder.cellc("check cells/mine.cell").exits(2).says(&[
        "imports go in a circle",
        "--> cells/lib/twice.cell:1:12",
        "`cells/mine.cell` imports `cells/lib/twice.cell`, which imports `cells/mine.cell`",
    ]);
    std::fs::remove_file(folder.path().join("cells/lib/twice.cell")).expect("it is there");
    let missing = folder.cellc("check cells/mine.cell").exits(2);
    missing.says(&["there is no file `lib/twice.cell` beside `cells/mine.cell`", "mine.cell:1:16"]);
    folder.file("other.cell", "use f from lstm\ncell a() {\n output y = 1\n}\n");
    let unknown = folder.cellc("check other.cell").exits(2);
    unknown.says(&["the catalogue has no such library; it has norms", "from \"norms.cell\""]);
    folder.file("library.cell", "fn f(x) = x\n");
    let parts = ["is a library", "fn  f(x)", "use f from \"library.cell\""];
    folder.cellc("check library.cell").exits(0).prints(&parts);
    let report = folder.cellc("check library.cell --json").exits(0).json();
    assert_eq!((&report["ok"], &report["cell"]), (&true.into(), &serde_json::Value::Null));
    assert_eq!(report["library"]["functions"], serde_json::json!(["f(x)"]));
    folder.cellc("check library.cell --dims I=3").exits(2).says(&["it has no dimensions"]);
    folder.file("faulty.cell", "fn f(x) = y\n");
    folder.cellc("check faulty.cell").exits(2).says(&["unknown name `y`", "faulty.cell:1:11"]);
    folder.cellc("gradcheck library.cell").exits(2).says(&["is a library", "`use f from ..`"]);
    folder.cellc("train --cell library.cell").exits(2).says(&["is a library"]);
}

#[test]
fn hyper_parameters_are_set_by_every_command() {
    let folder = cells();
    let set = "cells/mine.cell --dims I=3,H=4 --set leak=0.25";
    let report = folder.cellc(&format!("check {set} --json")).exits(0).json();
    assert_eq!(report["cell"]["hypers"], serde_json::json!({ "leak": 0.25, "top": 0.5 }));
    assert_eq!(report["cell"]["dims"]["P"], 2);
    folder.cellc(&format!("show {set} --stage graph")).exits(0).prints(&["constant 0.25"]);
    folder.cellc(&format!("gradcheck {set} --cases 2")).exits(0);
    folder.cellc(&format!("bench --cell {set} --seq 2 --batch 2 --seconds 0")).exits(0);
    for (set, parts) in [
        ("leek=1", ["no hyper-parameter `leek`", "did you mean `leak`?"]),
        ("rate=1", ["no hyper-parameter `rate`", "its hyper-parameters are leak, top"]),
        ("leak=a", ["a finite number", "found `a`"]),
        ("leak", ["expected NAME=NUMBER", "found `leak`"]),
        ("leak=1,leak=2", ["`leak` is given twice", "--set"]),
    ] {
        folder.cellc(&format!("check cells/mine.cell --set {set}")).exits(2).says(&parts);
    }
    let again = "check cells/mine.cell --dims I=3 --set leak=0.25 --json --dims H=4 --set=top=2";
    let report = folder.cellc(again).exits(0).json();
    assert_eq!(report["cell"]["hypers"], serde_json::json!({ "leak": 0.25, "top": 2.0 }));
    assert_eq!(report["cell"]["dims"], serde_json::json!({ "I": 3, "H": 4, "P": 2 }));
    let twice = folder.cellc("check cells/mine.cell --set leak=1 --set leak=2");
    twice.exits(2).says(&["`leak` is given twice"]);
    cellc("check rnn --set leak=1").exits(2).says(&["it has none", "`hyper NAME = 0.1`"]);
}

#[test]
fn a_training_keeps_all_that_the_cell_is_made_of() {
    let folder = cells();
    let words = "train --cell cells/mine.cell --set leak=0.3 --dims P=2 --hidden 4 --embedding 3 \
                 --layers 2 --steps 5 --batch 4 --examples 50 --threads 1 --out run --quiet --json";
    let trained = folder.cellc(words).exits(0);
    let first: serde_json::Value = serde_json::from_str(trained.stdout.trim()).expect("JSON");
    std::fs::remove_dir_all(folder.path().join("cells")).expect("it is there");
    let judged = folder.cellc("eval run --json").exits(0).json();
    let near = |a: &serde_json::Value, b: &serde_json::Value| {
        a.as_f64().zip(b.as_f64()).is_some_and(|(a, b)| (a - b).abs() < 1e-6)
    };
    assert!(near(&judged["loss"], &first["heldout"]["loss"]), "{judged} {first}");
    // Under another value the same parameters are another model.
    for (file, [leak, p]) in [
        ("model.json", ["\"leak\": 0.3", "\"P\": 2"]),
        ("experiment.toml", ["leak = 0.3", "P = 2"]),
    ] {
        let path = folder.path().join("run").join(file);
        let config = std::fs::read_to_string(&path).expect("it is there");
        assert!(config.contains(leak) && config.contains(p), "{config}");
        std::fs::write(&path, config.replace(leak, &leak.replace('3', "9"))).expect("it is there");
    }
    let other = folder.cellc("eval run --json").exits(0).json();
    assert!(!near(&judged["loss"], &other["loss"]), "{judged} {other}");
}

#[test]
fn layers_may_have_further_dimensions() {
    let folder = Folder::new();
    let cell = |dims: &str| {
        format!(
            "cell f({dims}) {{\n input x: [I]\n state h: [H]\n param V: [P, I], U: [H, P]\n \
             next h = tanh(h + U @ (V @ x))\n output h\n}}\n"
        )
    };
    folder.file("a.cell", cell("I, H, P = 3"));
    folder.file("b.cell", cell("I, H, P"));
    let small = "--hidden 4 --embedding 3 --steps 2 --batch 2 --examples 20 --threads 1 --quiet";
    folder.cellc(&format!("train --cell a.cell {small}")).exits(0);
    folder.cellc(&format!("train --cell b.cell --dims P=2 {small}")).exits(0);
    let missing = folder.cellc(&format!("train --cell b.cell {small}")).exits(2);
    missing.says(&["the size of dimension `P` is not given", "b.cell:1:14"]);
    let given = folder.cellc(&format!("train --cell a.cell --dims H=2 {small}")).exits(2);
    given.says(&["`H` of a layer", "follows from its place"]);
    folder.cellc("bench --cell a.cell --seq 2 --batch 2 --seconds 0").exits(0);
}

#[test]
fn what_is_given_wrongly_is_said_in_plain_words() {
    let folder = cells();
    folder.cellc("run cells/mine.cell --arrays in --out out").exits(2).says(&[
        "the sizes of dimensions `I`, `H` are not given",
        "`--dims I=16,H=16`",
        "mine.cell:4:11",
    ]);
    let one = folder.cellc("run cells/mine.cell --dims I=3 --arrays in --out out").exits(2);
    one.says(&["the size of dimension `H` is not given", "`--dims I=3,H=16`"]);
    for (words, part) in [
        ("bench cells/mine.cell", "`--cell cells/mine.cell`"),
        ("train gru", "`--cell gru`"),
        ("check --cell cells/mine.cell", "`cellc check CELL`"),
        ("bench --hidden 0", "'--hidden <H>': expected a whole number from 1 up"),
        ("bench --batch -3", "expected a whole number"),
        ("train --steps 0", "expected a whole number from 1 up"),
        ("train --seed 99999999999999999999999", "the number is too large"),
        ("gradcheck lstm --cases 0", "expected a whole number from 1 up"),
        ("gradcheck lstm --order 3", "expected 1 or 2"),
        ("check nowhere.cell", "there is no such file"),
        ("run lstm --dims I=1,H=1 --arrays in --out out", "`in`: there is no such file"),
    ] {
        folder.cellc(words).exits(2).says(&[part]);
    }
    cellc("check --help").exits(0).prints(&["Usage: cellc check"]);
    cellc("--version").exits(0).prints(&["cellc "]);
}

#[test]
fn a_cell_of_the_catalogue_is_told_from_a_file_beside_it() {
    let folder = Folder::new();
    folder.file("gru.cell", "cell gru() {\n output y = 1\n}\n");
    folder.cellc("check gru").exits(0).prints(&["param"]).says(&["`./gru.cell`"]);
    let own = folder.cellc("check ./gru.cell").exits(0);
    assert_eq!(own.stdout.matches("param ").count(), 0, "{own}");
    folder.file("mine.cell", "cell mine() {\n output y = 1\n}\n");
    folder.cellc("check mine").exits(2).says(&["say `mine.cell`"]);
}

/// `twice` is never used, and `h` has no effect.
const DOUBTFUL: &str = "fn twice(x) = 2 * x
cell a(N) {
    input x: [N]
    state h: [N]
    next h = h + x
    output y = x
}
";

#[test]
fn warnings_are_shown_and_can_be_denied() {
    let folder = Folder::new();
    folder.file("a.cell", DOUBTFUL);
    let parts = ["warning: function `twice` is never used", "state `h` has no effect", "help:"];
    folder.cellc("check a.cell").exits(0).says(&parts).prints(&["a with N"]);
    folder.cellc("check a.cell --deny-warnings").exits(1).says(&parts);
    let report = folder.cellc("check a.cell --json").exits(0).json();
    assert_eq!(report["ok"], true);
    assert_eq!(report["diagnostics"][0]["severity"], "warning");
    assert_eq!(report["diagnostics"].as_array().map(Vec::len), Some(2));
    let denied = folder.cellc("check a.cell --json --deny-warnings").exits(1).json();
    assert_eq!(denied["ok"], false);
    let other = folder.cellc("gradcheck a.cell --cases 1").exits(0);
    assert!(!other.stderr.contains("warning"), "{other}");
    cellc("check lstm --deny-warnings").exits(0);
    // Before a training takes its time; unless nothing is to be shown.
    folder.file("b.cell", DOUBTFUL.replace("a(N)", "a(I, H)").replace("[N]", "[I]"));
    let words = "train --cell b.cell --hidden 3 --embedding 3 --steps 1 --batch 2 --examples 20";
    folder.cellc(words).exits(0).says(&["dimension `H` is never used", parts[0]]);
    let quiet = folder.cellc(&format!("{words} --quiet")).exits(0);
    assert!(!quiet.stderr.contains("warning"), "{quiet}");
}

#[test]
fn arrays_override_where_states_begin() {
    let folder = Folder::new();
    folder.file(
        "a.cell",
        "cell a() {
    input x: []
    state h: [] = h_0, k: [] = 10
    param h_0: []
    next h = 2 * h + x
    next k = k + x
    output h, k
}
",
    );
    let arrays = |given: &[Tensor]| {
        let mut tensors = vec![
            Tensor::f64("x", &[1, 2], &[0.5, 1.0]),
            Tensor::f64("h_0", &[], &[3.0]),
            Tensor::f64("cotangent.out.h", &[1, 2], &[1.0, 10.0]),
        ];
        tensors.extend_from_slice(given);
        folder.file("in.safetensors", pack(&tensors));
        folder.cellc("run a.cell --arrays in.safetensors --out out.safetensors").exits(0);
        let bytes = std::fs::read(folder.path().join("out.safetensors")).expect("it was written");
        let file = SafeTensors::deserialize(&bytes).expect("it is well-formed");
        ["out.h", "out.k", "grad.h_0", "grad.h"].map(|name| {
            let data = file.tensor(name).expect("it is there").data().as_chunks().0.iter();
            data.map(|bytes| f64::from_le_bytes(*bytes)).collect::<Vec<_>>()
        })
    };
    let [h, k, of_param, of_state] = arrays(&[]);
    assert_eq!((h, k), (vec![6.5, 7.0], vec![10.5, 11.0]));
    assert_eq!((of_param, of_state), (vec![22.0], vec![2.0, 20.0]));
    let [h, k, of_param, of_state] = arrays(&[Tensor::f64("h", &[2], &[0.0, 1.0])]);
    assert_eq!((h, k), (vec![0.5, 3.0], vec![10.5, 11.0]));
    assert_eq!((of_param, of_state), (vec![0.0], vec![2.0, 20.0]));
}
