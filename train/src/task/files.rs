//! What tasks of users' data have in common: files, shares, and how much is in memory.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::options::OptionError;
use super::{DataError, TaskError};
use crate::data::rereadable;
use crate::data::table::{self, Table};
use crate::number::Short;

/// How many bytes of data are in memory at most, if the user does not say.
pub(super) const MEMORY: usize = 1 << 30;

/// How many bytes of data that a model is judged by are in memory at most, whatever their size.
pub(super) const JUDGED_MEMORY: usize = 16 << 20;

/// Checks that there is a file to learn from, and that it can be read again; `help` says what it holds and
/// how it is given.
pub(super) fn given(task: &str, data: &Path, help: &str) -> Result<(), TaskError> {
    if data.as_os_str().is_empty() {
        let (task, option, help) = (task.to_owned(), "data".to_owned(), help.to_owned());
        return Err(OptionError::Missing { task, option, help }.into());
    }
    Ok(rereadable(data)?)
}

/// Checks that the options of these names are shares.
pub(super) fn shares(task: &str, options: &[(&str, f64)]) -> Result<(), OptionError> {
    match options.iter().find(|(_, share)| !(0.0..1.0).contains(share)) {
        None => Ok(()),
        Some((option, share)) => {
            let fault = format!("{} is no share from 0 up and below 1", Short(*share));
            Err(fault_of(task, option, fault))
        }
    }
}

/// An option whose value has no meaning.
pub(super) fn fault_of(task: &str, option: &str, fault: impl Into<String>) -> OptionError {
    OptionError::Value { task: task.to_owned(), option: option.to_owned(), fault: fault.into() }
}

/// A file, if one is named.
pub(super) fn named(path: &Path) -> Option<&Path> {
    (!path.as_os_str().is_empty()).then_some(path)
}

/// How much of something is in each part: what is trained on, what the best model is chosen by, if
/// anything is, and what is held out.
pub(super) fn in_parts(what: &str, [known, chosen_by, held_out]: [usize; 3]) -> String {
    match chosen_by {
        0 => format!("{known} {what} to train on and {held_out} held out"),
        _ => format!(
            "{known} {what} to train on, {chosen_by} to choose the best model by and {held_out} held out"
        ),
    }
}

/// Too little to learn from.
pub(super) fn too_little(path: &Path, fault: impl Into<String>) -> TaskError {
    DataError::TooLittle { path: path.to_owned(), fault: fault.into() }.into()
}

/// Why a share that is held out leaves nothing to judge a model by.
pub(super) fn nothing_held_out(share: f64, what: &str) -> String {
    let mend = "a model is judged by what it was not trained on: give a larger share (--held-out), or \
                another file (--held-out-data)";
    match share > 0.0 {
        true => {
            format!("a held-out share of {} leaves no {what} to judge by; {mend}", Short(share))
        }
        false => format!("nothing is held out; {mend}"),
    }
}

/// Checks that some of the symbols that were counted are known, by a task with the option `least_count`;
/// `what` is one of them.
pub(super) fn check_known(
    task: &str,
    symbols: usize,
    what: &str,
    least: usize,
) -> Result<(), OptionError> {
    // The first stands for all that are not.
    if symbols > 1 {
        return Ok(());
    }
    let fault = format!(
        "no {what} of what is trained on occurs {least} times, so none would be known; take less"
    );
    Err(fault_of(task, "least_count", fault))
}

/// Whether the first line of a CSV or TSV file names its columns: `true`, `false`, or `"auto"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "toml::Value", into = "toml::Value")]
pub(super) enum Header {
    /// It does unless one of its fields is a number.
    #[default]
    Auto,
    /// It does, or does not.
    Is(bool),
}

impl TryFrom<toml::Value> for Header {
    type Error = String;

    fn try_from(value: toml::Value) -> Result<Self, String> {
        match value {
            toml::Value::Boolean(is) => Ok(Self::Is(is)),
            toml::Value::String(text) if text == "auto" => Ok(Self::Auto),
            other => Err(format!("expected true, false or \"auto\", found {other}")),
        }
    }
}

impl From<Header> for toml::Value {
    fn from(header: Header) -> Self {
        match header {
            Header::Auto => "auto".into(),
            Header::Is(is) => is.into(),
        }
    }
}

impl Header {
    /// Opens a table.
    pub(super) fn open(self, path: &Path) -> Result<Table, DataError> {
        let header = match self {
            Self::Auto => None,
            Self::Is(is) => Some(is),
        };
        Table::open_with(path, table::Options { header, ..table::Options::default() })
    }
}
