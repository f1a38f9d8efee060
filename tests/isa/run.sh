#!/usr/bin/env bash
# Checks the machine code that five vendors' shader compilers make of the kernels, without a GPU. AMD's driver needs none. The others
# need a device, which Mesa's shims imitate. Run by `./test.sh isa`.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/common/fetch.sh
command -v dpkg-query >/dev/null || cannot "Mesa's source, which needs Debian's dpkg-query,"
tests/common/fetch-test.sh
run=(cargo run --release -q -p hard-sigmoid-tools -- isa)
status=0
for built in intel-shim mesa-drivers; do
    if path=$("tests/isa/$built.sh"); then
        run+=("--$built" "$path")
    else
        echo "tests/isa/$built.sh fails here, so what needs it isn't read" >&2
        status=3
    fi
done
[ "$status" != 0 ] || run+=(--write docs/portability.md)
cargo build --release -p hard-sigmoid-tools
"${run[@]}"
exit "$status"
