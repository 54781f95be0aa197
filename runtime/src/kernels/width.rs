//! Which vectors the machine has.

#![allow(unsafe_code, reason = "kernels may only run on machines that have their vectors")]

use super::simd::{Kernel, Wide};

/// The vectors of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// 256 bits: AVX2 and FMA.
    Avx2,
    /// 512 bits: AVX-512F.
    Avx512,
}

impl Width {
    /// The widest vectors that this machine has.
    pub fn detect() -> Option<Self> {
        Self::available().last()
    }

    /// All vectors that this machine has, the widest last.
    pub fn available() -> impl Iterator<Item = Self> {
        [Self::Avx2, Self::Avx512].into_iter().filter(|width| width.is_available())
    }

    /// Whether this machine has them. The standard library asks the machine only once.
    fn is_available(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        return match self {
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            Self::Avx512 => is_x86_feature_detected!("avx512f"),
        };
        #[cfg(not(target_arch = "x86_64"))]
        false
    }

    /// Columns of one panel of a packed matrix whose numbers have so many bytes: two vectors.
    pub fn panel(self, bytes: usize) -> usize {
        match self {
            Self::Avx2 => 64 / bytes,
            Self::Avx512 => 128 / bytes,
        }
    }

    /// Runs a kernel by vectors of this width.
    ///
    /// # Safety
    /// The machine has them, and what the kernel says of its own fields holds.
    #[inline]
    pub(super) unsafe fn run<T: Wide, K: Kernel<T>>(self, kernel: K) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the caller answers for both.
        unsafe {
            use super::simd::Vector;
            match self {
                Self::Avx2 => T::Half::enter(kernel),
                Self::Avx512 => T::Full::enter(kernel),
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            let _ = kernel;
            unreachable!("this machine has no {self:?}")
        }
    }
}
