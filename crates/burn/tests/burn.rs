//! Compares the bits on burn's wgpu backend (and on Flex, by the host) with the main crate's CPU path. Needs an adapter, hardware
//! or software. Run it without features, with `--features fusion`, and with `--features vulkan` or `metal`, where burn compiles its
//! own kernels to SPIR-V or MSL.

use burn::{
    backend::wgpu::WgpuSetup,
    module::Module,
    store::ModuleRecord,
    tensor::{DType, Device, DeviceKind, Element, Tensor, TensorData, activation::relu, bf16, f16},
};
use hard_sigmoid::{Binarization, Binary, BroadcastGate, HardSigmoid, KinkRule, Scalar, StraightThrough, Unary, cpu};
use hard_sigmoid_burn::{
    HardSigmoidLayer, HardSwishLayer, SqueezeExcitationConfig, approximate, binarize, gate, hard_sigmoid, hard_swish,
};

const LENGTHS: [usize; 12] = [0, 1, 2, 3, 4, 5, 7, 8, 1023, 1024, 1025, (1 << 20) + 1];

fn wgpu() -> Device {
    #[cfg(feature = "vulkan")]
    return Device::vulkan(DeviceKind::DefaultDevice);
    #[cfg(all(feature = "metal", not(feature = "vulkan")))]
    return Device::metal(DeviceKind::DefaultDevice);
    #[cfg(not(any(feature = "vulkan", feature = "metal")))]
    Device::wgpu(DeviceKind::DefaultDevice)
}

/// Kinks and their neighbours, NaN, both zeros and both infinities, and then a walk over the curve.
fn inputs<T: Scalar>(len: usize) -> Vec<T> {
    let kinks = [1.0f32, 2.0, 2.5, 3.0];
    let near = kinks.map(|k| [k, -k, k.next_up(), k.next_down(), -k.next_up(), -k.next_down()]);
    let nan = f32::from_bits(0xffc1_2345);
    let special = [0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, nan, 1e-30, -1e30];
    let walk = (0..).map(|i| ((i * 7919) % 8001) as f32 / 1000.0 - 4.0);
    let all = near.into_iter().flatten().chain(special).chain(walk);
    all.take(len).map(T::from_f32).collect()
}

/// Finite values, since the test passes a gradient by a product.
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
        // With fusion burn's arithmetic makes some of the NaNs, whose payload is up to the GPU.
        if cfg!(feature = "fusion") && a.to_f32().is_nan() && e.to_f32().is_nan() {
            continue;
        }
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

            // The result may replace the input, unless the input is still held.
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
            let gradients = (result * tensor(&g, &device)).backward();
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

/// With fusion burn's operations around ours become part of one kernel, where an fma would change the bits: a product before a
/// sum of ours, a product of ours before a sum, and both between the passes. Without NaN, since burn's arithmetic makes any of it.
fn between_neighbours(device: &Device, definition: HardSigmoid, len: usize) {
    let what = format!("{definition} {len}");
    // The special values, numbers of the whole range, and numbers around the curve.
    let all = (0..len as u32).map(|i| f32::from_bits(i.wrapping_mul(4093)));
    let near = (0..len as u32).map(|i| i.wrapping_mul(0x9e37_79b9) as f32 / 2.0f32.powi(29) - 4.0);
    let special = inputs::<f32>(32.min(len)).into_iter();
    let a: Vec<f32> = special.chain(all).chain(near).filter(|a| !a.is_nan()).collect();
    let (len, g) = (a.len(), gradients::<f32>(a.len()));
    let b: Vec<f32> = (0..len).map(|i| 1.0 + (i % 97) as f32 / 97.0).collect();
    let of = |f: &dyn Fn(usize) -> f32| -> Vec<f32> { (0..len).map(f).collect() };
    let x = of(&|i| a[i] * b[i]);
    let y = of(&|i| definition.forward(x[i]));
    let dx = of(&|i| definition.backward(x[i], g[i]));

    let tracking = device.clone().autodiff();
    let [tb, tg] = [&b, &g].map(|values| tensor(values, &tracking));
    let ta = tensor(&a, &tracking).require_grad();
    let tx = ta.clone() * tb.clone();
    let ty = hard_sigmoid(tx.clone(), definition);
    let added = ty.clone() + tg.clone();
    let weighted = ty.clone() * tg + tx;
    let gradients = weighted.backward();
    let da = ta.grad(&gradients).unwrap();
    drop(gradients);
    assert_bits(&what, &values(da), &of(&|i| (dx[i] + 1.0) * b[i]));
    assert_bits(&what, &values::<f32, 1>(added.inner()), &of(&|i| y[i] + g[i]));
    assert_bits(&what, &values::<f32, 1>(ty.inner()), &y);

    // Without a tensor of y that is kept.
    let [ta, tb, tg] = [&a, &b, &g].map(|values| tensor(values, device));
    let added = hard_sigmoid(ta * tb, definition) + tg;
    assert_bits(&what, &values(added), &of(&|i| y[i] + g[i]));
}

#[test]
fn neighbours_change_no_bits() {
    let device = wgpu();
    for preset in HardSigmoid::PRESETS {
        for len in [1, 1023, 1 << 20] {
            between_neighbours(&device, preset.definition, len);
        }
    }
}

fn the_other_operations<T: Scalar + Element>(device: &Device) {
    let tracking = device.clone().autodiff();
    for len in [5, 1024, 1025] {
        let definition = HardSigmoid::PYTORCH;
        let (a, b, g) = (gradients::<T>(len), inputs::<T>(len), gradients::<T>(len));
        // A NaN in a product may become any NaN in burn, but not in ours.
        let mut expected = [a.clone(), a.clone(), a.clone()];
        let [y, da, db] = &mut expected;
        cpu::binary(Binary::Gate(definition), &a, &b, y).unwrap();
        cpu::gate_backward(definition, &a, &b, &g, da, db).unwrap();
        // The result may replace the operand, unless the operand is still held.
        let gated = gate(tensor(&a, device), tensor(&b, device), definition);
        assert_bits("gate in place", &values(gated), y);
        let held = tensor(&a, device);
        let gated = gate(held.clone(), tensor(&b, device), definition);
        assert_bits("gate", &values(gated), y);
        assert_bits("its operand", &values(held), &a);
        let [ta, tb] = [&a, &b].map(|values| tensor(values, &tracking).require_grad());
        let gated = gate(ta.clone(), tb.clone(), definition);
        assert_bits("tracked gate", &values::<T, 1>(gated.clone().inner()), y);
        let gradients = (gated * tensor(&g, &tracking)).backward();
        assert_bits("da", &values(ta.grad(&gradients).unwrap()), da);
        assert_bits("db", &values(tb.grad(&gradients).unwrap()), db);

        let [y, dx, _] = &mut expected;
        cpu::unary(Unary::HardSwish(definition), &b, y).unwrap();
        cpu::binary(Binary::HardSwishBackward(definition), &b, &g, dx).unwrap();
        let x = tensor(&b, &tracking).require_grad();
        let swished = hard_swish(x.clone(), definition);
        assert_bits("hard_swish", &values::<T, 1>(swished.clone().inner()), y);
        let gradients = (swished * tensor(&g, &tracking)).backward();
        assert_bits("its gradient", &values(x.grad(&gradients).unwrap()), dx);

        for how in [Binarization::Deterministic, Binarization::stochastic(7, 3)] {
            for &estimator in StraightThrough::ALL {
                cpu::unary(Unary::binarize(how, 1.0).unwrap(), &b, y).unwrap();
                cpu::binary(Binary::StraightThrough(estimator), &b, &g, dx).unwrap();
                let x = tensor(&b, &tracking).require_grad();
                let signs = binarize(x.clone(), how, estimator);
                assert_bits("binarize", &values::<T, 1>(signs.clone().inner()), y);
                let gradients = (signs * tensor(&g, &tracking)).backward();
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

/// y, da and db of a gate repeated to `shape` along its dimensions of size 1: by the scalar definition, with db in the documented order.
fn expected_of_gate<T: Scalar>(shape: [usize; 4], gate: [usize; 4], [a, b, g]: [&[T]; 3]) -> [Vec<T>; 3] {
    let definition = HardSigmoid::PYTORCH;
    let mut y = a.to_vec();
    let mut da = g.to_vec();
    // For each number of the gate, the elements that it gates, in order.
    let mut places = vec![vec![]; b.len()];
    for at in 0..a.len() {
        let (mut rest, mut of_b, mut stride) = (at, 0, 1);
        for d in (0..4).rev() {
            let index = rest % shape[d];
            rest /= shape[d];
            of_b += if gate[d] == 1 { 0 } else { index * stride };
            stride *= gate[d];
        }
        let b = b[of_b].to_f32();
        y[at] = T::from_f32(definition.gate(a[at].to_f32(), b));
        da[at] = T::from_f32(definition.gate(g[at].to_f32(), b));
        places[of_b].push(at);
    }
    let db = places.iter().zip(b).map(|(places, b)| {
        let product = |&at: &usize| g[at].to_f32() * a[at].to_f32();
        if shape == gate {
            let of = places.first().map(product).unwrap();
            return T::from_f32(definition.backward(b.to_f32(), of));
        }
        let mut partials = [0.0f32; 64];
        for (m, at) in places.iter().enumerate() {
            partials[m % 64] += product(at);
        }
        for s in [32, 16, 8, 4, 2, 1] {
            for l in 0..s {
                partials[l] += partials[l + s];
            }
        }
        T::from_f32(definition.backward(b.to_f32(), partials[0]))
    });
    [y, da, db.collect()]
}

/// Tests every combination of repeated dimensions.
fn gates_are_repeated<T: Scalar + Element>(device: &Device) {
    let shape = [3, 5, 11, 7];
    let len = shape.iter().product();
    let tracking = device.clone().autodiff();
    let of_4 = |values: &[T], shape: [usize; 4], device: &Device| tensor(values, device).reshape(shape);
    for mask in 0..16 {
        let gate_shape: [usize; 4] = std::array::from_fn(|d| if mask >> d & 1 == 1 { 1 } else { shape[d] });
        let what = format!("{gate_shape:?} {:?}", T::dtype());
        let b: Vec<T> = inputs(gate_shape.iter().product::<usize>() + 32)[32..].to_vec();
        let (a, g) = (inputs::<T>(len + 32)[32..].to_vec(), gradients::<T>(len));
        let [y, da, db] = expected_of_gate(shape, gate_shape, [&a, &b, &g]);
        let gated = gate(
            of_4(&a, shape, device),
            of_4(&b, gate_shape, device),
            HardSigmoid::PYTORCH,
        );
        assert_bits(&what, &values(gated), &y);
        let ta = of_4(&a, shape, &tracking).require_grad();
        let tb = of_4(&b, gate_shape, &tracking).require_grad();
        let gated = gate(ta.clone(), tb.clone(), HardSigmoid::PYTORCH);
        assert_bits(&what, &values::<T, 4>(gated.clone().inner()), &y);
        let gradients = (gated * of_4(&g, shape, &tracking)).backward();
        assert_bits(&format!("da, {what}"), &values(ta.grad(&gradients).unwrap()), &da);
        assert_bits(&format!("db, {what}"), &values(tb.grad(&gradients).unwrap()), &db);
    }
}

#[test]
fn gates_are_repeated_in_f32() {
    gates_are_repeated::<f32>(&wgpu());
}

#[test]
fn gates_are_repeated_in_f16() {
    gates_are_repeated::<f16>(&wgpu());
}

#[test]
fn gates_are_repeated_on_another_backend() {
    gates_are_repeated::<f32>(&Device::flex());
    gates_are_repeated::<bf16>(&Device::flex());
}

/// One dimension, one tracked operand, and one tensor as both operands.
#[test]
fn gates_of_all_kinds() {
    let (definition, tracking) = (HardSigmoid::PYTORCH, wgpu().autodiff());
    let a: Vec<f32> = inputs(132)[32..].to_vec();
    let [b] = [0.5f32];
    let [y, da, db] = expected_of_gate([1, 1, 1, 100], [1, 1, 1, 1], [&a, &[b], &a]);
    let [ta, tb] = [&a[..], &[b]].map(|values| tensor(values, &tracking));
    for track in [[true, false], [false, true]] {
        let [ta, tb] = [(&ta, track[0]), (&tb, track[1])].map(|(tensor, track)| tensor.clone().set_require_grad(track));
        let gated = gate(ta.clone(), tb.clone(), definition);
        assert_bits("y", &values::<f32, 1>(gated.clone().inner()), &y);
        let gradients = (gated * tensor(&a, &tracking)).backward();
        assert_eq!([ta.grad(&gradients).is_some(), tb.grad(&gradients).is_some()], track);
        if let Some(ours) = ta.grad(&gradients) {
            assert_bits("da", &values(ours), &da);
        }
        if let Some(ours) = tb.grad(&gradients) {
            assert_bits("db", &values(ours), &db);
        }
    }
    let squared: Vec<f32> = a.iter().map(|&a| definition.gate(a, a)).collect();
    let x = tensor(&a, &wgpu());
    assert_bits("gate(x, x)", &values(gate(x.clone(), x, definition)), &squared);
}

#[test]
fn an_empty_tensor_has_a_gate() {
    let device = wgpu().autodiff();
    let a = Tensor::<2>::zeros([0, 3], &device).require_grad();
    let b = Tensor::<2>::ones([1, 3], &device).require_grad();
    let y = gate(a.clone(), b.clone(), HardSigmoid::JAX);
    assert_eq!(y.dims(), [0, 3]);
    let gradients = y.backward();
    assert_bits("db", &values::<f32, 2>(b.grad(&gradients).unwrap()), &[0.0; 3]);
}

#[test]
#[should_panic(
    expected = "a gate of shape [2, 3] doesn't go with a tensor of shape [2, 1]: each extent has to be the same, or 1"
)]
fn a_gate_isnt_larger() {
    let device = Device::flex();
    gate(
        Tensor::<2>::zeros([2, 1], &device),
        Tensor::zeros([2, 3], &device),
        HardSigmoid::JAX,
    );
}

/// Compares with the activations of torchvision's MobileNetV3: see `tests/golden/mobilenet.py`.
#[test]
fn mobilenet_is_torchvision() {
    let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/mobilenet");
    let read = |path: &std::path::Path| -> Vec<f32> {
        let bytes = std::fs::read(path).unwrap();
        npyz::NpyFile::new(&bytes[..]).unwrap().into_vec().unwrap()
    };
    let device = wgpu().autodiff();
    let definition = HardSigmoid::PYTORCH;

    let rows = read(&golden.join("hard_swish.npy"));
    let len = rows.len() / 4;
    let [x, y, g, dx] = [0, 1, 2, 3].map(|row| &rows[row * len..][..len]);
    let swish = HardSwishLayer::new(definition);
    let tracked = tensor(x, &device).require_grad();
    let ours = swish.forward(tracked.clone());
    assert_bits("hard_swish", &values::<f32, 1>(ours.clone().inner()), y);
    let gradients = (ours * tensor(g, &device)).backward();
    assert_bits("its gradient", &values(tracked.grad(&gradients).unwrap()), dx);

    let mut gates = 0;
    for file in std::fs::read_dir(&golden).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let Some(shape) = name.strip_prefix("gate_") else {
            continue;
        };
        let shape: Vec<usize> = shape.split(['x', '_']).map(|size| size.parse().unwrap()).collect();
        // Channels first: the extents are channels, pixels and 1.
        let (channels, pixels) = (shape[0], shape[1]);
        assert_eq!(shape[2], 1);
        let side = pixels.isqrt();
        let (all, len) = (read(&path), channels * pixels);
        let [a, g, y, da] = [0, 1, 2, 3].map(|part| &all[part * len..][..len]);
        let b = &all[4 * len..][..channels];
        let image = |values: &[f32]| tensor(values, &device).reshape([1, channels, side, side]);
        let ta = image(a).require_grad();
        let tb = tensor(b, &device).reshape([1, channels, 1, 1]).require_grad();
        let gated = gate(ta.clone(), tb.clone(), definition);
        assert_bits(name, &values::<f32, 4>(gated.clone().inner()), y);
        let gradients = (gated * image(g)).backward();
        assert_bits(name, &values(ta.grad(&gradients).unwrap()), da);
        // PyTorch sums in an order of its own; the main crate's test compares ours with the exact sum.
        let mut db = vec![0.0; channels];
        let of = BroadcastGate::new(definition, pixels as u32, 1).unwrap();
        cpu::gate_broadcast_sums(of, a, b, g, &mut db).unwrap();
        assert_bits(name, &values(tb.grad(&gradients).unwrap()), &db);
        gates += 1;
    }
    assert_eq!(gates, 9);
}

/// The block computes what its parts compute, and keeps its parameters in a record.
#[test]
fn squeeze_and_excitation() {
    let device = wgpu().autodiff();
    let definition = HardSigmoid::PYTORCH;
    let config = SqueezeExcitationConfig::new(6, 2);
    let block = config.init(definition, &device);
    assert_eq!(block.definition(), definition);
    let x = tensor(&inputs::<f32>(2 * 6 * 5 * 3 + 32)[32..], &device).reshape([2, 6, 5, 3]);
    let y = block.forward(x.clone());
    let b = block.fc2.forward(relu(block.fc1.forward(x.clone().mean_dims(&[2, 3]))));
    assert_eq!(b.dims(), [2, 6, 1, 1]);
    let [a, b] = [values::<f32, 4>(x.clone().inner()), values::<f32, 4>(b.inner())];
    let [expected, ..] = expected_of_gate([2, 6, 5, 3], [2, 6, 1, 1], [&a, &b, &a]);
    assert_bits("block", &values::<f32, 4>(y.clone().inner()), &expected);
    let gradients = y.backward();
    let weight = block.fc1.weight.val();
    assert!(weight.grad(&gradients).is_some());
    assert!(format!("{block}").contains("fc1"), "{block}");

    let other = config.init(definition, &device);
    let of_other = values::<f32, 4>(other.forward(x.clone()).inner());
    assert_ne!(of_other, expected);
    let bytes = block.into_record().into_bytes().unwrap();
    let loaded = other.load_record(ModuleRecord::from_bytes(bytes).unwrap());
    assert_bits("loaded block", &values::<f32, 4>(loaded.forward(x).inner()), &expected);
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

/// Runs 300 operations without waiting, with burn's own among them, so that its pool reuses buffers many times.
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

/// A device that the application created.
#[test]
fn a_device_of_the_user() {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
    let adapter = pollster::block_on(instance.request_adapter(&Default::default())).unwrap();
    let descriptor = wgpu::DeviceDescriptor {
        // cubecl reads the features from the adapter, so the device enables them.
        required_features: adapter.features()
            - wgpu::Features::MAPPABLE_PRIMARY_BUFFERS
            - wgpu::Features::all_experimental_mask(),
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

/// On a backend that doesn't fuse product and sum, the approximate functions have the bits of an affine definition.
#[test]
fn approximations_are_burns_own_operations() {
    let device = Device::flex();
    let (a, b) = (gradients::<f32>(1000), inputs::<f32>(1000));
    for preset in HardSigmoid::PRESETS {
        let definition = preset.definition;
        let affine = HardSigmoid::affine(definition.slope(), definition.shift(), KinkRule::Inclusive).unwrap();
        let [ta, tb] = [&a, &b].map(|values| tensor(values, &device));
        let numbers = |values: Vec<f32>| -> Vec<f32> { values.into_iter().filter(|v| !v.is_nan()).collect() };
        let y: Vec<f32> = b.iter().map(|&b| affine.forward(b)).collect();
        let ours = values(approximate::hard_sigmoid(tb.clone(), definition));
        assert_bits("hard_sigmoid", &numbers(ours), &numbers(y));
        let y: Vec<f32> = b.iter().map(|&b| b * affine.forward(b)).collect();
        let ours = values(approximate::hard_swish(tb.clone(), definition));
        assert_bits("hard_swish", &numbers(ours), &numbers(y));
        let y: Vec<f32> = a.iter().zip(&b).map(|(a, &b)| a * affine.forward(b)).collect();
        let ours = values(approximate::gate(ta, tb, definition));
        assert_bits("gate", &numbers(ours), &numbers(y));
    }
    // burn's own hard swish is that of ONNX.
    let onnx = HardSigmoid::affine(0.16666667, 0.5, KinkRule::Strict).unwrap();
    let b = &b[32..];
    let y: Vec<f32> = b.iter().map(|&b| onnx.hard_swish(b)).collect();
    let own = values(burn::tensor::activation::hard_swish(tensor(b, &device)));
    assert_bits("burn's hard swish", &own, &y);
}

/// How burn's own `hard_sigmoid` differs from ours in bits.
#[test]
fn where_burns_own_differs() {
    let device = wgpu().autodiff();
    let own = |x: f32| {
        let x = tensor(&[x], &device).require_grad();
        let y = burn::tensor::activation::hard_sigmoid(x.clone(), 0.2, 0.5);
        let value = values::<f32, 1>(y.clone().inner())[0];
        (value, values::<f32, 1>(x.grad(&y.backward()).unwrap())[0])
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
