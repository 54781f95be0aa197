//! What can be learnt from, but is perhaps not what was meant.

use std::collections::BTreeMap;

use super::Ready;
use crate::data_files::DataFile;
use crate::task::Loaded;

/// How many labels that are alike are told.
const TOLD: usize = 5;

impl Ready {
    /// What of its data is perhaps a mistake, and what its task warns of, each in a sentence.
    pub fn doubts(&self) -> Vec<String> {
        let Loaded { task, codec, .. } = &self.loaded;
        let own = task.warnings().iter().cloned();
        labels(codec.labels()).into_iter().chain(files(&self.files)).chain(own).collect()
    }
}

/// Labels that are classes of their own, but are the same number, or differ by case alone.
fn labels(labels: &[String]) -> Option<String> {
    let mut alike = BTreeMap::<String, Vec<&str>>::new();
    for label in labels {
        alike.entry(meant(label)).or_default().push(label);
    }
    let alike: Vec<Vec<&str>> = alike.into_values().filter(|labels| labels.len() > 1).collect();
    let told = alike.iter().take(TOLD).map(|labels| format!("`{}`", labels.join("` and `")));
    let told = told.collect::<Vec<_>>().join(", ");
    let more = if alike.len() > TOLD { ", .." } else { "" };
    (!alike.is_empty()).then(|| {
        format!(
            "labels that differ in writing alone are classes of their own: {told}{more}; write them \
             alike if they mean the same"
        )
    })
}

/// What a label means, as far as that does not depend on how it is written.
fn meant(label: &str) -> String {
    let text = label.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    match text.parse::<f64>() {
        // Not what only reads as a number, such as `inf` and `nan`.
        // Beyond 2^53, numbers that differ can be the same.
        Ok(number)
            if text.contains(|c: char| c.is_ascii_digit())
                && number.abs() <= 9_007_199_254_740_992.0 =>
        {
            number.to_string()
        }
        _ => text,
    }
}

/// Files of data that have the same content: then a model is judged by what it was trained on.
fn files(files: &[DataFile]) -> Option<String> {
    let same = |one: &DataFile, other: &DataFile| {
        (one.bytes, one.checksum) == (other.bytes, other.checksum)
    };
    let pairs = files.iter().enumerate().flat_map(|(i, one)| {
        files[i + 1..].iter().filter(move |other| same(one, other)).map(move |other| (one, other))
    });
    let (one, other) = pairs.into_iter().next()?;
    let path = one.path.display();
    let what = match one.path == other.path {
        true => format!("{path} is named for two parts of the data"),
        false => format!("{path} and {} have the same content", other.path.display()),
    };
    Some(format!(
        "{what}: a model that is judged by what it was trained on seems better than it is; name other \
         data, or let a share be held out (--held-out, --validation)"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_that_differ_in_writing_alone_are_told() {
        let told = |all: &[&str]| labels(&all.iter().map(ToString::to_string).collect::<Vec<_>>());
        for single in [&["1", "2", "1.5"][..], &["yes", "no"], &["inf", "infinity"], &["a b", "ab"]]
        {
            assert_eq!(told(single), None, "{single:?}");
        }
        for (all, pair) in [
            (&["1", "1.0", "2"][..], "`1` and `1.0`;"),
            (&["Yes", "no", "yes"], "`Yes` and `yes`;"),
            (&["a  b", "a b"], "`a  b` and `a b`;"),
            (&["0", "0.0", "00", "A", "a"], "`0` and `0.0` and `00`, `A` and `a`;"),
        ] {
            let told = told(all).unwrap();
            assert!(told.contains(pair), "{told}");
        }
    }

    #[test]
    fn files_of_the_same_content_are_told() {
        let file = |path: &str, checksum| DataFile { path: path.into(), bytes: 7, checksum };
        assert_eq!(files(&[file("a", 1), file("b", 2), file("c", 3)]), None);
        let told = files(&[file("a", 1), file("b", 2), file("c", 2)]).unwrap();
        assert!(told.starts_with("b and c have the same content: "), "{told}");
        let told = files(&[file("a", 1), file("a", 1)]).unwrap();
        assert!(told.starts_with("a is named for two parts of the data: "), "{told}");
    }
}
