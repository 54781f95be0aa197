//! A few held-out reviews, and how likely the model would buy.

use std::fmt::Write;

use cellc_train::generate::probabilities;
use cellc_train::model::Model;
use cellc_train::task::Codec;
use cellc_train::task::reviews::held_out;

use crate::failure::Failure;

const SHOWN: usize = 5;
/// Columns of a line.
const WIDTH: usize = 92;

/// What the model says to the first held-out reviews.
pub(crate) fn verdicts(
    codec: &dyn Codec,
    model: &Model<f32>,
    seed: u64,
) -> Result<String, Failure> {
    let mut run = model.run(1);
    let mut text = String::from("\nreviews it has never seen, and how likely it would buy:\n");
    for review in held_out(seed).iter().take(SHOWN) {
        let question = codec.question(&review.text).map_err(Failure::new)?;
        let batch = codec.batch(&[&question]);
        run.forward(model, &batch)?;
        let buy = probabilities(run.logits(), 1.0).last().copied().unwrap_or(0.0);
        let right = if (buy > 0.5) == review.buy { "" } else { "  (wrong)" };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "\n  {:5.1} %{right}", 100.0 * buy);
        for line in wrapped(&review.text) {
            let _ = writeln!(text, "    {line}");
        }
    }
    Ok(text)
}

fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.len() - 1;
        let line = &mut lines[last];
        if !line.is_empty() && line.len() + 1 + word.len() > WIDTH {
            lines.push(word.to_owned());
        } else {
            let gap = if line.is_empty() { "" } else { " " };
            let _ = write!(line, "{gap}{word}");
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_wrapped_at_spaces() {
        let text = "word ".repeat(30);
        let lines = wrapped(text.trim());
        assert_eq!(lines.len(), 2);
        assert!(lines.iter().all(|line| line.len() <= WIDTH && line.starts_with("word")));
        assert_eq!(lines.join(" "), text.trim());
    }
}
