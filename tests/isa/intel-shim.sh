#!/usr/bin/env bash
# Builds Mesa's shim, which imitates Intel's device, from Debian's source of Mesa, and prints its path (about a minute). The driver that is
# installed may be an update older than the source, which the archive has no longer.
set -euo pipefail
. "$(dirname "$0")/../common/fetch.sh"
folder="${XDG_CACHE_HOME:-$HOME/.cache}/hard-sigmoid/intel-shim"
version=$(dpkg-query -W -f '${Version}' mesa-vulkan-drivers)
shim="$folder/$version/libintel_noop_drm_shim.so"
if [ -e "$shim" ]; then
    echo "$shim"
    exit
fi
for tool in meson ninja bison flex; do
    command -v "$tool" >/dev/null || missing=yes
done
[ -z "${missing:-}" ] && [ -e /usr/include/libdrm/drm.h ] \
    || install meson ninja-build bison flex g++ pkg-config python3-mako libdrm-dev libexpat1-dev zlib1g-dev
rm -rf "$folder"
mkdir -p "$folder/$version"
cd "$folder"
{ own_apt "$folder" deb-src && "${apt[@]}" source --download-only mesa; } >/dev/null || cannot "Mesa's source"
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
echo "$shim"
