//! File tests of the language: a folder of good cells with the graphs they become, and a folder of
//! bad ones with what is said of them. `UPDATE_EXPECT=1` rewrites the expectations.
//!
//! A file may begin with `// dims: H = 4, I = 3`; without it, the default dimensions are bound.

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use cellc_compiler::cell::Cell;
use cellc_compiler::check::{check, default_dims};
use cellc_compiler::diagnostic::{Diagnostic, Source, render};
use cellc_compiler::ir::{text, verify};
use cellc_compiler::syntax;
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

fn compile(source: &Source) -> Result<Cell, Vec<Diagnostic>> {
    let cell = syntax::parse(source)?;
    check(&cell, &bindings(&source.text).unwrap_or_else(|| default_dims(&cell)))
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
        let cell = compile(&source).unwrap_or_else(|faults| {
            panic!("{}", render(&faults, &source, false));
        });
        verify::verify(&cell.graph).expect("a valid graph");
        assert_eq!(text::parse(&cell.graph.to_string()).as_ref(), Ok(&cell.graph));
        expect_file![path.with_extension("txt")].assert_eq(&describe(&cell));
    }
}

#[test]
fn bad_cells_are_diagnosed() {
    for path in files("diagnostics", "cell") {
        let source = source(&path);
        let faults = match compile(&source) {
            Ok(cell) => panic!("{} has no fault:\n{}", path.display(), cell.graph),
            Err(faults) => faults,
        };
        assert!(!faults.is_empty());
        assert!(render(&faults, &source, true).contains('\x1b'), "colour was asked for");
        let drawn = render(&faults, &source, false);
        assert!(!drawn.contains("internal error"), "{drawn}");
        expect_file![path.with_extension("txt")].assert_eq(&drawn);
    }
}

#[test]
fn the_catalogue_compiles() {
    for entry in cellc_cells::all() {
        let source = Source::new(entry.name, entry.source);
        let cell = compile(&source).unwrap_or_else(|faults| {
            panic!("{}", render(&faults, &source, false));
        });
        verify::verify(&cell.graph).expect("a valid graph");
        assert_eq!(cell.graph.name(), entry.name);
    }
}

#[test]
fn the_cell_of_the_manual_compiles() {
    let manual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/language.md");
    let manual = fs::read_to_string(manual).expect("the manual of the language");
    let cell = manual.split("```").nth(1).expect("the manual begins with a cell");
    let source = Source::new("language.md", cell);
    let compiled = compile(&source);
    compiled.unwrap_or_else(|faults| panic!("{}", render(&faults, &source, false)));
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
        let faults = compile(&Source::new("deep.cell", text)).expect_err("too deep");
        assert!(faults.len() <= 2, "{faults:?}");
    }
    let ample = nested("-(", "x", ")", 90);
    compile(&Source::new("ample.cell", ample)).expect("deep enough for anyone");
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
const PIECES: [&str; 40] = [
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
    for path in files("cells", "cell").iter().chain(&files("diagnostics", "cell")) {
        texts.push(source(path).text);
    }
    let mut random = Random(1);
    for round in 0..10_000 {
        let mutant = mutate(&texts[round % texts.len()], &mut random);
        let outcome = catch_unwind(|| {
            let source = Source::new("mutant.cell", mutant.clone());
            match syntax::parse(&source).and_then(|cell| check(&cell, &default_dims(&cell))) {
                Ok(cell) => verify::verify(&cell.graph).expect("a valid graph"),
                Err(faults) => {
                    let drawn = render(&faults, &source, round % 2 == 0);
                    assert!(!faults.is_empty() && !drawn.contains("internal error"), "{drawn}");
                }
            }
        });
        assert!(outcome.is_ok(), "this text makes the compiler panic:\n{mutant}");
    }
}
