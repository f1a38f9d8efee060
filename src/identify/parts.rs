//! Parts of long data. With the feature `parallel` they run on all cores.

#[cfg(feature = "parallel")]
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use std::ops::Range;

/// The number of elements of a part: some 100 microseconds of work.
const PART: usize = 1 << 16;

/// What `of` returns for each part of `0..len`, in order. The parts are the same on every machine.
pub(super) fn of_parts<R: Send>(len: usize, of: impl Fn(Range<usize>) -> R + Sync + Send) -> Vec<R> {
    let part = |i: usize| of(i * PART..len.min((i + 1) * PART));
    let parts = 0..len.div_ceil(PART);
    #[cfg(feature = "parallel")]
    if parts.len() > 1 {
        return parts.into_par_iter().map(part).collect();
    }
    parts.map(part).collect()
}

/// An index below `len` for which `is_it` holds.
pub(super) fn any_index(len: usize, is_it: impl Fn(usize) -> bool + Sync + Send) -> Option<usize> {
    let in_part = |i: usize| (i * PART..len.min((i + 1) * PART)).find(|&i| is_it(i));
    let mut parts = 0..len.div_ceil(PART);
    #[cfg(feature = "parallel")]
    if parts.len() > 1 {
        return parts.into_par_iter().find_map_any(in_part);
    }
    parts.find_map(in_part)
}
