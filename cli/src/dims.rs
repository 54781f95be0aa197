//! `--dims I=3,H=4`

use std::str::FromStr;

use cellc_compiler::diagnostic::Diagnostic;
use cellc_compiler::syntax::ast::{Cell, Dim};

/// Sizes of a cell's dimensions, as given by the user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dims(pub(crate) Vec<(String, usize)>);

impl FromStr for Dims {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut dims = Vec::new();
        for part in text.split(',').map(str::trim) {
            let (name, size) = part
                .split_once('=')
                .map(|(name, size)| (name.trim(), size.trim()))
                .filter(|(name, size)| !name.is_empty() && !size.is_empty())
                .ok_or_else(|| format!("expected NAME=SIZE, such as `H=128`, found `{part}`"))?;
            let number = size.parse().ok().filter(|&size: &usize| size > 0).ok_or_else(|| {
                format!("the size of `{name}` must be a whole number from 1 up, found `{size}`")
            })?;
            if dims.iter().any(|(other, _)| other == name) {
                return Err(format!("`{name}` is given twice"));
            }
            dims.push((name.to_owned(), number));
        }
        Ok(Self(dims))
    }
}

/// The fault of dimensions that have no size: neither one of their own nor one that was given.
pub(crate) fn missing_dims(cell: &Cell, given: &[(String, usize)]) -> Option<Diagnostic> {
    let is_given = |dim: &Dim| given.iter().any(|(name, _)| *name == dim.name.text);
    let missing: Vec<_> =
        cell.dims.iter().filter(|dim| dim.default.is_none() && !is_given(dim)).collect();
    let (first, others) = missing.split_first()?;
    let names: Vec<_> = missing.iter().map(|dim| format!("`{}`", dim.name.text)).collect();
    let what = match names.as_slice() {
        [name] => format!("the size of dimension {name} is not given"),
        names => format!("the sizes of dimensions {} are not given", names.join(", ")),
    };
    let given = given.iter().map(|(name, size)| format!("{name}={size}"));
    let all = given.chain(missing.iter().map(|dim| format!("{}=16", dim.name.text)));
    let fault = Diagnostic::error(what, first.name.span)
        .help(format!("give each a size: `--dims {}`", all.collect::<Vec<_>>().join(",")));
    Some(others.iter().fold(fault, |fault, dim| fault.also(dim.name.span, "")))
}

/// Sizes as they are written: `I = 3, H = 4`.
pub(crate) fn written(dims: &[(String, usize)]) -> String {
    let dims: Vec<_> = dims.iter().map(|(name, size)| format!("{name} = {size}")).collect();
    dims.join(", ")
}

#[cfg(test)]
mod tests {
    use super::Dims;

    #[test]
    fn sizes_are_read() {
        let dims: Dims = "I=3, H=4".parse().expect("it is well-formed");
        assert_eq!(dims.0, [("I".to_owned(), 3), ("H".to_owned(), 4)]);
    }

    #[test]
    fn faults_are_named() {
        for (text, part) in [
            ("", "expected NAME=SIZE"),
            ("H", "found `H`"),
            ("H=", "found `H=`"),
            ("=4", "found `=4`"),
            ("I=3,", "found ``"),
            ("H=four", "found `four`"),
            ("H=-4", "found `-4`"),
            ("H=0", "from 1 up"),
            ("H=4.5", "found `4.5`"),
            ("H=99999999999999999999", "whole number"),
            ("H=4,H=5", "`H` is given twice"),
        ] {
            let fault = text.parse::<Dims>().expect_err(text);
            assert!(fault.contains(part), "{text}: {fault}");
        }
    }
}
