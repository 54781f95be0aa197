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
    folder.cellc("predict run d.csv").exits(2).says(&["no column `tokens`", "--text-column"]);
    folder.cellc("eval run --data d.csv").exits(2).says(&["no column `tokens`", "--text-column"]);
    let kept = folder.cellc("predict run d.csv --text-column words --keep --format csv").exits(0);
    assert!(kept.stdout.starts_with("sentence,words,tags,token,tag,probability\n"), "{kept}");
    // As a table, a row is a token.
    let table = folder.cellc("predict run a.conll --format csv").exits(0).stdout;
    assert_eq!(table.lines().next(), Some("sentence,token,tag,probability"));
    assert_eq!(table.lines().count(), 1 + 3 * 60, "{table}");
    assert!(table.lines().nth(4).is_some_and(|line| line.starts_with("2,then,")), "{table}");
    // Of any form, an answer is of a sentence.
    for file in ["a.conll", "c.jsonl", "d.csv --text-column words"] {
        let table = folder.cellc(&format!("predict run {file} --format csv")).exits(0).stdout;
        assert!(table.starts_with("sentence,token,tag,probability\n1,"), "{file}: {table}");
        let lines = folder.cellc(&format!("predict run {file}")).exits(0).stdout;
        assert!(lines.starts_with("{\"sentence\":1,\"tags\":"), "{file}: {lines}");
    }
    folder.file("broken.conll", "then O\n\nBo\t\n\tX\n\nsays\n");
    let broken = folder.cellc("predict run broken.conll").exits(2);
    broken.says(&["broken.conll:4: the token is empty", "--skip-bad"]);
    let rest = folder.cellc("predict run broken.conll --skip-bad").exits(0);
    let rest = rest.says(&["skipped: ", "broken.conll:4: the token is empty"]);
    assert_eq!(rest.stdout.lines().count(), 2, "{rest}");
    folder.cellc("predict run a.conll --keep").exits(2).says(&["--keep: a line of a.conll"]);
    folder.file("e.jsonl", "{\"tokens\": []}\n");
    folder.cellc("predict run e.jsonl").exits(2).says(&["e.jsonl:1: there is no token"]);
    folder.cellc("eval run --data b.conll").exits(2).says(&["b.conll:3: the model knows no tag"]);
}

#[test]
fn series_are_forecast() {
    let folder = Folder::new();
    let table_of = |hundredth: &str| {
        let mut table = "time,load\n".to_owned();
        for i in 0..200 {
            let number = if i == 100 { hundredth.to_owned() } else { (50 + i % 10).to_string() };
            let _ = writeln!(table, "t{i},{number}");
        }
        table
    };
    folder.file("a.csv", table_of("50"));
    let words = "train --task forecast --data a.csv task.window=12 task.horizon=3 task.season=10";
    let trained = report(&folder.cellc(&format!("{words} --json {SMALL}")).exits(0));
    for figure in ["mae", "rmse", "baseline"] {
        assert!(trained["heldout"][figure].is_number(), "{figure} in {trained}");
    }
    assert!(trained["heldout"]["regression"]["steps"][2]["rmse"].is_number(), "{trained}");
    assert_eq!(trained["heldout"]["naive"]["overall"]["mae"], 0.0, "{trained}");
    folder.cellc("eval run").exits(0).prints(&[
        "(the naive forecast: 0)",
        "`load` in its unit",
        "step 3",
    ]);
    // In the unit of the data, whatever they are: the rows held out are its last tenth.
    let held_out = folder.cellc("eval run --json").exits(0).json();
    let near = |a: &Value, b: &Value| {
        let both = a.as_f64().zip(b.as_f64());
        both.is_some_and(|(a, b)| (a - b).abs() < 1e-4 * (1.0 + b.abs()))
    };
    assert!(near(&held_out["regression"]["overall"]["mae"], &held_out["mae"]), "{held_out}");
    let own = folder.cellc("eval run --data a.csv --json").exits(0).json();
    assert_eq!(own["regression"]["steps"].as_array().map(Vec::len), Some(3), "{own}");
    folder.cellc("eval run --data a.csv").exits(0).prints(&[
        "in the unit of the data",
        "naive",
        "step 3",
    ]);
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
    // As a table, a row is a step and a column a target.
    let table = folder.cellc("predict run a.csv --format csv").exits(0).stdout;
    let forecast = of_file["forecast"].as_array().expect("numbers");
    let lines: String = (1..).zip(forecast).map(|(i, x)| format!("{i},{x}\n")).collect();
    assert_eq!(table, format!("step,load\n{lines}"));
    folder.file("few.csv", "time,load\na,1\n");
    let few = "few.csv: there is 1 row, but the last 12 are read";
    folder.cellc("predict run few.csv").exits(2).says(&[few]);
    folder
        .cellc_fed("predict run", "[1, 2]\n")
        .exits(2)
        .says(&["standard input:1: there are 2 rows, but the last 12 are read"]);
    folder.file("tail.csv", table_of("50") + &"t,\n".repeat(12));
    let nothing =
        "tail.csv: the last 12 rows are read, since the run has a window of 12, and hold no number";
    folder.cellc("predict run tail.csv").exits(2).says(&[nothing, "at least 1", "--skip-bad"]);
    assert_eq!(folder.cellc("predict run tail.csv --skip-bad").exits(0).stdout, "");
    folder.cellc("info run").exits(0).prints(&["heldout/mean_absolute_error (scaled)"]);
    folder.file("x.csv", table_of("x"));
    folder.cellc("predict run x.csv").exits(2).says(&["x.csv:102: `load` is `x`", "--skip-bad"]);
    let rest = folder.cellc("predict run x.csv --skip-bad").exits(0);
    let rest = rest.says(&["skipped: ", "x.csv:102: `load` is `x`"]);
    // What is not among the last rows makes no difference.
    assert_eq!(rest.json(), of_file);
    folder.file("huge.csv", table_of("1e300"));
    for words in ["predict run huge.csv", "eval run --data huge.csv"] {
        folder.cellc(words).exits(2).says(&["huge.csv:102: `load` is 1e300"]);
    }
    let words = "train --task forecast --data huge.csv --out other";
    folder.cellc(words).exits(2).says(&["huge.csv:102: `load` is 1e300"]);
    folder.cellc("predict run a.csv --keep").exits(2).says(&["--keep: a line of a.csv"]);
    folder.cellc("predict run a.csv --text-column x").exits(2).says(&["--text-column: the model"]);
    folder.file("b.csv", "time,load\na,1\nb,x\n");
    folder.cellc("eval run --data b.csv").exits(2).says(&["b.csv:3: `load` is `x`, not a number"]);
}

#[test]
fn several_targets_are_told_each_in_its_unit() {
    let folder = Folder::new();
    let mut table = "date,shop,heat,load\n".to_owned();
    for i in 0..120 {
        let _ = writeln!(table, "d{i},a,{},{}\nd{i},b,{},", i % 7, 1000 * (i % 5), 30 + i % 7);
    }
    folder.file("a.csv", &table);
    let words =
        format!("train --task forecast --data a.csv task.series=shop task.window=12 {SMALL}");
    let trained = folder.cellc(&words).exits(0);
    trained.prints(&["held out: MASE ", "the mean over 2 targets", "in the unit of each target"]);
    let json = folder.cellc("eval run --json").exits(0).json();
    assert!(json["mase"].is_number() && json.get("mae").is_none(), "{json}");
    assert_eq!(json["regression"]["overall"]["rmse"], Value::Null, "{json}");
    for scores in ["regression", "naive"] {
        assert!(json[scores]["channels"][1]["score"]["mae"].is_number(), "{json}");
    }
    // The same definition for any data.
    let own = folder.cellc("eval run --data a.csv --json").exits(0).json();
    let q = |json: &Value| {
        let score = &json["naive"]["channels"][0]["score"];
        score["mae"].as_f64().zip(score["mase"].as_f64()).map(|(mae, mase)| mae / mase)
    };
    let (a, b) = (q(&json).expect("numbers"), q(&own).expect("numbers"));
    assert!((a - b).abs() < 1e-9, "{a} and {b}");
    let answers = folder.cellc("predict run a.csv").exits(0).stdout;
    let series = answers.lines().map(|line| line.split(',').next().unwrap_or_default());
    assert_eq!(series.collect::<Vec<_>>(), ["{\"shop\":\"a\"", "{\"shop\":\"b\""]);
    let table = folder.cellc("predict run a.csv --format csv").exits(0).stdout;
    assert!(table.starts_with("shop,step,heat,load\na,1,"), "{table}");
}

#[test]
fn a_table_without_texts_hints_at_the_task_that_it_is_for() {
    let folder = Folder::new();
    folder.file("a.jsonl", "{\"tokens\": [\"a\"], \"ner_tags\": [\"O\"]}\n");
    let tags = folder.cellc("train --data a.jsonl").exits(2);
    tags.says(&["there is no column `text`", "try --task tag task.tag_column=ner_tags"]);
    folder.file("a.csv", "date,load\nd1,3\nd2,4\n");
    folder.cellc("train --data a.csv").exits(2).says(&["try --task forecast"]);
    folder.file("b.csv", "body,stars\ngood one,3\nbad one,1\n");
    let texts = folder.cellc("train --data b.csv").exits(2);
    let texts = texts.says(&["--text-column", "say `task.header=false`"]);
    assert!(!texts.stderr.contains("try --task"), "{texts}");
    let named = folder.cellc("train --task classify --data a.csv").exits(2);
    assert!(!named.stderr.contains("try --task"), "{named}");
    let named = folder.cellc("train --data a.csv --text-column body").exits(2);
    assert!(!named.stderr.contains("try --task"), "{named}");
    // One JSON value is no table, and its characters are learnt only if that is said.
    folder.file("a.json", "[{\"a\": 1}]");
    folder.cellc("train --data a.json").exits(2).says(&["JSON lines (.jsonl)", "--task chars"]);
    let chars = folder.cellc("train --task chars --data a.json").exits(2);
    assert!(!chars.stderr.contains("JSON lines"), "{chars}");
    folder.file("a.txt", "to be or not to be ".repeat(100));
    folder.file("empty.txt", "");
    let empty = folder.cellc("train --data a.txt --held-out-data empty.txt").exits(2);
    empty.says(&["error: empty.txt: too little text to judge by"]);
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3, 1), }";
    let header = format!("{header:<117}\n");
    let cube = [b"\x93NUMPY\x01\0\x76\0", header.as_bytes(), &[0; 24]].concat();
    folder.file("cube.npy", cube);
    folder.cellc("train --data cube.npy").exits(2).says(&["a row holds an array of shape [3, 1]"]);
    let tags = folder.cellc("train --task tag --data a.jsonl").exits(2);
    tags.says(&["no column `tags`", "Name it with task.tag_column=NAME"]);
    let columns = folder.cellc("train --task forecast --data a.csv task.columns=lod").exits(2);
    columns.says(&["did you mean `load`?", "Name it with task.columns=NAME"]);
    // What it prints is an experiment, with all that is said of the task and nothing without a meaning.
    let mut table = "x\n".to_owned();
    (0..99).for_each(|i| {
        let _ = writeln!(table, "{i}");
    });
    folder.file("c.csv", table);
    let words = "train --task forecast --data c.csv task.window=5 --dry-run";
    let dry = folder.cellc(words).exits(0);
    let dry = dry.prints(&["horizon = 1", "window = 5", "columns = [\"x\"]"]);
    let dry = dry.says(&["10 to choose the best model by and 10 held out"]);
    assert!(!dry.stdout.contains("embedding"), "{dry}");
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
