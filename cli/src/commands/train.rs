//! `cellc train`

use std::process::ExitCode;

use crate::failure::Failure;

/// Trains a model and keeps it in a run folder.
#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_args: Args) -> Result<ExitCode, Failure> {
    Err(Failure::new("not there yet"))
}
