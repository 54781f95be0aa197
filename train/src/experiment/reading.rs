//! What is read of experiments: values that are written otherwise than they are meant, and errors in the
//! words of who wrote them.

use cellc_compiler::suggest::closest;
use toml::{Table, Value};

/// Takes values for what they are meant to be where `form`, with values of the right types, leaves no
/// doubt: a whole number that is written with a point, `4.0`, one value where a list is asked for, and a name that
/// is a number.
pub(crate) fn settle(given: &mut Table, form: &Table) {
    for (key, value) in given {
        match (&mut *value, form.get(key)) {
            // Up to 2^53, whole numbers are exact.
            (Value::Float(x), Some(Value::Integer(_)))
                if x.fract() == 0.0 && x.abs() <= 9_007_199_254_740_992.0 =>
            {
                *value = Value::Integer(*x as i64);
            }
            (Value::String(text), Some(Value::Array(_))) => {
                *value = Value::Array(vec![Value::String(std::mem::take(text))]);
            }
            // A column, or a file, may be called by a number, and `nan` is a word too.
            (Value::Integer(number), Some(Value::String(_))) => {
                *value = Value::String(number.to_string());
            }
            (Value::Float(number), Some(Value::String(_))) => {
                *value = Value::String(number.to_string().to_lowercase());
            }
            (Value::Table(given), Some(Value::Table(form))) => settle(given, form),
            _ => {}
        }
    }
}

/// What is wrong with a value, in the words of who wrote it; what is not known is left as it is.
pub(crate) fn in_words(message: &str) -> String {
    let type_of = |kind: &str| message.strip_prefix(kind)?.split_once(", expected ");
    if let Some((found, expected)) =
        type_of("invalid type: ").or_else(|| type_of("invalid value: "))
    {
        return format!("expected {}, found {}", wanted(expected), shown(found));
    }
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let [found, known @ ..] = quoted.as_slice() else { return message.to_owned() };
    let near = closest(found, known.iter().copied());
    let near = near.map_or_else(String::new, |near| format!("\ndid you mean `{near}`?"));
    let known = format!("`{}`", known.join("`, `"));
    if message.starts_with("unknown variant ") {
        return format!("there is no `{found}`; it is one of {known}{near}");
    }
    if message.starts_with("unknown field ") && known.len() > 2 {
        return format!("there is no key `{found}`; there are {known}{near}");
    }
    if message.starts_with("unknown field ") {
        return format!("there is no key `{found}`, nor any other here");
    }
    if message.starts_with("missing field ") {
        return format!("the key `{found}` is missing");
    }
    message.to_owned()
}

/// What a value is to be.
fn wanted(expected: &str) -> &str {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number from 0",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a string" | "path string" => "a text",
        "a sequence" => "a list in brackets",
        "a map" => "a table",
        expected if expected.starts_with("struct ") => "a table",
        expected => expected,
    }
}

/// What a value is, as it was written as far as that is known.
fn shown(found: &str) -> String {
    let value = ["floating point `", "integer `", "boolean `"];
    let value = value.iter().find_map(|kind| found.strip_prefix(kind)?.strip_suffix('`'));
    match (value, found) {
        (Some(value), _) => value.to_owned(),
        (None, "map") => "a table".to_owned(),
        (None, "sequence") => "a list".to_owned(),
        (None, found) => found.strip_prefix("string ").unwrap_or(found).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_taken_for_what_they_are_meant_to_be() {
        let form: Table = "steps = 1\nlog = []\nrate = 0.5\n[model]\nlayers = 1".parse().unwrap();
        let settled = |text: &str| {
            let mut given: Table = text.parse().unwrap();
            settle(&mut given, &form);
            given.to_string()
        };
        assert_eq!(settled("steps = 4.0\nlog = 'csv'"), "steps = 4\nlog = [\"csv\"]\n");
        assert_eq!(settled("[model]\nlayers = 1e3"), "[model]\nlayers = 1000\n");
        for other in
            ["steps = 4.5\n", "steps = 1e30\n", "rate = 4.0\n", "rate = 4\n", "own = 4.0\n"]
        {
            let given: Table = other.parse().unwrap();
            assert_eq!(settled(other), given.to_string(), "{other}");
        }
    }

    #[test]
    fn errors_are_in_the_words_of_the_user() {
        for (message, words) in [
            (
                "invalid type: floating point `4.5`, expected usize",
                "a whole number from 0, found 4.5",
            ),
            ("invalid value: integer `-1`, expected u64", "a whole number from 0, found -1"),
            ("invalid type: string \"abc\", expected f64", "a number, found \"abc\""),
            ("invalid type: integer `1`, expected a boolean", "true or false, found 1"),
            ("invalid type: map, expected a sequence", "a list in brackets, found a table"),
            ("invalid type: integer `3`, expected struct PlateauSettings", "a table, found 3"),
        ] {
            assert_eq!(in_words(message), format!("expected {words}"));
        }
        for (message, words) in [
            (
                "unknown variant `adm`, expected one of `sgd`, `adam`",
                "there is no `adm`; it is one of `sgd`, `adam`\ndid you mean `adam`?",
            ),
            ("unknown variant `x`, expected `a` or `b`", "there is no `x`; it is one of `a`, `b`"),
            ("unknown field `x`, there are no fields", "there is no key `x`, nor any other here"),
            ("missing field `name`", "the key `name` is missing"),
            ("something else", "something else"),
        ] {
            assert_eq!(in_words(message), words);
        }
    }
}
