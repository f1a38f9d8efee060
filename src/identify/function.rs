//! The functions that [`identify`](super::identify()) knows.

use crate::math::names::named;

/// Which function of a definition made the numbers.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Function {
    /// `y = hs(x)`: [`HardSigmoid::forward`](crate::HardSigmoid::forward).
    #[default]
    HardSigmoid,
    /// `y = x·hs(x)`: [`HardSigmoid::hard_swish`](crate::HardSigmoid::hard_swish).
    HardSwish,
}

impl Function {
    /// What stands before a definition's name.
    pub(super) fn before_name(self) -> &'static str {
        match self {
            Self::HardSigmoid => "",
            Self::HardSwish => "hard_swish of ",
        }
    }
}

named!(Function, "function", HardSigmoid => "hard_sigmoid", HardSwish => "hard_swish");
