use crate::{
    math::lengths::MAX_TENSORS,
    plan::{kernel::Stage, params::Params},
};

/// The most dispatches of a part: a body and the tail.
pub(crate) const MAX_DISPATCHES: usize = 2;

/// A part of the tensors that one bind group covers.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// The parameters, to be bound after the last tensor; `bytemuck::bytes_of` gives their bytes.
    pub params: Params,
    pub(crate) dispatches: [Option<Dispatch>; MAX_DISPATCHES],
    pub(super) bindings: [Binding; MAX_TENSORS],
    pub(super) tensors: usize,
}

/// A range of a tensor to bind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The tensor: its index among the operation's operands and then its results.
    pub tensor: usize,
    /// Where the range starts, in bytes from the start of the tensor.
    pub offset: u64,
    /// How long the range is, in bytes. It consists of whole words, so where halves or bytes end within a word it
    /// includes what follows in it.
    pub size: u64,
}

impl Binding {
    pub(super) const NONE: Self = Self {
        tensor: 0,
        offset: 0,
        size: 0,
    };
}

/// An entry point and its grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dispatch {
    /// Which entry point.
    pub stage: Stage,
    /// Workgroups in x, y and z.
    pub workgroups: [u32; 3],
}

impl Dispatch {
    /// The entry point's name in WGSL.
    pub const fn entry_point(self) -> &'static str {
        self.stage.entry_point()
    }
}

impl Part {
    /// The tensors' ranges, in the order of the bindings of group 0; [`Part::params`] follow.
    pub fn bindings(&self) -> &[Binding] {
        &self.bindings[..self.tensors]
    }

    /// The dispatches of this part. Their order is free.
    pub fn dispatches(&self) -> impl Iterator<Item = Dispatch> + use<> {
        self.dispatches.into_iter().flatten()
    }
}
