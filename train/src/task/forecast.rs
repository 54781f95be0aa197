//! Forecasting: what the next steps of a series of numbers will be.

use std::path::PathBuf;

mod codec;
mod rows;
mod windows;

use self::codec::Forecaster;
use self::rows::{Chosen, Names, Raw, read};
use self::windows::Windows;
use super::files::{Header, fault_of, given, in_parts, named, shares, too_little};
use super::options::{OptionError, described, options, parse};
use super::{Context, Kind, Loaded, TaskError};
use crate::data::normalize::{Scale, Statistics};
use crate::data::table::Missing;

/// The next steps of series of numbers.
pub const KIND: Kind = Kind {
    name: "forecast",
    about: "the next steps of series of numbers",
    endings: &["npy", "npz"],
    defaults: "
        [model]
        cell = 'gru'
        [training]
        batch = 32
        learning_rate = 3e-3
        epochs = 20
        least_steps = 200
        evaluations = 20
        patience = 6
    ",
    options: described::<Options>,
    load: |options, context| load(options, context),
    codec: |kept| Ok(Box::new(serde_json::from_value::<Forecaster>(kept)?)),
};

options! {
    struct Options {
        /// The series: CSV, TSV, JSON lines, Parquet or NumPy, a row for each step, in order of time.
        data: PathBuf = PathBuf::new(),
        /// Other series to choose the best model by.
        validation_data: PathBuf = PathBuf::new(),
        /// Other series to judge the model by.
        held_out_data: PathBuf = PathBuf::new(),
        /// The columns that are read, `a,b` or `['a', 'b']`, by their names or numbers from 1; all that
        /// hold numbers, if none is named.
        columns: Names = Names::default(),
        /// Those of them that are forecast; all, if none is named.
        targets: Names = Names::default(),
        /// The column that tells which series a row is of, if there are several; rows of several series
        /// may be mixed.
        series: String = String::new(),
        /// Whether the first line of CSV or TSV names the columns; `auto` if no field is a number.
        header: Header = Header::Auto,
        /// How many rows are read for a forecast.
        window: usize = 48,
        /// How many rows are forecast.
        horizon: usize = 1,
        /// How many rows the steps between two forecasts that are learnt are apart.
        stride: usize = 1,
        /// After how many rows series repeat themselves, for the naive forecast that the model is held
        /// against; 0 for the last value.
        season: usize = 0,
        /// To which scale numbers are brought: `standard` (mean 0, deviation 1), `minmax` (0 to 1) or
        /// `none`.
        scale: Scale = Scale::Standard,
        /// Whether the model answers by how much numbers will differ from the last one.
        relative: bool = true,
        /// What is done with missing numbers: `nan` (they are read as the one before, and are no
        /// answer), `forward` (they are answers too, the one before) or `error`.
        missing: Missing = Missing::Nan,
        /// The share of each series, before what is held out, that the best model is chosen by.
        validation: f64 = 0.1,
        /// The share at the end of each series that the model is judged by.
        held_out: f64 = 0.1,
    }
}

impl Options {
    fn fault(&self) -> Result<(), OptionError> {
        for (name, count) in
            [("window", self.window), ("horizon", self.horizon), ("stride", self.stride)]
        {
            if count == 0 {
                return Err(fault_of(KIND.name, name, "give a whole number from 1 up, not 0"));
            }
        }
        let (validation, held_out) = (self.validation, self.held_out);
        shares(KIND.name, &[("validation", validation), ("held_out", held_out)])
    }

    /// Where the parts of a series of so many rows end: what is trained on, and what is chosen by.
    fn ends(&self, rows: usize) -> [usize; 2] {
        let share = |path: &PathBuf, share: f64| match named(path) {
            Some(_) => 0,
            None => (rows as f64 * share).round() as usize,
        };
        let held_out = share(&self.held_out_data, self.held_out);
        let validation = share(&self.validation_data, self.validation);
        let rest = rows.saturating_sub(held_out);
        [rest.saturating_sub(validation), rest]
    }
}

fn load(options: &toml::Table, context: Context) -> Result<Loaded, TaskError> {
    let options: Options = parse(KIND.name, options)?;
    let help = "series of numbers, `--data FILE.csv` (or .tsv, .jsonl, .parquet, .npy)";
    given(KIND.name, &options.data, help)?;
    options.fault()?;
    let table = options.header.open(&options.data)?;
    let (mut about, mut hint) = (String::new(), None);
    let columns = match options.columns.of(&table).as_slice() {
        [] => {
            let Chosen { names, left_out, series } = rows::numeric(&table, &options.series)?;
            hint = series;
            about = format!(" ({}", crate::data::list(&names));
            if !left_out.is_empty() {
                about += &format!("; left out: {}", left_out.join(", "));
            }
            about += ")";
            names
        }
        given => rows::named(&table, given)?,
    };
    let targets = match options.targets.of(&table).as_slice() {
        [] => (0..columns.len()).collect(),
        given => rows::places(&table, &columns, given).map_err(|target| {
            let known = crate::data::list(&columns);
            let fault = format!("`{target}` is none of the columns that are read: {known}");
            fault_of(KIND.name, "targets", fault)
        })?,
    };
    let strict = options.missing == Missing::Error;
    let mut raw = read(&table, &columns, &options.series, strict, Err)?;
    let mut statistics = Statistics::new(columns.len());
    for series in &raw {
        let [end, _] = options.ends(series.places.len());
        statistics.add(&series.values[..end * columns.len()]);
    }
    let codec = Forecaster {
        normalizer: statistics.normalizer(options.scale),
        columns,
        targets,
        window: options.window,
        horizon: options.horizon,
        season: options.season,
        relative: options.relative,
        forward: options.missing == Missing::Forward,
        naive: Vec::new(),
    };
    let mut windows = Windows::new(codec.clone(), context, options.stride);
    let width = codec.columns.len();
    windows.warnings.extend(hint);
    let (mut count, mut rows, mut missing) = (0, 0, 0);
    let (mut read_in_all, mut short) = (0, Vec::new());
    let mut note = |series: &Raw, used: bool| {
        read_in_all += 1;
        missing += series.values.iter().filter(|number| number.is_nan()).count();
        if !used {
            short.push((series.name.clone(), series.places.len()));
        }
    };
    // The most rows that a series has in each part, up to its end, and in all.
    let mut longest = [(0, 0, 0); 3];
    for series in &mut raw {
        codec.check(&table, series, Err)?;
        let all = series.places.len();
        let [training, validation] = options.ends(all);
        (count, rows) = (count + 1, rows + all);
        let parts = [0..training, training..validation, validation..all];
        for (longest, part) in longest.iter_mut().zip(&parts) {
            *longest = (*longest).max((part.len(), part.end, all));
        }
        note(series, windows.add(series, parts));
    }
    for (part, path) in [(1, &options.validation_data), (2, &options.held_out_data)] {
        let Some(path) = named(path) else { continue };
        let table = options.header.open(path)?;
        for mut series in read(&table, &codec.columns, &options.series, strict, Err)? {
            codec.check(&table, &mut series, Err)?;
            let rows = series.places.len();
            longest[part] = longest[part].max((rows, rows, rows));
            let mut parts = [0..0, 0..0, 0..0];
            parts[part] = 0..rows;
            note(&series, windows.add(&series, parts));
        }
    }
    enough(&options, &windows, longest)?;
    windows.warnings.extend(left_out(&options, &short, read_in_all));
    let several = if count == 1 { String::new() } else { format!("{count} series of ") };
    let missing = match missing {
        0 => String::new(),
        1 => ", 1 missing number read as the one before".to_owned(),
        n => format!(", {n} missing numbers read as those before"),
    };
    let summary = format!(
        "{several}{rows} rows of {width} column{}{about}{missing}, {}",
        if width == 1 { "" } else { "s" },
        in_parts("windows", [0, 1, 2].map(|part| windows.count(part)))
    );
    windows.find_baseline();
    let codec = windows.with_naive_errors();
    Ok(Loaded { task: Box::new(windows), codec: Box::new(codec), summary })
}

/// What is to be said of series that are too short for a window in any part: their names and rows.
fn left_out(options: &Options, short: &[(String, usize)], all: usize) -> Option<String> {
    const SHOWN: usize = 5;
    let Options { window, horizon, .. } = options;
    let shown: Vec<String> =
        short.iter().take(SHOWN).map(|(name, rows)| format!("`{name}`: {rows} rows")).collect();
    let rest = if short.len() > SHOWN { ", .." } else { "" };
    let are = if short.len() == 1 { "is" } else { "are" };
    (!short.is_empty()).then(|| {
        format!(
            "{} of {all} series {are} too short and left out ({}{rest}): at least {} rows are needed, a \
             window of {window} and a horizon of {horizon}",
            short.len(),
            shown.join(", "),
            window + horizon
        )
    })
}

/// That there are so many rows; of a series, if it has a name or is one of several.
fn there_are(rows: usize, series: Option<&str>) -> String {
    let s = if rows == 1 { "" } else { "s" };
    match series {
        Some(series) => format!("{series} has {rows} row{s}"),
        None => format!("there {} {rows} row{s}", if rows == 1 { "is" } else { "are" }),
    }
}

/// Checks that each part has a window; `longest` are the most rows that a series has in each part, up to
/// its end, and in all.
fn enough(
    options: &Options,
    windows: &Windows,
    longest: [(usize, usize, usize); 3],
) -> Result<(), TaskError> {
    let Options { window, horizon, .. } = options;
    let parts = [
        ("to train on", None, None, 1.0),
        (
            "to choose the best model by",
            Some("validation"),
            named(&options.validation_data),
            options.validation,
        ),
        ("held out", Some("held_out"), named(&options.held_out_data), options.held_out),
    ];
    for (part, (what, share_name, path, share)) in parts.into_iter().enumerate() {
        let wanted = part != 1 || share > 0.0 || path.is_some();
        if !wanted || windows.count(part) > 0 {
            continue;
        }
        let (rows, end, all) = longest[part];
        let series = (!options.series.is_empty()).then_some("the longest series");
        let there = match path {
            Some(_) => format!("{} {what}", there_are(rows, series)),
            None => format!("{}, of which {rows} are {what}", there_are(all, series)),
        };
        // What is read may be of rows before those of a share.
        let (needed, before) = match (share_name, path) {
            (Some(_), None) if rows >= *horizon => {
                (window + horizon, format!(" ({end} with those before)"))
            }
            (Some(_), None) => (*horizon, String::new()),
            (None, _) | (Some(_), Some(_)) => (window + horizon, String::new()),
        };
        let larger = match share_name {
            Some(name) if path.is_none() => format!(", a larger share (task.{name})"),
            Some(_) | None => String::new(),
        };
        return Err(too_little(
            path.unwrap_or(&options.data),
            format!(
                "{there}{before}, but {needed} are needed: a window of {window} and a horizon of {horizon}; \
                 give more rows{larger}, or a shorter task.window or task.horizon"
            ),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
