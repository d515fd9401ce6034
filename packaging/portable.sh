#!/bin/sh
# Compiles or links against glibc 2.17, the oldest that Rust's own library for this target works with. Zig has the
# symbols of every glibc; where it is not installed it comes from PyPI, into a venv of its own. Exit status 77: neither.
#   packaging/portable.sh OUTPUT ARGUMENT-OF-CC...
set -eu
output=$1
shift
dir=$(cd "$(dirname "$0")/.." && pwd)/build/zig
mkdir -p "$dir" "$(dirname "$output")"
if command -v zig >/dev/null; then
    zig=zig
else
    { [ -x "$dir/venv/bin/python" ] || python3 -m venv "$dir/venv"; } &&
        { "$dir/venv/bin/python" -c 'import ziglang' 2>/dev/null || "$dir/venv/bin/pip" install -q ziglang==0.13.0; } || {
        echo "skipped: no Zig here, nor from PyPI"
        exit 77
    }
    zig="$dir/venv/bin/python -m ziglang"
fi
# Zig has an unwinder of its own, which takes the place of libgcc's.
ZIG_GLOBAL_CACHE_DIR=$dir/cache ZIG_LOCAL_CACHE_DIR=$dir/cache $zig cc -target "$(uname -m)-linux-gnu.2.17" "$@" \
    -lunwind -o "$output"
objcopy --strip-unneeded "$output"
