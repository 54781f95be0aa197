//! The command line: options that may be given again, and faults in the words of this command.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::ffi::{OsStr, OsString};
use std::num::{IntErrorKind, ParseFloatError, ParseIntError};
use std::process::ExitCode;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, Error, Parser};

use crate::output::{note, print};

/// Options whose values are lists, which may go on in another.
const LISTS: [&str; 2] = ["--dims", "--set"];

/// How many conflicting options are told.
const TOLD: usize = 4;

/// The arguments, or with what status the command ends where there are none: it has said why.
pub(crate) fn parse<C: Parser>() -> Result<C, ExitCode> {
    let words = joined(std::env::args_os());
    C::try_parse_from(&words).map_err(|error| {
        let subcommand = words.get(1).and_then(|word| word.to_str()).unwrap_or_default();
        if error.use_stderr() {
            note(in_words(error, C::command().find_subcommand(subcommand)).trim_end());
            return ExitCode::from(2);
        }
        // What was asked for: the help, or the version. A reader that has seen enough is no fault.
        let _ = print(error.render());
        ExitCode::SUCCESS
    })
}

/// `--dims I=3 --dims H=4` as `--dims I=3,H=4`.
fn joined(words: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut joined: Vec<OsString> = Vec::new();
    let mut first: BTreeMap<&str, usize> = BTreeMap::new();
    let mut words = words;
    while let Some(word) = words.next() {
        if word == "--" {
            joined.push(word);
            joined.extend(words);
            return joined;
        }
        let is_of = |list: &&str| {
            let rest = word.to_str().and_then(|word| word.strip_prefix(*list));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
        };
        let Some(list) = LISTS.into_iter().find(is_of) else {
            joined.push(word);
            continue;
        };
        let of_word = word.to_str().and_then(|word| word.split_once('=')).map(|(_, value)| value);
        let value = match of_word {
            Some(value) => Some(OsStr::new(value).to_owned()),
            None => words.next(),
        };
        match (first.get(list), value) {
            (Some(&known), Some(value)) => {
                joined[known].push(",");
                joined[known].push(value);
            }
            (_, value) => {
                joined.push(list.into());
                first.insert(list, joined.len());
                joined.extend(value);
            }
        }
    }
    joined
}

/// What is wrong with the arguments of a subcommand.
fn in_words(mut error: Error, subcommand: Option<&Command>) -> String {
    let invalid = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(invalid)) => invalid.clone(),
        _ => String::new(),
    };
    if let (ErrorKind::UnknownArgument, Some(subcommand)) = (error.kind(), subcommand)
        && let Some(tip) = tip(&invalid, subcommand)
    {
        let tip = ContextValue::StyledStrs(vec![StyledStr::from(tip)]);
        error.insert(ContextKind::Suggested, tip);
    }
    // A conflict with all options of a kind would be told by a list of them, and not by those given.
    if let (ErrorKind::ArgumentConflict, Some(ContextValue::Strings(others))) =
        (error.kind(), error.get(ContextKind::PriorArg))
        && others.len() > TOLD
    {
        return format!(
            "error: beside {invalid} there can be no options or KEY=VALUE that say what is trained: it goes \
             on as it was begun"
        );
    }
    let text = error.render().to_string();
    let Some(source) = error.source() else { return text };
    let words = match source.downcast_ref().map(ParseIntError::kind) {
        Some(IntErrorKind::Zero) => "expected a whole number from 1 up",
        Some(IntErrorKind::PosOverflow | IntErrorKind::NegOverflow) => "the number is too large",
        Some(_) => "expected a whole number, such as 12",
        None if source.is::<ParseFloatError>() => "expected a number, such as 0.5",
        None => return text,
    };
    text.replacen(&source.to_string(), words, 1)
}

/// For a cell that is given as an option where it is none, or the other way around.
fn tip(invalid: &str, subcommand: &Command) -> Option<String> {
    let cell = subcommand.get_arguments().find(|argument| argument.get_id() == "cell")?;
    let is_cell = invalid.ends_with(".cell") || cellc_cells::find(invalid).is_some();
    match (cell.is_positional(), invalid) {
        (false, cell) if is_cell => Some(format!("a cell is given as `--cell {cell}`")),
        (true, "--cell") => {
            Some(format!("a cell is given by its name: `cellc {} CELL`", subcommand.get_name()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::joined;

    #[test]
    fn lists_go_on() {
        for (words, expected) in [
            ("check a --dims I=3 --json --dims H=4", "check a --dims I=3,H=4 --json"),
            ("check a --set=p=1 --dims I=3 --set q=2", "check a --set p=1,q=2 --dims I=3"),
            ("check a --dims I=3 --dims", "check a --dims I=3 --dims"),
            ("check --settle --set", "check --settle --set"),
            ("check --set a=1 -- --set b=1", "check --set a=1 -- --set b=1"),
        ] {
            let words = words.split(' ').map(Into::into);
            assert_eq!(joined(words).join(" ".as_ref()), *expected);
        }
    }
}
