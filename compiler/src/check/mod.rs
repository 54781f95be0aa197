//! From the tree of a cell's text to a graph with known shapes.
//!
//! Each expression becomes values of the graph, or `None` where a fault was reported; what is
//! computed from `None` is `None` without a further word, so that only independent faults are
//! reported. The graph may hold values that nothing uses.
//!
//! `globals` brings together what the files of a unit define and import, and `bodies` checks their
//! functions without shapes. Then comes the cell, statement by statement: `inline` puts the body of a
//! function in place of each call. `warnings`, `unused` and `divisors` look at what is not wrong and
//! yet likely not meant.

mod bodies;
mod constants;
mod dims;
mod divisors;
mod errors;
mod expressions;
mod functions;
mod globals;
mod indexing;
mod inline;
mod names;
mod operators;
mod unused;
mod value;
mod warnings;

use std::collections::{BTreeMap, BTreeSet};

use self::globals::Globals;
use self::names::{Entry, Origin};
use self::value::{Extents, Value};
use crate::cell::{Cell, Initial, Initializer};
use crate::diagnostic::{Diagnostic, Span};
use crate::ir::graph::{Graph, OutputRole, ValueId};
use crate::ir::op::{MAX_ELEMENTS, Op, Role, Type};
use crate::syntax::ast::{self, Declaration, Expr, Item, Kind, Name, TypeKind};
use crate::unit::Unit;

pub use self::dims::default_dims;

/// What a cell is compiled with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bindings {
    /// The sizes of its dimensions: all that have no default.
    pub dims: Vec<(String, usize)>,
    /// The values of hyper-parameters that are not to have their defaults.
    pub hypers: Vec<(String, f64)>,
}

/// What checking makes of a cell.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The cell.
    pub cell: Cell,
    /// What has a meaning, but perhaps not the intended one, in the order of the text.
    pub warnings: Vec<Diagnostic>,
}

/// Checks the cell of a file that imports nothing, with its dimensions bound to sizes, and builds its
/// graph.
///
/// # Errors
/// As [`check_unit`]; an import is a fault.
pub fn check(file: &ast::File, dims: &[(String, usize)]) -> Result<Cell, Vec<Diagnostic>> {
    let bindings = Bindings { dims: dims.to_vec(), hypers: Vec::new() };
    check_unit(&Unit::of_file(file)?, &bindings).map(|checked| checked.cell)
}

/// Checks the cell of a unit with its dimensions bound to sizes, and builds its graph. All functions
/// of the unit are checked as well, as far as that goes without a call.
///
/// The graph holds the cell's inputs, states and parameters in the order of their declaration. Its
/// results are the next values, in the order of the states, and then the outputs, in theirs.
///
/// # Errors
/// Everything that is wrong with the cell, what it imports or the bindings, in the order of the
/// texts.
pub fn check_unit(unit: &Unit, bindings: &Bindings) -> Result<Checked, Vec<Diagnostic>> {
    let mut faults = Vec::new();
    let globals = Globals::new(unit, &mut faults);
    let Some(cell) = &unit.root().cell else {
        let functions = &unit.root().functions;
        let first = functions.first().map(|function| function.name.span);
        faults.insert(0, errors::library_as_cell(first.unwrap_or_default(), functions));
        return Err(faults);
    };
    let mut checker = Checker {
        cell,
        globals: &globals,
        file: 0,
        dims: Vec::new(),
        graph: Graph::new(&cell.name.text),
        scope: BTreeMap::new(),
        states: Vec::new(),
        begins: Vec::new(),
        nexts: BTreeMap::new(),
        assigned: BTreeSet::new(),
        outputs: Vec::new(),
        hypers: Vec::new(),
        initializers: Vec::new(),
        unknown: BTreeSet::new(),
        calls: 0,
        faults,
        warnings: Vec::new(),
    };
    checker.bind_dims(&bindings.dims);
    checker.known_hypers(&bindings.hypers);
    for item in &cell.items {
        checker.item(item, bindings);
    }
    checker.finish()
}

struct Checker<'a> {
    cell: &'a ast::Cell,
    globals: &'a Globals<'a>,
    /// The file of the cell, or of the function whose call is checked; `dims` and `scope` are of
    /// these too.
    file: usize,
    dims: Vec<(String, usize)>,
    graph: Graph,
    scope: BTreeMap<String, Entry>,
    /// In the order of their declaration.
    states: Vec<Name>,
    /// Where each state begins.
    begins: Vec<Begin>,
    /// The new value of each state, and where it is defined.
    nexts: BTreeMap<String, (Span, Option<Value>)>,
    /// States defined by `=` without `next`, which is reported there.
    assigned: BTreeSet<String>,
    /// `None` is the new value of the state of that name, which may be defined further on.
    outputs: Vec<(Name, Option<Value>)>,
    hypers: Vec<(String, f64)>,
    initializers: Vec<Initializer>,
    /// Names reported as unknown.
    unknown: BTreeSet<String>,
    /// How many calls were put in place.
    calls: usize,
    faults: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
}

/// Where a state begins.
#[derive(Clone, Debug)]
enum Begin {
    Number(f64),
    /// At a parameter, which may be declared further on. The extents are the state's.
    Named(Name, Extents),
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

    fn item(&mut self, item: &Item, bindings: &Bindings) {
        match item {
            Item::Declaration(declaration) => self.declaration(declaration),
            Item::Hyper(hyper) => self.hyper(hyper, &bindings.hypers),
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

    /// Reports settings of what is no hyper-parameter.
    fn known_hypers(&mut self, settings: &[(String, f64)]) {
        let hypers = self.cell.items.iter().filter_map(|item| match item {
            Item::Hyper(hyper) => Some(hyper.name.text.as_str()),
            _ => None,
        });
        let hypers: Vec<_> = hypers.collect();
        for (i, (name, _)) in settings.iter().enumerate() {
            if !hypers.contains(&name.as_str()) {
                self.faults.push(errors::unknown_hyper(name, &self.cell.name, &hypers));
            } else if settings[..i].iter().any(|(other, _)| other == name) {
                self.faults.push(errors::second_setting(name, &self.cell.name));
            }
        }
    }

    fn hyper(&mut self, hyper: &ast::Constant, settings: &[(String, f64)]) {
        let ast::Constant { name, value } = hyper;
        let default = self.number(value);
        let set = settings.iter().find(|(other, _)| *other == name.text).map(|(_, number)| *number);
        let number = match set {
            Some(number) if !number.is_finite() => {
                self.fault(errors::hyper_not_finite(name, number))
            }
            Some(number) => Some(number),
            None => default,
        };
        if self.define(name, Origin::Hyper, None)
            && let Some(entry) = self.scope.get_mut(&name.text)
        {
            entry.number = number;
            self.hypers.extend(number.map(|number| (name.text.clone(), number)));
        }
    }

    /// Where the states of a declaration begin.
    fn begin(&mut self, initializer: Option<&ast::Initializer>, extents: &Extents) -> Begin {
        let Some(ast::Initializer::Constant(expr)) = initializer else { return Begin::Number(0.0) };
        match expr.as_name() {
            Some(text) if !self.is_number(text) => {
                Begin::Named(Name { text: text.to_owned(), span: expr.span }, extents.clone())
            }
            _ => Begin::Number(self.number(expr).unwrap_or(0.0)),
        }
    }

    /// Whether a name is that of a number known before the cell runs.
    fn is_number(&self, name: &str) -> bool {
        let origins = [Origin::Constant, Origin::Hyper, Origin::Dimension];
        self.lookup(name).is_some_and(|entry| origins.contains(&entry.origin))
    }

    /// Where a state begins, now that all parameters are declared.
    fn initial(&mut self, state: &Name, begin: &Begin) -> Initial {
        let (name, extents) = match begin {
            Begin::Number(number) => return Initial::Constant(*number),
            Begin::Named(name, extents) => (name, extents),
        };
        let params: Vec<_> =
            self.graph.arguments_of(Role::Param).map(|(_, name)| name.to_owned()).collect();
        let fault = match self.lookup(&name.text) {
            Some(Entry { origin: Origin::Declared(Kind::Param), value, span, .. }) => {
                let number = params.iter().position(|param| *param == name.text);
                match (value, number) {
                    (Some(value), Some(number)) if value.extents.same(extents) => {
                        return Initial::Param(number);
                    }
                    (Some(value), _) => {
                        errors::initial_of_other_shape(state, extents, name, &value, span)
                    }
                    (None, _) => return Initial::ZERO,
                }
            }
            Some(entry) => errors::initial_of_other(name, &entry),
            None if !self.unknown.insert(name.text.clone()) => return Initial::ZERO,
            None => errors::unknown_initial(name, params.iter().map(String::as_str)),
        };
        self.faults.push(fault);
        Initial::ZERO
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
        let shape = checked.as_ref().map(|(extents, _)| extents.clone());
        let begin = match (kind, &shape) {
            (Kind::State, Some(extents)) => self.begin(declaration.initializer.as_ref(), extents),
            _ => Begin::Number(0.0),
        };
        if let (Kind::Param, Some(extents)) = (kind, shape) {
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
                self.begins.push(begin.clone());
            }
        }
    }

    fn next(&mut self, target: Span, state: &Name, expr: &Expr, value: Option<Value>) {
        let declared = match &self.lookup(&state.text) {
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
        let value = match (expr, &self.lookup(&name.text)) {
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
                // A number known before the cell runs is made where it is used.
                None => self.name(&name.text, name.span),
            },
            (None, None) => self.unknown_output(name),
        };
        // A poison value's place is taken by any other: its fault keeps the graph from being used.
        let value = value.or_else(|| self.constant(0.0, name.span));
        self.outputs.push((name.clone(), value));
    }

    fn finish(mut self) -> Result<Checked, Vec<Diagnostic>> {
        for state in &self.states {
            if !self.nexts.contains_key(&state.text) && !self.assigned.contains(&state.text) {
                self.faults.push(errors::state_without_next(state));
            }
        }
        if self.outputs.is_empty() {
            let state = self.states.first().map(|state| state.text.as_str());
            self.faults.push(errors::no_output(&self.cell.name, state));
        }
        let begins: Vec<_> = self.states.iter().cloned().zip(self.begins.clone()).collect();
        let initial = begins.iter().map(|(state, begin)| self.initial(state, begin)).collect();
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
        let mut warnings = std::mem::take(&mut self.warnings);
        warnings.extend(self.doubts());
        warnings.sort_by_key(|warning| warning.primary.span);
        let Self { graph, dims, hypers, initializers, .. } = self;
        Ok(Checked { cell: Cell { graph, dims, hypers, initializers, initial }, warnings })
    }
}
