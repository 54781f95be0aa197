//! Trainings that are killed and gone on with.

use std::fmt::Write;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::Folder;

fn text() -> String {
    let mut text = String::new();
    for i in 0..300 {
        let _ = writeln!(text, "line {i} says: to be or not to be, {}", i * 7 % 13);
    }
    text
}

const WORDS: &str = "train --data a.txt --seq 10 --batch 4 --hidden 24 --embedding 8 --layers 2 \
                     --dropout 0.2 --threads 2 --quiet task.validation=0.1 training.average=ema \
                     training.save_seconds=0 --steps 400";

/// Starts a training and kills it a while after it was kept.
fn kill(folder: &Folder, words: &str, after: Duration) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_cellc"))
        .args(words.split_whitespace())
        .current_dir(folder.path())
        .spawn()
        .expect("it starts");
    let begun = Instant::now();
    while !folder.path().join("killed/last.safetensors").exists()
        && begun.elapsed() < Duration::from_secs(60)
    {
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(after);
    // It may have ended by itself.
    let _ = child.kill();
    child.wait().expect("it ends");
}

#[test]
fn a_training_that_is_killed_again_and_again_ends_as_if_it_had_not_been() {
    let folder = Folder::new();
    folder.file("a.txt", text());
    folder.cellc(&format!("{WORDS} --out whole")).exits(0);
    kill(&folder, &format!("{WORDS} --out killed"), Duration::from_millis(3));
    for i in 0..6 {
        kill(&folder, "train --resume killed --quiet", Duration::from_millis(40 + 37 * i));
    }
    folder.cellc("train --resume killed --quiet").exits(0);
    for file in ["model.safetensors", "experiment.toml", "model.json"] {
        let read = |run: &str| std::fs::read(folder.path().join(run).join(file)).expect(file);
        assert!(read("whole") == read("killed"), "{file} differs");
    }
    let losses = |run: &str| -> Vec<String> {
        let path = folder.path().join(run).join("metrics.jsonl");
        let text = std::fs::read_to_string(path).expect("the metrics");
        let lines = text.lines().map(|line| {
            let mut line: serde_json::Value = serde_json::from_str(line).expect("JSON");
            line.as_object_mut().expect("an object").retain(|key, _| !key.contains("second"));
            line.to_string()
        });
        lines.collect()
    };
    assert_eq!(losses("whole"), losses("killed"));
}

#[test]
fn a_run_that_is_over_goes_on_for_longer() {
    let folder = Folder::new();
    folder.file("a.txt", text());
    let longer = "--schedule constant training.evaluate_every=10 training.average=tail";
    let words = WORDS.replace("--steps 400", longer);
    folder.cellc(&format!("{words} --steps 60 --out whole")).exits(0);
    folder.cellc(&format!("{words} --steps 30 --out run")).exits(0);
    let again = folder.cellc("train --resume run --steps 30").exits(2);
    again.says(&["30 steps are taken already", "--steps"]);
    folder.cellc("train --resume run --steps 0").exits(2);
    folder.cellc("train --resume run --steps 60 --quiet").exits(0);
    for file in ["model.safetensors", "experiment.toml"] {
        let read = |run: &str| std::fs::read(folder.path().join(run).join(file)).expect(file);
        assert!(read("whole") == read("run"), "{file} differs");
    }
    // A schedule of the whole length is another then.
    folder.cellc(&format!("{WORDS} --out falling").replace("400", "20")).exits(0);
    let longer = folder.cellc("train --resume falling --steps 40").exits(0);
    longer.says(&["a run of 40 steps, and not at 5.00e-5, as in one of 20"]);
    // How long it is was written down.
    folder.cellc("train --resume run").exits(0).says(&["all of its 60 steps are taken already"]);
    let refused = folder.cellc("train --resume run --steps 90 --batch 2 training.steps=90");
    refused
        .exits(2)
        .says(&["KEY=VALUE, --batch cannot be given", "--steps, --epochs and --minutes"]);
    folder.cellc("train --resume run --steps 62 --lr 1e-4 --quiet").exits(0);
    let experiment = std::fs::read_to_string(folder.path().join("run/experiment.toml")).unwrap();
    assert!(experiment.contains("learning_rate = 0.0001"), "{experiment}");
    // Another model is none that can be gone on with, even if its parameters are of the same sizes.
    let other = experiment.replace("residual = false", "residual = true");
    folder.file("run/experiment.toml", &other);
    let refused = folder.cellc("train --resume run --steps 90").exits(2);
    refused.says(&["model.residual is true in the one and false in the other", "--config"]);
    folder.file("run/experiment.toml", &experiment);
    // A run that ended with its time goes on with more of it.
    let words = WORDS.replace("--steps 400", "--steps 20 --minutes 1e-6");
    folder.cellc(&format!("{words} --out short")).exits(0);
    let refused = folder.cellc("train --resume short --minutes 1e-6").exits(2);
    refused.says(&["minutes already", "--minutes"]);
    let longer = folder.cellc("train --resume short --minutes 5 --epochs 1 --json").exits(0);
    assert_eq!(longer.json()["end"], "steps", "{longer}");
}

#[test]
fn a_run_is_trained_by_one_process_at_a_time() {
    let folder = Folder::new();
    folder.file("a.txt", text());
    let mut first = Command::new(env!("CARGO_BIN_EXE_cellc"))
        .args(
            format!("{WORDS} --out run --steps 1000000")
                .replace("--steps 400", "")
                .split_whitespace(),
        )
        .current_dir(folder.path())
        .spawn()
        .expect("it starts");
    let begun = Instant::now();
    while !folder.path().join("run/last.safetensors").exists()
        && begun.elapsed() < Duration::from_secs(60)
    {
        std::thread::sleep(Duration::from_millis(5));
    }
    let said = ["run: another process is training in this folder"];
    folder.cellc("train --resume run --quiet").exits(2).says(&said);
    folder.cellc("info run").exits(0).prints(&["run: chars, training"]);
    // Of so many steps the first evaluation is far away.
    let early = folder.cellc("eval run").exits(2);
    early.says(&["there is no model yet: the run is being trained"]);
    first.kill().expect("it runs");
    first.wait().expect("it ends");
    folder.cellc("train --resume run --steps 1").exits(2).says(&["taken already"]);
    let other = folder.cellc(&format!("{WORDS} --out run")).exits(2);
    other.says(&["holds a run already"]);
}

#[test]
fn what_cannot_be_gone_on_with_is_said() {
    let folder = Folder::new();
    folder.file("a.txt", text());
    folder.cellc("train --resume nowhere").exits(2).says(&["nowhere", "no such run folder"]);
    folder.cellc(&format!("{WORDS} --steps 2 --out run").replace("--steps 400", "")).exits(0);
    let last = folder.path().join("run/last.safetensors");
    let kept = std::fs::read(&last).expect("it is there");
    folder.file("run/last.safetensors", &kept[..kept.len() - 7]);
    folder.cellc("train --resume run").exits(2).says(&["last.safetensors", "damaged"]);
    folder.file("run/last.safetensors", &kept);
    folder.file("a.txt", text() + "another end, of öther characters: ööööö\n");
    folder
        .cellc("train --resume run")
        .exits(2)
        .says(&["a.txt has changed since the training began"]);
}
