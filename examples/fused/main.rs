//! A layer y = activation(x · w + bias) whose activation is the epilogue of the matrix product, and its gradient, which is computed
//! inside the product of the backward pass. The kernels are this example's own; the functions that they call are the crate's.
//!
//! `cargo run --release --example fused`, or with another activation `cargo run --release --example fused -- forward keras`

mod layer;

use hard_sigmoid::{Binary, HardSigmoid, Unary, wgsl};
use layer::{Data, Layer, Shape};
use std::process::ExitCode;

const USAGE: &str = "usage: fused [hard_swish|forward] [DEFINITION]

Computes y = activation(x * w + bias) in one dispatch and its gradient in another, and compares every bit of the activation and its
gradient with the CPU path. The activation is a hard swish or a hard sigmoid. DEFINITION is a preset, such as pytorch, or
affine(ALPHA, BETA).";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument.starts_with('-')) || arguments.len() > 2 {
        println!("{USAGE}");
        return Ok(());
    }
    let definition: HardSigmoid = arguments.get(1).map_or("pytorch", String::as_str).parse()?;
    let (forward, backward, names) = match arguments.first().map_or("hard_swish", String::as_str) {
        "hard_swish" => (
            Unary::HardSwish(definition),
            Binary::HardSwishBackward(definition),
            ["hard_swish", "hard_swish_backward"],
        ),
        "forward" => (
            Unary::Forward(definition),
            Binary::Backward(definition),
            ["hard_sigmoid", "hard_sigmoid_backward"],
        ),
        other => return Err(format!("no activation is called {other:?}; use hard_swish or forward").into()),
    };

    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
    let adapter = pollster::block_on(wgpu::util::initialize_adapter_from_env_or_default(&instance, None));
    let adapter = adapter.map_err(|error| format!("{error}. Install a GPU driver, such as Mesa's, or run cpu_only"))?;
    let (device, queue) = pollster::block_on(adapter.request_device(&Default::default()))?;

    let data = Data::new(Shape { m: 250, n: 130, k: 70 });
    let layer = Layer::new(&device, &queue, &data);
    // The functions are put before the kernels, with the names that the kernels call.
    let [activation, gradient] = names;
    let epilogue = wgsl::scalar(forward, &wgsl::Options::default())?
        + &format!("fn epilogue(z: f32) -> f32 {{ return {activation}(z); }}");
    let in_product = wgsl::scalar(backward, &wgsl::Options::default())?
        + &format!("fn gradient(z: f32, g: f32) -> f32 {{ return {gradient}(z, g); }}");
    let kernels = [layer.forward(&epilogue), layer.backward(&in_product)];
    let mut encoder = device.create_command_encoder(&Default::default());
    let mut pass = encoder.begin_compute_pass(&Default::default());
    kernels.iter().for_each(|kernel| kernel.dispatch(&mut pass));
    drop(pass);
    queue.submit([encoder.finish()]);

    let [y, dz, dx] = [&layer.y, &layer.dz, &layer.dx].map(|buffer| layer.read(buffer));
    let (y, dz, dx) = (y?, dz?, dx?);
    let z = sums(&data);
    let expected_y: Vec<_> = z.iter().map(|&z| forward.apply(z, 0)).collect();
    let expected_dz: Vec<_> = z
        .iter()
        .zip(&data.g)
        .map(|(&z, &g)| backward.apply(z, g, 0.0))
        .collect();
    let differ = [differing(&y, &expected_y), differing(&dz, &expected_dz)];
    let name = adapter.get_info().name;
    println!(
        "{name}: a layer with {} of {definition}, fused into its products",
        forward.name()
    );
    for (what, differ, of) in [("y", differ[0], y.len()), ("dz", differ[1], dz.len())] {
        println!("{what:<4}{of} results, {differ} differ from the CPU path");
    }
    let error = error_of_product(&data, &expected_dz, &dx);
    println!("dx  the largest error of the product is {error:.1e}");
    if error > 1e-4 {
        return Err("dx isn't dz times the transposed weights".into());
    }
    if differ != [0, 0] {
        return Err("the GPU's bits differ from the CPU path's".into());
    }
    Ok(())
}

/// x · w + bias. The product is exact, so there is one rounding.
fn sums(data: &Data) -> Vec<f32> {
    let Shape { n, k, .. } = data.shape;
    let row = |x: &[f32]| -> Vec<f32> {
        let sum = |column: usize| -> f32 { (0..k).map(|i| x[i] * data.w[i * n + column]).sum() };
        (0..n).map(|column| sum(column) + data.bias[column]).collect()
    };
    data.x.chunks(k).flat_map(row).collect()
}

/// How far dz · wᵀ is from what f64 gives.
fn error_of_product(data: &Data, dz: &[f32], dx: &[f32]) -> f64 {
    let Shape { n, k, .. } = data.shape;
    let exact = |row: usize, column: usize| -> f64 {
        let products = (0..n).map(|i| f64::from(dz[row * n + i]) * f64::from(data.w[column * n + i]));
        products.sum()
    };
    let errors = dx
        .iter()
        .enumerate()
        .map(|(i, &dx)| (exact(i / k, i % k) - f64::from(dx)).abs());
    errors.fold(0.0, f64::max)
}

/// How many results have other bits.
fn differing(results: &[f32], expected: &[f32]) -> usize {
    assert_eq!(results.len(), expected.len());
    let pairs = results.iter().zip(expected);
    pairs.filter(|(a, b)| a.to_bits() != b.to_bits()).count()
}
