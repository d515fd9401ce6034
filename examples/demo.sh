#!/bin/sh
# What `make demo` runs, from the top directory, after the library and the examples are built: what this machine
# offers, then the judge over its own problems. The exit status is the judge's: 0 where every verdict is as expected.
set -u
cd "$(dirname "$0")/.." || exit 2

build/examples/probe || exit 2
echo
exec build/examples/judge "$@" examples/problems
