# Everything starts from a checkout, python3 and git; `make help` lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO := build/demo
# Tests that need no server and are quick.
FAST := $(addprefix tests/,concurrency containers context events graph journal parameters \
	report secrets system test_exceptions.py datastore/test_file_system.py \
	datastore/test_records.py engine/fan_out sdk/test_composites.py)
# Tests of the packages whose coverage is measured.
MEASURED := $(addprefix tests/,containers context contracts datastore engine graph journal \
	parameters sdk)

.PHONY: help demo test test-fast coverage check lint types layers versions newest peers docs dist vendor pictures attack bench clean
.DEFAULT_GOAL := help

help: ## List the targets
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/^([a-z-]+):.*## /  \1\t/' | expand -t 12

$(READY): pyproject.toml .ci/constraints.txt
	.ci/environment $(PYTHON) $(VENV) --constraint .ci/constraints.txt --editable '.[dev]'
	touch $(READY)

demo: $(READY) ## Run the main job: a tracked pipeline on real clinical data
	@mkdir -p $(DEMO)
	@cd $(DEMO) && $(CURDIR)/$(BIN)/python $(CURDIR)/docs/examples/breast_cancer/pipeline.py
	@echo "All of it is in $(DEMO)/"

test: coverage ## Run the tests, the doctests and the examples
	$(BIN)/python -m pytest -n 2 --dist worksteal $(addprefix --ignore=,$(MEASURED))

test-fast: $(READY) ## Run the tests that need no server, in less than a minute
	$(BIN)/python -m pytest -q -n 2 --dist worksteal $(FAST)

coverage: $(READY) ## Run the tests of the core; fail if they leave too much of it out
	$(BIN)/python -m pytest -n 2 --dist worksteal $(MEASURED) --cov

check: lint types layers docs peers test newest ## Everything that CI checks

lint: $(READY) ## Format and lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(READY) ## Type checks
	$(BIN)/mypy
	$(BIN)/pyright

layers: $(READY) ## Contracts between the layers
	$(BIN)/lint-imports --no-logo

versions: ## The quick tests and the wheel, with each version of Python that is here
	.ci/versions $(FAST)

peers: ## Environments for the libraries that the documentation compares with
	.ci/peers

newest: ## The same with one of them
	VERSIONS=3.13 .ci/versions $(FAST)

docs: $(READY) ## Build the documentation; a warning is an error
	$(BIN)/python -m sphinx -n -W --keep-going -q -b html docs docs/_build/html

dist: ## Build the wheel, and use it in a fresh environment
	PYTHON=$(PYTHON) .ci/dist

vendor: ## Fetch the scripts of the web page again, by npm
	.ci/vendor

pictures: $(READY) ## Take the pictures of the web page for the documentation
	PYTHONPATH=. $(BIN)/python docs/screenshots.py

attack: $(READY) ## Attack isolation and storage; print what was attempted and what failed
	$(BIN)/python tests/isolation/isolation_attack.py
	$(BIN)/python tests/faults/storage_attack.py

bench: $(READY) ## Compare with runnable 0.50, in an environment of its own
	$(BIN)/python tests/benchmarks/compare.py
	$(BIN)/python tests/benchmarks/stores.py
	$(BIN)/python tests/benchmarks/startup.py
	$(BIN)/python tests/benchmarks/joining.py
	$(BIN)/python tests/benchmarks/interrupting.py
	$(BIN)/python tests/benchmarks/sizes.py
	$(BIN)/python tests/benchmarks/targets.py
	$(BIN)/python tests/benchmarks/peers.py
	PYTHONPATH=. $(BIN)/python tests/benchmarks/elsewhere.py

clean: ## Remove what was built; the virtual environment too
	rm -rf $(VENV) build docs/_build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
