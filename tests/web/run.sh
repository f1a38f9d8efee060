#!/usr/bin/env bash
# Builds the page of examples/web, serves it, and uses it in Chromium. Run by `./test.sh web`.
set -euo pipefail
cd "$(dirname "$0")/../.."
cache="${XDG_CACHE_HOME:-$HOME/.cache}/hard-sigmoid"
. tests/fetch.sh
target=wasm32-unknown-unknown
[ -d "$(rustc --print target-libdir --target $target)" ] || rustup target add $target || cannot "Rust's target $target"
. tests/npm.sh
npm_package playwright-core@1.64.1
[ -x /usr/bin/chromium ] || install chromium

# The crate as an embedder's page would have it, and this page.
cargo clippy --release --target $target -p hard-sigmoid --no-default-features -- -D warnings
cargo clippy --release --target $target -p hard-sigmoid -p hard-sigmoid-web --lib -- -D warnings

site="$cache/web"
rm -rf "$site"
examples/web/build.sh "$site"
node tests/web/test.mjs "$site" "$node_modules" "$cache/web-screenshots"
