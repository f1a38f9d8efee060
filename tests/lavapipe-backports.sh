#!/usr/bin/env bash
# Fetches the lavapipe of Debian bookworm's backports, unpacks it beside the installed one, and prints the path of its driver
# file. Its libraries are in the same folder.
set -euo pipefail
folder="${XDG_CACHE_HOME:-$HOME/.cache}/hard-sigmoid/lavapipe-backports"
libraries="$folder/files/usr/lib/x86_64-linux-gnu"
driver="$libraries/lvp_icd.json"
if [ ! -e "$driver" ]; then
    grep -q bookworm /etc/os-release
    mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial"
    printf 'deb http://deb.debian.org/debian %s main\n' bookworm bookworm-backports >"$folder/sources.list"
    apt=(apt-get -qq -o "Dir::Etc::sourcelist=$folder/sources.list" -o Dir::Etc::sourceparts=/dev/null
        -o "Dir::State::lists=$folder/lists" -o "Dir::Cache=$folder/cache" -o APT::Sandbox::User=root)
    [ "$(id -u)" = 0 ] || apt=(sudo "${apt[@]}")
    "${apt[@]}" update
    "${apt[@]}" install -t bookworm-backports --download-only -y mesa-vulkan-drivers >/dev/null
    for package in "$folder"/cache/archives/*.deb; do
        dpkg-deb -x "$package" "$folder/files"
    done
    sed "s|\"library_path\": \".*\"|\"library_path\": \"$libraries/libvulkan_lvp.so\"|" \
        "$folder"/files/usr/share/vulkan/icd.d/lvp_icd*.json >"$driver"
fi
echo "$driver"
