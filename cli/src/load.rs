//! From a catalogue name or a file, with what it imports, to a checked cell.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Component, Path, PathBuf};

use cellc_compiler::cell::Cell;
use cellc_compiler::check::{Bindings, Checked, check_unit, default_dims};
use cellc_compiler::diagnostic::{Diagnostic, Source, Span, render};
use cellc_compiler::suggest::closest;
use cellc_compiler::syntax::ast::{self, Place};
use cellc_compiler::unit::{Faults, Unit};

use crate::dims::{Dims, missing_dims, written};
use crate::failure::Failure;
use crate::hypers::Hypers;
use crate::output::{colors, note};

/// The largest file that is taken for a cell, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// A cell: the tree of its text, and what checking made of it.
pub(crate) struct Loaded {
    pub(crate) tree: ast::Cell,
    pub(crate) cell: Cell,
    /// Where each value of the graph is written.
    pub(crate) spans: Vec<Span>,
    /// Its file with those it imports.
    pub(crate) unit: Unit,
    /// What has a meaning, but perhaps not the intended one.
    pub(crate) warnings: Vec<Diagnostic>,
}

impl Loaded {
    /// The file that the cell is in.
    pub(crate) fn source(&self) -> &Source {
        &self.unit.sources[self.tree.name.span.file]
    }
}

/// What to do about dimensions that the user gave no size for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// Choose a size, and say so on standard error.
    Choose,
    /// Choose a size: nothing that is shown depends on it.
    Any,
    /// Take the sizes of this list, and report those that are not in it.
    Take(&'static [(&'static str, usize)]),
    /// Report them.
    Report,
}

/// A file with what it imports; faults of form are drawn.
pub(crate) fn unit(name: &str) -> Result<Unit, Failure> {
    Unit::load(source(name)?, &mut resolve)
        .map_err(|faults| Failure::Diagnostics(drawn(&faults.diagnostics, &faults.sources)))
}

/// Loads a cell; faults of its text are drawn.
pub(crate) fn load(
    name: &str,
    dims: Option<&Dims>,
    hypers: Option<&Hypers>,
    missing: Missing,
) -> Result<Loaded, Failure> {
    let loaded = compile(source(name)?, dims, hypers, missing);
    loaded.map_err(|faults| Failure::Diagnostics(drawn(&faults.diagnostics, &faults.sources)))
}

/// Parses and checks a cell and what it imports.
pub(crate) fn compile(
    source: Source,
    dims: Option<&Dims>,
    hypers: Option<&Hypers>,
    missing: Missing,
) -> Result<Loaded, Faults> {
    compile_unit(Unit::load(source, &mut resolve)?, dims, hypers, missing)
}

/// Checks a cell that is parsed, with what it imports.
pub(crate) fn compile_unit(
    unit: Unit,
    dims: Option<&Dims>,
    hypers: Option<&Hypers>,
    missing: Missing,
) -> Result<Loaded, Faults> {
    let file = unit.root();
    let Dims(mut dims) = dims.cloned().unwrap_or_default();
    if matches!(missing, Missing::Choose | Missing::Any) {
        let chosen: Vec<_> = (default_dims(file).into_iter())
            .filter(|(name, _)| !dims.iter().any(|(given, _)| given == name))
            .collect();
        if missing == Missing::Choose && !chosen.is_empty() {
            note(format_args!("note: {} (chosen; set with --dims)", written(&chosen)));
        }
        dims.extend(chosen);
    }
    if let (Missing::Take(sizes), Some(cell)) = (missing, &file.cell) {
        let taken = sizes.iter().filter(|(name, _)| {
            let is_of_cell = cell.dims.iter().any(|dim| dim.name.text == *name);
            is_of_cell && !dims.iter().any(|(given, _)| given == name)
        });
        dims.extend(taken.map(|&(name, size)| (name.to_owned(), size)).collect::<Vec<_>>());
    }
    if let Some(fault) = file.cell.as_ref().and_then(|cell| missing_dims(cell, &dims)) {
        return Err(Faults { diagnostics: vec![fault], sources: unit.sources });
    }
    let Hypers(hypers) = hypers.cloned().unwrap_or_default();
    match (check_unit(&unit, &Bindings { dims, hypers }), file.cell.clone()) {
        (Ok(checked), Some(tree)) => {
            let Checked { cell, spans, warnings } = checked;
            Ok(Loaded { tree, cell, spans, warnings, unit })
        }
        (Ok(_), None) => unreachable!("only a file with a cell has one that checks"),
        (Err(diagnostics), _) => Err(Faults { diagnostics, sources: unit.sources }),
    }
}

/// What a library of the catalogue is called where it is imported.
const CATALOGUE: &str = "catalogue:";

/// The text that an import names: of the catalogue, or a file beside the one that imports it.
pub(crate) fn resolve(by: &Source, place: &Place) -> Result<Source, String> {
    resolve_by(&read, by, place)
}

/// The same, where something else says what the text of a file is, or why there is none.
pub(crate) fn resolve_by(
    read: &dyn Fn(&Path) -> Result<String, String>,
    by: &Source,
    place: &Place,
) -> Result<Source, String> {
    match place {
        Place::Catalogue(name) => match cellc_cells::find_library(name) {
            Some(library) => Ok(Source::new(format!("{CATALOGUE}{name}"), library.source)),
            None => {
                let known: Vec<_> = cellc_cells::libraries().iter().map(|l| l.name).collect();
                Err(format!("the catalogue has no such library; it has {}", known.join(", ")))
            }
        },
        Place::File(_) if by.name.starts_with(CATALOGUE) => {
            Err("the catalogue imports no files".to_owned())
        }
        Place::File(path) => {
            let folder = Path::new(&by.name).parent().unwrap_or(Path::new(""));
            let written = path;
            let path = plain(&folder.join(path));
            if !path.exists() {
                return Err(format!("there is no file `{written}` beside `{}`", by.name));
            }
            read(&path).map(|text| Source::new(path.display().to_string(), text))
        }
    }
}

/// A path without detours, so that a file has one name however it is reached.
pub(crate) fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        let last = plain.components().next_back();
        match (component, last) {
            (Component::CurDir, _) => {}
            (Component::ParentDir, Some(Component::Normal(_))) => drop(plain.pop()),
            _ => plain.push(component),
        }
    }
    plain
}

/// The text of a cell or a library.
pub(crate) fn source(name: &str) -> Result<Source, Failure> {
    let path = Path::new(name);
    let cell = cellc_cells::find(name).map(|entry| entry.source);
    let found = cell.or_else(|| cellc_cells::find_library(name).map(|library| library.source));
    if let Some(text) = found {
        let beside = [format!("{name}.cell"), name.to_owned()];
        if let Some(file) = beside.iter().find(|file| Path::new(file).is_file()) {
            note(format_args!(
                "note: this is `{name}` of the catalogue; for the file of this folder say `./{file}`"
            ));
        }
        return Ok(Source::new(format!("{name}.cell"), text));
    }
    let is_path = name.contains(std::path::is_separator)
        || path.extension().is_some_and(|extension| extension == "cell");
    if !is_path && !path.exists() {
        return Err(unknown(name));
    }
    read(path).map(|text| Source::new(name, text)).map_err(|fault| {
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let hint = match cellc_cells::find(stem) {
            Some(entry) if !path.exists() => {
                format!("\nThe catalogue has a cell of this name: say `{}`.", entry.name)
            }
            _ => String::new(),
        };
        Failure::new(format!("cannot read `{name}`: {fault}{hint}"))
    })
}

fn unknown(name: &str) -> Failure {
    let file = format!("{name}.cell");
    if Path::new(&file).is_file() {
        return Failure::new(format!(
            "`{name}` is no cell of the catalogue; a file is given by its whole name: say `{file}`"
        ));
    }
    let names = || cellc_cells::all().iter().map(|entry| entry.name);
    let hint = match closest(name, names()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the catalogue has {}.", names().collect::<Vec<_>>().join(", ")),
    };
    Failure::new(format!(
        "`{name}` is neither a cell of the catalogue nor a file: {hint}\n\
         `cellc cells` lists the catalogue; a cell of your own is given by its path."
    ))
}

/// The text of a file, or why there is none.
pub(crate) fn read(path: &Path) -> Result<String, String> {
    if path.is_dir() {
        return Err("it is a directory".to_owned());
    }
    read_from(File::open(path).map_err(|error| in_words(&error))?)
}

/// Why a file cannot be read or written, without the words and numbers of the system where there are plainer
/// ones.
pub(crate) fn in_words(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "there is no such file".to_owned(),
        ErrorKind::PermissionDenied => "permission is denied".to_owned(),
        ErrorKind::IsADirectory => "it is a directory".to_owned(),
        _ => error.to_string(),
    }
}

/// All text of a reader, or why there is none.
pub(crate) fn read_from(reader: impl Read) -> Result<String, String> {
    let mut bytes = Vec::new();
    reader.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err("it is over 1 MiB, so it is no cell".to_owned());
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..at].iter().filter(|&&byte| byte == b'\n').count() + 1;
        format!("it is not UTF-8 text (byte {at}, in line {line})")
    })
}

/// How many diagnostics are drawn: who has more mends these first.
const MOST_DRAWN: usize = 20;

/// Diagnostics with the lines of text they point at, and how many there are.
pub(crate) fn drawn(diagnostics: &[Diagnostic], sources: &[Source]) -> String {
    let shown = &diagnostics[..diagnostics.len().min(MOST_DRAWN)];
    let mut drawn = render(shown, sources, colors());
    let name = &sources[0].name;
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).count();
    let more = diagnostics.len() - shown.len();
    match (errors, more) {
        (0 | 1, 0) => return drawn,
        (errors, 0) => drawn.push_str(&format!("\n{errors} errors in {name}")),
        (0, more) => drawn.push_str(&format!("\nand {more} more warnings in {name}")),
        (errors, more) => {
            drawn.push_str(&format!("\nand {more} more: {errors} errors in {name}"));
        }
    }
    drawn
}

/// Shows warnings on standard error.
pub(crate) fn warn(warnings: &[Diagnostic], sources: &[Source]) {
    if !warnings.is_empty() {
        note(drawn(warnings, sources).trim_end());
    }
}
