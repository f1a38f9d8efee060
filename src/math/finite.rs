use crate::math::error::NotFinite;
use std::{
    fmt,
    hash::{Hash, Hasher},
};

/// A finite `f32`, so that definitions and operations can be compared and hashed.
#[derive(Clone, Copy, Debug)]
pub struct Finite(f32);

impl Finite {
    /// The number 1.
    pub const ONE: Self = Self(1.0);

    /// Checks `value`, which the error calls `parameter`.
    ///
    /// # Errors
    /// If it is infinite or NaN.
    pub const fn new(parameter: &'static str, value: f32) -> Result<Self, NotFinite> {
        if value.is_finite() {
            Ok(Self(value))
        } else {
            Err(NotFinite { parameter, value })
        }
    }

    /// Wraps a constant of this crate.
    pub(crate) const fn known(value: f32) -> Self {
        assert!(value.is_finite());
        Self(value)
    }

    /// The number.
    #[inline(always)]
    pub const fn get(self) -> f32 {
        self.0
    }
}

/// Compares bits: `-0` isn't `0`.
impl PartialEq for Finite {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

impl Eq for Finite {}

impl Hash for Finite {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.to_bits().hash(state);
    }
}

/// Writes very large and very small numbers with an exponent.
impl fmt::Display for Finite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(format!("{:?}", self.0).trim_end_matches(".0"))
    }
}
