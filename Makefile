# librunner: `make demo` and `make test` are the two commands; `make help` lists the rest.

CC ?= cc
CXX ?= c++
CARGO ?= cargo
CFLAGS ?= -O2 -g
WARNINGS = -Wall -Wextra -Wpedantic -Werror
BUILD = $(CURDIR)/build
# As a user links it: the header, the shared library, and where to find it at run time.
USE_RUNNER = -Iinclude -L$(LIBRARY) -lrunner -Wl,-rpath,$(LIBRARY) -pthread
# A C test, and its run: as who runs this and, where that is root, as an ordinary user.
define C_TEST
@mkdir -p $(@D)
$(CC) -std=gnu11 $(WARNINGS) $(CFLAGS) $(GUESTS) -Ic-tests $< -o $@ $(USE_RUNNER)
endef
define RUN_C_TESTS
c-tests/run.sh $(1)
RUNNER_TEST_UID=65534 c-tests/run.sh $(1)
endef
# The programs that the C tests start.
GUESTS = -DGUEST='"$(BUILD)/c-tests/guest.static"' -DGUEST_DIR='"$(BUILD)/c-tests"'

SOURCES = $(wildcard c-tests/*.c)
C_TESTS = $(SOURCES:c-tests/%.c=$(BUILD)/c-tests/%)
ASAN_TESTS = $(SOURCES:c-tests/%.c=$(BUILD)/asan/%)
GUEST_PROGRAMS = $(patsubst c-tests/guest/%.c,$(BUILD)/c-tests/%.static,$(wildcard c-tests/guest/*.c))
EXAMPLES = $(patsubst examples/%.c,$(BUILD)/examples/%,$(wildcard examples/*.c))
BENCHES = $(BUILD)/benches/start $(BUILD)/benches/runs $(BUILD)/benches/exit.static

.PHONY: all examples demo test test-rust test-header test-c test-c-user test-asan faults-lib test-faults test-attacks \
	test-conformance soak test-soak fuzz test-fuzz miri deny test-examples test-vm bench bench-start bench-runs header \
	header-check lint clean help

all: lib examples

include packaging/package.mk
include bindings/bindings.mk

help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

examples: $(EXAMPLES)

$(BUILD)/examples/%: examples/%.c $(wildcard examples/judge/*.h) include/runner.h | lib
	@mkdir -p $(@D)
	$(CC) -std=gnu11 $(WARNINGS) $(CFLAGS) $< -o $@ $(USE_RUNNER)

$(BUILD)/c-tests/%: c-tests/%.c $(wildcard c-tests/*.h) include/runner.h | lib
	$(C_TEST)

$(BUILD)/asan/%: c-tests/%.c $(wildcard c-tests/*.h) include/runner.h | lib
	@mkdir -p $(@D)
	$(CC) -std=gnu11 $(WARNINGS) -O1 -g -fsanitize=address -fno-omit-frame-pointer $(GUESTS) $< -o $@ $(USE_RUNNER)

$(BUILD)/c-tests/%.static: c-tests/guest/%.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 $(WARNINGS) $(CFLAGS) -static $< -o $@

$(BUILD)/benches/start $(BUILD)/benches/runs: $(BUILD)/benches/%: benches/%.c include/runner.h | lib
	@mkdir -p $(@D)
	$(CC) -std=gnu11 $(WARNINGS) -O2 $< -o $@ $(USE_RUNNER)

$(BUILD)/benches/exit.static: benches/exit.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 $(WARNINGS) -O2 -static $< -o $@

## make demo          judge the submissions that ship with the project
demo: lib examples
	examples/demo.sh

## make test          every test that takes no virtual machine, as root and as an ordinary user
test: test-rust test-header check-abi test-child test-c test-c-user test-asan test-faults test-attacks test-conformance \
	test-soak test-fuzz test-examples test-install test-portable test-bindings test-readme test-migrating test-containers

## make test-rust     unit, property and golden tests
test-rust:
	$(CARGO) test --release

## make test-header   the header alone, as C99, C11 and C++17
test-header:
	@for std in c99 c11; do \
		echo "header as $$std"; \
		printf '#include "runner.h"\n#include "runner.h"\nrunner_error_t e = RUNNER_ERROR_INIT;\nrunner_probe_t p = RUNNER_PROBE_INIT;\nrunner_result_t r = RUNNER_RESULT_INIT;\n' \
		| $(CC) -std=$$std $(WARNINGS) -Iinclude -x c -fsyntax-only - || exit 1; done
	@if command -v $(CXX) >/dev/null; then echo "header as c++17"; \
		printf '#include "runner.h"\n#include "runner.h"\nrunner_error_t e = RUNNER_ERROR_INIT;\nrunner_probe_t p = RUNNER_PROBE_INIT;\nrunner_result_t r = RUNNER_RESULT_INIT;\n' \
		| $(CXX) -std=c++17 $(WARNINGS) -Iinclude -x c++ -fsyntax-only -; \
	else echo "header as c++17: skipped, no C++ compiler"; fi
	@! grep -n '^#define ' include/runner.h | grep -v ' RUNNER_' || { echo "a macro without RUNNER_ in its name"; exit 1; }

## make test-c        the C suite, linked to the shared library as a user links it
test-c: $(C_TESTS) $(GUEST_PROGRAMS)
	c-tests/run.sh $(C_TESTS)

## make test-c-user   the same as an ordinary user (when root)
test-c-user: $(C_TESTS) $(GUEST_PROGRAMS)
	RUNNER_TEST_UID=65534 c-tests/run.sh $(C_TESTS)

## make test-asan     the same with the tests under AddressSanitizer
test-asan: $(ASAN_TESTS) $(GUEST_PROGRAMS)
	ASAN_OPTIONS=detect_leaks=0:handle_segv=0:allow_user_segv_handler=1 c-tests/run.sh $(ASAN_TESTS)

## make test-examples runs the examples and looks at what they print, as root and as an ordinary user
test-examples: examples
	examples/check.sh $(BUILD)/examples
	tools/as-user.sh examples/check.sh $(BUILD)/examples

# A library of which ops can be made to fail.
FAULTS = $(CURDIR)/target/faults/release
$(BUILD)/faults/%: LIBRARY = $(FAULTS)
faults-lib:
	$(CARGO) build --release --features faults --target-dir target/faults
$(BUILD)/faults/%: c-tests/faults/%.c $(wildcard c-tests/faults/*.h c-tests/*.h) include/runner.h | faults-lib
	$(C_TEST)

## make test-faults   every op of many kinds of launch fails in turn, and the child is killed there
test-faults: $(BUILD)/faults/faults $(GUEST_PROGRAMS)
	$(call RUN_C_TESTS,$(BUILD)/faults/faults)

# Hostile programs, and what is to hold them.
ATTACKS = $(patsubst c-tests/attacks/%.c,$(BUILD)/attacks/%,$(filter-out c-tests/attacks/hostile.c,$(wildcard c-tests/attacks/*.c)))
HOSTILE = $(BUILD)/attacks/hostile.static
$(ATTACKS): GUESTS += -DHOSTILE='"$(HOSTILE)"'
$(BUILD)/attacks/%: c-tests/attacks/%.c $(wildcard c-tests/attacks/*.h c-tests/*.h) examples/judge/sandbox.h include/runner.h | lib
	$(C_TEST)
$(HOSTILE): c-tests/attacks/hostile.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 $(WARNINGS) $(CFLAGS) -Ic-tests -static $< -o $@

## make test-attacks  what hostile programs try, each with a control that shows it biting
test-attacks: $(ATTACKS) $(HOSTILE) $(GUEST_PROGRAMS)
	$(call RUN_C_TESTS,$(ATTACKS))

# What others test of theirs.
CONFORMANCE = $(patsubst c-tests/conformance/%.c,$(BUILD)/conformance/%,$(wildcard c-tests/conformance/*.c))
$(BUILD)/conformance/%: c-tests/conformance/%.c $(wildcard c-tests/conformance/*.h c-tests/*.h) include/runner.h | lib
	$(C_TEST)

## make test-conformance cases of bubblewrap, minijail, nsjail, go-sandbox and posix_spawn: docs/conformance.md
test-conformance: $(CONFORMANCE) $(GUEST_PROGRAMS)
	$(call RUN_C_TESTS,$(CONFORMANCE))
	$(IF_PYTHON) c-tests/conformance/check.py

$(BUILD)/soak/%: c-tests/soak/%.c $(wildcard c-tests/soak/*.h c-tests/*.h) include/runner.h | lib
	$(C_TEST)

## make soak          an hour of every kind of start from 8 threads; make test-soak: 100,000 starts
soak: $(BUILD)/soak/soak $(GUEST_PROGRAMS)
	$(BUILD)/soak/soak --seconds 3600
test-soak: $(BUILD)/soak/soak $(GUEST_PROGRAMS)
	c-tests/soak/short.sh $(BUILD)/soak/soak
	tools/as-user.sh c-tests/soak/short.sh $(BUILD)/soak/soak 3000

## make fuzz          every fuzz target for ten minutes; make test-fuzz: for 10 seconds
fuzz:
	fuzz/run.sh 600
test-fuzz:
	fuzz/run.sh 10 || [ $$? = 77 ]

## make miri          the tests of what is pure, under Miri; make deny: licences and sources of the dependencies (cargo-deny)
miri:
	tools/miri.sh || [ $$? = 77 ]
deny:
	@command -v cargo-deny >/dev/null || [ -x $(BUILD)/tools/bin/cargo-deny ] || \
		$(CARGO) install -q cargo-deny --locked --root $(BUILD)/tools
	PATH="$(BUILD)/tools/bin:$$PATH" $(CARGO) deny check licenses bans sources

## make test-vm       the C suite on Debian's kernel 6.1 with cgroup v2 alone: KERNELS="5.10 6.1 6.12" TESTS="root sync"
test-vm: $(C_TESTS) $(GUEST_PROGRAMS)
	KERNELS="$(KERNELS)" TESTS="$(TESTS)" vm/run.sh $(C_TESTS)

## make bench         the benchmarks: `make bench ARGS=--markdown` for README's tables
bench: bench-start bench-runs
## make bench-start   what a start costs
bench-start: lib $(BENCHES)
	benches/run.sh start $(ARGS)
## make bench-runs    what a watched run costs, and how precise its limits are
bench-runs: lib $(BENCHES)
	benches/run.sh runs $(ARGS)

## make header        writes what is made from other sources: header, man page, the bindings' declarations, chart
header:
	$(CARGO) build --features header
	python3 packaging/man.py include/runner.h $(VERSION) examples/run.c >$(BUILD)/runner.3
	mv $(BUILD)/runner.3 packaging/runner.3
	python3 bindings/declarations.py
	python3 benches/chart.py docs/speed.md docs/start.svg
GENERATED = include/runner.h packaging/runner.3 docs/start.svg bindings/node/lib/declarations.json \
	bindings/python/librunner/_declarations.py

## make header-check  fails where one of them is not what its sources say
header-check:
	@rm -rf $(BUILD)/committed && mkdir -p $(BUILD)/committed && cp --parents $(GENERATED) $(BUILD)/committed
	@$(MAKE) --no-print-directory header
	@for file in $(GENERATED); do diff -u $(BUILD)/committed/$$file $$file || stale="$$stale $$file"; done; \
	[ -z "$$stale" ] || { echo "not up to date, now written anew, to be committed:$$stale"; exit 1; }

## make lint          formatting, clippy, rustdoc, Doxygen and the man page, warnings as errors
lint:
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps
	@if command -v doxygen >/dev/null; then echo doxygen packaging/Doxyfile; mkdir -p $(BUILD); doxygen packaging/Doxyfile; \
	else echo "doxygen: skipped, it is not installed"; fi
	@if command -v groff >/dev/null; then echo "groff -man -ww packaging/runner.3"; \
		warned=$$(groff -man -ww -z packaging/runner.3 2>&1); [ -z "$$warned" ] || { echo "$$warned"; exit 1; }; \
	else echo "the man page: skipped, no groff"; fi

## make clean         removes what was built
clean:
	$(CARGO) clean
	rm -rf $(BUILD)
