"""Makes the repository's tests/golden/make.py importable, which runs the real frameworks."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "tests/golden"))
