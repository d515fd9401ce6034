#!/bin/sh
# Links the object against glibc 2.17, the oldest that Rust's own library for this target works with. Zig's linker has
# the symbols of every glibc; it comes from PyPI into a venv of its own.
#   packaging/portable.sh OBJECT OUTPUT LINK-OPTION...
set -eu
object=$1 output=$2
shift 2
dir=$(dirname "$output")
mkdir -p "$dir"
if command -v zig >/dev/null; then
    zig=zig
else
    venv=$dir/zig
    [ -x "$venv/bin/python" ] || python3 -m venv "$venv"
    "$venv/bin/python" -c 'import ziglang' 2>/dev/null || "$venv/bin/pip" install -q ziglang==0.13.0
    zig="$venv/bin/python -m ziglang"
fi
arch=$(uname -m)
# Zig has an unwinder of its own in the place of libgcc's.
ZIG_GLOBAL_CACHE_DIR=$dir/cache ZIG_LOCAL_CACHE_DIR=$dir/cache $zig cc -target "$arch-linux-gnu.2.17" "$@" \
    "$object" -lunwind -o "$output"
objcopy --strip-unneeded "$output"
newest=$(objdump -T "$output" | grep -o 'GLIBC_[0-9.]*' | sort -V | tail -n 1)
echo "$output: $(wc -c <"$output") bytes, needs $newest"
