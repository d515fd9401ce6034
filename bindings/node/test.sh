#!/usr/bin/env bash
# The tests of the Node binding against an installed library: test.sh [PREFIX], by default build/prefix. Once as who
# runs this and, where that is root, once as an ordinary user. Ends with 77, and says why, where there is no Node or npm cannot get
# what is needed.
set -euo pipefail
given=${1:+$(realpath "$1")}
cd "$(dirname "$0")"
export RUNNER_LIBRARY=${given:-$(realpath ../../build/prefix)}/lib/librunner.so.0

skip() {
    echo "Node: skipped, $1"
    exit 77
}
command -v node >/dev/null || skip "there is no node here"
[ "$(node -p 'parseInt(process.versions.node) >= 18')" = true ] || skip "$(node --version) is older than 18"
# What was installed for this very lock file is good enough.
if ! cmp -s package-lock.json node_modules/.installed-for; then
    command -v npm >/dev/null || skip "there is no npm here"
    npm ci --ignore-scripts --no-audit --no-fund || skip "npm cannot get what is needed"
    cp package-lock.json node_modules/.installed-for
fi
echo "Node: $(node --version)"
node --test --test-reporter=spec test/*.test.js
../../tools/as-user.sh node --test --test-reporter=spec test/*.test.js
