#!/bin/sh
# Runs a command once more as an ordinary user, with a home and a directory for temporary files of his own. Where
# nobody is root there is nobody else to be, and nothing is run.
#   tools/as-user.sh COMMAND [ARGUMENT...]
set -eu
[ "$(id -u)" = 0 ] || exit 0
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
chown 65534:65534 "$home"
HOME=$home TMPDIR=$home setpriv --reuid 65534 --regid 65534 --clear-groups "$@"
