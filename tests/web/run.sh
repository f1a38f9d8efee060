#!/usr/bin/env bash
# Builds the npm package and the page of examples/web, and uses both in Chromium. Run by `./test.sh web`.
set -euo pipefail
cd "$(dirname "$0")/../.."
cache="${XDG_CACHE_HOME:-$HOME/.cache}/hard-sigmoid"
. tests/common/fetch.sh
target=wasm32-unknown-unknown
[ -d "$(rustc --print target-libdir --target $target)" ] || rustup target add $target || cannot "Rust's target $target"
. tests/common/npm.sh
npm_package playwright-core@1.64.1
npm_package axe-core@4.14.1
npm_package typescript@7.0.2
npm_package onnxruntime-web@1.30.0
npm_package @tensorflow/tfjs@4.22.0
npm_package esbuild@0.28.2
npm_package rollup@4.68.8
npm_package @rollup/plugin-node-resolve@16.0.3
npm_package webpack@5.113.0
npm_package webpack-cli@7.3.1
npm_package vite@8.4.0
npm_package vite7@npm:vite@7.3.8
[ -x /usr/bin/chromium ] || install chromium

# The crate as an embedder's page would have it, and the modules that are built here.
cargo clippy --release --target $target -p hard-sigmoid --no-default-features -- -D warnings
cargo clippy --release --target $target -p hard-sigmoid -p hard-sigmoid-js -p hard-sigmoid-js-inspect -p offload-web --lib -- -D warnings

# The programs to compare with. Beside the pages' test, so that all programs are built with the same features.
cargo build --release -p hard-sigmoid -p hard-sigmoid-cli -p hard-sigmoid-tools --bins --test pages
programs="${CARGO_TARGET_DIR:-target}/release"

site="$cache/web"
rm -rf "$site"
PAGE_URL=https://example.org/page examples/web/build.sh "$site"
node tests/web/npm.mjs "$site/hard-sigmoid" "$node_modules" "$programs/hard-sigmoid"
node tests/web/bundlers.mjs "$site/hard-sigmoid" "$node_modules"
node tests/web/snippets.mjs "$site/hard-sigmoid" "$node_modules"
node tests/web/test.mjs "$site" "$node_modules" "$cache/web-screenshots"
# The page's report is one that docs/devices takes.
"$programs/tools" devices --check "$cache/web-screenshots/report.json"

# hard_sigmoid::offload in a browser, by wgpu.
cargo build --release -p offload-web --lib --target $target
cargo run --release -p hard-sigmoid-js -- "${CARGO_TARGET_DIR:-target}/$target/release/offload_web.wasm" "$cache/web-offload" offload
node tests/web/offload.mjs "$cache/web-offload" "$node_modules"
