//! The bodies of functions, checked without the shapes of arguments: names, calls, and that no
//! function calls itself. It is the same for all calls, and for functions that nothing calls.

use std::collections::{BTreeMap, BTreeSet};

use super::errors;
use super::functions::FUNCTIONS;
use super::globals::{FunctionId, Globals};
use crate::diagnostic::{Diagnostic, Span};
use crate::syntax::ast::{Cell, Expr, ExprKind, Function, Item, Name, TypeKind};

/// How high the trees of a function and of the functions it calls may be together: far above need,
/// and far below what exhausts the stack of a thread.
const MAX_HEIGHT: usize = 400;

/// Checks all functions, and gives those that cannot be called.
pub(super) fn check(globals: &Globals<'_>, faults: &mut Vec<Diagnostic>) -> BTreeSet<FunctionId> {
    let mut faulty = BTreeSet::new();
    let mut calls = BTreeMap::new();
    for id in globals.all() {
        let mut body = Body {
            globals,
            id,
            names: BTreeMap::new(),
            reported: BTreeSet::new(),
            calls: Vec::new(),
            faults: Vec::new(),
        };
        body.function(globals.function(id));
        if !body.faults.is_empty() {
            faulty.insert(id);
        }
        faults.append(&mut body.faults);
        calls.insert(id, body.calls);
    }
    let mut order =
        Order { globals, calls: &calls, heights: BTreeMap::new(), open: Vec::new(), faults };
    for id in globals.all() {
        order.visit(id);
    }
    faulty.extend(order.heights.iter().filter(|(_, height)| height.is_none()).map(|(id, _)| *id));
    faulty
}

/// A call in a body: what is called, and where.
type Call = (FunctionId, Span);

/// A body while it is checked.
struct Body<'g, 'a> {
    globals: &'g Globals<'a>,
    id: FunctionId,
    /// Parameters, their dimensions, and what is defined so far.
    names: BTreeMap<&'a str, Span>,
    /// Names reported as unknown.
    reported: BTreeSet<String>,
    calls: Vec<Call>,
    faults: Vec<Diagnostic>,
}

impl<'a> Body<'_, 'a> {
    fn function(&mut self, function: &'a Function) {
        for parameter in &function.parameters {
            self.define(&parameter.name);
        }
        self.patterns(function);
        for (name, value) in &function.definitions {
            self.expression(value, function);
            self.define(name);
        }
        self.expression(&function.result, function);
    }

    fn define(&mut self, name: &'a Name) {
        let constant = self.globals.scopes[self.id.file].constants.get(&name.text);
        let first = self.names.get(name.text.as_str()).copied();
        match first.or(constant.map(|constant| constant.span)) {
            Some(first) => self.faults.push(errors::second_of_function(name, first)),
            None => drop(self.names.insert(&name.text, name.span)),
        }
    }

    /// The dimensions that the types of parameters name, and the expressions made of them.
    fn patterns(&mut self, function: &'a Function) {
        let mut dims: BTreeSet<&str> = BTreeSet::new();
        let patterns = function.parameters.iter().filter_map(|p| p.pattern.as_ref());
        let mut made = Vec::new();
        for pattern in patterns {
            let extents = match &pattern.kind {
                TypeKind::Real(extents) => extents.as_slice(),
                TypeKind::Index(bound) => std::slice::from_ref(&**bound),
            };
            if extents.len() > 2 {
                self.faults.push(errors::rank_too_high(extents.len(), pattern.span));
            }
            for extent in extents {
                match &extent.kind {
                    ExprKind::Name(name) if dims.contains(name.as_str()) => {}
                    ExprKind::Name(name) => {
                        if let Some(first) = self.names.insert(name, extent.span) {
                            let name = Name { text: name.clone(), span: extent.span };
                            self.faults.push(errors::second_of_function(&name, first));
                        }
                        dims.insert(name);
                    }
                    _ => made.push(extent),
                }
            }
        }
        for extent in made {
            self.extent(extent, &dims);
        }
    }

    /// An extent that is made of dimensions.
    fn extent(&mut self, extent: &Expr, dims: &BTreeSet<&str>) {
        match &extent.kind {
            ExprKind::Number { whole: Some(_), .. } => {}
            ExprKind::Name(name) if dims.contains(name.as_str()) => {}
            ExprKind::Name(name) => self.faults.push(errors::pattern_unbound(name, extent.span)),
            ExprKind::Neg(inner) => self.extent(inner, dims),
            ExprKind::Binary { left, right, .. } => {
                self.extent(left, dims);
                self.extent(right, dims);
            }
            _ => self.faults.push(errors::pattern_extent(extent)),
        }
    }

    fn expression(&mut self, expr: &'a Expr, function: &'a Function) {
        match &expr.kind {
            ExprKind::Number { .. } | ExprKind::Error => {}
            ExprKind::Name(name) => self.name(name, expr.span, function),
            ExprKind::Next(state) => self.faults.push(errors::next_in_function(state, expr.span)),
            ExprKind::Call { function: called, arguments } => {
                self.call(called, arguments, expr.span);
            }
            ExprKind::Neg(_)
            | ExprKind::Binary { .. }
            | ExprKind::Index { .. }
            | ExprKind::Slice { .. }
            | ExprKind::Part { .. }
            | ExprKind::Shape(_) => {}
        }
        for part in expr.parts() {
            self.expression(part, function);
        }
    }

    fn name(&mut self, name: &str, span: Span, function: &Function) {
        let scope = &self.globals.scopes[self.id.file];
        if self.names.contains_key(name)
            || scope.constants.contains_key(name)
            || !self.reported.insert(name.to_owned())
        {
            return;
        }
        let later = function.definitions.iter().find(|(other, _)| other.text == name);
        let fault = match (later, self.globals.find_function(self.id.file, name)) {
            (Some((later, value)), _) => errors::early_use(name, span, later.span, Some(value)),
            (None, Some(known)) => errors::function_as_value(name, span, known),
            (None, None) => {
                let cell = self.globals.unit.files[self.id.file].cell.as_ref();
                let of_cell = cell.is_some_and(|cell| introduces(cell, name));
                let known = self.names.keys().copied();
                let known = known.chain(scope.constants.keys().map(String::as_str));
                errors::unknown_in_function(name, span, of_cell, known)
            }
        };
        self.faults.push(fault);
    }

    fn call(&mut self, called: &Name, arguments: &[Expr], span: Span) {
        if let Some(function) = FUNCTIONS.iter().find(|function| function.name == called.text) {
            if !function.takes(arguments.len()) {
                self.faults.push(errors::argument_count(function, arguments.len(), span));
            }
            return;
        }
        let scope = &self.globals.scopes[self.id.file];
        let Some(&id) = scope.functions.get(&called.text) else {
            let is_value = self.names.contains_key(called.text.as_str());
            let own = scope.functions.keys().map(String::as_str);
            self.faults.push(errors::unknown_function(called, is_value, own));
            return;
        };
        // Poison, if its name stands for something else too.
        if self.globals.clashing.contains(&id) {
            return;
        }
        let function = self.globals.function(id);
        if function.parameters.len() != arguments.len() {
            self.faults.push(errors::user_argument_count(function, arguments.len(), span));
        }
        self.calls.push((id, span));
    }
}

/// Whether a cell has a name.
fn introduces(cell: &Cell, name: &str) -> bool {
    let item = |item: &Item| match item {
        Item::Declaration(declaration) => declaration.names.iter().any(|n| n.text == name),
        Item::Hyper(hyper) => hyper.name.text == name,
        Item::Definition { name: other, .. } => other.text == name,
        Item::Next { .. } | Item::Output { .. } => false,
    };
    cell.dims.iter().any(|dim| dim.name.text == name) || cell.items.iter().any(item)
}

/// Functions in the order of their calls.
struct Order<'o, 'a> {
    globals: &'o Globals<'a>,
    calls: &'o BTreeMap<FunctionId, Vec<Call>>,
    /// The height of each function's trees with those of what it calls; `None` if it has no end.
    heights: BTreeMap<FunctionId, Option<usize>>,
    /// The functions whose calls are followed, each with where it is called.
    open: Vec<Call>,
    faults: &'o mut Vec<Diagnostic>,
}

impl Order<'_, '_> {
    fn visit(&mut self, id: FunctionId) -> Option<usize> {
        self.visit_call((id, self.globals.function(id).name.span))
    }

    fn visit_call(&mut self, (id, span): Call) -> Option<usize> {
        if let Some(height) = self.heights.get(&id) {
            return *height;
        }
        if let Some(first) = self.open.iter().position(|(open, _)| *open == id) {
            let circle = &self.open[first..];
            let names: Vec<_> = circle
                .iter()
                .map(|(id, _)| self.globals.function(*id).name.text.as_str())
                .collect();
            let spans = circle[1..].iter().map(|(_, span)| *span).chain([span]);
            self.faults.push(errors::recursive(&names, &spans.collect::<Vec<_>>()));
            return None;
        }
        // Who calls so deep that this walk itself would not end well is stopped here.
        let function = self.globals.function(id);
        if self.open.len() >= MAX_HEIGHT {
            self.faults.push(errors::calls_too_deep(&function.name, MAX_HEIGHT));
            return None;
        }
        self.open.push((id, span));
        let mut below = Some(0);
        for &call in &self.calls[&id] {
            let height = self.visit_call(call);
            below = below.and_then(|below: usize| Some(below.max(height?)));
        }
        self.open.pop();
        let values = function.definitions.iter().map(|(_, value)| value);
        let own = values.chain([&function.result]).map(|value| usize::from(value.height)).max();
        let height = below.map(|below| below + own.unwrap_or(0));
        let height = height.filter(|height| {
            if *height > MAX_HEIGHT {
                self.faults.push(errors::calls_too_deep(&function.name, MAX_HEIGHT));
            }
            *height <= MAX_HEIGHT
        });
        self.heights.insert(id, height);
        height
    }
}
