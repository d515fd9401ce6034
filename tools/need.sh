#!/bin/sh
# Installs commands that tests use and this machine lacks, by its own package client, where that can be done: as root,
# with apt. Where it cannot, nothing happens: who needs one looks for it, and says what it skips.
#   tools/need.sh COMMAND[=PACKAGE]...
missing=""
for need in "$@"; do
    command -v "${need%%=*}" >/dev/null || missing="$missing ${need#*=}"
done
[ -n "$missing" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || exit 0
echo "installing$missing"
log=$(mktemp)
# shellcheck disable=SC2086 # words are meant
{ apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends $missing; } \
    >"$log" 2>&1 || { echo "apt cannot install$missing:"; tail -n 5 "$log"; }
rm -f "$log"
