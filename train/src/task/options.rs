//! Options of tasks, as they stand in the `[task]` table of an experiment.

use cellc_compiler::suggest::closest;
use serde::de::DeserializeOwned;
use thiserror::Error;

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
    T::deserialize(table.clone()).map_err(|error| {
        // One by one, to find the one at fault.
        let faulty = table.iter().find(|(key, value)| {
            let single = toml::Table::from_iter([((*key).clone(), (*value).clone())]);
            T::deserialize(single).is_err()
        });
        let option = faulty.map_or_else(String::new, |(key, _)| key.clone());
        OptionError::Value { task, option, fault: error.message().to_owned() }
    })
}
