#!/usr/bin/env bash
# Checks the machine code that AMD's and Intel's shader compilers make of the kernels, without a GPU. Intel's driver needs a device,
# which Mesa's shim imitates. The shim is built from Debian's source of the installed driver. Run by `./test.sh isa`.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/common/fetch.sh
folder="${XDG_CACHE_HOME:-$HOME/.cache}/hard-sigmoid/intel-shim"
command -v dpkg-query >/dev/null || cannot "Mesa's source, which needs Debian's dpkg-query,"
tests/common/fetch-test.sh
version=$(dpkg-query -W -f '${Version}' mesa-vulkan-drivers)
shim="$folder/$version/libintel_noop_drm_shim.so"

# Runs in a subshell, and returns status 3 if something can't be fetched.
build_shim() (
    set -euo pipefail
    for tool in meson ninja bison flex; do
        command -v "$tool" >/dev/null || missing=yes
    done
    [ -z "${missing:-}" ] && [ -e /usr/include/libdrm/drm.h ] \
        || install meson ninja-build bison flex g++ pkg-config python3-mako libdrm-dev libexpat1-dev zlib1g-dev
    rm -rf "$folder"
    mkdir -p "$folder/$version"
    cd "$folder"
    { own_apt "$folder" deb-src && "${apt[@]}" source --download-only "mesa=$version"; } >/dev/null || cannot "Mesa's source $version"
    mkdir source
    tar xf mesa_*.orig.tar.* --strip-components=1 -C source
    # Only the distribution's Python has the modules that the build needs.
    export PATH="/usr/bin:$PATH"
    options=(-Dbuildtype=release -Dtools=drm-shim,intel -Dvulkan-drivers= -Dgallium-drivers= -Dplatforms= -Dopengl=false)
    for feature in llvm glx egl gbm gles1 gles2 zstd valgrind libunwind; do
        options+=("-D$feature=disabled")
    done
    meson setup build source "${options[@]}" >/dev/null
    ninja -C build src/intel/tools/libintel_noop_drm_shim.so >/dev/null
    cp build/src/intel/tools/libintel_noop_drm_shim.so "$version"
    rm -rf build source
)

status=0
if [ ! -e "$shim" ]; then
    echo "building Mesa's shim of Intel's device (about a minute)"
    # `||` would switch `set -e` off inside the function.
    set +e
    build_shim
    status=$?
    set -e
fi
if [ "$status" != 0 ] && [ "$status" != 3 ]; then
    echo "Mesa's shim can't be built here, so Intel is skipped" >&2
    status=3
fi
cargo build --release -p hard-sigmoid-tools
run=(cargo run --release -q -p hard-sigmoid-tools -- isa)
if [ "$status" = 0 ]; then
    "${run[@]}" --intel-shim "$shim" --write docs/portability.md
else
    "${run[@]}"
    exit "$status"
fi
