"""The kernels' plan, and every operation by wgpu-py on the first adapter, compared with the CPU path in every bit."""

import importlib.util
import os
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

import hard_sigmoid
from hard_sigmoid import HardSigmoid, Limits, plan, scalar, wgsl

PYTORCH = HardSigmoid("pytorch")
EXAMPLE = Path(__file__).resolve().parents[1] / "examples/webgpu.py"


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("webgpu", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def device():
    wgpu = pytest.importorskip("wgpu")
    try:
        return wgpu.gpu.request_adapter_sync().request_device_sync()
    except Exception as error:
        if os.environ.get("HARD_SIGMOID_REQUIRE_GPU") == "1":
            raise
        pytest.skip(f"no adapter: {error}")


def test_a_long_tensor_comes_in_parts():
    one = plan("gate_backward", "jax", 1001, dtype=np.float16)
    assert [name for name, _ in one.tensors] == ["a", "b", "g", "da", "db"]
    assert [kind for _, kind in one.tensors] == ["read-only-storage"] * 3 + ["storage"] * 2
    assert len(one.parts) == 1 and len(one.parts[0].params) == 48
    many = plan("forward", "jax", 1 << 20, limits=Limits(max_storage_buffer_binding_size=1 << 20))
    assert len(many.parts) == 4
    assert [part.bindings[0].offset for part in many.parts] == [0, 1 << 20, 2 << 20, 3 << 20]
    nothing = plan("forward", "jax", 0)
    assert nothing.parts == () and nothing.tensors == (("x", "read-only-storage"), ("y", "storage"))
    in_place = plan("backward", "jax", 8, placement="in_place")
    assert in_place.tensors == plan("backward", "jax", 0, placement="in_place").tensors
    assert in_place.tensors == (("x", "storage"), ("g", "storage"))
    in_place_gate = plan("gate_backward", "jax", 0, placement="in_place")
    assert [name for name, _ in in_place_gate.tensors] == ["a", "b", "g", "db"]
    assert plan("forward", "jax", 8, dtype="bfloat16").wgsl == wgsl("forward", "jax", dtype=ml_dtypes.bfloat16)
    assert in_place.wgsl == wgsl("backward", "jax", placement="in_place")


@pytest.mark.parametrize("type, of", [("f32", "f32"), ("f16", "f16"), ("packed_f16", "u32"), ("packed_bf16", "u32")])
@pytest.mark.parametrize("text", ["exact", "short"])
def test_functions_of_numbers(type, of, text):
    written = scalar("gate", PYTORCH, type=type, text=text, prefix="my_")
    assert written.startswith("// gate: pytorch")
    assert f"\nfn my_hard_sigmoid_gate(a: {of}, b: {of}) -> {of} {{\n" in written
    assert ("\n// Short." in written) == (text == "short")
    assert f"fn binarize(x: {of}, random: " in scalar("binarize", seed=1, type=type, text=text)


def test_a_function_in_a_kernel_of_ones_own(device):
    wgpu = pytest.importorskip("wgpu")
    kernel = """
        @group(0) @binding(0) var<storage, read_write> data: array<f32>;
        @compute @workgroup_size(64)
        fn mine(@builtin(global_invocation_id) id: vec3<u32>) {
            if id.x < arrayLength(&data) {
                data[id.x] = hard_swish(data[id.x] + 0.25);
            }
        }"""
    x = np.linspace(-8, 8, 1001, dtype=np.float32)
    usage = wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.COPY_SRC
    data = device.create_buffer_with_data(data=x, usage=usage)
    module = device.create_shader_module(code=scalar("hard_swish", "jax") + kernel)
    pipeline = device.create_compute_pipeline(layout="auto", compute={"module": module, "entry_point": "mine"})
    entries = [{"binding": 0, "resource": {"buffer": data, "offset": 0, "size": x.nbytes}}]
    encoder = device.create_command_encoder()
    run = encoder.begin_compute_pass()
    run.set_pipeline(pipeline)
    run.set_bind_group(0, device.create_bind_group(layout=pipeline.get_bind_group_layout(0), entries=entries))
    run.dispatch_workgroups(-(-x.size // 64))
    run.end()
    device.queue.submit([encoder.finish()])
    found = np.frombuffer(device.queue.read_buffer(data), np.uint32)
    expected = HardSigmoid("jax").hard_swish(x + np.float32(0.25)).view(np.uint32)
    assert np.count_nonzero(found != expected) == 0
    assert np.count_nonzero(expected != x.view(np.uint32)) > 500


def test_wrong_arguments():
    for kind, message, call in [
        (ValueError, "no operation is called", lambda: wgsl("sigmoid", "jax")),
        (TypeError, "forward needs a hard sigmoid", lambda: wgsl("forward")),
        (TypeError, "forward takes no seed", lambda: wgsl("forward", "jax", seed=1)),
        (TypeError, "only with a seed", lambda: wgsl("binarize", "jax")),
        (ValueError, "no placement is called", lambda: wgsl("forward", "jax", placement="over")),
        (ValueError, "backward_accumulate", lambda: wgsl("backward_accumulate", "jax", placement="in_place")),
        (ValueError, "no dtype is called", lambda: wgsl("forward", "jax", dtype=np.float64)),
        (ValueError, "max_storage_buffers", lambda: plan("forward", "jax", 8, limits=Limits(0))),
        (ValueError, "middle", lambda: plan("gate_broadcast", "jax", 7, middle=2)),
        (OverflowError, "negative", lambda: plan("forward", "jax", -1)),
        (ValueError, "more than 65536 parts", lambda: plan("forward", "jax", 1 << 60)),
        (ValueError, "middle is -1: ", lambda: plan("gate_broadcast", "jax", 8, middle=-1)),
        (ValueError, "no operation is called", lambda: scalar("sigmoid", "jax")),
        (TypeError, "forward needs a hard sigmoid", lambda: scalar("forward")),
        (TypeError, "forward takes no seed", lambda: scalar("forward", "jax", seed=1)),
        (ValueError, "no number is called", lambda: scalar("forward", "jax", type="bf16")),
        (ValueError, "no text is called", lambda: scalar("forward", "jax", text="long")),
        (ValueError, "can't begin a name", lambda: scalar("forward", "jax", prefix="1")),
        (ValueError, "pack doesn't make one number", lambda: scalar("pack")),
        (TypeError, "not an instance of 'str'", lambda: scalar("forward", "jax", type=np.float32)),
        (TypeError, "limits is a dict", lambda: plan("forward", "jax", 8, limits={})),
        (TypeError, "not int", lambda: plan("forward", 3, 8)),
    ]:
        with pytest.raises(kind, match=message):
            call()


@pytest.mark.parametrize("dtype", [np.float32, np.float16, ml_dtypes.bfloat16])
def test_every_operation_on_the_device(example, device, dtype):
    random = np.random.default_rng(2)
    a, b, g = (4 * random.standard_normal((3, 2, 1001))).astype(dtype)
    empty = lambda: np.full_like(a, np.nan)

    def on_device(operation, inputs, outputs, definition=PYTORCH, **parameters):
        example.launch(device, operation, definition, inputs, outputs, **parameters)
        return [array.tobytes() for array in outputs.values()]

    bytes_of = lambda *arrays: [array.tobytes() for array in arrays]
    assert on_device("forward", {"x": a}, {"y": empty()}) == bytes_of(PYTORCH.forward(a))
    assert on_device("hard_swish", {"x": a}, {"y": empty()}) == bytes_of(PYTORCH.hard_swish(a))
    for name in ("backward", "hard_swish_backward"):
        assert on_device(name, {"x": a, "g": g}, {"dx": empty()}) == bytes_of(getattr(PYTORCH, name)(a, g))
    y = PYTORCH.forward(a)
    expected = PYTORCH.backward_from_output(y, g)
    assert on_device("backward_from_output", {"y": y, "g": g}, {"dx": empty()}) == bytes_of(expected)
    assert on_device("gate", {"a": a, "b": b}, {"y": empty()}) == bytes_of(PYTORCH.gate(a, b))
    expected = PYTORCH.gate_backward(a, b, g)
    assert on_device("gate_backward", {"a": a, "b": b, "g": g}, {"da": empty(), "db": empty()}) == bytes_of(*expected)
    rows = b[:, :1].copy()
    expected = PYTORCH.gate_backward(a, rows, g)
    actual = on_device("gate_broadcast", {"a": g, "b": rows}, {"y": empty()}, middle=1001)
    actual += on_device("gate_broadcast_sums", {"a": a, "b": rows, "g": g}, {"db": np.full_like(rows, np.nan)}, middle=1001)
    assert actual == bytes_of(*expected)
    expected = hard_sigmoid.binarize(a, seed=5, offset=6, probability="pytorch")
    assert on_device("binarize", {"x": a}, {"y": empty()}, seed=5, offset=6) == bytes_of(expected)
    expected = hard_sigmoid.straight_through(a, g)
    assert on_device("straight_through", {"x": a, "g": g}, {"dx": empty()}, None) == bytes_of(expected)
