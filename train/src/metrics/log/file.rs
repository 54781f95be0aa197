//! Files that only grow, by whole lines or records.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::LogError;

/// A file that grows by whole pieces.
#[derive(Debug)]
pub(super) struct AppendFile {
    path: PathBuf,
    file: File,
    length: u64,
}

impl AppendFile {
    /// Makes a file that begins so, in place of one that is there.
    pub(super) fn create(path: &Path, head: &[u8]) -> Result<Self, LogError> {
        Self::new(path, File::create(path), head)
    }

    /// Makes a file that begins so, unless there is one.
    pub(super) fn create_new(path: &Path, head: &[u8]) -> Result<Self, LogError> {
        Self::new(path, File::create_new(path), head)
    }

    fn new(path: &Path, file: std::io::Result<File>, head: &[u8]) -> Result<Self, LogError> {
        let file = file.map_err(cannot_write(path))?;
        let mut file = Self { path: path.to_owned(), file, length: 0 };
        file.append(head)?;
        Ok(file)
    }

    /// Goes on with a file of lines that begins with `head`, and cuts off the first line that is not to
    /// be kept, with all that follow, and a last line that is not whole. Makes one if there is none.
    pub(super) fn resume(
        path: &Path,
        head: &[u8],
        keep: impl Fn(&str) -> Result<bool, String>,
    ) -> Result<Self, LogError> {
        // A device in its place holds nothing, and may have no end.
        if !path.is_file() {
            return Self::create(path, head);
        }
        let first = usize::from(!head.is_empty());
        let length = lines(path, |i, line| {
            if i >= first {
                keep(line)
            } else if head.strip_suffix(b"\n") == Some(line.as_bytes()) {
                Ok(true)
            } else {
                let expected = String::from_utf8_lossy(head);
                Err(format!("the columns are `{line}`, not `{}`", expected.trim_end()))
            }
        })?;
        if length < head.len() as u64 {
            return Self::create(path, head);
        }
        let cut = || {
            let mut file = OpenOptions::new().write(true).open(path)?;
            file.set_len(length)?;
            file.seek(SeekFrom::Start(length))?;
            Ok(file)
        };
        let file = cut().map_err(cannot_write(path))?;
        Ok(Self { path: path.to_owned(), file, length })
    }

    /// Adds a piece, by one write. If that fails, as on a full disk, a part of it is taken back.
    pub(super) fn append(&mut self, piece: &[u8]) -> Result<(), LogError> {
        if let Err(source) = self.file.write_all(piece) {
            // If this fails too, the part is dropped when the training is resumed.
            let _ = self.file.set_len(self.length);
            let _ = self.file.seek(SeekFrom::Start(self.length));
            return Err(cannot_write(&self.path)(source));
        }
        self.length += piece.len() as u64;
        Ok(())
    }

    pub(super) fn sync(&self) -> Result<(), LogError> {
        match self.file.sync_data() {
            // A device or a pipe, which keeps nothing.
            Err(error) if error.kind() == ErrorKind::InvalidInput => Ok(()),
            done => done.map_err(cannot_write(&self.path)),
        }
    }
}

fn cannot_write(path: &Path) -> impl FnOnce(std::io::Error) -> LogError {
    let path = path.to_owned();
    |source| LogError::Write { path, source }
}

/// Goes through the whole lines of a file, up to the first that `keep` does not keep, and tells how
/// many bytes those before it have.
pub(super) fn lines(
    path: &Path,
    keep: impl FnMut(usize, &str) -> Result<bool, String>,
) -> Result<u64, LogError> {
    let file = File::open(path).map_err(cannot_read(path))?;
    lines_of(BufReader::new(file), path, keep)
}

/// The same of what a reader gives. One line at a time is in memory: the log of a long training is
/// larger than its model.
fn lines_of(
    mut reader: impl BufRead,
    path: &Path,
    mut keep: impl FnMut(usize, &str) -> Result<bool, String>,
) -> Result<u64, LogError> {
    let (mut length, mut line) = (0, Vec::new());
    for number in 0.. {
        line.clear();
        reader.read_until(b'\n', &mut line).map_err(cannot_read(path))?;
        let Some(whole) = line.strip_suffix(b"\n") else { break };
        let text = std::str::from_utf8(whole).map_err(|error| error.to_string());
        match text.and_then(|text| keep(number, text)) {
            Ok(true) => length += line.len() as u64,
            Ok(false) => break,
            Err(fault) => {
                let fault = format!("line {} is damaged: {fault}", number + 1);
                return Err(LogError::Damaged { path: path.to_owned(), fault });
            }
        }
    }
    Ok(length)
}

fn cannot_read(path: &Path) -> impl FnOnce(std::io::Error) -> LogError {
    let path = path.to_owned();
    |source| LogError::Read { path, source }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    /// Nothing may be read beyond what is there.
    struct Guarded<'a>(&'a [u8]);

    impl Read for Guarded<'_> {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            assert!(!self.0.is_empty(), "it was read on");
            self.0.read(into)
        }
    }

    #[test]
    fn a_file_is_read_line_by_line_and_no_further_than_is_asked_for() {
        let text = "a line\n".repeat(10);
        let mut seen = 0;
        let length = lines_of(
            BufReader::with_capacity(8, Guarded(text.as_bytes())),
            Path::new("a"),
            |i, line| {
                assert_eq!((i, line), (seen, "a line"));
                seen += 1;
                Ok(i < 8)
            },
        );
        assert_eq!((length.unwrap(), seen), (8 * 7, 9));
    }
}
