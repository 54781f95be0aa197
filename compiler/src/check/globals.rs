//! What the functions and the cell of each file see: its constants and functions, and those it
//! imports.

use std::collections::{BTreeMap, BTreeSet};

use super::constants::{Numbers, number};
use super::functions::FUNCTIONS;
use super::{bodies, errors};
use crate::diagnostic::{Diagnostic, Span};
use crate::syntax::ast::{Function, Name};
use crate::unit::Unit;

/// A function by its file and its place among the functions there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FunctionId {
    pub(super) file: usize,
    pub(super) index: usize,
}

/// A constant as a file sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Constant {
    /// Where it is defined, or imported.
    pub(super) span: Span,
    /// Its value, if its definition is not at fault.
    pub(super) value: Option<f64>,
}

/// What a file sees.
#[derive(Debug, Default)]
pub(super) struct FileScope {
    pub(super) constants: BTreeMap<String, Constant>,
    pub(super) functions: BTreeMap<String, FunctionId>,
}

/// What all files see, and which functions cannot be called since they are at fault.
#[derive(Debug)]
pub(super) struct Globals<'a> {
    pub(super) unit: &'a Unit,
    /// By the number of the file.
    pub(super) scopes: Vec<FileScope>,
    pub(super) faulty: BTreeSet<FunctionId>,
    /// Functions whose names stand for something else too: their calls are poison.
    pub(super) clashing: BTreeSet<FunctionId>,
}

impl<'a> Globals<'a> {
    /// Brings together what each file sees, and checks all functions as far as that goes without
    /// the shapes of arguments. What is wrong is reported.
    pub(super) fn new(unit: &'a Unit, faults: &mut Vec<Diagnostic>) -> Self {
        let scopes = unit.files.iter().map(|_| FileScope::default()).collect();
        let mut globals = Self { unit, scopes, faulty: BTreeSet::new(), clashing: BTreeSet::new() };
        for &file in &unit.order {
            Filling { globals: &mut globals, file, taken: BTreeMap::new(), faults }.fill();
        }
        globals.faulty = bodies::check(&globals, faults);
        globals
    }

    pub(super) fn function(&self, id: FunctionId) -> &'a Function {
        &self.unit.files[id.file].functions[id.index]
    }

    /// The function of a name in a file.
    pub(super) fn find_function(&self, file: usize, name: &str) -> Option<&'a Function> {
        self.scopes[file].functions.get(name).map(|id| self.function(*id))
    }

    /// Every function of all files.
    pub(super) fn all(&self) -> impl Iterator<Item = FunctionId> {
        let files = self.unit.files.iter().enumerate();
        files.flat_map(|(file, tree)| {
            (0..tree.functions.len()).map(move |index| FunctionId { file, index })
        })
    }
}

/// The scope of a file while it is filled; those of the files it imports are full.
struct Filling<'g, 'a> {
    globals: &'g mut Globals<'a>,
    file: usize,
    /// The names that stand for something, and where they were introduced.
    taken: BTreeMap<&'a str, Span>,
    faults: &'g mut Vec<Diagnostic>,
}

impl<'a> Filling<'_, 'a> {
    fn fill(&mut self) {
        let unit = self.globals.unit;
        let tree = &unit.files[self.file];
        for (import, &target) in tree.uses.iter().zip(&unit.targets[self.file]) {
            for name in &import.names {
                // The target of an import that was not found is the file itself.
                if target != self.file && self.take(name, "import") {
                    self.import(name, import, target);
                }
            }
        }
        for constant in &tree.constants {
            let value = number(self, &constant.value);
            if self.take(&constant.name, "constant") {
                let entry = Constant { span: constant.name.span, value };
                self.scope().constants.insert(constant.name.text.clone(), entry);
            } else {
                // Which of the two a use means is not known: it is poison.
                let span = self.taken[constant.name.text.as_str()];
                let entry = Constant { span, value: None };
                self.scope().constants.insert(constant.name.text.clone(), entry);
            }
        }
        for (index, function) in tree.functions.iter().enumerate() {
            let name = &function.name;
            if let Some(known) = FUNCTIONS.iter().find(|known| known.name == name.text) {
                self.faults.push(errors::name_of_built_in(name, known.usage));
            } else {
                let id = FunctionId { file: self.file, index };
                if !self.take(name, "function") {
                    self.globals.clashing.insert(id);
                }
                self.scope().functions.insert(name.text.clone(), id);
            }
        }
    }

    fn scope(&mut self) -> &mut FileScope {
        &mut self.globals.scopes[self.file]
    }

    /// Introduces a name; says whether it was free.
    fn take(&mut self, name: &'a Name, what: &str) -> bool {
        match self.taken.get(name.text.as_str()) {
            Some(first) => {
                self.faults.push(errors::second_of_file(name, what, *first));
                false
            }
            None => {
                self.taken.insert(&name.text, name.span);
                true
            }
        }
    }

    /// Only what a file defines can be imported from it, not what it imports.
    fn import(&mut self, name: &Name, import: &crate::syntax::ast::Use, target: usize) {
        let tree = &self.globals.unit.files[target];
        let index = tree.functions.iter().position(|function| function.name.text == name.text);
        if let Some(index) = index {
            let id = FunctionId { file: target, index };
            self.scope().functions.insert(name.text.clone(), id);
            return;
        }
        if tree.constants.iter().any(|constant| constant.name.text == name.text) {
            let constant = self.globals.scopes[target].constants.get(&name.text);
            let value = constant.and_then(|constant| constant.value);
            let entry = Constant { span: name.span, value };
            self.scope().constants.insert(name.text.clone(), entry);
            return;
        }
        let functions = tree.functions.iter().map(|function| function.name.text.as_str());
        let constants = tree.constants.iter().map(|constant| constant.name.text.as_str());
        self.faults.push(errors::no_such_import(name, import, functions.chain(constants)));
    }
}

impl Numbers for Filling<'_, '_> {
    fn named(&mut self, name: &str, span: Span) -> Option<f64> {
        let unit = self.globals.unit;
        if let Some(constant) = self.globals.scopes[self.file].constants.get(name) {
            return constant.value;
        }
        let later = unit.files[self.file].constants.iter().find(|other| other.name.text == name);
        let known = self.globals.scopes[self.file].constants.keys().map(String::as_str);
        self.faults.push(errors::unknown_constant(name, span, later, known));
        None
    }

    fn report(&mut self, fault: Diagnostic) {
        self.faults.push(fault);
    }
}
