//! What a call computes: an operation on tensors in host memory.

use crate::math::{dtype::DType, op::Op};

/// An operation on tensors in host memory.
pub(super) struct Transfer<'a, R, const M: usize> {
    pub(super) op: Op,
    pub(super) dtype: DType,
    /// The number of elements.
    pub(super) len: usize,
    /// The operands in the order of the operation, without one that an output replaces.
    pub(super) inputs: Vec<&'a [u8]>,
    pub(super) outputs: [&'a mut [R]; M],
    pub(super) mode: Mode,
}

/// What a call does with the previous content of an output.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// The content is ignored.
    Replaced,
    /// The content is the operand of this index too, and is replaced.
    Updated(usize),
    /// The operation adds to the content.
    Added,
}

impl<R: bytemuck::Pod, const M: usize> Transfer<'_, R, M> {
    /// The outputs from element `done` on.
    pub(super) fn rest(&mut self, done: usize) -> [&mut [R]; M] {
        let first = self.size_of_outputs(done) as usize / size_of::<R>();
        self.outputs.each_mut().map(|output| &mut output[first..])
    }

    /// The bytes that `len` elements take in each output.
    pub(super) fn size_of_outputs(&self, len: usize) -> u64 {
        self.size(self.op.inputs().len(), len)
    }

    /// The bytes that `len` elements take in a tensor, numbered as by [`Op::sizes`].
    fn size(&self, tensor: usize, len: usize) -> u64 {
        self.op.size(tensor, self.dtype, len as u64)
    }

    /// The bytes of every operand from element `start` on, `len` elements each, and after them the bytes that the
    /// operation adds to.
    pub(super) fn uploads(&self, start: usize, len: usize) -> Vec<&[u8]> {
        let output = bytemuck::cast_slice(&*self.outputs[0]);
        let mut all = self.inputs.clone();
        match self.mode {
            Mode::Replaced => {}
            Mode::Updated(index) => all.insert(index, output),
            Mode::Added => all.push(output),
        }
        for (index, bytes) in all.iter_mut().enumerate() {
            // An output that is added to comes right after the operands.
            let start = self.op.offset(index, self.dtype, start as u64) as usize;
            *bytes = &bytes[start..][..self.size(index, len) as usize];
        }
        all
    }
}
