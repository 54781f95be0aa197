//! `eval`, `predict`, `sample` and `info`, on runs too short to have learnt much.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::Folder;

const SMALL: &str = "--hidden 8 --embedding 6 --layers 1 --batch 4 --threads 1 --quiet";

/// Labelled sentences whose first word decides.
fn table() -> String {
    let mut table = "label\ttext\n".to_owned();
    for i in 0..60 {
        let (label, word) = if i % 3 == 0 { ("no", "bad") } else { ("yes", "good") };
        let _ = writeln!(table, "{label}\t{word} and some more words, number {}", i % 7);
    }
    table
}

/// A folder with a classifier that has learnt its words.
fn classifier() -> Folder {
    let folder = Folder::new();
    folder.file("a.tsv", table());
    let words = "train --data a.tsv --cell gru --out run --validation 0.2 --steps 150 --lr 0.02 --patience 0 --word-dropout 0";
    folder.cellc(&format!("{words} {SMALL}")).exits(0);
    folder
}

/// A folder with a model of characters.
fn characters() -> Folder {
    let folder = Folder::new();
    folder.file("a.txt", "to be or not to be, that is the question. ".repeat(40));
    let words = "train --data a.txt --seq 10 --out run --steps 12";
    folder.cellc(&format!("{words} {SMALL}")).exits(0);
    folder
}

#[test]
fn labels_are_judged_one_by_one() {
    let folder = classifier();
    let judged = folder.cellc("eval run --json").exits(0).json();
    let classes = judged["classification"]["classes"].as_array().expect("there are classes");
    assert_eq!(classes.len(), 2);
    let support = |i: usize| classes[i]["support"].as_u64().expect("a count");
    assert_eq!(support(0) + support(1), judged["count"].as_u64().expect("a count"));
    assert_eq!(judged["classification"]["accuracy"], judged["accuracy"]);
    assert_eq!(judged["part"], "heldout");
    let heads = ["precision", "macro F1", "weighted F1", "truth \\ predicted", "the most frequent"];
    folder.cellc("eval run").exits(0).prints(&heads);
    let validated = folder.cellc("eval run --part validation --json").exits(0).json();
    assert_eq!(validated["part"], "validation");
    assert_ne!(validated["count"], judged["count"]);
    folder.cellc("eval run --part validation --data a.tsv").exits(2);
    let own = folder.cellc("eval run --data a.tsv --json").exits(0).json();
    assert_eq!(own["count"], 60);
    folder.file("b.tsv", "label\tbody\nyes\tgood\n");
    let own = folder.cellc("eval run --data b.tsv --text-column body --json").exits(0).json();
    assert_eq!(own["count"], 1);
}

#[test]
fn data_that_have_changed_are_found_out() {
    let folder = classifier();
    folder.file("a.tsv", table().replace("number 6", "number 5"));
    let said = ["a.tsv has changed since the training began: it had", "put it back"];
    folder.cellc("eval run").exits(2).says(&said);
    folder.cellc("train --resume run").exits(2).says(&said);
    folder.cellc("info run").exits(0).prints(&["changed or gone since"]);
    folder.file("a.tsv", table());
    folder.cellc("eval run").exits(0);
}

#[test]
fn states_begin_anew_wherever_a_model_is_used() {
    let folder = Folder::new();
    folder.file("a.txt", "to be or not to be. that is the question. ".repeat(40));
    let words = "train --data a.txt --seq 10 --out run --steps 40 task.reset_after=.";
    folder.cellc(&format!("{words} {SMALL}")).exits(0);
    let line = "not to be. or to be. that is it.";
    folder.file("line.txt", line);
    let judged = folder.cellc("eval run --data line.txt --json").exits(0).json();
    let asked = folder.cellc("predict run line.txt").exits(0).json();
    let (judged, asked) = (judged["loss"].as_f64(), asked["loss"].as_f64());
    let (judged, asked) = (judged.expect("a loss"), asked.expect("a loss"));
    assert!((judged - asked).abs() < 1e-5, "{judged} {asked}");
    // What stands before the last end makes no difference to what follows.
    let sample = |prompt: &str| {
        let words = format!("sample run --temperature 0 --length 20 --prompt {prompt}");
        let text = folder.cellc(&words).exits(0).stdout;
        text.strip_prefix(prompt).map(ToOwned::to_owned).expect("it begins with the prompt")
    };
    assert_eq!(sample("question.th"), sample("be..th"));
}

#[test]
fn a_run_without_a_part_says_so() {
    let folder = characters();
    folder.cellc("eval run --part validation").exits(2).says(&["no validation part"]);
    let judged = folder.cellc("eval run --json").exits(0).json();
    let bits = judged["language"]["bits_per_symbol"].as_f64().expect("a number");
    let nats = judged["loss"].as_f64().expect("a number");
    assert!((bits * std::f64::consts::LN_2 - nats).abs() < 1e-9, "{judged}");
}

#[test]
fn lines_are_answered_in_their_order() {
    let folder = classifier();
    let lines = "bad and some\ngood and some more\n{\"id\": 7, \"text\": \"bad and some\", \"label\": \"?\"}\n";
    let answered = folder.cellc_fed("predict run --keep", lines).exits(0);
    let answers: Vec<Value> =
        answered.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(answers.len(), 3);
    assert_eq!((&answers[0]["label"], &answers[1]["label"]), (&"no".into(), &"yes".into()));
    assert_eq!((&answers[2]["id"], &answers[2]["input_label"]), (&7.into(), &"?".into()));
    assert_eq!(answers[0]["text"], "bad and some");
    let sum: f64 = ["no", "yes"]
        .iter()
        .map(|label| answers[0]["probabilities"][label].as_f64().expect("a probability"))
        .sum();
    assert!((sum - 1.0).abs() < 1e-9, "{sum}");
    // A file is answered as its lines are, of whatever length, and a table by its column.
    folder.file("lines.txt", lines);
    let of_file = folder.cellc("predict run lines.txt --format text").exits(0);
    let labels: Vec<&str> =
        of_file.stdout.lines().filter_map(|line| line.split('\t').next()).collect();
    assert_eq!(labels, ["no", "yes", "no"]);
    folder.file("b.csv", "id,body\n1,\"good, and\"\n2,bad and some\n");
    let of_table =
        folder.cellc("predict run b.csv --text-column body --format csv --keep").exits(0);
    let rows: Vec<&str> = of_table.stdout.lines().collect();
    assert_eq!(rows[0], "id,body,label,probability,probabilities.no,probabilities.yes");
    assert!(
        rows[1].starts_with("1,\"good, and\",yes,") && rows[2].starts_with("2,bad and some,no,")
    );
    folder.cellc("predict run b.csv").exits(2).says(&["no column `text`", "--text-column"]);
    folder.cellc("predict run none.txt").exits(2).says(&["none.txt"]);
}

#[test]
fn a_bad_line_is_named_and_ends_the_program_or_is_passed_over() {
    let folder = classifier();
    folder.file(
        "bad.jsonl",
        b"{\"text\": \"good\"}\n{\"body\": 1}\n{\"text\": [2]}\n[\n\xff\n\"bad\"",
    );
    let stopped = folder.cellc("predict run bad.jsonl").exits(2);
    assert_eq!(stopped.stdout.lines().count(), 1);
    stopped.says(&["bad.jsonl:2: there is no column `text`; the columns are `body`", "--skip-bad"]);
    let passed = folder.cellc("predict run bad.jsonl --skip-bad").exits(0);
    assert_eq!(passed.stdout.lines().count(), 2);
    let said =
        ["bad.jsonl:3: `text` is not a string", "bad.jsonl:4: this is not JSON", "jsonl:5: "];
    passed.says(&said);
    folder.file("bad.csv", "text,a\ngood,1\nbad\ngood,2\n");
    folder.cellc("predict run bad.csv").exits(2).says(&["bad.csv:3: found 1 columns"]);
    let passed = folder.cellc("predict run bad.csv --skip-bad").exits(0);
    assert_eq!(passed.stdout.lines().count(), 2);
    folder.cellc_fed("predict run", "\n").exits(2).says(&["standard input:1: the line is empty"]);
    assert_eq!(folder.cellc_fed("predict run", "").exits(0).stdout, "");
}

/// `text;label\ngood and some more;yes\n`, compressed by gzip.
const ZIPPED: &[u8] =
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\x2b\x49\xad\x28\xb1\xce\x49\x4c\x4a\xcd\
    \xe1\x4a\xcf\xcf\x4f\x51\x48\xcc\x4b\x51\x28\xce\xcf\x4d\x55\xc8\xcd\x2f\x4a\xb5\
    \xae\x4c\x2d\xe6\x02\x00\xb1\xdb\x5d\x3d\x22\x00\x00\x00";

#[test]
fn a_file_is_answered_however_its_form_is_that_of_training_data() {
    let folder = classifier();
    let table = table().replace('\t', ";").replace(", ", " ");
    folder.file("a.csv", &table);
    let answers = folder.cellc("predict run a.csv").exits(0).stdout;
    assert_eq!(answers.lines().count(), 60, "{answers}");
    // By its number, the column is the same; what stands beside it is that of the row.
    assert_eq!(folder.cellc("predict run a.csv --text-column 2").exits(0).stdout, answers);
    let kept = folder.cellc("predict run a.csv --keep").exits(0).stdout;
    let first = "{\"input_label\":\"no\",\"text\":\"bad and some more words number 0\",";
    assert!(kept.starts_with(first), "{kept}");
    // `good and some more` by gzip, and three texts in Parquet.
    folder.file("b.csv.gz", ZIPPED);
    let good = folder.cellc_fed("predict run", "good and some more\n").exits(0).stdout;
    assert_eq!(folder.cellc("predict run b.csv.gz").exits(0).stdout, good);
    let parquet = include_bytes!("../../../train/src/data/table/fixtures/snappy.parquet");
    folder.file("b.parquet", parquet);
    assert_eq!(folder.cellc("predict run b.parquet").exits(0).stdout.lines().count(), 3);
    // Numbers are texts, as they are in training.
    folder.file("n.jsonl", "{\"text\": 5}\n{\"text\": \"5\"}\n");
    let numbers = folder.cellc("predict run n.jsonl").exits(0).stdout;
    let answers: Vec<&str> = numbers.lines().collect();
    assert!(answers.len() == 2 && answers[0] == answers[1], "{answers:?}");
    // A file whose ending says nothing is lines of text, even if it looks like a table.
    folder.file("c.bak", &table);
    let lines = folder.cellc("predict run c.bak").exits(0);
    let lines =
        lines.says(&["the ending of c.bak says no format", "looks like the header of a table"]);
    assert_eq!(lines.stdout.lines().count(), 61, "{lines}");
    folder.file("d.txt", "good and more\n");
    assert_eq!(folder.cellc("predict run d.txt").exits(0).stderr, "");
    folder.file("utf16.csv", b"\xff\xfet\0e\0x\0t\0\n\0a\0");
    folder.cellc("predict run utf16.csv").exits(2).says(&["utf16.csv: the text is UTF-16"]);
    folder.file("binary.csv", b"\x80\x81");
    folder.cellc("predict run binary.csv").exits(2).says(&["binary.csv:1: the text is not UTF-8"]);
    folder.file("empty.csv", "");
    folder.cellc("predict run empty.csv").exits(2).says(&["empty.csv: the file is empty"]);
}

#[test]
fn a_line_is_answered_before_the_next_is_asked() {
    let folder = classifier();
    let mut child = Command::new(env!("CARGO_BIN_EXE_cellc"))
        .args(["predict", "run"])
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary was built with the test");
    let mut asked = child.stdin.take().expect("it is a pipe");
    let mut answers = BufReader::new(child.stdout.take().expect("it is a pipe"));
    for (text, label) in [("good and", "yes"), ("bad and", "no")] {
        writeln!(asked, "{text}").expect("the program reads");
        let mut line = String::new();
        // It would wait here for ever if the program did.
        answers.read_line(&mut line).expect("the program answers");
        assert!(line.contains(&format!("\"label\":\"{label}\"")), "{line}");
    }
    drop(asked);
    assert!(child.wait().expect("it ends").success());
}

#[test]
fn what_follows_a_line_of_text_is_foretold() {
    let folder = characters();
    let answer = folder.cellc_fed("predict run", "to be or\n").exits(0).json();
    assert_eq!(answer["next"].as_array().map(Vec::len), Some(5));
    assert!(answer["loss"].as_f64() > Some(0.0), "{answer}");
    // Lines of several lengths do not disturb each other.
    folder.file("lines.txt", "to be or not\nto be or\n");
    let both = folder.cellc("predict run lines.txt").exits(0);
    let second: Value = both
        .stdout
        .lines()
        .nth(1)
        .and_then(|l| serde_json::from_str(l).ok())
        .expect("a second answer");
    assert_eq!(second, answer);
}

#[test]
fn samples_are_drawn_as_they_are_asked_for() {
    let folder = characters();
    let sample = |words: &str| folder.cellc(&format!("sample run {words}")).exits(0).stdout;
    let several = sample("--count 3 --length 40 --json --temperature 1");
    let lines: Vec<Value> =
        several.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 3);
    assert_ne!(lines[0]["text"], lines[1]["text"]);
    let first = sample("--length 40 --temperature 1");
    assert_eq!(first.trim_end_matches('\n'), lines[0]["text"].as_str().expect("a text"));
    assert!(sample("--count 2 --length 5").contains("--- 2 of 2\n"));
    let cold = sample("--length 40 --temperature 0");
    assert_eq!(sample("--length 40 --top-k 1"), cold);
    assert_eq!(sample("--length 40 --top-p 1e-9"), cold);
    let ended = sample("--length 4000 --temperature 1 --until e --json");
    let ended: Value = serde_json::from_str(&ended).expect("JSON");
    let text = ended["text"].as_str().expect("a text");
    assert!(text.ends_with('e') && text.matches('e').count() == 1, "{text}");
    assert_eq!(ended["ended"], true);
    folder.cellc("sample run --top-p 0").exits(2).says(&["above 0 and up to 1"]);
    folder.cellc("sample run --top-k 0").exits(2);
}

#[test]
fn a_run_tells_what_it_is() {
    let folder = classifier();
    let told = folder.cellc("info run").exits(0);
    told.prints(&[
        "run: classify, finished",
        "as it was",
        "layer0     gru",
        "training.learning_rate  0.02",
        "default 0.003",
        "150 of 150 steps",
        "validation/accuracy",
        "model.safetensors",
        "cellc predict run FILE",
    ]);
    let told = folder.cellc("info run --json").exits(0).json();
    assert_eq!((&told["state"], &told["steps"]), (&"finished".into(), &150.into()));
    let stages = told["stages"].as_array().expect("stages");
    let sum: u64 = stages.iter().filter_map(|stage| stage["parameters"].as_u64()).sum();
    assert_eq!(told["parameters"].as_u64(), Some(sum));
    assert_eq!(told["curves"]["train/loss"].as_array().map(Vec::len), Some(150));
    assert_eq!(told["faults"], Value::Array(Vec::new()));
    folder.cellc("info none").exits(2).says(&["no such run folder"]);
    folder.cellc("info .").exits(2).says(&["no run folder"]);
}

#[test]
fn a_damaged_run_tells_what_it_can() {
    let folder = classifier();
    let run = folder.path().join("run");
    std::fs::remove_file(run.join("last.safetensors")).expect("it is there");
    folder.file("run/metrics.jsonl", "{\"step\":1,\"train/loss\":1}\nx\n");
    let told = folder.cellc("info run").exits(0);
    told.prints(&["run: classify, training lost", "line 2 is damaged", "cannot go on", "layer0"]);
    folder.file("run/model.json", "{");
    folder.file("run/model.safetensors", "x");
    let told = folder.cellc("info run --json").exits(0).json();
    assert_eq!(told["faults"].as_array().map(Vec::len), Some(3), "{told}");
    assert_eq!(told["state"], "nothing kept");
}
