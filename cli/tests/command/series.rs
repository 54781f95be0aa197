//! `compare`, `sweep` and `train --dry-run`, on runs too short to learn much.

use crate::support::{Folder, cellc};

/// A task and a model that are small.
const SMALL: &str =
    "--examples 60 --hidden 6 --embedding 5 --batch 4 --threads 1 training.evaluations=2";

/// A cell of one's own, which is the plain recurrent one.
const MINE: &str = "cell mine(I, H) {\n input x: [I]\n state h: [H]\n param W: [H, I + H] ~ \
                    uniform(0.1)\n next h = tanh(W @ concat(x, h))\n output h\n}\n";

#[test]
fn cells_are_compared_by_several_seeds() {
    let folder = Folder::new();
    folder.file("mine.cell", MINE);
    let words = format!("compare --cells rnn,lstm,mine.cell --seeds 2 --steps 8 {SMALL}");
    let compared = folder.cellc(&words).exits(0);
    compared
        .says(&["run 1 of 6: rnn, seed 1", "run 6 of 6: mine, seed 2", "lstm: H = 6, "])
        .prints(&[
            "by held-out accuracy: mean and standard deviation of 2 seeds",
            "against the first",
            "kept in runs/compare-1: results.csv, comparison.svg, quality.svg",
        ]);
    for file in ["results.csv", "comparison.svg", "quality.svg", "mine-2/result.json"] {
        assert!(folder.path().join("runs/compare-1").join(file).exists(), "{file}");
    }
    // Each run is one like any other, whatever becomes of the cell's file.
    folder.file("mine.cell", "");
    folder.cellc("eval runs/compare-1/mine-2").exits(0).prints(&["accuracy"]);
    let again = folder.cellc("train --resume runs/compare-1/mine-2").exits(0);
    again.says(&["all of its 8 steps are taken already"]);

    // Two runs are lost, one of them in the middle.
    let path = folder.path().join("runs/compare-1");
    std::fs::remove_dir_all(path.join("mine-2")).expect("it is there");
    std::fs::remove_file(path.join("rnn-2/result.json")).expect("it is there");
    let resumed = folder.cellc("compare --resume runs/compare-1 --json").exits(0);
    let report = resumed.json();
    let resumed = resumed.says(&["run 4 of 6: rnn, seed 2, going on after step 8", "run 6 of 6"]);
    assert!(!resumed.stderr.contains("run 1 of 6"), "{resumed}");
    assert_eq!((&report["purpose"], &report["goal"]), (&"compare".into(), &"accuracy".into()));
    assert_eq!(report["folder"], "runs/compare-1");
    let groups = report["groups"].as_array().expect("groups");
    assert_eq!(groups.len(), 3);
    for group in groups {
        assert!(
            group["summary"]["mean"].is_number() && group["apart"].is_boolean()
                || group["place"] == 1,
            "{group}"
        );
        assert!(group["seconds_per_step"].as_f64() > Some(0.0), "{group}");
        let runs = group["runs"].as_array().expect("runs");
        assert_eq!(runs.iter().map(|run| &run["steps"]).collect::<Vec<_>>(), [8, 8]);
    }
}

#[test]
fn budgets_of_a_comparison() {
    let folder = Folder::new();
    let words = format!("compare --cells lstm,rnn --budget params --seeds 1 --steps 2 {SMALL}");
    let compared = folder.cellc(&format!("{words} --json --out by-params")).exits(0);
    let report = compared.json();
    let sizes: Vec<_> = (report["groups"].as_array().expect("groups").iter())
        .map(|group| group["parameters"].as_u64().expect("a number"))
        .collect();
    assert!(sizes[0].abs_diff(sizes[1]) < sizes[0] / 20, "{sizes:?}");
    let words = format!("compare --cells rnn,lstm --budget 0.2s --seeds 1 {SMALL}");
    let compared = folder.cellc(&format!("{words} --out by-time")).exits(0);
    compared.says(&["timing some updates of each cell", " steps"]).prints(&["ms/step"]);
}

#[test]
fn settings_are_searched_through() {
    let folder = Folder::new();
    let words =
        format!("sweep training.learning_rate=1e-3,1e-2 model.layers=1,2 --steps 4 {SMALL}");
    folder
        .cellc(&words)
        .exits(0)
        .says(&["10 % of what there is to learn from is set aside", "4 choices, 4 runs"])
        .prints(&["by validation accuracy", "the best: learning_rate ", "its held-out accuracy: "]);
    let csv = folder.path().join("runs/sweep-1/sweep.csv");
    let csv = std::fs::read_to_string(csv).expect("it was written");
    assert_eq!(csv.lines().count(), 5, "{csv}");
    assert!(csv.starts_with("place,name,training.learning_rate,model.layers,parameters,"), "{csv}");
    folder.cellc("train --config runs/sweep-1/best.toml --out best").exits(0);
    let words = format!("sweep --random 3 training.learning_rate=1e-4..1e-2 --steps 2 {SMALL}");
    let report = folder.cellc(&format!("{words} --json")).exits(0).json();
    assert_eq!(report["groups"].as_array().map(Vec::len), Some(3), "{report}");
    let again = folder.cellc("sweep --resume runs/sweep-2 --json").exits(0).json();
    assert_eq!(again, report, "nothing is left to be done");
    folder.cellc("compare --resume runs/sweep-2").exits(2).says(&["cellc sweep --resume"]);
}

#[test]
fn series_that_cannot_be() {
    for (words, part) in [
        ("compare", "--cells"),
        ("compare --cells lstm,lsmt", "did you mean `lstm`?"),
        ("compare --cells lstm,lstm", "named twice"),
        ("compare --cells lstm --cell gru", "--cell"),
        ("compare --cells lstm --budget much", "such as 5m or 90s"),
        ("compare --cells lstm --seeds 0", "--seeds"),
        ("compare --cells lstm --budget 0.001s --examples 60", "too little for `lstm`"),
        ("compare --resume none", "no folder of `compare`"),
        ("sweep", "nothing to search through"),
        ("sweep training.lerning_rate=1,2", "did you mean `learning_rate`?"),
        ("sweep training.learning_rate=1e-4..1e-2", "--random 20"),
        ("sweep training.learning_rate=1e-2..1e-4", "a lower number to a higher one"),
        ("sweep training.learning_rate=1,,2", "missing beside a comma"),
        ("sweep model.cell=lstm,lsmt", "did you mean `lstm`?"),
    ] {
        cellc(words).exits(2).says(&[part]);
    }
}

#[test]
fn a_dry_run_estimates_memory_and_time() {
    let folder = Folder::new();
    let words = format!("train --dry-run {SMALL}");
    let estimated = folder.cellc(&words).exits(0).prints(&["[training]", "examples = 60"]);
    estimated.says(&[
        "parameters",
        "of memory beside the data",
        "tape of the largest batch",
        " in all: ",
    ]);
    assert!(!folder.path().join("runs").exists());
    let tight = folder.cellc(&format!("{words} --memory 1MB")).exits(0);
    tight.says(&["segments (--memory)"]);
}
