#!/usr/bin/env bash
# Builds the page into a folder that any static server can serve: examples/web/build.sh [FOLDER], by default target/web.
set -euo pipefail
cd "$(dirname "$0")/../.."
target=wasm32-unknown-unknown
folder="${1:-target/web}"
if ! [ -d "$(rustc --print target-libdir --target $target)" ]; then
    rustup target add $target
fi
built="${CARGO_TARGET_DIR:-target}/$target/release/hard_sigmoid_web.wasm"
cargo build --release -p hard-sigmoid-web --lib --target $target
mkdir -p "$folder"
cargo run --release -p hard-sigmoid-web -- "$built" "$folder"
cp examples/web/page/* "$folder"
echo "built $folder; serve it, for example: python3 -m http.server --directory $folder"
