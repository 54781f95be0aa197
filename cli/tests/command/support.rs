//! Running the binary, and making files for it.

use std::fmt::Display;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use safetensors::Dtype;
use safetensors::tensor::{TensorView, serialize};
use serde_json::Value;
use tempfile::TempDir;

/// What became of a run of the command.
pub(crate) struct Outcome {
    command: String,
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    /// Checks the exit status, and that nothing panicked.
    #[track_caller]
    pub(crate) fn exits(self, status: i32) -> Self {
        assert!(!self.stderr.contains("panicked"), "{self}");
        assert_eq!(self.status, Some(status), "{self}");
        self
    }

    /// Checks that each part is in what was written to standard error.
    #[track_caller]
    pub(crate) fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.stderr.contains(part), "`{part}` is not said by {self}");
        }
        self
    }

    /// Checks that each part is in what was written to standard output.
    #[track_caller]
    pub(crate) fn prints(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.stdout.contains(part), "`{part}` is not printed by {self}");
        }
        self
    }

    /// Standard output as JSON: one line.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.stdout.lines().count(), 1, "{self}");
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self}"))
    }
}

impl Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { command, status, stdout, stderr } = self;
        write!(f, "`{command}`, exit {status:?}\n-- stdout\n{stdout}\n-- stderr\n{stderr}")
    }
}

/// A folder for one test.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder can be made"))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file, and gives its path.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, content).expect("a temporary file can be written");
        path
    }

    /// Runs the command in this folder, its words separated by spaces.
    pub(crate) fn cellc(&self, words: &str) -> Outcome {
        self.cellc_from(words, Stdio::null())
    }

    /// Runs the command in this folder with a text as its standard input.
    pub(crate) fn cellc_fed(&self, words: &str, text: &str) -> Outcome {
        let path = self.file("standard-input", text);
        self.cellc_from(words, File::open(path).expect("it was written").into())
    }

    fn cellc_from(&self, words: &str, input: Stdio) -> Outcome {
        let output = Command::new(env!("CARGO_BIN_EXE_cellc"))
            .args(words.split_whitespace())
            .current_dir(self.path())
            .stdin(input)
            .output()
            .expect("the binary was built with the test");
        Outcome {
            command: format!("cellc {words}"),
            status: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Runs the command where there are no files.
pub(crate) fn cellc(words: &str) -> Outcome {
    Folder::new().cellc(words)
}

/// A tensor to be written to a file.
#[derive(Clone, Debug)]
pub(crate) struct Tensor {
    pub(crate) name: String,
    pub(crate) dtype: Dtype,
    pub(crate) shape: Vec<usize>,
    pub(crate) bytes: Vec<u8>,
}

impl Tensor {
    /// A tensor of f32 numbers.
    pub(crate) fn f32(name: &str, shape: &[usize], numbers: &[f32]) -> Self {
        let bytes = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
        Self::new(name, Dtype::F32, shape, bytes)
    }

    /// A tensor of f64 numbers.
    pub(crate) fn f64(name: &str, shape: &[usize], numbers: &[f64]) -> Self {
        let bytes = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
        Self::new(name, Dtype::F64, shape, bytes)
    }

    /// A tensor of small numbers of any dtype, made of its bits being zero.
    pub(crate) fn zeros(name: &str, dtype: Dtype, shape: &[usize]) -> Self {
        let bytes = shape.iter().product::<usize>() * dtype.bitsize() / 8;
        Self::new(name, dtype, shape, vec![0; bytes])
    }

    pub(crate) fn new(name: &str, dtype: Dtype, shape: &[usize], bytes: Vec<u8>) -> Self {
        Self { name: name.to_owned(), dtype, shape: shape.to_vec(), bytes }
    }
}

/// The bytes of a safetensors file.
pub(crate) fn pack(tensors: &[Tensor]) -> Vec<u8> {
    let view = |tensor: &'_ Tensor| {
        let Tensor { name, dtype, shape, bytes } = tensor.clone();
        (name, dtype, shape, bytes)
    };
    let owned: Vec<_> = tensors.iter().map(view).collect();
    let views = owned.iter().map(|(name, dtype, shape, bytes)| {
        let view = TensorView::new(*dtype, shape.clone(), bytes).expect("the test's tensors fit");
        (name.as_str(), view)
    });
    serialize(views, None).expect("the test's tensors fit")
}
