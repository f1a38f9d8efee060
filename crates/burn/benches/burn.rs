//! Compares our hard sigmoid with burn's own, on tensors that stay on the device, in turn in one run.
//!
//! `cargo bench -p hard-sigmoid-burn --bench burn` compares with burn's separate kernels, with `--features fusion` with the
//! fused ones, and with `--features vulkan` with those that burn compiles to SPIR-V. Our result is compared with the CPU path first.
//! `forward` holds its input, `tracked` records for a gradient, `backward` begins with a gradient of ones, `step` multiplies by a
//! weight between the two passes, `gate` is a channel's gate of images of 16 by 16, and `1000 small` enqueues a chain of forward
//! passes and waits once. The argument is the exponent of the largest tensor, 25 by default.
//!
//! The columns are the median times of ours, of `approximate` and of burn's own, and burn's time divided by ours.

use burn::tensor::{Device, DeviceKind, Gradients, Tensor, TensorData, activation};
use hard_sigmoid_burn::{HardSigmoid, approximate, gate, hard_sigmoid};
use std::time::Instant;

type Function = fn(Tensor<1>) -> Tensor<1>;
type Gate = fn(Tensor<2>, Tensor<2>) -> Tensor<2>;

const FUNCTIONS: [Function; 3] = [ours, approximately, burns];
const GATES: [Gate; 3] = [
    |a, b| gate(a, b, HardSigmoid::KERAS),
    |a, b| approximate::gate(a, b, HardSigmoid::KERAS),
    |a, b| a * activation::hard_sigmoid(b, 0.2, 0.5),
];

fn ours(x: Tensor<1>) -> Tensor<1> {
    hard_sigmoid(x, HardSigmoid::KERAS)
}

fn approximately(x: Tensor<1>) -> Tensor<1> {
    approximate::hard_sigmoid(x, HardSigmoid::KERAS)
}

fn burns(x: Tensor<1>) -> Tensor<1> {
    activation::hard_sigmoid(x, 0.2, 0.5)
}

fn main() {
    #[cfg(feature = "vulkan")]
    let device = Device::vulkan(DeviceKind::DefaultDevice);
    #[cfg(not(feature = "vulkan"))]
    let device = Device::wgpu(DeviceKind::DefaultDevice);
    let name = device.identity().map(|identity| identity.name.to_string());
    let fusion = if cfg!(feature = "fusion") { "with" } else { "without" };
    let language = if cfg!(feature = "vulkan") { "SPIR-V" } else { "WGSL" };
    println!("{}, burn {fusion} fusion, in {language}", name.unwrap_or_default());
    println!(
        "{:<12}{:>10} {:>12} {:>12} {:>12} {:>7}",
        "what", "elements", "ours", "approximate", "burn's", "times"
    );
    let largest = std::env::args().find_map(|argument| argument.parse().ok());
    for exponent in [10, 14, 18, 20, 22, 24, 25] {
        if largest.is_some_and(|largest: u32| exponent > largest) {
            break;
        }
        rows(&device, 1 << exponent);
    }
    let x = tensor(&device, 1 << 10);
    row("1000 small", 1 << 10, 11, FUNCTIONS, &|function| {
        let x = x.clone();
        timed(&device, || (0..1000).fold(x, |x, _| function(x))) / 1000.0
    });
}

fn rows(device: &Device, len: usize) {
    let x = tensor(device, len);
    let y = ours(x.clone()).into_data();
    let expected = values(len).into_iter().map(|x| HardSigmoid::KERAS.forward(x).to_bits());
    assert!(
        y.iter::<f32>().map(f32::to_bits).eq(expected),
        "the bits differ from the CPU path's"
    );

    let tracking = device.clone().autodiff();
    let tracked = tensor(&tracking, len).require_grad();
    let weight = tensor(&tracking, len);
    let rounds = (1 << 28 >> len.ilog2()).clamp(7, 101);
    row("forward", len, rounds, FUNCTIONS, &|function| {
        timed(device, || function(x.clone()))
    });
    row("tracked", len, rounds, FUNCTIONS, &|function| {
        timed(device, || function(tracked.clone()))
    });
    row("backward", len, rounds, FUNCTIONS, &|function| {
        let y = function(tracked.clone());
        device.sync().unwrap();
        timed(device, || gradient(&tracked, y.backward()))
    });
    row("step", len, rounds, FUNCTIONS, &|function| {
        timed(device, || {
            let weighted = function(tracked.clone()) * weight.clone();
            gradient(&tracked, weighted.backward())
        })
    });
    let images = |tensor: Tensor<1>| tensor.reshape([len / 256, 256]);
    let (a, b) = (images(x), tensor(device, len / 256).reshape([len / 256, 1]));
    row("gate", len, rounds, GATES, &|function| {
        timed(device, || function(a.clone(), b.clone()))
    });
    let [a, b] = [a, b].map(|tensor| Tensor::from_inner(tensor).require_grad());
    row("gate step", len, rounds, GATES, &|function| {
        timed(device, || {
            let gradients = function(a.clone(), b.clone()).backward();
            (a.grad(&gradients), b.grad(&gradients))
        })
    });
}

fn gradient(x: &Tensor<1>, gradients: Gradients) -> Tensor<1> {
    x.grad(&gradients).expect("x is tracked")
}

/// Seconds until the device has finished.
fn timed<R>(device: &Device, run: impl FnOnce() -> R) -> f64 {
    device.sync().unwrap();
    let start = Instant::now();
    let kept = run();
    device.sync().unwrap();
    let seconds = start.elapsed().as_secs_f64();
    drop(kept);
    seconds
}

fn row<F: Copy>(what: &str, len: usize, rounds: usize, functions: [F; 3], time: &dyn Fn(F) -> f64) {
    let mut times = [vec![], vec![], vec![]];
    for round in 0..rounds + 2 {
        for (function, times) in functions.into_iter().zip(&mut times) {
            let seconds = time(function);
            // The first rounds compile.
            if round > 1 {
                times.push(seconds);
            }
        }
    }
    let [ours, approximate, burns] = times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2] * 1e6
    });
    println!(
        "{what:<12}{len:>10} {ours:>9.1} us {approximate:>9.1} us {burns:>9.1} us {:>7.2}",
        burns / ours
    );
}

fn values(len: usize) -> Vec<f32> {
    (0..len).map(|i| ((i * 7919) % 8001) as f32 / 1000.0 - 4.0).collect()
}

fn tensor(device: &Device, len: usize) -> Tensor<1> {
    Tensor::from_data(TensorData::new(values(len), [len]), device)
}
