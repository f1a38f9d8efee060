use crate::math::{lengths, names::named, op::Op};

/// How the tensors of an operation lie in their buffers. WGSL fixes how an entry point may use a binding, and wgpu
/// refuses a buffer that one dispatch sees both read-only and writable, so each placement has its own entry points or
/// module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Placement {
    /// No result shares a buffer with an operand.
    Separate,
    /// The first result replaces the operand that [`Op::replaces`] names.
    InPlace,
    /// A result shares a buffer with an operand, in disjoint ranges.
    Shared,
}

named!(Placement, "placement", Separate => "separate", InPlace => "in_place", Shared => "shared");

impl Placement {
    /// Whether `op` allows this placement.
    pub fn allows(self, op: impl Into<Op>) -> bool {
        self != Self::InPlace || op.into().replaces().is_some()
    }
}

/// How a kernel sees a storage buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// `var<storage, read>`
    Read,
    /// `var<storage, read_write>`
    ReadWrite,
}

/// A tensor of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operand {
    /// The operand of this index.
    Input(usize),
    /// The result of this index.
    Output(usize),
}

/// What a dispatch computes. A part has at most one dispatch of each stage, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The sums of a broadcast gate's gradient.
    Sums,
    /// The vectors of four words.
    Body,
    /// The words that are left. They share no word with the body, so the order of the two is free.
    Tail,
}

impl Stage {
    /// Every stage.
    pub const ALL: &'static [Self] = &[Self::Sums, Self::Body, Self::Tail];

    /// The stages of an operation.
    pub fn of(op: impl Into<Op>) -> impl Iterator<Item = Self> {
        let are_sums = matches!(op.into(), Op::GateBroadcastSums(_));
        Self::ALL
            .iter()
            .copied()
            .filter(move |&stage| are_sums == (stage == Self::Sums))
    }

    pub(crate) fn entry_point(self, op: Op, placement: Placement) -> &'static str {
        let is_in_place = placement == Placement::InPlace;
        macro_rules! named {
            ($name:literal) => {
                match (self, is_in_place) {
                    // Sums are never in place.
                    (Self::Sums | Self::Body, false) => $name,
                    (Self::Sums | Self::Body, true) => concat!($name, "_in_place"),
                    (Self::Tail, false) => concat!($name, "_tail"),
                    (Self::Tail, true) => concat!($name, "_in_place_tail"),
                }
            };
        }
        match op {
            Op::Unary(_) => named!("unary"),
            Op::Binary(_) => named!("binary"),
            Op::GateBackward(_) => named!("gate_backward"),
            Op::Pack(_) => named!("pack"),
            Op::Unpack(_) => named!("unpack"),
            Op::GateBroadcast(_) => named!("gate_broadcast"),
            Op::GateBroadcastSums(_) => named!("gate_broadcast_sums"),
        }
    }
}

/// The most tensors that an operation binds.
pub(crate) const MAX_TENSORS: usize = lengths::MAX_TENSORS;

/// The tensors that are bound, in the order of their bindings: the operands, and the results that replace no operand.
pub(crate) fn bound(op: Op, placement: Placement) -> impl ExactSizeIterator<Item = Operand> + Clone {
    let (inputs, outputs) = (op.inputs().len(), op.outputs().len());
    let first_output = usize::from(placement == Placement::InPlace);
    (0..inputs + outputs - first_output).map(move |binding| {
        if binding < inputs {
            Operand::Input(binding)
        } else {
            Operand::Output(binding - inputs + first_output)
        }
    })
}

/// How a kernel sees a tensor.
pub(crate) fn access(placement: Placement, operand: Operand) -> Access {
    match (placement, operand) {
        (Placement::Separate, Operand::Input(_)) => Access::Read,
        _ => Access::ReadWrite,
    }
}

/// What a tensor consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Elements,
    /// A bit for each element, 32 to a word.
    Bits,
}

impl Unit {
    pub(crate) fn of(op: Op, operand: Operand) -> Self {
        let tensor = match operand {
            Operand::Input(index) => index,
            Operand::Output(index) => op.inputs().len() + index,
        };
        if op.holds_bits(tensor) {
            Self::Bits
        } else {
            Self::Elements
        }
    }

    /// Bytes that `len` elements take; bits take whole words.
    pub(crate) fn size(self, len: u64, element: u64) -> u64 {
        match self {
            Self::Elements => len * element,
            Self::Bits => len.div_ceil(32) * 4,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for &placement in Placement::ALL {
            assert_eq!(placement.to_string().parse(), Ok(placement));
        }
        let error = "inplace".parse::<Placement>().unwrap_err().to_string();
        assert_eq!(
            error,
            "no placement is called \"inplace\"; use one of separate, in_place, shared"
        );
    }
}
