//! `cellc lsp`: what editors ask about files of cells, by the Language Server Protocol.
//!
//! `server` holds the documents and answers; `document` is one of them with what the compiler says of
//! it. `diagnostics`, `hover` and `symbols` put that in the protocol's words: `names` finds what a name
//! in the text stands for, `reference` what `docs/language.md` says of a function, `position` and `uri`
//! translate places.

mod diagnostics;
mod document;
mod hover;
mod names;
mod position;
mod reference;
mod server;
mod symbols;
mod uri;

use std::process::ExitCode;

use lsp_server::Connection;

use crate::failure::Failure;

/// Serve an editor: faults while one types, what names stand for, formatting
///
/// Speaks the Language Server Protocol on standard input and output until the editor says `exit`. How
/// editors are told to start it is in `docs/editors.md`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Nothing: there is no other way to speak to it, but some editors ask for this one
    #[arg(long)]
    stdio: bool,
}

pub(crate) fn run(_: &Args) -> Result<ExitCode, Failure> {
    let (connection, threads) = Connection::stdio();
    let status = server::serve(&connection)
        .map_err(|error| Failure::new(format!("the language server ended early: {error}")))?;
    // The thread that writes ends when there is nobody left to write for.
    drop(connection);
    threads.join().map_err(|error| Failure::new(format!("the editor is gone: {error}")))?;
    Ok(status)
}
