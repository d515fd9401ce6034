#!/bin/sh
# Installs into a scratch prefix, builds on it as a stranger would, runs that, uninstalls: nothing may be left.
#   packaging/test-install.sh SCRATCH
set -eu
scratch=$1
rm -rf "$scratch"
mkdir -p "$scratch/work"
prefix=$scratch/usr
failed=0
say() { printf '%-64s %s\n' "$1" "$2"; }
check() { # NAME WANTED COMMAND...
    name=$1 wanted=$2
    shift 2
    if got=$("$@" 2>"$scratch/err") && [ "$got" = "$wanted" ]; then
        say "$name" ok
    else
        say "$name" "NOT OK: ${got:-nothing}"
        sed 's/^/    /' "$scratch/err"
        failed=1
    fi
}
tree() { (cd "$1" && find . ! -type d | sort); }

make --no-print-directory -s install PREFIX="$prefix" DESTDIR=
make --no-print-directory -s install PREFIX=/usr DESTDIR="$scratch/image"
tree "$prefix" >"$scratch/there"
check "DESTDIR holds the same files" "$(cat "$scratch/there")" tree "$scratch/image/usr"
make --no-print-directory -s install PREFIX=/usr libdir=/usr/lib/x86_64-linux-gnu DESTDIR="$scratch/debian"
check "a libdir of its own" 'libdir=${prefix}/lib/x86_64-linux-gnu' \
    grep ^libdir= "$scratch/debian/usr/lib/x86_64-linux-gnu/pkgconfig/librunner.pc"
check "a staged pkg-config file names the final place" "prefix=/usr" head -n 1 "$scratch/image/usr/lib/pkgconfig/librunner.pc"

cat >"$scratch/work/hello.c" <<'END'
#include <runner.h>
#include <stdio.h>

int main(void) {
    const char *const argv[] = {"/bin/echo", "hello", NULL};
    runner_t *runner = runner_new();
    runner_set_args(runner, argv);
    runner_capture(runner, 1, 100);
    runner_result_t result = RUNNER_RESULT_INIT;
    int failed = runner_run(runner, &result, NULL);
    runner_free(runner);
    printf("%d %s %d\n", failed, runner_verdict_name(result.verdict), (int)result.output_bytes);
    return failed;
}
END
cat >"$scratch/work/hello.cpp" <<'END'
#include <iostream>
#include <runner.hpp>

int main() {
    const runner_t *none = nullptr;
    std::cout << runner_explain(none, nullptr, 0) << " " << runner_version() << "\n";
}
END
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
number=$(echo "$version" | awk -F. '{ print $1 * 65536 + $2 * 256 + $3 }')
CC=${CC:-cc} CXX=${CXX:-c++}
w=$scratch/work

if command -v pkg-config >/dev/null; then
    export PKG_CONFIG_PATH="$prefix/lib/pkgconfig"
    check "pkg-config knows the version" "$version" pkg-config --modversion librunner
    # shellcheck disable=SC2046 # words are meant
    $CC "$w/hello.c" $(pkg-config --cflags --libs librunner) -o "$w/hello"
    check "C by pkg-config" "0 finished 6" env LD_LIBRARY_PATH="$prefix/lib" "$w/hello"
    check "it is the installed library, by its soname" "$prefix/lib/librunner.so.0" \
        sh -c "LD_LIBRARY_PATH='$prefix/lib' ldd '$w/hello' | awk '/librunner/ { print \$3 }'"
    # shellcheck disable=SC2046
    $CC -static "$w/hello.c" $(pkg-config --static --cflags --libs librunner) -o "$w/hello-static"
    check "C, all static, by pkg-config" "0 finished 6" "$w/hello-static"
else
    say "pkg-config" "skipped: it is not installed"
fi
$CC "$w/hello.c" -I"$prefix/include" "$prefix/lib/librunner.a" -o "$w/hello-inside"
check "C with librunner.a inside and a shared C library" "0 finished 6" "$w/hello-inside"

if command -v cmake >/dev/null && command -v "$CXX" >/dev/null; then
    cat >"$w/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.16)
project(stranger C CXX)
set(CMAKE_CXX_STANDARD 17)
find_package(librunner 0.1 CONFIG REQUIRED)
add_executable(shared_cpp hello.cpp)
target_link_libraries(shared_cpp PRIVATE librunner::runner)
add_executable(static_cpp hello.cpp)
target_link_libraries(static_cpp PRIVATE librunner::runner_static)
add_executable(static_c hello.c)
target_link_libraries(static_c PRIVATE librunner::runner_static)
END
    cmake -S "$w" -B "$w/cmake" -DCMAKE_PREFIX_PATH="$prefix" >"$scratch/err" 2>&1 &&
        cmake --build "$w/cmake" >>"$scratch/err" 2>&1 || { cat "$scratch/err"; failed=1; }
    check "C++ by CMake's find_package" "-22 $number" "$w/cmake/shared_cpp"
    check "C++ by CMake, static library" "-22 $number" "$w/cmake/static_cpp"
    check "C by CMake, static library" "0 finished 6" "$w/cmake/static_c"
    # The installed tree is moved: nothing of the package may know where it was.
    mv "$prefix" "$scratch/moved"
    if cmake -S "$w" -B "$w/cmake-moved" -DCMAKE_PREFIX_PATH="$scratch/moved" >"$scratch/err" 2>&1 &&
        cmake --build "$w/cmake-moved" >>"$scratch/err" 2>&1; then
        check "a moved tree, CMake" "-22 $number" "$w/cmake-moved/shared_cpp"
    else
        cat "$scratch/err"
        failed=1
    fi
    mv "$scratch/moved" "$prefix"
    check "another minor version is refused by CMake" refused sh -c "
        sed 's/librunner 0.1/librunner 0.2/' '$w/CMakeLists.txt' >'$w/other.txt' && mkdir -p '$w/other' &&
        mv '$w/other.txt' '$w/other/CMakeLists.txt' && cp '$w'/hello.c* '$w/other/' &&
        if cmake -S '$w/other' -B '$w/other/build' -DCMAKE_PREFIX_PATH='$prefix' >/dev/null 2>&1; then
            echo taken; else echo refused; fi"
else
    say "CMake" "skipped: no cmake or no C++ compiler"
fi

if command -v man >/dev/null; then
    check "man shows the page" found sh -c "MANPATH='$prefix/share/man' man 3 runner 2>/dev/null | grep -q runner_spawn && echo found"
else
    say "man" "skipped: it is not installed"
fi

make --no-print-directory -s uninstall PREFIX="$prefix" DESTDIR=
check "uninstall leaves no file" "" tree "$prefix"
exit $failed
