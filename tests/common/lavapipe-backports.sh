#!/usr/bin/env bash
# Fetches the lavapipe of Debian bookworm's backports, unpacks it beside the installed one, and prints the path of its driver
# file. Its libraries are in the same folder.
set -euo pipefail
. "$(dirname "$0")/fetch.sh"
folder="${XDG_CACHE_HOME:-$HOME/.cache}/hard-sigmoid/lavapipe-backports"
libraries="$folder/files/usr/lib/x86_64-linux-gnu"
driver="$libraries/lvp_icd.json"
if [ ! -e "$driver" ]; then
    grep -q bookworm /etc/os-release
    own_apt "$folder" deb bookworm-backports
    # A download takes the lock of an installation, which is root's.
    [ "$(id -u)" = 0 ] || apt=(sudo "${apt[@]}")
    "${apt[@]}" install -t bookworm-backports --download-only -y mesa-vulkan-drivers >/dev/null
    for package in "$folder"/cache/archives/*.deb; do
        dpkg-deb -x "$package" "$folder/files"
    done
    sed "s|\"library_path\": \".*\"|\"library_path\": \"$libraries/libvulkan_lvp.so\"|" \
        "$folder"/files/usr/share/vulkan/icd.d/lvp_icd*.json >"$driver"
fi
echo "$driver"
