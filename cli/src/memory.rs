//! `--memory`

use bytesize::ByteSize;

/// An amount of memory, in bytes: a number with or without a unit.
pub(crate) fn memory(text: &str) -> Result<usize, String> {
    let size = text.parse::<ByteSize>().ok().and_then(|size| size.as_u64().try_into().ok());
    size.ok_or_else(|| "expected an amount such as 200MB, 1.5GB or 512KiB".to_owned())
}

/// A number of bytes in a unit fit to be read.
pub(crate) fn amount(bytes: usize) -> String {
    ByteSize::b(bytes as u64).display().si().to_string()
}

#[cfg(test)]
mod tests {
    use super::memory;

    #[test]
    fn amounts_have_units_of_1000_and_of_1024() {
        for (text, bytes) in [
            ("200MB", 200_000_000),
            ("1.5GB", 1_500_000_000),
            ("512KiB", 512 << 10),
            ("2 GiB", 2 << 30),
            ("64kb", 64_000),
            ("10M", 10_000_000),
            ("4096", 4096),
        ] {
            assert_eq!(memory(text), Ok(bytes), "{text}");
        }
        for text in ["", "much", "MB", "-1MB", "1QB", "1MB more"] {
            assert!(memory(text).is_err(), "{text}");
        }
    }
}
