//! Scalars for TensorBoard.
//!
//! A file of events is a sequence of records, framed as `TFRecord`s: the length of the data, a
//! checksum of the length, the data, a checksum of the data. The data is a message `Event` of
//! TensorFlow's `event.proto`, in the wire format of Protocol Buffers. The few fields that are needed
//! are written here by hand.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crc::{CRC_32_ISCSI, Crc};

use super::file::AppendFile;
use super::{EVENTS, LogError};

/// A file of events that is being written.
#[derive(Debug)]
pub(super) struct Events {
    pub(super) file: AppendFile,
}

impl Events {
    /// Begins a file of events in a folder, of the steps from `first` on. It tells TensorBoard to drop
    /// those steps from the files that are read before it, by name.
    pub(super) fn create(folder: &Path, first: u64) -> Result<Self, LogError> {
        let time = now();
        let path = folder.join(name(folder, time as u64)?);
        let mut head = record(&version(time));
        head.extend(record(&start(time, first)));
        Ok(Self { file: AppendFile::create_new(&path, &head)? })
    }

    /// Adds metrics of a step, rounded to f32.
    pub(super) fn scalars(&mut self, step: u64, metrics: &[(&str, f64)]) -> Result<(), LogError> {
        self.file.append(&record(&scalars(now(), step, metrics)))
    }
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}

/// A name for a file of events that sorts behind those in the folder, even if the clock was set back.
fn name(folder: &Path, seconds: u64) -> Result<String, LogError> {
    let unreadable = |source| LogError::Read { path: folder.to_owned(), source };
    let mut seconds = seconds;
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        let time = name.to_str().and_then(|name| name.strip_prefix(EVENTS)?.split('.').next());
        if let Some(time) = time.and_then(|time| time.parse::<u64>().ok()) {
            seconds = seconds.max(time + 1);
        }
    }
    Ok(format!("{EVENTS}{seconds:010}.cellc"))
}

/// `file_version`, field 3 of an event: what a file begins with.
fn version(time: f64) -> Vec<u8> {
    let mut event = event(time, 0);
    bytes_field(&mut event, 3, b"brain.Event:2");
    event
}

/// `session_log`, field 7 of an event, with `status` (field 1) `START` (1).
fn start(time: f64, step: u64) -> Vec<u8> {
    let mut event = event(time, step);
    bytes_field(&mut event, 7, &[1 << 3, 1]);
    event
}

/// `summary`, field 5 of an event: each value (field 1) with its `tag` (1) and `simple_value` (2).
fn scalars(time: f64, step: u64, metrics: &[(&str, f64)]) -> Vec<u8> {
    let mut summary = Vec::new();
    for (name, x) in metrics {
        let mut value = Vec::new();
        bytes_field(&mut value, 1, name.as_bytes());
        value.push(2 << 3 | FIXED_32);
        value.extend((*x as f32).to_le_bytes());
        bytes_field(&mut summary, 1, &value);
    }
    let mut event = event(time, step);
    bytes_field(&mut event, 5, &summary);
    event
}

const FIXED_64: u8 = 1;
const LENGTH_DELIMITED: u8 = 2;
const FIXED_32: u8 = 5;

/// An event with its `wall_time` (field 1) and `step` (2), which is left out if it is 0.
fn event(time: f64, step: u64) -> Vec<u8> {
    let mut event = vec![1 << 3 | FIXED_64];
    event.extend(time.to_le_bytes());
    if step > 0 {
        event.push(2 << 3);
        varint(&mut event, step);
    }
    event
}

fn bytes_field(message: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    message.push(field << 3 | LENGTH_DELIMITED);
    varint(message, bytes.len() as u64);
    message.extend(bytes);
}

/// A number in groups of 7 bits, the least first, each but the last with its highest bit set.
fn varint(message: &mut Vec<u8>, mut x: u64) {
    while x >= 0x80 {
        message.push(x as u8 | 0x80);
        x >>= 7;
    }
    message.push(x as u8);
}

fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    [&length, &checksum(&length)[..], data, &checksum(data)].concat()
}

/// CRC-32C, masked as in `TFRecord`s, where a checksum of what holds checksums is no good one.
fn checksum(data: &[u8]) -> [u8; 4] {
    const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);
    CRC.checksum(data).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn checksums_are_those_of_rfc_3720() {
        // Appendix B.4: 32 zeros have the CRC 8a9136aa.
        let masked = 0x8a91_36aa_u32.rotate_right(15).wrapping_add(0xa282_ead8);
        assert_eq!(checksum(&[0; 32]), masked.to_le_bytes());
    }

    #[test]
    fn files_sort_behind_those_there() {
        let folder = tempfile::tempdir().unwrap();
        let name = |seconds| name(folder.path(), seconds).unwrap();
        assert_eq!(name(5), "events.out.tfevents.0000000005.cellc");
        std::fs::write(folder.path().join(name(1_700_000_000)), "").unwrap();
        std::fs::write(folder.path().join("other"), "").unwrap();
        assert_eq!(name(1_700_000_000), "events.out.tfevents.1700000001.cellc");
        assert_eq!(name(5), "events.out.tfevents.1700000001.cellc");
        assert_eq!(name(1_800_000_000), "events.out.tfevents.1800000000.cellc");
    }

    // What the Python package `tensorboard` 2.21 writes for the same events.
    #[test]
    fn events_are_those_of_tensorboard() {
        let recorded = [
            (
                version(1.5),
                "1800000000000000a37f4b2209000000000000f83f1a0d627261696e2e4576656e743a322a28646c",
            ),
            (start(1.5, 301), "100000000000000095fbfe1809000000000000f83f10ad023a020801d17949d4"),
            (
                scalars(2.5, 300, &[("train/loss", 0.25), ("epoch", 2.0)]),
                "2f000000000000006d5d1d5009000000000000044010ac022a210a110a0a747261696e2f6c6f7373\
                 150000803e0a0c0a0565706f63681500000040e2ee30c3",
            ),
        ];
        for (event, expected) in recorded {
            assert_eq!(hex(&record(&event)), expected);
        }
    }
}
