//! Every error of the embedding API, on wgpu's noop device with small made-up limits: no GPU needed.

use hard_sigmoid::{
    Binarization, Binary, DType, HardSigmoid, KinkRule, Op, OpError, StraightThrough, Unary,
    gpu::{Batch, BufferRange, Kernels, Launch, LaunchError},
    plan::{Placement, PlanError, UnsupportedDevice},
};
use proptest::prelude::*;
use wgpu::BufferUsages;

const ALIGNMENT: u32 = 64;
const MAX_BINDING: u64 = 1 << 16;

fn noop_device(change: impl FnOnce(&mut wgpu::Limits)) -> (wgpu::Device, wgpu::Queue) {
    let mut limits = wgpu::Limits {
        min_storage_buffer_offset_alignment: ALIGNMENT,
        max_storage_buffer_binding_size: MAX_BINDING,
        max_compute_workgroups_per_dimension: 3,
        ..Default::default()
    };
    change(&mut limits);
    let adapter = noop_adapter(limits.clone());
    let descriptor = wgpu::DeviceDescriptor {
        required_limits: limits,
        ..Default::default()
    };
    pollster::block_on(adapter.request_device(&descriptor)).unwrap()
}

fn noop_adapter(limits: wgpu::Limits) -> wgpu::Adapter {
    let mut options = wgpu::InstanceDescriptor::new_without_display_handle();
    options.backends = wgpu::Backends::NOOP;
    options.backend_options.noop.enable = true;
    options.backend_options.noop.limits = Some(limits);
    pollster::block_on(wgpu::Instance::new(options).request_adapter(&Default::default())).unwrap()
}

fn kernels() -> Kernels {
    Kernels::new(&noop_device(|_| ()).0).unwrap()
}

fn buffer(kernels: &Kernels, size: u64, usage: BufferUsages) -> wgpu::Buffer {
    kernels.device().create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size,
        usage,
        mapped_at_creation: false,
    })
}

fn range(buffer: &wgpu::Buffer, offset: u64, size: u64) -> BufferRange<'_> {
    BufferRange { buffer, offset, size }
}

const P: HardSigmoid = HardSigmoid::PYTORCH;
const FORWARD: Unary = Unary::Forward(P);
const BACKWARD: Binary = Binary::Backward(P);

#[track_caller]
fn refused(result: Result<Launch, LaunchError>, expected: impl Into<LaunchError>, message: &str) {
    let expected = expected.into();
    let error = result.expect_err("accepted");
    assert_eq!(error, expected);
    assert!(error.to_string().contains(message), "{error}");
}

#[track_caller]
fn overlaps(result: Result<Launch, LaunchError>, expected: (Op, &str, &str), message: &str) {
    let error = result.expect_err("accepted");
    assert!(
        matches!(error, LaunchError::Overlap { op, a, b, .. } if (op, a, b) == expected),
        "{error}"
    );
    assert!(error.to_string().contains(message), "{error}");
}

#[test]
fn bad_ranges_are_refused() {
    let k = kernels();
    let max_buffer_size = k.device().limits().max_buffer_size;
    let b = buffer(&k, 1024, BufferUsages::STORAGE);
    let c = buffer(&k, 1024, BufferUsages::STORAGE);
    refused(
        k.unary(FORWARD, DType::F32, range(&b, 64, 961 * 4), &c),
        LaunchError::OutOfRange {
            operand: "x",
            offset: 64,
            size: 3844,
            buffer_size: 1024,
            max_buffer_size,
        },
        "x takes 3844 bytes (whole 4-byte words) from offset 64, but its buffer has 1024; make the buffer at least 3908 bytes",
    );
    // No buffer can hold these.
    for (offset, size) in [(u64::MAX - 63, 64), (64, u64::MAX), (0, max_buffer_size + 4)] {
        let error = LaunchError::OutOfRange {
            operand: "y",
            offset,
            size,
            buffer_size: 1024,
            max_buffer_size,
        };
        let advice = format!(
            "but its buffer has 1024; end the range there (this device's buffers hold at most {max_buffer_size} bytes)"
        );
        refused(
            k.unary(FORWARD, DType::F32, &b, range(&c, offset, size)),
            error,
            &advice,
        );
    }
    refused(
        k.binary(BACKWARD, DType::F32, &b, range(&c, 0, 1022), &c),
        LaunchError::from(OpError::PartialElement {
            operand: "g",
            size: 1022,
            element: 4,
        }),
        "whole number of elements of 4 bytes",
    );
    refused(
        k.binary(BACKWARD, DType::F32, &b, &c, range(&b, 32, 64)),
        LaunchError::Misaligned {
            operand: "dx",
            offset: 32,
            alignment: ALIGNMENT,
        },
        "multiples of 64",
    );
    refused(
        k.unary(FORWARD, DType::F32, range(&b, 0, 256), range(&c, 0, 128)),
        OpError::LengthMismatch {
            a: "x",
            a_len: 64,
            b: "y",
            b_len: 32,
        },
        "x holds 64 elements but y holds 32",
    );
    let plain = buffer(&k, 1024, BufferUsages::COPY_DST);
    refused(
        k.unary(FORWARD, DType::F32, &b, &plain),
        LaunchError::MissingUsage { operand: "y" },
        "BufferUsages::STORAGE",
    );
    // The usage is checked for an empty range too.
    refused(
        k.unary(FORWARD, DType::F32, plain.slice(..0), b.slice(..0)),
        LaunchError::MissingUsage { operand: "x" },
        "STORAGE",
    );
}

/// wgpu reports a buffer that is too large to be made. Its use is one error, and nothing is made of it.
#[test]
fn a_range_beyond_any_buffer_is_refused_at_once() {
    let k = kernels();
    let limit = k.device().limits().max_buffer_size;
    for size in [1 << 43, 1 << 50] {
        let scope = k.device().push_error_scope(wgpu::ErrorFilter::Validation);
        let huge = buffer(&k, size, BufferUsages::STORAGE);
        assert!(pollster::block_on(scope.pop()).is_some(), "the buffer was made");
        let scope = k.device().push_error_scope(wgpu::ErrorFilter::Validation);
        refused(
            k.unary(FORWARD, DType::F32, &huge, &huge),
            LaunchError::BufferTooLarge {
                operand: "x",
                end: size,
                limit,
            },
            "max_buffer_size",
        );
        assert!(pollster::block_on(scope.pop()).is_none());
    }
}

/// The number of halves may be odd, but they may not end beyond the buffer's last word, nor start in the middle of one.
#[test]
fn bad_ranges_of_halves_are_refused() {
    let k = kernels();
    let b = buffer(&k, 1026, BufferUsages::STORAGE);
    let forward = |offset, size| k.unary(FORWARD, DType::F16, range(&b, offset, size), range(&b, offset, size));
    let _ = forward(0, 1022).unwrap();
    refused(
        forward(0, 1026),
        LaunchError::OutOfRange {
            operand: "x",
            offset: 0,
            size: 1026,
            buffer_size: 1026,
            max_buffer_size: k.device().limits().max_buffer_size,
        },
        "x takes 1028 bytes (whole 4-byte words) from offset 0, but its buffer has 1026",
    );
    refused(
        forward(0, 7),
        LaunchError::from(OpError::PartialElement {
            operand: "x",
            size: 7,
            element: 2,
        }),
        "7 bytes, which is not a whole number of elements of 2 bytes",
    );
    refused(
        forward(2, 8),
        LaunchError::Misaligned {
            operand: "x",
            offset: 2,
            alignment: ALIGNMENT,
        },
        "multiples of 64",
    );
}

/// Packed signs take exactly one word for every 32 elements, rounded up.
#[test]
fn bad_ranges_of_signs_are_refused() {
    let (device, _queue) = noop_device(|_| ());
    let k = Kernels::new(&device).unwrap();
    let [x, bits] = [(); 2].map(|()| buffer(&k, 1024, BufferUsages::STORAGE));
    let how = Binarization::stochastic(1, 2);
    let pack = |elements, size| k.pack(how, DType::F32, range(&x, 0, elements * 4), range(&bits, 64, size));
    for elements in [0_u64, 1, 32, 33, 256] {
        let size = elements.div_ceil(32) * 4;
        encode(&k, &pack(elements, size).unwrap());
        let y = range(&x, 0, elements * 2);
        encode(&k, &k.unpack(1.0, DType::Bf16, range(&bits, 64, size), y).unwrap());
    }
    for (elements, bits_size) in [(32, 8), (33, 4), (32, 7), (0, 4)] {
        let expected = OpError::PackedLength {
            operand: "x",
            len: elements,
            bits_size,
        };
        refused(
            pack(elements, bits_size),
            expected,
            "4 for every 32 elements, rounded up",
        );
    }
    refused(
        k.pack(how, DType::F32, range(&x, 0, 128), range(&x, 0, 4)),
        LaunchError::Overlap {
            op: Op::Pack(how),
            a: "x",
            a_range: [0, 128],
            b: "bits",
            b_range: [0, 4],
        },
        "x (bytes 0 to 128) and bits (bytes 0 to 4) of pack overlap; give them ranges that don't",
    );
    // The two ranges may have the same length, but one can't replace the other.
    refused(
        k.pack(how, DType::F32, range(&x, 0, 4), range(&x, 0, 4)),
        OpError::NotInPlace { op: "pack" },
        "write its result to memory of its own",
    );
    let launch = k.unpack(1.0, DType::F16, range(&x, 0, 4), range(&x, 64, 64)).unwrap();
    let kernel = launch.kernel();
    assert_eq!((kernel.op().name(), kernel.placement()), ("unpack", Placement::Shared));
    for (dtype, scale) in [(DType::F16, 1e5), (DType::Bf16, f32::MAX)] {
        let error = k
            .unary(Unary::binarize(how, scale).unwrap(), dtype, &x, &x)
            .unwrap_err();
        assert!(
            matches!(error, LaunchError::Plan(PlanError::Op(OpError::ScaleTooLarge { .. }))),
            "{error}"
        );
    }
    let error = k.unpack(f32::NAN, DType::F32, &bits, &x).unwrap_err();
    assert!(error.to_string().starts_with("scale is NaN"), "{error}");
}

#[test]
fn overlaps_are_refused_and_other_sharing_picks_the_kernel() {
    let k = kernels();
    let [a, b, c] = [(); 3].map(|()| buffer(&k, 1024, BufferUsages::STORAGE));
    let (forward, backward) = (Op::from(FORWARD), Op::from(BACKWARD));
    let (gate, gate_backward) = (Op::from(Binary::Gate(P)), Op::GateBackward(P));
    let (y_over_x, dx_over_g) = ("y takes exactly the range of x", "dx takes exactly the range of g");
    let (y_over_a, da_over_g) = ("y takes exactly the range of a", "da takes exactly the range of g");
    let at = |b, offset| range(b, offset, 256);
    overlaps(
        k.unary(FORWARD, DType::F32, at(&a, 0), at(&a, 64)),
        (forward, "x", "y"),
        y_over_x,
    );
    overlaps(
        k.binary(BACKWARD, DType::F32, at(&a, 64), at(&b, 0), at(&a, 0)),
        (backward, "x", "dx"),
        dx_over_g,
    );
    overlaps(
        k.binary(BACKWARD, DType::F32, at(&a, 0), at(&b, 0), at(&a, 0)),
        (backward, "x", "dx"),
        dx_over_g,
    );
    overlaps(
        k.binary(BACKWARD, DType::F32, at(&a, 0), at(&b, 64), at(&b, 0)),
        (backward, "g", "dx"),
        dx_over_g,
    );
    overlaps(
        k.binary(BACKWARD, DType::F32, at(&a, 0), at(&a, 64), at(&a, 512)),
        (backward, "x", "g"),
        "put the result into another buffer",
    );
    overlaps(
        k.binary(BACKWARD, DType::F32, &a, &a, &a),
        (backward, "x", "dx"),
        dx_over_g,
    );
    // The tensor that is added to can't be the gradient that is added.
    refused(
        k.binary(Binary::BackwardAccumulate(P), DType::F32, &a, &b, &b),
        OpError::NotInPlace {
            op: "backward_accumulate",
        },
        "write its result to memory of its own",
    );
    overlaps(
        k.binary(Binary::Gate(P), DType::F32, &a, &b, &b),
        (gate, "b", "y"),
        y_over_a,
    );
    overlaps(
        k.gate_backward(P, DType::F32, &a, &b, &c, &a, &c),
        (gate_backward, "a", "da"),
        da_over_g,
    );
    overlaps(
        k.gate_backward(P, DType::F32, at(&a, 0), at(&a, 0), at(&c, 0), at(&a, 256), at(&b, 0)),
        (gate_backward, "a", "b"),
        "put the result into another buffer",
    );
    overlaps(
        k.gate_backward(
            P,
            DType::F32,
            at(&a, 0),
            at(&a, 256),
            at(&a, 512),
            at(&b, 0),
            at(&b, 64),
        ),
        (gate_backward, "da", "db"),
        da_over_g,
    );

    use Placement::{InPlace, Separate, Shared};
    let forward = |x, y| k.unary(FORWARD, DType::F32, x, y).unwrap().kernel().placement();
    assert_eq!(forward(at(&a, 0), at(&b, 0)), Separate);
    assert_eq!(forward(at(&a, 64), at(&a, 64)), InPlace);
    assert_eq!(forward(at(&a, 0), at(&a, 256)), Shared);
    let backward = |x, g, dx| k.binary(BACKWARD, DType::F32, x, g, dx).unwrap().kernel().placement();
    assert_eq!(backward(at(&a, 0), at(&b, 0), at(&c, 0)), Separate);
    assert_eq!(backward(at(&a, 0), at(&a, 64), at(&c, 0)), Separate);
    assert_eq!(backward(at(&a, 0), at(&b, 64), at(&b, 64)), InPlace);
    assert_eq!(backward(at(&a, 0), at(&a, 256), at(&a, 256)), InPlace);
    assert_eq!(backward(at(&a, 0), at(&a, 256), at(&a, 512)), Shared);
    assert_eq!(backward(at(&a, 0), at(&b, 0), at(&b, 256)), Shared);
    assert_eq!(backward(at(&a, 0), at(&b, 0), at(&a, 256)), Shared);
    // The gated tensor replaces a.
    let gated = |a, b, y| k.binary(Binary::Gate(P), DType::F32, a, b, y);
    assert_eq!(
        gated(at(&a, 0), at(&b, 0), at(&a, 0)).unwrap().kernel().placement(),
        InPlace
    );
    assert_eq!(
        gated(at(&a, 0), at(&a, 0), at(&b, 0)).unwrap().kernel().placement(),
        Separate
    );
    overlaps(gated(at(&a, 0), at(&a, 0), at(&a, 0)), (gate, "b", "y"), y_over_a);
    // Outputs may share a buffer, and inputs may be one range, if no output shares a buffer with an input.
    let launch = k.gate_backward(P, DType::F32, at(&a, 0), at(&a, 0), at(&a, 0), at(&b, 0), at(&b, 256));
    assert_eq!(launch.unwrap().kernel().placement(), Separate);
}

/// A batch takes any operation, so the number of tensors is checked when it runs.
#[test]
fn a_batch_refuses_what_a_launch_refuses() {
    let (device, _queue) = noop_device(|_| ());
    let k = Kernels::new(&device).unwrap();
    let mut batch = Batch::new(&k).unwrap();
    let b = buffer(&k, 1024, BufferUsages::STORAGE);
    let wrong_count = LaunchError::TensorCount {
        op: "backward",
        needed: 3,
        given: 2,
    };
    let two = [(&b).into(); 2];
    assert_eq!(batch.add(BACKWARD, DType::F32, &two).unwrap_err(), wrong_count);
    assert_eq!(k.prepare(BACKWARD, DType::F32, &two).unwrap_err(), wrong_count);
    let error = batch.add(BACKWARD, DType::F32, &[(&b).into(); 3]).unwrap_err();
    overlaps(Err(error), (BACKWARD.into(), "x", "dx"), "bytes 0 to 1024");
    let error = batch
        .add(FORWARD, DType::F32, &[range(&b, 4, 64), range(&b, 128, 64)])
        .unwrap_err();
    assert!(matches!(error, LaunchError::Misaligned { operand: "x", .. }), "{error}");
    batch.add(FORWARD, DType::F32, &[(&b).into(); 2]).unwrap();
}

/// Only the batch's id tells a launch of one batch from a launch of another at the same step.
#[test]
fn a_batch_refuses_a_launch_of_another() {
    let (device, queue) = noop_device(|_| ());
    let k = Kernels::new(&device).unwrap();
    let b = buffer(&k, 1024, BufferUsages::STORAGE);
    let [mut one, mut other] = [(); 2].map(|()| Batch::new(&k).unwrap());
    let launches = [&mut one, &mut other].map(|batch| batch.add(FORWARD, DType::F32, &[(&b).into(); 2]).unwrap());
    let mut encoder = device.create_command_encoder(&Default::default());
    let mut pass = encoder.begin_compute_pass(&Default::default());
    let written = one.write(&queue);
    written.encode(launches[0], &mut pass).unwrap();
    assert_eq!(written.encode(launches[1], &mut pass), Err(LaunchError::OtherBatch));
}

/// What a batch needs beyond the kernels: a uniform buffer with a dynamic offset. Small buffers hold few launches each.
#[test]
fn a_batch_keeps_to_the_limits() {
    let batch = |change: fn(&mut wgpu::Limits)| {
        let (device, queue) = noop_device(change);
        let k = Kernels::new(&device)?;
        let mut batch = Batch::new(&k)?;
        let b = buffer(&k, 256, BufferUsages::STORAGE);
        let mut encoder = device.create_command_encoder(&Default::default());
        for _ in 0..40 {
            batch.add(FORWARD, DType::F32, &[(&b).into(); 2]).unwrap();
        }
        batch
            .write(&queue)
            .encode_all(&mut encoder.begin_compute_pass(&Default::default()));
        queue.submit([encoder.finish()]);
        Ok(())
    };
    let unsupported = |limit, needed, has| Err(LaunchError::from(UnsupportedDevice { limit, needed, has }));
    let dynamic = "max_dynamic_uniform_buffers_per_pipeline_layout";
    assert_eq!(
        batch(|l| l.max_dynamic_uniform_buffers_per_pipeline_layout = 0),
        unsupported(dynamic, 1, 0)
    );
    assert_eq!(
        batch(|l| l.max_buffer_size = 255),
        unsupported("max_buffer_size", 256, 255)
    );
    for change in [
        (|l| l.max_buffer_size = 256) as fn(&mut wgpu::Limits),
        |l| l.max_buffer_size = 8192,
        |_| (),
    ] {
        assert_eq!(batch(change), Ok(()));
    }
}

/// Both gradients of the gate bind five buffers, more than the other kernels and than some devices allow.
#[test]
fn what_binds_too_many_buffers_for_the_device_is_refused() {
    let (device, _queue) = noop_device(|limits| limits.max_storage_buffers_per_shader_stage = 4);
    let k = Kernels::new(&device).unwrap();
    k.warm_up([(Op::GateBackward(P), DType::F32)]).unwrap();
    let [a, b, g, da, db] = [(); 5].map(|()| buffer(&k, 1024, BufferUsages::STORAGE));
    refused(
        k.gate_backward(P, DType::F32, &a, &b, &g, &da, &db),
        UnsupportedDevice {
            limit: "max_storage_buffers_per_shader_stage",
            needed: 5,
            has: 4,
        },
        "WebGPU's default limits are enough",
    );
    let launch = k.gate_backward(P, DType::F32, &a, &b, &g, &g, &db).unwrap();
    assert_eq!(launch.kernel().placement(), Placement::InPlace);
    encode(&k, &launch);
    // wgpu also counts the parameters.
    let together = "max_buffers_and_acceleration_structures_per_shader_stage";
    let (device, _queue) = noop_device(|limits| limits.max_buffers_and_acceleration_structures_per_shader_stage = 5);
    let k = Kernels::new(&device).unwrap();
    let [a, b, g, da, db] = [(); 5].map(|()| buffer(&k, 1024, BufferUsages::STORAGE));
    refused(
        k.gate_backward(P, DType::F32, &a, &b, &g, &da, &db),
        UnsupportedDevice {
            limit: together,
            needed: 6,
            has: 5,
        },
        together,
    );
    encode(&k, &k.gate_backward(P, DType::F32, &a, &b, &g, &g, &db).unwrap());
}

/// Tensors beyond one binding, and beyond a grid of 3 by 3 workgroups of 1024 elements.
#[test]
fn what_exceeds_one_dispatch_takes_several() {
    let (device, _queue) = noop_device(|_| ());
    let k = Kernels::new(&device).unwrap();
    let b = buffer(&k, 10 * MAX_BINDING + 4, BufferUsages::STORAGE);
    for size in [
        9 * 4096,
        9 * 4096 + 16,
        MAX_BINDING,
        MAX_BINDING + 4,
        10 * MAX_BINDING + 4,
    ] {
        encode(
            &k,
            &k.unary(FORWARD, DType::F32, b.slice(..size), b.slice(..size)).unwrap(),
        );
    }
}

#[test]
fn weak_devices_are_refused() {
    let new = |change: fn(&mut wgpu::Limits)| Kernels::new(&noop_device(change).0).map(|_| ());
    let unsupported = |limit, needed, has| Err(LaunchError::from(UnsupportedDevice { limit, needed, has }));
    macro_rules! one_less {
        ($($limit:ident $needed:literal;)*) => {
            $(assert_eq!(new(|l| l.$limit = $needed - 1), unsupported(stringify!($limit), $needed, $needed - 1));)*
        };
    }
    one_less! {
        max_bind_groups 1;
        max_bindings_per_bind_group 6;
        max_storage_buffers_per_shader_stage 3;
        max_uniform_buffers_per_shader_stage 1;
        max_buffers_and_acceleration_structures_per_shader_stage 4;
        max_dynamic_uniform_buffers_per_pipeline_layout 1;
        max_uniform_buffer_binding_size 48;
        max_storage_buffer_binding_size 2048;
        max_compute_invocations_per_workgroup 256;
        max_compute_workgroup_size_x 256;
        max_compute_workgroup_size_y 1;
        max_compute_workgroup_size_z 1;
        max_compute_workgroups_per_dimension 1;
    }
    // One workgroup unpacks 1024 signs, but parts of a tensor start at multiples of 8 * 256 of them.
    let narrow = |workgroups| {
        noop_device(|l| {
            l.min_storage_buffer_offset_alignment = 256;
            l.max_compute_workgroups_per_dimension = workgroups;
        })
    };
    assert_eq!(
        Kernels::new(&narrow(1).0).map(|_| ()),
        unsupported("max_compute_workgroups_per_dimension", 2, 1)
    );
    let (device, _queue) = narrow(2);
    let k = Kernels::new(&device).unwrap();
    let [bits, y] = [1250, 40_000].map(|size| buffer(&k, size, BufferUsages::STORAGE));
    encode(
        &k,
        &k.unpack(1.0, DType::F32, range(&bits, 0, 1252 - 4), range(&y, 0, 1248 * 32))
            .unwrap(),
    );
    assert_eq!(new(|l| *l = wgpu::Limits::downlevel_defaults()), Ok(()));
    // WebGL has no compute shaders at all.
    let error = new(|l| *l = wgpu::Limits::downlevel_webgl2_defaults()).unwrap_err();
    assert!(
        error.to_string().contains("WebGPU's default limits are enough"),
        "{error}"
    );
}

#[test]
fn a_destroyed_device_is_an_error() {
    let k = kernels();
    let b = buffer(&k, 64, BufferUsages::STORAGE);
    k.device().destroy();
    let errors = [
        Kernels::new(k.device()).map(drop),
        Kernels::with_pipeline_cache(k.device(), None).map(drop),
        Batch::new(&k).map(drop),
        k.warm_up([(FORWARD, DType::F32)]),
        k.unary(FORWARD, DType::F32, &b, &b).map(drop),
    ];
    for error in errors.map(Result::unwrap_err) {
        assert!(matches!(error, LaunchError::DeviceLost { .. }), "{error}");
        // The message is one line.
        assert_eq!(
            error.to_string(),
            "the device is lost or out of memory (its parameter buffer can't be written: Buffer with '' label is \
             invalid); make a new device"
        );
    }
}

/// What the docs of `Kernels` warn of: wgpu finds and compares the objects of an instance by their numbers alone.
#[test]
fn wgpu_takes_a_buffer_of_another_instance_for_one_of_ours() {
    let [ours, theirs] = [(); 2].map(|()| kernels());
    let [x, of_another] = [&ours, &theirs].map(|k| buffer(k, 1024, BufferUsages::STORAGE));
    assert!(x == of_another);
    // Two buffers, but the launch writes y over x.
    let launch = ours.unary(FORWARD, DType::F32, &x, &of_another).unwrap();
    assert_eq!(launch.kernel().placement(), Placement::InPlace);
    // Buffers of two devices of one instance differ, and wgpu sees it.
    let adapter = noop_adapter(wgpu::Limits::default());
    let [ours, theirs] = [(); 2].map(|()| {
        let (device, _queue) = pollster::block_on(adapter.request_device(&Default::default())).unwrap();
        Kernels::new(&device).unwrap()
    });
    let [x, of_another] = [&ours, &theirs].map(|k| buffer(k, 1024, BufferUsages::STORAGE));
    assert!(x != of_another);
    let scope = ours.device().push_error_scope(wgpu::ErrorFilter::Validation);
    let _ = ours.unary(FORWARD, DType::F32, &x, &of_another).unwrap();
    let error = pollster::block_on(scope.pop()).unwrap().to_string();
    assert!(error.contains("doesn't match"), "{error}");
}

#[test]
#[should_panic(expected = "Cannot get non-existent resource")]
fn wgpu_panics_at_a_buffer_of_another_instance_without_its_like() {
    let [ours, theirs] = [(); 2].map(|()| kernels());
    let x = buffer(&ours, 1024, BufferUsages::STORAGE);
    let of_another = [(); 100].map(|()| buffer(&theirs, 1024, BufferUsages::STORAGE));
    let _launch = ours.unary(FORWARD, DType::F32, &x, &of_another[99]);
}

/// A limit of 0 is enough, or it is refused before wgpu sees a pipeline.
#[test]
fn every_limit_of_zero_is_refused_or_enough() {
    macro_rules! limits {
        ($($limit:ident)*) => {
            const LIMITS: &[(&str, fn(&mut wgpu::Limits))] = &[$((stringify!($limit), |limits| limits.$limit = 0)),*];
        };
    }
    limits!(
        max_texture_dimension_1d max_texture_dimension_2d max_texture_dimension_3d max_texture_array_layers
        max_bind_groups max_bind_groups_plus_vertex_buffers max_bindings_per_bind_group
        max_dynamic_uniform_buffers_per_pipeline_layout max_dynamic_storage_buffers_per_pipeline_layout
        max_sampled_textures_per_shader_stage max_samplers_per_shader_stage max_storage_buffers_per_shader_stage
        max_storage_textures_per_shader_stage max_uniform_buffers_per_shader_stage
        max_binding_array_elements_per_shader_stage max_binding_array_acceleration_structure_elements_per_shader_stage
        max_binding_array_sampler_elements_per_shader_stage max_uniform_buffer_binding_size
        max_storage_buffer_binding_size max_vertex_buffers max_buffer_size max_vertex_attributes
        max_vertex_buffer_array_stride max_inter_stage_shader_variables
        max_color_attachments max_color_attachment_bytes_per_sample
        max_compute_workgroup_storage_size max_compute_invocations_per_workgroup max_compute_workgroup_size_x
        max_compute_workgroup_size_y max_compute_workgroup_size_z max_compute_workgroups_per_dimension
        max_immediate_size max_non_sampler_bindings max_task_workgroup_total_count max_task_workgroups_per_dimension
        max_mesh_workgroup_total_count max_mesh_workgroups_per_dimension max_task_invocations_per_workgroup
        max_task_invocations_per_dimension max_mesh_invocations_per_workgroup max_mesh_invocations_per_dimension
        max_task_payload_size max_mesh_output_vertices max_mesh_output_primitives max_mesh_output_layers
        max_mesh_multiview_view_count max_blas_primitive_count max_blas_geometry_count max_tlas_instance_count
        max_acceleration_structures_per_shader_stage max_buffers_and_acceleration_structures_per_shader_stage
        max_multiview_view_count max_ray_dispatch_count max_ray_recursion_depth
    );
    // The list has every limit, in wgpu's order, except the alignments, which wgpu doesn't let be 0.
    let mut unlimited = vec![];
    let changed = LIMITS.iter().fold(wgpu::Limits::default(), |mut limits, (_, change)| {
        change(&mut limits);
        limits
    });
    wgpu::Limits::unlimited().check_limits_with_fail_fn(&changed, false, |name, _, _| unlimited.push(name));
    unlimited.retain(|name| !name.starts_with("min_"));
    assert_eq!(unlimited, LIMITS.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    let mut refused = vec![];
    for (name, change) in LIMITS {
        let (device, queue) = noop_device(change);
        let launched = Kernels::new(&device).and_then(|k| {
            let mut batch = Batch::new(&k)?;
            let all = [(); 5].map(|()| buffer(&k, 1 << 16, BufferUsages::STORAGE));
            for op in Op::all(P) {
                let dtype = op.dtypes()[0];
                let sizes = op.sizes(dtype, 252).unwrap();
                let ranges: Vec<_> = all.iter().zip(&*sizes).map(|(b, &size)| range(b, 0, size)).collect();
                k.warm_up([(op, dtype)])?;
                batch.add(op, dtype, &ranges)?;
            }
            let mut encoder = device.create_command_encoder(&Default::default());
            batch
                .write(&queue)
                .encode_all(&mut encoder.begin_compute_pass(&Default::default()));
            queue.submit([encoder.finish()]);
            Ok(())
        });
        match launched {
            Ok(()) => {}
            Err(LaunchError::Plan(PlanError::UnsupportedDevice(error))) => {
                assert_eq!((error.limit, error.has), (*name, 0));
                refused.push(*name);
            }
            Err(error) => panic!("{name}: {error}"),
        }
    }
    assert_eq!(
        refused,
        [
            "max_bind_groups",
            "max_bindings_per_bind_group",
            "max_dynamic_uniform_buffers_per_pipeline_layout",
            "max_storage_buffers_per_shader_stage",
            "max_uniform_buffers_per_shader_stage",
            "max_uniform_buffer_binding_size",
            "max_storage_buffer_binding_size",
            "max_buffer_size",
            "max_compute_workgroup_storage_size",
            "max_compute_invocations_per_workgroup",
            "max_compute_workgroup_size_x",
            "max_compute_workgroup_size_y",
            "max_compute_workgroup_size_z",
            "max_compute_workgroups_per_dimension",
            "max_buffers_and_acceleration_structures_per_shader_stage",
        ]
    );
}

/// Records a launch and lets wgpu validate the command buffer.
fn encode(k: &Kernels, launch: &Launch) {
    let mut encoder = k.device().create_command_encoder(&Default::default());
    launch.encode(&mut encoder.begin_compute_pass(&Default::default()));
    encoder.finish();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever passes our checks also passes wgpu's, which would panic: lengths, offsets, placements, parameters.
    #[test]
    fn what_is_accepted_never_panics(
        len in 0u64..60_000,
        starts in prop::array::uniform5(0u64..6000),
        buffers in prop::array::uniform5(0usize..5),
        same in prop::array::uniform5(0usize..5),
        dtype in prop::sample::select(Op::from(Unary::Forward(P)).dtypes()),
        alpha: f32,
        beta: f32,
    ) {
        let Ok(d) = HardSigmoid::affine(alpha, beta, KinkRule::Strict) else { return Ok(()) };
        let (device, _queue) = noop_device(|_| ());
        let k = Kernels::new(&device).unwrap();
        k.clone().warm_up([(Binary::Gate(d), dtype)]).unwrap();
        let all = [(); 5].map(|()| buffer(&k, 64 * 7000, BufferUsages::STORAGE));
        let at = |i: usize| range(&all[buffers[i]], starts[i] * 64, len * dtype.size());
        // Some of the ranges are the same.
        let [p, q, r, s, t] = std::array::from_fn(|i| at(same[i].min(i)));
        let e = dtype;
        fn bits(of: BufferRange<'_>, len: u64) -> BufferRange<'_> {
            range(of.buffer, of.offset, len.div_ceil(32) * 4)
        }
        for launch in [
            k.unary(Unary::Forward(d), e, p, q),
            k.unary(Unary::HardSwish(d), e, p, q),
            k.unary(Unary::binarize(Binarization::Deterministic, 0.5).unwrap(), e, p, q),
            k.binary(Binary::Backward(d), e, p, q, r),
            k.binary(Binary::BackwardFromOutput(d), e, p, q, r),
            k.binary(Binary::BackwardAccumulate(d), e, p, q, r),
            k.binary(Binary::HardSwishBackward(d), e, p, q, r),
            k.binary(Binary::Gate(d), e, p, q, r),
            k.binary(Binary::StraightThrough(StraightThrough::HardTanh), e, p, q, r),
            k.gate_backward(d, e, p, q, r, s, t),
            k.pack(Binarization::stochastic(len, starts[0]), e, p, bits(q, len)),
            k.unpack(0.5, e, bits(p, len), q),
            k.prepare(Op::Lookup, DType::U8, &[p, range(q.buffer, q.offset, 256), r]),
            k.prepare(
                Op::LookupGate(hard_sigmoid::Broadcast::new(1, 1).unwrap()),
                DType::U8,
                &[p, q, range(r.buffer, r.offset, 1 << 16), s],
            ),
        ] {
            match launch {
                Ok(launch) => encode(&k, &launch),
                Err(error) => prop_assert!(matches!(error, LaunchError::Overlap { .. } | LaunchError::OutOfRange { .. } | LaunchError::Plan(PlanError::Op(OpError::NotInPlace { .. }))), "{}", error),
            }
        }
    }
}
