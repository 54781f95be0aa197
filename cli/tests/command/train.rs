<<<<<<< HEAD
//! `train`, `eval` and `sample`: what is kept, what is printed, and what is refused.
=======
//! `train`, `eval` and `sample`, on runs too short to learn much.
>>>>>>> refs/heads/train

use std::fmt::Write;

use crate::support::{Folder, cellc};

<<<<<<< HEAD
/// A model that is trained in no time.
const TINY: &str = "--layers 1 --hidden 8 --embedding 4 --quiet";

/// A text that is easily learnt.
fn text(folder: &Folder) {
    folder.file("text.txt", "the cat sat on the mat. ".repeat(100));
}

/// Labelled sentences that are easily learnt.
fn sentences(folder: &Folder, name: &str) {
    let mut table = String::from("label\ttext\n");
    for i in 0..60 {
        let (label, word) = if i % 2 == 0 { ("pos", "good") } else { ("neg", "bad") };
        writeln!(table, "{label}\tfilm {} was {word}", i % 7).expect("strings can be written to");
    }
    folder.file(name, table);
=======
/// A model that is small, and trained for no longer than a moment.
const SMALL: &str = "--hidden 8 --embedding 6 --layers 1 --batch 4 --steps 12 --threads 1";

/// A text with a pattern, long enough to hold some back.
fn text() -> String {
    let mut text = String::new();
    for i in 0..80 {
        let _ = writeln!(text, "line {i} says: to be or not to be");
    }
    text
}

/// Labelled sentences whose first word decides.
fn table() -> String {
    let mut table = "label\ttext\n".to_owned();
    for i in 0..60 {
        let (label, word) = if i % 3 == 0 { ("no", "bad") } else { ("yes", "good") };
        let _ = writeln!(table, "{label}\t{word} and some more words, number {}", i % 7);
    }
    table
>>>>>>> refs/heads/train
}

#[test]
fn a_text_is_learnt_judged_and_continued() {
    let folder = Folder::new();
<<<<<<< HEAD
    text(&folder);
    let train = format!("train --data text.txt --batch 4 --seq 10 --steps 120 --lr 0.03 {TINY}");
    let json = folder.cellc(&format!("{train} --json")).exits(0).json();
    assert_eq!(json["run"], "runs/chars-1");
    assert_eq!((&json["task"], &json["steps"]), (&"chars".into(), &120.into()));
    let loss = json["heldout"]["loss"].as_f64().expect("the loss is a number");
    assert!(loss < 1.5 && json["train_seconds"].as_f64() > Some(0.0), "{json}");
    assert!(json["heldout"].get("accuracy").is_none());
    let again = folder.cellc(&format!("{train} --json --threads 2")).exits(0).json();
    assert_eq!(again["run"], "runs/chars-2", "the first run stays");
    assert_eq!(again["heldout"], json["heldout"], "the same seed, on any number of threads");

    let held_out = folder.cellc("eval runs/chars-1 --json").exits(0).json();
    assert_eq!(held_out["loss"], json["heldout"]["loss"], "the checkpoint is the model");
    folder.file("other.txt", "the mat sat? ");
    let other = folder.cellc("eval runs/chars-1 --data other.txt").exits(0);
    other.prints(&["nats per character", "1 of 13 characters are unknown to the model"]);

    let sample = "sample runs/chars-1 --length 20 --prompt th";
    let first = folder.cellc(sample).exits(0);
    assert!(first.stdout.starts_with("th") && first.stdout.chars().count() == 23, "{first}");
    assert_eq!(first.stdout, folder.cellc(sample).exits(0).stdout);
    folder.cellc("sample runs/chars-1 --prompt # --length 1").exits(0).says(&["['#']"]);

    let metrics = std::fs::read_to_string(folder.path().join("runs/chars-1/metrics.jsonl"));
    let metrics = metrics.expect("metrics are kept");
    let lines = metrics.lines().map(serde_json::from_str::<serde_json::Value>);
    let lines = lines.collect::<Result<Vec<_>, _>>().expect("every line is JSON");
    assert_eq!(lines.iter().filter(|line| line["loss"].is_number()).count(), 120);
    assert!(lines.last().is_some_and(|line| line["heldout"]["loss"].is_number()));
}

#[test]
fn sentences_are_labelled() {
    let folder = Folder::new();
    sentences(&folder, "data.tsv");
    let train = format!("train --data data.tsv --steps 60 --lr 0.03 --out run --json {TINY}");
    let json = folder.cellc(&train).exits(0).json();
    assert_eq!(json["task"], "classify");
    assert_eq!(json["heldout"]["majority"], 0.5);
    assert_eq!(json["heldout"]["accuracy"], 1.0);
    folder.cellc("eval run --data data.tsv").exits(0).prints(&["accuracy 100.0 %", "of 60 texts"]);
    folder.cellc("sample run").exits(2).says(&["labels texts", "`--task chars`"]);
    folder.cellc(&train).exits(2).says(&["run: the folder holds a run already"]);
    folder.file("new.jsonl", "{\"text\": \"good\", \"label\": \"meh\"}\n");
    let refused = folder.cellc("eval run --data new.jsonl").exits(2);
    refused.says(&["new.jsonl:1: the model knows no label `meh`; it knows `neg`, `pos`"]);
}

#[test]
fn without_arguments_reviews_are_learnt_from() {
    let folder = Folder::new();
    let train = "train --examples 200 --steps 4 --hidden 8 --out run";
    let outcome = folder.cellc(train).exits(0);
    outcome
        .says(&["200 reviews to train on and 1000 held out", "1 x 8 lstm", "held out: loss"])
        .prints(&["the most frequent label", "how likely it would buy", "next:", "eval run"]);
    folder.file("mine.csv", "text,label\n\"Amazing! I will, again.\",buy\nAwful.,don't buy\n");
    folder.cellc("eval run --data mine.csv").exits(0).prints(&["of 2 texts"]);
}

#[test]
fn a_cell_of_ones_own_is_trained() {
    let folder = Folder::new();
    let cell = "cell mine(I, H) {\n    input x: [I]\n    state h: [H]\n    param W: [H, I] ~ \
                normal(1)\n    next h = tanh(W @ x + h)\n    output h\n}\n";
    folder.file("mine.cell", cell);
    let train = format!("train --cell mine.cell --examples 100 --steps 2 --out run {TINY}");
    folder.cellc(&train).exits(0);
    std::fs::remove_file(folder.path().join("mine.cell")).expect("the cell can be removed");
    folder.cellc("eval run").exits(0).prints(&["of 1000 texts"]);
    folder.file("mine.cell", cell.replace("h)", "hh)"));
    folder.cellc(&train).exits(2).says(&["hh", "mine.cell:5"]);
    folder.file("mine.cell", cell.replace("(I, H)", "(I, H, N)"));
    folder.cellc(&train).exits(2).says(&["`cell mine(I, H)`", "`I`, `H`, `N`"]);
    let two = cell.replace("input x: [I]", "input x: [I], y: [H]");
    folder.file("mine.cell", two);
    folder.cellc(&train).exits(2).says(&["cannot be a layer of a model", "`x: [4]`, `y: [8]`"]);
}

#[test]
fn options_without_meaning_are_refused() {
    for (words, said) in [
        ("train --task chars", "`--task chars` needs a text to learn from: `--data FILE.txt`"),
        ("train --task classify", "`--task classify` needs labelled texts"),
        ("train --seq 3", "`--seq` has no meaning here; it is for `--task chars`"),
        ("train --cell lstn", "did you mean `lstm`?"),
        ("train --lr 0", "expected a number above 0"),
        ("train --held-out 1", "expected a share from 0 up and below 1"),
        ("train --hidden 0", "--hidden"),
        ("train --steps 2 --epochs 1", "cannot be used with"),
        ("train --task reviews --data a.txt", "`--data` has no meaning here"),
        ("train --data none.txt", "cannot read none.txt"),
        ("train --data none.csv", "cannot read none.csv"),
        ("eval none", "none: there is no such run folder"),
        ("sample none", "none: there is no such run folder"),
    ] {
        cellc(words).exits(2).says(&[said]);
    }
}

#[test]
fn data_that_cannot_be_learnt_from_are_refused() {
    let folder = Folder::new();
    folder.file("empty.txt", "");
    folder.file("short.txt", "hello\n");
    folder.file("latin.txt", b"caf\xe9".repeat(5));
    folder.file("one.csv", "text,label\ngood,pos\n");
    folder.file("wrong.csv", "sentence,label\ngood,pos\n");
    for (words, said) in [
        ("train --data empty.txt", "empty.txt: the file is empty"),
        ("train --data short.txt", "take fewer or shorter streams (--batch, --seq)"),
        ("train --data latin.txt", "latin.txt:1: the text is not UTF-8 (byte 3)"),
        ("train --data one.csv", "one.csv: too few rows to learn from: 1; give at least 20"),
        ("train --data wrong.csv", "Name it with --text-column"),
        ("train --task classify --data short.txt", "name the file .csv, .tsv or .jsonl"),
    ] {
        folder.cellc(words).exits(2).says(&[said]);
        assert!(!folder.path().join("runs").exists(), "{words} left a run folder");
    }
}

#[test]
fn damaged_runs_are_refused() {
    let folder = Folder::new();
    folder.cellc(&format!("train --examples 50 --steps 1 --out run {TINY}")).exits(0);
    let refused = |name: &str, change: &dyn Fn(Vec<u8>) -> Vec<u8>, said: &str| {
        let path = folder.path().join("run").join(name);
        let whole = std::fs::read(&path).expect("the file is kept");
        std::fs::write(&path, change(whole.clone())).expect("the file can be written");
        folder.cellc("eval run").exits(2).says(&[said, name]);
        std::fs::write(&path, whole).expect("the file can be written");
    };
    let half = |bytes: Vec<u8>| bytes[..bytes.len() / 2].to_vec();
    refused("model.safetensors", &half, "the file is damaged or no safetensors file");
    refused("config.json", &half, "the file is damaged: EOF");
    refused("vocabulary.json", &|_| b"{}".to_vec(), "missing field `symbols`");
    let other = |bytes: Vec<u8>| {
        String::from_utf8_lossy(&bytes).replace("\"hidden\": 8", "\"hidden\": 9").into_bytes()
    };
    let path = folder.path().join("run/config.json");
    let whole = std::fs::read(&path).expect("the file is kept");
    std::fs::write(&path, other(whole)).expect("the file can be written");
    folder.cellc("eval run").exits(2).says(&["tensor `layer0.W_f` is [8, 12]; it must be [9, 13]"]);
    std::fs::remove_file(folder.path().join("run/model.safetensors")).expect("it is there");
    folder.cellc("eval run").exits(2).says(&["there is no checkpoint yet"]);
=======
    folder.file("a.txt", text());
    let words = format!("train --task chars --data a.txt --seq 10 --out run --json {SMALL}");
    let trained = folder.cellc(&words).exits(0);
    let last = trained.stdout.lines().last().unwrap_or_default();
    let report: serde_json::Value = serde_json::from_str(last).expect("it ends with JSON");
    assert_eq!(report["run"], "run");
    assert_eq!(report["task"], "chars");
    assert_eq!(report["steps"], 12);
    assert!(report["train_seconds"].as_f64() > Some(0.0), "{report}");
    assert!(report["parameters"].as_u64() > Some(100), "{report}");
    assert!(report["heldout"]["loss"].as_f64() < Some(4.0), "{report}");

    let judged = folder.cellc("eval run --data a.txt --json").exits(0).json();
    assert!(judged["loss"].as_f64() < Some(4.0), "{judged}");
    folder.cellc("eval run").exits(0).prints(&["nats per character"]);

    let words = "sample run --prompt to --length 30 --temperature 0.5 --seed 3";
    let sampled = folder.cellc(words).exits(0).prints(&["to"]);
    assert!(sampled.stdout.trim_end_matches('\n').chars().count() >= 20, "{sampled}");
    assert_eq!(folder.cellc(words).stdout, sampled.stdout, "a seed settles everything");
    folder.cellc("sample run --length 5 --temperature -1").exits(2).says(&["temperature"]);
}

#[test]
fn labels_are_learnt_and_judged() {
    let folder = Folder::new();
    folder.file("a.tsv", table());
    let words = format!("train --data a.tsv --cell gru --out run --json {SMALL}");
    let trained = folder.cellc(&words).exits(0);
    let last = trained.stdout.lines().last().unwrap_or_default();
    let report: serde_json::Value = serde_json::from_str(last).expect("it ends with JSON");
    assert_eq!(report["task"], "classify");
    for figure in ["loss", "accuracy", "majority"] {
        assert!(report["heldout"][figure].is_number(), "{figure} in {report}");
    }
    let judged = folder.cellc("eval run --data a.tsv --json").exits(0).json();
    assert!(judged["accuracy"].as_f64() >= Some(0.3), "{judged}");
    folder.cellc("sample run").exits(2).says(&["chars"]);
}

#[test]
fn reviews_need_no_data() {
    let folder = Folder::new();
    let trained = folder.cellc(&format!("train {SMALL}")).exits(0);
    trained.prints(&["held out: accuracy", "kept in runs/reviews-1", "cellc train --task chars"]);
    // A cell of one's own takes the place of the catalogue's.
    let cell = "cell mine(I, H) {\n input x: [I]\n state h: [H]\n param W: [H, I + H] ~ \
                uniform(0.1)\n next h = tanh(W @ concat(x, h))\n output h\n}\n";
    folder.file("mine.cell", cell);
    let trained = folder.cellc(&format!("train --cell mine.cell {SMALL}")).exits(0);
    trained.prints(&["runs/reviews-2"]);
}

#[test]
fn a_seed_settles_a_training() {
    let folder = Folder::new();
    folder.file("a.txt", text());
    let loss = |run: &str, threads: usize| {
        let words = format!(
            "train --data a.txt --seq 10 --hidden 8 --embedding 6 --batch 4 --steps 12 \
             --out {run} --json --threads {threads}"
        );
        let trained = folder.cellc(&words).exits(0);
        let last = trained.stdout.lines().last().unwrap_or_default();
        let report: serde_json::Value = serde_json::from_str(last).expect("it ends with JSON");
        report["heldout"]["loss"].as_f64()
    };
    let first = loss("a", 1);
    assert!(first.is_some());
    assert_eq!(first, loss("b", 1));
    assert_eq!(first, loss("c", 2), "nor does the number of threads matter");
}

#[test]
fn trainings_that_cannot_be() {
    let folder = Folder::new();
    folder.file("a.txt", text());
    folder.file("empty.txt", "");
    folder.file("binary.txt", b"\xff\xfe\x00");
    folder.file("a.tsv", table());
    folder.file("bad.cell", "cell bad(I, H) {\n input x: [I]\n output y = z\n}\n");
    folder.file("other.cell", "cell other(N) {\n input x: [N]\n output y = x\n}\n");
    for (words, part) in [
        ("--task chars", "--data"),
        ("--task classify", "--data"),
        ("--task poetry", "poetry"),
        ("--data none.txt", "none.txt"),
        ("--data .", "directory"),
        ("--data empty.txt", "empty.txt"),
        ("--data binary.txt", "UTF-8"),
        ("--data a.tsv --text-column body", "body"),
        ("--cell lsmt", "did you mean `lstm`?"),
        ("--cell bad.cell", "bad.cell:3:13"),
        ("--cell other.cell", "other"),
        ("--lr -1", "--lr"),
        ("--steps 0", "--steps"),
        ("--held-out 1.5", "--held-out"),
        ("--out a.txt --data a.txt", "a.txt"),
    ] {
        folder.cellc(&format!("train {words}")).exits(2).says(&[part]);
    }
    cellc("eval none").exits(2).says(&["none"]);
    cellc("sample none").exits(2).says(&["none"]);
    folder.cellc("eval .").exits(2);
>>>>>>> refs/heads/train
}
