//! The operations on any other backend. The tensors travel to the host, where the CPU path computes, and back.

use crate::op;
use burn::{
    backend::{Backend, TensorMetadata, tensor::FloatTensor},
    tensor::{DType, Element, TensorData, bf16, f16, try_read_sync},
};
use hard_sigmoid::{Binary, BroadcastGate, OpError, Scalar, Unary, cpu};

/// Runs `$run` with `$T` as the element type of `$dtype`.
macro_rules! for_dtype {
    ($dtype:expr, $T:ident => $run:expr) => {
        match $dtype {
            DType::F32 => {
                type $T = f32;
                $run
            }
            DType::F16 => {
                type $T = f16;
                $run
            }
            DType::BF16 => {
                type $T = bf16;
                $run
            }
            other => panic!("hard-sigmoid computes on f32, f16 and bf16, not on {other:?}: cast the tensor first"),
        }
    };
}

pub fn unary<B: Backend>(x: FloatTensor<B>, op: Unary) -> FloatTensor<B> {
    let device = x.device();
    let mut x = fetch::<B>(x);
    succeed(for_dtype!(x.dtype(), T => cpu::unary_in_place::<T>(op, values_mut(&mut x))));
    B::float_from_data(x, &device)
}

pub fn gradient<B: Backend>(x: FloatTensor<B>, g: FloatTensor<B>, op: Binary) -> FloatTensor<B> {
    let device = x.device();
    let [x, mut g] = [x, g].map(fetch::<B>);
    succeed(for_dtype!(x.dtype(), T => cpu::binary_in_place::<T>(op, values(&x), values_mut(&mut g))));
    B::float_from_data(g, &device)
}

pub fn gate<B: Backend>(a: FloatTensor<B>, b: FloatTensor<B>, gate: BroadcastGate) -> FloatTensor<B> {
    let device = a.device();
    let [mut a, b] = [a, b].map(fetch::<B>);
    succeed(for_dtype!(b.dtype(), T => match op::is_plain(gate) {
        true => cpu::binary_in_place::<T>(Binary::Gate(gate.definition()), values(&b), values_mut(&mut a)),
        false => cpu::gate_broadcast_in_place::<T>(gate, values_mut(&mut a), values(&b)),
    }));
    B::float_from_data(a, &device)
}

pub fn gate_backward<B: Backend>(
    a: FloatTensor<B>,
    b: FloatTensor<B>,
    g: FloatTensor<B>,
    gate: BroadcastGate,
) -> (FloatTensor<B>, FloatTensor<B>) {
    let device = a.device();
    let [a, b, g] = [a, b, g].map(fetch::<B>);
    let (mut da, mut db) = (a.clone(), b.clone());
    succeed(for_dtype!(a.dtype(), T => {
        let (da, db) = (values_mut::<T>(&mut da), values_mut::<T>(&mut db));
        match op::is_plain(gate) {
            true => cpu::gate_backward(gate.definition(), values(&a), values(&b), values(&g), da, db),
            false => cpu::gate_broadcast_sums(gate, values(&a), values(&b), values(&g), db)
                .and_then(|()| cpu::gate_broadcast(gate, values(&g), values(&b), da)),
        }
    }));
    (B::float_from_data(da, &device), B::float_from_data(db, &device))
}

fn fetch<B: Backend>(tensor: FloatTensor<B>) -> TensorData {
    try_read_sync(B::float_into_data(tensor))
        .expect("this backend's tensors can't be read synchronously here: use a wgpu device")
        .unwrap_or_else(|error| panic!("reading the tensor: {error}"))
}

fn values<T: Element + Scalar>(data: &TensorData) -> &[T] {
    data.as_slice().expect("the tensors have to hold the same type")
}

fn values_mut<T: Element + Scalar>(data: &mut TensorData) -> &mut [T] {
    data.as_mut_slice().expect("the tensors have to hold the same type")
}

fn succeed(computed: Result<(), OpError>) {
    computed.unwrap_or_else(|error| panic!("{error}"));
}
