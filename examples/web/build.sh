#!/usr/bin/env bash
# Builds the page into a folder that any static server can serve: examples/web/build.sh [FOLDER], by default target/web.
# PAGE_URL, the address where it will be, is needed for the picture that is shown where a link to it is posted.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder="${1:-target/web}"
crates/js/build.sh "$folder/hard-sigmoid"
cp examples/web/page/* docs/pictures/curves-light.png "$folder"
if [ -n "${PAGE_URL:-}" ]; then
    url="${PAGE_URL%/}"
    while IFS= read -r line; do
        case "$line" in
        '<meta property="og:image" '*)
            printf '<meta property="og:url" content="%s/">\n' "$url"
            printf '<meta property="og:image" content="%s/curves-light.png">\n' "$url"
            ;;
        *) printf '%s\n' "$line" ;;
        esac
    done <examples/web/page/index.html >"$folder/index.html"
fi
echo "built $folder; serve it, for example: python3 -m http.server --directory $folder"
