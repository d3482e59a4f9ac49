# Two commands: `make run` starts Livewatch, `make test` checks everything. Both set up what they need.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
BIOME := npx --yes @biomejs/biome@2.6.8

NOT_INSTALLED = { echo "The dependencies could not be installed; the lines above name the reason. Without a network, try again \
with one. Where a package has no build for this platform (musl, an old system), use glibc Linux, macOS or Windows."; exit 1; }

.DEFAULT_GOAL := help
.PHONY: help run test check check-js coverage mutants test-versions audit format bench bench-gate lock release clean

help:
	@echo "make run      start Livewatch on http://localhost:8080, with a demo and real work to watch"
	@echo "make test     lint, types and every test; finds or installs a browser"
	@echo "make coverage run the tests with coverage, and fail below the floor in pyproject.toml"
	@echo "make mutants  MODULE=services/realtime/rows.py: change a module, and list the changes that no test notices"
	@echo "make test-versions  run the tests with each of Python 3.11 to 3.14 that is installed"
	@echo "make bench    measure, and print the figures of docs/BENCHMARKS.md"
	@echo "make bench-gate  fail when the app is a fifth slower, against the floor, than docs/bench-gate.json says"
	@echo "make audit    compare the locked dependencies with known vulnerabilities (needs a network)"
	@echo "make format   format the sources"
	@echo "make lock     bring the lock files up to date with pyproject.toml (needs uv)"
	@echo "make release  VERSION=0.2.0: check, build and try the wheels, and tag"

run: $(VENV)/run.stamp
	@exec $(BIN)/python main.py

test: check
	$(BIN)/python -m tests.browser
	$(BIN)/python -m pytest -n 4 --dist worksteal

check: $(VENV)/dev.stamp check-js
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

check-js:
	@if ! command -v npx >/dev/null; then echo "Node is not installed: the JavaScript is not checked."; \
	elif ! $(BIOME) --version >/dev/null 2>&1; then echo "Biome cannot be downloaded: the JavaScript is not checked."; \
	else $(BIOME) check --error-on-warnings; fi

coverage: $(VENV)/dev.stamp
	$(BIN)/python -m tests.browser
	$(BIN)/python -m pytest -n 4 --dist worksteal --cov --cov-report=term

mutants: $(VENV)/dev.stamp
	$(BIN)/python -m tests.mutation $(MODULE) $(TESTS)

test-versions:
	@for version in 3.11 3.12 3.13 3.14; do \
		if command -v python$$version >/dev/null; then \
			echo "Python $$version"; $(MAKE) test PYTHON=python$$version VENV=.venv-$$version || exit 1; \
		else echo "Python $$version is not installed"; fi; \
	done

audit: $(VENV)/dev.stamp
	$(BIN)/python -m pip_audit --disable-pip --requirement requirements.lock

format: $(VENV)/dev.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	@if command -v npx >/dev/null; then $(BIOME) check --write; fi

bench: $(VENV)/dev.stamp
	$(BIN)/python -m tests.browser
	$(BIN)/python -m benchmarks

bench-gate: $(VENV)/dev.stamp
	$(BIN)/python -m tests.browser
	$(BIN)/python -m benchmarks.gate

lock:
	uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--custom-compile-command "make lock" --quiet --output-file requirements.lock
	uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--custom-compile-command "make lock" --quiet --output-file requirements-dev.lock

release: $(VENV)/dev.stamp
	$(BIN)/python -m tests.release $(VERSION)

clean:
	rm -rf .venv .venv-* .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/python.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Livewatch needs Python 3.11 or later; this is " + sys.version.split()[0] + ". Name another one: make run PYTHON=python3.12")'
	@echo "Making the virtual environment"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

# The locks name every dependency, so that pip resolves none: for one with an extra it would look for a newer version.
$(VENV)/run.stamp: requirements.lock $(VENV)/python.stamp
	@echo "Installing the locked dependencies"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock || $(NOT_INSTALLED)
	@touch $@

$(VENV)/dev.stamp: requirements-dev.lock $(VENV)/python.stamp
	@echo "Installing the locked dependencies for development"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-dev.lock || $(NOT_INSTALLED)
	@touch $@ $(VENV)/run.stamp
