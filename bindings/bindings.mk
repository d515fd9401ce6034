# The bindings against an installed copy of the library, each by its own script and real runtime: exit status 77 says
# that something it needs is not here, nor to be had.

BINDINGS = cpp go node python

.PHONY: test-bindings $(BINDINGS:%=test-%) test-readme test-migrating test-containers

## make test-bindings the suites of C++, Go, Node and Python: also test-cpp, test-go, test-node, test-python
test-bindings: $(BINDINGS:%=test-%)

$(BINDINGS:%=test-%): test-%: prefix
	bindings/$*/test.sh $(BUILD)/prefix || [ $$? = 77 ]

## make test-readme   README's programs, as they stand there
test-readme: prefix
	$(IF_PYTHON) tests/readme.py $(BUILD)/prefix README.md

## make test-migrating the names and programs of docs/migrating.md
test-migrating: prefix
	$(IF_PYTHON) GO=$$(bindings/go/toolchain.sh || echo none) tests/migrating.py $(BUILD)/prefix/include $(BUILD)/prefix/lib

## make test-containers the C suite and the judge in containers, by crun and bwrap
test-containers: $(C_TESTS) $(GUEST_PROGRAMS) examples
	containers/test.sh $(BUILD)/c-tests $(BUILD)/examples
