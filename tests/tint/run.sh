#!/usr/bin/env bash
# Runs the kernels through Tint, Chrome's WGSL compiler, on SwiftShader and on a newer lavapipe. Run by `./test.sh tint`.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/common/fetch.sh
. tests/common/npm.sh
npm_package webgpu@0.6.2
[ -e /usr/lib/chromium/vk_swiftshader_icd.json ] || install chromium
newer=$(tests/common/lavapipe-backports.sh) || cannot "a newer lavapipe"

export HARD_SIGMOID_NODE_MODULES="$node_modules"
tint() {
    env "$@" cargo test --release --test tint -- --ignored --nocapture
}
tint VK_ICD_FILENAMES=/usr/lib/chromium/vk_swiftshader_icd.json
tint VK_ICD_FILENAMES="$newer" LD_LIBRARY_PATH="$(dirname "$newer")"
