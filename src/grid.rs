//! Dispatch arithmetic: how many workgroups in x and y for so many invocations.

use crate::Error;

/// Invocations in a workgroup; `WORKGROUP` in the shader.
pub(crate) const WORKGROUP: u32 = 256;

/// Elements that one invocation works on.
const WIDTH: u32 = 4;

/// A two-dimensional dispatch. Invocation `(x, y)` works on the elements from `4 * (y * row + x)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grid {
    pub(crate) x: u32,
    pub(crate) y: u32,
    /// Invocations in one row.
    pub(crate) row: u32,
    /// Elements in all; up to three at the end are left to the tail.
    pub(crate) len: u32,
}

impl Grid {
    /// The grid for `len` elements on a device that allows `limit` workgroups in each dimension: one row where that
    /// is enough, else nearly square, so that few workgroups idle.
    pub(crate) fn new(len: u64, limit: u32) -> Result<Self, Error> {
        let len = u32::try_from(len).map_err(|_| Error::TooLarge {
            requested: len,
            limit: "elements (32-bit index)",
            allowed: u32::MAX.into(),
        })?;
        let groups = (len / WIDTH).div_ceil(WORKGROUP);
        let (x, y) = if groups <= limit {
            (groups, 1)
        } else {
            let x = groups.isqrt() + u32::from(groups.isqrt().pow(2) < groups);
            (x, groups.div_ceil(x))
        };
        if x > limit {
            return Err(Error::TooLarge {
                requested: x.into(),
                limit: "max_compute_workgroups_per_dimension",
                allowed: limit.into(),
            });
        }
        let row = x * WORKGROUP;
        Ok(Self { x, y, row, len })
    }

    /// Whether there is work for the vector kernel.
    pub(crate) fn has_body(self) -> bool {
        self.len >= WIDTH
    }

    /// Whether elements are left over from it.
    pub(crate) fn has_tail(self) -> bool {
        !self.len.is_multiple_of(WIDTH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn edges() {
        let grid = |len, limit| Grid::new(len, limit).map(|g| (g.x, g.y));
        assert_eq!(grid(0, 65535), Ok((0, 1)));
        assert_eq!(grid(3, 65535), Ok((0, 1)));
        assert_eq!(grid(4, 65535), Ok((1, 1)));
        assert_eq!(grid(1027, 65535), Ok((1, 1)));
        assert_eq!(grid(1028, 65535), Ok((2, 1)));
        assert_eq!(grid(65535 * 1024 + 3, 65535), Ok((65535, 1)));
        assert_eq!(grid(65535 * 1024 + 4, 65535), Ok((256, 256)));
        assert_eq!(grid(16 * 1024 + 3, 4), Ok((4, 4)));
        assert!(matches!(
            grid(16 * 1024 + 4, 4),
            Err(Error::TooLarge {
                requested: 5,
                allowed: 4,
                ..
            })
        ));
        assert!(matches!(grid(4, 0), Err(Error::TooLarge { .. })));
        assert_eq!(grid(u64::from(u32::MAX), 65535), Ok((2048, 2048)));
        assert!(matches!(
            grid(1 << 32, 65535),
            Err(Error::TooLarge {
                requested: 0x1_0000_0000,
                ..
            })
        ));
    }

    proptest! {
        #[test]
        fn every_vector_has_one_invocation_and_few_idle(len in 4u32.., limit in 1u32..=65535) {
            let vectors = u64::from(len / 4);
            if let Ok(Grid { x, y, row, .. }) = Grid::new(len.into(), limit) {
                prop_assert!(x <= limit && y <= limit && row == x * WORKGROUP);
                prop_assert!(u64::from(row) * u64::from(y) >= vectors);
                prop_assert!(u64::from(row) * u64::from(y - 1) < vectors);
                // The last index doesn't wrap: no element is computed twice.
                prop_assert!(u64::from(row) * u64::from(y) <= u64::from(u32::MAX));
            } else {
                prop_assert!(vectors > u64::from(limit).pow(2) * u64::from(WORKGROUP));
            }
        }
    }
}
