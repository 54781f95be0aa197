//! `cellc fmt`

use std::io::stdin;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use cellc_compiler::diagnostic::Source;
use cellc_compiler::syntax::format;
use cellc_runtime::files::PendingFile;

use crate::failure::Failure;
use crate::load::{drawn, read, read_from};
use crate::output::{note, print};

/// Format files of cells
///
/// Four spaces, a statement on each line, lines of at most 100 characters. Comments stay, and the
/// cell means the same. A file with faults stays as it is.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cellc fmt my.cell
  cellc fmt --check cells/*.cell
  cellc fmt - < my.cell")]
pub(crate) struct Args {
    /// The paths of `.cell` files; `-` formats standard input to standard output
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Write nothing; list the files that are not formatted, and exit with status 1 if there are any
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let mut status = ExitCode::SUCCESS;
    let mut failed = None;
    for path in &args.files {
        match file(path, args.check) {
            Ok(true) if args.check => {
                print(format_args!("{}\n", path.display()))?;
                status = ExitCode::from(1);
            }
            Ok(_) => {}
            // The other files are formatted all the same.
            Err(failure) => {
                if let Some(earlier) = failed.replace(failure) {
                    note(earlier);
                }
            }
        }
    }
    failed.map_or(Ok(status), Err)
}

/// Formats a file, or only looks; whether it differs from what it should be.
fn file(path: &Path, check: bool) -> Result<bool, Failure> {
    let is_piped = path == Path::new("-");
    let text = if is_piped { read_from(stdin().lock()) } else { read(path) };
    let text = text.map_err(|fault| {
        let name = if is_piped { "standard input".into() } else { format!("`{}`", path.display()) };
        Failure::new(format!("cannot read {name}: {fault}"))
    })?;
    let source = Source::new(path.display().to_string(), text);
    let formatted =
        format(&source).map_err(|faults| Failure::Diagnostics(drawn(&faults, source.as_ref())))?;
    let differs = formatted != source.text;
    if !check && is_piped {
        print(&formatted)?;
    } else if !check && differs {
        let written = PendingFile::create(path).and_then(|file| file.commit(formatted.as_bytes()));
        written
            .map_err(|error| Failure::new(format!("cannot write `{}`: {error}", path.display())))?;
    }
    Ok(differs)
}
