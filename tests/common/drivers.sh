# Sourced after fetch.sh, at the root. Installs drivers that run without a GPU, and sets the paths of their files for Vulkan.
swiftshader=/usr/lib/chromium/vk_swiftshader_icd.json
[ -e "$swiftshader" ] || install chromium
newer=$(tests/common/lavapipe-backports.sh) || cannot "a newer lavapipe"
