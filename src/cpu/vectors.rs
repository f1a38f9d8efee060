//! The machine's vectors: what a loop is compiled for, and the processor's own conversions of f16.

use crate::math::dtype::{DType, Scalar};
#[cfg(feature = "parallel")]
use fearless_simd::{Level, Simd, dispatch};

/// Who converts f16. A loop is compiled for each by itself, so that the choice is made outside of it.
#[derive(Clone, Copy)]
pub(super) enum Vectors {
    /// The compiler, from the integer operations of [`Scalar`].
    Compiled,
    /// x86 with AVX2, which has F16C.
    #[cfg(all(feature = "parallel", target_arch = "x86_64"))]
    Avx2(fearless_simd::Avx2),
}

/// Runs `run` on the machine's widest vectors. What isn't inlined into it isn't compiled for them.
#[cfg(feature = "parallel")]
#[inline(always)]
pub(super) fn vectorized(run: impl FnOnce(Vectors)) {
    let level = Level::new();
    match level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512(avx512) => avx512.vectorize(
            #[inline(always)]
            || run(level.as_avx2().map_or(Vectors::Compiled, Vectors::Avx2)),
        ),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2(avx2) => avx2.vectorize(
            #[inline(always)]
            || run(Vectors::Avx2(avx2)),
        ),
        level => dispatch!(level, simd => simd.vectorize(
            #[inline(always)]
            || run(Vectors::Compiled),
        )),
    }
}

/// One core's plainest vectors.
#[cfg(not(feature = "parallel"))]
#[inline(always)]
pub(super) fn vectorized(run: impl FnOnce(Vectors)) {
    run(Vectors::Compiled);
}

impl Vectors {
    /// Whether these convert numbers of this type faster than compiled code does.
    #[inline(always)]
    pub(super) fn convert(self, dtype: DType) -> bool {
        dtype == DType::F16 && !matches!(self, Self::Compiled)
    }

    /// Widens `values` into as many of `wide`.
    #[inline(always)]
    pub(super) fn widen<T: Scalar>(self, values: &[T], wide: &mut [f32]) {
        match self {
            #[cfg(all(feature = "parallel", target_arch = "x86_64"))]
            Self::Avx2(avx2) if self.convert(T::DTYPE) => avx2::widen(avx2, bytemuck::cast_slice(values), wide),
            _ => {
                for (wide, value) in wide.iter_mut().zip(values) {
                    *wide = value.widened();
                }
            }
        }
    }

    /// Rounds as many of `wide` into `values`.
    #[inline(always)]
    pub(super) fn narrow<T: Scalar>(self, wide: &[f32], values: &mut [T]) {
        match self {
            #[cfg(all(feature = "parallel", target_arch = "x86_64"))]
            Self::Avx2(avx2) if self.convert(T::DTYPE) => avx2::narrow(avx2, wide, bytemuck::cast_slice_mut(values)),
            _ => {
                for (value, &wide) in values.iter_mut().zip(wide) {
                    *value = T::narrowed(wide);
                }
            }
        }
    }
}

#[cfg(all(feature = "parallel", target_arch = "x86_64"))]
#[clippy::msrv = "1.89.0"]
mod avx2 {
    use crate::math::dtype::Scalar;
    use fearless_simd::kernel;
    use half::f16;
    use std::arch::x86_64::{_MM_FROUND_TO_NEAREST_INT, _mm256_cvtph_ps, _mm256_cvtps_ph};

    kernel!(
        #[inline]
        pub(super) fn widen(avx2: Avx2, values: &[f16], wide: &mut [f32]) {
            let _ = avx2;
            let (vectors, rest) = values.as_chunks::<8>();
            let (wide, wide_rest) = wide.split_at_mut(8 * vectors.len());
            for (wide, &vector) in wide.as_chunks_mut::<8>().0.iter_mut().zip(vectors) {
                *wide = bytemuck::cast(_mm256_cvtph_ps(bytemuck::cast(vector)));
            }
            for (wide, value) in wide_rest.iter_mut().zip(rest) {
                *wide = value.widened();
            }
        }
    );

    kernel!(
        #[inline]
        pub(super) fn narrow(avx2: Avx2, wide: &[f32], values: &mut [f16]) {
            let _ = avx2;
            let (vectors, rest) = values.as_chunks_mut::<8>();
            let (wide, wide_rest) = wide.split_at(8 * vectors.len());
            for (vector, &wide) in vectors.iter_mut().zip(wide.as_chunks::<8>().0) {
                *vector = bytemuck::cast(_mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(bytemuck::cast(wide)));
            }
            for (value, &wide) in rest.iter_mut().zip(wide_rest) {
                *value = f16::narrowed(wide);
            }
        }
    );
}
