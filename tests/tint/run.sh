#!/usr/bin/env bash
# The kernels through Tint, Chrome's WGSL compiler, on SwiftShader and on a newer lavapipe. Run by `./test.sh tint`.
set -euo pipefail
cd "$(dirname "$0")/../.."
node="${XDG_CACHE_HOME:-$HOME/.cache}/hard-sigmoid/node"
. tests/fetch.sh
command -v node >/dev/null || install nodejs
command -v npm >/dev/null || install npm
[ -e /usr/lib/chromium/vk_swiftshader_icd.json ] || install chromium
newer=$(tests/lavapipe-backports.sh) || cannot "a newer lavapipe"
mkdir -p "$node"
[ -e "$node/node_modules/webgpu" ] || npm install --no-audit --no-fund --silent --prefix "$node" webgpu@0.6.2 || cannot "npm's webgpu"

export HARD_SIGMOID_NODE_MODULES="$node/node_modules"
tint() {
    env "$@" cargo test --release --test tint -- --ignored --nocapture
}
tint VK_ICD_FILENAMES=/usr/lib/chromium/vk_swiftshader_icd.json
tint VK_ICD_FILENAMES="$newer" LD_LIBRARY_PATH="$(dirname "$newer")"
