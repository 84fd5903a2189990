# Every target makes .venv when it is missing. Needed: make, git and Python 3.11 with venv.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
JOBS ?= 2
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP := $(BIN)/python -m pip --disable-pip-version-check

# One thread per process: the pools and pytest-xdist bring the parallelism.
export OMP_NUM_THREADS ?= 1
export MPLBACKEND ?= Agg

.DEFAULT_GOAL := help
.PHONY: help venv demo test check format bench tutorials soak docs wheel lock clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

venv: $(READY) ## make .venv from requirements.lock

$(READY): requirements.lock pyproject.toml
	@test -x $(BIN)/python || { echo "== making $(VENV) with $(PYTHON)"; $(PYTHON) -m venv $(VENV); }
	@echo "== installing requirements.lock (a few minutes the first time)"
	@$(PIP) install --quiet --requirement requirements.lock
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $(READY)

# The demo computes with a process pool and sets its threads itself.
demo: $(READY) ## label, train, predict and restart DFT on ethanol; writes demo_output/
	$(BIN)/scdp demo --output demo_output

test: $(READY) ## run all tests with coverage
	$(BIN)/python -m pytest -n $(JOBS) --cov --cov-report=term

check: $(READY) ## formatting, lint, types, import layers, architecture
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/architecture

format: $(READY) ## format and mend what ruff can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Not among them: what the scripts share, and the one that makes the shipped checkpoint.
BENCHMARKS := $(filter-out %/results_file.py %/pretrained_model.py $(wildcard benchmarks/ablation*.py),$(wildcard benchmarks/*.py))

bench: $(READY) ## run every benchmark (BENCH=--quick: in a minute each)
	@set -e; for script in $(BENCHMARKS); do \
		echo "== $$script"; $(BIN)/python "$$script" $(BENCH); done

tutorials: $(READY) ## execute the tutorials and render them with pictures (SCDP_TUTORIAL_SMALL=1: small)
	$(BIN)/python docs/render_tutorials.py

soak: $(READY) ## run the long stress tests
	$(BIN)/python -m pytest -m soak

docs: $(READY) ## build the pages in docs/_build
	$(BIN)/sphinx-build -W --keep-going -b html docs docs/_build

wheel: $(READY) ## build the wheel in dist/
	$(PIP) wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .
	@ls -l dist/*.whl

# To change a pin: install the wanted version in .venv, then run this and commit the result.
lock: $(READY) ## write the packages in .venv to requirements.lock
	@{ sed -n '/^#/p' requirements.lock; \
		$(PIP) freeze --all --exclude-editable --exclude pip --exclude wheel | sed -E 's/\+cpu$$//; /^nvidia-|^triton==/d; / @ /d'; \
	} > requirements.lock.new && mv requirements.lock.new requirements.lock

clean: ## remove .venv, builds and caches (keeps demo_output and scdp_data)
	rm -rf $(VENV) build dist docs/_build .pytest_cache .mypy_cache .ruff_cache .coverage .coverage.* htmlcov
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
