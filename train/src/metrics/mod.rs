//! What a model is judged by, how its training went, and what several runs say together.

pub mod classification;
pub mod language;
pub mod log;
pub mod regression;
pub mod summary;
pub(crate) mod table;

use serde::{Deserialize, Deserializer};

/// Reads a number that JSON has no way to write: `null` is not a number.
pub(crate) fn number_or_null<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or(f64::NAN))
}
