//! Arrays of NumPy, one in an `.npy` or several in an `.npz`, which is a ZIP of the former.

mod header;

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use flate2::read::DeflateDecoder;
use zip::{CompressionMethod, ZipArchive};

use self::header::{Element, ElementKind, Header};
use super::value::Raw;
use super::{Column, DataError, Source, time};

/// An array in a file.
#[derive(Clone, Debug)]
pub(super) struct Array {
    /// What it is called in errors: nothing, if the file is the array.
    name: Option<String>,
    /// Where it begins in the file, and how long it is there.
    begin: u64,
    bytes: u64,
    /// Whether it is compressed, by DEFLATE.
    deflated: bool,
    /// How long it is once it is decompressed.
    whole: u64,
    header: Header,
}

impl Array {
    fn fault(&self, path: &Path, fault: impl AsRef<str>) -> DataError {
        let name = self.name.as_ref().map(|name| format!("`{name}`: "));
        DataError::broken(path, format!("{}{}", name.unwrap_or_default(), fault.as_ref()))
    }

    fn rows(&self) -> u64 {
        self.header.shape[0] as u64
    }

    /// How many elements a row has.
    fn row(&self) -> usize {
        self.header.shape[1..].iter().product()
    }

    /// How many numbers an item of a row has: what is behind the second axis.
    fn width(&self) -> usize {
        self.header.shape.get(2..).unwrap_or(&[]).iter().product::<usize>().max(1)
    }

    /// # Errors
    /// If the header says what cannot be.
    fn verify(&self) -> Result<(), String> {
        let Header { element, shape, bytes, fortran } = &self.header;
        if shape.is_empty() {
            return Err("this is a single value, not an array of rows".into());
        }
        let size = |size: usize, extent: &usize| size.checked_mul(*extent);
        // Extents of 0 hide others that are too large.
        let nonzero = shape.iter().map(|extent| extent.max(&1));
        nonzero.clone().try_fold(element.size.max(1), size).ok_or("the array is too large")?;
        let needed = shape.iter().product::<usize>() as u64 * element.size as u64 + bytes;
        if needed > self.whole {
            let whole = self.whole;
            return Err(format!(
                "the array has {needed} bytes by its header, but {whole} are there"
            ));
        }
        if *fortran && shape.len() > 1 && self.deflated {
            return Err(
                "the array is compressed and in the order of Fortran, so its rows are not \
                        together; save it by np.ascontiguousarray(array)"
                    .into(),
            );
        }
        Ok(())
    }
}

fn read_error(path: &Path) -> impl Fn(io::Error) -> DataError {
    |source| DataError::Read { path: path.to_owned(), source }
}

pub(super) fn open(path: &Path) -> Result<(Vec<Column>, Array), DataError> {
    let mut file = File::open(path).map_err(read_error(path))?;
    let whole = file.metadata().map_err(read_error(path))?.len();
    let header = header::read(&mut file).map_err(|fault| DataError::broken(path, fault))?;
    let array = Array { name: None, begin: 0, bytes: whole, deflated: false, whole, header };
    array.verify().map_err(|fault| array.fault(path, fault))?;
    let shape = &array.header.shape;
    let (columns, of) = match shape.as_slice() {
        [_, columns] => (*columns, &[][..]),
        _ => (1, &shape[1..]),
    };
    let column = |number: usize| Column {
        name: number.to_string(),
        rows: Some(array.rows()),
        shape: Some(of.to_vec()),
    };
    // A header may say anything, and a million names are of no use.
    if columns > 1 << 20 {
        return Err(array.fault(path, format!("there are {columns} columns, which are too many")));
    }
    Ok(((1..=columns).map(column).collect(), array))
}

pub(super) fn open_archive(path: &Path) -> Result<(Vec<Column>, Vec<Array>), DataError> {
    let file = File::open(path).map_err(read_error(path))?;
    let no_archive =
        |error| DataError::broken(path, format!("this is no archive of NumPy: {error}"));
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(no_archive)?;
    let (mut columns, mut arrays) = (Vec::new(), Vec::new());
    for i in 0..archive.len() {
        let entry = archive.by_index_raw(i).map_err(no_archive)?;
        let name = entry.name().map_err(no_archive)?;
        let Some(name) = name.strip_suffix(".npy").map(ToOwned::to_owned) else { continue };
        let fault = |fault: String| DataError::broken(path, format!("`{name}`: {fault}"));
        let deflated = match entry.compression() {
            CompressionMethod::Stored => false,
            CompressionMethod::DEFLATE => true,
            other => return Err(fault(format!("compression by {other} cannot be read"))),
        };
        if entry.encrypted() {
            return Err(fault("the array is encrypted".into()));
        }
        let (bytes, whole) = (entry.compressed_size(), entry.size());
        let begin = entry.data_start().ok_or_else(|| fault("the array is not there".into()))?;
        drop(entry);
        let mut reader = member(path, begin, bytes, deflated).map_err(read_error(path))?;
        let header = header::read(&mut reader).map_err(fault)?;
        let array = Array { name: Some(name.clone()), begin, bytes, deflated, whole, header };
        // A single value beside the arrays is no column.
        if array.header.shape.is_empty() {
            continue;
        }
        array.verify().map_err(|fault| array.fault(path, fault))?;
        let shape = Some(array.header.shape[1..].to_vec());
        columns.push(Column { name, rows: Some(array.rows()), shape });
        arrays.push(array);
    }
    if arrays.is_empty() {
        return Err(DataError::too_little(path, "there is no array"));
    }
    Ok((columns, arrays))
}

/// Reads a stretch of a file.
fn member(path: &Path, begin: u64, bytes: u64, deflated: bool) -> io::Result<Box<dyn Read + Send>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(begin))?;
    let stretch = BufReader::new(file).take(bytes);
    Ok(if deflated {
        Box::new(BufReader::new(DeflateDecoder::new(stretch)))
    } else {
        Box::new(stretch)
    })
}

pub(super) struct Rows {
    path: PathBuf,
    arrays: Vec<(Array, RowReader)>,
    /// For each column asked for, its array among these, and which element of a row it is if it is not
    /// the whole row.
    places: Vec<(usize, Option<usize>)>,
    number: u64,
    rows: u64,
}

pub(super) fn rows(path: &Path, arrays: &[Array], asked: &[usize]) -> Result<Rows, DataError> {
    // The columns of a table are elements of the rows of one array.
    let single = arrays.len() == 1 && arrays[0].name.is_none();
    let mut read: Vec<usize> = if single { vec![0] } else { asked.to_vec() };
    read.sort_unstable();
    read.dedup();
    let place = |place: &usize| {
        if single {
            (0, (arrays[0].header.shape.len() == 2).then_some(*place))
        } else {
            (read.partition_point(|other| other < place), None)
        }
    };
    let places = asked.iter().map(place).collect();
    let rows = read.first().map_or(0, |i| arrays[*i].rows());
    let mut readers = Vec::new();
    for i in &read {
        let (array, first) = (&arrays[*i], &arrays[read[0]]);
        if array.rows() != rows {
            let name = |array: &Array| array.name.clone().unwrap_or_default();
            let fault = format!("it has {} rows, but `{}` has {rows}", array.rows(), name(first));
            return Err(array.fault(path, fault));
        }
        readers.push((array.clone(), RowReader::new(path, array).map_err(read_error(path))?));
    }
    Ok(Rows { path: path.to_owned(), arrays: readers, places, number: 0, rows })
}

impl Source for Rows {
    fn next_row(&mut self) -> Result<Option<(u64, Vec<Raw>)>, DataError> {
        if self.number == self.rows {
            return Ok(None);
        }
        for (array, reader) in &mut self.arrays {
            reader.read(array, self.number).map_err(|error| DataError::Record {
                path: self.path.clone(),
                row: self.number + 1,
                fault: format!("the array cannot be read: {error}"),
            })?;
        }
        self.number += 1;
        let value = |(array, element): &(usize, Option<usize>)| {
            let (array, reader) = &self.arrays[*array];
            let Element { size, .. } = array.header.element;
            match element {
                Some(i) => decode(array.header.element, &reader.row[i * size..][..size]),
                None if array.header.shape.len() == 1 => decode(array.header.element, &reader.row),
                None => decode_list(array, &reader.row),
            }
        };
        Ok(Some((self.number, self.places.iter().map(value).collect())))
    }
}

/// Reads the rows of an array one after the other.
struct RowReader {
    from: From,
    /// The bytes of a row, in the order of C.
    row: Vec<u8>,
}

enum From {
    /// Rows are together.
    Stream(Box<dyn Read + Send>),
    /// The elements of a row are as far from each other as there are rows, and those of as many rows as
    /// fit are read at once: the elements `[row, rows]` of the rows from `first` on.
    Columns { file: File, first: u64, block: Vec<u8>, rows: usize },
}

/// How much of an array in the order of Fortran is read at once, in bytes.
const BLOCK: usize = 1 << 22;

impl RowReader {
    fn new(path: &Path, array: &Array) -> io::Result<Self> {
        let Header { bytes, fortran, shape, .. } = &array.header;
        let from = if *fortran && shape.len() > 1 {
            From::Columns { file: File::open(path)?, first: 0, block: Vec::new(), rows: 0 }
        } else {
            let mut stream = member(path, array.begin, array.bytes, array.deflated)?;
            io::copy(&mut (&mut stream).take(*bytes), &mut io::sink())?;
            From::Stream(stream)
        };
        Ok(Self { from, row: Vec::new() })
    }

    fn read(&mut self, array: &Array, number: u64) -> io::Result<()> {
        let (elements, size) = (array.row(), array.header.element.size);
        self.row.clear();
        match &mut self.from {
            From::Stream(stream) => {
                // The buffer grows as bytes come, so a header that lies asks for no memory.
                let bytes = (elements * size) as u64;
                if stream.take(bytes).read_to_end(&mut self.row)? as u64 != bytes {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            From::Columns { file, first, block, rows } => {
                let all = array.rows();
                if number >= *first + *rows as u64 {
                    *first = number;
                    let fit = (BLOCK / (elements * size).max(1)).max(1);
                    *rows = (all - number).min(fit as u64) as usize;
                    block.resize(*rows * elements * size, 0);
                    let begin = array.begin + array.header.bytes;
                    for (i, part) in block.chunks_exact_mut((*rows * size).max(1)).enumerate() {
                        let at = begin + (i as u64 * all + number) * size as u64;
                        file.seek(SeekFrom::Start(at))?;
                        file.read_exact(part)?;
                    }
                }
                let row = (number - *first) as usize;
                for i in c_order(&array.header.shape[1..]) {
                    let at = (i * *rows + row) * size;
                    self.row.extend_from_slice(&block[at..at + size]);
                }
            }
        }
        Ok(())
    }
}

/// Where the elements of an array in the order of Fortran are, in the order of C.
fn c_order(shape: &[usize]) -> impl Iterator<Item = usize> + '_ {
    (0..shape.iter().product()).map(|mut element: usize| {
        let mut place = 0;
        for (axis, extent) in shape.iter().enumerate().rev() {
            let stride: usize = shape[..axis].iter().product();
            place += element % extent * stride;
            element /= extent;
        }
        place
    })
}

fn decode_list(array: &Array, row: &[u8]) -> Raw {
    let element = array.header.element;
    // Texts of no length have no bytes to count them by.
    let items = (0..array.row()).map(|i| decode(element, &row[i * element.size..][..element.size]));
    match element.kind {
        ElementKind::Bool | ElementKind::Signed | ElementKind::Unsigned | ElementKind::Float => {
            let number = |raw| match raw {
                Raw::Integer(x) => x as f64,
                Raw::Bool(x) => f64::from(u8::from(x)),
                Raw::Number(x) => x,
                _ => f64::NAN,
            };
            Raw::Numbers { values: items.map(number).collect(), width: array.width() }
        }
        ElementKind::Text | ElementKind::Bytes | ElementKind::Time { .. } | ElementKind::Date => {
            Raw::List(items.collect())
        }
    }
}

fn decode(element: Element, bytes: &[u8]) -> Raw {
    let mut buffer = [0; 8];
    let mut little = |bytes: &[u8]| {
        let n = bytes.len().min(8);
        buffer[..n].copy_from_slice(&bytes[..n]);
        if element.big_endian {
            buffer[..n].reverse();
        }
        u64::from_le_bytes(buffer)
    };
    match element.kind {
        ElementKind::Bool => Raw::Bool(bytes.iter().any(|byte| *byte != 0)),
        ElementKind::Unsigned => Raw::Integer(little(bytes).into()),
        ElementKind::Signed => Raw::Integer(signed(little(bytes), element.size).into()),
        ElementKind::Float => {
            let bits = little(bytes);
            Raw::Number(match element.size {
                2 => half(bits as u16),
                4 => f32::from_bits(bits as u32).into(),
                _ => f64::from_bits(bits),
            })
        }
        ElementKind::Text => {
            let chars = bytes.chunks_exact(4).map(|char| {
                let mut char = [char[0], char[1], char[2], char[3]];
                if element.big_endian {
                    char.reverse();
                }
                char::from_u32(u32::from_le_bytes(char)).unwrap_or(char::REPLACEMENT_CHARACTER)
            });
            let text: String = chars.collect();
            Raw::Text(text.trim_end_matches('\0').to_owned())
        }
        ElementKind::Bytes => match std::str::from_utf8(bytes) {
            Ok(text) => Raw::Text(text.trim_end_matches('\0').to_owned()),
            Err(_) => Raw::Other("bytes that are not UTF-8"),
        },
        ElementKind::Time { per_second } => match little(bytes).cast_signed() {
            i64::MIN => Raw::Missing,
            ticks => Raw::Text(time::timestamp(ticks, per_second)),
        },
        ElementKind::Date => match little(bytes).cast_signed() {
            i64::MIN => Raw::Missing,
            days => Raw::Text(time::date(days)),
        },
    }
}

/// A number of `size` bytes with its sign.
fn signed(bits: u64, size: usize) -> i64 {
    let shift = 64 - 8 * size as u32;
    (bits << shift).cast_signed() >> shift
}

/// A number of half precision (IEEE 754 binary16).
fn half(bits: u16) -> f64 {
    let sign = if bits >> 15 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
    sign * match exponent {
        0 => fraction * 2_f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1.0 + fraction / 1024.0) * 2_f64.powi(exponent - 15),
    }
}
