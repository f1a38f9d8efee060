//! The operations. An operation is one value, and has one row in this file.

use crate::math::{
    binarize::{Binarization, Signs, StraightThrough},
    broadcast::{Broadcast, BroadcastGate},
    definition::HardSigmoid,
    dtype::DType,
    error::{NotFinite, OpError},
    finite::Finite,
    parameters::Parameters,
};

/// An operation from one tensor to another.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unary {
    /// `y = forward(x)`: [`HardSigmoid::forward`].
    Forward(HardSigmoid),
    /// `y = x·forward(x)`: [`HardSigmoid::hard_swish`].
    HardSwish(HardSigmoid),
    /// `y = scale` or `-scale`: [`Binarization::is_plus`].
    Binarize(Signs),
}

/// An operation from two tensors to a third.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Binary {
    /// `dx` from the saved input `x` and the upstream gradient `g`: [`HardSigmoid::backward`].
    Backward(HardSigmoid),
    /// `dx` from the saved output `y` and `g`, after a forward pass in place: [`HardSigmoid::backward_from_output`].
    BackwardFromOutput(HardSigmoid),
    /// `dx += ` the gradient of `Backward`, with one rounding of the sum: [`HardSigmoid::backward_accumulate`].
    /// Never in place: `dx` is read too.
    BackwardAccumulate(HardSigmoid),
    /// `dx` of the hard swish from `x` and `g`: [`HardSigmoid::hard_swish_backward`].
    HardSwishBackward(HardSigmoid),
    /// `y = a·forward(b)`: [`HardSigmoid::gate`].
    Gate(HardSigmoid),
    /// `dx` of a binarization from `x` and `g`: [`StraightThrough::backward`].
    StraightThrough(StraightThrough),
}

/// An operation.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// One tensor to another.
    Unary(Unary),
    /// Two tensors to a third.
    Binary(Binary),
    /// `da` and `db`, both gradients of a gate, from `a`, `b` and `g`: [`HardSigmoid::gate_backward`].
    GateBackward(HardSigmoid),
    /// The signs of `x` as bits, 32 to a word.
    Pack(Binarization),
    /// `y = scale` where a bit is 1, else `-scale`.
    Unpack(Finite),
    /// `y = a·forward(b)` with one `b` for many `a`: [`BroadcastGate`]. With `g` in the place of `a` it gives `da`, the
    /// gradient of `a`.
    GateBroadcast(BroadcastGate),
    /// `db`, the gradient of a broadcast gate's `b`, from `a`, `b` and `g`: a sum for each number of `b`, see
    /// [`BroadcastGate`]. If `da` replaces `g`, compute the sums first.
    GateBroadcastSums(BroadcastGate),
    /// `y = table[x]`, on bytes: a function of one quantized tensor to another. The table has 256 bytes;
    /// [`Quantized::table`](crate::Quantized::table) makes that of a hard sigmoid or hard swish.
    Lookup,
    /// `y = table[256·b + a]`, on bytes, with one `b` for many `a`: a gate of quantized tensors. The table has 65,536 bytes;
    /// [`QuantizedGate::table`](crate::QuantizedGate::table) makes it.
    LookupGate(Broadcast),
}

/// What is known of an operation wherever it is computed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Row {
    /// The operation's name. Most operations have a scalar function of this name, in [`HardSigmoid`].
    pub(crate) name: &'static str,
    pub(crate) inputs: &'static [&'static str],
    pub(crate) outputs: &'static [&'static str],
    /// The input that the first output may replace.
    pub(crate) replaces: Option<usize>,
    /// The numbers that it carries.
    pub(crate) parameters: Parameters,
    /// The types of elements that it takes.
    pub(crate) dtypes: &'static [DType],
}

impl Op {
    /// The row of each operation in the table: its name, its operands and results, the operand that the first result
    /// may replace, and the numbers that it carries. Most callers want one of them: inlined, the others cost nothing.
    #[inline(always)]
    #[rustfmt::skip]
    pub(crate) const fn row(self) -> Row {
        use {Binary as B, Parameters as P, Unary as U};
        let [x, y, bits, dx, db]: [&[&str]; 5] = [&["x"], &["y"], &["bits"], &["dx"], &["db"]];
        let [xg, yg, ab, abg, da_db]: [&[&str]; 5] = [&["x", "g"], &["y", "g"], &["a", "b"], &["a", "b", "g"], &["da", "db"]];
        let [xt, abt]: [&[&str]; 2] = [&["x", "table"], &["a", "b", "table"]];
        match self {
            Self::Unary(U::Forward(it)) => row("forward", x, y, Some(0), P::of(it)),
            Self::Unary(U::HardSwish(it)) => row("hard_swish", x, y, Some(0), P::of(it)),
            Self::Unary(U::Binarize(it)) => row("binarize", x, y, Some(0), P::of_signs(it)),
            Self::Binary(B::Backward(it)) => row("backward", xg, dx, Some(1), P::of(it)),
            Self::Binary(B::BackwardFromOutput(it)) => row("backward_from_output", yg, dx, Some(1), P::of(it)),
            Self::Binary(B::BackwardAccumulate(it)) => row("backward_accumulate", xg, dx, None, P::of(it)),
            Self::Binary(B::HardSwishBackward(it)) => row("hard_swish_backward", xg, dx, Some(1), P::of(it)),
            Self::Binary(B::Gate(it)) => row("gate", ab, y, Some(0), P::of(it)),
            Self::Binary(B::StraightThrough(it)) => row("straight_through", xg, dx, Some(1), P::of_estimator(it)),
            Self::GateBackward(it) => row("gate_backward", abg, da_db, Some(2), P::of(it)),
            Self::Pack(it) => row("pack", x, bits, None, P::of_binarization(it)),
            Self::Unpack(it) => row("unpack", bits, y, None, P::of_scale(it)),
            Self::GateBroadcast(it) => row("gate_broadcast", ab, y, Some(0), P::of_gate(it)),
            Self::GateBroadcastSums(it) => row("gate_broadcast_sums", abg, db, None, P::of_gate(it)),
            Self::Lookup => row("lookup", xt, y, Some(0), P::NONE).of_bytes(),
            Self::LookupGate(it) => row("lookup_gate", abt, y, Some(0), P::of_shape(it)).of_bytes(),
        }
    }

    /// The operation's name. Most operations have a scalar function of this name, in [`HardSigmoid`].
    #[inline]
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// Names of the operands, in the order in which every call and every kernel takes them.
    #[inline]
    pub const fn inputs(self) -> &'static [&'static str] {
        self.row().inputs
    }

    /// Names of the results.
    #[inline]
    pub const fn outputs(self) -> &'static [&'static str] {
        self.row().outputs
    }

    /// Which of the operands the first result may replace.
    #[inline]
    pub const fn replaces(self) -> Option<usize> {
        self.row().replaces
    }

    /// The types of elements that it takes.
    #[inline]
    pub const fn dtypes(self) -> &'static [DType] {
        self.row().dtypes
    }

    /// Checks that it takes elements of this type, which can hold its scale.
    pub(crate) fn check_dtype(self, dtype: DType) -> Result<(), OpError> {
        let Row { name: op, dtypes, .. } = self.row();
        if !dtypes.contains(&dtype) {
            return Err(OpError::ElementType { op, dtype, dtypes });
        }
        self.scale().map_or(Ok(()), |scale| dtype.check_scale(scale))
    }

    /// The hard sigmoid that it uses, also as a probability; `None` if it uses none.
    pub const fn definition(self) -> Option<HardSigmoid> {
        self.row().parameters.definition
    }

    /// The numbers that it carries. [`Op::new`] makes the operation of them and its name.
    pub const fn parameters(self) -> Parameters {
        self.row().parameters
    }

    /// The shape of a broadcast gate or of its sums; `None` if all tensors have one length.
    #[inline]
    pub const fn broadcast(self) -> Option<Broadcast> {
        match self {
            Self::GateBroadcast(gate) | Self::GateBroadcastSums(gate) => Some(gate.shape()),
            Self::LookupGate(shape) => Some(shape),
            _ => None,
        }
    }

    /// The binarization, if the operation makes signs of numbers.
    #[inline]
    pub(crate) const fn binarization(self) -> Option<Binarization> {
        match self {
            Self::Unary(Unary::Binarize(Signs { how, .. })) | Self::Pack(how) => Some(how),
            _ => None,
        }
    }

    /// The number that a plus sign stands for, if the operation makes numbers of signs.
    #[inline]
    pub(crate) const fn scale(self) -> Option<Finite> {
        match self {
            Self::Unary(Unary::Binarize(Signs { scale, .. })) | Self::Unpack(scale) => Some(scale),
            _ => None,
        }
    }

    /// This operation for the part of a tensor that starts `elements` after its beginning: random draws continue.
    #[must_use]
    pub const fn advanced(self, elements: u64) -> Self {
        match self {
            Self::Unary(op) => Self::Unary(op.advanced(elements)),
            Self::Pack(how) => Self::Pack(how.advanced(elements)),
            other => other,
        }
    }
}

const fn row(
    name: &'static str,
    inputs: &'static [&'static str],
    outputs: &'static [&'static str],
    replaces: Option<usize>,
    parameters: Parameters,
) -> Row {
    Row {
        name,
        inputs,
        outputs,
        replaces,
        parameters,
        dtypes: DType::FLOATS,
    }
}

impl Row {
    const fn of_bytes(self) -> Self {
        Self {
            dtypes: DType::BYTES,
            ..self
        }
    }
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

impl Unary {
    /// The operation's name. Most operations have a scalar function of this name, in [`HardSigmoid`].
    #[inline]
    pub const fn name(self) -> &'static str {
        Op::Unary(self).name()
    }

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

    /// This operation for the part of a tensor that starts `elements` after its beginning: random draws continue.
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
    /// The operation's name. Most operations have a scalar function of this name, in [`HardSigmoid`].
    #[inline]
    pub const fn name(self) -> &'static str {
        Op::Binary(self).name()
    }

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
        let mut rows = BTreeMap::new();
        for op in &all {
            let tensors = *rows.entry(op.name()).or_insert((op.inputs(), op.outputs()));
            assert_eq!(
                tensors,
                (op.inputs(), op.outputs()),
                "two operations are called {}",
                op.name()
            );
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
