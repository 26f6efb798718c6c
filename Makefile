# `make demo` shows the whole journey, `make test` proves it. Both make .venv/ when there is none.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SHELL := /bin/bash

.PHONY: demo test test-large check format bench lock clean

demo: $(STAMP)
	@$(BIN)/lockgate demo

test: $(STAMP)
	@$(BIN)/pytest -q -n 2 -m "not large"

# Gigabytes and tens of thousands of transfers: minutes, not seconds.
test-large: $(STAMP)
	@$(BIN)/pytest -q -m large --timeout 1800

check: $(STAMP)
	@$(BIN)/ruff format --check -q .
	@$(BIN)/ruff check -q .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo 2>/dev/null || $(BIN)/lint-imports

format: $(STAMP)
	@$(BIN)/ruff format -q .
	@$(BIN)/ruff check -q --fix .

bench: $(STAMP)
	@$(BIN)/python -m loadtest

lock:
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--custom-compile-command "make lock" pyproject.toml -o requirements.lock
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--custom-compile-command "make lock" --group dev -c requirements.lock pyproject.toml \
		-o requirements-dev.lock

$(STAMP): requirements-dev.lock pyproject.toml
	@echo "setting up $(VENV) (once)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install -q --disable-pip-version-check --no-input --require-hashes -r requirements-dev.lock
	@$(BIN)/pip install -q --disable-pip-version-check --no-input --no-deps --no-build-isolation -e .
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
