# Every target sets up what it needs; on a fresh clone each is the only command.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export VIRTUAL_ENV := $(CURDIR)/$(VENV)
export PATH := $(CURDIR)/$(BIN):$(PATH)
NATIVE_SOURCES := $(shell find native/src -name '*.rs') native/Cargo.toml native/Cargo.lock pyproject.toml
CARGO_FLAGS := --manifest-path native/Cargo.toml --locked --no-default-features

.PHONY: help setup packages demo run format check lint types contracts test test-all test-native wheel clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(VENV)/dependencies.stamp: requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; this is $$($(PYTHON) --version). Set PYTHON=…"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

$(VENV)/native.stamp: $(VENV)/dependencies.stamp $(NATIVE_SOURCES)
	@command -v cargo >/dev/null \
	  || { echo "The media engine needs a Rust toolchain (1.85 or newer): install it with rustup, then run make again."; exit 1; }
	$(BIN)/maturin develop --release --locked --quiet
	@touch $@

setup: $(VENV)/native.stamp ## virtual environment and native build

packages: ## Debian packages the tests use, where this may install them
	@scripts/install-packages requirements/debian.txt

demo: setup ## a whole call on loopback, told as it happens (KEEP=1 leaves the server up)
	@$(BIN)/python -m orbit_voice.testing.demo $(if $(KEEP),--keep)

run: setup ## the server with its defaults, data in ./orbit-data
	@$(BIN)/orbit-voice serve

format: setup ## rewrite the sources in house format
	ruff format .
	ruff check --fix .
	cargo fmt --manifest-path native/Cargo.toml

lint: setup ## format and lint, without rewriting
	ruff format --check .
	ruff check .
	cargo fmt --manifest-path native/Cargo.toml --check
	cargo clippy $(CARGO_FLAGS) --all-targets --quiet -- -D warnings

types: setup ## mypy, strict
	mypy

contracts: setup ## layers point down
	lint-imports

test-native: setup ## the native engine's own tests
	cargo test $(CARGO_FLAGS) --quiet

test: setup packages ## every suite in the sizes that CI runs
	pytest -q

test-all: setup packages test-native ## every suite in full size: slow interop, load and soak too
	ORBIT_TEST_FULL=1 pytest -q

check: lint types contracts test-native test ## all that CI runs

wheel: setup ## build the wheel into dist/
	maturin build --release --locked --out dist

clean: ## remove what the other targets made
	rm -rf $(VENV) native/target dist
