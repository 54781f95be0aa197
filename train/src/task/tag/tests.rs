use std::fmt::Write;

use super::*;
use crate::batch::Batch;
use crate::fixtures::{learnt, resumes};
use crate::task::Part;

/// Loads a file of this name; errors without its folder.
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

const NAMES: [&str; 3] = ["Ada", "Bo", "Cy"];

/// Sentences of several lengths with a name in them, which its neighbours tell.
fn conll() -> String {
    let mut text = String::new();
    for i in 0..60 {
        for _ in 0..i % 3 {
            text.push_str("then\tO\n");
        }
        let _ = write!(text, "says\tO\n{}\tB-PER\nSmith\tI-PER\n.\tO\n\n", NAMES[i % 3]);
    }
    text
}

fn all(loaded: &Loaded) -> Vec<Batch> {
    let held_out = loaded.task.part(Part::HeldOut).unwrap();
    held_out.chain(loaded.task.epoch(1, 0)).map(Result::unwrap).collect()
}

#[test]
fn sentences_are_read_from_lines_and_from_lists() {
    let expected = load("a.conll", &conll(), "").unwrap();
    assert_eq!(
        expected.summary,
        "48 sentences to train on, 6 to choose the best model by and 6 held out, 7 tokens, 3 tags"
    );
    let sentence = |text: &str| {
        let column = |i: usize| -> Vec<&str> {
            text.lines().map(|line| line.split('\t').nth(i).unwrap()).collect()
        };
        format!("{}\n", json!({ "words": column(0), "tags": column(1) }))
    };
    let json: String = conll().trim().split("\n\n").map(sentence).collect();
    let spaced = conll().replace('\t', " NN x ");
    let universal =
        conll().lines().fold("# a comment\n1-2\tx\t_\t_\t_\n".to_owned(), |text, line| {
            text + &match line.split_once('\t') {
                Some((token, tag)) => format!("1\t{token}\t_\t{tag}\t_\n"),
                None => "\n".to_owned(),
            }
        });
    for (name, text, options) in [
        ("a.jsonl", json, "token_column = 'words'"),
        ("a.txt", "-DOCSTART- -X- O\n\n".to_owned() + &spaced, ""),
        ("a.txt", spaced.replace('\n', "\r\n"), "token_column = '1'\ntag_column = '4'"),
        ("a.conllu", universal, ""),
        ("a.tsv", conll(), "memory = 100"),
    ] {
        let found = load(name, &text, options).unwrap_or_else(|fault| panic!("{name}: {fault}"));
        assert_eq!(all(&found), all(&expected), "{name} {options}");
    }
}

#[test]
fn what_is_wrong_is_said_with_the_row() {
    let refused = |text: &str, options: &str| load("a.conll", text, options).err().unwrap();
    assert_eq!(
        refused("a\tX\nb\n", ""),
        "a.conll:2: found 1 column, but the tag is column 2; columns stand between tabs, or else \
         between spaces"
    );
    assert_eq!(refused("a\tX\n\n\tY\n", ""), "a.conll:3: the token is empty");
    assert_eq!(refused("\n\n", ""), "a.conll: there is no sentence");
    assert!(refused("a\tX\nb\tX\n", "").contains("every token has the tag `X`"));
    assert_eq!(
        refused("a\tX\n\nb\tY\n", ""),
        "a validation share of 0.1 is none of 2 examples; give more data, or a larger share"
    );
    assert!(
        refused(&conll(), "tag_column = 'x'")
            .contains("(task.token_column, task.tag_column), not `x`")
    );
    assert!(refused(&conll(), "tag_column = '5'").contains("the tag is column 5"));
    assert!(refused(&conll(), "tags = 'x'").contains("has no option `tags`"));
    let json = "{\"tokens\": [\"a\", \"b\"], \"tags\": [\"X\"]}\n";
    assert_eq!(
        load("a.jsonl", json, "").err().unwrap(),
        "a.jsonl:1: there are 2 tokens and 1 tags; give one tag for each"
    );
    let missing = super::load(&toml::Table::new(), Context { batch: 2, seed: 1 });
    assert!(missing.err().unwrap().to_string().contains("`tag` needs `data`"));
}

#[test]
fn an_unknown_tag_is_refused_by_its_row() {
    let codec = load("a.conll", &conll(), "").unwrap().codec;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new.conll");
    let mut options = toml::Table::new();
    options.insert("data".into(), path.to_str().unwrap().into());
    std::fs::write(&path, "says O\n\nAda B-PER\nBo B-ORG\n").unwrap();
    let fault = codec.judged(&options).unwrap_err().to_string();
    let expected = ":4: the model knows no tag `B-ORG`; it knows `B-PER`, `I-PER`, `O`";
    assert!(fault.ends_with(expected), "{fault}");
    std::fs::write(&path, "says O\n\nAda B-PER\nBo B-PER").unwrap();
    let judged = codec.judged(&options).unwrap();
    let answers = judged.batches().map(|batch| batch.unwrap().targets.count(1));
    assert_eq!(answers.sum::<f64>(), 3.0);
}

#[test]
fn its_codec_is_what_was_kept_and_answers_with_the_tokens_of_the_line() {
    let codec = load("a.conll", &conll(), "lowercase = true").unwrap().codec;
    let again = (KIND.codec)(codec.kept()).unwrap();
    assert_eq!(again.kept(), codec.kept());
    assert_eq!(again.encode("SAYS Ada x"), codec.encode("[\"says\", \"ada\", \"y\"]"));
    let line = "{\"tokens\": [\"Says\", \"Zoe\"]}";
    let question = codec.question(line).unwrap();
    let answer = codec.answer_to(line, &question, &[0.0, 0.0, 9.0, 9.0, 0.0, 0.0]);
    let found: Vec<_> = answer["tags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tag| (tag["token"].as_str().unwrap(), tag["tag"].as_str().unwrap()))
        .collect();
    assert_eq!(found, [("Says", "O"), ("Zoe", "B-PER")]);
    assert!(answer["tags"][0]["probability"].as_f64() > Some(0.99));
    for line in ["", "[1]", "{\"words\": []}", "[]", "[\"a\""] {
        assert!(codec.question(line).is_err(), "{line}");
    }
}

#[test]
fn it_learns_tags_and_spans_and_goes_on_where_it_stopped() {
    let loaded = || load("a.conll", &conll(), "").unwrap();
    assert!(learnt(&loaded(), "tag", 60).accuracy() > 0.95);
    resumes(loaded, "tag");
    // Whoever says what is right has found all spans.
    let task = loaded().task;
    let figures = task.figures(&mut |batch: &Batch| {
        let Targets::Classes(classes) = &batch.targets else { panic!("classes are answered") };
        let row = |&class: &u32| (0..3).map(move |i| f32::from(u8::from(i == class)));
        Ok(classes.iter().flat_map(row).collect())
    });
    let figures = figures.unwrap();
    assert!(figures.iter().all(|figure| figure.value == 1.0), "{figures:?}");
    assert_eq!(figures[0].name, "span_f1");
    let none = task.figures(&mut |batch: &Batch| {
        Ok([0.0, 0.0, 1.0].repeat(batch.extent.steps * batch.extent.batch))
    });
    assert!(none.unwrap().iter().all(|figure| figure.value == 0.0));
}

#[test]
fn files_are_tagged_whatever_their_tags_and_what_is_broken_is_passed_over() {
    let codec = load("a.conll", &conll(), "").unwrap().codec;
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_str().unwrap().to_owned() + "/";
    let asked = |name: &str, text: &str, column: Option<&str>| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let asked = codec.asked(&path, column, &toml::Table::new());
        let asked = asked.map_err(|error| error.to_string().replace(&place, ""))?;
        let found = asked.unwrap().into_iter().map(|asked| match asked {
            Ok(asked) => format!("{} {}", asked.name.unwrap().1, asked.text),
            Err(fault) => fault.to_string().replace(&place, ""),
        });
        Ok::<_, String>(found.collect::<Vec<_>>())
    };
    let conll = asked("b.conll", "Ada ?\nsays\n\nBo\t\n\tX\n\tY\n\nCy\n", None).unwrap();
    assert_eq!(conll, ["1 [\"Ada\",\"says\"]", "b.conll:5: the token is empty", "2 [\"Cy\"]"]);
    let csv = "words,tags\nthen Ada,O\n,O\n\"[\"\"Bo\"\"]\",\n";
    let found = asked("b.csv", csv, Some("words")).unwrap();
    assert_eq!(found, ["1 [\"then\",\"Ada\"]", "b.csv:3: `words` is empty", "2 [\"Bo\"]"]);
    assert!(asked("b.csv", csv, None).unwrap_err().contains("there is no column `tokens`"));
    // Each line of JSON is a question of its own.
    let path = folder.path().join("b.jsonl");
    assert!(codec.asked(&path, None, &toml::Table::new()).unwrap().is_none());
    assert_eq!(codec.question("[]").unwrap_err(), "there is no token: a sentence has one or more");
}
