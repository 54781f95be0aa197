//! The header of an array of NumPy (NEP 1, A simple file format for NumPy arrays, 2007): a dictionary of
//! Python with the type of the elements, their order and the shape.

use std::io::Read;

/// What a header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) element: Element,
    /// Whether the first axis changes fastest, and not the last.
    pub(super) fortran: bool,
    pub(super) shape: Vec<usize>,
    /// How long the header is in bytes.
    pub(super) bytes: u64,
}

/// The type of an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) kind: ElementKind,
    pub(super) big_endian: bool,
    /// Its size in bytes.
    pub(super) size: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ElementKind {
    Bool,
    Signed,
    Unsigned,
    Float,
    /// UTF-32.
    Text,
    Bytes,
    /// Ticks since 1970, of which a second has so many.
    Time {
        per_second: i64,
    },
    /// Days since 1970.
    Date,
}

/// The longest header that is read, in bytes; those of arrays without fields have hundreds.
const LONGEST: usize = 1 << 16;

/// Reads a header.
///
/// # Errors
/// What is wrong with it, or what cannot be read of arrays.
pub(super) fn read(reader: &mut dyn Read) -> Result<Header, String> {
    let mut head = [0; 8];
    let cut = |error: std::io::Error| format!("the header cannot be read: {error}");
    reader.read_exact(&mut head).map_err(cut)?;
    if !head.starts_with(b"\x93NUMPY") {
        return Err("this is no array of NumPy".into());
    }
    let (length, before) = match head[6] {
        1 => {
            let mut bytes = [0; 2];
            reader.read_exact(&mut bytes).map_err(cut)?;
            (u16::from_le_bytes(bytes).into(), 10)
        }
        2 | 3 => {
            let mut bytes = [0; 4];
            reader.read_exact(&mut bytes).map_err(cut)?;
            (u32::from_le_bytes(bytes) as usize, 12)
        }
        version => return Err(format!("version {version} of the format is not known")),
    };
    if length > LONGEST {
        return Err(format!("the header has {length} bytes, which is too long"));
    }
    let mut text = vec![0; length];
    reader.read_exact(&mut text).map_err(cut)?;
    let text = String::from_utf8_lossy(&text);
    let value = |key: &str| {
        let quoted = [format!("'{key}'"), format!("\"{key}\"")];
        let behind = quoted.iter().find_map(|key| text.split_once(key.as_str()));
        let value = behind.and_then(|(_, rest)| rest.trim_start().strip_prefix(':'));
        value.map(str::trim_start).ok_or_else(|| format!("the header has no `{key}`"))
    };
    let fortran = value("fortran_order")?;
    let fortran = match (fortran.starts_with("True"), fortran.starts_with("False")) {
        (true, _) => true,
        (_, true) => false,
        _ => return Err("`fortran_order` of the header is neither True nor False".into()),
    };
    let shape = value("shape")?.strip_prefix('(').and_then(|rest| rest.split_once(')'));
    let (shape, _) = shape.ok_or("the shape of the header is no tuple")?;
    let extents = shape.split(',').map(str::trim).filter(|extent| !extent.is_empty());
    let shape: Result<Vec<usize>, _> = extents.map(str::parse).collect();
    let shape = shape.map_err(|error| format!("the shape of the header is broken: {error}"))?;
    let element = element(value("descr")?)?;
    Ok(Header { element, fortran, shape, bytes: (before + length) as u64 })
}

fn element(descr: &str) -> Result<Element, String> {
    let quote = descr.chars().next().filter(|c| matches!(c, '\'' | '"'));
    let Some((text, _)) = quote.and_then(|quote| descr[1..].split_once(quote)) else {
        return Err("the array has fields; save each as an array of its own in an .npz".into());
    };
    let refused = || {
        format!(
            "elements of the type `{text}` cannot be read; save numbers or texts of fixed length"
        )
    };
    let big_endian =
        text.starts_with('>') || (text.starts_with('=') && cfg!(target_endian = "big"));
    let code = text.trim_start_matches(['<', '>', '=', '|']);
    let mut chars = code.chars();
    let letter = chars.next().ok_or_else(refused)?;
    let rest = chars.as_str();
    let (size, unit) = rest.split_once('[').unwrap_or((rest, ""));
    let size: usize = size.parse().map_err(|_| refused())?;
    let (kind, size) = match (letter, size) {
        ('b', 1) => (ElementKind::Bool, 1),
        ('i', 1 | 2 | 4 | 8) => (ElementKind::Signed, size),
        ('u', 1 | 2 | 4 | 8) => (ElementKind::Unsigned, size),
        ('f', 2 | 4 | 8) => (ElementKind::Float, size),
        ('U', _) => (ElementKind::Text, size.checked_mul(4).ok_or_else(refused)?),
        ('S' | 'a', _) => (ElementKind::Bytes, size),
        ('M', 8) => {
            let kind = match unit {
                "D]" => ElementKind::Date,
                "s]" => ElementKind::Time { per_second: 1 },
                "ms]" => ElementKind::Time { per_second: 1000 },
                "us]" => ElementKind::Time { per_second: 1_000_000 },
                "ns]" => ElementKind::Time { per_second: 1_000_000_000 },
                _ => return Err(refused()),
            };
            (kind, 8)
        }
        ('O', _) => {
            return Err(
                "the elements are objects of Python, which cannot be read; save numbers or \
                        texts of fixed length"
                    .into(),
            );
        }
        _ => return Err(refused()),
    };
    Ok(Element { kind, big_endian, size })
}
