"""The definitions and their operations."""

from __future__ import annotations

import math
from typing import Any, final

import numpy as np

from . import _native
from ._arrays import Array, compute, memory_order, native_order, of_elements, results


def presets() -> list[HardSigmoid]:
    """Every named definition.

    >>> [str(preset) for preset in presets()]
    ['keras', 'onnx', 'courbariaux', 'tangent', 'pytorch', 'jax', 'keras3', 'sparse']
    """
    return [HardSigmoid(name) for name in _native.presets()]


@final
class HardSigmoid:
    """A hard sigmoid: a preset by its name or an alias of it, or ``affine(ALPHA, BETA, KINKS)``.

    Two are equal if they give the same bits. Instances can't be changed.

    >>> HardSigmoid("pytorch")
    HardSigmoid('pytorch')
    >>> HardSigmoid("torch") == HardSigmoid("pytorch")
    True
    >>> HardSigmoid("relu6")
    Traceback (most recent call last):
    ValueError: no hard sigmoid is called "relu6"; use one of keras, onnx, courbariaux, tangent, pytorch, jax, keras3, sparse, affine(ALPHA, BETA, strict|inclusive|half)
    """

    __slots__ = ("_about",)
    _about: _native._Described

    def __new__(cls, name: str | HardSigmoid) -> HardSigmoid:
        self = super().__new__(cls)
        object.__setattr__(self, "_about", _native.definition(text_of(name)))
        return self

    @classmethod
    def affine(cls, alpha: float, beta: float, kinks: str = "strict") -> HardSigmoid:
        """``clamp(alpha·x + beta, 0, 1)``, each operation rounded: ONNX's operator with any alpha and beta.

        ``kinks`` is the gradient exactly at a kink: 0 (``"strict"``), the slope (``"inclusive"``) or half of it (``"half"``). alpha and beta
        are rounded to float32.

        >>> HardSigmoid.affine(1 / 6, 0.5)
        HardSigmoid('affine(0.16666667, 0.5, strict)')
        >>> HardSigmoid.affine(0.2, 0.5, kinks="inclusive")
        HardSigmoid('keras')
        """
        return cls(_native.affine(alpha, beta, kinks))

    @property
    def name(self) -> str:
        """The preset's name, or ``"affine"``."""
        return self._about[1]

    @property
    def formula(self) -> str:
        """The forward formula.

        >>> HardSigmoid("keras").formula
        'clamp(0.2·x + 0.5, 0, 1)'
        """
        return self._about[2]

    @property
    def kinks(self) -> tuple[float, float] | None:
        """The two x where the curve bends, the smaller one first; None for a constant.

        >>> HardSigmoid("pytorch").kinks
        (-3.0, 3.0)
        """
        return self._about[3]

    @property
    def kink_rule(self) -> str:
        """The gradient exactly at a kink: ``"strict"`` (0), ``"inclusive"`` (the slope) or ``"half"`` (half the slope)."""
        return self._about[4]

    @property
    def slope(self) -> float:
        """The slope of the linear zone, as a float32. The gradient is g times it, but with ``"keras3"`` g / 6."""
        return self._about[5]

    @property
    def shift(self) -> float:
        """The value at x = 0 before it is clamped to 0 and 1."""
        return self._about[6]

    @property
    def source(self) -> str | None:
        """Who defines it, and the framework and version whose bits it has. None if it isn't a preset."""
        return self._about[7]

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("a HardSigmoid can't be changed")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("a HardSigmoid can't be changed")

    def __str__(self) -> str:
        return self._about[0]

    def __repr__(self) -> str:
        return f"HardSigmoid({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return str(self) == str(other) if isinstance(other, HardSigmoid) else NotImplemented

    def __hash__(self) -> int:
        return hash(str(self))

    def __reduce__(self) -> tuple[type[HardSigmoid], tuple[str]]:
        return HardSigmoid, (str(self),)

    def forward(self, x: Any, *, out: Any = None) -> Any:
        """The hard sigmoid of each element of x.

        float16 and bfloat16 are computed in float32 and rounded once, as in PyTorch. JAX and TensorFlow round after each operation, so
        in these types their results differ by a rounding.

        >>> HardSigmoid("pytorch").forward(np.float32([-4, 0, 1.5]))
        array([0.  , 0.5 , 0.75], dtype=float32)

        ``out`` may be x itself:

        >>> x = np.float16([[-1, 0], [0.5, 2]])
        >>> HardSigmoid("courbariaux").forward(x, out=x) is x
        True
        >>> x
        array([[0.  , 0.5 ],
               [0.75, 1.  ]], dtype=float16)
        """
        return self._elementwise("forward", (x,), out)

    __call__ = forward

    def backward(self, x: Any, g: Any, *, out: Any = None) -> Any:
        """The gradient with respect to x, from x and the upstream gradient g, which have the same shape and type.

        >>> x, g = np.float32([-2.5, 0, 2.5]), np.ones(3, np.float32)
        >>> HardSigmoid("keras").backward(x, g)
        array([0.2, 0.2, 0.2], dtype=float32)
        >>> HardSigmoid("onnx").backward(x, g)
        array([0. , 0.2, 0. ], dtype=float32)
        """
        return self._elementwise("backward", (x, g), out)

    def backward_from_output(self, y: Any, g: Any, *, out: Any = None) -> Any:
        """The gradient from the output y of `forward` instead of its input, for use after a forward pass in place.

        It is 0 where y is 0 or 1. So it differs from `backward` at the kinks if the rule is ``"inclusive"`` or ``"half"``, and at
        2.9999998 with ``"pytorch"``.

        >>> HardSigmoid("keras").backward_from_output(np.float32([0, 0.5, 1]), np.ones(3, np.float32))
        array([0. , 0.2, 0. ], dtype=float32)
        """
        return self._elementwise("backward_from_output", (y, g), out)

    def backward_accumulate(self, x: Any, g: Any, dx: Any, *, out: Any = None) -> Any:
        """dx plus the gradient of `backward`, with one rounding of the sum. ``out`` may be dx itself.

        >>> dx = np.float32([1, 2])
        >>> HardSigmoid("courbariaux").backward_accumulate(np.float32([0, 3]), np.float32([1, 1]), dx, out=dx)
        array([1.5, 2. ], dtype=float32)
        """
        return self._elementwise("backward_accumulate", (x, g, dx), out)

    def hard_swish(self, x: Any, *, out: Any = None) -> Any:
        """x times its hard sigmoid.

        ``"pytorch"`` has the bits of ``torch.nn.functional.hardswish``, ``"jax"`` those of ``jax.nn.hard_silu``, ``"keras3"`` those of
        ``keras.activations.hard_silu`` on TensorFlow in eager mode, and ``affine(1/6, 0.5)`` those of ONNX Runtime's ``HardSwish``.

        >>> HardSigmoid("pytorch").hard_swish(np.float32([-4, -1.5, 0, 1.5, 4]))
        array([-0.   , -0.375,  0.   ,  1.125,  4.   ], dtype=float32)
        """
        return self._elementwise("hard_swish", (x,), out)

    def hard_swish_backward(self, x: Any, g: Any, *, out: Any = None) -> Any:
        """The gradient of `hard_swish` with respect to x. XLA may fuse that of ``"jax"``, which then differs by a rounding.

        >>> HardSigmoid("pytorch").hard_swish_backward(np.float32([-4, 0, 1.5, 4]), np.ones(4, np.float32))
        array([0. , 0.5, 1. , 1. ], dtype=float32)
        """
        return self._elementwise("hard_swish_backward", (x, g), out)

    def gate(self, a: Any, b: Any, *, out: Any = None) -> Any:
        """a times the hard sigmoid of b, as in squeeze-and-excitation and in an LSTM.

        b has as many axes as a. Each extent of b is that of a, or 1: b is repeated along its axes of size 1.

        >>> images = np.arange(1, 9, dtype=np.float32).reshape(1, 2, 2, 2)
        >>> gates = np.float32([0, -3]).reshape(1, 2, 1, 1)
        >>> HardSigmoid("pytorch").gate(images, gates)
        array([[[[0.5, 1. ],
                 [1.5, 2. ]],
        <BLANKLINE>
                [[0. , 0. ],
                 [0. , 0. ]]]], dtype=float32)
        """
        return self._gate("gate", {"a": a, "b": b}, out)

    def gate_backward(self, a: Any, b: Any, g: Any, *, out: Any = None) -> tuple[Any, Any]:
        """Both gradients of `gate`, ``(da, db)``, from a, b and the upstream gradient g, which has the shape of a.

        db has the shape of b. It is summed over the repetitions of b in float32, in the same order everywhere.

        >>> a, b = np.ones((2, 3), np.float32), np.float32([[0], [-3]])
        >>> da, db = HardSigmoid("pytorch").gate_backward(a, b, np.ones_like(a))
        >>> da
        array([[0.5, 0.5, 0.5],
               [0. , 0. , 0. ]], dtype=float32)
        >>> db
        array([[0.5],
               [0. ]], dtype=float32)
        """
        da, db = self._gate("gate_backward", {"a": a, "b": b, "g": g}, out)
        return da, db

    def _elementwise(self, name: str, tensors: tuple[Any, ...], out: Any) -> Any:
        return elementwise(_native.Operation(name, str(self)), tensors, out)

    def _gate(self, name: str, tensors: dict[str, Any], out: Any) -> Any:
        arrays = {of: of_elements(of, tensor) for of, tensor in tensors.items()}
        a, b = arrays["a"], arrays["b"]
        same_dtype(arrays)
        check_gate({of: array.shape for of, array in arrays.items()})
        if name == "gate":
            outputs = results(["y"], out, [a.shape], a.dtype)
        else:
            outputs = results(["da", "db"], out, [a.shape, b.shape], a.dtype)
        run_gate(name, str(self), a.dtype.name, list(arrays.values()), outputs)
        if out is not None:
            return out
        return outputs[0] if name == "gate" else tuple(outputs)


def check_gate(shapes: dict[str, tuple[int, ...]]) -> None:
    """Checks that b goes with a, and g, where there is one, is the gradient of their gate."""
    a, b, g = shapes["a"], shapes["b"], shapes.get("g", shapes["a"])
    if g != a:
        raise ValueError(f"g has shape {g}, but a has {a}")
    if len(a) != len(b) or any(of_b not in (of_a, 1) for of_a, of_b in zip(a, b)):
        raise ValueError(f"a gate of shape {b} doesn't go with an array of shape {a}: both have the same number of axes, and each extent of the gate is the same, or 1")


def run_gate(name: str, definition: str, dtype: str, inputs: list[Array], outputs: list[Array]) -> None:
    """Computes a gate or its gradients, of any strides."""
    a, b = inputs[:2]
    if a.size == 0:
        # db is a sum over no elements.
        for output in outputs:
            output[...] = 0
        return None
    order = memory_order(a)
    repeated = [axis for axis in order if a.shape[axis] != b.shape[axis]]
    first, last = (order.index(repeated[0]), order.index(repeated[-1])) if repeated else (0, -1)
    is_block = all(axis in repeated or a.shape[axis] == 1 for axis in order[first : last + 1])
    if repeated != sorted(repeated) or not is_block:
        # db is a sum over the repeated axes in their own order. They become the last ones.
        order = [axis for axis in order if axis not in repeated] + sorted(repeated)
        first, last = a.ndim - len(repeated), a.ndim - 1
    inputs, outputs = [[array.transpose(order) for array in arrays] for arrays in (inputs, outputs)]
    if not repeated:
        return compute(_native.Operation(name, definition), dtype, inputs, outputs)
    shape = inputs[0].shape
    middle, inner = math.prod(shape[first : last + 1]), math.prod(shape[last + 1 :])

    def operation(of: str) -> _native.Operation:
        return _native.Operation(of, definition, middle=middle, inner=inner)

    if name == "gate":
        return compute(operation("gate_broadcast"), dtype, inputs, outputs)
    # Neither result may be written before the other is computed, since they may overlap the operands.
    (_, b, g), (da, db) = inputs, outputs
    sums = np.empty(db.shape, db.dtype)
    compute(operation("gate_broadcast_sums"), dtype, inputs, [sums])
    compute(operation("gate_broadcast"), dtype, [g, b], [da])
    db[...] = sums


def elementwise(operation: _native.Operation, tensors: tuple[Any, ...], out: Any) -> Any:
    """Runs an operation on arrays that have the same shape and type: its operands, and what it adds to, if it does."""
    names = [*operation.inputs, *operation.outputs]
    arrays = {name: of_elements(name, tensor) for name, tensor in zip(names, tensors)}
    same_dtype(arrays)
    (first, x), *others = arrays.items()
    for name, other in others:
        if other.shape != x.shape:
            raise ValueError(f"{name} has shape {other.shape}, but {first} has {x.shape}")
    outputs = results(operation.outputs, out, [x.shape], x.dtype)
    inputs = list(arrays.values())
    if len(inputs) > len(operation.inputs):
        # A copy, since out may be any of the operands.
        total = inputs.pop().astype(native_order(x.dtype), order="C")
        compute(operation, x.dtype.name, inputs, [total])
        outputs[0][...] = total
    else:
        compute(operation, x.dtype.name, inputs, outputs)
    return outputs[0] if out is None else out


def text_of(definition: str | HardSigmoid) -> str:
    if not isinstance(definition, (str, HardSigmoid)):
        raise TypeError(f"a definition has to be a str or a HardSigmoid, not {type(definition).__name__}")
    return str(definition)


def same_dtype(arrays: dict[str, Array]) -> None:
    (first, x), *others = arrays.items()
    for name, other in others:
        if other.dtype.name != x.dtype.name:
            raise TypeError(f"{name} is {other.dtype.name}, but {first} is {x.dtype.name}")
