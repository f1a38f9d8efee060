//! The gate of squeeze-and-excitation, for all shapes that broadcast.

use crate::{HardSigmoid, backend::HardSigmoidBackend};
use burn::{backend::Dispatch, tensor::Tensor};
use hard_sigmoid::BroadcastGate;

/// `a·hard_sigmoid(b)`, with `b` repeated along its dimensions of size 1. Its other dimensions have to equal those of `a`.
///
/// So `[n, c, 1, 1]` gates `[n, c, h, w]`, and `[n, 1, c]` gates `[n, t, c]`. It is one kernel, and one for each gradient. The
/// gradient of `b` is summed in `f32` over the repetitions, in one order on every device: see
/// [`BroadcastGate`](hard_sigmoid::BroadcastGate). If another dimension lies between two repeated ones, as in `[1, c, 1]`, `a` is copied,
/// and in the backward pass its gradient too.
///
/// # Panics
/// If the shapes don't fit, if `b` is repeated along 2^31 elements or more (with those that follow), or if the tensors hold another
/// type than f32, f16 or bf16.
pub fn gate<const D: usize>(a: Tensor<D>, b: Tensor<D>, definition: HardSigmoid) -> Tensor<D> {
    let shapes = [a.dims(), b.dims()];
    let Some(repeated) = repeated(shapes) else {
        panic!(
            "a gate of shape {:?} doesn't go with a tensor of shape {:?}: each extent has to be the same, or 1",
            shapes[1], shapes[0]
        );
    };
    let len: usize = shapes[0].iter().product();
    if len == 0 {
        // The product of an empty tensor gives the gate a gradient of zeros.
        return a * b;
    }
    let extents = |range: std::ops::Range<usize>| shapes[0][range].iter().product::<usize>();
    let (Some(first), Some(last)) = (repeated.iter().position(|&is| is), repeated.iter().rposition(|&is| is)) else {
        return launch(a, b, plain(definition));
    };
    let is_one_block = (first..last).all(|d| repeated[d] || shapes[0][d] == 1);
    if is_one_block {
        let (middle, inner) = (extents(first..last + 1), extents(last + 1..D));
        return launch(a, b, broadcast(definition, middle, inner));
    }
    // The repeated dimensions become the last ones.
    let mut order: [usize; D] = std::array::from_fn(|d| d);
    order.sort_by_key(|&d| repeated[d]);
    let mut inverse = order;
    for (place, &d) in order.iter().enumerate() {
        inverse[d] = place;
    }
    let axes = |order: [usize; D]| order.map(|d| d as isize);
    let middle = (0..D).filter(|&d| repeated[d]).map(|d| shapes[0][d]).product();
    let [a, b] = [a, b].map(|tensor| tensor.permute(axes(order)));
    launch(a, b, broadcast(definition, middle, 1)).permute(axes(inverse))
}

/// The dimensions in which `b` is repeated to the shape of `a`. `None` if the shapes don't fit.
fn repeated<const D: usize>([a, b]: [[usize; D]; 2]) -> Option<[bool; D]> {
    let fits = a.iter().zip(&b).all(|(a, b)| a == b || *b == 1);
    fits.then(|| std::array::from_fn(|d| a[d] != b[d]))
}

fn plain(definition: HardSigmoid) -> BroadcastGate {
    broadcast(definition, 1, 1)
}

fn broadcast(definition: HardSigmoid, middle: usize, inner: usize) -> BroadcastGate {
    // `new` refuses an extent beyond 32 bits as it refuses `u32::MAX`.
    let [middle, inner] = [middle, inner].map(|extent| u32::try_from(extent).unwrap_or(u32::MAX));
    BroadcastGate::new(definition, middle, inner).unwrap_or_else(|error| panic!("{error}"))
}

fn launch<const D: usize>(a: Tensor<D>, b: Tensor<D>, gate: BroadcastGate) -> Tensor<D> {
    Tensor::from_dispatch(Dispatch::hard_sigmoid_gate(a.into_dispatch(), b.into_dispatch(), gate))
}
