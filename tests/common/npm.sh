# Sourced after fetch.sh. Installs npm packages into the cache: npm_package NAME@VERSION, or OTHER@npm:NAME@VERSION.
node_modules="${XDG_CACHE_HOME:-$HOME/.cache}/hard-sigmoid/node/node_modules"
command -v node >/dev/null || install nodejs
command -v npm >/dev/null || install npm
npm_package() {
    local prefix="${node_modules%/*}" name="${1%@*}"
    mkdir -p "$prefix"
    grep -qs "\"version\": \"${1##*@}\"" "$node_modules/${name%@npm:*}/package.json" \
        || npm install --no-audit --no-fund --silent --prefix "$prefix" "$1" || cannot "npm's $1"
}
# Debian 12's Node is too old for Playwright, so take a newer one from npm.
if [ "$(node -p 'process.versions.node.split(".")[0]')" -lt 20 ]; then
    npm_package node@22.12.0
    export PATH="$node_modules/.bin:$PATH"
fi
