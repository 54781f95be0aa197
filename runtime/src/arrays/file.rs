//! A safetensors file in memory, and a diagnosis of one that is damaged.

use cellc_compiler::ir::eval::Precision;
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

use super::fault::FileError;

/// Named tensors, as read from the bytes of a safetensors file.
#[derive(Debug)]
pub struct ArrayFile<'b> {
    tensors: SafeTensors<'b>,
}

impl<'b> ArrayFile<'b> {
    /// Reads the header; the tensors stay where they are.
    ///
    /// # Errors
    /// If the bytes are not those of a complete safetensors file.
    pub fn new(bytes: &'b [u8]) -> Result<Self, FileError> {
        if bytes.is_empty() {
            return Err(FileError::Empty);
        }
        SafeTensors::deserialize(bytes).map(|tensors| Self { tensors }).map_err(|error| {
            diagnose(bytes).unwrap_or_else(|| FileError::Damaged(error.to_string()))
        })
    }

    /// The names of the tensors, sorted.
    pub fn names(&self) -> Vec<&str> {
        let mut names = self.tensors.names();
        names.sort_unstable();
        names
    }

    /// A tensor, if there is one of that name.
    pub(super) fn tensor(&self, name: &str) -> Option<safetensors::tensor::TensorView<'b>> {
        self.tensors.tensor(name).ok()
    }
}

/// The precision of a dtype, if a cell can run in it.
pub(super) fn precision_of(dtype: Dtype) -> Option<Precision> {
    match dtype {
        Dtype::F32 => Some(Precision::F32),
        Dtype::F64 => Some(Precision::F64),
        _ => None,
    }
}

/// The dtype that holds numbers of a precision.
pub(super) fn dtype_of(precision: Precision) -> Dtype {
    match precision {
        Precision::F32 => Dtype::F32,
        Precision::F64 => Dtype::F64,
    }
}

/// The first tensor whose bytes do not fit its shape, or lie beyond the end of the file. `None` if
/// the header is too broken to tell.
///
/// The reader of the safetensors crate says that there is such a tensor, but not which.
fn diagnose(bytes: &[u8]) -> Option<FileError> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    let Some(header) = rest.get(..length) else {
        let found = rest.len();
        return Some(FileError::Damaged(format!(
            "its first 8 bytes announce a header of {length} bytes, but only {found} bytes follow"
        )));
    };
    let data = (rest.len() - length) as u64;
    let header: Value = serde_json::from_slice(header).ok()?;
    let mut tensors: Vec<_> = header.as_object()?.iter().filter_map(entry).collect();
    tensors.sort_by_key(|tensor| tensor.start);
    tensors.iter().find_map(|tensor| {
        let found = tensor.end.min(data).saturating_sub(tensor.start);
        (tensor.bytes != found).then(|| FileError::Tensor {
            tensor: tensor.name.clone(),
            dtype: tensor.dtype.clone(),
            shape: tensor.shape.clone(),
            expected: tensor.bytes,
            found,
        })
    })
}

/// A tensor as the header describes it.
struct Entry {
    name: String,
    dtype: String,
    shape: String,
    bytes: u64,
    start: u64,
    end: u64,
}

fn entry((name, value): (&String, &Value)) -> Option<Entry> {
    let dtype: Dtype = serde_json::from_value(value.get("dtype")?.clone()).ok()?;
    let shape: Vec<u64> = serde_json::from_value(value.get("shape")?.clone()).ok()?;
    let [start, end]: [u64; 2] = serde_json::from_value(value.get("data_offsets")?.clone()).ok()?;
    let elements = shape.iter().try_fold(1u64, |product, &extent| product.checked_mul(extent))?;
    let bytes = elements.checked_mul(dtype.bitsize() as u64)? / 8;
    let (dtype, shape) = (dtype.to_string(), format!("{shape:?}"));
    Some(Entry { name: name.clone(), dtype, shape, bytes, start, end })
}
