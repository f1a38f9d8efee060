"""What Keras 3 computes on NumPy."""

import os

os.environ["KERAS_BACKEND"] = "numpy"

import keras
import numpy as np
from sample import F, X, differing, states

from hard_sigmoid import HardSigmoid


def test_keras_on_numpy():
    states("Keras 3.0.0 on TensorFlow and every Keras 3 on [NumPy]")
    states("have other roundings: x / 6 + 0.5.")
    assert keras.backend.backend() == "numpy"
    y = np.asarray(keras.activations.hard_sigmoid(X))
    assert differing(y, np.clip(X / F(6) + F(0.5), F(0), F(1))) == 0
    assert differing(y, HardSigmoid.affine(1 / 6, 0.5).forward(X)) > 10_000
    for preset in ("pytorch", "jax"):
        assert differing(y, HardSigmoid(preset).forward(X)) > 10_000
