"""Compares every byte of quantized tensors with the real frameworks, which run here on scales of their own."""

import numpy as np
import pytest
from quantized import (
    BYTES,
    RESOLVERS,
    SIXTH,
    UNOPTIMIZED,
    fixed_by_torch,
    hardsigmoid,
    hardswish,
    random_rows,
    taken_by_tflite,
    tensor,
    with_onnxruntime,
    with_tflite,
    with_torch,
)

import hard_sigmoid
from hard_sigmoid import HardSigmoid

TYPES = [np.uint8, np.int8]
ONNX = HardSigmoid("onnx")
PYTORCH = HardSigmoid("pytorch")
OF_ONNX = HardSigmoid.affine(1 / 6, 0.5)


def onnx(operator, **attributes):
    return with_onnxruntime(operator, UNOPTIMIZED, **attributes)


# The framework, what it computes, and the types that y may have for an x: all, or that of x.
CASES = {
    "onnx hard sigmoid": (onnx("HardSigmoid"), "forward", ONNX, "onnx", [0, 1]),
    "onnx with alpha": (onnx("HardSigmoid", alpha=float(SIXTH), beta=0.5), "forward", OF_ONNX, "onnx", [0, 1]),
    "onnx hard swish": (onnx("HardSwish"), "hard_swish", OF_ONNX, "onnx", [0, 1]),
    "torch hardsigmoid": (with_torch(hardsigmoid), "forward", PYTORCH, "pytorch", [None]),
    "torch hardswish": (with_torch(hardswish), "hard_swish", PYTORCH, "pytorch", [None]),
    "tflite": (with_tflite(RESOLVERS[0]), "hard_swish", PYTORCH, "tflite", [None]),
}


def rows_of(name):
    rng = np.random.default_rng(17)
    *_, signs_of_y = CASES[name]
    for signed in (0, 1):
        for signed_y in signs_of_y:
            for row in random_rows(rng, 30, (signed, signed if signed_y is None else signed_y)):
                row = np.array(row, np.int32)
                if name == "torch hardsigmoid":
                    row = fixed_by_torch(row)
                if name != "tflite" or taken_by_tflite(row):
                    yield row


def ours(row, operation, definition, rounding, q=BYTES):
    (x_scale, x_zero, x_signed), (y_scale, y_zero, y_signed) = tensor(row), tensor(row, 1)
    q = q.view(TYPES[x_signed])
    options = {"x": (x_scale, x_zero), "y": (y_scale, y_zero), "rounding": rounding, "y_dtype": TYPES[y_signed]}
    y = hard_sigmoid.quantized(operation, definition, q, **options)
    assert y.dtype == TYPES[y_signed] and y.shape == q.shape
    table = hard_sigmoid.quantized_table(operation, definition, x_dtype=q.dtype, **options)
    assert table.dtype == y.dtype and (table[q.view(np.uint8)] == y).all()
    return y.view(np.uint8)


@pytest.mark.parametrize("name", CASES)
def test_bytes_are_the_frameworks(name):
    framework, operation, definition, rounding, _ = CASES[name]
    rows = list(rows_of(name))
    assert len(rows) >= 50
    for row in rows:
        assert (framework(row) == ours(row, operation, definition, rounding)).all(), row.tolist()


def test_the_comparison_can_fail():
    """Another framework's arithmetic and another definition are seen."""
    framework, *_ = CASES["tflite"]
    rows = list(rows_of("tflite"))
    assert sum((framework(row) != ours(row, "hard_swish", PYTORCH, "onnx")).any() for row in rows) > 10
    framework, *_ = CASES["onnx hard sigmoid"]
    rows = list(rows_of("onnx hard sigmoid"))
    # Where x stays near 0, both are 1/2 to a step of y.
    assert sum((framework(row) != ours(row, "forward", PYTORCH, "onnx")).any() for row in rows) > len(rows) / 2


def test_shapes_strides_and_out():
    options = {"x": (0.05, 100), "y": (0.025, 15)}
    hard_swish = lambda q, **more: hard_sigmoid.quantized("hard_swish", "pytorch", q, **options, **more)
    table = hard_sigmoid.quantized_table("hard_swish", "pytorch", **options)
    q = np.random.default_rng(3).integers(0, 256, (4, 6, 10), np.uint8)
    for view in (q, q.T, q[::-1, ::2, 1::3], q[:0], q[1, 2, 3]):
        assert (hard_swish(view) == table[view]).all() and hard_swish(view).shape == view.shape
    torch = pytest.importorskip("torch")
    assert (hard_swish(torch.from_numpy(q)) == table[q]).all()
    out = np.empty((10, 6, 4), np.uint8).T
    assert hard_swish(q, out=out) is out and (out == table[q]).all()
    # The type of out is that of y.
    signed = np.empty(q.shape, np.int8)
    hard_swish(q, out=signed)
    assert (signed == hard_swish(q, y_dtype=np.int8)).all() and (signed != table[q].view(np.int8)).any()
    expected = table[q]
    assert hard_swish(q, out=q) is q and (q == expected).all()


REFUSED = [
    (TypeError, "q is float32, but has to be uint8 or int8", {"q": np.zeros(4, np.float32)}),
    (TypeError, "q is float32", {"q": [1, 2, 3]}),
    (TypeError, "y_dtype is float16, but", {"y_dtype": np.float16}),
    (TypeError, r"x is 0.5, but has to be \(scale, zero_point\)", {"x": 0.5}),
    (ValueError, "x: scale is 0.0; it must be positive", {"x": (0, 0)}),
    (ValueError, "y: scale is inf", {"y": (1e40, 0)}),
    (ValueError, "y: zero point is 256; it must be a number of u8", {"y": (1, 256)}),
    (TypeError, "float", {"x": (1, 0.5)}),
    (ValueError, 'no rounding is called "up"; use one of onnx, pytorch, tflite', {"rounding": "up"}),
    (ValueError, "TFLite has no quantized kernel for forward of pytorch", {"rounding": "tflite"}),
    (ValueError, "backward has no quantized form", {"operation": "backward"}),
    (ValueError, "no operation is called", {"operation": "relu"}),
    (TypeError, "out is uint8, but y will be int8", {"y_dtype": np.int8, "out": np.zeros(4, np.uint8)}),
    (TypeError, "out is float32, but has to be", {"out": np.zeros(4, np.float32)}),
    (ValueError, r"out has shape \(3,\)", {"out": np.zeros(3, np.uint8)}),
]


@pytest.mark.parametrize("kind, message, change", REFUSED, ids=[message for _, message, _ in REFUSED])
def test_refused(kind, message, change):
    given = {"operation": "forward", "definition": "pytorch", "q": np.zeros(4, np.uint8), "x": (1, 0), "y": (1, 0)}
    with pytest.raises(kind, match=message):
        hard_sigmoid.quantized(**{**given, **change})


def test_plans_of_look_ups():
    found = hard_sigmoid.plan("lookup", None, 1001, dtype=np.uint8)
    assert [name for name, _ in found.tensors] == ["x", "table", "y"]
    assert found == hard_sigmoid.plan("lookup", None, 1001, dtype=np.int8)
    gate = hard_sigmoid.plan("lookup_gate", None, 12, dtype="uint8", middle=3, inner=2)
    assert [name for name, _ in gate.tensors] == ["a", "b", "table", "y"]
    for call in (
        lambda: hard_sigmoid.wgsl("lookup"),
        lambda: hard_sigmoid.wgsl("forward", "pytorch", dtype=np.uint8),
        lambda: hard_sigmoid.separation("jax", "keras", dtype=np.uint8),
        lambda: hard_sigmoid.scalar("lookup"),
    ):
        with pytest.raises(ValueError, match="u8|uint8|lookup doesn't make one number"):
            call()
