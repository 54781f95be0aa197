//! What can be wrong with data.

use std::path::{Path, PathBuf};

use thiserror::Error;

/// Data that cannot be learnt from.
#[derive(Debug, Error)]
pub enum DataError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// What is read more than once gives nothing the second time.
    #[error(
        "{}: this is a pipe or a device, and it is read more than once; save what it gives to a file \
         first, and name that",
        path.display()
    )]
    NoFile {
        /// What was named.
        path: PathBuf,
    },
    /// A file is not text.
    #[error(
        "{}:{line}: the text is not UTF-8 (byte {byte}); convert it, for instance by \
         `iconv -f latin1 -t utf8`",
        path.display()
    )]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// Where in the file, from 0; in the decompressed text, if the file is compressed.
        byte: usize,
    },
    /// A text has two bytes for each character.
    #[error(
        "{}: the text is UTF-16, not UTF-8; convert it by `iconv -f utf-16 -t utf8`",
        path.display()
    )]
    Utf16 {
        /// The file.
        path: PathBuf,
    },
    /// A file is of no known format.
    #[error("{}: the ending says no format; name the file {known}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The endings that are known.
        known: &'static str,
    },
    /// A file is not what its format asks for.
    #[error("{}: {fault}", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what can be done.
        fault: String,
    },
    /// A column is not there.
    #[error("{}: there is no column `{column}`{help}; the columns are {found}", path.display())]
    Column {
        /// The file.
        path: PathBuf,
        /// The column that was asked for.
        column: String,
        /// Those there are.
        found: String,
        /// Which may have been meant, or nothing.
        help: String,
        /// The options of the task that name such columns, if that is known.
        options: &'static [&'static str],
    },
    /// A row of a text file is broken.
    #[error("{}:{row}: {fault}", path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        row: u64,
        /// What is wrong with it.
        fault: String,
    },
    /// A row of a file without lines is broken.
    #[error("{}, row {row}: {fault}", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// The row, from 1.
        row: u64,
        /// What is wrong with it.
        fault: String,
    },
    /// There is not enough to learn from.
    #[error("{}: {fault}", path.display())]
    TooLittle {
        /// The file.
        path: PathBuf,
        /// What is missing, and how much there must be.
        fault: String,
    },
    /// Shares that are no shares, or leave nothing to learn from.
    #[error("{0}")]
    Split(String),
    /// A tokenizer that cannot be used.
    #[error("{0}")]
    Tokenizer(String),
    /// Data beyond the limit of memory cannot be kept in a file.
    #[error(
        "cannot keep data in a temporary file of {}: {source}; free some space there, let the \
         environment variable TMPDIR name a folder of a larger disk, or allow more memory",
        folder.display()
    )]
    Spill {
        /// The folder of the temporary file.
        folder: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Refuses what gives other bytes, or none, when it is read again. What is not there is told by who opens
/// it.
///
/// # Errors
/// If it is a pipe, a device or a socket.
pub(crate) fn rereadable(path: &Path) -> Result<(), DataError> {
    match std::fs::metadata(path) {
        Ok(found) if !found.is_file() && !found.is_dir() => {
            Err(DataError::NoFile { path: path.to_owned() })
        }
        _ => Ok(()),
    }
}

impl DataError {
    /// A fault of reading, or what was wrong with the text if that is why reading ended.
    pub(crate) fn from_io(path: &Path, source: std::io::Error) -> Self {
        match source.downcast::<Self>() {
            Ok(error) => error,
            Err(source) => Self::Read { path: path.to_owned(), source },
        }
    }

    /// The same, with more to be said of a row.
    pub(crate) fn with(self, more: &str) -> Self {
        match self {
            Self::Row { path, row, fault } => {
                Self::Row { path, row, fault: format!("{fault}; {more}") }
            }
            Self::Record { path, row, fault } => {
                Self::Record { path, row, fault: format!("{fault}; {more}") }
            }
            other => other,
        }
    }

    /// The same of a column that is named by one of these options.
    pub(crate) fn named_by(self, options: &'static [&'static str]) -> Self {
        match self {
            Self::Column { path, column, found, help, .. } => {
                Self::Column { path, column, found, help, options }
            }
            other => other,
        }
    }

    pub(crate) fn broken(path: &Path, fault: impl Into<String>) -> Self {
        Self::Broken { path: path.to_owned(), fault: fault.into() }
    }

    pub(crate) fn too_little(path: &Path, fault: impl Into<String>) -> Self {
        Self::TooLittle { path: path.to_owned(), fault: fault.into() }
    }
}

/// Names for a message: the first of them, if they are many.
pub(crate) fn list<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> String {
    const SHOWN: usize = 20;
    let names: Vec<_> = names.into_iter().map(|name| format!("`{}`", name.as_ref())).collect();
    match names.len() {
        0 => "none".into(),
        n if n > SHOWN => format!("{}, .. ({n} in all)", names[..SHOWN].join(", ")),
        _ => names.join(", "),
    }
}
