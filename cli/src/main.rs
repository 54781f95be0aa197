//! The `cellc` command: parses arguments, calls the libraries, prints.
//!
//! Exit status: 0 done, 1 the answer is no (a gradient check failed), 2 bad input.

mod commands;
mod failure;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A compiler for recurrent cells.
#[derive(Parser)]
#[command(name = "cellc", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Train(commands::train::Args),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Train(args) => commands::train::run(args),
    };
    result.unwrap_or_else(|failure| {
        report(&failure);
        ExitCode::from(2)
    })
}

#[allow(clippy::print_stderr, reason = "the command's one place for errors")]
fn report(failure: &failure::Failure) {
    eprintln!("error: {failure}");
}
