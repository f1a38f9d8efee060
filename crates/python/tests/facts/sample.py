"""What the tests of this folder share: inputs, the comparison, and the page that states the facts."""

from pathlib import Path

import numpy as np

F = np.float32
PAGE = (Path(__file__).resolve().parents[4] / "docs/definitions.md").read_text()


def spread(count, low, high):
    """The pseudorandom x of the page's table of roundings."""
    words = (np.arange(count, dtype=np.uint64) * 0x9E3779B9 % 2**32).astype(np.float64)
    return (low + (high - low) * words / 2**32).astype(F)


def beside(kink):
    return (F(kink).view(np.int32) + np.arange(-4, 5, dtype=np.int32)).view(F)


X = np.concatenate([spread(1 << 17, -4, 4), *map(beside, (-3, -1, 1, 3)), F([np.nan, np.inf, -np.inf, 0])])
G = np.random.default_rng(1).standard_normal(X.size).astype(F)


def differing(actual, expected):
    """In how many elements a bit differs. Any NaN equals any other."""
    assert actual.shape == expected.shape and actual.dtype == expected.dtype == F
    return int(((actual.view(np.uint32) != expected.view(np.uint32)) & ~(np.isnan(actual) & np.isnan(expected))).sum())


def states(sentence):
    """The page must say what the test shows."""
    assert sentence in PAGE, f"docs/definitions.md doesn't say {sentence!r}"
