"""Converts arrays of any kind into the contiguous bytes that the native code takes, and back."""

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
    array = as_array(name, value)
    if array.dtype.name not in DTYPES:
        advice = f": pass numpy.asarray({name}).astype(numpy.float32)" if array.dtype.kind in "biuf" else ""
        raise TypeError(f"{name} is {array.dtype}, but hard_sigmoid computes in float32, float16 and bfloat16{advice}")
    return array


def as_array(name: str, value: Any) -> Array:
    if _is_torch(value):
        return _of_torch(name, value)
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{name} is a masked array: pass its elements, as {name}.filled(0) or {name}.compressed()")
    array = np.asarray(value)
    # NumPy gives Python's own numbers float64 or int64, which we refuse.
    is_own = isinstance(value, (int, float, list, tuple)) and not isinstance(value, np.generic)
    return array.astype(np.float32) if is_own and array.dtype.kind in "iuf" else array


def results(names: list[str], out: Any, shapes: list[tuple[int, ...]], dtype: np.dtype[Any]) -> list[Array]:
    """The arrays to write: new ones, or the caller's."""
    native = native_order(dtype)
    if out is None:
        return [np.empty(shape, native) for shape in shapes]
    outs = (out,) if len(names) == 1 else out
    if not isinstance(outs, tuple) or len(outs) != len(names):
        raise TypeError(f"out has to be a tuple of {len(names)}, for {' and '.join(names)}")
    arrays = [_writable(value) for value in outs]
    for name, array, shape in zip(names, arrays, shapes):
        if native_order(array.dtype) != native:
            raise TypeError(f"out is {array.dtype}, but {name} will be {native}")
        if array.shape != shape:
            raise ValueError(f"out has shape {array.shape}, but {name} will have shape {shape}")
        if not array.flags.writeable:
            raise ValueError(f"out for {name} is read-only")
        if any(stride == 0 and extent > 1 for stride, extent in zip(array.strides, shape)):
            raise ValueError(f"out for {name} repeats elements: it has a stride of 0")
    if len(arrays) == 2 and np.may_share_memory(arrays[0], arrays[1]):
        raise ValueError(f"out for {names[0]} and {names[1]} overlap")
    return arrays


def _writable(value: Any) -> Array:
    """An array over the memory of ``value`` itself, never over a copy."""
    if _is_torch(value):
        return _of_torch("out", value)
    if not isinstance(value, np.ndarray) or isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"out is a {type(value).__name__}, but has to be a numpy array or a torch tensor")
    return np.asarray(value)


def compute(operation: _native.Operation, dtype: str, inputs: list[Array], outputs: list[Array]) -> None:
    """Computes ``outputs``, which may be views of any strides and may overlap ``inputs``."""
    targets = [out if _is_plain(out, inputs) else np.empty(out.shape, native_order(out.dtype)) for out in outputs]
    _native.compute(operation, dtype, [_bytes(one) for one in inputs], [_bytes(one) for one in targets])
    for out, target in zip(outputs, targets):
        if out is not target:
            out[...] = target


def memory_order(array: Array) -> list[int]:
    """The axes in the order of the memory. Transposed to it, an image whose channels come last needs no copy."""
    return sorted(range(array.ndim), key=lambda axis: -abs(array.strides[axis]))


def _is_plain(out: Array, inputs: list[Array]) -> bool:
    """Whether the native code can write into ``out`` directly."""
    overlaps = any(np.may_share_memory(out, one) for one in inputs)
    return out.flags.c_contiguous and out.flags.aligned and out.dtype.isnative and not overlaps


def native_order(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return dtype.newbyteorder("=")


def _bytes(array: Array) -> Array:
    """The bytes of the elements in C order, without a copy if they are already in that order."""
    array = np.require(array, native_order(array.dtype), ["C", "A"])
    return array.reshape(-1).view(np.uint8)


def dtype_name(dtype: Any) -> str:
    """NumPy's name of a type. NumPy knows bfloat16 only if ml_dtypes is imported."""
    return dtype if isinstance(dtype, str) and dtype in DTYPES else np.dtype(dtype).name


def dtype_of(name: str) -> np.dtype[Any]:
    """The type of a name from `dtype_name`."""
    return _bfloat16() if name == "bfloat16" else np.dtype(name)


def _is_torch(value: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def _of_torch(name: str, tensor: Any) -> Array:
    """An array over a tensor's memory."""
    torch = sys.modules["torch"]
    if tensor.requires_grad:
        raise ValueError(
            f"{name} requires grad, which is lost here: use hard_sigmoid.torch, which keeps it, or pass {name}.detach()"
        )
    # torch can't convert bfloat16 to NumPy itself.
    is_bfloat16 = bool(tensor.dtype == torch.bfloat16)
    array: Array = (tensor.view(torch.uint16) if is_bfloat16 else tensor).numpy()
    return array.view(_bfloat16()) if is_bfloat16 else array


def _bfloat16() -> np.dtype[Any]:
    try:
        import ml_dtypes
    except ImportError as error:
        raise ImportError("bfloat16 needs the package ml_dtypes: pip install ml_dtypes") from error
    dtype: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
    return dtype
