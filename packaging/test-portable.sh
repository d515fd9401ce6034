#!/bin/bash
# Loads the portable library where it has to work: it needs no symbol newer than glibc 2.17, and runs with the C library
# of Debian 11 (2.31), the oldest that a Debian mirror still has. The control: the library as linked on this machine,
# where that is newer, does not load there.
#   packaging/test-portable.sh BUILD
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$1 old=$1/glibc-old
. "$here/../tools/debian.sh"
export LC_ALL=C

library=$(echo "$build"/portable/librunner.so.*.*.*)
newest=$(objdump -T "$library" | grep -o 'GLIBC_[0-9.]*' | sort -V | tail -n 1)
[ "$(printf '%s\nGLIBC_2.17\n' "$newest" | sort -V | tail -n 1)" = GLIBC_2.17 ] || {
    echo "NOT OK: it needs $newest"
    exit 1
}
echo "ok: needs nothing newer than $newest"
"$here/check-abi.sh" "$build/portable" "$here/librunner.map" librunner.so.0

if [ ! -d "$old/lib" ]; then
    if ! debian_open bullseye "$old/apt" || ! debian_unpack libc6; then
        echo "skipped: no old C library to load it with"
        exit 0
    fi
    mv "$old/apt/unpacked/lib" "$old/lib"
    rm -rf "$old/apt"
fi
loader=$(echo "$old"/lib/*/ld-2.31.so)
libc=$(dirname "$loader")

cat >"$old/hello.c" <<'END'
#include <dlfcn.h>
#include <gnu/libc-version.h>
#include <runner.h>
#include <stdio.h>

int main(void) {
    const char *const argv[] = {"/bin/echo", "hello", NULL};
    runner_t *runner = runner_new();
    runner_set_args(runner, argv);
    runner_set_stdin_bytes(runner, "x", 1);
    runner_capture(runner, 1, 100);
    runner_result_t result = RUNNER_RESULT_INIT;
    int failed = runner_run(runner, &result, NULL);
    runner_free(runner);
    printf("%s: %d %s %d\n", gnu_get_libc_version(), failed, runner_verdict_name(result.verdict), (int)result.output_bytes);
    return failed;
}
END
"$here/portable.sh" "$old/hello" -I"$here/../include" "$old/hello.c" -L"$build/portable" -lrunner >/dev/null
got=$("$loader" --library-path "$libc:$build/portable" "$old/hello")
[ "$got" = "2.31: 0 finished 6" ] || { echo "NOT OK: $got"; exit 1; }
echo "ok: runs with glibc 2.31"
if "$loader" --library-path "$libc:$build/lib" "$old/hello" >"$old/control" 2>&1; then
    echo "control: the library as linked here loads there too"
else
    echo "control: the library as linked here does not: $(tail -n 1 "$old/control")"
fi
