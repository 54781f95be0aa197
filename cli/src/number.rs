//! Numbers in messages.

/// A number of so many digits behind the point, or in powers of ten where that would be unreadable or
/// say nothing; `NaN` and `infinite` in words.
pub(crate) fn number(x: f64, digits: usize) -> String {
    let size = x.abs();
    if x.is_nan() {
        "NaN".to_owned()
    } else if x.is_infinite() {
        if x > 0.0 { "infinite" } else { "-infinite" }.to_owned()
    } else if size >= 1e6 || (size > 0.0 && size < 0.5 * 0.1_f64.powi(digits as i32)) {
        format!("{x:.2e}")
    } else {
        format!("{x:.digits$}")
    }
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_of_any_size_are_short() {
        for (x, text) in [
            (0.0, "0.000"),
            (1.23456, "1.235"),
            (-999_999.0, "-999999.000"),
            (3.4028e38, "3.40e38"),
            (0.0004, "4.00e-4"),
            (0.0006, "0.001"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "infinite"),
        ] {
            assert_eq!(number(x, 3), text);
        }
    }
}
