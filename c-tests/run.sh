#!/bin/sh
# Runs TAP programs, prints what failed and was skipped in full, and a line for each; sums up at the end.
#   c-tests/run.sh PROGRAM...
# RUNNER_TEST_UID=N runs them as that user (when root).
set -u
as=""
if [ -n "${RUNNER_TEST_UID:-}" ] && [ "$(id -u)" = 0 ]; then
    command -v setpriv >/dev/null || { echo "# skipped: no setpriv to run as an ordinary user"; exit 0; }
    as="setpriv --reuid $RUNNER_TEST_UID --regid $RUNNER_TEST_UID --clear-groups"
fi
passed=0 failed=0 skipped=0
for program in "$@"; do
    log="$program.${RUNNER_TEST_UID:-own}.tap"
    timeout 300 $as "$program" >"$log" 2>"$log.err" </dev/null
    status=$?
    ok=$(grep -c '^ok ' "$log"); not=$(grep -c '^not ok ' "$log"); skip=$(grep -ci '^ok .*# skip' "$log")
    plan=$(sed -n 's/^1\.\.\([0-9]*\).*/\1/p' "$log" | tail -n 1)
    name=$(basename "$program")
    printf '%-16s %3d passed, %d failed, %d skipped\n' "$name" $((ok - skip)) "$not" "$skip"
    grep -i '^ok .*# skip' "$log" | sed 's/^/    /'
    if [ "$not" -gt 0 ] || [ "$status" -ne 0 ] || [ "${plan:-none}" != $((ok + not)) ]; then
        echo "    exit status $status, plan ${plan:-missing}, $((ok + not)) results; failures:"
        grep -A 12 '^not ok ' "$log" | sed 's/^/    /'
        tail -n 20 "$log.err" | sed 's/^/    stderr: /'
        [ "$not" -gt 0 ] || not=1
    fi
    passed=$((passed + ok - skip)) failed=$((failed + not)) skipped=$((skipped + skip))
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
