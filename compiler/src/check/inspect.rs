//! What editors show of a file while it is written: what is wrong, and what its values are.

use super::globals::Globals;
use super::names::Entry;
use super::value::{Extent, Value};
use super::{Bindings, Checker};
use crate::diagnostic::{Diagnostic, Span};
use crate::ir::graph::ValueId;
use crate::unit::Unit;

/// What there is to show of a file, be there faults in it or not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inspection {
    /// Errors, or, where there are none, warnings, in the order of the texts. That a file is a library
    /// is none.
    pub diagnostics: Vec<Diagnostic>,
    /// The values of the cell that have a name and are not at fault, in the order of the text. Its
    /// outputs are among them if nothing is at fault.
    pub values: Vec<NamedValue>,
    /// The values of the graph that have a name or are the next of a state, in their order, each with
    /// where it is introduced.
    pub places: Vec<(ValueId, Span)>,
}

/// A value that has a name: of what shape it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NamedValue {
    /// Where its name is introduced.
    pub span: Span,
    /// The extents of its shape, outermost first, each as it is written and its size; none for one
    /// number.
    pub extents: Vec<(String, usize)>,
    /// The bound of an index, as it is written and its size.
    pub bound: Option<(String, usize)>,
}

impl NamedValue {
    fn new(span: Span, value: &Value) -> Self {
        let extent = |extent: &Extent| (extent.name().to_owned(), extent.size);
        Self {
            span,
            extents: value.extents.0.iter().map(extent).collect(),
            bound: value.bound.as_ref().map(extent),
        }
    }
}

/// Checks a unit as [`check_unit`](super::check_unit) does, and says what it found out in any case. A
/// unit of [`Unit::recover`] that has faults of form is checked too: what is wrong with its meaning
/// may follow from these, but the shapes of values do not.
pub fn inspect(unit: &Unit, bindings: &Bindings) -> Inspection {
    let mut faults = Vec::new();
    let globals = Globals::new(unit, &mut faults);
    let Some(cell) = &unit.root().cell else {
        faults.sort_by_key(|fault| fault.primary.span);
        return Inspection { diagnostics: faults, ..Inspection::default() };
    };
    let checker = Checker::of_cell(cell, &globals, bindings, faults);
    let (values, places) = (checker.named_values(), checker.places());
    let diagnostics = checker.finish().map_or_else(|faults| faults, |checked| checked.warnings);
    Inspection { diagnostics, values, places }
}

impl Checker<'_> {
    fn named_values(&self) -> Vec<NamedValue> {
        let named = self.scope.values().filter_map(|Entry { span, value, .. }| {
            value.as_ref().map(|value| NamedValue::new(*span, value))
        });
        // What is at fault in an output has another value in its place.
        let outputs = self.outputs.iter().filter(|_| self.faults.is_empty());
        let outputs = outputs.filter_map(|(name, value)| {
            value.as_ref().map(|value| NamedValue::new(name.span, value))
        });
        let mut values: Vec<_> = named.chain(outputs).collect();
        values.sort();
        values
    }

    fn places(&self) -> Vec<(ValueId, Span)> {
        let place = |span: Span, value: &Option<Value>| Some((value.as_ref()?.id, span));
        let named = self.scope.values().filter_map(|entry| place(entry.span, &entry.value));
        let nexts = self.nexts.values().filter_map(|(span, value)| place(*span, value));
        let outputs = self.outputs.iter();
        let outputs = outputs.filter_map(|(name, value)| place(name.span, value));
        let mut places: Vec<_> = named.chain(nexts).chain(outputs).collect();
        places.sort();
        places
    }
}
