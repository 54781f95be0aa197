//! Numbers in messages.

use std::fmt;

/// A number with all its digits, in powers of ten where it would be long: `0.003`, `1e30`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Short(pub f64);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(x) = *self;
        let size = x.abs();
        if x.is_finite() && size > 0.0 && !(1e-4..1e9).contains(&size) {
            write!(f, "{x:e}")
        } else {
            write!(f, "{x}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_any_size_are_short() {
        for (x, text) in [
            (0.0, "0"),
            (-1.5, "-1.5"),
            (0.003, "0.003"),
            (1e30, "1e30"),
            (-1e-30, "-1e-30"),
            (2e6, "2000000"),
            (f64::INFINITY, "inf"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(Short(x).to_string(), text);
        }
    }
}
