"""Every hard sigmoid by name, forward and backward, with the bits of the framework that it is named after.

>>> import numpy as np
>>> from hard_sigmoid import HardSigmoid, identify
>>> x = np.array([-4, -2.5, 0, 1, 2.5], np.float32)
>>> HardSigmoid("pytorch").forward(x)
array([0.        , 0.08333334, 0.5       , 0.6666667 , 0.9166667 ],
      dtype=float32)
>>> HardSigmoid("keras").forward(x)
array([0. , 0. , 0.5, 0.7, 1. ], dtype=float32)

Which one made these numbers?

>>> x = np.linspace(-4, 4, 1001, dtype=np.float32)
>>> y = np.clip(x + 3, 0, 6) * np.float32(1 / 6)
>>> identify(x, y).definition
HardSigmoid('jax')

Arrays hold float32, float16 or bfloat16 (of ml_dtypes), and may have any shape and strides. Tensors of torch, JAX and TensorFlow on the
CPU need no conversion. `quantized` takes uint8 and int8. Results are new NumPy arrays unless you pass ``out``. `hard_sigmoid.torch` has
functions and modules for PyTorch, with autograd.
"""

from importlib.metadata import version as _version

from ._definition import HardSigmoid, presets
from ._binarize import binarize, pack, straight_through, unpack
from ._identify import Agreement, Identification, KinkCounts, Match, Ranges, Separation, identify, separation
from ._inspect import Activation, Computed, Difference, EightBits, Elsewhere, Model, QuantizedBytes, Total, inspect
from ._quantized import quantized, quantized_table
from ._webgpu import Binding, Dispatch, Limits, Part, Plan, plan, scalar, wgsl

__version__ = _version("hard-sigmoid")

__all__ = [
    "Activation",
    "Agreement",
    "Binding",
    "Computed",
    "Difference",
    "Dispatch",
    "EightBits",
    "Elsewhere",
    "HardSigmoid",
    "Identification",
    "KinkCounts",
    "Limits",
    "Match",
    "Model",
    "Part",
    "Plan",
    "QuantizedBytes",
    "Ranges",
    "Separation",
    "Total",
    "binarize",
    "identify",
    "inspect",
    "pack",
    "plan",
    "presets",
    "quantized",
    "quantized_table",
    "scalar",
    "separation",
    "straight_through",
    "unpack",
    "wgsl",
]
