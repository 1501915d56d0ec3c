# Everything starts from a checkout, python3 and git; `make help` lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO := build/demo

.PHONY: help demo test check lint types layers docs bench clean
.DEFAULT_GOAL := help

help: ## List the targets
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/^([a-z]+):.*## /  \1\t/' | expand -t 12

$(READY): pyproject.toml .ci/constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint .ci/constraints.txt --editable '.[dev]'
	touch $(READY)

demo: $(READY) ## Run the main job: a tracked pipeline on real clinical data
	@mkdir -p $(DEMO)
	@cd $(DEMO) && $(CURDIR)/$(BIN)/python $(CURDIR)/docs/examples/breast_cancer/pipeline.py
	@echo "All of it is in $(DEMO)/"

test: $(READY) ## Run the tests, the doctests and the examples
	$(BIN)/python -m pytest -n 2

check: lint types layers docs test ## Everything that CI checks

lint: $(READY) ## Format and lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(READY) ## Type checks
	$(BIN)/mypy
	$(BIN)/pyright

layers: $(READY) ## Contracts between the layers
	$(BIN)/lint-imports --no-logo

docs: $(READY) ## Build the documentation; a warning is an error
	$(BIN)/python -m sphinx -n -W --keep-going -q -b html docs docs/_build/html

bench: $(READY) ## Compare with runnable 0.50, in an environment of its own
	$(BIN)/python tests/benchmarks/compare.py
	$(BIN)/python tests/benchmarks/stores.py
	$(BIN)/python tests/benchmarks/startup.py

clean: ## Remove what was built; the virtual environment too
	rm -rf $(VENV) build docs/_build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
