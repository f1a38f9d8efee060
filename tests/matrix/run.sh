#!/usr/bin/env bash
# Runs the GPU tests and `hard-sigmoid verify` on every driver that Debian has, and under the validation layer. This script installs
# the drivers; `tools matrix` does the rest and writes docs/devices and docs/portability.md. Run by `./test.sh matrix`.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/common/fetch.sh
. tests/common/drivers.sh
[ -e /usr/share/vulkan/explicit_layer.d/VkLayer_khronos_validation.json ] || install vulkan-validationlayers
# Beside the pages' test, so that all programs are built with the same features.
cargo build --release -p hard-sigmoid -p hard-sigmoid-cli -p hard-sigmoid-tools --bins --test pages
"${CARGO_TARGET_DIR:-target}/release/tools" matrix "$swiftshader" "$newer"
