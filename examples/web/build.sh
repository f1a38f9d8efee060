#!/usr/bin/env bash
# Builds the page into a folder that any static server can serve: examples/web/build.sh [FOLDER], by default target/web.
# PAGE_URL, the address where it will be, is needed for the picture that is shown where a link to it is posted.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder="${1:-target/web}"
integrations/js/build.sh "$folder/hard-sigmoid"
cp examples/web/page/* docs/pictures/curves-{light,dark}.svg docs/pictures/curves-light.png "$folder"
if [ -n "${PAGE_URL:-}" ]; then
    url="${PAGE_URL%/}"
    sed -i.old "s|content=\"curves-light.png\"|content=\"$url/curves-light.png\"|
        s|<meta property=\"og:type\"|<meta property=\"og:url\" content=\"$url/\">\n&|" "$folder/index.html"
    rm "$folder/index.html.old"
fi
echo "built $folder; serve it, for example: python3 -m http.server --directory $folder"
