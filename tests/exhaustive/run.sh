#!/usr/bin/env bash
# Runs all 2^32 inputs, on the CPU and on every adapter. Run by `./test.sh exhaustive`.
set -euo pipefail
cd "$(dirname "$0")/../.."
cargo test --release --test host -- --ignored --nocapture
cargo test --release --test gpu -- --ignored --nocapture --test-threads=1
