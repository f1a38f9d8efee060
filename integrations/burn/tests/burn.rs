//! On burn's wgpu backend (and on Flex, by the host) the bits are those of the main crate's CPU path. Needs an adapter, if
//! only a software one; run it with and without `--features fusion`.

use burn::{
    backend::wgpu::WgpuSetup,
    tensor::{DType, Device, DeviceKind, Element, Tensor, TensorData, bf16, f16},
};
use hard_sigmoid::{Binarization, Binary, HardSigmoid, Scalar, StraightThrough, Unary, cpu};
use hard_sigmoid_burn::{HardSigmoidLayer, binarize, gate, hard_sigmoid, hard_swish};

const LENGTHS: [usize; 12] = [0, 1, 2, 3, 4, 5, 7, 8, 1023, 1024, 1025, (1 << 20) + 1];

fn wgpu() -> Device {
    Device::wgpu(DeviceKind::DefaultDevice)
}

/// Kinks and their neighbours, NaN, both zeros and infinities; then a walk over the curve.
fn inputs<T: Scalar>(len: usize) -> Vec<T> {
    let kinks = [1.0f32, 2.0, 2.5, 3.0];
    let near = kinks.map(|k| [k, -k, k.next_up(), k.next_down(), -k.next_up(), -k.next_down()]);
    let nan = f32::from_bits(0xffc1_2345);
    let special = [0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, nan, 1e-30, -1e30];
    let walk = (0..).map(|i| ((i * 7919) % 8001) as f32 / 1000.0 - 4.0);
    let all = near.into_iter().flatten().chain(special).chain(walk);
    all.take(len).map(T::from_f32).collect()
}

/// Finite, since a gradient comes by a product.
fn gradients<T: Scalar>(len: usize) -> Vec<T> {
    (0..len).map(|i| T::from_f32((i % 1009) as f32 / 64.0 - 8.0)).collect()
}

fn tensor<T: Scalar + Element>(values: &[T], device: &Device) -> Tensor<1> {
    Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), (device, T::dtype()))
}

fn values<T: Scalar + Element, const D: usize>(tensor: Tensor<D>) -> Vec<T> {
    let data = tensor.into_data();
    assert_eq!(data.dtype(), T::dtype());
    data.as_slice::<T>().unwrap().to_vec()
}

#[track_caller]
fn assert_bits<T: Scalar>(what: &str, actual: &[T], expected: &[T]) {
    assert_eq!(actual.len(), expected.len(), "{what}");
    for (i, (a, e)) in actual.iter().zip(expected).enumerate() {
        assert_eq!(
            bytemuck::bytes_of(a),
            bytemuck::bytes_of(e),
            "{what}, element {i}: {} for {}",
            a.to_f32(),
            e.to_f32()
        );
    }
}

#[test]
#[should_panic(expected = "rounding, element 1")]
fn other_bits_are_seen() {
    assert_bits(
        "rounding",
        &[1.0, HardSigmoid::JAX.forward(0.5)],
        &[1.0, HardSigmoid::PYTORCH.forward(0.5)],
    );
}

fn forward_and_gradient<T: Scalar + Element>(device: &Device) {
    for preset in HardSigmoid::PRESETS {
        let definition = preset.definition;
        for len in LENGTHS {
            let what = format!("{definition} {:?} {len}", T::dtype());
            let (x, g) = (inputs::<T>(len), gradients::<T>(len));
            let (mut y, mut dx) = (x.clone(), g.clone());
            cpu::unary_in_place(Unary::Forward(definition), &mut y).unwrap();
            cpu::binary_in_place(Binary::Backward(definition), &x, &mut dx).unwrap();

            // In place, and with the input still held.
            assert_bits(&what, &values(hard_sigmoid(tensor(&x, device), definition)), &y);
            let held = tensor(&x, device);
            assert_bits(&what, &values(hard_sigmoid(held.clone(), definition)), &y);
            assert_bits(&what, &values(held), &x);

            let device = device.clone().autodiff();
            let tracked = tensor(&x, &device).require_grad();
            let result = hard_sigmoid(tracked.clone(), definition);
            assert_bits(&what, &values::<T, 1>(result.clone().inner()), &y);
            if len == 0 {
                continue;
            }
            let gradients = (result * tensor(&g, &device)).sum().backward();
            assert_bits(&what, &values(tracked.grad(&gradients).unwrap()), &dx);
        }
    }
}

#[test]
fn forward_and_gradient_in_f32() {
    forward_and_gradient::<f32>(&wgpu());
}

#[test]
fn forward_and_gradient_in_f16() {
    forward_and_gradient::<f16>(&wgpu());
}

#[test]
fn forward_and_gradient_on_another_backend() {
    forward_and_gradient::<f32>(&Device::flex());
    forward_and_gradient::<f16>(&Device::flex());
    forward_and_gradient::<bf16>(&Device::flex());
}

fn the_other_operations<T: Scalar + Element>(device: &Device) {
    let tracking = device.clone().autodiff();
    for len in [5, 1024, 1025] {
        let definition = HardSigmoid::PYTORCH;
        let (a, b, g) = (gradients::<T>(len), inputs::<T>(len), gradients::<T>(len));
        // A product of NaN is any NaN to burn, but not to us.
        let mut expected = [a.clone(), a.clone(), a.clone()];
        let [y, da, db] = &mut expected;
        cpu::binary(Binary::Gate(definition), &a, &b, y).unwrap();
        cpu::gate_backward(definition, &a, &b, &g, da, db).unwrap();
        // In place, and with the operand still held.
        let gated = gate(tensor(&a, device), tensor(&b, device), definition);
        assert_bits("gate in place", &values(gated), y);
        let held = tensor(&a, device);
        let gated = gate(held.clone(), tensor(&b, device), definition);
        assert_bits("gate", &values(gated), y);
        assert_bits("its operand", &values(held), &a);
        let [ta, tb] = [&a, &b].map(|values| tensor(values, &tracking).require_grad());
        let gated = gate(ta.clone(), tb.clone(), definition);
        assert_bits("tracked gate", &values::<T, 1>(gated.clone().inner()), y);
        let gradients = (gated * tensor(&g, &tracking)).sum().backward();
        assert_bits("da", &values(ta.grad(&gradients).unwrap()), da);
        assert_bits("db", &values(tb.grad(&gradients).unwrap()), db);

        let [y, dx, _] = &mut expected;
        cpu::unary(Unary::HardSwish(definition), &b, y).unwrap();
        cpu::binary(Binary::HardSwishBackward(definition), &b, &g, dx).unwrap();
        let x = tensor(&b, &tracking).require_grad();
        let swished = hard_swish(x.clone(), definition);
        assert_bits("hard_swish", &values::<T, 1>(swished.clone().inner()), y);
        let gradients = (swished * tensor(&g, &tracking)).sum().backward();
        assert_bits("its gradient", &values(x.grad(&gradients).unwrap()), dx);

        for how in [Binarization::Deterministic, Binarization::stochastic(7, 3)] {
            for &estimator in StraightThrough::ALL {
                cpu::unary(Unary::binarize(how, 1.0).unwrap(), &b, y).unwrap();
                cpu::binary(Binary::StraightThrough(estimator), &b, &g, dx).unwrap();
                let x = tensor(&b, &tracking).require_grad();
                let signs = binarize(x.clone(), how, estimator);
                assert_bits("binarize", &values::<T, 1>(signs.clone().inner()), y);
                let gradients = (signs * tensor(&g, &tracking)).sum().backward();
                assert_bits("its gradient", &values(x.grad(&gradients).unwrap()), dx);
            }
        }
    }
}

#[test]
fn the_other_operations_on_wgpu() {
    the_other_operations::<f32>(&wgpu());
    the_other_operations::<f16>(&wgpu());
}

#[test]
fn the_other_operations_on_another_backend() {
    the_other_operations::<f32>(&Device::flex());
    the_other_operations::<f16>(&Device::flex());
    the_other_operations::<bf16>(&Device::flex());
}

/// Squeeze-and-excitation: one gate for each channel.
#[test]
fn gates_are_broadcast() {
    let device = wgpu().autodiff();
    let definition = HardSigmoid::JAX;
    let a = Tensor::<3>::from_data([[[1.0f32, 2.0], [3.0, 4.0]]], &device).require_grad();
    let b = Tensor::<3>::from_data([[[0.5f32], [-9.0]]], &device).require_grad();
    let y = gate(a.clone(), b.clone(), definition);
    let h = definition.forward(0.5);
    assert_bits("y", &values::<f32, 3>(y.clone().inner()), &[h, 2.0 * h, 0.0, 0.0]);
    let gradients = y.sum().backward();
    assert_bits("da", &values(a.grad(&gradients).unwrap()), &[h, h, 0.0, 0.0]);
    let slope = definition.slope();
    let db = [slope + 2.0 * slope, 0.0];
    assert_bits("db", &values(b.grad(&gradients).unwrap()), &db);
}

#[test]
fn tensors_that_are_not_contiguous() {
    let device = wgpu();
    let (rows, columns) = (37, 53);
    let x = inputs::<f32>(rows * columns);
    let definition = HardSigmoid::KERAS;
    let matrix = tensor(&x, &device).reshape([rows, columns]);
    let transposed: Vec<f32> = (0..columns)
        .flat_map(|c| (0..rows).map(move |r| (r, c)))
        .map(|(r, c)| definition.forward(x[r * columns + c]))
        .collect();
    let y = hard_sigmoid(matrix.clone().transpose(), definition);
    assert_bits("transposed", &values(y), &transposed);
    let part = hard_sigmoid(matrix.slice([3..9, 1..8]), definition);
    let expected: Vec<f32> = (3..9)
        .flat_map(|r| (1..8).map(move |c| r * columns + c))
        .map(|i| definition.forward(x[i]))
        .collect();
    assert_bits("a part", &values(part), &expected);
}

/// 300 operations without waiting, with burn's own among them, so that its pool gives buffers out again and again.
fn interleaved(device: &Device, seed: usize) {
    let x: Vec<f32> = inputs(3000 + seed)[32..].to_vec();
    let mut expected = x.clone();
    let mut tensors = vec![];
    let mut current = tensor(&x, device);
    let presets = HardSigmoid::PRESETS.iter().cycle().skip(seed);
    for (step, preset) in presets.take(300).enumerate() {
        let definition = preset.definition;
        current = hard_sigmoid(current.neg(), definition);
        for x in &mut expected {
            *x = definition.forward(-*x);
        }
        if step % 60 == 0 {
            tensors.push((current.clone(), expected.clone()));
        }
    }
    for (tensor, expected) in tensors {
        assert_bits("interleaved", &values(tensor), &expected);
    }
    assert_bits("interleaved", &values(current), &expected);
}

#[test]
fn three_hundred_operations_without_waiting() {
    interleaved(&wgpu(), 0);
}

#[test]
fn several_threads() {
    let device = wgpu();
    std::thread::scope(|scope| {
        for seed in 1..5 {
            let device = device.clone();
            scope.spawn(move || interleaved(&device, seed));
        }
    });
}

/// A device that the application made and goes on to use.
#[test]
fn a_device_of_the_user() {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
    let adapter = pollster::block_on(instance.request_adapter(&Default::default())).unwrap();
    let descriptor = wgpu::DeviceDescriptor {
        // cubecl looks at the adapter to see what the device can do.
        required_features: adapter.features() - wgpu::Features::MAPPABLE_PRIMARY_BUFFERS,
        required_limits: adapter.limits(),
        ..Default::default()
    };
    let (device, queue) = pollster::block_on(adapter.request_device(&descriptor)).unwrap();
    let backend = adapter.get_info().backend;
    let setup = WgpuSetup {
        instance,
        adapter,
        device,
        queue,
        backend,
    };
    let device = Device::wgpu_options().setup(setup).init().unwrap();
    interleaved(&device, 9);
}

#[test]
fn a_layer_is_the_function() {
    let layer = HardSigmoidLayer::new(HardSigmoid::ONNX);
    assert_eq!(layer.definition(), HardSigmoid::ONNX);
    let x = inputs::<f32>(40);
    let y: Vec<f32> = x.iter().map(|&x| HardSigmoid::ONNX.forward(x)).collect();
    assert_bits("layer", &values(layer.forward(tensor(&x, &wgpu()))), &y);
    assert!(format!("{layer}").contains("onnx"), "{layer}");
}

#[test]
#[should_panic(expected = "computes on f32, f16 and bf16, not on F64")]
fn other_types_are_refused() {
    let x = Tensor::<1>::from_data([1.0f64], (&Device::flex(), DType::F64));
    hard_sigmoid(x, HardSigmoid::KERAS).into_data();
}

/// What differs from burn's own `hard_sigmoid`, and why ours is another function in bits.
#[test]
fn where_burns_own_differs() {
    let device = wgpu().autodiff();
    let own = |x: f32| {
        let x = tensor(&[x], &device).require_grad();
        let y = burn::tensor::activation::hard_sigmoid(x.clone(), 0.2, 0.5);
        let value = values::<f32, 1>(y.clone().inner())[0];
        (value, values::<f32, 1>(x.grad(&y.sum().backward()).unwrap())[0])
    };
    // At the kinks it is inclusive, as Keras is and ONNX isn't.
    assert_eq!(own(2.5), (1.0, 0.2));
    assert_eq!(HardSigmoid::KERAS.backward(2.5, 1.0), 0.2);
    assert_eq!(HardSigmoid::ONNX.backward(2.5, 1.0), 0.0);
    // NaN passes a gradient there, here it doesn't.
    let (y, dx) = own(f32::NAN);
    assert!(y.is_nan());
    assert_eq!(dx, 0.2);
    assert_eq!(HardSigmoid::KERAS.backward(f32::NAN, 1.0), 0.0);
}
