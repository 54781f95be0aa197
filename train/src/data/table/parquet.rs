//! Apache Parquet.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, TimeUnit};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use parquet::record::reader::RowIter;
use parquet::schema::types::Type;

use super::value::Raw;
use super::{Column, DataError, Source, time};

fn reader(path: &Path) -> Result<SerializedFileReader<File>, DataError> {
    let file =
        File::open(path).map_err(|source| DataError::Read { path: path.to_owned(), source })?;
    SerializedFileReader::new(file)
        .map_err(|error| DataError::broken(path, format!("this is no Parquet file: {error}")))
}

/// Calls the reader of Parquet, which panics at some files that are broken.
fn guarded<T>(path: &Path, read: impl FnOnce() -> Result<T, DataError>) -> Result<T, DataError> {
    // What was being read is not used any more after an error.
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| {
        Err(DataError::broken(path, "the file is broken: what it says of itself cannot be"))
    })
}

pub(super) fn open(path: &Path) -> Result<Vec<Column>, DataError> {
    guarded(path, || columns(path))
}

fn columns(path: &Path) -> Result<Vec<Column>, DataError> {
    let reader = reader(path)?;
    let metadata = reader.metadata().file_metadata();
    let rows = u64::try_from(metadata.num_rows()).ok();
    let fields = metadata.schema().get_fields();
    let column = |field: &Arc<Type>| Column { rows, ..Column::named(field.name()) };
    let chunks = reader
        .metadata()
        .row_groups()
        .iter()
        .flat_map(parquet::file::metadata::RowGroupMetaData::columns);
    for compression in chunks.map(parquet::file::metadata::ColumnChunkMetaData::compression) {
        if let Compression::BROTLI(_) | Compression::LZO = compression {
            let name = if compression == Compression::LZO { "LZO" } else { "Brotli" };
            return Err(DataError::broken(
                path,
                format!(
                    "the file is compressed by {name}, which cannot be read; write it with Snappy, \
                     Zstandard, LZ4 or gzip"
                ),
            ));
        }
    }
    if fields.is_empty() {
        return Err(DataError::too_little(path, "there is no column"));
    }
    Ok(fields.iter().map(column).collect())
}

pub(super) struct Rows {
    path: PathBuf,
    rows: RowIter<'static>,
    /// Where each column asked for is among those that are read.
    places: Vec<usize>,
    /// Whether each column that is read is of times in nanoseconds, which the reader of records gives
    /// as integers.
    nanoseconds: Vec<bool>,
    number: u64,
}

pub(super) fn rows(path: &Path, asked: &[usize]) -> Result<Rows, DataError> {
    guarded(path, || project(path, asked))
}

fn project(path: &Path, asked: &[usize]) -> Result<Rows, DataError> {
    let broken = |error| DataError::broken(path, format!("the file is broken: {error}"));
    let reader = reader(path)?;
    let schema = reader.metadata().file_metadata().schema();
    // Each column is read once, and they come in the order of the file.
    let mut read = asked.to_vec();
    read.sort_unstable();
    read.dedup();
    let fields: Vec<_> = read.iter().map(|place| schema.get_fields()[*place].clone()).collect();
    let nanoseconds = fields.iter().map(|field| in_nanoseconds(field)).collect();
    let projection = Type::group_type_builder(schema.name()).with_fields(fields).build();
    let projection = projection.map_err(broken)?;
    let rows = RowIter::from_file_into(Box::new(reader)).project(Some(projection));
    let rows = rows.map_err(broken)?;
    let place = |place: &usize| read.partition_point(|other| other < place);
    let places = asked.iter().map(place).collect();
    Ok(Rows { path: path.to_owned(), rows, places, nanoseconds, number: 0 })
}

impl Source for Rows {
    fn next_row(&mut self) -> Result<Option<(u64, Vec<Raw>)>, DataError> {
        self.number += 1;
        let (path, row) = (&self.path, self.number);
        match guarded(path, || Ok(self.rows.next()))? {
            None => Ok(None),
            Some(Err(error)) => {
                let fault = format!("the file is broken here: {error}");
                Err(DataError::Record { path: path.clone(), row, fault })
            }
            Some(Ok(found)) => {
                let fields = found.get_column_iter().zip(&self.nanoseconds);
                let values = fields.map(|((_, field), nanoseconds)| match (field, nanoseconds) {
                    (Field::Long(ticks), true) => Raw::Text(time::timestamp(*ticks, 1_000_000_000)),
                    _ => raw(field),
                });
                let values: Vec<Raw> = values.collect();
                let value = |place: &usize| values.get(*place).cloned().unwrap_or(Raw::Missing);
                Ok(Some((row, self.places.iter().map(value).collect())))
            }
        }
    }
}

fn in_nanoseconds(field: &Type) -> bool {
    let Some(LogicalType::Timestamp(time)) = field.get_basic_info().logical_type_ref() else {
        return false;
    };
    time.unit == TimeUnit::NANOS
}

fn raw(field: &Field) -> Raw {
    match field {
        Field::Null => Raw::Missing,
        Field::Bool(bool) => Raw::Bool(*bool),
        Field::Byte(x) => Raw::Integer((*x).into()),
        Field::Short(x) => Raw::Integer((*x).into()),
        Field::Int(x) => Raw::Integer((*x).into()),
        Field::Long(x) => Raw::Integer((*x).into()),
        Field::UByte(x) => Raw::Integer((*x).into()),
        Field::UShort(x) => Raw::Integer((*x).into()),
        Field::UInt(x) => Raw::Integer((*x).into()),
        Field::ULong(x) => Raw::Integer((*x).into()),
        Field::Float16(x) => Raw::Number((*x).into()),
        Field::Float(x) => Raw::Number((*x).into()),
        Field::Double(x) => Raw::Number(*x),
        // The record's own text of a decimal: it has no other number.
        Field::Decimal(_) => Raw::Text(field.to_string()),
        Field::Str(text) => Raw::Text(text.clone()),
        Field::Bytes(bytes) => match std::str::from_utf8(bytes.data()) {
            Ok(text) => Raw::Text(text.to_owned()),
            Err(_) => Raw::Other("bytes"),
        },
        Field::Date(days) => Raw::Text(time::date((*days).into())),
        Field::TimeMillis(ticks) => Raw::Text(time::time((*ticks).into(), 1000)),
        Field::TimeMicros(ticks) => Raw::Text(time::time(*ticks, 1_000_000)),
        Field::TimestampMillis(ticks) => Raw::Text(time::timestamp(*ticks, 1000)),
        Field::TimestampMicros(ticks) => Raw::Text(time::timestamp(*ticks, 1_000_000)),
        Field::ListInternal(list) => Raw::List(list.elements().iter().map(raw).collect()),
        Field::Group(_) => Raw::Other("a group of values"),
        Field::MapInternal(_) => Raw::Other("a map"),
    }
}
