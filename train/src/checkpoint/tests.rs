use super::*;
use crate::fixtures::architecture;
use crate::model::{Readout, Score, States};
use crate::optimizer::{Averaging, Method};
use cellc_runtime::program::Engine;

fn model(symbols: usize, seed: u64) -> Model<f32> {
    let architecture = architecture(symbols, 3, Readout::Each);
    Model::new(&architecture, Engine::default(), seed).unwrap()
}

fn optimizer(model: &Model<f32>, method: Method) -> Optimizer<f32> {
    let shapes: Vec<_> = model.parameters().into_iter().map(|p| p.shape).collect();
    Optimizer::new(method, 0.0, &shapes)
}

fn progress() -> Progress {
    let best = Some((10, Score { loss: 0.1 + 0.2, count: 3, ..Score::default() }));
    Progress {
        step: 17,
        epoch: 2,
        batch: 5,
        evaluated: 15,
        best,
        plateau: None,
        seconds: 1.5,
        solved: false,
        patient_from: Some(3),
    }
}

/// States of the two layers, one of which has two.
fn states() -> States<f32> {
    let two = vec![vec![0.5; 8], vec![-1.0; 8]];
    vec![Vec::new(), two.clone(), two, Vec::new(), Vec::new()]
}

fn saved(folder: &tempfile::TempDir) -> (PathBuf, Model<f32>, Optimizer<f32>) {
    let path = folder.path().join("last.safetensors");
    let mut model = model(6, 1);
    let mut optimizer = optimizer(&model, Method::ADAM);
    let gradients: Vec<Vec<f32>> = model.params().iter().map(|p| p.to_vec()).collect();
    let gradients: Vec<&[f32]> = gradients.iter().map(Vec::as_slice).collect();
    model.update(|params| optimizer.step(params, &gradients, 0.1, 1.0));
    let mut average =
        Average::new(Averaging::EMA, &gradients.iter().map(|g| g.len()).collect::<Vec<_>>());
    average.update(&model.params());
    let (states, progress) = (states(), progress());
    let snapshot = Snapshot {
        model: &model,
        optimizer: &optimizer,
        average: Some(&average),
        states: &states,
        progress: &progress,
    };
    save_training(&path, &snapshot).unwrap();
    (path, model, optimizer)
}

#[test]
fn what_is_kept_comes_back_bit_by_bit() {
    let folder = tempfile::tempdir().unwrap();
    let (path, kept, optimizer) = saved(&folder);
    let mut other = model(6, 2);
    let resumed = load_training(&path, &other, &optimizer).unwrap();
    assert_eq!(resumed.params, kept.params());
    let moments = optimizer.moments().into_iter().map(<[_]>::to_vec).collect();
    assert_eq!(resumed.optimizer, (1, moments));
    let (updates, mean) = resumed.average.unwrap();
    assert_eq!((updates, mean.len()), (1, kept.params().len()));
    assert_eq!((resumed.states, resumed.progress), (states(), progress()));
    assert_ne!(kept.params(), other.params());
    assert_eq!(load_model(&path, &mut other).unwrap().step, 17);
    assert_eq!(kept.params(), other.params());
    let alone = folder.path().join("model.safetensors");
    save_model(&alone, &kept, 17).unwrap();
    let mut third = model(6, 3);
    load_model(&alone, &mut third).unwrap();
    assert_eq!(kept.params(), third.params());
    let error = load_training(&alone, &third, &optimizer).unwrap_err().to_string();
    assert!(error.ends_with("it holds a model alone, not a training"), "{error}");
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 2, "a temporary file is left behind");
}

/// Gives a file that was changed the checksum that it has now.
fn sealed(bytes: &mut [u8]) {
    let place = checksum_place(bytes).unwrap();
    let sum = checksum(bytes, &place);
    bytes[place].copy_from_slice(sum.as_bytes());
}

#[test]
fn no_byte_of_a_file_can_change() {
    let folder = tempfile::tempdir().unwrap();
    let (path, ..) = saved(&folder);
    let mut bytes = std::fs::read(&path).unwrap();
    assert!(Checkpoint::parse(&path, &bytes).is_ok());
    for i in 0..bytes.len() {
        bytes[i] ^= 1;
        assert!(Checkpoint::parse(&path, &bytes).is_err(), "byte {i}");
        bytes[i] ^= 1;
    }
}

/// Loads the file after a change of its bytes; the error without the path.
fn refused(change: impl Fn(&mut Vec<u8>), into: &mut Model<f32>) -> String {
    let folder = tempfile::tempdir().unwrap();
    let (path, ..) = saved(&folder);
    let mut bytes = std::fs::read(&path).unwrap();
    change(&mut bytes);
    std::fs::write(&path, bytes).unwrap();
    let before: Vec<Vec<f32>> = into.params().iter().map(|p| p.to_vec()).collect();
    let error = load_model(&path, into).unwrap_err().to_string();
    assert!(into.params().iter().zip(before).all(|(a, b)| *a == b), "the model was changed");
    let training =
        load_training(&path, into, &optimizer(into, Method::ADAM)).unwrap_err().to_string();
    assert_eq!(training, error);
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
    let flip = |bytes: &mut Vec<u8>| *bytes.last_mut().unwrap() ^= 1;
    assert_eq!(refused(flip, &mut model(6, 1)), "FILE: the file is damaged: its checksum is wrong");
    assert_eq!(
        refused(|_| (), &mut model(9, 1)),
        "FILE: it is of another model: `embedding.table` is [6, 3] where the model has [9, 3]"
    );
    assert_eq!(
        refused(replace("\"head.b\"", "\"head.q\""), &mut model(6, 1)),
        "FILE: the file is damaged: its checksum is wrong"
    );
    let renamed = |bytes: &mut Vec<u8>| {
        replace("\"head.b\"", "\"head.q\"")(bytes);
        sealed(bytes);
    };
    assert_eq!(
        refused(renamed, &mut model(6, 1)),
        "FILE: it is of another model: `head` is another cell, with `q` where the model has `b`"
    );
    assert_eq!(
        refused(replace("\"cellc\"", "\"other\""), &mut model(6, 1)),
        "FILE: the file is no checkpoint of cellc: its metadata do not say so"
    );
    let error = refused(replace("format\\\":3", "format\\\":7"), &mut model(6, 1));
    assert_eq!(error, "FILE: its format is 7; this program reads 3");
}

#[test]
fn what_the_optimizer_needs_must_be_there() {
    let folder = tempfile::tempdir().unwrap();
    let (path, model, _) = saved(&folder);
    let momentum = optimizer(&model, Method::SGD);
    assert!(load_training(&path, &model, &momentum).is_ok(), "what is not needed may be there");
    let mut bytes = std::fs::read(&path).unwrap();
    let name = b"optimizer.1.head.b";
    let at = bytes.windows(name.len()).position(|window| window == name).unwrap();
    bytes[at + name.len() - 1] = b'c';
    sealed(&mut bytes);
    std::fs::write(&path, bytes).unwrap();
    let adam = optimizer(&model, Method::ADAM);
    let error = load_training(&path, &model, &adam).unwrap_err().to_string();
    let missing = "tensor `optimizer.1.head.b` [3] is missing";
    assert!(error.ends_with(missing), "{error}");
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let path = Path::new("not/there/model.safetensors");
    let error = save_model(path, &model(6, 1), 1).unwrap_err();
    assert!(error.to_string().starts_with("cannot write not/there/model.safetensors: "));
}
