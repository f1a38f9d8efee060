"""What Keras 3 computes on TensorFlow, in eager mode and compiled."""

import os

os.environ |= {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}

import keras
import numpy as np
import pytest
import tensorflow as tf
from sample import F, G, X, differing, states

from hard_sigmoid import HardSigmoid

JAX, KERAS3 = HardSigmoid("jax"), HardSigmoid("keras3")
COMPILED = [{}, {"jit_compile": True}]
hard_sigmoid = keras.activations.hard_sigmoid


def with_tape(function):
    def run(x, g):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        return y, tape.gradient(y, x, output_gradients=g)

    return run


def results(run):
    y, dx = (of.numpy() for of in run(tf.constant(X), tf.constant(G)))
    # TensorFlow multiplies by 0 beyond the kinks, which gives -0. The sum makes it +0.
    return y, dx + F(0)


def presets_of(y, dx):
    """Which of the two presets has all bits of y, and which those of dx. Where one has them, the other hasn't."""
    found = []
    for actual, of in ((y, lambda preset: preset.forward(X)), (dx, lambda preset: preset.backward(X, G))):
        counts = {str(preset): differing(actual, of(preset)) for preset in (JAX, KERAS3)}
        assert max(counts.values()) > 20_000, counts
        found += [name for name, count in counts.items() if count == 0]
    return found


def model(**options):
    numbers = keras.Input((1,))
    made = keras.Model(numbers, keras.layers.Activation("hard_sigmoid")(numbers))
    made.compile(**options)
    return made


def test_this_is_keras_on_tensorflow_without_a_gpu():
    assert keras.backend.backend() == "tensorflow"
    assert {device.device_type for device in tf.config.list_physical_devices()} == {"CPU"}


def test_in_eager_mode_it_divides():
    states("on TensorFlow, its default backend, in eager mode: where a model is called, and with `run_eagerly=True`")
    assert presets_of(*results(with_tape(hard_sigmoid))) == ["keras3", "keras3"]
    assert differing(model()(X[:, None]).numpy().ravel(), KERAS3.forward(X)) == 0


@pytest.mark.parametrize("options", COMPILED)
def test_compiled_with_the_tape_inside_it_multiplies(options):
    states("under `tf.function`, with or without `jit_compile=True`, has these bits if the `GradientTape` is inside it")
    assert presets_of(*results(tf.function(with_tape(hard_sigmoid), **options))) == ["jax", "jax"]


@pytest.mark.parametrize("options", COMPILED)
def test_compiled_with_the_tape_outside_no_preset_has_both(options):
    states("With the tape outside, y is that of `jax` and the gradient divides, and no preset has both")
    assert presets_of(*results(with_tape(tf.function(hard_sigmoid, **options)))) == ["jax", "keras3"]


def test_without_xla_the_graph_optimizer_does_it():
    states("on other machines TensorFlow's graph optimizer does the same")
    options = tf.config.optimizer
    try:
        options.set_experimental_options({"constant_folding": False})
        assert presets_of(*results(tf.function(with_tape(hard_sigmoid)))) == ["keras3", "keras3"]
    finally:
        options.set_experimental_options({"constant_folding": True})
    assert presets_of(*results(tf.function(with_tape(hard_sigmoid)))) == ["jax", "jax"]


@pytest.mark.parametrize(
    "options, takes_xla, name",
    [({}, False, "jax"), ({"jit_compile": True}, True, "jax"), ({"run_eagerly": True}, False, "keras3")],
)
def test_in_fit_and_predict(options, takes_xla, name):
    states("In `fit` and `predict` TensorFlow makes a product of each division by 6, in y and in the gradient")
    states("Keras takes XLA for that only where it finds a GPU")
    assert model(**options).jit_compile is takes_xla
    y = model(**options).predict(X[:, None], batch_size=1 << 14, verbose=0).ravel()
    assert presets_of(y, one_step_of_fit(**options)) == [name, name]


class Shift(keras.layers.Layer):
    """Adds a weight to each element, which gets the element's gradient."""

    def build(self, shape):
        self.shift = self.add_weight(shape=shape[1:], initializer="zeros")

    def call(self, x):
        return x + self.shift


def one_step_of_fit(**options):
    numbers, shift = keras.Input((X.size,)), Shift()
    trained = keras.Model(numbers, keras.layers.Activation("hard_sigmoid")(shift(numbers)))
    # The gradient of this sum with respect to y is g.
    trained.compile(keras.optimizers.SGD(1.0), loss=lambda g, y: keras.ops.sum(g * y), **options)
    trained.fit(X[None], G[None], verbose=0)
    return -shift.shift.numpy() + F(0)


def test_hard_silu():
    states("| Keras 3 on TensorFlow, eager, `hard_silu` | x·(clamp(x + 3, 0, 6) / 6) | as the product rule | `keras3` |")
    states("| the same compiled, in `fit` and `predict` | x·(clamp(x + 3, 0, 6)·(1/6));")
    function = keras.activations.hard_silu
    y, dx = results(with_tape(function))
    assert differing(y, KERAS3.hard_swish(X)) == 0
    assert differing(y, JAX.hard_swish(X)) > 20_000
    # Beyond the kinks it multiplies infinities by 0.
    finite = np.isfinite(X)
    assert differing(dx[finite], KERAS3.hard_swish_backward(X, G)[finite]) == 0
    for options in COMPILED:
        y, dx = results(tf.function(with_tape(function), **options))
        assert differing(y, JAX.hard_swish(X)) == 0
        assert differing(y, KERAS3.hard_swish(X)) > 20_000
        for preset in (JAX, KERAS3):
            assert differing(dx, preset.hard_swish_backward(X, G)) > 10_000


def test_hard_silu_in_predict():
    states("without XLA a graph may take the constant to x: (x·(1/6))·clamp(x + 3, 0, 6)")
    with np.errstate(invalid="ignore"):
        moved = (X * F(1 / 6)) * np.clip(X + F(3), F(0), F(6))
    assert differing(moved, JAX.hard_swish(X)) > 20_000
    numbers = keras.Input((1,))
    for before in (lambda numbers: numbers, keras.layers.Dense(1, kernel_initializer="ones")):
        made = keras.Model(numbers, keras.layers.Activation("hard_silu")(before(numbers)))
        y = made.predict(X[:, None], batch_size=1 << 18, verbose=0).ravel()
        # Which of the two it is differs from model to model, and nobody says why.
        assert sorted([differing(y, moved), differing(y, JAX.hard_swish(X))])[0] == 0
        assert differing(y, KERAS3.hard_swish(X)) > 10_000


def test_sparse_sigmoid_compares_x():
    states("On TensorFlow and PyTorch Keras's `sparse_sigmoid` has this y, and a gradient that no preset and no `affine` has")
    states("at 0.99999994, where v rounds to 1, and at NaN dx is 0.5·g; `affine(0.5, 0.5, strict)`, which equals it elsewhere, gives 0 there")
    y, dx = results(with_tape(keras.activations.sparse_sigmoid))
    assert differing(y, HardSigmoid("sparse").forward(X)) == 0
    strict = HardSigmoid.affine(0.5, 0.5).backward(X, G)
    other = np.flatnonzero(dx != strict)
    assert [str(x) for x in np.sort(X[other])] == ["0.99999994", "nan"]
    assert (dx[other] == F(0.5) * G[other]).all() and (strict[other] == 0).all()
