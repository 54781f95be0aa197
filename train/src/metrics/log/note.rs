//! What was noted in one line, of which only what is asked for is kept.

use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, MapAccess, Visitor};

/// Reads a line: gives its step, and puts the metrics of these names in their places: `None` for what is
/// not there, NaN for `null`.
///
/// # Errors
/// What is wrong with it.
pub(super) fn parse(line: &str, names: &[&str], values: &mut [Option<f64>]) -> Result<u64, String> {
    values.fill(None);
    let (mut step, mut fault) = (None, None);
    let note = Note { names, values, step: &mut step, fault: &mut fault };
    let mut json = serde_json::Deserializer::from_str(line);
    let read = json.deserialize_map(note).and_then(|()| json.end());
    match (read, fault) {
        (Ok(()), _) => step.ok_or_else(|| "it has no `step`".to_owned()),
        (Err(_), Some(fault)) => Err(fault),
        (Err(error), None) => Err(error.to_string()),
    }
}

struct Note<'a> {
    names: &'a [&'a str],
    values: &'a mut [Option<f64>],
    step: &'a mut Option<u64>,
    /// What is wrong, if it is not that it is no JSON.
    fault: &'a mut Option<String>,
}

impl<'de> Visitor<'de> for Note<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut name = String::new();
        while map.next_key_seed(Name(&mut name))?.is_some() {
            if name == "step" {
                let step = map.next_value();
                *self.step = Some(step.inspect_err(|_: &A::Error| {
                    *self.fault = Some("it has no `step`".to_owned());
                })?);
                continue;
            }
            let value: Option<f64> = map.next_value().inspect_err(|_: &A::Error| {
                *self.fault = Some(format!("`{name}` is no number"));
            })?;
            if let Some(place) = self.names.iter().position(|asked| *asked == name) {
                self.values[place] = Some(value.unwrap_or(f64::NAN));
            }
        }
        Ok(())
    }
}

/// The name of a metric, put in place of the one before: there are as many of them as numbers.
struct Name<'a>(&'a mut String);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<(), E> {
        self.0.clear();
        self.0.push_str(name);
        Ok(())
    }
}
