#!/usr/bin/env bash
# All that is tested of C++ against an installed library: test.sh [PREFIX [BUILD]], build/prefix and build/cpp by
# default. As who runs this and, where that is root, as an ordinary user too. Ends with 77, and says why, where there
# is no C++ compiler.
set -euo pipefail
repository=$(realpath "$(dirname "$0")/../..")
prefix=$(realpath "${1:-$repository/build/prefix}")
build=$(realpath -m "${2:-$repository/build/cpp}")
cd "$repository/bindings/cpp"
"$repository/tools/need.sh" c++=g++ cmake pkg-config
CXX=${CXX:-c++}
command -v "$CXX" >/dev/null || { echo "C++: skipped, there is no compiler ($CXX)"; exit 77; }
command -v python3 >/dev/null || { echo "C++: skipped, there is no python3 to make the cases"; exit 77; }
mkdir -p "$build"
export LD_LIBRARY_PATH=$prefix/lib PKG_CONFIG_PATH=$prefix/lib/pkgconfig

strict="-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Werror"
if command -v pkg-config >/dev/null; then
    include=$(pkg-config --cflags librunner) link=$(pkg-config --libs librunner)
else
    echo "pkg-config: skipped, it is not installed"
    include=-I$prefix/include link="-L$prefix/lib -lrunner"
fi
suite="main.cpp bad_input.cpp options.cpp runs.cpp $build/cases.cpp $build/declared.cpp"

parallel() { # ends with 1 where one of the commands, a line each, does
    xargs -P "$(nproc)" -I{} sh -c '{}'
}

compile() { # PROGRAM FLAGS SOURCE...
    local program=$1 flags=$2 source
    shift 2
    rm -f "$program"-*.o
    for source; do
        echo "$CXX -std=c++17 -g $strict $flags -I. $include -c $source -o $program-$(basename "$source").o"
    done | parallel
    # shellcheck disable=SC2086 # words are meant
    "$CXX" $flags "$program"-*.o -o "$program" $link -pthread
}

run() { # PROGRAM: both users
    "$repository/c-tests/run.sh" "$1"
    [ "$(id -u)" != 0 ] || RUNNER_TEST_UID=65534 "$repository/c-tests/run.sh" "$1"
}

python3 cases.py ../cases.json >"$build/cases.cpp"
python3 declared.py "$prefix/include" >"$build/declared.cpp"

echo "by other compilers and in other standards, without a warning:"
for compiler in "g++ -std=c++20" "clang++ -std=c++17" "clang++ -std=c++20"; do
    if command -v "${compiler%% *}" >/dev/null; then
        echo "    $compiler"
        {
            printf "$compiler -fsyntax-only $strict -I. $include %s\n" $suite
            echo "$compiler -fsyntax-only -fno-exceptions $strict $include by_value.cpp"
        } | parallel
    else
        echo "    $compiler: skipped, it is not installed"
    fi
done

echo "by hand:"
compile "$build/suite" "-O1" $suite
run "$build/suite"

echo "under AddressSanitizer, which looks for leaks too, and UBSan:"
compile "$build/asan" "-O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer" $suite
grep -q __asan_init "$build/asan" && grep -q __ubsan_handle "$build/asan" || { echo "it is not on"; exit 1; }
ASAN_OPTIONS=detect_leaks=1 run "$build/asan"

echo "without exceptions:"
compile "$build/by_value" "-fno-exceptions" by_value.cpp
run "$build/by_value"
if compile "$build/throwing" "-fno-exceptions -DTHROWING" by_value.cpp 2>"$build/throwing.err"; then
    echo "a call that throws has compiled"
    exit 1
fi
grep -q "this build has no exceptions" "$build/throwing.err"

echo "the README's programs:"
rm -rf "$build/readme"
mkdir "$build/readme"
python3 snippets.py README.md "$build/readme"
for source in "$build"/readme/*.cpp; do
    # shellcheck disable=SC2086
    "$CXX" -std=c++17 $include "$source" -o "${source%.cpp}" $link
    timeout 60 "${source%.cpp}" >"${source%.cpp}.out"
    diff "${source%.cpp}.prints" <(grep . "${source%.cpp}.out") || { echo "${source##*/} prints this"; exit 1; }
done

echo "the example:"
# shellcheck disable=SC2086
"$CXX" -std=c++17 $strict "$repository/examples/grade.cpp" $include -o "$build/grade" $link
./grade.sh "$build/grade"
[ "$(id -u)" != 0 ] || setpriv --reuid 65534 --regid 65534 --clear-groups ./grade.sh "$build/grade"

if command -v cmake >/dev/null; then
    echo "by CMake:"
    cmake -S . -B "$build/cmake" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_CXX_COMPILER="$CXX" >"$build/cmake.log"
    cmake --build "$build/cmake" >>"$build/cmake.log" || { tail -n 40 "$build/cmake.log"; exit 1; }
    (cd "$build/cmake" && ctest --output-on-failure)
    ./grade.sh "$build/cmake/grade"
else
    echo "by CMake: skipped, it is not installed"
fi
