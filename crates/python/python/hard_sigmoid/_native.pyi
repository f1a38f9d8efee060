import os
from typing import Any, final

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Self

__all__ = ["Operation", "affine", "compute", "definition", "identify", "inspect", "plan", "presets", "scalar", "separation", "table", "wgsl"]

# Text, name, formula, kinks, kink rule, slope, shift, source.
_Described = tuple[str, str, str, tuple[float, float] | None, str, float, float, str | None]

@final
class Operation:
    def __new__(cls, name: str, definition: str | None = None, **parameters: Any) -> Self: ...
    @property
    def inputs(self) -> list[str]: ...
    @property
    def outputs(self) -> list[str]: ...

def definition(text: str) -> _Described: ...
def affine(alpha: float, beta: float, kinks: str) -> str: ...
def presets() -> list[str]: ...
def compute(
    operation: Operation, dtype_name: str, inputs: list[NDArray[np.uint8]], outputs: list[NDArray[np.uint8]]
) -> None: ...

_Agrees = tuple[int, int, int, tuple[float, int] | None]

_Found = tuple[
    tuple[str, str, float, list[str], list[int]],
    list[tuple[str, str, _Agrees, _Agrees | None]],
    tuple[int, int, int],
    list[tuple[str, str, tuple[str, float] | None, int | None]],
    tuple[tuple[float, float], tuple[float, float]] | None,
    str,
]
# All of one type.
_Numbers = NDArray[np.float32] | NDArray[np.float64]

def identify(
    arrays: tuple[_Numbers, _Numbers, tuple[_Numbers, _Numbers] | None], dtypes: tuple[str, str], atol: float
) -> _Found: ...
def inspect(model: str | os.PathLike[str] | bytes | bytearray) -> tuple[str, str]: ...
def separation(a: str, b: str, dtype_name: str) -> tuple[str, float] | None: ...
def table(
    name: str, definition: str, x: tuple[float, int, bool], y: tuple[float, int, bool], rounding: str
) -> bytes: ...
def wgsl(operation: Operation, dtype_name: str, placement: str) -> str: ...
def scalar(operation: Operation, type_: str, text: str, prefix: str) -> str: ...
def plan(
    operation: Operation, length: int, dtype_name: str, placement: str, limits: tuple[int, int, int, int]
) -> tuple[list[tuple[str, str]], list[tuple[bytes, list[tuple[str, int, int]], list[tuple[str, tuple[int, int, int]]]]]]: ...
