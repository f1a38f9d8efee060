//! Look-ups of bytes in a table, which compute functions of quantized tensors.

use crate::{
    cpu::{
        tasks::{Split, TASK_LEN, tasks},
        vectors::Vectors,
    },
    math::{broadcast::Broadcast, dtype::DType, error::OpError, op::Op},
};

/// `y[i] = table[x[i]]`: [`Op::Lookup`]. `table` has 256 bytes.
///
/// ```
/// use hard_sigmoid::{Quantization, Quantized, Rounding, HardSigmoid, Unary, cpu};
///
/// // x from -4 to 3.96875 in steps of 1/32, and y from 0 to 255/256.
/// let (x, y) = (Quantization::u8(1.0 / 32.0, 128)?, Quantization::u8(1.0 / 256.0, 0)?);
/// let op = Quantized::new(Unary::Forward(HardSigmoid::PYTORCH), x, y, Rounding::Onnx)?;
/// let mut results = [0; 3];
/// cpu::lookup(&op.table(), &[0, 128, 255], &mut results)?;
/// assert_eq!(results, [0, 128, 255]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Tensors of `i8` are the same bytes: `bytemuck::cast_slice` makes them `u8`.
///
/// # Errors
/// [`OpError::TableLength`], and [`OpError::LengthMismatch`] if `x` and `y` differ in length.
pub fn lookup(table: &[u8], x: &[u8], y: &mut [u8]) -> Result<(), OpError> {
    check(Op::Lookup, &[x.len(), table.len(), y.len()])?;
    map(table, [x], y);
    Ok(())
}

/// [`lookup`] in place: `y` replaces `x`.
///
/// # Errors
/// [`OpError::TableLength`]
pub fn lookup_in_place(table: &[u8], x: &mut [u8]) -> Result<(), OpError> {
    check(Op::Lookup, &[x.len(), table.len(), x.len()])?;
    map(table, [], x);
    Ok(())
}

/// `y[i] = table[256·b[j] + a[i]]`, where `j` is the place in `b` that `a[i]` shares: [`Op::LookupGate`]. `table` has 65,536
/// bytes.
///
/// # Errors
/// [`OpError::TableLength`]; [`OpError::PartialRow`] if the length of `a` isn't a multiple of `middle·inner`;
/// [`OpError::BroadcastLength`] if the length of `b` isn't that of `a` divided by `middle`; [`OpError::LengthMismatch`] if
/// `a` and `y` differ in length.
pub fn lookup_gate(shape: Broadcast, table: &[u8], a: &[u8], b: &[u8], y: &mut [u8]) -> Result<(), OpError> {
    check(Op::LookupGate(shape), &[a.len(), b.len(), table.len(), y.len()])?;
    map_gate(shape, table, [a], b, y);
    Ok(())
}

/// [`lookup_gate`] in place: `y` replaces `a`.
///
/// # Errors
/// See [`lookup_gate`].
pub fn lookup_gate_in_place(shape: Broadcast, table: &[u8], a: &mut [u8], b: &[u8]) -> Result<(), OpError> {
    check(Op::LookupGate(shape), &[a.len(), b.len(), table.len(), a.len()])?;
    map_gate(shape, table, [], b, a);
    Ok(())
}

fn check<const N: usize>(op: Op, sizes: &[usize; N]) -> Result<(), OpError> {
    op.check_sizes(DType::U8, &sizes.map(|size| size as u64)).map(drop)
}

/// Looks `x` up into `y`, or `y` in place if there is no `x`.
fn map<const N: usize>(table: &[u8], x: [&[u8]; N], y: &mut [u8]) {
    let table: &[u8; 256] = table.try_into().expect("the length was checked");
    tasks(
        y.len(),
        TASK_LEN,
        Split::of(x, 1),
        Split::of([y], 1),
        #[inline(always)]
        |vectors, _, x: [&[u8]; N], [y]: [&mut [u8]; 1]| replace(vectors, table, x, y),
    );
}

/// Bytes that are copied before they are looked up in place. So many stay in the first cache.
const BLOCK: usize = 4096;

#[inline(always)]
fn replace<const N: usize>(vectors: Vectors, table: &[u8; 256], x: [&[u8]; N], y: &mut [u8]) {
    let Some(x) = x.first() else {
        return vectors.look_up(table, y);
    };
    for (x, y) in x.chunks(BLOCK).zip(y.chunks_mut(BLOCK)) {
        y.copy_from_slice(x);
        vectors.look_up(table, y);
    }
}

fn map_gate<const N: usize>(shape: Broadcast, table: &[u8], a: [&[u8]; N], b: &[u8], y: &mut [u8]) {
    let (row, inner) = (shape.row() as usize, shape.inner() as usize);
    let tables: &[[u8; 256]] = bytemuck::cast_slice(table);
    tasks(
        y.len(),
        TASK_LEN,
        Split::of(a, 1),
        Split::of([y], 1),
        #[inline(always)]
        move |vectors, start, a: [&[u8]; N], [y]: [&mut [u8]; 1]| {
            let mut at = 0;
            while at < y.len() {
                let index = start + at;
                let place = shape.place(index);
                // A run has one number of b, if `inner` is 1, or lies in one step.
                let run = match inner {
                    1 => row - index % row,
                    _ => inner - index % inner,
                };
                let run = at..y.len().min(at + run);
                let (a, y) = (a.map(|a| &a[run.clone()]), &mut y[run.clone()]);
                if inner == 1 {
                    replace(vectors, &tables[usize::from(b[place])], a, y);
                } else {
                    for (i, &b) in b[place..][..y.len()].iter().enumerate() {
                        let a = a.first().map_or(y[i], |a| a[i]);
                        y[i] = tables[usize::from(b)][usize::from(a)];
                    }
                }
                at = run.end;
            }
        },
    );
}
