//! The hard sigmoid in `f32` and its gradient, made of burn's own operations but with the bits of our kernels. burn's fusion makes
//! them part of the kernels around them, which it can't do with a kernel of ours.
//!
//! A compiler may turn a product and a sum that uses it into one fma, which rounds once instead of twice; cubecl does it whenever
//! nothing else uses the product. So a `clamp` stands between them, also between ours and those of the neighbours. Its bounds
//! are numbers that the kernel reads, so no compiler knows that it changes nothing.

use burn::{
    backend::{
        Backend, TensorMetadata, get_or_init_device_settings,
        tensor::{Device, FloatTensor},
    },
    tensor::{DType, Scalar},
};
use hard_sigmoid::{Binary, HardSigmoid, KinkRule, Region, Unary};

const SIXTH: f32 = 1.0 / 6.0;

/// `None` for operations, definitions and types that need a kernel of ours. The result of a NaN is a NaN, whose payload is up
/// to the GPU's arithmetic.
pub fn unary<B: Backend>(x: &FloatTensor<B>, op: Unary) -> Option<FloatTensor<B>> {
    let Unary::Forward(definition) = op else {
        return None;
    };
    let value = value(definition).filter(|_| x.dtype() == DType::F32)?;
    Some(value.of::<B>(x.clone()))
}

/// As [`unary`].
pub fn gradient<B: Backend>(x: &FloatTensor<B>, g: &FloatTensor<B>, op: Binary) -> Option<FloatTensor<B>> {
    let Binary::Backward(definition) = op else {
        return None;
    };
    value(definition).filter(|_| [x.dtype(), g.dtype()] == [DType::F32; 2])?;
    // These two have a gradient of their own.
    if definition == HardSigmoid::KERAS3 || definition.kink_rule() == KinkRule::Half {
        return None;
    }
    let [first, last] = passing(definition);
    let device: Device<B> = x.device();
    let bools = get_or_init_device_settings::<B>(&device).bool_dtype;
    let dx = product::<B>(g.clone(), definition.slope());
    let zeros = B::float_zeros(x.shape(), &device, DType::F32.into());
    // NaN isn't inside.
    let is_above = B::float_greater_equal_elem(x.clone(), scalar(first), bools);
    let is_below = B::float_lower_equal_elem(x.clone(), scalar(last), bools);
    let dx = B::float_mask_where(zeros.clone(), is_above, dx);
    Some(B::float_mask_where(zeros, is_below, dx))
}

/// A formula of the hard sigmoid.
enum Value {
    /// `clamp(slope·x + 1/2, 0, 1)`
    Affine(f32),
    /// `clamp(x + 3, 0, 6) / 6`
    Divided,
    /// `clamp(x + 3, 0, 6)·(1/6)`
    Multiplied,
}

fn value(definition: HardSigmoid) -> Option<Value> {
    // Tried in the WGSL that burn writes, not in its SPIR-V and MSL.
    if cfg!(any(feature = "vulkan", feature = "metal")) {
        return None;
    }
    // With such a slope, no subnormal number matters to the result.
    let is_moderate = (1.0 / 16384.0..=16384.0).contains(&definition.slope()) && definition.shift() == 0.5;
    if [HardSigmoid::PYTORCH, HardSigmoid::KERAS3].contains(&definition) {
        Some(Value::Divided)
    } else if definition == HardSigmoid::JAX {
        Some(Value::Multiplied)
    } else {
        is_moderate.then(|| Value::Affine(definition.slope()))
    }
}

impl Value {
    fn of<B: Backend>(self, x: FloatTensor<B>) -> FloatTensor<B> {
        // x + 3, clamped to 0 and 6. The sum of the clamped x is the clamped sum, since rounding keeps the order.
        let relu6 = |x| sum::<B>(clamped::<B>(x, -3.0, 3.0), 3.0);
        // The product with 1/6 is at most 1.
        let sixth = |t| clamped::<B>(product::<B>(t, SIXTH), 0.0, 1.0);
        match self {
            Self::Affine(slope) => sum::<B>(clamped::<B>(product::<B>(x, slope), -0.5, 0.5), 0.5),
            Self::Multiplied => sixth(relu6(x)),
            Self::Divided => {
                // As in `shaders/hard_sigmoid.wgsl`: q is off by one ulp at most, the remainder t - 6q is exact, and the last
                // sum is right with one rounding or two. Without the clamp of the difference lavapipe gives other bits.
                let t = relu6(x);
                let q = sixth(t.clone());
                let difference = B::float_sub(t, product::<B>(q.clone(), 4.0));
                let difference = clamped::<B>(difference, 0.0, 3.0);
                let remainder = B::float_sub(difference, product::<B>(q.clone(), 2.0));
                B::float_add(q, product::<B>(remainder, SIXTH))
            }
        }
    }
}

/// The first and the last number at which the gradient passes. It passes at 0, where y is 1/2.
fn passing(definition: HardSigmoid) -> [f32; 2] {
    [-1.0f32, 1.0].map(|sign| {
        let (mut passes, mut fails) = (0, f32::INFINITY.to_bits());
        while fails - passes > 1 {
            let middle = (passes + fails) / 2;
            match definition.region(f32::from_bits(middle).copysign(sign)) {
                Some(Region::Linear) => passes = middle,
                _ => fails = middle,
            }
        }
        f32::from_bits(passes).copysign(sign)
    })
}

fn product<B: Backend>(x: FloatTensor<B>, by: f32) -> FloatTensor<B> {
    B::float_mul_scalar(x, scalar(by))
}

fn sum<B: Backend>(x: FloatTensor<B>, with: f32) -> FloatTensor<B> {
    B::float_add_scalar(x, scalar(with))
}

/// burn's `clamp` keeps NaN.
fn clamped<B: Backend>(x: FloatTensor<B>, low: f32, high: f32) -> FloatTensor<B> {
    B::float_clamp(x, scalar(low), scalar(high))
}

fn scalar(value: f32) -> Scalar {
    Scalar::Float(value.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_passes_where_it_should() {
        for preset in HardSigmoid::PRESETS {
            let definition = preset.definition;
            let [first, last] = passing(definition);
            let dx = |x: f32| definition.backward(x, 1.0);
            assert!(dx(first) > 0.0 && dx(last) > 0.0, "{definition}");
            assert_eq!([dx(first.next_down()), dx(last.next_up())], [0.0; 2], "{definition}");
        }
    }
}
