#!/usr/bin/env bash
# Runs other people's tests of hard sigmoid and hard swish on the CPU path and on every driver, and compares the counts with the
# table in docs/testing.md. Run by `./test.sh suites`.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/common/fetch.sh
. tests/common/drivers.sh
. tests/common/python.sh
"$frameworks/bin/pip" install --quiet -r tests/suites/requirements.txt || cannot "the frameworks of tests/suites/requirements.txt"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}"
folder="$CARGO_TARGET_DIR/suites"
rm -rf "$folder"
mkdir -p "$folder"

# Beside the environment, so that whoever else uses it keeps the package there.
"$frameworks/bin/maturin" build --release --quiet --manifest-path crates/python/Cargo.toml --out "$folder"
"$frameworks/bin/pip" install --quiet --no-deps --target "$folder/package" "$folder"/*.whl
# PyTorch's tests are run for the CPU, whatever GPU it would find.
PYTHONPATH="$folder/package" CUDA_VISIBLE_DEVICES="" "$frameworks/bin/python" tests/suites/cases.py "$folder/cases"

on() {
    local driver=$1
    shift
    echo "=== $driver"
    env HARD_SIGMOID_SUITES="$folder/cases" HARD_SIGMOID_REPORT="$folder/$driver.report" HARD_SIGMOID_REQUIRE_GPU=1 "$@" \
        cargo test --release --test gpu -- --ignored others_suites
    head -1 "$folder/$driver.report"
}
installed=(/usr/share/vulkan/icd.d/lvp_icd*.json)
on lavapipe WGPU_BACKEND=vulkan VK_ICD_FILENAMES="${installed[0]}"
on llvmpipe-gl WGPU_BACKEND=gl
on swiftshader WGPU_BACKEND=vulkan VK_ICD_FILENAMES="$swiftshader"
on lavapipe-backports WGPU_BACKEND=vulkan VK_ICD_FILENAMES="$newer" LD_LIBRARY_PATH="${newer%/*}"
python3 tests/suites/table.py "$folder"
