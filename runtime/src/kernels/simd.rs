//! Vectors of numbers, with one set of operations for each width and precision.
//!
//! The kernels are written once, over [`Vector`], and compiled for every implementation. A kernel
//! enters the machine's extension by [`Vector::enter`], a function with that `target_feature`; all
//! that it calls is `#[inline(always)]` and so becomes part of that function, since only there can
//! the intrinsics be instructions.
//!
//! To make a vector out of nothing is unsafe: whoever does so answers for the machine's having the
//! extension. From then on the vector itself is the proof, and arithmetic on it is safe.

#![allow(unsafe_code, reason = "whoever makes a vector answers for the machine's having it")]

use std::ops::{Add, Div, Mul, Sub};

use cellc_compiler::ir::eval::Real;

use super::math::Constants;

/// A number of which this crate has wide kernels.
///
/// Not for other crates to implement: which vectors there are is known in this module alone.
pub trait Wide: Real + Elements {}

/// What the kernels have to know of a precision.
pub trait Elements: Real {
    /// Its vectors of 256 bits.
    #[cfg(target_arch = "x86_64")]
    type Half: Vector<Scalar = Self>;
    /// Its vectors of 512 bits.
    #[cfg(target_arch = "x86_64")]
    type Full: Vector<Scalar = Self>;
    /// The constants of its elementary functions.
    const CONSTANTS: Constants;
}

/// A computation that is compiled for each kind of vectors.
pub trait Kernel<T> {
    /// Runs it. Implementations are `#[inline(always)]`.
    ///
    /// # Safety
    /// The machine has the extension of `V`, and what the kernel says of its own fields holds.
    unsafe fn run<V: Vector<Scalar = T>>(self);
}

/// As many numbers as a register holds.
pub trait Vector:
    Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self>
{
    /// What a lane holds.
    type Scalar: Wide;
    /// A choice of lanes.
    type Mask: Copy;
    /// Numbers to a vector.
    const LANES: usize;
    /// Rows of the largest tile of accumulators, two vectors wide, that leaves registers for the
    /// operands: 12 of 32 registers' worth, or 6 of 16.
    const ROWS: usize;

    /// Runs a kernel as part of a function with this extension.
    ///
    /// # Safety
    /// As for [`Kernel::run`].
    unsafe fn enter<K: Kernel<Self::Scalar>>(kernel: K);

    /// A number in every lane.
    ///
    /// # Safety
    /// The machine has this extension.
    unsafe fn splat(value: Self::Scalar) -> Self;

    /// The numbers from `from` on.
    ///
    /// # Safety
    /// The machine has this extension, and all of them are readable.
    unsafe fn load(from: *const Self::Scalar) -> Self;

    /// The numbers from `from` on in the lanes of a mask, and 0 elsewhere.
    ///
    /// # Safety
    /// The machine has this extension, and those numbers are readable. The others are not touched.
    unsafe fn load_masked(from: *const Self::Scalar, mask: Self::Mask) -> Self;

    /// The first `count` lanes.
    ///
    /// # Safety
    /// The machine has this extension, and `count <= LANES`.
    unsafe fn mask(count: usize) -> Self::Mask;

    /// Writes all lanes.
    ///
    /// # Safety
    /// There is room for them.
    unsafe fn store(self, to: *mut Self::Scalar);

    /// Writes the lanes of a mask.
    ///
    /// # Safety
    /// There is room for them. The memory of the others is not touched.
    unsafe fn store_masked(self, to: *mut Self::Scalar, mask: Self::Mask);

    /// Asks for the cache line of an address, which need not be valid, to be brought to L1.
    fn prefetch(address: *const Self::Scalar);

    /// `self * factor + addend`, rounded once.
    fn mul_add(self, factor: Self, addend: Self) -> Self;
    /// `addend - self * factor`, rounded once.
    fn neg_mul_add(self, factor: Self, addend: Self) -> Self;
    /// The lesser of the two, and `other` if either is NaN.
    fn min(self, other: Self) -> Self;
    /// The greater of the two, and `other` if either is NaN.
    fn max(self, other: Self) -> Self;
    /// The square root.
    fn sqrt(self) -> Self;
    /// `self * 2^n` for whole `n` of any size, rounded once.
    fn scale(self, n: Self) -> Self;

    /// Where `self < other`.
    fn less(self, other: Self) -> Self::Mask;
    /// Where `self == other`.
    fn equal(self, other: Self) -> Self::Mask;
    /// `self` in the lanes of a mask, `other` elsewhere.
    fn select(self, mask: Self::Mask, other: Self) -> Self;

    /// The lanes of both in turn, in two vectors: this one's first, the other's first, and so on.
    fn interleave(self, other: Self) -> [Self; 2];

    /// The bits that both have.
    fn and(self, other: Self) -> Self;
    /// The bits that either has.
    fn or(self, other: Self) -> Self;
    /// The bits in which they differ.
    fn xor(self, other: Self) -> Self;
    /// The sum of the bits, as integers.
    fn add_bits(self, other: Self) -> Self;
    /// The difference of the bits, as integers.
    fn sub_bits(self, other: Self) -> Self;
    /// The bits, shifted towards the sign.
    fn shift_left(self, by: u8) -> Self;
    /// The bits, shifted away from the sign, which becomes 0.
    fn shift_right(self, by: u8) -> Self;

    /// A number in every lane of a vector of this kind.
    fn constant(self, value: f64) -> Self;
    /// Bits in every lane of a vector of this kind.
    fn bits(self, bits: u64) -> Self;
}

impl Wide for f32 {}
impl Wide for f64 {}

#[cfg(not(target_arch = "x86_64"))]
mod none {
    use super::Elements;
    use crate::kernels::math::{self, Constants};

    impl Elements for f32 {
        const CONSTANTS: Constants = math::F32;
    }

    impl Elements for f64 {
        const CONSTANTS: Constants = math::F64;
    }
}
