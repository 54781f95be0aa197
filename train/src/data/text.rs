//! Plain text, UTF-8, of any length.

use std::io::BufRead;
use std::path::{Path, PathBuf};

use super::DataError;
use super::utf8::Utf8;

/// How long a piece is in bytes before it is cut, if there is a place for it.
const PIECE: usize = 256 * 1024;
/// How long a piece becomes at most if it has no line break.
const LONGEST: usize = 4 * PIECE;

/// A text in pieces: an iterator of texts which, one after the other, are the file without its byte
/// order mark. Files compressed by gzip are decompressed.
///
/// A piece ends behind a line break. So the words of the pieces are the words of the text. Only where
/// there is no line break for a megabyte, it ends behind a space, or else behind any character.
///
/// # Errors
/// An item is an error, and the last, if the file cannot be read or is not UTF-8.
pub struct Pieces {
    path: PathBuf,
    reader: Utf8,
    rest: Vec<u8>,
    piece: usize,
    longest: usize,
    ended: bool,
}

impl Pieces {
    /// Opens a text file.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let (path, reader) = (path.to_owned(), Utf8::open(path)?);
        Ok(Self { path, reader, rest: Vec::new(), piece: PIECE, longest: LONGEST, ended: false })
    }

    fn read(&mut self) -> Result<Option<String>, DataError> {
        loop {
            let cut = if self.ended { self.rest.len() } else { self.cut() };
            if cut > 0 {
                let rest = self.rest.split_off(cut);
                let piece = std::mem::replace(&mut self.rest, rest);
                // What the reader gives is UTF-8, and a cut is between two characters.
                let text = String::from_utf8_lossy(&piece).into_owned();
                return Ok(Some(text));
            }
            if self.ended {
                return Ok(None);
            }
            let fault = |error| DataError::from_io(&self.path, error);
            let more = self.reader.fill_buf().map_err(fault)?;
            self.ended = more.is_empty();
            let n = more.len();
            self.rest.extend_from_slice(more);
            self.reader.consume(n);
        }
    }

    /// Where a piece may end; 0 if more must be read first.
    fn cut(&self) -> usize {
        if self.rest.len() < self.piece {
            return 0;
        }
        let behind = |byte: u8| self.rest.iter().rposition(|b| *b == byte).map(|at| at + 1);
        if let Some(cut) = behind(b'\n') {
            return cut;
        }
        if self.rest.len() < self.longest {
            return 0;
        }
        let whole = || {
            let begins = |byte: &u8| !(0x80..0xc0).contains(byte);
            self.rest.iter().rposition(begins).unwrap_or(0)
        };
        behind(b' ').unwrap_or_else(whole)
    }
}

impl Iterator for Pieces {
    type Item = Result<String, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let read = self.read();
        if read.is_err() {
            self.ended = true;
            self.rest.clear();
        }
        read.transpose()
    }
}

/// Reads a text file, without a byte order mark, whole.
///
/// # Errors
/// If it cannot be read, or is not UTF-8.
pub fn read_text(path: &Path) -> Result<String, DataError> {
    Pieces::open(path)?.collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn file(text: impl AsRef<[u8]>) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("text.txt");
        std::fs::write(&path, text).unwrap();
        (folder, path)
    }

    fn pieces(text: impl AsRef<[u8]>, piece: usize) -> Vec<String> {
        let (_folder, path) = file(text);
        let pieces = Pieces { piece, longest: 3 * piece, ..Pieces::open(&path).unwrap() };
        pieces.collect::<Result<_, _>>().unwrap()
    }

    fn fault(text: impl AsRef<[u8]>) -> String {
        let (_folder, path) = file(text);
        let fault = read_text(&path).unwrap_err().to_string();
        fault.replace(path.to_str().unwrap(), "FILE")
    }

    #[test]
    fn pieces_end_at_line_breaks_and_are_the_text() {
        let line = "a line of Größe\n".repeat(20_000);
        let found = pieces(&line, 1000);
        assert!(found.len() > 2 && found.iter().all(|piece| piece.ends_with('\n')));
        assert_eq!(found.concat(), line);
    }

    #[test]
    fn text_without_line_breaks_is_cut_at_spaces_or_characters() {
        let words = "Größe ".repeat(40_000);
        let found = pieces(&words, 1000);
        assert!(found.len() > 2 && found.iter().all(|piece| piece.ends_with(' ')));
        assert_eq!(found.concat(), words);
        let one = "ö€".repeat(60_000);
        let found = pieces(&one, 1000);
        assert!(found.len() > 2);
        assert_eq!(found.concat(), one);
    }

    #[test]
    fn byte_order_marks_and_gzip_are_passed_over() {
        assert_eq!(pieces("\u{feff}a\n", 1000), ["a\n"]);
        let mut zipped = flate2::write::GzEncoder::new(Vec::new(), Default::default());
        zipped.write_all("\u{feff}zipped\n".as_bytes()).unwrap();
        let zipped = zipped.finish().unwrap();
        assert_eq!(pieces(&zipped, 1000), ["zipped\n"]);
        assert!(fault(&zipped[..20]).starts_with("cannot read FILE: "));
        assert_eq!(pieces("", 1000), [""; 0]);
    }

    #[test]
    fn what_is_no_utf8_is_told_by_its_place() {
        let expected = |line, byte| {
            format!(
                "FILE:{line}: the text is not UTF-8 (byte {byte}); convert it, for instance by \
                 `iconv -f latin1 -t utf8`"
            )
        };
        assert_eq!(fault(b"ab\n\xffc"), expected(2, 3));
        assert_eq!(fault(b"\xef\xbb\xbfab\n\xe4"), expected(2, 6));
        let far = "ä\n".repeat(100_000);
        assert_eq!(fault([far.as_bytes(), b"\xc3("].concat()), expected(100_001, 300_000));
        let utf16 = "FILE: the text is UTF-16, not UTF-8; convert it by `iconv -f utf-16 -t utf8`";
        assert_eq!(fault(b"\xff\xfea\0"), utf16);
        assert_eq!(fault(b"a\0b\0c\0"), utf16);
        assert_eq!(fault(b"\0a\0b"), utf16);
        let missing = read_text(Path::new("not/there.txt")).unwrap_err().to_string();
        assert!(missing.starts_with("cannot read not/there.txt: "), "{missing}");
    }

    #[test]
    fn an_error_is_the_last_item() {
        let (_folder, path) = file(b"a\n\xff\n");
        let mut pieces = Pieces::open(&path).unwrap();
        assert!(pieces.next().unwrap().is_err() && pieces.next().is_none());
    }
}
