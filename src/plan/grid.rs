//! Dispatch arithmetic: how a tensor is cut into dispatches, and how many workgroups in x and y each of them takes.

use crate::{
    math::{dtype::DType, op::Op},
    plan::limits::{Limits, MAX_BINDING, UnsupportedDevice},
};

/// Bytes of a word, the unit of bindings and of the shader: one `f32`, two halves, or four bytes of quantized numbers.
pub(crate) const WORD: u64 = 4;

/// Invocations in a workgroup; `WORKGROUP` in the shader.
pub(crate) const WORKGROUP: u32 = 256;

/// Words (of 32 bits) that one invocation works on.
const WIDTH: u32 = 4;

/// Bytes of a vector, which are that many words.
pub(super) const VECTOR: u64 = WIDTH as u64 * WORD;

/// What an invocation works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Four words of elements.
    Words(DType),
    /// The signs of 32 elements, in one word.
    Signs(DType),
    /// Four words of elements, from their signs.
    FromSigns(DType),
}

impl Work {
    pub(crate) fn of(op: Op, dtype: DType) -> Self {
        match op {
            Op::Pack(_) => Self::Signs(dtype),
            Op::Unpack(_) => Self::FromSigns(dtype),
            Op::Unary(_)
            | Op::Binary(_)
            | Op::GateBackward(_)
            | Op::GateBroadcast(_)
            | Op::GateBroadcastSums(_)
            | Op::Lookup
            | Op::LookupGate(_) => Self::Words(dtype),
        }
    }

    fn dtype(self) -> DType {
        match self {
            Self::Words(dtype) | Self::Signs(dtype) | Self::FromSigns(dtype) => dtype,
        }
    }

    /// The number of elements of one invocation.
    fn width(self) -> u64 {
        match self {
            Self::Words(dtype) | Self::FromSigns(dtype) => u64::from(WIDTH) * WORD / dtype.size(),
            Self::Signs(_) => 32,
        }
    }

    /// The start of each part is a multiple of this number of elements, a step, because there every operand can be
    /// bound.
    fn step(self, alignment: u32) -> u64 {
        let alignment = u64::from(alignment).max(u64::from(WIDTH) * WORD);
        match self {
            Self::Words(dtype) => alignment / dtype.size(),
            Self::Signs(_) | Self::FromSigns(_) => alignment * 8,
        }
    }
}

/// The elements of a part, the same ones in each tensor. The grid of the body covers all but the last ones, and the
/// tail covers those.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// The first element.
    pub(crate) start: u64,
    /// The number of elements.
    pub(crate) len: u32,
    pub(crate) grid: Grid,
    /// Whether there are elements after those that the grid covers.
    pub(crate) has_tail: bool,
}

/// Cuts a tensor of `len` elements into parts. All but the last are whole steps (`Work::step`), so that each part
/// starts where a buffer can be bound, and only the last one has a tail.
pub(crate) fn pieces(limits: Limits, len: u64, work: Work) -> impl Iterator<Item = Piece> {
    let workgroups = limits.max_compute_workgroups_per_dimension;
    let groups = u64::from(workgroups).pow(2);
    let in_grid = groups.saturating_mul(u64::from(WORKGROUP)).saturating_mul(work.width());
    // A binding holds whole words, even if the last one is half full.
    let binding = limits.max_storage_buffer_binding_size.min(MAX_BINDING);
    let in_binding = binding / WORD * (WORD / work.dtype().size());
    let most = in_binding.min(in_grid);
    let step = work.step(limits.min_storage_buffer_offset_alignment);
    // At least one step: `check_limits` refuses devices that allow less.
    let longest = if len <= most { len.max(1) } else { most / step * step };
    (0..len.div_ceil(longest)).map(move |index| {
        let start = index * longest;
        let len = (len - start).min(longest) as u32;
        let invocations = len / work.width() as u32;
        Piece {
            start,
            len,
            grid: Grid::new(invocations, workgroups),
            has_tail: len > invocations * work.width() as u32,
        }
    })
}

/// Checks that a device with these limits can bind and dispatch one step of any tensor.
pub(super) fn check_limits(limits: &Limits) -> Result<(), UnsupportedDevice> {
    let alignment = limits.min_storage_buffer_offset_alignment;
    let needs: [(&'static str, u64, u64); 2] = [
        (
            "max_storage_buffer_binding_size",
            // One step of a tensor that is cut into parts: as many elements as signs fit into one alignment.
            32 * u64::from(alignment.max(16)),
            limits.max_storage_buffer_binding_size,
        ),
        (
            "max_compute_workgroups_per_dimension",
            min_workgroups(alignment).into(),
            limits.max_compute_workgroups_per_dimension.into(),
        ),
    ];
    needs
        .into_iter()
        .try_for_each(|(limit, needed, has)| UnsupportedDevice::check(limit, needed, has))
}

/// The number of workgroups in each dimension that a device has to allow: one part of a tensor must hold a whole step.
fn min_workgroups(alignment: u32) -> u32 {
    let groups = DType::ALL.iter().flat_map(|&dtype| {
        let works = [Work::Words(dtype), Work::Signs(dtype), Work::FromSigns(dtype)];
        works.map(|work| work.step(alignment).div_ceil(work.width() * u64::from(WORKGROUP)))
    });
    let most = groups.max().unwrap_or(1);
    (1..).find(|&x| u64::from(x).pow(2) >= most).unwrap_or(u32::MAX)
}

/// A two-dimensional dispatch, whose invocations are numbered `y * row + x`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grid {
    pub(crate) x: u32,
    pub(crate) y: u32,
    /// Invocations in one row of the grid.
    pub(crate) row: u32,
}

impl Grid {
    /// The grid of `invocations` on a device that allows `limit` workgroups in each dimension: one row if that is
    /// enough, else nearly square, so that few workgroups idle.
    fn new(invocations: u32, limit: u32) -> Self {
        let groups = invocations.div_ceil(WORKGROUP);
        let (x, y) = if groups <= limit {
            (groups, 1)
        } else {
            let x = groups.isqrt() + u32::from(groups.isqrt().pow(2) < groups);
            (x, groups.div_ceil(x))
        };
        let row = x * WORKGROUP;
        Self { x, y, row }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn grids_at_their_edges() {
        let grid = |invocations, limit| (Grid::new(invocations, limit).x, Grid::new(invocations, limit).y);
        assert_eq!(grid(0, 65535), (0, 1));
        assert_eq!(grid(1, 65535), (1, 1));
        assert_eq!(grid(256, 65535), (1, 1));
        assert_eq!(grid(257, 65535), (2, 1));
        assert_eq!(grid(65535 * 256, 65535), (65535, 1));
        assert_eq!(grid(65535 * 256 + 1, 65535), (256, 256));
        assert_eq!(grid(16 * 256, 4), (4, 4));
        assert_eq!(grid(u32::MAX / 4, 65535), (2048, 2048));
    }

    #[test]
    fn a_grid_holds_a_step() {
        // 1024 elements of unpacked signs in a workgroup, and steps of 8 elements for each byte of the alignment.
        let needed = [32, 128, 129, 256, 512, 1024].map(min_workgroups);
        assert_eq!(needed, [1, 1, 2, 2, 2, 3]);
    }

    #[test]
    fn parts_at_their_edges() {
        // The first element and the number of elements of each part.
        let parts = |len, work, binding, workgroups| {
            let limits = Limits {
                max_storage_buffer_binding_size: binding,
                min_storage_buffer_offset_alignment: 32,
                max_compute_workgroups_per_dimension: workgroups,
                ..Default::default()
            };
            let pieces = pieces(limits, len, work).map(|piece| (piece.start, piece.len));
            pieces.collect::<Vec<_>>()
        };
        let (f32, bf16) = (Work::Words(DType::F32), Work::Words(DType::Bf16));
        assert_eq!(parts(0, f32, 1 << 27, 65535), []);
        assert_eq!(parts(1, f32, 1 << 27, 65535), [(0, 1)]);
        assert_eq!(parts(1 << 25, f32, 1 << 27, 65535), [(0, 1 << 25)]);
        assert_eq!(parts((1 << 25) + 1, f32, 1 << 27, 65535), [(0, 1 << 25), (1 << 25, 1)]);
        assert_eq!(parts((1 << 26) + 3, bf16, 1 << 27, 65535), [(0, 1 << 26), (1 << 26, 3)]);
        // A binding of 102 bytes holds 25 words: 3 steps of 8.
        assert_eq!(parts(25, f32, 102, 65535), [(0, 25)]);
        assert_eq!(parts(50, f32, 102, 65535), [(0, 24), (24, 24), (48, 2)]);
        assert_eq!(parts(50, bf16, 102, 65535), [(0, 50)]);
        assert_eq!(parts(51, bf16, 102, 65535), [(0, 48), (48, 3)]);
        // The grid limits too.
        assert_eq!(parts(16 * 1024 + 4, f32, 1 << 27, 4), [(0, 16 * 1024), (16 * 1024, 4)]);
        // No binding reaches 4 GiB, however much the device allows.
        assert_eq!(parts((1 << 30) - 1, f32, 1 << 40, 65535), [(0, (1 << 30) - 1)]);
        assert_eq!(
            parts(1 << 30, f32, 1 << 32, 65535),
            [(0, (1 << 30) - 8), ((1 << 30) - 8, 8)]
        );
        assert_eq!(parts((1 << 31) - 2, bf16, 1 << 40, 65535), [(0, (1 << 31) - 2)]);
        let most = (1 << 31) - 16;
        assert_eq!(
            parts((1 << 31) - 1, bf16, 1 << 40, 65535),
            [(0, most), (most.into(), 15)]
        );
        // More elements than fit 32 bits.
        let many = parts((1 << 33) + 1, f32, 1 << 27, 65535);
        assert_eq!((many.len(), many[256]), (257, (1 << 33, 1)));
        let many = parts((1 << 34) + 3, bf16, 1 << 27, 65535);
        assert_eq!((many.len(), many[256]), (257, (1 << 34, 3)));
        // Signs start where a buffer can be bound: at whole multiples of 256.
        for work in [Work::Signs(DType::F32), Work::FromSigns(DType::F32)] {
            assert_eq!(parts(1100, work, 4096, 65535), [(0, 1024), (1024, 76)]);
            assert_eq!(parts(1100, work, 4000, 65535), [(0, 768), (768, 332)]);
        }
    }

    proptest! {
        #[test]
        fn every_element_has_one_invocation_and_few_idle(
            len in 1u64..1 << 37,
            dtype in prop::sample::select(DType::ALL),
            kind in 0usize..3,
            binding in 8192u64..1 << 34,
            workgroups in 1u32..=65535,
            shift in 5u32..=8,
        ) {
            let work = [Work::Words(dtype), Work::Signs(dtype), Work::FromSigns(dtype)][kind];
            let limits = Limits {
                max_storage_buffer_binding_size: binding,
                min_storage_buffer_offset_alignment: 1 << shift,
                max_compute_workgroups_per_dimension: workgroups,
                ..Default::default()
            };
            prop_assume!(workgroups >= min_workgroups(1 << shift));
            prop_assume!(len / binding < 1000 && len / (u64::from(workgroups).pow(2) * 1024) < 1000);
            let mut next = 0;
            for Piece { start, len, grid: Grid { x, y, row }, has_tail } in pieces(limits, len, work) {
                prop_assert_eq!(start, next);
                next += u64::from(len);
                prop_assert!(len > 0);
                // Bytes before an element: of the elements, and of their signs.
                let (size, alignment) = (dtype.size(), u64::from(limits.min_storage_buffer_offset_alignment));
                let mut bytes: Vec<Box<dyn Fn(u64) -> u64>> = vec![Box::new(|len| len * size)];
                if !matches!(work, Work::Words(_)) {
                    bytes.push(Box::new(|len| len.div_ceil(32) * 4));
                }
                for bytes in bytes {
                    prop_assert_eq!(bytes(start) % alignment, 0);
                    prop_assert!(bytes(len.into()).next_multiple_of(WORD) <= binding.min(MAX_BINDING));
                }

                prop_assert!(x <= workgroups && y <= workgroups && row == x * WORKGROUP);
                let (needed, invocations) = (u64::from(len) / work.width(), u64::from(row) * u64::from(y));
                prop_assert!(invocations >= needed);
                prop_assert!(needed == 0 || u64::from(row) * u64::from(y - 1) < needed);
                prop_assert_eq!(has_tail, u64::from(len) % work.width() != 0);
                // The last index doesn't wrap: no element is computed twice.
                prop_assert!(invocations <= u64::from(u32::MAX));
            }
            prop_assert_eq!(next, len);
        }
    }
}
