#!/usr/bin/env bash
# Tests the Python package: its wheel and its source distribution, each installed into a fresh environment, its tests against the
# real frameworks, and its examples on a GPU or a software driver. Run by `./test.sh python`.
set -euo pipefail
cd "$(dirname "$0")/../../crates/python"
. ../../tests/common/fetch.sh
. ../../tests/common/python.sh
# What torch.compile needs.
command -v g++ >/dev/null || install g++
python3 -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))' || install python3-dev
cache="${XDG_CACHE_HOME:-$HOME/.cache}/hard-sigmoid"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The package in the kept environment is installed anew each time.
"$frameworks/bin/pip" install --quiet -r tests/requirements.txt || cannot "the frameworks of tests/requirements.txt"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$cache/target}"

echo "=== the source distribution, in an environment with NumPy alone"
"$frameworks/bin/maturin" sdist --out "$work"
python3 -m venv "$work/alone"
# Take the oldest NumPy that pyproject.toml allows, if this Python has it.
if python3 -c 'import sys; sys.exit(sys.version_info >= (3, 13))'; then
    "$work/alone/bin/pip" install --quiet numpy==1.26.4
fi
"$work/alone/bin/pip" install --quiet "$work"/*.tar.gz
"$work/alone/bin/python" -c '
import hard_sigmoid, numpy
print(hard_sigmoid.__version__, numpy.__version__, hard_sigmoid.HardSigmoid("pytorch").forward([-4, 0, 1.5]))'

# The command, to compare with. Beside the pages' test, so that all programs are built with the same features.
cargo build --release -p hard-sigmoid -p hard-sigmoid-cli -p hard-sigmoid-tools --bins --test pages

echo "=== the wheel, with the frameworks"
"$frameworks/bin/maturin" build --release --out "$work"
"$frameworks/bin/pip" install --quiet --force-reinstall --no-deps "$work"/*.whl
python="$frameworks/bin/python"
# TensorFlow, torch's exporter and a software driver each bring their own LLVM, and can't all share one process.
"$python" -m pytest tests --ignore tests/test_webgpu.py --ignore tests/facts
"$python" -m pytest tests/test_webgpu.py
# A process has one backend of Keras.
for test in tests/facts/test_*.py; do "$python" -m pytest "$test"; done
"$python" -m pytest --doctest-modules --pyargs hard_sigmoid
"$python" -m pytest --doctest-glob README.md README.md
"$python" examples/webgpu.py
"$python" ../../tests/web/snippets.py
"$python" -m mypy --strict -p hard_sigmoid
"$python" -m mypy.stubtest hard_sigmoid._native
