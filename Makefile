# `make` sets up, checks and tests; `make help` lists the rest.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PYTEST := $(BIN)/python -m pytest
# Several files at once: a story mostly waits for its pods. What stops parts of the sandbox has it for itself, before.
CROWD := $(PYTEST) tests --ignore tests/e2e/test_sandbox.py -n 4 --dist loadfile --timeout 900

.DEFAULT_GOAL := test
.PHONY: help setup lock check format reference unit e2e long faults matrix rotations test demo up down clean

help: ## This list.
	@sed -n 's/^\([a-z0-9]*\):.*## \(.*\)/  make \1\t\2/p' Makefile

setup: $(READY) ## The development environment, in .venv, from requirements.lock.

$(READY): requirements.lock pyproject.toml scripts/install.sh
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "shipit needs Python 3.11 or newer; PYTHON=/path/to/python3.11 make … names one"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' \
	  || { echo "this Python has no venv: install it first (Debian: apt-get install python3-venv)"; exit 1; }
	@echo "setting up $(VENV) …"
	@sh scripts/install.sh $(PYTHON) $(VENV) requirements.lock --editable

lock: ## Write the locks from pyproject.toml; UPGRADE=--upgrade takes the newest of everything.
	sh scripts/lock.sh $(PYTHON) $(UPGRADE)

check: setup ## Format, lint, types, layers.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## Let ruff format everything.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

reference: setup ## Write docs/configuration.md from the keys themselves.
	$(BIN)/python scripts/reference.py

unit: setup ## The unit tests.
	$(PYTEST) tests -m "not e2e and not faults" -n 2 --dist worksteal --cov --cov-report=term:skip-covered

up: setup ## Start the sandbox, building it first where needed.
	$(BIN)/python -m sandbox up

down: setup ## Stop the sandbox; nothing is left behind.
	$(BIN)/python -m sandbox down

e2e: up ## The end-to-end tests: real Kubernetes, real helm.
	$(PYTEST) tests/e2e/test_sandbox.py --timeout 900
	$(CROWD) -m "e2e and not long"

long: up ## The end-to-end tests that wait for minutes, or repeat a story with an older helm.
	$(CROWD) -m long

faults: up ## Break everything that can break, and print what held.
	$(BIN)/python -m tests.faults

matrix: up ## Play every layout of a migration in every situation with each helm, and write docs/matrix.md.
	$(BIN)/python -m tests.matrix

rotations: up ## Follow logs while the kubelet rotates them, twenty times each kind.
	$(BIN)/python -m tests.logs.rotations --times 20 --workers 2

# A machine that others load can starve a real cluster for a minute: what fails is run once more, in plain sight.
test: check unit up ## Every check and test.
	$(PYTEST) tests/e2e/test_sandbox.py --timeout 900
	$(CROWD) -m "(e2e or faults) and not long" --durations 15 \
	  || { echo "once more, only what failed:"; \
	       $(CROWD) -m "(e2e or faults) and not long" --last-failed --last-failed-no-failures none; }

demo: up ## Migrate a real database and upgrade a real app, then break it.
	$(BIN)/python -m sandbox.demo

clean: down ## Stop the sandbox and remove the environment.
	rm -rf $(VENV)
