"""Arrays of whatever kind, as the native code takes them."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _native

Array = npt.NDArray[Any]

DTYPES = ("float32", "float16", "bfloat16")


def of_elements(name: str, value: Any) -> Array:
    """``value`` as an array of one of the element types. Python's own numbers become float32."""
    array = as_array(value)
    if array.dtype.name not in DTYPES:
        raise TypeError(
            f"{name} is {array.dtype}, but hard_sigmoid computes in float32, float16 and bfloat16: "
            f"pass numpy.asarray({name}).astype(numpy.float32)"
        )
    return array


def as_array(value: Any) -> Array:
    if isinstance(value, np.ndarray):
        return value
    if _is_torch_bfloat16(value):
        bits: Array = value.view(sys.modules["torch"].uint16).numpy()
        return bits.view(_bfloat16())
    # Python's own numbers have no type.
    return np.asarray(value) if hasattr(value, "dtype") else np.asarray(value, np.float32)


def results(names: list[str], out: Any, shapes: list[tuple[int, ...]], dtype: np.dtype[Any]) -> list[Array]:
    """The arrays to write: new ones, or those of the user."""
    if out is None:
        return [np.empty(shape, dtype.newbyteorder("=")) for shape in shapes]
    outs = (out,) if len(names) == 1 else out
    if not isinstance(outs, tuple) or len(outs) != len(names):
        raise TypeError(f"out has to be a tuple of {len(names)}, for {' and '.join(names)}")
    arrays = [_writable(value) for value in outs]
    for name, array, shape in zip(names, arrays, shapes):
        if array.dtype.newbyteorder("=") != dtype.newbyteorder("="):
            raise TypeError(f"out is {array.dtype}, but {name} will be {dtype}")
        if array.shape != shape:
            raise ValueError(f"out has shape {array.shape}, but {name} will have shape {shape}")
        if not array.flags.writeable:
            raise ValueError(f"out for {name} is read-only")
    return arrays


def _writable(value: Any) -> Array:
    """An array over the memory of ``value`` itself, never over a copy."""
    if isinstance(value, np.ndarray):
        return value
    if _is_torch_bfloat16(value):
        return as_array(value)
    if not hasattr(value, "__dlpack__"):
        raise TypeError(f"out is a {type(value).__name__}, but has to be a numpy array or a tensor that has __dlpack__")
    return np.from_dlpack(value)


def compute(operation: _native.Operation, dtype: str, inputs: list[Array], outputs: list[Array]) -> None:
    """Computes ``outputs``, which may be views of any strides and may overlap ``inputs``."""
    targets = [out if _is_plain(out, inputs) else np.empty(out.shape, _native_order(out)) for out in outputs]
    _native.compute(operation, dtype, [_bytes(one) for one in inputs], [_bytes(one) for one in targets])
    for out, target in zip(outputs, targets):
        if out is not target:
            out[...] = target


def _is_plain(out: Array, inputs: list[Array]) -> bool:
    """Whether the native code can write there."""
    overlaps = any(np.may_share_memory(out, one) for one in inputs)
    return out.flags.c_contiguous and out.flags.aligned and out.dtype.isnative and not overlaps


def _native_order(array: Array) -> np.dtype[Any]:
    return array.dtype.newbyteorder("=")


def _bytes(array: Array) -> Array:
    """The bytes of the elements in C order, without a copy where they lie so."""
    array = np.require(array, _native_order(array), ["C", "A"])
    return array.reshape(-1).view(np.uint8)


def _is_torch_bfloat16(value: Any) -> bool:
    """torch gives no array of these itself."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor) and bool(value.dtype == torch.bfloat16)


def _bfloat16() -> np.dtype[Any]:
    try:
        import ml_dtypes
    except ImportError as error:
        raise ImportError("bfloat16 needs the package ml_dtypes: pip install ml_dtypes") from error
    return np.dtype(ml_dtypes.bfloat16)
