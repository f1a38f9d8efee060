"""Arrays of any kind go in and out, and wrong arguments are refused before anything is written."""

import multiprocessing
import pickle
import threading

import ml_dtypes
import numpy as np
import pytest

# In the order in which they can share a process.
from make import jax, tf, torch

import hard_sigmoid
from hard_sigmoid import HardSigmoid

PYTORCH = HardSigmoid("pytorch")
X = np.linspace(-4, 4, 240, dtype=np.float32)
Y = PYTORCH.forward(X)


def test_shapes_and_strides():
    x = X.reshape(4, 5, 12)
    for view in (x, x.T, x[::-1, ::2, 1::3], x[:0], x[1, 2, 3], np.broadcast_to(X, (3, 240)), np.asfortranarray(x)):
        y = PYTORCH.forward(view)
        assert y.shape == view.shape and y.dtype == np.float32
        assert y.tobytes() == PYTORCH.forward(np.array(view)).tobytes()
    assert PYTORCH.forward(X[7]) == Y[7]
    assert PYTORCH.forward(0.0) == 0.5 and PYTORCH.forward([[0, 3]]).tolist() == [[0.5, 1.0]]


def test_big_endian_read_only_and_unaligned():
    bytes_ = np.zeros(X.nbytes + 1, np.uint8)
    unaligned = bytes_[1:].view(np.float32)
    unaligned[:] = X
    read_only = X.copy()
    read_only.flags.writeable = False
    for x in (X.astype(">f4"), unaligned, read_only):
        y = PYTORCH.forward(x)
        assert y.dtype.isnative and y.tobytes() == Y.tobytes()
    out = np.empty_like(X.astype(">f4"))
    assert PYTORCH.forward(X, out=out) is out and (out == Y).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float16, ml_dtypes.bfloat16])
def test_out(dtype):
    x = X.astype(dtype).reshape(20, 12)
    y = PYTORCH.forward(x)
    for out in (np.full_like(x, 7), np.full((12, 20), 7, dtype).T, np.full((40, 24), 7, dtype)[::2, ::2]):
        assert PYTORCH.forward(x, out=out) is out
        assert out.tobytes() == y.tobytes()
    # The result replaces an operand, and a part of one.
    whole = np.concatenate([x, x])
    PYTORCH.forward(whole[5:25], out=whole[3:23])
    assert whole[3:23].tobytes() == PYTORCH.forward(np.concatenate([x, x])[5:25]).tobytes()
    assert whole[:3].tobytes() == x[:3].tobytes() and whole[23:].tobytes() == x[3:].tobytes()
    a, b, g = x.copy(), x[:, ::-1].copy(), x[::-1].copy()
    da, db = PYTORCH.gate_backward(a, b, g)
    assert PYTORCH.gate_backward(a, b, g, out=(a, g)) == (a, g)
    assert a.tobytes() == da.tobytes() and g.tobytes() == db.tobytes()


@pytest.mark.parametrize("dtype", [np.float32, np.float16, ml_dtypes.bfloat16])
def test_accumulate(dtype):
    x, g, dx = (X[at:].astype(dtype)[:200].reshape(10, 20) for at in (0, 20, 40))
    # In float32 the sum has one rounding; halves are computed in it, and rounded once more.
    sums = (dx.astype(np.float32) + PYTORCH.backward(x.astype(np.float32), g.astype(np.float32))).astype(dtype)
    assert PYTORCH.backward_accumulate(x, g, dx).tobytes() == sums.tobytes()
    for i in range(3):
        operands = [x.copy(), g.copy(), dx.copy()]
        assert PYTORCH.backward_accumulate(*operands, out=operands[i]) is operands[i]
        assert [one.tobytes() for one in operands] == [(sums if at == i else one).tobytes() for at, one in enumerate((x, g, dx))]
    turned = [np.asfortranarray(one) for one in (x, g, dx)]
    assert PYTORCH.backward_accumulate(*turned, out=turned[2]).tobytes() == sums.tobytes()
    with pytest.raises(ValueError, match=r"dx has shape \(200,\), but x has \(10, 20\)"):
        PYTORCH.backward_accumulate(x, g, dx.reshape(-1))


def test_empty_gates():
    a, b = np.empty((0, 3), np.float32), np.full((1, 3), 7, np.float32)
    assert PYTORCH.gate(a, b).shape == (0, 3)
    da, db = PYTORCH.gate_backward(a, b, a)
    assert da.shape == (0, 3) and db.tolist() == [[0, 0, 0]]


@pytest.mark.parametrize(
    "tensor", [torch.from_numpy(X), jax.numpy.asarray(X), tf.constant(X)], ids=["torch", "jax", "tensorflow"]
)
def test_tensors_of_frameworks(tensor):
    assert PYTORCH.forward(tensor).tobytes() == Y.tobytes()
    assert PYTORCH.backward(tensor, tensor).tobytes() == PYTORCH.backward(X, X).tobytes()
    assert str(hard_sigmoid.identify(tensor, Y).definitions) == "(HardSigmoid('pytorch'), HardSigmoid('keras3'))"


def test_bfloat16_of_frameworks():
    expected = PYTORCH.forward(X.astype(ml_dtypes.bfloat16)).tobytes()
    x = torch.from_numpy(X).to(torch.bfloat16)
    for tensor in (x, jax.numpy.asarray(X, jax.numpy.bfloat16), tf.cast(X, tf.bfloat16)):
        assert PYTORCH.forward(tensor).tobytes() == expected
    out = torch.zeros_like(x)
    assert PYTORCH.forward(x, out=out) is out
    assert torch.equal(out, torch.nn.functional.hardsigmoid(x))


def test_out_is_never_a_copy():
    tensor = torch.zeros(240)
    PYTORCH.forward(X, out=tensor)
    assert tensor.numpy().tobytes() == Y.tobytes()
    for frozen in (jax.numpy.asarray(X), tf.constant(X), [0.0] * 240):
        with pytest.raises(TypeError, match="has to be a numpy array or a torch tensor"):
            PYTORCH.forward(X, out=frozen)
    read_only = np.zeros(240, np.float32)
    read_only.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        PYTORCH.forward(X, out=read_only)


def test_tensors_with_gradients_are_refused():
    for dtype in (torch.float32, torch.bfloat16):
        leaf = torch.zeros(240, dtype=dtype, requires_grad=True)
        with pytest.raises(ValueError, match=r"x requires grad.*x.detach\(\)"):
            PYTORCH.forward(leaf)
        with pytest.raises(ValueError, match="out requires grad"):
            PYTORCH.forward(torch.zeros(240, dtype=dtype), out=leaf)


def test_subclasses_are_arrays():
    assert PYTORCH.forward(np.asmatrix(X)).shape == (1, 240)
    out = np.asmatrix(np.zeros_like(X))
    assert PYTORCH.forward(X.reshape(1, 240), out=out) is out and (out == Y).all()
    masked = np.ma.array(X, mask=X > 0)
    with pytest.raises(TypeError, match="x is a masked array"):
        PYTORCH.forward(masked)
    with pytest.raises(TypeError, match="x is a masked array"):
        hard_sigmoid.identify(masked, Y)


def in_child(x):
    return PYTORCH.forward(x).tobytes()


def test_a_forked_process_has_threads_of_its_own():
    """Forked processes compute, as the workers of a data loader do."""
    x = np.random.default_rng(1).uniform(-4, 4, 1 << 20).astype(np.float32)
    expected = in_child(x)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        results = pool.map_async(in_child, [x] * 4).get(60)
    assert results == [expected] * 4


REFUSED = [
    (TypeError, "x is float64.*astype", lambda out: PYTORCH.forward(X.astype(np.float64), out=out)),
    (TypeError, "x is int64", lambda out: PYTORCH.forward(np.arange(240), out=out)),
    (TypeError, "g is float16, but x is float32", lambda out: PYTORCH.backward(X, X.astype(np.float16), out=out)),
    (ValueError, r"g has shape \(3,\), but x has \(240,\)", lambda out: PYTORCH.backward(X, X[:3], out=out)),
    (ValueError, r"out has shape \(240,\), but y will have shape \(3,\)", lambda out: PYTORCH.forward(X[:3], out=out)),
    (TypeError, "out is float32, but y will be float16", lambda out: PYTORCH.forward(X.astype(np.float16), out=out)),
    (ValueError, r"shape \(7,\) doesn't go with an array of shape \(240,\)", lambda out: PYTORCH.gate(X, X[:7], out=out)),
    (TypeError, "out has to be a tuple of 2, for da and db", lambda out: PYTORCH.gate_backward(X, X, X, out=out)),
    (ValueError, "no hard sigmoid is called", lambda out: HardSigmoid("sigmoid")),
    (ValueError, "alpha is inf", lambda out: HardSigmoid.affine(1e40, 0.5)),
    (ValueError, "no kink rule is called", lambda out: HardSigmoid.affine(1, 0.5, "soft")),
    (ValueError, "scale is inf; it must be", lambda out: hard_sigmoid.binarize(X, scale=1e40, out=out)),
    (TypeError, "only with a seed", lambda out: hard_sigmoid.binarize(X, offset=3, out=out)),
    (ValueError, "no hard sigmoid is called", lambda out: hard_sigmoid.binarize(X, seed=1, probability="x", out=out)),
    (TypeError, "out is a tuple", lambda out: PYTORCH.forward(X, out=(out,))),
    (ValueError, "out for da and db overlap", lambda out: PYTORCH.gate_backward(X, X, X, out=(out, out))),
    (ValueError, "stride of 0", lambda out: PYTORCH.forward(X, out=np.lib.stride_tricks.as_strided(out, (240,), (0,)))),
    (TypeError, "x is object", lambda out: PYTORCH.forward([None] * 240, out=out)),
    (TypeError, "x is <U1, but hard_sigmoid computes in float32, float16 and bfloat16$", lambda out: PYTORCH.forward("1")),
    (TypeError, "x is float64", lambda out: PYTORCH.forward(memoryview(X.astype(np.float64)), out=out)),
    (TypeError, "not NoneType", lambda out: HardSigmoid(None)),
    (ValueError, "too large for f16", lambda out: hard_sigmoid.binarize(X.astype(np.float16), scale=1e5)),
    (ValueError, "seed is -1: ", lambda out: hard_sigmoid.binarize(X, seed=-1, out=out)),
    (ValueError, "scale is much: ", lambda out: hard_sigmoid.binarize(X, scale="much", out=out)),
    (ValueError, "no estimator", lambda out: hard_sigmoid.straight_through(X, X, estimator="tanh", out=out)),
    (ValueError, "240 elements|bits", lambda out: hard_sigmoid.unpack(np.uint32([1]), 240, out=out)),
    (TypeError, "dtype is float64", lambda out: hard_sigmoid.unpack(np.uint32([1]), 4, dtype="float64")),
    (TypeError, "bits is float32", lambda out: hard_sigmoid.unpack(X, 240, out=out)),
    (TypeError, "both g and dx", lambda out: hard_sigmoid.identify(X, Y, X)),
    (ValueError, "y has shape", lambda out: hard_sigmoid.identify(X, Y[:3])),
    (ValueError, "no elements", lambda out: hard_sigmoid.identify(X[:0], Y[:0])),
    (ValueError, "atol is -1", lambda out: hard_sigmoid.identify(X, Y, atol=-1)),
    (TypeError, "x is int64", lambda out: hard_sigmoid.identify(np.arange(240), Y)),
    (ValueError, "atol is 'much'", lambda out: hard_sigmoid.identify(X, Y, atol="much")),
]


@pytest.mark.parametrize("kind, message, call", REFUSED, ids=[message for _, message, _ in REFUSED])
def test_refused_and_nothing_is_written(kind, message, call):
    out = np.full(240, 7, np.float32)
    with pytest.raises(kind, match=message):
        call(out)
    assert (out == 7).all()


def test_threads_run_at_once():
    """Each thread writes its own array and reads a shared one, while the interpreter isn't held."""
    x = np.random.default_rng(1).uniform(-4, 4, 1 << 22).astype(np.float32)
    expected = PYTORCH.forward(x).tobytes()
    results = [None] * 4

    def work(i):
        for _ in range(4):
            results[i] = PYTORCH.forward(x)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(result.tobytes() == expected for result in results)


def test_definitions_are_values():
    assert HardSigmoid("torch") == PYTORCH != HardSigmoid("jax")
    assert len({HardSigmoid("torch"), PYTORCH, HardSigmoid("jax")}) == 2
    assert PYTORCH != "pytorch"
    for definition in (*hard_sigmoid.presets(), HardSigmoid.affine(0.3, -0.1, "half")):
        assert pickle.loads(pickle.dumps(definition)) == definition == eval(repr(definition))
        assert definition.formula.startswith("clamp(")
    assert HardSigmoid("keras").kinks == (-2.5, 2.5) and HardSigmoid("keras").kink_rule == "inclusive"
    assert "PyTorch 2" in PYTORCH.source and HardSigmoid.affine(1, 0).source is None
    with pytest.raises(AttributeError):
        PYTORCH.name = "mine"
    with pytest.raises(AttributeError):
        del PYTORCH._about
    assert hard_sigmoid.__version__[0].isdigit()


def test_operations_of_a_definition_are_methods():
    with pytest.raises(ValueError, match="use one of") as error:
        hard_sigmoid.plan("softmax", None, 1)
    operations = str(error.value).split("use one of ")[1].split(", ")
    methods = {"forward", "backward", "backward_from_output", "backward_accumulate", "hard_swish", "hard_swish_backward", "gate", "gate_backward"}
    functions = {"binarize", "pack", "unpack", "straight_through"}
    # The shapes say whether a gate is repeated, and `quantized` looks up.
    others = {"gate_broadcast", "gate_broadcast_sums", "lookup", "lookup_gate"}
    assert {*operations} == methods | functions | others
    assert all(callable(getattr(HardSigmoid, name)) for name in methods)
    assert all(callable(getattr(hard_sigmoid, name)) for name in functions)
