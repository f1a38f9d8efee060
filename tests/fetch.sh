# Sourced. Installs Debian packages. Exits with status 3 if something can't be fetched here.
cannot() {
    echo "can't fetch $1 here" >&2
    exit 3
}
install() {
    local as_root=()
    [ "$(id -u)" = 0 ] || as_root=(sudo)
    "${as_root[@]}" apt-get update -qq \
        && "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null \
        || cannot "$*"
}
