#!/usr/bin/env bash
# Runs the GPU tests and 2^24 inputs of each operation on every driver that Debian has, and under the validation layer. This script
# installs the drivers; `tools matrix` does the rest and writes docs/portability.md. Run by `./test.sh matrix`.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/common/fetch.sh
. tests/common/drivers.sh
[ -e /usr/share/vulkan/explicit_layer.d/VkLayer_khronos_validation.json ] || install vulkan-validationlayers
cargo run --release -q -p hard-sigmoid-tools -- matrix "$swiftshader" "$newer"
