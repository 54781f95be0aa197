//! Models of the command: built from what a run was started with, and what can go wrong with them.

use std::path::Path;

use cellc_runtime::program::Engine;
use cellc_runtime::sequence::RunError;
use cellc_train::blueprint::{Blueprint, BlueprintError};
use cellc_train::checkpoint::CheckpointError;
use cellc_train::model::{Model, ModelError, Readout};
use cellc_train::run_folder::KeptRun;
use cellc_train::task::DataError;
use cellc_train::task::config::Words;
use cellc_train::trainer::TrainError;

use crate::failure::Failure;
use crate::load::drawn;

impl From<DataError> for Failure {
    fn from(error: DataError) -> Self {
        let help = match &error {
            DataError::Column { .. } => "\nName it with --text-column or --label-column.",
            _ => "",
        };
        Self::new(format!("{error}{help}"))
    }
}

impl From<CheckpointError> for Failure {
    fn from(error: CheckpointError) -> Self {
        Self::new(error.to_string())
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        let help = match &error {
            RunError::Memory { .. } => " (--memory)",
            _ => "",
        };
        Self::new(format!("{error}{help}"))
    }
}

impl From<ModelError> for Failure {
    fn from(error: ModelError) -> Self {
        Self::new(error.to_string())
    }
}

impl From<BlueprintError> for Failure {
    fn from(error: BlueprintError) -> Self {
        match error {
            BlueprintError::Faults(faults) => {
                Self::Diagnostics(drawn(&faults.diagnostics, &faults.sources))
            }
            error => Self::new(error.to_string()),
        }
    }
}

impl From<TrainError> for Failure {
    fn from(error: TrainError) -> Self {
        let help = match &error {
            TrainError::Diverged { .. } => " (--lr), or clip gradients harder (--clip)",
            TrainError::Run(RunError::Memory { .. }) => {
                " (--memory)\nTake fewer examples at once (--batch) or, of a text, shorter \
                 sequences (--seq)."
            }
            _ => "",
        };
        Self::new(format!("{error}{help}"))
    }
}

/// A model of a blueprint with newly drawn parameters.
pub(crate) fn build(
    blueprint: &Blueprint,
    words: &Words,
    readout: Readout,
    seed: u64,
) -> Result<Model<f32>, Failure> {
    let architecture = blueprint.architecture(words.symbols.len(), words.classes(), readout)?;
    Ok(Model::new(&architecture, Engine::default(), seed)?)
}

/// A run and its model as it was kept.
pub(crate) fn open(path: &Path) -> Result<(KeptRun, Model<f32>), Failure> {
    let run = KeptRun::open(path)?;
    let readout = run.config.task.readout();
    let mut model = build(&run.config.model, &run.words, readout, 0)?;
    run.load(&mut model)?;
    Ok((run, model))
}

/// How many threads a run takes: as many as there are cores, if the user does not say.
pub(crate) fn threads(given: Option<std::num::NonZero<usize>>) -> usize {
    given.or_else(|| std::thread::available_parallelism().ok()).map_or(1, std::num::NonZero::get)
}
