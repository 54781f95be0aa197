//! Drawings in the language of Mermaid, which is drawn where Markdown is read.

use super::{Arrow, Drawing, Outline};

impl Drawing {
    /// The picture as a flowchart of Mermaid, from top to bottom.
    pub fn to_mermaid(&self) -> String {
        let mut text = String::from("flowchart TD\n");
        for (i, node) in self.nodes.iter().enumerate() {
            let (open, close) = match node.outline {
                Outline::Input => ("[/", "/]"),
                Outline::State => ("([", "])"),
                Outline::Operation => ("[", "]"),
                Outline::Output => ("[\\", "\\]"),
            };
            text.push_str(&format!("    n{i}{open}\"{}\"{close}\n", escaped(&node.text())));
        }
        for Arrow { from, to, label, is_back } in &self.arrows {
            // An arrow back would have states laid out below what reads them: its line is drawn from
            // the state, and which way it leads is its label.
            let arrow = match (is_back, label) {
                (true, _) => format!("n{to} -. \"↑\" .- n{from}"),
                (false, Some(label)) => format!("n{from} -- \"{label}\" --> n{to}"),
                (false, None) => format!("n{from} --> n{to}"),
            };
            text.push_str(&format!("    {arrow}\n"));
        }
        text
    }
}

/// Texts are HTML.
fn escaped(text: &str) -> String {
    text.replace('<', "&lt;").replace('>', "&gt;")
}
