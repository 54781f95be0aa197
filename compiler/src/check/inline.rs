//! Calls of functions that the text defines: each is checked in place, with a scope of its own.
//!
//! The body was checked for all that does not depend on shapes before, in [`bodies`](super::bodies).

use std::collections::BTreeMap;
use std::mem::replace;

use super::errors::PatternMismatch;
use super::globals::FunctionId;
use super::names::{Entry, Origin};
use super::value::Value;
use super::{Checker, errors};
use crate::diagnostic::{Diagnostic, Span};
use crate::syntax::ast::{Expr, ExprKind, Function, TypeKind};

/// How many calls there may be, those within functions too. What is called twice by what is called
/// twice grows fast.
const MAX_CALLS: usize = 10_000;

/// What names stand for in the body of one call.
#[derive(Default)]
struct Frame<'a> {
    scope: BTreeMap<String, Entry>,
    dims: Vec<(String, usize)>,
    /// Where each dimension was bound: the argument, and the name of its parameter.
    bound: BTreeMap<&'a str, (Span, &'a str)>,
}

impl Checker<'_> {
    /// The value of a call.
    pub(super) fn inline(&mut self, id: FunctionId, list: &[Expr], span: Span) -> Option<Value> {
        let function = self.globals.function(id);
        // Each argument is checked whatever becomes of the others.
        let arguments: Vec<_> = list.iter().map(|argument| self.expression(argument)).collect();
        if self.globals.clashing.contains(&id) {
            return None;
        }
        if function.parameters.len() != list.len() {
            return self.fault(errors::user_argument_count(function, list.len(), span));
        }
        let arguments = arguments.into_iter().collect::<Option<Vec<_>>>()?;
        if self.globals.faulty.contains(&id) {
            return None;
        }
        self.calls += 1;
        if self.calls > MAX_CALLS {
            // Once is enough.
            return match self.calls == MAX_CALLS + 1 {
                true => self.fault(errors::too_many_calls(MAX_CALLS, span)),
                false => None,
            };
        }
        let frame = self.bind(function, list, &arguments, span)?;
        let scope = replace(&mut self.scope, frame.scope);
        let dims = replace(&mut self.dims, frame.dims);
        let file = replace(&mut self.file, id.file);
        let (faults, warnings) = (self.faults.len(), self.warnings.len());
        for (name, value) in &function.definitions {
            let value = self.expression(value);
            self.scope.insert(name.text.clone(), Entry::new(Origin::Definition, name.span, value));
        }
        let result = self.expression(&function.result);
        (self.scope, self.dims, self.file) = (scope, dims, file);
        let call = in_call(function);
        called(&mut self.faults, faults, span, &call);
        if id.file == 0 {
            called(&mut self.warnings, warnings, span, &call);
        } else {
            // Warnings are of the file of the cell: who imports a function cannot mend it.
            self.warnings.truncate(warnings);
        }
        result
    }

    /// Gives parameters their arguments, and the dimensions in their types the extents of these.
    fn bind<'f>(
        &mut self,
        function: &'f Function,
        list: &[Expr],
        arguments: &[Value],
        call: Span,
    ) -> Option<Frame<'f>> {
        let mut frame = Frame::default();
        let mut fits = true;
        for ((parameter, expr), value) in function.parameters.iter().zip(list).zip(arguments) {
            let name = &parameter.name;
            // A constant expression stays one: `bernoulli(rate, [N])` takes no other.
            let number = self.constant_number(expr);
            let entry = Entry::new(Origin::Parameter, name.span, Some(value.clone()));
            let entry = Entry { number, ..entry };
            frame.scope.insert(name.text.clone(), entry);
            let Some(pattern) = &parameter.pattern else { continue };
            let (written, extents) = match &pattern.kind {
                TypeKind::Real(extents) => (shape(extents), extents.as_slice()),
                TypeKind::Index(bound) => ("an index".to_owned(), std::slice::from_ref(&**bound)),
            };
            let is_index = matches!(pattern.kind, TypeKind::Index(_));
            if value.bound.is_some() != is_index || !is_index && value.rank() != extents.len() {
                self.faults.push(errors::pattern_rank(pattern.span, &written, expr, value));
                fits = false;
                continue;
            }
            for (extent, size) in extents.iter().zip(sizes(value)) {
                let ExprKind::Name(dim) = &extent.kind else { continue };
                if frame.dims.iter().all(|(other, _)| other != dim) {
                    frame.dims.push((dim.clone(), size));
                    frame.bound.insert(dim, (expr.span, &name.text));
                    let entry = Entry::new(Origin::Dimension, extent.span, None);
                    frame.scope.insert(dim.clone(), entry);
                }
            }
        }
        if !fits {
            return None;
        }
        // All dimensions are bound: what is made of them is known.
        for ((parameter, argument), value) in function.parameters.iter().zip(list).zip(arguments) {
            let extents = match parameter.pattern.as_ref().map(|pattern| &pattern.kind) {
                Some(TypeKind::Real(extents)) => extents.as_slice(),
                Some(TypeKind::Index(bound)) => std::slice::from_ref(&**bound),
                None => &[],
            };
            for (extent, size) in extents.iter().zip(sizes(value)) {
                let dims = replace(&mut self.dims, frame.dims.clone());
                let faults = self.faults.len();
                let expected = self.dimension(extent);
                self.dims = dims;
                called(&mut self.faults, faults, call, &in_call(function));
                let expected = expected?;
                if usize::try_from(expected) == Ok(size) {
                    continue;
                }
                let bound_by = extent.as_name().and_then(|name| frame.bound.get(name).copied());
                let written = match &value.bound {
                    Some(_) => format!("an index below {extent}"),
                    None => shape(extents),
                };
                let mismatch =
                    PatternMismatch { extent, written, expected, found: value, argument, bound_by };
                let fault = errors::pattern_mismatch(&function.name.text, &mismatch);
                self.faults.push(fault);
                fits = false;
            }
        }
        fits.then_some(frame)
    }
}

/// The extents of a value, or the bound of an index.
fn sizes(value: &Value) -> Vec<usize> {
    match &value.bound {
        Some(bound) => vec![bound.size],
        None => value.extents.0.iter().map(|extent| extent.size).collect(),
    }
}

/// A pattern of real numbers in words.
fn shape(extents: &[Expr]) -> String {
    let list: Vec<_> = extents.iter().map(ToString::to_string).collect();
    match list.len() {
        0 => "a single number".into(),
        1 => format!("a vector [{}]", list.concat()),
        _ => format!("a matrix [{}]", list.join(", ")),
    }
}

fn in_call(function: &Function) -> String {
    format!("in this call of `{}`", function.name.text)
}

/// Says of what was found in a function which call that was in; what an earlier call gave too is left out.
fn called(found: &mut Vec<Diagnostic>, from: usize, call: Span, text: &str) {
    let new = found.split_off(from);
    for diagnostic in new {
        let same = |other: &Diagnostic| {
            other.primary.span == diagnostic.primary.span && other.message == diagnostic.message
        };
        if !found.iter().any(same) {
            found.push(diagnostic.also(call, text));
        }
    }
}
