//! What a table may be for that has no column of texts.

use std::path::Path;

use cellc_train::data::table::Table;

/// How the names of columns of tokens, of tags and of times begin or end.
const TOKENS: [&str; 2] = ["tokens", "words"];
const TAGS: [&str; 2] = ["tags", "labels"];
const TIMES: [&str; 8] = ["date", "time", "day", "week", "month", "year", "hour", "ds"];

/// Another task that a table looks like, in a sentence: two columns are called as tokens and tags are, or all
/// that is not the time is numbers.
pub(super) fn other_task(path: &Path) -> Option<String> {
    let table = Table::open(path).ok()?;
    let names = || table.columns().iter().map(|column| column.name.as_str());
    let ends = |name: &str, words: &[&str]| {
        let name = name.to_lowercase();
        words.iter().any(|word| name.ends_with(word))
    };
    let named = |words: &[&str]| names().find(|name| ends(name, words));
    if let (Some(tokens), Some(tags)) = (named(&TOKENS), named(&TAGS)) {
        let option = |key: &str, name: &str, usual: &str| {
            if name == usual { String::new() } else { format!(" task.{key}={name}") }
        };
        let tokens = option("token_column", tokens, "tokens");
        let tags = option("tag_column", tags, "tags");
        return Some(format!(
            "These look like tokens and their tags: try --task tag{tokens}{tags}."
        ));
    }
    let survey = table.survey().ok()?;
    let mut numbers = false;
    let mut others = Vec::new();
    for (name, survey) in names().zip(&survey) {
        match survey.numbers > survey.others {
            true => numbers = true,
            false => others.push(name.to_lowercase()),
        }
    }
    let time =
        |name: &String| TIMES.iter().any(|word| name.starts_with(word) || name.ends_with(word));
    let series = numbers && (others.is_empty() || others.iter().any(time));
    series.then(|| "These look like series of numbers: try --task forecast.".to_owned())
}
