//! From the tree of a cell's text to a graph with known shapes.
//!
//! Each expression becomes values of the graph, or `None` where a fault was reported; what is
//! computed from `None` is `None` without a further word, so that only independent faults are
//! reported. The graph may hold values that nothing uses.

mod activations;
mod arrays;
mod constants;
mod dims;
mod errors;
mod expressions;
mod functions;
mod indexing;
mod names;
mod operators;
mod reductions;
mod value;

use std::collections::{BTreeMap, BTreeSet};

use self::names::{Entry, Origin};
use self::value::{Extents, Value};
use crate::cell::{Cell, Initializer};
use crate::diagnostic::{Diagnostic, Span};
use crate::ir::graph::{Graph, OutputRole, ValueId};
use crate::ir::op::{MAX_ELEMENTS, Op, Role, Type};
use crate::syntax::ast::{self, Declaration, Expr, Item, Kind, Name, TypeKind};

pub use self::dims::default_dims;

/// Checks a cell with its dimensions bound to sizes, and builds its graph.
///
/// The graph holds the cell's inputs, states and parameters in the order of their declaration. Its
/// results are the next values, in the order of the states, and then the outputs, in theirs.
///
/// # Errors
/// Everything that is wrong with the cell or the bindings, in the order of the text.
pub fn check(cell: &ast::Cell, bindings: &[(String, usize)]) -> Result<Cell, Vec<Diagnostic>> {
    let mut checker = Checker {
        cell,
        dims: Vec::new(),
        graph: Graph::new(&cell.name.text),
        scope: BTreeMap::new(),
        states: Vec::new(),
        nexts: BTreeMap::new(),
        assigned: BTreeSet::new(),
        outputs: Vec::new(),
        initializers: Vec::new(),
        unknown: BTreeSet::new(),
        faults: Vec::new(),
    };
    checker.bind_dims(bindings);
    for item in &cell.items {
        checker.item(item);
    }
    checker.finish()
}

struct Checker<'a> {
    cell: &'a ast::Cell,
    dims: Vec<(String, usize)>,
    graph: Graph,
    scope: BTreeMap<String, Entry>,
    /// In the order of their declaration.
    states: Vec<Name>,
    /// The new value of each state, and where it is defined.
    nexts: BTreeMap<String, (Span, Option<Value>)>,
    /// States defined by `=` without `next`, which is reported there.
    assigned: BTreeSet<String>,
    /// `None` is the new value of the state of that name, which may be defined further on.
    outputs: Vec<(Name, Option<Value>)>,
    initializers: Vec<Initializer>,
    /// Names reported as unknown.
    unknown: BTreeSet<String>,
    faults: Vec<Diagnostic>,
}

impl Checker<'_> {
    /// Reports a fault; the poison value is for the caller to return.
    fn fault<T>(&mut self, fault: Diagnostic) -> Option<T> {
        self.faults.push(fault);
        None
    }

    /// Appends an operation whose operands are checked.
    fn emit(&mut self, op: Op, operands: &[ValueId], span: Span) -> Option<ValueId> {
        match self.graph.push(op, operands) {
            Ok(id) => Some(id),
            Err(error) => self.fault(errors::internal(&error, span)),
        }
    }

    /// The extents, if a value of that shape is not too large to handle.
    fn bounded(&mut self, extents: Extents, span: Span) -> Option<Extents> {
        let sizes = extents.0.iter().map(|extent| extent.size);
        let elements = sizes.into_iter().try_fold(1, usize::checked_mul);
        match elements {
            Some(elements) if elements <= MAX_ELEMENTS => Some(extents),
            _ => self.fault(errors::too_many_elements(&extents, MAX_ELEMENTS, span)),
        }
    }

    fn item(&mut self, item: &Item) {
        match item {
            Item::Declaration(declaration) => self.declaration(declaration),
            Item::Definition { name, value } => {
                let checked = self.expression(value);
                self.define(name, Origin::Definition, checked);
            }
            Item::Next { keyword, state, value } => {
                let checked = self.expression(value);
                self.next(keyword.to(state.span), state, value, checked);
            }
            Item::Output { name, value } => self.output(name, value.as_ref()),
        }
    }

    fn declaration(&mut self, declaration: &Declaration) {
        let (kind, ty) = (declaration.kind, &declaration.ty);
        let checked = match &ty.kind {
            TypeKind::Real(extents) => self.shape(extents, ty.span).map(|extents| (extents, None)),
            TypeKind::Index(bound) if kind == Kind::Input => {
                self.extent(bound).map(|bound| (Extents::default(), Some(bound)))
            }
            TypeKind::Index(_) => self.fault(errors::index_not_input(kind, ty.span)),
        };
        let rank = checked.as_ref().map(|(extents, _)| extents.clone());
        if let (Kind::Param, Some(extents)) = (kind, rank) {
            let initializer = self.initializer(declaration.initializer.as_ref(), &extents);
            let initializer = initializer.unwrap_or(Initializer::Constant(0.0));
            self.initializers.extend(declaration.names.iter().map(|_| initializer));
        }
        for name in &declaration.names {
            let value = checked.as_ref().map(|(extents, bound)| {
                let role = match kind {
                    Kind::Input => Role::Input,
                    Kind::State => Role::State,
                    Kind::Param => Role::Param,
                };
                let ty = match bound {
                    Some(bound) => Type::index(bound.size),
                    None => Type::real(extents.shape()),
                };
                let id = self.graph.argument(role, &name.text, ty);
                Value { bound: bound.clone(), ..Value::real(id, extents.clone()) }
            });
            let is_new = self.define(name, Origin::Declared(kind), value);
            if is_new && kind == Kind::State {
                self.states.push(name.clone());
            }
        }
    }

    fn next(&mut self, target: Span, state: &Name, expr: &Expr, value: Option<Value>) {
        let declared = match self.scope.get(&state.text) {
            Some(Entry { origin: Origin::Declared(Kind::State), value, .. }) => value.clone(),
            Some(entry) => {
                let fault = errors::next_of_other(state, entry);
                self.faults.push(fault);
                return;
            }
            None => {
                let _poison: Option<()> = self.unknown_state(state);
                return;
            }
        };
        if let Some((first, _)) = self.nexts.get(&state.text) {
            let fault = errors::second_next(state, target, *first);
            self.faults.push(fault);
            return;
        }
        let value = match (declared, value) {
            (Some(declared), Some(value)) => {
                if value.bound.is_none() && value.extents.same(&declared.extents) {
                    Some(value)
                } else {
                    let declared_at = self.scope[&state.text].span;
                    let fault =
                        errors::next_of_other_shape(state, &declared, expr, &value, declared_at);
                    self.fault(fault)
                }
            }
            _ => None,
        };
        self.nexts.insert(state.text.clone(), (target, value));
    }

    fn output(&mut self, name: &Name, expr: Option<&Expr>) {
        let first = self.outputs.iter().find(|(other, _)| other.text == name.text);
        if let Some((first, _)) = first {
            let fault = errors::second_output(name, first.span);
            self.faults.push(fault);
            return;
        }
        let value = match (expr, self.scope.get(&name.text)) {
            (Some(expr), _) => self.real(expr),
            (None, Some(Entry { origin: Origin::Declared(Kind::State), .. })) => {
                self.outputs.push((name.clone(), None));
                return;
            }
            (None, Some(entry)) => match entry.value.clone() {
                Some(value) if value.bound.is_some() => {
                    let fault = errors::index_as_output(name);
                    self.fault(fault)
                }
                Some(value) => Some(value),
                // A dimension is a number, made where it is used.
                None => self.name(&name.text, name.span),
            },
            (None, None) => self.unknown_output(name),
        };
        // A poison value's place is taken by any other: its fault keeps the graph from being used.
        let value = value.or_else(|| self.constant(0.0, name.span));
        self.outputs.push((name.clone(), value));
    }

    fn finish(mut self) -> Result<Cell, Vec<Diagnostic>> {
        for state in &self.states {
            if !self.nexts.contains_key(&state.text) && !self.assigned.contains(&state.text) {
                self.faults.push(errors::state_without_next(state));
            }
        }
        if self.outputs.is_empty() {
            let state = self.states.first().map(|state| state.text.as_str());
            self.faults.push(errors::no_output(&self.cell.name, state));
        }
        if !self.faults.is_empty() {
            self.faults.sort_by_key(|fault| fault.primary.span);
            return Err(self.faults);
        }
        let next = |name: &str| self.nexts.get(name).and_then(|(_, value)| value.clone());
        for state in &self.states {
            if let Some(value) = next(&state.text) {
                self.graph.output(OutputRole::Next, &state.text, value.id);
            }
        }
        for (name, value) in &self.outputs {
            if let Some(value) = value.clone().or_else(|| next(&name.text)) {
                self.graph.output(OutputRole::Output, &name.text, value.id);
            }
        }
        Ok(Cell { graph: self.graph, dims: self.dims, initializers: self.initializers })
    }
}
