//! The machine's vectors: what a loop is compiled for, and the processor's own conversions of f16.

use crate::math::dtype::{DType, Scalar};
#[cfg(all(feature = "parallel", any(target_arch = "x86_64", target_arch = "aarch64")))]
use fearless_simd::{Level, Simd, SimdFrom, u8x64};

/// What converts f16. A loop is compiled separately for each, so that the choice is made outside of it.
#[derive(Clone, Copy)]
pub(super) enum Vectors {
    /// The compiler, from the integer operations of [`Scalar`].
    Compiled,
    /// x86 with AVX2, which has F16C.
    #[cfg(all(feature = "parallel", target_arch = "x86_64"))]
    Avx2(fearless_simd::Avx2),
    #[cfg(all(feature = "parallel", target_arch = "aarch64"))]
    Neon(fearless_simd::Neon),
}

/// Runs `run` on the machine's widest vectors. Code that isn't inlined into it isn't compiled for them. Each level
/// takes one more copy of all loops, so x86 without AVX2 gets the vectors that every machine of the target has.
#[cfg(feature = "parallel")]
#[inline(always)]
pub(super) fn vectorized(run: impl FnOnce(Vectors)) {
    #[cfg(target_arch = "x86_64")]
    if let Some(avx2) = Level::new().as_avx2() {
        return match Level::new().as_avx512() {
            Some(avx512) => avx512.vectorize(
                #[inline(always)]
                || run(Vectors::Avx2(avx2)),
            ),
            None => avx2.vectorize(
                #[inline(always)]
                || run(Vectors::Avx2(avx2)),
            ),
        };
    }
    #[cfg(target_arch = "aarch64")]
    if let Some(neon) = Level::new().as_neon() {
        return neon.vectorize(
            #[inline(always)]
            || run(Vectors::Neon(neon)),
        );
    }
    run(Vectors::Compiled);
}

/// Runs `run` on one core, with the vectors that every machine of the target has.
#[cfg(not(feature = "parallel"))]
#[inline(always)]
pub(super) fn vectorized(run: impl FnOnce(Vectors)) {
    run(Vectors::Compiled);
}

impl Vectors {
    /// Whether the processor converts numbers of the type `dtype` faster than compiled code does.
    #[inline(always)]
    pub(super) fn converts(self, dtype: DType) -> bool {
        dtype == DType::F16 && !matches!(self, Self::Compiled)
    }

    /// Widens `values` into the first numbers of `wide`.
    #[inline(always)]
    pub(super) fn widen<T: Scalar>(self, values: &[T], wide: &mut [f32]) {
        match self {
            #[cfg(all(feature = "parallel", target_arch = "x86_64"))]
            Self::Avx2(avx2) if self.converts(T::DTYPE) => avx2::widen(avx2, bytemuck::cast_slice(values), wide),
            #[cfg(all(feature = "parallel", target_arch = "aarch64"))]
            Self::Neon(neon) if self.converts(T::DTYPE) => neon::widen(neon, bytemuck::cast_slice(values), wide),
            _ => {
                for (wide, value) in wide.iter_mut().zip(values) {
                    *wide = value.widened();
                }
            }
        }
    }

    /// Rounds the first numbers of `wide` into `values`.
    #[inline(always)]
    pub(super) fn narrow<T: Scalar>(self, wide: &[f32], values: &mut [T]) {
        match self {
            #[cfg(all(feature = "parallel", target_arch = "x86_64"))]
            Self::Avx2(avx2) if self.converts(T::DTYPE) => avx2::narrow(avx2, wide, bytemuck::cast_slice_mut(values)),
            #[cfg(all(feature = "parallel", target_arch = "aarch64"))]
            Self::Neon(neon) if self.converts(T::DTYPE) => neon::narrow(neon, wide, bytemuck::cast_slice_mut(values)),
            _ => {
                for (value, &wide) in values.iter_mut().zip(wide) {
                    *value = T::narrowed(wide);
                }
            }
        }
    }
}

impl Vectors {
    /// Replaces each byte by the one that the table has for it.
    #[inline(always)]
    pub(super) fn look_up(self, table: &[u8; 256], bytes: &mut [u8]) {
        match self {
            #[cfg(all(feature = "parallel", target_arch = "x86_64"))]
            Self::Avx2(avx2) => match Level::new().as_avx512() {
                Some(avx512) => shuffled(avx512, table, bytes),
                None => shuffled(avx2, table, bytes),
            },
            #[cfg(all(feature = "parallel", target_arch = "aarch64"))]
            Self::Neon(neon) => shuffled(neon, table, bytes),
            Self::Compiled => replaced(table, bytes),
        }
    }
}

/// [`Vectors::look_up`], byte by byte.
fn replaced(table: &[u8; 256], bytes: &mut [u8]) {
    for byte in bytes {
        *byte = table[usize::from(*byte)];
    }
}

/// [`Vectors::look_up`], where the processor takes the places of a vector as numbers of bytes in other vectors.
#[cfg(all(feature = "parallel", any(target_arch = "x86_64", target_arch = "aarch64")))]
#[clippy::msrv = "1.89.0"]
#[inline(always)]
fn shuffled<S: Simd>(simd: S, table: &[u8; 256], bytes: &mut [u8]) {
    simd.vectorize(
        #[inline(always)]
        || {
            let (quarters, _) = table.as_chunks::<64>();
            let quarter = |i: usize| u8x64::simd_from(simd, quarters[i]);
            let (vectors, rest) = bytes.as_chunks_mut::<64>();
            for vector in vectors {
                // A place beyond both vectors gives 0.
                let place = u8x64::simd_from(simd, *vector);
                let low = simd.concat_swizzle_dyn_precise_u8x64(quarter(0), quarter(1), place);
                let high = simd.concat_swizzle_dyn_precise_u8x64(quarter(2), quarter(3), place - 128);
                *vector = (low | high).into();
            }
            replaced(table, rest);
        },
    );
}

/// The processor's own conversions at a level. `widen` and `narrow` convert `$lanes` numbers; compiled code converts
/// those after the last whole vector.
#[cfg(all(feature = "parallel", any(target_arch = "x86_64", target_arch = "aarch64")))]
macro_rules! conversions {
    ($Level:ident, $lanes:literal, widen: |$half:ident| $widened:expr, narrow: |$single:ident| $narrowed:expr) => {
        fearless_simd::kernel!(
            #[inline]
            pub(super) fn widen(level: $Level, values: &[f16], wide: &mut [f32]) {
                let _ = level;
                let (vectors, rest) = values.as_chunks::<$lanes>();
                let (wide, wide_rest) = wide.split_at_mut($lanes * vectors.len());
                for (wide, &$half) in wide.as_chunks_mut::<$lanes>().0.iter_mut().zip(vectors) {
                    *wide = $widened;
                }
                for (wide, value) in wide_rest.iter_mut().zip(rest) {
                    *wide = value.widened();
                }
            }
        );

        fearless_simd::kernel!(
            #[inline]
            pub(super) fn narrow(level: $Level, wide: &[f32], values: &mut [f16]) {
                let _ = level;
                let (vectors, rest) = values.as_chunks_mut::<$lanes>();
                let (wide, wide_rest) = wide.split_at($lanes * vectors.len());
                for (vector, &$single) in vectors.iter_mut().zip(wide.as_chunks::<$lanes>().0) {
                    *vector = $narrowed;
                }
                for (value, &wide) in rest.iter_mut().zip(wide_rest) {
                    *value = f16::narrowed(wide);
                }
            }
        );
    };
}

#[cfg(all(feature = "parallel", target_arch = "x86_64"))]
#[clippy::msrv = "1.89.0"]
mod avx2 {
    use crate::math::dtype::Scalar;
    use bytemuck::cast;
    use half::f16;
    use std::arch::x86_64::{_MM_FROUND_TO_NEAREST_INT, _mm256_cvtph_ps, _mm256_cvtps_ph};

    conversions!(
        Avx2,
        8,
        widen: |half| cast(_mm256_cvtph_ps(cast(half))),
        narrow: |single| cast(_mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(cast(single)))
    );
}

#[cfg(all(feature = "parallel", target_arch = "aarch64"))]
#[clippy::msrv = "1.94.0"]
mod neon {
    use crate::math::dtype::Scalar;
    use bytemuck::cast;
    use half::f16;
    use std::arch::aarch64::{vcvt_f16_f32, vcvt_f32_f16, vreinterpret_f16_u16, vreinterpret_u16_f16};

    conversions!(
        Neon,
        4,
        widen: |half| cast(vcvt_f32_f16(vreinterpret_f16_u16(cast(half)))),
        narrow: |single| cast(vreinterpret_u16_f16(vcvt_f16_f32(cast(single))))
    );
}

#[cfg(all(test, feature = "parallel", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod tests {
    use super::*;

    /// The look-ups of each level that this machine has, with every byte in every place.
    #[test]
    fn every_byte_is_looked_up() {
        let table: [u8; 256] = std::array::from_fn(|i| (i as u8).wrapping_mul(167).wrapping_add(89));
        let bytes: Vec<u8> = (0..70_001_u32).map(|i| (i ^ i >> 8) as u8).collect();
        let mut expected = bytes.clone();
        replaced(&table, &mut expected);
        assert_ne!(bytes, expected);
        let check = |look_up: &dyn Fn(&mut [u8])| {
            let mut found = bytes.clone();
            look_up(&mut found);
            assert!(found == expected);
        };
        vectorized(|vectors| check(&|bytes| vectors.look_up(&table, bytes)));
        #[cfg(target_arch = "x86_64")]
        if let Some(avx2) = Level::new().as_avx2() {
            check(&|bytes| shuffled(avx2, &table, bytes));
        }
    }
}
