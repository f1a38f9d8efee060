//! How long the tensors of an operation are.

use crate::math::{dtype::DType, error::OpError, op::Op};
use std::ops::Deref;

/// The most tensors that an operation has.
pub(crate) const MAX_TENSORS: usize = 5;

/// The most elements of a tensor, so that sizes in bytes, rounded up to words, fit 64 bits.
pub(crate) const MAX_LEN: u64 = u64::MAX / 8;

/// How many bytes each tensor of an operation takes: the operands and then the results, in the order of [`Op::inputs`]
/// and [`Op::outputs`]. It is a slice of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    all: [u64; MAX_TENSORS],
    tensors: usize,
}

impl Deref for Sizes {
    type Target = [u64];

    fn deref(&self) -> &[u64] {
        &self.all[..self.tensors]
    }
}

/// What a tensor holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    /// Every element.
    Elements,
    /// A bit for each element, 32 to a word.
    Bits,
    /// One number for this many elements.
    Shared(u32),
    /// So many bytes, whatever the number of elements.
    Table(u64),
}

impl Op {
    /// The bytes that each tensor takes for `len` elements. `len` is the length of the first tensor that holds elements:
    /// that of `y` to unpack signs, otherwise that of the first operand.
    ///
    /// ```
    /// use hard_sigmoid::{Binarization, BroadcastGate, DType, HardSigmoid, Op};
    ///
    /// let sizes = Op::Pack(Binarization::Deterministic).sizes(DType::F16, 33)?;
    /// assert_eq!(*sizes, [66, 8]); // x and bits
    ///
    /// let gate = BroadcastGate::new(HardSigmoid::PYTORCH, 49, 1)?;
    /// let sizes = Op::GateBroadcastSums(gate).sizes(DType::F32, 490)?;
    /// assert_eq!(*sizes, [1960, 40, 1960, 40]); // a, b, g and db
    /// # Ok::<(), hard_sigmoid::OpError>(())
    /// ```
    ///
    /// # Errors
    /// [`OpError::ElementType`] if the operation doesn't take elements of this type, [`OpError::ScaleTooLarge`] if they can't hold
    /// its scale, [`OpError::PartialRow`] if `len` isn't a multiple of a broadcast gate's `middle·inner`, and
    /// [`OpError::TooLong`] if it is 2^61 or more.
    pub fn sizes(self, dtype: DType, len: u64) -> Result<Sizes, OpError> {
        self.check_dtype(dtype)?;
        self.check_len(len)?;
        let tensors = self.tensors();
        let mut all = [0; MAX_TENSORS];
        for (tensor, size) in all[..tensors].iter_mut().enumerate() {
            *size = self.size(tensor, dtype, len);
        }
        Ok(Sizes { all, tensors })
    }

    /// Checks a length in elements.
    pub(crate) fn check_len(self, len: u64) -> Result<(), OpError> {
        if len > MAX_LEN {
            return Err(OpError::TooLong { len });
        }
        self.check_rows(len)
    }

    /// Checks the element type and the sizes of all tensors, in bytes and whole elements, and returns the length in elements. In
    /// place, give the size of the tensor that is replaced for the operand and for the result.
    pub(crate) fn check_sizes(self, dtype: DType, given: &[u64]) -> Result<u64, OpError> {
        debug_assert_eq!(given.len(), self.tensors(), "{}", self.name());
        self.check_dtype(dtype)?;
        let first = self.first_of_elements();
        let (a, a_len) = (self.tensor_name(first), given[first] / dtype.size());
        self.check_rows(a_len)?;
        for (tensor, &size) in given.iter().enumerate() {
            if size == self.size(tensor, dtype, a_len) {
                continue;
            }
            let (b, b_len) = (self.tensor_name(tensor), size / dtype.size());
            return Err(match self.holds(tensor) {
                Holds::Elements => OpError::LengthMismatch { a, a_len, b, b_len },
                Holds::Table(needed) => OpError::TableLength { needed, given: size },
                Holds::Bits => OpError::PackedLength {
                    operand: a,
                    len: a_len,
                    bits_size: size,
                },
                Holds::Shared(middle) => OpError::BroadcastLength {
                    a,
                    a_len,
                    b,
                    b_len,
                    middle,
                },
            });
        }
        Ok(a_len)
    }

    /// Whether a tensor holds bits instead of elements. Tensors are numbered as in [`Sizes`].
    #[inline]
    pub(crate) fn holds_bits(self, tensor: usize) -> bool {
        self.holds(tensor) == Holds::Bits
    }

    /// The number of operands and results.
    #[inline]
    pub(crate) const fn tensors(self) -> usize {
        self.inputs().len() + self.outputs().len()
    }

    /// The name of a tensor. Tensors are numbered as in [`Sizes`].
    #[inline]
    pub(crate) const fn tensor_name(self, tensor: usize) -> &'static str {
        let inputs = self.inputs();
        if tensor < inputs.len() {
            inputs[tensor]
        } else {
            self.outputs()[tensor - inputs.len()]
        }
    }

    #[inline]
    fn holds(self, tensor: usize) -> Holds {
        match (self, tensor) {
            (Self::Pack(_), 1) | (Self::Unpack(_), 0) => Holds::Bits,
            (Self::GateBroadcast(gate) | Self::GateBroadcastSums(gate), 1) | (Self::GateBroadcastSums(gate), 3) => {
                Holds::Shared(gate.middle())
            }
            (Self::LookupGate(shape), 1) => Holds::Shared(shape.middle()),
            (Self::Lookup, 1) => Holds::Table(256),
            (Self::LookupGate(_), 2) => Holds::Table(256 * 256),
            _ => Holds::Elements,
        }
    }

    /// The first tensor whose length is that of the operation.
    fn first_of_elements(self) -> usize {
        usize::from(self.holds_bits(0))
    }

    /// The bytes that a tensor takes for `len` elements that were checked. Tensors are numbered as in [`Sizes`].
    #[inline]
    pub(crate) fn size(self, tensor: usize, dtype: DType, len: u64) -> u64 {
        match self.holds(tensor) {
            Holds::Elements => len * dtype.size(),
            Holds::Bits => len.div_ceil(32) * 4,
            Holds::Shared(middle) => len / u64::from(middle) * dtype.size(),
            Holds::Table(size) => size,
        }
    }

    /// Where in a tensor the part that begins with element `start` begins, in bytes.
    #[inline]
    pub(crate) fn offset(self, tensor: usize, dtype: DType, start: u64) -> u64 {
        match self.holds(tensor) {
            Holds::Table(_) => 0,
            _ => self.size(tensor, dtype, start),
        }
    }

    /// The bytes of its table, 0 if it has none.
    pub(crate) fn table_size(self) -> u64 {
        let size = |tensor| match self.holds(tensor) {
            Holds::Table(size) => size,
            _ => 0,
        };
        (0..self.tensors()).map(size).sum()
    }

    fn check_rows(self, len: u64) -> Result<(), OpError> {
        match self.broadcast() {
            Some(gate) if !len.is_multiple_of(gate.row().into()) => Err(OpError::PartialRow {
                operand: self.tensor_name(0),
                len,
                middle: gate.middle(),
                inner: gate.inner(),
            }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::{broadcast::BroadcastGate, definition::HardSigmoid};

    /// What `sizes` says passes the check, and a change of any size doesn't.
    #[test]
    fn the_check_takes_what_sizes_says() {
        for op in Op::all(HardSigmoid::PYTORCH) {
            for &dtype in op.dtypes() {
                for len in [0, 6, 60, 66, 6 << 40, MAX_LEN / 6 * 6] {
                    let sizes = op.sizes(dtype, len).unwrap();
                    assert_eq!(sizes.len(), op.inputs().len() + op.outputs().len());
                    assert_eq!(op.check_sizes(dtype, &sizes), Ok(len), "{op:?} {dtype}");
                    for tensor in 0..sizes.len() {
                        let mut longer = sizes.all;
                        // Whole rows, and whole words of signs.
                        longer[tensor] += if op.holds_bits(tensor) { 4 } else { 96 * dtype.size() };
                        let error = op.check_sizes(dtype, &longer[..sizes.len()]);
                        assert!(error.is_err() || sizes.len() == 1, "{op:?} {dtype} {tensor}");
                    }
                }
                assert_eq!(op.sizes(dtype, MAX_LEN + 1), Err(OpError::TooLong { len: MAX_LEN + 1 }));
            }
        }
    }

    #[test]
    fn errors_name_the_tensors() {
        let gate = BroadcastGate::new(HardSigmoid::JAX, 3, 5).unwrap();
        let check = |sizes: [u64; 4]| {
            let sizes = sizes.map(|len| 4 * len);
            Op::GateBroadcastSums(gate).check_sizes(DType::F32, &sizes)
        };
        assert_eq!(check([0; 4]), Ok(0));
        assert_eq!(check([45, 15, 45, 15]), Ok(45));
        for (lengths, message) in [
            (
                [14, 5, 14, 5],
                "a holds 14 elements, which isn't a multiple of middle·inner = 3·5 = 15",
            ),
            (
                [15, 15, 15, 5],
                "a holds 15 elements and middle is 3, so b must hold 5, but it holds 15",
            ),
            ([30, 10, 15, 10], "a holds 30 elements but g holds 15"),
            ([30, 10, 30, 5], "db must hold 10, but it holds 5"),
        ] {
            let error = check(lengths).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}
