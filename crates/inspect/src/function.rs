//! The functions that are looked for.

use serde::Serialize;

/// A function that is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Function {
    /// clamp(alpha · x + beta, 0, 1).
    HardSigmoid,
    /// x times a hard sigmoid of x.
    HardSwish,
}

impl Function {
    /// `hard_sigmoid` or `hard_swish`.
    pub fn name(self) -> &'static str {
        match self {
            Self::HardSigmoid => "hard_sigmoid",
            Self::HardSwish => "hard_swish",
        }
    }

    /// The function's formula, made of that of the hard sigmoid.
    pub(crate) fn of(self, hard_sigmoid: &str) -> String {
        match self {
            Self::HardSigmoid => hard_sigmoid.into(),
            Self::HardSwish => format!("x · {hard_sigmoid}"),
        }
    }
}
