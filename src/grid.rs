//! Dispatch arithmetic: how a tensor is cut into dispatches, and how many workgroups in x and y each of them takes.

use crate::Element;

/// Bytes of a word, the unit of bindings and of the shader: one `f32`, or two halves.
pub(crate) const WORD: u64 = 4;

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

/// A part of a tensor that one dispatch covers, and a second one of its last words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// Where it starts in the tensor, in bytes.
    pub(crate) offset: u64,
    /// Its whole words, in bytes.
    pub(crate) size: u64,
    /// Elements.
    pub(crate) len: u32,
    pub(crate) grid: Grid,
    /// Whether there are words, or half a one, that the grid doesn't reach.
    pub(crate) has_tail: bool,
}

impl Allowed {
    /// Cuts a tensor of `len` elements into parts. All but the last are whole steps of the alignment and of the vector,
    /// so that each starts where a buffer can be bound and only the last has a tail.
    pub(crate) fn segments(self, len: u64, element: Element) -> impl Iterator<Item = Part> {
        let per_word = WORD / element.size();
        let words = len.div_ceil(per_word);
        let groups = u64::from(self.workgroups).pow(2);
        let in_grid = groups.saturating_mul(u64::from(WORKGROUP * WIDTH));
        let most = (self.binding / WORD).min(in_grid).min(MOST_WORDS);
        let step = u64::from(self.alignment).max(u64::from(WIDTH) * WORD) / WORD;
        // At least one step: `check_limits` refuses devices that allow less.
        let longest = if words <= most { words } else { most / step * step }.max(1);
        (0..words.div_ceil(longest)).map(move |index| {
            let start = index * longest;
            let words = (words - start).min(longest);
            // Only the last part may end within a word.
            let len = (len - start * per_word).min(words * per_word);
            let whole = len / per_word;
            Part {
                offset: start * WORD,
                size: words * WORD,
                len: len as u32,
                grid: Grid::new(whole as u32, self.workgroups),
                has_tail: words != whole || !whole.is_multiple_of(WIDTH.into()),
            }
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
        // Start in bytes, and elements.
        let segments = |len, element, binding, workgroups| {
            let allowed = Allowed {
                binding,
                alignment: 32,
                workgroups,
            };
            let parts = allowed.segments(len, element).map(|part| (part.offset, part.len));
            parts.collect::<Vec<_>>()
        };
        use Element::{Bf16, F32};
        assert_eq!(segments(0, F32, 1 << 27, 65535), []);
        assert_eq!(segments(1, F32, 1 << 27, 65535), [(0, 1)]);
        assert_eq!(segments(1 << 25, F32, 1 << 27, 65535), [(0, 1 << 25)]);
        assert_eq!(
            segments((1 << 25) + 1, F32, 1 << 27, 65535),
            [(0, 1 << 25), (1 << 27, 1)]
        );
        assert_eq!(
            segments((1 << 26) + 3, Bf16, 1 << 27, 65535),
            [(0, 1 << 26), (1 << 27, 3)]
        );
        // A binding of 100 bytes holds 25 words: 3 steps of 8.
        assert_eq!(segments(25, F32, 100, 65535), [(0, 25)]);
        assert_eq!(segments(50, F32, 100, 65535), [(0, 24), (96, 24), (192, 2)]);
        assert_eq!(segments(49, Bf16, 100, 65535), [(0, 49)]);
        assert_eq!(segments(51, Bf16, 100, 65535), [(0, 48), (96, 3)]);
        // The grid limits too.
        assert_eq!(segments(16 * 1024 + 4, F32, 1 << 27, 4), [(0, 16 * 1024), (1 << 16, 4)]);
        // More words than 31 bits count, in one binding and in many.
        let most = (1 << 31) - 8;
        assert_eq!(
            segments((1 << 31) + 5, F32, 1 << 40, 65535),
            [(0, most), (u64::from(most) * 4, 13)]
        );
        let many = segments((1 << 33) + 1, F32, 1 << 27, 65535);
        assert_eq!((many.len(), many[256]), (257, (1 << 35, 1)));
        // More elements than 32 bits count.
        let most = u32::MAX - 15;
        assert_eq!(
            segments((1 << 32) + 5, Bf16, 1 << 40, 65535),
            [(0, most), (u64::from(most) * 2, 21)]
        );
        let many = segments((1 << 34) + 3, Bf16, 1 << 27, 65535);
        assert_eq!((many.len(), many[256]), (257, (1 << 35, 3)));
    }

    proptest! {
        #[test]
        fn every_word_has_one_invocation_and_few_idle(
            len in 1u64..1 << 37,
            element in prop::sample::select(&Element::ALL[..]),
            binding in 1024u64..1 << 34,
            workgroups in 1u32..=65535,
            shift in 5u32..=8,
        ) {
            let allowed = Allowed { binding, alignment: 1 << shift, workgroups };
            prop_assume!(len / binding < 1000 && len / (u64::from(workgroups).pow(2) * 1024) < 1000);
            let mut next = 0;
            for Part { offset, size, len, grid: Grid { x, y, row }, has_tail } in allowed.segments(len, element) {
                prop_assert_eq!(offset, next * element.size());
                prop_assert!(offset % u64::from(allowed.alignment) == 0);
                let bytes = u64::from(len) * element.size();
                prop_assert!(len > 0 && bytes <= size && size < bytes + 4 && size % 4 == 0 && size <= binding);
                next += u64::from(len);

                prop_assert!(x <= workgroups && y <= workgroups && row == x * WORKGROUP);
                let (vectors, invocations) = (bytes / 16, u64::from(row) * u64::from(y));
                prop_assert!(invocations >= vectors);
                prop_assert!(vectors == 0 || u64::from(row) * u64::from(y - 1) < vectors);
                prop_assert_eq!(has_tail, bytes % 16 != 0);
                // The last index doesn't wrap: no element is computed twice.
                prop_assert!(invocations <= u64::from(u32::MAX));
            }
            prop_assert_eq!(next, len);
        }
    }
}
