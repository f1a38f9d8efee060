"""What Keras 3 computes on JAX."""

import os

os.environ |= {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}

import jax
import keras
import numpy as np
import pytest
from sample import F, G, X, differing, states

from hard_sigmoid import HardSigmoid


@pytest.mark.parametrize("name, preset, other", [("hard_sigmoid", "jax", "keras3"), ("sparse_sigmoid", "sparse", "courbariaux")])
def test_keras_on_jax(name, preset, other):
    states("`jax.nn.hard_sigmoid`, and so Keras 3 on JAX")
    states("`jax.nn.sparse_sigmoid`, and so `keras.activations.sparse_sigmoid` on JAX")
    assert keras.backend.backend() == "jax"
    y, pull = jax.vjp(getattr(keras.activations, name), X)
    # The gradient is multiplied by a mask, which gives -0. The sum makes it +0.
    dx = np.asarray(pull(G)[0]) + F(0)
    preset, other = HardSigmoid(preset), HardSigmoid(other)
    assert differing(np.asarray(y), preset.forward(X)) == differing(dx, preset.backward(X, G)) == 0
    assert differing(dx, other.backward(X, G)) > 0


@pytest.mark.parametrize("options", [{}, {"run_eagerly": True}])
def test_predict_on_jax(options):
    numbers = keras.Input((1,))
    model = keras.Model(numbers, keras.layers.Activation("hard_sigmoid")(numbers))
    model.compile(**options)
    y = model.predict(X[:, None], batch_size=1 << 14, verbose=0).ravel()
    assert differing(y, HardSigmoid("jax").forward(X)) == 0
    assert differing(y, HardSigmoid("keras3").forward(X)) > 20_000
