#!/bin/sh
# The unit and property tests that need no system call which Miri does not know, under Miri: compile, the fd plan, the
# texts. Exits 77 where there is no nightly toolchain with Miri.
set -eu
cargo +nightly miri --version >/dev/null 2>&1 ||
    rustup component add miri rust-src --toolchain nightly >/dev/null 2>&1 && cargo +nightly miri --version >/dev/null 2>&1 || {
    echo "Miri: skipped, there is no nightly toolchain with it"
    exit 77
}
export MIRIFLAGS=-Zmiri-disable-isolation PROPTEST_CASES=8 PROPTEST_DISABLE_FAILURE_PERSISTENCE=1
exec cargo +nightly miri test --target-dir build/miri --lib -- compile:: fdplan:: text:: procfs:: cgroup::
