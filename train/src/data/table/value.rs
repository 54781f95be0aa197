//! What a file holds, as what was asked for.

use serde_json::Value as Json;

use super::{Ask, Kind, Missing, Value};

/// What a file holds in a column of a row.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Raw {
    /// Nothing.
    Missing,
    Text(String),
    Bool(bool),
    Integer(i128),
    Number(f64),
    List(Vec<Raw>),
    /// Numbers of items of a width, as arrays hold them.
    Numbers {
        values: Vec<f64>,
        width: usize,
    },
    /// What no cell of a table can be, in words.
    Other(&'static str),
}

impl From<Json> for Raw {
    fn from(json: Json) -> Self {
        match json {
            Json::Null => Self::Missing,
            Json::Bool(bool) => Self::Bool(bool),
            Json::Number(number) => match number.as_i128() {
                Some(integer) => Self::Integer(integer),
                None => Self::Number(number.as_f64().unwrap_or(f64::NAN)),
            },
            Json::String(text) => Self::Text(text),
            Json::Array(items) => Self::List(items.into_iter().map(Self::from).collect()),
            Json::Object(_) => Self::Other("an object"),
        }
    }
}

/// Reads what a file holds as what was asked for.
///
/// # Errors
/// What is wrong with it, in words that name the column.
pub(super) fn convert(raw: Raw, ask: &Ask, before: Option<&Value>) -> Result<Value, String> {
    let column = &ask.column;
    if is_missing(&raw, ask.kind) {
        return match ask.missing {
            Missing::Error if raw == Raw::Missing || is_empty(&raw) => {
                Err(format!("`{column}` is empty"))
            }
            Missing::Error if matches!(raw, Raw::List(_) | Raw::Numbers { .. }) => {
                Err(format!("`{column}` is an empty list"))
            }
            Missing::Error => Err(format!("`{column}` is missing: {}", shown(&raw))),
            Missing::Nan => Ok(nothing(ask.kind)),
            Missing::Forward => before.cloned().ok_or_else(|| {
                format!("`{column}` is missing, and no row before has a value to carry forward")
            }),
        };
    }
    match ask.kind {
        Kind::Text => text(raw).map(Value::Text),
        Kind::Number => number(raw).map(Value::Number),
        Kind::Texts => texts(raw).map(Value::Texts),
        Kind::Numbers => numbers(raw, ask.missing),
    }
    .map_err(|fault| format!("`{column}` {fault}"))
}

/// What is read where nothing is.
pub(super) fn nothing(kind: Kind) -> Value {
    match kind {
        Kind::Text => Value::Text(String::new()),
        Kind::Number => Value::Number(f64::NAN),
        Kind::Texts => Value::Texts(Vec::new()),
        Kind::Numbers => Value::Numbers { values: Vec::new(), width: 1 },
    }
}

/// What a cell is, if it is read as a number; what is wrong with it, if it cannot be.
pub(super) enum Cell {
    Missing,
    Number,
    /// A number that cannot be learnt from, or is not written as one: `inf`, `1,5`.
    Almost(String),
    Other(String),
}

pub(super) fn cell(raw: Raw) -> Cell {
    if is_missing(&raw, Kind::Number) {
        return Cell::Missing;
    }
    let almost = match &raw {
        Raw::Text(text) => text.trim().replacen(',', ".", 1).parse::<f64>().is_ok(),
        Raw::Number(_) => true,
        Raw::Missing
        | Raw::Bool(_)
        | Raw::Integer(_)
        | Raw::List(_)
        | Raw::Numbers { .. }
        | Raw::Other(_) => false,
    };
    match number(raw) {
        Ok(_) => Cell::Number,
        Err(fault) if almost => Cell::Almost(fault),
        Err(fault) => Cell::Other(fault),
    }
}

fn is_empty(raw: &Raw) -> bool {
    matches!(raw, Raw::Text(text) if text.trim().is_empty())
}

fn is_missing(raw: &Raw, kind: Kind) -> bool {
    match raw {
        Raw::Missing => true,
        Raw::Text(text) => match kind {
            Kind::Text | Kind::Texts => text.trim().is_empty(),
            Kind::Number | Kind::Numbers => says_missing(text),
        },
        Raw::Number(number) => number.is_nan(),
        Raw::List(items) => items.is_empty(),
        Raw::Numbers { values, .. } => values.is_empty(),
        Raw::Bool(_) | Raw::Integer(_) | Raw::Other(_) => false,
    }
}

fn says_missing(text: &str) -> bool {
    let text = text.trim();
    ["", "na", "n/a", "nan", "null", "none", "?"].iter().any(|word| text.eq_ignore_ascii_case(word))
}

fn text(raw: Raw) -> Result<String, String> {
    match raw {
        Raw::Text(text) => Ok(text),
        Raw::Bool(bool) => Ok(bool.to_string()),
        Raw::Integer(integer) => Ok(integer.to_string()),
        Raw::Number(number) => Ok(number.to_string()),
        Raw::Missing | Raw::List(_) | Raw::Numbers { .. } | Raw::Other(_) => {
            Err(format!("is {}, not a text", shown(&raw)))
        }
    }
}

fn number(raw: Raw) -> Result<f64, String> {
    let number = match &raw {
        Raw::Text(text) => parse(text)?,
        Raw::Bool(bool) => f64::from(u8::from(*bool)),
        Raw::Integer(integer) => *integer as f64,
        Raw::Number(number) => *number,
        Raw::Missing | Raw::List(_) | Raw::Numbers { .. } | Raw::Other(_) => {
            return Err(format!("is {}, not a number", shown(&raw)));
        }
    };
    if number.is_finite() { Ok(number) } else { Err(format!("is {}, not finite", shown(&raw))) }
}

fn parse(text: &str) -> Result<f64, String> {
    let trimmed = text.trim();
    trimmed.parse().map_err(|_| {
        let comma =
            trimmed.matches(',').count() == 1 && trimmed.replace(',', ".").parse::<f64>().is_ok();
        let mend = if comma { "; decimals are written with a point" } else { "" };
        format!("is {}, not a number{mend}", shorten(text))
    })
}

fn texts(raw: Raw) -> Result<Vec<String>, String> {
    let items = match raw {
        Raw::Text(text) => parts(&text)?,
        Raw::List(items) => items,
        Raw::Missing
        | Raw::Bool(_)
        | Raw::Integer(_)
        | Raw::Number(_)
        | Raw::Numbers { .. }
        | Raw::Other(_) => return Err(format!("is {}, not a list of texts", shown(&raw))),
    };
    let item = |(i, item)| text(item).map_err(|fault| format!("{fault} (item {i})"));
    (1..).zip(items).map(item).collect()
}

/// Takes a text apart into a list.
fn parts(text: &str) -> Result<Vec<Raw>, String> {
    let trimmed = text.trim();
    if !trimmed.starts_with('[') {
        return Ok(trimmed.split_whitespace().map(|part| Raw::Text(part.to_owned())).collect());
    }
    match serde_json::from_str(trimmed) {
        Ok(Json::Array(items)) => Ok(items.into_iter().map(Raw::from).collect()),
        Ok(_) | Err(_) => {
            Err(format!("is {}, which begins as a JSON array but is none", shorten(text)))
        }
    }
}

fn numbers(raw: Raw, missing: Missing) -> Result<Value, String> {
    let items = match raw {
        Raw::Numbers { mut values, width } => {
            for i in 0..values.len() {
                if !values[i].is_finite() {
                    let before = i.checked_sub(width).map(|i| values[i]);
                    let value = Raw::Number(values[i]);
                    values[i] = item(value, missing, before)
                        .map_err(|fault| format!("{fault} (item {})", i / width + 1))?;
                }
            }
            return Ok(Value::Numbers { values, width });
        }
        Raw::Text(text) => parts(&text)?,
        Raw::List(items) => items,
        Raw::Other(_) => return Err(format!("is {}, not a list of numbers", shown(&raw))),
        Raw::Missing | Raw::Bool(_) | Raw::Integer(_) | Raw::Number(_) => vec![raw],
    };
    let mut values = Vec::with_capacity(items.len());
    let mut width = 1;
    for (i, raw) in items.into_iter().enumerate() {
        let begin = values.len();
        let inner = match raw {
            Raw::List(inner) => inner,
            raw => vec![raw],
        };
        if i == 0 {
            width = inner.len();
        }
        let n = inner.len();
        if n != width || n == 0 {
            let first = if i == 0 { 1 } else { width };
            return Err(format!("has {n} numbers in item {} and {first} in others", i + 1));
        }
        for (k, raw) in inner.into_iter().enumerate() {
            let before = (begin + k).checked_sub(width).map(|place| values[place]);
            let value = item(raw, missing, before);
            values.push(value.map_err(|fault| format!("{fault} (item {})", i + 1))?);
        }
    }
    Ok(Value::Numbers { values, width })
}

/// A number of a list.
fn item(raw: Raw, missing: Missing, before: Option<f64>) -> Result<f64, String> {
    if !is_missing(&raw, Kind::Number) {
        return number(raw);
    }
    match missing {
        Missing::Error => Err("has a missing value".into()),
        Missing::Nan => Ok(f64::NAN),
        Missing::Forward => {
            before.ok_or_else(|| "has a missing value, and none before it to carry forward".into())
        }
    }
}

/// A value for a message.
fn shown(raw: &Raw) -> String {
    match raw {
        Raw::Missing => "nothing".into(),
        Raw::Text(text) => shorten(text),
        Raw::Bool(bool) => format!("`{bool}`"),
        Raw::Integer(integer) => format!("`{integer}`"),
        Raw::Number(number) => format!("`{number}`"),
        Raw::List(_) | Raw::Numbers { .. } => "a list".into(),
        Raw::Other(what) => (*what).into(),
    }
}

fn shorten(text: &str) -> String {
    const SHOWN: usize = 40;
    let end = text.char_indices().nth(SHOWN).map(|(end, _)| end);
    match end {
        Some(end) => format!("`{}..`", &text[..end]),
        None => format!("`{text}`"),
    }
}
