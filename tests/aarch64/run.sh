#!/usr/bin/env bash
# Tests the CPU path on emulated aarch64: the library and host tests with the feature `parallel`, which uses NEON. Run by
# `./test.sh aarch64`.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/common/fetch.sh
target=aarch64-unknown-linux-gnu
runner=()
if [ "$(uname -m)" != aarch64 ]; then
    command -v aarch64-linux-gnu-gcc >/dev/null || install gcc-aarch64-linux-gnu libc6-dev-arm64-cross
    command -v qemu-aarch64 >/dev/null || install qemu-user
    rustup target add "$target" || cannot "Rust's standard library for $target"
    runner=(
        CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
        CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64 -L /usr/aarch64-linux-gnu"
    )
fi
env "${runner[@]}" cargo test --release --target "$target" -p hard-sigmoid --no-default-features --features parallel --lib --test host
