//! What can be done about a file of a run that is missing, damaged or of another run.

use std::path::Path;

use super::lock::LOCK;
use super::{EXPERIMENT, KEPT, MODEL, RESULT, TRAINING, read_experiment, read_kept};
use crate::checkpoint::{CheckpointError, read_metadata};
use crate::metrics::log;

/// What can be done about a file that could not be read, in a sentence or two; `None` if it is none of
/// those of a run, or there is nothing to be said.
pub fn mend(error: &CheckpointError) -> Option<String> {
    let path = match error {
        CheckpointError::Read { path, .. } | CheckpointError::Damaged { path, .. } => path,
        CheckpointError::Write { path, .. } if path.is_dir() => path,
        CheckpointError::Write { .. } => return None,
    };
    let run = path.parent()?;
    let (shown, begun) = (run.display(), run.join(MODEL).exists() || run.join(TRAINING).exists());
    match path.file_name()?.to_str()? {
        EXPERIMENT | KEPT => {
            Some(format!("Put the file back as it was, or begin anew: {}", anew(run)))
        }
        // There is nothing to be mended where nothing was kept.
        MODEL | TRAINING if !begun => None,
        MODEL if read_metadata(&run.join(TRAINING)).is_ok() => Some(format!(
            "Put the file back. Or move it away and take what the training has come to since: cellc \
             train --resume {shown}"
        )),
        MODEL => Some(format!("Put the file back, or train anew: {}", anew(run))),
        TRAINING => {
            let usable = match read_metadata(&run.join(MODEL)) {
                Ok(model) => format!(
                    " The model of step {} is whole and can be used: cellc eval {shown}",
                    model.step
                ),
                Err(_) => String::new(),
            };
            Some(format!("Put the file back, or train anew: {}.{usable}", anew(run)))
        }
        log::JSON_LINES | log::CSV if path.exists() => {
            Some("Move the file away to go on without it: nothing else needs it.".to_owned())
        }
        RESULT => Some("Move the file away: `--resume` writes it anew.".to_owned()),
        LOCK => Some("Remove it: it holds nothing.".to_owned()),
        _ => None,
    }
}

/// The command that begins a run anew, as far as its files tell how it was begun.
fn anew(run: &Path) -> String {
    let path = run.join(EXPERIMENT);
    if read_experiment(run).is_ok() {
        return format!("cellc train --config {}", path.display());
    }
    let Ok(kept) = read_kept(run) else { return "cellc train".to_owned() };
    let model = &kept.blueprint.model;
    let mut command = format!("cellc train --task {}", kept.task);
    // Which of several files is which is not told by them.
    if let [data] = kept.data.as_slice() {
        command += &format!(" --data {}", data.path.display());
    }
    command +=
        &format!(" --cell {} --layers {} --hidden {}", model.cell, model.layers, model.hidden);
    command
}
