"""Compares our CPU path with other implementations of the hard sigmoid, in turn, in one run.

    python3 -m venv venv && venv/bin/pip install -r benches/peers/requirements.txt
    venv/bin/python benches/peers/compare.py
    venv/bin/python benches/peers/compare.py --gpu

For each type, pass and length: our median time, and how many times longer the others take (above 1: we are faster).
Tensors and outputs are made beforehand. Each implementation uses all cores. Each is first compared with ours by value.
The definition is PyTorch's; ONNX Runtime and ncnn compute clip(x / 6 + 0.5), which is the nearest that they have.

With --gpu: our kernel, ONNX Runtime's WebGPU provider and ncnn's Vulkan layer on the first adapter of the first Vulkan
driver (VK_ICD_FILENAMES chooses one; ONNX Runtime needs lavapipe 25 or a GPU). Neither lets Python keep tensors on the
device, so the time of one forward pass is an eighth of what a chain of nine takes longer than one alone. burn is in the
bench of crates/burn.
"""

import importlib.metadata
import os
import subprocess
import sys
import time
from pathlib import Path

import ncnn
import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper

ROOT = Path(__file__).resolve().parents[2]
CORES = len(os.sched_getaffinity(0))
LENGTHS = [1 << 10, 1 << 14, 1 << 18, 1 << 20, 1 << 22, 1 << 24, 1 << 26]


class Ours:
    def __init__(self):
        environment = os.environ | {"HARD_SIGMOID_PEERS": "1"}
        command = ["cargo", "bench", "--quiet", "--bench", "peers"]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def time(self, line):
        print(line, file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit("our side ended: see above")
        return float(answer)


def values(length):
    return ((np.arange(length, dtype=np.int64) * 7919 % 8001).astype(np.float32) / 1000 - 4).astype(np.float32)


def expected(x):
    return np.clip(x / 6 + 0.5, 0, 1)


def torch_cpu(kind, dtype, length):
    x = torch.from_numpy(values(length)).to(dtype)
    out = torch.empty_like(x)
    if kind == "forward":
        run = lambda: torch.ops.aten.hardsigmoid.out(x, out=out)
        wanted = expected(x.float().numpy())
    elif kind == "in_place":
        return lambda: torch.ops.aten.hardsigmoid_(x)
    else:
        g = x.clone()
        run = lambda: torch.ops.aten.hardsigmoid_backward.grad_input(g, x, grad_input=out)
        x32 = x.float().numpy()
        wanted = np.where(np.abs(x32) < 3, x32 / 6, 0)
    run()
    assert np.abs(out.float().numpy() - wanted).max() < 0.01
    return run


def onnx_session(length, layers, provider):
    names = [f"x{i}" for i in range(layers + 1)]
    nodes = [
        helper.make_node("HardSigmoid", [x], [y], alpha=1 / 6, beta=0.5) for x, y in zip(names, names[1:])
    ]
    tensors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [length]) for name in (names[0], names[-1])]
    graph = helper.make_graph(nodes, "g", tensors[:1], tensors[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = CORES
    if provider != "CPUExecutionProvider":
        # Otherwise it falls back with only a warning.
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    return onnxruntime.InferenceSession(model.SerializeToString(), options, [provider])


def onnx_cpu(length):
    session = onnx_session(length, 1, "CPUExecutionProvider")
    x, y = values(length), np.empty(length, np.float32)
    binding = session.io_binding()
    given = onnxruntime.OrtValue.ortvalue_from_numpy(x)
    binding.bind_ortvalue_input("x0", given)
    out = onnxruntime.OrtValue.ortvalue_from_numpy(y)
    binding.bind_ortvalue_output("x1", out)
    run = lambda keep=(given, y): session.run_with_iobinding(binding)
    run()
    assert np.abs(out.numpy() - expected(x)).max() < 1e-5
    return run


def onnx_gpu(length, layers):
    session = onnx_session(length, layers, "WebGpuExecutionProvider")
    x = values(length)
    wanted = chained(x, layers)
    assert np.abs(session.run(None, {"x0": x})[0] - wanted).max() < 1e-5
    return lambda: session.run(None, {"x0": x})


def chained(x, layers):
    for _ in range(layers):
        x = expected(x)
    return x


def ncnn_net(layers, on_gpu):
    folder = Path(os.environ.get("TMPDIR", "/tmp"))
    parameters = folder / "hard_sigmoid.param"
    lines = [f"HardSigmoid h{i} 1 1 x{i} x{i + 1} 0={1 / 6:.9f} 1=0.5" for i in range(layers)]
    head = ["7767517", f"{layers + 1} {layers + 1}", "Input in 0 1 x0"]
    parameters.write_text("\n".join(head + lines) + "\n")
    weights = folder / "hard_sigmoid.bin"
    weights.write_bytes(b"")
    net = ncnn.Net()
    net.opt.use_vulkan_compute = on_gpu
    net.opt.num_threads = CORES
    net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = net.opt.use_fp16_packed = False
    net.opt.use_bf16_storage = False
    assert net.load_param(str(parameters)) == 0 and net.load_model(str(weights)) == 0
    return net


def ncnn_cpu(length):
    net = ncnn_net(1, False)
    layer = next(layer for layer in net.layers() if layer.type == "HardSigmoid")
    given = values(length)
    # A copy, because ncnn doesn't keep the array alive.
    x = ncnn.Mat(given).clone()

    def run(keep=net):
        return layer.forward_inplace(x, net.opt)

    assert run() == 0 and np.abs(np.array(x) - expected(given)).max() < 1e-5
    return run


def ncnn_gpu(length, layers):
    net = ncnn_net(layers, True)
    given = values(length)
    x = ncnn.Mat(given).clone()

    def run():
        extractor = net.create_extractor()
        extractor.input("x0", x)
        return extractor.extract(f"x{layers}")

    status, y = run()
    assert status == 0 and np.abs(np.array(y) - chained(given, layers)).max() < 1e-5
    return run


def median(run, rounds):
    run()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def on_gpu():
    ours = Ours()
    print(f"{ncnn.get_gpu_info(0).device_name()}; ONNX Runtime {onnxruntime.__version__}, ncnn {ncnn.__version__}")
    print(f"{'type':<5} {'pass':<9} {'elements':>9} {'ours':>11} {'onnx':>7} {'ncnn':>7}")
    for length in (1 << 18, 1 << 20, 1 << 22, 1 << 24):
        rounds = max(5, min(50, (1 << 24) // length))
        runs = {peer: [of(length, layers) for layers in (1, 9)] for peer, of in (("onnx", onnx_gpu), ("ncnn", ncnn_gpu))}
        turns = {"ours": []} | {peer: [] for peer in runs}
        for _ in range(5):
            one, nine = (ours.time(f"gpu {layers} f32 {length} {rounds}") for layers in (1, 9))
            turns["ours"].append((nine - one) / 8)
            for peer, (one, nine) in runs.items():
                turns[peer].append((median(nine, rounds) - median(one, rounds)) / 8)
        times = {who: float(np.median(of)) for who, of in turns.items()}
        ratios = " ".join(f"{times[peer] / times['ours']:>7.2f}" for peer in runs)
        print(f"{'f32':<5} {'forward':<9} {length:>9} {times['ours'] * 1e6:>8.1f} us {ratios}", flush=True)


def main():
    # Large pages for everybody: NumPy asks for them, and they double the bandwidth.
    if "GLIBC_TUNABLES" not in os.environ:
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"})
    if "--gpu" in sys.argv:
        return on_gpu()
    torch.set_num_threads(CORES)
    versions = [f"{name} {importlib.metadata.version(name)}" for name in ("torch", "onnxruntime-webgpu", "ncnn")]
    print(f"{CORES} cores; {', '.join(versions)}")
    ours = Ours()
    dtypes = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}
    print(f"{'type':<5} {'pass':<9} {'elements':>9} {'ours':>11} {'torch':>7} {'onnx':>7} {'ncnn':>7}")
    slower = 0
    for name, dtype in dtypes.items():
        for kind in ("forward", "in_place", "backward"):
            for length in LENGTHS:
                peers = {"torch": torch_cpu(kind, dtype, length)}
                if name == "f32" and kind == "forward":
                    peers["onnx"] = onnx_cpu(length)
                if name == "f32" and kind == "in_place":
                    peers["ncnn"] = ncnn_cpu(length)
                # A tenth of a second each, in five turns, so that a busy machine slows all of them.
                rounds = max(3, min(1000, (1 << 24) // length))
                turns = {"ours": []} | {peer: [] for peer in peers}
                for _ in range(5):
                    # The others' threads spin for a while when they have done their work.
                    time.sleep(0.2)
                    turns["ours"].append(ours.time(f"cpu {kind} {name} {length} {rounds}"))
                    for peer, run in peers.items():
                        time.sleep(0.2)
                        turns[peer].append(median(run, rounds))
                times = {who: float(np.median(of)) for who, of in turns.items()}
                ratio = lambda peer: f"{times[peer] / times['ours']:.2f}" if peer in times else "-"
                slower += sum(times[peer] < times["ours"] for peer in peers)
                columns = " ".join(f"{ratio(peer):>7}" for peer in ("torch", "onnx", "ncnn"))
                print(f"{name:<5} {kind:<9} {length:>9} {times['ours'] * 1e6:>8.1f} us {columns}", flush=True)
    print(f"{slower} of these are faster than ours")


main()
