//! `train`, `eval` and `sample`, on runs too short to learn much.

use std::fmt::Write;

use crate::support::{Folder, cellc};

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
}

#[test]
fn a_text_is_learnt_judged_and_continued() {
    let folder = Folder::new();
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
        ("--data a.tsv --held-out 0", "nothing is held out; a model is judged by what it was not"),
        ("training.steps=4.5", "`training.steps`: expected a whole number from 0, found 4.5"),
        ("task.examples=many", "expected a whole number from 0, found \"many\""),
        ("training.clip=-1e30", "not -1e30"),
        ("--out a.txt --data a.txt", "a.txt"),
    ] {
        folder.cellc(&format!("train {words}")).exits(2).says(&[part]);
    }
    cellc("eval none").exits(2).says(&["none"]);
    cellc("sample none").exits(2).says(&["none"]);
    folder.cellc("eval .").exits(2);
}

#[test]
fn what_is_perhaps_a_mistake_in_the_data_is_said() {
    let folder = Folder::new();
    let labels = ["1", "1.0", "Yes", "yes"];
    let row = |i: usize| format!("{}\tsome words, number {}\n", labels[i % 4], i % 7);
    let table: String =
        std::iter::once("label\ttext\n".to_owned()).chain((0..60).map(row)).collect();
    folder.file("a.tsv", &table);
    folder.file("b.tsv", &table);
    let words = format!("train --data a.tsv --held-out-data b.tsv {SMALL} --out");
    let told = folder.cellc(&format!("{words} a")).exits(0);
    told.says(&[
        "warning: labels that differ in writing alone are classes of their own: `1` and `1.0`, `Yes` \
         and `yes`;",
        "b.tsv have the same content: a model that is judged by what it was trained on",
    ]);
    // Three rows cannot have four labels; of several runs it is said too.
    let lacks = ["warning: the validation part has no text of "];
    folder.cellc(&format!("{words} lacks")).exits(0).says(&lacks);
    let compared = words.replacen("train", "compare --cells rnn --seeds 1", 1);
    folder.cellc(&format!("{compared} compared")).exits(0).says(&lacks);
    let quiet = folder.cellc(&format!("{words} b --quiet")).exits(0);
    assert!(!quiet.stderr.contains("warning"), "{quiet}");
    folder.file("a.tsv", table.replace("1.0", "2").replace("Yes", "no"));
    let other = table.replace("1.0", "2").replace("Yes", "no").replace("number 6", "number 9");
    folder.file("b.tsv", other);
    // With a fifth to choose by, all labels are in all parts.
    let told = folder.cellc(&format!("{words} c --validation 0.2")).exits(0);
    assert!(!told.stderr.contains("warning"), "{told}");
}

#[test]
fn values_are_taken_for_what_they_are_meant_to_be() {
    let folder = Folder::new();
    let words = format!("train {SMALL} --quiet --out run --examples 40");
    let words =
        words.replace("--steps 12", "training.steps=4.0 training.log=csv task.validation=0");
    folder.cellc(&words).exits(0);
    assert!(folder.path().join("run/metrics.csv").exists());
    let text = std::fs::read_to_string(folder.path().join("run/experiment.toml")).expect("a file");
    assert!(text.contains("steps = 4\n"), "{text}");
}

#[test]
fn a_training_keeps_to_its_memory_or_says_what_it_needs() {
    let folder = Folder::new();
    folder.file("a.txt", text());
    let words = format!("train --task chars --data a.txt --seq 200 {SMALL}");
    let free = folder.cellc(&format!("{words} --out free --json")).exits(0);
    let loss = |out: &str| -> f64 {
        let last = out.lines().last().unwrap_or_default();
        let report: serde_json::Value = serde_json::from_str(last).expect("it ends with JSON");
        report["heldout"]["loss"].as_f64().expect("a number")
    };
    let cut = folder.cellc(&format!("{words} --out cut --json --memory 650KiB")).exits(0);
    assert!((loss(&cut.stdout) - loss(&free.stdout)).abs() < 1e-3, "{cut}");
    let refused = folder.cellc(&format!("{words} --out none --memory 20kB")).exits(2);
    refused.says(&[
        "200 steps of 4 examples need",
        "the limit is 20 kB (--memory, or all",
        "--batch",
    ]);
    folder.cellc("train --memory lots").exits(2).says(&["expected an amount such as 200MB"]);
}
