# librunner: `make demo` and `make test` are the two commands; `make help` lists the rest.

CC ?= cc
CXX ?= c++
CARGO ?= cargo
CFLAGS ?= -O2 -g
WARNINGS = -Wall -Wextra -Wpedantic -Werror
BUILD = build
LIBDIR = $(CURDIR)/target/release
LIB = $(LIBDIR)/librunner.so
# As a user links it: the header, the shared library, and where to find it at run time.
USE_RUNNER = -Iinclude -L$(LIBDIR) -lrunner -Wl,-rpath,$(LIBDIR) -pthread

C_TESTS = $(patsubst c-tests/%.c,$(BUILD)/c-tests/%,$(wildcard c-tests/*.c))
EXAMPLES = $(patsubst examples/%.c,$(BUILD)/examples/%,$(wildcard examples/*.c))
BENCHES = $(patsubst benches/%.c,$(BUILD)/benches/%,$(wildcard benches/*.c))

.PHONY: all lib demo test test-rust test-header test-c test-c-user test-asan bench header header-check lint clean help

all: lib $(EXAMPLES)

help:
	@sed -n 's/^## //p' Makefile

lib:
	$(CARGO) build --release
$(LIB): lib

$(BUILD)/%: %.c $(LIB) include/runner.h $(wildcard c-tests/*.h)
	@mkdir -p $(dir $@)
	$(CC) -std=gnu11 $(WARNINGS) $(CFLAGS) $< -o $@ $(USE_RUNNER)

## make demo          judge the submissions that ship with the project
demo: lib $(EXAMPLES)
	examples/demo.sh

## make test          every test: Rust, header, C (as root and as an ordinary user, and under AddressSanitizer)
test: test-rust test-header test-c test-c-user test-asan
