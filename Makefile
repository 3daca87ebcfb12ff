# Every command of CONTRIBUTING.md and CI. A new machine needs Python 3.11 or later and this file.
PYTHON ?= python3
PORT ?= 8000
TEST_PROCESSES ?= 2
VENV := .venv
BIN := $(VENV)/bin
NODE_DIR := .node
DATA := $(or $(LLM_BANKING_DATA_DIR),$(if $(wildcard ../shared/data),../shared/data,data))
PIP := $(BIN)/python -m pip --disable-pip-version-check
WEB_SOURCES := $(shell find web -type f -not -path '*/node_modules/*' 2>/dev/null)
STATIC := src/llm_banking/api/static/index.html

export LLM_BANKING_DATA_DIR := $(DATA)

.PHONY: install run web test lint types bench evidence fuzz lock clean

install: $(VENV)/.base

$(VENV)/.base: requirements/base.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed; set PYTHON=python3.12, say." >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the locked runtime into $(VENV): about 150 MB to download the first time."
	@$(PIP) install --quiet --no-deps --require-hashes --requirement requirements/base.txt
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# The training stack comes first, alone: its torch is the one that the tests must see.
$(VENV)/.dev: $(VENV)/.base requirements/dev.txt requirements/train.txt
	@echo "Installing what tests and training need into $(VENV): torch among it, several hundred MB."
	@$(PIP) install --quiet --requirement requirements/train.txt
	@$(PIP) install --quiet --no-deps --require-hashes --requirement requirements/dev.txt
	@touch $@

web: $(STATIC)

$(STATIC): $(VENV)/.base $(WEB_SOURCES)
	@echo "Building the web page."
	@scripts/with-node $(BIN)/python $(NODE_DIR) npm --prefix web ci --no-fund --no-audit --loglevel=error
	@scripts/with-node $(BIN)/python $(NODE_DIR) npm --prefix web run --silent build

run: $(VENV)/.base $(STATIC)
	@ENVIRONMENT=$${ENVIRONMENT:-development} exec $(BIN)/llm-banking serve --demo --port $(PORT)

# A thread each: what computes with one per core gets in its own way when two test processes do.
test: export OMP_NUM_THREADS = 1
test: $(VENV)/.dev $(STATIC)
	$(BIN)/python -m coverage erase
	$(BIN)/python -m pytest -m "not gpu" --numprocesses $(TEST_PROCESSES) --dist loadfile --durations 20 --cov --cov-report=term

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

types: $(VENV)/.dev
	$(BIN)/mypy

bench: $(VENV)/.dev $(STATIC)
	$(BIN)/llm-banking bench --out results

evidence: bench
	$(BIN)/llm-banking evidence --results results --readme README.md

# Ten minutes: the API's schema against a server of its own, as every kind of caller.
fuzz: $(VENV)/.dev
	$(BIN)/llm-banking fuzz --out results

lock: $(VENV)/.dev
	scripts/lock $(BIN)/python

clean:
	rm -rf $(VENV) $(NODE_DIR) web/node_modules src/llm_banking/api/static .mypy_cache .pytest_cache .ruff_cache
