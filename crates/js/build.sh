#!/usr/bin/env bash
# Builds the npm package into a folder: crates/js/build.sh [FOLDER], by default target/npm.
set -euo pipefail
cd "$(dirname "$0")/../.."
target=wasm32-unknown-unknown
folder="${1:-target/npm}"
if ! [ -d "$(rustc --print target-libdir --target $target)" ]; then
    rustup target add $target
fi
cargo build --release -p hard-sigmoid-js -p hard-sigmoid-js-inspect --lib --target $target
mkdir -p "$folder"
wasm="${CARGO_TARGET_DIR:-target}/$target/release"
cargo run --release -p hard-sigmoid-js -- "$wasm/hard_sigmoid_js.wasm" "$folder" native
cargo run --release -p hard-sigmoid-js -- "$wasm/hard_sigmoid_js_inspect.wasm" "$folder" inspect
cp -r crates/js/package/* crates/js/examples crates/js/README.md LICENSE-MIT LICENSE-APACHE "$folder"
echo "built $folder; pack it with: npm pack $folder"
