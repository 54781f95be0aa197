//! A file with all that it imports.
//!
//! The library reads no files: whoever loads a unit says what an import names. Files are numbered as
//! they are found, 0 being the one that was asked for, and spans say which file they are of.

use crate::diagnostic::{Diagnostic, Source};
use crate::syntax::ast::{File, Place, Use};
use crate::syntax::{parse, parse_numbered, recover_numbered};

/// A file and those it imports, parsed.
#[derive(Clone, Debug, PartialEq)]
pub struct Unit {
    /// The texts, by number.
    pub sources: Vec<Source>,
    /// Their trees, by number.
    pub files: Vec<File>,
    /// For each file and each of its imports, the number of the file that is imported from.
    pub targets: Vec<Vec<usize>>,
    /// The numbers of the files, each after those that it imports.
    pub(crate) order: Vec<usize>,
}

/// What is wrong with the texts of a cell, to be drawn by [`render`](crate::diagnostic::render).
#[derive(Clone, Debug, PartialEq)]
pub struct Faults {
    /// What is wrong.
    pub diagnostics: Vec<Diagnostic>,
    /// The texts, by number.
    pub sources: Vec<Source>,
}

/// What an import names, given the file that imports: a text, whose name tells it from all others;
/// or why there is none, as a part of a sentence.
pub type Resolve<'r> = dyn FnMut(&Source, &Place) -> Result<Source, String> + 'r;

impl Unit {
    /// Parses a text and, over and over, what it imports.
    ///
    /// # Errors
    /// Everything that is wrong with the form of the texts, and imports that name no text or go in
    /// a circle.
    pub fn load(root: Source, resolve: &mut Resolve<'_>) -> Result<Self, Faults> {
        let (unit, diagnostics) = Self::recover(root, resolve);
        if diagnostics.is_empty() {
            return Ok(unit);
        }
        Err(Faults { diagnostics, sources: unit.sources })
    }

    /// As [`load`](Self::load), for editors: what can be parsed, and everything that is wrong. If
    /// something is, the unit is not to be compiled.
    pub fn recover(root: Source, resolve: &mut Resolve<'_>) -> (Self, Vec<Diagnostic>) {
        let mut loader = Loader {
            unit: Self {
                sources: Vec::new(),
                files: Vec::new(),
                targets: Vec::new(),
                order: Vec::new(),
            },
            resolve,
            open: Vec::new(),
            faults: Vec::new(),
        };
        loader.file(root);
        let Loader { unit, mut faults, .. } = loader;
        faults.sort_by_key(|fault| fault.primary.span);
        (unit, faults)
    }

    /// A text that imports nothing.
    ///
    /// # Errors
    /// As [`load`](Self::load); an import is a fault.
    pub fn alone(source: &Source) -> Result<Self, Vec<Diagnostic>> {
        parse(source).and_then(|file| Self::of_file(&file))
    }

    /// A file that imports nothing.
    pub(crate) fn of_file(file: &File) -> Result<Self, Vec<Diagnostic>> {
        if !file.uses.is_empty() {
            let fault = |import: &Use| no_source(import, "imports are not resolved here");
            return Err(file.uses.iter().map(fault).collect());
        }
        Ok(Self {
            sources: Vec::new(),
            files: vec![file.clone()],
            targets: vec![Vec::new()],
            order: vec![0],
        })
    }

    /// Parses the same texts again, which gives the same: to measure how long that takes.
    ///
    /// # Errors
    /// None.
    pub fn parsed_again(&self) -> Result<Self, Vec<Diagnostic>> {
        let files = self.sources.iter().enumerate();
        let files = files.map(|(number, source)| parse_numbered(source, number));
        Ok(Self { files: files.collect::<Result<_, _>>()?, ..self.clone() })
    }

    /// The file that was asked for.
    pub fn root(&self) -> &File {
        &self.files[0]
    }
}

struct Loader<'l, 'r> {
    unit: Unit,
    resolve: &'l mut Resolve<'r>,
    /// The files whose imports are being loaded.
    open: Vec<usize>,
    faults: Vec<Diagnostic>,
}

impl Loader<'_, '_> {
    /// Loads a file that is not there yet.
    fn file(&mut self, source: Source) -> usize {
        let number = self.unit.files.len();
        let (file, faults) = recover_numbered(&source, number);
        self.faults.extend(faults);
        self.unit.sources.push(source);
        self.unit.targets.push(Vec::new());
        self.unit.files.push(file.clone());
        self.open.push(number);
        for import in &file.uses {
            // Of a file that is not found nothing is known, and nothing more is said.
            let target = self.import(number, import).unwrap_or(number);
            self.unit.targets[number].push(target);
        }
        self.open.pop();
        self.unit.order.push(number);
        number
    }

    /// The number of the file that an import names.
    fn import(&mut self, by: usize, import: &Use) -> Option<usize> {
        let source = match (self.resolve)(&self.unit.sources[by], &import.place) {
            Ok(source) => source,
            Err(why) => {
                self.faults.push(no_source(import, &why));
                return None;
            }
        };
        let known = self.unit.sources.iter().position(|other| other.name == source.name);
        match known {
            Some(number) if self.open.contains(&number) => {
                let first = self.open.iter().position(|open| *open == number).unwrap_or(0);
                let circle = self.open[first..].iter().chain([&number]);
                let names: Vec<_> =
                    circle.map(|&file| format!("`{}`", self.unit.sources[file].name)).collect();
                self.faults.push(circular(import, &names));
                None
            }
            Some(number) => Some(number),
            None => Some(self.file(source)),
        }
    }
}

fn no_source(import: &Use, why: &str) -> Diagnostic {
    let fault =
        Diagnostic::error(format!("cannot import from {}: {why}", import.place), import.span);
    match &import.place {
        Place::Catalogue(_) => fault.help(
            "a library of the catalogue is named without quotes, a file of your own with them: \
             `from \"norms.cell\"`",
        ),
        Place::File(_) => fault.help(
            "a file is looked for beside the one that imports it; a library of the catalogue is \
             named without quotes: `from norms`",
        ),
    }
}

fn circular(import: &Use, names: &[String]) -> Diagnostic {
    let fault = Diagnostic::error("imports go in a circle", import.span);
    match names {
        [_, _] => {
            fault.label("this is the file itself").help("its functions are there as they are")
        }
        _ => fault
            .label(format!("{} imports {}", names[0], names[1..].join(", which imports ")))
            .help("move what both need to a file that imports neither"),
    }
}
