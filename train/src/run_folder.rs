//! Run folders: what is kept of a training, and how it is taken up again.
//!
//! | file | holds |
//! |---|---|
//! | `config.json` | the task, the model with its cell's text and what that imports, the settings |
//! | `vocabulary.json` | the symbols and, of a classifier, the labels |
//! | `model.safetensors` | the parameters and the optimiser's memory ([`checkpoint`]) |
//! | `metrics.jsonl` | the course of the training, one JSON object a line |

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::blueprint::Blueprint;
use crate::checkpoint::{self, CheckpointError, write_whole};
use crate::model::Model;
use crate::optimizer::Optimizer;
use crate::task::Part;
use crate::task::config::{TaskConfig, Words};
use crate::trainer::{Evaluation, Settings, Step};

/// Everything a training was started with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The version of this layout, [`checkpoint::FORMAT`].
    pub format: u32,
    /// The task.
    pub task: TaskConfig,
    /// The model.
    pub model: Blueprint,
    /// The training.
    pub training: Settings,
}

/// A folder that a training is kept in.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    metrics: File,
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
    pub fn create(path: &Path, config: &Config, words: &Words) -> Result<Self, CheckpointError> {
        if path.join("config.json").exists() {
            let fault = "the folder holds a run already; name another, or remove it".to_owned();
            return Err(CheckpointError::Damaged { path: path.to_owned(), fault });
        }
        std::fs::create_dir_all(path).map_err(cannot_write(path))?;
        let metrics = path.join("metrics.jsonl");
        let metrics = File::create(&metrics).map_err(cannot_write(&metrics))?;
        write_json(&path.join("vocabulary.json"), words)?;
        write_json(&path.join("config.json"), config)?;
        Ok(Self { path: path.to_owned(), metrics })
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
        labels: bool,
    ) -> Result<(), CheckpointError> {
        let mut score = json!({ "loss": evaluation.score.mean_loss() });
        if labels {
            score["accuracy"] = json!(evaluation.score.accuracy());
        }
        let part = match evaluation.part {
            Part::Validation => "validation",
            Part::HeldOut => "heldout",
        };
        let seconds = evaluation.elapsed.as_secs_f64();
        self.note(&json!({ "step": evaluation.step, part: score, "seconds": seconds }))
    }

    fn note(&mut self, line: &serde_json::Value) -> Result<(), CheckpointError> {
        let written = writeln!(self.metrics, "{line}");
        written.map_err(cannot_write(&self.path.join("metrics.jsonl")))
    }

    /// Keeps the model and its optimiser in place of those of before.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn save(
        &self,
        model: &Model<f32>,
        optimizer: &Optimizer<f32>,
        step: u64,
    ) -> Result<(), CheckpointError> {
        checkpoint::save(&self.path.join("model.safetensors"), model, optimizer, step)
    }
}

/// A run that was kept: what it was started with.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptRun {
    path: PathBuf,
    /// What it was started with.
    pub config: Config,
    /// What its model reads and answers.
    pub words: Words,
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
        if !path.join("config.json").exists() {
            return damaged("this is no run folder: it has no `config.json`");
        }
        let config: Config = read_json(&path.join("config.json"))?;
        if config.format != checkpoint::FORMAT {
            let (found, known) = (config.format, checkpoint::FORMAT);
            return damaged(&format!("the run's format is {found}; this program reads {known}"));
        }
        let words = read_json(&path.join("vocabulary.json"))?;
        Ok(Self { path: path.to_owned(), config, words })
    }

    /// Takes up its model, which must be of its blueprint and words.
    ///
    /// # Errors
    /// If the checkpoint is missing, damaged or of another model.
    pub fn load(&self, model: &mut Model<f32>) -> Result<checkpoint::Metadata, CheckpointError> {
        let path = self.path.join("model.safetensors");
        if !path.exists() {
            let fault = "there is no checkpoint yet: the training was stopped before the first";
            return Err(CheckpointError::Damaged { path, fault: fault.to_owned() });
        }
        checkpoint::load(&path, model)
    }
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
    serde_json::from_slice(&text).map_err(|error| CheckpointError::Damaged {
        path: path.to_owned(),
        fault: format!("the file is damaged: {error}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optimizer::{Method, Schedule};
    use crate::task::vocabulary::Vocabulary;
    use cellc_runtime::program::Engine;

    fn config() -> Config {
        Config {
            format: checkpoint::FORMAT,
            task: TaskConfig::Chars { data: "a.txt".into(), batch: 2, seq: 3, held_out: 0.05 },
            model: Blueprint {
                cell: "rnn.cell".into(),
                text: cellc_cells::find("rnn").unwrap().source.into(),
                layers: 1,
                hidden: 4,
                embedding: 3,
                ..Blueprint::default()
            },
            training: Settings {
                optimizer: Method::ADAM,
                learning_rate: 0.1,
                schedule: Schedule::CONSTANT,
                clip: 1.0,
                weight_decay: 0.0,
                steps: 7,
                evaluate_every: 2,
                patience: 0,
                seed: 1,
                threads: 1,
                memory: None,
            },
        }
    }

    fn words() -> Words {
        Words { symbols: Vocabulary::count(["a", "b"], 1), labels: Vec::new() }
    }

    fn model(config: &Config) -> Model<f32> {
        let architecture = config.model.architecture(3, 3, config.task.readout()).unwrap();
        Model::new(&architecture, Engine::default(), 1).unwrap()
    }

    #[test]
    fn a_run_comes_back_as_it_was_started() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("runs/chars-1");
        let run = RunFolder::create(&path, &config(), &words()).unwrap();
        let kept = KeptRun::open(&path).unwrap();
        assert_eq!((&kept.config, &kept.words), (&config(), &words()));
        let mut model = model(&config());
        let early = kept.load(&mut model).unwrap_err().to_string();
        assert!(early.contains("no checkpoint yet"), "{early}");
        let optimizer = Optimizer::new(Method::SGD, 0.0, &[]);
        run.save(&model, &optimizer, 3).unwrap();
        assert_eq!(kept.load(&mut model).unwrap().step, 3);
        let again = RunFolder::create(&path, &config(), &words()).unwrap_err();
        assert!(again.to_string().contains("holds a run already"), "{again}");
    }

    #[test]
    fn damaged_runs_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let refused = || {
            let error = KeptRun::open(folder.path()).unwrap_err().to_string();
            error.replace(folder.path().to_str().unwrap(), "RUN")
        };
        assert_eq!(refused(), "RUN: this is no run folder: it has no `config.json`");
        RunFolder::create(folder.path(), &config(), &words()).unwrap();
        std::fs::remove_file(folder.path().join("vocabulary.json")).unwrap();
        assert!(refused().starts_with("cannot read RUN/vocabulary.json: "));
        std::fs::write(folder.path().join("vocabulary.json"), "{\"symbols\": [1]}").unwrap();
        assert!(refused().starts_with("RUN/vocabulary.json: the file is damaged: invalid type"));
        let text = std::fs::read_to_string(folder.path().join("config.json")).unwrap();
        std::fs::write(folder.path().join("config.json"), &text[..text.len() / 2]).unwrap();
        assert!(refused().starts_with("RUN/config.json: the file is damaged: EOF"));
        let missing = KeptRun::open(Path::new("not/there")).unwrap_err();
        assert_eq!(missing.to_string(), "not/there: there is no such run folder");
    }
}
