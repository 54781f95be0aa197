//! What the machine has.

/// The bytes of its memory, if that can be found out: a run of more than that would end the program.
#[cfg(target_os = "linux")]
pub(crate) fn memory() -> Option<usize> {
    let info = rustix::system::sysinfo();
    let units = usize::try_from(info.totalram).ok()?;
    units.checked_mul(usize::try_from(info.mem_unit).ok()?)
}

/// The bytes of its memory, if that can be found out: a run of more than that would end the program.
#[cfg(not(target_os = "linux"))]
pub(crate) fn memory() -> Option<usize> {
    None
}
