#!/bin/sh
# What `make bench` runs: builds the target program where that has not been done, and passes its arguments through.
#
#   benches/run.sh start [--markdown] [--rounds N] [--sizes GIB,GIB]
#   benches/run.sh runs [--markdown] [--rounds N]
set -eu
cd "$(dirname "$0")/.."

target=build/benches/exit.static
if [ ! -x "$target" ] || [ benches/exit.c -nt "$target" ]; then
    mkdir -p build/benches
    # Without libc where this architecture has a _start of ours, else with all of it.
    ${CC:-cc} -O2 -static -nostdlib -DNO_LIBC benches/exit.c -o "$target" 2>/dev/null ||
        ${CC:-cc} -O2 -static benches/exit.c -o "$target"
fi
bench=$1
shift
exec "build/benches/$bench" "$@" "$PWD/$target"
