"""Identifies the hard sigmoid that made some data."""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from . import _native
from ._arrays import DTYPES, Array, as_array, dtype_name
from ._definition import HardSigmoid, text_of


@dataclass(frozen=True)
class Agreement:
    """How many elements agree."""

    compared: int
    """Number of elements."""
    differing: int
    """Number of elements that differ by more than `Identification.within`."""
    flushed: int
    """Number of gradients that are zero where the definition has a subnormal. They don't count as differing."""
    largest: float
    """The largest difference: 0 if there is none, infinite if only one of the two is NaN."""
    at: int | None
    """The element with the largest difference, counted in C order."""

    @classmethod
    def _of(cls, compared: int, differing: int, flushed: int, largest: tuple[float, int] | None) -> Agreement:
        return cls(compared, differing, flushed, *(largest or (0.0, None)))


@dataclass(frozen=True)
class Match:
    """How well a definition agrees with the data."""

    definition: HardSigmoid
    precision: str
    """The way of rounding with which it agrees best: ``"as defined"``, ``"y rounded to f16"`` and so on."""
    forward: Agreement
    """The agreement of y."""
    backward: Agreement | None
    """The agreement of dx, or None without a gradient."""

    @property
    def fits(self) -> bool:
        """Whether nothing differs."""
        return self.forward.differing == 0 and (self.backward is None or self.backward.differing == 0)


@dataclass(frozen=True)
class Separation:
    """An input that tells two definitions apart."""

    a: HardSigmoid
    b: HardSigmoid
    x: float | None
    """An x at which they differ; None if none was found."""
    by: str | None
    """What differs there: ``"y"``, or ``"dx"`` if no y was found that differs."""
    more: int | None = None
    """How many more elements tell them apart with a probability of 95 %, if their x are spread evenly over the range of the data's x.
    None if that isn't known."""


@dataclass(frozen=True)
class KinkCounts:
    """Counts of what the gradient does in elements exactly at a kink."""

    passed: int
    """Number of elements where the gradient passes."""
    halved: int
    """Number of elements where half of it passes."""
    blocked: int
    """Number of elements where it is 0."""


@dataclass(frozen=True)
class Ranges:
    """The uncertainty of alpha and beta: the smallest and the largest with which every y can stay within ``atol``."""

    alpha: tuple[float, float]
    """For each alpha in between there is a beta."""
    beta: tuple[float, float]
    """For each beta in between there is an alpha."""


@dataclass(frozen=True)
class Identification:
    """The result of `identify`. Printing it gives the report of the command ``hard-sigmoid identify``."""

    function: str
    """Which function made y: ``"hard_sigmoid"``, y = hs(x), or ``"hard_swish"``, y = x·hs(x). If none did, it is ``"hard_sigmoid"``."""
    verdict: str
    """``"preset"``: one preset. ``"one_of"``: several presets, which the data can't tell apart. ``"affine"``: no preset, but an alpha and
    beta. ``"most"``: all elements but a few, at most a tenth, are those of `definitions`. ``"underdetermined"``: no preset, and too few
    elements in the linear zone to find alpha and beta. ``"unknown"``: none of these."""
    within: float
    """By how much y and dx may be off: 0 if the bits tell, else atol. ``"most"`` may have a larger one."""
    outliers: tuple[int, ...]
    """The elements that don't agree, counted in C order, if the verdict is ``"most"``."""
    definitions: tuple[HardSigmoid, ...]
    """The definitions that fit the data: none, one, or several that the data can't tell apart."""
    matches: tuple[Match, ...]
    """How well each preset agrees. If an affine definition was found, which may fit only most elements, it comes last."""
    kinks: KinkCounts
    separations: tuple[Separation, ...]
    """What tells neighbours in `definitions` apart."""
    ranges: Ranges | None
    """What else alpha and beta may be, if they were fitted within ``atol``."""
    report: str = field(repr=False)

    @property
    def definition(self) -> HardSigmoid | None:
        """The definition that made the data, if only one fits."""
        return self.definitions[0] if len(self.definitions) == 1 else None

    def __str__(self) -> str:
        return self.report


def identify(x: Any, y: Any, g: Any = None, dx: Any = None, *, atol: float = 0.0) -> Identification:
    """Finds which hard sigmoid made y from x, and dx from the upstream gradient g.

    Every bit has to agree, except for the sign of zero and the payload of NaN. If no definition agrees, y and dx may be off by ``atol``:
    the presets are compared again, and then alpha and beta are fitted.
    All arrays have the same shape. float64 is compared as it is: frameworks compute it with other constants than float32.

    >>> x = np.linspace(-4, 4, 801, dtype=np.float32)
    >>> y = np.clip(np.float32(0.2) * x + np.float32(0.5), 0, 1)
    >>> found = identify(x, y)
    >>> found.verdict, [str(one) for one in found.definitions]
    ('one_of', ['keras', 'onnx'])
    >>> found.separations[0].x, found.separations[0].by
    (2.5, 'dx')

    With a gradient, only one is left:

    >>> g = np.ones_like(x)
    >>> identify(x, y, g, HardSigmoid("onnx").backward(x, g)).definition
    HardSigmoid('onnx')

    A wrong element doesn't hide the others, and hard swishes are named too:

    >>> swish = x * y
    >>> swish[17] = np.nan
    >>> found = identify(x, swish)
    >>> print(found.report.splitlines()[0])
    hard_swish of keras or onnx, but for 1 of 801 elements
    >>> found.outliers
    (17,)

    With noise:

    >>> noise = 1e-6 * np.random.default_rng(1).standard_normal(801).astype(np.float32)
    >>> identify(x, y + noise).verdict
    'unknown'
    >>> found = identify(x, y + noise, atol=1e-5)
    >>> print(found.report.splitlines()[0])
    keras or onnx, within 1e-5
    >>> y = np.clip(np.float32(0.37) * x + np.float32(0.41), 0, 1)
    >>> found = identify(x, y + noise, atol=1e-4)
    >>> found.definition
    HardSigmoid('affine(0.37, 0.41, strict)')
    >>> found.ranges.alpha[0] < 0.37 < found.ranges.alpha[1]
    True
    """
    if not (isinstance(atol, numbers.Real) and 0 <= atol < math.inf):
        raise ValueError(f"atol is {atol!r}; it must be a finite number that isn't negative")
    if (g is None) != (dx is None):
        raise TypeError("a gradient needs both g and dx")
    arrays = {"x": as_array("x", x), "y": as_array("y", y)}
    if g is not None:
        arrays |= {"g": as_array("g", g), "dx": as_array("dx", dx)}
    for name, array in arrays.items():
        if array.dtype.name not in (*DTYPES, "float64"):
            raise TypeError(f"{name} is {array.dtype}, but has to be float32, float16, bfloat16 or float64")
        if array.shape != arrays["x"].shape:
            raise ValueError(f"{name} has shape {array.shape}, but x has {arrays['x'].shape}")
    if arrays["x"].size == 0:
        raise ValueError("x has no elements: give at least one")
    is_double = any(array.dtype == np.float64 for array in arrays.values())
    flat = [np.ascontiguousarray(array, np.float64 if is_double else np.float32).reshape(-1) for array in arrays.values()]
    dtypes = (_dtype(arrays["x"]), _dtype(arrays["y"]))
    gradient = None if g is None else (flat[2], flat[3])
    (function, verdict, within, definitions, outliers), matches, kinks, separations, ranges, report = _native.identify(
        (flat[0], flat[1], gradient), dtypes, float(atol)
    )
    return Identification(
        function,
        verdict,
        within,
        tuple(outliers),
        tuple(HardSigmoid(one) for one in definitions),
        tuple(
            Match(HardSigmoid(of), precision, Agreement._of(*forward), backward and Agreement._of(*backward))
            for of, precision, forward, backward in matches
        ),
        KinkCounts(*kinks),
        tuple(_separation(*one) for one in separations),
        ranges and Ranges(*ranges),
        report,
    )


def _dtype(array: Array) -> str:
    return "float32" if array.dtype == np.float64 else array.dtype.name


def separation(a: HardSigmoid | str, b: HardSigmoid | str, *, dtype: Any = np.float32) -> Separation:
    """Finds an x at which a and b differ in arrays of type ``dtype``.

    >>> separation("pytorch", "jax")
    Separation(a=HardSigmoid('pytorch'), b=HardSigmoid('jax'), x=-2.859999895095825, by='y', more=None)
    """
    a, b = text_of(a), text_of(b)
    return _separation(a, b, _native.separation(a, b, dtype_name(dtype)))


def _separation(a: str, b: str, found: tuple[str, float] | None, more: int | None = None) -> Separation:
    by, x = found or (None, None)
    return Separation(HardSigmoid(a), HardSigmoid(b), x, by, more)
