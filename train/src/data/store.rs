//! Sequences in memory up to a limit, and beyond it in a temporary file.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::DataError;

/// What a sequence may be made of: four bytes, kept in the order of this machine.
pub trait Element: Copy + Default + private::Sealed {
    /// Its bytes.
    fn to_bytes(self) -> [u8; SIZE];
    /// From its bytes.
    fn from_bytes(bytes: [u8; SIZE]) -> Self;
}

/// The size of an element in bytes.
const SIZE: usize = 4;

mod private {
    pub trait Sealed {}
    impl Sealed for u32 {}
    impl Sealed for f32 {}
}

impl Element for u32 {
    fn to_bytes(self) -> [u8; SIZE] {
        self.to_ne_bytes()
    }

    fn from_bytes(bytes: [u8; SIZE]) -> Self {
        Self::from_ne_bytes(bytes)
    }
}

impl Element for f32 {
    fn to_bytes(self) -> [u8; SIZE] {
        self.to_ne_bytes()
    }

    fn from_bytes(bytes: [u8; SIZE]) -> Self {
        Self::from_ne_bytes(bytes)
    }
}

/// How many bytes are written at once.
const WRITTEN_AT_ONCE: usize = 1 << 20;

/// Sequences of elements, one after the other. The first of them are in memory, and what is beyond the
/// limit is in an unnamed temporary file, which is gone with the store. Where each sequence begins is
/// always in memory, 8 bytes a sequence.
///
/// Reading takes `&self`, so several threads may read.
#[derive(Debug)]
pub struct Store<T> {
    /// Where sequences end, in elements, behind a 0.
    ends: Vec<u64>,
    memory: Vec<T>,
    /// How many elements may be in memory.
    limit: usize,
    folder: PathBuf,
    file: Option<File>,
    /// How many bytes are in the file, and those that come next to it.
    written: u64,
    waiting: Vec<u8>,
}

impl<T: Element> Store<T> {
    /// An empty store of at most `limit` bytes of sequences in memory (and a megabyte that waits to be
    /// written), whose file is in the system's folder of temporary files.
    pub fn new(limit: usize) -> Self {
        Self::in_folder(limit, &std::env::temp_dir())
    }

    /// As [`new`](Self::new), with the file in this folder.
    pub fn in_folder(limit: usize, folder: &Path) -> Self {
        Self {
            ends: vec![0],
            memory: Vec::new(),
            limit: limit / SIZE,
            folder: folder.to_owned(),
            file: None,
            written: 0,
            waiting: Vec::new(),
        }
    }

    /// Appends a sequence.
    ///
    /// # Errors
    /// If it is beyond the limit and the file cannot be made or written, for instance since the disk
    /// is full. The store is as it was before.
    pub fn push(&mut self, sequence: &[T]) -> Result<(), DataError> {
        self.append(sequence)?;
        self.ends.push(self.elements() + sequence.len() as u64);
        Ok(())
    }

    /// Lengthens the last sequence; the first is begun, if there is none.
    ///
    /// # Errors
    /// As of [`push`](Self::push).
    pub fn extend(&mut self, more: &[T]) -> Result<(), DataError> {
        if self.is_empty() {
            return self.push(more);
        }
        self.append(more)?;
        let last = self.ends.len() - 1;
        self.ends[last] += more.len() as u64;
        Ok(())
    }

    fn append(&mut self, elements: &[T]) -> Result<(), DataError> {
        let free = self.limit.saturating_sub(self.memory.len()).min(elements.len());
        let (near, far) = elements.split_at(free);
        if !far.is_empty() {
            let before = self.waiting.len();
            self.waiting.extend(far.iter().flat_map(|element| element.to_bytes()));
            if self.waiting.len() >= WRITTEN_AT_ONCE
                && let Err(source) = self.write()
            {
                self.waiting.truncate(before);
                return Err(DataError::Spill { folder: self.folder.clone(), source });
            }
        }
        self.memory.extend_from_slice(near);
        Ok(())
    }

    fn write(&mut self) -> io::Result<()> {
        let file = match self.file.take() {
            Some(file) => file,
            None => tempfile::tempfile_in(&self.folder)?,
        };
        let written = write_at(&file, &self.waiting, self.written);
        self.file = Some(file);
        written?;
        self.written += self.waiting.len() as u64;
        self.waiting.clear();
        Ok(())
    }

    /// How many sequences there are.
    pub fn len(&self) -> usize {
        self.ends.len() - 1
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many elements there are in all.
    pub fn elements(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }

    /// How many bytes are not in memory.
    pub fn spilled(&self) -> u64 {
        self.written
    }

    /// How many elements a sequence has.
    ///
    /// # Panics
    /// If there is no such sequence.
    pub fn length(&self, sequence: usize) -> usize {
        (self.ends[sequence + 1] - self.ends[sequence]) as usize
    }

    /// Reads a sequence in place of what is in `into`.
    ///
    /// # Errors
    /// If the file cannot be read.
    ///
    /// # Panics
    /// If there is no such sequence.
    pub fn read(&self, sequence: usize, into: &mut Vec<T>) -> Result<(), DataError> {
        self.read_range(sequence, 0..self.length(sequence), into)
    }

    /// Reads a range of a sequence in place of what is in `into`.
    ///
    /// # Errors
    /// If the file cannot be read.
    ///
    /// # Panics
    /// If there is no such sequence, or it is shorter.
    pub fn read_range(
        &self,
        sequence: usize,
        range: Range<usize>,
        into: &mut Vec<T>,
    ) -> Result<(), DataError> {
        let length = self.length(sequence);
        assert!(range.start <= range.end && range.end <= length, "{range:?} of {length} elements");
        into.clear();
        let begin = self.ends[sequence] + range.start as u64;
        let end = self.ends[sequence] + range.end as u64;
        let held = self.memory.len() as u64;
        let near = begin.min(held) as usize..end.min(held) as usize;
        into.extend_from_slice(&self.memory[near]);
        let far = begin.max(held) - held..end.max(held) - held;
        let bytes = far.start * SIZE as u64..far.end * SIZE as u64;
        // What has not been written yet is read from where it waits.
        let in_file = bytes.start.min(self.written)..bytes.end.min(self.written);
        if !in_file.is_empty()
            && let Some(file) = &self.file
        {
            let mut buffer = vec![0; (in_file.end - in_file.start) as usize];
            read_at(file, &mut buffer, in_file.start)
                .map_err(|source| DataError::Spill { folder: self.folder.clone(), source })?;
            append(into, &buffer);
        }
        let at = |byte: u64| byte.saturating_sub(self.written) as usize;
        append(into, &self.waiting[at(bytes.start)..at(bytes.end)]);
        Ok(())
    }
}

/// One sequence, in memory.
impl<T: Element> From<Vec<T>> for Store<T> {
    fn from(sequence: Vec<T>) -> Self {
        let ends = vec![0, sequence.len() as u64];
        Self { ends, memory: sequence, ..Self::new(0) }
    }
}

fn append<T: Element>(into: &mut Vec<T>, bytes: &[u8]) {
    let (elements, _) = bytes.as_chunks::<SIZE>();
    into.extend(elements.iter().map(|bytes| T::from_bytes(*bytes)));
}

#[cfg(unix)]
fn read_at(file: &File, into: &mut [u8], from: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, into, from)
}

#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], to: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, to)
}

#[cfg(windows)]
fn read_at(file: &File, mut into: &mut [u8], mut from: u64) -> io::Result<()> {
    while !into.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, into, from)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => (into, from) = (&mut into[n..], from + n as u64),
        }
    }
    Ok(())
}

#[cfg(windows)]
fn write_at(file: &File, mut bytes: &[u8], mut to: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_write(file, bytes, to)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            n => (bytes, to) = (&bytes[n..], to + n as u64),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequence(i: usize) -> Vec<u32> {
        (0..(i * 37 % 300) as u32).map(|k| k.wrapping_mul(2_654_435_761) ^ i as u32).collect()
    }

    fn filled(limit: usize, sequences: usize) -> Store<u32> {
        let mut store = Store::new(limit);
        for i in 0..sequences {
            store.push(&sequence(i)).unwrap();
        }
        store
    }

    #[test]
    fn sequences_are_the_same_whatever_is_in_memory() {
        for (limit, spilled) in [(usize::MAX, false), (100_000, true), (7, true), (0, true)] {
            let store = filled(limit, 5000);
            assert_eq!((store.len(), store.spilled() > 0), (5000, spilled), "{limit}");
            assert!(store.memory.len() * SIZE <= limit && store.waiting.len() < WRITTEN_AT_ONCE);
            let mut found = vec![9; 3];
            for i in (0..5000).rev() {
                let expected = sequence(i);
                assert_eq!(store.length(i), expected.len());
                store.read(i, &mut found).unwrap();
                assert_eq!(found, expected, "{i}");
                let range = expected.len() / 3..expected.len() / 2;
                store.read_range(i, range.clone(), &mut found).unwrap();
                assert_eq!(found, expected[range]);
            }
        }
    }

    #[test]
    fn a_sequence_may_come_in_parts() {
        for limit in [usize::MAX, 2000, 0] {
            let mut store = Store::new(limit);
            let mut whole = Vec::new();
            for i in 0..2000 {
                store.extend(&sequence(i)).unwrap();
                whole.extend(sequence(i));
            }
            store.push(&[7]).unwrap();
            store.extend(&[8]).unwrap();
            assert_eq!((store.len(), store.length(0), store.length(1)), (2, whole.len(), 2));
            let mut found = Vec::new();
            store.read(0, &mut found).unwrap();
            assert_eq!(found, whole);
            store.read(1, &mut found).unwrap();
            assert_eq!(found, [7, 8]);
        }
        let mut held = Store::from(vec![1_u32, 2]);
        held.extend(&[3]).unwrap();
        let mut found = Vec::new();
        held.read(0, &mut found).unwrap();
        assert_eq!((held.len(), found), (1, vec![1, 2, 3]));
    }

    #[test]
    fn it_is_read_while_it_grows() {
        let mut store = Store::new(1000);
        let mut found = Vec::new();
        for i in 0..3000 {
            store.push(&sequence(i)).unwrap();
            store.read(i / 2, &mut found).unwrap();
            assert_eq!(found, sequence(i / 2));
        }
        assert!(store.spilled() > 0);
    }

    #[test]
    fn numbers_keep_their_bits() {
        let numbers = [0.1_f32, -0.0, f32::NAN, f32::INFINITY, f32::MIN_POSITIVE];
        let mut store = Store::new(0);
        store.push(&numbers).unwrap();
        store.push(&vec![0.5; WRITTEN_AT_ONCE]).unwrap();
        let mut found = Vec::new();
        store.read(0, &mut found).unwrap();
        assert_eq!(found.map_bits(), numbers.to_vec().map_bits());
    }

    trait MapBits {
        fn map_bits(&self) -> Vec<u32>;
    }

    impl MapBits for Vec<f32> {
        fn map_bits(&self) -> Vec<u32> {
            self.iter().map(|x| x.to_bits()).collect()
        }
    }

    #[test]
    fn a_folder_without_room_is_told_and_nothing_is_lost() {
        let mut store = Store::in_folder(8, Path::new("/not/there"));
        store.push(&[1_u32, 2, 3]).unwrap();
        let error = store.push(&vec![4; WRITTEN_AT_ONCE]).unwrap_err().to_string();
        assert!(
            error.starts_with("cannot keep data in a temporary file of /not/there: ")
                && error.ends_with(
                    "; free some space there, let the environment variable TMPDIR name a folder of \
                     a larger disk, or allow more memory"
                ),
            "{error}"
        );
        assert_eq!(store.len(), 1);
        let mut found = Vec::new();
        store.read(0, &mut found).unwrap();
        assert_eq!(found, [1, 2, 3]);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_is_told_and_nothing_is_lost() {
        let mut store = filled(8, 20);
        store.file = Some(File::options().write(true).open("/dev/full").unwrap());
        let error = store.push(&vec![4; WRITTEN_AT_ONCE]).unwrap_err().to_string();
        assert!(error.contains("No space left on device"), "{error}");
        let mut found = Vec::new();
        store.read(19, &mut found).unwrap();
        assert_eq!((store.len(), found), (20, sequence(19)));
    }

    #[test]
    #[should_panic(expected = "2..9 of 3 elements")]
    fn a_range_beyond_the_sequence_is_refused() {
        let mut store = Store::new(100);
        store.push(&[1_u32, 2, 3]).unwrap();
        let _ = store.read_range(0, 2..9, &mut Vec::new());
    }
}
