#!/bin/sh
# Runs the fuzz targets: fuzz/run.sh SECONDS [TARGET...]. Builds what is missing. A finding is kept in
# build/fuzz/artifacts/TARGET, new inputs in build/fuzz/corpus/TARGET. Exits 77 where this machine cannot fuzz.
set -eu
seconds=${1:?usage: fuzz/run.sh SECONDS [TARGET...]}
shift
cd "$(dirname "$0")"
build=$(cd .. && pwd)/build
export CARGO_TARGET_DIR="$build/fuzz"
PATH="$build/fuzz-tools/bin:$PATH"
toolchain=${FUZZ_TOOLCHAIN:-nightly}

skip() {
	echo "fuzz: skipped: $*"
	exit 77
}

cargo "+$toolchain" --version >/dev/null 2>&1 ||
	skip "there is no $toolchain toolchain (rustup toolchain install $toolchain)"
log="$build/fuzz-tools/log"
mkdir -p "$build/fuzz-tools"
command -v cargo-fuzz >/dev/null ||
	cargo install cargo-fuzz --locked --root "$build/fuzz-tools" >"$log" 2>&1 ||
	skip "cargo-fuzz cannot be installed: $(tail -n 1 "$log")"
cargo "+$toolchain" fetch >"$log" 2>&1 || skip "the dependencies cannot be fetched: $(tail -n 1 "$log")"
cargo "+$toolchain" fuzz build --fuzz-dir . >"$log" 2>&1 || { cat "$log"; exit 1; }

[ $# -gt 0 ] || set -- $(sed -n 's/^name = "\(.*\)"/\1/p' Cargo.toml | tail -n +2)
failed=0
for target; do
	mkdir -p "$build/fuzz/corpus/$target" "$build/fuzz/artifacts/$target"
	log="$build/fuzz/$target.log"
	program=$(echo "$CARGO_TARGET_DIR"/*/release/"$target")
	artifacts="$build/fuzz/artifacts/$target/"
	# The committed corpus is read only: libFuzzer writes to the first directory.
	if "$program" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -artifact_prefix="$artifacts" \
		"$build/fuzz/corpus/$target" "corpus/$target" >"$log" 2>&1; then
		echo "fuzz: $target: $(grep '^Done' "$log")"
	else
		echo "fuzz: $target: FAILED, see $log and $artifacts"
		tail -n 40 "$log"
		failed=1
	fi
done
exit $failed
