//! The operations. An operation is one value, and has one row in this file.

use crate::math::{
    binarize::{Binarization, Signs, StraightThrough},
    broadcast::BroadcastGate,
    definition::HardSigmoid,
    dtype::DType,
    error::{NotFinite, OpError},
    finite::Finite,
};

/// The properties of an operation that don't depend on where it is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// The name of the function that computes it.
    pub(crate) name: &'static str,
    /// The constant that the shader's `KERNEL` is set to.
    pub(crate) kernel: Kernel,
    pub(crate) inputs: &'static [&'static str],
    pub(crate) outputs: &'static [&'static str],
    /// The input that the first output may replace.
    pub(crate) replaces: Option<usize>,
}

/// The kernels of the shader. Operations that differ only in their parameters share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub(crate) enum Kernel {
    Forward,
    Backward,
    BackwardAccumulate,
    Gate,
    GateBackward,
    HardSwish,
    HardSwishBackward,
    Binarize,
    Pack,
    Unpack,
    GateBroadcast,
    GateBroadcastBackward,
}

/// The value in an operation's variant. It has the operation's definition, binarization and scale, if any, and gives samples
/// for tests.
trait Carried: Copy {
    fn samples(definition: HardSigmoid) -> Vec<Self>;
    fn definition(self) -> Option<HardSigmoid> {
        None
    }
    fn binarization(self) -> Option<Binarization> {
        None
    }
    fn scale(self) -> Option<Finite> {
        None
    }
}

impl Carried for HardSigmoid {
    fn samples(definition: HardSigmoid) -> Vec<Self> {
        vec![definition]
    }
    fn definition(self) -> Option<HardSigmoid> {
        Some(self)
    }
}

impl Carried for Binarization {
    fn samples(probability: HardSigmoid) -> Vec<Self> {
        let drawn = Self::Stochastic {
            probability,
            seed: 0x0123_4567_89ab_cdef,
            // Not at the start of a block, and across 32 bits.
            offset: (1 << 33) - 1001,
        };
        vec![drawn, Self::Deterministic]
    }
    fn definition(self) -> Option<HardSigmoid> {
        match self {
            Self::Deterministic => None,
            Self::Stochastic { probability, .. } => Some(probability),
        }
    }
    fn binarization(self) -> Option<Binarization> {
        Some(self)
    }
}

impl Carried for Finite {
    fn samples(_: HardSigmoid) -> Vec<Self> {
        // Exact in half floats.
        vec![Self::known(0.75)]
    }
    fn scale(self) -> Option<Finite> {
        Some(self)
    }
}

impl Carried for Signs {
    fn samples(definition: HardSigmoid) -> Vec<Self> {
        let scales = Finite::samples(definition);
        let all = Binarization::samples(definition).into_iter();
        all.flat_map(|how| scales.iter().map(move |&scale| Self { how, scale }))
            .collect()
    }
    fn definition(self) -> Option<HardSigmoid> {
        self.how.definition()
    }
    fn binarization(self) -> Option<Binarization> {
        Some(self.how)
    }
    fn scale(self) -> Option<Finite> {
        Some(self.scale)
    }
}

impl Carried for StraightThrough {
    fn samples(_: HardSigmoid) -> Vec<Self> {
        Self::ALL.to_vec()
    }
}

/// It has no samples: its tensors differ in length and its sums run over many elements, so it has its own tests.
impl Carried for BroadcastGate {
    fn samples(_: HardSigmoid) -> Vec<Self> {
        Vec::new()
    }
    fn definition(self) -> Option<HardSigmoid> {
        Some(self.definition())
    }
}

/// Makes an enum of operations from its rows. A row lists the variant and what it carries, the name, the kernel, the
/// operands and results, and the index of the operand that the first result may replace.
macro_rules! operations {
    ($(#[$about:meta])* $Shape:ident {$(
        $(#[$doc:meta])*
        $Variant:ident($Carried:ty): $name:literal by $Kernel:ident, $inputs:tt -> $outputs:tt, $replaces:expr;
    )*}) => {
        $(#[$about])*
        #[non_exhaustive]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $Shape {
            $($(#[$doc])* $Variant($Carried),)*
        }

        impl $Shape {
            pub(crate) const fn row(self) -> &'static Row {
                match self {
                    $(Self::$Variant(_) => &Row {
                        name: $name,
                        kernel: Kernel::$Kernel,
                        inputs: &$inputs,
                        outputs: &$outputs,
                        replaces: $replaces,
                    },)*
                }
            }

            fn carried(self) -> (Option<HardSigmoid>, Option<Binarization>, Option<Finite>) {
                match self {
                    $(Self::$Variant(it) => (Carried::definition(it), it.binarization(), it.scale()),)*
                }
            }

            /// Every operation of this shape with `definition`, with both kinds of binarization, for tests and tables.
            /// Broadcast gates are left out, since their tensors differ in length.
            pub fn all(definition: HardSigmoid) -> Vec<Self> {
                let mut all = Vec::new();
                $(all.extend(<$Carried>::samples(definition).into_iter().map(Self::$Variant));)*
                all
            }

            /// Its name. Most have a scalar function of this name, in [`HardSigmoid`].
            pub const fn name(self) -> &'static str {
                self.row().name
            }
        }
    };
}

operations! {
    /// An operation from one tensor to another.
    Unary {
        /// `y = forward(x)`: [`HardSigmoid::forward`].
        Forward(HardSigmoid): "forward" by Forward, ["x"] -> ["y"], Some(0);
        /// `y = x·forward(x)`: [`HardSigmoid::hard_swish`].
        HardSwish(HardSigmoid): "hard_swish" by HardSwish, ["x"] -> ["y"], Some(0);
        /// `y = scale` or `-scale`: [`Binarization::is_plus`].
        Binarize(Signs): "binarize" by Binarize, ["x"] -> ["y"], Some(0);
    }
}

operations! {
    /// An operation from two tensors to a third.
    Binary {
        /// `dx` from the saved input `x` and the upstream gradient `g`: [`HardSigmoid::backward`].
        Backward(HardSigmoid): "backward" by Backward, ["x", "g"] -> ["dx"], Some(1);
        /// `dx` from the saved output `y` and `g`, after a forward pass in place:
        /// [`HardSigmoid::backward_from_output`].
        BackwardFromOutput(HardSigmoid): "backward_from_output" by Backward, ["y", "g"] -> ["dx"], Some(1);
        /// `dx += ` the gradient of `Backward`, with one rounding of the sum: [`HardSigmoid::backward_accumulate`].
        /// Never in place: `dx` is read too.
        BackwardAccumulate(HardSigmoid): "backward_accumulate" by BackwardAccumulate, ["x", "g"] -> ["dx"], None;
        /// `dx` of the hard swish from `x` and `g`: [`HardSigmoid::hard_swish_backward`].
        HardSwishBackward(HardSigmoid): "hard_swish_backward" by HardSwishBackward, ["x", "g"] -> ["dx"], Some(1);
        /// `y = a·forward(b)`: [`HardSigmoid::gate`].
        Gate(HardSigmoid): "gate" by Gate, ["a", "b"] -> ["y"], Some(0);
        /// `dx` of a binarization from `x` and `g`: [`StraightThrough::backward`].
        StraightThrough(StraightThrough): "straight_through" by Backward, ["x", "g"] -> ["dx"], Some(1);
    }
}

operations! {
    /// An operation of another shape.
    Other {
        /// `da` and `db`, both gradients of a gate, from `a`, `b` and `g`: [`HardSigmoid::gate_backward`].
        GateBackward(HardSigmoid): "gate_backward" by GateBackward, ["a", "b", "g"] -> ["da", "db"], Some(2);
        /// The signs of `x` as bits, 32 to a word.
        Pack(Binarization): "pack" by Pack, ["x"] -> ["bits"], None;
        /// `y = scale` where a bit is 1, else `-scale`.
        Unpack(Finite): "unpack" by Unpack, ["bits"] -> ["y"], None;
        /// `y = a·forward(b)` with one `b` for many `a`: [`BroadcastGate`].
        GateBroadcast(BroadcastGate): "gate_broadcast" by GateBroadcast, ["a", "b"] -> ["y"], Some(0);
        /// `da` and `db`, both gradients of a broadcast gate, from `a`, `b` and `g`: [`BroadcastGate`].
        GateBroadcastBackward(BroadcastGate):
            "gate_broadcast_backward" by GateBroadcastBackward, ["a", "b", "g"] -> ["da", "db"], Some(2);
    }
}

/// An operation of any shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// One tensor to another.
    Unary(Unary),
    /// Two tensors to a third.
    Binary(Binary),
    /// Another shape.
    Other(Other),
}

impl From<Unary> for Op {
    fn from(op: Unary) -> Self {
        Self::Unary(op)
    }
}

impl From<Binary> for Op {
    fn from(op: Binary) -> Self {
        Self::Binary(op)
    }
}

impl From<Other> for Op {
    fn from(op: Other) -> Self {
        Self::Other(op)
    }
}

impl Op {
    pub(crate) const fn row(self) -> &'static Row {
        match self {
            Self::Unary(op) => op.row(),
            Self::Binary(op) => op.row(),
            Self::Other(op) => op.row(),
        }
    }

    /// Every operation with `definition`, with both kinds of binarization, for tests and tables. Broadcast gates are
    /// left out, since their tensors differ in length.
    pub fn all(definition: HardSigmoid) -> Vec<Self> {
        let unary = Unary::all(definition).into_iter().map(Self::Unary);
        let binary = Binary::all(definition).into_iter().map(Self::Binary);
        let other = Other::all(definition).into_iter().map(Self::Other);
        unary.chain(binary).chain(other).collect()
    }

    /// Its name. Most have a scalar function of this name, in [`HardSigmoid`].
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// Names of the operands, in the order in which every call and every kernel takes them.
    pub const fn inputs(self) -> &'static [&'static str] {
        self.row().inputs
    }

    /// Names of the results.
    pub const fn outputs(self) -> &'static [&'static str] {
        self.row().outputs
    }

    /// Which of the operands the first result may replace.
    pub const fn replaces(self) -> Option<usize> {
        self.row().replaces
    }

    fn carried(self) -> (Option<HardSigmoid>, Option<Binarization>, Option<Finite>) {
        match self {
            Self::Unary(op) => op.carried(),
            Self::Binary(op) => op.carried(),
            Self::Other(op) => op.carried(),
        }
    }

    /// The shape of a broadcast gate, if it is one.
    pub(crate) const fn broadcast(self) -> Option<BroadcastGate> {
        match self {
            Self::Other(Other::GateBroadcast(gate) | Other::GateBroadcastBackward(gate)) => Some(gate),
            _ => None,
        }
    }

    /// The hard sigmoid that it uses, also as a probability; `None` if it uses none.
    pub fn definition(self) -> Option<HardSigmoid> {
        self.carried().0
    }

    /// The binarization, if the operation makes signs of numbers.
    pub(crate) fn binarization(self) -> Option<Binarization> {
        self.carried().1
    }

    /// The number that a plus sign stands for, if the operation makes numbers of signs.
    pub(crate) fn scale(self) -> Option<Finite> {
        self.carried().2
    }

    /// Checks that the element type can hold the scale.
    pub(crate) fn check_scale(self, dtype: DType) -> Result<(), OpError> {
        self.scale().map_or(Ok(()), |scale| dtype.check_scale(scale))
    }

    /// The same operation for the part of a tensor that starts `elements` after its beginning: random draws continue.
    #[must_use]
    pub fn advanced(self, elements: u64) -> Self {
        match self {
            Self::Unary(op) => Self::Unary(op.advanced(elements)),
            Self::Other(Other::Pack(how)) => Self::Other(Other::Pack(how.advanced(elements))),
            other => other,
        }
    }
}

impl Unary {
    /// [`Unary::Binarize`] to `scale` and `-scale`.
    ///
    /// # Errors
    /// If `scale` is infinite or NaN.
    pub const fn binarize(how: Binarization, scale: f32) -> Result<Self, NotFinite> {
        match Finite::new("scale", scale) {
            Ok(scale) => Ok(Self::Binarize(Signs { how, scale })),
            Err(error) => Err(error),
        }
    }

    /// The same operation for the part of a tensor that starts `elements` after its beginning: random draws continue.
    #[must_use]
    pub const fn advanced(self, elements: u64) -> Self {
        match self {
            Self::Binarize(Signs { how, scale }) => Self::Binarize(Signs {
                how: how.advanced(elements),
                scale,
            }),
            other => other,
        }
    }

    /// The result for `x`, element `index` of its tensor.
    #[inline(always)]
    pub fn apply(self, x: f32, index: u64) -> f32 {
        match self {
            Self::Forward(definition) => definition.forward(x),
            Self::HardSwish(definition) => definition.hard_swish(x),
            Self::Binarize(Signs { how, scale }) if how.is_plus(index, x) => scale.get(),
            Self::Binarize(Signs { scale, .. }) => -scale.get(),
        }
    }
}

impl Binary {
    /// The result for a pair of operands. `before` is what the output holds, for an operation that adds to it.
    #[inline(always)]
    pub fn apply(self, first: f32, second: f32, before: f32) -> f32 {
        match self {
            Self::Backward(definition) => definition.backward(first, second),
            Self::BackwardFromOutput(definition) => definition.backward_from_output(first, second),
            Self::BackwardAccumulate(definition) => definition.backward_accumulate(first, second, before),
            Self::HardSwishBackward(definition) => definition.hard_swish_backward(first, second),
            Self::Gate(definition) => definition.gate(first, second),
            Self::StraightThrough(estimator) => estimator.backward(first, second),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, HashSet};

    #[test]
    fn names_are_unique_and_operations_are_keys() {
        let all = Op::all(HardSigmoid::PYTORCH);
        let mut rows: BTreeMap<_, &Row> = BTreeMap::new();
        for op in &all {
            let row = rows.entry(op.name()).or_insert(op.row());
            assert_eq!(*row, op.row(), "two operations are called {}", op.name());
        }
        let set: HashSet<_> = all.iter().copied().collect();
        assert_eq!(set.len(), all.len());
        assert!(set.contains(&Unary::Forward("torch".parse().unwrap()).into()));
        assert!(!set.contains(&Unary::Forward(HardSigmoid::JAX).into()));
    }

    #[test]
    fn draws_continue_in_the_next_part() {
        for op in Op::all(HardSigmoid::PYTORCH) {
            let draws = matches!(op.binarization(), Some(Binarization::Stochastic { .. }));
            assert_eq!(op.advanced(7) != op, draws, "{op:?}");
        }
    }

    #[test]
    fn what_is_replaced_is_an_operand() {
        for op in Op::all(HardSigmoid::KERAS) {
            assert!(op.replaces().is_none_or(|input| input < op.inputs().len()), "{op:?}");
        }
    }

    #[test]
    fn a_scale_has_to_be_finite() {
        for scale in [f32::NAN, f32::INFINITY] {
            let error = Unary::binarize(Binarization::Deterministic, scale).unwrap_err();
            assert!(error.to_string().starts_with("scale is "), "{error}");
        }
    }
}
