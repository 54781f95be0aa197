//! Files of data as they were when a training began, so that it is known whether they still are.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crc::{CRC_32_ISO_HDLC, Crc, Table};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::data::rereadable;
use crate::task::DataError;

/// A file of data as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataFile {
    /// Where it was.
    pub path: PathBuf,
    /// How many bytes it had.
    pub bytes: u64,
    /// Their checksum (CRC-32).
    pub checksum: u32,
}

/// A file that is not what it was.
#[derive(Debug, Error)]
pub enum Changed {
    /// It is not there any more, or cannot be read.
    #[error(transparent)]
    Gone(#[from] DataError),
    /// The experiment names others than were trained on.
    #[error(
        "`experiment.toml` of the run names {}, but it was trained on {}",
        shown(is),
        was.display()
    )]
    Others {
        /// One that was trained on.
        was: PathBuf,
        /// Those that the experiment names.
        is: Vec<PathBuf>,
    },
    /// The experiment names one more than was trained on.
    #[error("`experiment.toml` of the run names {}, which it was not trained on", is.display())]
    More {
        /// The file.
        is: PathBuf,
    },
    /// It has other bytes.
    #[error(
        "{} has changed since the training began: it had {} bytes (CRC-32 {:08x}), and has {} \
         ({:08x})",
        was.path.display(),
        was.bytes,
        was.checksum,
        is.bytes,
        is.checksum
    )]
    Bytes {
        /// What it was.
        was: DataFile,
        /// What it is.
        is: DataFile,
    },
}

fn shown(paths: &[PathBuf]) -> String {
    let paths: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
    if paths.is_empty() { "none".to_owned() } else { paths.join(", ") }
}

/// The paths in the options of a task: those whose name ends with `data`, and that of a tokenizer.
pub fn paths(options: &mut toml::Table) -> impl Iterator<Item = &mut String> {
    let named = options.iter_mut().filter(|(key, _)| key.ends_with("data") || *key == "tokenizer");
    let texts = named.filter_map(|(_, value)| match value {
        toml::Value::String(path) => Some(path),
        _ => None,
    });
    texts.filter(|path| !path.is_empty())
}

/// The files of a task's data as they are.
///
/// # Errors
/// If one cannot be read.
pub fn of(options: &toml::Table) -> Result<Vec<DataFile>, DataError> {
    let mut options = options.clone();
    let files: Vec<PathBuf> = paths(&mut options).map(|path| PathBuf::from(&*path)).collect();
    files.iter().try_for_each(|path| rereadable(path))?;
    files.iter().filter(|path| path.is_file()).map(|path| DataFile::read(path)).collect()
}

impl DataFile {
    fn read(path: &Path) -> Result<Self, DataError> {
        static CRC: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISO_HDLC);
        let broken = |source| DataError::Read { path: path.to_owned(), source };
        let mut file = File::open(path).map_err(broken)?;
        let (mut digest, mut bytes, mut buffer) = (CRC.digest(), 0, vec![0; 1 << 16]);
        loop {
            match file.read(&mut buffer).map_err(broken)? {
                0 => break,
                read => {
                    digest.update(&buffer[..read]);
                    bytes += read as u64;
                }
            }
        }
        Ok(Self { path: path.to_owned(), bytes, checksum: digest.finalize() })
    }

    /// Checks that the file is what it was.
    ///
    /// # Errors
    /// If it is not, or cannot be read.
    pub fn check(&self) -> Result<(), Changed> {
        let is = Self::read(&self.path)?;
        if is == *self { Ok(()) } else { Err(Changed::Bytes { was: self.clone(), is }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_has_changed_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        std::fs::write(&path, "123456789").unwrap();
        let mut options = toml::Table::new();
        options.insert("data".into(), path.display().to_string().into());
        options.insert("held_out_data".into(), "".into());
        options.insert("text_column".into(), "b.txt".into());
        let files = of(&options).unwrap();
        // The check value of CRC-32.
        assert_eq!(files, [DataFile { path: path.clone(), bytes: 9, checksum: 0xcbf4_3926 }]);
        files[0].check().unwrap();
        std::fs::write(&path, "12345678 ").unwrap();
        let fault = files[0].check().unwrap_err().to_string();
        let said = "a.txt has changed since the training began: it had 9 bytes (CRC-32 cbf43926)";
        assert!(fault.contains(said), "{fault}");
        std::fs::remove_file(&path).unwrap();
        assert!(files[0].check().unwrap_err().to_string().starts_with("cannot read "));
        assert_eq!(of(&options).unwrap(), []);
    }
}
