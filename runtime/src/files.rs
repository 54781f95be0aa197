//! Writing a file so that it is either complete or not there.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A file to be written: the bytes go to a temporary file beside it, which then takes its name.
/// Dropped before that, it leaves nothing behind.
///
/// It is made before the work whose results it is for, so that a path that cannot be written to is
/// known before the work is done.
#[derive(Debug)]
pub struct PendingFile {
    target: PathBuf,
    /// The temporary file. `None` if the target is no regular file (a pipe, a device): it is
    /// written to directly, since replacing it would destroy it.
    temporary: Option<PathBuf>,
    file: File,
}

impl PendingFile {
    /// Prepares to write a file; one of that name stays as it is until [`Self::commit`].
    ///
    /// # Errors
    /// If the target is a directory or write-protected, or its directory cannot be written to.
    pub fn create(path: &Path) -> io::Result<Self> {
        // A link keeps pointing to the same file, which gets the new content.
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if let Ok(metadata) = fs::metadata(&target) {
            let file = OpenOptions::new().write(true).open(&target)?;
            if !metadata.is_file() {
                return Ok(Self { target, temporary: None, file });
            }
        }
        let name = target.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
        let mut temporary = std::ffi::OsString::from(".");
        temporary.push(name);
        temporary.push(format!(".{}.part", std::process::id()));
        let temporary = target.with_file_name(temporary);
        let file = File::create(&temporary)?;
        Ok(Self { target, temporary: Some(temporary), file })
    }

    /// Removes temporary files that were left behind beside a file by processes that were killed. There
    /// must be no other that writes it now.
    pub fn remove_abandoned(path: &Path) {
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let (Some(folder), Some(name)) = (target.parent(), target.file_name()) else { return };
        let is_ours = |other: &std::ffi::OsStr| {
            let other = other.to_str()?.strip_prefix('.')?.strip_prefix(name.to_str()?)?;
            other.strip_prefix('.')?.strip_suffix(".part")?.parse::<u32>().ok()
        };
        // What cannot be removed does no harm.
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if is_ours(&entry.file_name()).is_some() {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// Writes the bytes and gives the file its name.
    ///
    /// # Errors
    /// If the disk is full, or the like; the target is then as it was.
    pub fn commit(mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        if let Some(temporary) = &self.temporary {
            self.file.sync_all()?;
            fs::rename(temporary, &self.target)?;
            self.temporary = None;
        }
        Ok(())
    }
}

impl Drop for PendingFile {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            // Nothing can be done about a temporary file that cannot be removed.
            let _ = fs::remove_file(temporary);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::PendingFile;

    #[test]
    fn a_file_appears_whole_or_not_at_all() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("out");
        drop(PendingFile::create(&path)?);
        assert_eq!(std::fs::read_dir(folder.path())?.count(), 0);
        PendingFile::create(&path)?.commit(b"first")?;
        let second = PendingFile::create(&path)?;
        assert_eq!(std::fs::read(&path)?, b"first");
        second.commit(b"second")?;
        assert_eq!(std::fs::read(&path)?, b"second");
        assert_eq!(std::fs::read_dir(folder.path())?.count(), 1);
        Ok(())
    }

    #[test]
    fn a_path_that_cannot_be_written_is_refused_at_once() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        assert!(PendingFile::create(folder.path()).is_err());
        assert!(PendingFile::create(&folder.path().join("none").join("out")).is_err());
        Ok(())
    }
}
