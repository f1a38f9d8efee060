#!/usr/bin/env python3
"""Writes digits.images.npy and digits.labels.npy from scikit-learn's handwritten digits, in their order.

    pip install scikit-learn==1.9.1 && python crates/burn/examples/data/make.py

The data are 1,797 images of 8 x 8 pixels with values 0 to 16, from UCI's "Optical Recognition of Handwritten Digits"
(CC BY 4.0, E. Alpaydin and C. Kaynak).
"""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

HERE = Path(__file__).parent
digits = load_digits()
np.save(HERE / "digits.images.npy", digits.data.astype(np.uint8))
np.save(HERE / "digits.labels.npy", digits.target.astype(np.uint8))
