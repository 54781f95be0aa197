//! Formatting: what it gives, that it changes no meaning, and that it keeps comments.

use std::fs;
use std::path::Path;

use cellc_compiler::diagnostic::{Source, render};
use cellc_compiler::syntax::{format, parse};
use cellc_tests::random_text::{RandomText, random_text};
use expect_test::expect;
use proptest::prelude::*;

fn formatted(text: &str) -> String {
    let source = Source::new("test.cell", text);
    let once = format(&source).unwrap_or_else(|faults| {
        panic!("{}in\n{text}", render(&faults, &source, false));
    });
    let again = format(&Source::new("test.cell", once.as_str())).expect("it is well-formed");
    assert_eq!(again, once, "formatted twice, from\n{text}");
    once
}

/// The `.cell` files of the workspace's folders, with their texts.
fn files() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders =
        ["../cells", "architectures", "cells", "diagnostics", "diagnostics/imports", "warnings"];
    let entries =
        folders.iter().flat_map(|folder| fs::read_dir(root.join(folder)).expect("it is there"));
    let paths = entries.map(|entry| entry.expect("it can be listed").path());
    let mut cells: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "cell"))
        .map(|path| (path.display().to_string(), fs::read_to_string(&path).expect("it is text")))
        .collect();
    cells.sort();
    assert!(cells.len() > 100, "{}", cells.len());
    cells
}

#[test]
fn the_catalogue_is_formatted() {
    let folders = ["/../cells/", "/architectures/"];
    for (path, text) in files() {
        if folders.iter().any(|folder| path.contains(folder)) {
            assert_eq!(formatted(&text), text, "cellc fmt {path}");
        }
    }
}

#[test]
fn every_file_without_faults_of_form_is_formatted_to_the_same() {
    for (path, text) in files() {
        match parse(&Source::new(path.as_str(), text.as_str())) {
            Ok(_) => drop(formatted(&text)),
            Err(faults) => {
                assert_eq!(format(&Source::new(path, text)), Err(faults));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    /// That the tree and the comments are the same, `format` sees to: else it is an error.
    #[test]
    fn any_text_is_formatted(seed in any::<u64>()) {
        let RandomText { text, comments } = random_text(seed);
        let lines = formatted(&text);
        let mut rest = lines.as_str();
        for comment in &comments {
            let at = rest.find(comment.as_str());
            prop_assert!(at.is_some(), "`{comment}` is lost:\n{text}\n{lines}");
            rest = &rest[at.unwrap_or(0) + comment.len()..];
        }
        let code = |line: &str| line.split("//").next().unwrap_or_default().trim_end().to_owned();
        for line in lines.lines() {
            prop_assert!(line.trim_end() == line && !code(line).contains(['\t', '\r', ';']), "{line}");
            let indent = line.len() - line.trim_start().len();
            prop_assert_eq!(code(line).is_empty() || indent % 4 == 0, true, "{}", line);
        }
        prop_assert!(!lines.contains("\n\n\n") && !lines.starts_with('\n'));
    }
}

#[test]
fn a_text_is_laid_out() {
    let text = include_str!("format/untidy.cell");
    expect_test::expect_file!["format/tidy.cell"].assert_eq(&formatted(text));
}

#[test]
fn line_ends_of_windows_stay() {
    let text = "cell f(N) { // a\r\n  input x: [N]\r\n  output y = x }\r\n";
    expect!["cell f(N) {  // a\r\n    input x: [N]\r\n    output y = x\r\n}\r\n"]
        .assert_eq(&formatted(text));
}
