//! `tasks`, and each task from files to figures, on runs too short to learn much.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::support::{Folder, Outcome, cellc};

const SMALL: &str =
    "--hidden 8 --embedding 6 --layers 1 --batch 4 --steps 12 --threads 1 --out run";

/// What `train --json` ends with.
#[track_caller]
fn report(trained: &Outcome) -> Value {
    let last = trained.stdout.lines().last().unwrap_or_default();
    serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {trained}"))
}

#[test]
fn tasks_are_listed_with_their_options() {
    cellc("tasks").exits(0).prints(&["words ", " the next word", "forecast ", " the next steps"]);
    cellc("tasks forecast").exits(0).prints(&[
        "forecast: the next steps of series of numbers",
        "taken for files that end in .npy, .npz",
        "horizon = 1\n      How many rows are forecast.",
        "cell = 'gru'",
    ]);
    let tasks = cellc("tasks --json").exits(0).json();
    for task in tasks.as_array().expect("a list") {
        let options = task["options"].as_array().expect("a list");
        assert!(!options.is_empty(), "{task}");
        for option in options {
            let meaning = option["meaning"].as_str().unwrap_or_default();
            assert!(meaning.ends_with('.') && !meaning.contains("  "), "{option} of {task}");
        }
    }
    cellc("tasks forcast").exits(2).says(&["did you mean `forecast`?"]);
    cellc("train --help").exits(0).prints(&["a label for each token of a sentence"]);
}

#[test]
fn words_are_learnt_judged_and_continued() {
    let folder = Folder::new();
    let text: String = (0..90).map(|i| format!("The cat sat, number {}.\n", i % 7)).collect();
    folder.file("a.txt", &text);
    folder.file("b.txt", text.repeat(2));
    let words = format!("train --task words --data a.txt --seq 10 --json {SMALL}");
    let trained = report(&folder.cellc(&words).exits(0));
    assert!(trained["heldout"]["perplexity"].as_f64() > Some(1.0), "{trained}");
    folder.cellc("eval run").exits(0).prints(&["nats per word", "perplexity"]);
    folder.cellc("eval run --data b.txt").exits(0).prints(&["nats per word"]);
    let words = "sample run --length 30 --temperature 0.2 --prompt The";
    let sampled = folder.cellc(words).exits(0);
    assert!(sampled.stdout.starts_with("The "), "{sampled}");
    assert!(!sampled.stdout.contains("  ") && !sampled.stdout.contains(" ,"), "{sampled}");
    folder.cellc("train --data a.txt --task words task.boundary=x").exits(2).says(&["boundary"]);
}

#[test]
fn sentences_are_tagged() {
    let folder = Folder::new();
    let sentence = |i: usize| format!("then O\nsays O\n{} B-PER\n\n", ["Ada", "Bo"][i % 2]);
    folder.file("a.conll", (0..60).map(sentence).collect::<String>());
    folder.file("b.conll", "Ada B-PER\n\nBo B-ORG\n");
    let trained = report(&folder.cellc(&format!("train --data a.conll --json {SMALL}")).exits(0));
    assert_eq!(trained["task"], "tag");
    for figure in ["accuracy", "majority", "span_f1"] {
        assert!(trained["heldout"][figure].is_number(), "{figure} in {trained}");
    }
    folder.cellc("eval run").exits(0).prints(&["accuracy", "F1 of spans"]);
    folder.cellc("eval run --data a.conll").exits(0).prints(&["accuracy", "F1 of spans"]);
    // What is trained on is tagged too, whatever its tags.
    let tagged = folder.cellc("predict run b.conll").exits(0).stdout;
    assert_eq!(tagged.lines().count(), 2, "{tagged}");
    assert!(tagged.contains("\"token\":\"Bo\""), "{tagged}");
    folder.file("c.jsonl", "{\"tokens\": [\"Ada\", \"says\"], \"tags\": [\"?\"]}\n");
    folder.cellc("predict run c.jsonl").exits(0).prints(&["\"token\":\"says\""]);
    folder.file("d.csv", "words,tags\nthen Ada,O\n");
    folder.cellc("predict run d.csv --text-column words").exits(0).prints(&["\"token\":\"Ada\""]);
    folder.cellc("eval run --data b.conll").exits(2).says(&["b.conll:3: the model knows no tag"]);
}

#[test]
fn series_are_forecast() {
    let folder = Folder::new();
    let mut table = "time,load\n".to_owned();
    for i in 0..200 {
        let _ = writeln!(table, "t{i},{}", 50 + i % 10);
    }
    folder.file("a.csv", &table);
    let words = "train --task forecast --data a.csv task.window=12 task.horizon=3 task.season=10";
    let trained = report(&folder.cellc(&format!("{words} --json {SMALL}")).exits(0));
    for figure in ["mae", "rmse", "rmse_step_3", "baseline"] {
        assert!(trained["heldout"][figure].is_number(), "{figure} in {trained}");
    }
    folder.cellc("eval run").exits(0).prints(&["the naive forecast", "RMSE of row 3"]);
    // In the unit of the data, whatever they are: the rows held out are its last tenth.
    let held_out = folder.cellc("eval run --json").exits(0).json();
    let near = |a: &Value, b: &Value| {
        let both = a.as_f64().zip(b.as_f64());
        both.is_some_and(|(a, b)| (a - b).abs() < 1e-4 * (1.0 + b.abs()))
    };
    assert!(near(&held_out["regression"]["overall"]["mae"], &held_out["mae"]), "{held_out}");
    let own = folder.cellc("eval run --data a.csv --json").exits(0).json();
    assert_eq!(own["regression"]["steps"].as_array().map(Vec::len), Some(3), "{own}");
    folder.cellc("eval run --data a.csv").exits(0).prints(&["in the unit of the data", "step 3"]);
    folder.cellc("eval run --data a.csv").exits(0).prints(&["mean squared error"]);
    // A file of the form of the training data: the rows behind its last.
    let of_file = folder.cellc("predict run a.csv").exits(0).json();
    assert_eq!(of_file["forecast"].as_array().map(Vec::len), Some(3), "{of_file}");
    let rows: Vec<Value> = (188..200).map(|i| json!({ "load": 50 + i % 10 })).collect();
    let fed = folder.cellc_fed("predict run", &format!("{}\n", json!(rows))).exits(0).json();
    assert_eq!(fed, of_file);
    let lines: String = rows.iter().map(|row| format!("{row}\n")).collect();
    folder.file("rows.jsonl", lines);
    assert_eq!(folder.cellc("predict run rows.jsonl").exits(0).json(), of_file);
    folder.file("few.csv", "time,load\na,1\n");
    let few = "few.csv: this has 1 rows; a forecast reads the last 12";
    folder.cellc("predict run few.csv").exits(2).says(&[few]);
    folder.file("b.csv", "time,load\na,1\nb,x\n");
    folder.cellc("eval run --data b.csv").exits(2).says(&["b.csv:3: `load` is `x`, not a number"]);
}

#[test]
fn tables_of_any_format_are_classified() {
    let folder = Folder::new();
    let mut rows = String::new();
    for i in 0..60 {
        let (label, word) = if i % 3 == 0 { (0, "bad") } else { (1, "good") };
        let _ = writeln!(rows, "{{\"body\": \"{word} and more\", \"stars\": {label}}}");
    }
    folder.file("a.jsonl", rows);
    let words = format!(
        "train --data a.jsonl --text-column body --label-column 2 --json {SMALL} task.memory=50"
    );
    let trained = report(&folder.cellc(&words).exits(0));
    assert_eq!(trained["task"], "classify");
    folder.cellc("eval run").exits(0).prints(&["accuracy"]);
    let other = "train --data a.jsonl --text-column boby --label-column stars";
    folder.cellc(other).exits(2).says(&["did you mean `body`?", "--text-column"]);
}
