#!/usr/bin/env bash
# Runs a function of hard-sigmoid in a kernel inside published runtimes, each with its own version of wgpu, and compares every bit
# with the CPU path. Run by `./test.sh runtimes`.
set -euo pipefail
cd "$(dirname "$0")"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/../../target}"
# vortx's kernels are compiled from Rust, which needs cargo-gpu and a nightly compiler. The program brings its own.
KHAL_SKIP_SPIRV=1 cargo run --release --locked --manifest-path vortx/Cargo.toml
cargo run --release --locked --manifest-path web-rwkv/Cargo.toml
