//! File tests of the language: a folder of good cells with the graphs they become, a folder of bad
//! ones and a folder of doubtful ones with what is said of them. `UPDATE_EXPECT=1` rewrites the
//! expectations.
//!
//! A file may begin with `// dims: H = 4, I = 3`; without it, the default dimensions are bound. Files
//! that are imported stand in the folders `imports`.

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use cellc_compiler::cell::Cell;
use cellc_compiler::check::{Bindings, Checked, check_unit, default_dims};
use cellc_compiler::diagnostic::{Source, render};
use cellc_compiler::ir::{text, verify};
use cellc_compiler::syntax::ast::Place;
use cellc_compiler::unit::{Faults, Unit};
use expect_test::expect_file;

/// The dimensions that the first line of a test file binds.
fn bindings(text: &str) -> Option<Vec<(String, usize)>> {
    let list = text.strip_prefix("// dims:")?.lines().next()?.trim();
    let binding = |text: &str| {
        let (name, size) = text.split_once('=').expect("`NAME = SIZE`");
        (name.trim().to_owned(), size.trim().parse().expect("a size"))
    };
    Some(list.split(',').filter(|part| !part.trim().is_empty()).map(binding).collect())
}

/// Compiles a text that imports from the catalogue, or from a folder beside this package's manifest.
fn compile_in(folder: &str, source: &Source) -> Result<Checked, Faults> {
    let mut resolve = |by: &Source, place: &Place| match place {
        Place::Catalogue(name) => {
            let library = cellc_cells::find_library(name);
            let library =
                library.map(|found| Source::new(format!("catalogue:{name}"), found.source));
            library.ok_or_else(|| "the catalogue has no such library".to_owned())
        }
        Place::File(path) => {
            let path = Path::new(&by.name).with_file_name(path);
            let full = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join(&path);
            let text = fs::read_to_string(full).map_err(|_| "there is no such file".to_owned())?;
            Ok(Source::new(path.to_string_lossy(), text))
        }
    };
    let unit = Unit::load(source.clone(), &mut resolve)?;
    let dims = bindings(&source.text).unwrap_or_else(|| default_dims(unit.root()));
    let checked = check_unit(&unit, &Bindings { dims, ..Bindings::default() });
    checked.map_err(|diagnostics| Faults { diagnostics, sources: unit.sources })
}

fn compile(source: &Source) -> Result<Checked, Faults> {
    compile_in("", source)
}

/// Compiles what must be right.
#[track_caller]
fn compiled(folder: &str, source: &Source) -> Checked {
    compile_in(folder, source).unwrap_or_else(|faults| {
        panic!("{}", render(&faults.diagnostics, &faults.sources, false));
    })
}

/// The files of a folder beside this package's manifest, in order.
fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = fs::read_dir(&folder).expect("the folder of test files");
    let mut files: Vec<_> = entries
        .map(|entry| entry.expect("an entry of the folder").path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{} has no .{extension} files", folder.display());
    files
}

fn source(path: &Path) -> Source {
    let name = path.file_name().expect("a file has a name").to_string_lossy();
    Source::new(name, fs::read_to_string(path).expect("a test file"))
}

/// The graph as text, and the initialisers of its parameters.
fn describe(cell: &Cell) -> String {
    let initializers: Vec<_> =
        cell.initializers.iter().map(|initializer| format!("{initializer:?}\n")).collect();
    format!("{}\n{}", cell.graph, initializers.concat())
}

#[test]
fn good_cells_become_their_graphs() {
    for path in files("cells", "cell") {
        let source = source(&path);
        let cell = compiled("cells", &source).cell;
        verify::verify(&cell.graph).expect("a valid graph");
        assert_eq!(text::parse(&cell.graph.to_string()).as_ref(), Ok(&cell.graph));
        expect_file![path.with_extension("txt")].assert_eq(&describe(&cell));
    }
}

#[test]
fn bad_cells_are_diagnosed() {
    for path in files("diagnostics", "cell") {
        let source = source(&path);
        let Faults { diagnostics, sources } = match compile_in("diagnostics", &source) {
            Ok(checked) => panic!("{} has no fault:\n{}", path.display(), checked.cell.graph),
            Err(faults) => faults,
        };
        assert!(!diagnostics.is_empty());
        assert!(render(&diagnostics, &sources, true).contains('\x1b'), "colour was asked for");
        let drawn = render(&diagnostics, &sources, false);
        assert!(!drawn.contains("internal error"), "{drawn}");
        expect_file![path.with_extension("txt")].assert_eq(&drawn);
    }
}

#[test]
fn doubtful_cells_are_warned_of() {
    for path in files("warnings", "cell") {
        let source = source(&path);
        let warnings = compiled("warnings", &source).warnings;
        assert!(warnings.iter().all(|warning| !warning.is_error() && warning.help.is_some()));
        let drawn = render(&warnings, &source, false);
        expect_file![path.with_extension("txt")].assert_eq(&drawn);
    }
}

#[test]
fn the_catalogue_compiles_without_a_warning() {
    for entry in cellc_cells::all() {
        let source = Source::new(entry.name, entry.source);
        let Checked { cell, warnings, .. } = compiled("", &source);
        verify::verify(&cell.graph).expect("a valid graph");
        assert_eq!(cell.graph.name(), entry.name);
        assert!(warnings.is_empty(), "{}", render(&warnings, &source, false));
    }
    for path in files("architectures", "cell") {
        let source = source(&path);
        let warnings = compiled("architectures", &source).warnings;
        assert!(warnings.is_empty(), "{}", render(&warnings, &source, false));
    }
}

#[test]
fn the_libraries_of_the_catalogue_have_no_faults() {
    for library in cellc_cells::libraries() {
        let source = Source::new(library.name, library.source);
        let faults = compile(&source).expect_err("a library is no cell").diagnostics;
        let messages: Vec<_> = faults.iter().map(|fault| fault.message.as_str()).collect();
        assert_eq!(messages, ["the file is a library: it contains no cell"]);
    }
}

/// The blocks of the manual that are whole files, each with the number of its line.
fn manual() -> Vec<(usize, String)> {
    let manual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/language.md");
    let manual = fs::read_to_string(manual).expect("the manual of the language");
    let mut line = 1;
    let mut found = Vec::new();
    for (i, text) in manual.split("```").enumerate() {
        let is_file = text.lines().any(|line| line.starts_with("cell "));
        if i % 2 == 1 && text.starts_with('\n') && is_file {
            found.push((line, text.to_owned()));
        }
        line += text.matches('\n').count();
    }
    found
}

#[test]
fn the_cells_of_the_manual_compile_without_a_warning() {
    let blocks = manual();
    assert!(blocks.len() > 3, "the manual has {} cells", blocks.len());
    for (line, text) in blocks {
        let source = Source::new(format!("language.md, line {line}"), text);
        let warnings = compiled("", &source).warnings;
        assert!(warnings.is_empty(), "{}", render(&warnings, &source, false));
    }
}

/// Nests an operand `levels` deep.
fn nested(open: &str, operand: &str, close: &str, levels: usize) -> String {
    let value = format!("{}{operand}{}", open.repeat(levels), close.repeat(levels));
    format!("cell f(N) {{\n    input x: [N]\n    output y = {value}\n}}\n")
}

#[test]
fn deep_nesting_is_diagnosed() {
    for text in [
        nested("(", "x", ")", 10_000),
        nested("-", "x", "", 10_000),
        nested("tanh(", "x", ")", 10_000),
        nested("x + ", "x", "", 10_000),
        nested("x[", "0", "]", 10_000),
        nested("", "x", "[0..1]", 10_000),
        nested("(", "x", "", 10_000),
        nested("", "x", ")", 10_000),
        nested("[", "x", "", 10_000),
    ] {
        let faults = compile(&Source::new("deep.cell", text)).expect_err("too deep").diagnostics;
        assert!(faults.len() <= 2, "{faults:?}");
    }
    let ample = nested("-(", "x", ")", 90);
    compile(&Source::new("ample.cell", ample)).expect("deep enough for anyone");
}

/// A chain of functions, each of which calls the one before within `levels` levels.
fn chain(functions: usize, levels: usize) -> String {
    let mut text = "fn f0(x) = x\n".to_owned();
    for i in 1..functions {
        let (open, close) = ("-(".repeat(levels), ")".repeat(levels));
        text.push_str(&format!("fn f{i}(x) = {open}f{}(x){close}\n", i - 1));
    }
    format!("{text}cell f(N) {{\n    input x: [N]\n    output y = f{}(x)\n}}\n", functions - 1)
}

#[test]
fn deep_calls_are_diagnosed() {
    for (functions, levels) in [(10_000, 1), (8, 90)] {
        let source = Source::new("deep.cell", chain(functions, levels));
        let faults = compile(&source).expect_err("too deep").diagnostics;
        assert!(faults[0].message.contains("too deep"), "{faults:?}");
    }
    compiled("", &Source::new("ample.cell", chain(5, 90)));
    compiled("", &Source::new("ample.cell", chain(130, 1)));
}

/// The splitmix64 sequence: as random as mutations need, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % bound as u64).expect("below a usize")
    }
}

/// Pieces of text that are likely to make the wrong sort of sense.
const PIECES: [&str; 48] = [
    "fn f(v: [N]) = ",
    "fn ",
    "const ",
    "use f from ",
    "hyper ",
    "return ",
    "f(",
    "= h",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "=",
    "==",
    "~",
    "@",
    "*",
    "-",
    "/",
    "..",
    ";",
    "\n",
    " ",
    "//",
    "next ",
    "h",
    "x",
    "H",
    "0",
    "1e5",
    "99999999999999999999",
    "index(",
    "cell ",
    "state ",
    "param ",
    "output ",
    "é",
    "\u{feff}",
    "\"",
    "/*",
    "max(",
    "transpose(",
    "concat(",
    "sum(",
];

fn mutate(text: &str, random: &mut Random) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for _ in 0..=random.below(4) {
        let at = random.below(chars.len() + 1);
        let end = (at + random.below(12)).min(chars.len());
        match random.below(4) {
            0 => drop(chars.drain(at..end)),
            1 => drop(chars.splice(at..at, PIECES[random.below(PIECES.len())].chars())),
            2 => drop(chars.splice(at..end, PIECES[random.below(PIECES.len())].chars())),
            _ => {
                let from = random.below(chars.len() + 1);
                let copied: Vec<char> = chars[from..].iter().take(30).copied().collect();
                drop(chars.splice(at..at, copied));
            }
        }
    }
    chars.into_iter().collect()
}

#[test]
fn no_text_makes_the_compiler_panic() {
    let mut texts: Vec<String> =
        cellc_cells::all().iter().map(|entry| entry.source.to_owned()).collect();
    let folders = ["cells", "diagnostics", "warnings"];
    for path in folders.iter().flat_map(|folder| files(folder, "cell")) {
        // What a mutant's dimensions are is not to be read from its first line.
        texts.push(source(&path).text.replacen("// dims:", "//", 1));
    }
    let mut random = Random(1);
    for round in 0..10_000 {
        let mutant = mutate(&texts[round % texts.len()], &mut random);
        let outcome = catch_unwind(|| {
            let source = Source::new("mutant.cell", mutant.clone());
            match compile(&source) {
                Ok(Checked { cell, warnings, .. }) => {
                    verify::verify(&cell.graph).expect("a valid graph");
                    render(&warnings, &source, false);
                }
                Err(Faults { diagnostics, sources }) => {
                    let drawn = render(&diagnostics, &sources, round % 2 == 0);
                    assert!(
                        !diagnostics.is_empty() && !drawn.contains("internal error"),
                        "{drawn}"
                    );
                }
            }
        });
        assert!(outcome.is_ok(), "this text makes the compiler panic:\n{mutant}");
    }
}
