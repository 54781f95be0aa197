//! Options of tasks, as they stand in the `[task]` table of an experiment.

use cellc_compiler::suggest::closest;
use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::experiment::reading::{in_words, settle};

/// An option that is wrong.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum OptionError {
    /// The task has none of this name.
    #[error("task `{task}` has no option `{option}`{}; it has {}", did_you_mean(.option, .known), .known.join(", "))]
    Unknown {
        /// The task.
        task: String,
        /// The option.
        option: String,
        /// Those it has.
        known: Vec<String>,
    },
    /// It is left out and has no default.
    #[error("task `{task}` needs `{option}`: {help}")]
    Missing {
        /// The task.
        task: String,
        /// The option.
        option: String,
        /// What it is, and how it is given.
        help: String,
    },
    /// Its value has no meaning.
    #[error("option `{option}` of task `{task}`: {fault}")]
    Value {
        /// The task.
        task: String,
        /// The option.
        option: String,
        /// What is wrong with it.
        fault: String,
    },
}

fn did_you_mean(name: &str, known: &[String]) -> String {
    let known = known.iter().map(String::as_str);
    closest(name, known).map_or_else(String::new, |near| format!(" (did you mean `{near}`?)"))
}

/// An option of a kind of task.
#[derive(Clone, Debug, PartialEq)]
pub struct OptionInfo {
    /// Its name.
    pub name: String,
    /// Its value, if it is left out.
    pub default: toml::Value,
    /// What it is.
    pub meaning: String,
}

/// Options that say what they mean: those that the macro `options!` makes.
pub trait Described: serde::Serialize + Default {
    /// What each option is, in the order of the options.
    const MEANINGS: &'static [(&'static str, &'static str)];
}

/// What can be said of the options of a task.
pub fn described<T: Described>() -> Vec<OptionInfo> {
    let meaning =
        |name: &str| T::MEANINGS.iter().find(|(of, _)| *of == name).map(|(_, text)| *text);
    let mut all = listed::<T>();
    for option in &mut all {
        // A line of a comment begins with a space.
        option.meaning = meaning(&option.name).unwrap_or_default().trim().to_owned();
    }
    let place = |name: &str| T::MEANINGS.iter().position(|(of, _)| *of == name);
    all.sort_by_key(|option| place(&option.name));
    all
}

/// The options of a task that says nothing of their meaning.
pub fn listed<T: serde::Serialize + Default>() -> Vec<OptionInfo> {
    let defaults = toml::Table::try_from(T::default()).unwrap_or_default();
    let option = |(name, default)| OptionInfo { name, default, meaning: String::new() };
    defaults.into_iter().map(option).collect()
}

/// Declares the options of a task: a struct with the defaults that stand in it, whose comments are
/// what `cellc tasks` says of them.
macro_rules! options {
    (
        $(#[$about:meta])*
        $visible:vis struct $name:ident {
            $($(#[doc = $doc:literal])+ $field:ident: $type:ty = $default:expr,)+
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq, ::serde::Serialize, ::serde::Deserialize)]
        #[serde(default)]
        $visible struct $name {
            $($(#[doc = $doc])+ $visible $field: $type,)+
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)+ }
            }
        }

        impl $crate::task::options::Described for $name {
            const MEANINGS: &'static [(&'static str, &'static str)] =
                &[$((stringify!($field), concat!($($doc),+))),+];
        }
    };
}

pub(crate) use options;

/// Reads the options of a task; those that are left out have the defaults of `T`.
///
/// # Errors
/// If there is one that the task does not have, or a value is of another type.
pub fn parse<T: DeserializeOwned + serde::Serialize + Default>(
    task: &str,
    options: &toml::Table,
) -> Result<T, OptionError> {
    let known = toml::Table::try_from(T::default()).unwrap_or_default();
    let task = task.to_owned();
    if let Some(option) = options.keys().find(|key| !known.contains_key(*key) && *key != "name") {
        let (option, known) = (option.clone(), known.keys().cloned().collect());
        return Err(OptionError::Unknown { task, option, known });
    }
    let mut table = options.clone();
    table.remove("name");
    settle(&mut table, &known);
    T::deserialize(table.clone()).map_err(|error| {
        // One by one, to find the one at fault.
        let faulty = table.iter().find(|(key, value)| {
            let single = toml::Table::from_iter([((*key).clone(), (*value).clone())]);
            T::deserialize(single).is_err()
        });
        let option = faulty.map_or_else(String::new, |(key, _)| key.clone());
        OptionError::Value { task, option, fault: in_words(error.message()) }
    })
}
