#!/bin/sh
# The short form of the soak, as the user who runs it: the controls, each of which leaves one thing that has to be
# found, then the mix itself.
#   c-tests/soak/short.sh SOAK [STARTS]
set -u
soak=$1 starts=${2:-100000} failed=0
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT

# control LEAK COUNT: the count is named as what was left, and nothing else is wrong.
control() {
    timeout 100 "$soak" --starts 500 --threads 4 --leak "$1" >"$log" 2>&1
    status=$?
    if [ "$status" = 77 ]; then
        grep 'left out: a leak' "$log"
    elif [ "$status" = 1 ] && grep -q "^LEFT: $2:" "$log" && ! grep -q '^WRONG\|^HANGS' "$log"; then
        grep '^LEFT' "$log" | sed "s/^/control, one $1: /"
    else
        echo "not found: one $1 was left on purpose, exit status $status"
        cat "$log"
        failed=1
    fi
}

control fd fds
control thread threads
control child zombies
control program 'programs of runs'
control mount mounts
control cgroup 'cgroups of runs'
control memory 'bytes from malloc'
timeout 900 "$soak" --starts "$starts" || failed=1
exit "$failed"
