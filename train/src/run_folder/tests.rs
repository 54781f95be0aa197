use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::blueprint::CellText;
use crate::experiment::Ready;
use crate::model::Score;

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
    let run =
        RunFolder::create(&path, &ready.experiment, &Kept::of(&ready), &metrics(&ready)).unwrap();
    let kept = KeptRun::open(&path).unwrap();
    assert_eq!((&kept.experiment, &kept.kept), (&ready.experiment, &Kept::of(&ready)));
    // Labels have an accuracy, and no errors of numbers.
    let has = |name: &str| metrics(&ready).contains(&name);
    assert!(has("heldout/accuracy") && !has("heldout/mean_squared_error"));
    assert_eq!(kept.codec().unwrap().kept(), ready.loaded.codec.kept());
    let early = kept.load(&mut ready.model).unwrap_err().to_string();
    assert!(early.contains("there is no model yet: the run is being trained"), "{early}");
    assert!(kept.resume(&ready.model).unwrap().is_none());
    run.save_model(&ready.model, 1).unwrap();
    assert!(
        kept.resume(&ready.model).unwrap().is_none(),
        "stopped between the model and the training"
    );
    run.save_model(&ready.model, 3).unwrap();
    assert_eq!(kept.load(&mut ready.model).unwrap().step, 3);
    let lost = kept.resume(&ready.model).unwrap_err().to_string();
    assert!(lost.contains("last.safetensors: the training is not there any more"), "{lost}");
    let again = RunFolder::create(&path, &ready.experiment, &Kept::of(&ready), &metrics(&ready))
        .unwrap_err();
    assert!(again.to_string().contains("holds a run already"), "{again}");
}

#[test]
fn no_file_that_is_there_is_written_over() {
    let ready = ready();
    let others = ["events.out.tfevents.0000000001.other"];
    for name in NAMES.into_iter().chain(others) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(name), "own").unwrap();
        let refused = RunFolder::create(
            folder.path(),
            &ready.experiment,
            &Kept::of(&ready),
            &metrics(&ready),
        );
        let said = refused.unwrap_err().to_string();
        assert!(said.contains(name) || name == KEPT && said.contains("a run already"), "{said}");
        let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
        assert_eq!(std::fs::read_to_string(folder.path().join(name)).unwrap(), "own");
    }
    // But for what a process left behind that was killed before the run had begun.
    let folder = tempfile::tempdir().unwrap();
    for name in [LOCK, EXPERIMENT, ".model.json.17.part"] {
        std::fs::write(folder.path().join(name), "").unwrap();
    }
    RunFolder::create(folder.path(), &ready.experiment, &Kept::of(&ready), &metrics(&ready))
        .unwrap();
    assert!(KeptRun::open(folder.path()).is_ok());
    assert!(!folder.path().join(".model.json.17.part").exists());
}

#[test]
fn a_folder_has_one_training_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let ready = ready();
    let run =
        RunFolder::create(folder.path(), &ready.experiment, &Kept::of(&ready), &metrics(&ready))
            .unwrap();
    let refused = Lock::take(folder.path()).unwrap_err().to_string();
    assert!(refused.contains("another process is training in this folder"), "{refused}");
    drop(run);
    let left = ".last.safetensors.4711.part";
    let other = ".last.safetensors.mine.part";
    for name in [left, other] {
        std::fs::write(folder.path().join(name), "").unwrap();
    }
    let lock = Lock::take(folder.path()).unwrap();
    RunFolder::reopen(lock, &[Format::Jsonl], &metrics(&ready), 0).unwrap();
    assert!(!folder.path().join(left).exists() && folder.path().join(other).exists());
}

fn step(step: u64, loss: f64) -> Step {
    let (elapsed, took) = (Duration::from_secs(step), Duration::from_millis(500));
    let (epoch, learning_rate, gradient_norm) = (0.5, 0.25, 2.0);
    let (steps, read, sequences) = (9, 10, 2);
    Step { step, steps, epoch, loss, learning_rate, gradient_norm, read, sequences, elapsed, took }
}

#[test]
fn the_course_is_noted_and_dropped_after_the_checkpoint_that_is_gone_on_from() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let mut ready = ready();
    ready.experiment.training.log = vec![Format::Csv, Format::Tensorboard];
    let formats = ready.experiment.training.log.clone();
    let mut run =
        RunFolder::create(&path, &ready.experiment, &Kept::of(&ready), &metrics(&ready)).unwrap();
    let score = Score { loss: 3.0, count: 2, correct: 1, ..Score::default() };
    let elapsed = Duration::from_secs(4);
    let evaluation = |step, part| Evaluation { step, part, score, best: true, elapsed };
    for number in 1..4 {
        run.note_step(&step(number, 1.0)).unwrap();
        let validated = evaluation(number, Part::Validation);
        run.note_evaluation(&validated, number, Goal::Accuracy).unwrap();
    }
    run.note_evaluation(&evaluation(2, Part::HeldOut), 3, Goal::Loss).unwrap();
    // Each update but the first is noted so much after the evaluation before it: 2 - 4 and 3 - 4.
    assert_eq!(run.times(), (4.0, Some(-1.5)));
    assert_eq!(curve(&path, Part::Validation, "accuracy"), [1.0, 2.0, 3.0].map(|x| (x, 4.0, 0.5)));
    drop(run);
    let mut run =
        RunFolder::reopen(Lock::take(&path).unwrap(), &formats, &metrics(&ready), 3).unwrap();
    run.note_evaluation(&evaluation(2, Part::HeldOut), 3, Goal::Loss).unwrap();
    // All that was noted, each line without what was not.
    let notes = || {
        let mut notes: Vec<(u64, BTreeMap<&str, f64>)> = Vec::new();
        log::each(&path.join(log::JSON_LINES), &metrics(&ready), |step, values| {
            let noted = metrics(&ready).into_iter().zip(values);
            notes.push((step, noted.filter_map(|(name, x)| Some((name, (*x)?))).collect()));
        })
        .unwrap();
        notes
    };
    let noted = notes();
    assert_eq!(noted.len(), 7);
    assert_eq!((noted[0].0, noted[0].1["train/symbols_per_second"]), (1, 20.0));
    assert_eq!(noted[1].1["validation/accuracy"], 0.5);
    assert_eq!((noted[6].0, noted[6].1["heldout/chosen_step"]), (3, 2.0));
    // The last line was cut off in the middle.
    let file = std::fs::read_to_string(path.join(log::JSON_LINES)).unwrap();
    std::fs::write(path.join(log::JSON_LINES), file + "{\"step\":2,\"lo").unwrap();
    drop(run);
    let reopened = |step| {
        RunFolder::reopen(Lock::take(&path).unwrap(), &formats, &metrics(&ready), step).unwrap()
    };
    // What is noted already is not noted again.
    let mut run = reopened(2);
    run.note_evaluation(&evaluation(2, Part::Validation), 2, Goal::Accuracy).unwrap();
    assert_eq!(notes(), noted[..4]);
    run.note_step(&step(3, 2.0)).unwrap();
    let again = notes();
    assert_eq!(again[..4], noted[..4]);
    assert_eq!((again.len(), again[4].1["train/loss"]), (5, 2.0));
    let table = std::fs::read_to_string(path.join(log::CSV)).unwrap();
    assert_eq!(table.lines().count(), 6);
    let files = std::fs::read_dir(&path).unwrap().flatten();
    let is_events = |name: &str| name.starts_with(log::EVENTS);
    let events = files.filter(|file| file.file_name().to_str().is_some_and(is_events));
    assert_eq!(events.count(), 3);
}

#[test]
fn a_run_that_came_to_nothing_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let ready = ready();
    let begin = |path: &Path| {
        RunFolder::create(path, &ready.experiment, &Kept::of(&ready), &metrics(&ready)).unwrap()
    };
    let count = || std::fs::read_dir(folder.path()).unwrap().count();
    let path = folder.path().join("runs/reviews-1");
    begin(&path).remove_if_empty();
    assert_eq!(count(), 0);
    let kept = begin(&path);
    kept.save_model(&ready.model, 1).unwrap();
    kept.remove_if_empty();
    drop(kept);
    assert!(KeptRun::open(&path).is_ok());
    begin(&folder.path().join("runs/reviews-2")).remove_if_empty();
    assert_eq!(std::fs::read_dir(folder.path().join("runs")).unwrap().count(), 1);
    // A folder that was there stays, with what is not the run's.
    let own = folder.path().join("own");
    std::fs::create_dir(&own).unwrap();
    std::fs::write(own.join("notes.txt"), "").unwrap();
    begin(&own).remove_if_empty();
    assert_eq!(std::fs::read_dir(&own).unwrap().count(), 1);
    let lock = Lock::take(&path).unwrap();
    RunFolder::reopen(lock, &[Format::Jsonl], &metrics(&ready), 0).unwrap().remove_if_empty();
    assert!(path.exists());
}

#[test]
fn files_of_several_runs_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let ready = ready();
    let kept = Kept::of(&ready);
    RunFolder::create(folder.path(), &ready.experiment, &kept, &metrics(&ready)).unwrap();
    let refused = |experiment: &Experiment, kept: &Kept| {
        write_experiment(folder.path(), experiment).unwrap();
        write_json(&folder.path().join(KEPT), kept).unwrap();
        KeptRun::open(folder.path()).unwrap_err().to_string()
    };
    for (change, told) in [
        ("[model]\nhidden = 5", "model.hidden is 5 in the one and 4 in the other"),
        ("[model]\ndims = { P = 3 }", "model.dims is { P = 3 } in the one and"),
        ("[loss]\nlabel_smoothing = 0.1", "loss.label_smoothing is 0.1 in the one and 0.0 in"),
        (
            "[task]\nname = 'adding'",
            "task.name is \"adding\" in the one and \"reviews\" in the other",
        ),
    ] {
        let own = toml::Table::try_from(&ready.experiment).unwrap();
        let mut other = Experiment::layered(&[own, change.parse().unwrap()]).unwrap();
        other.task.remove("examples");
        let fault = refused(&other, &kept);
        assert!(fault.contains(told) && fault.contains("not of the same run"), "{fault}");
    }
    let mut lacking = kept.clone();
    lacking.blueprint.cells.clear();
    let fault = refused(&ready.experiment, &lacking);
    assert!(fault.ends_with("the file is damaged: it has no text of cell `lstm`"), "{fault}");
    std::fs::write(folder.path().join(EXPERIMENT), "").unwrap();
    write_json(&folder.path().join(KEPT), &kept).unwrap();
    let fault = KeptRun::open(folder.path()).unwrap_err().to_string();
    assert!(fault.ends_with("the file is damaged: it names no task"), "{fault}");
    let mend = mend(&KeptRun::open(folder.path()).unwrap_err()).unwrap();
    assert!(
        mend.ends_with("cellc train --task reviews --cell lstm --layers 1 --hidden 4"),
        "{mend}"
    );
}

#[test]
fn a_run_that_is_trained_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let mut ready = ready();
    assert!(!Lock::is_taken(folder.path()));
    let (kept, metrics) = (Kept::of(&ready), metrics(&ready));
    let run = RunFolder::create(folder.path(), &ready.experiment, &kept, &metrics).unwrap();
    assert!(Lock::is_taken(folder.path()));
    let kept = KeptRun::open(folder.path()).unwrap();
    let early = kept.load(&mut ready.model).unwrap_err().to_string();
    assert!(early.contains("the run is being trained, and keeps one at its first"), "{early}");
    drop(run);
    assert!(!Lock::is_taken(folder.path()));
    let early = kept.load(&mut ready.model).unwrap_err().to_string();
    assert!(
        early.contains("was stopped before the first; go on with it: cellc train --resume"),
        "{early}"
    );
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
    RunFolder::create(folder.path(), &ready.experiment, &Kept::of(&ready), &metrics(&ready))
        .unwrap();
    let experiment = folder.path().join("experiment.toml");
    std::fs::write(&experiment, "[training]\nbatch = 'many'").unwrap();
    let fault = refused();
    assert!(fault.starts_with("RUN/experiment.toml: the file is damaged: "), "{fault}");
    std::fs::remove_file(&experiment).unwrap();
    assert!(refused().starts_with("cannot read RUN/experiment.toml: "));
    let model = folder.path().join("model.json");
    let text = std::fs::read_to_string(&model).unwrap();
    std::fs::write(&model, text.replace("\"format\": 3", "\"format\": 1")).unwrap();
    assert_eq!(refused(), "RUN: the run's format is 1; this program reads 3");
    std::fs::write(&model, &text[..text.len() / 2]).unwrap();
    assert!(refused().starts_with("RUN/model.json: the file is damaged: EOF"));
    let missing = KeptRun::open(Path::new("not/there")).unwrap_err();
    assert_eq!(missing.to_string(), "not/there: there is no such run folder");
}
