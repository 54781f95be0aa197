//! What is kept of the course of trainings, and what becomes of those that fail or are gone on with.

use crate::support::Folder;

const SMALL: &str = "--hidden 8 --embedding 6 --layers 1 --batch 4 --threads 1 --seq 10";

fn folder() -> Folder {
    let folder = Folder::new();
    folder.file("a.txt", "to be or not to be, that is the question. ".repeat(40));
    folder
}

#[test]
fn the_course_is_kept_as_it_is_asked_for() {
    let folder = folder();
    let words = format!("train --data a.txt --out run --steps 6 {SMALL} --log csv,tensorboard");
    folder.cellc(&words).exits(0);
    let table = std::fs::read_to_string(folder.path().join("run/metrics.csv")).expect("a table");
    assert!(table.starts_with("step,train/epoch,train/loss,"), "{table}");
    // What comes next in a text has no accuracy, and no errors of numbers.
    assert!(!table.contains("accuracy") && !table.contains("_error"), "{table}");
    let lines = std::fs::read_to_string(folder.path().join("run/metrics.jsonl")).expect("lines");
    let first: serde_json::Value =
        serde_json::from_str(lines.lines().next().unwrap_or_default()).expect("JSON");
    for metric in ["loss", "learning_rate", "gradient_norm", "seconds", "symbols_per_second"] {
        assert!(first[format!("train/{metric}")].is_number(), "{metric} in {first}");
    }
    let files = std::fs::read_dir(folder.path().join("run")).expect("a folder").flatten();
    let names = files.map(|file| file.file_name().to_string_lossy().into_owned());
    assert_eq!(names.filter(|name| name.starts_with("events.out.tfevents.")).count(), 1);
    let said = ["`training.log`: there is no `xml`", "tensorboard"];
    folder.cellc("train --data a.txt --log xml").exits(2).says(&said);
}

#[test]
fn a_disk_that_is_full_is_said_once_and_ends_nothing() {
    let folder = folder();
    std::fs::create_dir(folder.path().join("run")).expect("a folder can be made");
    #[cfg(target_os = "linux")]
    {
        let metrics = folder.path().join("run/metrics.jsonl");
        std::os::unix::fs::symlink("/dev/full", metrics).expect("a link can be made");
        let words = format!("train --data a.txt --out run --steps 6 {SMALL}");
        let trained = folder.cellc(&words).exits(0).prints(&["held out"]);
        assert_eq!(trained.stderr.matches("warning: cannot write").count(), 1, "{trained}");
        folder.cellc("eval run").exits(0);
    }
}

#[test]
fn a_training_that_cannot_begin_leaves_no_folder() {
    let folder = folder();
    folder.file(
        "nan.cell",
        "cell nan(I, H) {\n input x: [I]\n state h: [H]\n param W: [H, I] ~ \
                             uniform(0.1)\n next h = log(W @ x - 100) + h\n output h\n}\n",
    );
    for (words, said) in [
        ("--memory 20kB", "the limit is 20 kB"),
        ("--cell nan.cell", "is not a number (NaN) at step 1, before anything was learnt"),
        ("--cell nan.cell", "begins in `log` of cell `nan` (layer0), which gives NaN at step 1"),
        ("--cell nan.cell", "nan.cell:5:2"),
    ] {
        let refused = folder.cellc(&format!("train --data a.txt {words} {SMALL}")).exits(2);
        refused.says(&[said]);
        assert!(!folder.path().join("runs").exists(), "{words}");
    }
}

#[test]
fn a_training_that_diverges_says_how_to_go_on() {
    let folder = folder();
    // It grows without a bound: sooner or later there is no number for it.
    folder.file(
        "grow.cell",
        "cell grow(I, H) {\n input x: [I]\n state h: [H]\n param W: [H, I] ~ \
                              uniform(0.1)\n next h = exp(W @ x) + h\n output h\n}\n",
    );
    let words = format!(
        "train --data a.txt --cell grow.cell --out run --lr 20 --optimizer sgd --clip 0 --steps 400 \
         {SMALL} training.evaluate_every=1 training.schedule=constant"
    );
    let diverged = folder.cellc(&words).exits(2);
    diverged
        .says(&[" at step ", "learning rate is 20", "cellc train --resume run --lr 5\n"])
        .says(&["It begins in `", "` of cell `grow` (layer0)", "grow.cell:5:2"]);
    let told = folder.cellc("info run").exits(0);
    told.prints(&["failed: the loss is ", "cellc train --resume run"]);
    folder.cellc("eval run").exits(0);
}

#[test]
fn a_model_that_is_worse_than_chance_is_noted() {
    let folder = folder();
    let words = |rate: &str| {
        format!(
            "train --data a.txt --out run{rate} --lr {rate} --optimizer sgd --clip 0 --steps 6 {SMALL} \
             training.schedule=constant"
        )
    };
    folder.cellc(&words("1000")).exits(0).prints(&["note: it is worse than equal chances of all "]);
    let usual = folder.cellc(&words("0.1")).exits(0);
    assert!(!usual.stdout.contains("worse"), "{usual}");
}

#[test]
fn what_cannot_stand_beside_resume_is_said() {
    let folder = folder();
    folder.cellc(&format!("train --data a.txt --out run --steps 4 {SMALL} --quiet")).exits(0);
    let refused = folder.cellc("train --resume run --lr 3 --tied training.seed=2").exits(2);
    refused.says(&[
        "--tied",
        "--lr",
        "KEY=VALUE",
        "cannot be given with --resume",
        "--config run/",
    ]);
    let resumed = folder.cellc("train --resume run --threads 2 --quiet --json").exits(0);
    assert_eq!(resumed.stdout.lines().count(), 1);
}
