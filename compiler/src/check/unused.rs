//! Names that stand for something that nothing uses, and values named like functions.

use std::collections::{BTreeMap, BTreeSet};

use super::errors;
use super::globals::Globals;
use crate::diagnostic::{Diagnostic, Span};
use crate::syntax::ast::{
    Cell, Expr, ExprKind, File, Function, Initializer, Item, Kind, Name, TypeExpr, TypeKind,
};

/// The names that a part of a text uses.
#[derive(Default)]
pub(super) struct Mentions<'a> {
    names: BTreeSet<&'a str>,
    /// States whose next value is read or shown.
    nexts: BTreeSet<String>,
    /// The functions called, each with its first call.
    calls: BTreeMap<&'a str, Span>,
}

impl<'a> Mentions<'a> {
    fn of_cell(cell: &'a Cell) -> Self {
        let mut mentions = Self::default();
        cell.dims.iter().filter_map(|dim| dim.default.as_ref()).for_each(|e| mentions.note(e));
        let mut states = BTreeSet::new();
        for item in &cell.items {
            match item {
                Item::Declaration(declaration) => {
                    if declaration.kind == Kind::State {
                        states.extend(declaration.names.iter().map(|name| name.text.as_str()));
                    }
                    mentions.note_type(&declaration.ty);
                    match &declaration.initializer {
                        Some(Initializer::Constant(value)) => mentions.note(value),
                        Some(Initializer::Draw { arguments, .. }) => {
                            arguments.iter().for_each(|argument| mentions.note(argument));
                        }
                        None => {}
                    }
                }
                Item::Hyper(hyper) => mentions.note(&hyper.value),
                Item::Definition { value, .. }
                | Item::Next { value, .. }
                | Item::Output { value: Some(value), .. } => mentions.note(value),
                Item::Output { name, value: None } => {
                    mentions.names.insert(&name.text);
                    // That of a state is its new value.
                    if states.contains(name.text.as_str()) {
                        mentions.nexts.insert(name.text.clone());
                    }
                }
            }
        }
        mentions
    }

    fn of_function(function: &'a Function) -> Self {
        let mut mentions = Self::default();
        let patterns = function.parameters.iter().filter_map(|p| p.pattern.as_ref());
        patterns.for_each(|pattern| mentions.note_type(pattern));
        function.definitions.iter().for_each(|(_, value)| mentions.note(value));
        mentions.note(&function.result);
        mentions
    }

    fn note_type(&mut self, ty: &'a TypeExpr) {
        match &ty.kind {
            TypeKind::Real(extents) => extents.iter().for_each(|extent| self.note(extent)),
            TypeKind::Index(bound) => self.note(bound),
        }
    }

    fn note(&mut self, expr: &'a Expr) {
        match &expr.kind {
            ExprKind::Name(name) => drop(self.names.insert(name)),
            ExprKind::Next(state) => drop(self.nexts.insert(state.text.clone())),
            ExprKind::Call { function, .. } => {
                self.calls.entry(&function.text).or_insert(function.span);
            }
            _ => {}
        }
        expr.parts().into_iter().for_each(|part| self.note(part));
    }

    /// Warns of names that are not among these, and of values named like functions that are.
    fn judge(&self, what: &str, name: &Name, doubts: &mut Vec<Diagnostic>) {
        if name.text.starts_with('_') {
            return;
        }
        if !self.names.contains(name.text.as_str()) {
            doubts.push(errors::unused(what, name));
        } else if let Some(call) = self.calls.get(name.text.as_str()) {
            doubts.push(errors::shadowed(name, *call));
        }
    }
}

/// The states whose next value an output is made of, at the same step or a later one.
///
/// The text says it, not the graph: there a next value that is no more than a name for another has no
/// place of its own.
pub(super) fn live_nexts(cell: &Cell) -> BTreeSet<String> {
    let mut live = Mentions::default();
    let mut states = BTreeSet::new();
    for item in &cell.items {
        match item {
            Item::Declaration(declaration) if declaration.kind == Kind::State => {
                states.extend(declaration.names.iter().map(|name| name.text.as_str()));
            }
            Item::Output { value: Some(value), .. } => live.note(value),
            Item::Output { name, value: None } if states.contains(name.text.as_str()) => {
                live.nexts.insert(name.text.clone());
            }
            Item::Output { name, value: None } => drop(live.names.insert(&name.text)),
            Item::Declaration(_) | Item::Hyper(_) | Item::Definition { .. } | Item::Next { .. } => {
            }
        }
    }
    loop {
        let known = (live.names.len(), live.nexts.len());
        for item in &cell.items {
            match item {
                Item::Definition { name, value } if live.names.contains(name.text.as_str()) => {
                    live.note(value);
                }
                // The state itself, at a later step.
                Item::Next { state, value, .. }
                    if live.nexts.contains(&state.text)
                        || live.names.contains(state.text.as_str()) =>
                {
                    live.note(value);
                }
                _ => {}
            }
        }
        if known == (live.names.len(), live.nexts.len()) {
            return live.nexts;
        }
    }
}

/// The warnings of the file that the cell stands in.
pub(super) fn warnings(globals: &Globals<'_>) -> Vec<Diagnostic> {
    let file = globals.unit.root();
    let mut doubts = Vec::new();
    let Some(cell) = &file.cell else { return doubts };
    let of_cell = Mentions::of_cell(cell);
    for dim in &cell.dims {
        of_cell.judge("dimension", &dim.name, &mut doubts);
    }
    for item in &cell.items {
        match item {
            Item::Declaration(declaration) => {
                let what = match declaration.kind {
                    Kind::Input => "input",
                    Kind::Param => "parameter",
                    // What becomes of states is another matter.
                    Kind::State => continue,
                };
                declaration.names.iter().for_each(|name| of_cell.judge(what, name, &mut doubts));
            }
            Item::Hyper(hyper) => of_cell.judge("hyper-parameter", &hyper.name, &mut doubts),
            Item::Definition { name, .. } => of_cell.judge("definition", name, &mut doubts),
            Item::Next { .. } | Item::Output { .. } => {}
        }
    }
    let of_functions: Vec<_> = file.functions.iter().map(Mentions::of_function).collect();
    for (function, mentions) in file.functions.iter().zip(&of_functions) {
        for parameter in &function.parameters {
            mentions.judge("parameter", &parameter.name, &mut doubts);
        }
        for (name, _) in &function.definitions {
            mentions.judge("definition", name, &mut doubts);
        }
    }
    doubts.extend(of_file(file, &of_cell, &of_functions));
    doubts
}

/// Imports, constants and functions that neither the cell nor another function uses.
fn of_file(file: &File, of_cell: &Mentions<'_>, of_functions: &[Mentions<'_>]) -> Vec<Diagnostic> {
    let mut of_constants = Mentions::default();
    file.constants.iter().for_each(|constant| of_constants.note(&constant.value));
    let is_used = |name: &Name, own: Option<usize>| {
        let others = of_functions.iter().enumerate().filter(|(i, _)| Some(*i) != own);
        let mut all = others.map(|(_, mentions)| mentions).chain([of_cell, &of_constants]);
        let text = name.text.as_str();
        text.starts_with('_')
            || all.any(|part| part.names.contains(text) || part.calls.contains_key(text))
    };
    let imports = file.uses.iter().flat_map(|import| &import.names);
    let imports = imports.filter(|name| !is_used(name, None)).map(|n| errors::unused("import", n));
    let constants = file.constants.iter().map(|constant| &constant.name);
    let constants =
        constants.filter(|name| !is_used(name, None)).map(|n| errors::unused("constant", n));
    let functions = file.functions.iter().map(|function| &function.name).enumerate();
    let functions = functions
        .filter(|(i, name)| !is_used(name, Some(*i)))
        .map(|(_, name)| errors::unused("function", name));
    imports.chain(constants).chain(functions).collect()
}
