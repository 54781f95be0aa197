//! Drawings in the language of Graphviz (Gansner & North 2000).

use super::{Drawing, Outline};

impl Drawing {
    /// The picture in Graphviz's language: inputs and states in the first row.
    pub fn to_dot(&self) -> String {
        let mut text = format!("digraph {} {{\n", self.name);
        text.push_str("    node [shape=box, fontname=\"monospace\"];\n");
        let is_given = |outline| matches!(outline, Outline::Input | Outline::State);
        // Nothing that a cell's text has in expressions needs an escape here.
        let nodes = |given: bool| {
            let nodes = self.nodes.iter().enumerate();
            let chosen = nodes.filter(move |(_, node)| is_given(node.outline) == given);
            chosen.map(|(i, node)| {
                let shape = match node.outline {
                    Outline::Input => ", shape=parallelogram",
                    Outline::State => ", style=rounded",
                    Outline::Operation => "",
                    Outline::Output => ", shape=parallelogram, peripheries=2",
                };
                format!("n{i} [label=\"{}\"{shape}];\n", node.text())
            })
        };
        text.push_str("    {\n        rank=source;\n");
        nodes(true).for_each(|node| text.push_str(&format!("        {node}")));
        text.push_str("    }\n");
        nodes(false).for_each(|node| text.push_str(&format!("    {node}")));
        for arrow in &self.arrows {
            let attributes = match (arrow.is_back, arrow.label) {
                (true, _) => " [style=dashed, constraint=false]".to_owned(),
                (false, Some(label)) => format!(" [label=\"{label}\"]"),
                (false, None) => String::new(),
            };
            text.push_str(&format!("    n{} -> n{}{attributes};\n", arrow.from, arrow.to));
        }
        text + "}\n"
    }
}
