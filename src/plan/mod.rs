//! What to compile, bind and dispatch, as plain data: for programs that bring their own WebGPU implementation.
//!
//! A [`Kernel`] is an operation on an element type, with its tensors placed in some way: it gives a WGSL module. A [`Plan`] of a
//! kernel and a length, for a [`Device`], says for each part of the tensors which bytes to bind, the parameters, and the entry
//! points with their workgroups. `gpu::Kernels` (feature `wgpu`) only follows it.
//!
//! To follow a plan:
//! 1. Make a shader module of [`Kernel::text`], and a pipeline of each of [`Kernel::stages`]. Keep them:
//!    [`Kernel::pipeline_key`] tells which kernels share them.
//! 2. For each [`Part`], make a bind group 0 that binds [`Part::bindings`] in their order, and after them a uniform
//!    buffer that holds [`Part::params`] (48 bytes). For a layout of your own, [`Kernel::tensors`] tells how each is
//!    bound; a layout that the device makes from the shader (`"auto"`) fits too, but it is
//!    one for each pipeline, and so is a bind group of it.
//! 3. Dispatch each of [`Part::dispatches`].
//!
//! ```
//! use hard_sigmoid::{DType, HardSigmoid, Unary, plan::{Device, Kernel, Placement, Plan, Stage}};
//!
//! let op = Unary::Forward(HardSigmoid::PYTORCH);
//! let kernel = Kernel::new(op, DType::F32, Placement::Separate)?;
//! let plan = Plan::new(kernel, 1001, &Device::default())?;
//! let parts: Vec<_> = plan.parts().collect();
//! assert_eq!(parts.len(), 1); // A tensor beyond 128 MiB takes several.
//! // x and y.
//! let tensors: Vec<_> = parts[0].bindings().iter().map(|b| (b.tensor, b.offset, b.size)).collect();
//! assert_eq!(tensors, [(0, 0, 4004), (1, 0, 4004)]);
//! // 250 vectors of four elements, and one element in the tail.
//! let dispatches: Vec<_> = parts[0].dispatches().map(|d| (d.stage, d.workgroups)).collect();
//! assert_eq!(dispatches, [(Stage::Body, [1, 1, 1]), (Stage::Tail, [1, 1, 1])]);
//! # Ok::<(), hard_sigmoid::plan::PlanError>(())
//! ```

mod broadcast;
mod device;
mod formula;
mod grid;
mod items;
mod kernel;
pub(crate) mod limits;
mod params;
mod part;
mod short;
mod text;
pub mod wgsl;
mod window;

use crate::{
    math::{error::OpError, lengths::MAX_TENSORS},
    plan::{broadcast::Cut, grid::Work},
};
use std::fmt;

pub use device::Device;
pub(crate) use grid::WORD;
#[cfg(feature = "wgpu")]
pub(crate) use grid::WORKGROUP;
pub use kernel::{Access, Kernel, Placement, Stage, Tensor};
pub use limits::{Limits, UnsupportedDevice};
pub use params::Params;
#[cfg(feature = "wgpu")]
pub(crate) use part::MAX_DISPATCHES;
pub use part::{Binding, Dispatch, Part};

/// An operation can't be planned.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub enum PlanError {
    /// The operation doesn't allow this placement, this element type or this length.
    Op(OpError),
    /// The device's limits are too small.
    UnsupportedDevice(UnsupportedDevice),
    /// WebGPU doesn't allow the alignment in the limits.
    Alignment {
        /// `min_storage_buffer_offset_alignment`, which has to be a power of two up to 2^26.
        given: u32,
    },
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Op(error) => error.fmt(f),
            Self::UnsupportedDevice(error) => error.fmt(f),
            Self::Alignment { given } => write!(
                f,
                "min_storage_buffer_offset_alignment is {given}; it must be a power of two up to {}",
                limits::MAX_ALIGNMENT
            ),
        }
    }
}

impl std::error::Error for PlanError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Op(error) => error.source(),
            Self::UnsupportedDevice(error) => error.source(),
            Self::Alignment { .. } => None,
        }
    }
}

impl From<OpError> for PlanError {
    fn from(error: OpError) -> Self {
        Self::Op(error)
    }
}

impl From<UnsupportedDevice> for PlanError {
    fn from(error: UnsupportedDevice) -> Self {
        Self::UnsupportedDevice(error)
    }
}

/// What to dispatch for a kernel: see the [module](self).
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    kernel: Kernel,
    len: u64,
    limits: Limits,
}

impl Plan {
    /// Plans a kernel on tensors of `len` elements; for a broadcast gate that is the length of `a`.
    ///
    /// # Errors
    /// [`UnsupportedDevice`] if the kernel needs more than the device allows, also if a row of a broadcast gate's sums, or a
    /// step of a broadcast gate, doesn't fit into a binding. [`OpError::PartialRow`] if `len` isn't a multiple of
    /// `middle·inner`, [`OpError::TooLong`] if it is 2^61 or more.
    pub fn new(kernel: Kernel, len: u64, device: &Device) -> Result<Self, PlanError> {
        device.check(kernel)?;
        let limits = device.limits();
        kernel.op().check_len(len)?;
        if let Some(cut) = Cut::of(kernel, len, &limits) {
            cut.check_limits()?;
        }
        Ok(Self { kernel, len, limits })
    }

    /// The kernel.
    pub const fn kernel(&self) -> Kernel {
        self.kernel
    }

    /// The parts of the tensors: one, or several if the device's limits require it, or none for an empty tensor.
    pub fn parts(&self) -> impl Iterator<Item = Part> + use<> {
        let Self { kernel, len, limits } = *self;
        let cut = Cut::of(kernel, len, &limits);
        let limits = cut.map_or(limits, Cut::element_limits);
        let mut pieces = grid::pieces(limits, len, Work::of(kernel.op(), kernel.dtype()));
        let mut sums = cut.filter(|cut| cut.has_sums()).map(Cut::sums);
        std::iter::from_fn(move || match &mut sums {
            Some(sums) => sums.next(),
            None => pieces.next().map(|piece| elements_of(kernel, cut, piece)),
        })
    }
}

/// The part of the tensors that has the elements of a piece.
fn elements_of(kernel: Kernel, cut: Option<Cut>, piece: grid::Piece) -> Part {
    let (op, dtype) = (kernel.op(), kernel.dtype());
    let tensors = kernel.tensors();
    let mut bindings = [Binding::NONE; MAX_TENSORS];
    for (binding, tensor) in bindings.iter_mut().zip(tensors.clone()) {
        *binding = Binding {
            tensor: tensor.index,
            offset: op.offset(tensor.index, dtype, piece.start),
            size: op.size(tensor.index, dtype, piece.len.into()).next_multiple_of(WORD),
        };
    }
    let by_rows = cut.and_then(|cut| cut.by_rows(piece.start, piece.len));
    let (body, grid) = by_rows.unwrap_or((Stage::Body, piece.grid));
    let mut params = Params::new(op).of_part(piece.start, piece.len, grid.row);
    if let Some(cut) = cut {
        params = cut.bind_elements(piece.start, piece.len, &mut bindings, params);
    }
    let dispatch = |stage, workgroups| Dispatch { stage, workgroups };
    let body = match text::is_stochastic(op) && params.begins_block() {
        true => Stage::BodyAligned,
        false => body,
    };
    let body = (grid.x > 0).then(|| dispatch(body, [grid.x, grid.y, 1]));
    let tail = piece.has_tail.then(|| dispatch(Stage::Tail, [1, 1, 1]));
    Part {
        params,
        dispatches: [body, tail],
        bindings,
        tensors: tensors.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::{
        binarize::Binarization,
        definition::HardSigmoid,
        dtype::DType,
        op::{Binary, Op, Unary},
    };

    #[test]
    fn long_tensors_are_cut_where_they_can_be_bound() {
        let large_alignment = Device::new(Limits {
            min_storage_buffer_offset_alignment: limits::MAX_ALIGNMENT,
            max_storage_buffer_binding_size: 1 << 40,
            ..Default::default()
        })
        .unwrap();
        let packs = Op::Pack(Binarization::Deterministic);
        let kernel = Kernel::new(packs, DType::F32, Placement::Separate).unwrap();
        assert_eq!(
            Plan::new(kernel, 1 << 33, &large_alignment).unwrap().parts().count(),
            16
        );
        let error = Plan::new(kernel, u64::MAX, &large_alignment).map(|_| ());
        assert_eq!(error, Err(OpError::TooLong { len: u64::MAX }.into()));
    }

    /// A random stream that begins with a block has a body of its own, whatever part of a tensor it is.
    #[test]
    fn draws_from_a_block_on_have_their_own_body() {
        for (offset, stage) in [
            (0, Stage::BodyAligned),
            (u64::MAX - 3, Stage::BodyAligned),
            (1, Stage::Body),
            (6, Stage::Body),
            (u64::MAX, Stage::Body),
        ] {
            let draws = Binarization::stochastic(7, offset);
            for op in [Op::Pack(draws), Unary::binarize(draws, 1.0).unwrap().into()] {
                let kernel = Kernel::new(op, DType::F16, Placement::Separate).unwrap();
                let plan = Plan::new(kernel, (1 << 27) + 9, &Device::default()).unwrap();
                let stages: Vec<_> = plan
                    .parts()
                    .map(|part| part.dispatches().next().unwrap().stage)
                    .collect();
                assert_eq!(stages[..2], [stage; 2], "{op:?}");
            }
        }
    }

    /// Limits that no device has are refused, or cut the tensor into parts that fit.
    #[test]
    fn any_limits_are_kept() {
        let backward = Binary::Backward(HardSigmoid::KERAS);
        let kernel = Kernel::new(backward, DType::Bf16, Placement::Separate).unwrap();
        let mut planned = 0;
        for alignment in [1, 4, 16, 32, 256, 4096] {
            for binding in [0, 4, 16, 512, 8192, 1 << 20] {
                for workgroups in [0, 1, 2, 65535] {
                    let limits = Limits {
                        max_storage_buffers_per_shader_stage: 3,
                        max_storage_buffer_binding_size: binding,
                        min_storage_buffer_offset_alignment: alignment,
                        max_compute_workgroups_per_dimension: workgroups,
                        max_compute_workgroup_storage_size: 0,
                    };
                    let device = Device::new(limits);
                    let Ok(plan) = device.and_then(|device| Plan::new(kernel, 10_001, &device)) else {
                        continue;
                    };
                    planned += 1;
                    let mut next = 0;
                    for part in plan.parts() {
                        for binding in part.bindings() {
                            assert_eq!(binding.offset, next);
                            assert!(binding.size <= limits.max_storage_buffer_binding_size);
                            assert!(binding.offset.is_multiple_of(alignment.into()));
                        }
                        for dispatch in part.dispatches() {
                            assert!(
                                dispatch
                                    .workgroups
                                    .iter()
                                    .all(|&count| (1..=workgroups).contains(&count))
                            );
                        }
                        next += part.bindings()[0].size;
                    }
                    assert_eq!(next, 20_004);
                }
            }
        }
        assert!(planned > 20, "{planned}");
        for given in [0, 3, 24, 100, 1 << 27, 1 << 31] {
            let limits = Limits {
                min_storage_buffer_offset_alignment: given,
                max_storage_buffer_binding_size: 1 << 40,
                ..Default::default()
            };
            assert_eq!(Device::new(limits), Err(PlanError::Alignment { given }));
        }
    }
}
