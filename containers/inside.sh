#!/bin/sh
# The first process of a test's container: runs TAP programs and prints what they say, framed by lines that begin with
# "@" (see tap.awk).
#   inside.sh PROGRAM...
for program in "$@"; do
    echo "@program $program"
    timeout -s KILL 100 "$program" 2>/tmp/stderr </dev/null
    status=$?
    tail -n 20 /tmp/stderr | sed 's/^/@stderr /'
    echo "@status $status"
done
echo "@end"
