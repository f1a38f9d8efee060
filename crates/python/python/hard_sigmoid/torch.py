"""Every hard sigmoid in a PyTorch model, with autograd: it runs and trains with the bits that it was trained with elsewhere.

>>> import torch
>>> import hard_sigmoid.torch as hst
>>> x = torch.tensor([-2.5, 0, 1, 2.5], requires_grad=True)
>>> y = hst.hard_sigmoid(x, "keras")
>>> y.detach()
tensor([0.0000, 0.5000, 0.7000, 1.0000])
>>> y.sum().backward()
>>> x.grad
tensor([0.2000, 0.2000, 0.2000, 0.2000])

A definition is a `hard_sigmoid.HardSigmoid`, or its text: a preset's name, or ``"affine(0.3, 0.45, half)"``. Tensors hold float32, float16 or
bfloat16, are on the CPU, and may have any strides. Results and gradients have the bits of `hard_sigmoid.HardSigmoid`. No module works in
place: some gradients need x.

A gradient can be differentiated again, any number of times. The slope counts as constant then, also at a kink.

`torch.compile` and `torch.export` take everything as operators, such as ``torch.ops.hard_sigmoid.forward``. A `HardSigmoid` of the package
has to be made outside of the compiled function. `torch.func` has ``grad``, ``vmap`` and all that is made of them. Forward-mode
differentiation (``jvp``, so ``torch.func.hessian`` too) raises PyTorch's error; inside `torch.compile` PyTorch doesn't notice, and its result is zero. Tensors on the device
``meta`` give a result with a shape and no numbers, as everywhere in PyTorch. `torch.onnx.export` knows none of these operators: put PyTorch's
own modules in their place before an export, such as ``torch.nn.Hardswish``, and compare what it computes then.
"""

from typing import Any

try:
    import torch
except ImportError as error:
    raise ImportError("hard_sigmoid.torch needs PyTorch: pip install torch") from error
from torch import Tensor

from . import _native
from ._arrays import DTYPES, Array, compute, memory_order
from ._definition import HardSigmoid as Definition
from ._definition import check_gate, run_gate, text_of

__all__ = ["Gate", "HardSigmoid", "HardSwish", "gate", "hard_sigmoid", "hard_swish"]


def hard_sigmoid(x: Tensor, definition: Definition | str) -> Tensor:
    """The hard sigmoid of each element of x.

    >>> hard_sigmoid(torch.tensor([-4, 0, 1.5]), "pytorch")
    tensor([0.0000, 0.5000, 0.7500])
    """
    _check_tensors(x=x)
    y: Tensor = _Forward.apply(x, text_of(definition))
    return y


def hard_swish(x: Tensor, definition: Definition | str) -> Tensor:
    """x times its hard sigmoid.

    >>> hard_swish(torch.tensor([-4, -1.5, 0, 1.5, 4]), "pytorch")
    tensor([-0.0000, -0.3750,  0.0000,  1.1250,  4.0000])
    """
    _check_tensors(x=x)
    y: Tensor = _HardSwish.apply(x, text_of(definition))
    return y


def gate(a: Tensor, b: Tensor, definition: Definition | str) -> Tensor:
    """a times the hard sigmoid of b, as in squeeze-and-excitation and in an LSTM.

    b has as many axes as a. Each extent of b is that of a, or 1: b is repeated along its axes of size 1. The gradient of b is summed over the
    repetitions in the order of `hard_sigmoid.HardSigmoid.gate_backward`, which isn't that of PyTorch's own sum.

    >>> images, gates = torch.arange(1.0, 9).reshape(1, 2, 2, 2), torch.tensor([0.0, -3]).reshape(1, 2, 1, 1)
    >>> gate(images, gates, "pytorch").flatten()
    tensor([0.5000, 1.0000, 1.5000, 2.0000, 0.0000, 0.0000, 0.0000, 0.0000])
    """
    _check_tensors(a=a, b=b)
    y: Tensor = _Gate.apply(a, b, text_of(definition))
    return y


def _check_tensors(**given: Any) -> None:
    for name, one in given.items():
        if not isinstance(one, Tensor):
            raise TypeError(f"{name} is a {type(one).__name__}: give a tensor, such as torch.as_tensor({name})")


class _Layer(torch.nn.Module):
    """A layer without weights."""

    def __init__(self, definition: Definition | str) -> None:
        super().__init__()
        self.definition = Definition(definition)

    def extra_repr(self) -> str:
        return repr(str(self.definition))


class HardSigmoid(_Layer):
    """`hard_sigmoid` as a module.

    >>> HardSigmoid("keras")
    HardSigmoid('keras')
    """

    def forward(self, x: Tensor) -> Tensor:
        return hard_sigmoid(x, self.definition)


class HardSwish(_Layer):
    """`hard_swish` as a module.

    >>> HardSwish("affine(0.3, 0.45, half)")
    HardSwish('affine(0.3, 0.45, half)')
    """

    def forward(self, x: Tensor) -> Tensor:
        return hard_swish(x, self.definition)


class Gate(_Layer):
    """`gate` as a module of two tensors.

    >>> Gate("jax")(torch.tensor([1.0, 2]), torch.tensor([0.0, 3])).tolist()
    [0.5, 2.0]
    """

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return gate(a, b, self.definition)


class _Operation(torch.autograd.Function):
    """An operation with its gradient, which is made of operations too: any gradient can be differentiated again.

    v is the gradient that arrives at a gradient.
    """

    # The operators below take batches.
    generate_vmap_rule = True

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        *tensors, ctx.definition = inputs
        ctx.save_for_backward(*tensors)


class _Forward(_Operation):
    @staticmethod
    def forward(x: Tensor, definition: str) -> Any:
        return _forward(x, definition)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        return _Backward.apply(x, g, ctx.definition), None


class _Backward(_Operation):
    @staticmethod
    def forward(x: Tensor, g: Tensor, definition: str) -> Any:
        return _backward(x, g, definition)

    @staticmethod
    def backward(ctx: Any, v: Tensor) -> Any:
        x, _ = ctx.saved_tensors
        return torch.zeros_like(x), _Backward.apply(x, v, ctx.definition), None


class _HardSwish(_Operation):
    @staticmethod
    def forward(x: Tensor, definition: str) -> Any:
        return _hard_swish(x, definition)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        return _HardSwishBackward.apply(x, g, ctx.definition), None


class _HardSwishBackward(_Operation):
    @staticmethod
    def forward(x: Tensor, g: Tensor, definition: str) -> Any:
        return _hard_swish_backward(x, g, definition)

    @staticmethod
    def backward(ctx: Any, v: Tensor) -> Any:
        # dx = g·(hs(x) + x·hs'(x)), where hs' is constant.
        x, g = ctx.saved_tensors
        return _Backward.apply(x, 2 * (g * v), ctx.definition), _HardSwishBackward.apply(x, v, ctx.definition), None


class _Gate(_Operation):
    @staticmethod
    def forward(a: Tensor, b: Tensor, definition: str) -> Any:
        return _gate(a, b, definition)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        a, b = ctx.saved_tensors
        da, db = _GateBackward.apply(a, b, g, ctx.definition)
        return da, db, None


class _GateBackward(_Operation):
    @staticmethod
    def forward(a: Tensor, b: Tensor, g: Tensor, definition: str) -> Any:
        return _gate_backward(a, b, g, definition)

    @staticmethod
    def backward(ctx: Any, va: Tensor, vb: Tensor) -> Any:
        # da = g·hs(b), and db is the sum of g·a·hs'(b).
        a, b, g = ctx.saved_tensors
        slope = _Backward.apply(b, vb, ctx.definition)
        d_g, d_b = _GateBackward.apply(g, b, va, ctx.definition)
        return g * slope, d_b, d_g + a * slope, None


# PyTorch's operators, which `torch.compile` and `torch.export` take whole.


@torch.library.custom_op("hard_sigmoid::forward", mutates_args=())
def _forward(x: Tensor, definition: str) -> Tensor:
    return _elementwise("forward", definition, x=x)


@torch.library.custom_op("hard_sigmoid::backward", mutates_args=())
def _backward(x: Tensor, g: Tensor, definition: str) -> Tensor:
    return _elementwise("backward", definition, x=x, g=g)


@torch.library.custom_op("hard_sigmoid::hard_swish", mutates_args=())
def _hard_swish(x: Tensor, definition: str) -> Tensor:
    return _elementwise("hard_swish", definition, x=x)


@torch.library.custom_op("hard_sigmoid::hard_swish_backward", mutates_args=())
def _hard_swish_backward(x: Tensor, g: Tensor, definition: str) -> Tensor:
    return _elementwise("hard_swish_backward", definition, x=x, g=g)


@torch.library.custom_op("hard_sigmoid::gate", mutates_args=())
def _gate(a: Tensor, b: Tensor, definition: str) -> Tensor:
    (y,) = _new_gate(definition, {"a": a, "b": b}, [a])
    run_gate("gate", definition, _name(a), [_array(a), _array(b)], [_array(y)])
    return y


@torch.library.custom_op("hard_sigmoid::gate_backward", mutates_args=())
def _gate_backward(a: Tensor, b: Tensor, g: Tensor, definition: str) -> tuple[Tensor, Tensor]:
    da, db = _new_gate(definition, {"a": a, "b": b, "g": g}, [a, b])
    run_gate("gate_backward", definition, _name(a), [_array(one) for one in (a, b, g)], [_array(da), _array(db)])
    return da, db


def _elementwise(name: str, definition: str, **tensors: Tensor) -> Tensor:
    y = _new(definition, **tensors)
    out = _array(y)
    axes = memory_order(out)
    inputs = [_array(one).transpose(axes) for one in tensors.values()]
    compute(_native.Operation(name, definition), _name(y), inputs, [out.transpose(axes)])
    return y


def _new(definition: str, **tensors: Tensor) -> Tensor:
    """The result of an operation of tensors of one shape."""
    _check(definition, tensors)
    (first, x), *others = tensors.items()
    for name, other in others:
        if other.shape != x.shape:
            raise ValueError(f"{name} has shape {tuple(other.shape)}, but {first} has {tuple(x.shape)}")
    return torch.empty_like(x)


def _new_gate(definition: str, tensors: dict[str, Tensor], like: list[Tensor]) -> list[Tensor]:
    _check(definition, tensors)
    check_gate({name: tuple(one.shape) for name, one in tensors.items()})
    return [torch.empty_like(one) for one in like]


def _check(definition: str, tensors: dict[str, Tensor]) -> None:
    _native.definition(definition)
    (first, x), *_ = tensors.items()
    for name, one in tensors.items():
        if one.device.type not in ("cpu", "meta"):
            raise ValueError(
                f"{name} is on {one.device}, but hard_sigmoid.torch computes on the CPU: "
                f"move the model there with model.cpu(), or this tensor with {name}.cpu()"
            )
        if _name(one) not in DTYPES:
            raise TypeError(
                f"{name} is {_name(one)}, but hard_sigmoid.torch computes in float32, float16 and bfloat16: "
                f"convert the model with model.float(), or this tensor with {name}.float()"
            )
        if one.dtype != x.dtype:
            raise TypeError(f"{name} is {_name(one)}, but {first} is {_name(x)}: pass {name}.to({first}.dtype)")


def _name(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _array(tensor: Tensor) -> Array:
    """An array over a tensor's memory, in which words stand for bfloat16: PyTorch converts none to NumPy."""
    tensor = tensor.detach()
    return (tensor.view(torch.uint16) if tensor.dtype == torch.bfloat16 else tensor).numpy()


def _in_batches(op: Any) -> Any:
    """`op` for `torch.vmap`: the batch is one axis more."""

    def run(info: Any, in_dims: tuple[int | None, ...], *arguments: Any) -> tuple[Any, Any]:
        *tensors, definition = arguments
        batched = [
            one.expand(info.batch_size, *one.shape) if axis is None else one.movedim(axis, 0) for one, axis in zip(tensors, in_dims)
        ]
        results = op(*batched, definition)
        return results, 0 if isinstance(results, Tensor) else (0, 0)

    return run


def _register() -> None:
    """Tells PyTorch what each operator returns, without computing it, and how it takes a batch."""
    _forward.register_fake(lambda x, definition: _new(definition, x=x))
    _backward.register_fake(lambda x, g, definition: _new(definition, x=x, g=g))
    _hard_swish.register_fake(lambda x, definition: _new(definition, x=x))
    _hard_swish_backward.register_fake(lambda x, g, definition: _new(definition, x=x, g=g))
    _gate.register_fake(lambda a, b, definition: _new_gate(definition, {"a": a, "b": b}, [a])[0])
    _gate_backward.register_fake(lambda a, b, g, definition: tuple(_new_gate(definition, {"a": a, "b": b, "g": g}, [a, b])))
    for op, function in [
        (_forward, _Forward),
        (_backward, _Backward),
        (_hard_swish, _HardSwish),
        (_hard_swish_backward, _HardSwishBackward),
        (_gate, _Gate),
        (_gate_backward, _GateBackward),
    ]:
        op.register_vmap(_in_batches(op))
        # An exported program calls the operator itself.
        op.register_autograd(function.backward, setup_context=function.setup_context)


_register()
