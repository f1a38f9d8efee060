//! The CPU path in half floats against the frameworks, on all 65,536 values of each type.

use crate::{
    common::golden,
    slice::{CHUNK, chunks},
};
use hard_sigmoid::{Binary, HardSigmoid, Scalar, Unary, bf16, cpu, f16};
use rayon::prelude::*;

/// The bits of a uint16 `.npy` file.
fn npy_u16(name: &str) -> Vec<u16> {
    let bytes = std::fs::read(golden(name)).unwrap();
    let bits: Vec<u16> = npyz::NpyFile::new(&bytes[..]).unwrap().into_vec().unwrap();
    assert_eq!(bits.len(), 1 << 16);
    bits
}

/// Compares bits; any NaN equals the framework's NaN, which has its own pattern.
fn compare<T: Scalar>(what: &str, actual: &[T], expected: &[u16], bits: fn(T) -> u16, of: fn(u16) -> T) {
    let differs = |(i, (a, e)): (usize, (&T, &u16))| {
        let both_nan = a.to_f32().is_nan() && of(*e).to_f32().is_nan();
        (bits(*a) != *e && !both_nan).then(|| format!("input {i:#06x}: {:#06x}, expected {e:#06x}", bits(*a)))
    };
    let differing: Vec<_> = actual.iter().zip(expected).enumerate().filter_map(differs).collect();
    assert!(
        differing.is_empty(),
        "{what}: {} differ, first {}",
        differing.len(),
        differing[0]
    );
}

fn against_framework<T: Scalar>(definition: HardSigmoid, file: &str, of: fn(u16) -> T, bits: fn(T) -> u16) {
    let x: Vec<T> = (0..=u16::MAX).map(of).collect();
    let mut y = vec![of(0x1234); x.len()];
    cpu::unary(Unary::Forward(definition), &x, &mut y).unwrap();
    compare(file, &y, &npy_u16(&format!("{file}.y.npy")), bits, of);
    let sign_and_payload_are_kept = x.iter().zip(&y).filter(|(x, _)| x.to_f32().is_nan());
    for (&x, &y) in sign_and_payload_are_kept {
        let quiet = bits(T::from_f32(f32::from_bits(0x7fc0_0000)));
        assert_eq!(bits(y), bits(x) | quiet);
    }
    if definition == HardSigmoid::PYTORCH {
        let gradient = |i: u16| of((u32::from(i).wrapping_mul(0x9e37) + 0x1234) as u16);
        let g: Vec<T> = (0..=u16::MAX).map(gradient).collect();
        let mut dx = vec![of(0x1234); x.len()];
        cpu::binary(Binary::Backward(definition), &x, &g, &mut dx).unwrap();
        compare(file, &dx, &npy_u16(&format!("{file}.dx.npy")), bits, of);
        let mut in_place = g.clone();
        cpu::binary_in_place(Binary::Backward(definition), &x, &mut in_place).unwrap();
        assert!(in_place.iter().zip(&dx).all(|(a, b)| bits(*a) == bits(*b)));
        cpu::unary(Unary::HardSwish(definition), &x, &mut y).unwrap();
        compare(file, &y, &npy_u16(&format!("{file}.hard_swish.y.npy")), bits, of);
        cpu::binary(Binary::HardSwishBackward(definition), &x, &g, &mut dx).unwrap();
        compare(file, &dx, &npy_u16(&format!("{file}.hard_swish.dx.npy")), bits, of);
    }
}

/// Rounds by a search among the values: to the nearest, or, of two equally near ones, to the one with an even pattern.
fn rounds_to_nearest_even<T: Scalar>(of: fn(u16) -> T, bits: fn(T) -> u16, infinity: u16) {
    let value = |pattern: u16| f64::from(of(pattern).to_f32());
    let mut count = 0;
    for below in 0..infinity {
        let above = below + 1;
        // Beyond the largest value, the next one would have been one step more.
        let end = match above == infinity {
            true => 2.0 * value(below) - value(below - 1),
            false => value(above),
        };
        let middle = (value(below) + end) / 2.0;
        let around = [value(below), middle, end].map(|v| v as f32);
        assert!(around[1].is_infinite() || f64::from(around[1]) == middle);
        for v in around.into_iter().flat_map(|v| [v.next_down(), v, v.next_up()]) {
            let wide = f64::from(v);
            if wide < value(below) || wide >= end {
                continue;
            }
            let nearest = match wide.total_cmp(&middle) {
                std::cmp::Ordering::Less => below,
                std::cmp::Ordering::Greater => above,
                std::cmp::Ordering::Equal => below + below % 2,
            };
            assert_eq!(bits(T::from_f32(v)), nearest, "{v:e}");
            assert_eq!(bits(T::from_f32(-v)), nearest | 0x8000, "-{v:e}");
            count += 1;
        }
    }
    assert!(count >= 5 * usize::from(infinity), "{count}");
    assert_eq!(bits(T::from_f32(f32::INFINITY)), infinity);
}

/// What the kernels compute for a preset in halves: one affine formula for all, in which a compiler may fuse the
/// product and the sum, and a device may flush subnormals.
struct Device {
    fuses: bool,
    flushes: bool,
}

impl Device {
    fn flushed(&self, value: f32) -> f32 {
        match self.flushes && value.is_subnormal() {
            true => 0.0_f32.copysign(value),
            false => value,
        }
    }

    /// `scale` is the power of two by which the shader's f32 is smaller than the half.
    fn forward<T: Scalar>(&self, [slope, shift]: [f32; 2], x: T, scale: f32) -> T {
        let x = self.flushed(x.to_f32() * scale);
        let shift = shift * scale;
        let v = match self.fuses {
            true => slope.mul_add(x, shift),
            false => self.flushed(slope * x) + shift,
        };
        // The shader clamps on integers, where -0 is below 0.
        let y = self.flushed(v).clamp(0.0, scale) + 0.0;
        T::from_f32(y / scale)
    }
}

/// Counts the halves that show the order of roundings.
fn seen<T: Scalar>(definition: HardSigmoid, slope: f32, of: fn(u16) -> T, bits: fn(T) -> u16, scale: f32) -> usize {
    let all = (0..=u16::MAX).map(of).filter(|x| !x.to_f32().is_nan());
    let devices = [false, true].map(|fuses| [false, true].map(|flushes| Device { fuses, flushes }));
    let devices = devices.as_flattened();
    let differs = |x: &T| {
        let y = bits(T::from_f32(definition.forward(x.to_f32())));
        let numbers = [slope, definition.shift()];
        devices
            .iter()
            .any(|device| bits(device.forward(numbers, *x, scale)) != y)
    };
    all.filter(differs).count()
}

fn seen_in_halves(definition: HardSigmoid, slope: f32) -> [usize; 2] {
    let two_112 = 2.0f32.powi(-112);
    [
        seen(definition, slope, f16::from_bits, f16::to_bits, two_112),
        seen(definition, slope, bf16::from_bits, bf16::to_bits, 1.0),
    ]
}

/// Every order of roundings gives the same halves, so the kernels take no precautions with them. Of other definitions
/// that isn't known.
#[test]
fn the_order_of_a_presets_roundings_is_not_seen_in_halves() {
    for preset in HardSigmoid::PRESETS {
        let definition = preset.definition;
        assert_eq!(seen_in_halves(definition, definition.slope()), [0, 0], "{definition}");
    }
    let other = "affine(1.1, 0.3)".parse().unwrap();
    assert!(
        seen_in_halves(other, other.slope()).iter().all(|&count| count > 0),
        "nothing is seen of any definition"
    );
    assert!(
        seen_in_halves(HardSigmoid::PYTORCH, 0.167)
            .iter()
            .all(|&count| count > 0)
    );
}

/// A product gives the halves that `KERAS3`'s division of the gradient gives, so the kernels multiply.
#[test]
fn a_sixth_of_a_half_is_a_product() {
    fn differing<T: Scalar>(of: fn(u16) -> T, bits: fn(T) -> u16, sixth: f32) -> usize {
        let all = (0..=u16::MAX).map(of).filter(|g| !g.to_f32().is_nan());
        let differs = |g: &T| {
            let dx = T::from_f32(HardSigmoid::KERAS3.backward(0.0, g.to_f32()));
            bits(dx) != bits(T::from_f32(sixth * g.to_f32()))
        };
        all.filter(differs).count()
    }
    let sixth = 1.0f32 / 6.0;
    assert_eq!(differing(f16::from_bits, f16::to_bits, sixth), 0);
    assert_eq!(differing(bf16::from_bits, bf16::to_bits, sixth), 0);
    assert!(differing(f16::from_bits, f16::to_bits, 0.167) > 0);
}

/// A product with 1/6 gives the halves that the division in `PYTORCH`'s hard swish gives, so the kernels multiply.
#[test]
fn a_sixth_of_a_hard_swish_is_a_product() {
    fn differing<T: Scalar>(of: fn(u16) -> T, bits: fn(T) -> u16, sixth: f32) -> usize {
        let all = (0..=u16::MAX).map(of).filter(|x| x.to_f32() >= f32::MIN);
        let differs = |x: &T| {
            let wide = x.to_f32();
            let y = T::from_f32(HardSigmoid::PYTORCH.hard_swish(wide));
            bits(y) != bits(T::from_f32(wide * (wide + 3.0).clamp(0.0, 6.0) * sixth))
        };
        all.filter(differs).count()
    }
    let sixth = 1.0f32 / 6.0;
    assert_eq!(differing(f16::from_bits, f16::to_bits, sixth), 0);
    assert_eq!(differing(bf16::from_bits, bf16::to_bits, sixth), 0);
    assert!(differing(f16::from_bits, f16::to_bits, 0.167) > 0);
}

#[test]
fn halves_round_to_nearest_even() {
    rounds_to_nearest_even(f16::from_bits, f16::to_bits, 0x7c00);
    rounds_to_nearest_even(bf16::from_bits, bf16::to_bits, 0x7f80);
}

/// Compares the fast rounding with the `half` crate's own, and counts the inputs.
fn narrowed_like_half(all: impl Iterator<Item = u64>) -> u64 {
    let mut count = 0;
    for bits in all {
        let value = f32::from_bits(bits as u32);
        assert_eq!(
            f16::narrowed(value).to_bits(),
            f16::from_f32(value).to_bits(),
            "{bits:#010x}"
        );
        // Operations on bf16 give no other NaN.
        let is_possible = !value.is_nan() || bits & 0x0040_ffff == 0x0040_0000;
        if is_possible {
            assert_eq!(
                bf16::narrowed(value).to_bits(),
                bf16::from_f32(value).to_bits(),
                "{bits:#010x}"
            );
        }
        count += 1;
    }
    count
}

/// Every 251st pattern, which combines every exponent with all endings of mantissas; `./test.sh exhaustive` tests all
/// patterns.
#[test]
fn narrowed_is_what_half_says() {
    assert_eq!(narrowed_like_half((0..1 << 32).step_by(251)), (1 << 32) / 251 + 1);
}

#[test]
#[ignore = "takes a minute: ./test.sh exhaustive"]
fn narrowed_is_what_half_says_of_all_numbers() {
    let chunks = chunks();
    let seen = chunks.par_iter().map(|&start| narrowed_like_half(start..start + CHUNK));
    assert_eq!(seen.sum::<u64>(), chunks.len() as u64 * CHUNK, "the sweep has shrunk");
}

#[test]
fn pytorch_f16_is_torch() {
    against_framework(HardSigmoid::PYTORCH, "pytorch.f16", f16::from_bits, f16::to_bits);
}

#[test]
fn pytorch_bf16_is_torch() {
    against_framework(HardSigmoid::PYTORCH, "pytorch.bf16", bf16::from_bits, bf16::to_bits);
}

#[test]
fn onnx_f16_is_onnxruntime() {
    against_framework(HardSigmoid::ONNX, "onnx.f16", f16::from_bits, f16::to_bits);
}

#[test]
#[should_panic(expected = "differ, first input 0x")]
fn the_comparison_can_fail() {
    against_framework(HardSigmoid::PYTORCH, "onnx.f16", f16::from_bits, f16::to_bits);
}
