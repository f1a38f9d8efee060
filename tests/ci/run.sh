#!/usr/bin/env bash
# Tests .ci/run with commands that do nothing. Run by .ci/run.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Notes the step, and fails where $FAILING says, with its status: `NAME STATUS`.
cat >"$work/fake" <<'END'
#!/usr/bin/env bash
echo "$1" >>"$NOTES"
if [ "$1" = "${FAILING% *}" ]; then exit "${FAILING#* }"; fi
END
chmod +x "$work/fake"
export CI_RUN="$work/fake" NOTES="$work/notes" CI_SINCE=HEAD FAILING="" CI_REQUIRE_ALL="" CI_LIMIT_S=""

fail() {
    echo "$1; .ci/run says" >&2
    cat "$work/output" >&2
    exit 1
}
# Runs .ci/run with these variables. It has to exit with this status.
runs() {
    local expected=$1 status=0
    shift
    : >"$NOTES"
    env "$@" bash .ci/run >"$work/output" 2>&1 || status=$?
    [ "$status" = "$expected" ] || fail "status $status instead of $expected with $*"
}
says() {
    grep -qE -- "$1" "$work/output" || fail "it doesn't say: $1"
}
ran() {
    grep -qx -- "$1" "$NOTES" || fail "$1 didn't run"
}
ran_not() {
    ! grep -qx -- "$1" "$NOTES" || fail "$1 ran"
}

# Paths that no file has would never change. They are the fourth word of a suite.
while read -r paths; do
    for path in $paths; do
        git ls-files --error-unmatch -- "$path" >/dev/null || {
            echo ".ci/run names $path, which isn't there" >&2
            exit 1
        }
    done
done < <(sed -nE 's/^    suite \S+ [0-9]+ \S+ "([^"]*)".*/\1/p' .ci/run)

# CI_REQUIRE_ALL=1 runs everything.
runs 0 CI_REQUIRE_ALL=1 CI_NUMBER=3
sort -u "$NOTES" >"$work/all"
says 'all that ran has passed'
# Every run has the quick steps and one sixteenth. Sixteen in a row have everything that a default run may have.
: >"$work/some"
for number in {100..115}; do
    runs 0 CI_NUMBER="$number"
    ran format
    ran test
    says "exhaustive: env HARD_SIGMOID_SLICE=$((number % 16 + 1))/16 "
    cat "$NOTES" >>"$work/some"
    # What it ran and what it names as left out are everything.
    sed -nE 's/^        (\S+) +(its turn|only with).*/\1/p' "$work/output" | sort -u - <(sort -u "$NOTES") \
        | diff "$work/all" - || fail "left out in silence"
done
sort -u "$work/some" | diff "$work/all" - >"$work/never" || true
[ "$(grep -E '^[<>]' "$work/never" | tr '\n' ' ')" = "< burn-fusion < burn-vulkan " ] || fail "never run: $(cat "$work/never")"

# A failure ends the run, which prints the table. (The sweep's turn is in every run.)
runs 1 FAILING="test 1"
says '^ +[0-9]+s  format +ok'
says '^ +[0-9]+s  test +FAILED with status 1'
says 'FAILED with status 1'
ran_not main-job
# A suite that can't fetch what it needs is left out, and the rest runs, but not if everything is asked for.
runs 0 CI_NUMBER=0 FAILING="tint 3"
says "tint +it can't fetch"
says '^ +\./test.sh tint'
ran matrix
runs 1 CI_NUMBER=0 FAILING="matrix 1"
ran_not exhaustive
runs 1 CI_REQUIRE_ALL=1 FAILING="tint 3"
says 'CI_REQUIRE_ALL is set'
# A suite that can't end in time is left out.
runs 0 CI_NUMBER=0 CI_LIMIT_S=500
says 'matrix +it may need [0-9]+s, and [0-9]+s are left'
ran tint
ran_not matrix
# A suite whose files changed runs in any turn, and first.
first=$(git rev-list --max-parents=0 HEAD | tail -1)
runs 0 CI_NUMBER=3 CI_LIMIT_S=100000 CI_SINCE="$first"
ran tint
ran burn
echo ".ci/run runs everything in turn, and says what it leaves out"
