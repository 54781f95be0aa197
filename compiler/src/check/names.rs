//! What names stand for, and what an unknown one was meant to be.

use super::value::Value;
use super::{Checker, errors};
use crate::diagnostic::Span;
use crate::syntax::ast::{Item, Kind, Name};

/// What a name was introduced as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Dimension,
    Declared(Kind),
    Definition,
}

impl Origin {
    pub(super) fn describe(self) -> &'static str {
        match self {
            Self::Dimension => "a dimension",
            Self::Declared(Kind::Input) => "an input",
            Self::Declared(Kind::State) => "a state",
            Self::Declared(Kind::Param) => "a parameter",
            Self::Definition => "defined above",
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
}

impl Checker<'_> {
    /// Introduces a name; says whether it was free.
    pub(super) fn define(&mut self, name: &Name, origin: Origin, value: Option<Value>) -> bool {
        if let Some(first) = self.scope.get(&name.text) {
            if origin == Origin::Definition && first.origin == Origin::Declared(Kind::State) {
                self.assigned.insert(name.text.clone());
            }
            let fault = errors::second_definition(name, origin, first);
            self.faults.push(fault);
            return false;
        }
        self.scope.insert(name.text.clone(), Entry { origin, span: name.span, value });
        true
    }

    /// The value of a name, or of a dimension as a number.
    pub(super) fn name(&mut self, name: &str, span: Span) -> Option<Value> {
        match self.scope.get(name) {
            Some(Entry { origin: Origin::Dimension, .. }) => {
                let (_, size) = self.dims.iter().find(|(dim, _)| dim == name)?;
                #[allow(clippy::cast_precision_loss, reason = "sizes are far below 2^53")]
                let number = *size as f64;
                self.constant(number, span)
            }
            Some(entry) => entry.value.clone(),
            None => self.unknown_name(name, span),
        }
    }

    /// The new value of a state.
    pub(super) fn next_value(&mut self, state: &Name) -> Option<Value> {
        if let Some((_, value)) = self.nexts.get(&state.text) {
            return value.clone();
        }
        let later = self.later(|item| match item {
            Item::Next { keyword, state: other, .. } if other.text == state.text => {
                Some(keyword.to(other.span))
            }
            _ => None,
        });
        match self.scope.get(&state.text) {
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

    fn later(&self, place: impl Fn(&Item) -> Option<Span>) -> Option<Span> {
        self.cell.items.iter().find_map(place)
    }

    fn unknown_name<T>(&mut self, name: &str, span: Span) -> Option<T> {
        if !self.unknown.insert(name.to_owned()) {
            return None;
        }
        let later = self.later(|item| match item {
            Item::Definition { name: other, .. } if other.text == name => Some(other.span),
            Item::Declaration(declaration) => {
                declaration.names.iter().find(|other| other.text == name).map(|other| other.span)
            }
            _ => None,
        });
        if let Some(later) = later {
            return self.fault(errors::early_use(name, span, later));
        }
        if let Some((output, _)) = self.outputs.iter().find(|(output, _)| output.text == name) {
            let fault = errors::output_as_value(name, span, output.span);
            return self.fault(fault);
        }
        let known = self.scope.keys().map(String::as_str);
        let fault = errors::unknown_name(name, span, known);
        self.fault(fault)
    }

    /// The poison value of an output that names nothing.
    pub(super) fn unknown_output(&mut self, name: &Name) -> Option<Value> {
        if self.later_definition(&name.text).is_some() {
            return self.unknown_name(&name.text, name.span);
        }
        let known = self.scope.keys().map(String::as_str);
        let fault = errors::unknown_output(name, known);
        self.fault(fault)
    }

    fn later_definition(&self, name: &str) -> Option<Span> {
        self.later(|item| match item {
            Item::Definition { name: other, .. } if other.text == name => Some(other.span),
            _ => None,
        })
    }
}
