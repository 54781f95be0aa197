//! From the tree of a cell's text to a graph with known shapes.
//!
//! Each expression becomes values of the graph, or `None` where a fault was reported; what is
//! computed from `None` is `None` without a further word, so that only independent faults are
//! reported. The graph may hold values that nothing uses.
//!
//! `globals` brings together what the files of a unit define and import, and `bodies` checks their
//! functions without shapes. Then comes the cell, statement by statement: `inline` puts the body of a
//! function in place of each call. `warnings`, `unused`, `divisors` and `comments` look at what is not wrong and
//! yet likely not meant.

mod activations;
mod arrays;
mod bodies;
mod comments;
mod constants;
mod declarations;
mod dims;
mod divisors;
mod errors;
mod expressions;
mod functions;
mod globals;
mod indexing;
mod inline;
mod inspect;
mod names;
mod operators;
mod reductions;
mod unused;
mod value;
mod warnings;

use std::collections::{BTreeMap, BTreeSet};

use self::globals::Globals;
use self::names::{Entry, Origin};
use self::value::{Extents, Value};
use crate::cell::{Cell, Initializer};
use crate::diagnostic::{Diagnostic, Span};
use crate::ir::graph::{Graph, OutputRole, ValueId};
use crate::ir::op::{MAX_ELEMENTS, Op};
use crate::syntax::ast::{self, Expr, Item, Kind, Name};
use crate::unit::Unit;

pub use self::constants::initializers;
pub use self::dims::default_dims;
pub use self::functions::functions;
pub use self::inspect::{Inspection, NamedValue, inspect};

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
    /// Where each value of the cell's graph is written, by its number; of no meaning for arguments.
    pub spans: Vec<Span>,
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
    Checker::of_cell(cell, &globals, bindings, faults).finish()
}

/// Checks the functions and constants of a unit, as far as that goes without a call: what there is to check of
/// a library.
///
/// # Errors
/// Everything that is wrong with them, in the order of the texts.
pub fn check_library(unit: &Unit) -> Result<(), Vec<Diagnostic>> {
    let mut faults = Vec::new();
    Globals::new(unit, &mut faults);
    if faults.is_empty() {
        return Ok(());
    }
    faults.sort_by_key(|fault| fault.primary.span);
    Err(faults)
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
    /// Where each value of the graph is written; of no meaning for arguments.
    spans: Vec<Span>,
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

impl<'a> Checker<'a> {
    /// Checks all statements of a cell; what is left is to [`finish`](Self::finish).
    fn of_cell(
        cell: &'a ast::Cell,
        globals: &'a Globals<'a>,
        bindings: &Bindings,
        faults: Vec<Diagnostic>,
    ) -> Self {
        let mut checker = Checker {
            cell,
            globals,
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
            spans: Vec::new(),
            faults,
            warnings: Vec::new(),
        };
        checker.bind_dims(&bindings.dims);
        checker.known_hypers(&bindings.hypers);
        for item in &cell.items {
            checker.item(item, bindings);
        }
        checker
    }

    /// Reports a fault; the poison value is for the caller to return.
    fn fault<T>(&mut self, fault: Diagnostic) -> Option<T> {
        self.faults.push(fault);
        None
    }

    /// Appends an operation whose operands are checked.
    fn emit(&mut self, op: Op, operands: &[ValueId], span: Span) -> Option<ValueId> {
        match self.graph.push(op, operands) {
            Ok(id) => {
                // Arguments are appended elsewhere, and get a place of no meaning.
                self.spans.resize(self.graph.len(), span);
                Some(id)
            }
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
        let Self { graph, dims, hypers, initializers, mut spans, .. } = self;
        spans.resize(graph.len(), Span::default());
        Ok(Checked { cell: Cell { graph, dims, hypers, initializers, initial }, spans, warnings })
    }
}
