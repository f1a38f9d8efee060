//! Any backend without kernels of ours: the tensors travel to the host and back, and the CPU path computes.

use crate::backend::{Binary, Unary};
use burn::{
    backend::{Backend, TensorMetadata, tensor::FloatTensor},
    tensor::{DType, Element, TensorData, bf16, f16, try_read_sync},
};
use hard_sigmoid::{HardSigmoid, Scalar, cpu};

/// Runs `$run` with `$T` as the type that tensors of `$dtype` hold.
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

pub fn unary<B: Backend>(x: FloatTensor<B>, of: Unary) -> FloatTensor<B> {
    let device = x.device();
    let mut x = fetch::<B>(x);
    for_dtype!(x.dtype(), T => {
        let x = values_mut::<T>(&mut x);
        match of {
            Unary::Forward(definition) => cpu::forward_in_place(definition, x),
            Unary::HardSwish(definition) => cpu::hard_swish_in_place(definition, x),
            Unary::Binarize(binarization, _) => cpu::binarize_in_place(binarization, 1.0, x).expect("1 is finite"),
        }
    });
    B::float_from_data(x, &device)
}

pub fn binary<B: Backend>(a: FloatTensor<B>, b: FloatTensor<B>, of: Binary) -> FloatTensor<B> {
    let device = a.device();
    let (mut a, mut b) = (fetch::<B>(a), fetch::<B>(b));
    let computed = for_dtype!(a.dtype(), T => {
        let (a, b) = (values_mut::<T>(&mut a), values_mut::<T>(&mut b));
        match of {
            Binary::Gate(definition) => {
                cpu::gate_in_place(definition, a, b).map(|()| b.copy_from_slice(a))
            }
            Binary::Backward(definition) => cpu::backward_in_place(definition, a, b),
            Binary::HardSwishBackward(definition) => cpu::hard_swish_backward_in_place(definition, a, b),
            Binary::StraightThrough(estimator) => cpu::binarize_backward_in_place(estimator, a, b),
        }
    });
    computed.unwrap_or_else(|error| panic!("{error}"));
    B::float_from_data(b, &device)
}

pub fn gate_backward<B: Backend>(
    a: FloatTensor<B>,
    b: FloatTensor<B>,
    g: FloatTensor<B>,
    definition: HardSigmoid,
) -> (FloatTensor<B>, FloatTensor<B>) {
    let device = a.device();
    let [mut a, mut b, mut g] = [a, b, g].map(fetch::<B>);
    let (mut da, mut db) = (a.clone(), b.clone());
    let computed = for_dtype!(a.dtype(), T => cpu::gate_backward(
        definition,
        values_mut::<T>(&mut a),
        values_mut::<T>(&mut b),
        values_mut::<T>(&mut g),
        values_mut::<T>(&mut da),
        values_mut::<T>(&mut db),
    ));
    computed.unwrap_or_else(|error| panic!("{error}"));
    (B::float_from_data(da, &device), B::float_from_data(db, &device))
}

fn fetch<B: Backend>(tensor: FloatTensor<B>) -> TensorData {
    try_read_sync(B::float_into_data(tensor))
        .expect("this backend can't be read without waiting; compute on wgpu here")
        .unwrap_or_else(|error| panic!("reading the tensor: {error}"))
}

fn values_mut<T: Element + Scalar>(data: &mut TensorData) -> &mut [T] {
    data.as_mut_slice().expect("of this type")
}
