use std::fmt::Write;

use super::*;
use crate::batch::Batch;
use crate::fixtures::{learnt, resumes};
use crate::task::{Part, Task};

/// Loads a table of this name; errors without its folder.
fn load(name: &str, text: &str, options: &str) -> Result<Loaded, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    let mut options: toml::Table = options.parse().unwrap();
    options.insert("data".into(), path.to_str().unwrap().into());
    let place = folder.path().to_str().unwrap().to_owned() + "/";
    super::load(&options, Context { batch: 4, seed: 1 })
        .map_err(|error| error.to_string().replace(&place, ""))
}

fn rows(n: usize) -> String {
    let mut text = "label\ttext\n".to_owned();
    for i in 0..n {
        let label = if i % 3 == 0 { "good" } else { "bad" };
        let _ = writeln!(text, "{label}\tThe {label} thing {}", i % 7);
    }
    text
}

fn counts(task: &dyn Task) -> [usize; 3] {
    let count = |batches: Option<super::super::Batches<'_>>| {
        let sizes = batches.into_iter().flatten().map(|batch| batch.unwrap().extent.batch);
        sizes.sum()
    };
    let epoch = count(Some(task.epoch(0, 0)));
    [epoch, count(task.part(Part::Validation)), count(task.part(Part::HeldOut))]
}

#[test]
fn every_part_has_its_share_of_every_label() {
    let loaded = load("a.tsv", &rows(60), "validation = 0.1").unwrap();
    assert_eq!(counts(&*loaded.task), [48, 6, 6]);
    assert_eq!(loaded.codec.labels(), ["bad", "good"]);
    assert_eq!(loaded.task.baseline(), Some(4.0 / 6.0));
    assert_eq!(
        loaded.summary,
        "48 texts to train on, 6 to choose the best model by and 6 held out, 11 words, 2 labels"
    );
}

#[test]
fn labels_that_a_part_lacks_are_told() {
    let mut text = rows(390);
    for i in 0..20 {
        (0..4).for_each(|_| text += &format!("rare{i}\tThe rare thing {i}\n"));
    }
    let loaded = load("a.tsv", &text, "").unwrap();
    assert_eq!(counts(&*loaded.task), [470 - 24 - 47, 24, 47]);
    let warnings = loaded.task.warnings();
    let told = ["validation part has no text of 16 of", "held-out part has no text of 12 of"];
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    for (warning, told) in warnings.iter().zip(told) {
        assert!(warning.starts_with(&format!("the {told} 22 labels, and")), "{warning}");
        assert!(warning.contains("`rare1") && !warning.contains("`good`"), "{warning}");
    }
    assert!(load("a.tsv", &rows(60), "").unwrap().task.warnings().is_empty());
    let fault = load("a.tsv", &rows(60), "least_count = 1000").err().unwrap();
    assert!(fault.starts_with("option `least_count` of task `classify`: no word of"), "{fault}");
}

#[test]
fn what_is_judged_need_not_be_in_memory() {
    let codec = load("a.tsv", &rows(60), "").unwrap().codec;
    let lexicon: Lexicon = serde_json::from_value(codec.kept()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new.tsv");
    // 1200 rows of 4000 words are 19 MB of symbols.
    let row = format!("good\t{}\n", "the good thing ".repeat(1333));
    std::fs::write(&path, format!("label\ttext\n{}", row.repeat(1200))).unwrap();
    let mut options = toml::Table::new();
    options.insert("data".into(), path.to_str().unwrap().into());
    let judged = lexicon.pooled(&options).unwrap();
    assert!(judged.examples.spilled() > 0);
    let rows = judged.batches().map(|batch| batch.unwrap().extent.batch).sum::<usize>();
    assert_eq!(rows, 1200);
}

#[test]
fn formats_columns_and_memory_make_no_difference() {
    let batches = |loaded: &Loaded| -> Vec<Batch> {
        let task = &loaded.task;
        let held_out = task.part(Part::HeldOut).unwrap();
        held_out.chain(task.epoch(0, 0)).chain(task.epoch(1, 0)).map(Result::unwrap).collect()
    };
    let expected = batches(&load("a.tsv", &rows(60), "").unwrap());
    let json: String = (rows(60).lines().skip(1))
        .map(|line| line.split_once('\t').unwrap())
        .map(|(label, text)| format!("{{\"body\": \"{text}\", \"label\": \"{label}\"}}\n"))
        .collect();
    let bare = rows(60).lines().skip(1).map(|line| format!("{line}\n")).collect::<String>();
    for (name, text, options) in [
        ("a.jsonl", json, "text_column = 'body'"),
        ("a.tsv", rows(60), "text_column = '2'\nlabel_column = '1'"),
        ("a.tsv", rows(60), "text_column = 2\nlabel_column = 1"),
        ("a.tsv", bare, "text_column = '2'\nlabel_column = '1'\nheader = false"),
        ("a.tsv", rows(60), "memory = 64"),
    ] {
        assert_eq!(batches(&load(name, &text, options).unwrap()), expected, "{options}");
    }
}

#[test]
fn what_is_wrong_is_said() {
    let refused = |text: &str, options: &str| load("a.tsv", text, options).err().unwrap();
    assert_eq!(refused(&rows(5), ""), "a.tsv: too few rows to learn from: 5; give at least 20");
    let same = rows(60).replace("bad\t", "good\t");
    assert_eq!(refused(&same, ""), "a.tsv: every row has the label `good`; give two or more");
    let unlike: String = (0..30).map(|i| format!("l{i}\ta text\n")).collect();
    assert_eq!(
        refused(&("label\ttext\n".to_owned() + &unlike), ""),
        "a.tsv: 30 different labels in 30 rows; is the label column the right one?"
    );
    assert_eq!(
        refused(&rows(60), "held_out = 0"),
        "a.tsv: nothing is held out; a model is judged by what it was not trained on: give a larger \
         share (--held-out), or another file (--held-out-data)"
    );
    assert!(refused(&rows(60), "held_out = 1.5").contains("is no share"));
    assert_eq!(refused(&(rows(60) + "good\t\n"), ""), "a.tsv:62: `text` is empty");
    let fault = refused(&rows(60), "text_column = 'body'");
    assert_eq!(
        fault,
        "a.tsv: there is no column `body`; the columns are `label`, `text` (the first line is read as their names; say `task.header=false` if it is a row, and give columns by their numbers)"
    );
    assert!(refused(&rows(60), "header = 3").contains("expected true, false or \"auto\""));
    let missing = super::load(&toml::Table::new(), Context { batch: 2, seed: 1 });
    assert!(missing.err().unwrap().to_string().contains("`classify` needs `data`"));
}

#[test]
fn an_unknown_label_is_refused_by_its_row() {
    let codec = load("a.tsv", &rows(60), "").unwrap().codec;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new.csv");
    std::fs::write(&path, "text,label\na good one,good\nan ugly one,ugly\n").unwrap();
    let mut options = toml::Table::new();
    options.insert("data".into(), path.to_str().unwrap().into());
    let fault = codec.judged(&options).unwrap_err().to_string();
    let expected = ":3: the model knows no label `ugly`; it knows `bad`, `good`";
    assert!(fault.ends_with(expected), "{fault}");
    options.insert("held_out_data".into(), path.to_str().unwrap().into());
    let again = load("a.tsv", &rows(60), &format!("held_out_data = '{}'", path.display()));
    assert!(again.err().unwrap().ends_with(expected));
}

#[test]
fn its_codec_is_what_was_kept_and_answers() {
    let codec = load("a.tsv", &rows(60), "").unwrap().codec;
    let again = (KIND.codec)(codec.kept()).unwrap();
    assert_eq!(again.kept(), codec.kept());
    let symbols = again.encode("GOOD unheard-of").unwrap();
    assert_eq!(symbols[..1], codec.encode("good").unwrap());
    assert_eq!(symbols[1], Vocabulary::UNKNOWN);
    let question = codec.question("a good thing").unwrap();
    let answer = codec.answer(&question, &[0.0, 1.0]);
    assert_eq!(answer["label"], "good");
}

#[test]
fn it_learns_a_word_and_goes_on_where_it_stopped() {
    let loaded = || load("a.tsv", &rows(90), "word_dropout = 0.1").unwrap();
    assert!(learnt(&loaded(), "classify", 80).accuracy() > 0.95);
    resumes(loaded, "classify");
}
