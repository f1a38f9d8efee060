//! The broadcast gate: one gate for a whole channel, as in squeeze-and-excitation.

use crate::math::{arithmetic::INVALID_NAN, definition::HardSigmoid, error::OpError};

/// The number of partial sums for the gradient of a gate.
pub(crate) const PARTIALS: usize = 64;

/// A row's length is below this limit, so that positions in two rows fit 32 bits.
const MAX_ROW: u64 = 1 << 31;

/// A gate that many elements share: `y = a·hs(b)`, where `a` is seen as `[outer, middle, inner]` (row-major) and `b` as
/// `[outer, inner]`.
///
/// This is the gate of squeeze-and-excitation, where `b` has one number for each image and channel. With channels first,
/// `[n, c, h, w]`, use `middle = h·w` and `inner = 1`. With channels last, `[n, h, w, c]`, use `middle = h·w` and
/// `inner = c`. With `middle = 1` it is the plain [gate](HardSigmoid::gate). `outer` follows from the length of `a`,
/// and may be 0.
///
/// `y` has the bits of the plain gate with `b` repeated, and so has `da`, the plain gate of `g` by `b`.
///
/// `db` is [`backward(b, S)`](HardSigmoid::backward) where `S` is the sum of `fl(g·a)` over `middle`. All of it is
/// computed in `f32`, and rounded once more at the end if the tensors hold half floats. The order of the sum is
/// guaranteed. It is the same on every device, and doesn't depend on how a tensor is cut:
/// 1. There are 64 partial sums. Each starts at `+0`, and partial `l` adds the products of `m = l`, `l + 64`, `l + 128`
///    and so on, in this order.
/// 2. A tree adds them: for `s` = 32, 16, 8, 4, 2, 1, each partial `l < s` becomes `fl(p[l] + p[l + s])`. `S` is
///    `p[0]`.
///
/// With `u = 2^-24`, the error of `S` is at most `(ceil(middle / 64) + 6)·u·Σ|g·a|`, to first order in `u` and apart
/// from overflow and underflow: each product is rounded once when it is made, then once for every later addition in its
/// partial (the first, to `+0`, is exact), and six times in the tree. If `S` is NaN, it is always `0xffc00000`: unlike
/// elsewhere in this crate, a NaN in `a` or `g` doesn't keep its sign and payload in `db`. (As elsewhere, it gives `+0`
/// where the gradient doesn't pass.)
///
/// ```
/// use hard_sigmoid::{BroadcastGate, HardSigmoid, cpu};
///
/// // Two channels of three pixels: the first half open, the second closed.
/// let gate = BroadcastGate::new(HardSigmoid::PYTORCH, 3, 1)?;
/// let (a, b) = ([1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0], [0.0, -3.0]);
/// let mut y = [7.0; 6];
/// cpu::gate_broadcast(gate, &a, &b, &mut y)?;
/// assert_eq!(y, [0.5, 1.0, 1.5, 0.0, 0.0, 0.0]);
///
/// // db first, since da may replace g.
/// let (mut g, mut db) = ([1.0; 6], [7.0; 2]);
/// cpu::gate_broadcast_sums(gate, &a, &b, &g, &mut db)?;
/// cpu::gate_broadcast_in_place(gate, &mut g, &b)?;
/// assert_eq!((g, db), ([0.5, 0.5, 0.5, 0.0, 0.0, 0.0], [1.0, 0.0]));
/// # Ok::<(), hard_sigmoid::OpError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BroadcastGate {
    definition: HardSigmoid,
    shape: Broadcast,
}

/// How `a`, seen as `[outer, middle, inner]` (row-major), shares the numbers of `b`, seen as `[outer, inner]`. See
/// [`BroadcastGate`] for the shapes of squeeze-and-excitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Broadcast {
    middle: u32,
    inner: u32,
}

impl Broadcast {
    /// `a` and `b` of one length, of single elements.
    pub(crate) const NONE: Self = Self { middle: 1, inner: 1 };

    /// A number of `b` for each of `inner` columns, which `middle` steps share.
    ///
    /// # Errors
    /// [`OpError::BroadcastShape`] if `middle` or `inner` is 0, or `middle·inner` is 2^31 or more.
    pub const fn new(middle: u32, inner: u32) -> Result<Self, OpError> {
        match Self::checked(middle, inner) {
            Some(shape) => Ok(shape),
            None => Err(OpError::BroadcastShape { middle, inner }),
        }
    }

    const fn checked(middle: u32, inner: u32) -> Option<Self> {
        let row = middle as u64 * inner as u64;
        if row == 0 || row >= MAX_ROW {
            return None;
        }
        Some(Self { middle, inner })
    }

    /// The number of steps that share each number of `b`.
    pub const fn middle(self) -> u32 {
        self.middle
    }

    /// The number of elements in a step.
    pub const fn inner(self) -> u32 {
        self.inner
    }

    /// The number of elements in a row of `a`: `middle·inner`.
    pub const fn row(self) -> u32 {
        self.middle * self.inner
    }

    /// The place in `b` of the number that element `index` of `a` shares.
    #[inline(always)]
    pub(crate) const fn place(self, index: usize) -> usize {
        let [row, inner] = [self.row() as usize, self.inner as usize];
        index / row * inner + index % inner
    }
}

impl BroadcastGate {
    /// Makes the gate of `definition`, with a number of `b` for each of `inner` columns, which `middle` steps share.
    ///
    /// # Errors
    /// [`OpError::BroadcastShape`] if `middle` or `inner` is 0, or `middle·inner` is 2^31 or more.
    pub const fn new(definition: HardSigmoid, middle: u32, inner: u32) -> Result<Self, OpError> {
        match Broadcast::checked(middle, inner) {
            Some(shape) => Ok(Self { definition, shape }),
            None => Err(OpError::BroadcastShape { middle, inner }),
        }
    }

    /// The gate of this definition whose `a` and `b` have one length.
    pub(crate) const fn plain(definition: HardSigmoid) -> Self {
        let shape = Broadcast::NONE;
        Self { definition, shape }
    }

    /// The definition of the gate.
    pub const fn definition(self) -> HardSigmoid {
        self.definition
    }

    /// How `a` shares the numbers of `b`.
    pub const fn shape(self) -> Broadcast {
        self.shape
    }

    /// The number of steps that share each number of `b`.
    pub const fn middle(self) -> u32 {
        self.shape.middle
    }

    /// The number of elements in a step.
    pub const fn inner(self) -> u32 {
        self.shape.inner
    }

    /// The number of elements in a row of `a`: `middle·inner`.
    pub const fn row(self) -> u32 {
        self.shape.row()
    }

    /// `db` from the sum of the products; any NaN sum becomes [`INVALID_NAN`].
    #[inline(always)]
    pub(crate) fn db(self, b: f32, sum: f32) -> f32 {
        let sum = if sum.is_nan() { f32::from_bits(INVALID_NAN) } else { sum };
        self.definition.backward(b, sum)
    }

    /// Runs `run` with this gate, compiled for each form of its definition: see [`HardSigmoid::specialize`].
    #[inline(always)]
    pub(crate) fn specialize(self, run: impl FnOnce(Self)) {
        self.definition.specialize(
            #[inline(always)]
            |definition| run(Self { definition, ..self }),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_elements_and_they_can_be_counted() {
        let new = |middle, inner| BroadcastGate::new(HardSigmoid::JAX, middle, inner);
        assert_eq!(new(3, 5).map(BroadcastGate::row), Ok(15));
        assert!(new((1 << 31) - 1, 1).is_ok() && new(1, (1 << 31) - 1).is_ok());
        for (middle, inner) in [
            (0, 1),
            (1, 0),
            (0, 0),
            (1 << 31, 1),
            (1 << 16, 1 << 15),
            (u32::MAX, u32::MAX),
        ] {
            assert_eq!(new(middle, inner), Err(OpError::BroadcastShape { middle, inner }));
        }
    }
}
