//! Calling memory into the caches before it is needed.

use super::Rows;

/// The bytes of a cache line.
const LINE: usize = 64;

/// Asks for the rows `first..last` to be brought into the cache, to be written if `write`. It is a
/// hint: no address is too wrong for it, and nothing changes but time.
#[inline]
pub fn prefetch<T: Copy>(rows: Rows<T>, first: usize, last: usize, write: bool) {
    let bytes = rows.len * size_of::<T>();
    if rows.stride == rows.len {
        lines(rows.row(first).cast(), bytes * (last - first), write);
    } else {
        (first..last).for_each(|row| lines(rows.row(row).cast(), bytes, write));
    }
}

#[inline]
fn lines(data: *const u8, bytes: usize, write: bool) {
    for offset in (0..bytes).step_by(LINE) {
        line(data.wrapping_add(offset), write);
    }
}

#[cfg(target_arch = "x86_64")]
#[inline]
#[allow(unsafe_code, reason = "the hint is an intrinsic that takes an address")]
fn line(data: *const u8, write: bool) {
    use std::arch::x86_64::{_MM_HINT_ET0, _MM_HINT_T0, _mm_prefetch};
    // SAFETY: a prefetch accesses no memory, as far as the program can tell, and never faults.
    unsafe {
        if write {
            _mm_prefetch::<_MM_HINT_ET0>(data.cast());
        } else {
            _mm_prefetch::<_MM_HINT_T0>(data.cast());
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
#[inline]
fn line(_: *const u8, _: bool) {}
