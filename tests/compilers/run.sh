#!/usr/bin/env bash
# Runs naga's translations of every kernel through the compilers that take them: spirv-val, glslangValidator, and Microsoft's DXC and
# FXC under Wine. Run by `./test.sh compilers`.
set -euo pipefail
cd "$(dirname "$0")/../.."
cache="${XDG_CACHE_HOME:-$HOME/.cache}/hard-sigmoid"
. tests/common/fetch.sh
command -v spirv-val >/dev/null || install spirv-tools
command -v glslangValidator >/dev/null || install glslang-tools
command -v wine >/dev/null || install wine wine64
command -v x86_64-w64-mingw32-gcc >/dev/null || install gcc-mingw-w64-x86-64
. tests/common/npm.sh
npm_package webgpu@0.6.2

# Dawn's Windows build brings both compilers.
hlsl="$cache/hlsl"
mkdir -p "$hlsl"
cp "$node_modules"/webgpu/dist/win32-x64/{dxcompiler,d3dcompiler_47}.dll "$hlsl"
x86_64-w64-mingw32-gcc -O1 -Wall -Werror -o "$hlsl/host.exe" tests/compilers/host.c

export WINEPREFIX="$cache/wine" WINEDEBUG=-all HARD_SIGMOID_HLSL_HOST="$hlsl/host.exe"
# The first call creates Wine's folder.
wine "$HARD_SIGMOID_HLSL_HOST" dxc </dev/null 2>/dev/null
cargo test --release --test shaders -- --ignored --nocapture
