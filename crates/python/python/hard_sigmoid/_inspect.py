"""Finds the hard sigmoids in a model."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import Any

from . import _native
from ._definition import HardSigmoid


@dataclass(frozen=True)
class Difference:
    """How a definition differs from an activation."""

    definition: HardSigmoid
    differing: int
    """At how many of the compared x."""
    largest: float
    """The largest difference: 0 where the signs of zeros differ, and nothing else."""

    @classmethod
    def _of(cls, found: dict[str, Any]) -> Difference:
        return cls(HardSigmoid(found["definition"]), found["differing"], found["largest"])


@dataclass(frozen=True)
class Computed:
    """What an activation computes. There is one for each of the results that it may have."""

    curve: str
    """What it is on paper, apart from roundings."""
    computed_by: tuple[str, ...]
    """Who computes it so. Empty if there is one way only."""
    operations: str
    """The operations, in their order."""
    compared: int
    """How many x were compared."""
    exact: tuple[HardSigmoid, ...]
    """Who has exactly these bits: presets, or else one definition with its alpha and beta, or else none."""
    roundings: tuple[Difference, ...]
    """Who has this curve with other roundings."""
    functions: tuple[Difference, ...]
    """Presets with other curves."""

    @classmethod
    def _of(cls, found: dict[str, Any]) -> Computed:
        return cls(
            found["curve"],
            tuple(found["computed_by"]),
            found["operations"],
            found["compared"],
            tuple(map(HardSigmoid, found["exact"])),
            tuple(map(Difference._of, found["roundings"])),
            tuple(map(Difference._of, found["functions"])),
        )


@dataclass(frozen=True)
class QuantizedBytes:
    """What the bytes of a tensor stand for."""

    type: str
    """``"u8"`` or ``"i8"``."""
    scale: float
    zero_point: int


@dataclass(frozen=True)
class Elsewhere:
    """A quantized activation in another framework, compared with ONNX Runtime."""

    framework: str
    differing: int | None
    """At how many of the 256 x it gives another y; None if it has no such layer."""
    largest: int | None
    """By how many steps at most."""
    why: str | None
    """Why it has no such layer."""


@dataclass(frozen=True)
class EightBits:
    """An activation between a DequantizeLinear and a QuantizeLinear, or HARD_SWISH of bytes in TFLite."""

    x: QuantizedBytes
    y: QuantizedBytes
    elsewhere: tuple[Elsewhere, ...]
    """The same layer in PyTorch and TFLite."""

    @classmethod
    def _of(cls, found: dict[str, Any]) -> EightBits:
        x, y = (QuantizedBytes(**found[which]) for which in ("x", "y"))
        return cls(x, y, tuple(Elsewhere(**one) for one in found["elsewhere"]))


@dataclass(frozen=True)
class Activation:
    """A hard sigmoid or hard swish in a model."""

    name: str
    """The name of the node or layer."""
    function: str
    """``"hard_sigmoid"`` or ``"hard_swish"``."""
    written: str
    """How the file writes it."""
    times: int
    """How often the model computes it: once in each call of its layer, and in each direction of a recurrent layer."""
    definitions: tuple[HardSigmoid, ...]
    """Those of a function with a name in a framework; otherwise those with exactly its bits, perhaps none."""
    computed: tuple[Computed, ...]
    gradient: str | None
    """How its gradient differs from that of every definition."""
    warning: str | None
    """Who computes another function than the file says, or what makes its bits others."""
    dtype: str | None
    """The type in which the model computes it, though it was compared as if in float32; None if that is float32 or not known."""
    quantized: EightBits | None
    """What it is in 8 bits, if it is one operator between DequantizeLinear and QuantizeLinear, or HARD_SWISH of bytes in TFLite."""

    @classmethod
    def _of(cls, found: dict[str, Any]) -> Activation:
        return cls(
            found["name"],
            found["function"],
            found["written"],
            found["times"],
            tuple(map(HardSigmoid, found["definitions"])),
            tuple(map(Computed._of, found["computed"])),
            found["gradient"],
            found["warning"],
            found["dtype"],
            EightBits._of(found["quantized"]) if found["quantized"] else None,
        )


@dataclass(frozen=True)
class Total:
    """How many activations have the same function and definitions."""

    function: str
    definitions: tuple[HardSigmoid, ...]
    or_none: bool
    """Whether each may also have the bits of no definition."""
    count: int

    @classmethod
    def _of(cls, found: dict[str, Any]) -> Total:
        return cls(found["function"], tuple(map(HardSigmoid, found["definitions"])), found["or_none"], found["count"])


@dataclass(frozen=True)
class Model:
    """The result of `inspect`. Printing it gives the text of the command ``hard-sigmoid inspect``."""

    format: str
    """The format of the file."""
    made_by: str | None
    """The program that made it, where the file says."""
    activations: tuple[Activation, ...]
    """The hard sigmoids and hard swishes, in their order in the file."""
    totals: tuple[Total, ...]
    """How many there are of each kind."""
    note: str | None
    """What the search may have missed, and where."""
    report: str = field(repr=False)

    def __str__(self) -> str:
        return self.report


def inspect(model: str | os.PathLike[str] | bytes | bytearray) -> Model:
    """Finds the hard sigmoids and hard swishes in a model, and says which presets have exactly their bits.

    ``model`` is the path of a file, or its bytes. It may be one of ONNX, of Keras (.keras, .h5, JSON), of TensorFlow Lite, or the
    model.json of TensorFlow.js. Constants of an ONNX model may lie in files beside it, if it is given by its path. Weights aren't read.

    >>> layer = '{"class_name": "Activation", "config": {"name": "gate", "activation": "hard_sigmoid"}}'
    >>> text = '{"keras_version": "2.21.0", "class_name": "Sequential", "config": {"name": "model", "layers": [%s]}}' % layer
    >>> found = inspect(text.encode())
    >>> [(one.name, one.definitions) for one in found.activations]
    [('model/gate', (HardSigmoid('keras'),))]
    """
    if not isinstance(model, str | os.PathLike | bytes | bytearray):
        raise TypeError(f"model is a {type(model).__name__}: give the path of a file, or its bytes")
    text, report = _native.inspect(model)
    found = json.loads(text)
    return Model(
        found["format"],
        found["made_by"],
        tuple(map(Activation._of, found["activations"])),
        tuple(map(Total._of, found["totals"])),
        found["note"],
        report,
    )
