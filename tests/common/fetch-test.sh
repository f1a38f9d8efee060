#!/usr/bin/env bash
# Tests own_apt of fetch.sh with repositories and configurations of apt that it makes, in both formats. Run by `./test.sh isa`.
set -euo pipefail
cd "$(dirname "$0")"
. ./fetch.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A repository with one package: repository FOLDER SUITE CODENAME ORIGIN.
repository() (
    mkdir -p "$work/$1/dists/$2"/main/{binary-amd64,source}
    cd "$work/$1/dists/$2"
    printf 'Package: %s\nVersion: 1\nArchitecture: all\nFilename: %s.deb\nSize: 1\nSHA256: %064d\n' "$1-$2" "$1-$2" 0 >main/binary-amd64/Packages
    printf 'Package: %s\nBinary: any\nVersion: 1\n' "$1-$2" >main/source/Sources
    {
        printf 'Origin: %s\nSuite: %s\nCodename: %s\nDate: %s\nArchitectures: amd64\nComponents: main\nSHA256:\n' "$4" "$2" "$3" "$(date -Ru)"
        for file in main/*/*; do
            echo " $(sha256sum <"$file" | cut -d' ' -f1) $(stat -c %s "$file") $file"
        done
    } >Release
)
repository debian bookworm bookworm Debian
repository debian bookworm-backports bookworm-backports 'Debian Backports'
repository updates bookworm-updates bookworm-updates Debian
repository named stable bookworm Debian
repository named bookworm-backports bookworm-backports 'Debian Backports'
repository other bookworm bookworm Other

# Writes the sources of these repositories as stanzas and as lines, with what is legal between them. Nothing is signed here, so that
# an option that is lost shows.
mkdir "$work"/{stanzas,lines}
cat >"$work/stanzas/all.sources" <<END
# a comment alone

# a comment before
Types: deb deb-src
URIs: file:$work/debian
Suites:
 bookworm
# a comment within
Components: main
Trusted: yes

Types: deb
Enabled: no
URIs: file:$work/nothing
Suites: bookworm
Components: main


types: deb
uris: file:$work/updates
suites: bookworm-updates
components: main
trusted: yes

Types: deb
URIs: file:$work/named
Suites: stable
Components: main
Trusted: yes

Types: deb
URIs: file:$work/other
Suites: bookworm
Components: main
Trusted: yes
END
cat >"$work/lines/all.list" <<END
# deb [trusted=yes] file:$work/nothing bookworm main
deb [arch=amd64 trusted=yes] file:$work/debian bookworm main # a comment behind
  deb	[ trusted=yes ]	file:$work/updates	bookworm-updates	main

deb [trusted=yes] file:$work/named stable main
deb [trusted=yes] file:$work/other bookworm main
END

# What the derived sources offer: offers CONFIGURATION TYPE [SUITE].
offers() {
    printf 'Dir::Etc::sourcelist "/dev/null";\nDir::Etc::sourceparts "%s";\n' "$work/$1" >"$work/apt.conf"
    export APT_CONFIG="$work/apt.conf"
    own_apt "$work/own-$1-$2${3:-}" "${@:2}" >/dev/null || return
    "${apt[@]}" indextargets --format '$(CREATED_BY) $(REPO_URI) $(RELEASE)' | grep -E '^(Packages|Sources) ' | sort -u | sed "s#file:$work/##"
}
same() {
    [ "$1" = "$2" ] && return
    printf 'instead of\n%s\nthere is\n%s\n' "$2" "$1" >&2
    exit 1
}
for configuration in stanzas lines; do
    same "$(offers $configuration deb-src)" 'Sources debian/ bookworm
Sources named/ stable
Sources other/ bookworm
Sources updates/ bookworm-updates'
    same "$(offers $configuration deb bookworm-backports)" 'Packages debian/ bookworm
Packages debian/ bookworm-backports
Packages named/ bookworm-backports
Packages named/ stable'
done
says=$(offers lines deb trixie-backports 2>&1) && status=0 || status=$?
same "$status $says" "1 this machine's apt has no source for Created-By: Packages Origin: Debian Codename: trixie"

# Where packages come from is the machine's affair.
if grep -nE '(https?|ftp)://' ../*/*.sh | grep -v '://example\.org'; then
    echo "a script of tests names a host" >&2
    exit 1
fi
echo "sources of packages are derived from apt's own, from stanzas and from lines"
