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
    assert_eq!(
        loaded.summary,
        "100 rows of 1 column, 75 windows to train on, 9 to choose the best model by and 9 held out"
    );
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
    let rows = "[[1, 7], [1, null], [1, 7], {\"line\": 150, \"wave\": 10}]";
    let question = codec.question(rows).unwrap();
    // Rows without any number are as little to go by as too few.
    let nothing = format!("[{}]", ["[null, null]"; 4].join(", "));
    let fault = codec.question(&nothing).unwrap_err();
    assert!(
        fault.starts_with("the last 4 rows are read") && fault.contains("at least 1"),
        "{fault}"
    );
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
        "2 series of 120 rows of 1 column (`x`), 90 windows to train on, 12 to choose the best model by \
         and 12 held out"
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
    let naive = |options: &str| {
        let options = format!("window = 8\nhorizon = 4\nscale = 'none'\n{options}");
        let loaded = load("a.csv", &text, &options).unwrap();
        let naive = loaded.task.naive(Part::HeldOut).unwrap();
        // Without change, the model is the forecast of the last value.
        let mut errors = loaded.codec.errors();
        for batch in held_out(&loaded) {
            let width = 4;
            for place in 0..batch.extent.batch {
                let truth = &reals(&batch).1[place * width..][..width];
                let truth = loaded.codec.measured(&batch, place, truth);
                errors.add(&truth, &loaded.codec.measured(&batch, place, &[0.0; 4]));
            }
        }
        (loaded.task.baseline().unwrap(), naive, errors.scores().unwrap())
    };
    let (baseline, last, model) = naive("");
    assert!(baseline > 1.0);
    assert!((last.overall.rmse.powi(2) - baseline).abs() < 1e-9);
    // Two of four steps differ from the one before, by 4.
    assert!((last.overall.mase.unwrap() - last.overall.mae / (4.0 * 40.0 / 79.0)).abs() < 0.03);
    assert_eq!(model, last);
    let (baseline, season, model) = naive("season = 4");
    assert_eq!((baseline, season.overall.mae), (0.0, 0.0));
    // No multiple of 0.
    assert!(model.overall.mae > 0.5 && model.overall.mase.is_none());
    // What is kept with the model says so too.
    let loaded = load("a.csv", &text, "window = 8").unwrap();
    let codec = (KIND.codec)(loaded.codec.kept()).unwrap();
    assert_eq!(codec.errors(), loaded.codec.errors());
}

#[test]
fn what_is_wrong_is_said() {
    let refused = |text: &str, options: &str| load("a.csv", text, options).err().unwrap();
    assert_eq!(
        refused(&csv(30), ""),
        "a.csv: there are 30 rows, of which 24 are to train on, but 49 are needed: a window of 48 and a \
         horizon of 1; give more rows, or a shorter task.window or task.horizon"
    );
    let refused_part = |options: &str| refused(&csv(100), &format!("window = 20\n{options}"));
    assert!(refused_part("horizon = 12").starts_with(
        "a.csv: there are 100 rows, of which 10 are to choose the best model by, but 12 are needed"
    ));
    assert!(refused_part("horizon = 12").contains("a larger share (task.validation)"));
    assert!(refused_part("held_out = 0.0").contains("of which 0 are held out, but 1 are needed"));
    let huge = csv(90).replace(",118\n", ",1e300\n");
    assert!(refused(&huge, "window = 2").starts_with("a.csv:20: `line` is 1e300: errors of"));
    // Within what is trained on, a large number makes a large scale; behind it, it is out of reach.
    let late = csv(90).replace(",185\n", ",1e40\n");
    let far = refused(&late, "window = 2");
    assert!(far.starts_with("a.csv:87: `line` is 1e40, or 4.8e38 on the scale"), "{far}");
    assert!(refused(&csv(90), "series = 'sho'").contains("there is no column `sho`"));
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
    assert!(refused(&csv(90), "scale = 'log'").contains("there is no `log`; it is one of"));
    let codec = load("a.csv", &csv(90), "window = 4").unwrap().codec;
    for (line, part) in [
        ("x", "expected a JSON array of past rows"),
        ("3", "expected a JSON array of past rows"),
        ("[]", "no past row"),
        ("[[1]]", "row 1: there are 1 numbers, not 2: wave, line"),
        ("[[1, 2], {\"wave\": 1}]", "row 2: there is no `line`"),
        ("[[1, \"a\"]]", "row 1: `line` is \"a\", not a number"),
        ("[[1, 1e300]]", "row 1: `line` is 1e300: errors of"),
        ("[[1, 1e40]]", "row 1: `line` is 1e40, or "),
    ] {
        let fault = codec.question(line).unwrap_err();
        assert!(fault.contains(part), "{line}: {fault}");
    }
}

#[test]
fn a_text_with_commas_names_columns_unless_it_is_the_name_of_one() {
    let resolved = |text: &str, options: &str| {
        let loaded = load("a.csv", text, &format!("window = 2\n{options}"))?;
        Ok::<_, String>(loaded.codec.resolved().to_string().replace('\n', " "))
    };
    let both = "columns = [\"line\", \"wave\"] targets = [\"line\", \"wave\"] ";
    for asked in ["'line,wave'", "'3, 2'", "['line', 'wave']", "['line,wave']"] {
        assert_eq!(resolved(&csv(90), &format!("columns = {asked}")).unwrap(), both, "{asked}");
    }
    assert_eq!(resolved(&csv(90), "columns = 'line,wave'\ntargets = 'line,wave'").unwrap(), both);
    let text = csv(90).replacen("wave", "\"a,b\"", 1);
    let one = "columns = [\"a,b\"] targets = [\"a,b\"] ";
    assert_eq!(resolved(&text, "columns = 'a,b'").unwrap(), one);
    let fault = resolved(&csv(90), "columns = 'line,wav'").unwrap_err();
    assert!(fault.contains("no column `wav` (did you mean `wave`?)"), "{fault}");
}

#[test]
fn what_is_left_out_or_filled_or_perhaps_several_series_is_said() {
    let mut text = "day,id,x\n".to_owned();
    for (id, rows) in [("a", 100), ("b", 100), ("z", 15)] {
        for i in 0..rows {
            let _ = writeln!(
                text,
                "d{i},{id},{}",
                if i % 50 == 3 { String::new() } else { i.to_string() }
            );
        }
    }
    let loaded = load("a.csv", &text, "window = 20\nseries = 'id'").unwrap();
    assert_eq!(
        loaded.task.warnings(),
        [
            "1 of 3 series is too short and left out (`z`: 15 rows): at least 21 rows are needed, a window \
          of 20 and a horizon of 1"
        ]
    );
    assert!(
        loaded.summary.contains(", 5 missing numbers read as those before, "),
        "{}",
        loaded.summary
    );
    let loaded = load("a.csv", &text, "window = 20").unwrap();
    let [hint] = loaded.task.warnings() else { panic!("{:?}", loaded.task.warnings()) };
    assert!(
        hint.contains("`id` has 3 texts that repeat") && hint.contains("task.series=id"),
        "{hint}"
    );
    // Where days differ in every row, there is one series, whatever else is told of them.
    let mut text = "day,weather,x\n".to_owned();
    (0..100).for_each(|i| {
        let _ = writeln!(text, "d{i},{},{i}", ["fine", "bad"][i % 2]);
    });
    let one = load("a.csv", &text, "window = 20").unwrap();
    assert!(one.task.warnings().is_empty(), "{:?}", one.task.warnings());
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
    // The naive forecast of what goes up by one is off by one, and then by two.
    let line = judged.naive().unwrap().channels[1].score.unwrap();
    assert!((line.mae - 1.5).abs() < 1e-9 && (line.mase.unwrap() - 1.5).abs() < 1e-9, "{line:?}");
    assert!(judged.baseline().is_some_and(|baseline| baseline > 0.0));
    std::fs::write(&path, csv(5)).unwrap();
    let fault = loaded.codec.judged(&options).unwrap_err().to_string();
    assert!(
        fault.ends_with(
            "there are 5 rows, but 6 are needed: the run has a window of 4 and a horizon of 2"
        ),
        "{fault}"
    );
    let options = format!("window = 4\nheld_out_data = '{}'", path.display());
    assert_eq!(held_out(&load("a.csv", &csv(90), &options).unwrap())[0].extent.batch, 1);
}

#[test]
fn files_of_the_form_of_the_training_data_are_asked() {
    let mut text = "id,x,y\n".to_owned();
    for i in 0..60 {
        let _ = writeln!(text, "a,{i},1\nb,{},2", 1000 + i);
    }
    let options = "series = 'id'\nwindow = 3\nhorizon = 2";
    let loaded = load("a.csv", &text, options).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("b.csv");
    let asked = |text: &str| {
        std::fs::write(&path, text).unwrap();
        let asked = loaded.codec.asked(&path, None, &options.parse().unwrap()).unwrap().unwrap();
        let place = folder.path().to_str().unwrap().to_owned() + "/";
        let found = asked.into_iter().map(|asked| match asked {
            Ok(asked) => Ok((asked.name.unwrap().1, asked.example.data)),
            Err(fault) => Err(fault.to_string().replace(&place, "")),
        });
        found.collect::<Vec<_>>()
    };
    // The last rows of each series, of columns in any order; a row that cannot be read is missing.
    let rows = "y,x,id\n1,7,a\n1,8,a\n9,3,b\n1,9,a\n1,x,a\n1,11,a\n";
    let found = asked(rows);
    assert_eq!(found[0], Err("b.csv:6: `x` is `x`, not a number".to_owned()));
    let question = loaded.codec.question("[[9, 1], [9, 1], [11, 1]]").unwrap();
    assert_eq!(found[1], Ok(("a".into(), question.data)));
    assert_eq!(
        found[2],
        Err("b.csv: series `b` has 1 row, but the last 3 are read: the run has a window of 3"
            .into())
    );
    assert_eq!(found.len(), 3);
    // A line that is no row at all is none of any series.
    assert!(
        asked("y,x,id\n1,7,a\n1,8\n1,9,a\n")[0]
            .as_ref()
            .is_err_and(|fault| fault.contains("b.csv:3"))
    );
    let answer = serde_json::json!({ "columns": ["x", "y"], "forecast": [[1, 2], [3, 4]] });
    let rows = loaded.codec.rows(&answer).unwrap();
    assert_eq!(serde_json::json!(rows[1]), serde_json::json!({ "step": 2, "x": 3, "y": 4 }));
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
