#!/usr/bin/env bash
# The GPU tests, and 2^24 inputs of each kernel bit for bit, on every driver that can be had without a GPU on Debian; the table
# goes to docs/portability.md. Run by `./test.sh matrix`.
set -euo pipefail
cd "$(dirname "$0")/.."
cache="${XDG_CACHE_HOME:-$HOME/.cache}/hard-sigmoid"
logs="$cache/matrix"
mkdir -p "$logs"
rm -f "$logs"/*
. tests/fetch.sh
[ -e /usr/lib/chromium/vk_swiftshader_icd.json ] || install chromium
[ -e /usr/share/vulkan/explicit_layer.d/VkLayer_khronos_validation.json ] || install vulkan-validationlayers

newer=$(tests/lavapipe-backports.sh) || cannot "a newer lavapipe"

cargo test --release --test gpu --no-run
drivers=0
# A driver's name and environment: first its tests, then the sample.
on() {
    local name=$1
    shift
    echo "=== $name: $*"
    env "$@" cargo test --release --test gpu -- --test-threads=2 >"$logs/$name.tests" 2>&1 || { cat "$logs/$name.tests"; return 1; }
    env "$@" cargo test --release --test gpu -- --ignored --nocapture sample >"$logs/$name.sample" 2>&1 \
        || { cat "$logs/$name.sample"; return 1; }
    grep "test result" "$logs/$name.tests"
    echo "$name" >>"$logs/order"
    drivers=$((drivers + 1))
}
installed=$(find /usr/share/vulkan/icd.d -name 'lvp_icd*.json' | head -1)
on lavapipe WGPU_BACKEND=vulkan VK_ICD_FILENAMES="$installed"
on llvmpipe-gl WGPU_BACKEND=gl
on swiftshader WGPU_BACKEND=vulkan VK_ICD_FILENAMES=/usr/lib/chromium/vk_swiftshader_icd.json
on lavapipe-backports WGPU_BACKEND=vulkan VK_ICD_FILENAMES="$newer" LD_LIBRARY_PATH="$(dirname "$newer")"

# The validation layer writes what it objects to into a file.
layer=(WGPU_BACKEND=vulkan VK_ICD_FILENAMES="$installed" VK_INSTANCE_LAYERS=VK_LAYER_KHRONOS_validation
    VK_LAYER_SETTINGS_PATH="$logs")
validate() {
    rm -f "$logs/validation.log"
    {
        echo "khronos_validation.debug_action = VK_DBG_LAYER_ACTION_LOG_MSG"
        echo "khronos_validation.report_flags = error,warn,perf,info"
        echo "khronos_validation.log_filename = $logs/validation.log"
        echo "$1"
    } >"$logs/vk_layer_settings.txt"
}
objects() {
    grep -q "Khronos Validation Layer Active" "$logs/validation.log" || { echo "the layer wasn't there"; exit 1; }
    grep -E "Validation (Error|Warning|Performance)" "$logs/validation.log"
}
# It is seen if it has something to say: that wgpu asks for an extension of old.
validate "khronos_validation.enables = VK_VALIDATION_FEATURE_ENABLE_BEST_PRACTICES_EXT"
env "${layer[@]}" cargo test -q --release --test gpu -- one_pass >/dev/null
objects >/dev/null || { echo "an objection of the validation layer isn't seen"; exit 1; }
validate ""
on lavapipe-validated "${layer[@]}"
if objects; then
    exit 1
fi

mkdir -p docs
{
    cat <<'END'
# Portability

Written by `./test.sh matrix`: on every driver the GPU tests of this project pass, and the kernels below are compared with the
CPU path, in f32, on 2^24 inputs spread over all 2^32 bit patterns (`tests/gpu/exhaustive.rs`). A cell says how many results differ in
any bit; in brackets, how many come with a subnormal counted as zero, which WGSL allows. All 2^32 inputs are run by `./test.sh
exhaustive`.

What else is shown, each by its command:

- `./test.sh tint`: the kernels through Tint, the WGSL compiler of Chrome and Edge, in f32 and, all but a few, on all halves, on two drivers;
- `./test.sh web`: the page of `examples/web` in Chromium, on WebGPU and by the CPU path in WebAssembly, against the
  frameworks' own output;
- `./test.sh compilers`: naga's translations of every kernel, entry point and element type. SPIR-V passes spirv-val, GLSL
  glslang, HLSL Microsoft's DXC (cs_6_0) and FXC (cs_5_1); in what those two make of it no product is fused with a sum where
  two roundings are promised, or could be by a driver, and the tests for NaN are there. Without the shader's precautions most
  of the same listings fail;
- the text that Metal gets is kept, as it was reviewed (`tests/shaders/snapshots`).

Not shown here: a real GPU, and what drivers of DX12 and Metal make of the compiled shaders. `.github/workflows/ci.yml`
is set up to run the GPU tests on WARP and on Metal.

END
    echo "| driver | adapter | tests |"
    echo "|---|---|---|"
    while read -r name; do
        adapter=$(grep -E "^[^ ].* \((Vulkan|Gl), " "$logs/$name.sample" | head -1)
        tests=$(grep "test result" "$logs/$name.tests" | sed 's/test result: ok. \([0-9]*\) passed.*/\1 passed/')
        echo "| $name | $adapter | $tests |"
    done <"$logs/order"
    echo
    echo "\`lavapipe-validated\` runs under the Khronos validation layer, which has nothing to say."
    echo
    echo "| definition | kernel | $(paste -sd'|' "$logs/order" | sed 's/|/ | /g') |"
    echo "|---|---|$(sed 's/.*/---|/' "$logs/order" | tr -d '\n')"
    first="$logs/$(head -1 "$logs/order").sample"
    grep " results, " "$first" | while read -r definition kernel _; do
        row="| $definition | $kernel |"
        while read -r name; do
            cell=$(grep -E "^$definition +$kernel +[0-9]+ results" "$logs/$name.sample" \
                | sed -E 's/.* results, ([0-9]+) differing \(([0-9]+) .*/\1 (\2)/; s/ \(0\)//')
            row="$row $cell |"
        done <"$logs/order"
        echo "$row"
    done
} >docs/portability.md
echo "=== docs/portability.md: $drivers rows of drivers"
