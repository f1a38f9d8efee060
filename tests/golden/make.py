#!/usr/bin/env python3
"""Writes the golden files in this folder: what the real frameworks compute, bit for bit.

    pip install -r tests/golden/requirements.txt && python tests/golden/make.py

x.npy and g.npy hold inputs and upstream gradients; NAME.y.npy and NAME.dx.npy what the framework named in the table
below made of them. Everything is float32; NaNs keep their bits. NAME.gate.*, NAME.hard_swish.* and NAME.accumulate.dx are
the operations of around_the_hard_sigmoid(), whose third operand is g from its twelfth element on, then the first eleven.
straight_through.dx.npy is the gradient of a binarization, philox.npy random words: see
straight_through() and random_words(). NAME.f16.y.npy and the like hold the bits (uint16) for
all 65,536 inputs of a half type in order, against the upstream gradients of half_gradients().
composed/NAME.npy is what frameworks make of written-out hard sigmoids and in halves: rows x, g, y, dx; see composed().
"""

import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"

import jax
import keras
import numpy as np
import onnx
import onnxruntime
import tensorflow as tf
import torch

HERE = Path(__file__).parent
RANDOM = 6000
F = np.float32


def bits(values):
    return np.array(values, dtype=np.uint32).view(F)


def inputs():
    """Special values, four ulp round each kink, and random ones: near the curve and over all bit patterns."""
    rng = np.random.default_rng(20261124)
    nans = bits([0x7FC00000, 0xFFC00000, 0x7F800001, 0xFF800001, 0x7FC12345, 0xFFABCDEF, 0x7FFFFFFF, 0xFFFFFFFF])
    tiny = bits([0x00000001, 0x80000001, 0x007FFFFF, 0x807FFFFF, 0x00800000, 0x80800000, 0x00012345])
    plain = np.array([0, -0.0, 1, -1, 0.5, -0.5, 6, -6, 1e-8, -1e-8, 100, -100, 1e30, -1e30, np.inf, -np.inf], F)
    huge = bits([0x7F7FFFFF, 0xFF7FFFFF])
    near = []
    for kink in (1, 2, 2.5, 3, 0.16666667, 0.3, 0.42857143, 1.0):
        for sign in (1, -1):
            centre = np.array([sign * kink], F).view(np.int32)[0]
            near.append((centre + np.arange(-4, 5)).astype(np.int32).view(F))
    special = np.concatenate([nans, tiny, plain, huge, *near])
    gradients = np.concatenate([nans[:5], tiny[:4], plain, huge, bits([0x00FFFFFF, 0x3F800001])])
    # Every special input against a special gradient, then random pairs.
    x = np.repeat(special, 2)
    g = gradients[np.arange(x.size) * 7 % gradients.size]
    g[::2] = rng.standard_normal(g[::2].size).astype(F)
    curve = rng.uniform(-4, 4, RANDOM // 2).astype(F)
    any_bits = rng.integers(0, 2**32, RANDOM // 2, dtype=np.uint32).view(F)
    x = np.concatenate([x, curve, any_bits])
    g = np.concatenate([g, rng.standard_normal(RANDOM // 2).astype(F) * F(0.01), np.roll(any_bits, 1)])
    return x, g


def with_torch(x, g):
    leaf = torch.from_numpy(x.copy()).requires_grad_()
    y = torch.nn.functional.hardsigmoid(leaf)
    y.backward(torch.from_numpy(g.copy()))
    through_keras = keras.ops.convert_to_numpy(keras.activations.hard_sigmoid(keras.ops.convert_to_tensor(x)))
    assert (through_keras.view(np.uint32) == y.detach().numpy().view(np.uint32)).all(), "Keras 3 on torch differs"
    return y.detach().numpy(), leaf.grad.numpy()


def with_jax(function):
    def run(x, g):
        y, pull = jax.vjp(jax.jit(function), jax.numpy.asarray(x))
        return np.asarray(y), np.asarray(jax.jit(pull)(jax.numpy.asarray(g))[0])

    return run


KERAS3 = """
import sys, numpy as np, tensorflow as tf, keras
folder, name = sys.argv[1:]
assert keras.backend.backend() == "tensorflow"
x = tf.constant(np.load(folder + "/x.npy"))
with tf.GradientTape() as tape:
    tape.watch(x)
    y = getattr(keras.activations, name)(x)
dx = tape.gradient(y, x, output_gradients=tf.constant(np.load(folder + "/g.npy")))
np.save(folder + "/y.npy", y.numpy())
np.save(folder + "/dx.npy", dx.numpy())
"""


def with_keras3(name):
    """Keras 3 on TensorFlow, in a process of its own: Keras takes one backend."""

    def run(x, g):
        with tempfile.TemporaryDirectory() as folder:
            np.save(Path(folder) / "x.npy", x)
            np.save(Path(folder) / "g.npy", g)
            environment = os.environ | {"KERAS_BACKEND": "tensorflow"}
            subprocess.run([sys.executable, "-c", KERAS3, folder, name], env=environment, check=True)
            return tuple(np.load(Path(folder) / file) for file in ("y.npy", "dx.npy"))

    return run


def hardswish_with_torch(x, g):
    """By its vector code: the elements after the last whole vector take other code, with another NaN."""
    padded = lambda values: torch.cat([values, torch.zeros(64, dtype=values.dtype)])
    leaf = padded(x).requires_grad_()
    y = torch.nn.functional.hardswish(leaf)
    y.backward(padded(g))
    return y.detach()[:-64], leaf.grad[:-64]


def with_tf(function):
    def run(x, g):
        x = tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        return y.numpy(), tape.gradient(y, x, output_gradients=tf.constant(g)).numpy()

    return run


def with_onnxruntime(operator="HardSigmoid", **attributes):
    def run(x, _):
        node = onnx.helper.make_node(operator, ["x"], ["y"], **attributes)
        value = lambda name: onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [None])
        graph = onnx.helper.make_graph([node], "g", [value("x")], [value("y")])
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 21)], ir_version=10)
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        return session.run(None, {"x": x})[0], None

    return run


def with_numpy(shift, divisor):
    """(x + shift) / divisor, clipped; gradient g / divisor strictly between the kinks."""

    def run(x, g):
        with np.errstate(all="ignore"):
            v = (x + F(shift)) / F(divisor)
            return np.clip(v, F(0), F(1)), np.where((v > 0) & (v < 1), g / F(divisor), F(0))

    return run


def around_the_hard_sigmoid(x, g):
    """What frameworks compute with a hard sigmoid and one operation more."""
    third = np.roll(g, -11)
    hardsigmoid = torch.nn.functional.hardsigmoid
    leaf = lambda values: torch.from_numpy(values.copy()).requires_grad_()
    a, b = leaf(third), leaf(x)
    y = a * hardsigmoid(b)
    y.backward(torch.from_numpy(g.copy()))
    yield "pytorch.gate.y", y.detach().numpy()
    yield "pytorch.gate.da", a.grad.numpy()
    yield "pytorch.gate.db", b.grad.numpy()
    y, dx = hardswish_with_torch(torch.from_numpy(x.copy()), torch.from_numpy(g.copy()))
    yield "pytorch.hard_swish.y", y.numpy()
    yield "pytorch.hard_swish.dx", dx.numpy()
    y, dx = with_keras3("hard_silu")(x, g)
    composed = (torch.from_numpy(x) * hardsigmoid(torch.from_numpy(x))).numpy()
    differ = (composed.view(np.uint32) != y.view(np.uint32)) & ~np.isnan(y) & (np.abs(composed) >= np.finfo(F).tiny)
    assert not differ.any(), "x * hardsigmoid(x) in PyTorch differs from Keras 3's hard_silu"
    yield "keras3.hard_swish.y", y
    yield "keras3.hard_swish.dx", dx
    b = leaf(x)
    b.grad = torch.from_numpy(third.copy())
    hardsigmoid(b).backward(torch.from_numpy(g.copy()))
    yield "pytorch.accumulate.dx", b.grad.numpy()
    yield "jax.hard_swish.y", np.asarray(jax.jit(jax.nn.hard_silu)(jax.numpy.asarray(x)))
    yield "affine(0.16666667, 0.5).hard_swish.y", with_onnxruntime("HardSwish")(x, g)[0]


def straight_through(x, g):
    """The gradient that BinaryNet's code takes: that of clip(x, -1, 1), both ends included. PyTorch has to give it too."""
    dx = with_tf(lambda x: tf.clip_by_value(x, -1.0, 1.0))(x, g)[1]
    by_torch = torch.where(torch.from_numpy(x).abs() <= 1, torch.from_numpy(g), 0).numpy()
    differ = dx.view(np.uint32) != by_torch.view(np.uint32)
    # TensorFlow quiets NaN and flushes subnormals; PyTorch copies.
    tiny = np.abs(by_torch) < np.finfo(F).tiny
    assert not (differ & ~np.isnan(dx) & ~tiny).any(), "TensorFlow and PyTorch differ"
    return by_torch


def random_words():
    """64 words of TensorFlow's Philox4x32-10 from each of these blocks, as rows: seed, number of the first block (each
    two words, low one first), words."""
    rows = []
    for seed, block in [(0, 0), (42, 0), (2**64 - 1, 2**32 - 7), (0x299F31D0A4093822, 2**62 - 16), (7, 2**40)]:
        words = tf.raw_ops.StatelessRandomUniformFullIntV2(
            shape=[64],
            key=tf.constant([seed], tf.uint64),
            counter=tf.constant([block, 0], tf.uint64),
            alg=1,
            dtype=tf.uint32,
        )
        rows.append(np.concatenate([np.array([seed, block], np.uint64).view(np.uint32), words.numpy()]))
    return np.stack(rows)


def half_gradients():
    return (np.arange(65536, dtype=np.uint32) * 0x9E37 + 0x1234).astype(np.uint16)


def halves_with_torch(dtype, x, g):
    tensor = lambda bits: torch.from_numpy(bits.view(np.int16).copy()).view(dtype)
    x = tensor(x).requires_grad_()
    y = torch.nn.functional.hardsigmoid(x)
    y.backward(tensor(g))
    bits = lambda t: t.detach().view(torch.int16).numpy().view(np.uint16)
    return *map(bits, (y, x.grad)), *map(bits, hardswish_with_torch(x.detach(), tensor(g)))


def halves_with_onnxruntime():
    """ONNX Runtime's CPU code takes float16 by widening to float32 and rounding once."""
    x = np.arange(65536, dtype=np.uint16).view(np.float16)
    node = onnx.helper.make_node("HardSigmoid", ["x"], ["y"])
    value = lambda name: onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT16, [None])
    graph = onnx.helper.make_graph([node], "g", [value("x")], [value("y")])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 21)], ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0].view(np.uint16)


def composed():
    """What frameworks make of a hard sigmoid that is written out, or computed in halves: each rounds where it does."""
    rng = np.random.default_rng(8)
    x = np.concatenate([[0, 1, -1, 1.5, 1.8333334, -1.5, 2.5, -2.5, 2.9999998, 3, -3], rng.normal(0, 2, 501)])
    g = rng.normal(0, 1, x.size)
    clip = lambda alpha, beta: lambda m: lambda x: m.clip(x * alpha + beta, 0.0, 1.0)
    relu6 = torch.nn.functional.relu6
    with_torch = {
        "torch.hardsigmoid": torch.nn.functional.hardsigmoid,
        "torch.relu6": lambda x: relu6(x + 3) / 6,
        "torch.relu6_times": lambda x: relu6(x + 3) * (1 / 6),
        "torch.keras2": clip(0.2, 0.5)(torch),
        "torch.courbariaux": lambda x: torch.clip((x + 1) / 2, 0, 1),
        "torch.affine(0.3, 0.45)": clip(0.3, 0.45)(torch),
    }
    with_jax = {
        "jax.hard_sigmoid": jax.nn.hard_sigmoid,
        "jax.keras2": clip(0.2, 0.5)(jax.numpy),
        "jax.affine(0.3, 0.45)": clip(0.3, 0.45)(jax.numpy),
    }
    with_jax |= {f"{name}.jit": jax.jit(function) for name, function in with_jax.items()}
    keras2 = lambda x: tf.clip_by_value(x * tf.cast(0.2, x.dtype) + tf.cast(0.5, x.dtype), 0.0, 1.0)
    relu6_6 = lambda x: tf.nn.relu6(x + 3.0) / tf.cast(6.0, x.dtype)
    compiled = lambda function: tf.function(function, jit_compile=True)
    with_tensorflow = {
        "tf.keras2": keras2,
        "tf.keras2.xla": compiled(keras2),
        "tf.keras3": relu6_6,
        "tf.keras3.xla": compiled(relu6_6),
    }
    for dtype in ("float32", "float16", "bfloat16"):
        rounded = [jax.numpy.asarray(values).astype(dtype) for values in (x, g)]
        for name, function in with_torch.items():
            a, b = (torch.tensor(np.asarray(v.astype(F))).to(getattr(torch, dtype)) for v in rounded)
            a.requires_grad_()
            y = function(a)
            y.backward(b)
            yield f"{name}.{dtype}", [t.detach().float().numpy() for t in (a, b, y, a.grad)]
        for name, function in with_jax.items():
            y, pull = jax.vjp(function, rounded[0])
            pull = jax.jit(pull) if name.endswith("jit") else pull
            yield f"{name}.{dtype}", [np.asarray(t.astype(F)) for t in (*rounded, y, pull(rounded[1])[0])]
        for name, function in with_tensorflow.items():
            a, b = (tf.cast(np.asarray(v.astype(F)), dtype) for v in rounded)
            with tf.GradientTape() as tape:
                tape.watch(a)
                y = function(a)
            dx = tape.gradient(y, a, output_gradients=b)
            yield f"{name}.{dtype}", [tf.cast(t, tf.float32).numpy() for t in (a, b, y, dx)]


ROWS = {
    "keras": with_tf(tf.keras.backend.hard_sigmoid if hasattr(tf.keras.backend, "hard_sigmoid") else
                     lambda x: tf.clip_by_value(x * 0.2 + 0.5, 0.0, 1.0)),
    "onnx": with_onnxruntime(),
    "courbariaux": with_tf(lambda x: tf.clip_by_value((x + 1.0) / 2.0, 0.0, 1.0)),
    "tangent": with_numpy(2, 4),
    "pytorch": with_torch,
    "jax": with_jax(jax.nn.hard_sigmoid),
    "keras3": with_keras3("hard_sigmoid"),
    "sparse": with_jax(jax.nn.sparse_sigmoid),
    # Any alpha and beta; the file's name is what the crate parses.
    "affine(0.16666667, 0.5)": with_onnxruntime(alpha=1 / 6, beta=0.5),
    "affine(-0.7, 0.3)": with_onnxruntime(alpha=-0.7, beta=0.3),
    "affine(0, 0.25)": with_onnxruntime(alpha=0.0, beta=0.25),
    "affine(3e-39, 0.5)": with_onnxruntime(alpha=3e-39, beta=0.5),
    "affine(1e30, -2)": with_onnxruntime(alpha=1e30, beta=-2.0),
}


def main():
    x, g = inputs()
    np.save(HERE / "x.npy", x)
    np.save(HERE / "g.npy", g)
    for name, run in ROWS.items():
        y, dx = run(x, g)
        np.save(HERE / f"{name}.y.npy", y.astype(F, copy=False))
        if dx is not None:
            np.save(HERE / f"{name}.dx.npy", dx.astype(F, copy=False))
    for name, values in around_the_hard_sigmoid(x, g):
        np.save(HERE / f"{name}.npy", values)
    np.save(HERE / "straight_through.dx.npy", straight_through(x, g))
    np.save(HERE / "philox.npy", random_words())
    for name, dtype in [("f16", torch.float16), ("bf16", torch.bfloat16)]:
        results = halves_with_torch(dtype, np.arange(65536, dtype=np.uint16), half_gradients())
        for result, values in zip(("y", "dx", "hard_swish.y", "hard_swish.dx"), results):
            np.save(HERE / f"pytorch.{name}.{result}.npy", values)
    np.save(HERE / "onnx.f16.y.npy", halves_with_onnxruntime())
    (HERE / "composed").mkdir(exist_ok=True)
    for name, rows in composed():
        np.save(HERE / "composed" / f"{name}.npy", np.stack(rows))
    modules = [np, torch, jax, tf, keras, onnx, onnxruntime]
    made_with = ", ".join(f"{m.__name__} {m.__version__}" for m in modules)
    (HERE / "MADE_WITH.txt").write_text(
        f"{x.size} elements; Python {platform.python_version()}, {platform.machine()}; {made_with}\n"
    )
    print(made_with)


if __name__ == "__main__":
    sys.exit(main())
