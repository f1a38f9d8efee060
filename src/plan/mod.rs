//! What to dispatch, as plain data: for programs that bring their own WebGPU implementation.
//!
//! [`Plan::new`] takes an operation, an element type, a placement, a length and a device's limits. The plan then names
//! the WGSL module and its constants, and for each part of the tensor the bytes to bind, the parameters, and the entry
//! points with their workgroups. `Kernels` (feature `wgpu`) only follows it.
//!
//! To follow a plan:
//! 1. Make a shader module of [`Plan::module`].
//! 2. For each [`Part`], make a bind group 0 that binds [`Part::bindings`] in their order, and after them a uniform
//!    buffer that holds [`Part::params`] (96 bytes). For a layout of your own, [`Plan::tensors`] tells how each is
//!    bound; a layout that the device makes from the shader (`"auto"`) fits too.
//! 3. For each of [`Part::dispatches`], make a pipeline of its entry point with the constants of [`Plan::constants`]
//!    (once: it depends on nothing else), and dispatch its workgroups. Keep the order of the parts. (Sums take 1 KiB of
//!    workgroup memory, for which WebGPU's default limits are enough.)
//!
//! ```
//! use hard_sigmoid::{DType, HardSigmoid, Unary, plan::{Limits, Operand, Placement, Plan}};
//!
//! let op = Unary::Forward(HardSigmoid::PYTORCH);
//! let plan = Plan::new(op, DType::F32, Placement::Separate, 1001, &Limits::default())?;
//! let parts: Vec<_> = plan.parts().collect();
//! assert_eq!(parts.len(), 1); // A tensor beyond 128 MiB takes several.
//! let tensors: Vec<_> = parts[0].bindings().iter().map(|b| (b.operand, b.offset, b.size)).collect();
//! assert_eq!(tensors, [(Operand::Input(0), 0, 4004), (Operand::Output(0), 0, 4004)]);
//! // 250 vectors of four elements, and one element in the tail.
//! let dispatches: Vec<_> = parts[0].dispatches().map(|d| (d.entry_point, d.workgroups)).collect();
//! assert_eq!(dispatches, [("unary", [1, 1, 1]), ("unary_tail", [1, 1, 1])]);
//! # Ok::<(), hard_sigmoid::plan::PlanError>(())
//! ```

pub(crate) mod broadcast;
pub(crate) mod formula;
pub(crate) mod grid;
pub(crate) mod limits;
pub(crate) mod params;
pub(crate) mod placement;
pub mod wgsl;

use crate::{
    math::{dtype::DType, error::OpError, op::Op},
    plan::{
        broadcast::Cut,
        grid::{WORD, Work, check_limits},
        placement::{MAX_TENSORS, Unit, bound},
        wgsl::Options,
    },
};
use std::fmt;

pub use limits::{Limits, UnsupportedDevice};
pub use params::Params;
pub use placement::{Access, Operand, Placement, Stage};

/// An operation can't be planned.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub enum PlanError {
    /// The operation doesn't allow this placement or this element type.
    Op(OpError),
    /// The device's limits are too small.
    UnsupportedDevice(UnsupportedDevice),
    /// WebGPU doesn't allow the alignment in the limits.
    Alignment {
        /// `min_storage_buffer_offset_alignment`, which has to be a power of two up to 2^26.
        given: u32,
    },
    /// The tensor has more bytes than can be counted.
    TooLong {
        /// Its length in elements.
        len: u64,
    },
}

/// The most elements of a tensor, so that sizes in bytes, rounded up to words, fit 64 bits.
const MAX_LEN: u64 = u64::MAX / 8;

/// The largest alignment. Parts start at multiples of up to 32 alignments, and a binding is shorter than 2^32 bytes.
const MAX_ALIGNMENT: u32 = 1 << 26;

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Op(error) => error.fmt(f),
            Self::UnsupportedDevice(error) => error.fmt(f),
            Self::Alignment { given } => write!(
                f,
                "min_storage_buffer_offset_alignment is {given}; it must be a power of two up to {MAX_ALIGNMENT}"
            ),
            Self::TooLong { len } => write!(f, "a tensor has at most {MAX_LEN} elements, but {len} were given"),
        }
    }
}

impl std::error::Error for PlanError {}

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

/// What to dispatch for an operation: see the [module](self).
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    op: Op,
    dtype: DType,
    placement: Placement,
    len: u64,
    limits: Limits,
    params: Params,
}

/// A part of the tensor that one bind group covers.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// The parameters, to be bound after the last tensor; `bytemuck::bytes_of` gives their bytes.
    pub params: Params,
    pub(crate) dispatches: [Option<Dispatch>; 3],
    bindings: [Binding; MAX_TENSORS],
    tensors: usize,
}

/// A range of a tensor to bind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The tensor.
    pub operand: Operand,
    /// Where the range starts, in bytes from the start of the tensor.
    pub offset: u64,
    /// How long it is, in bytes. These are whole words, so after an odd number of halves it includes the half that
    /// follows.
    pub size: u64,
}

/// An entry point and its grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dispatch {
    /// What it computes.
    pub stage: Stage,
    /// Its name in [`Plan::module`].
    pub entry_point: &'static str,
    /// Workgroups in x, y and z.
    pub workgroups: [u32; 3],
}

impl Plan {
    /// Plans an operation on tensors of `len` elements.
    ///
    /// # Errors
    /// [`OpError::NotInPlace`] if the operation doesn't allow the placement, [`OpError::ScaleTooLarge`] if the element
    /// type can't hold its scale, [`UnsupportedDevice`] if the limits are too small, [`PlanError::Alignment`] if WebGPU
    /// doesn't allow the alignment, [`PlanError::TooLong`] if `len` is 2^61 or more.
    ///
    /// For a broadcast gate `len` is the length of `a`: [`OpError::PartialRow`] if it isn't a multiple of
    /// `middle·inner`, and [`UnsupportedDevice`] also if a row of a gradient, or a step of a gate, doesn't fit into a
    /// binding.
    pub fn new(
        op: impl Into<Op>,
        dtype: DType,
        placement: Placement,
        len: u64,
        limits: &Limits,
    ) -> Result<Self, PlanError> {
        let op = op.into();
        op.check_scale(dtype)?;
        if !placement.allows(op) {
            return Err(OpError::NotInPlace { op: op.name() }.into());
        }
        let given = limits.min_storage_buffer_offset_alignment;
        if !given.is_power_of_two() || given > MAX_ALIGNMENT {
            return Err(PlanError::Alignment { given });
        }
        check_limits(limits, bound(op, placement).len())?;
        if len > MAX_LEN {
            return Err(PlanError::TooLong { len });
        }
        op.sizes(dtype, len)?;
        check_rows(op, dtype, len, limits)?;
        let params = Params::of_kernel(op, dtype);
        Ok(Self::of_checked(op, dtype, placement, len, *limits, params))
    }

    /// A plan of checked arguments. `params` are those of the kernel.
    pub(crate) fn of_checked(
        op: Op,
        dtype: DType,
        placement: Placement,
        len: u64,
        limits: Limits,
        params: Params,
    ) -> Self {
        Self {
            op,
            dtype,
            placement,
            len,
            limits,
            params,
        }
    }

    /// The WGSL module that has the entry points.
    pub fn module(&self) -> &'static str {
        wgsl::module(self.placement)
    }

    /// The pipeline constants of every entry point here.
    pub fn constants(&self) -> [(&'static str, f64); 4] {
        constants(self.op, Options::of(self.op, self.dtype))
    }

    /// The tensors in the order of their bindings, and how each is bound.
    pub fn tensors(&self) -> impl ExactSizeIterator<Item = (Operand, Access)> + Clone + use<> {
        let placement = self.placement;
        bound(self.op, placement).map(move |operand| (operand, placement::access(placement, operand)))
    }

    /// The parts of the tensors: one, or several if the device's limits require it, or none for an empty tensor.
    pub fn parts(&self) -> impl Iterator<Item = Part> + use<> {
        let Self {
            op,
            dtype,
            placement,
            len,
            limits,
            params,
        } = *self;
        let tensors = bound(op, placement);
        let cut = Cut::of(op, dtype, len, &limits);
        let sums = cut
            .into_iter()
            .flat_map(Cut::sums)
            .map(move |rows| rows.part(placement, params));
        let element_limits = cut.map_or(limits, Cut::element_limits);
        let len = if cut.is_some_and(Cut::are_sums) { 0 } else { len };
        let elements = grid::parts(element_limits, len, Work::of(op, dtype)).map(move |part| {
            let mut bindings = [Binding {
                operand: Operand::Input(0),
                offset: 0,
                size: 0,
            }; MAX_TENSORS];
            for (binding, operand) in bindings.iter_mut().zip(tensors.clone()) {
                let unit = Unit::of(op, operand);
                *binding = Binding {
                    operand,
                    offset: unit.size(part.start, dtype.size()),
                    size: unit.size(part.len.into(), dtype.size()).next_multiple_of(WORD),
                };
            }
            let mut params = params.of_part(part.start, part.len, part.grid.row);
            if let Some(cut) = cut {
                params = cut.bind_elements(part.start, part.len, &mut bindings, params);
            }
            let dispatch = |stage: Stage, workgroups| Dispatch {
                stage,
                entry_point: stage.entry_point(op, placement),
                workgroups,
            };
            let body = (part.grid.x > 0).then(|| dispatch(Stage::Body, [part.grid.x, part.grid.y, 1]));
            let tail = part.has_tail.then(|| dispatch(Stage::Tail, [1, 1, 1]));
            Part {
                params,
                bindings,
                tensors: tensors.len(),
                dispatches: [None, body, tail],
            }
        });
        sums.chain(elements)
    }
}

impl Part {
    /// The tensors' ranges, in the order of the bindings of group 0; [`Part::params`] follow.
    pub fn bindings(&self) -> &[Binding] {
        &self.bindings[..self.tensors]
    }

    /// The dispatches of this part, in the order of [`Stage`].
    pub fn dispatches(&self) -> impl Iterator<Item = Dispatch> + use<> {
        self.dispatches.into_iter().flatten()
    }
}

/// Checks that a device can bind the rows of a broadcast gate, which aren't all cut.
pub(crate) fn check_rows(op: Op, dtype: DType, len: u64, limits: &Limits) -> Result<(), UnsupportedDevice> {
    Cut::of(op, dtype, len, limits).map_or(Ok(()), Cut::check_limits)
}

pub(crate) fn constants(op: Op, options: Options) -> [(&'static str, f64); 4] {
    [
        ("KERNEL", f64::from(op.row().kernel as u32)),
        ("DTYPE", f64::from(options.dtype as u32)),
        ("FORMULA", f64::from(options.formula as u32)),
        ("STOCHASTIC", f64::from(u8::from(options.stochastic))),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::{
        binarize::Binarization,
        definition::HardSigmoid,
        op::{Binary, Unary},
    };

    #[test]
    fn what_does_not_exist_is_not_planned() {
        let limits = Limits::default();
        for op in Op::all(HardSigmoid::PYTORCH) {
            for &placement in Placement::ALL {
                let plan = Plan::new(op, DType::F16, placement, 102, &limits);
                assert_eq!(plan.is_ok(), placement.allows(op), "{op:?} {placement:?}");
            }
        }
        let in_place = |op| Plan::new(op, DType::F32, Placement::InPlace, 1, &limits).map(|_| ());
        let adds = Binary::BackwardAccumulate(HardSigmoid::PYTORCH);
        assert_eq!(in_place(adds), Err(OpError::NotInPlace { op: adds.name() }.into()));
        let packs = Op::Pack(Binarization::Deterministic);
        let large_alignment = Limits {
            min_storage_buffer_offset_alignment: MAX_ALIGNMENT,
            max_storage_buffer_binding_size: 1 << 40,
            ..limits
        };
        let plan = Plan::new(packs, DType::F32, Placement::Separate, 1 << 33, &large_alignment).unwrap();
        assert_eq!(plan.parts().count(), 16);
        let large = Unary::binarize(Binarization::Deterministic, 1e5).unwrap();
        assert!(Plan::new(large, DType::F16, Placement::Separate, 1, &limits).is_err());
        assert!(Plan::new(large, DType::Bf16, Placement::Separate, 1, &limits).is_ok());
        let error = Plan::new(large, DType::F32, Placement::Separate, u64::MAX, &limits).map(|_| ());
        assert_eq!(error, Err(PlanError::TooLong { len: u64::MAX }));
    }

    /// Limits that no device has are refused, or cut the tensor into parts that fit.
    #[test]
    fn any_limits_are_kept() {
        let op = Binary::Backward(HardSigmoid::KERAS);
        let mut planned = 0;
        for alignment in [1, 4, 16, 32, 256, 4096] {
            for binding in [0, 4, 16, 512, 8192, 1 << 20] {
                for workgroups in [0, 1, 2, 65535] {
                    let limits = Limits {
                        max_storage_buffers_per_shader_stage: 3,
                        max_storage_buffer_binding_size: binding,
                        min_storage_buffer_offset_alignment: alignment,
                        max_compute_workgroups_per_dimension: workgroups,
                    };
                    let Ok(plan) = Plan::new(op, DType::Bf16, Placement::Separate, 10_001, &limits) else {
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
            let error = Plan::new(op, DType::F32, Placement::Separate, 1, &limits).map(|_| ());
            assert_eq!(error, Err(PlanError::Alignment { given }));
        }
    }
}
