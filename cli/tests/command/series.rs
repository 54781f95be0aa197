//! `compare`, `sweep` and `train --dry-run`, on runs too short to learn much.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

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
fn figures_of_a_comparison_are_labelled() {
    let folder = Folder::new();
    let words = format!("compare --cells rnn,gru --seeds 1 --steps 4 {SMALL} task.validation=0.1");
    let compared = folder.cellc(&words).exits(0);
    compared
        .says(&["rnn, seed 1: validation: loss ", "%;  held out: loss "])
        .prints(&["seconds  held-out accuracy", "ms/step: the median time of an update"]);
}

#[test]
fn a_dry_run_tells_every_run_and_trains_none() {
    let folder = Folder::new();
    let compared = format!("compare --cells rnn,gru --seeds 2 --steps 4 {SMALL} --dry-run");
    folder
        .cellc(&compared)
        .exits(0)
        .prints(&["run    cell  H  seed  parameters  steps ", "\ngru-2  gru ", "cell = \"rnn\""])
        .says(&["4 runs, about ", "of memory beside the data; none is trained"]);
    let small = SMALL.replace("--hidden 6", "");
    let swept = format!("sweep model.hidden=3,4 --steps 4 {small} --dry-run --json");
    let plan = folder.cellc(&swept).exits(0).json();
    let runs = plan["runs"].as_array().expect("runs");
    let sizes: Vec<_> = runs.iter().map(|run| &run["choice"]["model.hidden"]).collect();
    assert_eq!(sizes, [3, 4]);
    for run in runs {
        assert_eq!((&run["steps"], &run["seed"]), (&4.into(), &1.into()), "{run}");
        assert!(run["parameters"].as_u64() > Some(100), "{run}");
        assert!(run["seconds"].as_f64() > Some(0.0), "{run}");
        assert_eq!(run["experiment"]["model"]["hidden"], run["choice"]["model.hidden"]);
    }
    assert!(plan["bytes"].as_u64() > Some(1000), "{plan}");
    assert!(!folder.path().join("runs").exists());
}

#[test]
fn one_process_at_a_time_begins_or_goes_on_with_a_series() {
    let folder = Folder::new();
    let words = format!("compare --cells rnn --seeds 2 --steps 1000000 {SMALL} --quiet --out both");
    let start = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cellc"));
        let command = command.args(words.split_whitespace()).current_dir(folder.path());
        command.stderr(Stdio::piped()).spawn().expect("it starts")
    };
    let mut both = [start(), start()];
    // One of them is refused at once, and the other goes on.
    let begun = Instant::now();
    let refused = loop {
        let over = both
            .iter_mut()
            .position(|child| child.try_wait().expect("it is a child of this process").is_some());
        if let Some(over) = over {
            break over;
        }
        assert!(begun.elapsed() < Duration::from_secs(120), "both are at work in one folder");
        std::thread::sleep(Duration::from_millis(5));
    };
    let mut said = String::new();
    let stderr = both[refused].stderr.as_mut().expect("it was asked for");
    stderr.read_to_string(&mut said).expect("it is text");
    // The other may have only just taken the folder.
    while !folder.path().join("both/plan.toml").exists()
        && begun.elapsed() < Duration::from_secs(120)
    {
        std::thread::sleep(Duration::from_millis(5));
    }
    let resumed = folder.cellc("compare --resume both");
    both.iter_mut().for_each(|child| {
        let _ = child.kill();
        child.wait().expect("it ends");
    });
    let series = ["another process is training in this folder", "holds a series already"];
    assert!(series.iter().any(|part| said.contains(part)), "{said}");
    resumed.exits(2).says(&["both: another process is training in this folder"]);
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
        ("sweep training.learning_rate=1,2 --lr 3", "has one value by an option (3.0) too"),
        ("sweep training.seed=1,2 training.seed=3", "has one value by `training.seed=3` too"),
        ("sweep --resume none --dry-run", "--dry-run"),
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
