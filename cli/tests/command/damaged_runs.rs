//! Files of a run folder that are missing, damaged, or those of another run: whatever becomes of them, the
//! command says what is wrong and what can be done, and writes over nothing.

use std::collections::BTreeMap;
use std::path::Path;

use crate::support::{Folder, Outcome};

const SMALL: &str = "--embedding 6 --layers 1 --batch 4 --threads 1 --seq 10 --steps 4 --quiet";

/// The files of a run.
const FILES: [&str; 6] = [
    "experiment.toml",
    "model.json",
    "model.safetensors",
    "last.safetensors",
    "metrics.jsonl",
    "result.json",
];

/// Other runs, whose files are swapped with those of the run: of another cell, of other sizes, of other
/// data and of another task.
const OTHERS: [&str; 4] = ["cell", "sizes", "data", "task"];

/// What becomes of a file.
#[derive(Clone, Copy, Debug)]
enum Damage {
    Missing,
    Empty,
    Half,
    Changed,
    Folder,
    Of(&'static str),
}

/// A folder with a run `run`, and others.
fn runs() -> Folder {
    let folder = Folder::new();
    folder.file("a.txt", "to be or not to be, that is the question. ".repeat(40));
    folder.file("b.txt", "All the world's a STAGE; 1 man plays 7 parts. ".repeat(40));
    let mut table = "label\ttext\n".to_owned();
    (0..60).for_each(|i| table += ["no\tbad words\n", "yes\tgood words\n"][i % 2]);
    folder.file("a.tsv", table);
    for (run, words) in [
        ("whole", "--data a.txt --cell gru --hidden 8 task.validation=0.1"),
        ("cell", "--data a.txt --cell lstm --hidden 8 task.validation=0.1"),
        ("sizes", "--data a.txt --cell gru --hidden 12 task.validation=0.1"),
        ("data", "--data b.txt --cell gru --hidden 8 task.validation=0.1"),
        ("task", "--data a.tsv --cell gru --hidden 8"),
    ] {
        let words = format!("train {words} {SMALL} --out {run}");
        let words = if run == "task" { words.replace("--seq 10", "") } else { words };
        folder.cellc(&words).exits(0);
    }
    folder
}

fn damage(folder: &Folder, file: &str, damage: Damage) {
    let (run, whole) = (folder.path().join("run"), folder.path().join("whole"));
    let _ = std::fs::remove_dir_all(&run);
    std::fs::create_dir(&run).expect("it was removed");
    for file in FILES {
        std::fs::copy(whole.join(file), run.join(file)).expect("it is there");
    }
    let path = run.join(file);
    let mut bytes = std::fs::read(&path).expect("it is there");
    match damage {
        Damage::Missing => std::fs::remove_file(&path).expect("it is there"),
        Damage::Empty => std::fs::write(&path, "").expect("it can be written"),
        Damage::Half => {
            std::fs::write(&path, &bytes[..bytes.len() / 2]).expect("it can be written");
        }
        Damage::Changed => {
            bytes[0] ^= 0x15;
            std::fs::write(&path, bytes).expect("it can be written");
        }
        Damage::Folder => {
            std::fs::remove_file(&path).expect("it is there");
            std::fs::create_dir(&path).expect("it was removed");
        }
        Damage::Of(other) => {
            std::fs::copy(folder.path().join(other).join(file), &path).expect("it is there");
        }
    }
}

/// The files of a run and what is in them, but for the lock, which holds nothing.
fn content(run: &Path) -> BTreeMap<String, Option<Vec<u8>>> {
    let entries = std::fs::read_dir(run).expect("a folder").flatten();
    let named = entries.map(|entry| {
        (entry.file_name().to_string_lossy().into_owned(), std::fs::read(entry.path()).ok())
    });
    named.filter(|(name, _)| name != ".lock").collect()
}

/// Checks that what is said of a damaged run is fit to be read by its user.
#[track_caller]
fn fit(outcome: &Outcome, what: &str) {
    let said = format!("{}{}", outcome.stdout, outcome.stderr);
    for word in ["panicked", "internal error", "expected usize", "invalid type"] {
        assert!(!said.contains(word), "{what}: {outcome}");
    }
    if outcome.status == Some(0) {
        return;
    }
    assert_eq!(outcome.status, Some(2), "{what}: {outcome}");
    let mends = ["back", "away", "cellc train", "name data"];
    assert!(mends.iter().any(|mend| outcome.stderr.contains(mend)), "{what}: {outcome}");
}

#[test]
fn whatever_becomes_of_a_file_there_is_a_mend_and_nothing_is_lost() {
    let folder = runs();
    let plain = [Damage::Missing, Damage::Empty, Damage::Half, Damage::Changed, Damage::Folder];
    for file in FILES {
        for case in plain.into_iter().chain(OTHERS.map(Damage::Of)) {
            damage(&folder, file, case);
            let before = content(&folder.path().join("run"));
            for words in ["eval run", "predict run a.txt", "sample run --length 3", "info run"] {
                fit(&folder.cellc(words), &format!("{file} {case:?}"));
                let after = content(&folder.path().join("run"));
                assert!(after == before, "{file} {case:?} {words}: something was written");
            }
            let resumed = folder.cellc("train --resume run --steps 6 --quiet");
            fit(&resumed, &format!("{file} {case:?}"));
            let after = content(&folder.path().join("run"));
            assert!(resumed.status == Some(0) || after == before, "{file} {case:?}: {resumed}");
        }
    }
}

#[test]
fn files_of_other_runs_are_told_by_what_differs() {
    let folder = runs();
    for (file, other, words, said) in [
        (
            "model.json",
            "cell",
            "eval run",
            "model.cell is \"gru\" in the one and \"lstm\" in the other",
        ),
        (
            "model.json",
            "task",
            "predict run a.txt",
            "task.name is \"chars\" in the one and \"classify\"",
        ),
        (
            "experiment.toml",
            "sizes",
            "train --resume run",
            "model.hidden is 12 in the one and 8 in the",
        ),
        ("experiment.toml", "data", "train --resume run", "b.txt, but it was trained on"),
        (
            "model.safetensors",
            "cell",
            "eval run",
            "another model: `layer0` is another cell, with `W_f`",
        ),
        (
            "model.safetensors",
            "sizes",
            "sample run",
            "`layer0.U_n` is [12, 12] where the model has [8, 8]",
        ),
        ("last.safetensors", "cell", "train --resume run --steps 6", "`layer0` is another cell"),
    ] {
        damage(&folder, file, Damage::Of(other));
        folder.cellc(words).exits(2).says(&[said]);
    }
    damage(&folder, "model.safetensors", Damage::Of("sizes"));
    folder
        .cellc("info run")
        .exits(0)
        .prints(&["damaged or missing: run/model.safetensors: it is of another"]);
}

#[test]
fn the_mends_mend() {
    let folder = runs();
    let run = folder.path().join("run");
    damage(&folder, "model.safetensors", Damage::Half);
    let said = ["move it away and take what the training has come to", "cellc train --resume run"];
    folder.cellc("eval run").exits(2).says(&said);
    std::fs::remove_file(run.join("model.safetensors")).expect("it is there");
    folder.cellc("train --resume run --quiet").exits(0);
    folder.cellc("eval run").exits(0);
    damage(&folder, "last.safetensors", Damage::Half);
    let said = ["cellc train --config run/experiment.toml", "can be used: cellc eval run"];
    folder.cellc("train --resume run --steps 6").exits(2).says(&said);
    folder.cellc("eval run").exits(0);
    folder.cellc("train --config run/experiment.toml --out anew --quiet").exits(0);
    damage(&folder, "metrics.jsonl", Damage::Changed);
    let words = "train --resume run --steps 6 --quiet";
    folder.cellc(words).exits(2).says(&["Move the file away to go on without it"]);
    std::fs::rename(run.join("metrics.jsonl"), folder.path().join("away")).expect("it is there");
    folder.cellc(words).exits(0);
    damage(&folder, "experiment.toml", Damage::Empty);
    folder
        .cellc("eval run")
        .exits(2)
        .says(&["begin anew: cellc train --task chars --data", "--cell gru"]);
}
