# Everything this project does to itself. `make` or `make help` lists it.
# What a target needs it makes first, once: a second `make run` starts the server and does nothing else.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory --no-builtin-rules
.DEFAULT_GOAL := help

# A Python to make the environment with: 3.11 or newer.
PYTHON ?= python3
# More arguments for the simulated platform that the first bundle is trained on:
# make run SIMULATE='--participants 60000 --pairs 240000 --seed 7'
SIMULATE ?=
# More arguments for the tests: make test TEST='tests/unit -k posterior'
TEST ?=
# More arguments for the benchmarks, the soak, the fuzzer and the loop: make bench BENCH='--part posterior'
BENCH ?=
SOAK ?=
FUZZ ?=
LOOP ?=
# Locks keep what they pin; `make lock UPGRADE=--upgrade` moves all pins to the newest.
UPGRADE ?=

VENV := .venv
BIN := $(VENV)/bin
BUNDLES := var/bundles
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header $(UPGRADE)

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYTHON

.PHONY: help
help: ## list the targets
	@echo "targets:"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "settings of the server: environment variables PAIRGUARD_*, explained in docs/settings.md"

# ---- environment ------------------------------------------------------------------------------------

$(VENV)/.locked: requirements/dev.txt deploy/prerequisites.sh
	@deploy/prerequisites.sh
	@test -x $(BIN)/pip || { echo "making $(VENV)"; $(PYTHON) -m venv --clear $(VENV); }
	@echo "installing the locked packages into $(VENV)"
	@$(BIN)/pip install --quiet --no-deps --require-hashes -r requirements/dev.txt
	@touch $@

$(VENV)/.editable: $(VENV)/.locked pyproject.toml hatch_build.py service/pairguard/age/_compiled_kernel.c
	@echo "compiling the age kernel and installing pairguard into $(VENV), editable"
	@$(BIN)/pip install --quiet --no-deps --no-index --no-build-isolation --editable .
	@$(BIN)/python -c 'from pairguard.age.kernel import COMPILED; \
		print("ages are fused by", "the compiled kernel" if COMPILED else "numpy: nothing could be compiled")'
	@touch $@

.PHONY: venv
venv: $(VENV)/.editable ## the Python environment in .venv, from the hashed lock
	@echo "$(VENV) is ready"

.PHONY: lock
lock: $(VENV)/.locked ## write the hashed locks in requirements/ anew from pyproject.toml
	@echo "requirements/server.txt: what the container installs"
	@# The server loads LightGBM's shared library, never its Python package: scipy and narwhals,
	@# which only that package imports, stay out of the image. Hence pip install --no-deps.
	@$(COMPILE) pyproject.toml --extra server --extra redis --extra signatures \
		--no-emit-package scipy --no-emit-package narwhals --output-file requirements/server.txt
	@echo "requirements/build.txt: what builds the wheel"
	@$(COMPILE) --group build --output-file requirements/build.txt
	@echo "requirements/peers.txt: what make bench-peers measures beside us"
	@$(COMPILE) --group peers --output-file requirements/peers.txt
	@echo "requirements/fuzz.txt: what make fuzz-guided installs besides"
	@$(COMPILE) --group fuzz --output-file requirements/fuzz.txt
	@echo "requirements/dev.txt: all of it, and the tools"
	@$(COMPILE) pyproject.toml --extra server --extra redis --extra signatures --extra training \
		--extra tuning --extra dask --group dev --output-file requirements/dev.txt

# ---- run --------------------------------------------------------------------------------------------

# Each step writes its directory whole or not at all, so that what is there need not be made again.
var/simulated/snapshots.parquet: | $(VENV)/.editable
	@echo "there is no bundle: simulating a chat platform and training one, once, in var/"
	@$(BIN)/pairguard-train simulate --out var/simulated $(SIMULATE)

var/fitted/bundle.json: | var/simulated/snapshots.parquet
	@$(BIN)/pairguard-train fit --tables var/simulated --out var/fitted

$(BUNDLES)/current/bundle.json: | $(VENV)/.editable
	@$(MAKE) var/fitted/bundle.json
	@$(BIN)/pairguard-train evaluate --tables var/simulated --bundle var/fitted
	@# Nothing of a simulation follows for a real platform: gates that it may fail are gone round, with
	@# this reason in $(BUNDLES)/publications.jsonl.
	@$(BIN)/pairguard-train publish var/fitted --to $(BUNDLES) \
		--evaluation var/simulated-metrics.json \
		--without-gate real_data --without-gate calibration --without-gate slices \
		--why "a first bundle to try the server with, trained and judged on a simulated platform"

.PHONY: bundle
bundle: $(BUNDLES)/current/bundle.json ## a first bundle in var/bundles, if there is none

.PHONY: run
run: $(VENV)/.editable $(if $(PAIRGUARD_BUNDLE_PATH),,bundle) ## serve on this machine; settings: PAIRGUARD_* in the environment
	@exec $(BIN)/pairguard-server

# ---- checks -----------------------------------------------------------------------------------------

.PHONY: test
test: $(VENV)/.editable ## all tests, in random order (TEST=... narrows)
	@deploy/prerequisites.sh chromium openssl redis-server
	@$(BIN)/python -m pytest $(TEST)

.PHONY: lint
lint: $(VENV)/.editable ## style and likely mistakes
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet . || { echo "not formatted; make format does it"; exit 1; }

.PHONY: format
format: $(VENV)/.editable ## lay out the code and fix what can be fixed safely
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format .

.PHONY: type
type: $(VENV)/.editable ## strict types, tests included
	@$(BIN)/mypy

.PHONY: arch
arch: $(VENV)/.editable ## layers: who may import whom
	@$(BIN)/lint-imports

.PHONY: gen
gen: $(VENV)/.editable ## generate service/pairguard/v1 from the contract
	@$(BIN)/python proto/generate.py

.PHONY: check-gen
check-gen: $(VENV)/.editable ## the committed code is what the contract generates
	@$(BIN)/python proto/generate.py --check

.PHONY: buf-lint
buf-lint: $(VENV)/.editable ## the contract's style and comments
	@$(BIN)/buf lint

.PHONY: buf-breaking
buf-breaking: $(VENV)/.editable ## the contract breaks no caller of the released one
	@$(BIN)/buf breaking --against proto/image.binpb

.PHONY: buf-image
buf-image: $(VENV)/.editable ## at a release: the contract that later changes must not break
	@$(BIN)/buf build --output proto/image.binpb

.PHONY: docker-lint
docker-lint: $(VENV)/.editable ## the Dockerfile
	@$(BIN)/hadolint Dockerfile

.PHONY: bench
bench: $(VENV)/.editable bundle ## what calls, events and large stores cost (BENCH=... narrows)
	@deploy/prerequisites.sh redis-server
	@$(BIN)/python -m tests.bench $(BENCH)

$(VENV)-peers/.locked: requirements/peers.txt
	@echo "installing MLServer into $(VENV)-peers"
	@$(PYTHON) -m venv --clear $(VENV)-peers
	@$(VENV)-peers/bin/pip install --quiet --no-deps --require-hashes -r requirements/peers.txt
	@touch $@

.PHONY: bench-peers
bench-peers: $(VENV)/.editable $(VENV)-peers/.locked bundle ## the same model with ready features in MLServer and in a bare server
	@$(BIN)/python -m tests.bench --part peers --peer-python $(VENV)-peers/bin/python $(BENCH)

.PHONY: soak
soak: $(VENV)/.editable bundle ## chats against servers that are killed, a recount, memory over time (SOAK=...)
	@deploy/prerequisites.sh redis-server
	@$(BIN)/python -m tests.soak --store sqlite $(SOAK)
	@$(BIN)/python -m tests.soak --store redis $(SOAK)
	@$(BIN)/python -m tests.soak.connections
	@$(BIN)/python -m tests.soak.memory

.PHONY: loop
loop: $(VENV)/.editable ## from simulated chats to a better bundle in a running server, some five minutes (LOOP=...)
	@$(BIN)/python -m tests.loop $(LOOP)

.PHONY: fuzz
fuzz: $(VENV)/.editable ## wrong inputs by the million, to our parsers and to a live server (FUZZ=...)
	@$(BIN)/python -m tests.fuzz $(FUZZ)

.PHONY: fuzz-guided
fuzz-guided: $(VENV)/.editable ## the same parsers, inputs guided by coverage, a minute each (FUZZ='policy callers')
	@$(BIN)/pip install --quiet --no-deps --require-hashes -r requirements/fuzz.txt
	@$(BIN)/python -m tests.fuzz.guided $(FUZZ)

.PHONY: clean
clean: ## remove the environment, caches and what `make run` made
	rm -rf $(VENV) $(VENV)-peers var build dist .mypy_cache .pytest_cache .ruff_cache \
		.hypothesis .import_linter_cache service/pairguard/age/*.so
