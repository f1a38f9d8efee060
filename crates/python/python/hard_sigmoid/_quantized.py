"""Functions of quantized tensors, whose elements are 8-bit numbers."""

from __future__ import annotations

import operator
from typing import Any, Literal

import numpy as np

from . import _native
from ._arrays import Array, as_array, compute, results
from ._definition import HardSigmoid, text_of

Rounding = Literal["onnx", "pytorch", "tflite"]


def quantized(
    operation: Literal["forward", "hard_swish"],
    definition: HardSigmoid | str,
    q: Any,
    *,
    x: tuple[float, int],
    y: tuple[float, int],
    rounding: Rounding = "onnx",
    y_dtype: Any = None,
    out: Any = None,
) -> Any:
    """A hard sigmoid or a hard swish of a quantized tensor ``q`` of uint8 or int8, with a framework's bytes.

    ``x`` and ``y`` say what the numbers of the input and of the result stand for: ``(scale, zero_point)`` means
    ``scale·(q - zero_point)``. The result has the type of ``q`` unless ``y_dtype`` or ``out`` has another one. ``rounding`` says whose
    arithmetic it is; one framework's byte may be another's neighbour:

    - ``"onnx"``, ONNX Runtime's: ``DequantizeLinear``, the function in float32, ``QuantizeLinear``. Its ``HardSwish`` is that of
      ``HardSigmoid.affine(1 / 6, 0.5)``.
    - ``"pytorch"``, PyTorch's with vectors, which whole groups of 64 elements have. Of the few elements after the last group about one in a
      hundred thousand differs by 1. The result of its hardsigmoid has the scale 1/256, and the zero point 0, or -128 for int8.
    - ``"tflite"``, that of TFLite's reference kernel of ``HARD_SWISH``, in fixed point.

    >>> q = np.uint8([0, 80, 100, 160, 255])
    >>> quantized("hard_swish", "pytorch", q, x=(0.05, 100), y=(0.025, 15))
    array([ 15,   2,  15, 135, 255], dtype=uint8)
    """
    array = as_array("q", q)
    of_x = _type("q", array.dtype)
    of_y = of_x if y_dtype is None else _type("y_dtype", y_dtype)
    if y_dtype is None and out is not None:
        of_y = _type("out", as_array("out", out).dtype)
    table = quantized_table(operation, definition, x=x, y=y, rounding=rounding, x_dtype=of_x, y_dtype=of_y)
    (result,) = results(["y"], out, [array.shape], of_y)
    compute(_native.Operation("lookup"), "uint8", [array, table], [result])
    return result if out is None else out


def quantized_table(
    operation: Literal["forward", "hard_swish"],
    definition: HardSigmoid | str,
    *,
    x: tuple[float, int],
    y: tuple[float, int],
    rounding: Rounding = "onnx",
    x_dtype: Any = np.uint8,
    y_dtype: Any = None,
) -> Array:
    """The results of `quantized` for the bytes 0 to 255 of q: an int8 stands where its bits do as a uint8.

    On a GPU it is the operand ``table`` of the operation ``"lookup"`` of `plan`.

    >>> table = quantized_table("forward", "pytorch", x=(1 / 32, 128), y=(1 / 256, 0))
    >>> table[[0, 128, 255]]
    array([  0, 128, 255], dtype=uint8)
    """
    of_x = _type("x_dtype", x_dtype)
    of_y = of_x if y_dtype is None else _type("y_dtype", y_dtype)
    tensors = [_tensor("x", x, of_x), _tensor("y", y, of_y)]
    table = _native.table(operation, text_of(definition), tensors[0], tensors[1], rounding)
    return np.frombuffer(table, np.uint8).view(of_y).copy()


def _type(name: str, dtype: Any) -> np.dtype[Any]:
    found: np.dtype[Any] = np.dtype(dtype)
    if found not in (np.uint8, np.int8):
        raise TypeError(f"{name} is {found}, but has to be uint8 or int8")
    return found


def _tensor(name: str, given: tuple[float, int], dtype: np.dtype[Any]) -> tuple[float, int, bool]:
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        raise TypeError(f"{name} is {given!r}, but has to be (scale, zero_point)")
    scale, zero_point = given
    return float(scale), operator.index(zero_point), dtype == np.int8
