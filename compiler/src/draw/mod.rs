//! A cell as a picture: each operation of its text is a node, each value an arrow.
//!
//! Drawn is the text, not the graph that it becomes: operations bear the names that the user gave
//! their values, and a call of a function is one node, whatever it is made of. What depends on no
//! input and no state (params, constants, dimensions) is no node but stands in the node that reads
//! it: with a product its matrix and its bias. A dashed line leads from the next value of a state
//! back to the state.

mod dot;
mod mermaid;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::diagnostic::Span;
use crate::syntax::ast::{Cell, Expr, ExprKind, Item, Kind, Operator};

/// A picture of a cell, without places: laying it out is for the tool that shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawing {
    name: String,
    nodes: Vec<Node>,
    arrows: Vec<Arrow>,
}

/// The outline of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outline {
    /// Given at each step.
    Input,
    /// Carried from step to step.
    State,
    Operation,
    /// Shown at each step.
    Output,
}

#[derive(Clone, Debug, PartialEq)]
struct Node {
    outline: Outline,
    /// What the text calls it: `f`, `next c`, `output y`, `input x`.
    name: Option<String>,
    /// What it is, other operations standing as dots.
    value: Option<Expr>,
    /// Whether it is a product or a sum: what is added to it stands with it.
    is_sum: bool,
}

impl Node {
    fn text(&self) -> String {
        let value = self.value.as_ref().map(ToString::to_string);
        let parts: Vec<String> = self.name.clone().into_iter().chain(value).collect();
        parts.join(" = ")
    }
}

/// From where a value is computed to where it is read, by their numbers.
#[derive(Clone, Debug, PartialEq)]
struct Arrow {
    from: usize,
    to: usize,
    /// Which of the dots of the node it leads to, where that is not plain.
    label: Option<&'static str>,
    /// Whether it leads from a next value to its state, and so to the next step.
    is_back: bool,
}

/// What an operation stands as within another.
const DOT: &str = "\u{b7}";

/// The same where several do, and their order matters.
const NUMBERED: [&str; 9] = ["①", "②", "③", "④", "⑤", "⑥", "⑦", "⑧", "⑨"];

impl Drawing {
    /// Draws a cell that checks.
    pub fn of(cell: &Cell) -> Self {
        let drawing = Self { name: cell.name.text.clone(), nodes: Vec::new(), arrows: Vec::new() };
        let mut artist = Artist {
            drawing,
            names: BTreeMap::new(),
            states: BTreeMap::new(),
            nexts: BTreeMap::new(),
        };
        cell.items.iter().for_each(|item| artist.item(item));
        // An output may stand above the next value that it shows, which leads back after it.
        for item in &cell.items {
            if let Item::Output { name, value: None } = item {
                artist.show(&name.text);
            }
        }
        for (state, next) in &artist.nexts {
            if let Some(&state) = artist.states.get(state) {
                let arrow = Arrow { from: *next, to: state, label: None, is_back: true };
                artist.drawing.arrows.push(arrow);
            }
        }
        artist.drawing
    }
}

/// A drawing in the making.
struct Artist<'a> {
    drawing: Drawing,
    /// The nodes of inputs, states and named values.
    names: BTreeMap<&'a str, usize>,
    states: BTreeMap<&'a str, usize>,
    /// The nodes of next values, by state.
    nexts: BTreeMap<&'a str, usize>,
}

impl<'a> Artist<'a> {
    fn item(&mut self, item: &'a Item) {
        match item {
            Item::Declaration(declaration) if declaration.kind != Kind::Param => {
                let is_state = declaration.kind == Kind::State;
                let outline = if is_state { Outline::State } else { Outline::Input };
                for name in &declaration.names {
                    let text = format!("{} {}", declaration.kind.keyword(), name.text);
                    let node = self.node(outline, Some(text), None);
                    self.names.insert(&name.text, node);
                    if is_state {
                        self.states.insert(&name.text, node);
                    }
                }
            }
            Item::Definition { name, value } => {
                let node = self.named(Outline::Operation, name.text.clone(), value);
                self.names.insert(&name.text, node);
            }
            Item::Next { state, value, .. } => {
                let node = self.named(Outline::Operation, format!("next {}", state.text), value);
                self.nexts.insert(&state.text, node);
            }
            Item::Output { name, value: Some(value) } => {
                self.named(Outline::Output, format!("output {}", name.text), value);
            }
            Item::Declaration(_) | Item::Hyper(_) | Item::Output { value: None, .. } => {}
        }
    }

    /// The output of a name: of a state it is the next value.
    fn show(&mut self, name: &str) {
        let node = self.node(Outline::Output, Some(format!("output {name}")), None);
        let shown = self.nexts.get(name).or_else(|| self.names.get(name)).copied();
        shown.into_iter().for_each(|from| self.arrow(from, node, None));
    }

    fn node(&mut self, outline: Outline, name: Option<String>, value: Option<Expr>) -> usize {
        self.drawing.nodes.push(Node { outline, name, value, is_sum: false });
        self.drawing.nodes.len() - 1
    }

    fn arrow(&mut self, from: usize, to: usize, label: Option<&'static str>) {
        let arrow = Arrow { from, to, label, is_back: false };
        if !self.drawing.arrows.contains(&arrow) {
            self.drawing.arrows.push(arrow);
        }
    }

    /// The node of a value that the text names.
    fn named(&mut self, outline: Outline, name: String, value: &'a Expr) -> usize {
        match self.value(value) {
            Some(node) if is_operation(value) => {
                let drawn = &mut self.drawing.nodes[node];
                (drawn.outline, drawn.name) = (outline, Some(name));
                node
            }
            // Another name of a value, or what is made of params alone.
            known => {
                let node = self.node(outline, Some(name), Some(value.clone()));
                known.into_iter().for_each(|known| self.arrow(known, node, None));
                node
            }
        }
    }

    /// The node of an expression. `None` for what depends on no input and no state, and has no name.
    fn value(&mut self, expr: &'a Expr) -> Option<usize> {
        match &expr.kind {
            ExprKind::Name(name) => return self.names.get(name.as_str()).copied(),
            ExprKind::Next(state) => return self.nexts.get(state.text.as_str()).copied(),
            _ => {}
        }
        let parts: Vec<(&Expr, Option<usize>)> =
            expr.parts().into_iter().map(|part| (part, self.value(part))).collect();
        if parts.iter().all(|(_, node)| node.is_none()) {
            return None;
        }
        if let Some((place, started)) = self.sum_added_to(expr, &parts) {
            let node = &mut self.drawing.nodes[started];
            let mut sum = expr.clone();
            if let (Some(part), Some(value)) = (sum.parts_mut().get_mut(place), node.value.take()) {
                **part = value;
            }
            node.value = Some(sum);
            return Some(started);
        }
        let is_dot = |(part, node): &&(&Expr, Option<usize>)| node.is_some() && is_operation(part);
        let is_numbered = parts.iter().filter(is_dot).count() > 1 && !commutes(expr);
        let mut dots = NUMBERED.iter().copied().cycle();
        let mut value = expr.clone();
        let mut arrows = Vec::new();
        for (place, part) in value.parts_mut().into_iter().zip(&parts) {
            let mut label = None;
            if is_dot(&part) {
                label = if is_numbered { dots.next() } else { None };
                let dot = ExprKind::Name(label.unwrap_or(DOT).to_owned());
                *place = Expr::new(dot, Span::default());
            }
            arrows.extend(part.1.map(|from| (from, label)));
        }
        let node = self.node(Outline::Operation, None, Some(value));
        self.drawing.nodes[node].is_sum = is_sum(expr);
        arrows.into_iter().for_each(|(from, label)| self.arrow(from, node, label));
        Some(node)
    }

    /// The product or the sum that a sum adds a param to: which of its parts that is, and the node.
    fn sum_added_to(
        &self,
        expr: &Expr,
        parts: &[(&Expr, Option<usize>)],
    ) -> Option<(usize, usize)> {
        if !matches!(expr.kind, ExprKind::Binary { op: Operator::Add | Operator::Sub, .. }) {
            return None;
        }
        let mut drawn = parts.iter().enumerate().filter(|(_, (_, node))| node.is_some());
        let (place, &(part, node)) = drawn.next().filter(|_| drawn.next().is_none())?;
        let node = node.filter(|&node| is_operation(part) && self.drawing.nodes[node].is_sum);
        node.map(|node| (place, node))
    }
}

/// Whether an expression is more than a name, and so a node of its own.
fn is_operation(expr: &Expr) -> bool {
    !matches!(expr.kind, ExprKind::Name(_) | ExprKind::Next(_))
}

fn is_sum(expr: &Expr) -> bool {
    let ExprKind::Binary { op, .. } = expr.kind else { return false };
    matches!(op, Operator::MatMul | Operator::Add | Operator::Sub)
}

/// Whether the order of the operands is of no account.
fn commutes(expr: &Expr) -> bool {
    matches!(expr.kind, ExprKind::Binary { op: Operator::Add | Operator::Mul, .. })
}
