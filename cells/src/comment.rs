//! What the comment at the top of a cell's file says.
//!
//! ```text
//! // TITLE: what it is, in one sentence.
//! //
//! // AUTHORS, title, where (YEAR), and what else there is to say: other papers, conventions.
//! ```
//!
//! A recurrent cell names its paper; a layer or a loss may have none. The citation of the paper is
//! all up to the first year in parentheses.

use crate::Entry;

/// The paper of a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paper {
    /// Authors, title, where it appeared, and the year in parentheses.
    pub citation: String,
    /// The year that it appeared.
    pub year: u16,
}

impl Entry {
    /// What the cell is called: the first line of its comment up to the colon.
    pub fn title(&self) -> &'static str {
        self.summary.split_once(": ").map_or(self.summary, |(title, _)| title)
    }

    /// What the cell is: the sentence after the title.
    pub fn sentence(&self) -> &'static str {
        self.summary.split_once(": ").map_or(self.summary, |(_, sentence)| sentence)
    }

    /// The paper that it comes from: a recurrent cell has one.
    pub fn paper(&self) -> Option<Paper> {
        paper(self.source)
    }
}

/// The paper that begins the second paragraph of the comment.
fn paper(source: &str) -> Option<Paper> {
    let comment = source.lines().map_while(|line| line.strip_prefix("//"));
    let lines: Vec<&str> = comment.skip(2).map(str::trim).take_while(|l| !l.is_empty()).collect();
    let text = lines.join(" ");
    let (start, year) = text.match_indices('(').find_map(|(start, _)| {
        let inside = text[start + 1..].split_once(')')?.0;
        let is_year = inside.len() == 4 && inside.bytes().all(|byte| byte.is_ascii_digit());
        is_year.then(|| inside.parse().ok()).flatten().map(|year| (start, year))
    })?;
    Some(Paper { citation: text[..start + "(2000)".len()].to_owned(), year })
}

#[cfg(test)]
mod tests {
    use super::{Paper, paper};
    use crate::{Kind, all, find};

    /// The convention: CONTRIBUTING.md tells it to those who add a cell.
    #[test]
    fn every_entry_begins_with_a_title_a_sentence_and_its_paper() {
        for entry in all() {
            let (name, mut lines) = (entry.name, entry.source.lines());
            let first = lines.next().unwrap_or_default();
            assert!(first.chars().count() <= 100, "{name}: the first line is over 100 characters");
            let (title, sentence) = (entry.title(), entry.sentence());
            assert!(entry.summary.contains(": "), "{name}: no `TITLE: sentence.`: {first}");
            assert!(!title.is_empty(), "{name}: no title");
            assert!(sentence.ends_with('.') && sentence.len() > 1, "{name}: {sentence}");
            let second = lines.next().unwrap_or_default();
            let is_all = !second.starts_with("//");
            assert!(is_all || second == "//", "{name}: the second line is no blank comment");
            let paper = entry.paper();
            assert!(
                entry.kind != Kind::Recurrent || paper.is_some(),
                "{name}: no paper with its year in parentheses in the paragraph after the title"
            );
            if let Some(Paper { citation, year }) = paper {
                assert!((1900..2100).contains(&year), "{name}: {year}");
                assert!(citation.len() > 20, "{name}: `{citation}` is no citation");
            }
        }
    }

    #[test]
    fn a_citation_ends_with_the_first_year_in_parentheses() {
        let lstm = find("lstm").and_then(crate::Entry::paper).expect("it has a paper");
        assert_eq!(lstm.year, 1997);
        assert!(lstm.citation.starts_with("Hochreiter & Schmidhuber, "), "{}", lstm.citation);
        assert!(lstm.citation.ends_with("Neural Computation 9 (1997)"), "{}", lstm.citation);

        let text =
            "// T: s.\n//\n// A (and B), t (v. 2),\n// where 3\n// (2002); not (2003).\n//\n";
        let citation = "A (and B), t (v. 2), where 3 (2002)".to_owned();
        assert_eq!(paper(text), Some(Paper { citation, year: 2002 }));
        for none in ["// T: s.\ncell", "// T: s.\n//\n// No year (20021).\n//\n// (2002)\n", ""] {
            assert_eq!(paper(none), None, "{none}");
        }
    }
}
