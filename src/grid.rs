//! Dispatch arithmetic: how a tensor is cut into dispatches, and how many workgroups in x and y each of them takes.

/// Invocations in a workgroup; `WORKGROUP` in the shader.
pub(crate) const WORKGROUP: u32 = 256;

/// Words (of 32 bits) that one invocation works on.
const WIDTH: u32 = 4;

/// So that twice as many elements, halves, can still be counted in 32 bits.
const MOST_WORDS: u64 = (u32::MAX / 2) as u64;

/// What a device allows one dispatch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowed {
    /// Largest binding in bytes.
    pub(crate) binding: u64,
    /// What the offset of a binding has to be a multiple of, in bytes; a power of two.
    pub(crate) alignment: u32,
    /// Workgroups in each dimension.
    pub(crate) workgroups: u32,
}

impl Allowed {
    /// Cuts a tensor of `len` words into dispatches: first word and length of each. All but the last are whole steps of
    /// the alignment and of the vector, so that each starts where a buffer can be bound and only the last has a tail.
    pub(crate) fn segments(self, len: u64) -> impl Iterator<Item = (u64, u32)> {
        let groups = u64::from(self.workgroups).pow(2);
        let in_grid = groups.saturating_mul(u64::from(WORKGROUP * WIDTH));
        let most = (self.binding / 4).min(in_grid).min(MOST_WORDS);
        let step = u64::from(self.alignment / 4).max(WIDTH.into());
        // At least one step: `check_limits` refuses devices that allow less.
        let segment = if len <= most { len } else { most / step * step }.max(1);
        (0..len.div_ceil(segment)).map(move |index| {
            let start = index * segment;
            (start, (len - start).min(segment) as u32)
        })
    }
}

/// A two-dimensional dispatch. Invocation `(x, y)` works on the words from `4 * (y * row + x)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grid {
    pub(crate) x: u32,
    pub(crate) y: u32,
    /// Invocations in one row.
    pub(crate) row: u32,
}

impl Grid {
    /// The grid for a segment of `len` whole words on a device that allows `limit` workgroups in each dimension: one row
    /// where that is enough, else nearly square, so that few workgroups idle.
    pub(crate) fn new(len: u32, limit: u32) -> Self {
        let groups = (len / WIDTH).div_ceil(WORKGROUP);
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
        let grid = |len, limit| (Grid::new(len, limit).x, Grid::new(len, limit).y);
        assert_eq!(grid(3, 65535), (0, 1));
        assert_eq!(grid(4, 65535), (1, 1));
        assert_eq!(grid(1027, 65535), (1, 1));
        assert_eq!(grid(1028, 65535), (2, 1));
        assert_eq!(grid(65535 * 1024 + 3, 65535), (65535, 1));
        assert_eq!(grid(65535 * 1024 + 4, 65535), (256, 256));
        assert_eq!(grid(16 * 1024, 4), (4, 4));
        assert_eq!(grid(u32::MAX, 65535), (2048, 2048));
    }

    #[test]
    fn segments_at_their_edges() {
        let segments = |len, binding, workgroups| {
            let allowed = Allowed {
                binding,
                alignment: 32,
                workgroups,
            };
            allowed.segments(len).collect::<Vec<_>>()
        };
        assert_eq!(segments(0, 1 << 27, 65535), []);
        assert_eq!(segments(1, 1 << 27, 65535), [(0, 1)]);
        assert_eq!(segments(1 << 25, 1 << 27, 65535), [(0, 1 << 25)]);
        assert_eq!(segments((1 << 25) + 1, 1 << 27, 65535), [(0, 1 << 25), (1 << 25, 1)]);
        // A binding of 100 bytes holds 25 elements: 3 steps of 8.
        assert_eq!(segments(25, 100, 65535), [(0, 25)]);
        assert_eq!(segments(50, 100, 65535), [(0, 24), (24, 24), (48, 2)]);
        // The grid limits too.
        assert_eq!(segments(16 * 1024 + 4, 1 << 27, 4), [(0, 16 * 1024), (16 * 1024, 4)]);
        // More words than 31 bits count, in one binding and in many.
        let most = (1 << 31) - 8;
        assert_eq!(segments((1 << 31) + 5, 1 << 40, 65535), [(0, most), (most.into(), 13)]);
        let many = segments((1 << 33) + 1, 1 << 27, 65535);
        assert_eq!((many.len(), many[256]), (257, (1 << 33, 1)));
    }

    proptest! {
        #[test]
        fn every_word_has_one_invocation_and_few_idle(
            len in 1u64..1 << 36,
            binding in 1024u64..1 << 34,
            workgroups in 1u32..=65535,
            shift in 5u32..=8,
        ) {
            let allowed = Allowed { binding, alignment: 1 << shift, workgroups };
            prop_assume!(len / binding < 1000 && len / (u64::from(workgroups).pow(2) * 1024) < 1000);
            let mut next = 0;
            for (start, len) in allowed.segments(len) {
                prop_assert_eq!(start, next);
                prop_assert!(start * 4 % u64::from(allowed.alignment) == 0);
                prop_assert!(len > 0 && u64::from(len) * 4 <= binding);
                next = start + u64::from(len);

                let Grid { x, y, row, .. } = Grid::new(len, workgroups);
                prop_assert!(x <= workgroups && y <= workgroups && row == x * WORKGROUP);
                let (vectors, invocations) = (u64::from(len / 4), u64::from(row) * u64::from(y));
                prop_assert!(invocations >= vectors);
                prop_assert!(vectors == 0 || u64::from(row) * u64::from(y - 1) < vectors);
                // The last index doesn't wrap: no element is computed twice.
                prop_assert!(invocations <= u64::from(u32::MAX));
            }
            prop_assert_eq!(next, len);
        }
    }
}
