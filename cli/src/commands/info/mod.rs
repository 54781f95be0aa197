//! `cellc info`

mod course;
mod model;
mod text;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use cellc_train::checkpoint::{CheckpointError, Metadata, read_metadata, read_metadata_of};
use cellc_train::data_files::DataFile;
use cellc_train::experiment::Experiment;
use cellc_train::metrics::log::JSON_LINES;
use cellc_train::run::RunResult;
use cellc_train::run_folder::{
    EXPERIMENT, KEPT, Kept, KeptRun, Lock, MODEL, TRAINING, blamed, mend, read_experiment,
    read_kept, result, series_hint,
};
use cellc_train::task::{self, Codec};
use cellc_train::trainer::End;
use serde_json::{Value, json};

use self::course::Course;
use self::model::{Part, parameters, parts};
use crate::commands::train::report;
use crate::failure::Failure;
use crate::output::{print, print_json};

/// Show what a run is, how its training went, and how to go on with it
///
/// Of a run that is damaged or was interrupted it shows what there is, and says what is missing.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cellc info runs/chars-1
  cellc info runs/chars-1 --json")]
pub(crate) struct Args {
    /// The run folder
    run: PathBuf,
    /// Print one line of JSON
    #[arg(long)]
    json: bool,
}

/// What is known of a run.
struct Info {
    path: PathBuf,
    experiment: Option<Experiment>,
    kept: Option<Kept>,
    codec: Option<Box<dyn Codec>>,
    parts: Vec<Part>,
    /// Its data, and whether they are what they were.
    data: Vec<(DataFile, Option<String>)>,
    /// The settings that are not the task's defaults, each with what the default is.
    settings: Vec<Setting>,
    course: Course,
    best: Option<Metadata>,
    last: Option<Metadata>,
    /// What came of it, if it is over.
    result: Option<RunResult>,
    /// Names and sizes.
    files: Vec<(String, u64)>,
    /// What is missing or damaged.
    faults: Vec<String>,
}

/// A setting that is not the default.
struct Setting {
    key: String,
    value: String,
    default: Option<String>,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let info = Info::read(&args.run)?;
    if args.json {
        print_json(&info.json())?;
    } else {
        print(info.text())?;
    }
    Ok(ExitCode::SUCCESS)
}

impl Info {
    fn read(path: &Path) -> Result<Self, Failure> {
        if !path.is_dir() {
            return Err(Failure::new(format!("{}: there is no such run folder", path.display())));
        }
        let files = files(path)?;
        let is_there = |name: &str| files.iter().any(|(file, _)| file == name);
        let ours = [KEPT, EXPERIMENT, MODEL, TRAINING, JSON_LINES];
        if !ours.into_iter().any(is_there) {
            let (path, hint) = (path.display(), series_hint(path).unwrap_or_default());
            return Err(Failure::new(format!(
                "{path}: this is no run folder: it has no `{KEPT}`{hint}"
            )));
        }
        let mut faults = Vec::new();
        let experiment = noted(read_experiment(path).map_err(mended), &mut faults);
        let kept = noted(read_kept(path).map_err(mended), &mut faults);
        if experiment.is_some() && kept.is_some() {
            noted(KeptRun::open(path), &mut faults);
        }
        let codec = kept.as_ref().and_then(|kept| {
            let kind = task::find(&kept.task);
            let codec = kind.ok_or_else(|| format!("there is no task `{}`", kept.task));
            let codec = codec.and_then(|kind| {
                (kind.codec)(kept.codec.clone()).map_err(|error| format!("{KEPT}: {error}"))
            });
            noted(codec, &mut faults)
        });
        let parts = match (&kept, &codec) {
            (Some(kept), Some(codec)) => {
                noted(parts(&kept.blueprint, codec.interface()), &mut faults).unwrap_or_default()
            }
            _ => Vec::new(),
        };
        let (folder, parameters) = (path, parameters(&parts));
        let mut metadata = |file: &str| {
            let path = path.join(file);
            let read = |path: &Path| match parameters.as_slice() {
                [] => read_metadata(path),
                parameters => read_metadata_of(path, parameters),
            };
            let blamed = |error| mended(blamed(folder, error));
            let there = is_there(file).then(|| read(&path).map_err(blamed));
            there.and_then(|read| noted(read, &mut faults))
        };
        let (best, last) = (metadata(MODEL), metadata(TRAINING));
        let course = Course::read(path, best.as_ref().map(|best: &Metadata| best.step))
            .map_err(|error| mended(error.into()));
        let course = noted(course, &mut faults).unwrap_or_default();
        let result = noted(result(path).map_err(mended), &mut faults).flatten();
        let data = kept.as_ref().map_or(&[][..], |kept| &kept.data);
        let check = |file: &DataFile| (file.clone(), file.check().err().map(|e| e.to_string()));
        let data = data.iter().map(check).collect();
        let settings = experiment.as_ref().map(settings).unwrap_or_default();
        let path = path.to_owned();
        Ok(Self {
            path,
            experiment,
            kept,
            codec,
            parts,
            data,
            settings,
            course,
            best,
            last,
            result,
            files,
            faults,
        })
    }

    /// How many steps were taken.
    fn steps(&self) -> Option<u64> {
        let kept = self.last.as_ref().or(self.best.as_ref()).map(|kept| kept.step);
        kept.or(self.course.last_step())
    }

    /// How the training ended, if it did not take all of its steps.
    fn ended(&self) -> Option<String> {
        if let Some(failure) = self.failure() {
            return Some(failure.to_owned());
        }
        let (result, experiment) = (self.result.as_ref()?, self.experiment.as_ref()?);
        report::ended(result.end?, result.steps, &experiment.training)
    }

    /// Whether the training came to its end: only then is it judged by what was held out last.
    fn state(&self) -> &'static str {
        if Lock::is_taken(&self.path) {
            return "training";
        }
        let planned = self.experiment.as_ref().map(|experiment| experiment.training.steps);
        let all = |step: u64| planned.is_some_and(|planned| step >= planned);
        match (&self.best, &self.last) {
            (None, None) => "nothing kept",
            (Some(_), None) => "training lost",
            _ if self.failure().is_some() => "failed",
            _ if self.end().is_some() => "finished",
            (_, Some(last)) if self.course.is_finished() || all(last.step) => "finished",
            (_, Some(_)) => "interrupted",
        }
    }

    /// Why the training ended, if it is over and did not fail.
    fn end(&self) -> Option<End> {
        self.result.as_ref()?.end
    }

    /// Why it failed, if it did.
    fn failure(&self) -> Option<&str> {
        self.result.as_ref()?.failure.as_deref()
    }

    fn json(&self) -> Value {
        let data = |(file, fault): &(DataFile, Option<String>)| json!({ "path": file.path, "bytes": file.bytes, "changed": fault.is_some() });
        let part = |part: &Part| {
            json!({
                "stage": part.stage,
                "cell": part.cell,
                "parameters": part.parameters,
                "shapes": part.shapes.iter().map(|(name, shape)| {
                    json!({ "name": name, "shape": shape })
                }).collect::<Vec<_>>(),
            })
        };
        let setting = |setting: &Setting| json!({ "key": setting.key, "value": setting.value, "default": setting.default });
        let files: serde_json::Map<String, Value> =
            self.files.iter().map(|(name, size)| (name.clone(), json!(size))).collect();
        let scores: serde_json::Map<String, Value> =
            self.course.last.iter().map(|(name, x)| (name.clone(), json!(x))).collect();
        json!({
            "run": self.path,
            "task": self.kept.as_ref().map(|kept| &kept.task),
            "state": self.state(),
            "end": self.end(),
            "failure": self.failure(),
            "steps": self.steps(),
            "planned_steps": self.experiment.as_ref().map(|e| e.training.steps),
            "best_step": self.best.as_ref().map(|best| best.step),
            "seconds": self.seconds(),
            "parameters": self.parts.iter().map(|part| part.parameters).sum::<usize>(),
            "stages": self.parts.iter().map(part).collect::<Vec<_>>(),
            "data": self.data.iter().map(data).collect::<Vec<_>>(),
            "settings": self.settings.iter().map(setting).collect::<Vec<_>>(),
            "metrics": scores,
            "best_metrics": self.course.kept,
            "curves": self.course.curves(),
            "files": files,
            "faults": self.faults,
        })
    }

    /// Seconds of training, evaluations included.
    fn seconds(&self) -> Option<f64> {
        let training = self.last.as_ref().and_then(|last| last.training.as_ref());
        let kept = training.map(|stood| stood.progress.seconds);
        self.course.seconds().into_iter().chain(kept).reduce(f64::max)
    }
}

/// What was read, or a fault that is noted.
fn noted<T, E: std::fmt::Display>(result: Result<T, E>, faults: &mut Vec<String>) -> Option<T> {
    let note = |error: E| {
        let fault = error.to_string();
        // Two files may show the same fault of a third.
        if !faults.contains(&fault) {
            faults.push(fault);
        }
    };
    result.map_err(note).ok()
}

/// A fault of a file, with what can be done about it.
fn mended(error: CheckpointError) -> String {
    match mend(&error) {
        Some(mend) => format!("{error}\n    {mend}"),
        None => error.to_string(),
    }
}

/// The files of a folder and their sizes, by name.
fn files(path: &Path) -> Result<Vec<(String, u64)>, Failure> {
    let broken = |error| Failure::new(format!("cannot read {}: {error}", path.display()));
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(broken)? {
        let entry = entry.map_err(broken)?;
        let size = entry.metadata().map_or(0, |metadata| metadata.len());
        let name = entry.file_name().to_string_lossy().into_owned();
        // What is hidden is of a process at work.
        if !name.starts_with('.') {
            files.push((name, size));
        }
    }
    files.sort();
    Ok(files)
}

/// What follows from the machine, and is no choice.
const THREADS: &str = "training.threads";

/// The settings that are not the defaults of the task.
fn settings(experiment: &Experiment) -> Vec<Setting> {
    let name = experiment.task.get("name").cloned().into_iter();
    let task = toml::Table::from_iter(name.map(|name| ("name".to_owned(), name)));
    let layer = toml::Table::from_iter([("task".to_owned(), toml::Value::Table(task))]);
    let defaults = Experiment::layered(&[layer]).ok();
    let defaults = defaults.and_then(|defaults| toml::Table::try_from(defaults).ok());
    let (defaults, own) = (defaults.unwrap_or_default(), toml::Table::try_from(experiment));
    let mut settings = Vec::new();
    differences("", &own.unwrap_or_default(), &defaults, &mut settings);
    let followed = |key: &String| experiment.followed.contains(key) || key == "followed";
    settings.retain(|setting| !followed(&setting.key) && setting.key != THREADS);
    settings
}

fn differences(prefix: &str, own: &toml::Table, defaults: &toml::Table, into: &mut Vec<Setting>) {
    for (key, value) in own {
        let (default, key) = (defaults.get(key), format!("{prefix}{key}"));
        match (value, default) {
            (value, Some(default)) if value == default => {}
            (toml::Value::Table(own), default) => {
                let defaults = default.and_then(toml::Value::as_table).cloned();
                differences(&format!("{key}."), own, &defaults.unwrap_or_default(), into);
            }
            (value, default) => into.push(Setting {
                key,
                value: value.to_string(),
                default: default.map(ToString::to_string),
            }),
        }
    }
}
