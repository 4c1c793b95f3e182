# Firebreak: `make sandbox` to live through an incident, `make test` to see that it works.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
# Stories mostly wait for processes, so more of them at once than there are cores. WORKERS=0: one after the other.
WORKERS ?= 8
# Properties with few examples, the same each time. `all`: more of them; `anew`: others each time, to look for faults.
EXAMPLES ?= quick
# `make test-all` takes the slow ones, too.
WHICH ?= not slow

.PHONY: sandbox test test-all test-browser check bench judgement lives chaos chaos-all schemas audit format clean

sandbox: $(VENV)/.runtime
	@$(BIN)/python -m bot sandbox $(ARGS)

test: $(VENV)/.dev
	@$(BIN)/python -m pytest tests --ignore=tests/browser -m '$(WHICH)' --hypothesis-profile=$(EXAMPLES) -n $(WORKERS) --dist worksteal $(ARGS)

test-all: test-browser
	@$(MAKE) --no-print-directory test WHICH= EXAMPLES=all

test-browser: $(VENV)/.dev
	@$(BIN)/python -m pytest tests/browser $(ARGS)

check: $(VENV)/.dev
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/lint-imports --no-cache && $(BIN)/pyright

bench: $(VENV)/.dev
	@$(BIN)/python -m tests.bench $(ARGS)

judgement: $(VENV)/.dev
	@$(BIN)/python -m tests.judgement $(ARGS)

lives: $(VENV)/.dev
	@$(BIN)/python -m tests.lives $(ARGS)

chaos: $(VENV)/.dev
	@$(BIN)/python -m tests.chaos $(ARGS)

chaos-all: $(VENV)/.dev
	@$(BIN)/python -m tests.chaos --all $(ARGS)

schemas: $(VENV)/.dev
	@$(BIN)/python -m tests.schemas $(ARGS)

audit:
	@$(PYTHON) -m venv .audit && .audit/bin/pip install --quiet pip-audit && .audit/bin/pip-audit --no-deps --disable-pip -r requirements.lock

format: $(VENV)/.dev
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

clean:
	rm -rf $(VENV) .audit .firebreak build *.egg-info

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "Firebreak needs Python 3.11 or newer; no '$(PYTHON)' was found."; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Firebreak needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) -V 2>&1). Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "This Python has no venv module. On Debian or Ubuntu: apt-get install python3-venv"; exit 2; }
	@command -v git >/dev/null || { echo "Firebreak needs git, and it was not found."; exit 2; }
	@echo "Making a virtual environment in $(VENV) …"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: $(BIN)/python pyproject.toml requirements.lock
	@echo "Installing Firebreak (once, about a minute) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.lock -e .
	@touch $@

$(VENV)/.dev: $(BIN)/python pyproject.toml requirements.lock
	@echo "Installing Firebreak and what its tests need …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.lock -e '.[dev]'
	@touch $@ $(VENV)/.runtime
