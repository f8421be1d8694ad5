# Needs python3 >= 3.11 with venv, git >= 2.38 and make; `scripts/machine.sh` names what is missing.
# PYTHON=python3.12 make …  uses another interpreter for the virtual environment.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

.PHONY: help demo test test-fast test-faults bench lint

help:
	@echo 'make demo       builds a sample repository in demo/ and runs a change of five packages on it'
	@echo 'make test       lint, types, all tests, coverage with its floor'
	@echo 'make test-fast  the tests that take less than a few seconds each'
	@echo 'make test-faults  kills real runs at every point, cuts power, fills the disk; FAULTS_SEED=n chooses the samples'
	@echo 'make lint       ruff and mypy'
	@echo 'make bench      preflight, start-up, idle CPU and runs of 30 and 200 packages, measured'

# One virtual environment for everything, made anew only when the dependencies change.
.venv/runtime.stamp: pyproject.toml
	@PYTHON=$(PYTHON) scripts/machine.sh
	@test -x $(BIN)/python || { echo 'making .venv'; $(PYTHON) -m venv .venv; }
	@echo 'installing the tool into .venv'
	@$(PIP) --editable .
	@touch $@

.venv/dev.stamp: .venv/runtime.stamp
	@echo 'installing what the tests need into .venv'
	@$(PIP) --editable '.[dev]'
	@touch $@

demo: .venv/runtime.stamp
	@scripts/demo.sh

lint: .venv/dev.stamp
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy

test: lint
	$(BIN)/python -m coverage erase
	$(BIN)/python -m coverage run -m pytest -n 2 --dist worksteal
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report

test-fast: .venv/dev.stamp
	$(BIN)/python -m pytest -n 2 --dist worksteal -m 'not slow and not faults'

test-faults: .venv/dev.stamp
	@FAULTS_SEED=$${FAULTS_SEED:-$$(date +%s)}; export FAULTS_SEED; echo "FAULTS_SEED=$$FAULTS_SEED"; \
	$(BIN)/python -m pytest -n 2 --dist worksteal -m faults

bench: .venv/dev.stamp
	$(BIN)/python tests/bench/bench.py
