"""`hard_sigmoid.torch` has the bits of the definitions and of the frameworks, forward, backward and in a gradient's gradient."""

import copy
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

# In the order in which they can share a process.
from make import inputs, torch
from compare import differences

import hard_sigmoid
import hard_sigmoid.torch as hst
from hard_sigmoid import HardSigmoid

GOLDEN = Path(__file__).resolve().parents[3] / "tests/golden"
DTYPES = [torch.float32, torch.float16, torch.bfloat16]
DEFINITIONS = [*map(str, hard_sigmoid.presets()), "affine(0.16666667, 0.5, strict)", "affine(-0.7, 0.3, half)"]
PYTORCH = {hst.hard_sigmoid: torch.nn.functional.hardsigmoid, hst.hard_swish: torch.nn.functional.hardswish}
# Of each function, the definition's own gradient.
BACKWARD = {hst.hard_sigmoid: HardSigmoid.backward, hst.hard_swish: HardSigmoid.hard_swish_backward}
ELEMENTWISE = pytest.mark.parametrize("function", [hst.hard_sigmoid, hst.hard_swish], ids=lambda it: it.__name__)


def same(a, b):
    """Whether two tensors have the same bits; a NaN is as good as any other."""
    word = {4: torch.int32, 2: torch.int16}[a.itemsize]
    nan = a.isnan() & b.isnan()
    return a.dtype == b.dtype and a.shape == b.shape and bool(((a.view(word) == b.view(word)) | nan).all())


def leaf(values):
    return torch.as_tensor(values).clone().requires_grad_()


def with_gradient(function, g, *tensors):
    """The result and the gradients of the tensors, of which nothing else is a part."""
    leaves = [leaf(one.detach()) for one in tensors]
    y = function(*leaves)
    return y.detach(), *torch.autograd.grad(y, leaves, g)


def of_golden(name):
    return torch.from_numpy(np.load(GOLDEN / f"{name}.npy"))


@pytest.mark.parametrize("name", ["keras", "courbariaux", "tangent", "pytorch", "jax", "keras3", "sparse"])
def test_bits_of_the_frameworks(name):
    x, g = of_golden("x"), of_golden("g")
    y, dx = with_gradient(lambda x: hst.hard_sigmoid(x, name), g, x)
    for which, actual in [("forward", y), ("backward", dx)]:
        expected = of_golden(f"{name}.{'y' if which == 'forward' else 'dx'}")
        assert differences(name, which, actual.numpy(), expected.numpy(), x.numpy(), g.numpy())[0].sum() == 0
        assert differences(name, which, actual.numpy() + 1, expected.numpy(), x.numpy(), g.numpy())[0].sum() > 1000


@pytest.mark.parametrize("name", ["pytorch", "jax", "keras3", "affine(0.16666667, 0.5)"])
def test_hard_swish_of_the_frameworks(name):
    y, expected = hst.hard_swish(of_golden("x"), name), of_golden(f"{name}.hard_swish.y")
    # TensorFlow and XLA take subnormal numbers as zero.
    flushed = (expected == 0) & (y != 0) & (y.abs() < torch.finfo(torch.float32).tiny)
    assert flushed.sum() == (31 if name in ("jax", "keras3") else 0)
    assert same(y[~flushed], expected[~flushed])


@ELEMENTWISE
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_bits_of_pytorch_here(function, dtype):
    x = torch.cat([torch.linspace(-4, 4, 100_001), torch.tensor([torch.inf, 2.9999998, -2.9999998, -3.0, 3.0, 0.0, -0.0])]).to(dtype)
    g = torch.randn(x.shape, generator=torch.Generator().manual_seed(1)).to(dtype)
    ours = with_gradient(lambda x: function(x, "pytorch"), g, x)
    theirs = with_gradient(PYTORCH[function], g, x)
    assert [same(*pair) for pair in zip(ours, theirs, strict=True)] == [True] * 2
    others = with_gradient(lambda x: function(x, "keras"), g, x)
    assert [same(*pair) for pair in zip(others, theirs, strict=True)] == [False] * 2


@ELEMENTWISE
@pytest.mark.parametrize("definition", DEFINITIONS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_bits_of_the_definition(function, definition, dtype):
    x, g = (torch.from_numpy(one).to(dtype) for one in inputs())
    of = HardSigmoid(definition)
    y, dx = with_gradient(lambda x: function(x, definition), g, x)
    out = torch.empty_like(x)
    assert same(y, getattr(of, function.__name__ if function is hst.hard_swish else "forward")(x, out=out))
    assert same(dx, BACKWARD[function](of, x, g, out=out))
    # The definition's object is as good as its text.
    assert same(function(x, of), y)


GATES = [(6, 5, 4, 3), (6, 5, 1, 1), (6, 1, 4, 3), (1, 5, 1, 3), (1, 1, 1, 1), (6, 5, 4, 1)]


@pytest.mark.parametrize("shape", GATES)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_gate(shape, dtype):
    random = torch.Generator().manual_seed(2)
    a, g = torch.randn((2, 6, 5, 4, 3), generator=random).to(dtype)
    b = (torch.rand(shape, generator=random) * 8 - 4).to(dtype)
    for definition in ("pytorch", "sparse"):
        of = HardSigmoid(definition)
        expected = of.gate(a, b, out=torch.empty_like(a)), *of.gate_backward(a, b, g, out=(torch.empty_like(a), torch.empty_like(b)))
        function = lambda a, b: hst.gate(a, b, definition)
        assert all(map(same, with_gradient(function, g, a, b), expected))
        # Channels that come last in memory change no sum, nor do other orders.
        for order in [(0, 2, 3, 1), (3, 2, 1, 0), (1, 3, 0, 2)]:
            laid_out = [one.permute(order).contiguous().permute(np.argsort(order).tolist()) for one in (a, b, g)]
            results = with_gradient(function, laid_out[2], *laid_out[:2])
            assert results[0].stride() == laid_out[0].stride() and all(map(same, results, expected))
    if shape == a.shape:
        x = torch.linspace(-4, 4, 360).reshape(shape).to(dtype)
        theirs = with_gradient(lambda a, b: a * torch.nn.functional.hardsigmoid(b), g, a, x)
        ours = with_gradient(lambda a, b: hst.gate(a, b, "pytorch"), g, a, x)
        if dtype == torch.float32:
            assert all(map(same, ours, theirs))


def test_gate_of_the_frameworks():
    a, b, g = of_golden("x"), of_golden("x").flip(0), of_golden("g")
    y, da, db = with_gradient(lambda a, b: hst.gate(a, b, "pytorch"), g, a, b)
    inside = b.abs() < 2.99
    assert same(y, a * torch.nn.functional.hardsigmoid(b)) and same(da, g * torch.nn.functional.hardsigmoid(b))
    assert same(db[inside], (g * a)[inside] * torch.tensor(1 / 6))


def test_one_operand_of_a_gate_may_be_constant():
    a, b = torch.randn(2, 3), torch.randn(2, 1)
    for i in range(2):
        tensors = [a.clone(), b.clone()]
        tensors[i].requires_grad_()
        hst.gate(*tensors, "keras").sum().backward()
        assert same(tensors[i].grad, with_gradient(lambda a, b: hst.gate(a, b, "keras"), torch.ones(2, 3), a, b)[1 + i])
        assert tensors[1 - i].grad is None


@ELEMENTWISE
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_strides(function, dtype):
    x = (torch.rand(4, 6, 5, 3, generator=torch.Generator().manual_seed(3)) * 8 - 4).to(dtype)
    for view in (
        x.to(memory_format=torch.channels_last),
        x.permute(3, 1, 0, 2),
        x[::2, 1:, ::3],
        x[:, :, :1].expand(4, 6, 5, 3),
        x[1, 2, 2, 1],
        x[:0],
        x.flip(0),
    ):
        g = torch.randn(view.shape).to(dtype)
        y, dx = with_gradient(lambda x: function(x, "jax"), g, view)
        plain = view.contiguous()
        assert same(y, function(plain, "jax")) and same(dx, with_gradient(lambda x: function(x, "jax"), g, plain)[1])
        assert function(view, "jax").stride() == torch.nn.functional.relu(view).stride()


# Second and third derivatives, where no sum and no product is rounded: what PyTorch makes of the formula in float64 has to be equal. (Not
# at the kinks: there it depends on PyTorch's version.)
FORMULAS = {
    "hard_sigmoid": (lambda x: hst.hard_sigmoid(x, "courbariaux"), lambda x: torch.clamp((x + 1) / 2, 0, 1)),
    "hard_swish": (lambda x: hst.hard_swish(x, "courbariaux"), lambda x: x * torch.clamp((x + 1) / 2, 0, 1)),
    "gate": (lambda a, b: hst.gate(a, b, "courbariaux"), lambda a, b: a * torch.clamp((b + 1) / 2, 0, 1)),
}


def dyadic(*shape, seed):
    """Numbers with few bits, up to 2, at least 1/8 from the kinks."""
    return torch.randint(-8, 8, shape, generator=torch.Generator().manual_seed(seed)) / 4 + 1 / 8


def derivatives(function, tensors, weights):
    """The gradients of the first three orders: of the weighted result, of the squares of that, and of that."""
    leaves = [leaf(one) for one in tensors]
    gradients = lambda total: torch.autograd.grad(total, leaves, create_graph=True, materialize_grads=True)
    first = gradients((function(*leaves) * weights.to(leaves[0])).sum())
    # The last term is for formulas whose gradient is a constant to PyTorch.
    second = gradients(sum(one.square().sum() for one in [*first, *leaves]))
    third = gradients(sum(one.sum() for one in [*second, *leaves]))
    return [one.detach() for one in [*first, *second, *third]]


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.parametrize("shape", [(4, 5), (4, 1), (1, 5), (1, 1)])
def test_gradients_of_gradients(name, shape):
    tensors = [dyadic(4, 5, seed=1)]
    if name == "gate":
        tensors.append(dyadic(*shape, seed=2))
    weights = dyadic(4, 5, seed=3)
    ours, formula = FORMULAS[name]
    theirs = derivatives(formula, [one.double() for one in tensors], weights)
    actual = derivatives(ours, tensors, weights)
    assert len(actual) == 3 * len(tensors)
    assert [torch.equal(one.double(), other) for one, other in zip(actual, theirs, strict=True)] == [True] * len(theirs)
    assert any((one != 1).any() for one in theirs[-len(tensors) :])


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.filterwarnings("ignore:.*not a double precision floating point")
def test_finite_differences(name):
    """Lines and parabolas have exact ones, at numbers that are short enough and not within a step of a kink."""
    ours, _ = FORMULAS[name]
    tensors = [leaf(one) for one in (dyadic(3, 4, seed=4), dyadic(3, 1, seed=5))][: 2 if name == "gate" else 1]
    exactly = {"eps": 1 / 16, "atol": 0, "rtol": 0}
    assert torch.autograd.gradcheck(ours, tensors, check_batched_grad=True, **exactly)
    g = leaf(dyadic(3, 4, seed=6))
    assert torch.autograd.gradgradcheck(ours, tensors, g, check_batched_grad=True, **exactly)
    with pytest.raises(RuntimeError, match="Jacobian mismatch"):
        torch.autograd.gradcheck(lambda *all: ours(*all) + tensors[0].detach() * all[0].detach(), tensors, **exactly)


@pytest.mark.parametrize("definition", DEFINITIONS)
def test_the_gradient_of_a_gradient_has_the_definitions_bits(definition):
    x, g, v = (torch.randn(1000, generator=torch.Generator().manual_seed(seed)) * scale for seed, scale in [(7, 3), (8, 1), (9, 1)])
    of = HardSigmoid(definition)
    for function, backward in BACKWARD.items():
        x_, g_ = leaf(x), leaf(g)
        (dx,) = torch.autograd.grad(function(x_, definition), x_, g_, create_graph=True)
        d_x, d_g = torch.autograd.grad(dx, (x_, g_), v)
        assert same(d_g, torch.from_numpy(backward(of, x, v)))
        expected = torch.zeros(1000) if function is hst.hard_sigmoid else torch.from_numpy(of.backward(x, 2 * (g * v)))
        assert same(d_x, expected)


def trained(sigmoid, swish):
    """The weights of a small network after 20 steps."""
    torch.manual_seed(10)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8), swish, torch.nn.Flatten(), torch.nn.Linear(8 * 36, 16), sigmoid, torch.nn.Linear(16, 4)
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for _ in range(20):
        optimizer.zero_grad()
        x, target = torch.randn(16, 3, 8, 8) * 2, torch.randint(4, (16,))
        torch.nn.functional.cross_entropy(model(x), target).backward()
        optimizer.step()
    return [one.detach() for one in model.parameters()]


def test_training_has_the_bits_of_pytorchs_own_layers():
    own = trained(torch.nn.Hardsigmoid(), torch.nn.Hardswish())
    assert all(map(same, trained(hst.HardSigmoid("pytorch"), hst.HardSwish("pytorch")), own))
    # JAX's rounds in another way, which training shows.
    assert not all(map(same, trained(hst.HardSigmoid("jax"), hst.HardSwish("jax")), own))


OPERATORS = ["forward", "backward", "hard_swish", "hard_swish_backward", "gate", "gate_backward"]


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_pytorchs_own_check_of_operators(name, dtype):
    a, g = torch.randn(2, 4, 5, 6, dtype=dtype).unbind()
    b = torch.randn(4, 5, 1, dtype=dtype)
    tensors = {"forward": [a], "hard_swish": [a], "gate": [a, b], "gate_backward": [a, b, g]}.get(name, [a, g])
    found = torch.library.opcheck(getattr(torch.ops.hard_sigmoid, name), (*map(leaf, tensors), "keras"))
    assert set(found.values()) == {"SUCCESS"} and len(found) == 4


JAX = HardSigmoid("jax")
FUNCTIONS = {
    "function": lambda x: hst.hard_sigmoid(x, "keras") + 1,
    "object": lambda x: hst.hard_swish(x, JAX) + 1,
    "gate": lambda x: hst.gate(x, x[:, :1], "sparse") + 1,
    "module": torch.nn.Sequential(torch.nn.ReLU(), hst.HardSwish("affine(0.3, 0.45, half)")),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("backend", ["eager", "aot_eager", "inductor"])
def test_compiled(name, backend):
    torch.compiler.reset()
    function = FUNCTIONS[name]
    compiled = torch.compile(function, backend=backend, fullgraph=True)
    x, g = torch.randn(2, 8, 50).unbind()
    with_grad = with_gradient(compiled, g, x)
    assert all(map(same, with_grad, with_gradient(function, g, x)))
    assert same(compiled(x), function(x))


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_exported():
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), hst.HardSwish("jax"), hst.HardSigmoid("keras"))
    x, g = torch.randn(2, 3), torch.randn(2, 4)
    exported = torch.export.export(model, (x,))
    names = [str(node.target) for node in exported.graph.nodes if node.op == "call_function"]
    assert names == ["aten.linear.default", "hard_sigmoid.hard_swish.default", "hard_sigmoid.forward.default"]
    assert all(map(same, with_gradient(exported.module(), g, x), with_gradient(model, g, x)))


def test_functional():
    a, b = torch.randn(3, 2, 4), torch.randn(2, 1)
    of_one = torch.func.grad(lambda a, b: hst.gate(a, b, "keras").sum(), argnums=1)
    assert same(torch.func.vmap(of_one, in_dims=(0, None))(a, b), torch.stack([of_one(one, b) for one in a]))
    assert same(torch.func.vmap(of_one, in_dims=(2, None))(a.permute(1, 2, 0), b), torch.stack([of_one(one, b) for one in a]))
    x = torch.tensor([-3.0, -0.5, 1.0])
    hessian = torch.func.jacrev(torch.func.grad(lambda x: hst.hard_swish(x, "courbariaux").sum()))(x)
    assert hessian.tolist() == [[0, 0, 0], [0, 1, 0], [0, 0, 1]]
    with pytest.raises(NotImplementedError, match="jvp"):
        torch.func.jvp(lambda x: hst.hard_sigmoid(x, "keras"), (x,), (x,))
    # When PyTorch notices it here too, README.md needn't warn.
    compiled = torch.compile(lambda x: torch.func.jvp(lambda x: hst.hard_sigmoid(x, "keras"), (x,), (x,)), backend="aot_eager")
    assert compiled(x)[1].tolist() == [0, 0, 0]


def test_modules():
    for module, function, text in [
        (hst.HardSigmoid("torch"), lambda x: hst.hard_sigmoid(x, "pytorch"), "HardSigmoid('pytorch')"),
        (hst.HardSwish("affine(.3, .45, half)"), lambda x: hst.hard_swish(x, "affine(0.3, 0.45, half)"), "HardSwish('affine(0.3, 0.45, half)')"),
        (hst.Gate(HardSigmoid("jax")), lambda x: hst.gate(x, x, "jax"), "Gate('jax')"),
    ]:
        x = torch.randn(2, 3)
        tensors = [x, x] if isinstance(module, hst.Gate) else [x]
        assert repr(module) == text and not module.state_dict() and not list(module.parameters())
        for one in (module, copy.deepcopy(module), pickle.loads(pickle.dumps(module)), module.eval()):
            assert same(one(*tensors), function(x)) and repr(one) == text and one.definition == module.definition


def test_meta_and_fake_tensors_have_a_shape():
    x = torch.empty(2, 3, device="meta", dtype=torch.float16, requires_grad=True)
    y = hst.gate(x, x[:, :1], "keras")
    y.sum().backward()
    assert y.device.type == "meta" and x.grad.shape == (2, 3) and x.grad.dtype == torch.float16


X = torch.zeros(2, 3)
REFUSED = [
    (TypeError, r"x is float64.*model.float\(\).*x.float\(\)", lambda: hst.hard_sigmoid(X.double(), "keras")),
    (TypeError, "x is int64", lambda: hst.hard_swish(torch.arange(3), "keras")),
    (TypeError, r"b is float16, but a is float32: pass b.to\(a.dtype\)", lambda: hst.gate(X, X.half(), "keras")),
    (ValueError, r"shape \(3, 2\) doesn't go with an array of shape \(2, 3\)", lambda: hst.gate(X, X.T, "keras")),
    (ValueError, "no hard sigmoid is called", lambda: hst.hard_sigmoid(X, "relu6")),
    (ValueError, "no hard sigmoid is called", lambda: hst.HardSwish("relu6")),
    (TypeError, "not int", lambda: hst.hard_sigmoid(X, 6)),
    (TypeError, r"to_dense\(\)", lambda: hst.hard_sigmoid(X.to_sparse(), "keras")),
    (ValueError, r"g has shape \(3,\), but x has \(2, 3\)", lambda: torch.ops.hard_sigmoid.backward(X, X[0], "keras")),
    (ValueError, r"g has shape \(3,\), but a has \(2, 3\)", lambda: torch.ops.hard_sigmoid.gate_backward(X, X, X[0], "keras")),
]


@pytest.mark.parametrize("kind, message, call", REFUSED, ids=[message for _, message, _ in REFUSED])
def test_refused(kind, message, call):
    with pytest.raises(kind, match=message):
        call()


def test_other_devices_are_refused():
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        for device in ("cuda", "mps"):
            x = torch.empty(3, device=device)
            with pytest.raises(ValueError, match=rf"b is on {device}.*on the CPU: .*model.cpu\(\).*b.cpu\(\)"):
                hst.gate(torch.empty(3), x, "keras")


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_torch_is_optional():
    assert python("import hard_sigmoid, sys; sys.exit('torch' in sys.modules)").returncode == 0
    without = python("import sys; sys.modules['torch'] = None; import hard_sigmoid.torch")
    assert "hard_sigmoid.torch needs PyTorch: pip install torch" in without.stderr and without.returncode == 1
    # NumPy needs ml_dtypes for bfloat16, and this doesn't.
    code = "import sys; sys.modules['ml_dtypes'] = None; import torch, hard_sigmoid.torch as hst; "
    code += "x = torch.zeros(3, dtype=torch.bfloat16); print(hst.gate(x + 2, x[:1], 'keras').tolist())"
    assert python(code).stdout == "[1.0, 1.0, 1.0]\n"
