//! What an activation costs as the epilogue of a tiled matrix product, and inside the product of the backward pass: nothing, the short
//! text, the exact text, and a launch of its own, on every adapter that the environment allows.
//!
//! `cargo bench --bench fused` asserts the exact results against the CPU path first. The variants run in turn. Columns: the median
//! time of one layer without an activation, and the ratios of the others to it. The kernels are those of the example `fused`.

#[path = "common/adapters.rs"]
mod adapters;
#[expect(dead_code, reason = "shared with benchmarks that use more of it")]
mod common;
#[path = "../examples/fused/layer.rs"]
mod layer;

use common::{DEFINITION, assert_results, is_short};
use hard_sigmoid::{
    Binary, DType, HardSigmoid, Unary,
    gpu::{Kernels, Launch},
    wgsl::{self, Options, Text},
};
use layer::{Data, Kernel, Layer, Shape};
use std::time::Instant;

/// Layers in a submission.
const REPEATS: usize = 2;
const ROUNDS: usize = 9;

fn main() {
    for adapter in adapters::adapters() {
        let descriptor = wgpu::DeviceDescriptor {
            required_limits: adapter.limits(),
            ..Default::default()
        };
        let (device, queue) = pollster::block_on(adapter.request_device(&descriptor)).unwrap();
        let info = adapter.get_info();
        println!(
            "\n{} ({:?}, {} {})",
            info.name, info.backend, info.driver, info.driver_info
        );
        // A software driver takes long enough for small products.
        let (size, depths) = match info.device_type {
            wgpu::DeviceType::Cpu => (512, [4, 16, 64]),
            _ => (4096, [16, 64, 256]),
        };
        let shapes = match is_short() {
            true => vec![Shape { m: 50, n: 70, k: 30 }],
            false => depths.map(|k| Shape { m: size, n: size, k }).into(),
        };
        for shape in shapes {
            let data = Data::new(shape);
            Bench::new(Layer::new(&device, &queue, &data)).run(&data);
        }
    }
}

/// An activation with its gradient, and the names of their functions.
#[derive(Clone, Copy)]
struct Activation {
    name: &'static str,
    forward: Unary,
    backward: Binary,
}

fn activations(of: HardSigmoid) -> [Activation; 2] {
    [
        Activation {
            name: "hard_sigmoid",
            forward: Unary::Forward(of),
            backward: Binary::Backward(of),
        },
        Activation {
            name: "hard_swish",
            forward: Unary::HardSwish(of),
            backward: Binary::HardSwishBackward(of),
        },
    ]
}

impl Activation {
    /// The texts with `epilogue` and with `gradient`.
    fn texts(self, text: Text) -> [String; 2] {
        let options = Options {
            text,
            ..Default::default()
        };
        let name = self.name;
        [
            wgsl::scalar(self.forward, &options).unwrap()
                + &format!("fn epilogue(z: f32) -> f32 {{ return {name}(z); }}"),
            wgsl::scalar(self.backward, &options).unwrap()
                + &format!("fn gradient(z: f32, g: f32) -> f32 {{ return {name}_backward(z, g); }}"),
        ]
    }
}

struct Bench<'a> {
    layer: Layer<'a>,
    kernels: Kernels,
    /// The products without an activation.
    plain: [Kernel; 2],
}

/// What a variant dispatches for one layer, in its order.
type Steps<'a> = &'a dyn Fn(&mut wgpu::ComputePass);

impl<'a> Bench<'a> {
    fn new(layer: Layer<'a>) -> Self {
        let plain = [
            layer.forward("fn epilogue(z: f32) -> f32 { return z; }"),
            layer.backward("fn gradient(z: f32, g: f32) -> f32 { return g; }"),
        ];
        Self {
            kernels: Kernels::new(layer.device).unwrap(),
            plain,
            layer,
        }
    }

    fn run(&self, data: &Data) {
        let Shape { m, n, k } = data.shape;
        println!(
            "{:<42}{:>10} {:>7} {:>7} {:>9}",
            format!("{m} x {k} times {k} x {n}"),
            "none",
            "short",
            "exact",
            "separate"
        );
        for activation in activations(DEFINITION) {
            let exact = activation.texts(Text::Exact);
            let exact = [self.layer.forward(&exact[0]), self.layer.backward(&exact[1])];
            self.assert(activation, data, &exact);
            let short = activation.texts(Text::Short);
            let short = [self.layer.forward(&short[0]), self.layer.backward(&short[1])];
            let separate = self.separate(activation);
            for (direction, what) in ["forward", "backward"].into_iter().enumerate() {
                let steps: [Steps; 4] = [
                    &|pass| self.plain[direction].dispatch(pass),
                    &|pass| short[direction].dispatch(pass),
                    &|pass| exact[direction].dispatch(pass),
                    &|pass| match direction {
                        0 => {
                            self.plain[0].dispatch(pass);
                            separate[0].encode(pass);
                        }
                        _ => {
                            separate[1].encode(pass);
                            self.plain[1].dispatch(pass);
                        }
                    },
                ];
                if is_short() {
                    continue;
                }
                let medians = self.medians(steps);
                let [none, ratios @ ..] = medians;
                let [short, exact, separate] = ratios.map(|time| time / none);
                println!(
                    "{:<42}{:>7.3} ms {short:>7.2} {exact:>7.2} {separate:>9.2}",
                    format!("  {} of {DEFINITION}, {what}", activation.name),
                    none * 1e3
                );
            }
        }
    }

    /// Launches that read what a product has written, or write what it reads.
    fn separate(&self, activation: Activation) -> [Launch; 2] {
        let Layer { z, y, dz, inputs, .. } = &self.layer;
        let [.., g] = inputs;
        let backward = activation.backward;
        [
            self.kernels.unary(activation.forward, DType::F32, z, y).unwrap(),
            self.kernels.binary(backward, DType::F32, z, g, dz).unwrap(),
        ]
    }

    /// Asserts the bits of y and dz.
    fn assert(&self, activation: Activation, data: &Data, kernels: &[Kernel; 2]) {
        self.complete(&|pass| kernels.iter().for_each(|kernel| kernel.dispatch(pass)), 1);
        let Layer { z, y, dz, .. } = &self.layer;
        let [z, y, dz] = [z, y, dz].map(|buffer| self.layer.read(buffer).unwrap());
        assert_results(activation.name, |definition| {
            let [sigmoid, swish] = activations(definition);
            let Activation { forward, backward, .. } = if activation.name == sigmoid.name {
                sigmoid
            } else {
                swish
            };
            let differs = |i: &usize, of: &[f32], expected: f32| of[*i].to_bits() != expected.to_bits();
            vec![
                ("y", (0..z.len()).find(|i| differs(i, &y, forward.apply(z[*i], 0)))),
                (
                    "dz",
                    (0..z.len()).find(|i| differs(i, &dz, backward.apply(z[*i], data.g[*i], 0.0))),
                ),
            ]
        });
    }

    /// Seconds from the submission to its end.
    fn complete(&self, steps: Steps, repeats: usize) -> f64 {
        let mut encoder = self.layer.device.create_command_encoder(&Default::default());
        let mut pass = encoder.begin_compute_pass(&Default::default());
        for _ in 0..repeats {
            steps(&mut pass);
        }
        drop(pass);
        let commands = encoder.finish();
        let start = Instant::now();
        self.layer.queue.submit([commands]);
        self.layer.device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
        start.elapsed().as_secs_f64()
    }

    /// The median time of a layer of each variant. They run in turn.
    fn medians(&self, variants: [Steps; 4]) -> [f64; 4] {
        let mut times = [(); 4].map(|()| vec![]);
        for round in 0..=ROUNDS {
            for (variant, times) in variants.iter().zip(&mut times) {
                let seconds = self.complete(variant, REPEATS);
                // The first round warms up.
                if round > 0 {
                    times.push(seconds / REPEATS as f64);
                }
            }
        }
        times.map(|mut times| {
            times.sort_by(f64::total_cmp);
            times[times.len() / 2]
        })
    }
}
