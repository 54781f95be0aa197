//! Who may write to a run folder: one process at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use super::cannot_write;
use crate::checkpoint::CheckpointError;

/// The file that is locked. It stays, but the lock ends with the process, however that ends.
pub(super) const LOCK: &str = ".lock";

/// A run folder that no other process writes to as long as this lives.
#[derive(Debug)]
pub struct Lock {
    folder: PathBuf,
    _file: File,
}

impl Lock {
    /// Takes a folder.
    ///
    /// # Errors
    /// If another training has taken it, or it cannot be written to.
    pub fn take(folder: &Path) -> Result<Self, CheckpointError> {
        let path = folder.join(LOCK);
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(cannot_write(&path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let fault = "another process is training in this folder; wait for its end, or stop \
                             it, or name another folder";
                let (path, fault) = (folder.to_owned(), fault.to_owned());
                return Err(CheckpointError::Damaged { path, fault });
            }
            // Some file systems of networks have no locks: there, users must see to it.
            Err(TryLockError::Error(error)) if error.kind() == std::io::ErrorKind::Unsupported => {}
            Err(TryLockError::Error(error)) => return Err(cannot_write(&path)(error)),
        }
        Ok(Self { folder: folder.to_owned(), _file: file })
    }

    /// Whether a process has taken a folder.
    pub fn is_taken(folder: &Path) -> bool {
        // Many may look at once, and none of them is the one that trains.
        let file = File::open(folder.join(LOCK));
        file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}
