# The short way in: `make help`. Everything is built under build/<preset> by CMake and Ninja.
JOBS ?= $(shell nproc)
KILLS ?= 400
EVENTS ?= 1000000
CASES ?= 1000000
SEED ?= 1
SEEDS ?= 7 8
RUNS ?= 1000000
DEMO := tests/demo/demo.sh
DEMO_KAFKA := tests/demo/demo_kafka.sh
CHAOS := tests/e2e/chaos.sh
EQUAL := tests/e2e/equal.sh
WEBHOOKS := tests/e2e/webhooks.sh
MUTANTS := tests/e2e/mutants.sh

# The scripts find the binary and the root of the tree here.
export WEIR := $(CURDIR)/build/release/weir
export WEIR_SOURCE_DIR := $(CURDIR)
export JOBS
export KILLS
export EVENTS
export SEEDS
export RUNS
export ASAN_OPTIONS ?= detect_stack_use_after_return=1:strict_string_checks=1
export UBSAN_OPTIONS ?= print_stacktrace=1
export TSAN_OPTIONS ?= halt_on_error=1:second_deadlock_stack=1

BUILD = cmake --build --preset $(1) -j $(JOBS)
CTEST = ctest --preset $(1) --no-tests=error -j $(JOBS)

.DEFAULT_GOAL := help
BROKEN := window_edge arrow_no_skip until_ignored absence_at_event skip_too_much quiet_edge any_used_up
.PHONY: help setup setup-kafka build test demo demo-kafka asan tsan lint bench chaos mutants equal compare compare-mutants webhooks fuzz fuzz-planted clean
.SECONDARY:

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1	\2/p' $(MAKEFILE_LIST) | expand -t 16

setup: ## installs the Debian packages that are missing; silent when none is
	@.ci/setup .ci/packages.txt

.PHONY: setup-sanitizers
setup-sanitizers: setup
	@.ci/setup .ci/packages-sanitizers.txt

build/%/build.ninja: CMakePresets.json | setup
	cmake --preset $*

build/asan/build.ninja build/tsan/build.ninja build/fuzz/build.ninja build/fuzz-planted/build.ninja: | setup-sanitizers

build/fuzz-planted/build.ninja: CMakePresets.json
	cmake --preset fuzz -B build/fuzz-planted -DWEIR_PLANTED=ON

build: setup build/release/build.ninja ## builds build/release/weir
	$(call BUILD,release) --target weir

test: setup build/release/build.ninja ## builds everything and passes every test
	$(call BUILD,release)
	$(call CTEST,release)

demo: build ## serves the rules of rules/, feeds generated traffic with fraud in it, prints the alerts
	bash $(DEMO)

setup-kafka: setup
	@.ci/setup .ci/packages-kafka.txt
	@command -v java >/dev/null && command -v mvn >/dev/null || .ci/setup .ci/packages-broker.txt

demo-kafka: setup-kafka build/release/build.ninja ## a Kafka broker, traffic with fraud in its topics, the alerts as another client reads them
	$(call BUILD,release) --target weir kafka_client
	bash $(DEMO_KAFKA)

asan: build/asan/build.ninja ## every test under the address and undefined-behaviour sanitizers
	$(call BUILD,asan)
	$(call CTEST,asan)

tsan: build/tsan/build.ninja ## every test under the thread sanitizer
	$(call BUILD,tsan)
	$(call CTEST,tsan)

lint: build/asan/build.ninja ## clang-tidy over all sources
	run-clang-tidy-19 -quiet -j $(JOBS) -p build/asan '$(CURDIR)/(cep|patterns|state|api|service|tests)/.*\.cc'

bench: build ## measures throughput and latency with the shipped binary
	$(WEIR) bench

chaos: build ## kill -9 at KILLS=400 random points: the alerts must equal those of the uninterrupted run
	bash $(CHAOS) $(KILLS)

mutants: build ## deliberately broken variants: the harness must catch each
	bash $(MUTANTS)

equal: build ## EVENTS=1000000 SEEDS="7 8": from files, packed, over HTTP, 1 or 4 shards: the same alerts by id
	bash $(EQUAL)

build/release/weir_compare: setup build/release/build.ninja
	$(call BUILD,release) --target weir_compare
.PHONY: build/release/weir_compare

compare: build/release/weir_compare ## CASES=1000000 SEED=1: random rules and events, the engine against the definition of a match
	build/release/weir_compare --cases $(CASES) --seed $(SEED) --jobs $(JOBS)

compare-mutants: build/release/weir_compare ## the comparison notices each of seven wrong definitions within 20,000 cases
	@for name in $(BROKEN); do echo "== $$name"; build/release/weir_compare --cases 20000 --seed $(SEED) --broken $$name || exit 1; done

webhooks: build ## 1,000 alerts to a receiver that fails, with kills; verified by an independent library of PyPI
	bash $(WEBHOOKS)

fuzz: build/fuzz/build.ninja ## RUNS=1000000 executions of each fuzz target under the sanitizers; findings lie in build/fuzz/findings
	$(call BUILD,fuzz)
	bash tests/fuzz/run.sh build/fuzz

fuzz-planted: build/fuzz-planted/build.ninja ## a deliberate mistake in each fuzz target: each is found within RUNS/10 executions
	cmake --build build/fuzz-planted -j $(JOBS) --target fuzz_targets
	bash tests/fuzz/run.sh build/fuzz-planted planted

clean: ## removes build/
	rm -rf build
