use crate::{
    math::{
        binarize::{Binarization, Signs},
        broadcast::{Broadcast, BroadcastGate},
        dtype::DType,
        error::OpError,
        finite::Finite,
        names::named,
        op::{Op, Unary},
    },
    plan::text,
};

/// An operation on an element type, with its tensors placed in some way: one WGSL module.
///
/// ```
/// use hard_sigmoid::{Binary, DType, HardSigmoid, plan::{Access, Kernel, Placement}};
///
/// let backward = Binary::Backward(HardSigmoid::PYTORCH);
/// let kernel = Kernel::new(backward, DType::F16, Placement::InPlace)?;
/// // dx replaces g, so two tensors are bound.
/// let tensors: Vec<_> = kernel.tensors().map(|tensor| (tensor.name, tensor.access)).collect();
/// assert_eq!(tensors, [("x", Access::ReadWrite), ("g", Access::ReadWrite)]);
/// assert!(kernel.text().contains("fn body("));
/// # Ok::<(), hard_sigmoid::OpError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kernel {
    op: Op,
    dtype: DType,
    placement: Placement,
}

/// How the tensors of an operation lie in their buffers. WGSL fixes how an entry point may use a binding, and wgpu refuses a
/// buffer that one dispatch sees both read-only and writable, so each placement has a text of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Placement {
    /// No result shares a buffer with an operand.
    Separate,
    /// The first result replaces the operand that [`Op::replaces`] names.
    InPlace,
    /// A result shares a buffer with an operand, in disjoint ranges; no two operands may overlap either. Every tensor is bound for writing.
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

/// A tensor that a kernel binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// The tensor's index among the operation's operands and then its results, as in [`Op::sizes`].
    pub index: usize,
    /// The tensor's name: see [`Op::inputs`] and [`Op::outputs`].
    pub name: &'static str,
    /// How the kernel sees the tensor.
    pub access: Access,
}

/// An entry point of a kernel. A part of a tensor has at most two dispatches: of a body and of the tail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// The vectors of four words.
    Body,
    /// The words that are left. They share no word with the body, so the order of the two is free.
    Tail,
    /// The vectors, in the place of the body, where each one's random words are whole blocks of the stream, or where each lies in one
    /// step of a broadcast gate.
    BodyAligned,
    /// The vectors, in the place of the body, where each has one number of a broadcast gate's `b`.
    BodyShared,
}

named!(Stage, "stage", Body => "body", Tail => "tail", BodyAligned => "body_aligned", BodyShared => "body_shared");

impl Stage {
    /// The entry point's name in WGSL.
    pub const fn entry_point(self) -> &'static str {
        match self {
            Self::Body => "body",
            Self::Tail => "tail",
            Self::BodyAligned => "body_aligned",
            Self::BodyShared => "body_shared",
        }
    }
}

/// Bytes of workgroup memory that the sums of a broadcast gate take; `partials` in the shader.
const SUMS_MEMORY: u32 = 4 * 256;

impl Kernel {
    /// The kernel of an operation, for an element type and a placement of the tensors.
    ///
    /// # Errors
    /// [`OpError::NotInPlace`] if the operation doesn't allow the placement, [`OpError::ElementType`] if it doesn't take elements
    /// of this type, [`OpError::ScaleTooLarge`] if they can't hold its scale.
    pub fn new(op: impl Into<Op>, dtype: DType, placement: Placement) -> Result<Self, OpError> {
        let op = op.into();
        op.check_dtype(dtype)?;
        if !placement.allows(op) {
            return Err(OpError::NotInPlace { op: op.name() });
        }
        Ok(Self { op, dtype, placement })
    }

    /// Every kernel of an operation.
    pub fn all(op: impl Into<Op>) -> impl Iterator<Item = Self> {
        let op = op.into();
        let placed = move |dtype| Placement::ALL.iter().map(move |&placement| (dtype, placement));
        let all = op.dtypes().iter().flat_map(move |&dtype| placed(dtype));
        all.filter_map(move |(dtype, placement)| Self::new(op, dtype, placement).ok())
    }

    /// The operation.
    pub const fn op(self) -> Op {
        self.op
    }

    /// The type of the elements.
    pub const fn dtype(self) -> DType {
        self.dtype
    }

    /// How the tensors are placed.
    pub const fn placement(self) -> Placement {
        self.placement
    }

    /// The tensors that are bound, in the order of their bindings: the operands, and the results that replace no operand. The
    /// parameters follow.
    pub fn tensors(self) -> impl ExactSizeIterator<Item = Tensor> + Clone {
        let (inputs, reads) = (self.op.inputs().len(), self.reads());
        let replaced = usize::from(self.placement == Placement::InPlace);
        (0..self.op.tensors() - replaced).map(move |binding| {
            let index = if binding < inputs { binding } else { binding + replaced };
            Tensor {
                index,
                name: self.op.tensor_name(index),
                access: if binding < reads {
                    Access::Read
                } else {
                    Access::ReadWrite
                },
            }
        })
    }

    /// The number of tensors that are bound read-only, before all others.
    pub(crate) fn reads(self) -> usize {
        match self.placement {
            Placement::Separate => self.op.inputs().len(),
            Placement::InPlace | Placement::Shared => 0,
        }
    }

    /// The entry points. Only the sums of a broadcast gate have no tail.
    pub fn stages(self) -> &'static [Stage] {
        match self.op {
            Op::GateBroadcastSums(_) => &[Stage::Body],
            Op::GateBroadcast(_) | Op::LookupGate(_) => Stage::ALL,
            op if text::is_stochastic(op) => &[Stage::Body, Stage::Tail, Stage::BodyAligned],
            _ => &[Stage::Body, Stage::Tail],
        }
    }

    /// The WGSL module. Its entry points are those of [`stages`](Self::stages); in group 0 it binds
    /// [`tensors`](Self::tensors), and then [`Params`](crate::plan::Params) as a uniform buffer.
    pub fn text(self) -> String {
        text::kernel(self)
    }

    /// A kernel with the same text, as the key of a cache of pipelines. What [`Params`](crate::plan::Params) carries is
    /// left out: the seed and the offset of random signs, a scale, the shape of a broadcast gate. A definition's alpha
    /// and beta are in the text, so a program that changes them at every step should limit its cache.
    #[must_use]
    pub fn pipeline_key(self) -> Self {
        let how = |how| match how {
            Binarization::Deterministic => how,
            Binarization::Stochastic { probability, .. } => Binarization::Stochastic {
                probability,
                seed: 0,
                offset: 0,
            },
        };
        let op = match self.op {
            Op::Unary(Unary::Binarize(signs)) => Op::Unary(Unary::Binarize(Signs {
                how: how(signs.how),
                scale: Finite::ONE,
            })),
            Op::Pack(signs) => Op::Pack(how(signs)),
            Op::Unpack(_) => Op::Unpack(Finite::ONE),
            Op::GateBroadcast(gate) => Op::GateBroadcast(BroadcastGate::plain(gate.definition())),
            Op::GateBroadcastSums(gate) => Op::GateBroadcastSums(BroadcastGate::plain(gate.definition())),
            Op::LookupGate(_) => Op::LookupGate(Broadcast::NONE),
            // All that the others carry is in the text.
            op => op,
        };
        Self { op, ..self }
    }

    /// Bytes of workgroup memory that it takes.
    pub(crate) fn workgroup_memory(self) -> u32 {
        match self.op {
            Op::GateBroadcastSums(_) => SUMS_MEMORY,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::definition::HardSigmoid;
    use std::collections::HashSet;

    #[test]
    fn names_round_trip() {
        for &placement in Placement::ALL {
            assert_eq!(placement.to_string().parse(), Ok(placement));
        }
        for &stage in Stage::ALL {
            assert_eq!(stage.to_string(), stage.entry_point());
        }
        let error = "inplace".parse::<Placement>().unwrap_err().to_string();
        assert_eq!(
            error,
            "no placement is called \"inplace\"; use one of separate, in_place, shared"
        );
    }

    #[test]
    fn a_kernel_exists_if_the_operation_allows_its_placement() {
        for op in Op::all(HardSigmoid::PYTORCH) {
            let placements: HashSet<_> = Kernel::all(op).map(Kernel::placement).collect();
            for &placement in Placement::ALL {
                assert_eq!(placements.contains(&placement), placement.allows(op), "{op:?}");
            }
        }
        let large = Unary::binarize(Binarization::Deterministic, 1e5).unwrap();
        let dtypes: HashSet<_> = Kernel::all(large).map(Kernel::dtype).collect();
        assert_eq!(dtypes, HashSet::from([DType::F32, DType::Bf16]));
    }

    /// Kernels of one key have one text, and kernels of two keys have two, whatever the definition is.
    #[test]
    fn a_key_stands_for_a_text() {
        let draws = |seed, scale| Unary::binarize(Binarization::stochastic(seed, 5), scale).unwrap();
        let gate = |middle| BroadcastGate::new(HardSigmoid::JAX, middle, 7).unwrap();
        for (a, b) in [
            (Op::from(draws(1, 0.5)), Op::from(draws(2, 4.0))),
            (Op::GateBroadcast(gate(3)), Op::GateBroadcast(gate(4))),
            (Op::GateBroadcastSums(gate(3)), Op::GateBroadcastSums(gate(4))),
        ] {
            for (a, b) in Kernel::all(a).zip(Kernel::all(b)) {
                assert_eq!(a.pipeline_key(), b.pipeline_key());
                assert_eq!(a.text(), b.text());
            }
        }
        let mut keys = HashSet::new();
        let mut texts = HashSet::new();
        for preset in HardSigmoid::PRESETS {
            for op in Op::all(preset.definition) {
                for kernel in Kernel::all(op) {
                    assert_eq!(kernel.pipeline_key().text(), kernel.text(), "{kernel:?}");
                    keys.insert(kernel.pipeline_key());
                    texts.insert(kernel.text());
                }
            }
        }
        assert!(texts.len() > 300, "{}", texts.len());
        assert_eq!(keys.len(), texts.len());
    }
}
