//! Run folders: what is kept of a training, and how it is taken up again.
//!
//! | file | holds |
//! |---|---|
//! | `experiment.toml` | what the training was started with, as resolved: it can be started again |
//! | `model.json` | what it takes to use the model: its cells' texts, symbols, labels |
//! | `model.safetensors` | the parameters of the best model so far ([`checkpoint`]) |
//! | `last.safetensors` | the training as it stands, to be gone on with |
//! | `metrics.jsonl` | the course of the training, one JSON object a line |
//! | `result.json` | what came of it, once it is over ([`RunResult`]) |

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::blueprint::Blueprint;
use crate::checkpoint::{self, CheckpointError, write_whole};
use crate::experiment::{Experiment, Ready};
use crate::metrics::summary::summarize;
use crate::model::{Interface, Model};
use crate::run::RunResult;
use crate::task::{self, Codec, Goal, Part};
use crate::trainer::{Evaluation, Resumed, Snapshot, Step, optimizer};

/// What it takes to use a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// The version of this layout, [`checkpoint::FORMAT`].
    pub format: u32,
    /// The kind of its task.
    pub task: String,
    /// How data become batches, and answers something to be read.
    pub codec: Value,
    /// The model.
    pub blueprint: Blueprint,
}

impl Kept {
    /// What is kept of an experiment.
    pub fn of(ready: &Ready) -> Self {
        let task = ready.experiment.kind().map_or("", |kind| kind.name).to_owned();
        let (codec, blueprint) = (ready.loaded.codec.kept(), ready.blueprint.clone());
        Self { format: checkpoint::FORMAT, task, codec, blueprint }
    }
}

/// A folder that a training is kept in.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    metrics: File,
}

/// What came of the run of a folder; `None` if it is not over, or there is none.
///
/// # Errors
/// If the file is damaged or cannot be read.
pub fn result(path: &Path) -> Result<Option<RunResult>, CheckpointError> {
    let file = path.join("result.json");
    if file.exists() { read_json(&file).map(Some) } else { Ok(None) }
}

/// What was noted in a folder, in its order. Lines that are not whole are left out.
pub fn course(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path.join("metrics.jsonl")).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// A figure of the evaluations on a part, where there are any: steps, seconds, and the figure.
pub fn curve(course: &[Value], part: Part, figure: &str) -> Vec<(f64, f64, f64)> {
    let point = |note: &Value| {
        let score = note.get(part_key(part))?;
        // What is no number was written as `null`.
        let y = score[figure].as_f64().unwrap_or(f64::NAN);
        Some((note["step"].as_f64()?, note["seconds"].as_f64()?, y))
    };
    course.iter().filter_map(point).collect()
}

fn seconds_per_step(course: &[Value]) -> Option<f64> {
    let pairs = course.windows(2).filter(|pair| pair[1].get("learning_rate").is_some());
    let times =
        pairs.filter_map(|pair| Some(pair[1]["seconds"].as_f64()? - pair[0]["seconds"].as_f64()?));
    summarize(&times.collect::<Vec<_>>()).map(|summary| summary.median)
}

fn part_key(part: Part) -> &'static str {
    match part {
        Part::Validation => "validation",
        Part::HeldOut => "heldout",
    }
}

fn cannot_write(path: &Path) -> impl FnOnce(std::io::Error) -> CheckpointError {
    let path = path.to_owned();
    |source| CheckpointError::Write { path, source }
}

impl RunFolder {
    /// Makes a folder for a new run, and writes down what it is started with.
    ///
    /// # Errors
    /// If there is a run already, or the folder cannot be written to.
    pub fn create(
        path: &Path,
        experiment: &Experiment,
        kept: &Kept,
    ) -> Result<Self, CheckpointError> {
        let damaged = |fault: String| CheckpointError::Damaged { path: path.to_owned(), fault };
        if path.join("model.json").exists() {
            return Err(damaged(
                "the folder holds a run already; go on with it (--resume), name another, or \
                 remove it"
                    .to_owned(),
            ));
        }
        std::fs::create_dir_all(path).map_err(cannot_write(path))?;
        let metrics = path.join("metrics.jsonl");
        let metrics = File::create(&metrics).map_err(cannot_write(&metrics))?;
        let text = toml::to_string(experiment).map_err(|error| damaged(error.to_string()))?;
        write_whole(&path.join("experiment.toml"), text.as_bytes())?;
        write_json(&path.join("model.json"), kept)?;
        Ok(Self { path: path.to_owned(), metrics })
    }

    /// Goes on with a run after a step: what was noted of later ones is dropped.
    ///
    /// # Errors
    /// If its files cannot be read or written.
    pub fn reopen(path: &Path, step: u64) -> Result<Self, CheckpointError> {
        let metrics = path.join("metrics.jsonl");
        let text = match std::fs::read_to_string(&metrics) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(CheckpointError::Read { path: metrics, source }),
        };
        let is_kept = |line: &&str| {
            let value: Option<Value> = serde_json::from_str(line).ok();
            value.and_then(|value| value["step"].as_u64()).is_some_and(|noted| noted <= step)
        };
        let lines: String = text.lines().filter(is_kept).flat_map(|line| [line, "\n"]).collect();
        write_whole(&metrics, lines.as_bytes())?;
        let open = OpenOptions::new().append(true).open(&metrics);
        Ok(Self { path: path.to_owned(), metrics: open.map_err(cannot_write(&metrics))? })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Notes a step.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn note_step(&mut self, step: &Step) -> Result<(), CheckpointError> {
        self.note(&json!({
            "step": step.step,
            "epoch": step.epoch,
            "loss": step.loss,
            "learning_rate": step.learning_rate,
            "gradient_norm": step.gradient_norm,
            "seconds": step.elapsed.as_secs_f64(),
        }))
    }

    /// Notes an evaluation.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn note_evaluation(
        &mut self,
        evaluation: &Evaluation,
        goal: Goal,
    ) -> Result<(), CheckpointError> {
        let mut score = json!({ "loss": evaluation.score.mean_loss() });
        if goal == Goal::Accuracy {
            score["accuracy"] = json!(evaluation.score.accuracy());
        }
        if evaluation.score.numbers > 0 {
            score["mean_absolute_error"] = json!(evaluation.score.mean_absolute_error());
            score["mean_squared_error"] = json!(evaluation.score.mean_squared_error());
        }
        let part = part_key(evaluation.part);
        let seconds = evaluation.elapsed.as_secs_f64();
        self.note(&json!({ "step": evaluation.step, part: score, "seconds": seconds }))
    }

    fn note(&mut self, line: &Value) -> Result<(), CheckpointError> {
        let written = self.metrics.write_all(format!("{line}\n").as_bytes());
        written.map_err(cannot_write(&self.path.join("metrics.jsonl")))
    }

    /// Keeps the best model in place of that of before.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save_model(&self, model: &Model<f32>, step: u64) -> Result<(), CheckpointError> {
        checkpoint::save_model(&self.path.join("model.safetensors"), model, step)
    }

    /// Keeps the training as it stands in place of what it was before.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save_training(&self, snapshot: &Snapshot<'_>) -> Result<(), CheckpointError> {
        checkpoint::save_training(&self.path.join("last.safetensors"), snapshot)
    }

    /// Keeps what came of the training.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save_result(&self, result: &RunResult) -> Result<(), CheckpointError> {
        write_json(&self.path.join("result.json"), result)
    }

    /// Seconds of an update in the median, without evaluations; `None` if too few were noted.
    pub fn seconds_per_step(&self) -> Option<f64> {
        seconds_per_step(&course(&self.path))
    }

    /// Seconds of the training, as far as they were noted.
    pub fn seconds(&self) -> f64 {
        course(&self.path).last().and_then(|note| note["seconds"].as_f64()).unwrap_or(0.0)
    }
}

/// A run that was kept.
#[derive(Debug)]
pub struct KeptRun {
    path: PathBuf,
    /// What it was started with.
    pub experiment: Experiment,
    /// What it takes to use its model.
    pub kept: Kept,
}

impl KeptRun {
    /// Reads what a run was started with.
    ///
    /// # Errors
    /// If the folder holds no run, or a file is damaged.
    pub fn open(path: &Path) -> Result<Self, CheckpointError> {
        let damaged = |fault: &str| {
            Err(CheckpointError::Damaged { path: path.to_owned(), fault: fault.to_owned() })
        };
        if !path.exists() {
            return damaged("there is no such run folder");
        }
        if !path.join("model.json").exists() {
            return damaged("this is no run folder: it has no `model.json`");
        }
        let value: Value = read_json(&path.join("model.json"))?;
        let (found, known) = (value["format"].as_u64(), checkpoint::FORMAT);
        if found != Some(known.into()) {
            let found = found.map_or_else(|| "not said".to_owned(), |found| found.to_string());
            return damaged(&format!("the run's format is {found}; this program reads {known}"));
        }
        let kept: Kept = serde_json::from_value(value).map_err(broken(&path.join("model.json")))?;
        let file = path.join("experiment.toml");
        let text = std::fs::read_to_string(&file)
            .map_err(|source| CheckpointError::Read { path: file.clone(), source })?;
        let experiment = toml::from_str(&text).map_err(broken(&file))?;
        Ok(Self { path: path.to_owned(), experiment, kept })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How data become batches for its model.
    ///
    /// # Errors
    /// If what was kept of it is damaged, or of a task that this program does not have.
    pub fn codec(&self) -> Result<Box<dyn Codec>, CheckpointError> {
        let path = self.path.join("model.json");
        let Some(kind) = task::find(&self.kept.task) else {
            let fault = format!("this program has no task `{}`", self.kept.task);
            return Err(CheckpointError::Damaged { path, fault });
        };
        (kind.codec)(self.kept.codec.clone()).map_err(broken(&path))
    }

    /// Whether a model was kept.
    pub fn has_model(&self) -> bool {
        self.path.join("model.safetensors").exists()
    }

    /// Takes up its best model, which must be of its blueprint and codec.
    ///
    /// # Errors
    /// If the checkpoint is missing, damaged or of another model.
    pub fn load(&self, model: &mut Model<f32>) -> Result<checkpoint::Metadata, CheckpointError> {
        checkpoint::load_model(&self.there("model.safetensors")?, model)
    }

    /// Reads the training as it stood, to be gone on with. `None` if it was stopped before it was
    /// kept for the first time.
    ///
    /// # Errors
    /// If a checkpoint is damaged or of another model.
    pub fn resume(&self, model: &Model<f32>) -> Result<Option<Resumed>, CheckpointError> {
        let path = self.path.join("last.safetensors");
        if !path.exists() {
            return Ok(None);
        }
        let optimizer = optimizer(model, &self.experiment.training);
        checkpoint::load_training(&path, model, &optimizer).map(Some)
    }

    fn there(&self, file: &str) -> Result<PathBuf, CheckpointError> {
        let path = self.path.join(file);
        if path.exists() {
            return Ok(path);
        }
        let fault = "there is no checkpoint yet: the training was stopped before the first";
        Err(CheckpointError::Damaged { path, fault: fault.to_owned() })
    }

    /// What the task asks of its model.
    ///
    /// # Errors
    /// As [`codec`](Self::codec).
    pub fn interface(&self) -> Result<Interface, CheckpointError> {
        Ok(self.codec()?.interface())
    }
}

fn broken<E: std::fmt::Display>(path: &Path) -> impl FnOnce(E) -> CheckpointError {
    let path = path.to_owned();
    |error| CheckpointError::Damaged { path, fault: format!("the file is damaged: {error}") }
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<(), CheckpointError> {
    let text = serde_json::to_string_pretty(value).map_err(|error| CheckpointError::Damaged {
        path: path.to_owned(),
        fault: format!("it cannot be written as JSON: {error}"),
    })?;
    write_whole(path, (text + "\n").as_bytes())
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, CheckpointError> {
    let text = std::fs::read(path)
        .map_err(|source| CheckpointError::Read { path: path.to_owned(), source })?;
    serde_json::from_slice(&text).map_err(broken(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blueprint::CellText;

    fn ready() -> Ready {
        let layer = "[model]\nhidden = 4\n[task]\nexamples = 20\n[training]\nsteps = 2";
        let experiment = Experiment::layered(&[layer.parse().unwrap()]).unwrap();
        experiment.ready(vec![CellText::of_catalogue("lstm").unwrap()]).unwrap()
    }

    #[test]
    fn a_run_comes_back_as_it_was_started() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("runs/reviews-1");
        let mut ready = ready();
        let run = RunFolder::create(&path, &ready.experiment, &Kept::of(&ready)).unwrap();
        let kept = KeptRun::open(&path).unwrap();
        assert_eq!((&kept.experiment, &kept.kept), (&ready.experiment, &Kept::of(&ready)));
        assert_eq!(kept.codec().unwrap().kept(), ready.loaded.codec.kept());
        let early = kept.load(&mut ready.model).unwrap_err().to_string();
        assert!(early.contains("no checkpoint yet"), "{early}");
        assert!(kept.resume(&ready.model).unwrap().is_none());
        run.save_model(&ready.model, 3).unwrap();
        assert_eq!(kept.load(&mut ready.model).unwrap().step, 3);
        let again = RunFolder::create(&path, &ready.experiment, &Kept::of(&ready)).unwrap_err();
        assert!(again.to_string().contains("holds a run already"), "{again}");
    }

    #[test]
    fn what_was_noted_after_the_checkpoint_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let metrics = folder.path().join("metrics.jsonl");
        let line = |step| format!("{{\"step\":{step},\"loss\":1}}\n");
        // The last line was cut off in the middle.
        std::fs::write(&metrics, line(1) + &line(2) + &line(3) + "{\"step\":2,\"lo").unwrap();
        let mut run = RunFolder::reopen(folder.path(), 2).unwrap();
        run.note(&json!({ "step": 3, "loss": 2 })).unwrap();
        let text = std::fs::read_to_string(metrics).unwrap();
        assert_eq!(text, line(1) + &line(2) + "{\"step\":3,\"loss\":2}\n");
    }

    #[test]
    fn damaged_runs_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let refused = || {
            let error = KeptRun::open(folder.path()).unwrap_err().to_string();
            error.replace(folder.path().to_str().unwrap(), "RUN")
        };
        assert_eq!(refused(), "RUN: this is no run folder: it has no `model.json`");
        let ready = ready();
        RunFolder::create(folder.path(), &ready.experiment, &Kept::of(&ready)).unwrap();
        let experiment = folder.path().join("experiment.toml");
        std::fs::write(&experiment, "[training]\nbatch = 'many'").unwrap();
        let fault = refused();
        assert!(fault.starts_with("RUN/experiment.toml: the file is damaged: "), "{fault}");
        std::fs::remove_file(&experiment).unwrap();
        assert!(refused().starts_with("cannot read RUN/experiment.toml: "));
        let model = folder.path().join("model.json");
        let text = std::fs::read_to_string(&model).unwrap();
        std::fs::write(&model, text.replace("\"format\": 2", "\"format\": 1")).unwrap();
        assert_eq!(refused(), "RUN: the run's format is 1; this program reads 2");
        std::fs::write(&model, &text[..text.len() / 2]).unwrap();
        assert!(refused().starts_with("RUN/model.json: the file is damaged: EOF"));
        let missing = KeptRun::open(Path::new("not/there")).unwrap_err();
        assert_eq!(missing.to_string(), "not/there: there is no such run folder");
    }
}
