"""`identify` names the source of the frameworks' own output, and reports the same as the command."""

import numpy as np
import pytest
from make import HERE

import hard_sigmoid
from hard_sigmoid import HardSigmoid, identify

X = np.linspace(-4, 4, 1001, dtype=np.float32)


@pytest.mark.parametrize("name", ["keras", "courbariaux", "pytorch", "jax"])
def test_golden_files(name):
    x, y, g, dx = (np.load(HERE / f"{file}.npy") for file in ("x", f"{name}.y", "g", f"{name}.dx"))
    found = identify(x, y, g, dx)
    assert found.verdict == "preset" and found.definition == HardSigmoid(name) and found.within == 0
    assert str(found) == found.report and found.report.startswith(f"{name}\n")
    by_name = {match.definition.name: match for match in found.matches}
    assert by_name[name].precision == "as defined"
    assert by_name[name].fits and by_name[name].forward.differing == 0 and by_name[name].backward.largest == 0
    other = by_name["tangent"]
    assert not other.fits and other.forward.largest > 0.1
    at = other.forward.at
    assert abs(y[at] - HardSigmoid("tangent").forward(x)[at]) == pytest.approx(other.forward.largest)
    assert found.kinks.passed + found.kinks.blocked + found.kinks.halved > 0


def test_verdicts():
    one_of = identify(X, HardSigmoid("keras").forward(X))
    assert one_of.verdict == "one_of" and one_of.definition is None
    assert [str(one) for one in one_of.definitions] == ["keras", "onnx"]
    assert (one_of.separations[0].x, one_of.separations[0].by) == (2.5, "dx")
    affine = identify(X, HardSigmoid.affine(0.3, 0.25).forward(X))
    assert affine.verdict == "affine" and affine.definition == HardSigmoid.affine(0.3, 0.25)
    assert affine.matches[-1].definition == affine.definition
    assert identify(X, np.sign(X) / 2 + 0.5).verdict == "underdetermined"
    assert identify(X, np.tanh(X)).verdict == "unknown"


def test_halves_and_float64():
    x = X.astype(np.float16)
    found = identify(x, HardSigmoid("keras").forward(x))
    assert found.definitions[0] == HardSigmoid("keras") and found.matches[0].precision == "x and y rounded to f16"
    x = X.astype(np.float64) / 1.1
    y = np.clip(x / 6 + 0.5, 0, 1)
    assert [str(one) for one in identify(x, y, atol=1e-6).definitions] == ["pytorch", "jax", "keras3"]
    assert identify(x, y, atol=1e-6).within == 1e-6


def test_frameworks_in_float64():
    import onnx
    import onnxruntime
    import torch

    x = torch.linspace(-4, 4, 1001, dtype=torch.float64) / 1.1
    x.requires_grad_()
    g = torch.cos(x.detach())
    for function, name in ((torch.nn.functional.hardsigmoid, "hard_sigmoid"), (torch.nn.functional.hardswish, "hard_swish")):
        y = function(x)
        (dx,) = torch.autograd.grad(y, x, g)
        found = identify(*(of.detach().numpy() for of in (x, y, g, dx)))
        assert (found.function, found.verdict, found.definition) == (name, "preset", HardSigmoid("pytorch"))
    of = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.DOUBLE, [1001]) for name in "xy"]
    graph = onnx.helper.make_graph([onnx.helper.make_node("HardSigmoid", ["x"], ["y"])], "graph", of[:1], of[1:])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=9)
    x = x.detach().numpy()
    (y,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})
    found = identify(x, y)
    assert [str(one) for one in found.definitions] == ["keras", "onnx"]
    assert found.matches[1].precision == "computed in float64 with constants of float32"


def test_alpha_and_beta_are_fitted():
    noise = 1e-5 * np.random.default_rng(1).uniform(-1, 1, X.shape).astype(np.float32)
    y = HardSigmoid.affine(0.37, 0.41).forward(X) + noise
    assert identify(X, y).verdict == "unknown" and identify(X, y).ranges is None
    found = identify(X, y, atol=1e-4)
    assert (found.verdict, found.definition) == ("affine", HardSigmoid.affine(0.37, 0.41))
    assert found.within == 1e-4 and found.matches[-1].fits
    for number, (low, high) in ((0.37, found.ranges.alpha), (0.41, found.ranges.beta)):
        assert number - 1e-4 < low < number < high < number + 1e-4
    y[17] = np.nan
    found = identify(X, y, atol=1e-4)
    assert found.verdict == "most" and found.outliers == (17,) and found.matches[-1].forward.differing == 1 and found.matches[-1].forward.at == 17
    assert "1000 of 1001 elements agree with affine(0.37, 0.41, strict) within 0.0001, but x[17] does not:" in found.report


def test_separations_do_separate():
    for a in hard_sigmoid.presets():
        for b in hard_sigmoid.presets():
            found = hard_sigmoid.separation(a, b)
            if a == b:
                assert found.x is None and found.by is None
                continue
            x, g = np.float32(found.x), np.float32(1)
            assert (a.forward(x) != b.forward(x)) == (found.by == "y")
            assert found.by == "y" or a.backward(x, g) != b.backward(x, g)
