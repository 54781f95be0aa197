//! The vectors of x86-64: 512 bits by AVX-512F, 256 bits by AVX2 and FMA.
//!
//! Nearly all operations are one intrinsic each, which the two precisions and widths spell
//! differently. So the implementations are made by macros from the lists of names at the end.

#![allow(unsafe_code, reason = "intrinsics need extensions that not every machine has")]

use std::arch::x86_64::*;
use std::ops::{Add, Div, Mul, Sub};

use super::math::{self, Constants};
use super::simd::{Elements, Kernel, Vector};

/// The arithmetic of a vector, by the intrinsic for each operation.
macro_rules! operators {
    ($vector:ident: $($trait:ident $method:ident $intrinsic:ident),*) => {$(
        impl $trait for $vector {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                // SAFETY: where there is a vector, there is the extension.
                Self(unsafe { $intrinsic(self.0, other.0) })
            }
        }
    )*};
}

/// The methods of [`Vector`] which differ between its implementations in names only.
macro_rules! methods {
    (
        $vector:ident, $features:literal, $bits:ty,
        new: $splat:ident $splat_bits:ident $load:ident $store:ident,
        fused: $fma:ident $fnma:ident,
        binary: $min:ident $max:ident, unary: $sqrt:ident,
        cast: $to:ident $from:ident,
        integer: $and:ident $or:ident $xor:ident $add:ident $sub:ident $sll:ident $srl:ident $(,)?
    ) => {
        #[inline(always)]
        unsafe fn enter<K: Kernel<Self::Scalar>>(kernel: K) {
            #[target_feature(enable = $features)]
            unsafe fn inside<K: Kernel<<$vector as Vector>::Scalar>>(kernel: K) {
                // SAFETY: the caller answers for the machine and the kernel.
                unsafe { kernel.run::<$vector>() }
            }
            // SAFETY: likewise.
            unsafe { inside(kernel) }
        }

        #[inline(always)]
        unsafe fn splat(value: Self::Scalar) -> Self {
            // SAFETY: the caller answers for the extension.
            Self(unsafe { $splat(value) })
        }
        #[inline(always)]
        unsafe fn load(from: *const Self::Scalar) -> Self {
            // SAFETY: the caller answers for the extension and for the memory.
            Self(unsafe { $load(from) })
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut Self::Scalar) {
            // SAFETY: the caller answers for the memory.
            unsafe { $store(to, self.0) }
        }
        #[inline(always)]
        fn prefetch(address: *const Self::Scalar) {
            // SAFETY: every x86-64 has SSE, and a prefetch of a bad address does nothing.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) }
        }

        #[inline(always)]
        fn mul_add(self, factor: Self, addend: Self) -> Self {
            // SAFETY: where there is a vector, there is the extension.
            Self(unsafe { $fma(self.0, factor.0, addend.0) })
        }
        #[inline(always)]
        fn neg_mul_add(self, factor: Self, addend: Self) -> Self {
            // SAFETY: as above.
            Self(unsafe { $fnma(self.0, factor.0, addend.0) })
        }
        #[inline(always)]
        fn min(self, other: Self) -> Self {
            // SAFETY: as above.
            Self(unsafe { $min(self.0, other.0) })
        }
        #[inline(always)]
        fn max(self, other: Self) -> Self {
            // SAFETY: as above.
            Self(unsafe { $max(self.0, other.0) })
        }
        #[inline(always)]
        fn sqrt(self) -> Self {
            // SAFETY: as above.
            Self(unsafe { $sqrt(self.0) })
        }

        #[inline(always)]
        fn and(self, other: Self) -> Self {
            // SAFETY: as above.
            Self(unsafe { $from($and($to(self.0), $to(other.0))) })
        }
        #[inline(always)]
        fn or(self, other: Self) -> Self {
            // SAFETY: as above.
            Self(unsafe { $from($or($to(self.0), $to(other.0))) })
        }
        #[inline(always)]
        fn xor(self, other: Self) -> Self {
            // SAFETY: as above.
            Self(unsafe { $from($xor($to(self.0), $to(other.0))) })
        }
        #[inline(always)]
        fn add_bits(self, other: Self) -> Self {
            // SAFETY: as above.
            Self(unsafe { $from($add($to(self.0), $to(other.0))) })
        }
        #[inline(always)]
        fn sub_bits(self, other: Self) -> Self {
            // SAFETY: as above.
            Self(unsafe { $from($sub($to(self.0), $to(other.0))) })
        }
        #[inline(always)]
        fn shift_left(self, by: u8) -> Self {
            // SAFETY: as above.
            Self(unsafe { $from($sll($to(self.0), _mm_cvtsi32_si128(by.into()))) })
        }
        #[inline(always)]
        fn shift_right(self, by: u8) -> Self {
            // SAFETY: as above.
            Self(unsafe { $from($srl($to(self.0), _mm_cvtsi32_si128(by.into()))) })
        }

        #[inline(always)]
        fn constant(self, value: f64) -> Self {
            // SAFETY: as above.
            Self(unsafe { $splat(value as Self::Scalar) })
        }
        #[inline(always)]
        fn bits(self, bits: u64) -> Self {
            // SAFETY: as above.
            Self(unsafe { $from($splat_bits(bits as $bits)) })
        }
    };
}

/// A vector of 512 bits: masks are registers of their own.
macro_rules! full {
    (
        $(#[$doc:meta])* $vector:ident($raw:ident) = [$scalar:ident; $lanes:literal],
        $mask:ident, $maskz_load:ident, $mask_store:ident, $cmp:ident, $blend:ident,
        $scalef:ident, $permute:ident[$index:ident], { $($methods:tt)* }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub struct $vector($raw);

        impl Vector for $vector {
            type Scalar = $scalar;
            type Mask = $mask;
            const LANES: usize = $lanes;
            const ROWS: usize = 12;

            methods!($vector, "avx512f", $($methods)*);

            #[inline(always)]
            unsafe fn mask(count: usize) -> $mask {
                ((1u32 << count) - 1) as $mask
            }
            #[inline(always)]
            unsafe fn load_masked(from: *const $scalar, mask: $mask) -> Self {
                // SAFETY: the caller answers for the extension and for the mask's lanes.
                Self(unsafe { $maskz_load(mask, from) })
            }
            #[inline(always)]
            unsafe fn store_masked(self, to: *mut $scalar, mask: $mask) {
                // SAFETY: the caller answers for the mask's lanes.
                unsafe { $mask_store(to, mask, self.0) }
            }
            #[inline(always)]
            fn less(self, other: Self) -> $mask {
                // SAFETY: where there is a vector, there is the extension.
                unsafe { $cmp::<_CMP_LT_OQ>(self.0, other.0) }
            }
            #[inline(always)]
            fn equal(self, other: Self) -> $mask {
                // SAFETY: as above.
                unsafe { $cmp::<_CMP_EQ_OQ>(self.0, other.0) }
            }
            #[inline(always)]
            fn select(self, mask: $mask, other: Self) -> Self {
                // SAFETY: as above.
                Self(unsafe { $blend(mask, other.0, self.0) })
            }
            #[inline(always)]
            fn scale(self, n: Self) -> Self {
                // SAFETY: as above.
                Self(unsafe { $scalef(self.0, n.0) })
            }
            #[inline(always)]
            fn interleave(self, other: Self) -> [Self; 2] {
                /// Lane `i` of the results: of this vector, and from `$lanes` on of the other.
                const LANES: [[$index; $lanes]; 2] = {
                    let mut lanes = [[0; $lanes]; 2];
                    let mut i = 0;
                    while i < 2 * $lanes {
                        lanes[i / $lanes][i % $lanes] = (i / 2 + i % 2 * $lanes) as $index;
                        i += 1;
                    }
                    lanes
                };
                LANES.map(|lanes| {
                    // SAFETY: as above; there are as many lanes as fit a vector.
                    Self(unsafe {
                        let lanes = _mm512_loadu_si512(lanes.as_ptr().cast());
                        $permute(self.0, lanes, other.0)
                    })
                })
            }
        }
    };
}

/// A vector of 256 bits: masks are vectors of integers, all ones or all zeros.
macro_rules! half {
    (
        $(#[$doc:meta])* $vector:ident($raw:ident) = [$scalar:ident; $lanes:literal],
        $integer:ident, $mask_load:ident, $mask_store:ident, $cmp:ident, $blend:ident,
        $to:ident, $from:ident, $low:ident $high:ident $permute:ident, { $($methods:tt)* }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub struct $vector($raw);

        impl Vector for $vector {
            type Scalar = $scalar;
            type Mask = __m256i;
            const LANES: usize = $lanes;
            const ROWS: usize = 6;

            methods!($vector, "avx2,fma", $($methods)*);

            #[inline(always)]
            unsafe fn mask(count: usize) -> __m256i {
                static WINDOW: [[$integer; $lanes]; 2] = [[-1; $lanes], [0; $lanes]];
                debug_assert!(count <= $lanes);
                let window = WINDOW.as_ptr().cast::<$integer>();
                // SAFETY: with `count <= LANES` this is within the two rows.
                unsafe { _mm256_loadu_si256(window.add($lanes - count).cast()) }
            }
            #[inline(always)]
            unsafe fn load_masked(from: *const $scalar, mask: __m256i) -> Self {
                // SAFETY: the caller answers for the extension and for the mask's lanes.
                Self(unsafe { $mask_load(from, mask) })
            }
            #[inline(always)]
            unsafe fn store_masked(self, to: *mut $scalar, mask: __m256i) {
                // SAFETY: the caller answers for the mask's lanes.
                unsafe { $mask_store(to, mask, self.0) }
            }
            #[inline(always)]
            fn less(self, other: Self) -> __m256i {
                // SAFETY: where there is a vector, there is the extension.
                unsafe { $to($cmp::<_CMP_LT_OQ>(self.0, other.0)) }
            }
            #[inline(always)]
            fn equal(self, other: Self) -> __m256i {
                // SAFETY: as above.
                unsafe { $to($cmp::<_CMP_EQ_OQ>(self.0, other.0)) }
            }
            #[inline(always)]
            fn select(self, mask: __m256i, other: Self) -> Self {
                // SAFETY: as above.
                Self(unsafe { $blend(other.0, self.0, $from(mask)) })
            }
            #[inline(always)]
            fn scale(self, n: Self) -> Self {
                math::scale_by_halves(self, n)
            }
            #[inline(always)]
            fn interleave(self, other: Self) -> [Self; 2] {
                // SAFETY: where there is a vector, there is the extension.
                unsafe {
                    // Each in either half of the vectors.
                    let (low, high) = ($low(self.0, other.0), $high(self.0, other.0));
                    [Self($permute::<0x20>(low, high)), Self($permute::<0x31>(low, high))]
                }
            }
        }
    };
}

full!(
    /// 16 numbers of single precision.
    F32x16(__m512) = [f32; 16],
    __mmask16, _mm512_maskz_loadu_ps, _mm512_mask_storeu_ps, _mm512_cmp_ps_mask,
    _mm512_mask_blend_ps, _mm512_scalef_ps, _mm512_permutex2var_ps[i32], {
        i32,
        new: _mm512_set1_ps _mm512_set1_epi32 _mm512_loadu_ps _mm512_storeu_ps,
        fused: _mm512_fmadd_ps _mm512_fnmadd_ps,
        binary: _mm512_min_ps _mm512_max_ps, unary: _mm512_sqrt_ps,
        cast: _mm512_castps_si512 _mm512_castsi512_ps,
        integer: _mm512_and_si512 _mm512_or_si512 _mm512_xor_si512 _mm512_add_epi32 _mm512_sub_epi32 _mm512_sll_epi32 _mm512_srl_epi32,
    }
);
operators!(F32x16: Add add _mm512_add_ps, Sub sub _mm512_sub_ps, Mul mul _mm512_mul_ps, Div div _mm512_div_ps);

full!(
    /// 8 numbers of double precision.
    F64x8(__m512d) = [f64; 8],
    __mmask8, _mm512_maskz_loadu_pd, _mm512_mask_storeu_pd, _mm512_cmp_pd_mask,
    _mm512_mask_blend_pd, _mm512_scalef_pd, _mm512_permutex2var_pd[i64], {
        i64,
        new: _mm512_set1_pd _mm512_set1_epi64 _mm512_loadu_pd _mm512_storeu_pd,
        fused: _mm512_fmadd_pd _mm512_fnmadd_pd,
        binary: _mm512_min_pd _mm512_max_pd, unary: _mm512_sqrt_pd,
        cast: _mm512_castpd_si512 _mm512_castsi512_pd,
        integer: _mm512_and_si512 _mm512_or_si512 _mm512_xor_si512 _mm512_add_epi64 _mm512_sub_epi64 _mm512_sll_epi64 _mm512_srl_epi64,
    }
);
operators!(F64x8: Add add _mm512_add_pd, Sub sub _mm512_sub_pd, Mul mul _mm512_mul_pd, Div div _mm512_div_pd);

half!(
    /// 8 numbers of single precision.
    F32x8(__m256) = [f32; 8],
    i32, _mm256_maskload_ps, _mm256_maskstore_ps, _mm256_cmp_ps, _mm256_blendv_ps,
    _mm256_castps_si256, _mm256_castsi256_ps,
    _mm256_unpacklo_ps _mm256_unpackhi_ps _mm256_permute2f128_ps, {
        i32,
        new: _mm256_set1_ps _mm256_set1_epi32 _mm256_loadu_ps _mm256_storeu_ps,
        fused: _mm256_fmadd_ps _mm256_fnmadd_ps,
        binary: _mm256_min_ps _mm256_max_ps, unary: _mm256_sqrt_ps,
        cast: _mm256_castps_si256 _mm256_castsi256_ps,
        integer: _mm256_and_si256 _mm256_or_si256 _mm256_xor_si256 _mm256_add_epi32 _mm256_sub_epi32 _mm256_sll_epi32 _mm256_srl_epi32,
    }
);
operators!(F32x8: Add add _mm256_add_ps, Sub sub _mm256_sub_ps, Mul mul _mm256_mul_ps, Div div _mm256_div_ps);

half!(
    /// 4 numbers of double precision.
    F64x4(__m256d) = [f64; 4],
    i64, _mm256_maskload_pd, _mm256_maskstore_pd, _mm256_cmp_pd, _mm256_blendv_pd,
    _mm256_castpd_si256, _mm256_castsi256_pd,
    _mm256_unpacklo_pd _mm256_unpackhi_pd _mm256_permute2f128_pd, {
        i64,
        new: _mm256_set1_pd _mm256_set1_epi64x _mm256_loadu_pd _mm256_storeu_pd,
        fused: _mm256_fmadd_pd _mm256_fnmadd_pd,
        binary: _mm256_min_pd _mm256_max_pd, unary: _mm256_sqrt_pd,
        cast: _mm256_castpd_si256 _mm256_castsi256_pd,
        integer: _mm256_and_si256 _mm256_or_si256 _mm256_xor_si256 _mm256_add_epi64 _mm256_sub_epi64 _mm256_sll_epi64 _mm256_srl_epi64,
    }
);
operators!(F64x4: Add add _mm256_add_pd, Sub sub _mm256_sub_pd, Mul mul _mm256_mul_pd, Div div _mm256_div_pd);

/// Which vectors hold a number.
macro_rules! elements {
    ($scalar:ident: $half:ident, $full:ident, $constants:expr) => {
        impl Elements for $scalar {
            type Half = $half;
            type Full = $full;
            const CONSTANTS: Constants = $constants;
        }
    };
}

elements!(f32: F32x8, F32x16, math::F32);
elements!(f64: F64x4, F64x8, math::F64);
