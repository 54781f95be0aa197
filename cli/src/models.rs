//! Models of the command: built from what a run was started with, and what can go wrong with them.

use std::io::ErrorKind;
use std::path::Path;

use cellc_runtime::program::Engine;
use cellc_runtime::sequence::RunError;
use cellc_train::blueprint::BlueprintError;
use cellc_train::checkpoint::CheckpointError;
use cellc_train::experiment::ExperimentError;
use cellc_train::generate::DrawError;
use cellc_train::model::{Model, ModelError};
use cellc_train::run::ResumeError;
use cellc_train::run_folder::{KeptRun, mend};
use cellc_train::series::SeriesError;
use cellc_train::task::{Codec, DataError, TaskError};
use cellc_train::trainer::TrainError;

use crate::failure::Failure;
use crate::load::drawn;

impl From<DataError> for Failure {
    fn from(error: DataError) -> Self {
        let help = match &error {
            DataError::Column { options: [], .. } => {
                "\nName it as `cellc tasks TASK` says.".to_owned()
            }
            DataError::Column { options, .. } => {
                let named = options.iter().map(|option| match *option {
                    "text_column" => "--text-column".to_owned(),
                    "label_column" => "--label-column".to_owned(),
                    option => format!("task.{option}=NAME"),
                });
                format!("\nName it with {}.", named.collect::<Vec<_>>().join(" or "))
            }
            _ => String::new(),
        };
        Self::new(format!("{error}{help}"))
    }
}

/// A fault of data that a model is to answer or to be judged by, whose columns are named by other options
/// than those of a training.
pub(crate) fn of_run(error: TaskError) -> Failure {
    let TaskError::Data(error) = error else { return error.into() };
    let DataError::Column { options, .. } = &error else { return error.into() };
    let named = options.iter().filter_map(|option| match *option {
        "text_column" | "token_column" => Some("--text-column"),
        "label_column" | "tag_column" => Some("--label-column"),
        _ => None,
    });
    let named: Vec<_> = named.collect();
    let help = match named.as_slice() {
        [] => "Call the columns as those that the run was trained on.".to_owned(),
        named => format!("Name it with {}.", named.join(" or ")),
    };
    Failure::new(format!("{error}\n{help}"))
}

impl From<CheckpointError> for Failure {
    fn from(error: CheckpointError) -> Self {
        match mend(&error) {
            Some(mend) => Self::new(format!("{error}\n{mend}")),
            None => Self::new(error.to_string()),
        }
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

impl From<DrawError> for Failure {
    fn from(error: DrawError) -> Self {
        match error {
            DrawError::Run(error) => error.into(),
            error => Self::new(error.to_string()),
        }
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
            TrainError::Run(RunError::Memory { .. }) => {
                " (--memory, or all that the machine has)\nWithin a limit, such as --memory 4GB, long \
                 sequences are run in segments. Or take fewer examples at once (--batch) or, of a \
                 text, shorter sequences (--seq)."
                    .to_owned()
            }
            TrainError::Checkpoint(CheckpointError::Write { path, source })
                if source.kind() == ErrorKind::StorageFull =>
            {
                let run = path.parent().unwrap_or(path).display();
                format!(
                    "\nWhat was kept before is whole. Make room, and go on from there: cellc train \
                     --resume {run}"
                )
            }
            _ => String::new(),
        };
        Self::new(format!("{error}{help}"))
    }
}

impl From<TaskError> for Failure {
    fn from(error: TaskError) -> Self {
        match error {
            TaskError::Data(error) => error.into(),
            TaskError::Option(error) => Self::new(error.to_string()),
        }
    }
}

impl From<ExperimentError> for Failure {
    fn from(error: ExperimentError) -> Self {
        match error {
            ExperimentError::Data(error) => error.into(),
            ExperimentError::Blueprint(error) => error.into(),
            error => Self::new(error.to_string()),
        }
    }
}

impl From<ResumeError> for Failure {
    fn from(error: ResumeError) -> Self {
        match error {
            ResumeError::Checkpoint(error) => error.into(),
            ResumeError::Experiment(error) => error.into(),
            error => Self::new(error.to_string()),
        }
    }
}

impl From<SeriesError> for Failure {
    fn from(error: SeriesError) -> Self {
        match error {
            SeriesError::Checkpoint(error) => error.into(),
            SeriesError::Experiment(error) => error.into(),
            SeriesError::Resume(error) => error.into(),
            SeriesError::Train(error) => error.into(),
            error @ SeriesError::Settings(_) => Self::new(error.to_string()),
        }
    }
}

/// A run, how data become batches for its model, and the model.
pub(crate) type Opened = (KeptRun, Box<dyn Codec>, Model<f32>);

/// Opens a run with its model as it was kept.
pub(crate) fn open(path: &Path) -> Result<Opened, Failure> {
    let run = KeptRun::open(path)?;
    let codec = run.codec()?;
    let architecture = run.kept.blueprint.architecture(codec.interface())?;
    let mut model = Model::new(&architecture, Engine::default(), 0)?;
    run.load(&mut model)?;
    Ok((run, codec, model))
}

/// How many threads a run takes: as many as there are cores, if the user does not say.
pub(crate) fn threads(given: Option<std::num::NonZero<usize>>) -> usize {
    given.or_else(|| std::thread::available_parallelism().ok()).map_or(1, std::num::NonZero::get)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_names_what_is_left_and_how_to_go_on() {
        let write = |kind: ErrorKind| {
            let path = Path::new("runs/a/model.safetensors").to_owned();
            let error = CheckpointError::Write { path, source: kind.into() };
            Failure::from(TrainError::from(error)).to_string()
        };
        let full = write(ErrorKind::StorageFull);
        assert!(
            full.ends_with("Make room, and go on from there: cellc train --resume runs/a"),
            "{full}"
        );
        assert!(!write(ErrorKind::PermissionDenied).contains("Make room"));
    }
}
