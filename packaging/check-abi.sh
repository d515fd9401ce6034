#!/bin/sh
# Holds what was built against what is promised: the exported symbols and their versions, the soname, what is needed at
# run time, hardening, size.
#   packaging/check-abi.sh LIBRARY-DIR MAP SONAME
set -eu
export LC_ALL=C
dir=$1 map=$2 soname=$3
shared=$dir/librunner.so static=$dir/librunner.a
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

same() { # WHAT WANTED GOT
    if cmp -s "$2" "$3"; then
        echo "ok: $1"
    else
        echo "NOT OK: $1 (- wanted, + found)"
        diff -u "$2" "$3" | tail -n +3
        failed=1
    fi
}

# A name a line, with its version: `runner_new RUNNER_0.1`.
awk '/^RUNNER_/ { node = $1 } /^ *runner_/ { gsub(/[ ;]/, ""); print $0, node }' "$map" | sort >"$work/map"
cut -d ' ' -f 1 "$work/map" >"$work/names"

sed -n 's/^[a-z].*[ *]\(runner_[a-z_0-9]*\)(.*/\1/p' include/runner.h | sort >"$work/header"
same "the map has every function of the header and no other" "$work/header" "$work/names"

nm -D --defined-only --with-symbol-versions "$shared" | awk '$2 != "A" { sub(/@@?/, " ", $3); print $3 }' | sort >"$work/so"
same "the shared library exports the map's symbols with their versions, and nothing else" "$work/map" "$work/so"

if [ -e "$static" ]; then
    nm --defined-only --extern-only "$static" | awk 'NF == 3 { print $3 }' | sort >"$work/a"
    same "the static library has the map's symbols as its only global ones" "$work/names" "$work/a"
fi

readelf -d "$shared" | sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p' >"$work/soname"
echo "$soname" >"$work/wanted"
same "the soname" "$work/wanted" "$work/soname"

readelf -d "$shared" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | grep -vE '^(ld-linux|lib(pthread|dl)\.so)' |
    sort >"$work/needed"
echo libc.so.6 >"$work/wanted"
same "it needs the C library alone (libpthread and libdl were parts of it before 2.34)" "$work/wanted" "$work/needed"

{ readelf -dW "$shared" | grep -Eo 'BIND_NOW|TEXTREL'; readelf -lW "$shared" | grep -Eo 'GNU_RELRO|GNU_STACK.*RWE'; } |
    sort -u >"$work/hard"
printf 'BIND_NOW\nGNU_RELRO\n' >"$work/wanted"
same "relocations are read-only, the stack is not executable" "$work/wanted" "$work/hard"

size=$(wc -c <"$(readlink -f "$shared")")
echo "size: $size bytes; glibc: $(objdump -T "$shared" | grep -o 'GLIBC_[0-9.]*' | sort -V | tail -n 1) as linked here"
if [ "$size" -gt 1048576 ]; then
    echo "NOT OK: larger than 1 MiB"
    failed=1
fi
exit $failed
