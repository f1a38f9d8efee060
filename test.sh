#!/usr/bin/env bash
# Runs the tests. GPU tests have to run, on a software driver if there is no GPU.
#
#   ./test.sh              the tests of the library, except what follows
#   ./test.sh cli          the tests of the command `hard-sigmoid`, of what `inspect` finds, and of the docs' pictures and tables
#   ./test.sh exhaustive   all 2^32 inputs of every preset, forward and backward, and of one preset through the other
#                          kernels, on every adapter (about an hour for each on two cores), and a
#                          tensor beyond 4 GiB if the driver has such buffers; WGPU_BACKEND=vulkan or gl picks one,
#                          HARD_SIGMOID_SLICE=3/16 takes the third sixteenth of the inputs
#   ./test.sh matrix       the GPU tests and `hard-sigmoid verify` on each driver that Debian has, and under the validation layer;
#                          it writes docs/devices.md and docs/portability.md (about 20 minutes)
#   ./test.sh tint         the kernels through Tint, Chrome's WGSL compiler, in Dawn under Node
#   ./test.sh compilers    the kernels' translations through spirv-val, glslang, and DirectX's DXC and FXC under Wine
#   ./test.sh isa          the machine code of Mesa's shader compilers for GPUs of five vendors: exactness, and instructions per
#                          element (about 5 minutes, and 10 to build the drivers once)
#   ./test.sh runtimes     a layer in published runtimes, each on its own wgpu, with a function of ours (about 7 minutes)
#   ./test.sh aarch64      the library's and the host tests on aarch64, emulated by qemu (about 6 minutes)
#   ./test.sh python       the Python package against the real frameworks, and from its wheel and source distribution
#   ./test.sh suites       tests of WebNN, PyTorch, ONNX, OpenVINO and TFLite Micro, on the CPU path and on each driver that
#                          Debian has (about 2 minutes)
#   ./test.sh links        the links of the documents, also to pages elsewhere, where there is a network
#   ./test.sh web          builds the page of examples/web and uses it in Chromium, with WebGPU and without
set -euo pipefail
cd "$(dirname "$0")"

install_packages() {
    local as_root=()
    [ "$(id -u)" = 0 ] || as_root=(sudo)
    echo "installing $*"
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}
# Installs lavapipe (Vulkan) and llvmpipe (GL), which need no GPU, for machines without a driver.
install_drivers() {
    if ! command -v apt-get >/dev/null; then
        echo "no Vulkan or EGL driver found, and no apt-get to install one: install Mesa's lavapipe and llvmpipe yourself" >&2
        exit 1
    fi
    install_packages mesa-vulkan-drivers libvulkan1 libegl1 libgl1-mesa-dri
}
if [ "$(uname)" = Linux ]; then
    # PNG pictures have text.
    if ! compgen -G '/usr/share/fonts/*/*/*.ttf' >/dev/null && command -v apt-get >/dev/null; then
        install_packages fonts-dejavu-core
    fi
    libraries=$(PATH="$PATH:/sbin:/usr/sbin" ldconfig -p)
    # An empty glob matches nothing, so `compgen` fails.
    if ! { [[ $libraries == *libvulkan.so.1* && $libraries == *libEGL.so.1* ]] \
        && { compgen -G '/usr/share/vulkan/icd.d/*.json' || compgen -G '/etc/vulkan/icd.d/*.json'; } >/dev/null; }; then
        install_drivers
    fi
fi

export HARD_SIGMOID_REQUIRE_GPU=1
# Mesa complains if it is unset, but doesn't use it.
export XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-${TMPDIR:-/tmp}}"

case "${1:-}" in
"")
    # --release shares its build with the examples, and the tests go through millions of elements.
    cargo test --release --lib --test structure --test gpu --test host --test shaders --test tint --test validation
    cargo test --release --doc
    cargo build --release --examples
    ;;
cli)
    # One call: `-p hard-sigmoid-tools` alone has other features, and would build wgpu and 30 crates more once again.
    cargo test --release -p hard-sigmoid -p hard-sigmoid-cli -p hard-sigmoid-tools --bins --test tool --test pages --test verify
    cargo test --release -p hard-sigmoid-cli -p hard-sigmoid-inspect --lib
    cargo test --release -p hard-sigmoid-inspect --doc
    ;;
*)
    # Each of the others has a folder.
    if ! [[ $1 =~ ^[a-z0-9]+$ && -x tests/$1/run.sh ]]; then
        echo "usage: ./test.sh [cli|exhaustive|matrix|tint|compilers|isa|runtimes|aarch64|python|suites|links|web]" >&2
        exit 2
    fi
    "tests/$1/run.sh"
    ;;
esac
