#!/usr/bin/env bash
# Runs all 2^32 inputs, on the CPU and on every adapter, or a part of them: HARD_SIGMOID_SLICE=3/16. Run by `./test.sh exhaustive`.
set -euo pipefail
cd "$(dirname "$0")/../.."
cargo test --release --test host -- --ignored --nocapture
cargo test --release --test gpu -- --ignored --nocapture --test-threads=1 --skip others_suites
# Beside the pages' test, so that all programs are built with the same features.
cargo build --release -p hard-sigmoid -p hard-sigmoid-cli -p hard-sigmoid-tools --bins --test pages
if [ -n "${HARD_SIGMOID_SLICE:-}" ]; then inputs=(--part "$HARD_SIGMOID_SLICE"); else inputs=(--full); fi
"${CARGO_TARGET_DIR:-target}/release/hard-sigmoid" verify "${inputs[@]}"
