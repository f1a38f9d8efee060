//! An operation by its name and its numbers, for programs that keep them as text or in a file.

use crate::math::{
    binarize::{Binarization, Signs, StraightThrough},
    broadcast::BroadcastGate,
    definition::HardSigmoid,
    finite::Finite,
};

/// What an operation needs besides tensors. Which of them it takes depends on the operation: [`Op::new`] refuses the
/// others.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Parameters {
    /// The hard sigmoid; of a random binarization the probability, [`HardSigmoid::COURBARIAUX`] if none is given.
    pub definition: Option<HardSigmoid>,
    /// The seed of a random binarization. Without one a binarization is deterministic.
    pub seed: Option<u64>,
    /// The word of the seed's stream that the first element takes, 0 if none is given.
    pub offset: Option<u64>,
    /// The number that a plus sign stands for, 1 if none is given.
    pub scale: Option<f32>,
    /// The gradient of a binarization, [`StraightThrough::HardTanh`] if none is given.
    pub estimator: Option<StraightThrough>,
    /// How many steps share each number of a broadcast gate: [`BroadcastGate::middle`].
    pub middle: Option<u32>,
    /// How many elements a step has: [`BroadcastGate::inner`].
    pub inner: Option<u32>,
}

impl Parameters {
    const NONE: Self = Self {
        definition: None,
        seed: None,
        offset: None,
        scale: None,
        estimator: None,
        middle: None,
        inner: None,
    };

    pub(crate) const fn of(definition: HardSigmoid) -> Self {
        Self {
            definition: Some(definition),
            ..Self::NONE
        }
    }

    pub(crate) const fn of_binarization(how: Binarization) -> Self {
        match how {
            Binarization::Deterministic => Self::NONE,
            Binarization::Stochastic {
                probability,
                seed,
                offset,
            } => Self {
                definition: Some(probability),
                seed: Some(seed),
                offset: Some(offset),
                ..Self::NONE
            },
        }
    }

    pub(crate) const fn of_scale(scale: Finite) -> Self {
        Self {
            scale: Some(scale.get()),
            ..Self::NONE
        }
    }

    pub(crate) const fn of_signs(Signs { how, scale }: Signs) -> Self {
        Self {
            scale: Some(scale.get()),
            ..Self::of_binarization(how)
        }
    }

    pub(crate) const fn of_estimator(estimator: StraightThrough) -> Self {
        Self {
            estimator: Some(estimator),
            ..Self::NONE
        }
    }

    pub(crate) const fn of_gate(gate: BroadcastGate) -> Self {
        Self {
            middle: Some(gate.middle()),
            inner: Some(gate.inner()),
            ..Self::of(gate.definition())
        }
    }
}
