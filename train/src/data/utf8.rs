//! Bytes of a file as UTF-8, checked while they are read.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use super::DataError;

/// How much is read at once, in bytes.
const CHUNK: usize = 64 * 1024;

/// The bytes of a file, decompressed if it is compressed by gzip.
///
/// # Errors
/// If it cannot be read.
pub fn decompressed(path: &Path) -> Result<Box<dyn Read + Send>, DataError> {
    let read = |source| DataError::Read { path: path.to_owned(), source };
    let mut file = BufReader::with_capacity(CHUNK, File::open(path).map_err(read)?);
    let zipped = file.fill_buf().map_err(read)?.starts_with(&[0x1f, 0x8b]);
    Ok(if zipped { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) })
}

/// A text file, decompressed if it is compressed by gzip. What it gives is UTF-8 without a byte
/// order mark; it ends with a [`DataError`] inside an [`io::Error`] where the file is not.
///
/// A chunk it gives may end within a character, but never past a byte that is no UTF-8.
pub(super) struct Utf8 {
    path: PathBuf,
    inner: Box<dyn Read + Send>,
    /// What was read: first what was checked, of which `given` bytes are given, then the bytes of
    /// a character that has not been read to its end.
    buffer: Vec<u8>,
    checked: usize,
    given: usize,
    /// Of what went through the buffer before: bytes and line breaks.
    bytes: usize,
    lines: usize,
    begun: bool,
    ended: bool,
}

impl Utf8 {
    pub(super) fn open(path: &Path) -> Result<Self, DataError> {
        Ok(Self::new(path, decompressed(path)?))
    }

    fn new(path: &Path, inner: Box<dyn Read + Send>) -> Self {
        Self {
            path: path.to_owned(),
            inner,
            buffer: Vec::new(),
            checked: 0,
            given: 0,
            bytes: 0,
            lines: 0,
            begun: false,
            ended: false,
        }
    }

    /// Reads on, behind what is left of a character.
    fn refill(&mut self) -> io::Result<()> {
        self.bytes += self.checked;
        self.lines += breaks(&self.buffer[..self.checked]);
        self.buffer.drain(..self.checked);
        (self.checked, self.given) = (0, 0);
        let before = self.buffer.len();
        // The first chunk must hold a whole byte order mark.
        let read = (&mut self.inner).take(CHUNK as u64).read_to_end(&mut self.buffer)?;
        self.ended = self.buffer.len() == before && read == 0;
        if !std::mem::replace(&mut self.begun, true) {
            if utf16(&self.buffer) {
                return Err(self.fault(DataError::Utf16 { path: self.path.clone() }));
            }
            if self.buffer.starts_with("\u{feff}".as_bytes()) {
                self.buffer.drain(..3);
                self.bytes += 3;
            }
        }
        match std::str::from_utf8(&self.buffer) {
            Ok(_) => self.checked = self.buffer.len(),
            Err(error) => {
                self.checked = error.valid_up_to();
                if error.error_len().is_some() || self.ended {
                    let line = 1 + self.lines + breaks(&self.buffer[..self.checked]);
                    let byte = self.bytes + self.checked;
                    let path = self.path.clone();
                    return Err(self.fault(DataError::NotUtf8 { path, line, byte }));
                }
            }
        }
        Ok(())
    }

    fn fault(&self, error: DataError) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, error)
    }
}

impl Read for Utf8 {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let from = self.fill_buf()?;
        let n = from.len().min(into.len());
        into[..n].copy_from_slice(&from[..n]);
        self.consume(n);
        Ok(n)
    }
}

impl BufRead for Utf8 {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.given == self.checked && !self.ended {
            self.refill()?;
        }
        Ok(&self.buffer[self.given..self.checked])
    }

    fn consume(&mut self, bytes: usize) {
        self.given = (self.given + bytes).min(self.checked);
    }
}

fn breaks(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count()
}

/// Whether a text begins as UTF-16 does: with its byte order mark, or with plain characters of which
/// each has a zero beside it.
fn utf16(text: &[u8]) -> bool {
    let head = &text[..text.len().min(64)];
    let zeros = |odd: usize| {
        let halves = head.chunks_exact(2);
        halves.len() >= 2 && halves.into_iter().all(|pair| pair[odd] == 0 && pair[1 - odd] != 0)
    };
    head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) || zeros(0) || zeros(1)
}
