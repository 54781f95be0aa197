//! How trainings end before they have taken all of their steps, and how they go on.

use crate::support::Folder;

const WORDS: &str = "train --data a.txt --seq 10 --batch 4 --hidden 8 --embedding 8 --quiet \
                     task.validation=0.1 training.evaluate_every=5 --schedule constant";

fn folder() -> Folder {
    let folder = Folder::new();
    folder.file("a.txt", "to be or not to be, that is the question; ".repeat(60));
    folder
}

#[test]
fn a_run_that_ran_out_of_patience_goes_on_with_another_rate() {
    let folder = folder();
    let ended = "ended after step 15 of 200: no better for 2 evaluations (patience)";
    let first = folder.cellc(&format!("{WORDS} --steps 200 --patience 2 --lr 1e-30 --out run"));
    first.exits(0).prints(&[ended, "go on with: cellc train --resume run --lr "]);
    let told = folder.cellc("info run").exits(0);
    told.prints(&["finished: ended after step 15", "cellc train --resume run --lr"]);
    assert_eq!(folder.cellc("info run --json").json()["end"], "patience");
    // As it is, it is only judged again.
    let over = folder.cellc("train --resume run --quiet").exits(0);
    over.says(&["run is over: it ended as it did not get better", "--lr"]).prints(&[ended]);
    folder
        .cellc("train --resume run --minutes 5")
        .exits(2)
        .says(&["(--lr)", "(--steps, --epochs)"]);
    folder.cellc("train --resume run --steps 10").exits(2).says(&["15 steps are taken already"]);
    let on = folder.cellc("train --resume run --steps 30 --json").exits(0);
    assert_eq!((&on.json()["end"], &on.json()["steps"]), (&"patience".into(), &25.into()));
    let on = folder.cellc("train --resume run --lr 0.01 --json").exits(0);
    assert_eq!((&on.json()["end"], &on.json()["steps"]), (&"steps".into(), &30.into()));
}

#[test]
fn a_run_whose_time_is_over_says_so() {
    let folder = folder();
    let words = WORDS.replace("--quiet", "");
    let first = folder.cellc(&format!("{words} --steps 9999999 --minutes 0.01 --out run"));
    let first = first.exits(0).says(&["of 9999999 steps fit into the time"]);
    first.prints(&["of 9999999: its time is over", "cellc train --resume run --minutes 0.02"]);
    let told = folder.cellc("info run").exits(0);
    told.prints(&["finished: ended after step", "cellc train --resume run --minutes 0.02"]);
    let over = folder.cellc("train --resume run --quiet").exits(0);
    over.says(&["run is over: it has taken 0.01 minutes already; to go on, give more (--minutes)"]);
}

#[test]
fn the_figures_of_the_model_that_is_kept_are_told() {
    let folder = folder();
    folder.cellc(&format!("{WORDS} --steps 20 --out run")).exits(0);
    // The model of step 10, as if there had been no room for those after it.
    folder.cellc(&format!("{WORDS} --steps 10 --out half")).exits(0);
    let path = |run: &str| folder.path().join(run).join("model.safetensors");
    std::fs::copy(path("half"), path("run")).expect("a copy");
    let told = folder.cellc("info run --json").exits(0).json();
    let half = folder.cellc("info half --json").exits(0).json();
    let key = "validation/loss";
    assert_eq!(told["best_metrics"][key], half["metrics"][key]);
    assert_ne!(told["best_metrics"][key], told["metrics"][key]);
    let loss = half["metrics"][key].as_f64().expect("a number");
    folder.cellc("info run").exits(0).prints(&["that of step 10", &format!("{loss:.4}")]);
}

#[test]
fn a_file_of_another_run_is_blamed_and_not_the_checkpoints() {
    let folder = folder();
    folder.cellc(&format!("{WORDS} --steps 5 --out run")).exits(0);
    let other = WORDS.replace("--hidden 8", "--hidden 9");
    folder.cellc(&format!("{other} --steps 5 --out other")).exits(0);
    for file in ["model.json", "experiment.toml"] {
        let path = |run: &str| folder.path().join(run).join(file);
        std::fs::copy(path("other"), path("run")).expect("a copy");
    }
    for words in ["eval run", "train --resume run"] {
        let told = folder.cellc(words).exits(2);
        let told = told.says(&["model.json: it is of another model", "Put the file back"]);
        assert!(!told.stderr.contains("move it away"), "{told}");
    }
    let told = folder.cellc("info run").exits(0);
    assert_eq!(told.stdout.matches("another model").count(), 1, "{told}");
}

#[test]
fn advice_is_given_where_it_can_help() {
    let folder = folder();
    let words = "train --task adding --quiet --hidden 4 --batch 2 --steps";
    let told = folder.cellc(&format!("{words} 2 --lr 0.5 --out a")).exits(0);
    assert!(!told.stdout.contains("--clip"), "{told}");
    assert!(!told.stdout.contains("may help"), "{told}");
    let told = folder.cellc(&format!("{words} 40 --lr 30 --clip 0 --schedule constant --out b"));
    told.exits(0)
        .prints(&["the training loss rose on its way: a lower --lr, or --clip 1, may help"]);
}

#[test]
fn what_would_be_ignored_is_said() {
    let folder = folder();
    let dry = folder.cellc(&format!("{WORDS} --steps 5 --dry-run --json")).exits(0).json();
    assert_eq!((&dry["steps"], &dry["experiment"]["model"]["hidden"]), (&5.into(), &8.into()));
    let numbers = "train --task adding --embedding 5 --dry-run";
    folder.cellc(numbers).exits(0).says(&["warning: this task reads numbers"]);
    folder.cellc(&format!("{WORDS} --steps 5 --out run")).exits(0);
    let eval = folder.cellc("eval run --data a.txt --text-column text").exits(2);
    eval.says(&["--text-column has no meaning here"]);
    let taken = folder.cellc(&format!("{WORDS} --out run --dry-run")).exits(2);
    taken.says(&["holds a run already"]);
    let file = folder.cellc(&format!("{WORDS} --out a.txt")).exits(2);
    file.says(&["a.txt: there is a file of this name"]);
    for size in ["model.hidden=0", "model.hidden=100000"] {
        let words = format!("train --data a.txt {size}");
        folder.cellc(&words).exits(2).says(&["a whole number from 1 to 65536"]);
    }
}

#[test]
fn what_differs_in_a_series_is_told() {
    let folder = folder();
    let words = "compare --task temporal_order --steps 3 --seeds 1 --quiet --dry-run --cells";
    let told = folder.cellc(&format!("{words} rnn,lstm,gru --set forget_bias=4,update_bias=3"));
    told.exits(0).prints(&["forget_bias=4", "update_bias=3"]);
    let told = folder.cellc(&format!("{words} rnn,lstm --set forget_bia=4")).exits(2);
    told.says(&["none of the cells rnn, lstm", "did you mean `forget_bias`?"]);
    folder.file("my.cell", cellc_cells::find("lstm").expect("the catalogue").source);
    folder.cellc(&format!("{words} my.cell,./my.cell")).exits(2).says(&["is named twice"]);
    let words = WORDS.replacen("train", "sweep", 1);
    let choices = "training.optimizer={name=\"adamw\",beta2=0.9},adam";
    folder.cellc(&format!("{words} --steps 2 {choices} --out sweep")).exits(0);
    for command in ["info sweep", "eval sweep", "train --resume sweep"] {
        let hint = ["no run folder", "sweep/1-1", "cellc sweep --resume sweep"];
        folder.cellc(command).exits(2).says(&hint);
    }
    let told = folder.cellc("sweep --resume sweep training.steps=3").exits(2);
    assert_eq!(told.stderr.lines().count(), 1, "{told}");
}
