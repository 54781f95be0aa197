//! Inputs, states, parameters and hyper-parameters.

use super::names::{Entry, Origin};
use super::value::{Extents, Value};
use super::{Begin, Checker, errors};
use crate::cell::{Initial, Initializer};
use crate::diagnostic::{Diagnostic, Span};
use crate::ir::op::{Role, Type};
use crate::syntax::ast::{self, Declaration, ExprKind, Kind, Name, TypeKind};

impl Checker<'_> {
    /// Reports settings of what is no hyper-parameter.
    pub(super) fn known_hypers(&mut self, settings: &[(String, f64)]) {
        let hypers: Vec<_> = self.cell.hypers().map(|hyper| hyper.name.text.as_str()).collect();
        for (i, (name, _)) in settings.iter().enumerate() {
            if !hypers.contains(&name.as_str()) {
                self.faults.push(errors::unknown_hyper(name, &self.cell.name, &hypers));
            } else if settings[..i].iter().any(|(other, _)| other == name) {
                self.faults.push(errors::second_setting(name, &self.cell.name));
            }
        }
    }

    pub(super) fn hyper(&mut self, hyper: &ast::Constant, settings: &[(String, f64)]) {
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
            _ => Begin::Number(self.initial_number(expr).unwrap_or(0.0)),
        }
    }

    /// Whether a name is that of a number known before the cell runs.
    pub(super) fn is_number(&self, name: &str) -> bool {
        let origins = [Origin::Constant, Origin::Hyper, Origin::Dimension];
        self.lookup(name).is_some_and(|entry| origins.contains(&entry.origin))
    }

    /// Where a state begins, now that all parameters are declared.
    pub(super) fn initial(&mut self, state: &Name, begin: &Begin) -> Initial {
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

    /// The fault of `= normal(0.1)` or `= zeros`, which is how other systems write it.
    fn foreign_initializer(&self, declaration: &Declaration) -> Option<Diagnostic> {
        let Some(ast::Initializer::Constant(value)) = &declaration.initializer else { return None };
        let name = match &value.kind {
            ExprKind::Call { function, .. } => &function.text,
            ExprKind::Name(name) => name,
            _ => return None,
        };
        // What has a meaning here is that.
        let is_own = self.lookup(name).is_some() || self.later_value(name).is_some();
        if is_own || self.later_number(name).is_some() {
            return None;
        }
        let equals = Span { start: declaration.ty.span.end, ..value.span.before() };
        errors::initializer_after_equals(name, declaration.kind, equals, value.span)
    }

    pub(super) fn declaration(&mut self, declaration: &Declaration) {
        let (kind, ty) = (declaration.kind, &declaration.ty);
        let checked = match &ty.kind {
            TypeKind::Real(extents) => self.shape(extents, ty.span).map(|extents| (extents, None)),
            TypeKind::Index(bound) if kind == Kind::Input => {
                self.extent(bound).map(|bound| (Extents::default(), Some(bound)))
            }
            TypeKind::Index(_) => self.fault(errors::index_not_input(kind, ty.span)),
        };
        let shape = checked.as_ref().map(|(extents, _)| extents.clone());
        let foreign = self.foreign_initializer(declaration);
        let initializer = declaration.initializer.as_ref().filter(|_| foreign.is_none());
        self.faults.extend(foreign);
        let begin = match (kind, &shape) {
            (Kind::State, Some(extents)) => self.begin(initializer, extents),
            _ => Begin::Number(0.0),
        };
        if let (Kind::Param, Some(extents)) = (kind, shape) {
            let initializer = self.initializer(initializer, &extents);
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
}
