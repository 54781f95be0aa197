use std::fmt::Write;

use super::*;
use crate::batch::{Batch, Data, Targets};
use crate::fixtures::{learnt, resumes};
use crate::task::Part;

/// Loads a file of this name; errors without its folder.
fn load(name: &str, text: &str, options: &str) -> Result<Loaded, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    let mut options: toml::Table = options.parse().unwrap();
    options.insert("data".into(), path.to_str().unwrap().into());
    let place = folder.path().to_str().unwrap().to_owned() + "/";
    super::load(&options, Context { batch: 8, seed: 1 })
        .map_err(|error| error.to_string().replace(&place, ""))
}

/// A wave and a line.
fn csv(rows: usize) -> String {
    let mut text = "day,wave,line\n".to_owned();
    for i in 0..rows {
        let wave = 10.0 + 3.0 * (i as f64 * 0.7).sin();
        let _ = writeln!(text, "d{i},{wave:.4},{}", 100 + i);
    }
    text
}

fn reals(batch: &Batch) -> (&[f32], &[f32]) {
    match (&batch.data, &batch.targets) {
        (Data::Reals(data), Targets::Reals(targets)) => (data, targets),
        _ => panic!("numbers are read and answered"),
    }
}

fn held_out(loaded: &Loaded) -> Vec<Batch> {
    loaded.task.part(Part::HeldOut).unwrap().map(Result::unwrap).collect()
}

#[test]
fn what_is_answered_follows_what_is_read_and_parts_follow_each_other() {
    let options = "columns = 'line'\nwindow = 4\nhorizon = 2\nscale = 'none'\nrelative = false";
    let loaded = load("a.csv", &csv(100), options).unwrap();
    let firsts = |batches: Vec<Batch>| {
        let mut firsts = Vec::new();
        for batch in batches {
            let n = batch.extent.batch;
            let (data, targets) = reals(&batch);
            for i in 0..n {
                let read: Vec<f32> = data.iter().skip(i).step_by(n).copied().collect();
                let first = read[0];
                assert_eq!(read, [first, first + 1.0, first + 2.0, first + 3.0]);
                assert_eq!(targets[2 * i..2 * i + 2], [first + 4.0, first + 5.0]);
                firsts.push(first as usize - 96);
            }
        }
        firsts.sort_unstable();
        firsts
    };
    let epoch = |epoch| loaded.task.epoch(epoch, 0).map(Result::unwrap).collect::<Vec<_>>();
    // The first answered rows: the last answer is within the part.
    assert_eq!(firsts(epoch(0)), (4..79).collect::<Vec<_>>());
    assert_ne!(epoch(0), epoch(1));
    let rest: Vec<_> = loaded.task.epoch(1, 3).map(Result::unwrap).collect();
    assert_eq!(rest, epoch(1)[3..]);
    let validation = loaded.task.part(Part::Validation).unwrap().map(Result::unwrap).collect();
    assert_eq!(firsts(validation), (80..89).collect::<Vec<_>>());
    assert_eq!(firsts(held_out(&loaded)), (90..99).collect::<Vec<_>>());
    assert_eq!(loaded.summary, "100 rows of 1 columns, 75 windows to train on and 9 held out");
    let wide = load("a.csv", &csv(100), &format!("{options}\nstride = 10")).unwrap();
    assert_eq!(wide.task.batches_per_epoch(), 1);
}

#[test]
fn scales_are_of_what_is_trained_on_and_are_taken_back() {
    let loaded = load("a.csv", &csv(100), "window = 4\nhorizon = 3\ntargets = 'line'").unwrap();
    let kept = loaded.codec.kept();
    // Numbers 100 to 179 are trained on, and `day` holds no numbers.
    assert_eq!(kept["columns"], serde_json::json!(["wave", "line"]));
    assert_eq!(kept["normalizer"]["shift"][1], 139.5);
    let codec = (KIND.codec)(kept.clone()).unwrap();
    assert_eq!(codec.kept(), kept);
    let question = codec.question("[[1, 7], {\"line\": 150, \"wave\": 10}]").unwrap();
    // Whoever says that nothing changes says the last number.
    let answer = codec.answer(&question, &[0.0, 0.0, 1.0]);
    assert_eq!(answer["columns"], serde_json::json!(["line"]));
    let scale = kept["normalizer"]["scale"][1].as_f64().unwrap();
    let row = |i: usize| answer["forecast"][i][0].as_f64().unwrap();
    assert!((row(0) - 150.0).abs() < 1e-5 && (row(2) - 150.0 - scale).abs() < 1e-5, "{answer}");
    // The truth of a window, found again from its answer.
    let batch = &held_out(&loaded)[0];
    let n = batch.extent.batch;
    let (data, targets) = reals(batch);
    let last: Vec<f32> = data[3 * n * 2..][..2].to_vec();
    let example =
        crate::batch::Example { data: Data::Reals(last), targets: Targets::Reals(Vec::new()) };
    let truth = codec.answer(&example, &targets[..3]);
    let truth: Vec<f64> = (0..3).map(|i| truth["forecast"][i][0].as_f64().unwrap()).collect();
    assert!(
        truth.iter().zip([190.0, 191.0, 192.0]).all(|(a, b)| (a - b).abs() < 1e-4),
        "{truth:?}"
    );
}

#[test]
fn missing_numbers_are_no_answers_or_those_before() {
    let mut rows: Vec<String> = (0..60).map(|i| i.to_string()).collect();
    rows[0] = "NA".into();
    rows[58] = String::new();
    let text = "x,y\n".to_owned() + &rows.iter().map(|x| format!("{x},1\n")).collect::<String>();
    let common = "columns = 'x'\nwindow = 3\nscale = 'none'\nrelative = false\n";
    let targets = |options: &str| {
        let loaded = load("a.csv", &text, &format!("{common}{options}")).unwrap();
        let batches = held_out(&loaded);
        reals(&batches[0]).1.to_vec()
    };
    let found = targets("");
    assert_eq!(found[..4], [54.0, 55.0, 56.0, 57.0]);
    assert!(found[4].is_nan() && found[5] == 59.0);
    assert_eq!(targets("missing = 'forward'"), [54.0, 55.0, 56.0, 57.0, 57.0, 59.0]);
    let fault = load("a.csv", &text, &format!("{common}missing = 'error'")).err().unwrap();
    assert_eq!(fault, "a.csv:2: `x` is missing: `NA`");
    // What is read is never missing.
    let loaded = load("a.csv", &text, common).unwrap();
    let all = loaded.task.epoch(0, 0).map(Result::unwrap);
    assert!(all.into_iter().all(|batch| reals(&batch).0.iter().all(|x| x.is_finite())));
}

#[test]
fn several_series_are_kept_apart_even_if_their_rows_are_mixed() {
    let mut text = "id,x\n".to_owned();
    for i in 0..60 {
        let _ = writeln!(text, "a,{i}\nb,{}", 1000 + i);
    }
    let options = "series = 'id'\nwindow = 3\nscale = 'none'";
    let loaded = load("a.csv", &text, options).unwrap();
    assert_eq!(
        loaded.summary,
        "2 series of 120 rows of 1 columns (`x`), 90 windows to train on and 12 held out"
    );
    // Each number is one more than the last, in either series.
    for batch in held_out(&loaded).into_iter().chain(loaded.task.epoch(0, 0).map(Result::unwrap)) {
        assert!(reals(&batch).1.iter().all(|x| *x == 1.0));
    }
}

#[test]
fn the_naive_forecast_is_the_last_value_or_that_of_a_season_ago() {
    let mut text = "x\n".to_owned();
    (0..100).for_each(|i| {
        let _ = writeln!(text, "{}", [5, 1, 1, 1][i % 4]);
    });
    let figures = |options: &str| {
        let options = format!("window = 8\nhorizon = 4\nscale = 'none'\n{options}");
        let loaded = load("a.csv", &text, &options).unwrap();
        let baseline = loaded.task.baseline().unwrap();
        let figures =
            loaded.task.figures(&mut |batch: &Batch| Ok(vec![0.0; 4 * batch.extent.batch]));
        (baseline, figures.unwrap())
    };
    let (baseline, found) = figures("");
    assert!(baseline > 1.0);
    // Without change the model is the naive forecast.
    let figure = |name: &str| found.iter().find(|figure| figure.name == name).unwrap().value;
    assert!((figure("rmse").powi(2) - baseline).abs() < 1e-9);
    assert!(figure("mae") > 0.5 && figure("mase") > 0.0);
    assert!(figure("rmse_step_4") >= 0.0);
    assert!(found[0].text.contains(&format!("the naive forecast: {:.4}", figure("mae"))));
    assert_eq!(figures("season = 4").0, 0.0);
}

#[test]
fn what_is_wrong_is_said() {
    let refused = |text: &str, options: &str| load("a.csv", text, options).err().unwrap();
    assert!(
        refused(&csv(30), "")
            .contains("no series has 1 rows to train on behind 48 others; give more rows")
    );
    assert_eq!(
        refused(&csv(90), "targets = 'day'\nwindow = 2"),
        "option `targets` of task `forecast`: `day` is none of the columns that are read: `wave`, \
         `line`"
    );
    assert_eq!(
        refused(&csv(90), "horizon = 0"),
        "option `horizon` of task `forecast`: give a whole number from 1 up, not 0"
    );
    assert!(refused(&csv(90), "columns = ['wav']").contains("did you mean `wave`?"));
    assert!(
        refused(&csv(90), "columns = 'day'").starts_with("a.csv:2: `day` is `d0`, not a number")
    );
    assert_eq!(
        refused("day\na\nb\n", ""),
        "a.csv: no column holds numbers; the columns are `day` (no numbers)"
    );
    let broken = csv(90).replace("118", "x118");
    assert!(refused(&broken, "columns = 'line'").starts_with("a.csv:20: `line` is `x118`"));
    assert!(refused(&csv(90), "scale = 'log'").contains("unknown variant"));
    let codec = load("a.csv", &csv(90), "window = 4").unwrap().codec;
    for (line, part) in [
        ("x", "expected a JSON array of past rows"),
        ("3", "expected a JSON array of past rows"),
        ("[]", "no past row"),
        ("[[1]]", "row 1: there are 1 numbers, not 2: wave, line"),
        ("[[1, 2], {\"wave\": 1}]", "row 2: there is no `line`"),
        ("[[1, \"a\"]]", "row 1: `line` is \"a\", not a number"),
    ] {
        let fault = codec.question(line).unwrap_err();
        assert!(fault.contains(part), "{line}: {fault}");
    }
}

#[test]
fn a_column_of_numbers_with_a_cell_that_is_none_is_not_left_out_silently() {
    let mend = "; mend the cell, or name the columns that are read (task.columns='a,b')";
    let refused = |text: &str| load("a.csv", text, "window = 2").err().unwrap();
    let hello = csv(90).replace(",118\n", ",hello\n");
    assert_eq!(refused(&hello), format!("a.csv:20: `line` is `hello`, not a number{mend}"));
    let late = csv(300).replace(",380\n", ",hello\n");
    assert!(refused(&late).starts_with("a.csv:282: `line` is `hello`"));
    let inf = csv(90).replace(",118\n", ",inf\n");
    assert_eq!(refused(&inf), format!("a.csv:20: `line` is `inf`, not finite{mend}"));
    let commas = csv(90).replace(',', ";").replace('.', ",");
    let fault = refused(&commas);
    assert!(fault.starts_with("a.csv:2: `wave` is `10,0000`, not a number; decimals"), "{fault}");
    assert!(refused(&(csv(90) + "d,1\n")).starts_with("a.csv:92: found 2 columns"));
    // Plain text and empty columns are left out, and that is said; a few numbers make no column of numbers.
    let rows = csv(90).replacen("d3,", "3,", 1).replace('\n', ",\n");
    let loaded = load("a.csv", &rows.replacen("line,", "line,note", 1), "window = 2").unwrap();
    assert!(
        loaded.summary.starts_with(
            "90 rows of 2 columns (`wave`, `line`; left out: `day` (no numbers), `note` (empty)), "
        ),
        "{}",
        loaded.summary
    );
    // The rest may be left out by name.
    assert!(load("a.csv", &hello, "window = 2\ncolumns = 'wave'").is_ok());
}

#[test]
fn other_data_are_judged_by_all_of_their_windows() {
    let loaded = load("a.csv", &csv(90), "window = 4\nhorizon = 2").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("b.csv");
    std::fs::write(&path, csv(20)).unwrap();
    let mut options = toml::Table::new();
    options.insert("data".into(), path.to_str().unwrap().into());
    let judged = loaded.codec.judged(&options).unwrap();
    let windows = judged.batches().map(|batch| batch.unwrap().extent.batch);
    assert_eq!(windows.sum::<usize>(), 15);
    std::fs::write(&path, csv(5)).unwrap();
    let fault = loaded.codec.judged(&options).unwrap_err().to_string();
    assert!(fault.ends_with("no series has 2 rows behind 4 others"), "{fault}");
    let options = format!("window = 4\nheld_out_data = '{}'", path.display());
    assert_eq!(held_out(&load("a.csv", &csv(90), &options).unwrap())[0].extent.batch, 1);
}

#[test]
fn it_learns_a_wave_and_goes_on_where_it_stopped() {
    let options = "columns = 'wave'\nwindow = 12\nhorizon = 3";
    let loaded = || load("a.csv", &csv(300), options).unwrap();
    let baseline = loaded().task.baseline().unwrap();
    let score = learnt(&loaded(), "forecast", 150);
    assert!(score.mean_squared_error() < 0.05 * baseline, "{score:?}, {baseline}");
    resumes(loaded, "forecast");
}
