//! The broadcast gate. Forward it is a product with the gates of `b`, which are computed once for a tile. `db` adds in the
//! order that [`BroadcastGate`] promises, in which vectors can add too.

use crate::{
    cpu::{
        check_sizes,
        elementwise::STRIP,
        tasks::{Split, TASK_LEN, tasks},
        vectors::Vectors,
    },
    math::{
        arithmetic::product,
        broadcast::{BroadcastGate, PARTIALS},
        dtype::{DType, Scalar},
        error::OpError,
        op::Op,
    },
};
use half::{bf16, f16};
use std::ops::Range;

/// `y = a·forward(b)`, where each number of `b` is the gate of many numbers of `a`: see [`BroadcastGate`].
///
/// # Errors
/// [`OpError::PartialRow`] if the length of `a` isn't a multiple of `middle·inner`; [`OpError::BroadcastLength`] if the
/// length of `b` isn't that of `a` divided by `middle`; [`OpError::LengthMismatch`] if `a` and `y` differ in length.
pub fn gate_broadcast<T: Scalar>(gate: BroadcastGate, a: &[T], b: &[T], y: &mut [T]) -> Result<(), OpError> {
    check_sizes::<T, _>(
        Op::GateBroadcast(gate),
        [size_of_val(a), size_of_val(b), size_of_val(y)],
    )?;
    compiled_here!(T: gated_copy(gate: BroadcastGate)[a: T, b: T][y: T]);
    Ok(())
}

/// [`gate_broadcast`] in place: `y` replaces `a`.
///
/// # Errors
/// See [`gate_broadcast`].
pub fn gate_broadcast_in_place<T: Scalar>(gate: BroadcastGate, a: &mut [T], b: &[T]) -> Result<(), OpError> {
    check_sizes::<T, _>(
        Op::GateBroadcast(gate),
        [size_of_val(a), size_of_val(b), size_of_val(a)],
    )?;
    compiled_here!(T: gated_in_place(gate: BroadcastGate)[b: T][a: T]);
    Ok(())
}

/// `db`, the gradient of the gate `b`, from `a`, `b` and `g`: see [`BroadcastGate`]. The other gradient, `da`, is
/// [`gate_broadcast`] of `g`; if it replaces `g`, compute the sums first.
///
/// # Errors
/// See [`gate_broadcast`]; `g` must have the length of `a`, and `db` that of `b`.
pub fn gate_broadcast_sums<T: Scalar>(
    gate: BroadcastGate,
    a: &[T],
    b: &[T],
    g: &[T],
    db: &mut [T],
) -> Result<(), OpError> {
    let sizes = [size_of_val(a), size_of_val(b), size_of_val(g), size_of_val(db)];
    check_sizes::<T, _>(Op::GateBroadcastSums(gate), sizes)?;
    compiled_here!(T: sums(gate: BroadcastGate)[a: T, b: T, g: T][db: T]);
    Ok(())
}

fn gated_copy<T: Scalar>(gate: BroadcastGate, [a, b]: [&[T]; 2], [y]: [&mut [T]; 1]) {
    gated(gate, [a], b, y);
}

fn gated_in_place<T: Scalar>(gate: BroadcastGate, [b]: [&[T]; 1], [a]: [&mut [T]; 1]) {
    gated(gate, [], b, a);
}

/// The most gates that are computed at a time; they stay in the core's cache.
const TILE: usize = 1024;

/// Gates `a` into `y`, or `y` in place if there is no `a`.
fn gated<T: Scalar, const N: usize>(gate: BroadcastGate, a: [&[T]; N], b: &[T], y: &mut [T]) {
    let (row, inner) = (gate.row() as usize, gate.inner() as usize);
    tasks(
        y.len(),
        TASK_LEN,
        Split::of(a, 1),
        Split::of([y], 1),
        #[inline(always)]
        move |vectors, start, a: [&[T]; N], [y]: [&mut [T]; 1]| {
            let mut tile = [0.0; TILE];
            let mut at = 0;
            while at < y.len() {
                let (outer, in_row) = ((start + at) / row, (start + at) % row);
                let left = (row - in_row).min(y.len() - at);
                let b = &b[outer * inner..][..inner];
                let from = in_row % inner;
                // A tile has whole steps, for all that is left of the row, or a piece of one step, only for that.
                let (len, run) = if inner <= TILE / 2 {
                    ((TILE / inner * inner).min(left), left)
                } else {
                    let piece = (inner - from).min(left).min(TILE);
                    (piece, piece)
                };
                let gates = &mut tile[..len];
                fill(gate, vectors, b, from, gates);
                for first in (at..at + run).step_by(len) {
                    let chunk = first..(at + run).min(first + len);
                    let a = a.map(|a| &a[chunk.clone()]);
                    multiply(vectors, a, &gates[..chunk.len()], &mut y[chunk]);
                }
                at += run;
            }
        },
    );
}

/// Fills a tile with the gates of `b`, from its number `from` on, again and again.
#[inline(always)]
fn fill<T: Scalar>(gate: BroadcastGate, vectors: Vectors, b: &[T], from: usize, tile: &mut [f32]) {
    let mut filled = b.len().min(tile.len());
    let (first, others) = tile[..filled].split_at_mut(filled.min(b.len() - from));
    vectors.widen(&b[from..][..first.len()], first);
    vectors.widen(&b[..others.len()], others);
    gate.definition().specialize_forward(
        #[inline(always)]
        |definition| {
            for gate in &mut tile[..filled] {
                *gate = definition.forward(*gate);
            }
        },
    );
    while filled < tile.len() {
        let next = filled.min(tile.len() - filled);
        tile.copy_within(..next, filled);
        filled += next;
    }
}

/// Multiplies `a`, or `y` if there is no `a`, by gates.
#[inline(always)]
fn multiply<T: Scalar, const N: usize>(vectors: Vectors, a: [&[T]; N], gates: &[f32], y: &mut [T]) {
    let whole = if vectors.converts(T::DTYPE) {
        y.len() / STRIP * STRIP
    } else {
        0
    };
    for (strip, gates) in gates[..whole].chunks_exact(STRIP).enumerate() {
        let strip = strip * STRIP..(strip + 1) * STRIP;
        let mut wide = [0.0; STRIP];
        vectors.widen(a.first().map_or(&y[strip.clone()], |a| &a[strip.clone()]), &mut wide);
        for (wide, gate) in wide.iter_mut().zip(gates) {
            *wide = product(*wide, *gate);
        }
        vectors.narrow(&wide, &mut y[strip]);
    }
    let (gates, y) = (&gates[whole..], &mut y[whole..]);
    match a.first() {
        Some(a) => {
            for ((y, a), gate) in y.iter_mut().zip(&a[whole..]).zip(gates) {
                *y = T::narrowed(product(a.widened(), *gate));
            }
        }
        None => {
            for (y, gate) in y.iter_mut().zip(gates) {
                *y = T::narrowed(product(y.widened(), *gate));
            }
        }
    }
}

/// The most sums that are computed at a time. Their partial sums take 64 KiB, and memory is read in long runs.
const COLUMNS: usize = 256;

/// The most sums that are computed at a time if there are so few sums that some cores would have no work.
const FEW_COLUMNS: usize = 64;

fn sums<T: Scalar>(gate: BroadcastGate, [a, b, g]: [&[T]; 3], [db]: [&mut [T]; 1]) {
    let (row, inner) = (gate.row() as usize, gate.inner() as usize);
    let most = if db.len() < 4 * COLUMNS { FEW_COLUMNS } else { COLUMNS };
    let task = (TASK_LEN / gate.middle() as usize)
        .max(1)
        .next_multiple_of(inner.min(most));
    tasks(
        db.len(),
        task,
        Split::of([b], 1),
        Split::of([db], 1),
        #[inline(always)]
        move |vectors, start, [b]: [&[T]; 1], [db]: [&mut [T]; 1]| {
            // Partial sums that would stay +0 are left out, since they change nothing.
            let lanes = (gate.middle() as usize).min(PARTIALS).next_power_of_two();
            let mut partials = vec![0.0; lanes * inner.min(most)];
            let mut at = 0;
            while at < db.len() {
                let (outer, column) = ((start + at) / inner, (start + at) % inner);
                let columns = (inner - column).min(db.len() - at).min(most);
                let [a, g] = [a, g].map(|values| &values[outer * row..][..row]);
                let partials = &mut partials[..lanes * columns];
                column_sums(vectors, inner, column..column + columns, [g, a], partials);
                // Only the step from the sums to `db` depends on the form of the definition.
                let (b, db) = (&b[at..][..columns], &mut db[at..][..columns]);
                gate.specialize(
                    #[inline(always)]
                    |gate| {
                        for ((db, b), sum) in db.iter_mut().zip(b).zip(partials) {
                            *db = T::narrowed(gate.db(b.widened(), *sum));
                        }
                    },
                );
                at += columns;
            }
        },
    );
}

/// The most partial sums that are added to before others. With two operands they fit into the fastest cache.
const BLOCK: usize = 2048;

/// Sums the products in some columns of a row. The sums become the first numbers of `partials`. Before that, `partials`
/// holds partial sum 0 of all these columns, then partial sum 1 of all, and so on.
#[inline(always)]
fn column_sums<T: Scalar>(
    vectors: Vectors,
    inner: usize,
    columns: Range<usize>,
    factors: [&[T]; 2],
    partials: &mut [f32],
) {
    let count = columns.len();
    let lanes = partials.len() / count;
    partials.fill(0.0);
    let [g, a] = factors;
    let in_block = (BLOCK / count).max(1);
    for (block, partials) in partials.chunks_mut(in_block * count).enumerate() {
        let first = block * in_block;
        for step in (first..g.len() / inner).step_by(lanes) {
            if count == inner {
                // These are all columns of the row, so its steps follow one another without a gap.
                let run = step * inner..g.len().min(step * inner + partials.len());
                add_products(vectors, [&g[run.clone()], &a[run]], partials);
                continue;
            }
            let steps = step * inner..g.len();
            let steps = g[steps.clone()].chunks_exact(inner).zip(a[steps].chunks_exact(inner));
            for ((g, a), sums) in steps.zip(partials.chunks_exact_mut(count)) {
                add_products(vectors, [&g[columns.clone()], &a[columns.clone()]], sums);
            }
        }
    }
    let mut half = lanes / 2;
    while half > 0 {
        let (sums, others) = partials.split_at_mut(half * columns.len());
        for (sum, other) in sums.iter_mut().zip(others) {
            *sum += *other;
        }
        half /= 2;
    }
}

/// Adds each product to the sum of the same index. The last sums may have none.
#[inline(always)]
fn add_products<T: Scalar>(vectors: Vectors, [g, a]: [&[T]; 2], sums: &mut [f32]) {
    if !vectors.converts(T::DTYPE) {
        for ((sum, g), a) in sums.iter_mut().zip(g).zip(a) {
            *sum += g.widened() * a.widened();
        }
        return;
    }
    let whole = g.len() / STRIP * STRIP;
    for first in (0..whole).step_by(STRIP) {
        let strip = first..first + STRIP;
        add_strip(vectors, [&g[strip.clone()], &a[strip.clone()]], &mut sums[strip]);
    }
    if whole < g.len() {
        add_strip(vectors, [&g[whole..], &a[whole..]], &mut sums[whole..]);
    }
}

/// Adds at most as many products as a strip has.
#[inline(always)]
fn add_strip<T: Scalar>(vectors: Vectors, [g, a]: [&[T]; 2], sums: &mut [f32]) {
    let mut wide = [[0.0; STRIP]; 2];
    vectors.widen(g, &mut wide[0]);
    vectors.widen(a, &mut wide[1]);
    for ((sum, g), a) in sums.iter_mut().zip(&wide[0][..g.len()]).zip(&wide[1]) {
        *sum += g * a;
    }
}
