//! The `cellc` command: parses arguments, calls the libraries, prints.
//!
//! Each subcommand is a file in `commands/`, with its arguments and a function `run`. What several
//! share stands beside: `arguments` reads the command line, `load` finds and checks a cell, `models`
//! opens models that are kept, `output` and `progress` are all that writes to the terminal; `lsp` speaks to an editor there. Whatever ends a
//! command early is a `Failure`.
//!
//! Exit status: 0 done, 1 the answer is no (a gradient check failed), 2 bad input, 130 a training was
//! stopped by Ctrl-C.

mod arguments;
mod commands;
mod describe;
mod dims;
mod facts;
mod failure;
mod formula;
mod hypers;
mod load;
mod memory;
mod models;
mod number;
mod output;
mod progress;
mod table;
mod verdicts;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::commands::{
    bench, cells, check, compare, convert, eval, fmt, gradcheck, info, lsp, predict, run, sample,
    show, sweep, tasks, train,
};
use self::failure::Failure;

/// A compiler for recurrent cells: write one time step as text; check it, differentiate it, run it
/// and train it.
///
/// A CELL is a name of the catalogue (`cellc cells` lists it) or the path of a `.cell` file.
#[derive(Parser)]
#[command(
    name = "cellc",
    version,
    about,
    after_help = "\
Exit status: 0 done, 1 the answer is no (a gradient check failed), 2 bad input, 130 a training was stopped
by Ctrl-C."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Check(check::Args),
    Fmt(fmt::Args),
    Lsp(lsp::Args),
    Cells(cells::Args),
    Show(show::Args),
    Gradcheck(gradcheck::Args),
    Run(run::Args),
    Convert(convert::Args),
    Bench(bench::Args),
    Tasks(tasks::Args),
    Train(Box<train::Args>),
    Compare(Box<compare::Args>),
    Sweep(Box<sweep::Args>),
    Info(info::Args),
    Eval(eval::Args),
    Predict(predict::Args),
    Sample(sample::Args),
}

fn main() -> ExitCode {
    let cli = match arguments::parse::<Cli>() {
        Ok(cli) => cli,
        Err(status) => return status,
    };
    let result = match cli.command {
        Command::Check(args) => check::run(&args),
        Command::Fmt(args) => fmt::run(&args),
        Command::Lsp(args) => lsp::run(&args),
        Command::Cells(args) => cells::run(&args),
        Command::Show(args) => show::run(&args),
        Command::Gradcheck(args) => gradcheck::run(&args),
        Command::Run(args) => run::run(&args),
        Command::Convert(args) => convert::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Tasks(args) => tasks::run(&args),
        Command::Train(args) => train::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Sweep(args) => sweep::run(&args),
        Command::Info(args) => info::run(&args),
        Command::Eval(args) => eval::run(&args),
        Command::Predict(args) => predict::run(&args),
        Command::Sample(args) => sample::run(&args),
    };
    match result {
        Ok(status) => status,
        Err(Failure::Closed) => ExitCode::SUCCESS,
        Err(failure) => {
            output::note(failure);
            ExitCode::from(2)
        }
    }
}
