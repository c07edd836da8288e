# Two commands for a newcomer: `make run` and `make test`. Everything else is behind `make help`.
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
TENANT_A := $(shell $(PYTHON) -c "import uuid; print(uuid.uuid5(uuid.NAMESPACE_DNS, 'tenant-a.seed-pipelines.example'))")

.DEFAULT_GOAL := help

.PHONY: help
help: ## What there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

.PHONY: setup
setup: .venv/installed .venv-s3/installed ## Virtual environments with the locked packages

.venv/installed: requirements.lock pyproject.toml
	@echo "Making the virtual environments: a minute or two, the first time only."
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# The S3 emulator pins a botocore of its own.
.venv-s3/installed: requirements-s3-emulator.lock
	$(PYTHON) -m venv .venv-s3
	.venv-s3/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-s3-emulator.lock
	@touch $@

# What serves the stubs of outside systems, checks their contracts, and shows pages to the tests; nothing else needs Node.js.
node_modules/installed: package.json package-lock.json .npmrc
	@command -v npm >/dev/null || { echo "The stubs need Node.js 20 or newer with npm: install it first." >&2; exit 1; }
	npm ci --no-progress
	@touch $@

.PHONY: up
up: setup node_modules/installed ## Start the local stack: PostgreSQL, OpenBao, S3, stubs
	@$(BIN)/seed-data up

.PHONY: down
down: ## Stop the local stack; its data stays
	@$(BIN)/seed-data down

.PHONY: run
run: setup ## Seed the staging manifest of tenant-a on the local stack
	@echo "Starting the local stack: PostgreSQL, OpenBao, S3."
	@$(BIN)/seed-data up --quiet --without-stubs
	@$(BIN)/seed_data --tenant-id $(TENANT_A) --environment staging --manifest-path manifests/staging/tenant-a.yaml \
	  --idempotency-key "make-run-$$(date -u +%Y%m%dT%H%M%S)" --requested-by "$${USER:-make}" \
	  --override-window "make run: a demonstration on the local stack"
	@echo "The stack keeps running: 'make ui' opens Dagster, 'make down' stops it."

.PHONY: ui
ui: setup ## Open the Dagster UI on the local stack (Ctrl-C stops it)
	@$(BIN)/seed-data up --quiet --without-stubs
	@$(BIN)/seed-data ui

# Where it cannot be had, the tests of the pooler are skipped, and say so.
.pgbouncer/fetched: scripts/fetch_pgbouncer
	@scripts/fetch_pgbouncer .pgbouncer && touch $@ || true

# What the tests look at pages with: where it cannot be had, they are skipped, and say so.
.chromium/unpacked: package-lock.json scripts/unpack_chromium
	@$(MAKE) --no-print-directory node_modules/installed && scripts/unpack_chromium .chromium && touch $@ || true

.PHONY: test
test: setup .pgbouncer/fetched .chromium/unpacked ## All tests, with the real servers
	$(BIN)/python -m pytest -n auto --dist loadfile --cov --cov-report=term

# What needs a network is fetched first; from then on a packet that is meant to leave fails its test.
.PHONY: test-closed
test-closed: setup .pgbouncer/fetched node_modules/installed .chromium/unpacked ## The same tests where there is no network but loopback
	scripts/ci/without-a-route.sh $(BIN)/python -m pytest -n auto --dist loadfile

.PHONY: chaos
chaos: setup ## Two hundred runs killed, stopped, cut off and robbed of their servers: a night's work
	SEED_CHAOS_TRIALS=$${SEED_CHAOS_TRIALS:-200} SEED_CHAOS_SEALINGS=$${SEED_CHAOS_SEALINGS:-1000} $(BIN)/python -m pytest seed_pipelines_tests/chaos

.PHONY: fuzz-api
fuzz-api: setup ## Half an hour of requests to the HTTP API that nobody thought of
	SEED_FUZZ_SECONDS=$${SEED_FUZZ_SECONDS:-1800} $(BIN)/python -m pytest -s seed_pipelines_tests/e2e/api/test_contract.py

.PHONY: lint
lint: setup ## Style, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

.PHONY: format
format: setup ## Rewrite the code in the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: bench
bench: setup ## The benchmarks' tables
	$(BIN)/python -m seed_pipelines_tests.benchmarks

.PHONY: load
load: setup ## Load on the HTTP API, by k6
	$(BIN)/python -m seed_pipelines_tests.load

.PHONY: lock
lock: setup ## Resolve the dependencies anew
	$(BIN)/uv pip compile pyproject.toml --extra local --group dev -o requirements.lock --generate-hashes \
	  --no-emit-index-url --no-annotate --no-header --python-version 3.11 --upgrade
	$(BIN)/uv pip compile --group s3-emulator -o requirements-s3-emulator.lock --generate-hashes \
	  --no-emit-index-url --no-annotate --no-header --python-version 3.11 --upgrade
