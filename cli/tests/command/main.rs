//! The command as a user runs it: the real binary, its exit status, and what it says.

#![allow(clippy::print_stderr, reason = "a failing test says what the command said")]

mod bench;
mod broken_arrays;
mod broken_cells;
mod convert;
mod damaged_runs;
mod ends;
mod fmt;
mod inspect;
mod language;
mod lsp;
mod pages;
mod resume;
mod run;
mod series;
mod support;
mod tasks;
mod train;
mod using;
mod watching;
