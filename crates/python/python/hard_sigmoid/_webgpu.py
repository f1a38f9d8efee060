"""The WGSL kernels for a WebGPU program: text, parameters and dispatches."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import Any, Literal

import numpy as np

from . import _native
from ._arrays import dtype_name
from ._definition import HardSigmoid, text_of

Placement = Literal["separate", "in_place", "shared"]
Number = Literal["f32", "f16", "packed_f16", "packed_bf16"]


@dataclass(frozen=True)
class Limits:
    """A device's limits, with WebGPU's names and defaults."""

    max_storage_buffers_per_shader_stage: int = 8
    max_storage_buffer_binding_size: int = 128 << 20
    min_storage_buffer_offset_alignment: int = 256
    max_compute_workgroups_per_dimension: int = 65535
    max_compute_workgroup_storage_size: int = 16384


@dataclass(frozen=True)
class Binding:
    """A range of a tensor's buffer to bind."""

    tensor: str
    """The tensor's name in the operation's function: ``"x"``, ``"y"`` and so on."""
    offset: int
    """Where the range starts, in bytes from the start of the tensor."""
    size: int
    """Length of the range in bytes: whole 4-byte words, so an odd number of halves takes one half more."""


@dataclass(frozen=True)
class Dispatch:
    """An entry point and its workgroups in x, y and z."""

    entry_point: str
    workgroups: tuple[int, int, int]


@dataclass(frozen=True)
class Part:
    """A part of the tensors that one bind group covers."""

    params: bytes
    """The contents of the uniform buffer."""
    bindings: tuple[Binding, ...]
    """Bindings 0, 1 and so on of group 0. The uniform buffer comes after them."""
    dispatches: tuple[Dispatch, ...]
    """The dispatches, in any order."""


@dataclass(frozen=True)
class Plan:
    """What to compile, bind and dispatch: see `plan`."""

    wgsl: str
    """The module, with every entry point of the operation."""
    tensors: tuple[tuple[str, str], ...]
    """Each tensor's name and the type of its binding, ``"read-only-storage"`` or ``"storage"``, in the order of the bindings. The uniform
    buffer is bound after them."""
    parts: tuple[Part, ...]
    """One part, several if the device's limits require it, or none for an empty tensor. Keep their order."""


def plan(
    operation: str,
    definition: HardSigmoid | str | None,
    length: int,
    *,
    dtype: Any = np.float32,
    placement: Placement = "separate",
    limits: Limits = Limits(),
    **parameters: Any,
) -> Plan:
    """Returns what to compile, bind and dispatch for an operation on tensors of ``length`` elements.

    ``length`` counts the elements of the operation's first tensor, for ``"unpack"`` those of y. ``operation`` is one of these:

    - ``"forward"``, ``"backward"``, ``"backward_from_output"``, ``"hard_swish"``, ``"hard_swish_backward"``, ``"gate"``, ``"gate_backward"``:
      the methods of `HardSigmoid`.
    - ``"backward_accumulate"``: adds the gradient from x and g to what dx holds.
    - ``"gate_broadcast"``, ``"gate_broadcast_sums"``: a has the shape [outer, middle, inner] and b [outer, inner], by the parameters
      ``middle`` and ``inner``. With channels first, middle = height·width and inner = 1. The sums give db, the gradient of b; da is the gate
      of g. If da replaces g, the sums come first.
    - ``"binarize"`` (parameters ``seed``, ``offset``, ``scale``), ``"pack"`` (``seed``, ``offset``), ``"unpack"`` (``scale``),
      ``"straight_through"`` (``estimator``). Their definition is None, or with a seed the probability.
    - ``"lookup"``, ``"lookup_gate"`` (``middle``, ``inner``): look-ups of bytes, with ``dtype=np.uint8`` and no definition. The
      operand ``table`` is that of `quantized_table`, or for a gate 65,536 bytes: that of a and b is number 256·b + a.

    No type needs an optional feature of the device: the kernels read halves as words.

    1. Make a shader module of `Plan.wgsl` and, for each entry point, a compute pipeline. To keep them for
       other plans, use `Plan.wgsl` and `Plan.tensors` as the key: each definition has a text of its own.
    2. For each of `Plan.parts` make a bind group of its bindings, and a uniform buffer of its params as the last binding.
    3. Dispatch each of `Part.dispatches`.

    ``"in_place"`` writes the first result over an operand, ``"shared"`` allows tensors in one buffer.

    >>> found = plan("backward", "pytorch", 1001)
    >>> found.tensors
    (('x', 'read-only-storage'), ('g', 'read-only-storage'), ('dx', 'storage'))
    >>> (part,) = found.parts
    >>> part.bindings[2]
    Binding(tensor='dx', offset=0, size=4004)
    >>> part.dispatches
    (Dispatch(entry_point='body', workgroups=(1, 1, 1)), Dispatch(entry_point='tail', workgroups=(1, 1, 1)))
    """
    if not isinstance(limits, Limits):
        raise TypeError(f"limits is a {type(limits).__name__}, but has to be hard_sigmoid.Limits")
    native = _operation(operation, definition, parameters)
    name = dtype_name(dtype)
    tensors, parts = _native.plan(native, length, name, placement, astuple(limits))
    return Plan(
        _native.wgsl(native, name, placement),
        tuple(tensors),
        tuple(
            Part(
                params,
                tuple(Binding(*one) for one in bindings),
                tuple(Dispatch(*one) for one in dispatches),
            )
            for params, bindings, dispatches in parts
        ),
    )


def wgsl(
    operation: str,
    definition: HardSigmoid | str | None = None,
    *,
    dtype: Any = np.float32,
    placement: Placement = "separate",
    **parameters: Any,
) -> str:
    """Returns the WGSL module of an operation, without a plan. The arguments are those of `plan`.

    >>> "fn body(" in wgsl("forward", "pytorch")
    True
    """
    return _native.wgsl(_operation(operation, definition, parameters), dtype_name(dtype), placement)


def scalar(
    operation: str,
    definition: HardSigmoid | str | None = None,
    *,
    type: Number = "f32",
    text: Literal["exact", "short"] = "exact",
    prefix: str = "",
    **parameters: Any,
) -> str:
    """Returns an operation as WGSL functions of numbers, for a kernel of your own.

    The text binds nothing, and may stand anywhere in a module. ``operation``, ``definition`` and ``parameters`` are those of `plan`, except
    ``"pack"``, ``"unpack"``, the broadcast gates and look-ups, which don't make one number of one element. The functions are called
    ``hard_sigmoid``, ``hard_sigmoid_backward``, ``hard_swish``, ``hard_sigmoid_gate``, ``binarize`` and so on.

    ``type`` is what they take and return: ``"f32"``; ``"f16"``, for a module that begins with ``enable f16;``; or
    two halves in a ``u32``, ``"packed_f16"`` or ``"packed_bf16"``. ``"exact"`` has the bits of the CPU path. ``"short"`` is the shortest
    text, and its comment says what it may lose. Every name begins with ``prefix``: two texts of one operation in a module need
    different ones. With a seed, ``binarize`` takes a random word, and the seed isn't in the text.

    >>> print(scalar("hard_swish", "pytorch", text="short", prefix="my_"))
    // hard_swish: pytorch, clamp(x + 3, 0, 6) / 6
    // Short. A compiler may fuse and reorder these operations: a result may be off by about 1e-7 of its largest operand. NaN may
    // become any number, and a subnormal number may become zero.
    <BLANKLINE>
    fn my_hard_swish(x: f32) -> f32 {
        return x * clamp(x + 3.0, 0.0, 6.0) / 6.0;
    }
    <BLANKLINE>
    """
    return _native.scalar(_operation(operation, definition, parameters), type, text, prefix)


def _operation(name: str, definition: HardSigmoid | str | None, parameters: dict[str, Any]) -> _native.Operation:
    return _native.Operation(name, None if definition is None else text_of(definition), **parameters)
