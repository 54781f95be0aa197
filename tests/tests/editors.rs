//! The grammar for editors names the keywords, functions and initialisers that there are.

use cellc_compiler::check::{functions, initializers};
use cellc_compiler::syntax::KEYWORDS;
use expect_test::expect_file;

const GRAMMAR: &str = include_str!("../../editors/vscode/syntaxes/cellc.tmLanguage.json");

/// The grammar with these words as the alternatives of the pattern of a scope.
fn with_words<'w>(grammar: &str, scope: &str, words: impl IntoIterator<Item = &'w str>) -> String {
    let mut words: Vec<&str> = words.into_iter().collect();
    words.sort_unstable();
    let begins = format!("\"name\": \"{scope}\", \"match\": \"\\\\b(?:");
    let (before, rest) = grammar.split_once(&begins).expect("the scope has a pattern");
    let (_, after) = rest.split_once(')').expect("the pattern has an end");
    format!("{before}{begins}{}){after}", words.join("|"))
}

#[test]
fn the_grammar_has_the_words_of_the_language() {
    let grammar = with_words(GRAMMAR, "keyword.other.cellc", KEYWORDS);
    let grammar = with_words(&grammar, "support.function.cellc", functions());
    let grammar = with_words(&grammar, "support.function.initializer.cellc", initializers());
    assert!(functions().any(|name| name == "tanh") && initializers().any(|name| name == "normal"));
    expect_file!["../../editors/vscode/syntaxes/cellc.tmLanguage.json"].assert_eq(&grammar);
}

#[test]
fn the_files_are_json() {
    for text in [
        GRAMMAR,
        include_str!("../../editors/vscode/package.json"),
        include_str!("../../editors/vscode/language-configuration.json"),
    ] {
        let _: serde_json::Value = serde_json::from_str(text).expect("it is JSON");
    }
}
