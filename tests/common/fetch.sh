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
# Sets `apt` to an apt-get with lists, a cache and sources of its own in folder $1. The sources have type $2, deb or deb-src, and
# are this machine's. With $3, such as bookworm-backports, they are Debian's for the suite before the hyphen, and $3 itself.
own_apt() {
    local folder=$1 type=$2 added=${3:-} wanted=('Created-By: Packages') entry release suite
    [ -z "$added" ] || wanted+=('Origin: Debian' "Codename: ${added%-*}")
    rm -rf "$folder/sources"
    mkdir -p "$folder"/{sources,lists/partial,cache/archives/partial}
    apt=(apt-get -qq -o "Dir::State::lists=$folder/lists" -o "Dir::Cache=$folder/cache" -o APT::Sandbox::User=root)
    # A repository's lists say whether it is Debian's. An entry is a file's line, or the stanza of a .sources file.
    "${apt[@]}" update \
        && "${apt[@]}" indextargets --format '$(SOURCESENTRY) $(RELEASE)' "${wanted[@]}" | sort -u >"$folder/entries" \
        || return
    if ! [ -s "$folder/entries" ]; then
        echo "this machine's apt has no source for ${wanted[*]}" >&2
        return 1
    fi
    while read -r entry release; do
        for suite in "$release" ${added:+"$added"}; do
            case $entry in
            *.sources:*)
                awk -v number="${entry##*:}" -v type="$type" -v suite="$suite" '
                    /^#/ { next }
                    /^$/ { inside = 0; next }
                    !inside { inside = 1; stanza++ }
                    /^[^ \t]/ { replaced = tolower($0) ~ /^(types|suites):/ }
                    stanza == number && !replaced
                    END { print "Types: " type "\nSuites: " suite "\n" }' "${entry%:*}" >>"$folder/sources/derived.sources"
                ;;
            *)
                sed -nE "${entry##*:}s#^\s*deb(-src)?(\s+\[[^]]*\])?(\s+\S+)\s+\S+#$type\2\3 $suite#p" \
                    "${entry%:*}" >>"$folder/sources/derived.list"
                ;;
            esac
        done
    done <"$folder/entries"
    apt+=(-o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$folder/sources")
    "${apt[@]}" update
}
