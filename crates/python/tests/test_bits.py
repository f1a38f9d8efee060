"""Compares every bit with the real frameworks, which run here."""

import ml_dtypes
import numpy as np
import pytest
import torch
from compare import differences
from make import ROWS, halves_with_torch, hardswish_with_torch, inputs

import hard_sigmoid
from hard_sigmoid import HardSigmoid

F = np.float32
HALVES = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16}


@pytest.fixture(scope="module")
def data():
    """Special values, and random ones: on the curve and over all bit patterns."""
    x, g = inputs()
    random = np.random.default_rng(5)
    patterns = random.integers(0, 1 << 32, (2, 500_000), np.uint32).view(F)
    curve = random.uniform(-4, 4, 500_000).astype(F)
    x = np.concatenate([x, patterns[0], curve])
    return x, np.concatenate([g, patterns[1], random.standard_normal(500_000).astype(F)])


def all_halves(dtype):
    x = np.arange(1 << 16, dtype=np.uint16).view(dtype)
    return x, np.random.default_rng(6).permutation(x)


def test_every_preset_has_a_framework():
    assert {str(preset) for preset in hard_sigmoid.presets()} <= set(ROWS)


def test_the_comparison_can_fail(data):
    x, g = data
    y = HardSigmoid("pytorch").forward(x)
    for name in ("pytorch", "keras3"):
        assert differences(name, "backward", y, y + F(1e-3), x, g)[0].sum() > 100_000


@pytest.mark.parametrize("name", ROWS)
def test_forward_and_backward(name, data):
    x, g = data
    y, dx = ROWS[name](x, g)
    ours = HardSigmoid(name)
    assert differences(name, "forward", ours.forward(x), y, x, g)[0].sum() == 0
    if dx is None:
        # ONNX defines no gradient; this is the rule that its runtimes take.
        with np.errstate(all="ignore"):
            v = F(ours.slope) * x + F(ours.shift)
            dx = np.where((v > 0) & (v < 1), F(ours.slope) * g, F(0))
    actual = ours.backward(x, g)
    is_number = ~np.isnan(actual) | ~np.isnan(dx)
    assert differences(name, "backward", actual[is_number], dx[is_number], x[is_number], g[is_number])[0].sum() == 0


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("name", ROWS)
def test_halves_are_rounded_once(name, dtype):
    x, g = all_halves(HALVES[dtype])
    x32, g32 = x.astype(F), g.astype(F)
    ours = HardSigmoid(name)
    y, dx = ROWS[name](x32, g32)
    with np.errstate(all="ignore"):
        assert same_halves(ours.forward(x), y.astype(x.dtype))
        # ONNX defines no gradient.
        dx = (ours.backward(x32, g32) if dx is None else dx).astype(x.dtype)
    actual = ours.backward(x, g)
    # Two frameworks multiply by a mask, which makes a zero with a sign, or NaN.
    masked = (actual == 0) & ((dx == 0) | ~np.isfinite(g32)) & (name in ("keras3", "sparse"))
    flushed = np.abs(g32) <= np.finfo(F).tiny * 8
    counted = ~masked & ~flushed
    assert counted.sum() > 30_000 and same_halves(actual[counted], dx[counted])


def same_halves(a, b):
    nan = np.isnan(a) & np.isnan(b)
    return a.size == b.size and ((a.view(np.uint16) == b.view(np.uint16)) | nan).all()


@pytest.mark.parametrize("dtype", HALVES)
def test_halves_in_torch(dtype):
    x, g = all_halves(HALVES[dtype])
    bits = [of.view(np.uint16) for of in (x, g)]
    expected = [of.view(HALVES[dtype]) for of in halves_with_torch(getattr(torch, dtype), *bits)]
    ours = HardSigmoid("pytorch")
    actual = [ours.forward(x), ours.backward(x, g), ours.hard_swish(x), ours.hard_swish_backward(x, g)]
    assert [same_halves(*pair) for pair in zip(actual, expected)] == [True] * 4


def test_hard_swish(data):
    x, g = data
    y, dx = hardswish_with_torch(torch.from_numpy(x.copy()), torch.from_numpy(g.copy()))
    ours = HardSigmoid("pytorch")
    for actual, expected in [(ours.hard_swish(x), y.numpy()), (ours.hard_swish_backward(x, g), dx.numpy())]:
        different = (actual.view(np.uint32) != expected.view(np.uint32)) & ~(np.isnan(actual) & np.isnan(expected))
        assert different.sum() == 0


@pytest.mark.parametrize("shape", [(6, 5, 4, 3), (6, 1, 4, 3), (6, 5, 1, 1), (1, 5, 1, 3), (1, 1, 1, 1), (6, 5, 4, 1)])
def test_gate(shape):
    random = np.random.default_rng(7)
    a, g = random.standard_normal((2, 6, 5, 4, 3)).astype(F)
    b = random.uniform(-4, 4, shape).astype(F)
    ours = HardSigmoid("pytorch")
    ta, tb = (torch.from_numpy(of.copy()).requires_grad_() for of in (a, b))
    y = ta * torch.nn.functional.hardsigmoid(tb)
    y.backward(torch.from_numpy(g))
    assert (ours.gate(a, b) == y.detach().numpy()).all()
    da, db = ours.gate_backward(a, b, g)
    assert (da == ta.grad.numpy()).all()
    # torch sums in an order of its own, so ours is compared with the exact sum, within the bound that the crate states.
    repeated = tuple(axis for axis in range(4) if b.shape[axis] == 1)
    products = (a.astype(np.float64) * g).sum(repeated, keepdims=True), np.abs(a.astype(np.float64) * g).sum(repeated, keepdims=True)
    inside = np.abs(b) < 3
    bound = (np.prod(a.shape) / np.prod(b.shape) / 64 + 9) * 2.0**-24 * products[1] / 6
    assert (np.abs(db - np.where(inside, products[0] / 6, 0)) <= bound).all()
    assert db.shape == shape


def test_binarization():
    x = np.linspace(-2, 2, 10_001, dtype=F)
    assert (hard_sigmoid.binarize(x) == np.where(x >= 0, 1, -1)).all()
    drawn = hard_sigmoid.binarize(x, seed=3, scale=0.5)
    assert abs(((drawn == 0.5) - HardSigmoid("courbariaux").forward(x)).mean()) < 0.01
    # A part with its own offset has the signs of the whole.
    assert (hard_sigmoid.binarize(x[5000:], seed=3, offset=5000, scale=0.5) == drawn[5000:]).all()
    bits = hard_sigmoid.pack(x, seed=3)
    assert (hard_sigmoid.unpack(bits, np.int64(10_001), out=np.zeros(10_001, np.float16)) == np.sign(drawn)).all()
    assert (hard_sigmoid.unpack(bits, x.shape, scale=0.5) == drawn).all()
    assert bits.size == 313
    g = np.ones_like(x)
    assert (hard_sigmoid.straight_through(x, g) == (np.abs(x) <= 1)).all()
    assert (hard_sigmoid.straight_through(x, g, estimator="identity") == 1).all()
