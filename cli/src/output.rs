//! Standard output and standard error: the only places where the command writes to them, but for `lsp`,
//! which has standard output to itself.

use std::fmt::Display;
use std::io::{ErrorKind, IsTerminal, Write, stderr, stdout};

use crate::failure::Failure;

/// Writes text to standard output.
///
/// `println!` would panic when the reader is gone, as in `cellc cells | head -1`.
pub(crate) fn print(text: impl Display) -> Result<(), Failure> {
    let mut out = stdout().lock();
    write!(out, "{text}").and_then(|()| out.flush()).map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Failure::Closed,
        _ => Failure::new(format!("cannot write to standard output: {error}")),
    })
}

/// Writes a value to standard output as one line of JSON.
pub(crate) fn print_json(value: &serde_json::Value) -> Result<(), Failure> {
    print(format_args!("{value}\n"))
}

/// Writes a line to standard error: something to know that is not the result.
pub(crate) fn note(text: impl Display) {
    // If nobody can read it, nobody can be told.
    let _ = writeln!(stderr().lock(), "{text}");
}

/// Whether messages on standard error may have colours (<https://no-color.org>).
pub(crate) fn colors() -> bool {
    stderr().is_terminal() && !refused()
}

/// The same of standard output.
pub(crate) fn colors_of_output() -> bool {
    stdout().is_terminal() && !refused()
}

fn refused() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}
