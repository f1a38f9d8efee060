use crate::math::{
    binarize::{Binarization, Signs, StraightThrough},
    broadcast::{Broadcast, BroadcastGate},
    definition::HardSigmoid,
    finite::Finite,
};

/// What an operation carries besides its tensors, for [`Op::new`](crate::Op::new) and from
/// [`Op::parameters`](crate::Op::parameters).
///
/// | operation | takes |
/// |---|---|
/// | `forward`, `backward`, `gate` and all others that aren't below | `definition` |
/// | `gate_broadcast`, `gate_broadcast_sums` | `definition`, `middle`, `inner` |
/// | `binarize` | `scale`; to draw at random also `seed`, `offset`, `definition` |
/// | `pack` | to draw at random `seed`, `offset`, `definition` |
/// | `unpack` | `scale` |
/// | `lookup` | nothing |
/// | `lookup_gate` | `middle`, `inner` |
/// | `straight_through` | `estimator` |
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Parameters {
    /// The hard sigmoid. For a random binarization it is the probability, [`HardSigmoid::COURBARIAUX`] if none is
    /// given.
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
    /// How many elements a step has, 1 if none is given: [`BroadcastGate::inner`].
    pub inner: Option<u32>,
}

impl Parameters {
    /// No parameter at all.
    pub(crate) const NONE: Self = Self {
        definition: None,
        seed: None,
        offset: None,
        scale: None,
        estimator: None,
        middle: None,
        inner: None,
    };

    /// The name of each parameter, and whether it is given.
    pub(crate) fn present(&self) -> [(&'static str, bool); 7] {
        let Self {
            definition,
            seed,
            offset,
            scale,
            estimator,
            middle,
            inner,
        } = self;
        [
            ("definition", definition.is_some()),
            ("seed", seed.is_some()),
            ("offset", offset.is_some()),
            ("scale", scale.is_some()),
            ("estimator", estimator.is_some()),
            ("middle", middle.is_some()),
            ("inner", inner.is_some()),
        ]
    }

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

    pub(crate) const fn of_shape(shape: Broadcast) -> Self {
        Self {
            middle: Some(shape.middle()),
            inner: Some(shape.inner()),
            ..Self::NONE
        }
    }

    pub(crate) const fn of_gate(gate: BroadcastGate) -> Self {
        Self {
            definition: Some(gate.definition()),
            ..Self::of_shape(gate.shape())
        }
    }
}
