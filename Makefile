# The front door. `make help` lists what there is; CMakePresets.json knows how things are built.

ifneq ($(filter-out qemu,$(BOARD)),)
$(error BOARD=$(BOARD): there is only qemu so far)
endif

.DEFAULT_GOAL := help
.PHONY: help setup deps build firmware demo demo-board test run fuzz bench size fmt check clean e2e \
	release debug clang-debug qemu qemu-m0plus qemu-32k qemu-no-server qemu-no-server-modules \
	qemu-modules qemu-m0plus-modules check-tools check-layers check-purity check-fmt \
	check-machine

GO := $(CURDIR)/tools/go
PYTHON := python3
BUILD := build/release

# Each fuzzer's share of `make fuzz`, in seconds; FUZZERS picks some of them.
FUZZ_SECONDS ?= 60
FUZZERS ?= $(patsubst fuzz/%_fuzz.c,%,$(wildcard fuzz/*_fuzz.c))
# Arguments of `make run`.
ARGS ?= --help

# Looked at when a recipe runs, not when this file is read.
SOURCES = $(shell find src drivers boards ports tests fuzz bench -name '*.[ch]' 2>/dev/null)

help: ## list these targets
	@echo 'femtokubelet: a Kubernetes kubelet for microcontrollers'
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

demo: $(if $(BOARD),demo-board,release) ## a real control plane and a node of ours in it, to look at with kubectl
	@$(if $(BOARD),,tools/demo)

demo-board: release firmware ## the same, and the firmware on a board in QEMU (or make demo BOARD=qemu)
	@tools/demo --board

test: setup deps check-tools check-layers check-fmt ## all tests and checks; what CI runs
	@$(MAKE) --no-print-directory debug TESTS=yes
	@$(MAKE) --no-print-directory clang-debug TESTS=yes
	@$(MAKE) --no-print-directory release TESTS=yes
	@$(MAKE) --no-print-directory check-purity qemu-32k check-machine e2e
	@echo 'make test: all passed'

check: setup deps check-tools check-layers check-fmt release check-purity ## the quick part of test: structure and format

run: release ## the Linux node: make run ARGS="..."
	@$(BUILD)/femtokubelet $(ARGS)

fuzz: setup deps ## each fuzzer for FUZZ_SECONDS (60); findings stay in build/fuzz/found
	@echo '== fuzz: build'
	@cmake --preset fuzz >/dev/null && cmake --build --preset fuzz -- --quiet
	@mkdir -p build/fuzz/found
	@set -e; for name in $(FUZZERS); do \
	    echo "== fuzz: $$name, $(FUZZ_SECONDS) s"; \
	    mkdir -p build/fuzz/work/$$name; \
	    build/fuzz/fuzz/$${name}_fuzz -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 \
	        -verbosity=0 -artifact_prefix=build/fuzz/found/$$name- -timeout=10 \
	        build/fuzz/work/$$name fuzz/corpus/$$name; \
	done

bench: release qemu qemu-no-server qemu-m0plus ## all figures with their bounds; DOCS=yes writes docs/figures.md
	@tools/bench $(if $(DOCS),--docs) $(if $(SPAN),--span $(SPAN)) $(BENCH)

size: qemu qemu-no-server qemu-m0plus qemu-modules qemu-no-server-modules qemu-m0plus-modules ## where a board's flash and RAM go; DOCS=yes writes docs/budget.md
	@tools/size $(if $(DOCS),--docs)

firmware: qemu ## build/qemu/femtokubelet.elf, for QEMU's mps2-an385

fmt: ## format all C sources
	@clang-format -i $(SOURCES)

clean: ## remove build/ (downloads stay in the cache)
	rm -rf build

# --- the parts ---------------------------------------------------------------------------------

setup:
	@tools/setup

deps:
	@third_party/fetch

# TESTS=yes: also run them.
release debug clang-debug clang-release qemu qemu-m0plus qemu-32k qemu-no-server qemu-no-server-modules \
qemu-modules qemu-m0plus-modules: setup deps
	@echo '== $@: build'
	@cmake --preset $@ >/dev/null
	@cmake --build --preset $@ -- --quiet
	@if [ -n "$(TESTS)" ]; then echo '== $@: test'; ctest --preset $@; fi

build: release ## build/release/femtokubelet and femtosim, without a control plane

check-tools:
	@echo '== the tools themselves'
	@$(PYTHON) -m unittest discover -s tools/tests

check-layers:
	@tools/check-layers

check-purity:
	@tools/check-purity $(BUILD)

# The board's machine, without the node, on the emulator.
check-machine: qemu qemu-m0plus
	@echo '== check-machine'
	@tools/check-machine

# Versions of clang-format disagree: the one of Debian 12 decides, others are not asked.
CLANG_FORMAT_VERSION := 14

check-fmt:
	@clang-format --version | grep -q 'version $(CLANG_FORMAT_VERSION)\.' || { \
	    echo 'check-fmt: skipped, needs clang-format $(CLANG_FORMAT_VERSION)'; exit 0; }; \
	bad=; for file in $(SOURCES); do \
	    clang-format --dry-run -Werror "$$file" 2>/dev/null || bad="$$bad $$file"; \
	done; if [ -n "$$bad" ]; then echo "check-fmt: run make fmt; not formatted:$$bad"; exit 1; fi; \
	echo 'check-fmt: $(words $(SOURCES)) files, all formatted'

# Tests of the real thing against a real control plane. -count=1: Go keeps results, and does not know
# that they depend on our programs.
e2e: release qemu
	@echo '== e2e'
	@cd e2e && $(GO) vet ./... && $(GO) run ./testcluster build && $(GO) test -count=1 ./...
