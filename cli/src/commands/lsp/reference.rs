//! What `docs/language.md` says of the functions and the initialisers: the tables are there alone.

const LANGUAGE: &str = include_str!("../../../../docs/language.md");

/// What the table of functions says of one, in Markdown; a paragraph for each row that it is in.
pub(super) fn function(name: &str) -> Option<String> {
    described("## Functions of the language", |usage| usage.starts_with(&format!("{name}(")))
}

/// What the table of initialisers says of one, in Markdown.
pub(super) fn initializer(name: &str) -> Option<String> {
    described("### Initialisers", |usage| {
        usage.strip_prefix("~ ").and_then(|usage| usage.split('(').next()) == Some(name)
    })
}

/// The rows of the first table under a heading whose usage, in backquotes, is of one name.
fn described(heading: &str, is_of_name: impl Fn(&str) -> bool) -> Option<String> {
    let (_, section) = LANGUAGE.split_once(&format!("\n{heading}\n"))?;
    let table = section.lines().skip_while(|line| !line.starts_with('|'));
    let rows = table.take_while(|line| line.starts_with('|')).map(cells);
    let rows: Vec<_> = rows
        .filter(|cells| cells[0].split('`').any(&is_of_name))
        .map(|cells| {
            let edges = cells.get(2).filter(|edges| !edges.is_empty());
            let edges = edges.map(|edges| format!("; derivative at edges: {edges}"));
            let result = Some(&cells[1]).filter(|result| !result.is_empty());
            let result = result.map(|result| format!(": {result}"));
            format!("{}{}{}", cells[0], result.unwrap_or_default(), edges.unwrap_or_default())
        })
        .collect();
    (!rows.is_empty()).then(|| rows.join("\n\n"))
}

/// The cells of a row of a table.
fn cells(row: &str) -> Vec<String> {
    // `\|` is a sign of the text, `|` one of the table.
    let row = row.replace("\\|", "\0");
    let row = row.trim().trim_matches('|');
    row.split('|').map(|cell| without_links(&cell.trim().replace('\0', "|"))).collect()
}

/// Links within the page have no target elsewhere: their text is left.
fn without_links(text: &str) -> String {
    let mut text = text.to_owned();
    while let Some(end) = text.find("](#") {
        let (start, length) = (text[..end].rfind('['), text[end..].find(')'));
        let (Some(start), Some(length)) = (start, length) else { break };
        text.replace_range(end..=end + length, "");
        text.remove(start);
    }
    text
}

#[cfg(test)]
mod tests {
    use cellc_compiler::check::{functions, initializers};

    use super::*;

    #[test]
    fn every_function_and_initialiser_is_described() {
        for name in functions() {
            let described = function(name).unwrap_or_else(|| panic!("nothing is said of `{name}`"));
            assert!(described.contains(&format!("`{name}(")), "{described}");
        }
        for name in initializers() {
            assert!(initializer(name).is_some(), "nothing is said of `{name}`");
        }
        assert_eq!(
            function("bernoulli").as_deref(),
            Some(
                "`bernoulli(p)`, `bernoulli(p, [M, N])`: independent numbers, each 1 with probability p, \
                 else 0: see Randomness; derivative at edges: none"
            )
        );
        assert_eq!(function("lstm"), None);
        assert_eq!(initializer("tanh"), None);
    }
}
