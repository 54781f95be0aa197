//! From a catalogue name or a file to a checked cell.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use cellc_compiler::cell::Cell;
use cellc_compiler::check::{check, default_dims};
use cellc_compiler::diagnostic::{Diagnostic, Source, render};
use cellc_compiler::suggest::closest;
use cellc_compiler::syntax::{ast, parse};

use crate::dims::{Dims, written};
use crate::failure::Failure;
use crate::output::{colors, note};

/// The largest file that is taken for a cell, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// A cell: its text, the tree of it, and what checking made of it.
pub(crate) struct Loaded {
    pub(crate) source: Source,
    pub(crate) tree: ast::Cell,
    pub(crate) cell: Cell,
}

/// What to do about dimensions that the user gave no size for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// Choose a size, and say so on standard error.
    Choose,
    /// Take the sizes of this list, and report those that are not in it.
    Take(&'static [(&'static str, usize)]),
    /// Report them.
    Report,
}

/// Loads a cell; faults of its text are drawn.
pub(crate) fn load(name: &str, dims: Option<&Dims>, missing: Missing) -> Result<Loaded, Failure> {
    let source = source(name)?;
    let loaded = compile(&source, dims, missing);
    loaded.map_err(|faults| Failure::Diagnostics(drawn(&faults, &source)))
}

/// Parses and checks a cell.
pub(crate) fn compile(
    source: &Source,
    dims: Option<&Dims>,
    missing: Missing,
) -> Result<Loaded, Vec<Diagnostic>> {
    let tree = parse(source)?;
    let Dims(mut dims) = dims.cloned().unwrap_or_default();
    if missing == Missing::Choose {
        let chosen: Vec<_> = (default_dims(&tree).into_iter())
            .filter(|(name, _)| !dims.iter().any(|(given, _)| given == name))
            .collect();
        if !chosen.is_empty() {
            note(format_args!("note: {} (chosen; set with --dims)", written(&chosen)));
        }
        dims.extend(chosen);
    }
    if let Missing::Take(sizes) = missing {
        let taken = sizes.iter().filter(|(name, _)| {
            let is_of_cell = tree.dims.iter().any(|dim| dim.text == *name);
            is_of_cell && !dims.iter().any(|(given, _)| given == name)
        });
        dims.extend(taken.map(|&(name, size)| (name.to_owned(), size)).collect::<Vec<_>>());
    }
    let cell = check(&tree, &dims)?;
    Ok(Loaded { source: source.clone(), tree, cell })
}

/// The text of a cell.
pub(crate) fn source(name: &str) -> Result<Source, Failure> {
    if let Some(entry) = cellc_cells::find(name) {
        return Ok(Source::new(format!("{}.cell", entry.name), entry.source));
    }
    let path = Path::new(name);
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

fn read(path: &Path) -> Result<String, String> {
    if path.is_dir() {
        return Err("it is a directory".to_owned());
    }
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err("it is over 1 MiB, so it is no cell".to_owned());
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..at].iter().filter(|&&byte| byte == b'\n').count() + 1;
        format!("it is not UTF-8 text (byte {at}, in line {line})")
    })
}

/// Diagnostics with the lines of text they point at, and how many there are.
fn drawn(faults: &[Diagnostic], source: &Source) -> String {
    let drawn = render(faults, source, colors());
    match faults.iter().filter(|fault| fault.is_error()).count() {
        0 | 1 => drawn,
        errors => format!("{drawn}\n{errors} errors in {}", source.name),
    }
}
