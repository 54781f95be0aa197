//! Checkpoints: a model's parameters, and a training as it stands, as safetensors files.
//!
//! Tensors are f32, row-major, under the parameters' names. Where a training is kept to be gone on
//! with, what the optimiser remembers stands under `optimizer.<moment>.<parameter>`, and states that
//! the next batch goes on from under `state.<stage>.<number>`. The one metadata entry, `cellc`, is
//! JSON, with a checksum of the whole file in it.

mod foreign;

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use cellc_runtime::files::PendingFile;
use crc::{CRC_32_ISO_HDLC, Crc, Table};
use safetensors::tensor::{Dtype, SafeTensorError, SafeTensors, TensorView, View, serialize};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::model::{Model, Parameter};
use crate::optimizer::{Average, Optimizer};
use crate::trainer::{Progress, Resumed, Snapshot};

/// What a checkpoint says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metadata {
    /// The version of this layout.
    pub format: u32,
    /// After how many steps of the training it was kept.
    pub step: u64,
    /// A checksum (CRC-32) of the whole file, in eight hexadecimal digits, which count as zeros in it.
    pub checksum: String,
    /// Where a training stood that is to be gone on with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training: Option<Stood>,
}

/// Where a training stood.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stood {
    /// Its progress.
    pub progress: Progress,
    /// How many steps the optimiser had taken.
    pub optimizer: u64,
    /// Of how many updates a mean of the parameters is kept, if one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub averaged: Option<u64>,
}

/// The layout that this version writes and reads.
pub const FORMAT: u32 = 3;

/// How the fault of a checkpoint begins that is whole, but of another model.
pub(crate) const ANOTHER_MODEL: &str = "it is of another model: ";

/// Why a file could not be kept or taken up.
#[derive(Debug, Error)]
pub enum CheckpointError {
    /// It cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is damaged, or of something else.
    #[error("{}: {fault}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: String,
    },
}

/// Writes a file whole or not at all.
///
/// # Errors
/// If it cannot be written.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), CheckpointError> {
    PendingFile::create(path)
        .and_then(|file| file.commit(bytes))
        .map_err(|source| CheckpointError::Write { path: path.to_owned(), source })
}

/// Keeps a model.
///
/// # Errors
/// If the file cannot be written.
pub fn save_model(path: &Path, model: &Model<f32>, step: u64) -> Result<(), CheckpointError> {
    let mut tensors = Tensors::default();
    tensors.push_params(model);
    tensors.write(path, step, None)
}

/// Keeps a training as it stands.
///
/// # Errors
/// If the file cannot be written.
pub fn save_training(path: &Path, snapshot: &Snapshot<'_>) -> Result<(), CheckpointError> {
    let Snapshot { model, optimizer, average, states, progress } = snapshot;
    let mut tensors = Tensors::default();
    tensors.push_params(model);
    let parameters = model.parameters();
    for (parameter, moments) in parameters.iter().zip(optimizer.moments()) {
        for (i, moment) in moments.iter().enumerate() {
            tensors.push(moment_name(i, parameter), parameter.shape.clone(), moment);
        }
    }
    let averaged = average.and_then(Average::averaged);
    for (parameter, mean) in parameters.iter().zip(averaged.unwrap_or_default()) {
        tensors.push(average_name(parameter), parameter.shape.clone(), mean);
    }
    for (stage, states) in states.iter().enumerate() {
        for (i, state) in states.iter().enumerate() {
            tensors.push(state_name(stage, i), vec![state.len()], state);
        }
    }
    let averaged = averaged.and(*average).map(Average::updates);
    let stood = Stood { progress: (*progress).clone(), optimizer: optimizer.steps(), averaged };
    tensors.write(path, progress.step, Some(stood))
}

/// A tensor to be written.
struct Tensor<'a> {
    shape: Vec<usize>,
    data: &'a [f32],
}

impl View for Tensor<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        self.data.iter().flat_map(|x| x.to_le_bytes()).collect()
    }

    fn data_len(&self) -> usize {
        size_of_val(self.data)
    }
}

/// Tensors to be written, each with its name.
#[derive(Default)]
struct Tensors<'a>(Vec<(String, Tensor<'a>)>);

impl<'a> Tensors<'a> {
    fn push(&mut self, name: String, shape: Vec<usize>, data: &'a [f32]) {
        self.0.push((name, Tensor { shape, data }));
    }

    fn push_params(&mut self, model: &'a Model<f32>) {
        for (parameter, data) in model.parameters().into_iter().zip(model.params()) {
            self.push(parameter.name, parameter.shape, data);
        }
    }

    fn write(self, path: &Path, step: u64, stood: Option<Stood>) -> Result<(), CheckpointError> {
        let none = NO_CHECKSUM.to_owned();
        let metadata = Metadata { format: FORMAT, step, checksum: none, training: stood };
        let metadata = serde_json::to_string(&metadata).unwrap_or_default();
        // A single entry: the order of several would depend on their hashes.
        let metadata = HashMap::from([("cellc".to_owned(), metadata)]);
        let mut bytes = serialize(self.0, Some(metadata)).map_err(|error| {
            CheckpointError::Damaged { path: path.to_owned(), fault: error.to_string() }
        })?;
        if let Some(place) = checksum_place(&bytes) {
            let sum = checksum(&bytes, &place);
            bytes[place].copy_from_slice(sum.as_bytes());
        }
        write_whole(path, &bytes)
    }
}

/// What stands in a file where its checksum is to be.
const NO_CHECKSUM: &str = "00000000";

/// Where the digits of the checksum of a file are, in the JSON text that its header, JSON too, has as a
/// string.
fn checksum_place(bytes: &[u8]) -> Option<Range<usize>> {
    const KEY: &[u8] = br#"\"checksum\":\""#;
    let (length, rest) = bytes.split_first_chunk()?;
    let header = rest.get(..usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
    let key = header.windows(KEY.len()).position(|window| window == KEY)?;
    let start = length.len() + key + KEY.len();
    let place = start..start + NO_CHECKSUM.len();
    (place.end <= bytes.len()).then_some(place)
}

fn checksum(bytes: &[u8], place: &Range<usize>) -> String {
    static CRC: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISO_HDLC);
    let mut digest = CRC.digest();
    digest.update(&bytes[..place.start]);
    digest.update(NO_CHECKSUM.as_bytes());
    digest.update(&bytes[place.end..]);
    format!("{:08x}", digest.finalize())
}

fn moment_name(moment: usize, parameter: &Parameter) -> String {
    format!("optimizer.{moment}.{}", parameter.name)
}

fn average_name(parameter: &Parameter) -> String {
    format!("average.{}", parameter.name)
}

fn state_name(stage: usize, state: usize) -> String {
    format!("state.{stage}.{state}")
}

/// Takes up a model's parameters.
///
/// # Errors
/// If the file is not there, damaged, or of another model; the model is then unchanged.
pub fn load_model(path: &Path, model: &mut Model<f32>) -> Result<Metadata, CheckpointError> {
    let bytes = read(path)?;
    let file = Checkpoint::parse(path, &bytes)?;
    let params = file.params(model)?;
    model.update(|own| {
        own.iter_mut().zip(&params).for_each(|(own, param)| own.copy_from_slice(param));
    });
    Ok(file.metadata)
}

/// Reads what a checkpoint says of itself, if it is whole.
///
/// # Errors
/// If the file is not there, or damaged.
pub fn read_metadata(path: &Path) -> Result<Metadata, CheckpointError> {
    Ok(Checkpoint::parse(path, &read(path)?)?.metadata)
}

/// Reads the same of a checkpoint that is to be of a model with these parameters.
///
/// # Errors
/// If the file is not there, damaged, or of another model.
pub fn read_metadata_of(
    path: &Path,
    parameters: &[Parameter],
) -> Result<Metadata, CheckpointError> {
    let bytes = read(path)?;
    let file = Checkpoint::parse(path, &bytes)?;
    file.check(parameters)?;
    Ok(file.metadata)
}

/// Whether two checkpoints are whole, and of models of the same parameters.
pub(crate) fn agree(one: &Path, other: &Path) -> bool {
    let parameters = |path: &Path| -> Result<_, CheckpointError> {
        Ok(Checkpoint::parse(path, &read(path)?)?.parameters())
    };
    match (parameters(one), parameters(other)) {
        (Ok(one), Ok(other)) => foreign::differences(&one, &other).is_none(),
        _ => false,
    }
}

/// Reads a training to be gone on with, of a model of this architecture and of such an optimiser. Its
/// best model is kept elsewhere.
///
/// # Errors
/// If the file is not there, damaged, or of another training.
pub fn load_training(
    path: &Path,
    model: &Model<f32>,
    optimizer: &Optimizer<f32>,
) -> Result<Resumed, CheckpointError> {
    let bytes = read(path)?;
    let file = Checkpoint::parse(path, &bytes)?;
    let params = file.params(model)?;
    let Some(stood) = file.metadata.training.clone() else {
        return Err(file.damaged("it holds a model alone, not a training".to_owned()));
    };
    let mut moments = Vec::new();
    for (parameter, own) in model.parameters().iter().zip(optimizer.moments()) {
        let moment = |i| {
            let moment = file.tensor(&moment_name(i, parameter), Some(parameter.shape.as_slice()));
            moment.map_err(|error| of_another_optimizer(path, &error))
        };
        moments.push((0..own.len()).map(moment).collect::<Result<_, _>>()?);
    }
    let averaged = |updates| -> Result<_, CheckpointError> {
        let mean = |parameter: &Parameter| {
            file.tensor(&average_name(parameter), Some(parameter.shape.as_slice()))
        };
        Ok((updates, model.parameters().iter().map(mean).collect::<Result<_, _>>()?))
    };
    let average = stood.averaged.map(averaged).transpose()?;
    let mut states = Vec::new();
    for (stage, sizes) in model.state_counts().into_iter().enumerate() {
        let state = |i| file.tensor(&state_name(stage, i), None);
        states.push((0..sizes).map(state).collect::<Result<_, _>>()?);
    }
    let (optimizer, best) = ((stood.optimizer, moments), Vec::new());
    Ok(Resumed { params, best, optimizer, average, states, progress: stood.progress })
}

/// What the optimiser needs is not in the file of a whole training.
fn of_another_optimizer(path: &Path, error: &CheckpointError) -> CheckpointError {
    let path = path.to_owned();
    let fault = match error {
        CheckpointError::Damaged { fault, .. } => {
            format!("it is of a training by another optimiser: {fault}")
        }
        error => error.to_string(),
    };
    CheckpointError::Damaged { path, fault }
}

fn read(path: &Path) -> Result<Vec<u8>, CheckpointError> {
    std::fs::read(path).map_err(|source| CheckpointError::Read { path: path.to_owned(), source })
}

/// A file whose form is right.
struct Checkpoint<'a> {
    path: &'a Path,
    tensors: SafeTensors<'a>,
    metadata: Metadata,
}

impl<'a> Checkpoint<'a> {
    fn parse(path: &'a Path, bytes: &'a [u8]) -> Result<Self, CheckpointError> {
        let damaged = |fault: String| CheckpointError::Damaged { path: path.to_owned(), fault };
        let foreign = |error: SafeTensorError| {
            damaged(format!("the file is damaged or no safetensors file ({error})"))
        };
        let tensors = SafeTensors::deserialize(bytes).map_err(foreign)?;
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(foreign)?;
        let metadata = header.metadata().as_ref().and_then(|entries| entries.get("cellc"));
        let metadata = metadata.ok_or_else(|| {
            damaged("the file is no checkpoint of cellc: its metadata do not say so".into())
        })?;
        let format: Format = serde_json::from_str(metadata)
            .map_err(|error| damaged(format!("its metadata are broken: {error}")))?;
        if format.format != FORMAT {
            let found = format.format;
            return Err(damaged(format!("its format is {found}; this program reads {FORMAT}")));
        }
        let metadata: Metadata = serde_json::from_str(metadata)
            .map_err(|error| damaged(format!("its metadata are broken: {error}")))?;
        let sum = checksum_place(bytes).map(|place| checksum(bytes, &place));
        if sum.as_ref() != Some(&metadata.checksum) {
            return Err(damaged("the file is damaged: its checksum is wrong".to_owned()));
        }
        Ok(Self { path, tensors, metadata })
    }

    fn damaged(&self, fault: String) -> CheckpointError {
        CheckpointError::Damaged { path: self.path.to_owned(), fault }
    }

    fn params(&self, model: &Model<f32>) -> Result<Vec<Vec<f32>>, CheckpointError> {
        let parameters = model.parameters();
        self.check(&parameters)?;
        let tensor =
            |parameter: &Parameter| self.tensor(&parameter.name, Some(parameter.shape.as_slice()));
        parameters.iter().map(tensor).collect()
    }

    /// Checks that it is of a model with these parameters.
    fn check(&self, parameters: &[Parameter]) -> Result<(), CheckpointError> {
        match foreign::differences(&self.parameters(), parameters) {
            None => Ok(()),
            Some(differences) => Err(self.damaged(format!("{ANOTHER_MODEL}{differences}"))),
        }
    }

    /// The parameters of the model that it is of.
    fn parameters(&self) -> Vec<Parameter> {
        let kinds = ["optimizer.", "average.", "state."];
        let own =
            self.tensors.iter().filter(|(name, _)| !kinds.iter().any(|k| name.starts_with(k)));
        let parameter = |(name, tensor): (&str, TensorView<'_>)| Parameter {
            name: name.to_owned(),
            shape: tensor.shape().to_vec(),
        };
        own.map(parameter).collect()
    }

    fn tensor(&self, name: &str, shape: Option<&[usize]>) -> Result<Vec<f32>, CheckpointError> {
        let Ok(tensor) = self.tensors.tensor(name) else {
            let shape = shape.map_or_else(String::new, |shape| format!(" {shape:?}"));
            return Err(self.damaged(format!("tensor `{name}`{shape} is missing")));
        };
        if tensor.dtype() != Dtype::F32 {
            let found = tensor.dtype();
            return Err(self.damaged(format!("tensor `{name}` is {found:?}; it must be F32")));
        }
        if let Some(shape) = shape.filter(|shape| tensor.shape() != *shape) {
            let found = tensor.shape();
            return Err(self.damaged(format!("tensor `{name}` is {found:?}; it must be {shape:?}")));
        }
        let (words, _) = tensor.data().as_chunks::<4>();
        Ok(words.iter().map(|word| f32::from_le_bytes(*word)).collect())
    }
}

/// The part of the metadata that every version has.
#[derive(Deserialize)]
struct Format {
    format: u32,
}

#[cfg(test)]
mod tests;
