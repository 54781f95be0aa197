//! `--set zoneout=0.2,slope=0.01`

use std::str::FromStr;

/// Values of a cell's hyper-parameters, as given by the user.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Hypers(pub(crate) Vec<(String, f64)>);

impl FromStr for Hypers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut hypers = Vec::new();
        for part in text.split(',').map(str::trim) {
            let (name, value) = part
                .split_once('=')
                .map(|(name, value)| (name.trim(), value.trim()))
                .filter(|(name, value)| !name.is_empty() && !value.is_empty())
                .ok_or_else(|| {
                    format!("expected NAME=NUMBER, such as `zoneout=0.1`, found `{part}`")
                })?;
            let number = value.parse().ok().filter(|number: &f64| number.is_finite());
            let number = number.ok_or_else(|| {
                format!("the value of `{name}` must be a finite number, found `{value}`")
            })?;
            if hypers.iter().any(|(other, _)| other == name) {
                return Err(format!("`{name}` is given twice"));
            }
            hypers.push((name.to_owned(), number));
        }
        Ok(Self(hypers))
    }
}

#[cfg(test)]
mod tests {
    use super::Hypers;

    #[test]
    fn numbers_are_read() {
        let hypers: Hypers = "zoneout=0.2, slope=-1e-2".parse().expect("it is well-formed");
        assert_eq!(hypers.0, [("zoneout".to_owned(), 0.2), ("slope".to_owned(), -0.01)]);
    }

    #[test]
    fn faults_are_named() {
        for (text, part) in [
            ("", "expected NAME=NUMBER"),
            ("slope", "found `slope`"),
            ("slope=", "found `slope=`"),
            ("=1", "found `=1`"),
            ("slope=1,", "found ``"),
            ("slope=much", "a finite number, found `much`"),
            ("slope=inf", "a finite number, found `inf`"),
            ("slope=NaN", "a finite number, found `NaN`"),
            ("slope=1,slope=2", "`slope` is given twice"),
        ] {
            let fault = text.parse::<Hypers>().expect_err(text);
            assert!(fault.contains(part), "{text}: {fault}");
        }
    }
}
