//! Dispatch arithmetic: how many workgroups in x and y for so many invocations.

use crate::Error;

/// Invocations in a workgroup; `WORKGROUP` in the shader.
pub(crate) const WORKGROUP: u32 = 256;

/// A two-dimensional dispatch. Invocation `(x, y)` works on item `y * row + x`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grid {
    pub(crate) x: u32,
    pub(crate) y: u32,
    /// Invocations in one row.
    pub(crate) row: u32,
}

impl Grid {
    /// The grid for `items` invocations on a device that allows `limit` workgroups in each dimension: one row where
    /// that is enough, else nearly square, so that few workgroups idle.
    pub(crate) fn new(items: u64, limit: u32) -> Result<Self, Error> {
        let groups = items.div_ceil(u64::from(WORKGROUP));
        let (x, y) = if groups <= u64::from(limit) {
            (groups, 1)
        } else {
            let x = groups.isqrt() + u64::from(groups.isqrt().pow(2) < groups);
            (x, groups.div_ceil(x))
        };
        if x > u64::from(limit) {
            return Err(Error::TooLarge {
                requested: x,
                limit: "max_compute_workgroups_per_dimension",
                allowed: u64::from(limit),
            });
        }
        // Indices are 32 bits wide: a wrapped one would compute an element twice.
        let invocations = x * y * u64::from(WORKGROUP);
        if invocations > 1 << 32 {
            return Err(Error::TooLarge {
                requested: invocations,
                limit: "invocations (32-bit index)",
                allowed: 1 << 32,
            });
        }
        Ok(Self {
            x: x as u32,
            y: y as u32,
            row: x as u32 * WORKGROUP,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn edges() {
        let grid = |items, limit| Grid::new(items, limit).map(|g| (g.x, g.y));
        assert_eq!(grid(1, 65535), Ok((1, 1)));
        assert_eq!(grid(256, 65535), Ok((1, 1)));
        assert_eq!(grid(257, 65535), Ok((2, 1)));
        assert_eq!(grid(65535 * 256, 65535), Ok((65535, 1)));
        assert_eq!(grid(65535 * 256 + 1, 65535), Ok((256, 256)));
        assert_eq!(grid(16 * 256, 4), Ok((4, 4)));
        assert!(matches!(grid(16 * 256 + 1, 4), Err(Error::TooLarge { requested: 5, allowed: 4, .. })));
        assert!(matches!(grid(1, 0), Err(Error::TooLarge { .. })));
        // The largest grid whose last index still fits.
        assert_eq!(grid(1 << 32, 65535), Ok((4096, 4096)));
        assert!(matches!(grid((1 << 32) + 1, 65535), Err(Error::TooLarge { .. })));
    }

    proptest! {
        #[test]
        fn every_item_has_one_invocation_and_few_idle(items in 1u64..1 << 31, limit in 1u32..=65535) {
            if let Ok(Grid { x, y, row }) = Grid::new(items, limit) {
                prop_assert!(x <= limit && y <= limit && row == x * WORKGROUP);
                prop_assert!(u64::from(row) * u64::from(y) >= items);
                prop_assert!(u64::from(row) * u64::from(y - 1) < items);
            } else {
                prop_assert!(items > u64::from(limit).pow(2) * u64::from(WORKGROUP));
            }
        }
    }
}
