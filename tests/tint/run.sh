#!/usr/bin/env bash
# The kernels through Tint, Chrome's WGSL compiler, on SwiftShader and on a newer lavapipe. Run by `./test.sh tint`.
set -euo pipefail
cd "$(dirname "$0")/../.."
node="${XDG_CACHE_HOME:-$HOME/.cache}/hard-sigmoid/node"
as_root=()
[ "$(id -u)" = 0 ] || as_root=(sudo)
# Status 3 says that something can't be fetched here.
cannot() {
    echo "can't fetch $1 here" >&2
    exit 3
}
install() {
    "${as_root[@]}" apt-get update -qq \
        && "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null \
        || cannot "$*"
}
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
