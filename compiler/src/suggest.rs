//! Did you mean: the known word that is nearest to an unknown one.

/// The candidate that differs least from `word`, if one is near enough to have been meant.
pub fn closest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let allowed = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .filter_map(|candidate| {
            // Letter case is the likeliest slip of all.
            let distance = if candidate.eq_ignore_ascii_case(word) {
                0
            } else {
                strsim::damerau_levenshtein(candidate, word)
            };
            let near = distance <= allowed;
            near.then_some((distance, candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, candidate)| {
            // Two one-letter names have nothing in common.
            *distance == 0 || word.chars().any(|c| candidate.contains(c))
        })
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let names = ["h", "c", "W_f", "sigmoid", "candidate"];
        for (word, expected) in [
            ("hh", Some("h")),
            ("H", Some("h")),
            ("W_F", Some("W_f")),
            ("Wf", Some("W_f")),
            ("sigmiod", Some("sigmoid")),
            ("candidat", Some("candidate")),
            ("q", None),
            ("banana", None),
        ] {
            assert_eq!(closest(word, names), expected, "{word}");
        }
    }
}
