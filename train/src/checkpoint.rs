//! Checkpoints: a model's parameters and its optimiser's memory, as a safetensors file.
//!
//! Tensors are f32, row-major, under the parameters' names; what the optimiser remembers stands
//! under `optimizer.<moment>.<parameter>`. The one metadata entry, `cellc`, is JSON.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, SafeTensorError, SafeTensors, TensorView, serialize};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::model::{Model, Parameter};
use crate::optimizer::Optimizer;
use cellc_runtime::files::PendingFile;

/// What a checkpoint says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metadata {
    /// The version of this layout.
    pub format: u32,
    /// After how many steps of the training it was kept.
    pub step: u64,
    /// How many steps the optimiser had taken.
    pub optimizer_steps: u64,
}

/// The layout that this version writes and reads.
pub const FORMAT: u32 = 1;

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

/// Keeps a model and its optimiser.
///
/// # Errors
/// If the file cannot be written.
pub fn save(
    path: &Path,
    model: &Model<f32>,
    optimizer: &Optimizer<f32>,
    step: u64,
) -> Result<(), CheckpointError> {
    let parameters = model.parameters();
    let mut tensors = Vec::new();
    for (parameter, data) in parameters.iter().zip(model.params()) {
        tensors.push((parameter.name.clone(), &parameter.shape, bytes(data)));
    }
    for (parameter, moments) in parameters.iter().zip(optimizer.moments()) {
        for (i, data) in moments.iter().enumerate() {
            tensors.push((moment_name(i, parameter), &parameter.shape, bytes(data)));
        }
    }
    let damaged = |error: SafeTensorError| CheckpointError::Damaged {
        path: path.to_owned(),
        fault: error.to_string(),
    };
    let mut views = Vec::new();
    for (name, shape, data) in &tensors {
        let view = TensorView::new(Dtype::F32, (*shape).clone(), data).map_err(damaged)?;
        views.push((name.as_str(), view));
    }
    let metadata = Metadata { format: FORMAT, step, optimizer_steps: optimizer.steps() };
    let metadata = serde_json::to_string(&metadata).unwrap_or_default();
    // A single entry: the order of several would depend on their hashes.
    let metadata = HashMap::from([("cellc".to_owned(), metadata)]);
    let bytes = serialize(views, Some(metadata)).map_err(damaged)?;
    write_whole(path, &bytes)
}

fn moment_name(moment: usize, parameter: &Parameter) -> String {
    format!("optimizer.{moment}.{}", parameter.name)
}

fn bytes(data: &[f32]) -> Vec<u8> {
    data.iter().flat_map(|x| x.to_le_bytes()).collect()
}

/// Takes up a model's parameters.
///
/// # Errors
/// If the file is not there, damaged, or of another model; the model is then unchanged.
pub fn load(path: &Path, model: &mut Model<f32>) -> Result<Metadata, CheckpointError> {
    read(path, model, None)
}

/// Takes up a model's parameters and its optimiser's memory.
///
/// # Errors
/// If the file is not there, damaged, or of another model or optimiser; both are then unchanged.
pub fn resume(
    path: &Path,
    model: &mut Model<f32>,
    optimizer: &mut Optimizer<f32>,
) -> Result<Metadata, CheckpointError> {
    read(path, model, Some(optimizer))
}

fn read(
    path: &Path,
    model: &mut Model<f32>,
    optimizer: Option<&mut Optimizer<f32>>,
) -> Result<Metadata, CheckpointError> {
    let file = std::fs::read(path)
        .map_err(|source| CheckpointError::Read { path: path.to_owned(), source })?;
    let damaged = |fault: String| CheckpointError::Damaged { path: path.to_owned(), fault };
    let foreign = |error: SafeTensorError| {
        damaged(format!("the file is damaged or no safetensors file ({error})"))
    };
    let tensors = SafeTensors::deserialize(&file).map_err(foreign)?;
    let (_, header) = SafeTensors::read_metadata(&file).map_err(foreign)?;
    let metadata = header.metadata().as_ref().and_then(|entries| entries.get("cellc"));
    let metadata = metadata.ok_or_else(|| {
        damaged("the file is no checkpoint of cellc: its metadata lack it".into())
    })?;
    let metadata: Metadata = serde_json::from_str(metadata)
        .map_err(|error| damaged(format!("its metadata are broken: {error}")))?;
    if metadata.format != FORMAT {
        let found = metadata.format;
        return Err(damaged(format!("its format is {found}; this program reads {FORMAT}")));
    }
    let parameters = model.parameters();
    let known = |name: &str| {
        name.starts_with("optimizer.") || parameters.iter().any(|parameter| parameter.name == name)
    };
    let mut names = tensors.names();
    names.sort_unstable();
    if let Some(name) = names.into_iter().find(|name| !known(name)) {
        return Err(damaged(format!("tensor `{name}` is no parameter of the model")));
    }
    let tensor = |name: &str, parameter: &Parameter| {
        numbers(&tensors, name, &parameter.shape).map_err(damaged)
    };
    let params = parameters.iter().map(|parameter| tensor(&parameter.name, parameter));
    let params = params.collect::<Result<Vec<_>, _>>()?;
    if let Some(optimizer) = optimizer {
        let moments = parameters.iter().zip(optimizer.moments()).map(|(parameter, moments)| {
            let moment = |i| tensor(&moment_name(i, parameter), parameter);
            (0..moments.len()).map(moment).collect::<Result<Vec<_>, _>>()
        });
        let moments = moments.collect::<Result<_, _>>()?;
        let restored = optimizer.restore(metadata.optimizer_steps, moments);
        restored.map_err(|error| damaged(error.to_string()))?;
    }
    for (param, data) in model.params_mut().into_iter().zip(params) {
        param.copy_from_slice(&data);
    }
    Ok(metadata)
}

fn numbers(tensors: &SafeTensors<'_>, name: &str, shape: &[usize]) -> Result<Vec<f32>, String> {
    let tensor =
        tensors.tensor(name).map_err(|_| format!("tensor `{name}` {shape:?} is missing"))?;
    if tensor.dtype() != Dtype::F32 {
        return Err(format!("tensor `{name}` is {:?}; it must be F32", tensor.dtype()));
    }
    if tensor.shape() != shape {
        return Err(format!("tensor `{name}` is {:?}; it must be {shape:?}", tensor.shape()));
    }
    let (words, _) = tensor.data().as_chunks::<4>();
    Ok(words.iter().map(|word| f32::from_le_bytes(*word)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::architecture;
    use crate::model::Readout;
    use crate::optimizer::Method;
    use cellc_runtime::program::Engine;

    fn model(symbols: usize, seed: u64) -> Model<f32> {
        let architecture = architecture(symbols, 3, Readout::Each);
        Model::new(&architecture, Engine::default(), seed).unwrap()
    }

    fn optimizer(model: &Model<f32>, method: Method) -> Optimizer<f32> {
        let shapes: Vec<_> = model.parameters().into_iter().map(|param| param.shape).collect();
        Optimizer::new(method, 0.0, &shapes)
    }

    fn saved(folder: &tempfile::TempDir) -> (PathBuf, Model<f32>, Optimizer<f32>) {
        let path = folder.path().join("model.safetensors");
        let mut model = model(6, 1);
        let mut optimizer = optimizer(&model, Method::ADAM);
        let gradients: Vec<Vec<f32>> = model.params().iter().map(|p| p.to_vec()).collect();
        let gradients: Vec<&[f32]> = gradients.iter().map(Vec::as_slice).collect();
        optimizer.step(&mut model.params_mut(), &gradients, 0.1, 1.0);
        save(&path, &model, &optimizer, 17).unwrap();
        (path, model, optimizer)
    }

    #[test]
    fn what_is_kept_comes_back_bit_by_bit() {
        let folder = tempfile::tempdir().unwrap();
        let (path, kept, kept_optimizer) = saved(&folder);
        let mut other = model(6, 2);
        let mut other_optimizer = optimizer(&other, Method::ADAM);
        assert_ne!(kept.params(), other.params());
        let metadata = resume(&path, &mut other, &mut other_optimizer).unwrap();
        assert_eq!(metadata, Metadata { format: FORMAT, step: 17, optimizer_steps: 1 });
        assert_eq!(kept.params(), other.params());
        assert_eq!(kept_optimizer, other_optimizer);
        let again = folder.path().join("again");
        save(&again, &other, &other_optimizer, 17).unwrap();
        assert_eq!(std::fs::read(path).unwrap(), std::fs::read(again).unwrap());
        let left = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 2, "a temporary file is left behind");
    }

    /// Loads the file after a change of its bytes; the error without the path.
    fn refused(change: impl Fn(&mut Vec<u8>), into: &mut Model<f32>) -> String {
        let folder = tempfile::tempdir().unwrap();
        let (path, ..) = saved(&folder);
        let mut bytes = std::fs::read(&path).unwrap();
        change(&mut bytes);
        std::fs::write(&path, bytes).unwrap();
        let before: Vec<Vec<f32>> = into.params().iter().map(|p| p.to_vec()).collect();
        let error = load(&path, into).unwrap_err().to_string();
        assert!(into.params().iter().zip(before).all(|(a, b)| *a == b), "the model was changed");
        error.replace(path.to_str().unwrap(), "FILE")
    }

    #[test]
    fn damaged_and_foreign_files_are_refused_with_a_reason() {
        let replace = |from: &str, to: &str| {
            let (from, to) = (from.as_bytes().to_vec(), to.as_bytes().to_vec());
            move |bytes: &mut Vec<u8>| {
                let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
                bytes[at..at + from.len()].copy_from_slice(&to);
            }
        };
        let damaged = "FILE: the file is damaged or no safetensors file (";
        for cut in [0, 5, 200, 1000] {
            let error = refused(|bytes| bytes.truncate(cut), &mut model(6, 1));
            assert!(error.starts_with(damaged), "{error}");
        }
        let error = refused(|bytes| bytes[3] = 0xff, &mut model(6, 1));
        assert!(error.starts_with(damaged), "{error}");
        assert_eq!(
            refused(|_| (), &mut model(9, 1)),
            "FILE: tensor `embedding.table` is [6, 3]; it must be [9, 3]"
        );
        assert_eq!(
            refused(replace("\"head.b\"", "\"head.q\""), &mut model(6, 1)),
            "FILE: tensor `head.q` is no parameter of the model"
        );
        assert_eq!(
            refused(replace("\"cellc\"", "\"other\""), &mut model(6, 1)),
            "FILE: the file is no checkpoint of cellc: its metadata lack it"
        );
        let error = refused(replace("format\\\":1", "format\\\":7"), &mut model(6, 1));
        assert_eq!(error, "FILE: its format is 7; this program reads 1");
    }

    #[test]
    fn what_the_optimizer_needs_must_be_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        let mut model = model(6, 1);
        save(&path, &model, &optimizer(&model, Method::SGD), 1).unwrap();
        let mut adam = optimizer(&model, Method::ADAM);
        let error = resume(&path, &mut model, &mut adam).unwrap_err().to_string();
        assert!(
            error.ends_with("tensor `optimizer.0.embedding.table` [6, 3] is missing"),
            "{error}"
        );
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named() {
        let model = model(6, 1);
        let path = Path::new("not/there/model.safetensors");
        let error = save(path, &model, &optimizer(&model, Method::SGD), 1).unwrap_err();
        assert!(error.to_string().starts_with("cannot write not/there/model.safetensors: "));
    }
}
