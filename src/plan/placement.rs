use crate::math::{
    error::ParseError,
    op::{Op, Other},
};
use std::{fmt, str::FromStr};

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

impl Placement {
    /// Every placement.
    pub const ALL: &'static [Self] = &[Self::Separate, Self::InPlace, Self::Shared];

    /// Whether `op` allows this placement.
    pub fn allows(self, op: impl Into<Op>) -> bool {
        self != Self::InPlace || op.into().replaces().is_some()
    }
}

/// Writes `separate`, `in_place` or `shared`, which [`FromStr`] reads.
impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Separate => "separate",
            Self::InPlace => "in_place",
            Self::Shared => "shared",
        })
    }
}

impl FromStr for Placement {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        ParseError::find("placement", text, Self::ALL)
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

/// The entry points of an operation: for its vectors of four words, and for the words that are left.
pub(crate) struct EntryPoints {
    pub(crate) body: &'static str,
    pub(crate) tail: &'static str,
}

impl EntryPoints {
    pub(crate) fn new(op: Op, placement: Placement) -> Self {
        macro_rules! named {
            ($name:literal) => {
                match placement {
                    Placement::InPlace => Self {
                        body: concat!($name, "_in_place"),
                        tail: concat!($name, "_in_place_tail"),
                    },
                    Placement::Separate | Placement::Shared => Self {
                        body: $name,
                        tail: concat!($name, "_tail"),
                    },
                }
            };
        }
        match op {
            Op::Unary(_) => named!("unary"),
            Op::Binary(_) => named!("binary"),
            Op::Other(Other::GateBackward(_)) => named!("gate_backward"),
            Op::Other(Other::Pack(_)) => named!("pack"),
            Op::Other(Other::Unpack(_)) => named!("unpack"),
            Op::Other(Other::GateBroadcast(_)) => named!("gate_broadcast"),
            Op::Other(Other::GateBroadcastBackward(_)) => named!("gate_broadcast_backward"),
        }
    }

    /// The entry point of the sums of a broadcast gate's gradient, which no other operation has.
    pub(crate) fn sums(placement: Placement) -> &'static str {
        match placement {
            Placement::InPlace => "gate_broadcast_sums_in_place",
            Placement::Separate | Placement::Shared => "gate_broadcast_sums",
        }
    }
}

/// The most tensors that an operation binds.
pub(crate) const MAX_TENSORS: usize = 5;

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
        match (op, operand) {
            (Op::Other(Other::Pack(_)), Operand::Output(_)) | (Op::Other(Other::Unpack(_)), Operand::Input(_)) => {
                Self::Bits
            }
            _ => Self::Elements,
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
