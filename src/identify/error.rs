use std::fmt;

/// The data of [`identify`](super::identify) can't be compared.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub enum IdentifyError {
    /// A slice doesn't have the length of `x`.
    LengthMismatch {
        /// `"y"`, `"g"` or `"dx"`.
        name: &'static str,
        /// The length of the slice.
        len: usize,
        /// The length of `x`.
        x_len: usize,
    },
    /// The tolerance is negative, infinite or NaN.
    Tolerance {
        /// What was given.
        given: f32,
    },
}

impl fmt::Display for IdentifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LengthMismatch { name, len, x_len } => write!(
                f,
                "x holds {x_len} elements but {name} holds {len}; they must have the same length"
            ),
            Self::Tolerance { given } => write!(f, "atol is {given}; it must be a finite number that isn't negative"),
        }
    }
}

impl std::error::Error for IdentifyError {}
