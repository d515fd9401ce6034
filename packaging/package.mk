# The library as it is packaged: what is linked, what is installed, what is checked of it.
#
# cargo makes an archive of some hundred objects. They become one relocatable object in which only runner_* is global:
# that is librunner.a, and librunner.so is linked from it with a version for each symbol. (A cdylib of cargo's own has
# neither soname nor versions, and a version script given to rustc gives none.)

VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
# Counts incompatible changes of the ABI, apart from the version.
ABI = 0
SONAME = librunner.so.$(ABI)
LD ?= ld
OBJCOPY ?= objcopy
AR ?= ar

PREFIX ?= /usr/local
libdir ?= $(PREFIX)/lib
includedir ?= $(PREFIX)/include
mandir ?= $(PREFIX)/share/man
docdir ?= $(PREFIX)/share/doc/librunner

# Some tests are Python programs.
IF_PYTHON = @command -v python3 >/dev/null || { echo "$@: skipped, there is no python3"; exit 0; };
LIBRARY = $(BUILD)/lib
SHARED = $(LIBRARY)/librunner.so.$(VERSION)
STATIC = $(LIBRARY)/librunner.a
OBJECT = $(LIBRARY)/librunner.o
ARCHIVE = target/release/librunner.a
MAP = packaging/librunner.map
HEADERS = $(wildcard include/runner.h include/runner.hpp)
# libgcc's unwinder goes in, so that the host needs no libgcc_s.
LINK = -shared -Wl,-soname,$(SONAME) -Wl,--version-script=$(MAP) -Wl,-z,defs,-z,relro,-z,now,-z,noexecstack -Wl,--gc-sections \
	-Wl,--build-id

.PHONY: cargo lib install uninstall prefix portable test-portable check-abi test-child test-install

cargo:
	$(CARGO) build --release

# Cargo knows best whether it is up to date; what follows is made again only where it wrote a new one.
$(ARCHIVE): cargo
	@:

# The links by which linkers and loaders find the library in a directory.
define LINKS
	ln -sf librunner.so.$(VERSION) $(1)/$(SONAME)
	ln -sf $(SONAME) $(1)/librunner.so
endef

# The linker's garbage collection starts at what is exported.
$(OBJECT): $(ARCHIVE) $(MAP)
	@mkdir -p $(@D)
	sed -n 's/^ *\(runner_[a-z_0-9]*\);.*/\1/p' $(MAP) >$@.exports
	$(LD) -r --gc-sections --strip-debug $$(sed 's/^/-u /' $@.exports) $(ARCHIVE) -o $@.all
	$(OBJCOPY) --keep-global-symbols=$@.exports --strip-unneeded -R .llvmbc -R .llvmcmd $@.all $@
	@rm -f $@.all $@.exports

$(STATIC): $(OBJECT)
	@rm -f $@
	$(AR) crsD $@ $(OBJECT)

$(SHARED): $(OBJECT)
	$(CC) $(LINK) -static-libgcc $(OBJECT) -o $@.unstripped
	$(OBJCOPY) --strip-unneeded $@.unstripped $@
	@rm -f $@.unstripped
	$(call LINKS,$(@D))

## make lib           build/lib: the shared library and the static one
lib: $(SHARED) $(STATIC)

# Both package files say where things are from where they themselves are, so that an installed tree can be moved.
BENEATH_PREFIX = $(patsubst $(PREFIX)/%,$${prefix}/%,$(1))
TO_INCLUDE = $$(realpath -m --relative-to=$(libdir)/cmake/librunner $(includedir))
FILL = sed -e 's|@PREFIX@|$(PREFIX)|g' -e 's|@LIBDIR@|$(call BENEATH_PREFIX,$(libdir))|g' \
	-e 's|@INCLUDEDIR@|$(call BENEATH_PREFIX,$(includedir))|g' -e "s|@TO_INCLUDE@|$(TO_INCLUDE)|g" \
	-e 's|@VERSION@|$(VERSION)|g' -e 's|@SONAME@|$(SONAME)|g'

## make install       to PREFIX (/usr/local), beneath DESTDIR; also libdir, includedir, mandir
install:
	@test -e $(SHARED) || $(MAKE) --no-print-directory lib
	install -d $(DESTDIR)$(libdir)/pkgconfig $(DESTDIR)$(libdir)/cmake/librunner $(DESTDIR)$(includedir) $(DESTDIR)$(mandir)/man3
	install -m 755 $(SHARED) $(DESTDIR)$(libdir)/
	$(call LINKS,$(DESTDIR)$(libdir))
	install -m 644 $(STATIC) $(DESTDIR)$(libdir)/
	install -m 644 $(HEADERS) $(DESTDIR)$(includedir)/
	install -m 644 packaging/runner.3 $(DESTDIR)$(mandir)/man3/
	$(FILL) packaging/librunner.pc.in >$(DESTDIR)$(libdir)/pkgconfig/librunner.pc
	$(FILL) packaging/librunner-config.cmake.in >$(DESTDIR)$(libdir)/cmake/librunner/librunner-config.cmake
	$(FILL) packaging/librunner-config-version.cmake.in >$(DESTDIR)$(libdir)/cmake/librunner/librunner-config-version.cmake

## make uninstall     removes what make install with the same variables has put there
uninstall:
	rm -f $(DESTDIR)$(libdir)/librunner.so $(DESTDIR)$(libdir)/$(SONAME) $(DESTDIR)$(libdir)/librunner.so.$(VERSION) \
		$(DESTDIR)$(libdir)/librunner.a $(DESTDIR)$(includedir)/runner.h $(DESTDIR)$(includedir)/runner.hpp \
		$(DESTDIR)$(mandir)/man3/runner.3 $(DESTDIR)$(libdir)/pkgconfig/librunner.pc
	rm -rf $(DESTDIR)$(libdir)/cmake/librunner

# An installed copy to build the bindings against.
prefix: lib
	@$(MAKE) --no-print-directory -s install PREFIX=$(BUILD)/prefix DESTDIR=

## make portable      build/portable: the shared library for glibc 2.17 and later (links with Zig, from PyPI)
portable: $(OBJECT)
	packaging/portable.sh $(BUILD)/portable/librunner.so.$(VERSION) $(LINK) $(OBJECT)
	$(call LINKS,$(BUILD)/portable)

## make test-portable loads it with an old C library
test-portable: $(OBJECT)
	@{ $(MAKE) --no-print-directory -s portable && packaging/test-portable.sh $(BUILD); } || [ ! -e $(BUILD)/portable/librunner.so ]

## make check-abi     what is exported, needed and how large it is, against the committed list
check-abi: lib
	packaging/check-abi.sh $(LIBRARY) $(MAP) $(SONAME)

## make test-child    by disassembly: what the child can call between clone and exec
test-child: lib
	$(IF_PYTHON) python3 tools/child-calls.py $(ARCHIVE)

## make test-install  installs into a scratch prefix and builds on it: pkg-config, CMake, static
test-install: lib
	@tools/need.sh cmake pkg-config c++=g++
	packaging/test-install.sh $(BUILD)/install-test
