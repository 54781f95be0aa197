use super::*;

const ALL: Formats = Formats { jsonl: true, csv: true, tensorboard: true };
const COLUMNS: [&str; 3] = ["loss", "rate", "validation/loss"];

fn three_steps(folder: &Path) -> MetricLog {
    let mut log = MetricLog::create(folder, ALL, &COLUMNS).unwrap();
    log.note(1, &[("loss", 2.5), ("rate", 1e-3)]).unwrap();
    log.note(2, &[("loss", f64::NAN), ("rate", 1.0)]).unwrap();
    log.note(2, &[("validation/loss", 2.25)]).unwrap();
    log.note(3, &[("loss", 2.0), ("rate", f64::NEG_INFINITY)]).unwrap();
    log.sync().unwrap();
    log
}

/// All notes, with the metrics of these names.
fn read(folder: &Path, names: &[&str]) -> Vec<(u64, Vec<Option<f64>>)> {
    let mut notes = Vec::new();
    each(&folder.join(JSON_LINES), names, |step, values| notes.push((step, values.to_vec())))
        .unwrap();
    notes
}

fn texts(folder: &Path) -> [String; 2] {
    [JSON_LINES, CSV].map(|name| std::fs::read_to_string(folder.join(name)).unwrap())
}

const JSON: [&str; 4] = [
    "{\"step\":1,\"loss\":2.5,\"rate\":0.001}\n",
    "{\"step\":2,\"loss\":null,\"rate\":1}\n",
    "{\"step\":2,\"validation/loss\":2.25}\n",
    "{\"step\":3,\"loss\":2,\"rate\":null}\n",
];

const TABLE: [&str; 5] = [
    "step,loss,rate,validation/loss\n",
    "1,2.5,0.001,\n",
    "2,NaN,1,\n",
    "2,,,2.25\n",
    "3,2,-inf,\n",
];

#[test]
fn what_is_noted_is_there_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let log = three_steps(folder.path());
    assert_eq!(texts(folder.path()), [JSON.concat(), TABLE.concat()]);
    drop(log);
    let notes = read(folder.path(), &["validation/loss", "loss"]);
    let steps: Vec<u64> = notes.iter().map(|(step, _)| *step).collect();
    assert_eq!(steps, [1, 2, 2, 3]);
    assert_eq!(notes[0].1, [None, Some(2.5)]);
    assert_eq!(notes[2].1, [Some(2.25), None]);
    assert!(notes[1].1[1].is_some_and(f64::is_nan));
    MetricLog::create(folder.path(), ALL, &COLUMNS).unwrap();
    assert_eq!(texts(folder.path()), ["", TABLE[0]]);
}

#[test]
fn a_resumed_training_drops_what_came_after_its_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    three_steps(folder.path());
    let mut log = MetricLog::resume(folder.path(), ALL, &COLUMNS, 2).unwrap();
    assert_eq!(texts(folder.path()), [JSON[..3].concat(), TABLE[..4].concat()]);
    log.note(3, &[("loss", 1.0)]).unwrap();
    let [json, table] = texts(folder.path());
    assert!(json.ends_with("2.25}\n{\"step\":3,\"loss\":1}\n"), "{json}");
    assert!(table.ends_with("2,,,2.25\n3,1,,\n"), "{table}");
    let files = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(files.filter(|name| name.to_str().unwrap().contains("tfevents")).count(), 2);
    MetricLog::resume(folder.path(), ALL, &COLUMNS, 0).unwrap();
    assert_eq!(texts(folder.path()), ["", TABLE[0]]);
}

#[test]
fn what_is_not_there_is_begun() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = MetricLog::resume(folder.path(), ALL, &COLUMNS, 7).unwrap();
    log.note(8, &[("loss", 1.0)]).unwrap();
    assert_eq!(
        texts(folder.path()),
        ["{\"step\":8,\"loss\":1}\n", &format!("{}8,1,,\n", TABLE[0])]
    );
    let none = Formats { jsonl: false, csv: false, tensorboard: false };
    let folder = tempfile::tempdir().unwrap();
    MetricLog::create(folder.path(), none, &COLUMNS).unwrap().note(1, &[("loss", 1.0)]).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_line_that_is_cut_short_anywhere_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    three_steps(folder.path());
    let whole = texts(folder.path());
    for (name, whole) in [JSON_LINES, CSV].into_iter().zip(&whole) {
        let path = folder.path().join(name);
        for length in 0..=whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            MetricLog::resume(folder.path(), ALL, &COLUMNS, 9).unwrap();
            let left = std::fs::read_to_string(&path).unwrap();
            let end = whole[..length].rfind('\n').map_or(0, |end| end + 1);
            let expected = if name == CSV && end == 0 { TABLE[0] } else { &whole[..end] };
            assert_eq!(left, expected);
        }
    }
    let path = folder.path().join(JSON_LINES);
    std::fs::write(&path, &whole[0][..whole[0].len() - 2]).unwrap();
    assert_eq!(read(folder.path(), &[]).len(), 3);
}

#[track_caller]
fn refused(folder: &Path, name: &str, content: &str, expected: &str) {
    std::fs::write(folder.join(name), content).unwrap();
    let error = MetricLog::resume(folder, ALL, &COLUMNS, 9).unwrap_err().to_string();
    assert_eq!(error.replace(folder.to_str().unwrap(), "RUN"), expected);
    assert_eq!(std::fs::read_to_string(folder.join(name)).unwrap(), content);
    std::fs::remove_file(folder.join(name)).unwrap();
}

#[test]
fn damaged_files_are_refused_and_left_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let fault = "RUN/metrics.jsonl: line 2 is damaged: it has no `step`";
    refused(path, JSON_LINES, "{\"step\":1}\n{}\n", fault);
    let fault = "RUN/metrics.jsonl: line 1 is damaged: expected value at line 1 column 1";
    refused(path, JSON_LINES, "step\n{\"step\":1}\n", fault);
    let fault = "RUN/metrics.jsonl: line 1 is damaged: `loss` is no number";
    refused(path, JSON_LINES, "{\"step\":1,\"loss\":\"low\"}\n", fault);
    let fault = "RUN/metrics.csv: line 2 is damaged: it does not begin with a step";
    refused(path, CSV, &format!("{}one\n", TABLE[0]), fault);
    let fault = "RUN/metrics.csv: line 1 is damaged: \
                 the columns are `step,loss`, not `step,loss,rate,validation/loss`";
    refused(path, CSV, "step,loss\n1,2\n", fault);
}

#[test]
fn misuse_is_told_and_notes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = three_steps(folder.path());
    for (step, metrics, expected) in [
        (2, vec![("loss", 1.0)], "step 2 is noted after step 3"),
        (3, vec![("lost", 1.0)], "`lost` was not named at the beginning"),
        (3, vec![("loss", 1.0), ("loss", 1.0)], "`loss` is noted twice at once"),
    ] {
        let error = log.note(step, &metrics).unwrap_err().to_string();
        assert_eq!(error, format!("internal error: in the metrics, {expected}"));
    }
    for (names, expected) in [
        (["loss", "loss"], "`loss` is named twice"),
        (["loss", "step"], "`step` is no name"),
        (["loss", "a,b"], "`a,b` is no name"),
        (["loss", ""], "`` is no name"),
    ] {
        let error = MetricLog::create(folder.path(), ALL, &names).unwrap_err().to_string();
        assert!(error.ends_with(expected), "{error}");
    }
    assert_eq!(texts(folder.path()), [JSON.concat(), TABLE.concat()]);
}

#[test]
fn a_folder_that_cannot_be_written_to_is_an_error() {
    let file = tempfile::NamedTempFile::new().unwrap();
    for formats in [
        Formats { csv: false, tensorboard: false, ..ALL },
        Formats { jsonl: false, tensorboard: false, ..ALL },
        Formats { jsonl: false, csv: false, ..ALL },
    ] {
        assert!(MetricLog::create(file.path(), formats, &COLUMNS).is_err());
        assert!(MetricLog::resume(&file.path().join("in"), formats, &COLUMNS, 1).is_err());
    }
    let error = each(&file.path().join("in"), &[], |_, _| {}).unwrap_err().to_string();
    assert!(error.starts_with("cannot read "), "{error}");
}

/// What is written to `/dev/full` meets a full disk.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/dev/full", folder.path().join(JSON_LINES)).unwrap();
    let mut log = MetricLog::create(folder.path(), Formats::default(), &COLUMNS).unwrap();
    let error = log.note(1, &[("loss", 1.0)]).unwrap_err().to_string();
    assert!(error.starts_with("cannot write ") && error.contains("No space left"), "{error}");
}
