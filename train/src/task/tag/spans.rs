//! Spans of tokens, as tags such as `B-PER` and `I-PER` tell them.

/// Whether tags are those of spans: `O`, or a prefix and a type. `B` begins a span and `I` goes on with
/// it; `E` or `L` ends it, and `S` or `U` is one of a single token.
pub(super) fn are_spans(tags: &[String]) -> bool {
    let begins = |tag: &String| matches!(parts(tag), Some((prefix, _)) if "BI".contains(prefix));
    tags.iter().all(|tag| tag == "O" || parts(tag).is_some()) && tags.iter().any(begins)
}

/// The prefix and the type of a tag; `None` outside of spans.
fn parts(tag: &str) -> Option<(char, &str)> {
    let (prefix, kind) = tag.split_once(['-', '_'])?;
    let mut letters = prefix.chars();
    let prefix = letters.next().filter(|prefix| "BIELSU".contains(*prefix))?;
    letters.next().is_none().then_some((prefix, kind))
}

/// The spans of a sentence: the first token, that behind the last, and the type. A span that goes on
/// without having begun begins there, as in `conlleval` (Tjong Kim Sang & Buchholz, Introduction to the
/// CoNLL-2000 shared task, 2000).
pub(super) fn spans<'t>(tags: &[&'t str]) -> Vec<(usize, usize, &'t str)> {
    let mut spans: Vec<(usize, usize, &str)> = Vec::new();
    let mut open = None;
    for (i, tag) in tags.iter().enumerate() {
        let Some((prefix, kind)) = parts(tag) else {
            open = None;
            continue;
        };
        let last = spans.last_mut();
        match last {
            Some(last) if open == Some(kind) && "IEL".contains(prefix) => last.1 = i + 1,
            _ => spans.push((i, i + 1, kind)),
        }
        open = "BI".contains(prefix).then_some(kind);
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_those_of_conlleval() {
        let check = |tags: &str, expected: &[(usize, usize, &str)]| {
            assert_eq!(spans(&tags.split(' ').collect::<Vec<_>>()), expected, "{tags}");
        };
        check("O B-A I-A O B-B", &[(1, 3, "A"), (4, 5, "B")]);
        check("I-A I-A I-B B-B I-A", &[(0, 2, "A"), (2, 3, "B"), (3, 4, "B"), (4, 5, "A")]);
        check("B-A E-A S-A I-A", &[(0, 2, "A"), (2, 3, "A"), (3, 4, "A")]);
        check("O O", &[]);
    }

    #[test]
    fn tags_are_of_spans_or_of_words() {
        let are =
            |tags: &str| are_spans(&tags.split(' ').map(ToOwned::to_owned).collect::<Vec<_>>());
        assert!(are("B-PER I-PER O"));
        assert!(!are("NOUN VERB") && !are("O O") && !are("B-PER X") && !are("S-x O"));
    }
}
