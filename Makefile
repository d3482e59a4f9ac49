# Two commands: `make run` starts Livewatch, `make test` checks everything. Both set up what they need.

PYTHON ?= python3
BIN := .venv/bin

NOT_INSTALLED = { echo "The dependencies could not be installed; the lines above name the reason. Without a network, try again \
with one. Where a package has no build for this platform (musl, an old system), use glibc Linux, macOS or Windows."; exit 1; }

.DEFAULT_GOAL := help
.PHONY: help run test check audit format bench lock clean

help:
	@echo "make run      start Livewatch on http://localhost:8080, with a demo and real work to watch"
	@echo "make test     lint, types and every test; finds or installs a browser"
	@echo "make bench    measure, and print the figures of docs/BENCHMARKS.md"
	@echo "make audit    compare the locked dependencies with known vulnerabilities (needs a network)"
	@echo "make format   format the sources"
	@echo "make lock     bring the lock files up to date with pyproject.toml (needs uv)"

run: .venv/run.stamp
	@exec $(BIN)/python main.py

test: check
	$(BIN)/python -m tests.browser
	$(BIN)/python -m pytest -n 3 --dist worksteal

check: .venv/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

audit: .venv/dev.stamp
	$(BIN)/python -m pip_audit --disable-pip --requirement requirements.lock

format: .venv/dev.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/dev.stamp
	$(BIN)/python -m tests.browser
	$(BIN)/python -m benchmarks

lock:
	uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--custom-compile-command "make lock" --quiet --output-file requirements.lock
	uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--custom-compile-command "make lock" --quiet --output-file requirements-dev.lock

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis

.venv/python.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Livewatch needs Python 3.11 or later; this is " + sys.version.split()[0] + ". Name another one: make run PYTHON=python3.12")'
	@echo "Making the virtual environment"
	@$(PYTHON) -m venv .venv
	@touch $@

.venv/run.stamp: requirements.lock .venv/python.stamp
	@echo "Installing the locked dependencies"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock || $(NOT_INSTALLED)
	@touch $@

.venv/dev.stamp: requirements-dev.lock .venv/python.stamp
	@echo "Installing the locked dependencies for development"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock || $(NOT_INSTALLED)
	@touch $@ .venv/run.stamp
