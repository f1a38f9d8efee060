#!/usr/bin/env bash
# Builds Mesa's drivers for NVIDIA (nouveau), Qualcomm (freedreno) and Arm (panfrost), each with the shim that imitates its device,
# and prints their folder (about 10 minutes). Debian has their source in bookworm's backports, but no such package for x86-64.
set -euo pipefail
. "$(dirname "$0")/../common/fetch.sh"
version=25.0.7
folder="${XDG_CACHE_HOME:-$HOME/.cache}/hard-sigmoid/mesa-drivers"
if [ -e "$folder/$version" ]; then
    echo "$folder/$version"
    exit
fi

for tool in g++ ninja bison flex pkg-config glslangValidator xz; do
    command -v "$tool" >/dev/null || missing=yes
done
# bindgen loads libclang.
[ -z "${missing:-}" ] && pkg-config --exists libdrm zlib expat && dpkg-query -W libclang-dev >/dev/null 2>&1 \
    && python3 -c 'import ensurepip' 2>/dev/null \
    || install g++ ninja-build bison flex pkg-config glslang-tools libdrm-dev zlib1g-dev libexpat1-dev libclang-dev python3-venv xz-utils
work="$folder/work"
rm -rf "$folder"
mkdir -p "$work"/{source,drivers}
cd "$work"
{ own_apt "$work" deb-src bookworm-backports && "${apt[@]}" source --download-only --tar-only mesa; } >/dev/null \
    && [ -e "mesa_$version.orig.tar.xz" ] || cannot "Mesa's source $version"
tar xf "mesa_$version.orig.tar.xz" --strip-components=1 -C source
# The shim doesn't know Ada, but its driver does.
sed -i 's/^\( *\)case 0x170:/\1case 0x190:\n&/' source/src/nouveau/drm-shim/nouveau_noop.c

# Debian's Meson and bindgen are too old. Unoptimised, because building them takes longer than running them.
{ python3 -m venv python && python/bin/pip install -q 'meson>=1.4' mako pyyaml packaging setuptools; } >&2 || cannot "Meson"
CARGO_TARGET_DIR="$work/target" cargo install -q --locked --debug --root tools bindgen-cli@0.73.2 cbindgen@0.29.4 \
    || cannot "bindgen and cbindgen"
export PATH="$work/tools/bin:$work/python/bin:$PATH"
# Meson would download crates itself. Cargo takes them from where this machine's crates come from; Meson checks their hashes. Each has
# a package of its own, because one may ask for a newer version of another than Mesa has.
mkdir source/subprojects/packagecache
for name in paste proc-macro2 quote syn unicode-ident; do
    wrap="source/subprojects/$name.wrap"
    crate=$(sed -n 's/^directory *= *//p' "$wrap")
    mkdir -p "crates/$name/src"
    touch "crates/$name/src/lib.rs"
    printf '[package]\nname = "fetch"\nedition = "2021"\n[workspace]\n[dependencies]\n%s = "=%s"\n' "$name" "${crate#"$name"-}" \
        >"crates/$name/Cargo.toml"
    cargo fetch -q --manifest-path "crates/$name/Cargo.toml" || cannot "$crate"
    find "${CARGO_HOME:-$HOME/.cargo}/registry/cache" -name "$crate.crate" \
        -exec cp {} "source/subprojects/packagecache/$(sed -n 's/^source_filename *= *//p' "$wrap")" \;
done

drivers=(nouveau freedreno panfrost)
options=(--wrap-mode=nodownload -Dbuildtype=release -Doptimization=1 -Db_ndebug=true -Dtools=drm-shim -Dfreedreno-kmds=msm
    "-Dvulkan-drivers=$(IFS=, && echo "${drivers[*]}")" -Dgallium-drivers= -Dplatforms= -Dvulkan-layers= -Dvideo-codecs= -Dopengl=false)
for feature in llvm glx egl gbm gles1 gles2 zstd valgrind libunwind lmsensors xmlconfig; do
    options+=("-D$feature=disabled")
done
libraries=()
for driver in "${drivers[@]}"; do
    libraries+=("src/$driver/vulkan/libvulkan_$driver.so" "src/$driver/drm-shim/lib${driver}_noop_drm_shim.so")
    printf '{"file_format_version": "1.0.0", "ICD": {"library_path": "./libvulkan_%s.so", "api_version": "1.3.0"}}\n' "$driver" \
        >"drivers/$driver.json"
done
{ meson setup build source "${options[@]}" && ninja -C build "${libraries[@]}"; } >log || {
    tail -n 40 log >&2
    exit 1
}
cp "${libraries[@]/#/build/}" drivers
mv drivers "$folder/$version"
rm -rf "$work"
echo "$folder/$version"
