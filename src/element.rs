use crate::Error;
use half::{bf16, f16, slice::HalfFloatSliceExt};
use std::{fmt, str::FromStr};

/// What a tensor holds. Half floats are widened to `f32`, computed there, and rounded once, to nearest, ties to even.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Element {
    /// `f32`
    #[default]
    F32,
    /// IEEE half precision, two to a 32-bit word
    F16,
    /// bfloat16, two to a 32-bit word
    Bf16,
}

impl Element {
    /// Every element type.
    pub const ALL: [Self; 3] = [Self::F32, Self::F16, Self::Bf16];

    /// Bytes of one element.
    pub const fn size(self) -> u64 {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }

    /// Refuses a scale that is no finite number of this type.
    pub(crate) fn check_scale(self, scale: f32) -> Result<(), Error> {
        let rounded = match self {
            Self::F32 => scale,
            Self::F16 => f16::from_f32(scale).to_f32(),
            Self::Bf16 => bf16::from_f32(scale).to_f32(),
        };
        if rounded.is_finite() {
            return Ok(());
        }
        Err(Error::NotFinite {
            parameter: "scale",
            value: rounded,
        })
    }
}

/// What an operand of a launch is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Element(Element),
    /// A bit for each element, 32 to a word.
    Bits,
}

impl Unit {
    /// Bytes that `len` elements take; for bits, in whole words.
    pub(crate) fn size(self, len: u64) -> u64 {
        match self {
            Self::Element(element) => len * element.size(),
            Self::Bits => len.div_ceil(32) * 4,
        }
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
        })
    }
}

impl FromStr for Element {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|element| element.to_string() == text);
        found.ok_or_else(|| format!("{text:?} is no element type; use f32, f16 or bf16"))
    }
}

/// A number that the slices of the CPU path and of `offload` can hold: `f32`, [`half::f16`] or [`half::bf16`].
pub trait Scalar: bytemuck::Pod + Send + Sync + sealed::Sealed {
    /// The element type of a tensor of these.
    const ELEMENT: Element;
    /// The same number; exact.
    fn to_f32(self) -> f32;
    /// The nearest of these, ties to even.
    fn from_f32(value: f32) -> Self;
    /// [`to_f32`](Self::to_f32) of each, for slices of equal length.
    #[doc(hidden)]
    fn widen(from: &[Self], to: &mut [f32]);
    /// [`from_f32`](Self::from_f32) of each, for slices of equal length.
    #[doc(hidden)]
    fn narrow(from: &[f32], to: &mut [Self]);
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for half::f16 {}
    impl Sealed for half::bf16 {}
}

impl Scalar for f32 {
    const ELEMENT: Element = Element::F32;
    #[inline]
    fn to_f32(self) -> f32 {
        self
    }
    #[inline]
    fn from_f32(value: f32) -> Self {
        value
    }
    #[inline(always)]
    fn widen(from: &[Self], to: &mut [f32]) {
        to.copy_from_slice(from);
    }
    #[inline(always)]
    fn narrow(from: &[f32], to: &mut [Self]) {
        to.copy_from_slice(from);
    }
}

impl Scalar for f16 {
    const ELEMENT: Element = Element::F16;
    #[inline]
    fn to_f32(self) -> f32 {
        Self::to_f32(self)
    }
    #[inline]
    fn from_f32(value: f32) -> Self {
        Self::from_f32(value)
    }
    #[inline(always)]
    fn widen(from: &[Self], to: &mut [f32]) {
        from.convert_to_f32_slice(to);
    }
    #[inline(always)]
    fn narrow(from: &[f32], to: &mut [Self]) {
        to.convert_from_f32_slice(from);
    }
}

impl Scalar for bf16 {
    const ELEMENT: Element = Element::Bf16;
    #[inline]
    fn to_f32(self) -> f32 {
        Self::to_f32(self)
    }
    #[inline]
    fn from_f32(value: f32) -> Self {
        Self::from_f32(value)
    }
    #[inline(always)]
    fn widen(from: &[Self], to: &mut [f32]) {
        from.convert_to_f32_slice(to);
    }
    #[inline(always)]
    fn narrow(from: &[f32], to: &mut [Self]) {
        to.convert_from_f32_slice(from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_sizes() {
        for element in Element::ALL {
            assert_eq!(element.to_string().parse(), Ok(element));
        }
        assert!("f64".parse::<Element>().unwrap_err().contains("f32, f16 or bf16"));
        assert_eq!(Element::F32.size(), size_of::<f32>() as u64);
        assert_eq!(Element::F16.size(), size_of::<f16>() as u64);
        assert_eq!(Element::Bf16.size(), size_of::<bf16>() as u64);
    }
}
