"""What PyTorch computes in eager mode, under its compiler and after its exporter, and Keras 3 and timm on it."""

import io
import os

os.environ |= {"KERAS_BACKEND": "torch", "CUDA_VISIBLE_DEVICES": ""}

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
import timm
import torch
from sample import F, G, X, differing, spread, states

from hard_sigmoid import HardSigmoid

PYTORCH, JAX, KERAS3 = (HardSigmoid(name) for name in ("pytorch", "jax", "keras3"))
SIXTH = HardSigmoid.affine(1 / 6, 0.5)
functional = torch.nn.functional
# In vectors and in single elements PyTorch's hardswish and relu6 have two gradients at NaN.
NUMBERS = ~np.isnan(X)


def results(function):
    x = torch.from_numpy(X.copy()).requires_grad_()
    y = function(x)
    y.backward(torch.from_numpy(G.copy()))
    return y.detach().numpy(), x.grad.numpy()


def from_hard_sigmoid(function, preset):
    y, dx = results(function)
    return differing(y, preset.forward(X)), differing(dx, preset.backward(X, G))


def from_hard_swish(function, preset):
    y, dx = results(function)
    return differing(y, preset.hard_swish(X)), differing(dx[NUMBERS], preset.hard_swish_backward(X, G)[NUMBERS])


def test_the_presets_differ_here():
    assert from_hard_sigmoid(functional.hardsigmoid, JAX)[0] > 20_000
    assert from_hard_sigmoid(functional.hardsigmoid, KERAS3)[1] > 20_000
    assert min(from_hard_swish(functional.hardswish, KERAS3) + from_hard_swish(functional.hardswish, JAX)) > 20_000


def test_keras_on_pytorch_takes_its_functions():
    states("`keras.activations.hard_sigmoid` of Keras 3 on PyTorch")
    states("Keras 3 on PyTorch calls PyTorch's.")
    assert keras.backend.backend() == "torch"
    assert from_hard_sigmoid(keras.activations.hard_sigmoid, PYTORCH) == (0, 0)
    assert from_hard_swish(keras.activations.hard_silu, PYTORCH) == (0, 0)
    # Not the product with its own hard sigmoid.
    assert min(from_hard_swish(lambda x: x * keras.activations.hard_sigmoid(x), PYTORCH)) > 20_000


def test_sparse_sigmoid_of_keras_compares_x():
    states("On TensorFlow and PyTorch Keras's `sparse_sigmoid` has this y, and a gradient that no preset and no `affine` has")
    states("at 0.99999994, where v rounds to 1, and at NaN dx is 0.5·g; `affine(0.5, 0.5, strict)`, which equals it elsewhere, gives 0 there")
    y, dx = results(keras.activations.sparse_sigmoid)
    assert differing(y, HardSigmoid("sparse").forward(X)) == 0
    strict = HardSigmoid.affine(0.5, 0.5).backward(X, G)
    other = np.flatnonzero(dx != strict)
    assert [str(x) for x in np.sort(X[other])] == ["0.99999994", "nan"]
    assert (dx[other] == F(0.5) * G[other]).all() and (strict[other] == 0).all()


def test_relu6_written_out():
    states("`relu6(x + 3) / 6` written out in PyTorch (at NaN its code for vectors has this gradient, and its code for single elements g / 6)")
    y, dx = results(lambda x: functional.relu6(x + 3) / 6)
    assert differing(y, KERAS3.forward(X)) == differing(dx[NUMBERS], KERAS3.backward(X, G)[NUMBERS]) == 0
    assert differing(dx, PYTORCH.backward(X, G)) > 20_000
    x = torch.full((65,), torch.nan, requires_grad=True)
    (functional.relu6(x + 3) / 6).sum().backward()
    assert (x.grad[:64] == 0).all() and x.grad[64] == KERAS3.backward([0], [1])[0]


def test_timm_takes_the_functions_of_pytorch():
    states("[`pytorch`](#pytorch): it takes PyTorch's own `hardsigmoid` and `hardswish`")
    states("with the roundings of [`keras3`](#keras3)")
    for name in ("hard_sigmoid", "hardsigmoid"):
        assert timm.layers.get_act_fn(name) is functional.hardsigmoid
        assert timm.layers.get_act_layer(name) is torch.nn.Hardsigmoid
    for name in ("hard_swish", "hardswish"):
        assert timm.layers.get_act_fn(name) is functional.hardswish
        assert timm.layers.get_act_layer(name) is torch.nn.Hardswish
    fallback = results(timm.layers.activations.hard_sigmoid)
    written_out = results(lambda x: functional.relu6(x + 3) / 6)
    assert [differing(*pair) for pair in zip(fallback, written_out)] == [0, 0]
    assert from_hard_swish(timm.layers.activations.hard_swish, KERAS3)[0] == 0


def test_the_compiler_keeps_the_bits():
    states("`torch.nn.functional.hardsigmoid` on the CPU, also under `torch.compile`")
    states("| PyTorch on the CPU, also under `torch.compile`; Keras 3 on PyTorch, `hard_silu`;")
    states("| PyTorch on the CPU, also under `torch.compile` | [`pytorch`](#pytorch) |")
    assert from_hard_sigmoid(torch.compile(functional.hardsigmoid, fullgraph=True), PYTORCH) == (0, 0)
    assert from_hard_swish(torch.compile(functional.hardswish, fullgraph=True), PYTORCH) == (0, 0)


INSIDE = spread(1 << 22, -3, 3)


def exported(module, **options):
    """The operators that the exporter writes, and ONNX Runtime's y."""
    file = io.BytesIO()
    torch.onnx.export(module.eval(), (torch.from_numpy(INSIDE),), file, verbose=False, **options)
    session = onnxruntime.InferenceSession(file.getvalue(), providers=["CPUExecutionProvider"])
    (y,) = session.run(None, {session.get_inputs()[0].name: INSIDE})
    return [node.op_type for node in onnx.load_from_string(file.getvalue()).graph.node], y


@pytest.mark.parametrize("options", [{}, {"dynamo": False}])
def test_hardsigmoid_exported(options):
    operators, y = exported(torch.nn.Hardsigmoid(), **options)
    assert operators == ["HardSigmoid"]
    assert differing(y, SIXTH.forward(INSIDE)) == 0
    share = 100 * differing(y, functional.hardsigmoid(torch.from_numpy(INSIDE)).numpy()) / INSIDE.size
    states(f"| `affine(0.16666667, 0.5, strict)` | {share:.1f} % of y in (-3, 3) have other bits than in PyTorch |")


@pytest.mark.parametrize(
    "options, operators",
    [
        ({}, ["HardSwish"]),
        ({"dynamo": False, "opset_version": 14}, ["HardSwish"]),
        ({"dynamo": False, "opset_version": 13}, ["HardSigmoid", "Mul"]),
    ],
)
def test_hardswish_exported(options, operators):
    states("In PyTorch 2.15 the older exporter does so below opset 14, and writes `HardSwish` from there on")
    written, y = exported(torch.nn.Hardswish(), **options)
    assert written == operators
    assert differing(y, SIXTH.hard_swish(INSIDE)) == 0
    share = 100 * differing(y, functional.hardswish(torch.from_numpy(INSIDE)).numpy()) / INSIDE.size
    states(f"the exporter writes `HardSwish` | {share:.1f} % of y in (-3, 3) have other bits than in PyTorch |")
