//! The functions that are looked for.

use serde::Serialize;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Function {
    HardSigmoid,
    HardSwish,
}

impl Function {
    pub fn name(self) -> &'static str {
        match self {
            Self::HardSigmoid => "hard_sigmoid",
            Self::HardSwish => "hard_swish",
        }
    }

    /// The function's formula, made of that of the hard sigmoid.
    pub fn of(self, hard_sigmoid: &str) -> String {
        match self {
            Self::HardSigmoid => hard_sigmoid.into(),
            Self::HardSwish => format!("x · {hard_sigmoid}"),
        }
    }
}
