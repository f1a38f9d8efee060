use crate::math::{error::OpError, finite::Finite, names::named};
use half::{bf16, f16};

/// The type of a tensor's elements: see [`Op::dtypes`](crate::Op::dtypes). Half floats are widened to `f32`, computed there, and
/// rounded once, to nearest, ties to even.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DType {
    /// `f32`
    #[default]
    F32,
    /// IEEE half precision, two to a 32-bit word
    F16,
    /// bfloat16, two to a 32-bit word
    Bf16,
    /// Bytes, four to a 32-bit word, of a quantized tensor. They are `u8` or `i8`: only the table of a
    /// [look-up](crate::Op::Lookup) knows.
    U8,
}

impl DType {
    /// The types of numbers.
    pub(crate) const FLOATS: &'static [Self] = &[Self::F32, Self::F16, Self::Bf16];
    /// The type of quantized tensors.
    pub(crate) const BYTES: &'static [Self] = &[Self::U8];

    /// Bytes of one element.
    pub const fn size(self) -> u64 {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::U8 => 1,
        }
    }

    /// Rounds to a number of this type.
    pub(crate) fn rounded(self, value: f32) -> f32 {
        match self {
            Self::F32 => value,
            Self::F16 => f16::from_f32(value).to_f32(),
            Self::Bf16 => bf16::from_f32(value).to_f32(),
            Self::U8 => f32::from(value.round_ties_even() as u8),
        }
    }

    /// The difference between 1 and the next larger number.
    pub(crate) fn epsilon(self) -> f32 {
        match self {
            Self::F32 => f32::EPSILON,
            Self::F16 => f16::EPSILON.to_f32(),
            Self::Bf16 => bf16::EPSILON.to_f32(),
            Self::U8 => 1.0,
        }
    }

    /// Refuses a scale that this type rounds to infinity.
    pub(crate) fn check_scale(self, scale: Finite) -> Result<(), OpError> {
        let scale = scale.get();
        let (dtype, largest) = match self {
            Self::F32 => ("f32", f32::MAX),
            Self::F16 => ("f16", f16::MAX.to_f32()),
            Self::Bf16 => ("bf16", bf16::MAX.to_f32()),
            Self::U8 => ("u8", u8::MAX.into()),
        };
        if self.rounded(scale).is_finite() {
            return Ok(());
        }
        Err(OpError::ScaleTooLarge { scale, dtype, largest })
    }
}

named!(DType, "dtype", F32 => "f32", F16 => "f16", Bf16 => "bf16", U8 => "u8");

/// A number that the slices of the CPU path and of `offload` can hold: `f32`, [`half::f16`] or [`half::bf16`].
pub trait Scalar: bytemuck::Pod + Send + Sync + sealed::Sealed {
    /// The element type of a tensor of this type.
    const DTYPE: DType;
    /// Converts to `f32`, which is exact.
    fn to_f32(self) -> f32;
    /// Rounds to the nearest number of this type, ties to even.
    fn from_f32(value: f32) -> Self;
    /// [`to_f32`](Self::to_f32) for vectorized loops. It may leave a signalling NaN as it is, without quieting it.
    #[doc(hidden)]
    fn widened(self) -> f32;
    /// [`from_f32`](Self::from_f32) for vectorized loops. `value` is the result of an operation on numbers of this
    /// type, so a NaN is of this type too.
    #[doc(hidden)]
    fn narrowed(value: f32) -> Self;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for half::f16 {}
    impl Sealed for half::bf16 {}
}

impl Scalar for f32 {
    const DTYPE: DType = DType::F32;
    #[inline]
    fn to_f32(self) -> f32 {
        self
    }
    #[inline]
    fn from_f32(value: f32) -> Self {
        value
    }
    #[inline(always)]
    fn widened(self) -> f32 {
        self
    }
    #[inline(always)]
    fn narrowed(value: f32) -> Self {
        value
    }
}

impl Scalar for f16 {
    const DTYPE: DType = DType::F16;
    #[inline]
    fn to_f32(self) -> f32 {
        Self::to_f32(self)
    }
    #[inline]
    fn from_f32(value: f32) -> Self {
        Self::from_f32(value)
    }
    // The `half` crate converts with calls that the compiler can't vectorize.
    #[inline(always)]
    fn widened(self) -> f32 {
        let shifted = i32::from(self.to_bits() as i16) << 13 & !0x7000_0000;
        // Only the exponent's bias is wrong; a product corrects it for normal and subnormal numbers alike.
        let finite = f32::from_bits(shifted as u32) * f32::from_bits(0x7780_0000);
        let is_finite = finite.abs() < 65536.0;
        f32::from_bits(finite.to_bits() | if is_finite { 0 } else { 0x7f80_0000 })
    }
    #[inline(always)]
    fn narrowed(value: f32) -> Self {
        let sign = (value.to_bits() >> 16) as u16 & 0x8000;
        let rest = value.to_bits() & 0x7fff_ffff;
        // Rounds to nearest even: adds just under half an ulp, and one more if the last kept bit is odd. (It wraps
        // below 2^-15, where it isn't used.)
        let normal = rest.wrapping_sub(0x3800_0000).wrapping_add(0x0fff + (rest >> 13 & 1)) >> 13;
        // Subnormal numbers are rounded by a sum that has the same last place.
        let subnormal = (f32::from_bits(rest) + 0.5).to_bits().wrapping_sub(0x3f00_0000);
        let finite = if rest < 0x3880_0000 {
            subnormal
        } else {
            normal.min(0x7c00)
        };
        let nan = 0x7e00 | rest >> 13 & 0x3ff;
        let magnitude = if rest > 0x7f80_0000 { nan } else { finite };
        Self::from_bits(sign | magnitude as u16)
    }
}

impl Scalar for bf16 {
    const DTYPE: DType = DType::Bf16;
    #[inline]
    fn to_f32(self) -> f32 {
        Self::to_f32(self)
    }
    #[inline]
    fn from_f32(value: f32) -> Self {
        Self::from_f32(value)
    }
    #[inline(always)]
    fn widened(self) -> f32 {
        f32::from_bits(u32::from(self.to_bits()) << 16)
    }
    #[inline(always)]
    fn narrowed(value: f32) -> Self {
        let bits = value.to_bits();
        // Rounds to nearest even: adds just under half an ulp, and one more if the last kept bit is odd. A NaN of this
        // type ends in 16 zeros, which stay as they are.
        Self::from_bits((bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16) as u16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_sizes() {
        for dtype in DType::ALL {
            assert_eq!(dtype.to_string().parse(), Ok(*dtype));
        }
        assert!(
            "f64"
                .parse::<DType>()
                .unwrap_err()
                .to_string()
                .contains("f32, f16, bf16, u8")
        );
        assert_eq!(DType::F32.size(), size_of::<f32>() as u64);
        assert_eq!(DType::F16.size(), size_of::<f16>() as u64);
        assert_eq!(DType::Bf16.size(), size_of::<bf16>() as u64);
    }

    /// The oracle is the `half` crate's own conversions.
    #[test]
    fn widened_is_what_half_says() {
        let quieted = |value: f32| {
            if value.is_nan() {
                crate::math::arithmetic::quieted(value)
            } else {
                value
            }
        };
        for bits in 0..=u16::MAX {
            let (a, b) = (f16::from_bits(bits), bf16::from_bits(bits));
            assert_eq!(quieted(a.widened()).to_bits(), f16::to_f32(a).to_bits(), "{bits:#06x}");
            assert_eq!(
                quieted(b.widened()).to_bits(),
                quieted(bf16::to_f32(b)).to_bits(),
                "{bits:#06x}"
            );
        }
    }
}
