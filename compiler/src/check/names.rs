//! What names stand for, and what an unknown one was meant to be.

use super::value::Value;
use super::{Checker, errors};
use crate::diagnostic::Span;
use crate::syntax::ast::{Expr, Item, Kind, Name};

/// What a name was introduced as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Dimension,
    Declared(Kind),
    Definition,
    /// Of the file, or imported.
    Constant,
    Hyper,
    /// Of a function.
    Parameter,
}

impl Origin {
    pub(super) fn describe(self) -> &'static str {
        match self {
            Self::Dimension => "a dimension",
            Self::Declared(Kind::Input) => "an input",
            Self::Declared(Kind::State) => "a state",
            Self::Declared(Kind::Param) => "a parameter",
            Self::Definition => "defined above",
            Self::Constant => "a constant",
            Self::Hyper => "a hyper-parameter",
            Self::Parameter => "a parameter of the function",
        }
    }
}

/// What a name stands for.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) origin: Origin,
    /// Where it is introduced.
    pub(super) span: Span,
    /// Its value; poison if its definition is at fault.
    pub(super) value: Option<Value>,
    /// Its number, if it is a constant or a hyper-parameter that is not at fault, or a parameter of
    /// a function whose argument is a constant expression.
    pub(super) number: Option<f64>,
}

impl Entry {
    pub(super) fn new(origin: Origin, span: Span, value: Option<Value>) -> Self {
        Self { origin, span, value, number: None }
    }
}

impl<'a> Checker<'a> {
    /// Introduces a name; says whether it was free.
    pub(super) fn define(&mut self, name: &Name, origin: Origin, value: Option<Value>) -> bool {
        if let Some(first) = &self.lookup(&name.text) {
            if origin == Origin::Definition && first.origin == Origin::Declared(Kind::State) {
                self.assigned.insert(name.text.clone());
            }
            let fault = errors::second_definition(name, origin, first);
            self.faults.push(fault);
            self.poison(name, origin, first);
            return false;
        }
        self.scope.insert(name.text.clone(), Entry::new(origin, name.span, value));
        true
    }

    /// Takes its value from a name that stands for two: which of them a use means is not known. A
    /// dimension stays one, and so does a state that `next` was forgotten for.
    fn poison(&mut self, name: &Name, second: Origin, first: &Entry) {
        let state = Origin::Declared(Kind::State);
        let origin = match (first.origin, second) {
            (Origin::Dimension, _) => return,
            (first, Origin::Definition) if first == state => return,
            // Its `next` is no fault.
            (_, second) if second == state => second,
            (first, _) => first,
        };
        self.scope.insert(name.text.clone(), Entry::new(origin, first.span, None));
    }

    /// What a name stands for: in the cell or the function that is checked, or in its file.
    pub(super) fn lookup(&self, name: &str) -> Option<Entry> {
        let constant = || {
            let constant = self.globals.scopes[self.file].constants.get(name)?;
            let entry = Entry::new(Origin::Constant, constant.span, None);
            Some(Entry { number: constant.value, ..entry })
        };
        self.scope.get(name).cloned().or_else(constant)
    }

    /// The value of a name, or of a dimension as a number.
    pub(super) fn name(&mut self, name: &str, span: Span) -> Option<Value> {
        match self.lookup(name) {
            Some(Entry { origin: Origin::Constant | Origin::Hyper, number, .. }) => {
                self.constant(number?, span)
            }
            Some(Entry { origin: Origin::Dimension, .. }) => {
                let (_, size) = self.dims.iter().find(|(dim, _)| dim == name)?;
                #[allow(clippy::cast_precision_loss, reason = "sizes are far below 2^53")]
                let number = *size as f64;
                self.constant(number, span)
            }
            Some(entry) => entry.value,
            None => self.unknown_name(name, span),
        }
    }

    /// The new value of a state.
    pub(super) fn next_value(&mut self, state: &Name) -> Option<Value> {
        if let Some((_, value)) = self.nexts.get(&state.text) {
            return value.clone();
        }
        let later = self.later(|item| match item {
            Item::Next { keyword, state: other, value } if other.text == state.text => {
                Some((keyword.to(other.span), value))
            }
            _ => None,
        });
        match &self.lookup(&state.text) {
            Some(Entry { origin: Origin::Declared(Kind::State), .. }) => {
                // If the state was assigned to by mistake, it is known what is missing.
                if self.assigned.contains(&state.text) {
                    return None;
                }
                self.fault(errors::early_next(state, later))
            }
            Some(entry) => {
                let fault = errors::next_of_other(state, entry);
                self.fault(fault)
            }
            None => self.unknown_state(state),
        }
    }

    /// A state that is not declared, reported once.
    pub(super) fn unknown_state<T>(&mut self, state: &Name) -> Option<T> {
        if !self.unknown.insert(state.text.clone()) {
            return None;
        }
        let states = self.states.iter().map(|state| state.text.as_str());
        let fault = errors::unknown_state(state, states);
        self.fault(fault)
    }

    /// Every name that stands for something.
    pub(super) fn known(&self) -> impl Iterator<Item = &str> {
        let constants = self.globals.scopes[self.file].constants.keys();
        self.scope.keys().chain(constants).map(String::as_str)
    }

    /// Searches the whole cell, of which only what is above has been checked.
    fn later<T>(&self, place: impl Fn(&'a Item) -> Option<T>) -> Option<T> {
        self.cell.items.iter().find_map(place)
    }

    fn unknown_name<T>(&mut self, name: &str, span: Span) -> Option<T> {
        if !self.unknown.insert(name.to_owned()) {
            return None;
        }
        let later = self.later(|item| match item {
            Item::Definition { name: other, value } if other.text == name => {
                Some((other.span, Some(value)))
            }
            Item::Hyper(hyper) if hyper.name.text == name => {
                Some((hyper.name.span, Some(&hyper.value)))
            }
            Item::Declaration(declaration) => {
                let other = declaration.names.iter().find(|other| other.text == name)?;
                Some((other.span, None))
            }
            _ => None,
        });
        if let Some((later, value)) = later {
            return self.fault(errors::early_use(name, span, later, value));
        }
        if let Some((output, _)) = self.outputs.iter().find(|(output, _)| output.text == name) {
            let fault = errors::output_as_value(name, span, output.span);
            return self.fault(fault);
        }
        if let Some(function) = self.globals.find_function(self.file, name) {
            let fault = errors::function_as_value(name, span, function);
            return self.fault(fault);
        }
        let fault = errors::unknown_name(name, span, self.known());
        self.fault(fault)
    }

    /// The poison value of an output that names nothing.
    pub(super) fn unknown_output(&mut self, name: &Name) -> Option<Value> {
        if self.later_definition(&name.text).is_some() {
            return self.unknown_name(&name.text, name.span);
        }
        let fault = errors::unknown_output(name, self.known());
        self.fault(fault)
    }

    /// Where a name that is not known yet becomes that of a dimension or a hyper-parameter, and what
    /// that is made of.
    pub(super) fn later_number(&self, name: &str) -> Option<(Span, Option<&'a Expr>)> {
        let dims = self.cell.dims.iter().map(|dim| (&dim.name, dim.default.as_ref()));
        let hypers = self.cell.hypers().map(|hyper| (&hyper.name, Some(&hyper.value)));
        let (found, value) = dims.chain(hypers).find(|(other, _)| other.text == name)?;
        Some((found.span, value))
    }

    /// What a name that is not known yet becomes, if that is a value of the running cell.
    pub(super) fn later_value(&self, name: &str) -> Option<Entry> {
        let (origin, span) = self.later(|item| match item {
            Item::Definition { name: other, .. } if other.text == name => {
                Some((Origin::Definition, other.span))
            }
            Item::Declaration(declaration) => {
                let other = declaration.names.iter().find(|other| other.text == name)?;
                Some((Origin::Declared(declaration.kind), other.span))
            }
            _ => None,
        })?;
        Some(Entry::new(origin, span, None))
    }

    fn later_definition(&self, name: &str) -> Option<Span> {
        self.later(|item| match item {
            Item::Definition { name: other, .. } if other.text == name => Some(other.span),
            _ => None,
        })
    }
}
