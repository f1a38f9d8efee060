"""Runs the kernels on a GPU with wgpu-py: the hard sigmoid and its gradient, with every bit compared with the CPU path.

    pip install hard-sigmoid wgpu
    python examples/webgpu.py

Any other WebGPU host can do the same: the plan says what to compile, bind and dispatch.
"""

import sys

import numpy as np
import wgpu

import hard_sigmoid
from hard_sigmoid import HardSigmoid, Limits

STORAGE = wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.COPY_SRC | wgpu.BufferUsage.COPY_DST


def launch(device, operation, definition, inputs, outputs, **parameters):
    """Runs an operation on arrays, given by name, and writes the arrays of ``outputs``."""
    arrays = inputs | outputs
    buffers = {name: upload(device, array) for name, array in arrays.items()}
    first = next(iter(inputs.values()))
    limits = Limits(
        device.limits["max-storage-buffers-per-shader-stage"],
        device.limits["max-storage-buffer-binding-size"],
        device.limits["min-storage-buffer-offset-alignment"],
        device.limits["max-compute-workgroups-per-dimension"],
        device.limits["max-compute-workgroup-storage-size"],
    )
    plan = hard_sigmoid.plan(operation, definition, first.size, dtype=first.dtype, limits=limits, **parameters)

    # The module, layouts and pipelines can be kept for the next launch.
    module = device.create_shader_module(code=plan.wgsl)
    entries = [
        {"binding": i, "visibility": wgpu.ShaderStage.COMPUTE, "buffer": {"type": kind}}
        for i, kind in enumerate([*(kind for _, kind in plan.tensors), "uniform"])
    ]
    layout = device.create_bind_group_layout(entries=entries)
    pipeline_layout = device.create_pipeline_layout(bind_group_layouts=[layout])
    names = {dispatch.entry_point for part in plan.parts for dispatch in part.dispatches}
    pipelines = {
        name: device.create_compute_pipeline(layout=pipeline_layout, compute={"module": module, "entry_point": name})
        for name in names
    }

    encoder = device.create_command_encoder()
    compute = encoder.begin_compute_pass()
    for part in plan.parts:
        params = device.create_buffer_with_data(data=part.params, usage=wgpu.BufferUsage.UNIFORM)
        ranges = [(buffers[one.tensor], one.offset, one.size) for one in part.bindings]
        ranges.append((params, 0, len(part.params)))
        group = device.create_bind_group(
            layout=layout,
            entries=[
                {"binding": i, "resource": {"buffer": buffer, "offset": offset, "size": size}}
                for i, (buffer, offset, size) in enumerate(ranges)
            ],
        )
        compute.set_bind_group(0, group)
        for dispatch in part.dispatches:
            compute.set_pipeline(pipelines[dispatch.entry_point])
            compute.dispatch_workgroups(*dispatch.workgroups)
    compute.end()
    device.queue.submit([encoder.finish()])
    for name, array in outputs.items():
        read = device.queue.read_buffer(buffers[name])
        array[...] = np.frombuffer(read, array.dtype, array.size).reshape(array.shape)


def upload(device, array):
    """A buffer of whole 4-byte words."""
    data = array.tobytes()
    return device.create_buffer_with_data(data=data + bytes(-len(data) % 4), usage=STORAGE)


def main():
    adapter = wgpu.gpu.request_adapter_sync()
    device = adapter.request_device_sync()
    print(adapter.summary)
    generator = np.random.default_rng(0)
    differing = 0
    for dtype in (np.float32, np.float16):
        # An odd length, so that the last word is half full in float16.
        x, g = (4 * generator.standard_normal((2, 1_000_003))).astype(dtype)
        y, dx = np.full_like(x, np.nan), np.full_like(x, np.nan)
        for definition in hard_sigmoid.presets():
            launch(device, "forward", definition, {"x": x}, {"y": y})
            launch(device, "backward", definition, {"x": x, "g": g}, {"dx": dx})
            for actual, expected in [(y, definition.forward(x)), (dx, definition.backward(x, g))]:
                bits = f"u{dtype().itemsize}"
                differing += np.bitwise_count(actual.view(bits) ^ expected.view(bits)).sum()
        print(f"{np.dtype(dtype).name}: {len(hard_sigmoid.presets())} presets, {x.size} elements, forward and backward")
    print(f"{differing} differing bits")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
