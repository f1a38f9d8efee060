"""Binarization: numbers become signs, as in BinaryNet."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from . import _native
from ._arrays import DTYPES, Array, as_array, compute, dtype_name, dtype_of, of_elements, results
from ._definition import HardSigmoid, elementwise, text_of


def binarize(
    x: Any,
    *,
    seed: int | None = None,
    offset: int = 0,
    probability: HardSigmoid | str | None = None,
    scale: float = 1.0,
    out: Any = None,
) -> Any:
    """``scale`` where x gets the plus sign, else ``-scale``.

    Without a seed x gets the plus sign if x >= 0; NaN gets the minus sign. With a seed x gets the plus sign at random. Its probability is the
    hard sigmoid of x: BinaryNet's, clip((x + 1) / 2), or ``probability``. Element i takes the random word ``offset + i`` of the seed's
    stream (Philox4x32-10), so a part of an array gets the same signs if you add its start to ``offset``.

    >>> x = np.float32([-0.7, -0.0, 0.2, 5])
    >>> binarize(x)
    array([-1.,  1.,  1.,  1.], dtype=float32)
    >>> binarize(x, seed=1)
    array([-1., -1.,  1.,  1.], dtype=float32)
    """
    return elementwise(_operation("binarize", seed, offset, probability, scale=scale), (x,), out)


def straight_through(x: Any, g: Any, *, estimator: str = "hard_tanh", out: Any = None) -> Any:
    """The gradient of a binarization: g where \\|x\\| <= 1, else 0 (``"hard_tanh"``), or g everywhere (``"identity"``).

    >>> straight_through(np.float32([-1, 0.5, 1.1]), np.float32([3, 3, 3]))
    array([3., 3., 0.], dtype=float32)
    """
    return elementwise(_native.Operation("straight_through", estimator=estimator), (x, g), out)


def pack(x: Any, *, seed: int | None = None, offset: int = 0, probability: HardSigmoid | str | None = None) -> Array:
    """The signs of x as bits, 32 to a word of uint32: bit i % 32 of word i // 32 is 1 where element i gets the plus sign.

    >>> pack(np.float32([-0.7, 0, 0.2, 5]))
    array([14], dtype=uint32)
    """
    array = of_elements("x", x)
    bits = np.empty(math.ceil(array.size / 32), np.uint32)
    compute(_operation("pack", seed, offset, probability), array.dtype.name, [array], [bits])
    return bits


def unpack(bits: Any, shape: int | tuple[int, ...], *, scale: float = 1.0, dtype: Any = None, out: Any = None) -> Any:
    """The inverse of `pack`: an array of the given shape with ``scale`` where a bit is 1, else ``-scale``.

    ``dtype`` defaults to that of ``out``, or float32.

    >>> unpack(np.uint32([14]), (2, 2))
    array([[-1.,  1.],
           [ 1.,  1.]], dtype=float32)
    """
    words = as_array("bits", bits)
    if words.dtype.newbyteorder("=") != np.uint32:
        raise TypeError(f"bits is {words.dtype}, but has to be uint32, as pack makes it")
    if dtype is None:
        dtype = np.float32 if out is None else of_elements("out", out).dtype
    name = dtype_name(dtype)
    if name not in DTYPES:
        raise TypeError(f"dtype is {name}, but has to be float32, float16 or bfloat16")
    extents = tuple(shape) if isinstance(shape, (tuple, list)) else (operator.index(shape),)
    (y,) = results(["y"], out, [extents], dtype_of(name))
    compute(_native.Operation("unpack", scale=scale), name, [words], [y])
    return y if out is None else out


def _operation(
    name: str, seed: int | None, offset: int, probability: HardSigmoid | str | None, **others: Any
) -> _native.Operation:
    definition = None if probability is None else text_of(probability)
    # Without a seed there is no stream, and an offset of 0 is the default.
    return _native.Operation(name, definition, seed=seed, offset=offset or None, **others)
